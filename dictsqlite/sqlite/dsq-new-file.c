/* dsq-new-file.c - how a store's file comes to be
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dsq-fork-private.h"
#include "base/dsq-mutex-private.h"
#include "crypto/dsq-random-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-new-file-private.h"
#include "sqlite/dsq-schema-private.h"

#define PURPOSE "create the store"

/* --- what both ways share --------------------------------------------------------------------- */

/* Syncs a file that only we know of, or a folder. */
static gboolean
sync_path (const char *path, int flags, GError **error)
{
  int descriptor = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags);
  gboolean synced;

  dsq_mutex_assert_may_wait ("a sync");
  synced = descriptor >= 0 && fsync (descriptor) == 0;
  if (!synced)
    dsq_database_set_system_error (errno, PURPOSE, error);
  if (descriptor >= 0)
    close (descriptor);
  return synced;
}

static gboolean
sync_folder_of (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);

  return sync_path (folder, O_DIRECTORY, error);
}

/* In the write transaction under way: the store, unless the file is no longer empty. */
static gboolean
install_if_empty (DsqDatabase *database, const DsqHeader *header, GError **error)
{
  gint64 n_objects;

  return dsq_database_get_number (database,
                                  "SELECT EXISTS (SELECT 1 FROM sqlite_schema)",
                                  PURPOSE,
                                  &n_objects,
                                  error) &&
         (n_objects != 0 || dsq_schema_install (database, header, error));
}

/* Free pages can be given back only in a file that was made for it, which the pragma does in an
 * empty one: it starts to write, so it stands in the transaction and takes the lock for that. @fill
 * may be NULL. */
static gboolean
install_in_transaction (DsqDatabase *database,
                        const DsqHeader *header,
                        DsqNewFileFunc fill,
                        gpointer user_data,
                        GError **error)
{
  return dsq_database_run (database, "PRAGMA auto_vacuum = INCREMENTAL", PURPOSE, error) &&
         install_if_empty (database, header, error) &&
         (fill == NULL || fill (database, user_data, error)) &&
         dsq_database_run (database, "COMMIT", PURPOSE, error);
}

static gboolean
initialise (DsqDatabase *database,
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

/* --- under a temporary name ------------------------------------------------------------------- */

/* The temporary file stands in the same folder, and its name does not depend on the store's, which
 * may be as long as names can be. */
static char *
reserve_temporary (const char *path, mode_t mode, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);

  for (;;)
    {
      g_autofree char *temporary = NULL;
      guint64 number;
      int descriptor;

      if (!dsq_random_draw ((guint8 *) &number, sizeof number, error))
        return NULL;
      temporary = g_strdup_printf ("%s/.dsq-%016" G_GINT64_MODIFIER "x.tmp", folder, number);
      descriptor = open (temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
      if (descriptor >= 0)
        {
          close (descriptor);
          return g_steal_pointer (&temporary);
        }
      if (errno != EEXIST)
        {
          dsq_database_set_system_error (errno, PURPOSE, error);
          return NULL;
        }
    }
}

/* What a child of a fork within the call finds there is its parent's. */
static void
discard (const char *temporary, guint64 stamp)
{
  if (stamp == dsq_fork_get_stamp ())
    unlink (temporary);
}

/* Nobody else knows the file and a crash leaves nothing of worth, so no journal is kept and nothing
 * synced until it is whole. */
static gboolean
write_temporary (const char *temporary,
                 const DsqHeader *header,
                 DsqNewFileFunc fill,
                 gpointer user_data,
                 GError **error)
{
  g_autoptr (DsqDatabase) database = dsq_database_open (temporary, DSQ_DATABASE_CREATE, 0, error);

  return database != NULL &&
         dsq_database_run (database, "PRAGMA journal_mode = MEMORY", PURPOSE, error) &&
         dsq_database_run (database, "PRAGMA synchronous = OFF", PURPOSE, error) &&
         initialise (database, header, fill, user_data, error) &&
         dsq_database_set_wal_mode (database, error);
}

/* Gives @temporary the name @path unless somebody was first. */
static gboolean
publish (const char *temporary, const char *path, gboolean *out_was_first, GError **error)
{
  *out_was_first = link (temporary, path) == 0;
  /* file systems without hard links */
  if (!*out_was_first && errno != EEXIST)
    *out_was_first = renameat2 (AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0;
  if (*out_was_first || errno == EEXIST)
    return TRUE;
  dsq_database_set_system_error (errno, PURPOSE, error);
  return FALSE;
}

static gboolean
publish_new (const char *temporary, const char *path, GError **error)
{
  gboolean was_first;

  if (!publish (temporary, path, &was_first, error))
    return FALSE;
  if (!was_first)
    g_set_error (error,
                 DSQ_ERROR,
                 DSQ_ERROR_EXISTS,
                 "Failed to create the store: there is a file of that name");
  return was_first;
}

static gboolean
replace (const char *temporary, const char *path, GError **error)
{
  if (rename (temporary, path) == 0)
    return TRUE;
  dsq_database_set_system_error (errno, PURPOSE, error);
  return FALSE;
}

static char *
reserve_for (const char *path, const DsqHeader *header, GError **error)
{
  return reserve_temporary (path, dsq_header_is_sealed (header) ? 0600 : 0666, error);
}

gboolean
dsq_new_file_publish (const char *path, const DsqHeader *header, GError **error)
{
  const guint64 stamp = dsq_fork_get_stamp ();
  g_autofree char *temporary = reserve_for (path, header, error);
  gboolean published, ignored;

  if (temporary == NULL)
    return FALSE;
  published = write_temporary (temporary, header, NULL, NULL, error) &&
              sync_path (temporary, 0, error) && publish (temporary, path, &ignored, error);
  discard (temporary, stamp);
  return published && sync_folder_of (path, error);
}

gboolean
dsq_new_file_publish_filled (const char *path,
                             const DsqHeader *header,
                             DsqNewFilePlace place,
                             DsqNewFileFunc fill,
                             gpointer user_data,
                             GError **error)
{
  const guint64 stamp = dsq_fork_get_stamp ();
  g_autofree char *temporary = reserve_for (path, header, error);
  gboolean published;

  if (temporary == NULL)
    return FALSE;
  published = write_temporary (temporary, header, fill, user_data, error) &&
              sync_path (temporary, 0, error) &&
              (place == DSQ_NEW_FILE_REPLACE ? replace (temporary, path, error)
                                             : publish_new (temporary, path, error));
  discard (temporary, stamp);
  return published && sync_folder_of (path, error);
}

/* --- what somebody else writes ---------------------------------------------------------------- */

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
  static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };

  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
    {
      g_autofree char *name = g_strconcat (path, suffixes[i], NULL);
      struct stat info;

      if (lstat (name, &info) == 0)
        return FALSE;
    }
  return TRUE;
}

gboolean
dsq_new_file_write (const char *path, DsqNewFileWriteFunc write, gpointer user_data, GError **error)
{
  const guint64 stamp = dsq_fork_get_stamp ();
  g_autofree char *temporary = NULL;
  gboolean published;

  if (!is_free (path))
    return refuse_existing (error);
  temporary = reserve_temporary (path, 0600, error);
  if (temporary == NULL)
    return FALSE;
  published = write (temporary, user_data, error) && sync_path (temporary, 0, error) &&
              publish_new (temporary, path, error);
  discard (temporary, stamp);
  return published && sync_folder_of (path, error);
}

/* --- where it stands -------------------------------------------------------------------------- */

gboolean
dsq_new_file_initialise (const char *path,
                         const DsqHeader *header,
                         guint busy_timeout_ms,
                         GError **error)
{
  g_autoptr (DsqDatabase) database =
      dsq_database_open (path, DSQ_DATABASE_CREATE, busy_timeout_ms, error);

  return database != NULL && initialise (database, header, NULL, NULL, error) &&
         sync_folder_of (path, error);
}
