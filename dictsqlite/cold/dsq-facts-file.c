/* dsq-facts-file.c - the file that facts of commits are in, beside the store's
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whoever may write it can have clean entries stay in memory that are old. So it is taken only
 * where nobody may write it who may not write the store's file. And whoever may write in the folder
 * can give its name to anything, also to the store's file, of which closing a descriptor would drop
 * all locks that the process has on it: what has the name is looked at through a handle that opens
 * nothing (O_PATH), and opened through that handle, so that it is what was looked at.
 *
 * Who has it open holds a shared lock on it, which ends with its process however that ends. It is
 * of the open file (F_OFD_SETLK): two of one process see each other, and no close() of another
 * descriptor drops it. A fork's child has the open file too: as long as that lives, or somebody who
 * has the ring is stopped, facts are written that nobody reads, which costs speed only.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cold/dsq-facts-file-private.h"

#define SUFFIX "-facts"

/* Bytes that are locked: by who has it open, and by who closes its store. */
#define SEEN_BYTE 0
#define TURN_BYTE 1
/* A turn takes as long as closing a connection does. */
#define TURN_LOOKS   1000
#define TURN_WAIT_US 1000

void
dsq_facts_file_init (DsqFactsFile *self, const char *main_path, gboolean read_only)
{
  self->read_only = read_only;
  self->main_path = g_strdup (main_path);
  self->path = g_strconcat (main_path, SUFFIX, NULL);
  self->descriptor = -1;
}

void
dsq_facts_file_close (DsqFactsFile *self)
{
  if (self->descriptor >= 0)
    close (self->descriptor);
  self->descriptor = -1;
}

void
dsq_facts_file_clear (DsqFactsFile *self)
{
  dsq_facts_file_close (self);
  g_free (self->main_path);
  g_free (self->path);
}

/* Neither a hard link to the store's file nor to its log or index has one name only. */
static gboolean
is_trusted (const struct stat *info, const struct stat *main)
{
  return S_ISREG (info->st_mode) && info->st_nlink == 1 && info->st_uid == main->st_uid &&
         (info->st_mode & 0777 & ~main->st_mode) == 0;
}

static int
open_through (int handle, gboolean read_only, gboolean *out_can_write)
{
  char path[64];
  int descriptor = -1;

  g_snprintf (path, sizeof path, "/proc/self/fd/%d", handle);
  if (!read_only)
    descriptor = open (path, O_RDWR | O_CLOEXEC);
  *out_can_write = descriptor >= 0;
  return descriptor >= 0 ? descriptor : open (path, O_RDONLY | O_CLOEXEC);
}

/* FALSE with errno ENOENT where there is none. */
static gboolean
open_existing (DsqFactsFile *self, const struct stat *main)
{
  int handle = open (self->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat info;

  if (handle < 0)
    return FALSE;
  if (fstat (handle, &info) == 0 && is_trusted (&info, main))
    self->descriptor = open_through (handle, self->read_only, &self->can_write);
  close (handle);
  errno = EACCES;
  return self->descriptor >= 0;
}

static gboolean
set_lock (const DsqFactsFile *self, int byte, int type)
{
  struct flock lock = { .l_type = (short) type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

  return fcntl (self->descriptor, F_OFD_SETLK, &lock) == 0;
}

/* Who cannot be seen is told less, which costs it speed only. */
static void
be_seen (const DsqFactsFile *self)
{
  set_lock (self, SEEN_BYTE, F_RDLCK);
}

/* One that is new cannot be another file's second name. */
static gboolean
make (DsqFactsFile *self, const struct stat *main)
{
  uid_t user = geteuid ();

  if (user != 0 && user != main->st_uid)
    return FALSE;
  self->descriptor =
      open (self->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (self->descriptor < 0)
    return FALSE;
  self->can_write = TRUE;
  if ((user == 0 && fchown (self->descriptor, main->st_uid, main->st_gid) != 0) ||
      fchmod (self->descriptor, main->st_mode & 0666) != 0)
    dsq_facts_file_close (self);
  return self->descriptor >= 0;
}

gboolean
dsq_facts_file_open (DsqFactsFile *self, gboolean makes)
{
  struct stat main;

  if (self->descriptor >= 0)
    return TRUE;
  if (lstat (self->main_path, &main) != 0)
    return FALSE;
  if (!open_existing (self, &main) &&
      !(errno == ENOENT && makes && (make (self, &main) || open_existing (self, &main))))
    return FALSE;
  be_seen (self);
  return TRUE;
}

gboolean
dsq_facts_file_is_shared (const DsqFactsFile *self)
{
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SEEN_BYTE, .l_len = 1 };

  return fcntl (self->descriptor, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

gboolean
dsq_facts_file_has_name (const DsqFactsFile *self)
{
  struct stat own, named;

  return self->descriptor >= 0 && fstat (self->descriptor, &own) == 0 &&
         lstat (self->path, &named) == 0 && own.st_ino == named.st_ino &&
         own.st_dev == named.st_dev;
}

void
dsq_facts_file_take_turn (DsqFactsFile *self)
{
  if (self->descriptor >= 0 && !dsq_facts_file_has_name (self))
    dsq_facts_file_close (self);
  if (!dsq_facts_file_open (self, TRUE) || !self->can_write)
    return;
  for (guint i = 0; i < TURN_LOOKS && !set_lock (self, TURN_BYTE, F_WRLCK); i++)
    g_usleep (TURN_WAIT_US);
}

void
dsq_facts_file_give_turn (const DsqFactsFile *self)
{
  if (self->descriptor >= 0)
    set_lock (self, TURN_BYTE, F_UNLCK);
}

void
dsq_facts_file_remove (const char *main_path)
{
  g_autofree char *path = g_strconcat (main_path, SUFFIX, NULL);
  struct stat info;

  if (lstat (path, &info) == 0 && S_ISREG (info.st_mode) && info.st_nlink == 1)
    unlink (path);
}
