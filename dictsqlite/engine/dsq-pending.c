/* dsq-pending.c - what waits for the file: staging
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-pending-internal.h"
#include "engine/dsq-walker-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * A dirty key has a node in the hot tier, which holds its newest state, and a change, which tells
 * what must be done to its row. Changes stand in lists of one shard, and a node's handle says
 * where:
 *
 *   node --handle--> current  . fresh  [ c c . c ]   ordered by place: what walks and popitem need
 *                             . rest   [ c c c ]
 *                    inflight . fresh                detached by the flush under way
 *                             . rest
 *
 * At most one change of a key is in the current generation. When there is one in flight as well,
 * the current one names it in `below` (index and list), and its presence is told as of after the
 * flight.
 *
 * A change's presence says whether the key has a row. Writes are blind, so it may be unknown: then
 * the change adds nothing to the count of keys until a probe or the flush has resolved it.
 *
 *              absent   present            unknown
 *   set          +1        0       adds as soon as it is known
 *   tombstone     0       -1       the same
 */

/* Room for changes that a list starts with. */
#define FIRST_CHANGES 8

/* What tables that were never written to have in common, those of which the file may have rows and
 * those of which it has none. Never written to. */
static DsqPendingShard no_shards[DSQ_HOT_MAX_SHARDS];
static DsqPendingShard hiding_shards[DSQ_HOT_MAX_SHARDS] = {
  [0 ... DSQ_HOT_MAX_SHARDS - 1] = { .hides_cold = TRUE },
};

DsqPending *
dsq_pending_new (DsqShards *shards, const DsqTableState *state, gboolean hides_cold)
{
  DsqPending *self = g_new0 (DsqPending, 1);

  self->shards = shards;
  self->parts = hides_cold ? hiding_shards : no_shards;
  self->table = state->table;
  self->number = dsq_walker_new_table ();
  self->n_base = state->count;
  self->next_place = state->next;
  self->base_place = self->next_place;
  return self;
}

gboolean
dsq_pending_is_untouched (const DsqPending *self)
{
  const DsqPendingShard *shards = __atomic_load_n (&self->parts, __ATOMIC_ACQUIRE);

  return shards == no_shards || shards == hiding_shards;
}

/* Two threads may do so at once, each with another shard's lock held. */
void
dsq_pending_touch (DsqPending *self)
{
  DsqPendingShard *expected = __atomic_load_n (&self->parts, __ATOMIC_ACQUIRE);
  DsqPendingShard *shards;

  if (G_LIKELY (expected != no_shards && expected != hiding_shards))
    return;
  shards = g_memdup2 (expected, self->shards->n_shards * sizeof *shards);
  if (!__atomic_compare_exchange_n (&self->parts,
                                    &expected,
                                    shards,
                                    FALSE,
                                    __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
    g_free (shards);
}

DsqPendingShard *
dsq_pending_give_back (DsqPending *self)
{
  DsqPendingShard *shards = __atomic_exchange_n (&self->parts, no_shards, __ATOMIC_ACQ_REL);

  return shards != no_shards && shards != hiding_shards ? shards : NULL;
}

static void
generation_clear (DsqGeneration *generation)
{
  for (guint i = 0; i < DSQ_N_LISTS; i++)
    dsq_change_list_clear (&generation->lists[i]);
}

void
dsq_pending_free (DsqPending *self)
{
  for (guint i = 0; i < self->shards->n_shards && !dsq_pending_is_untouched (self); i++)
    {
      generation_clear (&self->parts[i].current);
      generation_clear (&self->parts[i].inflight);
      dsq_key_order_free (self->parts[i].order);
    }
  g_free (dsq_pending_give_back (self));
  g_clear_pointer (&self->rebases, g_array_unref);
  g_free (self);
}

/* --- lists ----------------------------------------------------------------------------------- */

void
dsq_change_list_clear (DsqChangeList *list)
{
  for (guint32 i = 0; i < list->n_items; i++)
    if (list->items[i].entry != NULL)
      dsq_entry_unref (list->items[i].entry);
  g_free (list->items);
  memset (list, 0, sizeof *list);
}

DsqChange *
dsq_change_list_append (DsqChangeList *list, const DsqChange *change)
{
  if (list->n_items == list->n_allocated)
    {
      list->n_allocated += MAX (list->n_allocated, FIRST_CHANGES);
      list->items = g_renew (DsqChange, list->items, list->n_allocated);
    }
  list->items[list->n_items] = *change;
  return &list->items[list->n_items++];
}

/* --- accounts -------------------------------------------------------------------------------- */

void
dsq_pending_count_change (DsqPendingShard *shard, const DsqChange *change, int sign)
{
  if (change->presence == DSQ_PRESENCE_UNKNOWN)
    shard->n_unresolved += sign;
  else
    shard->n_live += sign * dsq_change_contribution (change, change->presence);
}

void
dsq_pending_weigh_change (DsqPending *self, DsqShard *shard, const DsqEntry *entry, int sign)
{
  shard->n_dirty += sign;
  dsq_budget_count (self->shards->budget,
                    &shard->dirty_bytes,
                    sign * (gint64) dsq_entry_size (entry));
}

/* --- staging --------------------------------------------------------------------------------- */

DsqChange *
dsq_pending_change_locked (DsqPending *self, DsqShard *shard, DsqChangeHandle handle)
{
  DsqPendingShard *pending = dsq_pending_shard (self, shard->index);
  DsqGeneration *generation = handle.parity == self->parity ? &pending->current
                                                            : &pending->inflight;

  dsq_shard_assert_locked (shard);
  return &generation->lists[handle.fresh].items[handle.index - 1];
}

DsqChange *
dsq_pending_below_locked (DsqPending *self, DsqShard *shard, const DsqChange *change)
{
  DsqGeneration *inflight = &dsq_pending_shard (self, shard->index)->inflight;

  dsq_shard_assert_locked (shard);
  if (change->below == 0)
    return NULL;
  return &inflight->lists[change->below & 1].items[(change->below >> 1) - 1];
}

/* Appends a change, whose entry is taken over, and points the node's handle at it. */
static void
append_change (DsqPending *self,
               DsqShard *shard,
               guint32 number,
               guint which,
               const DsqChange *change)
{
  DsqPendingShard *pending = dsq_pending_shard (self, shard->index);
  DsqChangeList *list = &pending->current.lists[which];
  DsqHotNode *node = &shard->hot.nodes[number];
  DsqChange *added = dsq_change_list_append (list, change);

  added->node = number;
  if (G_UNLIKELY (pending->order != NULL) && node->pin == 0)
    dsq_key_order_add_locked (pending->order, &shard->hot, self->table, number);
  dsq_change_handle_set_last (node, list, which, self->parity);
  dsq_pending_count_change (pending, added, 1);
  dsq_pending_weigh_change (self, shard, added->entry, 1);
  if (!__atomic_load_n (&self->is_dirty, __ATOMIC_RELAXED))
    __atomic_store_n (&self->is_dirty, TRUE, __ATOMIC_RELAXED);
}

static gint64
take_place (DsqPending *self)
{
  return __atomic_fetch_add (&self->next_place, 1, __ATOMIC_RELAXED);
}

/* Void changes at the end go at once, others when they are the most. Those at the beginning, where
 * the oldest keys are taken from a queue, are counted, so that nobody looks through them. */
static void
list_tidy (DsqPending *self, DsqShard *shard, guint which)
{
  DsqChangeList *list = &dsq_pending_shard (self, shard->index)->current.lists[which];
  guint32 n_kept = 0;

  while (list->n_items > 0 && list->items[list->n_items - 1].entry == NULL)
    {
      list->n_items--;
      list->n_void--;
    }
  list->n_leading = MIN (list->n_leading, list->n_items);
  while (list->n_leading < list->n_items && list->items[list->n_leading].entry == NULL)
    list->n_leading++;
  if (list->n_void < 64 || list->n_void < list->n_items / 2)
    return;
  for (guint32 i = 0; i < list->n_items; i++)
    if (list->items[i].entry != NULL)
      {
        list->items[n_kept++] = list->items[i];
        shard->hot.nodes[list->items[i].node].pin = n_kept << 2 | which << 1 | self->parity;
      }
  list->n_items = n_kept;
  list->n_void = 0;
  list->n_leading = 0;
}

/* Takes a change of the current generation out of its list, with its entry and its accounts. */
static DsqChange
withdraw_change (DsqPending *self, DsqShard *shard, DsqChangeHandle handle)
{
  DsqPendingShard *pending = dsq_pending_shard (self, shard->index);
  DsqChange *slot = dsq_pending_change_locked (self, shard, handle);
  DsqChange change = *slot;

  dsq_pending_count_change (pending, &change, -1);
  dsq_pending_weigh_change (self, shard, change.entry, -1);
  slot->entry = NULL;
  pending->current.lists[handle.fresh].n_void++;
  list_tidy (self, shard, handle.fresh);
  return change;
}

void
dsq_pending_stage_new_locked (DsqPending *self,
                              DsqShard *shard,
                              guint64 hash,
                              DsqEntry *entry,
                              DsqPresence presence)
{
  gboolean is_set = !dsq_entry_is_tombstone (entry);
  gboolean is_fresh = is_set && presence != DSQ_PRESENCE_PRESENT;
  guint32 number = dsq_hot_shard_insert_locked (&self->shards->hot,
                                                &shard->hot,
                                                hash,
                                                dsq_entry_share (entry),
                                                TRUE);
  DsqChange change = { .entry = entry, .presence = presence };

  dsq_shard_assert_locked (shard);
  dsq_pending_touch (self);
  change.place = is_fresh ? take_place (self) : 0;
  dsq_pending_count_own (self, dsq_change_contribution (&change, presence));
  if (dsq_pending_has_walks (self))
    dsq_walker_count_staged (self->number, hash, presence == DSQ_PRESENCE_UNKNOWN);
  append_change (self, shard, number, is_fresh ? DSQ_LIST_FRESH : DSQ_LIST_REST, &change);
}

/* The first change since the key was flushed. */
static void
stage_over_clean (DsqPending *self, DsqShard *shard, guint32 number, DsqEntry *entry)
{
  DsqChange change = { .entry = entry, .presence = DSQ_PRESENCE_PRESENT };

  if (!shard->hot.nodes[number].is_pinned)
    dsq_hot_shard_pin_locked (&self->shards->hot, &shard->hot, number);
  append_change (self, shard, number, DSQ_LIST_REST, &change);
}

/* The first change since a flush, still under way, took the key's last one along. */
static void
stage_over_inflight (DsqPending *self, DsqShard *shard, guint32 number, DsqEntry *entry)
{
  DsqChangeHandle handle = dsq_change_handle (&shard->hot.nodes[number]);
  const DsqChange *below = dsq_pending_change_locked (self, shard, handle);
  DsqChange change = { .entry = entry, .presence = DSQ_PRESENCE_PRESENT, .place = below->place };

  change.below = (guint32) handle.index << 1 | handle.fresh;
  if (!dsq_entry_is_tombstone (below->entry))
    {
      append_change (self, shard, number, DSQ_LIST_REST, &change);
      return;
    }
  change.presence = DSQ_PRESENCE_ABSENT;
  change.place = take_place (self);
  append_change (self, shard, number, DSQ_LIST_FRESH, &change);
}

/* A key that was set and is deleted again before it ever had a row: as if nothing had been. */
static void
forget_change (DsqPending *self, DsqShard *shard, guint32 number)
{
  DsqHotNode *node = &shard->hot.nodes[number];
  DsqChange change = withdraw_change (self, shard, dsq_change_handle (node));
  guint32 below = change.below;

  dsq_entry_unref (change.entry);

  if (below == 0)
    {
      DsqKeyOrder *order = dsq_pending_shard (self, shard->index)->order;

      if (order != NULL)
        dsq_key_order_remove_locked (order, &shard->hot, number);
      dsq_hot_shard_remove_locked (&self->shards->hot, &shard->hot, number);
      return;
    }
  /* index and list, as they stand there */
  node->pin = below << 1 | !self->parity;
  dsq_hot_shard_replace_locked (
      &self->shards->hot,
      &shard->hot,
      number,
      dsq_entry_ref (dsq_pending_change_locked (self, shard, dsq_change_handle (node))->entry));
}

/* Another change within the generation: the two become one. */
static void
stage_over_current (DsqPending *self, DsqShard *shard, guint32 number, DsqEntry *entry)
{
  DsqChangeHandle handle = dsq_change_handle (&shard->hot.nodes[number]);
  DsqChange *slot = dsq_pending_change_locked (self, shard, handle);
  gboolean was_set = !dsq_entry_is_tombstone (slot->entry);
  gboolean is_set = !dsq_entry_is_tombstone (entry);
  DsqChange change;

  if (was_set && is_set)
    {
      dsq_pending_weigh_change (self, shard, slot->entry, -1);
      dsq_pending_weigh_change (self, shard, entry, 1);
      dsq_entry_unref (slot->entry);
      slot->entry = entry;
      return;
    }

  change = withdraw_change (self, shard, handle);
  dsq_entry_unref (change.entry);
  change.entry = entry;
  change.reinsert = is_set && change.presence != DSQ_PRESENCE_ABSENT;
  change.place = is_set ? take_place (self) : change.place;
  append_change (self, shard, number, is_set ? DSQ_LIST_FRESH : DSQ_LIST_REST, &change);
}

void
dsq_pending_stage_over_locked (DsqPending *self, DsqShard *shard, guint32 number, DsqEntry *entry)
{
  DsqHotNode *node = &shard->hot.nodes[number];
  gboolean was_set = !dsq_entry_is_tombstone (node->entry);
  gboolean is_set = !dsq_entry_is_tombstone (entry);

  dsq_shard_assert_locked (shard);
  dsq_pending_touch (self);
  dsq_pending_count_own (self, is_set - was_set);
  dsq_hot_shard_replace_locked (&self->shards->hot, &shard->hot, number, dsq_entry_share (entry));
  dsq_hot_shard_touch_locked (&self->shards->hot, &shard->hot, number);
  if (node->pin == 0)
    stage_over_clean (self, shard, number, entry);
  else if (dsq_change_handle (node).parity != self->parity)
    stage_over_inflight (self, shard, number, entry);
  else
    stage_over_current (self, shard, number, entry);
}

void
dsq_pending_stage_removal_locked (DsqPending *self,
                                  DsqShard *shard,
                                  guint32 number,
                                  const DsqKey *key)
{
  DsqChangeHandle handle = dsq_change_handle (&shard->hot.nodes[number]);

  dsq_shard_assert_locked (shard);
  if (handle.index == 0 || handle.parity != self->parity ||
      dsq_pending_change_locked (self, shard, handle)->presence != DSQ_PRESENCE_ABSENT)
    {
      dsq_pending_stage_over_locked (self, shard, number, dsq_entry_new_tombstone (key));
      return;
    }
  dsq_pending_count_own (self, -1);
  forget_change (self, shard, number);
}

void
dsq_pending_resolve_locked (DsqPending *self,
                            DsqShard *shard,
                            DsqChange *change,
                            DsqPresence presence)
{
  DsqPendingShard *pending = dsq_pending_shard (self, shard->index);

  dsq_shard_assert_locked (shard);
  dsq_pending_count_change (pending, change, -1);
  change->presence = presence;
  dsq_pending_count_change (pending, change, 1);
}

void
dsq_pending_count_written_locked (DsqPending *self, DsqShard *shard, gint64 n_keys)
{
  dsq_shard_assert_locked (shard);
  if (n_keys == 0)
    return;
  dsq_pending_touch (self);
  dsq_pending_shard (self, shard->index)->n_live += n_keys;
}

gint64
dsq_pending_count_locked (DsqPending *self, guint64 *out_n_unresolved)
{
  gint64 n_live = self->n_base;
  guint64 n_unresolved = 0;

  dsq_shards_assert_all_locked (self->shards);
  for (guint i = 0; i < self->shards->n_shards; i++)
    {
      const DsqPendingShard *shard = dsq_pending_shard (self, i);

      n_live += shard->n_live;
      n_unresolved += shard->n_unresolved;
    }
  *out_n_unresolved = n_unresolved;
  return n_live;
}
