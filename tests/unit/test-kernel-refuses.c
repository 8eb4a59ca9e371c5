/* test-kernel-refuses.c - threads and memory that the kernel does not give
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/dsq-call-out-private.h"
#include "dictsqlite.h"
#include "engine/dsq-apart-private.h"
#include "engine/dsq-words-private.h"
#include "file-fixture.h"
#include "tiers/dsq-filter-private.h"

/* --- the calls, before libc's ----------------------------------------------------------------- */

static struct
{
  gboolean threads;
  guint event; /* the number of the call, from now on; 0: none */
  gboolean advice;
  long page_size; /* 0: as it is */
} refused;

#define REAL(name) ((__typeof__ (&name)) dlsym (RTLD_NEXT, #name))

int
pthread_create (pthread_t *thread,
                const pthread_attr_t *attributes,
                void *(*func) (void *),
                void *data)
{
  return refused.threads ? EAGAIN : REAL (pthread_create) (thread, attributes, func, data);
}

int
eventfd (unsigned int count, int flags)
{
  if (refused.event == 0 || --refused.event > 0)
    return REAL (eventfd) (count, flags);
  errno = EMFILE;
  return -1;
}

int
madvise (void *memory, size_t length, int advice)
{
  if (!refused.advice)
    return REAL (madvise) (memory, length, advice);
  errno = EINVAL;
  return -1;
}

long
sysconf (int name)
{
  return refused.page_size != 0 && name == _SC_PAGESIZE ? refused.page_size : REAL (sysconf) (name);
}

/* --- threads ---------------------------------------------------------------------------------- */

typedef struct
{
  DsqJob job;
  guint *n_run; /* (unowned) (atomic) */
  GMutex *held; /* (unowned) (nullable) */
} CountedJob;

static void
run_counted (DsqJob *job)
{
  CountedJob *self = (CountedJob *) job;

  if (self->held != NULL)
    {
      g_mutex_lock (self->held);
      g_mutex_unlock (self->held);
    }
  __atomic_fetch_add (self->n_run, 1, __ATOMIC_SEQ_CST);
}

static void
finish_nothing (DsqJob *job)
{
}

static void
push (DsqWorkers *workers, CountedJob *job, guint *n_run, GMutex *held)
{
  *job = (CountedJob){ { .run = run_counted, .finish = finish_nothing }, n_run, held };
  g_assert_true (dsq_workers_push (workers, DSQ_LANE_READ, &job->job));
}

/* Whoever has something done does it himself, unless there is a thread which can. */
static void
test_jobs (Fixture *self, gconstpointer data)
{
  DsqWorkers *workers = dsq_workers_new (TRUE);
  CountedJob jobs[4];
  guint n_run = 0;
  GMutex held;

  refused.threads = TRUE;
  push (workers, &jobs[0], &n_run, NULL);
  push (workers, &jobs[1], &n_run, NULL);
  g_assert_cmpuint (n_run, ==, 2);

  g_mutex_init (&held);
  g_mutex_lock (&held);
  refused.threads = FALSE;
  push (workers, &jobs[2], &n_run, &held);
  refused.threads = TRUE;
  push (workers, &jobs[3], &n_run, NULL);
  refused.threads = FALSE;
  g_mutex_unlock (&held);
  g_assert_true (dsq_workers_drain (workers, NULL));
  g_assert_cmpuint (__atomic_load_n (&n_run, __ATOMIC_SEQ_CST), ==, 4);
  dsq_workers_free (workers);
  g_mutex_clear (&held);
}

static gboolean
go_on (gpointer data)
{
  return FALSE;
}

static gboolean
find_thread (gpointer engine, GBytes *name, guint32 *out, GError **error)
{
  *out = pthread_equal (*(pthread_t *) engine, pthread_self ()) != 0;
  return TRUE;
}

/* Before the process has opened anything. */
static void
test_who_is_asked (Fixture *self, gconstpointer data)
{
  const DsqCallPlace place = { NULL };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  DsqCall call = { 0 };

  g_assert_false (dsq_call_is_asked ());
  dsq_call_set_asked (go_on, NULL, NULL);
  g_assert_true (dsq_call_is_asked ());
  dsq_call_set_asked (NULL, NULL, NULL);
  dsq_call_enter (&place);
  g_assert_true (dsq_call_begin (&call, cancellable, &error));
  g_assert_true (dsq_call_check_wait (&error));
  /* as one that was asked about is, whose cancellable is not cancelled */
  dsq_call_state.is_over = TRUE;
  g_assert_false (dsq_call_check_wait (&error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  dsq_call_end (&call);
  dsq_call_leave ();
}

/* The main thread makes a call itself where no other can, or may any more. */
static void
test_calls_of_the_main_thread (Fixture *self, gconstpointer data)
{
  pthread_t own = pthread_self ();
  g_autoptr (GError) error = NULL;
  guint32 is_own;

  dsq_call_set_asked (go_on, NULL, NULL);
  for (guint stays = 0; stays < 2; stays++)
    {
      DsqWorkers *workers = dsq_workers_new (stays != 0);

      g_assert_true (dsq_apart_call (workers, find_thread, &own, NULL, &is_own, &error));
      g_assert_false (is_own);
      if (stays == 0)
        {
          refused.threads = TRUE;
          g_assert_true (dsq_apart_call (workers, find_thread, &own, NULL, &is_own, &error));
          g_assert_true (is_own);
          refused.threads = FALSE;
        }
      g_assert_true (dsq_workers_drain (workers, &error));
      g_assert_true (dsq_apart_call (workers, find_thread, &own, NULL, &is_own, &error));
      g_assert_no_error (error);
      g_assert_true (is_own);
      dsq_workers_free (workers);
    }
  dsq_call_set_asked (NULL, NULL, NULL);
}

/* --- calls that are left ---------------------------------------------------------------------- */

static gboolean
end_it (gpointer data)
{
  return TRUE;
}

typedef struct
{
  DsqApart apart;
  gint is_let_go; /* (atomic) */
  gint n_freed;   /* (atomic) */
  gulong wait_us;
} SlowCall;

static void
run_slowly (DsqApart *apart)
{
  SlowCall *self = (SlowCall *) apart;

  while (!g_cancellable_is_cancelled (apart->cancellable))
    g_usleep (1000);
  g_usleep (self->wait_us);
  while (!g_atomic_int_get (&self->is_let_go))
    g_usleep (1000);
}

static void
count_freed (DsqApart *apart)
{
  g_atomic_int_inc (&((SlowCall *) apart)->n_freed);
}

static gboolean
wait_until_let_go (gpointer engine, GBytes *name, guint32 *out, GError **error)
{
  while (!g_atomic_int_get ((gint *) engine))
    g_usleep (1000);
  return TRUE;
}

/* The main thread leaves what does not end, unless that uses what is its own; and the thread ends
 * it by itself. */
static void
test_calls_that_are_left (Fixture *self, gconstpointer data)
{
  DsqWorkers *workers = dsq_workers_new (FALSE);
  g_autoptr (GError) error = NULL;
  gint is_let_go = FALSE;
  guint32 out;

  for (guint needs = 0; needs < 2; needs++)
    {
      SlowCall call = { .apart = { .run = run_slowly, .free = count_freed } };

      dsq_call_set_asked (end_it, NULL, NULL);
      call.apart.needs_caller = needs;
      call.is_let_go = needs;
      call.wait_us = needs ? 150 * 1000 : 0;
      g_assert_cmpint (dsq_apart_do (&call.apart, workers), ==, needs);
      g_assert_true (g_cancellable_is_cancelled (call.apart.cancellable));
      dsq_apart_unref (&call.apart);
      dsq_call_state.is_over = FALSE;
      dsq_call_set_asked (NULL, NULL, NULL);
      g_atomic_int_set (&call.is_let_go, TRUE);
      g_assert_true (dsq_workers_drain (workers, NULL));
      dsq_workers_resume (workers);
      while (!g_atomic_int_get (&call.n_freed))
        g_usleep (100);
    }
  dsq_call_set_asked (end_it, NULL, NULL);
  g_assert_false (dsq_apart_call (workers, wait_until_let_go, &is_let_go, NULL, &out, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_OUTCOME_UNKNOWN);
  g_atomic_int_set (&is_let_go, TRUE);
  dsq_call_state.is_over = FALSE;
  dsq_call_set_asked (NULL, NULL, NULL);
  g_assert_true (dsq_workers_drain (workers, NULL));
  dsq_workers_free (workers);
}

static DsqStore *
open_store (Fixture *self, gboolean background, GError **error)
{
  return g_initable_new (DSQ_TYPE_STORE,
                         NULL,
                         error,
                         "path",
                         self->path,
                         "background",
                         background,
                         NULL);
}

static void
assert_refused (gconstpointer made, GError **error)
{
  g_assert_null (made);
  g_assert_error (*error, DSQ_ERROR, DSQ_ERROR_IO);
  g_clear_error (error);
}

static void
close_store (DsqStore *store)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_close (store, NULL, &error));
  g_assert_no_error (error);
  g_object_unref (store);
}

static void
assert_works (DsqStore *store)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_set_string (store, "k", "v", NULL, &error));
  g_assert_true (dsq_store_flush (store, NULL, &error));
  g_assert_no_error (error);
}

/* A store that is to have a thread is none without, also where others have the file open; these go
 * on, and no file is left locked. */
static void
test_stores (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  DsqStore *store;

  refused.threads = TRUE;
  assert_refused (open_store (self, TRUE, &error), &error);
  store = open_store (self, FALSE, &error);
  g_assert_no_error (error);
  assert_refused (open_store (self, TRUE, &error), &error);
  assert_works (store);
  refused.threads = FALSE;
  close_store (store);
  store = open_store (self, TRUE, &error);
  g_assert_no_error (error);
  assert_works (store);
  close_store (store);
}

/* The main thread leaves the log to its next write, which another thread does then. */
static void
test_log_of_the_main_thread (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStats) stats = NULL;
  g_autofree char *value = g_strnfill (300000, 'v');
  DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                    NULL,
                                    &error,
                                    "path",
                                    self->path,
                                    "persist-mode",
                                    DSQ_PERSIST_WRITETHROUGH,
                                    "durability",
                                    DSQ_DURABILITY_NORMAL,
                                    "background",
                                    FALSE,
                                    "wal-limit",
                                    (guint64) 1 << 20,
                                    NULL);

  g_assert_no_error (error);
  dsq_call_set_asked (go_on, NULL, NULL);
  for (guint i = 0; i < 12; i++)
    {
      value[0] = (char) ('a' + i);
      memset (value, value[0], 300000);
      g_assert_true (dsq_store_set_string (store, "k", value, NULL, &error));
      g_assert_no_error (error);
    }
  dsq_call_set_asked (NULL, NULL, NULL);
  stats = dsq_store_get_stats (store);
  g_assert_cmpuint (stats->checkpoints, >=, 1);
  close_store (store);
}

/* In memory mode a store has its thread when there is too much; without, the writer makes room. */
static void
test_spills (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStats) stats = NULL;
  g_autofree char *value = g_strnfill (2000, 'v');
  DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                    NULL,
                                    &error,
                                    "path",
                                    ":memory:",
                                    "persist-mode",
                                    DSQ_PERSIST_MEMORY,
                                    "hot-capacity",
                                    (guint64) 10,
                                    "dirty-limit",
                                    (guint64) 65536,
                                    NULL);

  g_assert_no_error (error);
  refused.threads = TRUE;
  for (guint i = 0; i < 200; i++)
    {
      g_autofree char *key = g_strdup_printf ("%u", i);

      g_assert_true (dsq_store_set_string (store, key, value, NULL, &error));
      g_assert_no_error (error);
    }
  refused.threads = FALSE;
  stats = dsq_store_get_stats (store);
  g_assert_cmpuint (stats->spill_bytes, >, 0);
  g_assert_cmpint (dsq_store_count (store, NULL, &error), ==, 200);
  close_store (store);
}

static void
test_watches (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqWatch) watch = NULL;
  DsqStore *store = open_store (self, FALSE, &error);

  g_assert_no_error (error);
  for (guint i = 0; i < 3; i++)
    {
      refused.threads = i == 0;
      refused.event = i;
      assert_refused (dsq_store_watch (store, "", &error), &error);
      refused.threads = FALSE;
    }
  g_object_unref (dsq_store_watch (store, "", &error));
  g_assert_no_error (error);
  close_store (store);

  /* one that goes over to whoever comes to write stays where it is, and he is refused */
  store =
      g_initable_new (DSQ_TYPE_STORE, NULL, &error, "path", self->path, "read-only", TRUE, NULL);
  watch = dsq_store_watch (store, "", &error);
  g_assert_no_error (error);
  refused.event = 1;
  assert_refused (open_store (self, FALSE, &error), &error);
  refused.event = 0;
  close_store (open_store (self, FALSE, &error));
  g_assert_no_error (error);
  g_clear_object (&watch);
  close_store (store);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* There are no words where a child of a fork could not tell that they are its parent's, or where
 * pages are of another size. */
static void
test_words (Fixture *self, gconstpointer data)
{
  DsqWords *words;

  refused.advice = TRUE;
  g_assert_null (dsq_words_new (NULL));
  refused.advice = FALSE;
  refused.page_size = 16384;
  g_assert_null (dsq_words_new (NULL));
  refused.page_size = 0;
  words = dsq_words_new (NULL);
  if (words != NULL)
    dsq_words_free (words);
}

/* There are so many, and no more, as long as none is given back. */
static void
test_all_words (Fixture *self, gconstpointer data)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new ();
  DsqWords *words;

  while ((words = dsq_words_new (NULL)) != NULL)
    g_ptr_array_add (all, words);
  g_assert_cmpuint (all->len, <=, 1024);
  /* as a fork leaves it to its child: it would have to begin as a new one does */
  memset (all->pdata[0], 0, sizeof (DsqWords));
  for (guint i = 0; i < all->len; i++)
    dsq_words_free (all->pdata[i]);
  for (guint i = 0; i < MIN (all->len, 10); i++)
    all->pdata[i] = dsq_words_new (NULL);
  for (guint i = 0; i < MIN (all->len, 10); i++)
    {
      g_assert_nonnull (all->pdata[i]);
      dsq_words_free (all->pdata[i]);
    }
}

/* Memory that is not given back is made zero. */
static void
test_filter (Fixture *self, gconstpointer data)
{
  g_autoptr (DsqFilter) filter = dsq_filter_new (1 << 16);

  for (guint i = 0; i < 2; i++)
    {
      guint32 build;

      refused.advice = i == 1;
      build = dsq_filter_begin (filter, 10);
      refused.advice = FALSE;
      g_assert_true (dsq_filter_finish (filter, build));
      g_assert_false (dsq_filter_may_contain (filter, 77));
      dsq_filter_add (filter, 77);
      g_assert_true (dsq_filter_may_contain (filter, 77));
      dsq_filter_reset (filter);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, test)                                                                            \
  g_test_add ("/dsq/kernel-refuses/" path, Fixture, NULL, set_up, test, tear_down)
  ADD ("who-is-asked", test_who_is_asked);
  ADD ("words", test_words);
  ADD ("filter", test_filter);
  ADD ("jobs", test_jobs);
  ADD ("calls-of-the-main-thread", test_calls_of_the_main_thread);
  ADD ("stores", test_stores);
  ADD ("log-of-the-main-thread", test_log_of_the_main_thread);
  ADD ("spills", test_spills);
  ADD ("calls-that-are-left", test_calls_that_are_left);
  ADD ("watches", test_watches);
  ADD ("all-words", test_all_words);
  return g_test_run ();
}
