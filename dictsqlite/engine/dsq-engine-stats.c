/* dsq-engine-stats.c - the numbers of a store
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-file-private.h"
#include "crypto/dsq-secret-private.h"
#include "engine/dsq-engine-internal.h"

static void
add_shard (DsqEngine *self, guint index, DsqStats *stats)
{
  DsqShard *shard = &self->shards->all[index];

  dsq_shard_lock (shard);
  stats->hot_bytes += shard->hot.n_bytes;
  stats->hot_hits += shard->n_hits;
  stats->hot_misses += shard->n_misses;
  stats->evictions += shard->hot.n_evictions;
  stats->warm_entries += dsq_warm_shard_n_entries (&shard->warm);
  stats->warm_bytes += shard->warm.bytes;
  stats->warm_hits += shard->n_warm_hits;
  stats->warm_misses += shard->n_warm_misses;
  stats->dirty_entries += shard->n_dirty;
  stats->dirty_bytes += (guint64) shard->dirty_bytes;
  stats->order_bytes += shard->order_bytes;
  dsq_shard_unlock (shard);
}

static void
add_cold (DsqEngine *self, DsqStats *stats)
{
  DsqColdStats cold = { 0 };
  DsqFilterStats filter = { 0 };

  stats->cold_hits = dsq_counters_get (&self->counters, DSQ_COUNT_COLD_HITS);
  stats->cold_misses = dsq_counters_get (&self->counters, DSQ_COUNT_COLD_MISSES);
  self->cold->funcs->get_stats (self->cold, &cold);
  if (self->cold->filter != NULL)
    dsq_filter_get_stats (self->cold->filter->bits, &filter);
  stats->cold_entries = cold.entries;
  stats->commits = cold.commits;
  stats->syncs = cold.syncs;
  stats->checkpoints = cold.checkpoints;
  stats->foreign_changes = cold.foreign_changes;
  stats->filter_keys = filter.keys;
  stats->filter_bytes = filter.bytes;
  stats->filter_answers = dsq_counters_get (&self->counters, DSQ_COUNT_FILTER_ANSWERS);
  stats->spill_bytes = cold.private_bytes;
  stats->file_bytes = cold.file_bytes;
  stats->wal_bytes = cold.wal_bytes;
  stats->unlocked_secrets = dsq_secret_get_n_unlocked ();
}

/* What is used of the file; in memory mode, of memory. As last known while somebody writes, or
 * where it cannot be read now. */
static guint64
used_bytes (DsqEngine *self, const DsqStats *stats)
{
  guint64 n_bytes;

  if (!self->is_lasting)
    return stats->hot_bytes;
  if (dsq_engine_option (self, max_bytes) == 0 && self->file != NULL &&
      dsq_mutex_trylock (&self->writer_lock))
    {
      if (self->file->funcs->get_used (self->file, &n_bytes, NULL))
        __atomic_store_n (&self->n_used_bytes, n_bytes, __ATOMIC_RELAXED);
      dsq_mutex_unlock (&self->writer_lock);
    }
  return __atomic_load_n (&self->n_used_bytes, __ATOMIC_RELAXED);
}

gboolean
dsq_engine_is_encrypted (DsqEngine *self)
{
  return dsq_engine_get_root (self)->is_encrypted;
}

void
dsq_engine_get_stats (DsqEngine *self, DsqStats *out_stats)
{
  out_stats->encrypted = self->is_encrypted;
  out_stats->hot_capacity = dsq_engine_option (self, hot_capacity);
  out_stats->warm_capacity = dsq_engine_option (self, warm_capacity);
  out_stats->max_bytes = dsq_engine_option (self, max_bytes);
  if (!dsq_engine_enter (self, NULL))
    return;
  for (guint i = 0; i < self->shards->n_shards; i++)
    add_shard (self, i, out_stats);
  out_stats->dirty_bytes += (guint64) __atomic_load_n (&self->budget.n_bytes, __ATOMIC_RELAXED);
  out_stats->hot_entries = __atomic_load_n (&self->shards->hot.n_clean, __ATOMIC_RELAXED);
  out_stats->used_bytes = used_bytes (self, out_stats);
  out_stats->dropped_entries = dsq_counters_get (&self->counters, DSQ_COUNT_DROPPED);
  out_stats->dropped_bytes = dsq_counters_get (&self->counters, DSQ_COUNT_DROPPED_BYTES);
  out_stats->expired_entries = dsq_counters_get (&self->counters, DSQ_COUNT_EXPIRED);
  out_stats->flushes = dsq_counters_get (&self->counters, DSQ_COUNT_FLUSHES);
  out_stats->failed_flushes = dsq_budget_get_failures (&self->budget, &out_stats->last_error);
  out_stats->writer_waits = dsq_counters_get (&self->counters, DSQ_COUNT_WRITER_WAITS);
  add_cold (self, out_stats);
  dsq_engine_leave (self);
}
