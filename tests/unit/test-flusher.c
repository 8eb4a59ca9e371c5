/* test-flusher.c - when the thread works, and what wakes it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <glib.h>

#include "engine/dsq-flusher-private.h"

/* One that does not end while a test runs, and one that does at once. */
#define LONG_MS  (3600 * 1000)
#define SHORT_MS 1

typedef struct
{
  DsqFlusher *flusher; /* (owned) */
  DsqRound round;      /* what work gives: the first time, then it is done */
  guint n_work;        /* (atomic) */
  guint n_idle;        /* (atomic) */
  guint n_tended;      /* (atomic) */
} Fixture;

static DsqRound
work (gpointer user_data, gboolean is_idle)
{
  Fixture *self = user_data;
  DsqRound round = self->round;

  self->round = DSQ_ROUND_DONE;
  __atomic_fetch_add (is_idle ? &self->n_idle : &self->n_work, 1, __ATOMIC_SEQ_CST);
  return round;
}

static DsqTend
tend (gpointer user_data)
{
  Fixture *self = user_data;

  /* once more, and then no more */
  return __atomic_add_fetch (&self->n_tended, 1, __ATOMIC_SEQ_CST) == 1 ? DSQ_TEND_SOON
                                                                        : DSQ_TEND_DONE;
}

static const DsqFlusherFuncs funcs = { work, tend };

static void
set_up (Fixture *self, gconstpointer data)
{
  self->flusher = dsq_flusher_new (GPOINTER_TO_UINT (data), &funcs, self);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  dsq_flusher_free (self->flusher);
}

static void
wait_until (const guint *count, guint wanted)
{
  while (__atomic_load_n (count, __ATOMIC_SEQ_CST) < wanted)
    g_usleep (1000);
}

static void
test_nothing_without_thread (Fixture *self, gconstpointer data)
{
  dsq_flusher_wake (self->flusher, TRUE);
  g_assert_true (dsq_flusher_is_hurried (self->flusher));
  dsq_flusher_tick (self->flusher, TRUE);
  g_usleep (20 * 1000);
  g_assert_cmpuint (self->n_work + self->n_idle + self->n_tended, ==, 0);
}

static void
test_work_waits_for_the_interval (Fixture *self, gconstpointer data)
{
  g_assert_true (dsq_flusher_start (self->flusher));
  dsq_flusher_wake (self->flusher, FALSE);
  g_usleep (50 * 1000);
  g_assert_cmpuint (__atomic_load_n (&self->n_work, __ATOMIC_SEQ_CST), ==, 0);
  g_assert_false (dsq_flusher_is_hurried (self->flusher));
  dsq_flusher_wake (self->flusher, TRUE);
  wait_until (&self->n_work, 1);
  dsq_flusher_stop (self->flusher);
  g_assert_cmpuint (self->n_work, ==, 1);
  g_assert_true (dsq_flusher_is_hurried (self->flusher));
  g_assert_false (dsq_flusher_start (self->flusher));
}

static void
test_what_is_left_is_for_an_idle_round (Fixture *self, gconstpointer data)
{
  self->round = DSQ_ROUND_LEAVES;
  g_assert_true (dsq_flusher_start (self->flusher));
  dsq_flusher_wake (self->flusher, FALSE);
  wait_until (&self->n_idle, 1);
  g_usleep (20 * 1000);
  dsq_flusher_stop (self->flusher);
  g_assert_cmpuint (self->n_work, ==, 1);
  g_assert_cmpuint (self->n_idle, ==, 1);
}

static void
test_a_failure_is_tried_again (Fixture *self, gconstpointer data)
{
  self->round = DSQ_ROUND_FAILED;
  g_assert_true (dsq_flusher_start (self->flusher));
  dsq_flusher_wake (self->flusher, FALSE);
  wait_until (&self->n_work, 2);
  g_usleep (20 * 1000);
  dsq_flusher_stop (self->flusher);
  g_assert_cmpuint (self->n_work, ==, 2);
  g_assert_cmpuint (self->n_idle, ==, 0);
}

static void
test_tends_until_done (Fixture *self, gconstpointer data)
{
  g_assert_true (dsq_flusher_start (self->flusher));
  g_assert_true (dsq_flusher_start (self->flusher)); /* does no harm */
  dsq_flusher_tick (self->flusher, TRUE);
  wait_until (&self->n_tended, 2);
  g_usleep (20 * 1000);
  dsq_flusher_stop (self->flusher);
  g_assert_cmpuint (self->n_tended, ==, 2);
  g_assert_cmpuint (self->n_work + self->n_idle, ==, 0);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    guint interval_ms;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/dsq/flusher/nothing-without-thread", SHORT_MS, test_nothing_without_thread },
    { "/dsq/flusher/work-waits-for-the-interval", LONG_MS, test_work_waits_for_the_interval },
    { "/dsq/flusher/what-is-left-is-for-an-idle-round",
      SHORT_MS,
      test_what_is_left_is_for_an_idle_round },
    { "/dsq/flusher/a-failure-is-tried-again", SHORT_MS, test_a_failure_is_tried_again },
    { "/dsq/flusher/tends-until-done", LONG_MS, test_tends_until_done },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path,
                Fixture,
                GUINT_TO_POINTER (tests[i].interval_ms),
                set_up,
                tests[i].test,
                tear_down);
  return g_test_run ();
}
