/* test-mutex.c - mutexes abort on what may end in a deadlock, and on nothing else
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/dsq-fork-private.h"
#include "base/dsq-mutex-private.h"

/* Built with DSQ_MUTEX_CHECKS whatever the rest is. What aborts does so in a process of its own. */

/* The order, written down a second time: whoever changes it has to look at all that it says. */
static const struct
{
  DsqRank rank;
  const char *name;
  gboolean may_wait;
} order[] = {
  { DSQ_RANK_HANDLE, "handle", TRUE },    { DSQ_RANK_CLOSE, "close", TRUE },
  { DSQ_RANK_LOOKOUT, "lookout", TRUE },  { DSQ_RANK_SWEEP, "sweep", TRUE },
  { DSQ_RANK_WRITER, "writer", TRUE },    { DSQ_RANK_FILTER, "filter", TRUE },
  { DSQ_RANK_LOG, "log", TRUE },          { DSQ_RANK_COHERENCE, "coherence", TRUE },
  { DSQ_RANK_SHARD, "shard", FALSE },     { DSQ_RANK_QUEUE, "queue", FALSE },
  { DSQ_RANK_BUDGET, "budget", FALSE },   { DSQ_RANK_USERS, "users", FALSE },
  { DSQ_RANK_READERS, "readers", TRUE },  { DSQ_RANK_CONNECTION, "connection", TRUE },
  { DSQ_RANK_FLUSHER, "flusher", FALSE }, { DSQ_RANK_WATCH, "watch", FALSE },
  { DSQ_RANK_CHANNEL, "channel", FALSE }, { DSQ_RANK_WORKERS, "workers", FALSE },
  { DSQ_RANK_APART, "apart", FALSE },     { DSQ_RANK_AHEAD, "ahead", FALSE },
  { DSQ_RANK_MARKS, "marks", FALSE },     { DSQ_RANK_CIPHER, "cipher", FALSE },
  { DSQ_RANK_FILES, "files", FALSE },
};

#define N G_N_ELEMENTS (order)

/* The locks of two stores, which are one thread's all the same. */
static DsqMutex mutexes[N];
static DsqMutex others[N];
/* those of a transaction over the first */
static DsqMutex deeper[N];

static void
init_mutexes (void)
{
  for (guint i = 0; i < N; i++)
    {
      dsq_mutex_init (&mutexes[i], order[i].rank, 0);
      dsq_mutex_init (&others[i], order[i].rank, 1);
      dsq_mutex_begin_depth (1);
      dsq_mutex_init (&deeper[i], order[i].rank, 0);
      dsq_mutex_begin_depth (0);
    }
}

/* Runs the test @path in a process of its own, which aborts after saying just this. */
static void
assert_aborts (const char *path, const char *format, ...)
{
  va_list arguments;
  g_autofree char *message = NULL;
  g_autofree char *pattern = NULL;

  va_start (arguments, format);
  message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  pattern = g_strdup_printf ("dsq-mutex: %s\n", message);
  g_test_trap_subprocess (path, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr (pattern);
}

/* --- what is right ---------------------------------------------------------------------------- */

static void
test_names_every_rank (void)
{
  g_assert_cmpuint (N, ==, DSQ_N_RANKS);
  for (guint i = 0; i < N; i++)
    g_assert_cmpint (order[i].rank, ==, i);
}

static void
test_takes_all_in_order (void)
{
  for (guint i = 0; i < N; i++)
    {
      dsq_mutex_lock (&mutexes[i]);
      dsq_mutex_lock (&others[i]);
    }
  for (guint i = 0; i < N; i++)
    {
      dsq_mutex_assert_held (&mutexes[i]);
      dsq_mutex_assert_held (&others[i]);
      dsq_mutex_assert_rank_held (order[i].rank);
    }
  for (guint i = 0; i < N; i++) /* given back in any order */
    {
      dsq_mutex_unlock (&mutexes[i]);
      dsq_mutex_unlock (&others[i]);
    }
  dsq_mutex_assert_none_held ("a caller's function");
}

static void
test_tries_in_any_order (void)
{
  for (guint i = N; i > 0; i--)
    g_assert_true (dsq_mutex_trylock (&mutexes[i - 1]));
  for (guint i = 0; i < N; i++)
    dsq_mutex_unlock (&mutexes[i]);
  dsq_mutex_assert_none_held ("a caller's function");
}

/* Whatever their ranks are. */
static void
test_takes_deeper_ones_first (void)
{
  dsq_mutex_lock (&deeper[DSQ_RANK_CIPHER]);
  dsq_mutex_lock (&mutexes[DSQ_RANK_CLOSE]);
  dsq_mutex_lock (&mutexes[DSQ_RANK_CIPHER]);
  dsq_mutex_unlock (&mutexes[DSQ_RANK_CIPHER]);
  dsq_mutex_unlock (&mutexes[DSQ_RANK_CLOSE]);
  dsq_mutex_unlock (&deeper[DSQ_RANK_CIPHER]);
  dsq_mutex_assert_none_held ("a caller's function");
}

static void
test_waits_where_it_may (void)
{
  for (guint i = 0; i < N; i++)
    if (order[i].may_wait)
      dsq_mutex_lock (&mutexes[i]);
  dsq_mutex_assert_may_wait ("SQLite");
  for (guint i = 0; i < N; i++)
    if (order[i].may_wait)
      dsq_mutex_unlock (&mutexes[i]);
}

/* A condition's own mutex is given back meanwhile, so that nobody is kept waiting. */
static void
test_waits_for_a_condition_under_its_own (void)
{
  pthread_cond_t cond;

  dsq_cond_init (&cond);
  for (guint i = 0; i < N; i++)
    {
      dsq_mutex_lock (&mutexes[i]);
      g_assert_false (dsq_cond_wait_until (&cond, &mutexes[i], g_get_monotonic_time ()));
      dsq_mutex_assert_held (&mutexes[i]);
      dsq_mutex_unlock (&mutexes[i]);
    }
  pthread_cond_destroy (&cond);
}

/* What a thread of the parent holds keeps nobody waiting in the child, where it is never used. */
static void
test_holds_nothing_in_a_child (void)
{
  g_autoptr (GError) error = NULL;
  int status = -1;
  pid_t child;

  g_assert_true (dsq_fork_enter_to_open (&error));
  dsq_mutex_lock (&mutexes[DSQ_RANK_SHARD]);
  dsq_fork_leave ();
  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    {
      dsq_mutex_assert_none_held ("a caller's function");
      dsq_mutex_lock (&mutexes[DSQ_RANK_CLOSE]);
      _exit (0);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
  dsq_mutex_assert_held (&mutexes[DSQ_RANK_SHARD]);
  dsq_mutex_unlock (&mutexes[DSQ_RANK_SHARD]);
}

/* --- what is wrong: each of these is to abort ------------------------------------------------- */

/* @data: the number of the rank that is taken too late. */
static void
lock_out_of_order (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);

  dsq_mutex_lock (&mutexes[i + 1]);
  dsq_mutex_lock (&mutexes[i]);
}

static void
wait_under (gconstpointer data)
{
  dsq_mutex_lock (&mutexes[GPOINTER_TO_UINT (data)]);
  dsq_mutex_assert_may_wait ("SQLite");
}

static void
lock_shards_downwards (void)
{
  dsq_mutex_lock (&others[DSQ_RANK_SHARD]);
  dsq_mutex_lock (&mutexes[DSQ_RANK_SHARD]);
}

static void
lock_twice (void)
{
  dsq_mutex_lock (&mutexes[DSQ_RANK_WRITER]);
  dsq_mutex_lock (&mutexes[DSQ_RANK_WRITER]);
}

static void
wait_for_a_condition_under_a_shard (void)
{
  pthread_cond_t cond;

  dsq_cond_init (&cond);
  dsq_mutex_lock (&mutexes[DSQ_RANK_SHARD]);
  dsq_mutex_lock (&mutexes[DSQ_RANK_BUDGET]);
  dsq_cond_wait_until (&cond, &mutexes[DSQ_RANK_BUDGET], 0);
}

static void
lock_a_deeper_one (void)
{
  dsq_mutex_lock (&mutexes[DSQ_RANK_CLOSE]);
  dsq_mutex_lock (&deeper[DSQ_RANK_CIPHER]);
}

static void
call_out_under_the_writers (void)
{
  dsq_mutex_lock (&mutexes[DSQ_RANK_WRITER]);
  dsq_mutex_assert_none_held ("a caller's function");
}

static void
wait_for_its_holder (void)
{
  dsq_mutex_lock (&mutexes[DSQ_RANK_WRITER]);
  dsq_mutex_assert_not_held (&others[DSQ_RANK_WRITER], "a flush");
  dsq_mutex_assert_not_held (&mutexes[DSQ_RANK_WRITER], "a flush");
}

static void
unlock_what_is_not_held (void)
{
  dsq_mutex_lock (&mutexes[DSQ_RANK_WRITER]);
  dsq_mutex_unlock (&mutexes[DSQ_RANK_SHARD]);
}

static void
assert_what_is_not_held (void)
{
  dsq_mutex_lock (&others[DSQ_RANK_SHARD]);
  dsq_mutex_assert_held (&mutexes[DSQ_RANK_SHARD]);
}

static void
assert_a_rank_that_is_not_held (void)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
}

/* A mutex that another thread holds is not this one's. */
static void *
assert_in_thread (void *data)
{
  dsq_mutex_assert_held (&mutexes[DSQ_RANK_WRITER]);
  return NULL;
}

static void
assert_what_another_thread_holds (void)
{
  pthread_t thread;

  dsq_mutex_lock (&mutexes[DSQ_RANK_WRITER]);
  g_assert_cmpint (pthread_create (&thread, NULL, assert_in_thread, NULL), ==, 0);
  pthread_join (thread, NULL);
}

/* --- that it aborts --------------------------------------------------------------------------- */

static void
test_refuses_another_order (void)
{
  for (guint i = 0; i + 1 < N; i++)
    {
      g_autofree char *path =
          g_strdup_printf ("/dsq/mutex/subprocess/%s-after-%s", order[i].name, order[i + 1].name);

      assert_aborts (path,
                     "locks out of order: %s while holding %s 0",
                     order[i].name,
                     order[i + 1].name);
    }
}

static void
test_refuses_to_wait_under_a_lock (void)
{
  for (guint i = 0; i < N; i++)
    if (!order[i].may_wait)
      {
        g_autofree char *path =
            g_strdup_printf ("/dsq/mutex/subprocess/wait-under-%s", order[i].name);

        assert_aborts (path, "waits for SQLite while holding %s 0", order[i].name);
      }
}

/* @message: what each of these says. */
static const struct
{
  const char *name;
  void (*func) (void);
  const char *message;
} wrongs[] = {
  { "shards-downwards", lock_shards_downwards, "locks out of order: shard while holding shard 1" },
  { "lock-twice", lock_twice, "locks out of order: writer while holding writer 0" },
  { "deeper", lock_a_deeper_one, "locks out of order: cipher while holding close 0" },
  { "condition-under-a-shard",
    wait_for_a_condition_under_a_shard,
    "waits for a condition while holding shard 0" },
  { "call-out",
    call_out_under_the_writers,
    "waits for a caller's function while holding writer 0" },
  { "wait-for-its-holder", wait_for_its_holder, "waits for a flush while holding writer 0" },
  { "unlock",
    unlock_what_is_not_held,
    "unlocks what it does not hold: shard while holding writer 0" },
  { "assert", assert_what_is_not_held, "does not hold shard while holding shard 1" },
  { "assert-rank",
    assert_a_rank_that_is_not_held,
    "does not hold any shard while holding nothing" },
  { "assert-in-thread",
    assert_what_another_thread_holds,
    "does not hold writer while holding nothing" },
};

static void
test_refuses_what_is_wrong (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (wrongs); i++)
    {
      g_autofree char *path = g_strdup_printf ("/dsq/mutex/subprocess/%s", wrongs[i].name);

      assert_aborts (path, "%s", wrongs[i].message);
    }
}

static void
add_wrongs (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (wrongs); i++)
    {
      g_autofree char *path = g_strdup_printf ("/dsq/mutex/subprocess/%s", wrongs[i].name);

      g_test_add_func (path, wrongs[i].func);
    }
  for (guint i = 0; i < N; i++)
    {
      g_autofree char *under =
          g_strdup_printf ("/dsq/mutex/subprocess/wait-under-%s", order[i].name);
      g_autofree char *after = NULL;

      g_test_add_data_func (under, GUINT_TO_POINTER (i), wait_under);
      if (i + 1 == N)
        break;
      after =
          g_strdup_printf ("/dsq/mutex/subprocess/%s-after-%s", order[i].name, order[i + 1].name);
      g_test_add_data_func (after, GUINT_TO_POINTER (i), lock_out_of_order);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  init_mutexes ();
  g_test_add_func ("/dsq/mutex/names-every-rank", test_names_every_rank);
  g_test_add_func ("/dsq/mutex/takes-all-in-order", test_takes_all_in_order);
  g_test_add_func ("/dsq/mutex/tries-in-any-order", test_tries_in_any_order);
  g_test_add_func ("/dsq/mutex/takes-deeper-ones-first", test_takes_deeper_ones_first);
  g_test_add_func ("/dsq/mutex/waits-where-it-may", test_waits_where_it_may);
  g_test_add_func ("/dsq/mutex/waits-for-a-condition-under-its-own",
                   test_waits_for_a_condition_under_its_own);
  g_test_add_func ("/dsq/mutex/holds-nothing-in-a-child", test_holds_nothing_in_a_child);
  g_test_add_func ("/dsq/mutex/refuses-another-order", test_refuses_another_order);
  g_test_add_func ("/dsq/mutex/refuses-to-wait-under-a-lock", test_refuses_to_wait_under_a_lock);
  g_test_add_func ("/dsq/mutex/refuses-what-is-wrong", test_refuses_what_is_wrong);
  add_wrongs ();
  return g_test_run ();
}
