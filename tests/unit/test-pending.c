/* test-pending.c - what waits for the file, against a model
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-hash-private.h"
#include "engine/dsq-pending-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * A model of the file (key -> place and value) and one of the mapping (key -> value and the order
 * in which keys came) beside the pending room, through random writes, flushes that succeed and
 * fail, clears, and commits of others, each also while a flush is under way.
 */

#define N_KEYS 24
/* Of its walks beside a model. */
#define N_SEEDS (g_getenv ("DSQ_SHORT") != NULL ? 8u : 50u)

typedef struct
{
  gboolean is_there;
  gint64 place; /* in the file; in the mapping: rank of arrival */
  guint value;
} Slot;

typedef struct
{
  GRand *rand;
  guint32 table;
  DsqBudget budget;
  DsqShards *shards;
  DsqPending *pending;
  Slot file[N_KEYS];
  Slot mapping[N_KEYS];
  gint64 next;  /* place in the file */
  gint64 ranks; /* arrivals in the mapping */
  guint8 *presences[DSQ_HOT_MAX_SHARDS][DSQ_N_LISTS];
  gboolean is_flushing;
  gboolean is_committed;
  Slot flushed[N_KEYS]; /* the file as the flush under way will leave it */
  gint64 flushed_next;
  gint64 n_new; /* keys that it brings */
} World;

static DsqKey
key_number (const World *self, guint i, char *buffer)
{
  DsqKey key = { (const guint8 *) buffer, 0, self->table, 0 };

  key.length = (guint32) g_snprintf (buffer, 16, "key %u", i);
  key.hash = dsq_hash (key.table, key.bytes, key.length);
  return key;
}

static guint
number_of (const DsqEntry *entry)
{
  g_autofree char *text = g_strndup ((const char *) dsq_entry_key (entry), entry->key_length);

  return (guint) g_ascii_strtoull (text + 4, NULL, 10);
}

static void
stage (World *self, guint i, DsqEntry *entry)
{
  char buffer[16];
  DsqKey key = key_number (self, i, buffer);
  DsqShard *shard = dsq_shards_get (self->shards, key.hash);
  guint32 number;

  dsq_shard_lock (shard);
  number = dsq_hot_shard_find_locked (&shard->hot, &key);
  if (number != 0 && dsq_entry_is_tombstone (entry))
    {
      dsq_pending_stage_removal_locked (self->pending, shard, number, &key);
      dsq_entry_unref (entry);
    }
  else if (number != 0)
    dsq_pending_stage_over_locked (self->pending, shard, number, entry);
  else if (!dsq_entry_is_tombstone (entry))
    dsq_pending_stage_new_locked (self->pending,
                                  shard,
                                  key.hash,
                                  entry,
                                  dsq_pending_shard (self->pending, shard->index)->hides_cold
                                      ? DSQ_PRESENCE_ABSENT
                                      : DSQ_PRESENCE_UNKNOWN);
  else
    dsq_pending_stage_new_locked (self->pending, shard, key.hash, entry, DSQ_PRESENCE_PRESENT);
  dsq_shard_unlock (shard);
}

static void
set (World *self, guint i)
{
  char buffer[16];
  DsqKey key = key_number (self, i, buffer);
  guint value = g_rand_int (self->rand);

  stage (self, i, dsq_entry_new (&key, (const guint8 *) &value, sizeof value, 0));
  if (!self->mapping[i].is_there)
    self->mapping[i].place = self->ranks++;
  self->mapping[i].is_there = TRUE;
  self->mapping[i].value = value;
}

static void
unset (World *self, guint i)
{
  char buffer[16];
  DsqKey key = key_number (self, i, buffer);

  if (!self->mapping[i].is_there)
    return;
  stage (self, i, dsq_entry_new_tombstone (&key));
  self->mapping[i].is_there = FALSE;
}

static void
clear (World *self)
{
  dsq_shards_lock_all (self->shards);
  dsq_pending_clear_locked (self->pending);
  dsq_shards_unlock_all (self->shards);
  memset (self->mapping, 0, sizeof self->mapping);
}

/* --- flush, as the cold tier would ------------------------------------------------------------ */

static void
apply (World *self, DsqChange *change, guint8 *found)
{
  Slot *slot = &self->flushed[number_of (change->entry)];

  *found = slot->is_there ? DSQ_PRESENCE_PRESENT : DSQ_PRESENCE_ABSENT;
  if (change->presence != DSQ_PRESENCE_UNKNOWN)
    g_assert_cmpint (change->presence, ==, *found);
  if (dsq_entry_is_tombstone (change->entry) || change->reinsert)
    slot->is_there = FALSE;
  if (dsq_entry_is_tombstone (change->entry))
    return;
  memcpy (&slot->value, dsq_entry_record (change->entry), sizeof slot->value);
  if (slot->is_there)
    return;
  slot->is_there = TRUE;
  slot->place = self->pending->inflight_moves ? self->flushed_next : change->place;
  g_assert_cmpint (slot->place, >=, self->flushed_next);
  self->flushed_next = slot->place + 1;
  self->n_new++;
}

static gint
by_place (gconstpointer a, gconstpointer b)
{
  gint64 left = (*(DsqChange *const *) a)->place;
  gint64 right = (*(DsqChange *const *) b)->place;

  return (left > right) - (left < right);
}

static void
begin_flush (World *self)
{
  g_autoptr (GPtrArray) fresh = g_ptr_array_new ();
  gboolean is_empty;

  dsq_shards_lock_all (self->shards);
  is_empty = dsq_pending_is_empty_locked (self->pending);
  /* with a walk under way places stay as they are */
  self->pending->n_cursors = g_rand_boolean (self->rand);
  if (!is_empty)
    dsq_pending_detach_locked (self->pending, self->next);
  dsq_shards_unlock_all (self->shards);
  if (is_empty)
    return;
  memcpy (self->flushed, self->file, sizeof self->file);
  self->flushed_next = self->next;
  self->n_new = 0;
  if (self->pending->inflight_clears)
    memset (self->flushed, 0, sizeof self->flushed);

  for (guint s = 0; s < self->shards->n_shards; s++)
    for (guint which = 0; which < DSQ_N_LISTS; which++)
      {
        DsqChangeList *list = &self->pending->parts[s].inflight.lists[which];

        self->presences[s][which] = g_malloc0 (list->n_items);
        for (guint32 i = 0; i < list->n_items; i++)
          if (list->items[i].entry != NULL && which == DSQ_LIST_FRESH)
            g_ptr_array_add (fresh, &list->items[i]);
      }
  g_ptr_array_sort (fresh, by_place);
  for (guint j = 0; j < fresh->len; j++)
    for (guint s = 0; s < self->shards->n_shards; s++)
      {
        DsqChangeList *list = &self->pending->parts[s].inflight.lists[DSQ_LIST_FRESH];
        DsqChange *change = fresh->pdata[j];

        if (list->n_items > 0 && change >= list->items && change < list->items + list->n_items)
          apply (self, change, &self->presences[s][DSQ_LIST_FRESH][change - list->items]);
      }
  for (guint s = 0; s < self->shards->n_shards; s++)
    {
      DsqChangeList *list = &self->pending->parts[s].inflight.lists[DSQ_LIST_REST];

      for (guint32 i = 0; i < list->n_items; i++)
        if (list->items[i].entry != NULL)
          apply (self, &list->items[i], &self->presences[s][DSQ_LIST_REST][i]);
    }
  /* no place is left out but for a walk's sake */
  if (self->pending->n_cursors == 0)
    g_assert_cmpint (self->flushed_next, ==, self->next + self->n_new);
  self->is_flushing = TRUE;
  self->is_committed = FALSE;
}

/* The transaction itself; what memory makes of it comes with end_flush(). */
static void
commit_file (World *self)
{
  memcpy (self->file, self->flushed, sizeof self->file);
  self->next = self->flushed_next;
  self->is_committed = TRUE;
}

static void
end_flush (World *self)
{
  for (guint s = 0; s < self->shards->n_shards && self->is_committed; s++)
    {
      dsq_shard_lock (&self->shards->all[s]);
      dsq_pending_commit_shard_locked (self->pending, s, self->presences[s]);
      dsq_shard_unlock (&self->shards->all[s]);
      dsq_hot_tier_admit_cleaned (&self->shards->hot, &self->shards->all[s].hot);
    }
  dsq_shards_lock_all (self->shards);
  if (self->is_committed)
    dsq_pending_finish_commit_locked (self->pending, self->flushed_next);
  else
    dsq_pending_rollback_locked (self->pending);
  dsq_shards_unlock_all (self->shards);
  for (guint s = 0; s < DSQ_HOT_MAX_SHARDS; s++)
    for (guint which = 0; which < DSQ_N_LISTS; which++)
      g_clear_pointer (&self->presences[s][which], g_free);
  self->is_flushing = FALSE;
}

/* --- what others do, and what the mapping is then --------------------------------------------- */

/* Whether the pending room has a say on a key, and which. */
static const DsqEntry *
pending_state (World *self, guint i)
{
  char buffer[16];
  DsqKey key = key_number (self, i, buffer);
  DsqShard *shard = dsq_shards_get (self->shards, key.hash);
  const DsqEntry *entry = NULL;
  guint32 number;

  dsq_shard_lock (shard);
  number = dsq_hot_shard_find_locked (&shard->hot, &key);
  if (number != 0)
    entry = shard->hot.nodes[number].entry;
  dsq_shard_unlock (shard);
  return entry;
}

static void
write_as_others (World *self)
{
  DsqTableState state = { .table = self->table };

  for (guint n = g_rand_int_range (self->rand, 1, 6); n > 0; n--)
    {
      Slot *slot = &self->file[g_rand_int_range (self->rand, 0, N_KEYS)];

      if (slot->is_there && g_rand_boolean (self->rand))
        slot->is_there = FALSE;
      else if (!slot->is_there)
        *slot = (Slot){ TRUE, self->next++, 0 };
      slot->value = g_rand_int (self->rand);
    }
  for (guint i = 0; i < N_KEYS; i++)
    state.count += self->file[i].is_there;
  state.next = self->next;
  dsq_shards_lock_all (self->shards);
  dsq_pending_learn_locked (self->pending, &state, self->is_flushing && self->is_committed);
  dsq_shards_drop_clean_locked (self->shards, NULL);
  dsq_shards_unlock_all (self->shards);

  /* dirty keys are as we left them, all others as the file says; order is not followed here */
  for (guint i = 0; i < N_KEYS; i++)
    {
      const DsqEntry *entry = pending_state (self, i);
      gboolean hides = dsq_pending_shard (self->pending, 0)->hides_cold;

      if (entry == NULL)
        {
          self->mapping[i].is_there = self->file[i].is_there && !hides;
          self->mapping[i].value = self->file[i].value;
        }
    }
}

static void
check_contents (World *self)
{
  for (guint i = 0; i < N_KEYS; i++)
    {
      const DsqEntry *entry = pending_state (self, i);
      gboolean hides = dsq_pending_shard (self->pending, 0)->hides_cold;
      gboolean is_there = entry != NULL ? !dsq_entry_is_tombstone (entry)
                                        : self->file[i].is_there && !hides;
      guint value = self->file[i].value;

      if (entry != NULL && is_there)
        memcpy (&value, dsq_entry_record (entry), sizeof value);
      g_assert_cmpint (is_there, ==, self->mapping[i].is_there);
      if (is_there)
        g_assert_cmpuint (value, ==, self->mapping[i].value);
    }
}

/* With nothing unresolved the count is exact. */
static void
check_count (World *self)
{
  guint64 n_unresolved;
  gint64 n_live;
  gint64 n_expected = 0;

  dsq_shards_lock_all (self->shards);
  n_live = dsq_pending_count_locked (self->pending, &n_unresolved);
  dsq_shards_unlock_all (self->shards);
  for (guint i = 0; i < N_KEYS; i++)
    n_expected += self->mapping[i].is_there;
  if (n_unresolved == 0)
    g_assert_cmpint (n_live, ==, n_expected);
  else
    g_assert_cmpint (n_expected, <=, n_live + (gint64) n_unresolved);
}

static void
flush (World *self, gboolean succeeds)
{
  if (!self->is_flushing)
    begin_flush (self);
  if (!self->is_flushing)
    return;
  if (succeeds && !self->is_committed)
    commit_file (self);
  end_flush (self);
}

/* After a flush all that is known is in the file, in order. */
static void
check_file (World *self, gboolean in_order)
{
  gint64 n_live;
  guint64 n_unresolved;
  gint64 n_expected = 0;

  dsq_shards_lock_all (self->shards);
  n_live = dsq_pending_count_locked (self->pending, &n_unresolved);
  dsq_shards_unlock_all (self->shards);
  g_assert_cmpuint (n_unresolved, ==, 0);
  for (guint i = 0; i < N_KEYS; i++)
    {
      g_assert_cmpint (self->file[i].is_there, ==, self->mapping[i].is_there);
      n_expected += self->mapping[i].is_there;
      if (!self->file[i].is_there)
        continue;
      g_assert_cmpuint (self->file[i].value, ==, self->mapping[i].value);
      for (guint j = 0; j < N_KEYS && in_order; j++)
        if (self->file[j].is_there)
          g_assert_cmpint (self->file[i].place < self->file[j].place,
                           ==,
                           self->mapping[i].place < self->mapping[j].place);
    }
  g_assert_cmpint (n_live, ==, n_expected);
}

static void
step (World *self, gboolean with_others)
{
  guint what = g_rand_int_range (self->rand, 0, 100);

  if (what < 45)
    set (self, g_rand_int_range (self->rand, 0, N_KEYS));
  else if (what < 75)
    unset (self, g_rand_int_range (self->rand, 0, N_KEYS));
  else if (what < 77)
    clear (self);
  else if (what < 84 && !self->is_flushing)
    begin_flush (self);
  else if (what < 88 && self->is_flushing && !self->is_committed)
    commit_file (self);
  else if (what < 94 && self->is_flushing)
    end_flush (self);
  else if (what < 97 && with_others && (!self->is_flushing || self->is_committed))
    write_as_others (self);
}

/* Two tables in the same shards, each with a file of its own. */
static void
run_worlds (guint seed, guint capacity, gboolean with_others)
{
  DsqBudget budget = { 0 };
  DsqShards *shards = dsq_shards_new (&budget, capacity, FALSE, G_MAXUINT64, 0);
  GRand *rand = g_rand_new_with_seed (seed);
  World worlds[2] = { { 0 } };

  dsq_budget_init (&budget, 1);
  shards->hot.has_tables = TRUE;
  for (guint w = 0; w < G_N_ELEMENTS (worlds); w++)
    {
      DsqTableState state = { .table = DSQ_TABLE_MAIN + w, .next = 1 };

      worlds[w] = (World){ .rand = rand, .table = state.table, .shards = shards, .next = 1 };
      worlds[w].pending = dsq_pending_new (shards, &state, FALSE);
    }
  for (guint round = 0; round < 40; round++)
    {
      for (guint n = 0; n < 120; n++)
        {
          step (&worlds[g_rand_int_range (rand, 0, 2)], with_others);
          for (guint w = 0; w < G_N_ELEMENTS (worlds); w++)
            {
              check_contents (&worlds[w]);
              check_count (&worlds[w]);
            }
        }
      for (guint w = 0; w < G_N_ELEMENTS (worlds); w++)
        {
          if (worlds[w].is_flushing)
            flush (&worlds[w], g_rand_boolean (rand));
          if (g_rand_boolean (rand))
            flush (&worlds[w], FALSE);
          check_contents (&worlds[w]);
          check_count (&worlds[w]);
          flush (&worlds[w], TRUE);
          check_file (&worlds[w], !with_others);
        }
      g_assert_cmpint (budget.n_bytes, ==, 0);
      g_assert_cmpuint (shards->hot.n_clean, <=, capacity);
    }
  for (guint w = 0; w < G_N_ELEMENTS (worlds); w++)
    {
      dsq_shards_lock_all (shards);
      dsq_pending_discard_locked (worlds[w].pending);
      dsq_shards_unlock_all (shards);
      dsq_pending_free (worlds[w].pending);
    }
  g_assert_cmpuint (shards->hot.n_clean, ==, 0);
  dsq_shards_free (shards);
  dsq_budget_clear (&budget);
  g_rand_free (rand);
}

static void
test_follows_the_model (void)
{
  for (guint seed = 0; seed < N_SEEDS; seed++)
    run_worlds (seed, 1 + seed % 5, FALSE);
  run_worlds (1000, 4096, FALSE);
}

static void
test_follows_the_model_beside_others (void)
{
  for (guint seed = 0; seed < N_SEEDS; seed++)
    run_worlds (seed, 1 + seed % 5, TRUE);
  run_worlds (1000, 4096, TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/pending/follows-the-model", test_follows_the_model);
  g_test_add_func ("/dsq/pending/follows-the-model-beside-others",
                   test_follows_the_model_beside_others);
  return g_test_run ();
}
