/* dsq-cold-private.c - a cold tier of one's own, for stores in memory
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-changes-private.h"
#include "cold/dsq-cold-filter-private.h"
#include "cold/dsq-cold-open-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-reads-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-space-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "cold/dsq-cold-tables-private.h"
#include "cold/dsq-cold-writer-private.h"
#include "crypto/dsq-random-private.h"
#include "crypto/dsq-secret-private.h"
#include "dsq-error.h"
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

/* A name that the transaction has brought or taken away. */
typedef struct
{
  GBytes *name; /* (owned) */
  guint32 table;
  gboolean is_new;
} Rename;

static void
rename_clear (gpointer data)
{
  g_bytes_unref (((Rename *) data)->name);
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
  __atomic_store_n (&self->is_made, FALSE, __ATOMIC_RELEASE);
  dsq_cold_readers_unshare (self);
  dsq_cold_writer_close (self);
  self->has_begun = FALSE;
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

/* The first table's mark is drawn with the header, and again with what seals the rows. Header and
 * marks as they lie in the file are for nobody: no one else will read it. */
static gboolean
make_schema (DsqColdSqlite *self, DsqDatabase *database, GError **error)
{
  DsqMarkColumn ignored;
  DsqHeader header;
  DsqKeys *none;

  if (!dsq_header_init (&header, NULL, NULL, &none, error) ||
      !dsq_schema_install (database, &header, error))
    return FALSE;
  if (self->is_sealed && self->keys == NULL && !draw_keys (self, &header, error))
    return FALSE;
  dsq_record_codec_clear (&self->codec);
  dsq_record_codec_init (&self->codec, dsq_header_get_store_id (&header), self->keys);
  return dsq_row_draw_mark (&self->codec, DSQ_TABLE_MAIN, (const guint8 *) "", 0, &ignored, error);
}

/* The states and names of the tables are kept in memory; their rows only tell that they are there.
 */
static gboolean
write_table (DsqColdSqlite *self, guint32 table, GError **error)
{
  DsqStatement *statement = &self->writer.statements[DSQ_COLD_WRITE_MAKE_TABLE];
  guint32 token = GUINT32_TO_BE (table);
  const guint8 *bytes = (const guint8 *) &token;
  DsqMarkColumn mark;

  if (!dsq_row_draw_mark (&self->codec, table, bytes, sizeof token, &mark, error))
    return FALSE;
  dsq_statement_bind_number (statement, 1, table);
  dsq_statement_bind_bytes (statement, 2, bytes, sizeof token);
  dsq_statement_bind_null (statement, 3);
  dsq_statement_bind_bytes (statement, 4, mark.bytes, mark.length);
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
      dsq_cold_filter_start_empty (self->file.tier.filter, FIRST_KEYS);
      __atomic_store_n (&self->is_made, TRUE, __ATOMIC_RELEASE);
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
  g_hash_table_unref (self->names);
  g_array_unref (self->renames);
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

/* Opens the file and begins SQLite's transaction, unless that has been done. */
static gboolean
start_locked (DsqColdSqlite *self, GError **error)
{
  dsq_mutex_assert_held (&self->connection_lock);
  if (self->has_begun)
    return TRUE;
  if (dsq_cold_is_unmade (self) && !open_file (self, error))
    return FALSE;
  if (!run_locked (self, DSQ_COLD_WRITE_BEGIN, error))
    {
      /* one that is cancelled at its very end has begun */
      if (sqlite3_get_autocommit (self->writer.database->handle) == 0)
        run_locked (self, DSQ_COLD_WRITE_ROLLBACK, NULL);
      return FALSE;
    }
  if (self->keys != NULL)
    dsq_keys_start (self->keys);
  self->has_begun = TRUE;
  return TRUE;
}

static gboolean
begin (DsqColdTier *tier, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;

  dsq_cold_undo_begin (&self->writer.undo, self->tables);
  if (self->codec.marks != NULL)
    dsq_cold_forget_marks (self);
  return TRUE;
}

static gboolean
clear_table (DsqColdTier *tier, guint32 table, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  const DsqTableState *state = dsq_cold_find_table (self, table);
  gboolean cleared;

  if (state == NULL || state->count == 0)
    return TRUE;
  dsq_mutex_lock (&self->connection_lock);
  cleared = start_locked (self, error) && dsq_cold_clear_table (tier, table, error);
  dsq_mutex_unlock (&self->connection_lock);
  return cleared;
}

static gboolean
apply (DsqColdTier *tier, DsqChange *changes, gsize n_changes, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  gboolean applied;

  dsq_mutex_lock (&self->connection_lock);
  applied = start_locked (self, error) && dsq_cold_apply (tier, changes, n_changes, error);
  dsq_mutex_unlock (&self->connection_lock);
  return applied;
}

static gboolean
get_in_transaction (DsqColdTier *tier, const DsqKey *key, DsqEntry **out_entry, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  gboolean read = TRUE;

  *out_entry = NULL;
  dsq_mutex_lock (&self->connection_lock);
  if (!dsq_cold_is_unmade (self))
    read = dsq_cold_get_in_transaction (tier, key, out_entry, error);
  dsq_mutex_unlock (&self->connection_lock);
  return read;
}

static gboolean
savepoint (DsqColdTier *tier, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  gboolean set;

  dsq_mutex_lock (&self->connection_lock);
  set = start_locked (self, error) && dsq_cold_savepoint (tier, error);
  dsq_mutex_unlock (&self->connection_lock);
  return set;
}

static gboolean
release (DsqColdTier *tier, gboolean keep, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  gboolean released;

  dsq_mutex_lock (&self->connection_lock);
  released = dsq_cold_release (tier, keep, error);
  dsq_mutex_unlock (&self->connection_lock);
  return released;
}

/* --- the transaction's end -------------------------------------------------------------------- */

static void
rename_back_locked (DsqColdSqlite *self)
{
  dsq_mutex_assert_held (&self->connection_lock);
  for (guint i = self->renames->len; i > 0; i--)
    {
      const Rename *rename = &g_array_index (self->renames, Rename, i - 1);

      if (rename->is_new)
        g_hash_table_remove (self->names, rename->name);
      else
        g_hash_table_insert (self->names,
                             g_bytes_ref (rename->name),
                             GUINT_TO_POINTER (rename->table));
    }
  g_array_set_size (self->renames, 0);
}

static void
rollback_locked (DsqColdSqlite *self)
{
  dsq_mutex_assert_held (&self->connection_lock);
  if (self->has_begun && !sqlite3_get_autocommit (self->writer.database->handle))
    run_locked (self, DSQ_COLD_WRITE_ROLLBACK, NULL);
  self->has_begun = FALSE;
  dsq_cold_undo_back_to (&self->writer.undo, 0, self->tables);
  rename_back_locked (self);
  self->writer.in_savepoint = FALSE;
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
  if (dsq_cold_is_unmade (self))
    return 0;
  dsq_database_get_number (self->writer.database, "PRAGMA page_count", "ask", &n_pages, NULL);
  dsq_database_get_number (self->writer.database, "PRAGMA page_size", "ask", &page_size, NULL);
  return (guint64) (n_pages * page_size);
}

/* A file without rows is made anew, so that its room on the medium is given back; that it cannot be
 * opened now does not matter as long as it has none. */
static void
note_commit_locked (DsqColdSqlite *self)
{
  guint64 n_entries = 0;

  dsq_mutex_assert_held (&self->connection_lock);
  for (guint i = 0; i < self->tables->len; i++)
    n_entries += (guint64) g_array_index (self->tables, DsqTableState, i).count;
  __atomic_store_n (&self->n_entries, n_entries, __ATOMIC_RELAXED);
  if (n_entries == 0 && self->writer.has_changed)
    {
      close_file (self);
      open_file (self, NULL);
    }
  __atomic_store_n (&self->private_bytes, count_bytes_locked (self), __ATOMIC_RELAXED);
  self->file.tier.n_commits++;
  DSQ_COLD_COUNT (self->n_commits);
}

static gboolean
commit (DsqColdTier *tier, DsqColdCommittedFunc committed, gpointer committed_data, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  gboolean is_committed;

  dsq_mutex_lock (&self->connection_lock);
  is_committed = !self->has_begun || run_locked (self, DSQ_COLD_WRITE_COMMIT, error);
  if (!is_committed)
    rollback_locked (self);
  else if (self->has_begun)
    note_commit_locked (self);
  self->has_begun = FALSE;
  dsq_cold_undo_begin (&self->writer.undo, self->tables);
  self->writer.has_changed = FALSE;
  g_array_set_size (self->renames, 0);
  dsq_mutex_unlock (&self->connection_lock);
  if (is_committed && committed != NULL)
    committed (committed_data);
  dsq_cold_trim_buffer (&self->writer);
  return is_committed;
}

/* --- tables ----------------------------------------------------------------------------------- */

static gboolean
make_table_locked (DsqColdSqlite *self, GBytes *name, DsqTableState *out_state, GError **error)
{
  Rename rename = { g_bytes_ref (name), self->last_table + 1, TRUE };

  dsq_mutex_assert_held (&self->connection_lock);
  if (self->last_table >= DSQ_TABLE_MAX)
    {
      rename_clear (&rename);
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_FAILED,
                           "Failed to make a table: the store has had as many as it can have");
      return FALSE;
    }
  self->last_table++;
  *out_state = (DsqTableState){ .table = rename.table };
  out_state->next = ((gint64) rename.table << DSQ_FORMAT_POSITION_BITS) + 1;
  dsq_cold_undo_make (&self->writer.undo, self->tables, out_state);
  g_array_append_val (self->renames, rename);
  g_hash_table_insert (self->names, g_bytes_ref (name), GUINT_TO_POINTER (rename.table));
  return dsq_cold_is_unmade (self) ||
         (start_locked (self, error) && write_table (self, rename.table, error));
}

static gboolean
open_table (DsqColdTier *tier,
            const guint8 *name,
            gsize length,
            gboolean may_make,
            DsqTableState *out_state,
            GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  g_autoptr (GBytes) owned = g_bytes_new (name, length);
  gboolean success = TRUE;
  guint32 table;

  dsq_mutex_lock (&self->connection_lock);
  table = GPOINTER_TO_UINT (g_hash_table_lookup (self->names, owned));
  if (table != 0)
    *out_state = *dsq_cold_find_table (self, table);
  else if (!may_make)
    *out_state = (DsqTableState){ 0 };
  else
    success = make_table_locked (self, owned, out_state, error);
  dsq_mutex_unlock (&self->connection_lock);
  return success;
}

static gboolean
remove_row_locked (DsqColdSqlite *self, guint32 table, GError **error)
{
  DsqStatement *statement = &self->writer.statements[DSQ_COLD_WRITE_DROP_TABLE];

  dsq_mutex_assert_held (&self->connection_lock);
  if (dsq_cold_is_unmade (self))
    return TRUE;
  if (!start_locked (self, error))
    return FALSE;
  dsq_statement_bind_number (statement, 1, table);
  return dsq_statement_run (statement, error);
}

static gboolean
drop_table (DsqColdTier *tier, const guint8 *name, gsize length, guint32 *out_table, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  Rename rename = { g_bytes_new (name, length), 0, FALSE };
  gboolean dropped;

  dsq_mutex_lock (&self->connection_lock);
  *out_table = rename.table = GPOINTER_TO_UINT (g_hash_table_lookup (self->names, rename.name));
  dsq_mutex_unlock (&self->connection_lock);
  if (rename.table == 0)
    {
      rename_clear (&rename);
      return TRUE;
    }
  dropped = clear_table (tier, rename.table, error);
  dsq_mutex_lock (&self->connection_lock);
  dropped = dropped && remove_row_locked (self, rename.table, error);
  if (dropped)
    {
      dsq_cold_undo_drop (&self->writer.undo, self->tables, rename.table);
      g_hash_table_remove (self->names, rename.name);
    }
  g_array_append_val (self->renames, rename);
  dsq_mutex_unlock (&self->connection_lock);
  return dropped;
}

static gboolean
list_tables (DsqColdTier *tier, GPtrArray *names, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  g_autoptr (GHashTable) by_id = g_hash_table_new (NULL, NULL);
  GHashTableIter iter;
  gpointer name, table;

  dsq_mutex_lock (&self->connection_lock);
  g_hash_table_iter_init (&iter, self->names);
  while (g_hash_table_iter_next (&iter, &name, &table))
    g_hash_table_insert (by_id, table, name);
  for (guint i = 1; i < self->tables->len; i++)
    {
      table = GUINT_TO_POINTER (g_array_index (self->tables, DsqTableState, i).table);
      g_ptr_array_add (names, g_bytes_ref (g_hash_table_lookup (by_id, table)));
    }
  dsq_mutex_unlock (&self->connection_lock);
  return TRUE;
}

/* --- the rest --------------------------------------------------------------------------------- */

/* One connection shows all there is. */
static gboolean
find_expired (DsqColdTier *tier,
              gboolean by_writer,
              DsqExpirySpan *span,
              guint max_rows,
              GArray *rows,
              gint64 *out_next,
              GError **error)
{
  *out_next = G_MAXINT64;
  return dsq_cold_is_unmade ((DsqColdSqlite *) tier) ||
         dsq_cold_find_expired (tier, FALSE, span, max_rows, rows, out_next, error);
}

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
}

static const DsqColdTierFuncs private_funcs = {
  .close = close_private,
  .get_many = dsq_cold_get_many,
  .probe = dsq_cold_probe,
  .walk = dsq_cold_walk,
  .list_keys = dsq_cold_list_keys,
  .find_expired = find_expired,
  .list_tables = list_tables,
  .catch_up = catch_up,
  .begin = begin,
  .get_table = dsq_cold_get_table,
  .open_table = open_table,
  .drop_table = drop_table,
  .clear_table = clear_table,
  .apply = apply,
  .get_in_transaction = get_in_transaction,
  .savepoint = savepoint,
  .release = release,
  .commit = commit,
  .rollback = rollback,
  .get_stats = get_stats,
};

DsqColdTier *
dsq_cold_tier_new_private (const DsqColdOptions *options, DsqTableState *out_main)
{
  DsqColdSqlite *self = dsq_cold_sqlite_new (&private_funcs, options);

  self->file.tier.begins_empty = TRUE;
  self->is_sealed = options->password != NULL;
  self->own_reader = g_new0 (DsqColdReader, 1);
  self->last_table = DSQ_TABLE_MAIN;
  self->names =
      g_hash_table_new_full (g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
  self->renames = g_array_new (FALSE, FALSE, sizeof (Rename));
  g_array_set_clear_func (self->renames, rename_clear);
  g_array_append_val (self->tables, first_state);
  *out_main = first_state;
  return &self->file.tier;
}
