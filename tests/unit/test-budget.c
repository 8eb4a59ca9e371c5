/* test-budget.c - who waits until less is dirty, and what ends the wait
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "base/dsq-call-private.h"
#include "engine/dsq-budget-private.h"
#include "part-support.h"

typedef struct
{
  DsqBudget budget;
  DsqBudgetMark mark; /* of the thread that waits */
  GError *error;      /* (owned) (nullable) what its wait gave */
  gboolean success;
  gboolean has_ended; /* (atomic) */
  GCancellable *cancellable;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  dsq_budget_init (&self->budget, 1000);
  self->cancellable = g_cancellable_new ();
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  dsq_budget_clear (&self->budget);
  g_clear_error (&self->error);
  g_object_unref (self->cancellable);
}

static void *
wait_for_round (void *data)
{
  Fixture *self = data;
  g_auto (DsqCall) call = { 0 };

  g_assert_true (dsq_call_begin (&call, self->cancellable, NULL));
  self->success = dsq_budget_wait (&self->budget, &self->mark, &self->error);
  __atomic_store_n (&self->has_ended, TRUE, __ATOMIC_SEQ_CST);
  return NULL;
}

/* Has another thread wait, which it does still when this returns. */
static pthread_t
start_waiting (Fixture *self)
{
  self->mark = dsq_budget_mark (&self->budget);
  return start_waiting_thread (wait_for_round, self, &self->has_ended);
}

/* A round that ends does not let go on who was cancelled before. */
static void
test_a_round_of_who_is_cancelled (Fixture *self, gconstpointer data)
{
  g_auto (DsqCall) call = { 0 };

  g_assert_true (dsq_call_begin (&call, self->cancellable, NULL));
  self->mark = dsq_budget_mark (&self->budget);
  dsq_budget_end_round (&self->budget, NULL);
  g_cancellable_cancel (self->cancellable);
  g_assert_false (dsq_budget_wait (&self->budget, &self->mark, &self->error));
  g_assert_error (self->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static gboolean
is_kept_with (Fixture *self, gint64 n_bytes)
{
  gboolean is_kept;
  gint64 own = 0;

  /* more than a shard keeps to itself */
  dsq_budget_count (&self->budget, &own, n_bytes);
  is_kept = dsq_budget_is_kept (&self->budget);
  dsq_budget_count (&self->budget, &own, -n_bytes);
  g_assert_cmpint (own, ==, 0);
  return is_kept;
}

static void
test_threshold (Fixture *self, gconstpointer data)
{
  g_assert_true (is_kept_with (self, 999));
  g_assert_false (is_kept_with (self, 1000));
  dsq_budget_set_threshold (&self->budget, G_MAXUINT64);
  g_assert_true (is_kept_with (self, G_MAXINT64 - 1));
  dsq_budget_set_threshold (&self->budget, 0);
  g_assert_false (dsq_budget_is_kept (&self->budget));
}

/* What is little a shard keeps to itself, and nobody sees the sum below 0. */
static void
test_shards_keep_a_little (Fixture *self, gconstpointer data)
{
  gint64 own[2] = { 0 };

  g_assert_cmpint (self->budget.grain, ==, 1000 / 256);
  dsq_budget_count (&self->budget, &own[0], 2);
  g_assert_cmpuint (dsq_budget_get_bytes (&self->budget), ==, 0);
  dsq_budget_count (&self->budget, &own[0], 2);
  g_assert_cmpuint (dsq_budget_get_bytes (&self->budget), ==, 4);
  g_assert_cmpint (own[0], ==, 0);
  dsq_budget_count (&self->budget, &own[1], -5);
  g_assert_cmpuint (dsq_budget_get_bytes (&self->budget), ==, 0);
  g_assert_true (dsq_budget_is_kept (&self->budget));
  dsq_budget_count (&self->budget, &own[1], 1);
  dsq_budget_count (&self->budget, &own[0], 4);
  g_assert_cmpint (self->budget.n_bytes + own[1], ==, 4);
}

static void
test_a_round_ends_the_wait (Fixture *self, gconstpointer data)
{
  pthread_t thread = start_waiting (self);

  dsq_budget_end_round (&self->budget, NULL);
  pthread_join (thread, NULL);
  g_assert_no_error (self->error);
  g_assert_true (self->success);
}

static void
test_a_round_of_nothing_ends_the_wait (Fixture *self, gconstpointer data)
{
  pthread_t thread = start_waiting (self);

  dsq_budget_skip_round (&self->budget);
  pthread_join (thread, NULL);
  g_assert_true (self->success);
}

static void
test_no_round_is_missed (Fixture *self, gconstpointer data)
{
  self->mark = dsq_budget_mark (&self->budget);
  dsq_budget_end_round (&self->budget, NULL);
  g_assert_true (dsq_budget_wait (&self->budget, &self->mark, NULL));
}

static void
test_a_failure_is_told (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) failure = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NO_SPACE, "no space");
  pthread_t thread = start_waiting (self);
  g_autofree char *message = NULL;

  dsq_budget_end_round (&self->budget, failure);
  pthread_join (thread, NULL);
  g_assert_false (self->success);
  g_assert_error (self->error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  g_assert_cmpuint (dsq_budget_get_failures (&self->budget, &message), ==, 1);
  g_assert_cmpstr (message, ==, "no space");
}

/* One that was before the wait is not the waiter's, and forgotten with the next that succeeds. */
static void
test_an_old_failure_is_not_told (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) failure = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NO_SPACE, "no space");
  char *message;

  dsq_budget_end_round (&self->budget, failure);
  self->mark = dsq_budget_mark (&self->budget);
  dsq_budget_skip_round (&self->budget);
  g_assert_true (dsq_budget_wait (&self->budget, &self->mark, &self->error));
  g_assert_no_error (self->error);
  dsq_budget_end_round (&self->budget, NULL);
  g_assert_cmpuint (dsq_budget_get_failures (&self->budget, &message), ==, 1);
  g_assert_null (message);
}

static void
test_cancelling_ends_the_wait (Fixture *self, gconstpointer data)
{
  pthread_t thread = start_waiting (self);

  g_cancellable_cancel (self->cancellable);
  pthread_join (thread, NULL);
  g_assert_false (self->success);
  g_assert_error (self->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int argc, char **argv)
{
  static const PartTest tests[] = {
    PART_TEST ("threshold", test_threshold),
    PART_TEST ("shards-keep-a-little", test_shards_keep_a_little),
    PART_TEST ("a-round-ends-the-wait", test_a_round_ends_the_wait),
    PART_TEST ("a-round-of-nothing-ends-the-wait", test_a_round_of_nothing_ends_the_wait),
    PART_TEST ("no-round-is-missed", test_no_round_is_missed),
    PART_TEST ("a-failure-is-told", test_a_failure_is_told),
    PART_TEST ("an-old-failure-is-not-told", test_an_old_failure_is_not_told),
    PART_TEST ("cancelling-ends-the-wait", test_cancelling_ends_the_wait),
    PART_TEST ("a-round-of-who-is-cancelled", test_a_round_of_who_is_cancelled),
  };

  return RUN_PART_TESTS ("budget", argc, argv, tests);
}
