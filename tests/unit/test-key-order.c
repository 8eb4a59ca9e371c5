/* test-key-order.c - keys in memory in the order of their bytes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <stdlib.h>

#include "engine/dsq-key-order-private.h"
#include "engine/dsq-shard-private.h"
#include "tiers/dsq-hot-lookup-private.h"

#define N_KEYS 3000

typedef struct
{
  DsqBudget budget;
  DsqShards *shards;  /* (owned) */
  DsqHotTier *hot;    /* (unowned) */
  DsqHotShard *shard; /* (unowned) its only one */
  DsqKeyOrder *order; /* (owned) */
  gsize n_bytes;      /* its memory */
  guint32 nodes[N_KEYS];
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  dsq_budget_init (&fixture->budget, 0);
  fixture->shards = dsq_shards_new (&fixture->budget, 10, FALSE, G_MAXUINT64, 0);
  fixture->hot = &fixture->shards->hot;
  fixture->shard = &fixture->shards->all[0].hot;
  dsq_shards_lock_all (fixture->shards);
  fixture->order = dsq_key_order_new (&fixture->n_bytes);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpuint (fixture->n_bytes, >, 0);
  dsq_key_order_free (fixture->order);
  g_assert_cmpuint (fixture->n_bytes, ==, 0);
  dsq_shards_unlock_all (fixture->shards);
  dsq_shards_free (fixture->shards);
  dsq_budget_clear (&fixture->budget);
}

/* Keys of several lengths, some a prefix of others; neighbours are far apart in their order. */
static DsqKey
make_key (char *buffer, guint number)
{
  DsqKey key = { (const guint8 *) buffer, 0, 1, 0 };

  key.length = (guint32) g_snprintf (buffer, 16, "%x", number * 7919 % 65536);
  key.hash = number;
  return key;
}

static void
put (Fixture *fixture, guint number, guint32 table)
{
  const guint8 record = 1;
  char buffer[16];
  DsqKey key = make_key (buffer, number);
  guint32 node;

  key.table = table;
  node = dsq_hot_shard_insert_locked (fixture->hot,
                                      fixture->shard,
                                      key.hash,
                                      dsq_entry_new (&key, &record, 1, 0),
                                      TRUE);
  fixture->shard->nodes[node].pin = 1;
  fixture->nodes[number] = node;
  if (table == 1)
    dsq_key_order_add_locked (fixture->order, fixture->shard, 1, node);
}

static void
drop (Fixture *fixture, guint number)
{
  dsq_key_order_remove_locked (fixture->order, fixture->shard, fixture->nodes[number]);
  dsq_hot_shard_remove_locked (fixture->hot, fixture->shard, fixture->nodes[number]);
  fixture->nodes[number] = 0;
}

static int
compare_keys (const void *a, const void *b)
{
  return strcmp (a, b);
}

/* From @from on there is, in order, what the fixture's nodes say. */
static void
check_from (Fixture *fixture, const char *from)
{
  static char expected[N_KEYS][16];
  DsqKeyPosition position;
  guint n_expected = 0, i = 0;
  guint32 node;

  for (guint number = 0; number < N_KEYS; number++)
    if (fixture->nodes[number] != 0)
      {
        make_key (expected[n_expected], number);
        n_expected += strcmp (expected[n_expected], from) >= 0;
      }
  qsort (expected, n_expected, sizeof *expected, compare_keys);
  dsq_key_order_settle_locked (fixture->order, fixture->shard, 1);
  position = dsq_key_order_find_locked (fixture->order,
                                        fixture->shard,
                                        (const guint8 *) from,
                                        (guint32) strlen (from));
  while ((node = dsq_key_order_next_locked (fixture->order, fixture->shard, &position)) != 0)
    {
      const DsqEntry *entry = fixture->shard->nodes[node].entry;

      g_assert_cmpuint (i, <, n_expected);
      g_assert_cmpmem (dsq_entry_key (entry), entry->key_length, expected[i], strlen (expected[i]));
      i++;
    }
  g_assert_cmpuint (i, ==, n_expected);
}

static void
test_is_in_order (Fixture *fixture, gconstpointer data)
{
  check_from (fixture, "");
  for (guint number = 0; number < N_KEYS; number++)
    put (fixture, number, 1);
  check_from (fixture, "");
  check_from (fixture, "5");
  check_from (fixture, "fffff");
  for (guint number = 0; number < N_KEYS; number++)
    drop (fixture, number);
  check_from (fixture, "");
}

/* Nodes are used again for other keys, those of another table among them. */
static void
test_follows_what_comes_and_goes (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  guint32 others[N_KEYS] = { 0 };

  for (guint i = 0; i < 40000; i++)
    {
      guint number = (guint) g_rand_int_range (random, 0, N_KEYS);
      gboolean is_other = g_rand_int_range (random, 0, 8) == 0;

      if (others[number] != 0)
        {
          dsq_hot_shard_remove_locked (fixture->hot, fixture->shard, others[number]);
          others[number] = 0;
        }
      else if (fixture->nodes[number] != 0)
        drop (fixture, number);
      else
        put (fixture, number, is_other ? 2 : 1);
      if (others[number] == 0 && fixture->nodes[number] != 0 && is_other &&
          fixture->shard->nodes[fixture->nodes[number]].entry->table == 2)
        {
          others[number] = fixture->nodes[number];
          fixture->nodes[number] = 0;
        }
      /* sometimes often, sometimes after long */
      if (i % 1000 < 20 || i % 10000 == 9999)
        check_from (fixture, i % 2 == 0 ? "" : "8");
    }
}

/* As after a flush. */
static void
test_forgets_what_became_clean (Fixture *fixture, gconstpointer data)
{
  for (guint number = 0; number < N_KEYS; number++)
    {
      put (fixture, number, 1);
      if (number == N_KEYS / 2)
        check_from (fixture, "");
    }
  for (guint number = 0; number < N_KEYS; number++)
    if (number % 3 == 0)
      fixture->shard->nodes[fixture->nodes[number]].pin = 0;
    else if (number % 3 == 1 || number > N_KEYS / 4 * 3)
      dsq_hot_shard_remove_locked (fixture->hot, fixture->shard, fixture->nodes[number]);
  dsq_key_order_filter_locked (fixture->order, fixture->shard, 1);
  for (guint number = 0; number < N_KEYS; number++)
    if (number % 3 != 2 || number > N_KEYS / 4 * 3)
      fixture->nodes[number] = 0;
  check_from (fixture, "");
  /* dirty again */
  for (guint number = 0; number < N_KEYS / 4 * 3; number += 3)
    {
      char buffer[16];
      DsqKey key = make_key (buffer, number);

      fixture->nodes[number] = dsq_hot_shard_find_locked (fixture->shard, &key);
      fixture->shard->nodes[fixture->nodes[number]].pin = 1;
      dsq_key_order_add_locked (fixture->order, fixture->shard, 1, fixture->nodes[number]);
    }
  check_from (fixture, "3");
}

/* Few come at a time, until there is no room where they belong. */
static void
test_makes_room (Fixture *fixture, gconstpointer data)
{
  for (guint number = 0; number < N_KEYS; number++)
    {
      put (fixture, number, 1);
      if (number >= N_KEYS / 2 && number % 100 == 0)
        check_from (fixture, "");
    }
  check_from (fixture, "7");
}

/* A queue that is never listed: what has gone is not kept account of for ever. */
static void
test_does_not_grow_by_what_has_gone (Fixture *fixture, gconstpointer data)
{
  put (fixture, 0, 1);
  check_from (fixture, "");
  for (guint i = 0; i < 1000000; i++)
    {
      put (fixture, 1 + i % 10, 1);
      drop (fixture, 1 + i % 10);
    }
  g_assert_cmpuint (fixture->n_bytes, <, 2048 * sizeof (guint32) + 2000);
  check_from (fixture, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function)                                                                        \
  g_test_add ("/dsq/key-order/" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("is-in-order", test_is_in_order);
  ADD ("follows-what-comes-and-goes", test_follows_what_comes_and_goes);
  ADD ("forgets-what-became-clean", test_forgets_what_became_clean);
  ADD ("makes-room", test_makes_room);
  ADD ("does-not-grow-by-what-has-gone", test_does_not_grow_by_what_has_gone);
  return g_test_run ();
}
