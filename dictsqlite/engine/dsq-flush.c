/* dsq-flush.c - one flush: a generation of changes into one transaction
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-engine-internal.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-sweep-private.h"
#include "engine/dsq-write-behind-private.h"

/*
 * begin      wait for other processes, learn what they wrote
 * detach     one instant over all shards and all tables; from here on new writes make the next
 *            generation
 * write      table by table: a clear, then the keys that may be new in order of their places
 *            (appending to the table), then the others
 * commit     and what has not changed meanwhile is clean; or, on any error, roll back, and the
 *            generation goes under the next one as if it had never been detached
 *
 * A write that is to be committed at once takes along what is staged, by a flush within its own
 * transaction: then nothing is staged until that is over, so that all is clean when the write comes
 * to memory.
 *
 * A table is dropped by a flush that leaves its changes out and removes its rows instead; where
 * nothing outlives the process, so that nobody can find the two apart, by one of nothing else.
 */

/* Changes handed to the cold tier at a time. */
#define CHUNK 4096

/* One table whose changes are being written. */
typedef struct
{
  DsqTable *table;                                    /* (unowned) */
  gint64 next;                                        /* the file's, or 0 in a transaction */
  guint8 *presences[DSQ_HOT_MAX_SHARDS][DSQ_N_LISTS]; /* (owned) what was found for each change */
} FlushTable;

struct _DsqFlush
{
  DsqEngine *engine;
  GArray *tables;         /* (owned) of FlushTable */
  gboolean is_within;     /* of a write's transaction */
  DsqTable *dropped;      /* (unowned) (nullable) goes with this flush */
  DsqChange chunk[CHUNK]; /* copies: what is in flight is not written to without its lock */
  guint8 *found[CHUNK];   /* (unowned) where the copy's presence goes */
  guint n_chunk;
};

typedef DsqFlush Flush;

static void
flush_table_clear (gpointer data)
{
  FlushTable *table = data;

  for (guint s = 0; s < DSQ_HOT_MAX_SHARDS; s++)
    for (guint which = 0; which < DSQ_N_LISTS; which++)
      g_free (table->presences[s][which]);
}

static Flush *
flush_new (DsqEngine *engine)
{
  Flush *self = g_new0 (Flush, 1);

  self->engine = engine;
  self->tables = g_array_new (FALSE, TRUE, sizeof (FlushTable));
  g_array_set_clear_func (self->tables, flush_table_clear);
  return self;
}

static void
flush_free (Flush *self)
{
  g_array_unref (self->tables);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Flush, flush_free)

/* --- detach ---------------------------------------------------------------------------------- */

static gboolean
table_has_pending_locked (DsqTable *table)
{
  dsq_shards_assert_all_locked (table->pending->shards);
  return !table->is_dropped && !dsq_pending_is_empty_locked (table->pending);
}

static gboolean
has_pending (DsqEngine *self)
{
  gboolean found = FALSE;

  dsq_shards_lock_all (self->shards);
  for (guint i = 0; i < self->tables.used->len && !found; i++)
    found = table_has_pending_locked (self->tables.used->pdata[i]);
  dsq_shards_unlock_all (self->shards);
  return found;
}

/* A transaction's places are nobody's but its own. */
static gint64
find_next (DsqEngine *engine, const DsqTable *table)
{
  DsqTableState state = { 0 };

  if (engine->depth == 0)
    engine->cold->funcs->get_table (engine->cold, table->id, &state);
  return state.next;
}

static void
set_held_locked (DsqEngine *engine, gboolean is_held)
{
  dsq_shards_assert_all_locked (engine->shards);
  for (guint i = 0; i < engine->shards->n_shards; i++)
    engine->shards->all[i].is_held = is_held;
}

static void
detach (Flush *self)
{
  DsqEngine *engine = self->engine;

  dsq_shards_lock_all (engine->shards);
  if (self->is_within)
    set_held_locked (engine, TRUE);
  if (self->dropped != NULL)
    self->dropped->is_dropped = TRUE;
  for (guint i = 0; i < engine->tables.used->len && (engine->is_lasting || self->dropped == NULL);
       i++)
    {
      FlushTable table = { engine->tables.used->pdata[i], 0, { { NULL } } };

      if (!table_has_pending_locked (table.table))
        continue;
      table.next = find_next (engine, table.table);
      dsq_pending_detach_locked (table.table->pending, table.next);
      g_array_append_val (self->tables, table);
    }
  dsq_shards_unlock_all (engine->shards);

  /* only this thread takes anything out of what is in flight */
  for (guint i = 0; i < self->tables->len; i++)
    {
      FlushTable *table = &g_array_index (self->tables, FlushTable, i);

      for (guint s = 0; s < engine->shards->n_shards; s++)
        for (guint which = 0; which < DSQ_N_LISTS; which++)
          table->presences[s][which] = g_malloc (
              dsq_pending_shard (table->table->pending, s)->inflight.lists[which].n_items);
    }
}

/* --- write ----------------------------------------------------------------------------------- */

static const DsqChangeList *
inflight_list (const FlushTable *table, guint shard, guint which)
{
  return &dsq_pending_shard (table->table->pending, shard)->inflight.lists[which];
}

static gboolean
write_chunk (Flush *self, GError **error)
{
  DsqColdTier *cold = self->engine->cold;

  if (!cold->funcs->apply (cold, self->chunk, self->n_chunk, error))
    return FALSE;
  for (guint i = 0; i < self->n_chunk; i++)
    *self->found[i] = self->chunk[i].presence;
  self->n_chunk = 0;
  return TRUE;
}

static gboolean
write_change (Flush *self, FlushTable *table, guint shard, guint which, guint32 i, GError **error)
{
  const DsqChangeList *list = inflight_list (table, shard, which);

  if (list->items[i].entry == NULL)
    return TRUE;
  self->chunk[self->n_chunk] = list->items[i];
  if (table->table->pending->inflight_moves)
    self->chunk[self->n_chunk].place = 0;
  self->found[self->n_chunk] = &table->presences[shard][which][i];
  self->n_chunk++;
  return self->n_chunk < CHUNK || write_chunk (self, error);
}

/* Merges the shards' lists, each of which is in order. */
static gboolean
write_fresh (Flush *self, FlushTable *table, GError **error)
{
  guint n_shards = self->engine->shards->n_shards;
  guint32 next[DSQ_HOT_MAX_SHARDS] = { 0 };
  gint64 places[DSQ_HOT_MAX_SHARDS];

  for (guint s = 0; s < n_shards; s++)
    {
      const DsqChangeList *list = inflight_list (table, s, DSQ_LIST_FRESH);

      places[s] = list->n_items > 0 ? list->items[0].place : G_MAXINT64;
    }
  for (;;)
    {
      const DsqChangeList *list;
      guint lowest = 0;

      for (guint s = 1; s < n_shards; s++)
        if (places[s] < places[lowest])
          lowest = s;
      if (places[lowest] == G_MAXINT64)
        return TRUE;
      list = inflight_list (table, lowest, DSQ_LIST_FRESH);
      if (!write_change (self, table, lowest, DSQ_LIST_FRESH, next[lowest], error))
        return FALSE;
      next[lowest]++;
      places[lowest] = next[lowest] < list->n_items ? list->items[next[lowest]].place : G_MAXINT64;
    }
}

static gboolean
write_rest (Flush *self, FlushTable *table, GError **error)
{
  for (guint s = 0; s < self->engine->shards->n_shards; s++)
    {
      const DsqChangeList *list = inflight_list (table, s, DSQ_LIST_REST);

      for (guint32 i = 0; i < list->n_items; i++)
        if (!write_change (self, table, s, DSQ_LIST_REST, i, error))
          return FALSE;
    }
  return self->n_chunk == 0 || write_chunk (self, error);
}

static gboolean
write_tables (Flush *self, GError **error)
{
  DsqColdTier *cold = self->engine->cold;

  for (guint i = 0; i < self->tables->len; i++)
    {
      FlushTable *table = &g_array_index (self->tables, FlushTable, i);

      if (table->table->pending->inflight_clears &&
          !cold->funcs->clear_table (cold, table->table->id, error))
        return FALSE;
      if (!write_fresh (self, table, error) || !write_rest (self, table, error))
        return FALSE;
      table->next = find_next (self->engine, table->table);
    }
  return TRUE;
}

/* --- commit or roll back ---------------------------------------------------------------------- */

static void
settle_commit (Flush *self)
{
  DsqEngine *engine = self->engine;

  for (guint s = 0; s < engine->shards->n_shards; s++)
    {
      DsqShard *shard = &engine->shards->all[s];

      dsq_shard_lock (shard);
      for (guint i = 0; i < self->tables->len; i++)
        {
          FlushTable *table = &g_array_index (self->tables, FlushTable, i);

          dsq_pending_commit_shard_locked (table->table->pending, s, table->presences[s]);
        }
      dsq_shard_unlock (shard);
      dsq_hot_tier_admit_cleaned (&engine->shards->hot, &shard->hot);
    }
  dsq_shards_lock_all (engine->shards);
  for (guint i = 0; i < self->tables->len; i++)
    {
      const FlushTable *table = &g_array_index (self->tables, FlushTable, i);

      dsq_pending_finish_commit_locked (table->table->pending, table->next);
    }
  if (self->dropped != NULL)
    dsq_tables_drop_locked (&engine->tables, self->dropped);
  dsq_shards_unlock_all (engine->shards);
}

static void
settle_rollback (Flush *self)
{
  DsqEngine *engine = self->engine;

  engine->cold->funcs->rollback (engine->cold);
  dsq_shards_lock_all (engine->shards);
  for (guint i = 0; i < self->tables->len; i++)
    dsq_pending_rollback_locked (g_array_index (self->tables, FlushTable, i).table->pending);
  /* another process may have dropped it meanwhile */
  if (self->dropped != NULL && self->dropped->name != NULL)
    self->dropped->is_dropped = FALSE;
  dsq_expiry_forget_locked (&engine->expiry);
  dsq_shards_unlock_all (engine->shards);
}

/* --- within a write's transaction ------------------------------------------------------------- */

DsqFlush *
dsq_flush_begin_locked (DsqEngine *engine, GError **error)
{
  Flush *self = flush_new (engine);

  dsq_mutex_assert_held (&engine->writer_lock);
  self->is_within = TRUE;
  __atomic_store_n (&engine->flush_commits, engine->cold->n_commits, __ATOMIC_RELAXED);
  detach (self);
  if (write_tables (self, error))
    return self;
  dsq_flush_end_locked (self, FALSE);
  return NULL;
}

void
dsq_flush_settle (DsqFlush *self)
{
  if (self->tables->len == 0)
    return;
  settle_commit (self);
  g_array_set_size (self->tables, 0);
  dsq_counters_add (&self->engine->counters, DSQ_COUNT_FLUSHES, 1);
}

void
dsq_flush_end_locked (DsqFlush *self, gboolean is_committed)
{
  DsqEngine *engine = self->engine;

  dsq_mutex_assert_held (&engine->writer_lock);
  if (!is_committed)
    settle_rollback (self);
  dsq_shards_lock_all (engine->shards);
  set_held_locked (engine, FALSE);
  dsq_shards_unlock_all (engine->shards);
  flush_free (self);
}

/* --- on its own ------------------------------------------------------------------------------- */

/* The transaction has begun; @is_drop: it holds the removal of a table already. */
static gboolean
flush_begun (Flush *self, gboolean is_drop, GError **error)
{
  DsqEngine *engine = self->engine;
  DsqColdTier *cold = engine->cold;

  __atomic_store_n (&engine->flush_commits, cold->n_commits, __ATOMIC_RELAXED);
  detach (self);
  if (self->tables->len == 0 && !is_drop)
    {
      cold->funcs->rollback (cold);
      return TRUE;
    }
  if (!write_tables (self, error) || !cold->funcs->commit (cold, NULL, NULL, error))
    {
      settle_rollback (self);
      return FALSE;
    }
  settle_commit (self);
  dsq_counters_add (&engine->counters, DSQ_COUNT_FLUSHES, 1);
  return TRUE;
}

gboolean
dsq_engine_flush_locked (DsqEngine *self, GError **error)
{
  g_autoptr (Flush) flush = NULL;

  dsq_mutex_assert_held (&self->writer_lock);
  if (!has_pending (self))
    return TRUE;
  if (!self->cold->funcs->begin (self->cold, error))
    return FALSE;
  flush = flush_new (self);
  return flush_begun (flush, FALSE, error);
}

gboolean
dsq_engine_flush_and_drop_locked (DsqEngine *self,
                                  GBytes *name,
                                  gboolean *out_dropped,
                                  GError **error)
{
  DsqColdTier *cold = self->cold;
  g_autoptr (Flush) flush = NULL;
  guint32 table = 0;
  gboolean is_sound;
  gsize length;
  const guint8 *bytes = g_bytes_get_data (name, &length);

  dsq_mutex_assert_held (&self->writer_lock);
  *out_dropped = FALSE;
  if (!cold->funcs->begin (cold, error))
    return FALSE;
  is_sound = cold->funcs->drop_table (cold, bytes, length, &table, error);
  if (!is_sound || table == 0)
    {
      cold->funcs->rollback (cold);
      return is_sound;
    }
  flush = flush_new (self);
  dsq_shard_lock (&self->shards->all[0]);
  flush->dropped = dsq_tables_find_locked (&self->tables, name);
  dsq_shard_unlock (&self->shards->all[0]);
  *out_dropped = flush_begun (flush, TRUE, error);
  return *out_dropped;
}

/* --- what others wrote ------------------------------------------------------------------------ */

static const DsqTableState *
find_state (const DsqTableState *states, guint n_states, guint32 table)
{
  guint low = 0;
  guint high = n_states;

  while (low < high)
    {
      guint middle = low + (high - low) / 2;

      if (states[middle].table < table)
        low = middle + 1;
      else
        high = middle;
    }
  return low < n_states && states[low].table == table ? &states[low] : NULL;
}

/* A table that is not among the states was dropped. Whether something that had expired is there
 * again: who marked that it is not did so of the file as it was. */
static gboolean
learn_table_locked (DsqEngine *self, DsqTable *table, const DsqTableState *states, guint n_states)
{
  const DsqTableState *state = find_state (states, n_states, table->id);
  gboolean is_committed =
      self->cold->n_commits != __atomic_load_n (&self->flush_commits, __ATOMIC_RELAXED);
  gboolean forgets_marks = FALSE;

  dsq_shards_assert_all_locked (self->shards);
  if (state != NULL)
    forgets_marks = dsq_pending_learn_locked (table->pending, state, is_committed);
  else
    dsq_tables_drop_locked (&self->tables, table);
  dsq_table_tell_walks_locked (table, DSQ_CHANGE_OF_KEYS);
  return forgets_marks;
}

void
dsq_engine_on_foreign_change (const DsqTableState *states,
                              guint n_states,
                              const DsqColdChanged *changed,
                              gpointer user_data)
{
  DsqEngine *self = user_data;
  gboolean forgets_expiry = changed == NULL || changed->next_expiry != G_MAXINT64;
  guint64 generation;

  dsq_shards_lock_all (self->shards);
  generation = ++self->generation;
  for (guint i = changed == NULL ? self->tables.used->len : 0; i > 0; i--)
    {
      DsqTable *table = self->tables.used->pdata[i - 1];

      learn_table_locked (self, table, states, n_states);
      dsq_watchers_note (table->watchers, NULL);
    }
  for (gsize i = 0; changed != NULL && i < changed->n_keys; i++)
    {
      DsqTable *table = dsq_tables_find (&self->tables, changed->keys[i].table);

      if (table == NULL)
        continue;
      if (table->learned != generation && dsq_tables_is_used_locked (&self->tables, table))
        forgets_expiry |= learn_table_locked (self, table, states, n_states);
      table->learned = generation;
      dsq_watchers_note (table->watchers, &changed->keys[i]);
    }
  dsq_shards_drop_clean_locked (self->shards, changed);
  if (forgets_expiry || dsq_expiry_may_end (&self->expiry))
    dsq_expiry_forget_locked (&self->expiry);
  dsq_shards_unlock_all (self->shards);
}
