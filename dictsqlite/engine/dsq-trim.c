/* dsq-trim.c - a store that is used as a cache, kept under its limit of bytes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-file-private.h"
#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-sweep-private.h"
#include "engine/dsq-write-behind-private.h"
#include "engine/dsq-write-through-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * What max-bytes bounds is known without counting: with a file, the bytes of its pages that hold
 * something; in memory mode, what the entries take there. When it is passed, entries go, least
 * recently used ones first:
 *
 *   of the file alone   in the order of their places: a hand goes round, for nothing tells when
 *                       they were used, but that it was before all that is in memory
 *   warm tier           the same; only when there are none of the first left
 *   hot tier            exactly by recency
 *
 * Lazily a drop is a staged removal, with the mark of the sweep (see dsq-expiry.c), and a flush of
 * its own follows; written through it is a transaction. Dirty entries have just been used and stay.
 * Dropping is not the caller's doing and no change of the store's size to a walk.
 */

/* Rows looked at together. */
#define BATCH 256

/* Most entries dropped, and most rows looked at for them, in one round. */
#define MAX_DROPS 4096
#define MAX_LOOKS 16384

/* A removal's mark: any expiry will do. */
#define MARK 1

/* What a round of the hand is after. */
typedef enum
{
  DROP_COLD, /* what no tier in memory holds */
  DROP_WARM  /* what the warm one holds */
} Pass;

typedef struct
{
  DsqEngine *engine;
  guint n_wanted;
  guint n_found;
  guint64 generation; /* as it was before the file was looked at */
  gboolean stages;    /* else what is found goes into changes */
  GArray *changes;    /* (owned) of DsqChange, with their entries */
} Trim;

/* --- victims ---------------------------------------------------------------------------------- */

static guint64
generation_now (DsqEngine *self)
{
  guint64 generation;

  dsq_shard_lock (&self->shards->all[0]);
  generation = self->generation;
  dsq_shard_unlock (&self->shards->all[0]);
  return generation;
}

/* The key has no node, or a clean one. */
static void
drop_locked (Trim *self, DsqShard *shard, guint32 number, const DsqKey *key)
{
  DsqEngine *engine = self->engine;
  DsqTable *table = dsq_engine_table (engine, key->table);
  DsqEntry *mark = dsq_entry_new (key, NULL, 0, MARK);
  DsqChange change = { .entry = mark, .presence = DSQ_PRESENCE_PRESENT };

  dsq_shard_assert_locked (shard);
  self->n_found++;
  if (!self->stages)
    {
      g_array_append_val (self->changes, change);
      if (number != 0)
        dsq_hot_shard_remove_locked (&engine->shards->hot, &shard->hot, number);
      return;
    }
  if (number != 0)
    dsq_pending_stage_over_locked (table->pending, shard, number, mark);
  else
    dsq_pending_stage_new_locked (table->pending, shard, key->hash, mark, DSQ_PRESENCE_PRESENT);
  dsq_pending_count_own (table->pending, 1);
  dsq_table_mark_changed_locked (table, DSQ_CHANGE_OF_KEYS, key);
}

/* A table that was not opened here is left alone; so is a row that others may have removed. */
static void
consider_row (Trim *self, const DsqEntry *row, Pass pass)
{
  DsqKey key = dsq_entry_as_key (row);
  DsqShard *shard = dsq_shards_get (self->engine->shards, key.hash);
  const DsqTable *table;

  dsq_shard_lock (shard);
  table = dsq_tables_find (&self->engine->tables, key.table);
  if (table != NULL && !table->is_dropped && self->engine->generation == self->generation &&
      !dsq_engine_hides_cold (self->engine, shard, key.table) &&
      dsq_hot_shard_find_locked (&shard->hot, &key) == 0 &&
      dsq_warm_shard_holds_locked (&shard->warm, &key) == (pass == DROP_WARM))
    {
      dsq_warm_shard_remove_locked (&shard->warm, &key);
      drop_locked (self, shard, 0, &key);
    }
  dsq_shard_unlock (shard);
}

/* Moves the hand on, once round at most. */
static gboolean
find_in_file (Trim *self, Pass pass, GError **error)
{
  DsqEngine *engine = self->engine;
  gint64 started = engine->trim_hand;
  gboolean is_second_lap = started == 0;

  for (guint n_looks = 0; n_looks < MAX_LOOKS; n_looks += BATCH)
    {
      g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
      gint64 end = engine->trim_hand;
      gboolean is_last;

      if (!engine->file->funcs->find_oldest (engine->file, &end, BATCH, rows, &is_last, error))
        return FALSE;
      for (guint i = 0; i < rows->len; i++)
        {
          const DsqColdRow *row = &g_array_index (rows, DsqColdRow, i);

          /* none is looked at twice, for it would be dropped twice */
          if (is_second_lap && started != 0 && row->place > started)
            end = G_MAXINT64;
          else if (self->n_found < self->n_wanted)
            {
              consider_row (self, row->entry, pass);
              engine->trim_hand = row->place;
            }
          dsq_entry_unref (row->entry);
        }
      if (self->n_found >= self->n_wanted)
        return TRUE;
      if (is_second_lap && started != 0 && end >= started)
        return TRUE;
      engine->trim_hand = is_last ? 0 : end;
      if (is_second_lap && is_last)
        return TRUE;
      is_second_lap |= is_last;
    }
  return TRUE;
}

/* The shard whose oldest clean entry is the oldest of all. */
static DsqShard *
oldest_shard (DsqShards *shards)
{
  guint64 stamp = G_MAXUINT64;
  DsqShard *shard = NULL;

  for (guint i = 0; i < shards->n_shards; i++)
    {
      guint64 oldest = __atomic_load_n (&shards->hot.oldest[i], __ATOMIC_RELAXED);

      if (oldest < stamp)
        {
          stamp = oldest;
          shard = &shards->all[i];
        }
    }
  return shard;
}

static void
find_in_hot (Trim *self)
{
  while (self->n_found < self->n_wanted)
    {
      DsqShard *shard = oldest_shard (self->engine->shards);
      guint32 number;

      if (shard == NULL)
        return;
      dsq_shard_lock (shard);
      number = shard->hot.clean.oldest;
      if (number != 0)
        {
          g_autoptr (DsqEntry) entry = dsq_entry_ref (shard->hot.nodes[number].entry);
          DsqKey key = dsq_entry_as_key (entry);

          drop_locked (self, shard, number, &key);
        }
      dsq_shard_unlock (shard);
    }
}

static gboolean
find_victims (Trim *self, guint64 n_in_file, GError **error)
{
  guint64 n_hot = 0;
  guint64 n_warm = 0;

  for (guint i = 0; i < self->engine->shards->n_shards; i++)
    {
      DsqShard *shard = &self->engine->shards->all[i];

      dsq_shard_lock (shard);
      n_hot += shard->hot.n_nodes;
      n_warm += dsq_warm_shard_n_entries (&shard->warm);
      dsq_shard_unlock (shard);
    }
  if (n_in_file > n_hot + n_warm && !find_in_file (self, DROP_COLD, error))
    return FALSE;
  if (self->n_found < self->n_wanted && n_in_file > n_hot && n_warm > 0 &&
      !find_in_file (self, DROP_WARM, error))
    return FALSE;
  find_in_hot (self);
  return TRUE;
}

/* --- rounds ----------------------------------------------------------------------------------- */

static gboolean
drop_through (Trim *self, guint64 n_in_file, GError **error)
{
  DsqEngine *engine = self->engine;
  gboolean success;

  if (!engine->cold->funcs->begin (engine->cold, error))
    return FALSE;
  self->generation = generation_now (engine);
  self->changes = g_array_new (FALSE, TRUE, sizeof (DsqChange));
  success = find_victims (self, n_in_file, error) &&
            dsq_engine_remove_in_transaction (engine, self->changes, error);
  if (!success)
    engine->cold->funcs->rollback (engine->cold);
  for (guint i = 0; i < self->changes->len; i++)
    dsq_entry_unref (g_array_index (self->changes, DsqChange, i).entry);
  g_array_unref (self->changes);
  return success;
}

/* Drops about as many entries as take @excess of @used bytes. */
static gboolean
drop_some (DsqEngine *self, guint64 used, guint64 excess, guint *out_n_dropped, GError **error)
{
  Trim trim = { .engine = self, .stages = !dsq_engine_commits_at_once (self) };
  DsqColdStats stats = { 0 };
  gboolean success;

  trim.generation = generation_now (self);
  self->cold->funcs->get_stats (self->cold, &stats);
  trim.n_wanted = (guint) MIN (excess / MAX (used / MAX (stats.entries, 1), 1) + 1, MAX_DROPS);
  success = trim.stages ? find_victims (&trim, stats.entries, error) &&
                              dsq_engine_flush_locked (self, error)
                        : drop_through (&trim, stats.entries, error);
  /* when others have committed meanwhile, what was staged has been forgotten */
  *out_n_dropped = success && trim.generation == generation_now (self) ? trim.n_found : 0;
  return success;
}

static gboolean
measure (DsqEngine *self, guint64 *out_used, GError **error)
{
  if (!self->file->funcs->get_used (self->file, out_used, error))
    return FALSE;
  __atomic_store_n (&self->n_used_bytes, *out_used, __ATOMIC_RELAXED);
  return TRUE;
}

gboolean
dsq_engine_trim_slowly_locked (DsqEngine *self, GError **error)
{
  guint64 limit = dsq_engine_option (self, max_bytes);
  guint64 used;

  dsq_mutex_assert_held (&self->writer_lock);
  if (!measure (self, &used, error))
    return FALSE;
  while (used > limit)
    {
      guint64 before = used;
      guint n_dropped;

      if (!drop_some (self, used, used - (limit - limit / 16), &n_dropped, error) ||
          !measure (self, &used, error))
        return FALSE;
      if (n_dropped == 0)
        return TRUE;
      dsq_counters_add (&self->counters, DSQ_COUNT_DROPPED, n_dropped);
      if (used < before)
        dsq_counters_add (&self->counters, DSQ_COUNT_DROPPED_BYTES, before - used);
    }
  return TRUE;
}

/* --- memory mode ------------------------------------------------------------------------------ */

/* The shard whose least recently used entry is that of all. */
static DsqShard *
oldest_shard_locked (DsqShards *shards)
{
  DsqShard *oldest = NULL;

  dsq_shards_assert_all_locked (shards);
  for (guint i = 0; i < shards->n_shards; i++)
    {
      DsqShard *shard = &shards->all[i];

      if (shard->hot.pinned.oldest != 0 &&
          (oldest == NULL || shard->hot.nodes[shard->hot.pinned.oldest].stamp <
                                 oldest->hot.nodes[oldest->hot.pinned.oldest].stamp))
        oldest = shard;
    }
  return oldest;
}

static guint64
sum_bytes_locked (DsqShards *shards)
{
  guint64 n_bytes = 0;

  dsq_shards_assert_all_locked (shards);
  for (guint i = 0; i < shards->n_shards; i++)
    n_bytes += shards->all[i].hot.n_bytes;
  return n_bytes;
}

void
dsq_engine_trim_in_memory (DsqEngine *self)
{
  guint64 limit = dsq_engine_option (self, max_bytes);
  guint64 used, before;
  guint64 n_dropped = 0;
  DsqShard *shard;

  dsq_shards_lock_all (self->shards);
  used = before = sum_bytes_locked (self->shards);
  if (used > limit)
    while (used > limit - limit / 16 && (shard = oldest_shard_locked (self->shards)) != NULL)
      {
        guint32 number = shard->hot.pinned.oldest;
        g_autoptr (DsqEntry) entry = dsq_entry_ref (shard->hot.nodes[number].entry);
        DsqKey key = dsq_entry_as_key (entry);

        DsqTable *table = dsq_engine_table (self, key.table);

        dsq_pending_stage_removal_locked (table->pending, shard, number, &key);
        dsq_pending_count_own (table->pending, 1);
        dsq_table_mark_changed_locked (table, DSQ_CHANGE_OF_KEYS, &key);
        used -= dsq_entry_size (entry);
        n_dropped++;
      }
  dsq_shards_unlock_all (self->shards);
  dsq_counters_add (&self->counters, DSQ_COUNT_DROPPED, n_dropped);
  dsq_counters_add (&self->counters, DSQ_COUNT_DROPPED_BYTES, before - used);
}
