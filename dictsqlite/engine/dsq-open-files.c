/* dsq-open-files.c - which files the process has open, each of them once
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-out-private.h"
#include "base/dsq-fork-private.h"
#include "dsq-error.h"
#include "engine/dsq-open-files-private.h"

/*
 * A file is known by its device and inode, and by its resolved path: two files that were at one
 * path would share the names of their logs. Nothing is opened or closed with the lock held. Who is
 * about to do that marks the file as busy, and whoever comes meanwhile waits, and then looks anew
 * which file is at the path. A child of a fork has a list of its own, which is empty.
 */

struct _DsqOpenFile
{
  DsqFilePlace place; /* (lock) owned */
  gboolean read_only; /* constant */
  gboolean is_busy;   /* (lock) is being opened or closed */
  GPtrArray *users;   /* (owned) (lock) of what has it open (unowned) */
  gpointer what;      /* (unowned) (lock) its users have it */
};

typedef struct
{
  guint64 stamp; /* constant: of the process whose list it is */
  DsqMutex lock;
  pthread_cond_t cond; /* a file is no longer busy */
  GPtrArray *files;    /* (owned) (lock) of DsqOpenFile (owned) */
} OpenFiles;

static OpenFiles *list; /* (atomic) */

/* The one of a parent is left as it is: its lock may be held for ever. */
static OpenFiles *
get_list (void)
{
  OpenFiles *self = __atomic_load_n (&list, __ATOMIC_ACQUIRE);
  OpenFiles *made;

  if (G_LIKELY (self != NULL && self->stamp == dsq_fork_get_stamp ()))
    return self;
  made = g_new0 (OpenFiles, 1);
  made->stamp = dsq_fork_get_stamp ();
  dsq_mutex_init (&made->lock, DSQ_RANK_FILES, 0);
  dsq_cond_init (&made->cond);
  made->files = g_ptr_array_new ();
  if (__atomic_compare_exchange_n (&list, &self, made, FALSE, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    return made;
  g_ptr_array_unref (made->files);
  pthread_cond_destroy (&made->cond);
  dsq_mutex_clear (&made->lock);
  g_free (made);
  return self;
}

static gboolean
is_same_path (const DsqOpenFile *self, const DsqFilePlace *place)
{
  return g_str_equal (self->place.path, place->path);
}

static gboolean
is_same_file (const DsqOpenFile *self, const DsqFilePlace *place)
{
  return self->place.is_there && place->is_there && self->place.device == place->device &&
         self->place.inode == place->inode;
}

/* A file that is not made yet has only its path. */
static gboolean
serves (const DsqOpenFile *self, const DsqFilePlace *place, gboolean read_only)
{
  return (read_only || !self->read_only) &&
         (is_same_file (self, place) ||
          (self->is_busy && !self->place.is_there && is_same_path (self, place)));
}

/* Whether one who writes has to wait for it: it is given to him when it is open. */
static gboolean
comes_to_be_read (const DsqOpenFile *self, const DsqFilePlace *place, gboolean read_only)
{
  return !read_only && self->read_only && self->is_busy && is_same_file (self, place);
}

/* What is open to be written, if it is there, and else what is open to be read. */
static DsqOpenFile *
find_locked (OpenFiles *self, const DsqFilePlace *place, gboolean read_only)
{
  DsqOpenFile *found = NULL;

  dsq_mutex_assert_held (&self->lock);
  for (guint i = 0; i < self->files->len; i++)
    {
      DsqOpenFile *file = self->files->pdata[i];

      if (serves (file, place, read_only) && (found == NULL || found->read_only))
        found = file;
    }
  return found;
}

static gboolean
is_to_be_waited_for_locked (OpenFiles *self, const DsqFilePlace *place, gboolean read_only)
{
  dsq_mutex_assert_held (&self->lock);
  for (guint i = 0; i < self->files->len; i++)
    if (comes_to_be_read (self->files->pdata[i], place, read_only))
      return TRUE;
  return FALSE;
}

/* One that is not the same, and has the same path. */
static DsqOpenFile *
find_other_locked (OpenFiles *self, const DsqFilePlace *place)
{
  dsq_mutex_assert_held (&self->lock);
  for (guint i = 0; i < self->files->len; i++)
    {
      DsqOpenFile *file = self->files->pdata[i];

      if (is_same_path (file, place) && !is_same_file (file, place))
        return file;
    }
  return NULL;
}

static gboolean
refuse (const char *cause, GError **error)
{
  g_set_error (error, DSQ_ERROR, DSQ_ERROR_BUSY, "Failed to open the store: %s", cause);
  return FALSE;
}

static gboolean
refuse_other (GError **error)
{
  return refuse ("this process has it open still, as the file that was at its path before: close "
                 "that first",
                 error);
}

static DsqOpenFile *
add_locked (OpenFiles *self, const DsqFilePlace *place, gboolean read_only, gpointer user)
{
  DsqOpenFile *file = g_new0 (DsqOpenFile, 1);

  dsq_mutex_assert_held (&self->lock);
  file->place = *place;
  file->place.path = g_strdup (place->path);
  file->read_only = read_only;
  file->is_busy = TRUE;
  file->users = g_ptr_array_new ();
  g_ptr_array_add (file->users, user);
  g_ptr_array_add (self->files, file);
  return file;
}

static DsqOpenResult
wait_locked (OpenFiles *self, gint64 deadline, GError **error)
{
  dsq_mutex_assert_held (&self->lock);
  if (!dsq_call_check (error))
    return DSQ_OPEN_FAILED;
  if (g_get_monotonic_time () < deadline)
    {
      if (dsq_call_is_watched ())
        dsq_call_wait (&self->cond, &self->lock);
      else
        dsq_cond_wait_until (&self->cond, &self->lock, deadline);
      return DSQ_OPEN_AGAIN;
    }
  refuse ("another thread is opening or closing the file, and does not end", error);
  return DSQ_OPEN_FAILED;
}

DsqOpenResult
dsq_open_files_enter (const DsqFilePlace *place,
                      gboolean read_only,
                      gpointer user,
                      gint64 deadline,
                      DsqOpenFile **out_file,
                      GError **error)
{
  OpenFiles *self = get_list ();
  DsqOpenResult result = DSQ_OPEN_FAILED;
  DsqOpenFile *file;
  DsqOpenFile *other;

  *out_file = NULL;
  dsq_mutex_lock (&self->lock);
  file = find_locked (self, place, read_only);
  other = find_other_locked (self, place);
  if (file != NULL && !file->is_busy)
    {
      g_ptr_array_add (file->users, user);
      *out_file = file;
      result = DSQ_OPEN_JOINED;
    }
  else if (file != NULL || (other != NULL && other->is_busy) ||
           is_to_be_waited_for_locked (self, place, read_only))
    result = wait_locked (self, deadline, error);
  else if (other != NULL)
    refuse_other (error);
  else
    {
      *out_file = add_locked (self, place, read_only, user);
      result = DSQ_OPEN_FIRST;
    }
  dsq_mutex_unlock (&self->lock);
  return result;
}

gboolean
dsq_open_files_check (const DsqFilePlace *place, GError **error)
{
  OpenFiles *self = get_list ();
  const DsqOpenFile *other;
  gboolean is_free;

  dsq_mutex_lock (&self->lock);
  other = find_other_locked (self, place);
  is_free = other == NULL || other->is_busy;
  dsq_mutex_unlock (&self->lock);
  return is_free || refuse_other (error);
}

static void
set_idle_locked (OpenFiles *self, DsqOpenFile *file)
{
  dsq_mutex_assert_held (&self->lock);
  file->is_busy = FALSE;
  pthread_cond_broadcast (&self->cond);
}

void
dsq_open_file_settle (DsqOpenFile *file, gpointer what, const DsqFilePlace *place)
{
  OpenFiles *self = get_list ();

  dsq_mutex_lock (&self->lock);
  file->what = what;
  file->place.is_there = TRUE;
  file->place.device = place->device;
  file->place.inode = place->inode;
  set_idle_locked (self, file);
  dsq_mutex_unlock (&self->lock);
}

GPtrArray *
dsq_open_file_gather (DsqOpenFile *file,
                      const DsqFilePlace *place,
                      gboolean (*take) (gpointer user))
{
  OpenFiles *self = get_list ();
  GPtrArray *readers = g_ptr_array_new ();

  dsq_mutex_lock (&self->lock);
  for (guint i = 0; i < self->files->len && !file->read_only; i++)
    {
      const DsqOpenFile *other = self->files->pdata[i];

      for (guint n = 0; other != file && is_same_file (other, place) && n < other->users->len; n++)
        if (take (other->users->pdata[n]))
          g_ptr_array_add (readers, other->users->pdata[n]);
    }
  g_ptr_array_extend (file->users, readers, NULL, NULL);
  dsq_mutex_unlock (&self->lock);
  return readers;
}

gpointer
dsq_open_file_get (DsqOpenFile *file)
{
  OpenFiles *self = get_list ();
  gpointer what;

  dsq_mutex_lock (&self->lock);
  what = file->what;
  dsq_mutex_unlock (&self->lock);
  return what;
}

gboolean
dsq_open_file_claim (DsqOpenFile *file)
{
  OpenFiles *self = get_list ();
  gboolean is_only;

  dsq_mutex_lock (&self->lock);
  is_only = file->users->len == 1;
  file->is_busy |= is_only;
  dsq_mutex_unlock (&self->lock);
  return is_only;
}

void
dsq_open_file_release (DsqOpenFile *file)
{
  OpenFiles *self = get_list ();

  dsq_mutex_lock (&self->lock);
  set_idle_locked (self, file);
  dsq_mutex_unlock (&self->lock);
}

void
dsq_open_file_end (DsqOpenFile *file)
{
  OpenFiles *self = get_list ();

  dsq_mutex_lock (&self->lock);
  set_idle_locked (self, file);
  g_ptr_array_remove_fast (self->files, file);
  dsq_mutex_unlock (&self->lock);
  g_ptr_array_unref (file->users);
  g_free (file->place.path);
  g_free (file);
}

gboolean
dsq_open_file_leave (DsqOpenFile *file, gpointer user)
{
  OpenFiles *self = get_list ();
  gboolean leaves;

  dsq_mutex_lock (&self->lock);
  leaves = file->users->len > 1;
  if (leaves)
    g_ptr_array_remove_fast (file->users, user);
  file->is_busy |= !leaves;
  dsq_mutex_unlock (&self->lock);
  return leaves;
}
