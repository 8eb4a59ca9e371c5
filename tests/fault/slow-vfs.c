/* slow-vfs.c - a file system on which reads, and syncs of logs, take their time
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "slow-vfs.h"

/* The default VFS, but that a file which it has opened gets a table of methods with another xRead,
 * and a log, whose methods are others, one with another xSync. So a file stays what it was, and
 * nothing has to be passed on. */
static sqlite3_vfs slow_vfs;
static sqlite3_vfs *real_vfs;
static const sqlite3_io_methods *real_methods;
static sqlite3_io_methods slow_methods;
static unsigned delay;   /* (atomic) */
static unsigned n_reads; /* (atomic) */

static const sqlite3_io_methods *real_log_methods;
static sqlite3_io_methods slow_log_methods;
static unsigned sync_delay; /* (atomic) */
static unsigned n_syncs;    /* (atomic) */

/* Microseconds between two looks at that. */
#define SLICE 5000

static int
slow_read (sqlite3_file *file, void *buffer, int length, sqlite3_int64 offset)
{
  unsigned microseconds = __atomic_load_n (&delay, __ATOMIC_RELAXED);

  __atomic_fetch_add (&n_reads, 1, __ATOMIC_RELAXED);
  if (microseconds > 0)
    usleep (microseconds);
  return real_methods->xRead (file, buffer, length, offset);
}

static int
slow_sync (sqlite3_file *file, int flags)
{
  __atomic_fetch_add (&n_syncs, 1, __ATOMIC_RELAXED);
  /* a shorter delay that is set meanwhile holds for this sync, too */
  for (unsigned slept = 0; slept < __atomic_load_n (&sync_delay, __ATOMIC_RELAXED); slept += SLICE)
    usleep (SLICE);
  return real_log_methods->xSync (file, flags);
}

static int
slow_open (sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
  int code = real_vfs->xOpen (real_vfs, name, file, flags, out_flags);

  /* those of the default VFS for files with POSIX locks; anything else stays as fast as it is */
  if (code == SQLITE_OK && file->pMethods == real_methods)
    file->pMethods = &slow_methods;
  if (code == SQLITE_OK && file->pMethods == real_log_methods)
    file->pMethods = &slow_log_methods;
  return code;
}

/* The methods are those that a file which nobody has opened yet gets. */
static void
find_methods (void)
{
  char path[] = "/tmp/slow-vfs-XXXXXX";
  sqlite3_file *file = NULL;
  sqlite3_file *log = NULL;
  sqlite3 *database;
  int descriptor = mkstemp (path);

  if (descriptor < 0 || close (descriptor) != 0)
    return;
  if (sqlite3_open_v2 (path, &database, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
      sqlite3_exec (database, "PRAGMA schema_version", NULL, NULL, NULL) == SQLITE_OK &&
      sqlite3_exec (database, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) == SQLITE_OK &&
      sqlite3_exec (database, "CREATE TABLE t (x)", NULL, NULL, NULL) == SQLITE_OK &&
      sqlite3_file_control (database, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK &&
      sqlite3_file_control (database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK)
    {
      real_methods = file->pMethods;
      real_log_methods = log->pMethods;
    }
  sqlite3_close_v2 (database);
  unlink (path);
}

void
slow_vfs_install (void)
{
  if (real_vfs != NULL)
    return;
  find_methods ();
  if (real_methods == NULL)
    return;
  slow_methods = *real_methods;
  slow_methods.xRead = slow_read;
  slow_log_methods = *real_log_methods;
  slow_log_methods.xSync = slow_sync;
  real_vfs = sqlite3_vfs_find (NULL);
  slow_vfs = *real_vfs;
  slow_vfs.zName = "slow";
  slow_vfs.xOpen = slow_open;
  sqlite3_vfs_register (&slow_vfs, 1);
}

void
slow_vfs_set_delay (unsigned microseconds)
{
  __atomic_store_n (&delay, microseconds, __ATOMIC_RELAXED);
}

void
slow_vfs_set_sync_delay (unsigned microseconds)
{
  __atomic_store_n (&sync_delay, microseconds, __ATOMIC_RELAXED);
}

unsigned
slow_vfs_count_reads (void)
{
  return __atomic_load_n (&n_reads, __ATOMIC_RELAXED);
}

unsigned
slow_vfs_count_syncs (void)
{
  return __atomic_load_n (&n_syncs, __ATOMIC_RELAXED);
}
