/* dsq-flusher.c - the write-behind thread, and writers that wait for it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <errno.h>
#include <time.h>

#include "engine/dsq-engine-internal.h"

/*
 * The thread sleeps until something is dirty or unsynced, waits out the interval, and then flushes,
 * syncs and, when it is due, checkpoints. When nothing more comes it checkpoints what is left in
 * the log and sleeps again. A writer that finds half of the allowed amount dirty wakes it at once;
 * one that finds all of it dirty waits until a flush has ended. Without the thread that writer
 * flushes itself.
 */

/* Milliseconds between two looks at a waiting writer's cancellable. */
#define CANCEL_WAIT_MS 10

struct _DsqFlusher
{
  DsqEngine *engine; /* (unowned) */
  gint64 interval_us;
  gboolean has_thread;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t cond;
  gboolean is_awake;    /* (atomic, set with lock) there is something to do */
  gboolean is_urgent;   /* (atomic, set with lock) and it should not wait */
  gboolean is_stopping; /* (lock) */
};

/* --- one round -------------------------------------------------------------------------------- */

static void
note_result (DsqEngine *self, const GError *error)
{
  pthread_mutex_lock (&self->room_lock);
  g_clear_error (&self->last_error);
  if (error != NULL)
    {
      self->last_error = g_error_copy (error);
      self->n_failures++;
    }
  pthread_cond_broadcast (&self->room_cond);
  pthread_mutex_unlock (&self->room_lock);
  if (error != NULL)
    __atomic_fetch_add (&self->n_failed_flushes, 1, __ATOMIC_RELAXED);
}

/* Flush and sync; a checkpoint, which may fail without harm, when the log has grown enough. */
static gboolean
write_behind_locked (DsqEngine *self, gboolean is_idle, GCancellable *cancellable, GError **error)
{
  if (!dsq_engine_flush_locked (self, cancellable, error))
    return FALSE;
  if (!self->cold->funcs->sync (self->cold, error))
    return FALSE;
  if (self->cold->funcs->wants_checkpoint (self->cold, is_idle))
    self->cold->funcs->checkpoint (self->cold, NULL);
  return TRUE;
}

static gboolean
write_behind (DsqEngine *self, gboolean is_idle, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  pthread_mutex_lock (&self->writer_lock);
  if (self->cold != NULL)
    {
      write_behind_locked (self, is_idle, cancellable, &local_error);
      note_result (self, local_error);
    }
  pthread_mutex_unlock (&self->writer_lock);
  if (local_error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

gboolean
dsq_engine_write_behind (DsqEngine *self, GCancellable *cancellable, GError **error)
{
  return write_behind (self, FALSE, cancellable, error);
}

gboolean
dsq_engine_flush (DsqEngine *self, GCancellable *cancellable, GError **error)
{
  gboolean success;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = self->cold == NULL || self->options.read_only ||
            dsq_engine_write_behind (self, cancellable, error);
  dsq_engine_leave (self);
  return success;
}

/* --- the thread --------------------------------------------------------------------------------
 */

static struct timespec
monotonic_in (gint64 microseconds)
{
  struct timespec now;
  gint64 nanoseconds;

  clock_gettime (CLOCK_MONOTONIC, &now);
  nanoseconds = now.tv_nsec + microseconds % G_USEC_PER_SEC * 1000;
  now.tv_sec += microseconds / G_USEC_PER_SEC + nanoseconds / 1000000000;
  now.tv_nsec = nanoseconds % 1000000000;
  return now;
}

/* Waits for work and then for the interval; with @is_idle_due only for the interval. FALSE: stop.
 */
static gboolean
wait_for_work (DsqFlusher *self, gboolean is_idle_due, gboolean *out_has_work)
{
  struct timespec deadline;
  gboolean is_stopping;
  int result = 0;

  pthread_mutex_lock (&self->lock);
  while (!self->is_stopping && !self->is_awake && !is_idle_due)
    pthread_cond_wait (&self->cond, &self->lock);
  deadline = monotonic_in (self->interval_us);
  while (!self->is_stopping && !self->is_urgent && result != ETIMEDOUT)
    result = pthread_cond_timedwait (&self->cond, &self->lock, &deadline);
  *out_has_work = self->is_awake;
  is_stopping = self->is_stopping;

  /* what is staged from here on wakes us again */
  __atomic_store_n (&self->is_awake, FALSE, __ATOMIC_SEQ_CST);
  __atomic_store_n (&self->is_urgent, FALSE, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock (&self->lock);
  return !is_stopping;
}

static void *
flusher_thread (void *data)
{
  DsqFlusher *self = data;
  gboolean has_work = FALSE;
  gboolean is_idle_due = FALSE;

  pthread_setname_np (pthread_self (), "dsq-flusher");
  while (wait_for_work (self, is_idle_due, &has_work))
    {
      /* a flush that fails is tried again after the interval; the error is in the statistics and
       * the next flush() meets it as well */
      if (!write_behind (self->engine, !has_work, NULL, NULL))
        dsq_flusher_wake (self, FALSE);
      is_idle_due = has_work;
    }
  return NULL;
}

DsqFlusher *
dsq_flusher_new (DsqEngine *engine, guint interval_ms)
{
  DsqFlusher *self = g_new0 (DsqFlusher, 1);
  pthread_condattr_t attributes;

  self->engine = engine;
  self->interval_us = (gint64) interval_ms * 1000;
  pthread_mutex_init (&self->lock, NULL);
  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (&self->cond, &attributes);
  pthread_condattr_destroy (&attributes);
  return self;
}

gboolean
dsq_flusher_start (DsqFlusher *self)
{
  self->has_thread = pthread_create (&self->thread, NULL, flusher_thread, self) == 0;
  return self->has_thread;
}

void
dsq_flusher_stop (DsqFlusher *self)
{
  if (!self->has_thread)
    return;
  pthread_mutex_lock (&self->lock);
  self->is_stopping = TRUE;
  pthread_cond_broadcast (&self->cond);
  pthread_mutex_unlock (&self->lock);
  pthread_join (self->thread, NULL);
  self->has_thread = FALSE;
}

void
dsq_flusher_free (DsqFlusher *self)
{
  dsq_flusher_stop (self);
  pthread_mutex_destroy (&self->lock);
  pthread_cond_destroy (&self->cond);
  g_free (self);
}

void
dsq_flusher_wake (DsqFlusher *self, gboolean at_once)
{
  gboolean *flag = at_once ? &self->is_urgent : &self->is_awake;

  if (__atomic_load_n (flag, __ATOMIC_SEQ_CST))
    return;
  pthread_mutex_lock (&self->lock);
  __atomic_store_n (&self->is_awake, TRUE, __ATOMIC_SEQ_CST);
  __atomic_store_n (flag, TRUE, __ATOMIC_SEQ_CST);
  pthread_cond_broadcast (&self->cond);
  pthread_mutex_unlock (&self->lock);
}

/* --- room ---------------------------------------------------------------------------------------
 */

static guint64
dirty_bytes (DsqEngine *self)
{
  return (guint64) MAX (__atomic_load_n (&self->hot->dirty_bytes, __ATOMIC_RELAXED), 0);
}

void
dsq_engine_wake_flusher (DsqEngine *self)
{
  dsq_flusher_wake (self->flusher, dirty_bytes (self) >= self->options.dirty_limit / 2);
}

/* Who can be cancelled looks again after a while: a cancellable has no lock to be waited with. */
static void
wait_in_room_locked (DsqEngine *self)
{
  struct timespec deadline;

  if (dsq_call_state.cancellable == NULL)
    {
      pthread_cond_wait (&self->room_cond, &self->room_lock);
      return;
    }
  clock_gettime (CLOCK_REALTIME, &deadline);
  deadline.tv_nsec += CANCEL_WAIT_MS * 1000000L;
  deadline.tv_sec += deadline.tv_nsec / 1000000000L;
  deadline.tv_nsec %= 1000000000L;
  pthread_cond_timedwait (&self->room_cond, &self->room_lock, &deadline);
}

static gboolean
wait_for_flush (DsqEngine *self, GError **error)
{
  guint64 n_failures;
  gboolean success;

  dsq_flusher_wake (self->flusher, TRUE);
  pthread_mutex_lock (&self->room_lock);
  n_failures = self->n_failures;
  while (dirty_bytes (self) >= self->options.dirty_limit && self->n_failures == n_failures &&
         !dsq_engine_is_closed (self) && !g_cancellable_is_cancelled (dsq_call_state.cancellable))
    wait_in_room_locked (self);
  success = self->last_error == NULL || self->n_failures == n_failures;
  if (!success)
    g_propagate_error (error, g_error_copy (self->last_error));
  pthread_mutex_unlock (&self->room_lock);
  return success && !g_cancellable_set_error_if_cancelled (dsq_call_state.cancellable, error);
}

gboolean
dsq_engine_make_room (DsqEngine *self, GError **error)
{
  gboolean success;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  __atomic_fetch_add (&self->n_writer_waits, 1, __ATOMIC_RELAXED);
  if (self->options.background)
    success = wait_for_flush (self, error);
  else
    success = dsq_engine_write_behind (self, NULL, error);
  dsq_engine_leave (self);
  return success;
}
