/* dsq-empty-place.c - where a store can be made, cleared of what lies there
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A log beside a new file would be taken to belong to it, and an index that somebody still has open
 * to tell what is in it. Who removes either must be sure that there is no file that it belongs to;
 * and who puts a file in the place of an empty one, that it is empty still. So that is done by one
 * process at a time, which has locked the folder: with nothing there, and so as a rule, no lock is
 * needed, for a name is given to one file only.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dsq-fork-private.h"
#include "base/dsq-mutex-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-database-private.h"
#include "sqlite/dsq-empty-place-private.h"
#include "sqlite/dsq-sidecars-private.h"

#define PURPOSE      "create the store"
#define LOCK_STEP_US 500

static gboolean
fail (int system_errno, GError **error)
{
  dsq_database_set_system_error (system_errno, PURPOSE, error);
  return FALSE;
}

gboolean
dsq_empty_place_has_file (const char *path)
{
  struct stat info;

  return lstat (path, &info) == 0;
}

/* A descriptor that holds the lock, or -1. */
static int
lock_folder_of (const char *path, guint busy_timeout_ms, GError **error)
{
  const gint64 began = dsq_patience_begin (0);
  g_autofree char *folder = g_path_get_dirname (path);
  int descriptor = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int system_errno = errno;

  while (descriptor >= 0 && flock (descriptor, LOCK_EX | LOCK_NB) != 0)
    {
      system_errno = errno;
      if ((errno == EWOULDBLOCK || errno == EINTR) &&
          dsq_patience_left (began, busy_timeout_ms, G_MAXUINT) > 0)
        {
          dsq_mutex_assert_may_wait ("the folder's lock");
          dsq_fork_sleep (LOCK_STEP_US);
          continue;
        }
      close (descriptor);
      descriptor = -1;
    }
  if (descriptor < 0)
    fail (system_errno, error);
  return descriptor;
}

static gboolean
fill_place (const char *path, DsqWorkFile *work, GError **error)
{
  struct stat info;
  gboolean ignored;
  gboolean is_there;

  /* what lies beside it is looked at first: a file that was made meanwhile may have brought it */
  if (!dsq_sidecars_check_left (path, error))
    return FALSE;
  is_there = lstat (path, &info) == 0;
  if (is_there && info.st_size > 0)
    return TRUE;
  dsq_sidecars_remove_left (path);
  return is_there ? dsq_work_file_replace (work, path, error)
                  : dsq_work_file_publish (work, path, &ignored, error);
}

gboolean
dsq_empty_place_fill (const char *path, DsqWorkFile *work, guint busy_timeout_ms, GError **error)
{
  gboolean ignored, filled;
  int descriptor;

  if (!dsq_empty_place_has_file (path) && dsq_sidecars_is_free (path))
    return dsq_work_file_publish (work, path, &ignored, error);
  descriptor = lock_folder_of (path, busy_timeout_ms, error);
  if (descriptor < 0)
    return FALSE;
  filled = fill_place (path, work, error);
  close (descriptor);
  return filled;
}
