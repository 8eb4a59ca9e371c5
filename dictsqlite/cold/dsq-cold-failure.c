/* dsq-cold-failure.c - a sync that has failed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * It is final, as is that the file has lost its name. The system may have forgotten what it could
 * not write, and call the next sync a success; so nothing that was committed since the last good
 * one is known to last, and nothing more is committed. Reading goes on.
 */

#include "config.h"

#include "cold/dsq-cold-failure-private.h"
#include "dsq-error.h"

void
dsq_cold_tell_unknown (GError **error)
{
  g_autofree char *message = NULL;

  if (error == NULL)
    return;
  message = (*error)->message;
  (*error)->code = DSQ_ERROR_OUTCOME_UNKNOWN;
  (*error)->message = g_strconcat (message,
                                   "; whether what was written lasts is not known: open the store "
                                   "again, and look at what it holds",
                                   NULL);
}

void
dsq_cold_note_failed_sync (DsqColdSqlite *self, GError **error)
{
  __atomic_store_n (&self->file.is_failed, TRUE, __ATOMIC_RELEASE);
  dsq_cold_tell_unknown (error);
}

void
dsq_cold_note_failed_commit (DsqColdSqlite *self, int code, GError **error)
{
  switch (code)
    {
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
      dsq_cold_note_failed_sync (self, error);
      break;
    /* the log has the whole transaction by then, and its index has not: the next commit takes its
     * place, but who reads the log anew before that finds it */
    case SQLITE_NOMEM:
    case SQLITE_IOERR_NOMEM:
    case SQLITE_IOERR_SHMMAP:
    case SQLITE_IOERR_SHMSIZE:
    case SQLITE_IOERR_SHMOPEN:
      dsq_cold_tell_unknown (error);
      break;
    default:
      break;
    }
}

void
dsq_cold_note_gone (DsqColdSqlite *self)
{
  __atomic_store_n (&self->is_gone, TRUE, __ATOMIC_RELEASE);
  __atomic_store_n (&self->file.is_failed, TRUE, __ATOMIC_RELEASE);
}

gboolean
dsq_cold_refuse_failed (DsqColdSqlite *self, DsqError code, GError **error)
{
  gboolean is_gone = __atomic_load_n (&self->is_gone, __ATOMIC_ACQUIRE);
  gboolean is_deleted = __atomic_load_n (&self->is_deleted, __ATOMIC_ACQUIRE);

  if (is_gone)
    code = is_deleted ? DSQ_ERROR_NOT_FOUND : DSQ_ERROR_IO;
  g_set_error_literal (
      error,
      DSQ_ERROR,
      (int) code,
      is_gone
          ? "Failed to write: the file, or its log, was deleted, moved or replaced while the store "
            "had it open; copy what is needed to another store, and open this one again"
          : "Failed to write: a sync of the file has failed, so what was written since the one "
            "before may be lost; open the store again, and look at what it holds");
  return FALSE;
}
