/* dsq-cold-place.c - whether the file is still the one that its name means
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SQLite goes on writing to a file that was deleted, moved or replaced, and to a log that was: what
 * is committed then is gone with the process, or is in a log that nobody reads. So before anything
 * is acknowledged the names are looked up, by lstat() and so without a descriptor. That is final:
 * what stands there now is another file, which to open anew is the caller's to decide.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/dsq-utf8-private.h"
#include "cold/dsq-cold-failure-private.h"
#include "cold/dsq-cold-place-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "dsq-error.h"

static const char *const suffixes[DSQ_COLD_N_NAMES] = { "", "-wal", "-shm" };

static gboolean
refuse (DsqColdSqlite *self, DsqError code, guint i, const char *cause, GError **error)
{
  g_autofree char *shown = dsq_utf8_show (self->file_names[i]);

  g_set_error (error,
               DSQ_ERROR,
               (int) code,
               "Failed to write: '%s' %s while the store had it open, so what was written last may "
               "be lost; bring it back, or copy what is needed to another store, and open this one "
               "again",
               shown,
               cause);
  dsq_cold_note_gone (self);
  return FALSE;
}

/* The names mean what SQLite has, unless somebody exchanged them within the opening: whether the
 * file's was SQLite can tell. */
gboolean
dsq_cold_place_init (DsqColdSqlite *self, GError **error)
{
  int has_moved = 1;
  struct stat log;

  for (guint i = 0; i < DSQ_COLD_N_NAMES; i++)
    {
      self->file_names[i] = g_strconcat (self->path, suffixes[i], NULL);
      if (!dsq_location_identify (self->file_names[i], &self->identities[i], error))
        return FALSE;
    }
  /* closing such a handle drops no locks */
  self->log_handle = open (self->file_names[DSQ_COLD_NAME_LOG], O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (self->log_handle < 0)
    {
      dsq_database_set_system_error (errno, "open the store", error);
      return FALSE;
    }
  if (fstat (self->log_handle, &log) != 0 ||
      log.st_ino != self->identities[DSQ_COLD_NAME_LOG].inode ||
      log.st_dev != self->identities[DSQ_COLD_NAME_LOG].device)
    return refuse (self, DSQ_ERROR_IO, DSQ_COLD_NAME_LOG, "was replaced by another one", error);
  if (sqlite3_file_control (self->writer.database->handle,
                            "main",
                            SQLITE_FCNTL_HAS_MOVED,
                            &has_moved) == SQLITE_OK &&
      !has_moved)
    return TRUE;
  return refuse (self, DSQ_ERROR_IO, DSQ_COLD_NAME_FILE, "was replaced by another one", error);
}

/* Whoever deletes file and log is done with them. What was moved, or has lost one of the two, lacks
 * what is only in the log. */
static gboolean
refuse_missing (DsqColdSqlite *self, guint i, GError **error)
{
  struct stat log;

  if (errno != ENOENT && errno != ENOTDIR)
    return refuse (self, DSQ_ERROR_IO, i, "could not be looked up", error);
  if (i != DSQ_COLD_NAME_FILE || fstat (self->log_handle, &log) != 0 || log.st_nlink > 0)
    return refuse (self, DSQ_ERROR_IO, i, "was deleted or moved", error);
  __atomic_store_n (&self->is_deleted, TRUE, __ATOMIC_RELEASE);
  return refuse (self, DSQ_ERROR_NOT_FOUND, i, "was deleted", error);
}

static gboolean
check_name (DsqColdSqlite *self, guint i, struct stat *out_info, GError **error)
{
  if (G_UNLIKELY (lstat (self->file_names[i], out_info) != 0))
    return refuse_missing (self, i, error);
  return G_LIKELY (out_info->st_ino == self->identities[i].inode &&
                   out_info->st_dev == self->identities[i].device) ||
         refuse (self, DSQ_ERROR_IO, i, "was replaced by another one", error);
}

/* The file by its name. Of the log it is looked only whether it has one still, by way of a handle,
 * which takes a third of the time. */
gboolean
dsq_cold_place_check (DsqColdSqlite *self, GError **error)
{
  struct stat file, log;

  return check_name (self, DSQ_COLD_NAME_FILE, &file, error) &&
         (file.st_size > 0 ||
          refuse (self, DSQ_ERROR_FORMAT, DSQ_COLD_NAME_FILE, "was cut to nothing", error)) &&
         ((fstat (self->log_handle, &log) == 0 && log.st_nlink > 0) ||
          check_name (self, DSQ_COLD_NAME_LOG, &log, error));
}

gboolean
dsq_cold_place_check_all (DsqColdSqlite *self, GError **error)
{
  struct stat other;

  /* its opening has failed before it had them */
  return self->file_names[DSQ_COLD_NAME_INDEX] == NULL ||
         (dsq_cold_place_check (self, error) &&
          check_name (self, DSQ_COLD_NAME_LOG, &other, error) &&
          check_name (self, DSQ_COLD_NAME_INDEX, &other, error));
}

void
dsq_cold_place_clear (DsqColdSqlite *self)
{
  for (guint i = 0; i < DSQ_COLD_N_NAMES; i++)
    g_free (self->file_names[i]);
  if (self->log_handle >= 0)
    close (self->log_handle);
}
