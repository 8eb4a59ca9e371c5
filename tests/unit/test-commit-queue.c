/* test-commit-queue.c - who leads, who follows, and who leaves
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "base/dsq-call-private.h"
#include "engine/dsq-commit-queue-private.h"
#include "part-support.h"

typedef struct
{
  DsqCommitQueue queue;
  GCancellable *cancellable; /* (owned) of the follower */
  DsqQueued own[3];
  DsqQueued other[2];
  guint n_leads;      /* (atomic) how often the follower was to lead */
  gboolean has_ended; /* (atomic) the follower's wait */
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  dsq_commit_queue_init (&self->queue);
  self->cancellable = g_cancellable_new ();
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  dsq_commit_queue_clear (&self->queue);
  g_object_unref (self->cancellable);
  for (guint i = 0; i < G_N_ELEMENTS (self->own); i++)
    g_clear_error (&self->own[i].error);
  for (guint i = 0; i < G_N_ELEMENTS (self->other); i++)
    g_clear_error (&self->other[i].error);
}

static void
join (Fixture *self, DsqQueued *first, guint n)
{
  for (guint i = 1; i < n; i++)
    first[i - 1].next = &first[i];
  dsq_commit_queue_join (&self->queue, first, &first[n - 1]);
}

static gboolean
leads (Fixture *self, DsqQueued *first, guint n)
{
  return dsq_commit_queue_leads (&self->queue, first, &first[n - 1]);
}

/* The follower: of two that are queued when this begins. */
static void *
follow (void *data)
{
  Fixture *self = data;
  g_auto (DsqCall) call = { 0 };

  g_assert_true (dsq_call_begin (&call, self->cancellable, NULL));
  join (self, self->other, 2);
  while (leads (self, self->other, 2))
    {
      __atomic_fetch_add (&self->n_leads, 1, __ATOMIC_SEQ_CST);
      dsq_commit_queue_finish (&self->queue, dsq_commit_queue_take (&self->queue, FALSE), NULL);
      dsq_commit_queue_resign (&self->queue, self->other, &self->other[1], NULL);
    }
  __atomic_store_n (&self->has_ended, TRUE, __ATOMIC_SEQ_CST);
  return NULL;
}

static gboolean
has_joined (Fixture *self)
{
  gboolean has_joined;

  dsq_mutex_lock (&self->queue.lock);
  has_joined = self->other[1].queued_at != 0;
  dsq_mutex_unlock (&self->queue.lock);
  return has_joined;
}

/* Has a follower wait behind @n_own of ours, which lead. */
static pthread_t
lead_before_follower (Fixture *self, guint n_own)
{
  pthread_t thread;

  join (self, self->own, n_own);
  g_assert_true (leads (self, self->own, n_own));
  thread = start_waiting_thread (follow, self, &self->has_ended);
  while (!has_joined (self))
    g_usleep (1000);
  return thread;
}

static void
test_alone (Fixture *self, gconstpointer data)
{
  DsqQueued *taken;

  join (self, self->own, 2);
  g_assert_true (leads (self, self->own, 2));
  taken = dsq_commit_queue_take (&self->queue, FALSE);
  g_assert_true (taken == &self->own[0]);
  g_assert_true (taken->next == &self->own[1]);
  g_assert_null (taken->next->next);
  g_assert_null (dsq_commit_queue_take (&self->queue, FALSE));
  dsq_commit_queue_finish (&self->queue, taken, NULL);
  dsq_commit_queue_resign (&self->queue, self->own, &self->own[1], NULL);
  g_assert_false (leads (self, self->own, 2));
}

/* It stays where it is until all are taken, and those that come meanwhile go before it. */
static void
test_patient_waits_on (Fixture *self, gconstpointer data)
{
  DsqQueued *taken;

  self->own[1].is_patient = TRUE;
  for (guint i = 0; i < 3; i++)
    join (self, &self->own[i], 1);
  taken = dsq_commit_queue_take (&self->queue, FALSE);
  g_assert_true (taken == &self->own[0]);
  g_assert_true (taken->next == &self->own[2]);
  g_assert_null (taken->next->next);
  dsq_commit_queue_finish (&self->queue, taken, NULL);
  g_assert_true (self->own[2].is_done);
  g_assert_false (self->own[1].is_done);
  self->own[0].is_done = FALSE;
  join (self, &self->own[0], 1);
  taken = dsq_commit_queue_take (&self->queue, TRUE);
  g_assert_true (taken == &self->own[1]);
  g_assert_true (taken->next == &self->own[0]);
  dsq_commit_queue_finish (&self->queue, taken, NULL);
  g_assert_true (self->own[0].is_done && self->own[1].is_done);
}

static void
test_follower_is_committed_with_the_leader (Fixture *self, gconstpointer data)
{
  pthread_t thread = lead_before_follower (self, 1);
  DsqQueued *taken = dsq_commit_queue_take (&self->queue, FALSE);

  g_assert_true (taken->next == &self->other[0]);
  g_assert_true (self->other[0].cancellable == self->cancellable);
  g_assert_cmpint (taken->queued_at, <=, self->other[0].queued_at);
  dsq_commit_queue_finish (&self->queue, taken, NULL);
  dsq_commit_queue_resign (&self->queue, self->own, self->own, NULL);
  pthread_join (thread, NULL);
  g_assert_cmpuint (self->n_leads, ==, 0);
  g_assert_true (self->other[1].is_done);
}

/* What is left waits on, before who has come since, and the follower leads then. */
static void
test_rest_waits_on (Fixture *self, gconstpointer data)
{
  pthread_t thread = lead_before_follower (self, 2);
  DsqQueued *taken = dsq_commit_queue_take (&self->queue, FALSE);

  join (self, &self->own[2], 1);
  dsq_commit_queue_finish (&self->queue, taken, &self->own[1]);
  g_assert_true (self->own[0].is_done);
  g_assert_false (self->own[1].is_done);
  dsq_commit_queue_resign (&self->queue, self->own, &self->own[1], NULL);
  pthread_join (thread, NULL);
  g_assert_cmpuint (self->n_leads, ==, 1);
  for (guint i = 0; i < G_N_ELEMENTS (self->own); i++)
    g_assert_true (self->own[i].is_done);
}

/* A leader that waits in vain leaves with all of its chain; the next leads. */
static void
test_leader_leaves (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) busy = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_BUSY, "busy");
  pthread_t thread = lead_before_follower (self, 2);

  dsq_commit_queue_resign (&self->queue, self->own, &self->own[1], busy);
  g_assert_false (leads (self, self->own, 2));
  g_assert_error (self->own[0].error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_assert_error (self->own[1].error, G_IO_ERROR, G_IO_ERROR_BUSY);
  pthread_join (thread, NULL);
  g_assert_cmpuint (self->n_leads, ==, 1);
  g_assert_no_error (self->other[0].error);
}

/* Of a chain of which a part is committed the rest leaves. */
static void
test_rest_leaves (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) busy = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_BUSY, "busy");
  DsqQueued *taken;

  join (self, self->own, 3);
  g_assert_true (leads (self, self->own, 3));
  taken = dsq_commit_queue_take (&self->queue, FALSE);
  dsq_commit_queue_finish (&self->queue, taken, &self->own[1]);
  dsq_commit_queue_resign (&self->queue, self->own, &self->own[2], busy);
  g_assert_false (leads (self, self->own, 3));
  g_assert_no_error (self->own[0].error);
  for (guint i = 1; i < 3; i++)
    g_assert_error (self->own[i].error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_assert_null (dsq_commit_queue_take (&self->queue, FALSE));
}

static void
test_cancelled_follower_leaves (Fixture *self, gconstpointer data)
{
  pthread_t thread = lead_before_follower (self, 1);
  DsqQueued *taken;

  g_cancellable_cancel (self->cancellable);
  pthread_join (thread, NULL);
  g_assert_error (self->other[0].error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_error (self->other[1].error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  /* who comes now stands where it stood */
  join (self, &self->own[1], 1);
  taken = dsq_commit_queue_take (&self->queue, FALSE);
  g_assert_true (taken == &self->own[0]);
  g_assert_true (taken->next == &self->own[1]);
}

/* What is taken is committed: its call's own affair is to say no when it is its turn. */
static void
test_taken_follower_stays (Fixture *self, gconstpointer data)
{
  pthread_t thread = lead_before_follower (self, 1);
  DsqQueued *taken = dsq_commit_queue_take (&self->queue, FALSE);

  g_cancellable_cancel (self->cancellable);
  g_usleep (50 * 1000);
  g_assert_false (__atomic_load_n (&self->has_ended, __ATOMIC_SEQ_CST));
  dsq_commit_queue_finish (&self->queue, taken, NULL);
  dsq_commit_queue_resign (&self->queue, self->own, self->own, NULL);
  pthread_join (thread, NULL);
  g_assert_no_error (self->other[0].error);
}

static void
test_failing_all_leaves_older_errors (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) busy = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_BUSY, "busy");

  self->own[0].next = &self->own[1];
  self->own[1].error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NO_SPACE, "no space");
  dsq_queued_fail_all (self->own, busy);
  g_assert_error (self->own[0].error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_assert_error (self->own[1].error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
}

int
main (int argc, char **argv)
{
  static const PartTest tests[] = {
    PART_TEST ("alone", test_alone),
    PART_TEST ("patient-waits-on", test_patient_waits_on),
    PART_TEST ("follower-is-committed-with-the-leader", test_follower_is_committed_with_the_leader),
    PART_TEST ("rest-waits-on", test_rest_waits_on),
    PART_TEST ("leader-leaves", test_leader_leaves),
    PART_TEST ("rest-leaves", test_rest_leaves),
    PART_TEST ("cancelled-follower-leaves", test_cancelled_follower_leaves),
    PART_TEST ("taken-follower-stays", test_taken_follower_stays),
    PART_TEST ("failing-all-leaves-older-errors", test_failing_all_leaves_older_errors),
  };

  return RUN_PART_TESTS ("commit-queue", argc, argv, tests);
}
