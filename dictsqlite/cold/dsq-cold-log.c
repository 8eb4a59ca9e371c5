/* dsq-cold-log.c - syncing and checkpointing the write-ahead log
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SQLite 3.7.0 to 3.51.2 can lose commits when one connection checkpoints while another commits
 * ("WAL-reset bug"). So nothing is checkpointed but here: PASSIVE, on a connection of its own,
 * while the writer holds SQLite's write lock. A writer that waits meanwhile waits for one
 * threshold's worth of pages.
 *
 * When a checkpoint has brought the whole log into the file, the next transaction starts the log
 * anew, unless somebody still reads from it. Our readers, of any process, let go within
 * milliseconds, see dsq-cold-readers.c, and are waited for: first those that see less than all of
 * the log, which keep it from being brought in, then those that read from it at all. So the log's
 * size does not depend on luck. Who stays longer, as a copy does, is waited for no more; the log
 * grows meanwhile, and the next checkpoint tries after a twelfth of the threshold.
 */

#include "config.h"

#include "base/dsq-call-private.h"
#include "cold/dsq-cold-failure-private.h"
#include "cold/dsq-cold-log-private.h"
#include "cold/dsq-cold-place-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "cold/dsq-cold-writer-private.h"
#include "dsq-error.h"

#define PURPOSE_OPEN "open the write-ahead log"

/* Longest wait of one checkpoint for readers. Those that are tended let go in a fraction of it. */
#define READERS_WAIT_US (80 * 1000)
#define READERS_LOOK_US 1000
/* Longest wait of all checkpoints for one of them. */
#define READER_STAYS_US (1000 * 1000)

/* It commits nothing and reads no row, so that it does without the schema, which tuning reads. That
 * checkpoints sync need be said only where SQLite was built to leave it out; what reads the file's
 * header opens the log. */
static gboolean
tune_log (DsqColdSqlite *self, GError **error)
{
  gint64 ignored;

  return ((sqlite3_compileoption_used ("DEFAULT_SYNCHRONOUS=2") &&
           sqlite3_compileoption_used ("DEFAULT_WAL_SYNCHRONOUS=2")) ||
          dsq_database_run (self->log, "PRAGMA synchronous = FULL", PURPOSE_OPEN, error)) &&
         dsq_database_run (self->log, "PRAGMA mmap_size = 0", PURPOSE_OPEN, error) &&
         dsq_database_get_number (self->log, "PRAGMA user_version", PURPOSE_OPEN, &ignored, error);
}

gboolean
dsq_cold_log_init (DsqColdSqlite *self, GError **error)
{
  DsqWalStamp stamp;

  self->log =
      dsq_database_open (self->path, DSQ_DATABASE_WRITE, self->tuning.busy_timeout_ms, error);
  if (self->log == NULL || !tune_log (self, error) ||
      !dsq_database_check_writable (self->log, error))
    return FALSE;
  /* what an earlier process left may never have been synced */
  if (dsq_wal_index_read (&self->wal_index, &stamp) && stamp.n_frames > 0)
    self->n_unsynced = 1;
  return TRUE;
}

/* --- syncing ---------------------------------------------------------------------------------- */

static gboolean
is_synced (DsqColdSqlite *self)
{
  return __atomic_load_n (&self->n_synced, __ATOMIC_ACQUIRE) >=
         __atomic_load_n (&self->n_unsynced, __ATOMIC_ACQUIRE);
}

static gboolean
has_failed (DsqColdSqlite *self)
{
  return __atomic_load_n (&self->file.is_failed, __ATOMIC_ACQUIRE);
}

static gboolean
sync_locked (DsqColdSqlite *self, GError **error)
{
  guint64 reached = __atomic_load_n (&self->n_unsynced, __ATOMIC_ACQUIRE);
  sqlite3_file *file = NULL;
  int code;

  dsq_mutex_assert_held (&self->log_lock);
  dsq_mutex_assert_may_wait ("a sync");
  code = sqlite3_file_control (self->log->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
  if (code == SQLITE_OK && (file == NULL || file->pMethods == NULL))
    code = SQLITE_IOERR;
  if (code == SQLITE_OK)
    code = file->pMethods->xSync (file, SQLITE_SYNC_NORMAL);
  if (code != SQLITE_OK)
    {
      dsq_database_set_error (self->log, code, "sync the write-ahead log", error);
      dsq_cold_note_failed_sync (self, error);
      return FALSE;
    }
  DSQ_COLD_COUNT (self->n_syncs);
  __atomic_store_n (&self->n_synced, reached, __ATOMIC_RELEASE);
  return TRUE;
}

static gboolean
is_named (DsqColdSqlite *self)
{
  return __atomic_load_n (&self->n_named, __ATOMIC_RELAXED) ==
         __atomic_load_n (&self->n_commits, __ATOMIC_RELAXED);
}

static gboolean
find_named (DsqColdSqlite *self, GError **error)
{
  guint64 n_commits = __atomic_load_n (&self->n_commits, __ATOMIC_RELAXED);

  if (!dsq_cold_place_check_all (self, error))
    return FALSE;
  __atomic_store_n (&self->n_named, n_commits, __ATOMIC_RELAXED);
  return TRUE;
}

/* Through SQLite's own descriptor: closing one of ours would drop the process's locks. */
gboolean
dsq_cold_sync (DsqColdFile *file, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) file;
  gboolean synced;

  if (has_failed (self))
    return dsq_cold_refuse_failed (self, DSQ_ERROR_OUTCOME_UNKNOWN, error);
  synced = is_synced (self);
  if (!synced)
    {
      if (!dsq_call_lock (&self->log_lock, error))
        return FALSE;
      if (has_failed (self))
        dsq_cold_refuse_failed (self, DSQ_ERROR_OUTCOME_UNKNOWN, error);
      else
        synced = is_synced (self) || sync_locked (self, error);
      dsq_mutex_unlock (&self->log_lock);
    }
  /* what has been acknowledged already is not again: whoever deletes the file then is done with it
   */
  return synced && (is_named (self) || find_named (self, error));
}

/* --- checkpointing ---------------------------------------------------------------------------- */

gboolean
dsq_cold_wants_checkpoint (DsqColdFile *file, gboolean idle)
{
  DsqColdSqlite *self = (DsqColdSqlite *) file;
  /* a checkpoint costs two syncs whatever its size: few large ones, with room for a transaction */
  gsize limit = __atomic_load_n (&self->tuning.wal_limit_bytes, __ATOMIC_RELAXED);
  guint32 threshold = (guint32) MIN (limit / 4 * 3 / self->page_size, G_MAXINT32);
  guint32 blocked = __atomic_load_n (&self->blocked_frames, __ATOMIC_RELAXED);
  guint32 n_backfilled = dsq_wal_index_get_backfilled (&self->wal_index);
  guint32 n_frames;
  DsqWalStamp stamp;

  if (!dsq_wal_index_read (&self->wal_index, &stamp))
    return FALSE;
  n_frames = stamp.n_frames;
  if (idle)
    return n_frames > n_backfilled;
  if (n_frames == n_backfilled || n_frames < threshold)
    return FALSE;
  /* a log shorter than the blocked one was started anew; else it is tried again soon */
  return blocked == 0 || blocked > n_frames || n_frames - blocked >= MAX (threshold / 12, 1);
}

/* The writer holds SQLite's write lock, and the engine its own: nothing is committed meanwhile.
 * Another process that checkpoints, outside of what we can guard, is no error. */
static gboolean
run_checkpoint_locked (DsqColdSqlite *self, int *out_n_frames, int *out_n_done, GError **error)
{
  int code;

  dsq_mutex_assert_held (&self->log_lock);
  dsq_mutex_assert_may_wait ("a checkpoint");
  code = sqlite3_wal_checkpoint_v2 (self->log->handle,
                                    "main",
                                    SQLITE_CHECKPOINT_PASSIVE,
                                    out_n_frames,
                                    out_n_done);
  if (code == SQLITE_OK || (code & 0xFF) == SQLITE_BUSY)
    return TRUE;
  dsq_database_set_error (self->log, code, "checkpoint the write-ahead log", error);
  if (code == SQLITE_IOERR_FSYNC)
    dsq_cold_note_failed_sync (self, error);
  return FALSE;
}

/* Until no reader is in a slot from @slot on that sees less than @n_frames. Nobody commits
 * meanwhile, so none comes. FALSE: one stays there. */
static gboolean
wait_for_readers_locked (DsqColdSqlite *self, guint slot, guint32 n_frames, gint64 deadline)
{
  DsqWalReader reader;

  dsq_mutex_assert_held (&self->log_lock);
  dsq_mutex_assert_may_wait ("readers of the log");
  while (dsq_wal_index_find_reader (&self->wal_index, self->log, slot, n_frames, &reader))
    {
      if (reader.slot != self->stayed.slot || reader.n_frames != self->stayed.n_frames)
        self->stayed_us = 0;
      self->stayed = reader;
      if (self->stayed_us >= READER_STAYS_US || g_get_monotonic_time () >= deadline)
        return FALSE;
      g_usleep (READERS_LOOK_US);
      self->stayed_us += READERS_LOOK_US;
    }
  self->stayed_us = 0;
  return TRUE;
}

/* *out_is_whole: all of the log is in the file. */
static gboolean
checkpoint_locked (DsqColdSqlite *self, gint64 deadline, gboolean *out_is_whole, GError **error)
{
  guint64 reached = __atomic_load_n (&self->n_unsynced, __ATOMIC_ACQUIRE);
  int n_frames = -1, n_done = -1;

  dsq_mutex_assert_held (&self->log_lock);
  if (!run_checkpoint_locked (self, &n_frames, &n_done, error))
    return FALSE;
  if (n_done < n_frames && wait_for_readers_locked (self, 0, (guint32) n_frames, deadline) &&
      !run_checkpoint_locked (self, &n_frames, &n_done, error))
    return FALSE;

  DSQ_COLD_COUNT (self->n_checkpoints);
  *out_is_whole = n_done == n_frames;
  __atomic_store_n (&self->blocked_frames, (guint32) MAX (n_frames, 0), __ATOMIC_RELAXED);
  /* the log is synced before its pages go into the file */
  if (*out_is_whole && n_frames > 0)
    __atomic_store_n (&self->n_synced, reached, __ATOMIC_RELEASE);
  return TRUE;
}

/* One checkpoint, with SQLite's write lock held, which the caller gives back. */
static gboolean
begin_and_checkpoint (DsqColdSqlite *self, gint64 deadline, gboolean *out_is_whole, GError **error)
{
  gboolean done;

  if (!dsq_cold_begin (&self->file.tier, error))
    return FALSE;
  dsq_mutex_lock (&self->log_lock);
  done = checkpoint_locked (self, deadline, out_is_whole, error);
  dsq_mutex_unlock (&self->log_lock);
  dsq_cold_rollback (&self->file.tier);
  return done;
}

/* Until the next commit, whoever makes it, starts the log anew. The transaction of a checkpoint may
 * itself read from the log; that which begins here does not, and as long as it lasts nobody begins
 * to. *out_is_whole FALSE: somebody has committed in between. */
static void
wait_for_restart (DsqColdSqlite *self, gint64 deadline, gboolean *out_is_whole)
{
  DsqWalStamp stamp;

  if (!dsq_cold_begin (&self->file.tier, NULL))
    return;
  dsq_mutex_lock (&self->log_lock);
  *out_is_whole = dsq_wal_index_read (&self->wal_index, &stamp) &&
                  dsq_wal_index_get_backfilled (&self->wal_index) == stamp.n_frames;
  if (*out_is_whole && wait_for_readers_locked (self, 1, G_MAXUINT32, deadline))
    __atomic_store_n (&self->blocked_frames, 0, __ATOMIC_RELAXED);
  dsq_mutex_unlock (&self->log_lock);
  dsq_cold_rollback (&self->file.tier);
}

gboolean
dsq_cold_checkpoint (DsqColdFile *file, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) file;
  gint64 deadline = g_get_monotonic_time () + READERS_WAIT_US;
  guint longest_wait_ms = self->writer.database->longest_wait_ms;
  gboolean is_whole, done;

  if (!dsq_cold_check_failed (self, error) || !dsq_cold_place_check_all (self, error))
    return FALSE;
  dsq_cold_readers_set_draining (self, TRUE);
  /* the writers that wait for this have a wait for SQLite's lock of their own before them */
  self->writer.database->longest_wait_ms = MIN (longest_wait_ms, READERS_WAIT_US / 1000);
  do
    {
      is_whole = FALSE;
      done = begin_and_checkpoint (self, deadline, &is_whole, error);
      if (!is_whole)
        break;
      wait_for_restart (self, deadline, &is_whole);
    }
  while (!is_whole && g_get_monotonic_time () < deadline);
  self->writer.database->longest_wait_ms = longest_wait_ms;
  dsq_cold_readers_set_draining (self, FALSE);
  return done;
}

/* --- closing ---------------------------------------------------------------------------------- */

static void
ignore_foreign_change (const DsqTableState *states,
                       guint n_states,
                       const DsqColdChanged *changed,
                       gpointer user_data)
{
}

/* Folds the log in with its errors told, which SQLite's own closing would not. Nobody is waited
 * for: who has the file folds it in later. On a full medium the log stays beside the file, which
 * loses nothing. */
gboolean
dsq_cold_log_close (DsqColdSqlite *self, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gboolean folded = TRUE;

  if (self->log == NULL)
    return TRUE;
  self->file.tier.foreign_func = ignore_foreign_change;
  self->writer.database->longest_wait_ms = 0;
  if (!has_failed (self) && dsq_cold_wants_checkpoint (&self->file, TRUE))
    folded = dsq_cold_checkpoint (&self->file, &local_error) ||
             g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_BUSY) ||
             g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_NO_SPACE) ||
             g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_TOO_LARGE) ||
             (g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_NOT_FOUND) && is_named (self));
  if (!folded)
    g_propagate_error (error, g_steal_pointer (&local_error));
  g_clear_pointer (&self->log, dsq_database_close);
  return folded;
}
