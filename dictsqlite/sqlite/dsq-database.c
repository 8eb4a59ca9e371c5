/* dsq-database.c - one connection to the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "base/dsq-call-private.h"
#include "base/dsq-fork-private.h"
#include "base/dsq-mutex-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-database-private.h"
#include "sqlite/dsq-inherited-private.h"
#include "sqlite/dsq-sidecars-private.h"
#include "sqlite/dsq-statement-private.h"
#include "sqlite/dsq-vfs-private.h"

/* Longest row while a file is not known to be ours, and after: a record, its key, and some room. */
#define VERIFY_LIMIT (4 << 20)
#define ROW_LIMIT    (DSQ_MAX_VALUE_LENGTH + 2 * DSQ_MAX_KEY_LENGTH)
#define SQL_LIMIT    65536

#define MODE_PURPOSE "set the journal mode of the file"

/* Instructions of SQLite's machine between two looks at the clock, and looks that one verification
 * has: a store's own schema takes some hundred instructions, and what reads a schema of very many
 * objects takes much more time for each. */
#define DEADLINE_STEPS 1000
#define DEADLINE_LOOKS 4
/* The same between two looks at a cancellable: a few rows of a walk; and between two moments at
 * which a fork may pass, where nothing is to be looked at. */
#define CANCEL_STEPS 64
#define FORK_STEPS   10000

/* Such steps to one row, or to the end of what gives none, beyond which only a damaged file needs
 * more: some tenths of a second's, and for each byte of the file more than its rows and indexes
 * take to be checked. */
#define ENDLESS_STEPS  10000000
#define STEPS_PER_BYTE 16

/* Longest waits between two tries for a lock, in microseconds; the last one repeats. SQLite's locks
 * have no queue: beside somebody who takes one again as soon as it is free only often trying helps,
 * at moments that are not in step with it. */
static const guint busy_waits[] = { 100, 200, 500, 1000, 2000 };

/* From half of the longest wait to the whole of it. */
static guint64
busy_wait (int n_tries)
{
  guint longest = busy_waits[MIN (n_tries, (int) G_N_ELEMENTS (busy_waits) - 1)];

  return longest - g_random_int_range (0, (gint32) longest / 2);
}

/* Time is the monotonic clock's: SQLite's own timeout adds up what it asked sleep for, and so waits
 * longer than it says. */
static int
busy_cb (void *user_data, int n_tries)
{
  DsqDatabase *self = user_data;
  gint64 left;

  if (n_tries == 0)
    {
      self->busy_since = dsq_patience_begin (self->free_at);
      if (self->told_since != NULL)
        __atomic_store_n (self->told_since, MAX (self->free_at, 1), __ATOMIC_RELAXED);
    }
  left = dsq_patience_left (self->busy_since, self->busy_timeout_ms, self->longest_wait_ms);
  if (!self->is_unstoppable)
    dsq_call_ask ();
  if (left <= 0 || (!self->is_unstoppable && dsq_call_is_cancelled ()))
    return 0;
  dsq_fork_sleep (MIN ((guint64) left, busy_wait (n_tries)));
  return 1;
}

static int
deadline_cb (void *user_data)
{
  DsqDatabase *self = user_data;

  return ++self->n_looks > DEADLINE_LOOKS || g_get_monotonic_time () >= self->deadline;
}

/* Pages that point to one another in a circle, or to one many times, are read again and again. */
static gboolean
is_endless (DsqDatabase *self)
{
  self->n_run += self->is_watched ? CANCEL_STEPS : FORK_STEPS;
  if (G_LIKELY (self->n_run < ENDLESS_STEPS))
    return FALSE;
  self->is_endless =
      self->n_run / STEPS_PER_BYTE > ENDLESS_STEPS / STEPS_PER_BYTE + dsq_database_measure (self);
  return self->is_endless;
}

/* SQLite holds no lock of its own here: a connection's mutex is off. */
static int
progress_cb (void *user_data)
{
  DsqDatabase *self = user_data;

  dsq_fork_resume (dsq_fork_pause ());
  if (is_endless (self))
    return 1;
  if (self->is_unstoppable)
    return 0;
  /* whoever is asked may fork, and a child would take back what its parent writes */
  if (sqlite3_txn_state (self->handle, "main") != SQLITE_TXN_WRITE)
    dsq_call_ask ();
  return dsq_call_is_cancelled ();
}

void
dsq_database_watch_call (DsqDatabase *self)
{
  self->is_watched = dsq_call_state.cancellable != NULL;
  sqlite3_progress_handler (self->handle,
                            self->is_watched ? CANCEL_STEPS : FORK_STEPS,
                            progress_cb,
                            self);
}

void
dsq_database_set_deadline (DsqDatabase *self, guint milliseconds)
{
  self->n_looks = 0;
  self->deadline = milliseconds == 0 ? 0 : g_get_monotonic_time () + (gint64) milliseconds * 1000;
  if (milliseconds == 0)
    dsq_database_watch_call (self);
  else
    sqlite3_progress_handler (self->handle, DEADLINE_STEPS, deadline_cb, self);
  sqlite3_limit (self->handle, SQLITE_LIMIT_LENGTH, milliseconds == 0 ? ROW_LIMIT : VERIFY_LIMIT);
}

/* What a hostile file could make SQLite do for it is off. */
static void
harden (DsqDatabase *self)
{
  static const struct
  {
    int option;
    int value;
  } options[] = {
    { SQLITE_DBCONFIG_DEFENSIVE, 1 },
    { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
    { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
    { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
    { SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
    { SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0 },
    { SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0 },
    { SQLITE_DBCONFIG_DQS_DDL, 0 },
    { SQLITE_DBCONFIG_DQS_DML, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (options); i++)
    sqlite3_db_config (self->handle, options[i].option, options[i].value, NULL);

  sqlite3_limit (self->handle, SQLITE_LIMIT_LENGTH, ROW_LIMIT);
  sqlite3_limit (self->handle, SQLITE_LIMIT_SQL_LENGTH, SQL_LIMIT);
  sqlite3_limit (self->handle, SQLITE_LIMIT_ATTACHED, 0);
}

static DsqDatabase *
open_handle (const char *path, int flags, guint busy_timeout_ms, GError **error)
{
  g_autoptr (DsqDatabase) self = g_new0 (DsqDatabase, 1);
  int code;

  self->busy_timeout_ms = busy_timeout_ms;
  self->longest_wait_ms = G_MAXUINT;
  self->cache_factor = 1;
  self->stamp = dsq_fork_get_stamp ();
  dsq_fork_assert_inside ();
  dsq_mutex_assert_may_wait ("a file to open");
  code = sqlite3_open_v2 (path,
                          &self->handle,
                          flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                          dsq_vfs_get_name ());
  if (code != SQLITE_OK)
    {
      dsq_database_set_error (self, code, "open the file", error);
      return NULL;
    }
  harden (self);
  dsq_database_watch_call (self);
  sqlite3_busy_handler (self->handle, busy_cb, self);
  return g_steal_pointer (&self);
}

/* The URI of a path is the one way to say that the file does not change. */
static DsqDatabase *
open_unchanging (const char *path, GError **error)
{
  g_autofree char *escaped = g_uri_escape_string (path, "/", FALSE);
  g_autofree char *uri = g_strconcat ("file:", escaped, "?immutable=1", NULL);

  return open_handle (uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_URI, 0, error);
}

/* Of files that may be written, one could not be opened for it a moment ago. */
static void
set_unwritable (DsqDatabase *self, GError **error)
{
  static const char *const suffixes[] = { "", "-wal", "-shm" };

  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
    {
      g_autofree char *path =
          g_strconcat (sqlite3_db_filename (self->handle, "main"), suffixes[i], NULL);

      if (access (path, W_OK) == 0 || errno == ENOENT)
        continue;
      dsq_database_set_error (self, SQLITE_READONLY, "open the file", error);
      return;
    }
  dsq_database_set_system_error (EMFILE, "open the file", error);
}

DsqDatabase *
dsq_database_open (const char *path, DsqDatabaseRole role, guint busy_timeout_ms, GError **error)
{
  gboolean reads = role == DSQ_DATABASE_READ;
  int flags = reads ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  g_autoptr (DsqDatabase) self = NULL;

  if (role != DSQ_DATABASE_WORK)
    {
      if (!dsq_sidecars_check (path, error))
        return NULL;
      flags |= SQLITE_OPEN_NOFOLLOW;
    }
  if (role == DSQ_DATABASE_READ_UNCHANGING)
    return open_unchanging (path, error);
  dsq_inherited_let_go (path);
  self = open_handle (path, flags, busy_timeout_ms, error);
  if (self == NULL)
    return NULL;

  dsq_inherited_add (self, path);
  dsq_database_set_fold_on_close (self, FALSE);
  /* SQLite falls back to reading without a word */
  if (!reads && sqlite3_db_readonly (self->handle, "main") == 1)
    {
      set_unwritable (self, error);
      return NULL;
    }
  return g_steal_pointer (&self);
}

/* Its log or the log's index may have been opened to be read as well. A write transaction is
 * refused then, before anybody's lock is looked at. */
gboolean
dsq_database_check_writable (DsqDatabase *self, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gboolean begun;

  /* as its header says; SQLite begins to read then */
  if (sqlite3_db_readonly (self->handle, "main") == 1)
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_FORMAT,
                           "Failed to open the file: it is of a format that this version of SQLite "
                           "reads, but does not write");
      return FALSE;
    }
  self->longest_wait_ms = 0;
  begun = dsq_database_run (self, "BEGIN IMMEDIATE", "open the file", &local_error);
  self->longest_wait_ms = G_MAXUINT;
  if (begun)
    return dsq_database_run (self, "ROLLBACK", "open the file", error);
  if (g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_BUSY))
    return TRUE;
  if (g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_READ_ONLY))
    set_unwritable (self, error);
  else
    g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

DsqDatabase *
dsq_database_open_scratch (GError **error)
{
  return open_handle (":memory:",
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY,
                      0,
                      error);
}

DsqDatabase *
dsq_database_open_private (GError **error)
{
  return open_handle ("", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 0, error);
}

void
dsq_database_set_fold_on_close (DsqDatabase *self, gboolean fold)
{
  sqlite3_db_config (self->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !fold, NULL);
}

void
dsq_database_close (DsqDatabase *self)
{
  if (self == NULL || !dsq_database_check_own (self, NULL, NULL))
    return;
  dsq_mutex_assert_may_wait ("a file to close");
  dsq_fork_assert_inside ();
  dsq_inherited_remove (self);
  sqlite3_close_v2 (self->handle);
  g_free (self);
}

typedef struct
{
  const char *sql;
  const char *purpose;
} Pragma;

static gboolean
run_pragmas (DsqDatabase *self, const Pragma *pragmas, gsize n_pragmas, GError **error)
{
  for (gsize i = 0; i < n_pragmas; i++)
    if (!dsq_database_run (self, pragmas[i].sql, pragmas[i].purpose, error))
      return FALSE;
  return TRUE;
}

gboolean
dsq_database_set_sizes (DsqDatabase *self, const DsqDatabaseTuning *tuning, GError **error)
{
  gsize cache_bytes = __atomic_load_n (&tuning->cache_bytes, __ATOMIC_RELAXED);
  gsize wal_limit_bytes = __atomic_load_n (&tuning->wal_limit_bytes, __ATOMIC_RELAXED);
  char cache[64], wal_limit[64];
  const Pragma pragmas[] = {
    { cache, "set the size of the page cache" },
    { wal_limit, "set the size of the write-ahead log" },
  };

  g_snprintf (cache,
              sizeof cache,
              "PRAGMA cache_size = -%" G_GSIZE_FORMAT,
              CLAMP (cache_bytes / 1024, 64, G_MAXINT32 / self->cache_factor) * self->cache_factor);
  g_snprintf (wal_limit,
              sizeof wal_limit,
              "PRAGMA journal_size_limit = %" G_GSIZE_FORMAT,
              wal_limit_bytes);
  if (!run_pragmas (self, pragmas, G_N_ELEMENTS (pragmas), error))
    return FALSE;
  self->cache_bytes = cache_bytes;
  self->wal_limit_bytes = wal_limit_bytes;
  return TRUE;
}

gboolean
dsq_database_tune (DsqDatabase *self, const DsqDatabaseTuning *tuning, GError **error)
{
  const Pragma pragmas[] = {
    { tuning->full_durability ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
      "set when commits are synced" },
    { "PRAGMA wal_autocheckpoint = 0", "keep checkpoints to ourselves" },
    { "PRAGMA temp_store = MEMORY", "keep temporary tables in memory" },
    { "PRAGMA cell_size_check = ON", "have pages checked" },
    { "PRAGMA mmap_size = 0", "keep the file from being mapped" },
    /* some builds of SQLite would write every page that becomes free, so that to clear a store
     * took as much room as it has */
    { "PRAGMA secure_delete = FAST", "keep free pages from being written" },
  };

  return run_pragmas (self, pragmas, G_N_ELEMENTS (pragmas), error) &&
         dsq_database_set_sizes (self, tuning, error);
}

gboolean
dsq_database_run (DsqDatabase *self, const char *sql, const char *purpose, GError **error)
{
  g_auto (DsqStatement) statement = { NULL };

  /* a pragma may answer with the value that it has set */
  return dsq_statement_prepare (&statement, self, sql, purpose, error) &&
         dsq_statement_step (&statement, error) != DSQ_STEP_FAILED;
}

gboolean
dsq_database_get_number (DsqDatabase *self,
                         const char *sql,
                         const char *purpose,
                         gint64 *out_number,
                         GError **error)
{
  g_auto (DsqStatement) statement = { NULL };
  DsqStep step;

  if (!dsq_statement_prepare (&statement, self, sql, purpose, error))
    return FALSE;
  step = dsq_statement_step (&statement, error);
  if (step == DSQ_STEP_DONE)
    dsq_database_set_error (self, SQLITE_CORRUPT, purpose, error);
  if (step != DSQ_STEP_ROW)
    return FALSE;
  *out_number = sqlite3_column_int64 (statement.handle, 0);
  return TRUE;
}

/* The change itself is journalled in memory, for there are no journals of another kind. It is one
 * of two bytes. */
static gboolean
leave_journal_mode (DsqDatabase *self, GError **error)
{
  g_auto (DsqStatement) statement = { NULL };

  if (!dsq_statement_prepare (&statement, self, "PRAGMA journal_mode", MODE_PURPOSE, error) ||
      dsq_statement_step (&statement, error) != DSQ_STEP_ROW)
    return FALSE;
  if (g_strcmp0 ((const char *) sqlite3_column_text (statement.handle, 0), "wal") == 0)
    return TRUE;
  dsq_statement_reset (&statement);
  return dsq_database_run (self, "PRAGMA journal_mode = MEMORY", MODE_PURPOSE, error);
}

/* Two that change the mode at once both hold a read lock and fail at once, without SQLite asking
 * the busy handler: so this tries again by itself. */
gboolean
dsq_database_set_wal_mode (DsqDatabase *self, GError **error)
{
  gint64 began = dsq_patience_begin (self->free_at);

  if (!leave_journal_mode (self, error))
    return FALSE;
  for (int n_tries = 0;; n_tries++)
    {
      g_auto (DsqStatement) statement = { NULL };
      g_autoptr (GError) local_error = NULL;

      if (dsq_statement_prepare (&statement,
                                 self,
                                 "PRAGMA journal_mode = WAL",
                                 MODE_PURPOSE,
                                 &local_error) &&
          dsq_statement_step (&statement, &local_error) == DSQ_STEP_ROW)
        {
          const char *mode = (const char *) sqlite3_column_text (statement.handle, 0);

          if (g_strcmp0 (mode, "wal") != 0)
            dsq_database_set_error (self, SQLITE_BUSY, MODE_PURPOSE, &local_error);
          /* that it could not be written comes behind the row */
          else if (dsq_statement_step (&statement, &local_error) == DSQ_STEP_DONE)
            return TRUE;
        }
      if (!g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_BUSY) ||
          dsq_patience_left (began, self->busy_timeout_ms, self->longest_wait_ms) <= 0)
        {
          g_propagate_error (error, g_steal_pointer (&local_error));
          return FALSE;
        }
      dsq_mutex_assert_may_wait ("another connection");
      dsq_fork_sleep (busy_wait (n_tries));
    }
}
