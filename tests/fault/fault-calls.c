/* fault-calls.c - system calls of SQLite and of the store, the n-th of which fails
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SQLite takes its system calls from a table that a program may change, all but those that sync;
 * these are defined here, before libc's, for the store as well as for SQLite.
 */

#include "fault-calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static Fault armed = { FAULT_N_KINDS, 0, 0, FALSE };
static gint n_calls[FAULT_N_KINDS]; /* (atomic) */
static gint was_met;                /* (atomic) */

static const char *const names[FAULT_N_KINDS + 1] = {
  "open", "read", "write",  "short",  "sync",   "truncate",
  "map",  "lock", "remove", "folder", "memory", "no",
};

const char *
fault_kind_get_name (FaultKind kind)
{
  return names[kind];
}

void
fault_arm (const Fault *fault)
{
  armed.kind = FAULT_N_KINDS;
  for (guint i = 0; i < FAULT_N_KINDS; i++)
    g_atomic_int_set (&n_calls[i], 0);
  g_atomic_int_set (&was_met, FALSE);
  if (fault != NULL)
    armed = *fault;
}

gboolean
fault_was_met (void)
{
  return g_atomic_int_get (&was_met);
}

guint
fault_get_n_calls (FaultKind kind)
{
  return (guint) g_atomic_int_get (&n_calls[kind]);
}

/* Counts a call; whether it is to fail, with errno set. */
static gboolean
fails (FaultKind kind)
{
  const guint n = (guint) g_atomic_int_add (&n_calls[kind], 1);

  if (armed.kind != kind || n < armed.n || (n > armed.n && !armed.stays))
    return FALSE;
  g_atomic_int_set (&was_met, TRUE);
  errno = armed.error;
  return TRUE;
}

/* --- the calls -------------------------------------------------------------------------------- */

static int (*next_open) (const char *path, int flags, int mode);
static ssize_t (*next_pread) (int fd, void *buffer, size_t length, off_t offset);
static ssize_t (*next_pwrite) (int fd, const void *bytes, size_t length, off_t offset);
static int (*next_truncate) (int fd, off_t size);
static void *(*next_map) (void *at, size_t length, int protection, int flags, int fd, off_t offset);
static int (*next_fcntl) (int fd, int command, ...);
static int (*next_remove) (const char *path);

static int
open_or_fail (const char *path, int flags, int mode)
{
  return fails (FAULT_OPEN) ? -1 : next_open (path, flags, mode);
}

static ssize_t
pread_or_fail (int fd, void *buffer, size_t length, off_t offset)
{
  return fails (FAULT_READ) ? -1 : next_pread (fd, buffer, length, offset);
}

static ssize_t
pwrite_or_fail (int fd, const void *bytes, size_t length, off_t offset)
{
  const guint n = (guint) g_atomic_int_add (&n_calls[FAULT_SHORT_WRITE], 1);

  if (armed.kind == FAULT_SHORT_WRITE && n >= armed.n)
    {
      g_atomic_int_set (&was_met, TRUE);
      if (n == armed.n && length > 1)
        return next_pwrite (fd, bytes, length / 2, offset);
      if (n == armed.n + 1 || armed.stays)
        {
          errno = armed.error;
          return -1;
        }
    }
  return fails (FAULT_WRITE) ? -1 : next_pwrite (fd, bytes, length, offset);
}

static int
truncate_or_fail (int fd, off_t size)
{
  return fails (FAULT_TRUNCATE) ? -1 : next_truncate (fd, size);
}

static void *
map_or_fail (void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
  return fails (FAULT_MAP) ? MAP_FAILED : next_map (at, length, protection, flags, fd, offset);
}

/* Locks are asked for and given back by it; giving back does not fail. */
static int
fcntl_or_fail (int fd, int command, ...)
{
  va_list list;
  void *argument;

  va_start (list, command);
  argument = va_arg (list, void *);
  va_end (list);
  if (command == F_SETLK && ((const struct flock *) argument)->l_type != F_UNLCK &&
      fails (FAULT_LOCK))
    return -1;
  return next_fcntl (fd, command, argument);
}

static int
remove_or_fail (const char *path)
{
  return fails (FAULT_REMOVE) ? -1 : next_remove (path);
}

static gboolean
sync_fails (int fd)
{
  struct stat info;

  return fails (fstat (fd, &info) == 0 && S_ISDIR (info.st_mode) ? FAULT_FOLDER_SYNC : FAULT_SYNC);
}

int
fsync (int fd)
{
  return sync_fails (fd) ? -1 : (int) syscall (SYS_fsync, fd);
}

int
fdatasync (int fd)
{
  return sync_fails (fd) ? -1 : (int) syscall (SYS_fdatasync, fd);
}

/* --- memory ----------------------------------------------------------------------------------- */

static sqlite3_mem_methods memory;

static void *
allocate_or_fail (int length)
{
  return fails (FAULT_MEMORY) ? NULL : memory.xMalloc (length);
}

static void *
reallocate_or_fail (void *bytes, int length)
{
  return fails (FAULT_MEMORY) ? NULL : memory.xRealloc (bytes, length);
}

/* --- installing ------------------------------------------------------------------------------- */

static void
replace (const char *name, gpointer call, gpointer out_next)
{
  sqlite3_vfs *vfs = sqlite3_vfs_find (NULL);
  sqlite3_syscall_ptr next = vfs->xGetSystemCall (vfs, name);

  /* of two that do the same by other widths one is none */
  if (next == NULL)
    return;
  *(sqlite3_syscall_ptr *) out_next = next;
  g_assert_cmpint (vfs->xSetSystemCall (vfs, name, (sqlite3_syscall_ptr) call), ==, SQLITE_OK);
}

void
fault_install (void)
{
  sqlite3_mem_methods failing;

  g_assert_cmpint (sqlite3_config (SQLITE_CONFIG_GETMALLOC, &memory), ==, SQLITE_OK);
  failing = memory;
  failing.xMalloc = allocate_or_fail;
  failing.xRealloc = reallocate_or_fail;
  g_assert_cmpint (sqlite3_config (SQLITE_CONFIG_MALLOC, &failing), ==, SQLITE_OK);
  sqlite3_initialize ();
  replace ("open", (gpointer) open_or_fail, &next_open);
  replace ("pread", (gpointer) pread_or_fail, &next_pread);
  replace ("pread64", (gpointer) pread_or_fail, &next_pread);
  replace ("pwrite", (gpointer) pwrite_or_fail, &next_pwrite);
  replace ("pwrite64", (gpointer) pwrite_or_fail, &next_pwrite);
  replace ("ftruncate", (gpointer) truncate_or_fail, &next_truncate);
  replace ("mmap", (gpointer) map_or_fail, &next_map);
  replace ("fcntl", (gpointer) fcntl_or_fail, &next_fcntl);
  replace ("unlink", (gpointer) remove_or_fail, &next_remove);
  g_assert_true (next_pread != NULL && next_pwrite != NULL);
}
