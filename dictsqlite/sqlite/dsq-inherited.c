/* dsq-inherited.c - connections that a fork inherited, and the locks that they do not have
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A child of fork() inherits SQLite's books of the locks that the process has on each file, but not
 * the locks: they are POSIX's. Where the books say that a file is locked, SQLite only counts one
 * more who shares that, so a connection that the child opens would hold no lock at all. Others
 * would take it that nobody has the file, and start its log anew under it.
 *
 * So before a file is opened on which there are inherited connections, each of these gives back in
 * the books what it has: its part of the index of the log, then the file. Unlocking what is not
 * locked does nothing, and the parent's locks are out of reach. Such a connection is never used
 * again, nor closed, so that this need be done once. Afterwards the books are as if nobody had the
 * file; but for connections that are not ours, which is why it is looked whether the kernel knows
 * of the locks.
 */

#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/dsq-fork-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-inherited-private.h"

/* SQLite's os.h and os_unix.c: the bytes that who reads from a file shares, and the one that who
 * has the index of its log open shares. */
#define SHARED_FIRST 0x40000002
#define SHARED_LAST  (SHARED_FIRST + 509)
#define INDEX_BYTE   128

/* The kernel's list is read in pieces, between which others' locks come and go. */
#define LIST_TRIES 5

/* No holder of it waits or calls out, and all of them are inside: no child finds it locked. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static DsqDatabase *first; /* (unowned) (lock) all that are open */

/* --- the books -------------------------------------------------------------------------------- */

void
dsq_inherited_add (DsqDatabase *database, const char *path)
{
  struct stat info;

  if (stat (path, &info) == 0)
    {
      database->device = info.st_dev;
      database->inode = info.st_ino;
    }
  pthread_mutex_lock (&lock);
  database->next = first;
  if (first != NULL)
    first->previous = database;
  first = database;
  pthread_mutex_unlock (&lock);
}

void
dsq_inherited_remove (DsqDatabase *database)
{
  pthread_mutex_lock (&lock);
  if (database->next != NULL)
    database->next->previous = database->previous;
  if (database->previous != NULL)
    database->previous->next = database->next;
  else if (first == database)
    first = database->next;
  pthread_mutex_unlock (&lock);
}

static gboolean
is_inherited (const DsqDatabase *database, const struct stat *info)
{
  return database->stamp != dsq_fork_get_stamp () && database->device == info->st_dev &&
         database->inode == info->st_ino;
}

/* --- letting go ------------------------------------------------------------------------------- */

static void
let_go (DsqDatabase *database)
{
  sqlite3_file *file = NULL;

  database->has_let_go = TRUE;
  if (sqlite3_file_control (database->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file) !=
          SQLITE_OK ||
      file == NULL || file->pMethods == NULL)
    return;
  if (file->pMethods->iVersion >= 2 && file->pMethods->xShmUnmap != NULL)
    file->pMethods->xShmUnmap (file, 0);
  file->pMethods->xUnlock (file, SQLITE_LOCK_NONE);
}

void
dsq_inherited_let_go (const char *path)
{
  struct stat info;

  pthread_mutex_lock (&lock);
  if (first != NULL && stat (path, &info) == 0)
    for (DsqDatabase *database = first; database != NULL; database = database->next)
      if (!database->has_let_go && is_inherited (database, &info))
        let_go (database);
  pthread_mutex_unlock (&lock);
}

/* --- what the kernel knows -------------------------------------------------------------------- */

/* A file as the kernel's list of locks names it: by the device of its mount, which on some file
 * systems is not the one that stat() tells. */
typedef struct
{
  guint major;
  guint minor;
  guint64 inode;
} Name;

static void
ask_device_of_mount (guint64 mount, Name *name)
{
  g_autofree char *mounts = NULL;
  char *rest;

  if (!g_file_get_contents ("/proc/self/mountinfo", &mounts, NULL, NULL))
    return;
  for (char *line = strtok_r (mounts, "\n", &rest); line != NULL;
       line = strtok_r (NULL, "\n", &rest))
    {
      guint64 id;
      guint major, minor;

      if (sscanf (line, "%" G_GUINT64_FORMAT " %*u %u:%u", &id, &major, &minor) != 3 || id != mount)
        continue;
      name->major = major;
      name->minor = minor;
    }
}

static gboolean
find_name (const char *path, Name *out_name)
{
  struct statx info;

  if (statx (AT_FDCWD, path, 0, STATX_INO | STATX_MNT_ID, &info) != 0)
    return FALSE;
  *out_name = (Name){ info.stx_dev_major, info.stx_dev_minor, info.stx_ino };
  if (info.stx_mask & STATX_MNT_ID)
    ask_device_of_mount (info.stx_mnt_id, out_name);
  return TRUE;
}

/* Whether a line of the list says that this process has locked these bytes. One that waits for a
 * lock has an arrow before its kind. */
static gboolean
is_ours (const char *line, const Name *name, guint64 from, guint64 to)
{
  Name found;
  gint64 process;
  guint64 start, end;

  return sscanf (line,
                 "%*u: POSIX %*s %*s %" G_GINT64_FORMAT " %x:%x:%" G_GUINT64_FORMAT
                 " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                 &process,
                 &found.major,
                 &found.minor,
                 &found.inode,
                 &start,
                 &end) == 6 &&
         process == getpid () && found.major == name->major && found.minor == name->minor &&
         found.inode == name->inode && start <= from && end >= to;
}

static gboolean
holds_both (const Name *file, const Name *index)
{
  g_autofree char *list = NULL;
  gboolean has_file = FALSE, has_index = FALSE;
  char *rest;

  if (!g_file_get_contents ("/proc/locks", &list, NULL, NULL))
    return FALSE;
  for (char *line = strtok_r (list, "\n", &rest); line != NULL; line = strtok_r (NULL, "\n", &rest))
    {
      has_file |= is_ours (line, file, SHARED_FIRST, SHARED_LAST);
      has_index |= is_ours (line, index, INDEX_BYTE, INDEX_BYTE);
    }
  return has_file && has_index;
}

static gboolean
has_inherited (const char *path)
{
  gboolean found = FALSE;
  struct stat info;

  pthread_mutex_lock (&lock);
  if (stat (path, &info) == 0)
    for (DsqDatabase *database = first; database != NULL && !found; database = database->next)
      found = is_inherited (database, &info);
  pthread_mutex_unlock (&lock);
  return found;
}

gboolean
dsq_inherited_check_locks (const char *path, GError **error)
{
  g_autofree char *index_path = NULL;
  Name file, index;

  if (G_LIKELY (!has_inherited (path)))
    return TRUE;
  index_path = g_strconcat (path, "-shm", NULL);
  if (find_name (path, &file) && find_name (index_path, &index))
    for (guint i = 0; i < LIST_TRIES; i++)
      if (holds_both (&file, &index))
        return TRUE;
  g_set_error (
      error,
      DSQ_ERROR,
      DSQ_ERROR_FORKED,
      "Failed to open the store: the process that forked has it open, and the locks of one "
      "of its own cannot be seen; start such processes by forkserver or spawn");
  return FALSE;
}
