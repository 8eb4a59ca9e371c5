/* dsq-cold-writer.c - the connection that commits
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-format-private.h"
#include "cold/dsq-cold-changes-private.h"
#include "cold/dsq-cold-coherence-private.h"
#include "cold/dsq-cold-failure-private.h"
#include "cold/dsq-cold-filter-private.h"
#include "cold/dsq-cold-place-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "cold/dsq-cold-writer-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-schema-private.h"

/* A buffer longer than this is not kept beyond its transaction. */
#define MAX_KEPT_BUFFER (1 << 20)

static const DsqColdSql write_sql[DSQ_COLD_N_WRITES] = {
  [DSQ_COLD_WRITE_BEGIN] = { "BEGIN IMMEDIATE", "start a transaction" },
  [DSQ_COLD_WRITE_COMMIT] = { "COMMIT", "commit" },
  [DSQ_COLD_WRITE_ROLLBACK] = { "ROLLBACK", "roll back" },
  [DSQ_COLD_WRITE_SAVEPOINT] = { "SAVEPOINT one", "set a savepoint" },
  [DSQ_COLD_WRITE_RELEASE] = { "RELEASE one", "release a savepoint" },
  [DSQ_COLD_WRITE_ROLLBACK_TO] = { "ROLLBACK TO one", "roll back to a savepoint" },
  /* these three bind alike; the name, ?6, is NULL in a plain file and stays in an update */
  [DSQ_COLD_WRITE_UPSERT] = { DSQ_COLD_SQL_INSERT
                              " ON CONFLICT (table_id, token)"
                              " DO UPDATE SET expires = excluded.expires, value = excluded.value",
                              "write an entry" },
  [DSQ_COLD_WRITE_INSERT] = { DSQ_COLD_SQL_INSERT, "write an entry" },
  [DSQ_COLD_WRITE_UPDATE] = { "UPDATE entry SET expires = ?4, value = ?5"
                              " WHERE table_id = ?2 AND token = ?3",
                              "write an entry" },
  [DSQ_COLD_WRITE_REMOVE] = { "DELETE FROM entry WHERE table_id = ?1 AND token = ?2",
                              "remove an entry" },
  [DSQ_COLD_WRITE_CLEAR] = { "DELETE FROM entry WHERE place > ?1 AND place < ?2", "clear" },
  [DSQ_COLD_WRITE_CLEAR_ALL] = { "DELETE FROM entry", "clear" },
  [DSQ_COLD_WRITE_HAS_OTHERS] = { "SELECT 1 FROM (SELECT min (place) AS first FROM entry),"
                                  " (SELECT max (place) AS last FROM entry)"
                                  " WHERE first < ?1 OR last > ?2",
                                  "clear" },
  [DSQ_COLD_WRITE_GET] = { DSQ_COLD_SQL_GET, "read an entry" },
  [DSQ_COLD_WRITE_TABLES] = { DSQ_COLD_SQL_TABLES, "read the tables" },
  [DSQ_COLD_WRITE_SAVE_TABLE] = { "UPDATE tables SET floor = ?2, holes = ?3 WHERE id = ?1",
                                  "write the size of a table" },
  [DSQ_COLD_WRITE_FIND_TABLE] = { "SELECT id, token, name, mark FROM tables"
                                  " WHERE token = ?1",
                                  "look for a table" },
  [DSQ_COLD_WRITE_LAST_TABLE] = { "SELECT max (id) FROM tables", "look for the last table" },
  [DSQ_COLD_WRITE_MAKE_TABLE] = { "INSERT INTO tables"
                                  " (id, token, name, mark, floor, holes)"
                                  " VALUES (?1, ?2, ?3, ?4, 1, 0)",
                                  "make a table" },
  [DSQ_COLD_WRITE_DROP_TABLE] = { "DELETE FROM tables WHERE id = ?1", "drop a table" },
  [DSQ_COLD_WRITE_BURY_TABLE] = { "UPDATE tables SET token = X'00', name = NULL,"
                                  " mark = X'', floor = 1, holes = 0 WHERE id = ?1",
                                  "drop a table" },
  [DSQ_COLD_WRITE_DROP_BURIED] = { "DELETE FROM tables WHERE token = X'00'", "drop a table" },
  [DSQ_COLD_WRITE_DATA_VERSION] = { "PRAGMA data_version", "look for others' commits" },
  [DSQ_COLD_WRITE_EXPIRED] = { DSQ_COLD_SQL_EXPIRED, "look for what has expired" },
  [DSQ_COLD_WRITE_NEXT_EXPIRY] = { DSQ_COLD_SQL_NEXT_EXPIRY, "look for the next expiry" },
  [DSQ_COLD_WRITE_OLDEST] = { "SELECT NULL, NULL, place, token, table_id, name FROM entry"
                              " WHERE place > ?1 AND table_id IN (SELECT id FROM tables)"
                              " ORDER BY place",
                              "look for old entries" },
  [DSQ_COLD_WRITE_PAGE_COUNT] = { "PRAGMA page_count", "measure the file" },
  [DSQ_COLD_WRITE_FREE_COUNT] = { "PRAGMA freelist_count", "measure the file" },
};

static int
committed_cb (void *user_data, sqlite3 *handle, const char *name, int n_frames)
{
  DsqColdWriter *writer = user_data;

  writer->hook_frames = (guint32) n_frames;
  return SQLITE_OK;
}

gboolean
dsq_cold_writer_init (DsqColdSqlite *self, DsqDatabase *database, GError **error)
{
  DsqColdWriter *writer = &self->writer;

  writer->database = database;
  dsq_cold_plan (writer->statements, database, write_sql, DSQ_COLD_N_WRITES);
  /* takes the place of SQLite's own checkpointing */
  sqlite3_wal_hook (database->handle, committed_cb, writer);
  /* that a transaction ends is not to depend on what there is memory for then */
  return dsq_statement_make (&writer->statements[DSQ_COLD_WRITE_ROLLBACK], error);
}

gboolean
dsq_cold_writer_stream (DsqColdSqlite *self, GError **error)
{
  /* tokens have no order, so that with each another page is changed */
  self->writer.stream =
      dsq_cold_stream_new (self->writer.database, self->codec.keys == NULL, error);
  return self->writer.stream != NULL;
}

void
dsq_cold_writer_close (DsqColdSqlite *self)
{
  dsq_cold_clear_statements (self->writer.statements, DSQ_COLD_N_WRITES);
  g_clear_pointer (&self->writer.stream, dsq_cold_stream_free);
  g_clear_pointer (&self->writer.database, dsq_database_close);
}

static gboolean
run (DsqColdSqlite *self, DsqColdWrite which, GError **error)
{
  return dsq_statement_run (&self->writer.statements[which], error);
}

/* --- the transaction -------------------------------------------------------------------------- */

gboolean
dsq_cold_begin (DsqColdTier *tier, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqColdWriter *writer = &self->writer;
  gboolean begun;

  dsq_database_begin_call (writer->database);
  writer->database->is_unstoppable = FALSE;
  dsq_database_tune_sizes (writer->database, &self->tuning, NULL);
  writer->database->told_since = tier->busy_since;
  begun = run (self, DSQ_COLD_WRITE_BEGIN, error);
  writer->database->told_since = NULL;
  if (tier->busy_since != NULL)
    __atomic_store_n (tier->busy_since, 0, __ATOMIC_RELAXED);
  /* from here on a statement that were ended would take the whole transaction with it */
  writer->database->is_unstoppable = TRUE;
  /* one that is cancelled at its very end has begun */
  if (!begun && sqlite3_get_autocommit (writer->database->handle) != 0)
    return FALSE;

  if (!begun || !dsq_cold_coherence_begin (self, error))
    {
      run (self, DSQ_COLD_WRITE_ROLLBACK, NULL);
      return FALSE;
    }
  if (self->keys != NULL)
    dsq_keys_start (self->keys);
  dsq_facts_start (self->facts);
  writer->has_changed = FALSE;
  writer->in_savepoint = FALSE;
  dsq_cold_undo_begin (&writer->undo, self->tables);
  dsq_cold_forget_marks (self);
  return TRUE;
}

gboolean
dsq_cold_get_table (DsqColdTier *tier, guint32 table, DsqTableState *out_state)
{
  const DsqTableState *state = dsq_cold_find_table ((DsqColdSqlite *) tier, table);

  if (state != NULL)
    *out_state = *state;
  return state != NULL;
}

gboolean
dsq_cold_get_in_transaction (DsqColdTier *tier,
                             const DsqKey *key,
                             DsqEntry **out_entry,
                             GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;

  return dsq_cold_get_row (&self->codec,
                           &self->writer.statements[DSQ_COLD_WRITE_GET],
                           key,
                           out_entry,
                           error);
}

gboolean
dsq_cold_savepoint (DsqColdTier *tier, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqColdWriter *writer = &self->writer;

  g_return_val_if_fail (!writer->in_savepoint, FALSE);

  if (!run (self, DSQ_COLD_WRITE_SAVEPOINT, error))
    return FALSE;
  writer->in_savepoint = TRUE;
  writer->had_changed = writer->has_changed;
  writer->undo_savepoint = dsq_cold_undo_get_savepoint (&writer->undo);
  return TRUE;
}

gboolean
dsq_cold_release (DsqColdTier *tier, gboolean keep, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqColdWriter *writer = &self->writer;

  g_return_val_if_fail (writer->in_savepoint, FALSE);

  writer->in_savepoint = FALSE;
  if (!keep)
    {
      if (!run (self, DSQ_COLD_WRITE_ROLLBACK_TO, error))
        return FALSE;
      writer->has_changed = writer->had_changed;
      dsq_cold_undo_back_to (&writer->undo, writer->undo_savepoint, self->tables);
    }
  return run (self, DSQ_COLD_WRITE_RELEASE, error);
}

/* Writes the floor and the holes of tables that have more of these: rows went, or places were left
 * out. Rows that only came or changed write nothing but themselves, since next and count follow
 * from the last row's place. */
static gboolean
save_tables (DsqColdSqlite *self, GError **error)
{
  const DsqColdUndo *undo = &self->writer.undo;

  for (guint i = 0; i < undo->steps->len; i++)
    {
      const DsqTableState *before = dsq_cold_undo_get_first (undo, i);
      const DsqTableState *now;

      now = before != NULL ? dsq_cold_find_table (self, before->table) : NULL;
      if (now == NULL || dsq_cold_get_holes (now) == dsq_cold_get_holes (before))
        continue;
      if (!dsq_cold_save_table (self, now, error))
        return FALSE;
    }
  return TRUE;
}

void
dsq_cold_trim_buffer (DsqColdWriter *writer)
{
  if (writer->buffer.length > MAX_KEPT_BUFFER)
    dsq_cold_buffer_clear (&writer->buffer);
}

static void
note_commit (DsqColdSqlite *self)
{
  DSQ_COLD_COUNT (self->n_commits);
  if (!self->tuning.full_durability)
    __atomic_fetch_add (&self->n_unsynced, 1, __ATOMIC_RELEASE);
}

/* Beside a sync it is of no matter what a look at all names costs. */
static gboolean
check_place (DsqColdSqlite *self, GError **error)
{
  return self->tuning.full_durability ? dsq_cold_place_check_all (self, error)
                                      : dsq_cold_place_check (self, error);
}

/* SQLite begins the log anew only where all of it was in the file when the transaction began, which
 * the index says as long as the transaction is under way. Where it does not, after all, no harm is
 * done. */
static gboolean
tag_log (DsqColdSqlite *self, GError **error)
{
  DsqWalStamp stamp;

  if (dsq_wal_index_read (&self->wal_index, &stamp) &&
      stamp.n_frames > dsq_wal_index_get_backfilled (&self->wal_index))
    return TRUE;
  return dsq_schema_renew_log_tag (self->writer.database, error);
}

gboolean
dsq_cold_commit (DsqColdTier *tier,
                 DsqColdCommittedFunc committed,
                 gpointer committed_data,
                 GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;

  /* a commit of nothing would still move the header */
  if (!self->writer.has_changed)
    {
      dsq_cold_rollback (tier);
      if (committed != NULL)
        committed (committed_data);
      return TRUE;
    }
  if (!dsq_cold_check_failed (self, error) || !check_place (self, error) ||
      !save_tables (self, error) || !tag_log (self, error))
    {
      dsq_cold_rollback (tier);
      return FALSE;
    }

  dsq_cold_coherence_start_commit (self);
  if (!run (self, DSQ_COLD_WRITE_COMMIT, error))
    {
      dsq_cold_note_failed_commit (self,
                                   sqlite3_extended_errcode (self->writer.database->handle),
                                   error);
      dsq_cold_rollback (tier);
      return FALSE;
    }
  self->writer.database->free_at = g_get_monotonic_time ();
  note_commit (self);
  /* who waited for the medium acknowledges nothing that is gone meanwhile */
  if (self->tuning.full_durability && !dsq_cold_place_check_all (self, error))
    {
      dsq_cold_rollback (tier);
      return FALSE;
    }
  dsq_cold_coherence_finish_commit (self, committed, committed_data);
  dsq_cold_trim_buffer (&self->writer);
  return TRUE;
}

#define LOG_HEAD   32 /* bytes: SQLite's, of the log and of each page in it */
#define FRAME_HEAD 24

/* What a transaction that there was no room for has put behind the log's last commit would keep the
 * medium full until the log is begun anew. With SQLite's lock held nobody else writes there, and
 * nobody reads from there ever. */
static void
cut_log (DsqColdSqlite *self)
{
  DsqDatabase *database = self->writer.database;
  guint longest_wait_ms = database->longest_wait_ms;
  sqlite3_file *file = NULL;
  sqlite3_int64 length, end;
  DsqWalStamp stamp;
  gboolean begun;

  database->longest_wait_ms = 0;
  begun = run (self, DSQ_COLD_WRITE_BEGIN, NULL);
  database->longest_wait_ms = longest_wait_ms;
  if (begun && dsq_wal_index_read (&self->wal_index, &stamp) &&
      sqlite3_file_control (database->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) ==
          SQLITE_OK &&
      file->pMethods != NULL)
    {
      end = LOG_HEAD + (sqlite3_int64) stamp.n_frames * (FRAME_HEAD + self->page_size);
      if (file->pMethods->xFileSize (file, &length) == SQLITE_OK && length > end)
        file->pMethods->xTruncate (file, end);
    }
  if (!sqlite3_get_autocommit (database->handle))
    run (self, DSQ_COLD_WRITE_ROLLBACK, NULL);
}

/* Some errors have SQLite roll back by itself. */
void
dsq_cold_rollback (DsqColdTier *tier)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqColdWriter *writer = &self->writer;

  dsq_cold_coherence_give_up (self);
  if (!sqlite3_get_autocommit (writer->database->handle))
    {
      run (self, DSQ_COLD_WRITE_ROLLBACK, NULL);
      writer->database->free_at = g_get_monotonic_time ();
    }
  if (writer->database->found_full)
    {
      cut_log (self);
      writer->database->found_full = FALSE;
    }
  writer->in_savepoint = FALSE;
  writer->has_changed = FALSE;
  dsq_cold_trim_buffer (writer);
}
