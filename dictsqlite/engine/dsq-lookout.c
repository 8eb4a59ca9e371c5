/* dsq-lookout.c - a thread that looks for what others have committed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Others' commits are found by whoever calls; who watches calls nothing. So while somebody does a
 * thread sleeps until the log is written to. That comes before the commit can be seen: a moment
 * before, as a rule, and as long as a sync takes where the log is synced first. Therefore it looks
 * a moment later, and again after twice that, and so on: what is committed is found before twice
 * the time has passed that the commit took. After half a minute without a further write it stops,
 * and sleeps until there is one.
 *
 *     a write    1 ms    2 ms    4 ms    ...    16 s    until the next write
 *
 * The first of these waits for nothing else: who writes all the time wakes it once a millisecond.
 */

#include "config.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/dsq-call-private.h"
#include "base/dsq-fork-private.h"
#include "dsq-error.h"
#include "engine/dsq-lookout-private.h"

#define FIRST_WAIT_MS 1
#define LAST_WAIT_MS  16384

void
dsq_lookout_init (DsqLookout *self, const DsqLookoutFuncs *funcs, gpointer user_data)
{
  self->funcs = funcs;
  self->user_data = user_data;
  dsq_mutex_init (&self->lock, DSQ_RANK_LOOKOUT, 0);
}

void
dsq_lookout_clear (DsqLookout *self)
{
  dsq_lookout_stop (self);
  dsq_mutex_clear (&self->lock);
}

/* --- the thread ------------------------------------------------------------------------------- */

typedef enum
{
  WAKE_STOP,
  WAKE_WRITTEN,
  WAKE_LATER
} Wake;

/* -1 ms: for ever. */
static Wake
wait_for (const DsqLookout *self, gboolean notices, int milliseconds)
{
  struct pollfd polled[] = { { self->stop_fd, POLLIN, 0 }, { self->fd, POLLIN, 0 } };
  char events[4096];

  if (poll (polled, notices ? 2 : 1, milliseconds) <= 0)
    return WAKE_LATER;
  if (polled[0].revents != 0)
    return WAKE_STOP;
  while (read (self->fd, events, sizeof events) > 0)
    ;
  return WAKE_WRITTEN;
}

/* What is to be seen can be seen at once. */
static void
listen (DsqLookout *self)
{
  g_auto (DsqCall) call = { 0 };

  if (dsq_call_begin (&call, self->cancellable, NULL))
    while (self->listener->wait (self->listener, self->stop_fd))
      self->funcs->look (self->user_data);
}

static void *
lookout_thread (void *data)
{
  DsqLookout *self = data;
  int wait_ms = -1;

  pthread_setname_np (pthread_self (), "dsq-lookout");
  if (self->listener != NULL)
    {
      listen (self);
      return NULL;
    }
  for (;;)
    {
      Wake wake = wait_for (self, TRUE, wait_ms);

      if (wake == WAKE_WRITTEN)
        {
          wait_ms = FIRST_WAIT_MS;
          wake = wait_for (self, FALSE, wait_ms);
        }
      if (wake == WAKE_STOP)
        return NULL;
      /* a signal, perhaps */
      if (wait_ms < 0)
        continue;
      self->funcs->look (self->user_data);
      wait_ms = wait_ms < LAST_WAIT_MS ? 2 * wait_ms : -1;
    }
}

/* --- its beginning and end -------------------------------------------------------------------- */

/* Of what the thread has used. */
static void
let_go (DsqLookout *self)
{
  if (self->stop_fd >= 0)
    close (self->stop_fd);
  if (self->fd >= 0)
    close (self->fd);
  if (self->listener != NULL)
    self->listener->free (g_steal_pointer (&self->listener));
  g_clear_object (&self->cancellable);
}

static gboolean
start_locked (DsqLookout *self, GError **error)
{
  int code = 0;

  dsq_mutex_assert_held (&self->lock);
  self->fd = -1;
  self->listener = self->funcs->listen != NULL ? self->funcs->listen (self->user_data) : NULL;
  if (self->listener == NULL && !self->funcs->open (self->user_data, &self->fd, error))
    return FALSE;
  if (self->listener == NULL && self->fd < 0)
    return TRUE;
  self->cancellable = g_cancellable_new ();
  self->stop_fd = eventfd (0, EFD_CLOEXEC);
  code = self->stop_fd < 0 ? errno : pthread_create (&self->thread, NULL, lookout_thread, self);
  self->has_thread = code == 0;
  if (self->has_thread)
    return TRUE;
  let_go (self);
  g_set_error (error, DSQ_ERROR, DSQ_ERROR_IO, "Failed to watch the store: %s", g_strerror (code));
  return FALSE;
}

static void
stop_locked (DsqLookout *self)
{
  const guint64 one = 1;
  guint depth;

  dsq_mutex_assert_held (&self->lock);
  if (!self->has_thread)
    return;
  self->has_thread = FALSE;
  while (write (self->stop_fd, &one, sizeof one) < 0 && errno == EINTR)
    ;
  g_cancellable_cancel (self->cancellable);
  dsq_mutex_assert_may_wait ("a thread");
  depth = dsq_fork_pause ();
  pthread_join (self->thread, NULL);
  dsq_fork_resume (depth);
  let_go (self);
}

gboolean
dsq_lookout_enter (DsqLookout *self, GError **error)
{
  gboolean success;

  dsq_mutex_lock (&self->lock);
  success = self->n_users > 0 || start_locked (self, error);
  self->n_users += success;
  dsq_mutex_unlock (&self->lock);
  return success;
}

void
dsq_lookout_leave (DsqLookout *self)
{
  dsq_mutex_lock (&self->lock);
  if (--self->n_users == 0)
    stop_locked (self);
  dsq_mutex_unlock (&self->lock);
}

void
dsq_lookout_stop (DsqLookout *self)
{
  dsq_mutex_lock (&self->lock);
  stop_locked (self);
  dsq_mutex_unlock (&self->lock);
}
