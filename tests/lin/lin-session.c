/* lin-session.c - threads or processes on one store, whose calls are checked
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The workers meet before each history and behind it. In between each makes a few calls; behind
 * it the first of them reads all that there is, which belongs to the history and is where the next
 * one begins, and checks it. What they share is memory that a fork does not copy.
 */

#include "lin-session.h"

#include <glib/gstdio.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lin-calls.h"
#include "lin-checker.h"

#define MAX_CALLS    5
#define HANG_SECONDS 150
#define WAL_LIMIT    (1 << 20)

/* At a meeting where nobody sleeps at once, so that they begin together. */
#define LOOKS_TOGETHER 2000

typedef struct
{
  const LinSession *session; /* (unowned) */
  gint n_arrived;            /* (atomic) */
  gint n_meetings;           /* (atomic) */
  gint n_bad;
  LinState state; /* before the history */
  guint n_calls[LIN_MAX_WORKERS];
  LinOp calls[LIN_MAX_WORKERS][MAX_CALLS];
} Shared;

typedef struct
{
  Shared *shared;   /* (unowned) */
  DsqStore *store;  /* (owned) (nullable) */
  const char *path; /* (unowned) */
  guint number;
} Worker;

static DsqStore *
open_store (const LinSession *session, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) password = session->password != NULL
                                    ? g_bytes_new (session->password, strlen (session->password))
                                    : NULL;
  DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                    NULL,
                                    &error,
                                    "path",
                                    path,
                                    "persist-mode",
                                    session->mode,
                                    "background",
                                    session->background,
                                    "flush-interval",
                                    1u,
                                    "hot-capacity",
                                    session->hot_capacity,
                                    "warm-capacity",
                                    session->warm_capacity,
                                    "dirty-limit",
                                    session->dirty_limit,
                                    "wal-limit",
                                    (guint64) WAL_LIMIT,
                                    "password-bytes",
                                    password,
                                    "kdf-memory",
                                    (guint64) 19 << 20,
                                    "kdf-passes",
                                    2u,
                                    NULL);

  g_assert_no_error (error);
  return store;
}

/* --- meeting ---------------------------------------------------------------------------------- */

/* Asleep after @n_looks, of which the first do not give the processor away. */
static void
meet (Shared *shared, guint n_looks)
{
  const gint n_meetings = g_atomic_int_get (&shared->n_meetings);

  if (g_atomic_int_add (&shared->n_arrived, 1) + 1 == (gint) shared->session->n_workers)
    {
      g_atomic_int_set (&shared->n_arrived, 0);
      g_atomic_int_inc (&shared->n_meetings);
      syscall (SYS_futex, &shared->n_meetings, FUTEX_WAKE, G_MAXINT, NULL, NULL, 0);
      return;
    }
  for (guint i = 0; g_atomic_int_get (&shared->n_meetings) == n_meetings; i++)
    if (i >= n_looks)
      syscall (SYS_futex, &shared->n_meetings, FUTEX_WAIT, n_meetings, NULL, NULL, 0);
    else if (i > 200)
      sched_yield ();
}

/* --- a history -------------------------------------------------------------------------------- */

static void
make_calls (const Worker *worker,
            LinClient *client,
            GRand *random,
            gint64 *fresh,
            gint64 *last_read)
{
  Shared *shared = worker->shared;
  const guint n_calls = (guint) g_rand_int_range (random, 1, MAX_CALLS + 1);

  for (guint i = 0; i < n_calls; i++)
    {
      LinOp *op = &shared->calls[worker->number][i];

      lin_op_choose (op, random, *fresh);
      lin_client_call (client, op);
      *fresh += 2;
      if (op->verb != LIN_GET)
        continue;
      if (shared->session->reads_stale && g_rand_int_range (random, 0, 4) == 0)
        op->result = last_read[op->key];
      last_read[op->key] = op->result;
    }
  shared->n_calls[worker->number] = n_calls;
}

static void
check_history (Shared *shared, LinChecker *checker, LinClient *client)
{
  LinOp ops[LIN_MAX_WORKERS * MAX_CALLS + LIN_N_PINS];
  LinState state;
  guint n_ops = 0;

  for (guint i = 0; i < shared->session->n_workers; i++)
    for (guint j = 0; j < shared->n_calls[i]; j++)
      ops[n_ops++] = shared->calls[i][j];
  lin_client_pin (client, ops + n_ops, &state);
  n_ops += LIN_N_PINS;
  if (!lin_checker_check (checker, &shared->state, ops, n_ops) && shared->n_bad++ == 0)
    {
      g_autofree char *text = lin_describe (&shared->state, ops, n_ops);

      if (!shared->session->reads_stale)
        g_printerr ("%s", text);
    }
  shared->state = state;
}

/* Nobody is in a call, and all transactions were small. */
static void
check_log (const char *path)
{
  g_autofree char *log = g_strconcat (path, "-wal", NULL);
  GStatBuf info;

  if (g_stat (log, &info) == 0)
    g_assert_cmpint (info.st_size, <=, 2 * WAL_LIMIT);
}

static gpointer
worker_thread (gpointer data)
{
  Worker *self = data;
  Shared *shared = self->shared;
  const guint32 seeds[] = { shared->session->seed, self->number };
  g_autoptr (GRand) random = g_rand_new_with_seed_array (seeds, G_N_ELEMENTS (seeds));
  g_autoptr (LinChecker) checker = lin_checker_new ();
  g_autoptr (DsqStore) store = self->store != NULL ? g_object_ref (self->store)
                                                   : open_store (shared->session, self->path);
  gint64 last_read[LIN_N_KEYS] = { LIN_MISSING, LIN_MISSING, LIN_MISSING };
  gint64 fresh = 1000 + (gint64) self->number * 100000000;
  LinClient client;

  lin_client_init (&client, store);
  meet (shared, 0);
  for (guint i = 0; i < shared->session->n_histories; i++)
    {
      /* they wake one after the other, and begin together */
      meet (shared, 0);
      meet (shared, LOOKS_TOGETHER);
      make_calls (self, &client, random, &fresh, last_read);
      meet (shared, 0);
      if (self->number == 0)
        {
          check_history (shared, checker, &client);
          check_log (self->path);
        }
    }
  meet (shared, 0);
  lin_client_clear (&client);
  return NULL;
}

/* --- the workers ------------------------------------------------------------------------------ */

/* Aborts when nobody has met for long: this must outlast any waiting on a busy medium, and is
 * for what waits for ever. */
static gpointer
watch_thread (gpointer data)
{
  Shared *shared = data;
  gint64 since = g_get_monotonic_time ();
  gint n_seen = 0;
  gint n;

  while ((n = g_atomic_int_get (&shared->n_meetings)) < 3 * (gint) shared->session->n_histories + 2)
    {
      if (n != n_seen)
        since = g_get_monotonic_time ();
      n_seen = n;
      if (g_get_monotonic_time () - since > HANG_SECONDS * G_TIME_SPAN_SECOND)
        g_error ("hangs at meeting %d, seed %u", n, shared->session->seed);
      g_usleep (20000);
    }
  return NULL;
}

static void
run_threads (Worker *workers, guint n_workers)
{
  GThread *threads[LIN_MAX_WORKERS];
  GThread *watch = g_thread_new ("watch", watch_thread, workers[0].shared);

  for (guint i = 0; i < n_workers; i++)
    threads[i] = g_thread_new ("worker", worker_thread, &workers[i]);
  for (guint i = 0; i < n_workers; i++)
    g_thread_join (threads[i]);
  g_thread_join (watch);
}

/* The children end with this process, so when one of them ends early that is enough. */
static void
run_processes (Worker *workers, guint n_workers)
{
  const pid_t self = getpid ();
  GThread *watch;

  for (guint i = 0; i < n_workers; i++)
    {
      pid_t child = fork ();

      g_assert_cmpint (child, >=, 0);
      if (child > 0)
        continue;
      prctl (PR_SET_PDEATHSIG, SIGKILL);
      if (getppid () == self)
        worker_thread (&workers[i]);
      _exit (0);
    }
  watch = g_thread_new ("watch", watch_thread, workers[0].shared);
  for (guint i = 0; i < n_workers; i++)
    {
      int status;

      g_assert_cmpint (wait (&status), >, 0);
      g_assert_cmpint (status, ==, 0);
    }
  g_thread_join (watch);
}

/* What the file holds is what was read last. */
static void
check_file (const Shared *shared, const char *path)
{
  g_autoptr (DsqStore) store = open_store (shared->session, path);
  LinOp ops[LIN_N_PINS];
  LinState state;
  LinClient client;

  lin_client_init (&client, store);
  lin_client_pin (&client, ops, &state);
  g_assert_cmpmem (&state, sizeof state, &shared->state, sizeof shared->state);
  lin_client_clear (&client);
}

guint
lin_session_run (const LinSession *self)
{
  g_autofree char *folder = g_dir_make_tmp ("dsq-lin-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "store.db", NULL);
  g_autoptr (DsqStore) store = NULL;
  Shared *shared =
      mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  Worker workers[LIN_MAX_WORKERS];
  guint n_bad;

  g_assert_true (shared != MAP_FAILED);
  shared->session = self;
  lin_state_init (&shared->state);
  if (!self->are_processes && self->share_object)
    store = open_store (self, path);
  for (guint i = 0; i < self->n_workers; i++)
    workers[i] = (Worker){ shared, store, path, i };
  if (self->are_processes)
    run_processes (workers, self->n_workers);
  else
    run_threads (workers, self->n_workers);
  if (store != NULL)
    g_assert_true (dsq_store_close (store, NULL, NULL));
  if (self->mode != DSQ_PERSIST_MEMORY)
    {
      check_file (shared, path);
      g_assert_cmpint (g_unlink (path), ==, 0);
    }
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  n_bad = (guint) shared->n_bad;
  munmap (shared, sizeof *shared);
  return n_bad;
}
