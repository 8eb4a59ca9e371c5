/* test-liveness.c - nothing waits for ever, whatever other threads and processes do
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../run-length.h"
#include "folder-support.h"
#include "liveness-verbs.h"
#include "read-number.h"

/*
 * Eight threads use one store with all its verbs, and a process beside them commits as fast as it
 * can. The test's own thread looks how long each has been in its call: a call that takes longer
 * than its deadline is named, and that is the end.
 */

#define N_THREADS          8
#define NEIGHBOUR_ARGUMENT "--neighbour"

static const char *program; /* (unowned) */

typedef struct
{
  char *folder;    /* (owned) */
  DsqStore *store; /* (owned) */
  gboolean stop;   /* (atomic) */
} Fixture;

typedef struct
{
  Fixture *fixture; /* (unowned) */
  guint number;
  const Verb *verb; /* (atomic) what it is in */
  gint64 since_us;  /* (atomic) since when; 0: in nothing */
  guint n_calls;
} Worker;

/* A machine that has more to do than it can gives everybody less. */
static gint64
deadline_us (void)
{
  double load = 0;

  getloadavg (&load, 1);
  load = MAX (1, load / g_get_num_processors ());
  return (gint64) ((HAS_SANITIZER ? 20 : 2) * load * G_USEC_PER_SEC);
}

static DsqStore *
open_store (const char *folder, DsqPersistMode mode, gboolean read_only)
{
  return OPEN_IN (folder,
                  "persist-mode",
                  mode,
                  "read-only",
                  read_only,
                  "background",
                  TRUE,
                  "hot-capacity",
                  (guint64) N_KEYS / 4,
                  "warm-capacity",
                  (guint64) 16384,
                  "dirty-limit",
                  (guint64) 65536,
                  "flush-interval",
                  20u);
}

/* --- the neighbour ---------------------------------------------------------------------------- */

/* Until its input is closed. */
static int
commit_as_other_process (const char *folder)
{
  g_autoptr (DsqStore) store = open_store (folder, DSQ_PERSIST_WRITETHROUGH, FALSE);
  struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
  g_autoptr (GError) error = NULL;

  for (gint64 i = 0; i % 64 != 0 || poll (&input, 1, 0) == 0; i++)
    {
      g_assert_true (dsq_store_set (store, "neighbour", g_variant_new_int64 (i), NULL, &error));
      if (i == 0)
        g_assert_cmpint (write (STDOUT_FILENO, "r", 1), ==, 1);
    }
  g_assert_true (dsq_store_close (store, NULL, &error));
  return 0;
}

typedef struct
{
  GPid pid;
  int input;
  int output;
} Neighbour;

static Neighbour
start_neighbour (const char *folder)
{
  char *arguments[] = { (char *) program, (char *) NEIGHBOUR_ARGUMENT, (char *) folder, NULL };
  g_autoptr (GError) error = NULL;
  Neighbour self;
  char ready;

  g_spawn_async_with_pipes (NULL,
                            arguments,
                            NULL,
                            G_SPAWN_DO_NOT_REAP_CHILD,
                            NULL,
                            NULL,
                            &self.pid,
                            &self.input,
                            &self.output,
                            NULL,
                            &error);
  g_assert_no_error (error);
  g_assert_cmpint (read (self.output, &ready, 1), ==, 1);
  return self;
}

static void
stop_neighbour (const Neighbour *self)
{
  int status;

  g_assert_cmpint (close (self->input), ==, 0);
  g_assert_cmpint (waitpid (self->pid, &status, 0), ==, self->pid);
  g_assert_cmpint (status, ==, 0);
  g_assert_cmpint (close (self->output), ==, 0);
}

/* --- threads and their watchdog --------------------------------------------------------------- */

static void *
work (void *user_data)
{
  Worker *self = user_data;
  Fixture *fixture = self->fixture;
  gboolean only_reads;
  GRand *random = g_rand_new_with_seed (self->number);

  g_object_get (fixture->store, "read-only", &only_reads, NULL);
  while (!__atomic_load_n (&fixture->stop, __ATOMIC_RELAXED))
    {
      const Verb *verb = &verbs[g_rand_int_range (random, 0, G_N_ELEMENTS (verbs))];
      g_autoptr (GError) error = NULL;

      if (only_reads && !verb->only_reads)
        continue;
      __atomic_store_n (&self->verb, verb, __ATOMIC_RELAXED);
      __atomic_store_n (&self->since_us, g_get_monotonic_time (), __ATOMIC_RELEASE);
      verb->func (fixture->store, random, &error);
      __atomic_store_n (&self->since_us, 0, __ATOMIC_RELEASE);
      if (error != NULL)
        g_error ("%s: %s", verb->name, error->message);
      self->n_calls++;
    }
  g_rand_free (random);
  return NULL;
}

/* TRUE: all are in time. */
static gboolean
look_at (Worker *workers)
{
  gint64 now = g_get_monotonic_time ();
  gboolean in_time = TRUE;

  for (guint i = 0; i < N_THREADS; i++)
    {
      gint64 since = __atomic_load_n (&workers[i].since_us, __ATOMIC_ACQUIRE);

      in_time = in_time && (since == 0 || now - since <= deadline_us ());
    }
  return in_time;
}

static void
name_who_hangs (Worker *workers)
{
  gint64 now = g_get_monotonic_time ();

  for (guint i = 0; i < N_THREADS; i++)
    {
      gint64 since = __atomic_load_n (&workers[i].since_us, __ATOMIC_ACQUIRE);

      g_printerr ("thread %u: %s for %.3f s\n",
                  i,
                  since != 0 ? __atomic_load_n (&workers[i].verb, __ATOMIC_RELAXED)->name
                             : "nothing",
                  since != 0 ? (double) (now - since) / G_USEC_PER_SEC : 0.0);
    }
  g_error ("a call is not back in time");
}

static guint64
log_size (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, "store.db-wal", NULL);
  GStatBuf status;

  return g_stat (path, &status) == 0 ? (guint64) status.st_size : 0;
}

static void
run_threads (Fixture *fixture)
{
  gint64 end = g_get_monotonic_time ();
  Worker workers[N_THREADS];
  pthread_t threads[N_THREADS];
  guint64 longest_log = 0;
  guint n_calls = 0;

  end += (g_getenv ("DSQ_LONG") != NULL ? 60 : 2) * G_USEC_PER_SEC;
  fixture->stop = FALSE;
  for (guint i = 0; i < N_THREADS; i++)
    {
      workers[i] = (Worker){ .fixture = fixture, .number = i };
      g_assert_cmpint (pthread_create (&threads[i], NULL, work, &workers[i]), ==, 0);
    }
  for (gboolean stop = FALSE; !stop; stop = g_get_monotonic_time () >= end)
    {
      g_usleep (10000);
      longest_log = MAX (longest_log, log_size (fixture->folder));
      if (!look_at (workers))
        name_who_hangs (workers);
    }
  __atomic_store_n (&fixture->stop, TRUE, __ATOMIC_RELAXED);
  for (guint i = 0; i < N_THREADS; i++)
    {
      while (__atomic_load_n (&workers[i].since_us, __ATOMIC_ACQUIRE) != 0)
        {
          g_usleep (1000);
          if (!look_at (workers))
            name_who_hangs (workers);
        }
      g_assert_cmpint (pthread_join (threads[i], NULL), ==, 0);
      n_calls += workers[i].n_calls;
    }
  g_test_message ("%u calls; the log was at most %" G_GUINT64_FORMAT " bytes",
                  n_calls,
                  longest_log);
  g_assert_cmpuint (n_calls, >=, N_THREADS);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = make_folder ();
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  remove_folder (fixture->folder);
}

static void
test_beside_a_busy_neighbour (Fixture *fixture, gconstpointer data)
{
  DsqPersistMode mode = GPOINTER_TO_INT (data);
  Neighbour neighbour;

  fixture->store = open_store (fixture->folder, mode, FALSE);
  neighbour = start_neighbour (fixture->folder);
  run_threads (fixture);
  stop_neighbour (&neighbour);
  close_store (fixture->store);
}

static void
test_reading_beside_a_busy_neighbour (Fixture *fixture, gconstpointer data)
{
  Neighbour neighbour = start_neighbour (fixture->folder);

  fixture->store = open_store (fixture->folder, DSQ_PERSIST_WRITETHROUGH, TRUE);
  run_threads (fixture);
  close_store (fixture->store);
  stop_neighbour (&neighbour);
}

static void
test_in_memory (Fixture *fixture, gconstpointer data)
{
  fixture->store = open_store (fixture->folder, DSQ_PERSIST_MEMORY, FALSE);
  run_threads (fixture);
  close_store (fixture->store);
}

/* Threads that count all the time leave the background flush its turn. */
static void *
count_all_the_time (void *user_data)
{
  Fixture *fixture = user_data;

  for (gint64 i = 0; !__atomic_load_n (&fixture->stop, __ATOMIC_RELAXED); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_true (
          dsq_store_set (fixture->store, "counted", g_variant_new_int64 (i), NULL, &error));
      dsq_store_count (fixture->store, NULL, &error);
      g_assert_no_error (error);
    }
  return NULL;
}

static guint64
n_flushes (DsqStore *store)
{
  g_autoptr (DsqStats) stats = dsq_store_get_stats (store);

  return stats->flushes;
}

static void
test_background_flush_goes_on (Fixture *fixture, gconstpointer data)
{
  Neighbour neighbour;
  pthread_t threads[3];
  guint64 before;

  fixture->store = open_store (fixture->folder, DSQ_PERSIST_LAZY, FALSE);
  neighbour = start_neighbour (fixture->folder);
  fixture->stop = FALSE;
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (pthread_create (&threads[i], NULL, count_all_the_time, fixture), ==, 0);
  before = n_flushes (fixture->store);
  for (guint i = 1; i <= 3; i++)
    {
      gint64 end = g_get_monotonic_time () + deadline_us ();

      while (n_flushes (fixture->store) < before + i)
        {
          g_usleep (1000);
          g_assert_cmpint (g_get_monotonic_time (), <, end);
        }
    }
  __atomic_store_n (&fixture->stop, TRUE, __ATOMIC_RELAXED);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (pthread_join (threads[i], NULL), ==, 0);
  stop_neighbour (&neighbour);
  close_store (fixture->store);
}

/* --- what another process can read, memory does not lag behind -------------------------------- */

static void *
write_numbers (void *user_data)
{
  Fixture *fixture = user_data;
  gint64 n_numbers = g_getenv ("DSQ_LONG") != NULL ? 200000 : 3000;
  g_autoptr (GError) error = NULL;

  for (gint64 i = 1; i <= n_numbers; i++)
    {
      g_assert_true (
          dsq_store_set (fixture->store, "number", g_variant_new_int64 (i), NULL, &error));
      g_assert_no_error (error);
    }
  __atomic_store_n (&fixture->stop, TRUE, __ATOMIC_RELEASE);
  return NULL;
}

static gint64
number_in (DsqStore *store)
{
  g_autoptr (GError) error = NULL;
  gint64 number = -1;

  g_assert_true (read_number (store, "number", &number, &error));
  g_assert_no_error (error);
  return number;
}

/* A second store on the file stands for another process, and this thread is told by it. */
static void
test_memory_is_not_behind (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqStore) other = NULL;
  g_autoptr (GError) error = NULL;
  pthread_t writer;

  fixture->store = open_store (fixture->folder, DSQ_PERSIST_WRITETHROUGH, FALSE);
  other = open_store (fixture->folder, DSQ_PERSIST_WRITETHROUGH, FALSE);
  g_assert_true (dsq_store_set (fixture->store, "number", g_variant_new_int64 (0), NULL, &error));
  fixture->stop = FALSE;
  g_assert_cmpint (pthread_create (&writer, NULL, write_numbers, fixture), ==, 0);
  while (!__atomic_load_n (&fixture->stop, __ATOMIC_ACQUIRE))
    {
      gint64 told = number_in (other);

      g_assert_cmpint (number_in (fixture->store), >=, told);
    }
  g_assert_cmpint (pthread_join (writer, NULL), ==, 0);
  g_assert_true (dsq_store_close (other, NULL, &error));
  close_store (fixture->store);
}

#define ADD(path, data, func)                                                                      \
  g_test_add ("/dsq/liveness/" path, Fixture, GINT_TO_POINTER (data), set_up, func, tear_down)

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], NEIGHBOUR_ARGUMENT) == 0)
    return commit_as_other_process (argv[2]);

  program = argv[0];
  g_test_init (&argc, &argv, NULL);
  ADD ("lazy", DSQ_PERSIST_LAZY, test_beside_a_busy_neighbour);
  ADD ("write-through", DSQ_PERSIST_WRITETHROUGH, test_beside_a_busy_neighbour);
  ADD ("read-only", 0, test_reading_beside_a_busy_neighbour);
  ADD ("memory", 0, test_in_memory);
  ADD ("background-flush-goes-on", 0, test_background_flush_goes_on);
  ADD ("memory-is-not-behind", 0, test_memory_is_not_behind);
  return g_test_run ();
}
