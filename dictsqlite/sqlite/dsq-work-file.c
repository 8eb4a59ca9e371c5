/* dsq-work-file.c - a file that has no name before it is whole
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A descriptor of ours on a file that others know must never be closed: that would drop the locks
 * that the process holds on it. So from the instant at which the file has its name there is only a
 * handle, opened by O_PATH, whose closing drops nothing.
 *
 * Where there is no O_TMPFILE the file has one of a few names that follow from the target's, and
 * is locked by flock() as long as it is written: an unlocked one was left by somebody who died.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dsq-fork-private.h"
#include "base/dsq-mutex-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-database-private.h"
#include "sqlite/dsq-vfs-private.h"
#include "sqlite/dsq-work-file-private.h"

#define PURPOSE "create the store"

/* Names that work files for one target may have at once, and how long is waited for a free one. */
#define MAX_NAMES    16
#define NAME_WAIT_US (5 * G_USEC_PER_SEC)
#define NAME_STEP_US 1000

/* Where SQLite's header has the versions that are needed to write and to read a file, and what both
 * are in WAL mode, and in others: "Database File Format", section 1.3.3. */
#define AT_VERSIONS 18
static const guint8 wal_versions[] = { 2, 2 };
static const guint8 journal_versions[] = { 1, 1 };

struct _DsqWorkFile
{
  char *path;     /* (owned) of its descriptor, for SQLite */
  char *name;     /* (owned) (nullable) its own name in the folder, NULL while it has none */
  int descriptor; /* (owned) until it is finished, then -1 */
  int handle;     /* (owned) by O_PATH; -1 where it has a name */
  mode_t mode;    /* that was asked for */
  guint64 stamp;  /* of the process that made it */
};

/* While a whole file has a name that others may remove it by, and while somebody looks at such a
 * name: a descriptor of the look must be closed before the file is a store. Nobody waits or calls
 * out with it. */
static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;

static gboolean always_named; /* (atomic) */

void
dsq_work_file_set_named (gboolean are_named)
{
  __atomic_store_n (&always_named, are_named, __ATOMIC_RELAXED);
}

static gboolean
fail (int system_errno, GError **error)
{
  dsq_database_set_system_error (system_errno, PURPOSE, error);
  return FALSE;
}

/* --- names ------------------------------------------------------------------------------------ */

/* What all names begin with. They do not grow with the target's, which may be as long as names can
 * be. */
static char *
make_stem (const char *target)
{
  g_autofree char *folder = g_path_get_dirname (target);
  g_autofree char *base = g_path_get_basename (target);
  g_autofree char *hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, base, -1);

  return g_strdup_printf ("%s/.dsq-%.16s", folder, hash);
}

static char *
make_name (const char *stem, guint number)
{
  return g_strdup_printf ("%s-%x.tmp", stem, number);
}

static gboolean
is_same_file (const struct stat *one, const struct stat *other)
{
  return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

/* A descriptor on what is left there by somebody who died, which is locked then; else -1. */
static int
lock_left (const char *name)
{
  struct stat named, opened;
  int descriptor;

  if (lstat (name, &named) != 0 || !S_ISREG (named.st_mode) || named.st_uid != geteuid () ||
      named.st_nlink != 1)
    return -1;
  descriptor = open (name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0)
    return -1;
  if (fstat (descriptor, &opened) == 0 && is_same_file (&named, &opened) &&
      flock (descriptor, LOCK_EX | LOCK_NB) == 0)
    return descriptor;
  close (descriptor);
  return -1;
}

static void
remove_if_left (const char *name)
{
  int descriptor = lock_left (name);

  if (descriptor < 0)
    return;
  unlink (name);
  close (descriptor);
}

static void
remove_left (const char *name)
{
  pthread_mutex_lock (&names_lock);
  remove_if_left (name);
  pthread_mutex_unlock (&names_lock);
}

/* One that is the target's second name has given it its first just before. */
void
dsq_work_file_remove_left (const char *target)
{
  g_autofree char *stem = make_stem (target);
  struct stat file, info;
  gboolean is_there = lstat (target, &file) == 0;

  for (guint i = 0; i < MAX_NAMES; i++)
    {
      g_autofree char *name = make_name (stem, i);

      if (lstat (name, &info) != 0)
        continue;
      if (is_there && is_same_file (&file, &info))
        unlink (name);
      else
        remove_left (name);
    }
}

/* --- making ----------------------------------------------------------------------------------- */

static void
set_path (DsqWorkFile *self)
{
  g_free (self->path);
  self->path = g_strdup_printf (DSQ_VFS_DESCRIPTORS "%d", self->descriptor);
}

/* Without a name. The handle outlives the descriptor; without /proc it could not be given a name.
 */
static gboolean
make_nameless (DsqWorkFile *self, const char *target, mode_t mode)
{
  g_autofree char *folder = g_path_get_dirname (target);

  if (__atomic_load_n (&always_named, __ATOMIC_RELAXED))
    return FALSE;
  self->descriptor = open (folder, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  if (self->descriptor < 0)
    return FALSE;
  set_path (self);
  self->handle = open (self->path, O_PATH | O_CLOEXEC);
  if (self->handle >= 0)
    return TRUE;
  close (self->descriptor);
  return FALSE;
}

/* It is locked before anybody can take it for one that was left, or else it is theirs. */
static int
create_flocked (const char *name, mode_t mode)
{
  int descriptor = open (name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  struct stat named, opened;

  if (descriptor < 0)
    return -1;
  if (flock (descriptor, LOCK_EX | LOCK_NB) == 0 && fstat (descriptor, &opened) == 0 &&
      lstat (name, &named) == 0 && is_same_file (&named, &opened))
    return descriptor;
  close (descriptor);
  errno = EEXIST;
  return -1;
}

static gboolean
make_named (DsqWorkFile *self, const char *target, mode_t mode, GError **error)
{
  const gint64 deadline = g_get_monotonic_time () + NAME_WAIT_US;
  g_autofree char *stem = make_stem (target);

  for (;;)
    {
      for (guint i = 0; i < MAX_NAMES; i++)
        {
          g_autofree char *name = make_name (stem, i);

          remove_left (name);
          self->descriptor = create_flocked (name, mode);
          if (self->descriptor >= 0)
            {
              self->name = g_steal_pointer (&name);
              set_path (self);
              return TRUE;
            }
          if (errno != EEXIST)
            return fail (errno, error);
        }
      if (g_get_monotonic_time () >= deadline)
        return fail (EEXIST, error);
      dsq_mutex_assert_may_wait ("a name to be free");
      dsq_fork_sleep (NAME_STEP_US);
    }
}

DsqWorkFile *
dsq_work_file_new (const char *target, mode_t mode, GError **error)
{
  g_autoptr (DsqWorkFile) self = g_new0 (DsqWorkFile, 1);

  self->descriptor = -1;
  self->handle = -1;
  self->mode = mode;
  self->stamp = dsq_fork_get_stamp ();
  if (make_nameless (self, target, mode) || make_named (self, target, mode, error))
    return g_steal_pointer (&self);
  return NULL;
}

const char *
dsq_work_file_get_path (const DsqWorkFile *self)
{
  return self->path;
}

/* What a child of a fork within the call finds there is its parent's. */
void
dsq_work_file_free (DsqWorkFile *self)
{
  if (self == NULL)
    return;
  if (self->name != NULL && self->stamp == dsq_fork_get_stamp ())
    unlink (self->name);
  if (self->descriptor >= 0)
    close (self->descriptor);
  if (self->handle >= 0)
    close (self->handle);
  g_free (self->path);
  g_free (self->name);
  g_free (self);
}

/* --- finishing -------------------------------------------------------------------------------- */

/* It takes the place of the file at @like, so the mask is of no matter. Where the group cannot be
 * the same, another one is given nothing. */
static gboolean
take_over_owner (const DsqWorkFile *self, const char *like, GError **error)
{
  struct stat there, ours;
  mode_t mode = self->mode;

  if (lstat (like, &there) != 0 || fstat (self->descriptor, &ours) != 0)
    return fail (errno, error);
  if ((there.st_uid != ours.st_uid || there.st_gid != ours.st_gid) &&
      fchown (self->descriptor, there.st_uid, there.st_gid) != 0 &&
      fchown (self->descriptor, (uid_t) -1, there.st_gid) != 0)
    mode &= ~(mode_t) S_IRWXG;
  return fchmod (self->descriptor, mode) == 0 || fail (errno, error);
}

static gboolean
set_versions (DsqWorkFile *self, const guint8 versions[2], GError **error)
{
  return pwrite (self->descriptor, versions, 2, AT_VERSIONS) == 2 || fail (errno, error);
}

gboolean
dsq_work_file_leave_wal_mode (DsqWorkFile *self, GError **error)
{
  return set_versions (self, journal_versions, error);
}

gboolean
dsq_work_file_finish (DsqWorkFile *self, const char *like, GError **error)
{
  if (!set_versions (self, wal_versions, error))
    return FALSE;
  if (like != NULL && !take_over_owner (self, like, error))
    return FALSE;
  dsq_mutex_assert_may_wait ("a sync");
  if (fsync (self->descriptor) != 0)
    return fail (errno, error);
  close (self->descriptor);
  self->descriptor = -1;
  return TRUE;
}

/* The name is the handle's in /proc. */
static int
link_nameless (const DsqWorkFile *self, const char *path)
{
  char handle[64];

  g_snprintf (handle, sizeof handle, DSQ_VFS_DESCRIPTORS "%d", self->handle);
  return linkat (AT_FDCWD, handle, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

/* --- publishing ------------------------------------------------------------------------------- */

static gboolean
name_it (DsqWorkFile *self, const char *path)
{
  if (self->name == NULL)
    return link_nameless (self, path) == 0;
  if (renameat2 (AT_FDCWD, self->name, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
    {
      g_clear_pointer (&self->name, g_free);
      return TRUE;
    }
  /* file systems that cannot tell whether there is something; the other name goes in freeing */
  return errno != EEXIST && link (self->name, path) == 0;
}

gboolean
dsq_work_file_publish (DsqWorkFile *self, const char *path, gboolean *out_was_first, GError **error)
{
  *out_was_first = name_it (self, path);
  return *out_was_first || errno == EEXIST || fail (errno, error);
}

/* A name to rename from, which another process may take for one that was left. */
static gboolean
reserve_name (DsqWorkFile *self, const char *path)
{
  g_autofree char *stem = make_stem (path);

  for (guint i = 0; i < MAX_NAMES && self->name == NULL; i++)
    {
      g_autofree char *name = make_name (stem, i);

      remove_if_left (name);
      if (link_nameless (self, name) == 0)
        self->name = g_steal_pointer (&name);
      else if (errno != EEXIST)
        return FALSE;
    }
  return self->name != NULL;
}

static gboolean
rename_over (DsqWorkFile *self, const char *path)
{
  gboolean has_own_name = self->name != NULL;

  for (guint n_tries = 0; n_tries < MAX_NAMES && reserve_name (self, path); n_tries++)
    {
      if (rename (self->name, path) == 0)
        {
          g_clear_pointer (&self->name, g_free);
          return TRUE;
        }
      if (errno != ENOENT || has_own_name)
        return FALSE;
      g_clear_pointer (&self->name, g_free);
    }
  return FALSE;
}

gboolean
dsq_work_file_replace (DsqWorkFile *self, const char *path, GError **error)
{
  int system_errno;
  gboolean replaced;

  pthread_mutex_lock (&names_lock);
  replaced = rename_over (self, path);
  system_errno = errno;
  pthread_mutex_unlock (&names_lock);
  return replaced || fail (system_errno, error);
}
