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
  guint n_begun;                /* (lock) ordered jobs */
  gboolean is_held;             /* (lock) jobs do not end yet */
} Fixture;

typedef struct
{
  DsqJob job;
  Fixture *fixture;
  DsqLane lane;
  guint number;
  gboolean passes_turn;
} TestJob;

static void
set_up (Fixture *self, gconstpointer data)
{
  pthread_mutex_init (&self->lock, NULL);
  pthread_cond_init (&self->cond, NULL);
  self->workers = dsq_workers_new (TRUE);
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

  *job = (TestJob){ { .run = run, .finish = finish }, self, lane, 0, FALSE };
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
  dsq_workers_drain (self->workers, NULL);
  g_assert_cmpuint (self->n_run, ==, N_JOBS);
  g_assert_false (push (self, DSQ_LANE_READ));
  g_assert_true (push (self, DSQ_LANE_CLOSE));
  wait_for_finished (self, N_JOBS + 1);
  dsq_workers_resume (self->workers);
  g_assert_true (push (self, DSQ_LANE_WRITE));
  wait_for_finished (self, N_JOBS + 2);
  dsq_workers_drain (self->workers, NULL);
  dsq_workers_stop (self->workers);
  g_assert_false (push (self, DSQ_LANE_CLOSE));
}

/* A close among the jobs stops the threads, its own excepted. */
static void
run_stop (DsqJob *job)
{
  TestJob *self = (TestJob *) job;

  dsq_workers_drain (self->fixture->workers, NULL);
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

  *job = (TestJob){ { .run = run_stop, .finish = finish_free }, self, DSQ_LANE_CLOSE, 0, FALSE };
  for (guint i = 0; i < N_JOBS; i++)
    g_assert_true (push (self, DSQ_LANE_READ));
  g_assert_true (dsq_workers_push (self->workers, DSQ_LANE_CLOSE, &job->job));
  wait_for_finished (self, N_JOBS + 1);
  g_assert_cmpuint (self->n_run, ==, N_JOBS);
}

/* --- order ------------------------------------------------------------------------------------ */

static void
run_ordered (DsqJob *job)
{
  TestJob *self = (TestJob *) job;

  pthread_mutex_lock (&self->fixture->lock);
  g_assert_cmpuint (self->fixture->n_begun, ==, self->number);
  self->fixture->n_begun++;
  pthread_mutex_unlock (&self->fixture->lock);
  if (self->passes_turn)
    dsq_workers_pass_turn ();
  run (job);
}

static void
push_ordered (Fixture *self, guint number, DsqReach reach, guint slot, gboolean passes_turn)
{
  TestJob *job = g_new0 (TestJob, 1);

  *job = (TestJob){ { .run = run_ordered,
                      .finish = finish,
                      .is_ordered = TRUE,
                      .may_pass_turn = passes_turn,
                      .reach = reach,
                      .slot = slot },
                    self,
                    DSQ_LANE_WRITE,
                    number,
                    passes_turn };
  g_assert_true (dsq_workers_push (self->workers, DSQ_LANE_WRITE, &job->job));
}

static void
test_writes_begin_in_order (Fixture *self, gconstpointer data)
{
  for (guint i = 0; i < N_JOBS; i++)
    push_ordered (self, i, i % 5 == 0 ? DSQ_REACH_READS : DSQ_REACH_WRITES, i % 7, i % 3 != 0);
  wait_for_finished (self, N_JOBS);
  g_assert_cmpuint (self->n_begun, ==, N_JOBS);
}

/* Those that pass their turn run together; another waits until they have ended. */
static void
test_turns_that_are_passed (Fixture *self, gconstpointer data)
{
  hold (self, TRUE);
  for (guint i = 0; i < 3; i++)
    push_ordered (self, i, DSQ_REACH_WRITES, 1, TRUE);
  push_ordered (self, 3, DSQ_REACH_WRITES, 1, FALSE);
  pthread_mutex_lock (&self->lock);
  while (self->n_running[DSQ_LANE_WRITE] < 3)
    pthread_cond_wait (&self->cond, &self->lock);
  g_assert_cmpuint (self->n_begun, ==, 3);
  pthread_mutex_unlock (&self->lock);
  hold (self, FALSE);
  wait_for_finished (self, 4);
  g_assert_cmpuint (self->most[DSQ_LANE_WRITE], ==, 3);
}

static void
finish_cancelled (DsqJob *job)
{
  TestJob *self = (TestJob *) job;

  pthread_mutex_lock (&self->fixture->lock);
  self->fixture->n_finished++;
  pthread_cond_broadcast (&self->fixture->cond);
  pthread_mutex_unlock (&self->fixture->lock);
}

static void
run_cancelled (DsqJob *job)
{
  g_assert_true (g_cancellable_is_cancelled (job->cancellable));
}

/* One that waits in vain is done out of its turn, and what is behind it in its own. */
static void
test_what_is_cancelled_leaves_the_line (Fixture *self, gconstpointer data)
{
  DsqWorkers *staying = self->workers;

  for (guint stays = 0; stays < 2; stays++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      TestJob job = {
        { .run = run_cancelled, .finish = finish_cancelled, .cancellable = cancellable },
        self,
        DSQ_LANE_WRITE,
        0,
        FALSE
      };

      self->workers = stays ? staying : dsq_workers_new (FALSE);
      self->n_finished = 0;
      hold (self, TRUE);
      for (guint i = 0; i < 4; i++)
        g_assert_true (push (self, DSQ_LANE_WRITE));
      g_assert_true (dsq_workers_push (self->workers, DSQ_LANE_WRITE, &job.job));
      g_assert_true (push (self, DSQ_LANE_WRITE));
      g_cancellable_cancel (cancellable);
      wait_for_finished (self, 1);
      hold (self, FALSE);
      wait_for_finished (self, 6);
      if (!stays)
        dsq_workers_free (self->workers);
    }
}

static void
test_what_is_next (Fixture *self, gconstpointer data)
{
  g_assert_true (dsq_workers_is_next (self->workers, DSQ_REACH_WRITES, 0));
  hold (self, TRUE);
  push_ordered (self, 0, DSQ_REACH_WRITES, 5, FALSE);
  g_assert_false (dsq_workers_is_next (self->workers, DSQ_REACH_WRITES, 6));
  g_assert_false (dsq_workers_is_next (self->workers, DSQ_REACH_READS, 5));
  g_assert_false (dsq_workers_is_next (self->workers, DSQ_REACH_READS, 0));
  g_assert_true (dsq_workers_is_next (self->workers, DSQ_REACH_READS, 6));
  g_assert_true (dsq_workers_is_next (self->workers, DSQ_REACH_NONE, 0));
  dsq_workers_leave_line (); /* of who is in none */
  g_assert_false (dsq_workers_is_next (self->workers, DSQ_REACH_WRITES, 6));
  hold (self, FALSE);
  wait_for_finished (self, 1);
  g_assert_true (dsq_workers_is_next (self->workers, DSQ_REACH_WRITES, 5));
}

/* A write waits for the read of its key that was there before, and for no other. */
static void
test_reads_come_before_a_write (Fixture *self, gconstpointer data)
{
  TestJob *read = g_new0 (TestJob, 1);

  *read = (TestJob){ { .run = run, .finish = finish, .reach = DSQ_REACH_READS, .slot = 5 },
                     self,
                     DSQ_LANE_READ,
                     0,
                     FALSE };
  hold (self, TRUE);
  g_assert_true (dsq_workers_push (self->workers, DSQ_LANE_READ, &read->job));
  g_assert_true (dsq_workers_is_next (self->workers, DSQ_REACH_WRITES, 6));
  g_assert_false (dsq_workers_is_next (self->workers, DSQ_REACH_WRITES, 5));
  push_ordered (self, 0, DSQ_REACH_WRITES, 5, FALSE);
  g_usleep (20 * 1000);
  pthread_mutex_lock (&self->lock);
  g_assert_cmpuint (self->n_begun, ==, 0);
  pthread_mutex_unlock (&self->lock);
  hold (self, FALSE);
  wait_for_finished (self, 2);
  g_assert_cmpuint (self->n_begun, ==, 1);
}

/* A sanitizer has threads of its own. */
static gboolean
is_worker (const char *task)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/task/%s/comm", task);
  g_autofree char *name = NULL;

  return g_file_get_contents (path, &name, NULL, NULL) && g_str_equal (name, "dsq-worker\n");
}

/* The kernel may still list a thread that was joined. */
static void
wait_for_no_threads (void)
{
  guint n_threads;

  do
    {
      g_autoptr (GDir) folder = g_dir_open ("/proc/self/task", 0, NULL);

      n_threads = 0;
      for (const char *task; (task = g_dir_read_name (folder)) != NULL;)
        n_threads += is_worker (task);
      g_usleep (1000);
    }
  while (n_threads > 0);
}

static void
run_to_be_joined (DsqJob *job)
{
  job->is_joined = TRUE;
}

static void
finish_nothing (DsqJob *job)
{
}

/* Where none are to stay, each goes when it has no job; and as soon as it is to be joined. */
static void
test_threads_that_do_not_stay (Fixture *self, gconstpointer data)
{
  DsqWorkers *staying = self->workers;
  DsqJob job = { .run = run_to_be_joined, .finish = finish_nothing };

  wait_for_no_threads (); /* of the test before */
  self->workers = dsq_workers_new (FALSE);
  g_assert_false (dsq_workers_stay (self->workers));
  for (guint i = 0; i < N_JOBS; i++)
    {
      g_assert_true (push (self, DSQ_LANE_READ));
      g_assert_true (push (self, DSQ_LANE_WRITE));
    }
  wait_for_finished (self, 2 * N_JOBS);
  wait_for_no_threads ();

  for (guint i = 0; i < 100; i++)
    {
      job.thread = pthread_self ();
      g_assert_true (dsq_workers_push (self->workers, DSQ_LANE_APART, &job));
      g_assert_true (dsq_workers_drain (self->workers, NULL));
      dsq_workers_resume (self->workers);
      pthread_join (job.thread, NULL);
      wait_for_no_threads ();
    }
  dsq_workers_free (self->workers);
  self->workers = staying;
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, test) g_test_add ("/dsq/workers/" name, Fixture, NULL, set_up, test, tear_down)
  ADD ("every-job-is-done", test_every_job_is_done);
  ADD ("lanes-do-not-wait-for-each-other", test_lanes_do_not_wait_for_each_other);
  ADD ("writes-begin-in-order", test_writes_begin_in_order);
  ADD ("turns-that-are-passed", test_turns_that_are_passed);
  ADD ("what-is-next", test_what_is_next);
  ADD ("what-is-cancelled-leaves-the-line", test_what_is_cancelled_leaves_the_line);
  ADD ("reads-come-before-a-write", test_reads_come_before_a_write);
  ADD ("drain", test_drain);
  ADD ("threads-that-do-not-stay", test_threads_that_do_not_stay);
  ADD ("a-thread-stops-and-frees-its-own", test_a_thread_stops_and_frees_its_own);
  return g_test_run ();
}
