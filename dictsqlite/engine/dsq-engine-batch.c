/* dsq-engine-batch.c - many entries at once, clear, count
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-file-private.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-presence-private.h"
#include "engine/dsq-sweep-private.h"
#include "engine/dsq-write-behind-private.h"
#include "engine/dsq-write-through-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/* --- get many --------------------------------------------------------------------------------- */

/* Keys that memory does not answer, with where their answer goes. */
typedef struct
{
  DsqKey *keys;     /* (owned) */
  DsqMiss *misses;  /* (owned) */
  gsize *positions; /* (owned) */
  DsqEntry **found; /* (owned) */
  gsize n_keys;
  gsize n_hits;      /* keys that were in the hot tier ... */
  gsize n_warm_hits; /* ... and those in the warm one */
} Missing;

static void
missing_clear (Missing *missing)
{
  g_free (missing->keys);
  g_free (missing->misses);
  g_free (missing->positions);
  g_free (missing->found);
}

static gboolean
get_from_memory (DsqEngine *self,
                 const DsqKey *keys,
                 gsize n_keys,
                 DsqEntry **out,
                 Missing *missing,
                 GError **error)
{
  for (gsize i = 0; i < n_keys; i++)
    {
      DsqShard *shard = dsq_engine_lock_shard (self, keys[i].table, keys[i].hash, error);
      guint32 number;

      if (shard == NULL)
        return FALSE;
      number = dsq_hot_shard_find_locked (&shard->hot, &keys[i]);
      if (number != 0)
        {
          DsqEntry *entry = shard->hot.nodes[number].entry;

          missing->n_hits++;
          dsq_hot_shard_touch_locked (&self->shards->hot, &shard->hot, number);
          if (!dsq_entry_is_tombstone (entry) && !dsq_engine_has_expired (self, entry))
            out[i] = dsq_entry_ref (entry);
        }
      else if ((out[i] = dsq_warm_shard_peek_locked (&shard->warm, &keys[i])) != NULL)
        missing->n_warm_hits++;
      else if (dsq_engine_may_be_cold_locked (self, shard, &keys[i]))
        {
          gsize n = missing->n_keys++;

          missing->keys[n] = keys[i];
          missing->positions[n] = i;
          missing->misses[n] = (DsqMiss){ shard->epoch, self->generation };
        }
      if (number == 0 && out[i] != NULL && dsq_engine_has_expired (self, out[i]))
        g_clear_pointer (&out[i], dsq_entry_unref);
      dsq_shard_unlock (shard);
    }
  return TRUE;
}

static gboolean
get_from_cold (DsqEngine *self, DsqEntry **out, Missing *missing, GError **error)
{
  guint64 n_found = 0;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  if (!self->cold->funcs
           ->get_many (self->cold, missing->keys, missing->n_keys, missing->found, error))
    {
      dsq_engine_leave (self);
      return FALSE;
    }
  for (gsize i = 0; i < missing->n_keys; i++)
    {
      if (missing->found[i] != NULL && dsq_engine_has_expired (self, missing->found[i]))
        g_clear_pointer (&missing->found[i], dsq_entry_unref);
      out[missing->positions[i]] = missing->found[i];
      n_found += missing->found[i] != NULL;
      if (missing->found[i] != NULL)
        dsq_engine_admit (self, &missing->keys[i], &missing->misses[i], missing->found[i]);
    }
  dsq_counters_add (&self->counters, DSQ_COUNT_COLD_HITS, n_found);
  if (n_found < missing->n_keys)
    dsq_engine_note_absent (self, missing->n_keys - n_found);
  dsq_engine_leave (self);
  return TRUE;
}

/* In the statistics it does not matter which shard they were of. */
static void
count_looks (DsqEngine *self, const Missing *missing, gsize n_keys)
{
  DsqShard *shard = &self->shards->all[0];

  dsq_shard_lock (shard);
  shard->n_hits += missing->n_hits;
  shard->n_misses += n_keys - missing->n_hits;
  shard->n_warm_hits += missing->n_warm_hits;
  shard->n_warm_misses += n_keys - missing->n_hits - missing->n_warm_hits;
  dsq_shard_unlock (shard);
}

gboolean
dsq_engine_get_many (DsqEngine *self,
                     const DsqKey *keys,
                     gsize n_keys,
                     DsqEntry **out,
                     GError **error)
{
  Missing missing = { 0 };
  gboolean success;

  if (n_keys == 0)
    return dsq_engine_check_open (self, DSQ_TABLE_MAIN, error);
  memset (out, 0, n_keys * sizeof *out);
  missing.keys = g_new (DsqKey, n_keys);
  missing.misses = g_new (DsqMiss, n_keys);
  missing.positions = g_new (gsize, n_keys);
  missing.found = g_new0 (DsqEntry *, n_keys);
  success = get_from_memory (self, keys, n_keys, out, &missing, error) &&
            (missing.n_keys == 0 || get_from_cold (self, out, &missing, error));
  if (success)
    count_looks (self, &missing, n_keys);
  missing_clear (&missing);
  for (gsize i = 0; i < n_keys && !success; i++)
    g_clear_pointer (&out[i], dsq_entry_unref);
  return success;
}

/* --- set many --------------------------------------------------------------------------------- */

gboolean
dsq_engine_set_many (DsqEngine *self,
                     DsqPromise promise,
                     DsqEntry **entries,
                     gsize n_entries,
                     GError **error)
{
  DsqBatchTable table = { .id = n_entries > 0 ? entries[0]->table : DSQ_TABLE_MAIN };
  const DsqEngineBatch batch = {
    .promise = promise,
    .tables = &table,
    .n_tables = 1,
    .changes = entries,
    .n_changes = n_entries,
  };
  gboolean ignored;
  gboolean success = dsq_engine_apply (self, &batch, &ignored, error);

  for (gsize i = 0; i < n_entries; i++)
    dsq_entry_unref (entries[i]);
  return success;
}

static gboolean
lock_all_to_stage (DsqEngine *self, guint32 table, GError **error)
{
  while (dsq_engine_lock_all_open (self, table, error))
    {
      if (G_LIKELY (!self->shards->all[0].is_held))
        return TRUE;
      dsq_shards_unlock_all (self->shards);
      if (!dsq_engine_wait_for_commit (self, error))
        return FALSE;
    }
  return FALSE;
}

gboolean
dsq_engine_clear (DsqEngine *self, DsqPromise promise, guint32 table, GError **error)
{
  guint64 n_bytes;

  if (dsq_engine_writes_through (self, promise))
    {
      DsqBatchTable cleared = { .id = table, .clears = TRUE };
      DsqWrite write = { .promise = promise, .tables = &cleared, .n_tables = 1 };

      return dsq_engine_write_through (self, &write, error);
    }
  if (!dsq_call_check (error) || !dsq_engine_wait_for_budget (self, error) ||
      !lock_all_to_stage (self, table, error))
    return FALSE;
  n_bytes = dsq_engine_count_memory_locked (self);
  dsq_pending_clear_locked (dsq_engine_pending (self, table));
  dsq_shards_tidy_locked (self->shards);
  dsq_table_mark_changed_locked (dsq_engine_table (self, table), DSQ_CHANGE_OF_KEYS, NULL);
  dsq_shards_unlock_all (self->shards);
  dsq_engine_note_dirty (self);
  if (!self->is_lasting)
    dsq_engine_drop_spilled (self);
  dsq_engine_trim_memory (n_bytes);
  return TRUE;
}

/* --- count ------------------------------------------------------------------------------------ */

/* A read-only store does not sweep, so what has expired is still among what was counted. */
static gboolean
leave_out_expired (DsqEngine *self, guint32 table, guint64 *count, GError **error)
{
  guint64 n_expired;
  gboolean success;

  if (!self->options.read_only || !dsq_engine_is_sweep_due (self))
    return TRUE;
  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = dsq_engine_count_expired (self, table, &n_expired, error);
  dsq_engine_leave (self);
  *count -= MIN (n_expired, *count);
  return success;
}

gboolean
dsq_engine_count (DsqEngine *self, guint32 table, guint64 *out_count, GError **error)
{
  DsqTally tally;

  *out_count = 0;
  if (!dsq_engine_tally (self, table, &tally, error))
    return FALSE;
  *out_count = (guint64) MAX (tally.n_live, 0);
  return leave_out_expired (self, table, out_count, error);
}
