/* dsq-flusher.c - the thread that works behind the callers
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-fork-private.h"
#include "base/dsq-mutex-private.h"
#include "base/dsq-patience-private.h"
#include "engine/dsq-flusher-private.h"

/*
 * It sleeps until there is work, waits out the interval, so that much becomes one, and does it; an
 * interval after the last an idle round sees to what is left. In between it tends what reads have
 * asked for. Who cannot wait for the interval wakes it at once. What the work is others know.
 */

struct _DsqFlusher
{
  const DsqFlusherFuncs *funcs; /* (unowned) */
  gpointer user_data;           /* (unowned) */
  gint64 interval_us;           /* (atomic) */
  DsqMutex lock;
  gboolean has_thread; /* (lock) */
  pthread_t thread;    /* (lock) */
  pthread_cond_t cond;
  gboolean is_awake;    /* (atomic, set with lock) there is work */
  gboolean is_ticking;  /* (atomic, set with lock) there is something to tend */
  gboolean is_building; /* (atomic, set with lock) and it should begin at once */
  gboolean is_urgent;   /* (atomic, set with lock) and it should not wait */
  gboolean is_stopping; /* (lock) */
};

/* Half of the longest time for which a read transaction that nobody uses is kept: another process
 * may wait for it to end. */
#define TEND_US (20 * 1000)

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

static gint64
get_interval (const DsqFlusher *self)
{
  return __atomic_load_n (&self->interval_us, __ATOMIC_RELAXED);
}

static void
note_flags_locked (DsqFlusher *self, Agenda *agenda, gint64 now)
{
  dsq_mutex_assert_held (&self->lock);
  if (self->is_awake)
    {
      agenda->work = agenda->work != 0 ? agenda->work : now + get_interval (self);
      agenda->idle = 0;
    }
  if (self->is_urgent)
    agenda->work = now;
  if (self->is_ticking && agenda->tend == 0)
    agenda->tend = now + TEND_US;
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

static void
work (DsqFlusher *self, Agenda *agenda, gint64 now, gboolean has_work)
{
  DsqRound round = self->funcs->work (self->user_data, !has_work);

  agenda->work = 0;
  agenda->idle = has_work && round == DSQ_ROUND_LEAVES ? now + get_interval (self) : 0;
  if (round == DSQ_ROUND_FAILED)
    dsq_flusher_wake (self, FALSE);
}

static void
tend (DsqFlusher *self, Agenda *agenda, gint64 now)
{
  switch (self->funcs->tend (self->user_data))
    {
    case DSQ_TEND_SOON:
      agenda->tend = now;
      break;
    case DSQ_TEND_LATER:
      agenda->tend = now + TEND_US;
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

      dsq_patience_renew ();
      dsq_fork_enter ();
      if (has_work || is_idle)
        work (self, &agenda, now, has_work);
      if (agenda.tend != 0 && agenda.tend <= now)
        tend (self, &agenda, now);
      dsq_fork_leave ();
    }
  return NULL;
}

DsqFlusher *
dsq_flusher_new (guint interval_ms, const DsqFlusherFuncs *funcs, gpointer user_data)
{
  DsqFlusher *self = g_new0 (DsqFlusher, 1);

  self->funcs = funcs;
  self->user_data = user_data;
  self->interval_us = (gint64) interval_ms * 1000;
  dsq_mutex_init (&self->lock, DSQ_RANK_FLUSHER, 0);
  dsq_cond_init (&self->cond);
  return self;
}

void
dsq_flusher_shorten (DsqFlusher *self, guint interval_ms)
{
  dsq_mutex_lock (&self->lock);
  __atomic_store_n (&self->interval_us,
                    MIN (self->interval_us, (gint64) interval_ms * 1000),
                    __ATOMIC_RELAXED);
  pthread_cond_broadcast (&self->cond);
  dsq_mutex_unlock (&self->lock);
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
