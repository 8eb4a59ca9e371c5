/* test-soak.c - one process that stays, beside others that meet faults and are killed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The one that stays works by all verbs in threads of its own, sees entries expire, and reads what
 * the others tell; whatever becomes of these, it goes on, and takes no more of memory, descriptors,
 * threads and of the medium than it took at first. What was acknowledged is looked for whenever a
 * process is gone. An hour of it: DSQ_SECONDS=1800 test-soak.
 */

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../store/bounds.h"
#include "cold/dsq-cold-readers-private.h"
#include "family.h"
#include "fault-point.h"

#define STAYS        0u /* the process */
#define LOOK_US      5000
#define HANG_US      (120 * G_USEC_PER_SEC) /* in which no call returns */
#define LONGEST_US   400000                 /* of the life of another one */
#define N_UNTIL_FAIL 400                    /* calls of the system */
#define EXPIRY_MS    20
#define LATE_US      (3 * EXPIRY_MS * 1000) /* then nobody finds it any more */
#define N_PASSING    200
#define EXCUSED_US   G_USEC_PER_SEC /* the others' time to make the log of one that is gone short */
/* Each reader has the store and its log open. One was there from the first, so two of these are
 * left for the ring of facts, and for the handle through which that is opened. */
#define MORE_FILES  (2 * DSQ_COLD_MAX_IDLE_READERS)
#define FEW_THREADS 3
#define MORE_MEMORY (32u << 20)
#define MORE_FILE   (4u << 20)

/* What is counted, in memory that the processes share. */
typedef struct
{
  guint64 n_expired; /* (atomic) */
  guint64 n_marks;   /* (atomic) */
  guint n_files;     /* (atomic) descriptors that the one that stays had when it had opened */
} Counts;

typedef struct
{
  gsize memory;
  gsize file;
  guint n_files;
  guint n_threads;
  gsize log;
} Taken;

typedef struct
{
  Family family;
  GRand *random;  /* (owned) */
  Counts *counts; /* (owned) shared */
  gint64 began, ends;
  gint64 die_at[FAMILY_MAX_PROCESSES];
  gboolean has_fault[FAMILY_MAX_PROCESSES];
  Fault faults[FAMILY_MAX_PROCESSES];
  guint n_killed, n_failed;
  guint64 n_calls; /* of the one that stays, and when they were seen to change */
  gint64 changed;
  Taken early, late; /* at most, in the first third and later */
} Soak;

/* --- the process that stays ------------------------------------------------------------------- */

typedef struct
{
  Soak *soak;      /* (unowned) */
  DsqStore *store; /* (unowned) */
  Worker *worker;  /* (unowned) (nullable) */
} Job;

static gboolean
is_over (const Soak *self)
{
  return __atomic_load_n (&self->family.workers[0].ends, __ATOMIC_SEQ_CST);
}

static gpointer
work (gpointer data)
{
  const Job *job = data;
  g_autoptr (GError) error = NULL;

  worker_run (job->worker, job->store, &error);
  g_assert_no_error (error);
  return NULL;
}

/* Each lives for some milliseconds: so it is met while it does, while others expire, and after. */
static gpointer
see_expire (gpointer data)
{
  const Job *job = data;
  gint64 set_at[N_PASSING] = { 0 };

  for (guint i = 0; !is_over (job->soak); i = (i + 1) % N_PASSING)
    {
      g_autofree char *key = g_strdup_printf ("passing %u", i);
      g_autoptr (GError) error = NULL;
      const gint64 began = g_get_monotonic_time ();
      g_autoptr (GVariant) value = dsq_store_get (job->store, key, NULL, &error);

      g_assert_no_error (error);
      if (set_at[i] > 0 && began > set_at[i] + LATE_US)
        {
          g_assert_null (value);
          __atomic_fetch_add (&job->soak->counts->n_expired, 1, __ATOMIC_RELAXED);
        }
      dsq_store_set_expiring (job->store, key, g_variant_new_int64 (i), EXPIRY_MS, NULL, &error);
      g_assert_no_error (error);
      set_at[i] = g_get_monotonic_time ();
      g_usleep (LATE_US / N_PASSING);
    }
  return NULL;
}

static gpointer
read_marks (gpointer data)
{
  const Job *job = data;

  for (guint i = FAMILY_MAX_THREADS; !is_over (job->soak); i++)
    {
      g_autoptr (GError) error = NULL;

      if (i == FAMILY_N_WORKERS)
        i = FAMILY_MAX_THREADS;
      worker_check_mark (&job->soak->family.workers[i], job->store, &error);
      g_assert_no_error (error);
      __atomic_fetch_add (&job->soak->counts->n_marks, 1, __ATOMIC_RELAXED);
      g_usleep (100);
    }
  return NULL;
}

static void G_GNUC_NORETURN
stay (Soak *self)
{
  Family *family = &self->family;
  const Bounds bounds = bounds_begin ();
  g_autoptr (GError) error = NULL;
  DsqStore *store = family_open (family, DSQ_PERSIST_WRITETHROUGH, TRUE, 20, &error);
  GThread *threads[FAMILY_MAX_THREADS + 2];
  Job jobs[FAMILY_MAX_THREADS];

  g_assert_no_error (error);
  /* without the one that lists them */
  __atomic_store_n (&self->counts->n_files,
                    bounds_count (BOUNDS_DESCRIPTORS, NULL) - 1,
                    __ATOMIC_RELAXED);
  for (guint i = 0; i < FAMILY_MAX_THREADS; i++)
    {
      jobs[i] = (Job){ self, store, &family->workers[i] };
      threads[i] = g_thread_new ("worker", work, &jobs[i]);
    }
  threads[FAMILY_MAX_THREADS] = g_thread_new ("expiry", see_expire, &jobs[0]);
  threads[FAMILY_MAX_THREADS + 1] = g_thread_new ("marks", read_marks, &jobs[0]);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_true (dsq_store_close (store, NULL, &error));
  g_assert_no_error (error);
  g_object_unref (store);
  for (guint i = 0; i < FAMILY_MAX_THREADS; i++)
    worker_keep (&family->workers[i]);
  bounds_end (&bounds, family->folder);
  _exit (0);
}

/* --- the others ------------------------------------------------------------------------------- */

static Fault
draw_fault (GRand *random)
{
  Fault fault = { .kind = (FaultKind) g_rand_int_range (random, 0, FAULT_N_KINDS) };
  const gint32 n_errors = (gint32) fault_count_errors (fault.kind);

  fault.error = fault_get_error (fault.kind, (guint) g_rand_int_range (random, 0, n_errors));
  /* most of them soon: some calls are made seldom */
  fault.n = (guint) g_rand_int_range (random, 0, g_rand_int_range (random, 1, N_UNTIL_FAIL));
  /* SQLite waits for a lock that it does not get, at each call */
  fault.stays = fault.kind != FAULT_LOCK && g_rand_boolean (random);
  return fault;
}

static void
arm (gconstpointer fault)
{
  fault_arm (fault);
}

/* Whether it can commit for ever and never bring the log into the file, which then has no bound. */
static gboolean
may_leave_log (const Soak *self, guint process)
{
  const Fault *fault = &self->faults[process];

  return self->family.processes[process] != 0 && self->has_fault[process] && fault->stays &&
         (fault->kind == FAULT_TRUNCATE || fault->kind == FAULT_READ);
}

static void
start (Soak *self, guint process)
{
  self->has_fault[process] = g_rand_boolean (self->random);
  self->faults[process] = draw_fault (self->random);
  self->die_at[process] = g_get_monotonic_time () + g_rand_int_range (self->random, 0, LONGEST_US);
  family_start (&self->family,
                process,
                self->random,
                self->has_fault[process] ? arm : NULL,
                &self->faults[process]);
  if (may_leave_log (self, process))
    self->family.excused_until = G_MAXINT64;
}

static void
end (Soak *self, guint process)
{
  const gboolean may_have_left = may_leave_log (self, process);
  gboolean may_still = FALSE;

  if (self->family.processes[process] == 0)
    return;
  if (family_kill (&self->family, process))
    {
      g_assert_true (self->has_fault[process]);
      self->n_failed++;
    }
  else
    self->n_killed++;
  for (guint i = STAYS + 1; i < FAMILY_MAX_PROCESSES; i++)
    may_still |= may_leave_log (self, i);
  if (may_have_left && !may_still)
    self->family.excused_until = g_get_monotonic_time () + EXCUSED_US;
  family_settle_process (&self->family, process);
}

/* --- looking at it ---------------------------------------------------------------------------- */

static void
assert_calls_return (Soak *self, gint64 now)
{
  guint64 n_calls = 0;

  for (guint i = 0; i < FAMILY_MAX_THREADS; i++)
    n_calls += __atomic_load_n (&self->family.workers[i].n_all, __ATOMIC_RELAXED);
  if (n_calls != self->n_calls)
    self->changed = now;
  self->n_calls = n_calls;
  g_assert_cmpint (now - self->changed, <, HANG_US);
}

static void
assert_lives (const Soak *self)
{
  int status = 0;

  if (waitpid (self->family.processes[STAYS], &status, WNOHANG) != 0)
    g_error ("the process that stays ended with status %d", status);
}

static void
look (Soak *self, gint64 now)
{
  const gboolean is_early = now < self->began + (self->ends - self->began) / 3;
  g_autofree char *process = g_strdup_printf ("%d", (int) self->family.processes[STAYS]);
  Taken *taken = is_early ? &self->early : &self->late;
  GStatBuf info;

  assert_lives (self);
  assert_calls_return (self, now);
  taken->memory = MAX (taken->memory, bounds_get_resident_of (process));
  taken->n_files = MAX (taken->n_files, bounds_count_of (process, BOUNDS_DESCRIPTORS, NULL));
  taken->n_threads = MAX (taken->n_threads, bounds_count_of (process, BOUNDS_THREADS, NULL));
  taken->log = MAX (taken->log, family_check_log (&self->family));
  if (g_stat (self->family.path, &info) == 0)
    taken->file = MAX (taken->file, (gsize) info.st_size);
}

static void
assert_is_flat (const Soak *self)
{
  const Taken *early = &self->early, *late = &self->late;

  for (guint i = 0; i < 2; i++)
    {
      const Taken *taken = i == 0 ? early : late;

      g_test_message (
          "%s: at most %" G_GSIZE_FORMAT " KiB of memory, %u descriptors, %u threads of "
          "the store, a file of %" G_GSIZE_FORMAT " KiB, a log of %" G_GSIZE_FORMAT " KiB",
          i == 0 ? "first third" : "then",
          taken->memory >> 10,
          taken->n_files,
          taken->n_threads,
          taken->file >> 10,
          taken->log >> 10);
    }
  g_assert_cmpuint (early->n_files, <=, self->counts->n_files + MORE_FILES);
  g_assert_cmpuint (late->n_files, <=, self->counts->n_files + MORE_FILES);
  g_assert_cmpuint (late->n_threads, <=, early->n_threads + FEW_THREADS);
  g_assert_cmpuint (late->file, <=, early->file + MORE_FILE);
  if (!HAS_SANITIZER && g_getenv ("DSQ_SHORT") == NULL)
    g_assert_cmpuint (late->memory, <=, early->memory + MORE_MEMORY);
}

static void
begin (Soak *self)
{
  const pid_t parent = getpid ();
  pid_t child;

  self->counts =
      mmap (NULL, sizeof *self->counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_assert_true (self->counts != MAP_FAILED);
  for (guint i = 0; i < FAMILY_MAX_THREADS; i++)
    self->family.workers[i].mode = DSQ_PERSIST_WRITETHROUGH;
  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    {
      family_end_with (parent);
      stay (self);
    }
  self->family.processes[STAYS] = child;
}

static void
stop (Soak *self)
{
  const gint64 until = g_get_monotonic_time () + HANG_US;
  pid_t ended = 0;
  int status = 0;

  for (guint i = 0; i < FAMILY_MAX_THREADS; i++)
    __atomic_store_n (&self->family.workers[i].ends, TRUE, __ATOMIC_SEQ_CST);
  while (ended == 0)
    {
      ended = waitpid (self->family.processes[STAYS], &status, WNOHANG);
      g_assert_cmpint (g_get_monotonic_time (), <, until);
      g_usleep (LOOK_US);
    }
  g_assert_cmpint (ended, ==, self->family.processes[STAYS]);
  g_assert_cmpint (status, ==, 0);
}

static void
test_soak (gconstpointer password)
{
  const guint32 seed = (guint32) g_test_rand_int ();
  const RunLength run = run_begin (0, 0, 0);
  const Bounds bounds = bounds_begin ();
  Soak self = { .random = g_rand_new_with_seed (seed) };

  g_test_message ("seed %u", seed);
  self.began = self.changed = g_get_monotonic_time ();
  self.ends = run.until != 0 ? run.until : self.began + run_length (3, 5, 600) * G_USEC_PER_SEC;
  family_init (&self.family, g_rand_int (self.random), password);
  begin (&self);
  for (gint64 now = self.began; now < self.ends; now = g_get_monotonic_time ())
    {
      for (guint i = STAYS + 1; i < FAMILY_MAX_PROCESSES; i++)
        if (self.family.processes[i] == 0)
          start (&self, i);
        else if (now >= self.die_at[i])
          end (&self, i);
      look (&self, now);
      g_usleep (LOOK_US);
    }
  for (guint i = STAYS + 1; i < FAMILY_MAX_PROCESSES; i++)
    end (&self, i);
  stop (&self);
  family_settle (&self.family, TRUE);
  assert_is_flat (&self);
  run_tell (family_count_calls (&self.family), "calls acknowledged");
  run_tell (self.n_killed, "processes killed");
  run_tell (self.n_failed, "ended by a call that was made to fail");
  run_tell (self.counts->n_expired, "entries seen to expire");
  run_tell (self.counts->n_marks, "values of others read, none old");
  g_assert_cmpuint (self.n_killed + self.n_failed, >, 0);
  bounds_end (&bounds, self.family.folder);
  family_clear (&self.family);
  munmap (self.counts, sizeof *self.counts);
  g_rand_free (self.random);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  fault_install ();
  g_test_add_data_func ("/dsq/soak/plain", NULL, test_soak);
  g_test_add_data_func ("/dsq/soak/encrypted", "password", test_soak);
  return g_test_run ();
}
