/* dsq-engine-walk.c - entries in the order of insertion
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-locate-private.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-presence-private.h"
#include "engine/dsq-runs-private.h"
#include "engine/dsq-standstill-private.h"
#include "engine/dsq-sweep-private.h"
#include "engine/dsq-walker-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * A walk goes by place, in batches, and holds nothing between them. A batch is read from the file
 * and laid under what is pending:
 *
 *   file      1 a   2 b   3 c           4 d
 *   pending         2 (tombstone)             5 a (reinserted)   6 e
 *   walk                  3 c           4 d   5 a                6 e
 *
 * While the file was being read a flush may have taken changes out of memory which the file did not
 * show yet, or others may have committed: then n_settled has moved, and the batch is read again,
 * after some tries with the file stopped. Pending keys whose presence is unknown are resolved
 * first; one that appears meanwhile was set by another thread while this one walks, and need not be
 * shown.
 */

/* --- one batch -------------------------------------------------------------------------------- */

/* A read-only store does not sweep, so a walk skips what has expired. */
static gboolean
is_shown (DsqEngine *self, const DsqEntry *entry)
{
  return !self->options.read_only || !dsq_engine_has_expired (self, entry);
}

/* What a row of the file has become: its newest state, owned, which may be the row's own; NULL when
 * it is gone or has moved. */
static DsqEntry *
take_state_locked (DsqEngine *self, DsqColdRow *row)
{
  DsqKey key = dsq_entry_as_key (row->entry);
  DsqShard *shard = dsq_shards_get (self->shards, key.hash);
  DsqPending *pending = dsq_engine_pending (self, key.table);
  guint32 number = dsq_hot_shard_find_locked (&shard->hot, &key);
  const DsqHotNode *node;
  const DsqChange *change = NULL;

  dsq_shard_assert_locked (shard);
  if (number == 0)
    return is_shown (self, row->entry) ? g_steal_pointer (&row->entry) : NULL;
  node = &shard->hot.nodes[number];
  if (dsq_entry_is_tombstone (node->entry) || !is_shown (self, node->entry))
    return NULL;
  if (node->pin != 0)
    change = dsq_pending_change_locked (pending, shard, dsq_change_handle (node));
  for (; change != NULL; change = dsq_pending_below_locked (pending, shard, change))
    if (dsq_change_has_own_place (change))
      return NULL;
  return dsq_entry_ref (node->entry);
}

/* Takes @entry. */
static void
append_row (GArray *rows, gint64 place, DsqEntry *entry)
{
  DsqWalkRow row = { place, entry };

  g_array_append_val (rows, row);
}

/* What a batch asks for, and what it finds. */
typedef struct
{
  guint max_rows;
  gsize max_bytes;
  gboolean keys_only;
  gboolean is_front; /* the first of the table, and to be kept as such */
  GArray *rows;      /* (unowned) of DsqWalkRow */
  gboolean is_last;  /* there is nothing beyond these */
  gboolean is_quiet; /* no key left memory for the file meanwhile: the batch is whole */
} Batch;

/* Lays what is pending over the rows of the file, and takes their entries. */
static void
merge_locked (DsqEngine *self, DsqWalk *walk, GArray *cold, Batch *batch)
{
  DsqPending *pending = dsq_engine_pending (self, walk->table);
  guint n_cold = cold->len;
  DsqRuns runs;
  guint i = 0;

  dsq_shards_assert_all_locked (self->shards);
  if (dsq_pending_shard (pending, 0)->hides_cold)
    {
      n_cold = 0;
      batch->is_last = TRUE;
    }
  dsq_runs_init_locked (&runs, pending, walk->order, walk->place);
  while (batch->rows->len < batch->max_rows)
    {
      DsqColdRow *row = i < n_cold ? &g_array_index (cold, DsqColdRow, i) : NULL;
      gint64 place = 0;
      DsqEntry *entry = dsq_runs_peek (&runs, &place);

      if (row != NULL && row->place >= walk->end)
        {
          /* what has come since the walk began: nothing of before stands behind it */
          n_cold = i;
          batch->is_last = TRUE;
          row = NULL;
        }
      if (entry != NULL && place >= walk->end)
        entry = NULL;
      if (row == NULL && (entry == NULL || !batch->is_last))
        break;
      if (entry != NULL && (row == NULL || !dsq_walk_is_before (walk->order, row->place, place)))
        {
          /* a change that has just been committed stands in the file as well, at the same place */
          i += row != NULL && row->place == place;
          append_row (batch->rows, place, dsq_entry_ref (entry));
          dsq_runs_step (&runs);
          walk->place = place;
          continue;
        }
      entry = take_state_locked (self, row);
      if (entry != NULL)
        append_row (batch->rows, row->place, entry);
      walk->place = row->place;
      i++;
    }
}

/* Follows the shifts of places since the last batch. */
static void
follow_rebases_locked (const DsqPending *pending, DsqWalk *walk)
{
  guint64 n_rebases = dsq_pending_n_rebases_locked (pending);

  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  while (walk->n_rebases < n_rebases)
    {
      const DsqRebase *shift =
          &g_array_index (pending->rebases, DsqRebase, walk->n_rebases - pending->n_rebases_gone);

      if (walk->place >= shift->from && walk->place < shift->end)
        walk->place += shift->delta;
      if (walk->end >= shift->from && walk->end < shift->end)
        walk->end += shift->delta;
      walk->n_rebases++;
    }
}

static gboolean
read_cold (DsqEngine *self,
           const DsqWalk *walk,
           gint64 place,
           Batch *batch,
           GArray *cold,
           GError **error)
{
  batch->is_last = TRUE;
  return self->cold->funcs->walk (self->cold,
                                  walk->table,
                                  place,
                                  walk->order,
                                  batch->max_rows,
                                  batch->max_bytes,
                                  batch->keys_only,
                                  cold,
                                  &batch->is_last,
                                  error);
}

/* What was dead is so until something may have left memory, or come back: nothing gets a place
 * among those of before. So a queue that is eaten from one of its ends is not walked from there
 * again. */
static void
renew_dead_locked (DsqTable *table, guint64 n_settled)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  if (table->dead_settled == n_settled)
    return;
  table->dead_settled = n_settled;
  table->dead_until = 0;
  table->dead_beyond = G_MAXINT64;
}

/* A walk that began at @from, with nothing left before it, has met @batch. Written through, new
 * rows may come at the end without anything that tells. */
static void
note_dead_locked (DsqEngine *self,
                  DsqTable *table,
                  const DsqWalk *walk,
                  gint64 from,
                  const Batch *batch)
{
  gint64 next_place = __atomic_load_n (&table->pending->next_place, __ATOMIC_RELAXED);
  gint64 first = walk->place;
  guint64 n_unresolved;

  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  renew_dead_locked (table, walk->n_settled);
  dsq_pending_count_locked (table->pending, &n_unresolved);
  /* one that was set while this walked is unresolved, and may stand before what was met */
  if (self->options.read_only || n_unresolved > 0)
    return;
  if (batch->rows->len > 0)
    first = g_array_index (batch->rows, DsqWalkRow, 0).place;
  if (walk->order == DSQ_WALK_FORWARD && from <= table->dead_until)
    {
      table->dead_until = batch->rows->len > 0 ? first - 1 : first;
      if (batch->is_front)
        dsq_front_keep_locked (&table->front, table->pending, batch->rows);
    }
  else if (walk->order == DSQ_WALK_REVERSE && from >= MIN (table->dead_beyond, next_place) &&
           !dsq_engine_commits_at_once (self))
    table->dead_beyond = batch->rows->len > 0 ? first + 1 : first;
}

/* One try at a batch, which may turn out empty although the walk goes on. All presences were known
 * at @tally. */
static gboolean
try_batch (DsqEngine *self, DsqWalk *walk, const DsqTally *tally, Batch *batch, GError **error)
{
  GArray *cold = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  DsqTable *table = dsq_engine_table (self, walk->table);
  gboolean success;
  gint64 place;

  dsq_shard_lock (&self->shards->all[0]);
  /* written through, no place is one that pending keys were to have */
  if (!dsq_engine_commits_at_once (self))
    follow_rebases_locked (table->pending, walk);
  walk->n_settled = tally->n_settled;
  if (table->dead_settled != walk->n_settled)
    place = walk->place;
  else if (walk->order == DSQ_WALK_REVERSE)
    place = MIN (walk->place, table->dead_beyond);
  else
    place = walk->place = MAX (walk->place, table->dead_until);
  dsq_shard_unlock (&self->shards->all[0]);

  success = read_cold (self, walk, place, batch, cold, error);
  dsq_shards_lock_all (self->shards);
  /* a store that only reads has nothing that could leave memory */
  batch->is_quiet = self->options.read_only || walk->n_settled == table->pending->n_settled;
  if (success && batch->is_quiet)
    merge_locked (self, walk, cold, batch);
  if (success && batch->is_quiet)
    note_dead_locked (self, table, walk, place, batch);
  dsq_shards_unlock_all (self->shards);
  dsq_cold_rows_free (cold);
  return success;
}

/* Waits until places are what the file has. Walks that begin meanwhile keep the next flush to
 * memory's. */
static gboolean
wait_for_places (DsqEngine *self, GError **error)
{
  if (!dsq_call_lock (&self->writer_lock, error))
    return FALSE;
  dsq_mutex_unlock (&self->writer_lock);
  return TRUE;
}

static gboolean
read_rows (DsqEngine *self, DsqWalk *walk, Batch *batch, GError **error)
{
  gboolean success = TRUE;
  DsqTries tries = { 0 };
  DsqTally tally;

  batch->is_quiet = FALSE;
  while (success && !batch->is_quiet)
    {
      if (!dsq_tries_begin (&tries, self, error))
        return FALSE;
      success = (tries.is_stopped ? dsq_engine_tally_stopped (self, walk->table, &tally, error)
                                  : dsq_engine_tally (self, walk->table, &tally, error)) &&
                (tally.is_moving ? wait_for_places (self, error)
                                 : try_batch (self, walk, &tally, batch, error));
      dsq_tries_end (&tries, self);
    }
  return success;
}

/* From here on the walk is this thread's. */
static void
adopt (DsqWalk *walk)
{
  dsq_walker_join (walk->number);
  walk->thread = dsq_walker_thread ();
  walk->n_own_keys = dsq_walker_get_count (walk->number);
}

gboolean
dsq_engine_start_walk (DsqEngine *self,
                       guint32 table,
                       DsqWalkOrder order,
                       DsqWalk *walk,
                       GError **error)
{
  DsqPending *pending;
  DsqShard *shard;

  *walk = (DsqWalk){ .table = table, .order = order };
  /* learns what others wrote */
  if (!dsq_engine_catch_up_with (self, table, error))
    return FALSE;
  shard = dsq_engine_lock_shard (self, table, 0, error);
  if (shard == NULL)
    return FALSE;
  pending = dsq_engine_pending (self, table);
  __atomic_fetch_add (&pending->n_cursors, 1, __ATOMIC_RELAXED);
  walk->number = pending->number;
  walk->n_rebases = dsq_pending_n_rebases_locked (pending);
  /* written through, places are the file's: see find_end() */
  walk->end = dsq_engine_commits_at_once (self)
                  ? G_MAXINT64
                  : __atomic_load_n (&pending->next_place, __ATOMIC_RELAXED);
  walk->settled_end = dsq_engine_commits_at_once (self) ? G_MAXINT64 : pending->base_place;
  dsq_shard_unlock (shard);
  walk->place = order == DSQ_WALK_FORWARD ? 0 : walk->end;
  adopt (walk);
  return TRUE;
}

void
dsq_engine_end_walk (DsqEngine *self, const DsqWalk *walk)
{
  DsqPending *pending = dsq_engine_pending (self, walk->table);
  const guint64 number = pending->number;

  /* from then on it may be gone */
  if (__atomic_fetch_sub (&pending->n_cursors, 1, __ATOMIC_RELEASE) == 1)
    dsq_walker_leave (number);
}

/* After the first batch of a walk whose places are the file's: where it is to end. Where the end is
 * damaged the walk goes on until it comes to that. */
static gboolean
find_end (DsqEngine *self, DsqWalk *walk, const Batch *batch, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  GArray *cold;
  gboolean ignored;
  gboolean success = TRUE;

  walk->end = walk->place + 1;
  if (batch->is_last)
    return TRUE;
  cold = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  success = self->cold->funcs->walk (self->cold,
                                     walk->table,
                                     G_MAXINT64,
                                     DSQ_WALK_REVERSE,
                                     1,
                                     1,
                                     TRUE,
                                     cold,
                                     &ignored,
                                     &local_error);
  if (cold->len > 0)
    walk->end = MAX (walk->end, g_array_index (cold, DsqColdRow, 0).place + 1);
  dsq_cold_rows_free (cold);
  if (g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_CORRUPT))
    {
      walk->end = G_MAXINT64 - 1;
      return TRUE;
    }
  if (!success)
    g_propagate_error (error, g_steal_pointer (&local_error));
  return success;
}

/* For a walk that asks for the first key alone: what is known of that, or that it is to be known
 * from this walk on. */
static gboolean
find_front (DsqEngine *self, DsqWalk *walk, Batch *batch, GError **error)
{
  DsqTable *table = dsq_engine_table (self, walk->table);
  DsqShard *shard = dsq_engine_lock_swept_shard (self, walk->table, 0, error);
  DsqFrontAnswer answer;
  DsqWalkRow row;
  gint64 dead_until;

  if (shard == NULL)
    return FALSE;
  answer = dsq_front_find_locked (&table->front, table->pending, batch->keys_only, &row);
  if (answer == DSQ_FRONT_FOUND)
    {
      g_array_append_val (batch->rows, row);
      walk->place = row.place;
      walk->n_settled = table->front.n_settled;
    }
  batch->is_front = answer == DSQ_FRONT_UNKNOWN;
  batch->max_rows = batch->is_front ? table->front.n_wanted : 1;
  dead_until = dsq_front_end_locked (&table->front, table->pending);
  dsq_shard_unlock (shard);
  if (!batch->is_front || dead_until == 0)
    return TRUE;

  dsq_shards_lock_all (self->shards);
  dead_until = dsq_front_end_locked (&table->front, table->pending);
  if (dead_until > 0)
    {
      renew_dead_locked (table, table->front.n_settled);
      table->dead_until = MAX (table->dead_until, dead_until);
    }
  dsq_shards_unlock_all (self->shards);
  return TRUE;
}

/* Whether the thread that walks has left the table as large as it was. */
static gboolean
has_kept_size (const DsqWalk *walk, GError **error)
{
  if (walk->thread != dsq_walker_thread () ||
      dsq_walker_get_count (walk->number) == walk->n_own_keys)
    return TRUE;
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_CHANGED,
                       "Failed to walk the store: it changed its size during the walk");
  return FALSE;
}

gboolean
dsq_engine_walk (DsqEngine *self,
                 DsqWalk *walk,
                 guint max_rows,
                 gsize max_bytes,
                 gboolean keys_only,
                 GArray *rows,
                 GError **error)
{
  Batch batch = { max_rows, max_bytes, keys_only, FALSE, rows, FALSE, FALSE };
  gboolean success = TRUE;

  if (!walk->is_begun && !has_kept_size (walk, error))
    return FALSE;
  walk->is_begun = TRUE;
  if (!dsq_engine_enter (self, error))
    return FALSE;
  dsq_engine_refresh_walk (self, walk);
  walk->keys_version =
      __atomic_load_n (&dsq_engine_table (self, walk->table)->keys_version, __ATOMIC_ACQUIRE);
  /* written through, nothing tells of keys that come; a transaction's are its parent's as well */
  if (max_rows == 1 && walk->order == DSQ_WALK_FORWARD && walk->place == 0 &&
      !dsq_engine_commits_at_once (self) && self->depth == 0)
    success = find_front (self, walk, &batch, error);
  while (success && rows->len == 0 && !batch.is_last)
    success = read_rows (self, walk, &batch, error);
  walk->is_at_end = batch.is_last && rows->len < max_rows;
  if (rows->len > max_rows)
    {
      g_array_set_size (rows, max_rows);
      walk->place = g_array_index (rows, DsqWalkRow, max_rows - 1).place;
    }
  if (success && walk->order == DSQ_WALK_FORWARD && walk->end == G_MAXINT64)
    success = find_end (self, walk, &batch, error);
  dsq_engine_leave (self);
  return success;
}

void
dsq_engine_refresh_walk (DsqEngine *self, DsqWalk *walk)
{
  walk->version =
      __atomic_load_n (&dsq_engine_table (self, walk->table)->version, __ATOMIC_ACQUIRE);
}

gboolean
dsq_engine_check_walk (DsqEngine *self, DsqWalk *walk, DsqWalkState *out_state, GError **error)
{
  DsqShard *shard = dsq_engine_lock_swept_shard (self, walk->table, 0, error);
  const DsqTable *table = dsq_engine_table (self, walk->table);

  if (shard == NULL)
    return FALSE;
  dsq_shard_unlock (shard);
  *out_state = DSQ_WALK_IS_CURRENT;
  if (__atomic_load_n (&table->version, __ATOMIC_ACQUIRE) != walk->version)
    *out_state = DSQ_WALK_HAS_OLD_VALUES;
  if (__atomic_load_n (&table->keys_version, __ATOMIC_ACQUIRE) != walk->keys_version)
    *out_state = DSQ_WALK_HAS_OLD_KEYS;
  if (walk->thread != dsq_walker_thread ())
    adopt (walk);
  return *out_state == DSQ_WALK_IS_CURRENT || has_kept_size (walk, error);
}

/* --- the newest entry ------------------------------------------------------------------------- */

/* A walk to the newest entry alone, which follows the shifts of places as all do. */
gboolean
dsq_engine_get_last (DsqEngine *self, guint32 table, DsqEntry **out_entry, GError **error)
{
  DsqPending *pending;
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqWalkRow));
  DsqWalk walk = {
    .table = table,
    .order = DSQ_WALK_REVERSE,
    .place = G_MAXINT64,
    .end = G_MAXINT64,
  };
  gboolean success;

  *out_entry = NULL;
  if (!dsq_engine_enter (self, error))
    return FALSE;
  pending = dsq_engine_pending (self, table);
  __atomic_fetch_add (&pending->n_cursors, 1, __ATOMIC_RELAXED);
  dsq_shard_lock (&self->shards->all[0]);
  walk.n_rebases = dsq_pending_n_rebases_locked (pending);
  dsq_shard_unlock (&self->shards->all[0]);
  success = dsq_engine_walk (self, &walk, 1, 1, FALSE, rows, error);
  if (success && rows->len > 0)
    *out_entry = g_array_index (rows, DsqWalkRow, 0).entry;
  dsq_engine_end_walk (self, &walk);
  dsq_engine_leave (self);
  return success;
}
