/* test-pending-marks.c - removals of the store's own making, while they wait for the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-hash-private.h"
#include "engine/dsq-pending-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/* A tombstone with an expiry is the mark of a sweep: it must not outlive what was known of the
 * file. One without is the caller's and must. */

typedef struct
{
  DsqBudget budget;
  DsqShards *shards;   /* (owned) */
  DsqPending *pending; /* (owned) */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  const DsqTableState state = { .table = DSQ_TABLE_MAIN, .next = 101, .count = 10 };

  dsq_budget_init (&fixture->budget, 1 << 20);
  fixture->shards = dsq_shards_new (&fixture->budget, 100, FALSE, G_MAXUINT64, 0);
  fixture->pending = dsq_pending_new (fixture->shards, &state, FALSE);
  dsq_shards_lock_all (fixture->shards);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  dsq_shards_unlock_all (fixture->shards);
  dsq_pending_free (fixture->pending);
  dsq_shards_free (fixture->shards);
  dsq_budget_clear (&fixture->budget);
}

static DsqKey
key_of (const char *text)
{
  DsqKey key = { (const guint8 *) text, (guint32) strlen (text), DSQ_TABLE_MAIN, 0 };

  key.hash = dsq_hash (key.table, key.bytes, key.length);
  return key;
}

static guint32
node_of (Fixture *fixture, const char *text, DsqShard **out_shard)
{
  DsqKey key = key_of (text);

  *out_shard = dsq_shards_get (fixture->shards, key.hash);
  return dsq_hot_shard_find_locked (&(*out_shard)->hot, &key);
}

/* The removal of a row; with @expires by a sweep. */
static void
stage_removal (Fixture *fixture, const char *text, gint64 expires)
{
  DsqKey key = key_of (text);

  dsq_pending_stage_new_locked (fixture->pending,
                                dsq_shards_get (fixture->shards, key.hash),
                                key.hash,
                                dsq_entry_new (&key, NULL, 0, expires),
                                DSQ_PRESENCE_PRESENT);
}

static void
stage_set (Fixture *fixture, const char *text)
{
  const guint8 record = 1;
  DsqKey key = key_of (text);
  DsqShard *shard;
  guint32 number = node_of (fixture, text, &shard);

  dsq_pending_stage_over_locked (fixture->pending,
                                 shard,
                                 number,
                                 dsq_entry_new (&key, &record, 1, 0));
}

static gint64
count (Fixture *fixture)
{
  guint64 n_unresolved;
  gint64 n_live = dsq_pending_count_locked (fixture->pending, &n_unresolved);

  g_assert_cmpuint (n_unresolved, ==, 0);
  return n_live;
}

static gboolean
is_in_memory (Fixture *fixture, const char *text)
{
  DsqShard *shard;

  return node_of (fixture, text, &shard) != 0;
}

static void
test_a_failed_flush_forgets_marks (Fixture *fixture, gconstpointer data)
{
  stage_removal (fixture, "swept", 5);
  stage_removal (fixture, "removed", 0);
  stage_removal (fixture, "set again", 5);
  g_assert_cmpint (count (fixture), ==, 7);
  dsq_pending_detach_locked (fixture->pending, 0);
  stage_set (fixture, "set again");
  g_assert_cmpint (count (fixture), ==, 8);
  dsq_pending_rollback_locked (fixture->pending);

  g_assert_false (is_in_memory (fixture, "swept"));
  g_assert_true (is_in_memory (fixture, "removed"));
  g_assert_true (is_in_memory (fixture, "set again"));
  g_assert_cmpint (count (fixture), ==, 9);
}

static void
test_the_commit_of_another_forgets_marks (Fixture *fixture, gconstpointer data)
{
  const DsqTableState state = { .table = DSQ_TABLE_MAIN, .next = 111, .count = 20 };
  guint64 n_unresolved;

  stage_removal (fixture, "swept", 5);
  stage_removal (fixture, "removed", 0);
  stage_removal (fixture, "set again", 5);
  stage_set (fixture, "set again");
  g_assert_true (dsq_pending_learn_locked (fixture->pending, &state, FALSE));
  g_assert_false (dsq_pending_learn_locked (fixture->pending, &state, FALSE));

  g_assert_false (is_in_memory (fixture, "swept"));
  g_assert_true (is_in_memory (fixture, "removed"));
  g_assert_true (is_in_memory (fixture, "set again"));
  g_assert_cmpint (dsq_pending_count_locked (fixture->pending, &n_unresolved), ==, 20);
  g_assert_cmpuint (n_unresolved, ==, 2);
}

/* Nothing but marks: the flush that was to write them has nothing to do any more. */
static void
test_marks_alone_leave_nothing (Fixture *fixture, gconstpointer data)
{
  const DsqTableState state = { .table = DSQ_TABLE_MAIN, .next = 101, .count = 10 };

  for (guint i = 0; i < 200; i++)
    {
      g_autofree char *text = g_strdup_printf ("%u", i);

      stage_removal (fixture, text, 5);
    }
  g_assert_false (dsq_pending_is_empty_locked (fixture->pending));
  g_assert_true (dsq_pending_learn_locked (fixture->pending, &state, FALSE));
  g_assert_false (dsq_pending_learn_locked (fixture->pending, &state, FALSE));
  g_assert_true (dsq_pending_is_empty_locked (fixture->pending));
  g_assert_cmpint (count (fixture), ==, 10);
}

/* Of a table that was never written to, and of which the file has nothing, nothing is freed but
 * that. */
static void
test_untouched (Fixture *fixture, gconstpointer data)
{
  const DsqTableState state = { .table = 7, .next = 1 };
  DsqPending *pending = dsq_pending_new (fixture->shards, &state, TRUE);

  g_assert_true (dsq_pending_is_untouched (pending));
  dsq_pending_free (pending);
}

/* What is in flight when all is given up keeps its memory until the flight is over. */
static void
test_given_up_in_flight (Fixture *fixture, gconstpointer data)
{
  stage_removal (fixture, "in flight", 0);
  dsq_pending_detach_locked (fixture->pending, 0);
  stage_removal (fixture, "later", 0);
  dsq_pending_discard_locked (fixture->pending);
  g_assert_false (is_in_memory (fixture, "in flight"));
  g_assert_false (is_in_memory (fixture, "later"));
  g_assert_false (dsq_pending_is_untouched (fixture->pending));
  dsq_pending_rollback_locked (fixture->pending);
  g_assert_true (dsq_pending_is_empty_locked (fixture->pending));
}

#define ADD(path, test)                                                                            \
  g_test_add ("/dsq/pending-marks/" path, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("a-failed-flush-forgets-marks", test_a_failed_flush_forgets_marks);
  ADD ("the-commit-of-another-forgets-marks", test_the_commit_of_another_forgets_marks);
  ADD ("untouched", test_untouched);
  ADD ("given-up-in-flight", test_given_up_in_flight);
  ADD ("marks-alone-leave-nothing", test_marks_alone_leave_nothing);
  return g_test_run ();
}
