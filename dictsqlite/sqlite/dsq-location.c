/* dsq-location.c - what stands at a path, told before SQLite touches it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The file is looked at through SQLite's own descriptor: closing another of this process would drop
 * all locks that the process holds on the file. Opening a connection reads nothing, so that neither
 * a log nor its index is made before the file is known to be a store.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dsq-fork-private.h"
#include "base/dsq-mutex-private.h"
#include "codec/dsq-format-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-location-private.h"
#include "sqlite/dsq-log-origin-private.h"
#include "sqlite/dsq-sidecars-private.h"

#define OPEN_PURPOSE "open the store"

/* SQLite's "Database File Format", section 1.3. */
#define HEADER_LENGTH            100
#define HEADER_MAGIC             "SQLite format 3"
#define HEADER_AT_PAGE_SIZE      16
#define HEADER_AT_CHANGE_COUNTER 24
#define HEADER_AT_PAGE_COUNT     28
#define HEADER_AT_USER_VERSION   60
#define HEADER_AT_APPLICATION_ID 68
#define HEADER_AT_VALID_FOR      92

/* Looks at a file that seems cut, which may be one that a checkpoint is just writing. */
#define CUT_TRIES   3
#define CUT_WAIT_US 1000

/* The least that an index has, of which SQLite writes the first bytes when it opens one. */
#define INDEX_LENGTH 32768

/* As many links as the kernel follows from one to the next. */
#define MAX_LINKS 40

static gboolean
refuse (GError **error, DsqError code, const char *cause)
{
  g_set_error (error, DSQ_ERROR, (int) code, "Failed to " OPEN_PURPOSE ": %s", cause);
  return FALSE;
}

/* --- resolving -------------------------------------------------------------------------------- */

/* The absolute form of @path, of whose last part alone a link is not followed. */
static char *
resolve_folder (const char *path, GError **error)
{
  const char *slash = strrchr (path, '/');
  const char *name = slash != NULL ? slash + 1 : path;
  g_autofree char *folder = NULL;
  char *absolute; /* by malloc() */
  char *resolved;

  if (path[0] == '\0')
    {
      refuse (error, DSQ_ERROR_INVALID_ARGUMENT, "the path is empty");
      return NULL;
    }
  if (name[0] == '\0' || strcmp (name, ".") == 0 || strcmp (name, "..") == 0)
    {
      refuse (error, DSQ_ERROR_NOT_REGULAR, "the path is that of a folder");
      return NULL;
    }

  if (slash == NULL)
    folder = g_strdup (".");
  else
    folder = g_strndup (path, slash + 1 - path);
  /* with the slash at its end, what is no folder is an error */
  absolute = realpath (folder, NULL);
  if (absolute == NULL)
    {
      dsq_database_set_system_error (errno, OPEN_PURPOSE, error);
      return NULL;
    }
  resolved = g_build_filename (absolute, name, NULL);
  free (absolute);
  return resolved;
}

static gboolean
is_own (const struct stat *info)
{
  return info->st_uid == geteuid () || info->st_uid == 0;
}

/* Where the link at @path leads, NULL without an error when there is no link. One that somebody
 * else made, or could have put there, would have this user open what that one chose. */
static char *
follow_own_link (const char *path, GError **error)
{
  g_autofree char *folder = NULL;
  g_autofree char *target = NULL;
  struct stat link;
  struct stat around;
  struct stat leads_to;

  if (lstat (path, &link) != 0 || !S_ISLNK (link.st_mode))
    return NULL;
  folder = g_path_get_dirname (path);
  if (!is_own (&link) || stat (folder, &around) != 0 || !is_own (&around) ||
      (around.st_mode & S_IWOTH) != 0)
    {
      refuse (error,
              DSQ_ERROR_NOT_REGULAR,
              "the path is that of a symbolic link which is not in a folder of one's own");
      return NULL;
    }
  if (stat (path, &leads_to) != 0)
    {
      refuse (error, DSQ_ERROR_NOT_REGULAR, "the path is that of a symbolic link to nothing");
      return NULL;
    }
  target = g_file_read_link (path, NULL);
  if (target == NULL)
    dsq_database_set_system_error (errno, OPEN_PURPOSE, error);
  if (target == NULL || g_path_is_absolute (target))
    return g_steal_pointer (&target);
  return g_build_filename (folder, target, NULL);
}

char *
dsq_location_resolve (const char *path, GError **error)
{
  g_autofree char *resolved = resolve_folder (path, error);

  for (guint i = 0; i < MAX_LINKS && resolved != NULL; i++)
    {
      g_autoptr (GError) link_error = NULL;
      g_autofree char *target = follow_own_link (resolved, &link_error);

      if (link_error != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&link_error));
          return NULL;
        }
      if (target == NULL)
        break;
      g_free (resolved);
      resolved = resolve_folder (target, error);
    }

  if (resolved != NULL &&
      strlen (resolved) + strlen ("-journal") >= (gsize) sqlite3_vfs_find (NULL)->mxPathname)
    {
      dsq_database_set_system_error (ENAMETOOLONG, OPEN_PURPOSE, error);
      return NULL;
    }
  return g_steal_pointer (&resolved);
}

/* --- inspecting ------------------------------------------------------------------------------- */

/* Bytes of the file beside @path that ends with @suffix, -1 when there is none. */
static gint64
size_beside (const char *path, const char *suffix)
{
  g_autofree char *beside = g_strconcat (path, suffix, NULL);
  struct stat info;

  return lstat (beside, &info) == 0 ? (gint64) info.st_size : -1;
}

gint64
dsq_location_get_size (const char *path)
{
  return size_beside (path, "");
}

gint64
dsq_location_get_wal_size (const char *path)
{
  return size_beside (path, "-wal");
}

gboolean
dsq_location_has_index (const char *path)
{
  return size_beside (path, "-shm") >= 0;
}

gboolean
dsq_location_has_filled_index (const char *path)
{
  return size_beside (path, "-shm") >= INDEX_LENGTH;
}

gint64
dsq_location_get_write_time (const char *path)
{
  struct stat info;

  return lstat (path, &info) == 0
             ? info.st_mtim.tv_sec * G_GINT64_CONSTANT (1000000000) + info.st_mtim.tv_nsec
             : -1;
}

gboolean
dsq_location_identify (const char *path, DsqLocationIdentity *out_identity, GError **error)
{
  struct stat info;

  if (lstat (path, &info) != 0)
    {
      dsq_database_set_system_error (errno, OPEN_PURPOSE, error);
      return FALSE;
    }
  out_identity->device = info.st_dev;
  out_identity->inode = info.st_ino;
  return TRUE;
}

static guint32
read_number (const guint8 *bytes)
{
  guint32 number;

  memcpy (&number, bytes, sizeof number);
  return GUINT32_FROM_BE (number);
}

static gboolean
check_header (const guint8 header[HEADER_LENGTH], GError **error)
{
  guint32 version = read_number (header + HEADER_AT_USER_VERSION);

  if (memcmp (header, HEADER_MAGIC, sizeof HEADER_MAGIC) != 0)
    return refuse (error, DSQ_ERROR_FORMAT, "it is not an SQLite file");
  if (read_number (header + HEADER_AT_APPLICATION_ID) != DSQ_FORMAT_APPLICATION_ID)
    return refuse (error, DSQ_ERROR_FORMAT, "it is the SQLite file of another application");
  if (version > DSQ_FORMAT_VERSION)
    return refuse (error, DSQ_ERROR_FORMAT, "it is a store of a later version");
  if (version == 1)
    return refuse (error,
                   DSQ_ERROR_FORMAT,
                   "it is a store of version 1, which was never released and is read no more");
  if (version < DSQ_FORMAT_VERSION)
    return refuse (error, DSQ_ERROR_FORMAT, "it is a store of an unknown version");
  return TRUE;
}

/* Whether the file is shorter than it says, which SQLite lets pass for the last page. The count in
 * the header is good only if both of its counters agree, and as long as no log holds the rest. */
static gboolean
is_cut (const char *path, const guint8 header[HEADER_LENGTH], gint64 size)
{
  guint32 page_size = (guint32) header[HEADER_AT_PAGE_SIZE] << 8 | header[HEADER_AT_PAGE_SIZE + 1];

  if (page_size == 1)
    page_size = 65536;
  return read_number (header + HEADER_AT_CHANGE_COUNTER) ==
             read_number (header + HEADER_AT_VALID_FOR) &&
         (gint64) read_number (header + HEADER_AT_PAGE_COUNT) * page_size > size &&
         size_beside (path, "-wal") <= 0;
}

static int
read_header (sqlite3_file *file, guint8 header[HEADER_LENGTH], sqlite3_int64 *out_size)
{
  int code = file->pMethods->xFileSize (file, out_size);

  if (code == SQLITE_OK && *out_size >= HEADER_LENGTH)
    code = file->pMethods->xRead (file, header, HEADER_LENGTH, 0);
  return code;
}

static gboolean
inspect_content (const char *path,
                 DsqLocation *out_location,
                 DsqDatabase **out_reader,
                 GError **error)
{
  g_autoptr (DsqDatabase) database = dsq_database_open (path, DSQ_DATABASE_READ, 0, error);
  guint8 header[HEADER_LENGTH] = { 0 };
  sqlite3_file *file = NULL;
  sqlite3_int64 size = 0;
  int code;

  if (database == NULL)
    return FALSE;
  code = sqlite3_file_control (database->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (code == SQLITE_OK && (file == NULL || file->pMethods == NULL))
    code = SQLITE_CANTOPEN;
  if (code == SQLITE_OK)
    code = read_header (file, header, &size);
  for (guint i = 0; i < CUT_TRIES && code == SQLITE_OK && is_cut (path, header, size); i++)
    {
      dsq_mutex_assert_may_wait ("a file to be whole");
      dsq_fork_sleep (CUT_WAIT_US);
      code = read_header (file, header, &size);
    }
  if (code != SQLITE_OK)
    {
      dsq_database_set_error (database, code, OPEN_PURPOSE, error);
      return FALSE;
    }

  *out_location = size == 0 ? DSQ_LOCATION_EMPTY : DSQ_LOCATION_STORE;
  if (size == 0)
    return TRUE;
  if (!check_header (header, error))
    return FALSE;
  if (is_cut (path, header, size))
    return refuse (error, DSQ_ERROR_CORRUPT, "the file is cut short");
  if (!dsq_log_origin_check (path, file, error))
    return FALSE;
  if (out_reader != NULL)
    *out_reader = g_steal_pointer (&database);
  return TRUE;
}

/* A file that is just being made may have two. */
gboolean
dsq_location_check_names (const char *path, GError **error)
{
  struct stat info;

  for (guint i = 0; i < CUT_TRIES; i++)
    {
      if (lstat (path, &info) != 0 || info.st_nlink <= 1)
        return TRUE;
      dsq_mutex_assert_may_wait ("a file to be whole");
      dsq_fork_sleep (CUT_WAIT_US);
    }
  return refuse (error,
                 DSQ_ERROR_NOT_REGULAR,
                 "the file has other names (hard links), under which it would have other logs: "
                 "remove those, or copy the file");
}

/* Whether the file can be read and, unless that is all, written and its folder written, as the user
 * that the process acts as. */
static gboolean
check_access (const char *path, gboolean for_reading, GError **error)
{
  g_autofree char *folder = NULL;

  if (faccessat (AT_FDCWD, path, R_OK, AT_EACCESS) != 0)
    {
      dsq_database_set_system_error (errno, OPEN_PURPOSE, error);
      return FALSE;
    }
  if (for_reading)
    return TRUE;
  if (faccessat (AT_FDCWD, path, W_OK, AT_EACCESS) != 0)
    return refuse (error, DSQ_ERROR_READ_ONLY, "the file cannot be written");
  /* the log and its index stand beside the file */
  folder = g_path_get_dirname (path);
  if (!dsq_location_has_index (path) && faccessat (AT_FDCWD, folder, W_OK, AT_EACCESS) != 0)
    return refuse (error, DSQ_ERROR_READ_ONLY, "the folder of the file cannot be written");
  return TRUE;
}

gboolean
dsq_location_inspect (const char *path,
                      gboolean for_reading,
                      DsqLocation *out_location,
                      DsqDatabase **out_reader,
                      GError **error)
{
  struct stat info;

  if (out_reader != NULL)
    *out_reader = NULL;
  if (lstat (path, &info) != 0)
    {
      if (errno != ENOENT)
        {
          dsq_database_set_system_error (errno, OPEN_PURPOSE, error);
          return FALSE;
        }
      *out_location = DSQ_LOCATION_MISSING;
      return dsq_sidecars_check (path, error) && dsq_sidecars_check_left (path, error);
    }
  if (S_ISLNK (info.st_mode))
    return refuse (error, DSQ_ERROR_NOT_REGULAR, "the path became that of a symbolic link");
  if (!S_ISREG (info.st_mode))
    return refuse (error, DSQ_ERROR_NOT_REGULAR, "the path is not that of a regular file");
  /* SQLite takes a file of one byte for an empty one */
  if (info.st_size == 1)
    return refuse (error, DSQ_ERROR_FORMAT, "it is not an SQLite file");
  return check_access (path, for_reading, error) && dsq_sidecars_check (path, error) &&
         (info.st_size > 0 || dsq_sidecars_check_left (path, error)) &&
         (for_reading || dsq_location_check_names (path, error)) &&
         inspect_content (path, out_location, out_reader, error);
}
