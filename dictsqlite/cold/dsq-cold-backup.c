/* dsq-cold-backup.c - a copy of the file while it is in use
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SQLite copies pages, between which others may commit. It would begin anew then; but a read
 * transaction that was begun before holds the file as it was, and costs those others only that the
 * write-ahead log is not started anew meanwhile.
 */

#include "config.h"

#include "base/dsq-call-private.h"
#include "base/dsq-fork-private.h"
#include "cold/dsq-cold-copies-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-new-file-private.h"

#define PURPOSE "copy the store"

/* Pages between two looks at the cancellable. */
#define STEP_PAGES 256

typedef struct
{
  DsqColdSqlite *tier;
  DsqColdProgressFunc progress; /* (nullable) */
  gpointer user_data;
} Backup;

static gboolean
copy_pages (const Backup *self, DsqDatabase *source, DsqDatabase *target, GError **error)
{
  sqlite3_backup *backup = sqlite3_backup_init (target->handle, "main", source->handle, "main");
  int code = backup != NULL ? SQLITE_OK : sqlite3_extended_errcode (target->handle);
  gboolean is_cancelled = FALSE;

  while (code == SQLITE_OK)
    {
      guint depth;

      dsq_call_ask ();
      is_cancelled = !dsq_call_check (error);
      if (is_cancelled)
        break;
      dsq_mutex_assert_may_wait ("a copy");
      code = sqlite3_backup_step (backup, STEP_PAGES);
      depth = dsq_fork_pause ();
      if (self->progress != NULL && (code == SQLITE_OK || code == SQLITE_DONE))
        {
          int n_total = sqlite3_backup_pagecount (backup);

          dsq_mutex_assert_none_held ("a caller's function");
          self->progress ((guint64) (n_total - sqlite3_backup_remaining (backup)),
                          (guint64) n_total,
                          self->user_data);
        }
      dsq_fork_resume (depth);
      /* the caller's function came back in a child of its own */
      if (!dsq_database_check_own (source, PURPOSE, error))
        return FALSE;
    }
  sqlite3_backup_finish (backup);
  if (is_cancelled)
    return FALSE;
  if (code == SQLITE_DONE)
    return TRUE;
  dsq_database_set_error (target, code, PURPOSE, error);
  return FALSE;
}

static gboolean
write_copy (DsqDatabase *target, gpointer user_data, GError **error)
{
  const Backup *self = user_data;
  g_autoptr (DsqDatabase) source = dsq_cold_open_snapshot (self->tier, PURPOSE, error);

  return source != NULL && copy_pages (self, source, target, error);
}

gboolean
dsq_cold_backup (DsqColdTier *tier,
                 const char *path,
                 DsqColdProgressFunc progress,
                 gpointer user_data,
                 GError **error)
{
  Backup self = { (DsqColdSqlite *) tier, progress, user_data };
  g_autofree char *resolved = dsq_location_resolve (path, error);

  return resolved != NULL && dsq_new_file_write (resolved,
                                                 self.tier->path,
                                                 self.tier->keys != NULL,
                                                 write_copy,
                                                 &self,
                                                 error);
}
