/* dsq-cold-private.c - a cold tier of one's own, for stores in memory
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-changes-private.h"
#include "cold/dsq-cold-filter-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-reads-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-space-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "cold/dsq-cold-tables-private.h"
#include "cold/dsq-cold-writer-private.h"
#include "crypto/dsq-random-private.h"
#include "crypto/dsq-secret-private.h"
#include "sqlite/dsq-schema-private.h"

/*
 * SQLite makes a private temporary database of an empty name: its file is unlinked as soon as it is
 * open, and is not even made before the page cache overflows. No other connection can reach it, so
 * one connection serves the writer and the readers, a call at a time, and there is nothing to
 * learn, to sync, or to checkpoint.
 *
 * A read may come between two calls of a transaction, and sees what has been brought in so far.
 * That does no harm: all keys of the transaction are in memory until it is over, and are looked for
 * there first.
 *
 * A transaction that fails on a full medium must leave the file whole, so it has a rollback
 * journal. That is a temporary file as well: in memory it would hold every page of the index that
 * the transaction touches.
 */

/* Parts of the cache of one connection to a file: there every reader has its own. */
#define CACHE_SHARE 4

/* Keys that the filter has room for at first, since it is begun while nothing is in the file. */
#define FIRST_KEYS 200000

static const DsqTableState first_state = {
  .table = DSQ_TABLE_MAIN,
  .next = ((gint64) DSQ_TABLE_MAIN << DSQ_FORMAT_POSITION_BITS) + 1,
};

static gboolean
is_open (DsqColdSqlite *self)
{
  return __atomic_load_n (&self->writer.database, __ATOMIC_ACQUIRE) != NULL;
}

/* --- the file --------------------------------------------------------------------------------- */

static gboolean
tune (DsqColdSqlite *self, DsqDatabase *database, GError **error)
{
  g_autofree char *cache = g_strdup_printf (
      "PRAGMA cache_size = -%" G_GSIZE_FORMAT,
      CLAMP (self->tuning.cache_bytes / 1024, 64, G_MAXINT32 / CACHE_SHARE) * CACHE_SHARE);

  return dsq_database_run (database, cache, "set the size of the page cache", error) &&
         dsq_database_run (database,
                           "PRAGMA temp_store = FILE",
                           "keep temporary files on disk",
                           error) &&
         dsq_database_run (database,
                           "PRAGMA synchronous = OFF",
                           "keep a temporary file from being synced",
                           error);
}

static void
close_file (DsqColdSqlite *self)
{
  dsq_cold_readers_unshare (self);
  dsq_cold_writer_close (self);
}

/* Rows are sealed under keys that nobody else ever has, drawn once for the tier. */
static gboolean
draw_keys (DsqColdSqlite *self, const DsqHeader *header, GError **error)
{
  guint8 data_key[DSQ_KEY_LENGTH];

  if (!dsq_random_draw (data_key, sizeof data_key, error))
    return FALSE;
  self->keys = dsq_keys_new (data_key, dsq_header_get_store_id (header));
  dsq_secret_wipe (data_key, sizeof data_key);
  return TRUE;
}

/* Its header is a plain one even when rows are sealed: no one else will read it. */
static gboolean
make_schema (DsqColdSqlite *self, DsqDatabase *database, GError **error)
{
  DsqHeader header;
  DsqKeys *none;

  if (!dsq_header_init (&header, NULL, NULL, &none, error) ||
      !dsq_schema_install (database, &header, error))
    return FALSE;
  if (self->is_sealed && self->keys == NULL && !draw_keys (self, &header, error))
    return FALSE;
  dsq_record_codec_init (&self->codec, dsq_header_get_store_id (&header));
  self->codec.keys = self->keys;
  return TRUE;
}

/* The states of the tables are kept in memory; their rows only tell that they are there. */
static gboolean
write_table (DsqColdSqlite *self, guint32 table, GError **error)
{
  DsqStatement *statement = &self->writer.statements[DSQ_COLD_WRITE_MAKE_TABLE];
  guint32 token = GUINT32_TO_BE (table);

  dsq_statement_bind_number (statement, 1, table);
  dsq_statement_bind_bytes (statement, 2, (const guint8 *) &token, sizeof token);
  dsq_statement_bind_null (statement, 3);
  return dsq_statement_run (statement, error);
}

static gboolean
write_tables (DsqColdSqlite *self, GError **error)
{
  for (guint i = 0; i < self->tables->len; i++)
    {
      guint32 table = g_array_index (self->tables, DsqTableState, i).table;

      if (table != DSQ_TABLE_MAIN && !write_table (self, table, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
open_file (DsqColdSqlite *self, GError **error)
{
  DsqDatabase *database = dsq_database_open_private (error);

  if (database == NULL)
    return FALSE;
  if (!tune (self, database, error) || !make_schema (self, database, error))
    {
      dsq_database_close (database);
      return FALSE;
    }
  if (dsq_cold_writer_init (self, database, error) && write_tables (self, error) &&
      dsq_cold_readers_share (self, error))
    {
      dsq_filter_finish (self->tier.filter, dsq_filter_begin (self->tier.filter, FIRST_KEYS));
      return TRUE;
    }
  close_file (self);
  return FALSE;
}

static gboolean
close_private (DsqColdTier *tier, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;

  close_file (self);
  g_free (self->own_reader);
  dsq_cold_sqlite_free (self);
  return TRUE;
}

/* --- the transaction -------------------------------------------------------------------------- */

static gboolean
run_locked (DsqColdSqlite *self, DsqColdWrite which, GError **error)
{
  dsq_mutex_assert_held (&self->connection_lock);
  return dsq_statement_run (&self->writer.statements[which], error);
}

static gboolean
begin (DsqColdTier *tier, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  gboolean begun;

  dsq_mutex_lock (&self->connection_lock);
  begun =
      (is_open (self) || open_file (self, error)) && run_locked (self, DSQ_COLD_WRITE_BEGIN, error);
  dsq_mutex_unlock (&self->connection_lock);
  if (!begun)
    return FALSE;
  if (self->keys != NULL)
    dsq_keys_start (self->keys);
  dsq_cold_copy_tables (self->writer.committed, self->tables);
  return TRUE;
}

/* Whether no other table has rows. */
static gboolean
is_alone (DsqColdSqlite *self, guint32 table)
{
  for (guint i = 0; i < self->tables->len; i++)
    {
      const DsqTableState *state = &g_array_index (self->tables, DsqTableState, i);

      if (state->table != table && state->count > 0)
        return FALSE;
    }
  return TRUE;
}

/* What is cleared hides behind the engine's clear whether or not the transaction succeeds, so the
 * whole file may go, and its room on the medium with it. */
static gboolean
clear_table (DsqColdTier *tier, guint32 table, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqTableState *state = dsq_cold_find_table (self, table);
  gboolean cleared;

  if (state == NULL || state->count == 0)
    return TRUE;
  dsq_mutex_lock (&self->connection_lock);
  if (!is_alone (self, table) || self->writer.has_changed)
    {
      cleared = dsq_cold_clear_table (tier, table, error);
    }
  else
    {
      close_file (self);
      cleared = open_file (self, error) && run_locked (self, DSQ_COLD_WRITE_BEGIN, error);
      state->count = 0;
      dsq_cold_copy_tables (self->writer.committed, self->tables);
    }
  dsq_mutex_unlock (&self->connection_lock);
  return cleared;
}

/* Tables come here with their first row, since they are given out in memory. */
static gboolean
know_table (DsqColdSqlite *self, guint32 table, GError **error)
{
  DsqTableState state = { .table = table,
                          .next = ((gint64) table << DSQ_FORMAT_POSITION_BITS) + 1 };
  guint at = self->tables->len;

  if (dsq_cold_find_table (self, table) != NULL)
    return TRUE;
  while (g_array_index (self->tables, DsqTableState, at - 1).table > table)
    at--;
  g_array_insert_val (self->tables, at, state);
  return write_table (self, table, error);
}

static gboolean
apply (DsqColdTier *tier, DsqChange *changes, gsize n_changes, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  gboolean applied = TRUE;

  dsq_mutex_lock (&self->connection_lock);
  for (gsize i = 0; i < n_changes && applied; i++)
    applied = changes[i].entry == NULL || know_table (self, changes[i].entry->table, error);
  applied = applied && dsq_cold_apply (tier, changes, n_changes, error);
  dsq_mutex_unlock (&self->connection_lock);
  return applied;
}

static void
rollback_locked (DsqColdSqlite *self)
{
  dsq_mutex_assert_held (&self->connection_lock);
  if (is_open (self) && !sqlite3_get_autocommit (self->writer.database->handle))
    run_locked (self, DSQ_COLD_WRITE_ROLLBACK, NULL);
  dsq_cold_copy_tables (self->tables, self->writer.committed);
  self->writer.has_changed = FALSE;
}

static void
rollback (DsqColdTier *tier)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;

  dsq_mutex_lock (&self->connection_lock);
  rollback_locked (self);
  dsq_mutex_unlock (&self->connection_lock);
}

static guint64
count_bytes_locked (DsqColdSqlite *self)
{
  gint64 n_pages = 0, page_size = 0;

  dsq_mutex_assert_held (&self->connection_lock);
  dsq_database_get_number (self->writer.database, "PRAGMA page_count", "ask", &n_pages, NULL);
  dsq_database_get_number (self->writer.database, "PRAGMA page_size", "ask", &page_size, NULL);
  return (guint64) (n_pages * page_size);
}

static void
note_commit_locked (DsqColdSqlite *self)
{
  guint64 n_entries = 0;

  dsq_mutex_assert_held (&self->connection_lock);
  for (guint i = 0; i < self->tables->len; i++)
    n_entries += (guint64) g_array_index (self->tables, DsqTableState, i).count;
  __atomic_store_n (&self->n_entries, n_entries, __ATOMIC_RELAXED);
  __atomic_store_n (&self->private_bytes, count_bytes_locked (self), __ATOMIC_RELAXED);
  self->tier.n_commits++;
  self->writer.has_changed = FALSE;
  DSQ_COLD_COUNT (self->n_commits);
}

/* The states of the tables are kept in memory alone. */
static gboolean
commit (DsqColdTier *tier, DsqColdCommittedFunc committed, gpointer committed_data, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  gboolean is_committed;

  dsq_mutex_lock (&self->connection_lock);
  is_committed = run_locked (self, DSQ_COLD_WRITE_COMMIT, error);
  if (is_committed)
    note_commit_locked (self);
  else
    rollback_locked (self);
  dsq_mutex_unlock (&self->connection_lock);
  if (is_committed && committed != NULL)
    committed (committed_data);
  dsq_cold_trim_buffer (&self->writer);
  return is_committed;
}

/* --- reads that may come before the first transaction ----------------------------------------- */

static gboolean
walk (DsqColdTier *tier,
      guint32 table,
      gint64 place,
      DsqWalkOrder order,
      guint max_rows,
      gsize max_bytes,
      gboolean keys_only,
      GArray *rows,
      gboolean *out_is_last,
      GError **error)
{
  *out_is_last = TRUE;
  return !is_open ((DsqColdSqlite *) tier) || dsq_cold_walk (tier,
                                                             table,
                                                             place,
                                                             order,
                                                             max_rows,
                                                             max_bytes,
                                                             keys_only,
                                                             rows,
                                                             out_is_last,
                                                             error);
}

static gboolean
list_keys (DsqColdTier *tier,
           const DsqKey *from,
           const DsqKey *end,
           guint max_keys,
           GPtrArray *entries,
           GError **error)
{
  return !is_open ((DsqColdSqlite *) tier) ||
         dsq_cold_list_keys (tier, from, end, max_keys, entries, error);
}

static gboolean
find_expired (DsqColdTier *tier,
              gboolean in_transaction,
              DsqExpirySpan *span,
              guint max_rows,
              GArray *rows,
              gint64 *out_next,
              GError **error)
{
  *out_next = G_MAXINT64;
  return !is_open ((DsqColdSqlite *) tier) ||
         dsq_cold_find_expired (tier, FALSE, span, max_rows, rows, out_next, error);
}

/* --- the rest --------------------------------------------------------------------------------- */

/* Nobody else commits. */
static gboolean
catch_up (DsqColdTier *tier, GError **error)
{
  return TRUE;
}

static void
get_stats (DsqColdTier *tier, DsqColdStats *out_stats)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;

  out_stats->entries = __atomic_load_n (&self->n_entries, __ATOMIC_RELAXED);
  out_stats->commits = __atomic_load_n (&self->n_commits, __ATOMIC_RELAXED);
  out_stats->private_bytes = __atomic_load_n (&self->private_bytes, __ATOMIC_RELAXED);
  dsq_cold_filter_get_stats (self, out_stats);
}

static const DsqColdTierFuncs private_funcs = {
  .close = close_private,
  .get = dsq_cold_get,
  .get_many = dsq_cold_get_many,
  .probe = dsq_cold_probe,
  .walk = walk,
  .list_keys = list_keys,
  .find_expired = find_expired,
  .wants_filter = dsq_cold_filter_wants_build,
  .is_filter_worth = dsq_cold_filter_is_worth,
  .begin_filter = dsq_cold_filter_begin,
  .fill_filter = dsq_cold_filter_fill,
  .list_tables = dsq_cold_list_tables,
  .catch_up = catch_up,
  .begin = begin,
  .get_table = dsq_cold_get_table,
  .open_table = dsq_cold_open_table,
  .drop_table = dsq_cold_drop_table,
  .clear_table = clear_table,
  .apply = apply,
  .get_in_transaction = dsq_cold_get_in_transaction,
  .savepoint = dsq_cold_savepoint,
  .release = dsq_cold_release,
  .commit = commit,
  .rollback = rollback,
  .get_stats = get_stats,
};

DsqColdTier *
dsq_cold_tier_new_private (const DsqColdOptions *options, GArray *states)
{
  DsqColdSqlite *self = dsq_cold_sqlite_new (&private_funcs, options, NULL, NULL);

  self->is_sealed = options->password != NULL;
  self->own_reader = g_new0 (DsqColdReader, 1);
  self->tier.live_stamp = self->tier.seen_stamp;
  g_array_append_val (self->tables, first_state);
  dsq_cold_copy_tables (states, self->tables);
  return &self->tier;
}
