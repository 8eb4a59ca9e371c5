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
#include <sys/stat.h>

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

  for (guint i = 0; i < DSQ_COLD_N_NAMES; i++)
    {
      self->file_names[i] = g_strconcat (self->path, suffixes[i], NULL);
      if (!dsq_location_identify (self->file_names[i], &self->identities[i], error))
        return FALSE;
    }
  if (sqlite3_file_control (self->writer.database->handle,
                            "main",
                            SQLITE_FCNTL_HAS_MOVED,
                            &has_moved) == SQLITE_OK &&
      !has_moved)
    return TRUE;
  return refuse (self, DSQ_ERROR_IO, DSQ_COLD_NAME_FILE, "was replaced by another one", error);
}

static gboolean
check_name (DsqColdSqlite *self, guint i, struct stat *out_info, GError **error)
{
  if (G_UNLIKELY (lstat (self->file_names[i], out_info) != 0))
    return errno == ENOENT || errno == ENOTDIR
               ? refuse (self, DSQ_ERROR_NOT_FOUND, i, "was deleted or moved", error)
               : refuse (self, DSQ_ERROR_IO, i, "could not be looked up", error);
  return G_LIKELY (out_info->st_ino == self->identities[i].inode &&
                   out_info->st_dev == self->identities[i].device) ||
         refuse (self, DSQ_ERROR_IO, i, "was replaced by another one", error);
}

gboolean
dsq_cold_place_check (DsqColdSqlite *self, GError **error)
{
  struct stat file, log;

  /* a private tier's file has no name */
  if (self->file_names[DSQ_COLD_NAME_FILE] == NULL)
    return TRUE;
  return check_name (self, DSQ_COLD_NAME_FILE, &file, error) &&
         (file.st_size > 0 ||
          refuse (self, DSQ_ERROR_FORMAT, DSQ_COLD_NAME_FILE, "was cut to nothing", error)) &&
         check_name (self, DSQ_COLD_NAME_LOG, &log, error);
}

gboolean
dsq_cold_place_check_all (DsqColdSqlite *self, GError **error)
{
  struct stat index;

  return dsq_cold_place_check (self, error) &&
         check_name (self, DSQ_COLD_NAME_INDEX, &index, error);
}
