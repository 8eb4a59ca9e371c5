/* dsq-pending-generations.c - what waits for the file: clear, detach, commit, roll back, learn
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-pending-internal.h"

/*
 * A flush detaches the current generation of all shards at one instant and writes it in one
 * transaction. When that has committed, nodes that have not changed since become clean; when it has
 * failed, the generation goes back under what was staged meanwhile, change by change:
 *
 *   in flight            current over it          becomes
 *   set                  set                      the set, at the first one's place
 *   set, key absent      tombstone                nothing
 *   set                  tombstone                tombstone
 *   set or tombstone     set after a delete       the set, at its own place, reinserted
 *
 * with the presence of the change in flight, which is the one that tells of the file.
 */

static gboolean
is_newest (const DsqPending *self, const DsqShard *shard, guint which, guint32 i, guint32 node)
{
  DsqChangeHandle handle = dsq_change_handle (&shard->hot.nodes[node]);

  return handle.index == i + 1 && handle.fresh == which && handle.parity != self->parity;
}

/* The change of the current generation that stands over one in flight, or NULL. */
static DsqChange *
change_over (DsqPending *self, DsqShard *shard, guint which, guint32 i, guint32 node)
{
  DsqChangeHandle handle = dsq_change_handle (&shard->hot.nodes[node]);
  DsqChange *over;

  if (handle.index == 0 || handle.parity != self->parity)
    return NULL;
  over = dsq_pending_change_locked (self, shard, handle);
  return over->below == ((i + 1) << 1 | which) ? over : NULL;
}

/* Changes have gone by the list. */
static void
filter_order (const DsqPending *self, DsqShard *shard)
{
  DsqKeyOrder *order = dsq_pending_shard (self, shard->index)->order;

  if (order != NULL)
    dsq_key_order_filter_locked (order, &shard->hot, self->table);
}

static void
drop_generation (DsqPending *self, DsqShard *shard, DsqGeneration *generation)
{
  for (guint which = 0; which < DSQ_N_LISTS; which++)
    {
      DsqChangeList *list = &generation->lists[which];

      for (guint32 i = 0; i < list->n_items; i++)
        if (list->items[i].entry != NULL)
          dsq_pending_weigh_change (self, shard, list->items[i].entry, -1);
      dsq_change_list_clear (list);
    }
}

static void
hide_all (DsqPending *self)
{
  dsq_shards_assert_all_locked (self->shards);
  dsq_pending_touch (self);
  for (guint i = 0; i < self->shards->n_shards; i++)
    {
      DsqShard *shard = &self->shards->all[i];
      DsqPendingShard *pending = dsq_pending_shard (self, i);

      /* what is in flight keeps its memory until its flush is over */
      drop_generation (self, shard, &pending->current);
      g_clear_pointer (&pending->order, dsq_key_order_free);
      pending->n_live = 0;
      pending->n_unresolved = 0;
      pending->hides_cold = TRUE;
      dsq_hot_shard_drop_table_locked (&self->shards->hot, &shard->hot, self->table);
      shard->epoch++;
    }
  __atomic_fetch_add (&self->n_settled, 1, __ATOMIC_RELAXED);
  self->n_base = 0;
  self->clears = TRUE;
  self->inflight_hidden = self->is_inflight;
}

void
dsq_pending_clear_locked (DsqPending *self)
{
  guint64 n_unresolved;
  gint64 n_live = dsq_pending_count_locked (self, &n_unresolved);

  dsq_shards_assert_all_locked (self->shards);
  /* whatever the unresolved ones turn out to be, this is not 0 if there was anything */
  dsq_pending_count_own (self, -n_live - (gint64) n_unresolved);
  hide_all (self);
}

gint64
dsq_pending_clear_written_locked (DsqPending *self)
{
  guint64 n_unresolved;
  gint64 n_live = dsq_pending_count_locked (self, &n_unresolved);

  dsq_shards_assert_all_locked (self->shards);
  hide_all (self);
  self->clears = FALSE;
  for (guint i = 0; i < self->shards->n_shards; i++)
    dsq_pending_shard (self, i)->hides_cold = FALSE;
  return n_live;
}

void
dsq_pending_discard_locked (DsqPending *self)
{
  dsq_shards_assert_all_locked (self->shards);
  dsq_pending_clear_written_locked (self);
  self->inflight_clears = FALSE;
  for (guint i = 0; i < self->shards->n_shards; i++)
    drop_generation (self, &self->shards->all[i], &dsq_pending_shard (self, i)->inflight);
  if (!self->is_inflight)
    g_free (dsq_pending_give_back (self));
}

gboolean
dsq_pending_is_empty_locked (DsqPending *self)
{
  dsq_shards_assert_all_locked (self->shards);
  if (self->clears)
    return FALSE;
  if (!__atomic_load_n (&self->is_dirty, __ATOMIC_RELAXED))
    return TRUE;
  for (guint i = 0; i < self->shards->n_shards; i++)
    for (guint which = 0; which < DSQ_N_LISTS; which++)
      {
        const DsqChangeList *list = &dsq_pending_shard (self, i)->current.lists[which];

        if (list->n_items > list->n_void)
          return FALSE;
      }
  return TRUE;
}

/* Whether the sets to come are known to be of new keys, and have the places that the file would
 * give them. */
static gboolean
is_dense (const DsqPending *self, gint64 next)
{
  gint64 n_placed = 0;

  for (guint i = 0; i < self->shards->n_shards; i++)
    {
      const DsqPendingShard *pending = dsq_pending_shard (self, i);
      const DsqChangeList *list = &pending->current.lists[DSQ_LIST_FRESH];

      if (pending->n_unresolved > 0 || pending->has_gaps)
        return FALSE;
      n_placed += list->n_items - list->n_void;
    }
  return next + n_placed == __atomic_load_n (&self->next_place, __ATOMIC_RELAXED);
}

void
dsq_pending_detach_locked (DsqPending *self, gint64 next)
{
  dsq_shards_assert_all_locked (self->shards);
  self->inflight_moves = next != 0 && __atomic_load_n (&self->n_cursors, __ATOMIC_SEQ_CST) == 0 &&
                         !is_dense (self, next);
  /* a batch of a walk that is being read may find its rows at both places */
  if (self->inflight_moves)
    __atomic_fetch_add (&self->n_settled, 1, __ATOMIC_RELAXED);
  for (guint i = 0; i < self->shards->n_shards; i++)
    {
      DsqPendingShard *pending = dsq_pending_shard (self, i);

      pending->inflight = pending->current;
      memset (&pending->current, 0, sizeof pending->current);
      pending->has_gaps = FALSE;
    }
  __atomic_store_n (&self->is_dirty, FALSE, __ATOMIC_RELAXED);
  self->parity = !self->parity;
  self->is_inflight = TRUE;
  self->inflight_clears = self->clears;
  self->inflight_hidden = FALSE;
  self->inflight_end = __atomic_load_n (&self->next_place, __ATOMIC_RELAXED);
  self->clears = FALSE;
}

/* --- commit ---------------------------------------------------------------------------------- */

/* The change's flush has committed: its node is clean, gone, or has a change over it. */
static void
settle_node (DsqPending *self,
             DsqShard *shard,
             guint which,
             guint32 i,
             const DsqChange *change,
             gboolean may_stay)
{
  DsqChange *over;

  if (is_newest (self, shard, which, i, change->node))
    {
      if (may_stay && !dsq_entry_is_tombstone (change->entry))
        shard->hot.nodes[change->node].pin = 0;
      else
        dsq_hot_shard_remove_locked (&self->shards->hot, &shard->hot, change->node);
      return;
    }
  over = change_over (self, shard, which, i, change->node);
  if (over != NULL)
    over->below = 0;
}

void
dsq_pending_commit_shard_locked (DsqPending *self, guint index, guint8 *const *presences)
{
  DsqShard *shard = &self->shards->all[index];
  DsqPendingShard *pending = dsq_pending_shard (self, index);

  dsq_shard_assert_locked (shard);
  for (guint which = 0; which < DSQ_N_LISTS && !self->inflight_hidden; which++)
    {
      DsqChangeList *list = &pending->inflight.lists[which];

      for (guint32 i = 0; i < list->n_items; i++)
        {
          DsqChange *change = &list->items[i];

          if (change->entry == NULL)
            continue;
          if (change->presence == DSQ_PRESENCE_UNKNOWN)
            dsq_pending_resolve_locked (self, shard, change, presences[which][i]);
          settle_node (self, shard, which, i, change, TRUE);
        }
    }
  drop_generation (self, shard, &pending->inflight);
  filter_order (self, shard);
  pending->hides_cold = self->clears;
  shard->epoch++;
  __atomic_fetch_add (&self->n_settled, 1, __ATOMIC_RELAXED);
}

/* --- marks of what had expired ---------------------------------------------------------------- */

/* A tombstone that a sweep has put on a clean entry, rather than the caller. It holds as long as
 * the file is what it was then. */
static gboolean
is_swept (const DsqChange *change)
{
  return change->entry != NULL && dsq_entry_is_tombstone (change->entry) &&
         change->entry->has_expiry;
}

static void
forget_swept (DsqPending *self, DsqShard *shard, DsqChangeList *list, DsqChange *change)
{
  dsq_pending_count_change (dsq_pending_shard (self, shard->index), change, -1);
  dsq_pending_weigh_change (self, shard, change->entry, -1);
  dsq_hot_shard_remove_locked (&self->shards->hot, &shard->hot, change->node);
  g_clear_pointer (&change->entry, dsq_entry_unref);
  list->n_void++;
}

/* --- roll back ------------------------------------------------------------------------------- */

/* Makes one change of two; which of them stays is told by its entry, the other is void. */
static void
merge_change (DsqPending *self,
              DsqShard *shard,
              DsqChange *below,
              gboolean is_below_fresh,
              DsqChange *over)
{
  DsqPendingShard *pending = dsq_pending_shard (self, shard->index);
  gboolean is_over_fresh = dsq_change_handle (&shard->hot.nodes[below->node]).fresh;
  gboolean is_set = !dsq_entry_is_tombstone (over->entry);
  DsqChange *kept = is_set && is_below_fresh && !is_over_fresh ? below : over;
  DsqEntry *entry = over->entry;

  dsq_pending_count_change (pending, below, -1);
  dsq_pending_count_change (pending, over, -1);
  dsq_pending_weigh_change (self, shard, below->entry, -1);
  dsq_entry_unref (below->entry);
  below->entry = NULL;
  over->entry = NULL;
  over->below = 0;
  if (!is_set && below->presence == DSQ_PRESENCE_ABSENT)
    {
      dsq_pending_weigh_change (self, shard, entry, -1);
      dsq_entry_unref (entry);
      dsq_hot_shard_remove_locked (&self->shards->hot, &shard->hot, below->node);
      return;
    }
  kept->entry = entry;
  kept->presence = below->presence;
  if (is_over_fresh)
    kept->reinsert = below->presence != DSQ_PRESENCE_ABSENT;
  dsq_pending_count_change (pending, kept, 1);
}

/* Moves the changes of both lists that are not void into one, older ones first. */
static void
join_lists (DsqPending *self,
            DsqShard *shard,
            guint which,
            DsqChangeList *older,
            DsqChangeList *list)
{
  DsqChangeList joined = { 0 };
  DsqChangeList *sources[] = { older, list };

  for (guint s = 0; s < G_N_ELEMENTS (sources); s++)
    for (guint32 i = 0; i < sources[s]->n_items; i++)
      {
        DsqChange *change = &sources[s]->items[i];

        if (change->entry == NULL)
          continue;
        dsq_change_list_append (&joined, change);
        change->entry = NULL;
        dsq_change_handle_set_last (&shard->hot.nodes[change->node], &joined, which, self->parity);
      }
  dsq_change_list_clear (older);
  dsq_change_list_clear (list);
  *list = joined;
}

/* Overwrites of rows that may be gone, since others have written, need a place. */
static void
give_places (DsqPending *self, DsqShard *shard)
{
  DsqGeneration *current = &dsq_pending_shard (self, shard->index)->current;
  DsqChangeList *rest = &current->lists[DSQ_LIST_REST];

  for (guint32 i = 0; i < rest->n_items; i++)
    {
      DsqChange *change = &rest->items[i];

      if (change->entry == NULL || dsq_entry_is_tombstone (change->entry) ||
          change->presence == DSQ_PRESENCE_PRESENT)
        continue;
      change->place = __atomic_fetch_add (&self->next_place, 1, __ATOMIC_RELAXED);
      dsq_change_list_append (&current->lists[DSQ_LIST_FRESH], change);
      dsq_change_handle_set_last (&shard->hot.nodes[change->node],
                                  &current->lists[DSQ_LIST_FRESH],
                                  DSQ_LIST_FRESH,
                                  self->parity);
      change->entry = NULL;
      rest->n_void++;
    }
}

static void
rollback_shard (DsqPending *self, guint index)
{
  DsqShard *shard = &self->shards->all[index];
  DsqPendingShard *pending = dsq_pending_shard (self, index);

  if (self->inflight_hidden)
    {
      drop_generation (self, shard, &pending->inflight);
      return;
    }
  for (guint which = 0; which < DSQ_N_LISTS; which++)
    {
      DsqChangeList *list = &pending->inflight.lists[which];

      for (guint32 i = 0; i < list->n_items; i++)
        {
          DsqChange *change = &list->items[i];
          DsqChange *over = NULL;

          if (change->entry != NULL)
            over = change_over (self, shard, which, i, change->node);
          if (over != NULL)
            merge_change (self, shard, change, which == DSQ_LIST_FRESH, over);
          else if (is_swept (change))
            forget_swept (self, shard, list, change);
        }
    }
  for (guint which = 0; which < DSQ_N_LISTS; which++)
    join_lists (self,
                shard,
                which,
                &pending->inflight.lists[which],
                &pending->current.lists[which]);
  pending->has_gaps = TRUE; /* for what had some */
  give_places (self, shard);
  filter_order (self, shard);
}

void
dsq_pending_rollback_locked (DsqPending *self)
{
  dsq_shards_assert_all_locked (self->shards);
  for (guint i = 0; i < self->shards->n_shards; i++)
    rollback_shard (self, i);
  /* marks of what had expired are forgotten */
  __atomic_fetch_add (&self->n_settled, 1, __ATOMIC_RELAXED);
  __atomic_store_n (&self->is_dirty, TRUE, __ATOMIC_RELAXED);
  self->clears = self->clears || self->inflight_clears;
  self->is_inflight = FALSE;
  self->inflight_moves = FALSE;
  self->inflight_clears = FALSE;
  self->inflight_hidden = FALSE;
}

/* --- learn ----------------------------------------------------------------------------------- */

/* The generation in flight is in the file, and somebody else has written since: nothing of it may
 * stay in memory as clean. */
static void
settle_committed (DsqPending *self, DsqShard *shard)
{
  DsqPendingShard *pending = dsq_pending_shard (self, shard->index);

  for (guint which = 0; which < DSQ_N_LISTS && !self->inflight_hidden; which++)
    {
      DsqChangeList *list = &pending->inflight.lists[which];

      for (guint32 i = 0; i < list->n_items; i++)
        if (list->items[i].entry != NULL)
          settle_node (self, shard, which, i, &list->items[i], FALSE);
    }
  drop_generation (self, shard, &pending->inflight);
  pending->hides_cold = self->clears;
}

/* Forgets what was known of the rows of a list of changes. */
static void
forget_presence (DsqPending *self,
                 DsqPendingShard *pending,
                 DsqChangeList *list,
                 DsqPresence presence)
{
  for (guint32 i = 0; i < list->n_items; i++)
    {
      DsqChange *change = &list->items[i];

      if (change->entry == NULL)
        continue;
      if (change->below == 0)
        change->presence = presence;
      dsq_pending_count_change (pending, change, 1);
    }
}

static void
shift_places (DsqPending *self, gint64 delta)
{
  for (guint i = 0; i < self->shards->n_shards; i++)
    {
      DsqPendingShard *pending = dsq_pending_shard (self, i);
      DsqGeneration *generations[] = { &pending->current, &pending->inflight };

      for (guint g = 0; g < G_N_ELEMENTS (generations); g++)
        {
          DsqChangeList *list = &generations[g]->lists[DSQ_LIST_FRESH];

          for (guint32 j = 0; j < list->n_items; j++)
            list->items[j].place += delta;
        }
    }
  __atomic_fetch_add (&self->next_place, delta, __ATOMIC_RELAXED);
}

/* For walks that are under way; others see by the number of shifts that there was one. */
static void
note_rebase (DsqPending *self, const DsqRebase *shift)
{
  if (__atomic_load_n (&self->n_cursors, __ATOMIC_RELAXED) == 0)
    {
      self->n_rebases_gone = dsq_pending_n_rebases_locked (self) + 1;
      g_clear_pointer (&self->rebases, g_array_unref);
      return;
    }
  if (self->rebases == NULL)
    self->rebases = g_array_new (FALSE, FALSE, sizeof (DsqRebase));
  g_array_append_vals (self->rebases, shift, 1);
}

/* All that is pending comes at @next and beyond. */
static void
rebase (DsqPending *self, gint64 next)
{
  const DsqRebase shift = { self->base_place, G_MAXINT64, next - self->base_place };

  if (shift.delta == 0)
    return;
  shift_places (self, shift.delta);
  self->base_place = next;
  note_rebase (self, &shift);
  __atomic_fetch_add (&self->n_settled, 1, __ATOMIC_RELAXED);
}

/* The generation in flight is in the file, which may have given it places of fewer keys. */
static void
end_flight (DsqPending *self, gint64 next)
{
  self->base_place = MAX (self->base_place, self->inflight_end);
  if (self->inflight_moves)
    rebase (self, next);
  self->inflight_end = self->base_place;
  self->inflight_moves = FALSE;
  self->inflight_clears = FALSE;
  self->inflight_hidden = FALSE;
}

void
dsq_pending_finish_commit_locked (DsqPending *self, gint64 next)
{
  dsq_shards_assert_all_locked (self->shards);
  end_flight (self, next);
  self->is_inflight = FALSE;
}

void
dsq_pending_advance_locked (DsqPending *self, gint64 next)
{
  dsq_shards_assert_all_locked (self->shards);
  next = MAX (next, __atomic_load_n (&self->next_place, __ATOMIC_RELAXED));
  __atomic_store_n (&self->next_place, next, __ATOMIC_RELAXED);
  self->base_place = next;
  __atomic_fetch_add (&self->n_settled, 1, __ATOMIC_RELAXED);
}

void
dsq_pending_follow_locked (DsqPending *self, const DsqPending *parent, gint64 offset, gint64 end)
{
  guint64 n_rebases = dsq_pending_n_rebases_locked (parent);

  dsq_shards_assert_all_locked (self->shards);
  for (; self->n_followed < n_rebases; self->n_followed++)
    {
      DsqRebase shift =
          g_array_index (parent->rebases, DsqRebase, self->n_followed - parent->n_rebases_gone);

      shift.from -= offset;
      shift.end = MIN (shift.end, end);
      note_rebase (self, &shift);
      __atomic_fetch_add (&self->n_settled, 1, __ATOMIC_RELAXED);
    }
}

gboolean
dsq_pending_learn_locked (DsqPending *self, const DsqTableState *state, gboolean committed)
{
  gboolean forgets_marks = FALSE;
  gboolean is_hidden;
  DsqPresence presence;

  dsq_shards_assert_all_locked (self->shards);
  if (self->is_inflight && committed)
    {
      for (guint i = 0; i < self->shards->n_shards; i++)
        settle_committed (self, &self->shards->all[i]);
      end_flight (self, state->next);
    }
  rebase (self, MAX (self->base_place, state->next));
  __atomic_fetch_add (&self->n_settled, 1, __ATOMIC_RELAXED);

  is_hidden = self->clears || self->inflight_clears;
  presence = is_hidden ? DSQ_PRESENCE_ABSENT : DSQ_PRESENCE_UNKNOWN;
  self->n_base = is_hidden ? 0 : state->count;
  for (guint i = 0; i < self->shards->n_shards && !dsq_pending_is_untouched (self); i++)
    {
      DsqShard *shard = &self->shards->all[i];
      DsqPendingShard *pending = dsq_pending_shard (self, i);

      for (guint32 j = 0; j < pending->current.lists[DSQ_LIST_REST].n_items; j++)
        {
          DsqChangeList *list = &pending->current.lists[DSQ_LIST_REST];

          if (is_swept (&list->items[j]))
            {
              forget_swept (self, shard, list, &list->items[j]);
              forgets_marks = TRUE;
            }
        }
      pending->n_live = 0;
      pending->n_unresolved = 0;
      for (guint which = 0; which < DSQ_N_LISTS; which++)
        {
          if (!self->inflight_hidden)
            forget_presence (self, pending, &pending->inflight.lists[which], presence);
          forget_presence (self, pending, &pending->current.lists[which], presence);
        }
      give_places (self, shard);
      filter_order (self, shard);
    }
  return forgets_marks;
}
