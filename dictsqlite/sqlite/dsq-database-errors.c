/* dsq-database-errors.c - what SQLite's result codes mean to the user
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/dsq-call-private.h"
#include "base/dsq-fork-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-database-private.h"

static DsqError
code_of_errno (int system_errno)
{
  switch (system_errno)
    {
    case ENOSPC:
    case EDQUOT:
      return DSQ_ERROR_NO_SPACE;
    case EFBIG:
      return DSQ_ERROR_TOO_LARGE;
    case EMFILE:
    case ENFILE:
      return DSQ_ERROR_TOO_MANY_FILES;
    case ENAMETOOLONG:
      return DSQ_ERROR_NAME_TOO_LONG;
    case EROFS:
      return DSQ_ERROR_READ_ONLY;
    case EACCES:
    case EPERM:
      return DSQ_ERROR_PERMISSION;
    case ENOENT:
    case ENOTDIR:
      return DSQ_ERROR_NOT_FOUND;
    case EISDIR:
    case ELOOP:
      return DSQ_ERROR_NOT_REGULAR;
    default:
      return DSQ_ERROR_IO;
    }
}

void
dsq_database_set_system_error (int system_errno, const char *purpose, GError **error)
{
  g_set_error (error,
               DSQ_ERROR,
               (int) code_of_errno (system_errno),
               "Failed to %s: %s",
               purpose,
               g_strerror (system_errno));
}

/* On a file that is open, errno tells these from the rest. */
static gboolean
is_told_by_errno (DsqError meaning)
{
  return meaning == DSQ_ERROR_NO_SPACE || meaning == DSQ_ERROR_READ_ONLY ||
         meaning == DSQ_ERROR_TOO_LARGE || meaning == DSQ_ERROR_TOO_MANY_FILES;
}

static void
set_io_error (int code, int system_errno, const char *purpose, GError **error)
{
  DsqError meaning = code_of_errno (system_errno);

  if (!is_told_by_errno (meaning))
    meaning = code == SQLITE_IOERR_NOMEM ? DSQ_ERROR_FAILED : DSQ_ERROR_IO;
  g_set_error (error,
               DSQ_ERROR,
               (int) meaning,
               "Failed to %s: %s%s%s",
               purpose,
               sqlite3_errstr (code),
               system_errno != 0 ? ", " : "",
               system_errno != 0 ? g_strerror (system_errno) : "");
}

/* What SQLite cannot make it tries to open to be read, and tells the errno of that. Why it could
 * not be made shows in what is wrong now; 0 where nothing is. */
static int
find_why_not_made (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  struct statvfs medium;
  int descriptor = open ("/dev/null", O_RDONLY | O_CLOEXEC);

  if (descriptor < 0)
    return errno;
  close (descriptor);
  if (statvfs (folder, &medium) != 0)
    return errno;
  if ((medium.f_flag & ST_RDONLY) != 0)
    return EROFS;
  return medium.f_bavail == 0 || (medium.f_files > 0 && medium.f_favail == 0) ? ENOSPC : EMFILE;
}

static gboolean
is_log_missing (DsqDatabase *self)
{
  const char *path = sqlite3_db_filename (self->handle, "main");
  g_autofree char *folder = path != NULL ? g_path_get_dirname (path) : NULL;

  return folder != NULL && access (path, F_OK) == 0 && access (folder, W_OK) == 0;
}

/* What SQLite writes into the log's head. It cannot open one of another version, and says no more
 * of it than of a file that the system cannot open. */
#define LOG_VERSION    3007000
#define LOG_AT_VERSION 4

static gboolean
is_log_of_another_version (DsqDatabase *self)
{
  const char *path = self->handle != NULL ? sqlite3_db_filename (self->handle, "main") : NULL;
  sqlite3_file *log = NULL;
  guint32 version;

  /* a private file has a journal in that place */
  return path != NULL && path[0] != '\0' &&
         sqlite3_file_control (self->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) ==
             SQLITE_OK &&
         log != NULL && log->pMethods != NULL &&
         log->pMethods->xRead (log, &version, sizeof version, LOG_AT_VERSION) == SQLITE_OK &&
         GUINT32_FROM_BE (version) != LOG_VERSION;
}

/* The log, and the file. */
static const int pointers[] = { SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER };

/* What the system said last of the log, or of the file. SQLite forgets it where a commit fails. */
static int
last_errno_of_files (sqlite3 *handle)
{

  for (guint i = 0; i < G_N_ELEMENTS (pointers); i++)
    {
      sqlite3_file *file = NULL;
      int system_errno = 0;

      if (sqlite3_file_control (handle, "main", pointers[i], &file) == SQLITE_OK && file != NULL &&
          file->pMethods != NULL &&
          file->pMethods->xFileControl (file, SQLITE_FCNTL_LAST_ERRNO, &system_errno) ==
              SQLITE_OK &&
          system_errno != 0)
        return system_errno;
    }
  return 0;
}

guint64
dsq_database_measure (DsqDatabase *self)
{
  guint64 n_bytes = 0;

  for (guint i = 0; i < G_N_ELEMENTS (pointers); i++)
    {
      sqlite3_file *file = NULL;
      sqlite3_int64 length;

      if (sqlite3_file_control (self->handle, "main", pointers[i], &file) == SQLITE_OK &&
          file != NULL && file->pMethods != NULL &&
          file->pMethods->xFileSize (file, &length) == SQLITE_OK)
        n_bytes += (guint64) MAX (length, 0);
    }
  return n_bytes;
}

/* Whether somebody cut the file to nothing, which SQLite reads as zeros. */
static gboolean
was_cut_to_nothing (DsqDatabase *self, int code)
{
  const char *path = self->handle != NULL ? sqlite3_db_filename (self->handle, "main") : NULL;
  struct stat info;

  switch (code & 0xFF)
    {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
    case SQLITE_ERROR:
      return path != NULL && path[0] != '\0' && lstat (path, &info) == 0 && info.st_size == 0;
    default:
      return FALSE;
    }
}

/* SQLite's message is left out: it may quote what a hostile file says. */
void
dsq_database_set_error (DsqDatabase *self, int code, const char *purpose, GError **error)
{
  int system_errno = self->handle != NULL ? sqlite3_system_errno (self->handle) : 0;
  DsqError meaning = DSQ_ERROR_FAILED;

  /* of a page beyond the file's end, where a long value is read past SQLite's cache */
  if (code == SQLITE_IOERR_SHORT_READ)
    code = SQLITE_CORRUPT;
  if (was_cut_to_nothing (self, code))
    {
      g_set_error (error,
                   DSQ_ERROR,
                   DSQ_ERROR_FORMAT,
                   "Failed to %s: the file was cut to nothing; restore it from a backup",
                   purpose);
      return;
    }
  switch (code & 0xFF)
    {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      if (!self->is_unstoppable && !dsq_call_check (error))
        return;
      meaning = DSQ_ERROR_BUSY;
      break;
    case SQLITE_FULL:
      self->found_full = TRUE;
      meaning = DSQ_ERROR_NO_SPACE;
      break;
    case SQLITE_READONLY:
      meaning = DSQ_ERROR_READ_ONLY;
      break;
    case SQLITE_PERM:
    case SQLITE_AUTH:
      meaning = DSQ_ERROR_PERMISSION;
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
      meaning = DSQ_ERROR_CORRUPT;
      break;
    case SQLITE_INTERRUPT:
      if (self->is_endless)
        {
          self->is_endless = FALSE;
          g_set_error (error,
                       DSQ_ERROR,
                       DSQ_ERROR_CORRUPT,
                       "Failed to %s: the file is damaged, and reading it would not end",
                       purpose);
          return;
        }
      if (self->deadline != 0)
        {
          g_set_error (error,
                       DSQ_ERROR,
                       DSQ_ERROR_FORMAT,
                       "Failed to %s: the file takes too long to verify",
                       purpose);
          return;
        }
      g_set_error (error,
                   G_IO_ERROR,
                   G_IO_ERROR_CANCELLED,
                   "Failed to %s: it was cancelled",
                   purpose);
      return;
    case SQLITE_CANTOPEN:
      if (is_log_of_another_version (self))
        {
          g_set_error (error,
                       DSQ_ERROR,
                       DSQ_ERROR_FORMAT,
                       "Failed to %s: its log is of another version of SQLite",
                       purpose);
          return;
        }
      if (code == SQLITE_CANTOPEN_SYMLINK)
        system_errno = ELOOP;
      else if (system_errno == ENOENT && is_log_missing (self))
        system_errno = find_why_not_made (sqlite3_db_filename (self->handle, "main"));
      if (system_errno != 0)
        {
          dsq_database_set_system_error (system_errno, purpose, error);
          return;
        }
      meaning = DSQ_ERROR_IO;
      break;
    case SQLITE_IOERR:
      if (system_errno == 0 && self->handle != NULL)
        system_errno = last_errno_of_files (self->handle);
      set_io_error (code, system_errno, purpose, error);
      return;
    case SQLITE_ERROR:
      /* what is wrong with a statement of ours can only be the file */
      if (self->deadline != 0)
        meaning = DSQ_ERROR_FORMAT;
      break;
    default:
      break;
    }
  g_set_error (error, DSQ_ERROR, (int) meaning, "Failed to %s: %s", purpose, sqlite3_errstr (code));
}

gboolean
dsq_database_refuse_inherited (const char *purpose, GError **error)
{
  if (purpose != NULL)
    g_set_error (error,
                 DSQ_ERROR,
                 DSQ_ERROR_FORKED,
                 "Failed to %s: the store was inherited by fork; open one in the child",
                 purpose);
  return FALSE;
}
