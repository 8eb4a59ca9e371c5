/* dsq-vfs.c - SQLite's way to the files, without rollback journals
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whoever opens a database beside which there is a hot journal has SQLite write what the journal
 * says into it, and then remove the file that the journal names: before a byte of either has been
 * looked at. A store is in WAL mode from its first moment, and what is written outside of it is
 * journalled in memory. So on connections of ours there are no rollback journals: SQLite is told
 * that none is there, can open none, and can remove nothing but a log. A log is never opened
 * through a symbolic link.
 *
 * Everything else is the default VFS's, whichever that is at the time. The files that it opens are
 * its own, but that a read which the medium failed is told as such: SQLite takes some errors, EIO
 * among them, for damage of the file. A log's lies behind one of ours. Work files, which may have
 * no name, are descriptors of ours.
 */

#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

#include "sqlite/dsq-descriptor-file-private.h"
#include "sqlite/dsq-log-file-private.h"
#include "sqlite/dsq-vfs-private.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sqlite3_vfs vfs;   /* constant once it is registered, but for its size */
static sqlite3_vfs *base; /* (unowned) (atomic) the default one */
static char name[32];     /* constant once it is registered */

static sqlite3_vfs *
get_base (void)
{
  return __atomic_load_n (&base, __ATOMIC_ACQUIRE);
}

/* --- files ------------------------------------------------------------------------------------ */

/* The methods of a kind of file, with one of ours among them. */
typedef struct
{
  sqlite3_io_methods methods;       /* the first field: a file points here */
  const sqlite3_io_methods *behind; /* (unowned) the file's own */
} Methods;

#define MAX_METHODS 16

static Methods all_methods[MAX_METHODS]; /* constant once they are counted */
static guint n_methods;                  /* (atomic) changed under @lock */

static int
read_file (sqlite3_file *file, void *buffer, int length, sqlite3_int64 offset)
{
  int code = ((const Methods *) file->pMethods)->behind->xRead (file, buffer, length, offset);

  return code == SQLITE_IOERR_CORRUPTFS ? SQLITE_IOERR_READ : code;
}

static const Methods *
find_methods (const sqlite3_io_methods *behind, guint n)
{
  for (guint i = 0; i < n; i++)
    if (all_methods[i].behind == behind)
      return &all_methods[i];
  return NULL;
}

/* There are as many kinds as the VFS has ways to lock; of one too many the reads are its own. */
static void
take_over_reads (sqlite3_file *file)
{
  const sqlite3_io_methods *behind = file->pMethods;
  const Methods *found = find_methods (behind, __atomic_load_n (&n_methods, __ATOMIC_ACQUIRE));

  if (found == NULL)
    {
      pthread_mutex_lock (&lock);
      found = find_methods (behind, n_methods);
      if (found == NULL && n_methods < MAX_METHODS)
        {
          Methods *made = &all_methods[n_methods];

          made->methods = *behind;
          made->methods.xRead = read_file;
          made->behind = behind;
          __atomic_store_n (&n_methods, n_methods + 1, __ATOMIC_RELEASE);
          found = made;
        }
      pthread_mutex_unlock (&lock);
    }
  if (found != NULL)
    file->pMethods = &found->methods;
}

static int
open_descriptor (const char *path, sqlite3_file *file, int flags, int *out_flags)
{
  guint64 number;

  if ((flags & SQLITE_OPEN_MAIN_DB) == 0 ||
      !g_ascii_string_to_unsigned (path + strlen (DSQ_VFS_DESCRIPTORS),
                                   10,
                                   0,
                                   G_MAXINT,
                                   &number,
                                   NULL))
    return SQLITE_CANTOPEN;
  dsq_descriptor_file_init (file, (int) number);
  if (out_flags != NULL)
    *out_flags = flags;
  return SQLITE_OK;
}

static int
open_real (const char *path, sqlite3_file *file, int flags, int *out_flags)
{
  sqlite3_vfs *real = get_base ();
  int code;

  file->pMethods = NULL;
  code = real->xOpen (real, path, file, flags, out_flags);
  if (code == SQLITE_OK && file->pMethods != NULL)
    take_over_reads (file);
  return code;
}

static int
open_log (const char *path, sqlite3_file *file, int flags, int *out_flags)
{
  sqlite3_file *behind = dsq_log_file_get_behind (file);
  int code = open_real (path, behind, flags | SQLITE_OPEN_NOFOLLOW, out_flags);

  /* one that failed may have to be closed all the same */
  if (behind->pMethods != NULL)
    dsq_log_file_init (file);
  return code;
}

static int
open_file (sqlite3_vfs *self, const char *path, sqlite3_file *file, int flags, int *out_flags)
{
  file->pMethods = NULL;
  if ((flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL)) != 0)
    {
      errno = EPERM;
      return SQLITE_CANTOPEN;
    }
  if (path != NULL && g_str_has_prefix (path, DSQ_VFS_DESCRIPTORS))
    return open_descriptor (path, file, flags, out_flags);
  if ((flags & SQLITE_OPEN_WAL) != 0)
    return open_log (path, file, flags, out_flags);
  return open_real (path, file, flags, out_flags);
}

/* --- names ------------------------------------------------------------------------------------ */

static int
remove_file (sqlite3_vfs *self, const char *path, int sync_folder)
{
  sqlite3_vfs *real = get_base ();

  if (!g_str_has_suffix (path, "-wal"))
    return SQLITE_IOERR_DELETE;
  return real->xDelete (real, path, sync_folder);
}

static int
ask_access (sqlite3_vfs *self, const char *path, int flags, int *out_result)
{
  sqlite3_vfs *real = get_base ();

  *out_result = 0;
  if (g_str_has_suffix (path, "-journal"))
    return SQLITE_OK;
  return real->xAccess (real, path, flags, out_result);
}

static int
make_full (sqlite3_vfs *self, const char *path, int size, char *out_path)
{
  sqlite3_vfs *real = get_base ();

  if (!g_str_has_prefix (path, DSQ_VFS_DESCRIPTORS))
    return real->xFullPathname (real, path, size, out_path);
  return g_strlcpy (out_path, path, (gsize) size) < (gsize) size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int
get_file_size (const sqlite3_vfs *real)
{
  return MAX (dsq_log_file_get_size () + real->szOsFile, dsq_descriptor_file_get_size ());
}

static void
register_over (sqlite3_vfs *real)
{
  vfs = *real;
  g_snprintf (name, sizeof name, "dsq-%p", (void *) &vfs);
  vfs.szOsFile = get_file_size (real);
  vfs.pNext = NULL;
  vfs.zName = name;
  vfs.xOpen = open_file;
  vfs.xDelete = remove_file;
  vfs.xAccess = ask_access;
  vfs.xFullPathname = make_full;
  sqlite3_vfs_register (&vfs, FALSE);
}

const char *
dsq_vfs_get_name (void)
{
  sqlite3_vfs *real = sqlite3_vfs_find (NULL);

  if (G_LIKELY (real != NULL && real == get_base ()))
    return name;
  if (real == NULL)
    return NULL;
  pthread_mutex_lock (&lock);
  if (get_base () == NULL)
    register_over (real);
  else
    vfs.szOsFile = MAX (vfs.szOsFile, get_file_size (real));
  __atomic_store_n (&base, real, __ATOMIC_RELEASE);
  pthread_mutex_unlock (&lock);
  return name;
}
