/* test-warm-tier.c - the warm tier against a model
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <stdlib.h>

#include "codec/dsq-hash-private.h"
#include "tiers/dsq-warm-tier-private.h"

#define KIB ((gsize) 1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static DsqMutex lock; /* the shards' */

/* A key's bytes and the borrowed DsqKey of them. */
typedef struct
{
  char text[24];
  DsqKey key;
} Key;

static const DsqKey *
key_number (Key *self, guint number, guint32 table)
{
  self->key.bytes = (const guint8 *) self->text;
  self->key.length = (guint32) g_snprintf (self->text, sizeof self->text, "key %u", number);
  self->key.table = table;
  self->key.hash = dsq_hash (table, self->key.bytes, self->key.length);
  return &self->key;
}

/* An entry that says in its record what it is. */
static DsqEntry *
entry_of (const DsqKey *key, guint32 version, gsize length, gint64 expires)
{
  DsqEntry *entry = dsq_entry_new (key, NULL, MAX (length, sizeof version), expires);
  guint8 *record = dsq_entry_record_for_filling (entry);

  memset (record, (int) version, entry->record_length);
  memcpy (record, &version, sizeof version);
  return entry;
}

static gboolean
put (DsqWarmShard *shard, const DsqKey *key, guint32 version, gsize length)
{
  g_autoptr (DsqEntry) entry = entry_of (key, version, length, 0);

  return dsq_warm_shard_put_locked (shard, entry, key->hash);
}

static gboolean
has (DsqWarmShard *shard, const DsqKey *key)
{
  gint64 expires;

  return dsq_warm_shard_contains_locked (shard, key, &expires);
}

/* --- the model -------------------------------------------------------------------------------- */

#define N_MODEL_KEYS 3000

typedef struct
{
  guint32 version; /* 0: not there */
  guint32 length;
  gint64 expires;
} Expected;

typedef struct
{
  DsqWarmShard shard;
  Expected expected[N_MODEL_KEYS];
  GRand *rand;
  guint max_length;
  guint n_put;
} Model;

static void
assert_expected (DsqEntry *entry, const DsqKey *key, const Expected *expected)
{
  g_autoptr (DsqEntry) wanted = NULL;

  g_assert_cmpuint (expected->version, !=, 0);
  wanted = entry_of (key, expected->version, expected->length, expected->expires);
  g_assert_cmpuint (entry->table, ==, key->table);
  g_assert_cmpint (dsq_entry_expires (entry), ==, expected->expires);
  g_assert_cmpmem (dsq_entry_key (entry), entry->key_length, key->bytes, key->length);
  g_assert_cmpmem (dsq_entry_record (entry),
                   entry->record_length,
                   dsq_entry_record (wanted),
                   wanted->record_length);
}

static void
model_put (Model *model, const DsqKey *key, Expected *expected)
{
  g_autoptr (DsqEntry) entry = NULL;
  gboolean is_long = g_rand_int_range (model->rand, 0, 50) == 0;

  expected->version = ++model->n_put;
  expected->length = (guint32) g_rand_int_range (model->rand, 4, is_long ? model->max_length : 200);
  expected->expires = g_rand_boolean (model->rand) ? g_rand_int_range (model->rand, 1, 1000) : 0;
  entry = entry_of (key, expected->version, expected->length, expected->expires);
  if (!dsq_warm_shard_put_locked (&model->shard, entry, key->hash))
    expected->version = 0;
}

static void
model_read (Model *model, const DsqKey *key, Expected *expected, gboolean takes)
{
  gint64 expires = 0;
  gboolean is_there = dsq_warm_shard_contains_locked (&model->shard, key, &expires);
  g_autoptr (DsqEntry) entry = takes ? dsq_warm_shard_take_locked (&model->shard, key)
                                     : dsq_warm_shard_peek_locked (&model->shard, key);

  g_assert_cmpint (entry != NULL, ==, is_there);
  if (entry == NULL)
    expected->version = 0;
  else
    assert_expected (entry, key, expected);
  g_assert_cmpint (expires, ==, entry != NULL ? expected->expires : 0);
  if (takes)
    expected->version = 0;
}

static void
model_step (Model *model)
{
  guint number = (guint) g_rand_int_range (model->rand, 0, N_MODEL_KEYS);
  Expected *expected = &model->expected[number];
  int what = g_rand_int_range (model->rand, 0, 100);
  Key storage;
  const DsqKey *key = key_number (&storage, number, 1 + number % 3);

  if (what < 55)
    model_put (model, key, expected);
  else if (what < 75)
    model_read (model, key, expected, TRUE);
  else if (what < 85)
    model_read (model, key, expected, FALSE);
  else
    {
      gboolean is_removed = dsq_warm_shard_remove_locked (&model->shard, key);

      /* it may have been dropped, but never come back */
      g_assert_true (!is_removed || expected->version != 0);
      expected->version = 0;
    }
}

static guint
model_count (Model *model)
{
  guint n = 0;

  for (guint number = 0; number < N_MODEL_KEYS; number++)
    {
      Key storage;
      const DsqKey *key = key_number (&storage, number, 1 + number % 3);
      g_autoptr (DsqEntry) entry = dsq_warm_shard_peek_locked (&model->shard, key);

      if (entry != NULL)
        assert_expected (entry, key, &model->expected[number]);
      n += entry != NULL;
    }
  return n;
}

/* That the account of bytes says what is allocated. */
static void
assert_account (const DsqWarmShard *shard)
{
  gsize bytes = shard->n_allocated * sizeof (DsqWarmSegment) +
                shard->index.n_chunks * sizeof (DsqWarmChunk) +
                (shard->spare != NULL ? shard->segment_size + 16 : 0);
  gsize dead = 0;

  for (guint32 i = shard->oldest; i != 0; i = shard->segments[i].newer)
    {
      bytes += shard->segments[i].capacity + 16;
      dead += shard->segments[i].used - shard->segments[i].live;
      g_assert_cmpuint (shard->segments[i].used, <=, shard->segments[i].capacity);
      g_assert_true (shard->segments[i].used > 0 || i == shard->open);
    }
  g_assert_cmpuint (shard->bytes, ==, bytes);
  g_assert_cmpuint (shard->dead, ==, dead);
}

static void
follow_model (gsize budget, guint max_length, gboolean is_plenty)
{
  g_autofree Model *model = g_new0 (Model, 1);

  model->rand = g_rand_new_with_seed ((guint32) budget + max_length);
  model->max_length = max_length;
  dsq_warm_shard_init (&model->shard, &lock, budget);
  for (guint step = 0; step < 60000; step++)
    {
      model_step (model);
      g_assert_cmpuint (model->shard.bytes, <=, budget);
      g_assert_cmpuint (model->shard.dead, <=, model->shard.bytes);
      if (step % 1000 == 0)
        assert_account (&model->shard);
      if (step % 25000 == 24999)
        {
          dsq_warm_shard_clear_locked (&model->shard);
          g_assert_cmpuint (model->shard.bytes, ==, 0);
          memset (model->expected, 0, sizeof model->expected);
        }
    }
  g_assert_cmpuint (model_count (model), ==, dsq_warm_shard_n_entries (&model->shard));
  if (is_plenty)
    {
      guint n_expected = 0;

      for (guint number = 0; number < N_MODEL_KEYS; number++)
        n_expected += model->expected[number].version != 0;
      g_assert_cmpuint (dsq_warm_shard_n_entries (&model->shard), ==, n_expected);
      g_assert_cmpuint (model->shard.n_dropped, ==, 0);
    }
  dsq_warm_shard_clear_locked (&model->shard);
  g_rand_free (model->rand);
}

static void
test_follows_a_model_when_tight (void)
{
  static const gsize budgets[] = { 1,       100,      500,      1 * KIB,  2 * KIB,
                                   4 * KIB, 16 * KIB, 33 * KIB, 64 * KIB, 200 * KIB };

  for (guint i = 0; i < G_N_ELEMENTS (budgets); i++)
    {
      follow_model (budgets[i], 300, FALSE);
      follow_model (budgets[i], 20000, FALSE);
    }
}

static void
test_follows_a_model_when_plenty (void)
{
  follow_model (4 * MIB, 3000, TRUE);
  follow_model (64 * MIB, 40000, TRUE);
  /* beyond what positions of single bytes can tell */
  follow_model (8 * GIB, 3000, TRUE);
}

static void
test_takes_no_memory_when_off (void)
{
  DsqWarmShard shard;
  Key storage;
  const DsqKey *key = key_number (&storage, 1, DSQ_TABLE_MAIN);

  dsq_warm_shard_init (&shard, &lock, 0);
  g_assert_false (put (&shard, key, 1, 10));
  g_assert_false (has (&shard, key));
  g_assert_false (dsq_warm_shard_remove_locked (&shard, key));
  g_assert_null (dsq_warm_shard_take_locked (&shard, key));
  g_assert_cmpuint (shard.bytes, ==, 0);
  g_assert_null (shard.segments);
  g_assert_null (shard.index.chunks);
  dsq_warm_shard_clear_locked (&shard);
}

/* --- order ------------------------------------------------------------------------------------ */

static void
test_drops_oldest_first (void)
{
  DsqWarmShard shard;
  Key storage;
  guint n_left;

  dsq_warm_shard_init (&shard, &lock, 256 * KIB);
  for (guint i = 0; i < 10000; i++)
    g_assert_true (put (&shard, key_number (&storage, i, DSQ_TABLE_MAIN), i + 1, 100));
  n_left = dsq_warm_shard_n_entries (&shard);
  g_assert_cmpuint (n_left, >, 1900);
  g_assert_cmpuint (shard.n_dropped, ==, 10000 - n_left);
  for (guint i = 0; i < 10000; i++)
    g_assert_cmpint (has (&shard, key_number (&storage, i, DSQ_TABLE_MAIN)),
                     ==,
                     i >= 10000 - n_left);
  dsq_warm_shard_clear_locked (&shard);
}

/* What is dead makes room for what comes, and what is live among it keeps its age. */
static void
test_compacts_in_order (void)
{
  DsqWarmShard shard;
  Key storage;
  guint n_left;

  dsq_warm_shard_init (&shard, &lock, 256 * KIB);
  for (guint i = 0; i < 1800; i++)
    put (&shard, key_number (&storage, i, DSQ_TABLE_MAIN), i + 1, 100);
  for (guint i = 0; i < 1800; i++)
    if (i % 3 != 0)
      g_assert_true (
          dsq_warm_shard_remove_locked (&shard, key_number (&storage, i, DSQ_TABLE_MAIN)));
  for (guint i = 1800; i < 2900; i++)
    put (&shard, key_number (&storage, i, DSQ_TABLE_MAIN), i + 1, 100);
  g_assert_cmpuint (shard.n_dropped, ==, 0);
  g_assert_cmpuint (dsq_warm_shard_n_entries (&shard), ==, 600 + 1100);

  for (guint i = 2900; i < 3700; i++)
    put (&shard, key_number (&storage, i, DSQ_TABLE_MAIN), i + 1, 100);
  n_left = dsq_warm_shard_n_entries (&shard);
  for (guint i = 0; i < 3700; i++)
    {
      gboolean is_live = i >= 1800 || i % 3 == 0;
      gboolean is_young = i < 1800 ? i / 3 >= 2500 - n_left : i - 1200 >= 2500 - n_left;

      g_assert_cmpint (has (&shard, key_number (&storage, i, DSQ_TABLE_MAIN)),
                       ==,
                       is_live && is_young);
    }
  dsq_warm_shard_clear_locked (&shard);
}

/* A long history of takes and puts of a few keys needs no more than these keys do. */
static void
test_forgets_nothing_that_fits (void)
{
  DsqWarmShard shard;
  Key storage;
  GRand *rand = g_rand_new_with_seed (3);

  dsq_warm_shard_init (&shard, &lock, 256 * KIB);
  for (guint i = 0; i < 1600; i++)
    put (&shard, key_number (&storage, i, DSQ_TABLE_MAIN), 1, 100);
  for (guint i = 0; i < 200000; i++)
    {
      const DsqKey *key =
          key_number (&storage, (guint) g_rand_int_range (rand, 0, 1600), DSQ_TABLE_MAIN);
      g_autoptr (DsqEntry) entry = dsq_warm_shard_take_locked (&shard, key);

      g_assert_nonnull (entry);
      g_assert_true (dsq_warm_shard_put_locked (&shard, entry, key->hash));
    }
  g_assert_cmpuint (dsq_warm_shard_n_entries (&shard), ==, 1600);
  dsq_warm_shard_clear_locked (&shard);
  g_rand_free (rand);
}

/* --- single entries --------------------------------------------------------------------------- */

static void
test_keeps_expiry_and_table (void)
{
  static const guint32 tables[] = { DSQ_TABLE_MAIN, 2, 31, 32, 5000, DSQ_TABLE_MAX };
  static const gint64 times[] = { 0, 1, 1234567890123, G_MAXINT64, G_MININT64 };
  DsqWarmShard shard;
  Key storage;

  dsq_warm_shard_init (&shard, &lock, 64 * KIB);
  for (guint t = 0; t < G_N_ELEMENTS (tables); t++)
    for (guint i = 0; i < G_N_ELEMENTS (times); i++)
      {
        const DsqKey *key = key_number (&storage, i, tables[t]);
        g_autoptr (DsqEntry) entry = entry_of (key, t, 8, times[i]);

        g_assert_true (dsq_warm_shard_put_locked (&shard, entry, key->hash));
      }
  for (guint t = 0; t < G_N_ELEMENTS (tables); t++)
    for (guint i = 0; i < G_N_ELEMENTS (times); i++)
      {
        const DsqKey *key = key_number (&storage, i, tables[t]);
        g_autoptr (DsqEntry) entry = dsq_warm_shard_take_locked (&shard, key);

        g_assert_nonnull (entry);
        g_assert_cmpint (entry->table, ==, tables[t]);
        g_assert_cmpint (dsq_entry_expires (entry), ==, times[i]);
        g_assert_cmpint (entry->has_expiry, ==, times[i] != 0);
        g_assert_cmpuint (*dsq_entry_record (entry), ==, t);
      }
  g_assert_cmpuint (dsq_warm_shard_n_entries (&shard), ==, 0);
  dsq_warm_shard_clear_locked (&shard);
}

/* So many that tags collide. */
static void
test_tells_tables_apart (void)
{
  DsqWarmShard shard;
  Key storage;

  dsq_warm_shard_init (&shard, &lock, 1 * MIB);
  for (guint32 table = 1; table <= 3000; table += 2)
    g_assert_true (put (&shard, key_number (&storage, 0, table), table, 4));
  for (guint32 table = 1; table <= 3000; table++)
    {
      const DsqKey *key = key_number (&storage, 0, table);
      Expected expected = { table, 4, 0 };
      g_autoptr (DsqEntry) entry = dsq_warm_shard_take_locked (&shard, key);

      g_assert_cmpint (entry != NULL, ==, table % 2 == 1);
      if (entry != NULL)
        assert_expected (entry, key, &expected);
    }
  dsq_warm_shard_clear_locked (&shard);
}

static void
test_large_entries_get_segments_of_their_own (void)
{
  DsqWarmShard shard;
  Key storage;

  dsq_warm_shard_init (&shard, &lock, 4 * MIB);
  for (guint i = 0; i < 40; i++)
    {
      g_assert_true (put (&shard, key_number (&storage, i, DSQ_TABLE_MAIN), i + 1, 900 * KIB));
      g_assert_true (put (&shard, key_number (&storage, 1000 + i, DSQ_TABLE_MAIN), i + 1, 100));
      g_assert_cmpuint (shard.bytes, <=, 4 * MIB);
    }
  for (guint i = 36; i < 40; i++)
    {
      const DsqKey *key = key_number (&storage, i, DSQ_TABLE_MAIN);
      Expected expected = { i + 1, 900 * KIB, 0 };
      g_autoptr (DsqEntry) entry = dsq_warm_shard_take_locked (&shard, key);

      g_assert_nonnull (entry);
      assert_expected (entry, key, &expected);
    }
  g_assert_cmpuint (shard.bytes, <, 1 * MIB);
  dsq_warm_shard_clear_locked (&shard);
}

/* What is too large is not kept, and what was there of its key is stale all the same. */
static void
test_refuses_more_than_a_quarter (void)
{
  DsqWarmShard shard;
  Key storage;
  const DsqKey *key = key_number (&storage, 1, DSQ_TABLE_MAIN);
  g_autoptr (DsqEntry) huge = dsq_entry_new (key, NULL, 1, 0);
  g_autoptr (DsqEntry) tombstone = dsq_entry_new_tombstone (key);

  dsq_warm_shard_init (&shard, &lock, 64 * KIB);
  g_assert_true (put (&shard, key, 1, 15 * KIB));
  g_assert_false (put (&shard, key, 2, 16 * KIB));
  g_assert_false (has (&shard, key));
  g_assert_true (put (&shard, key, 3, 100));
  huge->record_length = 512u * 1024 * 1024; /* of which nothing is read */
  g_assert_false (dsq_warm_shard_put_locked (&shard, huge, key->hash));
  g_assert_false (has (&shard, key));
  g_assert_true (put (&shard, key, 4, 100));
  g_assert_false (dsq_warm_shard_put_locked (&shard, tombstone, key->hash));
  g_assert_false (has (&shard, key));
  dsq_warm_shard_clear_locked (&shard);
}

/* --- collisions ------------------------------------------------------------------------------- */

#define N_BIRTHDAYS 400000u

static int
compare_hashes (gconstpointer a, gconstpointer b, gpointer unused)
{
  guint32 x = *(const guint32 *) a;
  guint32 y = *(const guint32 *) b;

  return x < y ? -1 : x > y;
}

/* Among so many keys there are about 18 pairs of one hash, as far as the tier knows it. */
static void
test_tells_keys_of_one_hash_apart (void)
{
  g_autofree guint32 *hashes = g_new (guint32, 2 * N_BIRTHDAYS);
  DsqWarmShard shard;
  guint n_pairs = 0;

  for (guint i = 0; i < N_BIRTHDAYS; i++)
    {
      Key storage;

      hashes[2 * i] = (guint32) key_number (&storage, i, DSQ_TABLE_MAIN)->hash;
      hashes[2 * i + 1] = i;
    }
  g_qsort_with_data (hashes, N_BIRTHDAYS, 2 * sizeof *hashes, compare_hashes, NULL);
  dsq_warm_shard_init (&shard, &lock, 64 * KIB);
  for (guint i = 0; i + 1 < N_BIRTHDAYS; i++)
    {
      Key a;
      Key b;
      g_autoptr (DsqEntry) entry = NULL;
      Expected expected = { 2, 50, 0 };

      if (hashes[2 * i] != hashes[2 * i + 2])
        continue;
      n_pairs++;
      key_number (&a, hashes[2 * i + 1], DSQ_TABLE_MAIN);
      key_number (&b, hashes[2 * i + 3], DSQ_TABLE_MAIN);
      g_assert_true (put (&shard, &a.key, 1, 50));
      g_assert_false (has (&shard, &b.key));
      g_assert_true (put (&shard, &b.key, 2, 50));
      g_assert_true (dsq_warm_shard_remove_locked (&shard, &a.key));
      g_assert_false (has (&shard, &a.key));
      entry = dsq_warm_shard_take_locked (&shard, &b.key);
      g_assert_nonnull (entry);
      assert_expected (entry, &b.key, &expected);
    }
  g_assert_cmpuint (n_pairs, >, 0);
  dsq_warm_shard_clear_locked (&shard);
}

/* The index alone, with hashes that all want one chunk and have one tag. */
static void
test_index_survives_one_chunk_for_all (void)
{
  DsqWarmIndex index = { 0 };
  DsqWarmProbe probe;
  guint32 position;
  guint n_found = 0;

  dsq_warm_index_reset (&index, 100);
  for (guint32 i = 0; i < 1000; i++)
    {
      g_assert_false (dsq_warm_index_is_full (&index));
      dsq_warm_index_insert (&index, 0xFFFFFFFF, i);
    }
  g_assert_true (dsq_warm_index_is_full (&index));
  for (guint32 i = 0; i < 1000; i += 2)
    dsq_warm_index_remove (&index, 0xFFFFFFFF, i);
  for (guint32 i = 1; i < 1000; i += 4)
    dsq_warm_index_move (&index, 0xFFFFFFFF, i, i + 1000);
  dsq_warm_probe_init (&probe, &index, 0xFFFFFFFF);
  while (dsq_warm_probe_next (&probe, &position))
    {
      g_assert_cmpuint (position % 2, ==, 1);
      g_assert_cmpint (position % 4 == 1, ==, position >= 1000);
      n_found++;
    }
  g_assert_cmpuint (n_found, ==, 500);
  dsq_warm_index_reset (&index, 0);
}

/* Each of the few chunks there are may have been passed by an entry: a search has to end all the
 * same. */
static void
test_search_ends_when_all_chunks_were_passed (void)
{
  DsqWarmIndex index = { 0 };
  DsqWarmProbe probe;
  guint32 position;

  dsq_warm_index_reset (&index, 2);
  for (guint32 i = 0; i <= DSQ_WARM_CHUNK_SLOTS; i++)
    dsq_warm_index_insert (&index, 0x80000001, i);
  for (guint32 i = 0; i < DSQ_WARM_CHUNK_SLOTS; i++)
    dsq_warm_index_remove (&index, 0x80000001, i);
  for (guint32 i = 0; i < DSQ_WARM_CHUNK_SLOTS; i++)
    dsq_warm_index_insert (&index, 0x00000001, i);
  g_assert_cmpuint (index.chunks[0].n_overflowed, >, 0);
  g_assert_cmpuint (index.chunks[1].n_overflowed, >, 0);
  dsq_warm_probe_init (&probe, &index, 0x00000007);
  g_assert_false (dsq_warm_probe_next (&probe, &position));
  dsq_warm_index_reset (&index, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  dsq_mutex_init (&lock, DSQ_RANK_SHARD, 0);
  dsq_mutex_lock (&lock);
  g_test_add_func ("/dsq/warm-tier/follows-a-model-when-tight", test_follows_a_model_when_tight);
  g_test_add_func ("/dsq/warm-tier/follows-a-model-when-plenty", test_follows_a_model_when_plenty);
  g_test_add_func ("/dsq/warm-tier/takes-no-memory-when-off", test_takes_no_memory_when_off);
  g_test_add_func ("/dsq/warm-tier/drops-oldest-first", test_drops_oldest_first);
  g_test_add_func ("/dsq/warm-tier/compacts-in-order", test_compacts_in_order);
  g_test_add_func ("/dsq/warm-tier/forgets-nothing-that-fits", test_forgets_nothing_that_fits);
  g_test_add_func ("/dsq/warm-tier/keeps-expiry-and-table", test_keeps_expiry_and_table);
  g_test_add_func ("/dsq/warm-tier/tells-tables-apart", test_tells_tables_apart);
  g_test_add_func ("/dsq/warm-tier/large-entries-get-segments-of-their-own",
                   test_large_entries_get_segments_of_their_own);
  g_test_add_func ("/dsq/warm-tier/refuses-more-than-a-quarter", test_refuses_more_than_a_quarter);
  g_test_add_func ("/dsq/warm-tier/tells-keys-of-one-hash-apart",
                   test_tells_keys_of_one_hash_apart);
  g_test_add_func ("/dsq/warm-tier/index-survives-one-chunk-for-all",
                   test_index_survives_one_chunk_for_all);
  g_test_add_func ("/dsq/warm-tier/search-ends-when-all-chunks-were-passed",
                   test_search_ends_when_all_chunks_were_passed);
  return g_test_run ();
}
