/* dsq-workers.c - the store's own threads for calls that somebody does not wait for
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-mutex-private.h"
#include "engine/dsq-workers-private.h"

/*
 *   lanes      read          write         close
 *   queued     j j j         j             -
 *   running    j j j j       j j           -          each up to its limit
 *   threads    one for each job that runs, and those that wait for more
 *
 * A thread is started when a job comes that its lane has a place for and no idle thread is there to
 * take it, and stays until the store is closed. Threads are detached: one may drop the last
 * reference to the store whose threads these are, and so has to be able to stop itself. The struct
 * is therefore counted, once for the store and once for each thread.
 */

static const guint lane_limits[DSQ_N_LANES] = { 4, 4, 1 };

typedef struct
{
  DsqJob *first; /* (lock) */
  DsqJob **end;  /* (lock) */
  guint n_queued;
  guint n_running;
} Lane;

struct _DsqWorkers
{
  DsqMutex lock;
  pthread_cond_t work;     /* a job came, or the threads are to go */
  pthread_cond_t progress; /* a job was run, or a thread has gone */
  Lane lanes[DSQ_N_LANES]; /* (lock) */
  guint n_threads;         /* (lock) */
  guint n_idle;            /* (lock) threads that wait for work, and have none assigned */
  gboolean is_closing;     /* (lock) no job is taken but a close */
  gboolean is_stopping;    /* (lock) */
  guint n_refs;            /* (lock) */
};

/* The workers whose thread this is. */
static __thread DsqWorkers *current;

static void
unref_and_unlock (DsqWorkers *self)
{
  gboolean is_last = --self->n_refs == 0;

  dsq_mutex_unlock (&self->lock);
  if (!is_last)
    return;
  dsq_mutex_clear (&self->lock);
  pthread_cond_destroy (&self->work);
  pthread_cond_destroy (&self->progress);
  g_free (self);
}

/* --- the threads ------------------------------------------------------------------------------ */

/* The next job that its lane has a place for, or NULL. */
static DsqJob *
take_locked (DsqWorkers *self, Lane **out_lane)
{
  dsq_mutex_assert_held (&self->lock);
  for (guint i = 0; i < DSQ_N_LANES; i++)
    {
      Lane *lane = &self->lanes[i];
      DsqJob *job = lane->first;

      if (job == NULL || lane->n_running >= lane_limits[i])
        continue;
      lane->first = job->next;
      if (lane->first == NULL)
        lane->end = &lane->first;
      lane->n_queued--;
      lane->n_running++;
      *out_lane = lane;
      return job;
    }
  return NULL;
}

/* Lets go of the lock meanwhile. */
static void
run_locked (DsqWorkers *self, Lane *lane, DsqJob *job)
{
  dsq_mutex_assert_held (&self->lock);
  dsq_mutex_unlock (&self->lock);
  job->run (job);
  dsq_mutex_lock (&self->lock);
  lane->n_running--;
  if (lane->n_queued > 0)
    pthread_cond_signal (&self->work);
  pthread_cond_broadcast (&self->progress);
  dsq_mutex_unlock (&self->lock);
  job->finish (job);
  dsq_mutex_lock (&self->lock);
}

static void *
worker_thread (void *data)
{
  DsqWorkers *self = data;

  pthread_setname_np (pthread_self (), "dsq-worker");
  current = self;
  dsq_mutex_lock (&self->lock);
  for (;;)
    {
      Lane *lane;
      DsqJob *job = take_locked (self, &lane);

      if (job == NULL && self->is_stopping)
        break;
      if (job != NULL)
        {
          run_locked (self, lane, job);
          continue;
        }
      self->n_idle++;
      dsq_cond_wait (&self->work, &self->lock);
      self->n_idle--;
    }
  self->n_threads--;
  pthread_cond_broadcast (&self->progress);
  unref_and_unlock (self);
  return NULL;
}

static gboolean
start_thread_locked (DsqWorkers *self)
{
  pthread_attr_t attributes;
  pthread_t thread;
  gboolean is_started;

  dsq_mutex_assert_held (&self->lock);
  pthread_attr_init (&attributes);
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  is_started = pthread_create (&thread, &attributes, worker_thread, self) == 0;
  pthread_attr_destroy (&attributes);
  self->n_threads += is_started;
  self->n_refs += is_started;
  return is_started;
}

/* --- jobs ------------------------------------------------------------------------------------- */

/* Jobs that could run now, if there were a thread for each. */
static guint
count_ready_locked (DsqWorkers *self)
{
  guint n_ready = 0;

  dsq_mutex_assert_held (&self->lock);
  for (guint i = 0; i < DSQ_N_LANES; i++)
    n_ready += MIN (self->lanes[i].n_queued, lane_limits[i] - self->lanes[i].n_running);
  return n_ready;
}

/* Where no thread can be had, the caller does it. The job may hold the last reference to us. */
static void
run_here_and_unlock (DsqWorkers *self)
{
  Lane *lane;
  DsqJob *job;

  self->n_refs++;
  while ((job = take_locked (self, &lane)) != NULL)
    run_locked (self, lane, job);
  unref_and_unlock (self);
}

gboolean
dsq_workers_push (DsqWorkers *self, DsqLane lane, DsqJob *job)
{
  Lane *to = &self->lanes[lane];

  dsq_mutex_lock (&self->lock);
  if (self->is_stopping || (self->is_closing && lane != DSQ_LANE_CLOSE))
    {
      dsq_mutex_unlock (&self->lock);
      return FALSE;
    }
  job->next = NULL;
  *to->end = job;
  to->end = &job->next;
  to->n_queued++;
  if (count_ready_locked (self) > self->n_idle && !start_thread_locked (self) &&
      self->n_threads == 0)
    {
      run_here_and_unlock (self);
      return TRUE;
    }
  pthread_cond_signal (&self->work);
  dsq_mutex_unlock (&self->lock);
  return TRUE;
}

static gboolean
has_jobs_locked (DsqWorkers *self)
{
  dsq_mutex_assert_held (&self->lock);
  for (guint i = 0; i < DSQ_LANE_CLOSE; i++)
    if (self->lanes[i].n_queued > 0 || self->lanes[i].n_running > 0)
      return TRUE;
  return FALSE;
}

void
dsq_workers_drain (DsqWorkers *self)
{
  dsq_mutex_lock (&self->lock);
  self->is_closing = TRUE;
  while (has_jobs_locked (self))
    dsq_cond_wait (&self->progress, &self->lock);
  dsq_mutex_unlock (&self->lock);
}

void
dsq_workers_resume (DsqWorkers *self)
{
  dsq_mutex_lock (&self->lock);
  self->is_closing = FALSE;
  dsq_mutex_unlock (&self->lock);
}

/* A close that is queued behind the one that stops us is run first. */
void
dsq_workers_stop (DsqWorkers *self)
{
  dsq_mutex_lock (&self->lock);
  self->is_stopping = TRUE;
  pthread_cond_broadcast (&self->work);
  while (self->n_threads > (current == self))
    dsq_cond_wait (&self->progress, &self->lock);
  dsq_mutex_unlock (&self->lock);
}

/* --- the whole -------------------------------------------------------------------------------- */

DsqWorkers *
dsq_workers_new (void)
{
  DsqWorkers *self = g_new0 (DsqWorkers, 1);

  dsq_mutex_init (&self->lock, DSQ_RANK_WORKERS, 0);
  dsq_cond_init (&self->work);
  dsq_cond_init (&self->progress);
  for (guint i = 0; i < DSQ_N_LANES; i++)
    self->lanes[i].end = &self->lanes[i].first;
  self->n_refs = 1;
  return self;
}

void
dsq_workers_free (DsqWorkers *self)
{
  dsq_workers_stop (self);
  dsq_mutex_lock (&self->lock);
  unref_and_unlock (self);
}
