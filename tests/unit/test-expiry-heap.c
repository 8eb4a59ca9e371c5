/* test-expiry-heap.c - what may expire before it is in the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-hash-private.h"
#include "engine/dsq-expiry-heap-private.h"
#include "engine/dsq-shard-private.h"

typedef struct
{
  DsqBudget budget;
  DsqShards *shards;  /* (owned) */
  DsqHotTier *hot;    /* (unowned) */
  DsqHotShard *shard; /* (unowned) its only one */
  DsqExpiryHeap heap;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  dsq_budget_init (&fixture->budget, 0);
  fixture->shards = dsq_shards_new (&fixture->budget, 10, FALSE, G_MAXUINT64, 0);
  fixture->hot = &fixture->shards->hot;
  fixture->shard = &fixture->shards->all[0].hot;
  dsq_shards_lock_all (fixture->shards);
  dsq_expiry_heap_init (&fixture->heap);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  dsq_expiry_heap_clear (&fixture->heap);
  dsq_shards_unlock_all (fixture->shards);
  dsq_shards_free (fixture->shards);
  dsq_budget_clear (&fixture->budget);
}

static DsqEntry *
make_entry (guint number, gint64 expires)
{
  const guint8 record = 1;
  DsqKey key = { (const guint8 *) &number, sizeof number, 1, 0 };

  return dsq_entry_new (&key, &record, 1, expires);
}

/* A dirty node for an entry that expires. */
static guint32
put (Fixture *fixture, guint number, gint64 expires)
{
  DsqEntry *entry = make_entry (number, expires);
  DsqKey key = dsq_entry_as_key (entry);
  guint32 node = dsq_hot_shard_insert_locked (fixture->hot, fixture->shard, key.hash, entry, TRUE);

  fixture->shard->nodes[node].pin = 1;
  dsq_expiry_heap_push_locked (&fixture->heap, fixture->shard, node, expires);
  return node;
}

static void
test_gives_the_soonest_first (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  gint64 last = G_MININT64;

  g_assert_cmpint (dsq_expiry_heap_first (&fixture->heap), ==, G_MAXINT64);
  for (guint i = 0; i < 1000; i++)
    put (fixture, i, g_rand_int_range (random, -500, 500));
  for (guint i = 0; i < 1000; i++)
    {
      gint64 first = dsq_expiry_heap_first (&fixture->heap);
      DsqExpiryItem item = dsq_expiry_heap_pop_locked (&fixture->heap, fixture->shard);

      g_assert_cmpint (first, ==, item.expires);
      g_assert_cmpint (item.expires, >=, last);
      g_assert_cmpint (dsq_entry_expires (fixture->shard->nodes[item.node].entry),
                       ==,
                       item.expires);
      last = item.expires;
    }
  g_assert_cmpint (dsq_expiry_heap_first (&fixture->heap), ==, G_MAXINT64);
}

static void
test_stays_small_when_one_key_is_set_again_and_again (Fixture *fixture, gconstpointer data)
{
  guint32 node = put (fixture, 1, 1);

  for (gint64 i = 2; i < 100000; i++)
    {
      dsq_hot_shard_replace_locked (fixture->hot, fixture->shard, node, make_entry (1, i));
      dsq_expiry_heap_push_locked (&fixture->heap, fixture->shard, node, i);
      dsq_expiry_heap_push_locked (&fixture->heap, fixture->shard, node, i);
      g_assert_cmpuint (fixture->heap.n_items, <=, 64);
      g_assert_cmpuint (fixture->heap.n_allocated, <=, 64);
    }
  dsq_expiry_heap_tidy_locked (&fixture->heap, fixture->shard);
  g_assert_cmpuint (fixture->heap.n_items, ==, 1);
  g_assert_cmpint (dsq_expiry_heap_first (&fixture->heap), ==, 99999);
  g_assert_cmpint (fixture->heap.dropped, ==, 1);
}

static void
test_tidying_keeps_what_is_dirty (Fixture *fixture, gconstpointer data)
{
  guint32 clean = put (fixture, 1, 30);
  guint32 gone = put (fixture, 2, 20);

  put (fixture, 3, 10);
  put (fixture, 4, 40);
  fixture->shard->nodes[clean].pin = 0;
  dsq_hot_shard_remove_locked (fixture->hot, fixture->shard, gone);
  dsq_expiry_heap_tidy_locked (&fixture->heap, fixture->shard);
  g_assert_cmpuint (fixture->heap.n_items, ==, 2);
  g_assert_cmpint (fixture->heap.dropped, ==, 20);
  g_assert_cmpint (dsq_expiry_heap_pop_locked (&fixture->heap, fixture->shard).expires, ==, 10);
  g_assert_cmpint (dsq_expiry_heap_pop_locked (&fixture->heap, fixture->shard).expires, ==, 40);
}

/* The shard's memory may have been given back meanwhile. */
static void
test_tidying_knows_nodes_that_are_gone (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 500; i++)
    put (fixture, i, i + 1);
  dsq_hot_shard_drop_locked (fixture->hot, fixture->shard, FALSE);
  dsq_expiry_heap_tidy_locked (&fixture->heap, fixture->shard);
  g_assert_cmpuint (fixture->heap.n_items, ==, 0);
  g_assert_cmpint (fixture->heap.dropped, ==, 1);
}

#define ADD(path, test)                                                                            \
  g_test_add ("/dsq/expiry-heap/" path, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("gives-the-soonest-first", test_gives_the_soonest_first);
  ADD ("stays-small-when-one-key-is-set-again-and-again",
       test_stays_small_when_one_key_is_set_again_and_again);
  ADD ("tidying-keeps-what-is-dirty", test_tidying_keeps_what_is_dirty);
  ADD ("tidying-knows-nodes-that-are-gone", test_tidying_knows_nodes_that_are_gone);
  return g_test_run ();
}
