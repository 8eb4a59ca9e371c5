/* fault-vfs.c - the system calls that SQLite makes: failing, slow or recorded
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SQLite takes its system calls from a table that a program may change, all but those that sync;
 * these are defined here, before libc's, for the store as well as for SQLite. A program that links
 * this file has them so; one that loads it has it loaded first, by LD_PRELOAD.
 */

#include "fault-vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define N_FILES         4    /* bits of FaultFiles */
#define MAX_DESCRIPTORS 4096 /* that are told from others */
#define SLICE_US        5000 /* of a delay, which may get shorter meanwhile */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Fault armed = { .kind = FAULT_N_KINDS }; /* (mutex lock) */
static guint n_until;                           /* (mutex lock) calls that match the one armed */
static guint n_calls[FAULT_N_KINDS][N_FILES];   /* (atomic) */
static guint delays[FAULT_UNLOCK + 1][N_FILES]; /* (atomic) microseconds */
static gint was_met;                            /* (atomic) */
static _Thread_local gboolean is_watched;
static guint n_watched; /* (atomic) */
static void (*recorder) (const FaultCall *call);
static guint8 opened[MAX_DESCRIPTORS]; /* (atomic) FaultFiles of what SQLite has open */

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
  pthread_mutex_lock (&lock);
  armed = fault != NULL ? *fault : (Fault){ .kind = FAULT_N_KINDS };
  if (armed.files == 0)
    armed.files = FAULT_ALL;
  n_until = 0;
  for (guint i = 0; i < FAULT_N_KINDS * N_FILES; i++)
    __atomic_store_n (&n_calls[i / N_FILES][i % N_FILES], 0, __ATOMIC_RELAXED);
  g_atomic_int_set (&was_met, FALSE);
  pthread_mutex_unlock (&lock);
}

gboolean
fault_was_met (void)
{
  return g_atomic_int_get (&was_met);
}

guint
fault_get_n_calls (FaultKind kind, FaultFiles files)
{
  guint n = 0;

  for (guint i = 0; i < N_FILES; i++)
    if ((files & (1u << i)) != 0)
      n += __atomic_load_n (&n_calls[kind][i], __ATOMIC_RELAXED);
  return n;
}

void
fault_set_delay (FaultKind kind, FaultFiles files, guint microseconds)
{
  for (guint i = 0; i < N_FILES; i++)
    if ((files & (1u << i)) != 0)
      __atomic_store_n (&delays[kind][i], microseconds, __ATOMIC_RELAXED);
}

void
fault_record (void (*record) (const FaultCall *call))
{
  recorder = record;
}

void
fault_watch_thread (void)
{
  is_watched = TRUE;
}

guint
fault_get_n_watched (void)
{
  return __atomic_load_n (&n_watched, __ATOMIC_RELAXED);
}

static void
be_slow (FaultKind kind, FaultFiles file)
{
  const guint at = (guint) g_bit_nth_lsf (file, -1);

  for (guint slept = 0; slept < __atomic_load_n (&delays[kind][at], __ATOMIC_RELAXED);
       slept += SLICE_US)
    g_usleep (SLICE_US);
}

static void
count (FaultKind kind, FaultFiles file)
{
  __atomic_fetch_add (&n_calls[kind][g_bit_nth_lsf (file, -1)], 1, __ATOMIC_RELAXED);
  if (is_watched && kind != FAULT_MEMORY)
    __atomic_fetch_add (&n_watched, 1, __ATOMIC_RELAXED);
  be_slow (kind, file);
}

/* Counts a call; whether it is to fail, with errno set. With @out_half a first call may have half
 * of it done, and the one behind it fails. */
static gboolean
fails (FaultKind kind, FaultFiles file, gboolean *out_half)
{
  const guint n_met = out_half != NULL ? 2 : 1;
  gboolean is_met = FALSE;
  guint n;

  count (kind, file);
  pthread_mutex_lock (&lock);
  if (armed.kind == kind && (armed.files & file) != 0)
    {
      n = n_until++;
      is_met = n >= armed.n && (n < armed.n + n_met || armed.stays);
      if (is_met)
        g_atomic_int_set (&was_met, TRUE);
      if (out_half != NULL)
        *out_half = n == armed.n;
      errno = is_met ? armed.error : errno;
    }
  pthread_mutex_unlock (&lock);
  return is_met;
}

static void
tell (FaultKind kind, FaultFiles file, const void *bytes, gsize length, gint64 offset)
{
  const FaultCall call = { kind, file, bytes, length, offset };

  if (recorder != NULL)
    recorder (&call);
}

/* --- whose call it is ------------------------------------------------------------------------- */

static FaultFiles
file_of_path (const char *path)
{
  if (g_str_has_suffix (path, "-wal"))
    return FAULT_LOG;
  if (g_str_has_suffix (path, "-shm") || g_file_test (path, G_FILE_TEST_IS_DIR))
    return FAULT_OTHER;
  return strstr (path, "/etilqs_") != NULL ? FAULT_TEMPORARY : FAULT_STORE;
}

static FaultFiles
file_of (int fd)
{
  guint8 file = fd >= 0 && fd < MAX_DESCRIPTORS ? __atomic_load_n (&opened[fd], __ATOMIC_RELAXED)
                                                : 0;

  return file != 0 ? file : FAULT_OTHER;
}

static void
note_opened (int fd, FaultFiles file)
{
  if (fd >= 0 && fd < MAX_DESCRIPTORS)
    __atomic_store_n (&opened[fd], (guint8) file, __ATOMIC_RELAXED);
}

/* --- the calls -------------------------------------------------------------------------------- */

static int (*next_open) (const char *path, int flags, int mode);
static int (*next_close) (int fd);
static ssize_t (*next_pread) (int fd, void *buffer, size_t length, off_t offset);
static ssize_t (*next_pwrite) (int fd, const void *bytes, size_t length, off_t offset);
static int (*next_truncate) (int fd, off_t size);
static void *(*next_map) (void *at, size_t length, int protection, int flags, int fd, off_t offset);
static int (*next_fcntl) (int fd, int command, ...);
static int (*next_remove) (const char *path);

static int
open_or_fail (const char *path, int flags, int mode)
{
  const FaultFiles file = file_of_path (path);
  int fd;

  if (fails (FAULT_OPEN, file, NULL))
    return -1;
  if ((flags & O_CREAT) != 0 && recorder != NULL && access (path, F_OK) != 0)
    tell (FAULT_OPEN, file, NULL, 0, 0);
  fd = next_open (path, flags, mode);
  note_opened (fd, file);
  return fd;
}

static int
close_noted (int fd)
{
  note_opened (fd, 0);
  return next_close (fd);
}

static ssize_t
pread_or_fail (int fd, void *buffer, size_t length, off_t offset)
{
  return fails (FAULT_READ, file_of (fd), NULL) ? -1 : next_pread (fd, buffer, length, offset);
}

static ssize_t
pwrite_or_fail (int fd, const void *bytes, size_t length, off_t offset)
{
  const FaultFiles file = file_of (fd);
  gboolean is_half = FALSE;

  if (fails (FAULT_SHORT_WRITE, file, &is_half) && (!is_half || length > 1))
    return is_half ? next_pwrite (fd, bytes, length / 2, offset) : -1;
  if (fails (FAULT_WRITE, file, NULL))
    return -1;
  tell (FAULT_WRITE, file, bytes, length, offset);
  return next_pwrite (fd, bytes, length, offset);
}

static int
truncate_or_fail (int fd, off_t size)
{
  if (fails (FAULT_TRUNCATE, file_of (fd), NULL))
    return -1;
  tell (FAULT_TRUNCATE, file_of (fd), NULL, 0, size);
  return next_truncate (fd, size);
}

static void *
map_or_fail (void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
  return fails (FAULT_MAP, file_of (fd), NULL)
             ? MAP_FAILED
             : next_map (at, length, protection, flags, fd, offset);
}

/* Locks are asked for and given back by it. */
static int
fcntl_or_fail (int fd, int command, ...)
{
  va_list list;
  void *argument;

  va_start (list, command);
  argument = va_arg (list, void *);
  va_end (list);
  if (command == F_SETLK && ((const struct flock *) argument)->l_type == F_UNLCK)
    be_slow (FAULT_UNLOCK, file_of (fd));
  else if (command == F_SETLK && fails (FAULT_LOCK, file_of (fd), NULL))
    return -1;
  return next_fcntl (fd, command, argument);
}

static int
remove_or_fail (const char *path)
{
  if (fails (FAULT_REMOVE, file_of_path (path), NULL))
    return -1;
  tell (FAULT_REMOVE, file_of_path (path), NULL, 0, 0);
  return next_remove (path);
}

static int
sync_or_fail (int fd, long number)
{
  struct stat info;
  const FaultKind kind = fstat (fd, &info) == 0 && S_ISDIR (info.st_mode) ? FAULT_FOLDER_SYNC
                                                                          : FAULT_SYNC;

  if (fails (kind, file_of (fd), NULL))
    return -1;
  tell (kind, file_of (fd), NULL, 0, 0);
  return recorder != NULL ? 0 : (int) syscall (number, fd);
}

int
fsync (int fd)
{
  return sync_or_fail (fd, SYS_fsync);
}

int
fdatasync (int fd)
{
  return sync_or_fail (fd, SYS_fdatasync);
}

/* --- memory ----------------------------------------------------------------------------------- */

static sqlite3_mem_methods memory;

static void *
allocate_or_fail (int length)
{
  return fails (FAULT_MEMORY, FAULT_OTHER, NULL) ? NULL : memory.xMalloc (length);
}

static void *
reallocate_or_fail (void *bytes, int length)
{
  return fails (FAULT_MEMORY, FAULT_OTHER, NULL) ? NULL : memory.xRealloc (bytes, length);
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
  static gboolean is_installed = FALSE;
  sqlite3_mem_methods failing;

  if (is_installed)
    return;
  is_installed = TRUE;
  g_assert_cmpint (sqlite3_config (SQLITE_CONFIG_GETMALLOC, &memory), ==, SQLITE_OK);
  failing = memory;
  failing.xMalloc = allocate_or_fail;
  failing.xRealloc = reallocate_or_fail;
  g_assert_cmpint (sqlite3_config (SQLITE_CONFIG_MALLOC, &failing), ==, SQLITE_OK);
  sqlite3_initialize ();
  replace ("open", (gpointer) open_or_fail, &next_open);
  replace ("close", (gpointer) close_noted, &next_close);
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
