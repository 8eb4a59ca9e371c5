/* test-warm-ratio.c - what the warm tier is worth, against one LRU of the same bytes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <math.h>

#include "codec/dsq-hash-private.h"
#include "tiers/dsq-warm-tier-private.h"

/* What one LRU of whole entries takes for an entry beside its key and record. */
#define LRU_OVERHEAD  80
#define RECORD_LENGTH 100
#define N_KEYS        40000u
#define HOT_CAPACITY  1000u
#define WARM_BUDGET   (1024u * 1024)
#define N_READS       400000u

static DsqMutex lock; /* the shard's */

/* --- an exact LRU of key numbers -------------------------------------------------------------- */

typedef struct
{
  guint capacity;
  guint n;
  guint newer[N_KEYS + 1]; /* neighbours, 0: none; numbers are one more than the key's */
  guint older[N_KEYS + 1];
  gboolean has[N_KEYS + 1];
  guint newest;
  guint oldest;
} Lru;

static void
lru_unlink (Lru *lru, guint key)
{
  *(lru->newer[key] != 0 ? &lru->older[lru->newer[key]] : &lru->newest) = lru->older[key];
  *(lru->older[key] != 0 ? &lru->newer[lru->older[key]] : &lru->oldest) = lru->newer[key];
  lru->has[key] = FALSE;
  lru->n--;
}

static void
lru_push (Lru *lru, guint key)
{
  lru->newer[key] = 0;
  lru->older[key] = lru->newest;
  *(lru->newest != 0 ? &lru->newer[lru->newest] : &lru->oldest) = key;
  lru->newest = key;
  lru->has[key] = TRUE;
  lru->n++;
}

/* Makes @key the newest; the key that has to leave for it, or 0. */
static guint
lru_use (Lru *lru, guint key)
{
  guint victim = 0;

  if (lru->has[key])
    {
      lru_unlink (lru, key);
    }
  else if (lru->n == lru->capacity)
    {
      victim = lru->oldest;
      lru_unlink (lru, victim);
    }
  lru_push (lru, key);
  return victim;
}

/* --- streams of reads ------------------------------------------------------------------------- */

typedef struct
{
  GRand *rand;
  double *cumulated; /* (owned) (nullable) of Zipf's law */
  guint n_done;
} Stream;

static void
stream_init (Stream *stream, double exponent)
{
  *stream = (Stream){ .rand = g_rand_new_with_seed (1) };
  if (exponent == 0)
    return;
  stream->cumulated = g_new (double, N_KEYS);
  for (guint i = 0; i < N_KEYS; i++)
    stream->cumulated[i] = (i > 0 ? stream->cumulated[i - 1] : 0) + pow (i + 1, -exponent);
}

static void
stream_clear (Stream *stream)
{
  g_rand_free (stream->rand);
  g_free (stream->cumulated);
}

/* A loop over 7,500 keys, interrupted by scans of keys that are seldom read again. */
static guint
next_of_scan_and_loop (Stream *stream)
{
  guint n = stream->n_done++;

  if (n % 20000 < 2000)
    return 8000 + n * 7 % (N_KEYS - 8000);
  return n % 7500;
}

static guint
next_of_zipf (Stream *stream)
{
  double u = g_rand_double (stream->rand) * stream->cumulated[N_KEYS - 1];
  guint low = 0;
  guint high = N_KEYS - 1;

  while (low < high)
    {
      guint middle = (low + high) / 2;

      if (stream->cumulated[middle] < u)
        low = middle + 1;
      else
        high = middle;
    }
  return low;
}

/* --- hot and warm, and the one LRU ------------------------------------------------------------ */

static DsqEntry *
entry_number (guint number)
{
  static const guint8 record[1 + RECORD_LENGTH] = { 3 };
  char text[16];
  DsqKey key = { (const guint8 *) text, 0, DSQ_TABLE_MAIN, 0 };

  key.length = (guint32) g_snprintf (text, sizeof text, "key_%05u", number);
  return dsq_entry_new (&key, record, sizeof record, 0);
}

static gboolean
read_through_tiers (Lru *hot, DsqWarmShard *warm, guint number)
{
  gboolean is_hit = hot->has[number];
  guint victim;

  if (!is_hit)
    {
      g_autoptr (DsqEntry) entry = entry_number (number);
      DsqKey key = dsq_entry_as_key (entry);
      DsqEntry *taken = dsq_warm_shard_take_locked (warm, &key);

      is_hit = taken != NULL;
      g_clear_pointer (&taken, dsq_entry_unref);
    }
  victim = lru_use (hot, number);
  if (victim != 0)
    {
      g_autoptr (DsqEntry) entry = entry_number (victim);

      g_assert_true (dsq_warm_shard_put_locked (warm, entry, dsq_entry_as_key (entry).hash));
      g_assert_cmpuint (warm->bytes, <=, warm->budget);
    }
  return is_hit;
}

static void
compare_ratios (double exponent, double least_gain)
{
  g_autoptr (DsqEntry) sample = entry_number (0);
  gsize lru_entry = LRU_OVERHEAD + sample->key_length + sample->record_length;
  g_autofree Lru *hot = g_new0 (Lru, 1);
  g_autofree Lru *reference = g_new0 (Lru, 1);
  DsqWarmShard warm;
  Stream stream;
  guint n_hits = 0;
  guint n_reference_hits = 0;

  hot->capacity = HOT_CAPACITY;
  reference->capacity = HOT_CAPACITY + WARM_BUDGET / lru_entry;
  dsq_warm_shard_init (&warm, &lock, WARM_BUDGET);
  stream_init (&stream, exponent);
  for (guint i = 0; i < N_READS; i++)
    {
      guint number = 1 + (exponent != 0 ? next_of_zipf (&stream) : next_of_scan_and_loop (&stream));

      n_hits += read_through_tiers (hot, &warm, number);
      n_reference_hits += reference->has[number];
      lru_use (reference, number);
    }
  g_test_message ("%s %.1f: hot + warm %.2f %%, one LRU %.2f %% of reads",
                  exponent != 0 ? "Zipf" : "scan + loop",
                  exponent,
                  100.0 * n_hits / N_READS,
                  100.0 * n_reference_hits / N_READS);
  g_assert_cmpuint (n_hits, >, n_reference_hits + (guint) (least_gain * N_READS));
  stream_clear (&stream);
  dsq_warm_shard_clear_locked (&warm);
}

static void
test_beats_one_lru_on_zipf (void)
{
  for (double exponent = 0.8; exponent < 1.15; exponent += 0.1)
    compare_ratios (exponent, 0.01);
}

static void
test_beats_one_lru_on_scan_and_loop (void)
{
  compare_ratios (0, 0.5);
}

/* Where there is not even room for an index nothing is kept, and nothing is taken. */
static void
test_keeps_nothing_without_room (void)
{
  const DsqKey key = { (const guint8 *) "k", 1, 1, 7 };
  g_autoptr (DsqEntry) entry = dsq_entry_new (&key, (const guint8 *) "\1", 1, 0);
  DsqWarmShard warm;
  gint64 expires;

  for (gsize budget = 1; budget < 300; budget++)
    {
      dsq_warm_shard_init (&warm, &lock, budget);
      g_assert_false (dsq_warm_shard_put_locked (&warm, entry, key.hash));
      g_assert_false (dsq_warm_shard_contains_locked (&warm, &key, &expires));
      g_assert_cmpuint (warm.bytes, <=, budget);
      dsq_warm_shard_finish (&warm);
    }

  /* nor has one that may take all that there is a larger segment than its offsets tell */
  dsq_warm_shard_init (&warm, &lock, G_MAXSSIZE);
  g_assert_cmpuint (warm.segment_size, ==, 1u << 31);
  dsq_warm_shard_finish (&warm);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  dsq_mutex_init (&lock, DSQ_RANK_SHARD, 0);
  dsq_mutex_lock (&lock);
  g_test_add_func ("/dsq/warm-ratio/beats-one-lru-on-zipf", test_beats_one_lru_on_zipf);
  g_test_add_func ("/dsq/warm-ratio/beats-one-lru-on-scan-and-loop",
                   test_beats_one_lru_on_scan_and_loop);
  g_test_add_func ("/dsq/warm-ratio/keeps-nothing-without-room", test_keeps_nothing_without_room);
  return g_test_run ();
}
