/* dsq-workers.c - the store's own threads for calls that somebody does not wait for
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "engine/dsq-workers-private.h"

/*
 *   lanes      read          write         apart         close
 *   queued     j j j         j             -             -
 *   running    j j j j       j j           j             -          each up to its limit
 *   threads    one for each job that runs, and those that wait for more
 *
 * A thread is started when a job comes that its lane has a place for and no idle thread is there to
 * take it, and stays until the store is closed, or where nothing is to go on behind the caller
 * until it has no job. Threads detach themselves: one may drop the last reference to the store
 * whose threads these are, and so has to be able to stop itself. The struct is therefore counted,
 * once for the store and once for each thread. A caller that waits for a job joins its thread, if
 * that ends with it: a fork that meets a thread at its end could leave the child with a lock of
 * GLib's.
 *
 * Calls come in the order in which they were asked for. So writes begin one by one. Only those that
 * do nothing but to join the queue of commits need not wait for each other's end: the next begins
 * when one stands in the queue. A call that memory could answer must not be tried there while a job
 * is under way that reaches its keys and one of the two writes: these are counted, by slots of
 * their hash, and such a call goes into the lane of writes, reads too.
 */

#define MAX_RUNNING 4

/* Between two looks at the cancellables of jobs that wait. */
#define LOOK_US (10 * 1000)

static const guint lane_limits[DSQ_N_LANES] = { MAX_RUNNING, MAX_RUNNING, MAX_RUNNING, 1 };

typedef struct
{
  DsqJob *first; /* (lock) */
  DsqJob **end;  /* (lock) */
  guint n_queued;
  guint n_running;
  guint64 n_jobs;               /* (lock) that ever came */
  guint64 running[MAX_RUNNING]; /* (lock) their numbers, 0 for none */
} Lane;

/* Jobs that are there, by the keys that they are for. */
typedef struct
{
  guint n_jobs;
  guint slots[DSQ_N_SLOTS + 1]; /* the first: those for all keys */
} Reached;

struct _DsqWorkers
{
  gboolean stay; /* constant */
  DsqMutex lock;
  pthread_cond_t work;     /* a job came, or the threads are to go */
  pthread_cond_t progress; /* a job was run, or a thread has gone */
  Lane lanes[DSQ_N_LANES]; /* (lock) */
  guint n_threads;         /* (lock) */
  guint n_idle;            /* (lock) threads that wait for work, and have none assigned */
  guint n_cancellable;     /* (lock) queued jobs that have a cancellable */
  guint n_cancelled;       /* (lock) jobs that run out of turn */
  Reached reads;           /* (lock) */
  Reached writes;          /* (lock) */
  guint n_reaching;        /* (atomic) (lock) of both */
  guint n_ordered;         /* (lock) ordered jobs that run */
  gboolean has_turn;       /* (lock) one of them holds back the next */
  gboolean is_closing;     /* (lock) no job is taken but a close */
  gboolean is_stopping;    /* (lock) */
  guint n_refs;            /* (lock) */
};

/* The workers whose thread this is. */
static __thread DsqWorkers *current;
/* The ordered job that this thread runs is of these. */
static __thread DsqWorkers *owner;

__thread DsqJob *dsq_workers_ordered;

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

/* --- order ------------------------------------------------------------------------------------ */

static gboolean
is_reached (const Reached *self, guint slot)
{
  if (slot == 0)
    return self->n_jobs > 0;
  return self->slots[0] + self->slots[slot] > 0;
}

/* Writes keep their order whatever they are for: it is the order of new keys. */
static gboolean
is_next_locked (const DsqWorkers *self, DsqReach reach, guint slot)
{
  dsq_mutex_assert_held (&self->lock);
  if (reach == DSQ_REACH_READS)
    return !is_reached (&self->writes, slot);
  return reach == DSQ_REACH_NONE || (self->writes.n_jobs == 0 && !is_reached (&self->reads, slot));
}

gboolean
dsq_workers_is_next (DsqWorkers *self, DsqReach reach, guint slot)
{
  gboolean is_next;

  if (G_LIKELY (__atomic_load_n (&self->n_reaching, __ATOMIC_RELAXED) == 0))
    return TRUE;
  dsq_mutex_lock (&self->lock);
  is_next = is_next_locked (self, reach, slot);
  dsq_mutex_unlock (&self->lock);
  return is_next;
}

static void
count_reach_locked (DsqWorkers *self, const DsqJob *job, int step)
{
  Reached *reached = job->reach == DSQ_REACH_READS ? &self->reads : &self->writes;

  dsq_mutex_assert_held (&self->lock);
  if (job->reach == DSQ_REACH_NONE)
    return;
  reached->n_jobs += (guint) step;
  reached->slots[job->slot] += (guint) step;
  __atomic_fetch_add (&self->n_reaching, (guint) step, __ATOMIC_RELAXED);
}

/* Whether no read is there that the job waits for. */
static gboolean
are_reads_done_locked (const DsqWorkers *self, const DsqJob *job)
{
  const Lane *reads = &self->lanes[DSQ_LANE_READ];

  dsq_mutex_assert_held (&self->lock);
  for (guint i = 0; i < MAX_RUNNING; i++)
    if (reads->running[i] != 0 && reads->running[i] <= job->waits_for)
      return FALSE;
  return reads->first == NULL || reads->first->number > job->waits_for;
}

/* Whether the first job of a lane may begin. */
static gboolean
is_ready_locked (const DsqWorkers *self, DsqLane lane)
{
  const DsqJob *job = self->lanes[lane].first;

  dsq_mutex_assert_held (&self->lock);
  if (job == NULL || self->lanes[lane].n_running >= lane_limits[lane])
    return FALSE;
  if (!job->is_ordered)
    return TRUE;
  return !self->has_turn && (job->may_pass_turn || self->n_ordered == 0) &&
         are_reads_done_locked (self, job);
}

static void
note_running (Lane *lane, guint64 from, guint64 to)
{
  guint i = 0;

  while (lane->running[i] != from)
    i++;
  lane->running[i] = to;
}

/* The next job that its lane has a place for, or NULL. */
static DsqJob *
take_locked (DsqWorkers *self, Lane **out_lane)
{
  dsq_mutex_assert_held (&self->lock);
  for (guint i = 0; i < DSQ_N_LANES; i++)
    {
      Lane *lane = &self->lanes[i];
      DsqJob *job = lane->first;

      if (!is_ready_locked (self, i))
        continue;
      self->has_turn |= job->is_ordered;
      self->n_ordered += job->is_ordered;
      note_running (lane, 0, job->number);
      lane->first = job->next;
      if (lane->first == NULL)
        lane->end = &lane->first;
      lane->n_queued--;
      self->n_cancellable -= job->cancellable != NULL;
      lane->n_running++;
      *out_lane = lane;
      return job;
    }
  return NULL;
}

/* --- the threads ------------------------------------------------------------------------------ */

static void *worker_thread (void *data);

static gboolean
start_thread_locked (DsqWorkers *self)
{
  pthread_t thread;
  gboolean is_started;

  dsq_mutex_assert_held (&self->lock);
  is_started = pthread_create (&thread, NULL, worker_thread, self) == 0;
  self->n_threads += is_started;
  self->n_refs += is_started;
  return is_started;
}

/* Jobs that could begin now, if there were a thread for each. */
static guint
count_ready_locked (DsqWorkers *self)
{
  guint n_ready = 0;

  dsq_mutex_assert_held (&self->lock);
  for (guint i = 0; i < DSQ_N_LANES; i++)
    if (is_ready_locked (self, i))
      n_ready += self->lanes[i].first->is_ordered
                     ? 1
                     : MIN (self->lanes[i].n_queued, lane_limits[i] - self->lanes[i].n_running);
  return n_ready;
}

/* One thread more looks after those that wait and may be cancelled. FALSE: there is no thread at
 * all. */
static gboolean
wake_threads_locked (DsqWorkers *self)
{
  guint n_ready;

  dsq_mutex_assert_held (&self->lock);
  n_ready = count_ready_locked (self) + (self->n_cancellable > 0);
  if (n_ready > self->n_idle && !start_thread_locked (self) && self->n_threads == 0)
    return FALSE;
  for (guint i = 0; i < n_ready; i++)
    pthread_cond_signal (&self->work);
  return TRUE;
}

void
dsq_workers_pass_own_turn (void)
{
  DsqWorkers *self = owner;

  if (!dsq_workers_ordered->may_pass_turn)
    return;
  dsq_workers_ordered->may_pass_turn = FALSE;
  dsq_workers_ordered->has_passed_turn = TRUE;
  dsq_mutex_lock (&self->lock);
  self->has_turn = FALSE;
  wake_threads_locked (self);
  dsq_mutex_unlock (&self->lock);
}

void
dsq_workers_leave_line (void)
{
  DsqWorkers *self = owner;

  if (dsq_workers_ordered == NULL)
    return;
  dsq_workers_ordered->is_ordered = FALSE;
  dsq_workers_ordered = NULL;
  dsq_mutex_lock (&self->lock);
  self->has_turn = FALSE;
  self->n_ordered--;
  wake_threads_locked (self);
  dsq_mutex_unlock (&self->lock);
}

/* It is not in the way of others any more. Lets go of the lock while it tells whoever waits. */
static void
finish_locked (DsqWorkers *self, DsqJob *job)
{
  dsq_mutex_assert_held (&self->lock);
  count_reach_locked (self, job, -1);
  wake_threads_locked (self);
  pthread_cond_broadcast (&self->progress);
  dsq_mutex_unlock (&self->lock);
  job->finish (job);
  dsq_mutex_lock (&self->lock);
}

/* Lets go of the lock meanwhile. TRUE: somebody joins the thread. */
static gboolean
run_locked (DsqWorkers *self, Lane *lane, DsqJob *job)
{
  gboolean is_joined;

  dsq_mutex_assert_held (&self->lock);
  owner = self;
  dsq_workers_ordered = job->is_ordered ? job : NULL;
  dsq_mutex_unlock (&self->lock);
  dsq_patience = (DsqPatience){ .timeout_ms = job->timeout_ms };
  job->thread = pthread_self ();
  job->run (job);
  is_joined = job->is_joined;
  dsq_mutex_lock (&self->lock);
  if (job->is_ordered && !job->has_passed_turn)
    self->has_turn = FALSE;
  dsq_workers_ordered = NULL;
  self->n_ordered -= job->is_ordered;
  lane->n_running--;
  note_running (lane, job->number, 0);
  finish_locked (self, job);
  return is_joined;
}

/* Takes the next job that waits in vain out of its lane, or NULL. */
static DsqJob *
take_cancelled_locked (DsqWorkers *self)
{
  dsq_mutex_assert_held (&self->lock);
  for (guint i = 0; i < DSQ_N_LANES && self->n_cancellable > 0; i++)
    for (DsqJob **link = &self->lanes[i].first; *link != NULL; link = &(*link)->next)
      {
        DsqJob *job = *link;

        if (!g_cancellable_is_cancelled (job->cancellable))
          continue;
        *link = job->next;
        if (job->next == NULL)
          self->lanes[i].end = link;
        self->lanes[i].n_queued--;
        self->n_cancellable--;
        return job;
      }
  return NULL;
}

/* It finds itself cancelled, and so does nothing. Lets go of the lock meanwhile. */
static void
run_cancelled_locked (DsqWorkers *self, DsqJob *job)
{
  dsq_mutex_assert_held (&self->lock);
  self->n_cancelled++;
  dsq_mutex_unlock (&self->lock);
  job->run (job);
  dsq_mutex_lock (&self->lock);
  self->n_cancelled--;
  finish_locked (self, job);
}

/* Until there may be work. */
static void
wait_for_work_locked (DsqWorkers *self)
{
  dsq_mutex_assert_held (&self->lock);
  self->n_idle++;
  if (self->n_cancellable > 0)
    dsq_cond_wait_until (&self->work, &self->lock, g_get_monotonic_time () + LOOK_US);
  else
    dsq_cond_wait (&self->work, &self->lock);
  self->n_idle--;
}

static void *
worker_thread (void *data)
{
  DsqWorkers *self = data;
  gboolean is_joined = FALSE;

  pthread_setname_np (pthread_self (), "dsq-worker");
  current = self;
  dsq_mutex_lock (&self->lock);
  while (!is_joined)
    {
      Lane *lane;
      DsqJob *job = take_locked (self, &lane);

      if (job == NULL && (self->is_stopping || (!self->stay && self->n_cancellable == 0)))
        break;
      if (job != NULL)
        is_joined = run_locked (self, lane, job);
      else if ((job = take_cancelled_locked (self)) != NULL)
        run_cancelled_locked (self, job);
      else
        wait_for_work_locked (self);
    }
  self->n_threads--;
  if (is_joined)
    wake_threads_locked (self); /* for what this one would have run next */
  else
    pthread_detach (pthread_self ());
  pthread_cond_broadcast (&self->progress);
  unref_and_unlock (self);
  return NULL;
}

/* --- jobs ------------------------------------------------------------------------------------- */

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
  job->timeout_ms = dsq_patience.timeout_ms;
  job->number = ++to->n_jobs;
  job->waits_for = 0;
  if (job->reach == DSQ_REACH_WRITES && is_reached (&self->reads, job->slot))
    job->waits_for = self->lanes[DSQ_LANE_READ].n_jobs;
  count_reach_locked (self, job, 1);
  *to->end = job;
  to->end = &job->next;
  to->n_queued++;
  self->n_cancellable += job->cancellable != NULL;
  if (!wake_threads_locked (self))
    {
      run_here_and_unlock (self);
      return TRUE;
    }
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
  return self->n_cancelled > 0;
}

gboolean
dsq_workers_drain (DsqWorkers *self, GError **error)
{
  gboolean goes_on = TRUE;

  dsq_mutex_lock (&self->lock);
  self->is_closing = TRUE;
  while (goes_on && has_jobs_locked (self))
    {
      dsq_call_wait (&self->progress, &self->lock);
      goes_on = dsq_call_check (error);
    }
  dsq_mutex_unlock (&self->lock);
  return goes_on;
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
dsq_workers_new (gboolean stay)
{
  DsqWorkers *self = g_new0 (DsqWorkers, 1);

  self->stay = stay;
  dsq_mutex_init (&self->lock, DSQ_RANK_WORKERS, 0);
  dsq_cond_init (&self->work);
  dsq_cond_init (&self->progress);
  for (guint i = 0; i < DSQ_N_LANES; i++)
    self->lanes[i].end = &self->lanes[i].first;
  self->n_refs = 1;
  return self;
}

gboolean
dsq_workers_stay (const DsqWorkers *self)
{
  return self->stay;
}

void
dsq_workers_free (DsqWorkers *self)
{
  dsq_workers_stop (self);
  dsq_mutex_lock (&self->lock);
  unref_and_unlock (self);
}
