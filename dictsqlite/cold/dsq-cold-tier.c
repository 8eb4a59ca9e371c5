/* dsq-cold-tier.c - the cold tier on SQLite: opening and closing
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-changes-private.h"
#include "cold/dsq-cold-coherence-private.h"
#include "cold/dsq-cold-copies-private.h"
#include "cold/dsq-cold-file-private.h"
#include "cold/dsq-cold-filter-private.h"
#include "cold/dsq-cold-log-private.h"
#include "cold/dsq-cold-notice-private.h"
#include "cold/dsq-cold-open-private.h"
#include "cold/dsq-cold-place-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-reads-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-space-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "cold/dsq-cold-tables-private.h"
#include "cold/dsq-cold-writer-private.h"
#include "cold/dsq-facts-file-private.h"
#include "sqlite/dsq-inherited-private.h"

static void
get_stats (DsqColdTier *tier, DsqColdStats *out_stats)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;

  out_stats->entries = __atomic_load_n (&self->n_entries, __ATOMIC_RELAXED);
  out_stats->commits = __atomic_load_n (&self->n_commits, __ATOMIC_RELAXED);
  out_stats->syncs = __atomic_load_n (&self->n_syncs, __ATOMIC_RELAXED);
  out_stats->checkpoints = __atomic_load_n (&self->n_checkpoints, __ATOMIC_RELAXED);
  out_stats->foreign_changes = __atomic_load_n (&self->n_foreign_changes, __ATOMIC_RELAXED);
  out_stats->file_bytes = (guint64) MAX (dsq_location_get_size (self->path), 0);
  out_stats->wal_bytes = (guint64) MAX (dsq_location_get_wal_size (self->path), 0);
}

void
dsq_cold_sqlite_free (DsqColdSqlite *self)
{
  dsq_mutex_clear (&self->readers_lock);
  dsq_mutex_clear (&self->coherence_lock);
  dsq_mutex_clear (&self->log_lock);
  dsq_mutex_clear (&self->connection_lock);
  pthread_cond_destroy (&self->learned);
  dsq_cold_filter_free (self->file.tier.filter);
  g_byte_array_unref (self->filled);
  g_clear_pointer (&self->tables, g_array_unref);
  dsq_cold_undo_clear (&self->writer.undo);
  dsq_cold_buffer_clear (&self->writer.buffer);
  dsq_record_codec_clear (&self->codec);
  dsq_facts_free (self->facts);
  dsq_keys_free (self->keys);
  dsq_cold_place_clear (self);
  g_free (self->path);
  g_free (self);
}

static void
widen (DsqColdFile *file, gsize cache_bytes, gsize wal_limit_bytes)
{
  DsqDatabaseTuning *tuning = &((DsqColdSqlite *) file)->tuning;

  __atomic_store_n (&tuning->cache_bytes, MAX (tuning->cache_bytes, cache_bytes), __ATOMIC_RELAXED);
  __atomic_store_n (&tuning->wal_limit_bytes,
                    MAX (tuning->wal_limit_bytes, wal_limit_bytes),
                    __ATOMIC_RELAXED);
}

/* The writer goes last, so that SQLite folds the log in if nobody else has the file. What was
 * opened in vain, or to be read, folds nothing in. */
static gboolean
close_tier (DsqColdTier *tier, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  gboolean wrote = self->log != NULL;
  gboolean folded = dsq_cold_log_close (self, error);

  dsq_cold_readers_close (self);
  if (self->writer.database != NULL && !self->read_only)
    dsq_database_set_fold_on_close (self->writer.database, wrote && !self->file.is_failed);
  if (wrote)
    dsq_facts_take_turn (self->facts);
  dsq_cold_writer_close (self);
  if (!wrote && self->path != NULL)
    dsq_store_file_remove_traces (self->path, self->beside);
  /* who closes last removes the log as well */
  if (wrote && dsq_location_get_wal_size (self->path) < 0)
    dsq_facts_file_remove (self->path);
  if (wrote)
    dsq_facts_give_turn (self->facts);
  dsq_cold_sqlite_free (self);
  return folded;
}

static const DsqColdTierFuncs funcs = {
  .close = close_tier,
  .get_many = dsq_cold_get_many,
  .probe = dsq_cold_probe,
  .walk = dsq_cold_walk,
  .list_tables = dsq_cold_list_tables,
  .find_expired = dsq_cold_find_expired,
  .catch_up = dsq_cold_catch_up,
  .begin = dsq_cold_begin,
  .get_table = dsq_cold_get_table,
  .open_table = dsq_cold_open_table,
  .drop_table = dsq_cold_drop_table,
  .clear_table = dsq_cold_clear_table,
  .apply = dsq_cold_apply,
  .get_in_transaction = dsq_cold_get_in_transaction,
  .savepoint = dsq_cold_savepoint,
  .release = dsq_cold_release,
  .commit = dsq_cold_commit,
  .rollback = dsq_cold_rollback,
  .list_keys = dsq_cold_list_keys,
  .get_stats = get_stats,
  .open_notice = dsq_cold_open_notice,
};

static const DsqColdUpkeepFuncs upkeep_funcs = {
  .get_header = dsq_cold_get_header,
  .replace_header = dsq_cold_replace_header,
  .renew_log = dsq_cold_renew_log,
  .copy = dsq_cold_copy,
  .backup = dsq_cold_backup,
  .check = dsq_cold_check,
};

static const DsqColdFileFuncs file_funcs = {
  .tend = dsq_cold_readers_tend,
  .widen = widen,
  .set_may_hold = dsq_cold_readers_set_may_hold,
  .sync = dsq_cold_sync,
  .wants_checkpoint = dsq_cold_wants_checkpoint,
  .checkpoint = dsq_cold_checkpoint,
  .find_oldest = dsq_cold_find_oldest,
  .get_used = dsq_cold_get_used,
  .shrink = dsq_cold_shrink,
};

DsqColdSqlite *
dsq_cold_sqlite_new (const DsqColdTierFuncs *tier_funcs, const DsqColdOptions *options)
{
  DsqColdSqlite *self = g_new0 (DsqColdSqlite, 1);

  self->file.tier.funcs = tier_funcs;
  self->read_only = options->read_only;
  self->read_role = DSQ_DATABASE_READ;
  self->log_handle = -1;
  self->tuning.full_durability = options->full_durability;
  self->tuning.busy_timeout_ms = options->busy_timeout_ms;
  self->tuning.cache_bytes = options->cache_bytes;
  self->tuning.wal_limit_bytes = options->wal_limit_bytes;
  self->seals_ahead = options->seals_ahead;
  self->tables = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
  dsq_cold_undo_init (&self->writer.undo);
  dsq_mutex_init (&self->readers_lock, DSQ_RANK_READERS, 0);
  dsq_mutex_init (&self->coherence_lock, DSQ_RANK_COHERENCE, 0);
  dsq_mutex_init (&self->log_lock, DSQ_RANK_LOG, 0);
  dsq_mutex_init (&self->connection_lock, DSQ_RANK_CONNECTION, 0);
  dsq_cond_init (&self->learned);
  self->filled = g_byte_array_new ();
  self->file.tier.filter = dsq_cold_filter_new (dsq_cold_read_keys, self, &self->n_entries);
  return self;
}

static gboolean
open_tier (DsqColdSqlite *self, const DsqColdOptions *options, GError **error)
{
  const DsqStoreLock lock = { options->password, options->kdf_cost, options->kdf_limit };
  DsqStoreIdentity identity;
  DsqDatabase *reader = NULL;
  DsqDatabase *database;

  self->path = dsq_location_resolve (options->path, error);
  if (self->path == NULL)
    return FALSE;
  self->beside = dsq_store_file_look_beside (self->path);
  self->write_time = dsq_location_get_write_time (self->path);
  if (self->read_only)
    database = dsq_store_file_open_for_reading (self->path,
                                                &self->tuning,
                                                &lock,
                                                &identity,
                                                &self->read_role,
                                                error);
  else
    database = dsq_store_file_open (self->path, &self->tuning, &lock, &identity, &reader, error);
  if (database == NULL)
    return FALSE;
  self->keys = identity.keys;
  dsq_record_codec_init (&self->codec, dsq_header_get_store_id (&identity.header), self->keys);
  self->facts = dsq_facts_new (self->path,
                               dsq_header_get_store_id (&identity.header),
                               self->keys,
                               self->read_only);

  if (!dsq_cold_writer_init (self, database, error) ||
      !dsq_location_identify (self->path, &self->identities[DSQ_COLD_NAME_FILE], error))
    {
      dsq_database_close (reader);
      return FALSE;
    }
  return (reader == NULL || dsq_cold_readers_add (self, reader, error)) &&
         dsq_cold_coherence_init (self, error) &&
         (self->read_role == DSQ_DATABASE_READ_UNCHANGING ||
          dsq_inherited_check_locks (self->path, error)) &&
         dsq_cold_space_init (self, error) &&
         (self->read_only ||
          (dsq_database_check_writable (database, error) && dsq_cold_writer_stream (self, error) &&
           dsq_cold_log_init (self, error) && dsq_cold_place_init (self, error)));
}

DsqColdTier *
dsq_cold_tier_open_sqlite (const DsqColdOptions *options, DsqTableState *out_main, GError **error)
{
  DsqColdSqlite *self = dsq_cold_sqlite_new (&funcs, options);

  self->file.funcs = &file_funcs;
  self->file.tier.file = &self->file;
  self->file.tier.upkeep = &upkeep_funcs;
  self->file.tier.is_lasting = TRUE;
  self->is_made = TRUE;
  if (!open_tier (self, options, error))
    {
      close_tier (&self->file.tier, NULL);
      return NULL;
    }
  *out_main = g_array_index (self->tables, DsqTableState, 0);
  return &self->file.tier;
}
