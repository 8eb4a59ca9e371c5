/* test-filter.c - the filter of keys in the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <pthread.h>

#include "codec/dsq-hash-private.h"
#include "tiers/dsq-filter-private.h"

#define KIB ((gsize) 1024)
#define MIB (1024 * KIB)
/* Numbers from here on are never added. */
#define ABSENT (G_GUINT64_CONSTANT (1) << 40)

static guint64
hash_number (guint64 number)
{
  return dsq_hash (1, (const guint8 *) &number, sizeof number);
}

static void
add_numbers (DsqFilter *filter, guint64 first, guint64 end)
{
  for (guint64 i = first; i < end; i++)
    dsq_filter_add (filter, hash_number (i));
}

static void
assert_has_numbers (DsqFilter *filter, guint64 first, guint64 end)
{
  for (guint64 i = first; i < end; i++)
    g_assert_true (dsq_filter_may_contain (filter, hash_number (i)));
}

/* Of so many, two full layers' 0.89 % is found to within 0.02, whatever this run's hash. */
static double
false_positives (DsqFilter *filter)
{
  const guint64 n_asked = 400000;
  guint64 n = 0;

  for (guint64 i = 0; i < n_asked; i++)
    n += dsq_filter_may_contain (filter, hash_number (ABSENT + i));
  return (double) n / (double) n_asked;
}

static void
test_answers_only_when_ready (void)
{
  g_autoptr (DsqFilter) filter = dsq_filter_new (MIB);
  guint32 build;

  g_assert_true (dsq_filter_may_contain (filter, hash_number (1)));
  g_assert_true (dsq_filter_wants_build (filter, 10));
  dsq_filter_add (filter, hash_number (1)); /* ignored */
  build = dsq_filter_begin (filter, 10);
  g_assert_cmpuint (build, !=, 0);
  g_assert_false (dsq_filter_wants_build (filter, 10));
  dsq_filter_add (filter, hash_number (2));
  g_assert_true (dsq_filter_may_contain (filter, hash_number (3)));
  g_assert_true (dsq_filter_finish (filter, build));
  g_assert_false (dsq_filter_finish (filter, build));
  dsq_filter_add (filter, hash_number (4));
  g_assert_false (dsq_filter_may_contain (filter, hash_number (1)));
  g_assert_true (dsq_filter_may_contain (filter, hash_number (2)));
  g_assert_false (dsq_filter_may_contain (filter, hash_number (3)));
  g_assert_true (dsq_filter_may_contain (filter, hash_number (4)));

  dsq_filter_reset (filter);
  g_assert_true (dsq_filter_may_contain (filter, hash_number (3)));
  build = dsq_filter_begin (filter, 10);
  dsq_filter_reset (filter);
  g_assert_false (dsq_filter_finish (filter, build));
  build = dsq_filter_begin (filter, 10);
  g_assert_true (dsq_filter_finish (filter, build));
  g_assert_false (dsq_filter_may_contain (filter, hash_number (2)));
}

static void
test_fewer_than_one_in_a_hundred_false (void)
{
  static const guint64 sizes[] = { 0, 1000, 100000 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (DsqFilter) filter = dsq_filter_new (16 * MIB);
      guint32 build = dsq_filter_begin (filter, sizes[i]);
      guint64 n_added = 0;
      DsqFilterStats stats;

      g_assert_true (dsq_filter_finish (filter, build));
      /* as full as it may be without asking for another build */
      while (!dsq_filter_wants_build (filter, n_added) && n_added < 1000000)
        {
          add_numbers (filter, n_added, n_added + 1000);
          n_added += 1000;
        }
      assert_has_numbers (filter, 0, n_added);
      g_assert_cmpfloat (false_positives (filter), <, 0.01);
      dsq_filter_get_stats (filter, &stats);
      g_assert_true (stats.is_ready);
      g_assert_cmpuint (stats.keys, <=, n_added);
      g_assert_cmpuint (stats.keys, >, n_added / 100 * 98);
    }
}

static void
test_grows_by_layers (void)
{
  g_autoptr (DsqFilter) filter = dsq_filter_new (16 * MIB);
  guint32 build = dsq_filter_begin (filter, 0);
  DsqFilterStats stats;

  g_assert_true (dsq_filter_finish (filter, build));
  add_numbers (filter, 0, 250000);
  assert_has_numbers (filter, 0, 250000);
  dsq_filter_get_stats (filter, &stats);
  g_assert_cmpuint (stats.n_layers, >, 2);
  g_assert_cmpuint (stats.bytes, <, MIB);
  g_assert_true (dsq_filter_wants_build (filter, 250000));

  /* what is there already takes no room */
  add_numbers (filter, 0, 250000);
  dsq_filter_get_stats (filter, &stats);
  g_assert_cmpuint (stats.keys, <=, 250000);

  build = dsq_filter_begin (filter, 250000);
  add_numbers (filter, 0, 250000);
  g_assert_true (dsq_filter_finish (filter, build));
  g_assert_false (dsq_filter_wants_build (filter, 250000));
  assert_has_numbers (filter, 0, 250000);
  dsq_filter_get_stats (filter, &stats);
  g_assert_cmpuint (stats.n_layers, ==, 1);
}

static void
test_is_useless_beyond_its_bounds (void)
{
  g_autoptr (DsqFilter) off = dsq_filter_new (0);
  g_autoptr (DsqFilter) filter = dsq_filter_new (256 * KIB);
  guint32 build;

  g_assert_cmpuint (dsq_filter_begin (off, 0), ==, 0);
  dsq_filter_add (off, 1);
  dsq_filter_reset (off);
  g_assert_true (dsq_filter_may_contain (off, 2));
  g_assert_false (dsq_filter_wants_build (off, 0));

  g_assert_cmpuint (dsq_filter_begin (filter, 200000), ==, 0);
  g_assert_cmpuint (dsq_filter_begin (filter, G_MAXUINT64), ==, 0);
  g_assert_false (dsq_filter_wants_build (filter, 200000));
  g_assert_true (dsq_filter_may_contain (filter, hash_number (1)));

  build = dsq_filter_begin (filter, 1000);
  g_assert_true (dsq_filter_finish (filter, build));
  g_assert_false (dsq_filter_may_contain (filter, hash_number (1)));
  add_numbers (filter, 1000, 201000);
  g_assert_true (dsq_filter_may_contain (filter, hash_number (1)));
  g_assert_true (dsq_filter_wants_build (filter, 1000));
  g_assert_false (dsq_filter_wants_build (filter, 200000));

  build = dsq_filter_begin (filter, 1000);
  add_numbers (filter, 1000, 201000);
  g_assert_false (dsq_filter_finish (filter, build));
  build = dsq_filter_begin (filter, 1000);
  g_assert_true (dsq_filter_finish (filter, build));
  g_assert_false (dsq_filter_may_contain (filter, hash_number (1)));
}

/* --- many threads ----------------------------------------------------------------------------- */

#define N_ADDERS 3
#define N_ASKERS 2
#define N_EACH   40000u
#define N_BUILDS 10

/* Adders commit numbers as writers commit keys; a builder builds the filter anew and again. */
typedef struct
{
  DsqFilter *filter;           /* (owned) */
  pthread_rwlock_t lock;       /* what keeps a build from beginning inside a commit */
  guint64 committed[N_ADDERS]; /* (atomic) each adder's numbers below this are in the "file" */
  guint64 n_asked;             /* (atomic) questions whose answer was no */
  gboolean is_over;            /* (atomic) */
} Shared;

typedef struct
{
  Shared *shared; /* (unowned) */
  guint index;
} Adder;

static guint64
number_of (guint adder, guint64 i)
{
  return (guint64) adder << 32 | i;
}

static void *
adder_thread (void *data)
{
  const Adder *adder = data;
  Shared *shared = adder->shared;

  for (guint64 i = 0; i < N_EACH; i++)
    {
      pthread_rwlock_rdlock (&shared->lock);
      dsq_filter_add (shared->filter, hash_number (number_of (adder->index, i)));
      __atomic_store_n (&shared->committed[adder->index], i + 1, __ATOMIC_RELEASE);
      pthread_rwlock_unlock (&shared->lock);
    }
  return NULL;
}

static void *
asker_thread (void *data)
{
  Shared *shared = data;
  guint64 n_no = 0;

  for (guint64 i = 0; !__atomic_load_n (&shared->is_over, __ATOMIC_ACQUIRE); i++)
    {
      guint adder = i % N_ADDERS;
      guint64 end = __atomic_load_n (&shared->committed[adder], __ATOMIC_ACQUIRE);

      if (end > 0)
        {
          guint64 newest = hash_number (number_of (adder, end - 1));
          guint64 any = hash_number (number_of (adder, i * 7919 % end));

          g_assert_true (dsq_filter_may_contain (shared->filter, newest));
          g_assert_true (dsq_filter_may_contain (shared->filter, any));
        }
      n_no += !dsq_filter_may_contain (shared->filter, hash_number (ABSENT + i));
    }
  __atomic_fetch_add (&shared->n_asked, n_no, __ATOMIC_RELAXED);
  return NULL;
}

static void
build_once (Shared *shared)
{
  guint64 ends[N_ADDERS];
  guint32 build;

  pthread_rwlock_wrlock (&shared->lock);
  build = dsq_filter_begin (shared->filter, 1000);
  for (guint a = 0; a < N_ADDERS; a++)
    ends[a] = __atomic_load_n (&shared->committed[a], __ATOMIC_ACQUIRE);
  pthread_rwlock_unlock (&shared->lock);
  for (guint a = 0; a < N_ADDERS; a++)
    for (guint64 i = 0; i < ends[a]; i++)
      dsq_filter_add (shared->filter, hash_number (number_of (a, i)));
  g_assert_true (dsq_filter_finish (shared->filter, build));
}

static void
test_never_denies_what_is_there (void)
{
  Shared shared = { .filter = dsq_filter_new (MIB), .lock = PTHREAD_RWLOCK_INITIALIZER };
  Adder adders[N_ADDERS];
  pthread_t adding[N_ADDERS];
  pthread_t asking[N_ASKERS];

  for (guint i = 0; i < N_ASKERS; i++)
    g_assert_cmpint (pthread_create (&asking[i], NULL, asker_thread, &shared), ==, 0);
  for (guint i = 0; i < N_ADDERS; i++)
    {
      adders[i] = (Adder){ &shared, i };
      g_assert_cmpint (pthread_create (&adding[i], NULL, adder_thread, &adders[i]), ==, 0);
    }
  for (guint i = 0; i < N_BUILDS; i++)
    {
      build_once (&shared);
      g_usleep (1000);
      if (i % 5 == 4)
        dsq_filter_reset (shared.filter);
    }
  for (guint i = 0; i < N_ADDERS; i++)
    pthread_join (adding[i], NULL);
  build_once (&shared);
  g_usleep (20000);
  __atomic_store_n (&shared.is_over, TRUE, __ATOMIC_RELEASE);
  for (guint i = 0; i < N_ASKERS; i++)
    pthread_join (asking[i], NULL);

  g_assert_cmpuint (shared.n_asked, >, 0);
  for (guint a = 0; a < N_ADDERS; a++)
    assert_has_numbers (shared.filter, number_of (a, 0), number_of (a, N_EACH));
  g_assert_cmpfloat (false_positives (shared.filter), <, 0.01);
  pthread_rwlock_destroy (&shared.lock);
  dsq_filter_free (shared.filter);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/filter/answers-only-when-ready", test_answers_only_when_ready);
  g_test_add_func ("/dsq/filter/fewer-than-one-in-a-hundred-false",
                   test_fewer_than_one_in_a_hundred_false);
  g_test_add_func ("/dsq/filter/grows-by-layers", test_grows_by_layers);
  g_test_add_func ("/dsq/filter/is-useless-beyond-its-bounds", test_is_useless_beyond_its_bounds);
  g_test_add_func ("/dsq/filter/never-denies-what-is-there", test_never_denies_what_is_there);
  return g_test_run ();
}
