/* dsq-new-file.c - how a store's file comes to be
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dsq-call-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-empty-place-private.h"
#include "sqlite/dsq-new-file-private.h"
#include "sqlite/dsq-schema-private.h"
#include "sqlite/dsq-sidecars-private.h"
#include "sqlite/dsq-work-file-private.h"

#define PURPOSE "create the store"

static gboolean
fail (int system_errno, GError **error)
{
  dsq_database_set_system_error (system_errno, PURPOSE, error);
  return FALSE;
}

static gboolean
sync_folder_of (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  int descriptor = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  gboolean synced;

  dsq_mutex_assert_may_wait ("a sync");
  synced = descriptor >= 0 && fsync (descriptor) == 0;
  /* the name is there, and may be what it was before when the machine has stopped */
  if (!synced)
    g_set_error (
        error,
        DSQ_ERROR,
        DSQ_ERROR_OUTCOME_UNKNOWN,
        "Failed to sync the folder of the new file: %s; it is there, and whether that lasts "
        "is not known: copy it once more, or look after the machine has stopped",
        g_strerror (errno));
  if (descriptor >= 0)
    close (descriptor);
  return synced;
}

/* What the new file may be to others: @source, if there is one, is what it is made from. */
static gboolean
find_mode (const char *source, gboolean is_sealed, mode_t *out_mode, GError **error)
{
  struct stat info;

  if (source != NULL && lstat (source, &info) != 0)
    return fail (errno, error);
  *out_mode = source != NULL ? info.st_mode & 0777 : 0666;
  if (is_sealed)
    *out_mode &= 0600;
  return TRUE;
}

/* --- the content ------------------------------------------------------------------------------ */

/* Free pages can be given back only in a file that was made for it, which the pragma does in an
 * empty one: it starts to write, so it stands in the transaction. @fill may be NULL. */
static gboolean
install_in_transaction (DsqDatabase *database,
                        const DsqHeader *header,
                        DsqNewFileFunc fill,
                        gpointer user_data,
                        GError **error)
{
  return dsq_database_run (database, "PRAGMA auto_vacuum = INCREMENTAL", PURPOSE, error) &&
         dsq_schema_install (database, header, error) &&
         (fill == NULL || fill (database, user_data, error)) &&
         dsq_database_run (database, "COMMIT", PURPOSE, error);
}

static gboolean
install (DsqDatabase *database,
         const DsqHeader *header,
         DsqNewFileFunc fill,
         gpointer user_data,
         GError **error)
{
  if (!dsq_database_run (database, "PRAGMA page_size = 4096", PURPOSE, error) ||
      !dsq_database_run (database, "BEGIN", PURPOSE, error))
    return FALSE;
  if (install_in_transaction (database, header, fill, user_data, error))
    return TRUE;
  if (!sqlite3_get_autocommit (database->handle))
    dsq_database_run (database, "ROLLBACK", PURPOSE, NULL);
  return FALSE;
}

/* Nobody else knows the file, so it is synced once, when it is whole. */
static DsqDatabase *
open_work (const DsqWorkFile *work, GError **error)
{
  g_autoptr (DsqDatabase) database =
      dsq_database_open (dsq_work_file_get_path (work), DSQ_DATABASE_WORK, 0, error);

  if (database == NULL ||
      !dsq_database_run (database, "PRAGMA journal_mode = MEMORY", PURPOSE, error) ||
      !dsq_database_run (database, "PRAGMA synchronous = OFF", PURPOSE, error))
    return NULL;
  return g_steal_pointer (&database);
}

static gboolean
write_store (const DsqWorkFile *work,
             const DsqHeader *header,
             DsqNewFileFunc fill,
             gpointer user_data,
             GError **error)
{
  g_autoptr (DsqDatabase) database = open_work (work, error);

  return database != NULL && install (database, header, fill, user_data, error);
}

/* --- the name --------------------------------------------------------------------------------- */

static gboolean
refuse_existing (GError **error)
{
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_EXISTS,
                       "Failed to " PURPOSE ": there is something of that name, or its log");
  return FALSE;
}

static gboolean
is_free (const char *path)
{
  struct stat info;

  return lstat (path, &info) != 0 && dsq_sidecars_is_free (path);
}

/* A log is looked for as late as can be. */
static gboolean
publish_free (DsqWorkFile *work, const char *path, GError **error)
{
  gboolean was_first;

  if (!dsq_sidecars_is_free (path))
    return refuse_existing (error);
  if (!dsq_work_file_publish (work, path, &was_first, error))
    return FALSE;
  return was_first ? sync_folder_of (path, error) : refuse_existing (error);
}

static gboolean
publish_in_place (DsqWorkFile *work, const char *path, GError **error)
{
  return (dsq_sidecars_is_free (path) || refuse_existing (error)) &&
         dsq_work_file_replace (work, path, error) && sync_folder_of (path, error);
}

gboolean
dsq_new_file_publish_filled (const char *path,
                             const char *source,
                             const DsqHeader *header,
                             DsqNewFilePlace place,
                             DsqNewFileFunc fill,
                             gpointer user_data,
                             GError **error)
{
  g_autoptr (DsqWorkFile) work = NULL;
  mode_t mode;

  if (place == DSQ_NEW_FILE_FAIL && !is_free (path))
    return refuse_existing (error);
  if (!find_mode (source, dsq_header_is_sealed (header), &mode, error))
    return FALSE;
  work = dsq_work_file_new (path, mode, error);
  if (work == NULL || !write_store (work, header, fill, user_data, error))
    return FALSE;
  if (place == DSQ_NEW_FILE_REPLACE)
    return dsq_work_file_finish (work, path, error) && publish_in_place (work, path, error);
  return dsq_work_file_finish (work, NULL, error) && publish_free (work, path, error);
}

/* A log that lies where a copy is put is none of its own, though it be that of the source. */
static gboolean
renew_log_tag (DsqWorkFile *work, GError **error)
{
  g_autoptr (DsqDatabase) database =
      dsq_work_file_leave_wal_mode (work, error) ? open_work (work, error) : NULL;

  return database != NULL && dsq_schema_renew_log_tag (database, error);
}

gboolean
dsq_new_file_write (const char *path,
                    const char *source,
                    gboolean is_sealed,
                    DsqNewFileFunc write,
                    gpointer user_data,
                    GError **error)
{
  g_autoptr (DsqWorkFile) work = NULL;
  DsqDatabase *database;
  gboolean written;
  mode_t mode;

  if (!is_free (path))
    return refuse_existing (error);
  if (!find_mode (source, is_sealed, &mode, error))
    return FALSE;
  work = dsq_work_file_new (path, mode, error);
  database = work != NULL ? open_work (work, error) : NULL;
  if (database == NULL)
    return FALSE;
  written = write (database, user_data, error);
  dsq_database_close (database);
  return written && renew_log_tag (work, error) && dsq_work_file_finish (work, NULL, error) &&
         publish_free (work, path, error);
}

gboolean
dsq_new_file_publish (const char *path,
                      const DsqHeader *header,
                      guint busy_timeout_ms,
                      GError **error)
{
  const char *empty = dsq_empty_place_has_file (path) ? path : NULL;
  g_autoptr (DsqWorkFile) work = NULL;
  mode_t mode;

  if (!find_mode (empty, dsq_header_is_sealed (header), &mode, error))
    return FALSE;
  work = dsq_work_file_new (path, mode, error);
  if (work == NULL || !write_store (work, header, NULL, NULL, error) ||
      !dsq_work_file_finish (work, empty, error) || !dsq_call_check (error) ||
      !dsq_empty_place_fill (path, work, busy_timeout_ms, error))
    return FALSE;
  /* others may have opened it, so it stays: who has made it is to find it open */
  dsq_call_settle ();
  return sync_folder_of (path, error);
}
