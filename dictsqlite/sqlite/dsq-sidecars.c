/* dsq-sidecars.c - what stands beside a store's file, told before SQLite touches it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SQLite takes what has the right name: it would write what another user's log says into the file,
 * and cut whatever an index is a second name of. It is looked at by name, without being opened: who
 * may exchange it between the look and SQLite's opening may write in the folder, and could exchange
 * the file as well.
 */

#include "config.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/dsq-utf8-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-database-private.h"
#include "sqlite/dsq-sidecars-private.h"

#define PURPOSE "open the store"

static gboolean
refuse (const char *path, DsqError code, const char *cause, GError **error)
{
  g_autofree char *shown = dsq_utf8_show (path);

  g_set_error (error,
               DSQ_ERROR,
               (int) code,
               "Failed to " PURPOSE ": '%s' beside it %s",
               shown,
               cause);
  return FALSE;
}

/* FALSE with an error where it cannot be told whether there is a file. */
static gboolean
look (const char *path, struct stat *out_info, gboolean *out_is_there, GError **error)
{
  *out_is_there = lstat (path, out_info) == 0;
  if (*out_is_there || errno == ENOENT)
    return TRUE;
  dsq_database_set_system_error (errno, PURPOSE, error);
  return FALSE;
}

/* The main file is NULL where there is none. */
static gboolean
is_trusted (const struct stat *sidecar, const struct stat *file)
{
  if (sidecar->st_uid == geteuid () || sidecar->st_uid == 0)
    return TRUE;
  if (file == NULL)
    return FALSE;
  return sidecar->st_uid == file->st_uid ||
         ((file->st_mode & S_IWGRP) != 0 && sidecar->st_gid == file->st_gid &&
          (sidecar->st_mode & 07777) == (file->st_mode & 07777));
}

static gboolean
check_one (const char *path, const char *suffix, const struct stat *file, GError **error)
{
  g_autofree char *sidecar = g_strconcat (path, suffix, NULL);
  struct stat info;
  gboolean is_there;

  if (!look (sidecar, &info, &is_there, error))
    return FALSE;
  if (!is_there)
    return TRUE;
  if (!S_ISREG (info.st_mode))
    return refuse (sidecar, DSQ_ERROR_NOT_REGULAR, "is not a regular file; move it away", error);
  if (info.st_nlink > 1)
    return refuse (sidecar,
                   DSQ_ERROR_NOT_REGULAR,
                   "has another name as well (a hard link); move it away",
                   error);
  return is_trusted (&info, file) ||
         refuse (sidecar,
                 DSQ_ERROR_PERMISSION,
                 "belongs to another user than the file; move it away, or have that user open the "
                 "store",
                 error);
}

static gboolean
check_journal (const char *path, GError **error)
{
  g_autofree char *journal = g_strconcat (path, "-journal", NULL);
  struct stat info;
  gboolean is_there;

  if (!look (journal, &info, &is_there, error))
    return FALSE;
  if (!is_there || (S_ISREG (info.st_mode) && info.st_size == 0))
    return TRUE;
  return refuse (journal,
                 DSQ_ERROR_FORMAT,
                 "is a rollback journal, which no store has: rolling it back would "
                 "change the file, and may remove another one. Where another program was writing "
                 "to the file, have that program open it; else move the journal away",
                 error);
}

gboolean
dsq_sidecars_check (const char *path, GError **error)
{
  struct stat info;
  gboolean is_there;

  return look (path, &info, &is_there, error) && check_journal (path, error) &&
         check_one (path, "-wal", is_there ? &info : NULL, error) &&
         check_one (path, "-shm", is_there ? &info : NULL, error);
}

gboolean
dsq_sidecars_check_left (const char *path, GError **error)
{
  g_autofree char *log = g_strconcat (path, "-wal", NULL);
  struct stat file, info;
  gboolean was_cut, is_there;

  if (!look (path, &file, &was_cut, error) || !look (log, &info, &is_there, error))
    return FALSE;
  if (!is_there || info.st_size == 0 || (was_cut && file.st_size > 0))
    return TRUE;
  return refuse (log,
                 was_cut ? DSQ_ERROR_FORMAT : DSQ_ERROR_EXISTS,
                 was_cut ? "is the log of a store, whose file was cut to nothing: restore that "
                           "file, or move the log away"
                         : "is the log of a file that is gone, and may hold what was written last: "
                           "bring that file back, or move the log away",
                 error);
}

void
dsq_sidecars_remove_left (const char *path)
{
  g_autofree char *log = g_strconcat (path, "-wal", NULL);
  g_autofree char *index = g_strconcat (path, "-shm", NULL);

  unlink (log);
  unlink (index);
}

gboolean
dsq_sidecars_is_free (const char *path)
{
  static const char *const suffixes[] = { "-wal", "-shm", "-journal" };

  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
    {
      g_autofree char *sidecar = g_strconcat (path, suffixes[i], NULL);
      struct stat info;

      if (lstat (sidecar, &info) == 0)
        return FALSE;
    }
  return TRUE;
}
