/* dsq-engine-apply.c - many changes at one instant, if keys are as they are expected to be
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-locate-private.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-standstill-private.h"
#include "engine/dsq-sweep-private.h"
#include "engine/dsq-write-behind-private.h"
#include "engine/dsq-write-through-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * With write-through the batch is one transaction. Otherwise it is staged with all shards locked,
 * so that no flush and no reader sees a part of it. What has to be known of its keys before that
 * (what those expected hold, whether those to be removed are there) is looked up in the file first,
 * without a lock, and all of it again when one of the keys may have changed since. Keys that have
 * expired are removed before any lock is taken; what expires after that is absent, but keeps its
 * place.
 */

/* A key of which something has to be known. */
typedef struct
{
  DsqKey key;
  DsqMiss miss;     /* its shard when the file was found to decide */
  gboolean is_read; /* the file was asked */
  DsqEntry *entry;  /* (owned) (nullable) what it is */
} Wanted;

typedef struct
{
  DsqEngine *engine;
  const DsqEngineBatch *batch;
  Wanted *wanted; /* (owned) those expected, then those to be removed, each in the batch's order */
  gsize n_wanted;
} Apply;

static gboolean
clears_any (const DsqEngineBatch *batch)
{
  gboolean clears = FALSE;

  for (gsize i = 0; i < batch->n_tables; i++)
    clears |= batch->tables[i].clears;
  return clears;
}

static void
add_wanted (Apply *self, const DsqEntry *entry)
{
  self->wanted[self->n_wanted++].key = dsq_entry_as_key (entry);
}

static void
collect_wanted (Apply *self)
{
  const DsqEngineBatch *batch = self->batch;
  gsize n_most = batch->n_expected;

  for (gsize i = 0; i < batch->n_changes; i++)
    n_most += dsq_entry_is_tombstone (batch->changes[i]);
  self->wanted = g_new0 (Wanted, n_most);
  for (gsize i = 0; i < batch->n_expected; i++)
    add_wanted (self, batch->expected[i]);
  for (gsize i = 0; i < batch->n_changes; i++)
    if (dsq_entry_is_tombstone (batch->changes[i]))
      add_wanted (self, batch->changes[i]);
}

static void
forget_wanted (Apply *self)
{
  for (gsize i = 0; i < self->n_wanted; i++)
    {
      g_clear_pointer (&self->wanted[i].entry, dsq_entry_unref);
      self->wanted[i].is_read = FALSE;
    }
}

static gboolean
sweep_keys (DsqEngine *engine, DsqEntry *const *entries, gsize n_entries, GError **error)
{
  for (gsize i = 0; i < n_entries && dsq_engine_is_sweep_due (engine); i++)
    {
      DsqKey key = dsq_entry_as_key (entries[i]);

      if (!dsq_engine_sweep_key (engine, &key, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
sweep (const Apply *self, GError **error)
{
  const DsqEngineBatch *batch = self->batch;

  return dsq_engine_check_open (self->engine, batch->tables->id, error) &&
         (!dsq_engine_is_sweep_due (self->engine) ||
          dsq_engine_sweep_some (self->engine, batch->n_changes + batch->n_expected, error)) &&
         sweep_keys (self->engine, batch->changes, batch->n_changes, error) &&
         sweep_keys (self->engine, batch->expected, batch->n_expected, error);
}

/* --- before the locks ------------------------------------------------------------------------- */

/* Whether memory decides, with the shard locked; then it says what the key is. */
static gboolean
look_into_memory_locked (DsqEngine *engine, DsqShard *shard, Wanted *wanted)
{
  guint32 number = dsq_hot_shard_find_locked (&shard->hot, &wanted->key);
  DsqEntry *entry = number != 0 ? shard->hot.nodes[number].entry : NULL;

  dsq_shard_assert_locked (shard);
  g_clear_pointer (&wanted->entry, dsq_entry_unref);
  if (number != 0)
    wanted->entry = dsq_entry_is_tombstone (entry) ? NULL : dsq_entry_ref (entry);
  else
    wanted->entry = dsq_warm_shard_peek_locked (&shard->warm, &wanted->key);
  return number != 0 || wanted->entry != NULL ||
         !dsq_engine_may_be_cold_locked (engine, shard, &wanted->key);
}

/* Reads the rows of some keys one by one. Of what is to be removed, one that is damaged is there
 * all the same: a tombstone stands for it. */
static gboolean
read_each (Apply *self, const DsqKey *keys, DsqEntry **found, GError **error)
{
  DsqColdTier *cold = self->engine->cold;

  for (gsize i = 0, n = 0; i < self->n_wanted; i++)
    {
      g_autoptr (GError) local_error = NULL;
      const DsqKey *key = &keys[n];
      gint64 place = 0;

      if (!self->wanted[i].is_read || dsq_cold_tier_get (cold, key, &found[n], &local_error))
        {
          n += self->wanted[i].is_read;
          continue;
        }
      if (i < self->batch->n_expected ||
          !g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_CORRUPT))
        {
          g_propagate_error (error, g_steal_pointer (&local_error));
          return FALSE;
        }
      if (!cold->funcs->probe (cold, key, 1, &place, error))
        return FALSE;
      found[n++] = place != 0 ? dsq_entry_new_tombstone (key) : NULL;
    }
  return TRUE;
}

static gboolean
read_rows (Apply *self, const DsqKey *keys, gsize n_keys, DsqEntry **found, GError **error)
{
  DsqColdTier *cold = self->engine->cold;
  g_autoptr (GError) local_error = NULL;

  if (cold->funcs->get_many (cold, keys, n_keys, found, &local_error))
    return TRUE;
  if (g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_CORRUPT))
    return read_each (self, keys, found, error);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/* Reads what memory does not decide. */
static gboolean
read_wanted (Apply *self, GError **error)
{
  DsqEngine *engine = self->engine;
  g_autofree DsqKey *keys = g_new (DsqKey, self->n_wanted);
  g_autofree DsqEntry **found = g_new0 (DsqEntry *, self->n_wanted);
  gsize n_keys = 0;
  gboolean success;

  for (gsize i = 0; i < self->n_wanted; i++)
    {
      Wanted *wanted = &self->wanted[i];
      DsqShard *shard = dsq_engine_lock_shard (engine, wanted->key.table, wanted->key.hash, error);

      if (shard == NULL)
        return FALSE;
      wanted->is_read = !look_into_memory_locked (engine, shard, wanted);
      wanted->miss = (DsqMiss){ shard->epoch, engine->generation };
      dsq_shard_unlock (shard);
      if (wanted->is_read)
        keys[n_keys++] = wanted->key;
    }
  if (n_keys == 0)
    return TRUE;
  if (!dsq_engine_enter (engine, error))
    return FALSE;
  success = read_rows (self, keys, n_keys, found, error);
  dsq_engine_leave (engine);
  for (gsize i = 0, n = 0; i < self->n_wanted; i++)
    if (self->wanted[i].is_read)
      self->wanted[i].entry = found[n++];
  return success;
}

/* --- with all shards locked ------------------------------------------------------------------- */

/* Whether what the file said of a key that memory does not decide is true still. */
static gboolean
is_current_locked (DsqEngine *engine, const DsqShard *shard, const Wanted *wanted)
{
  dsq_shard_assert_locked (shard);
  return wanted->is_read && shard->epoch == wanted->miss.epoch &&
         engine->generation == wanted->miss.generation;
}

/* FALSE: one of the keys may have changed since it was read. */
static gboolean
settle_wanted_locked (Apply *self)
{
  DsqEngine *engine = self->engine;

  dsq_shards_assert_all_locked (engine->shards);
  for (gsize i = 0; i < self->n_wanted; i++)
    {
      Wanted *wanted = &self->wanted[i];
      DsqShard *shard = dsq_shards_get (engine->shards, wanted->key.hash);
      DsqEntry *read = g_steal_pointer (&wanted->entry);

      if (look_into_memory_locked (engine, shard, wanted))
        g_clear_pointer (&read, dsq_entry_unref);
      else if (is_current_locked (engine, shard, wanted))
        wanted->entry = read;
      else
        {
          g_clear_pointer (&read, dsq_entry_unref);
          return FALSE;
        }
      if (wanted->entry != NULL && dsq_engine_has_expired (engine, wanted->entry))
        g_clear_pointer (&wanted->entry, dsq_entry_unref);
    }
  return TRUE;
}

static gboolean
is_as_expected (const Apply *self)
{
  for (gsize i = 0; i < self->batch->n_expected; i++)
    if (!dsq_entry_has_record_of (self->wanted[i].entry, self->batch->expected[i]))
      return FALSE;
  return TRUE;
}

static void
stage_removal_locked (DsqEngine *engine, DsqShard *shard, const Wanted *wanted)
{
  guint32 number = dsq_hot_shard_find_locked (&shard->hot, &wanted->key);
  gboolean is_there =
      wanted->entry != NULL && !dsq_engine_hides_cold (engine, shard, wanted->key.table);

  dsq_shard_assert_locked (shard);
  if (number != 0)
    is_there = !dsq_entry_is_tombstone (shard->hot.nodes[number].entry);
  if (is_there)
    dsq_engine_stage_removal_locked (engine, shard, number, &wanted->key);
}

static void
stage_all_locked (Apply *self)
{
  DsqEngine *engine = self->engine;
  const DsqEngineBatch *batch = self->batch;
  const Wanted *removed = self->wanted != NULL ? self->wanted + batch->n_expected : NULL;

  dsq_shards_assert_all_locked (engine->shards);
  for (gsize i = 0; i < batch->n_tables; i++)
    if (batch->tables[i].clears)
      {
        DsqTable *table = dsq_engine_table (engine, batch->tables[i].id);

        dsq_pending_clear_locked (table->pending);
        dsq_shards_tidy_locked (engine->shards);
        dsq_table_mark_changed_locked (table, DSQ_CHANGE_OF_KEYS, NULL);
      }
  for (gsize i = 0; i < batch->n_changes; i++)
    {
      DsqKey key = dsq_entry_as_key (batch->changes[i]);
      DsqShard *shard = dsq_shards_get (engine->shards, key.hash);

      if (dsq_entry_is_tombstone (batch->changes[i]))
        stage_removal_locked (engine, shard, removed++);
      else
        dsq_engine_stage_locked (engine,
                                 shard,
                                 dsq_hot_shard_find_locked (&shard->hot, &key),
                                 &key,
                                 dsq_entry_share (batch->changes[i]),
                                 dsq_engine_blind_presence (engine, shard, key.table));
    }
}

static gboolean
check_tables_locked (const Apply *self, GError **error)
{
  dsq_shards_assert_all_locked (self->engine->shards);
  for (gsize i = 0; i < self->batch->n_tables; i++)
    if (dsq_engine_table (self->engine, self->batch->tables[i].id)->is_dropped)
      return dsq_engine_refuse_dropped (error);
  return TRUE;
}

typedef enum
{
  APPLY_FAILED,
  APPLY_DONE,
  APPLY_AGAIN
} ApplyResult;

static ApplyResult
try_to_stage (Apply *self, gboolean *out_applied, GError **error)
{
  ApplyResult result = APPLY_AGAIN;

  if (!read_wanted (self, error) ||
      !dsq_engine_lock_all_open (self->engine, self->batch->tables->id, error))
    return APPLY_FAILED;
  if (G_UNLIKELY (self->engine->shards->all[0].is_held))
    {
      dsq_shards_unlock_all (self->engine->shards);
      return dsq_engine_wait_for_commit (self->engine, error) ? APPLY_AGAIN : APPLY_FAILED;
    }
  if (!check_tables_locked (self, error))
    result = APPLY_FAILED;
  else if (settle_wanted_locked (self))
    {
      *out_applied = is_as_expected (self);
      if (*out_applied)
        stage_all_locked (self);
      result = APPLY_DONE;
    }
  dsq_shards_unlock_all (self->engine->shards);
  return result;
}

static gboolean
stage (Apply *self, gboolean *out_applied, GError **error)
{
  DsqEngine *engine = self->engine;
  ApplyResult result = APPLY_AGAIN;
  DsqTries tries = { 0 };

  if (!dsq_call_check (error) || !dsq_engine_wait_for_budget (engine, error))
    return FALSE;
  for (gsize i = 0; i < self->batch->n_changes; i++)
    {
      DsqKey key = dsq_entry_as_key (self->batch->changes[i]);

      if (!dsq_entry_is_tombstone (self->batch->changes[i]) &&
          !dsq_engine_foresee_new (engine, &key, error))
        return FALSE;
    }
  collect_wanted (self);
  while (result == APPLY_AGAIN)
    {
      if (!sweep (self, error) || !dsq_tries_begin (&tries, engine, error))
        break;
      result = try_to_stage (self, out_applied, error);
      dsq_tries_end (&tries, engine);
      forget_wanted (self);
    }
  g_free (self->wanted);
  if (result == APPLY_DONE && *out_applied)
    dsq_engine_note_dirty (engine);
  if (result == APPLY_DONE && *out_applied && clears_any (self->batch) && !engine->is_lasting)
    dsq_engine_drop_spilled (engine);
  return result == APPLY_DONE;
}

/* --- write-through ---------------------------------------------------------------------------- */

static gboolean
write_through (Apply *self, gboolean *out_applied, GError **error)
{
  const DsqEngineBatch *batch = self->batch;
  g_autofree DsqChange *changes = g_new0 (DsqChange, batch->n_changes);
  DsqWrite write = {
    .promise = batch->promise,
    .tables = batch->tables,
    .n_tables = batch->n_tables,
    .changes = changes,
    .n_changes = batch->n_changes,
    .expected = batch->expected,
    .n_expected = batch->n_expected,
  };

  for (gsize i = 0; i < batch->n_changes; i++)
    changes[i] = (DsqChange){
      .entry = batch->changes[i],
      .hash = dsq_entry_as_key (batch->changes[i]).hash,
    };
  if (!dsq_engine_write_through (self->engine, &write, error))
    return FALSE;
  *out_applied = !write.is_refused;
  return TRUE;
}

gboolean
dsq_engine_apply (DsqEngine *self,
                  const DsqEngineBatch *batch,
                  gboolean *out_applied,
                  GError **error)
{
  Apply apply = { .engine = self, .batch = batch };

  *out_applied = TRUE;
  for (gsize i = 0; i < batch->n_changes && dsq_engine_option (self, max_bytes) != 0; i++)
    if (!dsq_engine_check_size (self, batch->changes[i], error))
      return FALSE;
  if (batch->n_changes == 0 && batch->n_expected == 0 && !clears_any (batch))
    return dsq_engine_check_open (self, batch->tables->id, error);
  if (dsq_engine_writes_through (self, batch->promise))
    return write_through (&apply, out_applied, error);
  return stage (&apply, out_applied, error);
}
