/* test-hot-tier.c - the hot tier against a reference LRU
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-hash-private.h"
#include "engine/dsq-shard-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/* Of what nothing is dirty. */
static DsqBudget budget;

static DsqKey
key_in_table (guint i, guint32 table, char *buffer)
{
  DsqKey key = { (const guint8 *) buffer, 0, table, 0 };

  key.length = (guint32) g_snprintf (buffer, 16, "%u", i);
  key.hash = dsq_hash (key.table, key.bytes, key.length);
  return key;
}

static DsqKey
key_number (guint i, char *buffer)
{
  return key_in_table (i, DSQ_TABLE_MAIN, buffer);
}

/* A read through a cache: TRUE for a hit, else the entry is admitted. */
static gboolean
read_table_through (DsqShards *shards, guint i, guint32 table)
{
  char buffer[16];
  DsqKey key = key_in_table (i, table, buffer);
  DsqShard *shard = dsq_shards_get (shards, key.hash);
  guint32 number;

  dsq_shard_lock (shard);
  number = dsq_hot_shard_find_locked (&shard->hot, &key);
  if (number != 0)
    dsq_hot_shard_touch_locked (&shards->hot, &shard->hot, number);
  dsq_shard_unlock (shard);
  if (number != 0)
    return TRUE;
  g_assert_true (dsq_hot_tier_reserve (&shards->hot));
  dsq_shard_lock (shard);
  dsq_hot_shard_insert_locked (&shards->hot,
                               &shard->hot,
                               key.hash,
                               dsq_entry_new (&key, (const guint8 *) "\1", 1, 0),
                               FALSE);
  dsq_shard_unlock (shard);
  return FALSE;
}

static gboolean
read_through (DsqShards *shards, guint i)
{
  return read_table_through (shards, i, DSQ_TABLE_MAIN);
}

/* The textbook's LRU: a queue, newest at the head. */
static gboolean
reference_read_through (GQueue *queue, guint capacity, guint i)
{
  GList *link = g_queue_find (queue, GUINT_TO_POINTER (i + 1));

  if (link != NULL)
    {
      g_queue_unlink (queue, link);
      g_queue_push_head_link (queue, link);
      return TRUE;
    }
  if (g_queue_get_length (queue) == capacity)
    g_queue_pop_tail (queue);
  g_queue_push_head (queue, GUINT_TO_POINTER (i + 1));
  return FALSE;
}

static void
test_hits_equal_a_reference_lru (void)
{
  static const guint capacities[] = { 1, 2, 7, 1000, 1023, 1024, 1500 };

  for (guint c = 0; c < G_N_ELEMENTS (capacities); c++)
    {
      guint capacity = capacities[c];
      DsqShards *shards = dsq_shards_new (&budget, capacity, FALSE, G_MAXUINT64, 0);
      GQueue queue = G_QUEUE_INIT;
      GRand *rand = g_rand_new_with_seed (capacity);

      for (guint n = 0; n < 20000; n++)
        {
          /* a skewed stream with a loop somewhat longer than the cache in it */
          double skewed = g_rand_double (rand) * g_rand_double (rand) * capacity * 4;
          guint i = n % 3 == 0 ? n / 3 % (capacity + capacity / 8 + 1) : (guint) skewed;

          g_assert_cmpint (read_through (shards, i),
                           ==,
                           reference_read_through (&queue, capacity, i));
          g_assert_cmpuint (shards->hot.n_clean, <=, capacity);
        }
      g_queue_clear (&queue);
      g_rand_free (rand);
      dsq_shards_free (shards);
    }
}

static void
test_fitting_loop_never_misses (void)
{
  DsqShards *shards = dsq_shards_new (&budget, 10000, FALSE, G_MAXUINT64, 0);
  guint n_hits = 0;

  for (guint round = 0; round < 5; round++)
    for (guint i = 0; i < 10000; i++)
      n_hits += read_through (shards, i);
  g_assert_cmpuint (n_hits, ==, 40000);
  dsq_shards_free (shards);
}

/* Pinned entries do not count, and become clean at the recency they had. */
static void
test_admits_cleaned_at_their_recency (void)
{
  DsqShards *shards = dsq_shards_new (&budget, 3, FALSE, G_MAXUINT64, 0);
  DsqShard *shard = &shards->all[0];
  char buffer[16];

  for (guint i = 0; i < 6; i++)
    {
      DsqKey key = key_number (i, buffer);

      if (i % 2 != 0)
        {
          g_assert_false (read_through (shards, i));
          continue;
        }
      dsq_shard_lock (shard);
      dsq_hot_shard_insert_locked (&shards->hot,
                                   &shard->hot,
                                   key.hash,
                                   dsq_entry_new (&key, (const guint8 *) "\1", 1, 0),
                                   TRUE);
      dsq_shard_unlock (shard);
    }
  g_assert_cmpuint (shards->hot.n_clean, ==, 3);
  dsq_hot_tier_admit_cleaned (&shards->hot, &shard->hot);
  g_assert_cmpuint (shards->hot.n_clean, ==, 3);
  dsq_shard_lock (shard);
  for (guint i = 0; i < 6; i++)
    {
      DsqKey key = key_number (i, buffer);

      g_assert_cmpint (dsq_hot_shard_find_locked (&shard->hot, &key) != 0, ==, i >= 3);
    }
  dsq_shard_unlock (shard);
  g_assert_cmpuint (shard->hot.nodes[shard->hot.clean.oldest].stamp, ==, 4);
  dsq_shards_free (shards);
}

static void
test_finds_what_is_left_after_removals (void)
{
  DsqShards *shards = dsq_shards_new (&budget, 100000, FALSE, G_MAXUINT64, 0);
  char buffer[16];

  for (guint i = 0; i < 50000; i++)
    read_through (shards, i);
  dsq_shards_lock_all (shards);
  for (guint i = 0; i < 50000; i += 2)
    {
      DsqKey key = key_number (i, buffer);
      DsqShard *shard = dsq_shards_get (shards, key.hash);

      dsq_hot_shard_remove_locked (&shards->hot,
                                   &shard->hot,
                                   dsq_hot_shard_find_locked (&shard->hot, &key));
    }
  for (guint i = 0; i < 50000; i++)
    {
      DsqKey key = key_number (i, buffer);
      DsqShard *shard = dsq_shards_get (shards, key.hash);

      g_assert_cmpint (dsq_hot_shard_find_locked (&shard->hot, &key) != 0, ==, i % 2 != 0);
    }
  dsq_shards_unlock_all (shards);
  g_assert_cmpuint (shards->hot.n_clean, ==, 25000);
  dsq_shards_free (shards);
}

/* Half of the keys are in hot, the others have fallen into warm. */
static void
test_drops_one_table_alone (void)
{
  DsqShards *shards = dsq_shards_new (&budget, 3000, FALSE, G_MAXUINT64, 8 << 20);
  guint n_in_hot = 0;
  guint n_in_warm = 0;

  shards->hot.has_tables = TRUE;
  for (guint i = 0; i < 2000; i++)
    for (guint32 table = 1; table <= 3; table++)
      read_table_through (shards, i, table);
  dsq_shards_lock_all (shards);
  for (guint s = 0; s < shards->n_shards; s++)
    dsq_hot_shard_drop_table_locked (&shards->hot, &shards->all[s].hot, 2);
  for (guint i = 0; i < 2000; i++)
    for (guint32 table = 1; table <= 3; table++)
      {
        char buffer[16];
        DsqKey key = key_in_table (i, table, buffer);
        DsqShard *shard = dsq_shards_get (shards, key.hash);
        gboolean in_hot = dsq_hot_shard_find_locked (&shard->hot, &key) != 0;
        gint64 expires;
        gboolean in_warm = dsq_warm_shard_contains_locked (&shard->warm, &key, &expires);

        g_assert_cmpint (in_hot + in_warm, ==, table != 2);
        n_in_hot += in_hot;
        n_in_warm += in_warm;
      }
  dsq_shards_unlock_all (shards);
  g_assert_cmpuint (n_in_hot, ==, shards->hot.n_clean);
  g_assert_cmpuint (n_in_hot, ==, 2000);
  g_assert_cmpuint (n_in_warm, ==, 2000);
  for (guint i = 0; i < 5000; i++)
    read_table_through (shards, i, 2);
  dsq_shards_free (shards);
}

/* Keys of two tables that have one hash, as two keys of one may. */
static void
test_tells_tables_apart (void)
{
  DsqShards *shards = dsq_shards_new (&budget, 100, FALSE, G_MAXUINT64, 0);
  DsqHotShard *shard = &shards->all[0].hot;
  DsqKey keys[2];
  guint32 numbers[2];
  char buffer[16];

  dsq_shards_lock_all (shards);
  for (guint i = 0; i < 2; i++)
    {
      keys[i] = key_in_table (7, 1 + i, buffer);
      keys[i].hash = 7;
      g_assert_cmpuint (dsq_hot_shard_find_locked (shard, &keys[i]), ==, 0);
      numbers[i] =
          dsq_hot_shard_insert_locked (&shards->hot,
                                       shard,
                                       keys[i].hash,
                                       dsq_entry_new (&keys[i], (const guint8 *) "\1", 1, 0),
                                       TRUE);
      shard->nodes[numbers[i]].pin = 1;
    }
  for (guint i = 0; i < 2; i++)
    g_assert_cmpuint (dsq_hot_shard_find_locked (shard, &keys[i]), ==, numbers[i]);
  /* what has become clean goes with all that is, and what is dirty stays */
  shard->nodes[numbers[0]].pin = 0;
  dsq_hot_shard_drop_locked (&shards->hot, shard, TRUE);
  g_assert_cmpuint (dsq_hot_shard_find_locked (shard, &keys[0]), ==, 0);
  g_assert_cmpuint (dsq_hot_shard_find_locked (shard, &keys[1]), ==, numbers[1]);
  dsq_shards_unlock_all (shards);
  dsq_shards_free (shards);
}

/* What is too much by its bytes goes as what is too many does: the oldest first. */
static void
test_keeps_to_its_bytes (void)
{
  const guint64 limit = 20000;
  DsqShards *shards = dsq_shards_new (&budget, 1000, FALSE, limit, 0);
  char buffer[16];

  for (guint i = 0; i < 1000; i++)
    {
      read_through (shards, i);
      dsq_hot_tier_trim (&shards->hot);
      g_assert_cmpuint (shards->hot.clean_bytes, <=, limit);
    }
  g_assert_cmpuint (shards->hot.n_clean, <, 1000);
  for (guint i = 0; i < 1000; i++)
    {
      DsqKey key = key_number (i, buffer);
      DsqShard *shard = dsq_shards_get (shards, key.hash);

      dsq_shard_lock (shard);
      g_assert_cmpint (dsq_hot_shard_find_locked (&shard->hot, &key) != 0,
                       ==,
                       i >= 1000 - shards->hot.n_clean);
      dsq_shard_unlock (shard);
    }
  dsq_shards_free (shards);
}

typedef struct
{
  DsqShards *shards;
  guint first; /* its keys are its own */
} Reader;

static gpointer
read_many_through (gpointer data)
{
  const Reader *reader = data;
  DsqHotTier *hot = &reader->shards->hot;

  for (guint i = 0; i < 100000; i++)
    {
      read_through (reader->shards, reader->first + i);
      g_assert_cmpuint (__atomic_load_n (&hot->n_clean, __ATOMIC_RELAXED), <=, hot->capacity);
    }
  return NULL;
}

/* Whoever looks, while others make room for what they admit. */
static void
test_never_counts_beyond_the_capacity (void)
{
  DsqShards *shards = dsq_shards_new (&budget, 100, FALSE, G_MAXUINT64, 0);
  Reader readers[4];
  GThread *threads[G_N_ELEMENTS (readers)];

  for (guint i = 0; i < G_N_ELEMENTS (readers); i++)
    {
      readers[i] = (Reader){ shards, i * 1000000 };
      threads[i] = g_thread_new ("reader", read_many_through, &readers[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (readers); i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (shards->hot.n_clean, ==, 100);
  dsq_shards_free (shards);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/hot-tier/hits-equal-a-reference-lru", test_hits_equal_a_reference_lru);
  g_test_add_func ("/dsq/hot-tier/fitting-loop-never-misses", test_fitting_loop_never_misses);
  g_test_add_func ("/dsq/hot-tier/admits-cleaned-at-their-recency",
                   test_admits_cleaned_at_their_recency);
  g_test_add_func ("/dsq/hot-tier/finds-what-is-left-after-removals",
                   test_finds_what_is_left_after_removals);
  g_test_add_func ("/dsq/hot-tier/drops-one-table-alone", test_drops_one_table_alone);
  g_test_add_func ("/dsq/hot-tier/tells-tables-apart", test_tells_tables_apart);
  g_test_add_func ("/dsq/hot-tier/keeps-to-its-bytes", test_keeps_to_its_bytes);
  g_test_add_func ("/dsq/hot-tier/never-counts-beyond-the-capacity",
                   test_never_counts_beyond_the_capacity);
  return g_test_run ();
}
