/* dsq-sweep.c - what has expired, found and removed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-standstill-private.h"
#include "engine/dsq-sweep-private.h"
#include "engine/dsq-write-behind-private.h"
#include "engine/dsq-write-through-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * A sweep has removed from the mapping what had expired when it began: the dirty entries by a heap
 * a shard, the rows by the file's index on their expiry. Lazily a removal is staged for each;
 * written through they are removed in transactions, see dsq-sweep-rows.c. So a sweep costs what has
 * expired, and the rest of the engine knows tombstones only. It is not the caller's doing and does
 * not count as a change of the store's size to a walk.
 *
 * Who counts or walks needs a whole one. Who writes a key needs no more than that this key is
 * absent if it has expired, and makes a step of the sweep besides, since thousands may have expired
 * at once. A sweep is one, whoever makes its steps: where it stands is the engine's.
 *
 * A tombstone for a clean entry is only as good as what was known of the file: it bears the row's
 * expiry as its mark, and is forgotten when others have committed or its flush fails. Then a sweep
 * under way begins anew, or the next one finds what there is. A dirty entry that expires leaves an
 * ordinary one: to write it was the caller's wish.
 */

/* Rows looked for at a time. */
#define BATCH 1024

/* Entries removed in the step of a write: well below a millisecond. */
#define STEP 256

typedef struct
{
  DsqEngine *engine;
  DsqSweepProgress *at;               /* the engine's */
  guint64 n_left;                     /* entries to look at in this step */
  gboolean may_stop;                  /* the file, when others commit all the time */
  guint64 generation;                 /* the engine's, before the rows were read */
  guint64 epochs[DSQ_HOT_MAX_SHARDS]; /* as they were then */
  guint64 n_swept;
} Sweep;

/* --- what has expired in memory --------------------------------------------------------------- */

static DsqEntry *
new_mark (const DsqKey *key, gint64 expires)
{
  return dsq_entry_new (key, NULL, 0, expires);
}

/* The key is there, and has expired: its removal is no caller's doing. */
static void
note_removed_locked (DsqTable *table, const DsqKey *key)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  dsq_pending_count_own (table->pending, 1);
  dsq_table_mark_changed_locked (table, DSQ_CHANGE_OF_KEYS, key);
}

static void
remove_node_locked (DsqEngine *self, DsqShard *shard, guint32 number)
{
  g_autoptr (DsqEntry) entry = dsq_entry_ref (shard->hot.nodes[number].entry);
  DsqKey key = dsq_entry_as_key (entry);
  DsqTable *table = dsq_engine_table (self, key.table);

  dsq_shard_assert_locked (shard);
  if (shard->hot.nodes[number].pin != 0)
    dsq_pending_stage_removal_locked (table->pending, shard, number, &key);
  else
    dsq_pending_stage_over_locked (table->pending,
                                   shard,
                                   number,
                                   new_mark (&key, dsq_entry_expires (entry)));
  note_removed_locked (table, &key);
}

static void
remove_row_locked (DsqEngine *self, DsqShard *shard, const DsqKey *key, gint64 expires)
{
  DsqTable *table = dsq_engine_table (self, key->table);

  dsq_shard_assert_locked (shard);
  dsq_pending_stage_new_locked (table->pending,
                                shard,
                                key->hash,
                                new_mark (key, expires),
                                DSQ_PRESENCE_PRESENT);
  note_removed_locked (table, key);
}

void
dsq_engine_remove_expired_locked (DsqEngine *self,
                                  DsqShard *shard,
                                  guint32 number,
                                  const DsqKey *key,
                                  gint64 expires)
{
  dsq_shard_assert_locked (shard);
  if (number != 0)
    remove_node_locked (self, shard, number);
  else
    remove_row_locked (self, shard, key, expires);
  dsq_counters_add (&self->counters, DSQ_COUNT_EXPIRED, 1);
}

static void
lock_to_sweep (DsqEngine *self, DsqShard *shard)
{
  dsq_shard_lock (shard);
  while (G_UNLIKELY (shard->is_held))
    {
      dsq_shard_unlock (shard);
      dsq_mutex_lock (&self->writer_lock);
      dsq_mutex_unlock (&self->writer_lock);
      dsq_shard_lock (shard);
    }
}

static gboolean
is_due_entry (const Sweep *self, const DsqEntry *entry)
{
  return !dsq_entry_is_tombstone (entry) && entry->has_expiry &&
         dsq_entry_expires (entry) <= self->at->now;
}

static void
sweep_shard (Sweep *self, DsqShard *shard)
{
  DsqExpiryHeap *heap = &shard->expiries;

  lock_to_sweep (self->engine, shard);
  if (!self->at->is_in_shard)
    heap->dropped = G_MAXINT64;
  for (; dsq_expiry_heap_first (heap) <= self->at->now && self->n_left > 0; self->n_left--)
    {
      guint32 number = dsq_expiry_heap_pop_locked (heap, &shard->hot).node;

      if (number < shard->hot.n_touched && shard->hot.nodes[number].entry != NULL &&
          is_due_entry (self, shard->hot.nodes[number].entry))
        {
          remove_node_locked (self->engine, shard, number);
          self->n_swept++;
        }
    }
  self->at->is_in_shard = dsq_expiry_heap_first (heap) <= self->at->now;
  self->at->n_shards += !self->at->is_in_shard;
  dsq_shard_unlock (shard);
}

/* The rows follow from where those end that are swept: known only now, for what was in a heap may
 * have gone to the file and from memory meanwhile. */
static void
sweep_memory (Sweep *self)
{
  DsqEngine *engine = self->engine;
  guint n_shards = engine->shards->n_shards;

  if (self->at->n_shards == n_shards)
    return;
  while (self->at->n_shards < n_shards && self->n_left > 0)
    sweep_shard (self, &engine->shards->all[self->at->n_shards]);
  self->at->span = (DsqExpirySpan){ __atomic_load_n (&engine->expiry.swept_until, __ATOMIC_RELAXED),
                                    G_MAXINT64,
                                    self->at->now };
}

/* --- what has expired in the file ------------------------------------------------------------- */

/* Stages the removal of a row, unless memory knows better, or the row is of a table that was not
 * opened here: who opens it sweeps again. FALSE: the row may have changed since it was read. */
static gboolean
sweep_row (Sweep *self, const DsqEntry *row)
{
  DsqEngine *engine = self->engine;
  DsqKey key = dsq_entry_as_key (row);
  DsqShard *shard = dsq_shards_get (engine->shards, key.hash);
  gboolean is_current = TRUE;
  const DsqTable *table;
  guint32 number;

  lock_to_sweep (engine, shard);
  table = dsq_tables_find (&engine->tables, key.table);
  if (table == NULL || table->is_dropped)
    {
      dsq_shard_unlock (shard);
      return TRUE;
    }
  number = dsq_hot_shard_find_locked (&shard->hot, &key);
  if (number != 0)
    {
      if (is_due_entry (self, shard->hot.nodes[number].entry))
        {
          remove_node_locked (engine, shard, number);
          self->n_swept++;
        }
    }
  else if (shard->is_closed || engine->generation != self->generation ||
           shard->epoch != self->epochs[shard->index])
    {
      is_current = FALSE;
    }
  else if (!dsq_engine_hides_cold (engine, shard, key.table))
    {
      remove_row_locked (engine, shard, &key, dsq_entry_expires (row));
      self->n_swept++;
    }
  dsq_shard_unlock (shard);
  return is_current;
}

/* One batch. *out_again: some of it is to be looked at again. */
static gboolean
sweep_rows (Sweep *self, DsqExpirySpan *span, gboolean *out_again, gint64 *out_next, GError **error)
{
  DsqEngine *engine = self->engine;
  GArray *rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  guint max_rows = (guint) MIN (self->n_left, BATCH);
  gboolean success;

  for (guint i = 0; i < engine->shards->n_shards; i++)
    {
      dsq_shard_lock (&engine->shards->all[i]);
      self->epochs[i] = engine->shards->all[i].epoch;
      self->generation = i == 0 ? engine->generation : self->generation;
      dsq_shard_unlock (&engine->shards->all[i]);
    }
  success = engine->cold->funcs
                ->find_expired (engine->cold, FALSE, span, max_rows, rows, out_next, error);
  *out_again = FALSE;
  for (guint i = 0; i < rows->len && success; i++)
    *out_again |= !sweep_row (self, g_array_index (rows, DsqColdRow, i).entry);
  dsq_cold_rows_free (rows);
  self->n_left -= max_rows;
  return success;
}

/* *out_done: nothing in the file is left. Others may commit meanwhile, again and again. */
static gboolean
sweep_file (Sweep *self, gint64 *out_next, gboolean *out_done, GError **error)
{
  DsqEngine *engine = self->engine;
  DsqTries tries = { 0 };

  *out_done = FALSE;
  while (!*out_done && self->n_left > 0)
    {
      DsqExpirySpan span = self->at->span;
      gboolean again, success;

      if (!dsq_tries_begin (&tries, engine, error))
        return FALSE;
      success = sweep_rows (self, &span, &again, out_next, error);
      dsq_tries_end (&tries, engine);
      if (!success)
        return FALSE;
      if (again && (tries.is_stopped || !self->may_stop))
        return TRUE;
      if (!again)
        {
          self->at->span = span;
          *out_done = *out_next > span.until;
          tries = (DsqTries){ 0 };
        }
      dsq_engine_note_dirty (engine);
      /* who reads, and has nothing more to stage, does not fail because the medium is full */
      if (!*out_done && !dsq_engine_wait_for_budget (engine, error))
        return FALSE;
    }
  return TRUE;
}

/* --- sweeping --------------------------------------------------------------------------------- */

static void
begin_unless_under_way (Sweep *self)
{
  guint64 n_forgotten = dsq_expiry_get_n_forgotten (&self->engine->expiry);

  if (self->at->is_under_way && self->at->n_forgotten == n_forgotten)
    return;
  *self->at = (DsqSweepProgress){
    .is_under_way = TRUE,
    .n_forgotten = n_forgotten,
    .now = dsq_engine_now (self->engine),
  };
}

/* At most @n_entries of it. */
static gboolean
sweep_by_staging (DsqEngine *self, guint64 n_entries, guint64 *out_n_swept, GError **error)
{
  Sweep sweep = {
    .engine = self,
    .at = &self->expiry.sweep,
    .n_left = n_entries,
    .may_stop = n_entries == G_MAXUINT64,
  };
  gint64 next = G_MAXINT64;
  gboolean is_done;
  gboolean success;

  begin_unless_under_way (&sweep);
  sweep_memory (&sweep);
  success = sweep_file (&sweep, &next, &is_done, error);
  if (success && is_done)
    {
      dsq_expiry_learn (&self->expiry,
                        self->expiry.sweep.n_forgotten,
                        self->expiry.sweep.now,
                        next);
      self->expiry.sweep.is_under_way = FALSE;
    }
  dsq_counters_add (&self->counters, DSQ_COUNT_EXPIRED, sweep.n_swept);
  *out_n_swept += sweep.n_swept;
  return success;
}

static gboolean
sweep_once (DsqEngine *self, guint64 *out_n_swept, GError **error)
{
  DsqWrite write = { .queued = { .is_patient = TRUE }, .promise = DSQ_PROMISE_COMMITTED };

  if (!dsq_engine_commits_at_once (self))
    return sweep_by_staging (self, G_MAXUINT64, out_n_swept, error);
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
  success = dsq_call_lock (&self->expiry.sweep_lock, error);
  if (success)
    {
      success = dsq_engine_has_failed (self) || !dsq_engine_is_sweep_due (self) ||
                sweep_once (self, out_n_swept, error);
      dsq_mutex_unlock (&self->expiry.sweep_lock);
    }
  dsq_engine_leave (self);
  return success;
}

/* While another thread sweeps its steps are enough, and there must be room for the caller's own. */
gboolean
dsq_engine_sweep_some (DsqEngine *self, guint64 n_keys, GError **error)
{
  gboolean success = TRUE;
  guint64 n_swept = 0;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  if (dsq_budget_get_bytes (&self->budget) < dsq_engine_option (self, dirty_limit) / 2 &&
      dsq_mutex_trylock (&self->expiry.sweep_lock))
    {
      success = dsq_engine_has_failed (self) || !dsq_engine_is_sweep_due (self) ||
                sweep_by_staging (self, STEP + n_keys, &n_swept, error);
      dsq_mutex_unlock (&self->expiry.sweep_lock);
    }
  dsq_engine_leave (self);
  return success;
}

DsqShard *
dsq_engine_lock_swept_shard_slowly (DsqEngine *self, guint32 table, guint64 hash, GError **error)
{
  for (guint n_sweeps = 0;; n_sweeps++)
    {
      DsqShard *shard = dsq_engine_lock_shard (self, table, hash, error);
      guint64 n_swept = 0;

      if (shard == NULL || self->options.read_only || n_sweeps == DSQ_MAX_SWEEPS ||
          !dsq_engine_is_sweep_due (self))
        return shard;
      dsq_shard_unlock (shard);
      if (!dsq_engine_sweep (self, &n_swept, error))
        return NULL;
    }
}

gboolean
dsq_engine_sweep_if_due (DsqEngine *self, guint32 table, GError **error)
{
  DsqShard *shard = dsq_engine_lock_swept_shard (self, table, 0, error);

  if (shard == NULL)
    return FALSE;
  dsq_shard_unlock (shard);
  return TRUE;
}

gboolean
dsq_engine_expire (DsqEngine *self, guint64 *out_n_swept, GError **error)
{
  *out_n_swept = 0;
  if (self->options.read_only)
    return dsq_engine_check_open (self, DSQ_TABLE_MAIN, error) &&
           dsq_engine_refuse_read_only (error);
  /* what a transaction is over expires for everybody */
  if (self->options.parent != NULL && !dsq_engine_expire (self->options.parent, out_n_swept, error))
    return FALSE;
  for (guint n_sweeps = 0;; n_sweeps++)
    {
      DsqShard *shard = dsq_engine_lock_shard (self, DSQ_TABLE_MAIN, 0, error);

      if (shard == NULL)
        return FALSE;
      dsq_shard_unlock (shard);
      if (n_sweeps == DSQ_MAX_SWEEPS || !dsq_engine_is_sweep_due (self))
        return TRUE;
      if (!dsq_engine_sweep (self, out_n_swept, error))
        return FALSE;
    }
}

/* --- without sweeping ------------------------------------------------------------------------- */

static gboolean
learn_expiry (DsqEngine *self, gboolean by_writer, GError **error)
{
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  DsqExpirySpan nothing = { G_MININT64, G_MAXINT64, G_MININT64 };
  guint64 n_forgotten = dsq_expiry_get_n_forgotten (&self->expiry);
  gint64 next;

  if (!self->cold->funcs->find_expired (self->cold, by_writer, &nothing, 1, rows, &next, error))
    return FALSE;
  dsq_expiry_learn (&self->expiry, n_forgotten, G_MININT64, next);
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

  if (__atomic_load_n (&self->expiry.next, __ATOMIC_RELAXED) != G_MININT64)
    return TRUE;
  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = dsq_call_lock (&self->expiry.sweep_lock, error);
  if (success)
    {
      success = learn_expiry (self, FALSE, error);
      dsq_mutex_unlock (&self->expiry.sweep_lock);
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
      dsq_cold_rows_free (rows);
    }
  return success;
}
