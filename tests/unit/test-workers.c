/* test-workers.c - the store's own threads
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <pthread.h>

#include "engine/dsq-workers-private.h"

#define N_JOBS 500

typedef struct
{
  DsqWorkers *workers; /* (owned) */
  pthread_mutex_t lock;
  pthread_cond_t cond;
  guint n_running[DSQ_N_LANES]; /* (lock) */
  guint most[DSQ_N_LANES];      /* (lock) that ran at once */
  guint n_run;                  /* (lock) */
  guint n_finished;             /* (lock) */
  gboolean is_held;             /* (lock) jobs do not end yet */
} Fixture;

typedef struct
{
  DsqJob job;
  Fixture *fixture;
  DsqLane lane;
  guint number;
} TestJob;

static void
set_up (Fixture *self, gconstpointer data)
{
  pthread_mutex_init (&self->lock, NULL);
  pthread_cond_init (&self->cond, NULL);
  self->workers = dsq_workers_new ();
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_clear_pointer (&self->workers, dsq_workers_free);
  pthread_mutex_destroy (&self->lock);
  pthread_cond_destroy (&self->cond);
}

static void
run (DsqJob *job)
{
  TestJob *self = (TestJob *) job;
  Fixture *fixture = self->fixture;
  guint *n_running = &fixture->n_running[self->lane];

  pthread_mutex_lock (&fixture->lock);
  ++*n_running;
  fixture->most[self->lane] = MAX (fixture->most[self->lane], *n_running);
  pthread_cond_broadcast (&fixture->cond);
  while (fixture->is_held)
    pthread_cond_wait (&fixture->cond, &fixture->lock);
  --*n_running;
  fixture->n_run++;
  pthread_mutex_unlock (&fixture->lock);
}

static void
finish (DsqJob *job)
{
  TestJob *self = (TestJob *) job;
  Fixture *fixture = self->fixture;

  pthread_mutex_lock (&fixture->lock);
  fixture->n_finished++;
  pthread_cond_broadcast (&fixture->cond);
  pthread_mutex_unlock (&fixture->lock);
  g_free (self);
}

static gboolean
push (Fixture *self, DsqLane lane)
{
  TestJob *job = g_new0 (TestJob, 1);

  *job = (TestJob){ { .run = run, .finish = finish }, self, lane, 0 };
  if (dsq_workers_push (self->workers, lane, &job->job))
    return TRUE;
  g_free (job);
  return FALSE;
}

static void
wait_for_finished (Fixture *self, guint n_jobs)
{
  pthread_mutex_lock (&self->lock);
  while (self->n_finished < n_jobs)
    pthread_cond_wait (&self->cond, &self->lock);
  pthread_mutex_unlock (&self->lock);
}

static void
hold (Fixture *self, gboolean is_held)
{
  pthread_mutex_lock (&self->lock);
  self->is_held = is_held;
  pthread_cond_broadcast (&self->cond);
  pthread_mutex_unlock (&self->lock);
}

static void
test_every_job_is_done (Fixture *self, gconstpointer data)
{
  for (guint i = 0; i < N_JOBS; i++)
    g_assert_true (push (self, i % 2 == 0 ? DSQ_LANE_READ : DSQ_LANE_WRITE));
  wait_for_finished (self, N_JOBS);
  g_assert_cmpuint (self->n_run, ==, N_JOBS);
}

/* Reads go on while all writes wait, and neither takes more threads than its lane has. */
static void
test_lanes_do_not_wait_for_each_other (Fixture *self, gconstpointer data)
{
  hold (self, TRUE);
  for (guint i = 0; i < 20; i++)
    g_assert_true (push (self, DSQ_LANE_WRITE));
  for (guint i = 0; i < 20; i++)
    g_assert_true (push (self, DSQ_LANE_READ));
  pthread_mutex_lock (&self->lock);
  while (self->n_running[DSQ_LANE_READ] < 4 || self->n_running[DSQ_LANE_WRITE] < 4)
    pthread_cond_wait (&self->cond, &self->lock);
  pthread_mutex_unlock (&self->lock);
  hold (self, FALSE);
  wait_for_finished (self, 40);
  g_assert_cmpuint (self->most[DSQ_LANE_READ], ==, 4);
  g_assert_cmpuint (self->most[DSQ_LANE_WRITE], ==, 4);
}

static void
test_drain (Fixture *self, gconstpointer data)
{
  for (guint i = 0; i < N_JOBS; i++)
    g_assert_true (push (self, DSQ_LANE_READ));
  dsq_workers_drain (self->workers);
  g_assert_cmpuint (self->n_run, ==, N_JOBS);
  g_assert_false (push (self, DSQ_LANE_READ));
  g_assert_true (push (self, DSQ_LANE_CLOSE));
  wait_for_finished (self, N_JOBS + 1);
  dsq_workers_resume (self->workers);
  g_assert_true (push (self, DSQ_LANE_WRITE));
  wait_for_finished (self, N_JOBS + 2);
  dsq_workers_drain (self->workers);
  dsq_workers_stop (self->workers);
  g_assert_false (push (self, DSQ_LANE_CLOSE));
}

/* A close among the jobs stops the threads, its own excepted. */
static void
run_stop (DsqJob *job)
{
  TestJob *self = (TestJob *) job;

  dsq_workers_drain (self->fixture->workers);
  dsq_workers_stop (self->fixture->workers);
}

static void
finish_free (DsqJob *job)
{
  g_clear_pointer (&((TestJob *) job)->fixture->workers, dsq_workers_free);
  finish (job);
}

static void
test_a_thread_stops_and_frees_its_own (Fixture *self, gconstpointer data)
{
  TestJob *job = g_new0 (TestJob, 1);

  *job = (TestJob){ { .run = run_stop, .finish = finish_free }, self, DSQ_LANE_CLOSE, 0 };
  for (guint i = 0; i < N_JOBS; i++)
    g_assert_true (push (self, DSQ_LANE_READ));
  g_assert_true (dsq_workers_push (self->workers, DSQ_LANE_CLOSE, &job->job));
  wait_for_finished (self, N_JOBS + 1);
  g_assert_cmpuint (self->n_run, ==, N_JOBS);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, test) g_test_add ("/dsq/workers/" name, Fixture, NULL, set_up, test, tear_down)
  ADD ("every-job-is-done", test_every_job_is_done);
  ADD ("lanes-do-not-wait-for-each-other", test_lanes_do_not_wait_for_each_other);
  ADD ("drain", test_drain);
  ADD ("a-thread-stops-and-frees-its-own", test_a_thread_stops_and_frees_its_own);
  return g_test_run ();
}
