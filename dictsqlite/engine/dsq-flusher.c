/* dsq-flusher.c - the write-behind thread, and writers that wait for it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-mutex-private.h"
#include "cold/dsq-cold-file-private.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-flusher-private.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-write-behind-private.h"

/*
 * The thread sleeps until something is dirty or unsynced, waits out the interval, and then flushes,
 * syncs and, when it is due, checkpoints. When nothing more comes it checkpoints what is left in
 * the log and sleeps again. In between it tends what reads have asked for. A writer that finds half
 * of the allowed amount dirty wakes it at once; one that finds all of it dirty waits until a flush
 * has ended. Without the thread that writer flushes itself.
 */

struct _DsqFlusher
{
  DsqEngine *engine; /* (unowned) */
  gint64 interval_us;
  DsqMutex lock;
  gboolean has_thread; /* (lock) */
  pthread_t thread;    /* (lock) */
  pthread_cond_t cond;
  gboolean is_awake;    /* (atomic, set with lock) there is something to flush or sync */
  gboolean is_ticking;  /* (atomic, set with lock) there is something to tend */
  gboolean is_building; /* (atomic, set with lock) and it is a build, which should begin at once */
  gboolean is_urgent;   /* (atomic, set with lock) and it should not wait */
  gboolean is_stopping; /* (lock) */
};

/* --- one round -------------------------------------------------------------------------------- */

static void
note_result (DsqEngine *self, const GError *error)
{
  dsq_mutex_lock (&self->room_lock);
  g_clear_error (&self->last_error);
  if (error != NULL)
    {
      self->last_error = g_error_copy (error);
      self->n_failures++;
    }
  /* no write passes without a look any more */
  if (self->cold->is_failed)
    __atomic_store_n (&self->room_limit, 0, __ATOMIC_RELAXED);
  pthread_cond_broadcast (&self->room_cond);
  dsq_mutex_unlock (&self->room_lock);
  if (error != NULL)
    __atomic_fetch_add (&self->n_failed_flushes, 1, __ATOMIC_RELAXED);
}

/* Bytes that one round gives back to the file system: a few milliseconds' worth. */
#define SHRINK_BYTES (4 << 20)

void
dsq_engine_shrink_locked (DsqEngine *self, guint max_rounds)
{
  gboolean has_more = self->cold->file != NULL;

  dsq_mutex_assert_held (&self->writer_lock);
  for (guint i = 0; i < max_rounds && has_more; i++)
    if (!self->cold->file->shrink (self->cold, SHRINK_BYTES, &has_more, NULL))
      return;
  if (has_more && self->options.background)
    dsq_flusher_wake (self->flusher, FALSE);
}

/* Flush and sync; a checkpoint, which may fail without harm, when the log has grown enough. So may
 * the shrinking of a file that has become much too large. */
static gboolean
write_behind_locked (DsqEngine *self, gboolean is_idle, GError **error)
{
  dsq_mutex_assert_held (&self->writer_lock);
  if (dsq_engine_has_failed (self))
    return dsq_engine_sync (self, error);
  if (!dsq_engine_flush_locked (self, error) || !dsq_engine_trim_locked (self, error))
    return FALSE;
  dsq_engine_shrink_locked (self, 1);
  if (!dsq_engine_sync (self, error))
    return FALSE;
  if (self->cold->file != NULL && self->cold->file->wants_checkpoint (self->cold, is_idle))
    self->cold->file->checkpoint (self->cold, NULL);
  return TRUE;
}

static gboolean
write_behind (DsqEngine *self, gboolean is_idle, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  if (!dsq_call_lock (&self->writer_lock, error))
    return FALSE;
  if (self->cold != NULL)
    {
      write_behind_locked (self, is_idle, &local_error);
      /* who is cancelled has not failed, for those that wait for a flush */
      if (!g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        note_result (self, local_error);
      if (!self->is_lasting && local_error == NULL)
        dsq_engine_reset_room_limit (self);
    }
  dsq_mutex_unlock (&self->writer_lock);
  if (local_error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

gboolean
dsq_engine_write_behind (DsqEngine *self, GError **error)
{
  return write_behind (self, FALSE, error);
}

gboolean
dsq_engine_flush (DsqEngine *self, GError **error)
{
  gboolean success;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = !self->is_lasting || self->options.read_only || dsq_engine_write_behind (self, error);
  dsq_engine_leave (self);
  return success;
}

/* --- the thread ------------------------------------------------------------------------------- */

/* Longest time for which a read transaction that nobody uses is kept, about. */
#define MAX_TEND_US G_USEC_PER_SEC

/* When the thread has what to do, in microseconds of the monotonic clock; 0: not at all. */
typedef struct
{
  gint64 work;
  gint64 idle; /* a round without work, for what is left in the log */
  gint64 tend;
} Agenda;

static gint64
earliest (const Agenda *agenda)
{
  gint64 first = 0;
  const gint64 all[] = { agenda->work, agenda->idle, agenda->tend };

  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    if (all[i] != 0 && (first == 0 || all[i] < first))
      first = all[i];
  return first;
}

static void
note_flags_locked (DsqFlusher *self, Agenda *agenda, gint64 now)
{
  dsq_mutex_assert_held (&self->lock);
  if (self->is_awake)
    {
      agenda->work = agenda->work != 0 ? agenda->work : now + self->interval_us;
      agenda->idle = 0;
    }
  if (self->is_urgent)
    agenda->work = now;
  if (self->is_ticking && agenda->tend == 0)
    agenda->tend = now + MIN (self->interval_us, MAX_TEND_US);
  if (self->is_building)
    agenda->tend = now;
}

/* Until something is due. FALSE: stop. */
static gboolean
wait_for_work (DsqFlusher *self, Agenda *agenda, gint64 *out_now)
{
  gboolean is_stopping;

  dsq_mutex_lock (&self->lock);
  for (;;)
    {
      gint64 now = g_get_monotonic_time ();
      gint64 due;

      note_flags_locked (self, agenda, now);
      due = earliest (agenda);
      *out_now = now;
      if (self->is_stopping || (due != 0 && due <= now))
        break;
      if (due == 0)
        dsq_cond_wait (&self->cond, &self->lock);
      else
        dsq_cond_wait_until (&self->cond, &self->lock, due);
    }
  is_stopping = self->is_stopping;

  /* what is staged from here on wakes us again */
  if (agenda->work != 0 && agenda->work <= *out_now)
    {
      __atomic_store_n (&self->is_awake, FALSE, __ATOMIC_SEQ_CST);
      __atomic_store_n (&self->is_urgent, FALSE, __ATOMIC_SEQ_CST);
    }
  __atomic_store_n (&self->is_ticking, FALSE, __ATOMIC_SEQ_CST);
  __atomic_store_n (&self->is_building, FALSE, __ATOMIC_SEQ_CST);
  dsq_mutex_unlock (&self->lock);
  return !is_stopping;
}

/* In memory mode there is only something to write when it does not fit. */
static gboolean
run_round (DsqEngine *self, gboolean is_idle)
{
  gboolean success = TRUE;

  if (self->is_lasting || dsq_engine_wants_spill (self))
    success = write_behind (self, is_idle, NULL);
  dsq_mutex_lock (&self->room_lock);
  self->n_rounds++;
  pthread_cond_broadcast (&self->room_cond);
  dsq_mutex_unlock (&self->room_lock);
  return success;
}

static void
tend (DsqFlusher *self, Agenda *agenda, gint64 now)
{
  switch (dsq_engine_tend (self->engine))
    {
    case DSQ_TEND_SOON:
      agenda->tend = now;
      break;
    case DSQ_TEND_LATER:
      agenda->tend = now + MIN (self->interval_us, MAX_TEND_US);
      break;
    case DSQ_TEND_DONE:
    default:
      agenda->tend = 0;
    }
}

static void *
flusher_thread (void *data)
{
  DsqFlusher *self = data;
  Agenda agenda = { 0 };
  gint64 now;

  pthread_setname_np (pthread_self (), "dsq-flusher");
  while (wait_for_work (self, &agenda, &now))
    {
      gboolean has_work = agenda.work != 0 && agenda.work <= now;
      gboolean is_idle = agenda.idle != 0 && agenda.idle <= now;

      dsq_fork_enter ();
      if (has_work || is_idle)
        {
          agenda.work = 0;
          agenda.idle = has_work && self->engine->is_lasting ? now + self->interval_us : 0;
          /* a flush that fails is tried again after the interval; the error is in the statistics
           * and the next flush() meets it as well */
          if (!run_round (self->engine, !has_work) && self->engine->is_lasting)
            dsq_flusher_wake (self, FALSE);
        }
      if (agenda.tend != 0 && agenda.tend <= now)
        tend (self, &agenda, now);
      dsq_fork_leave ();
    }
  return NULL;
}

DsqFlusher *
dsq_flusher_new (DsqEngine *engine, guint interval_ms)
{
  DsqFlusher *self = g_new0 (DsqFlusher, 1);

  self->engine = engine;
  self->interval_us = (gint64) interval_ms * 1000;
  dsq_mutex_init (&self->lock, DSQ_RANK_FLUSHER, 0);
  dsq_cond_init (&self->cond);
  return self;
}

gboolean
dsq_flusher_start (DsqFlusher *self)
{
  gboolean has_thread;

  dsq_mutex_lock (&self->lock);
  if (!self->has_thread && !self->is_stopping)
    self->has_thread = pthread_create (&self->thread, NULL, flusher_thread, self) == 0;
  has_thread = self->has_thread;
  dsq_mutex_unlock (&self->lock);
  return has_thread;
}

void
dsq_flusher_stop (DsqFlusher *self)
{
  gboolean has_thread;
  guint depth;

  dsq_mutex_lock (&self->lock);
  self->is_stopping = TRUE;
  has_thread = self->has_thread;
  self->has_thread = FALSE;
  pthread_cond_broadcast (&self->cond);
  dsq_mutex_unlock (&self->lock);
  if (!has_thread)
    return;
  dsq_mutex_assert_may_wait ("a thread");
  depth = dsq_fork_pause ();
  pthread_join (self->thread, NULL);
  dsq_fork_resume (depth);
}

void
dsq_flusher_free (DsqFlusher *self)
{
  dsq_flusher_stop (self);
  dsq_mutex_clear (&self->lock);
  pthread_cond_destroy (&self->cond);
  g_free (self);
}

void
dsq_flusher_wake (DsqFlusher *self, gboolean at_once)
{
  gboolean *flag = at_once ? &self->is_urgent : &self->is_awake;

  if (__atomic_load_n (flag, __ATOMIC_SEQ_CST))
    return;
  dsq_mutex_lock (&self->lock);
  __atomic_store_n (&self->is_awake, TRUE, __ATOMIC_SEQ_CST);
  __atomic_store_n (flag, TRUE, __ATOMIC_SEQ_CST);
  pthread_cond_broadcast (&self->cond);
  dsq_mutex_unlock (&self->lock);
}

void
dsq_flusher_tick (DsqFlusher *self, gboolean at_once)
{
  gboolean *flag = at_once ? &self->is_building : &self->is_ticking;

  if (__atomic_load_n (flag, __ATOMIC_RELAXED))
    return;
  dsq_mutex_lock (&self->lock);
  __atomic_store_n (flag, TRUE, __ATOMIC_SEQ_CST);
  pthread_cond_broadcast (&self->cond);
  dsq_mutex_unlock (&self->lock);
}

gboolean
dsq_flusher_is_hurried (DsqFlusher *self)
{
  gboolean is_hurried;

  dsq_mutex_lock (&self->lock);
  is_hurried = self->is_stopping || self->is_urgent;
  dsq_mutex_unlock (&self->lock);
  return is_hurried;
}

/* --- room ------------------------------------------------------------------------------------- */

guint64
dsq_engine_dirty_bytes (DsqEngine *self)
{
  return (guint64) MAX (__atomic_load_n (&self->hot->dirty_bytes, __ATOMIC_RELAXED), 0);
}

void
dsq_engine_wake_flusher (DsqEngine *self)
{
  dsq_flusher_wake (self->flusher, dsq_engine_dirty_bytes (self) >= self->options.dirty_limit / 2);
}

static gboolean
wait_for_flush (DsqEngine *self, GError **error)
{
  guint64 n_failures;
  gboolean success;

  dsq_flusher_wake (self->flusher, TRUE);
  dsq_mutex_lock (&self->room_lock);
  n_failures = self->n_failures;
  while (dsq_engine_dirty_bytes (self) >= self->options.dirty_limit &&
         self->n_failures == n_failures && !dsq_engine_is_closed (self) &&
         !dsq_call_is_cancelled ())
    dsq_call_wait (&self->room_cond, &self->room_lock);
  success = self->last_error == NULL || self->n_failures == n_failures;
  if (!success)
    g_propagate_error (error, g_error_copy (self->last_error));
  dsq_mutex_unlock (&self->room_lock);
  return success && dsq_call_check (error);
}

gboolean
dsq_engine_make_room (DsqEngine *self, GError **error)
{
  gboolean success;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  if (self->is_lasting)
    __atomic_fetch_add (&self->n_writer_waits, 1, __ATOMIC_RELAXED);
  if (!self->is_lasting)
    success = dsq_engine_make_room_by_spilling (self, error);
  else if (dsq_engine_has_failed (self))
    success = dsq_engine_sync (self, error);
  else if (self->options.background)
    success = wait_for_flush (self, error);
  else
    success = dsq_engine_write_behind (self, error);
  dsq_engine_leave (self);
  return success;
}
