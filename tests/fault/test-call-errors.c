/* test-call-errors.c - each of the library's own system calls fails once
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The calls are defined here, before libc's. A task is done again and again, and each time the next
 * call of a kind fails: it is done all the same, or says why not, and nothing is lost. Syncs only
 * count. SQLite's own calls are those of tests/fault: which are the library's is told by where they
 * return to.
 */

#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../run-length.h"
#include "cold-support.h"
#include "cold/dsq-cold-upkeep-private.h"
#include "sqlite/dsq-work-file-private.h"

#define MAX_CALLS 200

typedef enum
{
  LSTAT,
  STAT,
  FSTAT,
  OPEN,
  READ,
  WRITE,
  SYNC,
  TRUNCATE,
  FLOCK,
  LOCK,
  ACCESS,
  CHOWN,
  CHMOD,
  RENAME,
  RENAME_NEW,
  LINK,
  LINK_NAMELESS,
  REMOVE,
  NOTICE,
  NOTICE_FILE,
  N_CALLS,
} Call;

static const struct
{
  const char *name;
  int errors[2];
} calls[N_CALLS] = {
  [LSTAT] = { "lstat", { EIO } },
  [STAT] = { "stat", { EIO } },
  [FSTAT] = { "fstat", { EIO } },
  [OPEN] = { "open", { EMFILE, EACCES } },
  [READ] = { "pread", { EIO } },
  [WRITE] = { "pwrite", { EIO, ENOSPC } },
  [SYNC] = { "fsync", { EIO } },
  [TRUNCATE] = { "ftruncate", { EIO } },
  [FLOCK] = { "flock", { ENOLCK, EWOULDBLOCK } },
  [LOCK] = { "fcntl", { ENOLCK } },
  [ACCESS] = { "faccessat", { EACCES } },
  [CHOWN] = { "fchown", { EPERM, EACCES } },
  [CHMOD] = { "fchmod", { EPERM } },
  [RENAME] = { "rename", { EIO } },
  [RENAME_NEW] = { "renameat2", { EIO, EINVAL } },
  [LINK] = { "link", { EMLINK } },
  [LINK_NAMELESS] = { "linkat", { EIO } },
  [REMOVE] = { "unlink", { EIO } },
  [NOTICE] = { "inotify_init1", { EMFILE } },
  [NOTICE_FILE] = { "inotify_add_watch", { ENOSPC } },
};

static Call armed = N_CALLS; /* which fails, by armed_error, when n_left of it are left */
static int armed_error;
static guint n_left;
static gboolean counts; /* a task has come to what it is about */

/* Where this program is, which has the library's rooms in it. */
extern const char __executable_start[], etext[];

static gboolean
fails (Call call, gconstpointer returns_to)
{
  const char *at = returns_to;

  if (!counts || call != armed || at < __executable_start || at >= etext)
    return FALSE;
  /* who may not give a file away may not at the second try */
  if (n_left == 0 ? armed_error != EACCES || call != CHOWN : --n_left > 0)
    return FALSE;
  errno = armed_error;
  return TRUE;
}

/* --- the calls -------------------------------------------------------------------------------- */

#define NEXT(result, name, ...)                                                                    \
  static result (*next) (__VA_ARGS__);                                                             \
  if (next == NULL)                                                                                \
  next = (result (*) (__VA_ARGS__)) dlsym (RTLD_NEXT, name)

#define CALL(kind, name, parameters, arguments, ...)                                               \
  int name parameters;                                                                             \
  int name parameters                                                                              \
  {                                                                                                \
    NEXT (int, #name, __VA_ARGS__);                                                                \
    return fails (kind, __builtin_return_address (0)) ? -1 : next arguments;                       \
  }

CALL (LSTAT,
      lstat,
      (const char *path, struct stat *info),
      (path, info),
      const char *,
      struct stat *)
CALL (STAT, stat, (const char *path, struct stat *info), (path, info), const char *, struct stat *)
CALL (FSTAT, fstat, (int fd, struct stat *info), (fd, info), int, struct stat *)
CALL (TRUNCATE, ftruncate, (int fd, off_t size), (fd, size), int, off_t)
CALL (FLOCK, flock, (int fd, int operation), (fd, operation), int, int)
CALL (CHOWN, fchown, (int fd, uid_t user, gid_t group), (fd, user, group), int, uid_t, gid_t)
CALL (CHMOD, fchmod, (int fd, mode_t mode), (fd, mode), int, mode_t)
CALL (RENAME, rename, (const char *a, const char *b), (a, b), const char *, const char *)
CALL (LINK, link, (const char *a, const char *b), (a, b), const char *, const char *)
CALL (LINK_NAMELESS,
      linkat,
      (int a_fd, const char *a, int b_fd, const char *b, int flags),
      (a_fd, a, b_fd, b, flags),
      int,
      const char *,
      int,
      const char *,
      int)
CALL (REMOVE, unlink, (const char *path), (path), const char *)
CALL (NOTICE, inotify_init1, (int flags), (flags), int)
CALL (NOTICE_FILE,
      inotify_add_watch,
      (int fd, const char *path, uint32_t mask),
      (fd, path, mask),
      int,
      const char *,
      uint32_t)
CALL (ACCESS,
      faccessat,
      (int fd, const char *path, int mode, int flags),
      (fd, path, mode, flags),
      int,
      const char *,
      int,
      int)
CALL (RENAME_NEW,
      renameat2,
      (int a_fd, const char *a, int b_fd, const char *b, unsigned int flags),
      (a_fd, a, b_fd, b, flags),
      int,
      const char *,
      int,
      const char *,
      unsigned int)

ssize_t pread (int fd, void *buffer, size_t length, off_t at);
ssize_t pwrite (int fd, const void *bytes, size_t length, off_t at);

ssize_t
pread (int fd, void *buffer, size_t length, off_t at)
{
  NEXT (ssize_t, "pread", int, void *, size_t, off_t);
  return fails (READ, __builtin_return_address (0)) ? -1 : next (fd, buffer, length, at);
}

ssize_t
pwrite (int fd, const void *bytes, size_t length, off_t at)
{
  NEXT (ssize_t, "pwrite", int, const void *, size_t, off_t);
  return fails (WRITE, __builtin_return_address (0)) ? -1 : next (fd, bytes, length, at);
}

int
fsync (int fd)
{
  return fails (SYNC, __builtin_return_address (0)) ? -1 : 0;
}

int
fdatasync (int fd)
{
  return fails (SYNC, __builtin_return_address (0)) ? -1 : 0;
}

int
open (const char *path, int flags, ...)
{
  NEXT (int, "open", const char *, int, ...);
  va_list list;
  mode_t mode = 0;

  va_start (list, flags);
  if ((flags & (O_CREAT | O_TMPFILE)) != 0)
    mode = va_arg (list, mode_t);
  va_end (list);
  return fails (OPEN, __builtin_return_address (0)) ? -1 : next (path, flags, mode);
}

int
fcntl (int fd, int command, ...)
{
  NEXT (int, "fcntl", int, int, ...);
  va_list list;
  gpointer argument;

  va_start (list, command);
  argument = va_arg (list, gpointer);
  va_end (list);
  if ((command == F_SETLK && ((struct flock *) argument)->l_type != F_UNLCK) ||
      command == F_OFD_GETLK)
    return fails (LOCK, __builtin_return_address (0)) ? -1 : next (fd, command, argument);
  return next (fd, command, argument);
}

/* --- tasks ------------------------------------------------------------------------------------ */

/* @path is a store with "a" and "b" unless the task makes it; @other is nothing. */
typedef struct
{
  const char *name;
  gboolean makes;
  gboolean is_empty; /* what it makes a store of has been there */
  gboolean is_named;
  gboolean (*run) (const char *path, const char *other, GError **error);
} Task;

static gboolean
set (DsqColdTier *tier, const char *key, GError **error)
{
  DsqTableState state;
  DsqChange change;
  gboolean applied;

  if (!tier->funcs->begin (tier, error))
    return FALSE;
  tier->funcs->get_table (tier, DSQ_TABLE_MAIN, &state);
  change = change_of (key, "1", state.next, DSQ_PRESENCE_UNKNOWN);
  applied = tier->funcs->apply (tier, &change, 1, error);
  dsq_entry_unref (change.entry);
  return end_transaction (tier, applied, error);
}

/* Closing it says of what failed before, or fails by itself. */
static gboolean
end (DsqColdTier *tier, gboolean done, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  if (!tier->funcs->close (tier, &local_error) && done)
    g_propagate_error (error, g_steal_pointer (&local_error));
  return done && (error == NULL || *error == NULL);
}

static gboolean
do_write (const char *path, const char *other, GError **error)
{
  DsqColdTier *tier;

  counts = TRUE;
  tier = open_impatient (path, FALSE, error);
  return tier != NULL &&
         end (tier,
              set (tier, "c", error) && tier->file->funcs->sync (tier->file, error) &&
                  tier->file->funcs->checkpoint (tier->file, error),
              error);
}

static gboolean
do_read (const char *path, const char *other, GError **error)
{
  DsqColdTier *tier;
  g_autoptr (DsqEntry) entry = NULL;
  DsqKey key = key_of ("a");
  gboolean read;

  counts = TRUE;
  tier = open_impatient (path, TRUE, error);
  if (tier == NULL)
    return FALSE;
  read = dsq_cold_tier_get (tier, &key, &entry, error);
  if (read)
    assert_entry (entry, "1");
  return end (tier, read, error);
}

/* Another store is told of what is written, unless that can not be: it looks itself then. */
static gboolean
do_tell (const char *path, const char *other, GError **error)
{
  DsqColdTier *tier = open_impatient (path, FALSE, error);
  DsqColdTier *reader = open_impatient (path, FALSE, error);
  int fd = -1;
  gboolean done;

  counts = TRUE;
  done = reader->funcs->open_notice (reader, &fd, error) && set (tier, "c", error) &&
         reader->funcs->catch_up (reader, error) && set (tier, "d", error) &&
         reader->funcs->catch_up (reader, error);
  counts = FALSE;
  if (done)
    assert_value (reader, "d", "1");
  if (fd >= 0)
    close (fd);
  done = end (reader, done, error);
  return end (tier, done, error);
}

static gboolean
is_kept (const char *path)
{
  g_autoptr (GError) error = NULL;
  DsqColdTier *tier = open_impatient (path, FALSE, &error);

  g_assert_no_error (error);
  assert_value (tier, "a", "1");
  assert_value (tier, "b", "1");
  close_tier (tier);
  return TRUE;
}

static gboolean
copy_with (const char *path,
           const char *other,
           gboolean (*copy) (DsqColdTier *tier, const char *path, GError **error),
           GError **error)
{
  DsqColdTier *tier = open_impatient (path, FALSE, error);

  counts = TRUE;
  if (!end (tier, copy (tier, other, error), error))
    return FALSE;
  counts = FALSE;
  return is_kept (other);
}

static gboolean
copy_rows (DsqColdTier *tier, const char *path, GError **error)
{
  const DsqColdCopyOptions options = { .path = path };

  return tier->upkeep->copy (tier, &options, error);
}

static gboolean
copy_pages (DsqColdTier *tier, const char *path, GError **error)
{
  return tier->upkeep->backup (tier, path, NULL, NULL, error);
}

static gboolean
do_copy (const char *path, const char *other, GError **error)
{
  return copy_with (path, other, copy_rows, error);
}

static gboolean
do_backup (const char *path, const char *other, GError **error)
{
  return copy_with (path, other, copy_pages, error);
}

static gboolean
do_rekey (const char *path, const char *other, GError **error)
{
  const DsqColdCopyOptions options = { .path = path };

  counts = TRUE;
  return dsq_cold_rekey_file (path, NULL, 5, &options, error);
}

static const Task tasks[] = {
  { "make", TRUE, FALSE, FALSE, do_write },     { "fill", TRUE, TRUE, FALSE, do_write },
  { "write", FALSE, FALSE, FALSE, do_write },   { "read", FALSE, FALSE, FALSE, do_read },
  { "tell", FALSE, FALSE, FALSE, do_tell },     { "copy", FALSE, FALSE, TRUE, do_copy },
  { "backup", FALSE, FALSE, FALSE, do_backup }, { "rekey", FALSE, FALSE, TRUE, do_rekey },
};

/* --- the tests -------------------------------------------------------------------------------- */

/* A store with the log of a process that was killed. */
static GBytes *made[2]; /* (owned) */

static void
make_once (void)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autofree char *log = g_strconcat (path, "-wal", NULL);
  g_autoptr (GError) error = NULL;
  DsqColdTier *tier;

  make_store (path);
  tier = open_impatient (path, FALSE, &error);
  g_assert_true (set (tier, "b", &error));
  made[0] = read_file (path);
  made[1] = read_file (log);
  close_tier (tier);
  remove_folder (folder);
}

static void
put_made (const char *path)
{
  g_autofree char *log = g_strconcat (path, "-wal", NULL);

  write_file (path, g_bytes_get_data (made[0], NULL), g_bytes_get_size (made[0]));
  write_file (log, g_bytes_get_data (made[1], NULL), g_bytes_get_size (made[1]));
  /* a file of somebody else's, or of another group, where that can be */
  if (geteuid () == 0)
    {
      static guint n_made = 0;
      const uid_t owner = n_made++ % 2 == 0 ? 1234 : 0;

      g_assert_no_errno (chown (path, owner, 1234));
      g_assert_no_errno (chown (log, owner, 1234));
    }
}

/* FALSE: it makes fewer such calls. */
static gboolean
try_nth (const Task *task, Call call, int error_number, guint n)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autofree char *other = g_build_filename (folder, "other", NULL);
  g_autoptr (GError) error = NULL;
  gboolean done, was_reached;

  if (!task->makes)
    put_made (path);
  else if (task->is_empty)
    write_file (path, "", 0);
  dsq_work_file_set_named (task->is_named);
  armed = call;
  armed_error = error_number;
  n_left = n;
  done = task->run (path, other, &error);
  was_reached = n_left == 0;
  counts = FALSE;
  dsq_work_file_set_named (FALSE);
  g_test_message ("%s, %s %u: %s",
                  task->name,
                  calls[call].name,
                  n,
                  error != NULL ? error->message : "done");
  g_assert_true (done == (error == NULL));
  if (error != NULL)
    {
      g_assert_true (was_reached);
      g_assert_true (error->domain == DSQ_ERROR);
      g_assert_true (g_str_has_prefix (error->message, "Failed to "));
    }
  if (!task->makes)
    is_kept (path);
  /* what was not made can be */
  else if (!done && !g_error_matches (error, DSQ_ERROR, DSQ_ERROR_OUTCOME_UNKNOWN))
    {
      g_clear_error (&error);
      g_assert_true (task->run (path, other, &error));
      g_assert_no_error (error);
    }
  remove_folder (folder);
  return was_reached;
}

static void
test_each_call (gconstpointer data)
{
  const Task *task = data;
  guint n_reached = 0;

  for (Call call = 0; call < N_CALLS; call++)
    for (guint i = 0; i < 2 && calls[call].errors[i] != 0; i++)
      for (guint n = 1; try_nth (task, call, calls[call].errors[i], n); n += run_length (7, 1, 1))
        {
          g_assert_cmpuint (n, <, MAX_CALLS);
          n_reached++;
        }
  g_assert_cmpuint (n_reached, >, run_length (5, 20, 20));
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  make_once ();
  for (guint i = 0; i < G_N_ELEMENTS (tasks); i++)
    {
      g_autofree char *name = g_strconcat ("/dsq/call-errors/", tasks[i].name, NULL);

      g_test_add_data_func (name, &tasks[i], test_each_call);
    }
  status = g_test_run ();
  for (guint i = 0; i < G_N_ELEMENTS (made); i++)
    g_bytes_unref (made[i]);
  return status;
}
