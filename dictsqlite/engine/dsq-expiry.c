/* dsq-expiry.c - entries that end by themselves
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <time.h>

#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-expiry-private.h"
#include "engine/dsq-locate-private.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-standstill-private.h"
#include "engine/dsq-write-behind-private.h"
#include "engine/dsq-write-through-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * An entry whose time has come is absent. Reads find that out by the entry itself. Everything that
 * depends on what is absent - a set, which puts the key last then, the count, a walk - has what has
 * expired removed first:
 *
 *   next_expiry   no entry expires before this. G_MAXINT64, when none does at all, costs a
 *                 comparison; else the clock is read.
 *   sweep         when it has come: the expired rows by the file's index, the expired dirty entries
 *                 by the heaps. Lazily a removal is staged for each; written through they are
 *                 removed in the transaction that finds them.
 *
 * So a sweep costs what has expired, and the rest of the engine knows tombstones only. It is not
 * the caller's doing and does not count as a change of the store's size to a walk. A read-only
 * store cannot sweep: there the count leaves out the rows that have expired, and walks skip them.
 *
 * A tombstone for a clean entry is only as good as what was known of the file: it bears the row's
 * expiry as its mark, and is forgotten when others have committed or its flush fails. The next
 * sweep finds anew what there is. A dirty entry that expires leaves an ordinary one: to write it
 * was the caller's wish.
 */

/* Rows looked for at a time. */
#define BATCH 1024

/* The same, in one transaction. */
#define MAX_IN_TRANSACTION 16384

typedef struct
{
  DsqEngine *engine;
  gint64 now;
  gint64 swept_until;                 /* the engine's, at the beginning */
  guint64 generation;                 /* the same */
  guint64 epochs[DSQ_HOT_MAX_SHARDS]; /* as they were before the rows were read */
  guint64 n_swept;
} Sweep;

gint64
dsq_engine_now (DsqEngine *self)
{
  struct timespec now;

  clock_gettime (CLOCK_REALTIME, &now);
  return (gint64) now.tv_sec * 1000 + now.tv_nsec / 1000000 +
         __atomic_load_n (&self->clock_offset, __ATOMIC_RELAXED);
}

void
dsq_engine_set_clock_offset (DsqEngine *self, gint64 milliseconds)
{
  __atomic_store_n (&self->clock_offset, milliseconds, __ATOMIC_RELAXED);
}

gboolean
dsq_engine_is_over (DsqEngine *self, const DsqEntry *entry)
{
  return dsq_entry_expires (entry) <= dsq_engine_now (self);
}

/* --- the bounds ------------------------------------------------------------------------------- */

void
dsq_engine_init_expiry (DsqEngine *self)
{
  dsq_mutex_init (&self->sweep_lock, DSQ_RANK_SWEEP, 0);
  self->next_expiry = G_MININT64;
  self->swept_until = G_MININT64;
  self->expiries = g_new (DsqExpiryHeap, self->hot->n_shards);
  for (guint i = 0; i < self->hot->n_shards; i++)
    dsq_expiry_heap_init (&self->expiries[i]);
}

void
dsq_engine_finish_expiry (DsqEngine *self)
{
  if (self->expiries == NULL)
    return;
  for (guint i = 0; i < self->hot->n_shards; i++)
    dsq_expiry_heap_clear (&self->expiries[i]);
  g_clear_pointer (&self->expiries, g_free);
  dsq_mutex_clear (&self->sweep_lock);
}

static void
lower (gint64 *bound, gint64 limit)
{
  gint64 now = __atomic_load_n (bound, __ATOMIC_RELAXED);

  while (
      limit < now &&
      !__atomic_compare_exchange_n (bound, &now, limit, TRUE, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    ;
}

void
dsq_engine_note_expiry_locked (DsqEngine *self, gint64 expires)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  lower (&self->next_expiry, expires);
}

void
dsq_engine_note_dirty_expiry_locked (DsqEngine *self, DsqHotShard *shard, const DsqEntry *entry)
{
  DsqKey key = dsq_entry_as_key (entry);
  gint64 expires = dsq_entry_expires (entry);

  dsq_hot_shard_assert_locked (shard);
  dsq_expiry_heap_push_locked (&self->expiries[shard->index],
                               shard,
                               dsq_hot_shard_find_locked (shard, &key),
                               expires);
  lower (&self->next_expiry, expires);
  /* one that has expired already may reach the file before a sweep comes by */
  lower (&self->swept_until, expires - 1);
}

void
dsq_engine_forget_expiry_locked (DsqEngine *self)
{
  dsq_hot_tier_assert_all_locked (self->hot);
  __atomic_store_n (&self->next_expiry, G_MININT64, __ATOMIC_RELAXED);
  __atomic_store_n (&self->swept_until, G_MININT64, __ATOMIC_RELAXED);
}

void
dsq_engine_tidy_expiry_locked (DsqEngine *self)
{
  dsq_hot_tier_assert_all_locked (self->hot);
  for (guint i = 0; i < self->hot->n_shards; i++)
    dsq_expiry_heap_tidy_locked (&self->expiries[i], &self->hot->shards[i]);
}

/* Others may have committed since @generation: then nothing is known of the file. */
void
dsq_engine_set_next_expiry (DsqEngine *self, guint64 generation, gint64 swept_until, gint64 in_file)
{
  gint64 in_memory = G_MAXINT64;

  dsq_hot_tier_lock_all (self->hot);
  for (guint i = 0; i < self->hot->n_shards; i++)
    {
      const DsqExpiryHeap *heap = &self->expiries[i];

      in_memory = MIN (in_memory, MIN (dsq_expiry_heap_first (heap), heap->dropped));
    }
  if (self->generation == generation)
    {
      __atomic_store_n (&self->next_expiry, MIN (in_memory, in_file), __ATOMIC_RELAXED);
      __atomic_store_n (&self->swept_until, MIN (swept_until, in_memory - 1), __ATOMIC_RELAXED);
    }
  dsq_hot_tier_unlock_all (self->hot);
}

/* --- a sweep that stages ---------------------------------------------------------------------- */

static gboolean
is_due_entry (const Sweep *self, const DsqEntry *entry)
{
  return !dsq_entry_is_tombstone (entry) && entry->has_expiry &&
         dsq_entry_expires (entry) <= self->now;
}

static void
note_swept_locked (Sweep *self, DsqHotShard *shard, DsqTable *table)
{
  dsq_hot_shard_assert_locked (shard);
  dsq_pending_count_own (table->pending, 1);
  self->n_swept++;
  dsq_table_mark_changed_locked (table, DSQ_CHANGE_OF_KEYS);
}

static DsqEntry *
new_mark (const DsqKey *key, gint64 expires)
{
  return dsq_entry_new (key, NULL, 0, expires);
}

static void
remove_node_locked (Sweep *self, DsqHotShard *shard, guint32 number)
{
  g_autoptr (DsqEntry) entry = dsq_entry_ref (shard->nodes[number].entry);
  DsqKey key = dsq_entry_as_key (entry);
  DsqTable *table = dsq_engine_table (self->engine, key.table);

  dsq_hot_shard_assert_locked (shard);
  if (shard->nodes[number].change.index != 0)
    dsq_pending_stage_removal_locked (table->pending, shard, number, &key);
  else
    dsq_pending_stage_over_locked (table->pending,
                                   shard,
                                   number,
                                   new_mark (&key, dsq_entry_expires (entry)));
  note_swept_locked (self, shard, table);
}

static void
sweep_memory (Sweep *self)
{
  for (guint i = 0; i < self->engine->hot->n_shards; i++)
    {
      DsqHotShard *shard = &self->engine->hot->shards[i];
      DsqExpiryHeap *heap = &self->engine->expiries[i];

      dsq_hot_shard_lock (shard);
      heap->dropped = G_MAXINT64;
      while (dsq_expiry_heap_first (heap) <= self->now)
        {
          guint32 number = dsq_expiry_heap_pop_locked (heap, shard).node;

          if (number < shard->n_touched && shard->nodes[number].entry != NULL &&
              is_due_entry (self, shard->nodes[number].entry))
            remove_node_locked (self, shard, number);
        }
      dsq_hot_shard_unlock (shard);
    }
}

/* Stages the removal of a row, unless memory knows better, or the row is of a table that was not
 * opened here: who opens it sweeps again. FALSE: the row may have changed since it was read. */
static gboolean
sweep_row (Sweep *self, const DsqEntry *row)
{
  DsqEngine *engine = self->engine;
  DsqKey key = dsq_entry_as_key (row);
  DsqHotShard *shard = dsq_hot_tier_shard (engine->hot, key.hash);
  gboolean is_current = TRUE;
  DsqTable *table;
  guint32 number;

  dsq_hot_shard_lock (shard);
  table = dsq_tables_find (&engine->tables, key.table);
  if (table == NULL || table->is_dropped)
    {
      dsq_hot_shard_unlock (shard);
      return TRUE;
    }
  number = dsq_hot_shard_find_locked (shard, &key);
  if (number != 0)
    {
      if (is_due_entry (self, shard->nodes[number].entry))
        remove_node_locked (self, shard, number);
    }
  else if (shard->is_closed || engine->generation != self->generation ||
           shard->epoch != self->epochs[shard->index])
    {
      is_current = FALSE;
    }
  else if (!dsq_engine_hides_cold (engine, shard, key.table))
    {
      dsq_pending_stage_new_locked (table->pending,
                                    shard,
                                    key.hash,
                                    new_mark (&key, dsq_entry_expires (row)),
                                    DSQ_PRESENCE_PRESENT);
      note_swept_locked (self, shard, table);
    }
  dsq_hot_shard_unlock (shard);
  return is_current;
}

static void
rows_free (GArray *rows)
{
  for (guint i = 0; i < rows->len; i++)
    dsq_entry_unref (g_array_index (rows, DsqColdRow, i).entry);
  g_array_unref (rows);
}

/* One batch. *out_again: some of it is to be looked at again. */
static gboolean
sweep_rows (Sweep *self,
            DsqExpirySpan *span,
            gboolean *out_again,
            gboolean *out_is_last,
            gint64 *out_next,
            GError **error)
{
  DsqEngine *engine = self->engine;
  GArray *rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  gboolean success;

  for (guint i = 0; i < engine->hot->n_shards; i++)
    {
      dsq_hot_shard_lock (&engine->hot->shards[i]);
      self->epochs[i] = engine->hot->shards[i].epoch;
      dsq_hot_shard_unlock (&engine->hot->shards[i]);
    }
  success =
      engine->cold->funcs->find_expired (engine->cold, FALSE, span, BATCH, rows, out_next, error);
  *out_is_last = success && *out_next > span->until;
  *out_again = FALSE;
  for (guint i = 0; i < rows->len && success; i++)
    *out_again |= !sweep_row (self, g_array_index (rows, DsqColdRow, i).entry);
  rows_free (rows);
  return success;
}

/* *out_done is FALSE when others have committed meanwhile. */
static gboolean
sweep_file (Sweep *self, gint64 *out_next, gboolean *out_done, GError **error)
{
  DsqEngine *engine = self->engine;
  DsqExpirySpan span = { self->swept_until, G_MAXINT64, self->now };
  gboolean is_last = FALSE;
  DsqTries tries = { 0 };

  *out_done = TRUE;
  while (!is_last)
    {
      DsqExpirySpan before = span;
      gboolean again = FALSE;
      gboolean success;

      if (!dsq_tries_begin (&tries, engine, error))
        return FALSE;
      success = sweep_rows (self, &span, &again, &is_last, out_next, error);
      dsq_tries_end (&tries, engine);
      if (!success)
        return FALSE;
      if (again && tries.is_stopped)
        {
          *out_done = FALSE;
          return TRUE;
        }
      if (again)
        {
          span = before;
          is_last = FALSE;
        }
      else
        {
          tries = (DsqTries){ 0 };
        }
      dsq_engine_note_dirty (engine);
      if (!dsq_engine_wait_for_room (engine, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
sweep_by_staging (DsqEngine *self, guint64 *out_n_swept, GError **error)
{
  Sweep sweep = { .engine = self, .now = dsq_engine_now (self) };
  gint64 next = G_MAXINT64;
  gboolean is_done = TRUE;
  gboolean success;

  dsq_hot_shard_lock (&self->hot->shards[0]);
  sweep.generation = self->generation;
  sweep.swept_until = __atomic_load_n (&self->swept_until, __ATOMIC_RELAXED);
  dsq_hot_shard_unlock (&self->hot->shards[0]);
  sweep_memory (&sweep);
  success = sweep_file (&sweep, &next, &is_done, error);
  if (success && is_done)
    dsq_engine_set_next_expiry (self, sweep.generation, sweep.now, next);
  dsq_counters_add (&self->counters, DSQ_COUNT_EXPIRED, sweep.n_swept);
  *out_n_swept += sweep.n_swept;
  return success;
}

/* --- a sweep in a transaction ----------------------------------------------------------------- */

gboolean
dsq_engine_sweep_in_transaction (DsqEngine *self, DsqSweptRows *swept, GError **error)
{
  DsqExpirySpan span = { G_MININT64, G_MAXINT64, 0 };
  guint n_before;

  if (!dsq_engine_is_sweep_due (self))
    return TRUE;
  swept->is_swept = TRUE;
  span.until = swept->until = dsq_engine_now (self);
  swept->rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  swept->changes = g_array_new (FALSE, TRUE, sizeof (DsqChange));
  do
    {
      n_before = swept->rows->len;
      if (!self->cold->funcs
               ->find_expired (self->cold, TRUE, &span, BATCH, swept->rows, &swept->next, error))
        return FALSE;
      for (guint i = n_before; i < swept->rows->len; i++)
        {
          DsqChange change = { .presence = DSQ_PRESENCE_PRESENT };

          change.entry = g_array_index (swept->rows, DsqColdRow, i).entry;
          g_array_append_val (swept->changes, change);
        }
      if (swept->rows->len > n_before &&
          !self->cold->funcs->apply (self->cold,
                                     &g_array_index (swept->changes, DsqChange, n_before),
                                     swept->rows->len - n_before,
                                     error))
        return FALSE;
    }
  while (swept->next <= swept->until && swept->rows->len < MAX_IN_TRANSACTION);
  swept->is_last = swept->next > swept->until;
  return TRUE;
}

void
dsq_engine_clear_swept_rows (DsqSweptRows *swept)
{
  g_clear_pointer (&swept->changes, g_array_unref);
  g_clear_pointer (&swept->rows, rows_free);
  *swept = (DsqSweptRows){ 0 };
}

/* --- without sweeping ------------------------------------------------------------------------- */

static gboolean
learn_expiry (DsqEngine *self, gboolean by_writer, GError **error)
{
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  DsqExpirySpan nothing = { G_MININT64, G_MAXINT64, G_MININT64 };
  guint64 generation;
  gint64 next;

  dsq_hot_shard_lock (&self->hot->shards[0]);
  generation = self->generation;
  dsq_hot_shard_unlock (&self->hot->shards[0]);
  if (!self->cold->funcs->find_expired (self->cold, by_writer, &nothing, 1, rows, &next, error))
    return FALSE;
  dsq_engine_set_next_expiry (self, generation, G_MININT64, next);
  return TRUE;
}

/* Nobody else uses the writer's connection yet, and a reader's would have to be opened. A damaged
 * file opens all the same, for what can be read still and for check(): who must know asks again. */
gboolean
dsq_engine_learn_expiry_at_open (DsqEngine *self, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  if (learn_expiry (self, TRUE, &local_error) ||
      g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_CORRUPT))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

gboolean
dsq_engine_learn_expiry (DsqEngine *self, GError **error)
{
  gboolean success;

  if (__atomic_load_n (&self->next_expiry, __ATOMIC_RELAXED) != G_MININT64)
    return TRUE;
  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = dsq_call_lock (&self->sweep_lock, error);
  if (success)
    {
      success = learn_expiry (self, FALSE, error);
      dsq_mutex_unlock (&self->sweep_lock);
    }
  dsq_engine_leave (self);
  return success;
}

gboolean
dsq_engine_count_expired (DsqEngine *self, guint32 table, guint64 *out_count, GError **error)
{
  DsqExpirySpan span = { G_MININT64, G_MAXINT64, dsq_engine_now (self) };
  gint64 next = G_MININT64;
  gboolean success = TRUE;

  *out_count = 0;
  while (success && dsq_engine_is_sweep_due (self) && next <= span.until)
    {
      GArray *rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));

      success =
          self->cold->funcs->find_expired (self->cold, FALSE, &span, BATCH, rows, &next, error);
      for (guint i = 0; i < rows->len; i++)
        *out_count += g_array_index (rows, DsqColdRow, i).entry->table == table;
      rows_free (rows);
    }
  return success;
}

/* --- sweeping --------------------------------------------------------------------------------- */

static gboolean
sweep_once (DsqEngine *self, guint64 *out_n_swept, GError **error)
{
  DsqWrite write = { .table = DSQ_TABLE_MAIN };

  if (!self->commits_at_once)
    return sweep_by_staging (self, out_n_swept, error);
  if (!dsq_engine_write_through (self, &write, error))
    return FALSE;
  *out_n_swept += write.n_swept;
  return TRUE;
}

gboolean
dsq_engine_sweep (DsqEngine *self, guint64 *out_n_swept, GError **error)
{
  gboolean success;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = dsq_call_lock (&self->sweep_lock, error);
  if (success)
    {
      success = dsq_engine_has_failed (self) || !dsq_engine_is_sweep_due (self) ||
                sweep_once (self, out_n_swept, error);
      dsq_mutex_unlock (&self->sweep_lock);
    }
  dsq_engine_leave (self);
  return success;
}

DsqHotShard *
dsq_engine_lock_swept_shard_slowly (DsqEngine *self, guint32 table, guint64 hash, GError **error)
{
  for (guint n_sweeps = 0;; n_sweeps++)
    {
      DsqHotShard *shard = dsq_engine_lock_shard (self, table, hash, error);
      guint64 n_swept = 0;

      if (shard == NULL || self->options.read_only || n_sweeps == DSQ_MAX_SWEEPS ||
          !dsq_engine_is_sweep_due (self))
        return shard;
      dsq_hot_shard_unlock (shard);
      if (!dsq_engine_sweep (self, &n_swept, error))
        return NULL;
    }
}

gboolean
dsq_engine_expire (DsqEngine *self, guint64 *out_n_swept, GError **error)
{
  *out_n_swept = 0;
  if (self->options.read_only)
    return dsq_engine_check_open (self, DSQ_TABLE_MAIN, error) &&
           dsq_engine_refuse_read_only (error);
  for (guint n_sweeps = 0;; n_sweeps++)
    {
      DsqHotShard *shard = dsq_engine_lock_shard (self, DSQ_TABLE_MAIN, 0, error);

      if (shard == NULL)
        return FALSE;
      dsq_hot_shard_unlock (shard);
      if (n_sweeps == DSQ_MAX_SWEEPS || !dsq_engine_is_sweep_due (self))
        return TRUE;
      if (!dsq_engine_sweep (self, out_n_swept, error))
        return FALSE;
    }
}
