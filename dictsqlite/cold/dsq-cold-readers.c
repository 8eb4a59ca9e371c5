/* dsq-cold-readers.c - the connections that read
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A reader is taken from the pool for one call, whose cancellable ends its statements as well. Most
 * of what a cold read costs is the start and the end of its read transaction. So calls for many
 * keys have one for all, and where somebody comes by to end it (may_hold) a reader keeps its
 * transaction beyond the call:
 *
 *   first read after a commit      one statement, in a transaction of its own; the stamp is kept
 *   second, the stamp being equal  begins a transaction, and keeps it
 *   more, the stamp being equal    read in that one: it shows what the file holds now
 *   the stamp differs              ends it, and is a first read
 *
 * The stamp is read before the transaction begins, so a commit in between makes the two differ at
 * the next read, and that is all.
 *
 * Who reads from the log keeps others from emptying it, in any process, and nobody else can end its
 * transaction. So somebody comes by every few milliseconds (tend), and ends what was not used, what
 * others' commits have made old, and what reads from a log that is all in the file: who begins then
 * reads from that alone, and stands in nobody's way. A read that finds one of these does the same.
 * Before a checkpoint of our own all end.
 */

#include "config.h"

#include "base/dsq-call-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "dsq-error.h"

#define SQL_ROWS "SELECT expires, value, place, token, table_id, name FROM entry"
#define SQL_KEYS "SELECT NULL, NULL, place, token, table_id, name FROM entry"
#define FORWARD  " WHERE place > ?1 AND place < ?2 ORDER BY place"
#define REVERSE  FORWARD " DESC"

static const DsqColdSql read_sql[DSQ_COLD_N_READS] = {
  [DSQ_COLD_READ_GET] = { DSQ_COLD_SQL_GET, "read an entry" },
  [DSQ_COLD_READ_PROBE] = { "SELECT place FROM entry WHERE table_id = ?1 AND token = ?2",
                            "look up a key" },
  [DSQ_COLD_READ_FORWARD] = { SQL_ROWS FORWARD, "walk the entries" },
  [DSQ_COLD_READ_REVERSE] = { SQL_ROWS REVERSE, "walk the entries" },
  [DSQ_COLD_READ_FORWARD_KEYS] = { SQL_KEYS FORWARD, "walk the keys" },
  [DSQ_COLD_READ_REVERSE_KEYS] = { SQL_KEYS REVERSE, "walk the keys" },
  [DSQ_COLD_READ_TOKENS] = { "SELECT table_id, token FROM entry WHERE (table_id, token) > (?1, ?2)"
                             " ORDER BY table_id, token",
                             "look through the keys" },
  [DSQ_COLD_READ_NAMES] = { "SELECT table_id, token, name, place FROM entry WHERE place > ?1"
                            " ORDER BY place",
                            "look through the keys" },
  [DSQ_COLD_READ_TABLES] = { DSQ_COLD_SQL_TABLES, "read the tables" },
  [DSQ_COLD_READ_TABLE_NAMES] = { DSQ_COLD_SQL_NAMES, "read the names of the tables" },
  [DSQ_COLD_READ_RANGE] = { "SELECT token FROM entry WHERE table_id = ?1 AND token >= ?2"
                            " AND token < ?3 ORDER BY token LIMIT ?4",
                            "list the keys" },
  [DSQ_COLD_READ_EXPIRED] = { DSQ_COLD_SQL_EXPIRED, "look for what has expired" },
  [DSQ_COLD_READ_NEXT_EXPIRY] = { DSQ_COLD_SQL_NEXT_EXPIRY, "look for the next expiry" },
  [DSQ_COLD_READ_BEGIN] = { "BEGIN", "start reading" },
  [DSQ_COLD_READ_END] = { "ROLLBACK", "end reading" },
};

/* --- the pool --------------------------------------------------------------------------------- */

static void
clear_reads (DsqColdReader *reader)
{
  dsq_cold_clear_statements (reader->statements, DSQ_COLD_N_READS);
  g_clear_pointer (&reader->wanted, dsq_cold_wanted_free);
}

static void
close_reader (DsqColdReader *reader)
{
  clear_reads (reader);
  dsq_database_close (reader->database);
  g_free (reader);
}

static gboolean
refuse_another (GError **error)
{
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_IO,
               "Failed to open the file: another one stands in its place");
  return FALSE;
}

/* The path is looked at after it was opened: what the writer has may have been moved away, and
 * another file put there. */
static gboolean
check_identity (DsqColdSqlite *self, GError **error)
{
  DsqLocationIdentity identity;

  return dsq_location_identify (self->path, &identity, error) &&
         ((identity.device == self->identities[DSQ_COLD_NAME_FILE].device &&
           identity.inode == self->identities[DSQ_COLD_NAME_FILE].inode) ||
          refuse_another (error));
}

DsqDatabase *
dsq_cold_open_to_read (DsqColdSqlite *self, GError **error)
{
  g_autoptr (DsqDatabase) database =
      dsq_database_open (self->path, self->read_role, self->tuning.busy_timeout_ms, error);

  if (database == NULL || !check_identity (self, error) ||
      !dsq_database_tune (database, &self->tuning, error))
    return NULL;
  return g_steal_pointer (&database);
}

/* For a call that reads for long: no checkpoint waits for it. */
DsqDatabase *
dsq_cold_open_snapshot (DsqColdSqlite *self, const char *purpose, GError **error)
{
  g_autoptr (DsqDatabase) database = dsq_cold_open_to_read (self, error);
  gint64 ignored;

  if (database == NULL || !dsq_database_run (database, "BEGIN", purpose, error) ||
      !dsq_database_get_number (database,
                                "SELECT EXISTS (SELECT 1 FROM sqlite_schema)",
                                purpose,
                                &ignored,
                                error))
    return NULL;
  return g_steal_pointer (&database);
}

/* That a transaction ends is not to depend on what there is memory for then. */
static gboolean
plan_reads (DsqColdReader *reader, GError **error)
{
  dsq_cold_plan (reader->statements, reader->database, read_sql, DSQ_COLD_N_READS);
  return dsq_statement_make (&reader->statements[DSQ_COLD_READ_END], error);
}

static DsqColdReader *
open_reader (DsqColdSqlite *self, GError **error)
{
  DsqColdReader *reader = g_new0 (DsqColdReader, 1);

  reader->database = dsq_cold_open_to_read (self, error);
  if (reader->database != NULL && plan_reads (reader, error))
    return reader;
  close_reader (reader);
  return NULL;
}

/* It was opened before the writer was: what it has is what its path means now, and so what the
 * writer has. */
gboolean
dsq_cold_readers_add (DsqColdSqlite *self, DsqDatabase *database, GError **error)
{
  DsqColdReader *reader = g_new0 (DsqColdReader, 1);
  int has_moved = 1;

  self->idle[self->n_idle++] = reader;
  reader->database = database;
  if (sqlite3_file_control (database->handle, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved) !=
          SQLITE_OK ||
      has_moved)
    return refuse_another (error);
  return check_identity (self, error) && dsq_database_tune (database, &self->tuning, error) &&
         plan_reads (reader, error);
}

gboolean
dsq_cold_readers_share (DsqColdSqlite *self, GError **error)
{
  self->own_reader->database = self->writer.database;
  return plan_reads (self->own_reader, error);
}

void
dsq_cold_readers_unshare (DsqColdSqlite *self)
{
  clear_reads (self->own_reader);
  self->own_reader->database = NULL;
}

DsqColdReader *
dsq_cold_readers_take (DsqColdSqlite *self, GError **error)
{
  DsqColdReader *reader = NULL;

  if (self->own_reader != NULL)
    {
      if (!dsq_call_lock (&self->connection_lock, error))
        return NULL;
      if (self->own_reader->database != NULL)
        return self->own_reader;
      dsq_mutex_unlock (&self->connection_lock);
      g_set_error (error, DSQ_ERROR, DSQ_ERROR_IO, "Failed to read: the temporary file is gone");
      return NULL;
    }
  dsq_mutex_lock (&self->readers_lock);
  self->n_taken++;
  if (self->n_idle > 0)
    reader = self->idle[--self->n_idle];
  dsq_mutex_unlock (&self->readers_lock);

  if (G_UNLIKELY (reader == NULL))
    reader = open_reader (self, error);
  if (G_UNLIKELY (reader == NULL))
    {
      dsq_mutex_lock (&self->readers_lock);
      self->n_taken--;
      dsq_mutex_unlock (&self->readers_lock);
      return NULL;
    }
  dsq_database_begin_call (reader->database);
  /* where that fails it goes on with the cache that it has */
  dsq_database_tune_sizes (reader->database, &self->tuning, NULL);
  return reader;
}

/* --- the transaction -------------------------------------------------------------------------- */

static void
end_transaction (DsqColdReader *reader)
{
  if (!reader->is_reading)
    return;
  dsq_statement_run (&reader->statements[DSQ_COLD_READ_END], NULL);
  reader->is_reading = FALSE;
}

/* Whether a transaction may last beyond its call. */
static gboolean
may_hold (DsqColdSqlite *self)
{
  return __atomic_load_n (&self->may_hold, __ATOMIC_RELAXED) &&
         !__atomic_load_n (&self->is_draining, __ATOMIC_RELAXED);
}

static gboolean
is_log_in_file (DsqColdSqlite *self, const DsqWalStamp *live)
{
  return dsq_wal_index_get_backfilled (&self->wal_index) == live->n_frames;
}

/* Whether the last read's transaction shows the file as it is, and holds nothing up. No header has
 * the stamp of zeros, which stands for one that could not be read. */
static gboolean
is_current (DsqColdSqlite *self, const DsqColdReader *reader, DsqWalStamp *out_live)
{
  *out_live = (DsqWalStamp){ { 0 } };
  return dsq_wal_index_read (&self->wal_index, out_live) &&
         dsq_wal_stamp_equal (out_live, &reader->stamp) &&
         !(reader->is_in_log && is_log_in_file (self, out_live));
}

/* SQLite notices nothing of what others do to a file that is said not to change. Who opens it makes
 * an index beside it, and who has written to it was here. */
static gboolean
check_unchanged (DsqColdSqlite *self, GError **error)
{
  if (!dsq_location_has_filled_index (self->path) &&
      dsq_location_get_write_time (self->path) == self->write_time)
    return TRUE;
  g_set_error_literal (
      error,
      DSQ_ERROR,
      DSQ_ERROR_IO,
      "Failed to read: others have opened the file, which could only be read as one "
      "that does not change; open it again");
  return FALSE;
}

gboolean
dsq_cold_readers_start (DsqColdSqlite *self,
                        DsqColdReader *reader,
                        gboolean reads_many,
                        GError **error)
{
  gboolean is_same;
  DsqWalStamp live;

  if (reader == self->own_reader)
    return TRUE;
  if (self->read_role == DSQ_DATABASE_READ_UNCHANGING)
    return check_unchanged (self, error);
  is_same = is_current (self, reader, &live);
  reader->was_used = TRUE;
  if (reader->is_reading && is_same)
    return TRUE;
  end_transaction (reader);
  reader->stamp = live;
  reader->is_in_log = !is_log_in_file (self, &live);
  if (!reads_many && !(is_same && may_hold (self)))
    return TRUE;
  reader->is_reading = dsq_statement_run (&reader->statements[DSQ_COLD_READ_BEGIN], error);
  return reader->is_reading;
}

void
dsq_cold_readers_give_back (DsqColdSqlite *self, DsqColdReader *reader)
{
  gboolean is_sound;

  if (reader == self->own_reader)
    {
      dsq_mutex_unlock (&self->connection_lock);
      return;
    }
  if (!may_hold (self))
    end_transaction (reader);
  /* one that could not end its transaction would keep the log from being emptied */
  is_sound = (sqlite3_get_autocommit (reader->database->handle) == 0) == reader->is_reading;

  dsq_mutex_lock (&self->readers_lock);
  /* the checkpoint that forbids it waits for this reader */
  if (reader->is_reading && !may_hold (self))
    end_transaction (reader);
  if (reader->is_reading)
    __atomic_store_n (&self->file.holds_readers, TRUE, __ATOMIC_RELAXED);
  self->n_taken--;
  if (G_LIKELY (is_sound && self->n_idle < DSQ_COLD_MAX_IDLE_READERS))
    self->idle[self->n_idle++] = g_steal_pointer (&reader);
  dsq_mutex_unlock (&self->readers_lock);
  if (G_UNLIKELY (reader != NULL))
    close_reader (reader);
}

static void
end_idle_locked (DsqColdSqlite *self)
{
  dsq_mutex_assert_held (&self->readers_lock);
  for (guint i = 0; i < self->n_idle; i++)
    end_transaction (self->idle[i]);
}

void
dsq_cold_readers_set_draining (DsqColdSqlite *self, gboolean is_draining)
{
  dsq_mutex_lock (&self->readers_lock);
  __atomic_store_n (&self->is_draining, is_draining, __ATOMIC_RELAXED);
  if (is_draining)
    end_idle_locked (self);
  dsq_mutex_unlock (&self->readers_lock);
}

void
dsq_cold_readers_set_may_hold (DsqColdFile *file, gboolean may_hold)
{
  DsqColdSqlite *self = (DsqColdSqlite *) file;

  dsq_mutex_lock (&self->readers_lock);
  __atomic_store_n (&self->may_hold, may_hold, __ATOMIC_RELAXED);
  if (!may_hold)
    end_idle_locked (self);
  dsq_mutex_unlock (&self->readers_lock);
}

gboolean
dsq_cold_readers_tend (DsqColdFile *file)
{
  DsqColdSqlite *self = (DsqColdSqlite *) file;
  gboolean holds_readers;
  DsqWalStamp live;

  dsq_mutex_lock (&self->readers_lock);
  holds_readers = self->n_taken > 0;
  for (guint i = 0; i < self->n_idle; i++)
    {
      DsqColdReader *reader = self->idle[i];

      if (reader->is_reading && (!reader->was_used || !is_current (self, reader, &live)))
        end_transaction (reader);
      reader->was_used = FALSE;
      holds_readers |= reader->is_reading;
    }
  __atomic_store_n (&file->holds_readers, holds_readers, __ATOMIC_RELAXED);
  dsq_mutex_unlock (&self->readers_lock);
  return holds_readers;
}

void
dsq_cold_readers_close (DsqColdSqlite *self)
{
  while (self->n_idle > 0)
    close_reader (self->idle[--self->n_idle]);
}
