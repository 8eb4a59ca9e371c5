/* test-expiry.c - threads and stores beside entries that end by themselves
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "folder-support.h"
#include "read-number.h"

#define N_THREADS 4
#define N_KEYS    20
#define HOUR      G_GINT64_CONSTANT (3600000)

typedef struct
{
  char *folder;        /* (owned) */
  DsqStore *stores[2]; /* (owned) of one file; in memory mode the same twice */
} Fixture;

typedef struct
{
  DsqStore *store; /* (unowned) */
  guint number;
  guint n_rounds;
} Worker;

static DsqStore *
open_store (const char *folder, DsqPersistMode mode, guint64 max_bytes)
{
  return OPEN_IN (folder,
                  "persist-mode",
                  mode,
                  "hot-capacity",
                  (guint64) 7,
                  "warm-capacity",
                  (guint64) 65536,
                  "flush-interval",
                  3u,
                  "max-bytes",
                  max_bytes);
}

static void
open_both (Fixture *fixture, DsqPersistMode mode, guint64 max_bytes)
{
  fixture->folder = make_folder ();
  fixture->stores[0] = open_store (fixture->folder, mode, max_bytes);
  fixture->stores[1] = mode == DSQ_PERSIST_MEMORY ? g_object_ref (fixture->stores[0])
                                                  : open_store (fixture->folder, mode, max_bytes);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  open_both (fixture, GPOINTER_TO_INT (data), 0);
}

static void
set_up_cache (Fixture *fixture, gconstpointer data)
{
  open_both (fixture, GPOINTER_TO_INT (data), 1 << 20);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < G_N_ELEMENTS (fixture->stores); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_true (dsq_store_close (fixture->stores[i], NULL, &error));
      g_assert_no_error (error);
      g_object_unref (fixture->stores[i]);
    }
  remove_folder (fixture->folder);
}

/* Programs under valgrind ask for less. */
static guint
rounds (guint usual)
{
  return g_getenv ("DSQ_SHORT") != NULL ? usual / 10 : usual;
}

static gint64
count (DsqStore *store)
{
  g_autoptr (GError) error = NULL;
  gint64 n = dsq_store_count (store, NULL, &error);

  g_assert_no_error (error);
  return n;
}

/* Keys in order, with spaces between. */
static char *
walk (DsqStore *store)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) keys = g_string_new (NULL);
  g_autoptr (DsqCursor) cursor = dsq_store_walk (store, DSQ_WALK_FORWARD);
  gsize n_given;

  do
    {
      g_autoptr (GVariant) page = dsq_cursor_next_many (cursor, 2, NULL, &error);
      GVariantIter iter;
      const char *key;

      g_assert_no_error (error);
      n_given = g_variant_iter_init (&iter, page);
      while (g_variant_iter_next (&iter, "(&smv)", &key, NULL))
        g_string_append_printf (keys, "%s ", key);
    }
  while (n_given > 0);
  return g_string_free (g_steal_pointer (&keys), FALSE);
}

/* --- alone ------------------------------------------------------------------------------------ */

static void
test_expires_by_the_stores_clock (Fixture *fixture, gconstpointer data)
{
  DsqStore *store = fixture->stores[0];
  g_autoptr (GError) error = NULL;
  g_autofree char *keys = NULL;
  gint64 left = 0;

  g_assert_true (
      dsq_store_set_expiring (store, "short", g_variant_new_int64 (1), HOUR, NULL, &error));
  g_assert_true (dsq_store_set (store, "stays", g_variant_new_int64 (2), NULL, &error));
  left = dsq_store_get_expiry (store, "short", NULL, &error);
  g_assert_cmpint (left, >, HOUR - 60000);
  g_assert_cmpint (left, <=, HOUR);
  left = dsq_store_get_expiry (store, "stays", NULL, &error);
  g_assert_cmpint (left, ==, DSQ_NEVER);
  g_assert_cmpint (dsq_store_get_expiry (store, "missing", NULL, &error), ==, 0);
  g_assert_true (dsq_store_contains (store, "short", NULL, &error));

  g_object_set (store, "clock-offset", (gint64) (HOUR), NULL);
  g_assert_false (dsq_store_contains (store, "short", NULL, &error));
  g_assert_false (dsq_store_touch (store, "short", HOUR, NULL, &error));
  g_assert_true (dsq_store_touch (store, "stays", DSQ_NEVER, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (count (store), ==, 1);
  g_assert_cmpint (dsq_store_expire (store, NULL, &error), ==, 0);
  g_assert_true (
      dsq_store_set_expiring (store, "short", g_variant_new_int64 (3), DSQ_NEVER, NULL, &error));
  g_assert_no_error (error);
  keys = walk (store);
  g_assert_cmpstr (keys, ==, "stays short ");
}

/* Times at which sums would overflow. */
static void
test_takes_any_time (Fixture *fixture, gconstpointer data)
{
  const gint64 past[] = { 0, -1, G_MININT64, -HOUR * 24 * 365 * 100 };
  DsqStore *store = fixture->stores[0];
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (past); i++)
    {
      g_assert_true (
          dsq_store_set_expiring (store, "k", g_variant_new_int64 (1), past[i], NULL, &error));
      g_assert_false (dsq_store_contains (store, "k", NULL, &error));
      g_assert_cmpint (count (store), ==, 0);
    }
  g_assert_true (
      dsq_store_set_expiring (store, "k", g_variant_new_int64 (1), DSQ_NEVER - 1, NULL, &error));
  g_assert_no_error (error);
  g_object_set (store, "clock-offset", (gint64) (HOUR * 24 * 365 * 10000), NULL);
  g_assert_true (dsq_store_contains (store, "k", NULL, &error));
  g_assert_cmpint (count (store), ==, 1);
}

/* DSQ_NEVER and above is never; what is just below ends, however the clock is moved. */
static void
assert_gone_for_a_slow_clock (DsqStore *store, const char *key)
{
  g_autoptr (GError) error = NULL;

  g_object_set (store, "clock-offset", (gint64) (-HOUR), NULL);
  g_assert_cmpint (dsq_store_contains (store, key, NULL, &error), ==, DSQ_ANSWER_NO);
  g_assert_no_error (error);
  g_object_set (store, "clock-offset", (gint64) 0, NULL);
}

/* What is over when it is set is nobody's at any time, also by a clock that is behind. */
static void
test_over_at_once (Fixture *fixture, gconstpointer data)
{
  static const gint64 times[] = { 0 };
  static const guint8 changes[] = { 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 'c', 3, 'v' };
  DsqStore *store = fixture->stores[0];
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_set (store, "a", g_variant_new_int64 (1), NULL, &error));
  g_assert_true (dsq_store_set (store, "b", g_variant_new_int64 (1), NULL, &error));
  g_assert_true (dsq_store_set_string (store, "c", "1", NULL, &error));
  g_assert_true (dsq_store_set_expiring (store, "a", g_variant_new_int64 (2), 0, NULL, &error));
  assert_gone_for_a_slow_clock (store, "a");
  g_assert_cmpint (dsq_store_touch (store, "b", -5, NULL, &error), ==, DSQ_ANSWER_YES);
  assert_gone_for_a_slow_clock (store, "b");
  g_assert_cmpint (dsq_store_touch (store, "b", -5, NULL, &error), ==, DSQ_ANSWER_NO);
  g_assert_cmpint (dsq_store_apply_pack (store,
                                         NULL,
                                         0,
                                         changes,
                                         sizeof changes,
                                         FALSE,
                                         times,
                                         G_N_ELEMENTS (times),
                                         &error),
                   ==,
                   DSQ_ANSWER_YES);
  g_assert_no_error (error);
  assert_gone_for_a_slow_clock (store, "c");
  g_assert_cmpint (dsq_store_count (store, NULL, &error), ==, 0);
  g_assert_no_error (error);
}

static void
test_never (Fixture *fixture, gconstpointer data)
{
  const gint64 never[] = { DSQ_NEVER, DSQ_NEVER + 1, G_MAXINT64 };
  DsqStore *store = fixture->stores[0];
  g_autoptr (GError) error = NULL;
  gint64 left = 0;

  g_assert_cmpint (DSQ_NEVER, ==, ((gint64) 1 << 53) - 1);
  for (guint i = 0; i < G_N_ELEMENTS (never); i++)
    {
      g_assert_true (
          dsq_store_set_expiring (store, "k", g_variant_new_int64 (1), never[i], NULL, &error));
      left = dsq_store_get_expiry (store, "k", NULL, &error);
      g_assert_cmpint (left, ==, DSQ_NEVER);
      g_assert_true (dsq_store_touch (store, "k", HOUR, NULL, &error));
      g_assert_true (dsq_store_touch (store, "k", never[i], NULL, &error));
      left = dsq_store_get_expiry (store, "k", NULL, &error);
      g_assert_cmpint (left, ==, DSQ_NEVER);
    }
  g_assert_true (dsq_store_touch (store, "k", DSQ_NEVER - 1, NULL, &error));
  g_object_set (store, "clock-offset", (gint64) (-HOUR), NULL);
  left = dsq_store_get_expiry (store, "k", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (left, <, DSQ_NEVER);
  g_assert_cmpint (left, >, DSQ_NEVER - HOUR);
}

/* --- threads ---------------------------------------------------------------------------------- */

/* Sets, touches and removes keys that live for a few milliseconds, which all threads share, beside
 * one of its own that stays. */
static gpointer
work (gpointer data)
{
  Worker *self = data;
  g_autofree char *own = g_strdup_printf ("own %u", self->number);
  g_autoptr (GRand) random = g_rand_new_with_seed (self->number);
  g_autoptr (GError) error = NULL;

  for (guint round = 0; round < self->n_rounds; round++)
    {
      g_autofree char *key = g_strdup_printf ("short %d", g_rand_int_range (random, 0, N_KEYS));
      gint64 time_to_live = g_rand_int_range (random, -1, 8);
      gint64 value = 0;
      g_autoptr (GVariant) stolen = NULL;

      g_assert_true (dsq_store_set (self->store, own, g_variant_new_int64 (round), NULL, &error));
      switch (g_rand_int_range (random, 0, 8))
        {
        case 0:
          dsq_store_contains (self->store, key, NULL, &error);
          break;
        case 1:
          stolen = dsq_store_steal (self->store, key, NULL, &error);
          break;
        case 2:
          dsq_store_touch (self->store, key, time_to_live, NULL, &error);
          break;
        case 3:
          dsq_store_expire (self->store, NULL, &error);
          break;
        case 4:
          g_assert_cmpint (count (self->store), <=, N_KEYS + N_THREADS);
          break;
        case 5:
          dsq_store_compare_and_set (self->store,
                                     key,
                                     NULL,
                                     g_variant_new_boolean (TRUE),
                                     NULL,
                                     &error);
          dsq_store_touch (self->store, key, 1, NULL, &error);
          break;
        default:
          dsq_store_set_expiring (self->store,
                                  key,
                                  g_variant_new_int64 (round),
                                  time_to_live,
                                  NULL,
                                  &error);
        }
      g_assert_no_error (error);
      g_assert_true (read_number (self->store, own, &value, &error));
      g_assert_cmpint (value, ==, round);
    }
  return NULL;
}

static void
run_workers (Fixture *fixture, gboolean both, guint n_rounds)
{
  GThread *threads[N_THREADS];
  Worker workers[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    {
      workers[i] = (Worker){ fixture->stores[both ? i % 2 : 0], i, n_rounds };
      threads[i] = g_thread_new ("worker", work, &workers[i]);
    }
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
}

static void
assert_all_agree (Fixture *fixture)
{
  for (guint i = 0; i < G_N_ELEMENTS (fixture->stores); i++)
    {
      g_autoptr (GError) error = NULL;

      g_object_set (fixture->stores[i], "clock-offset", (gint64) (HOUR), NULL);
      g_assert_true (dsq_store_flush (fixture->stores[i], NULL, &error));
      g_assert_no_error (error);
    }
  for (guint i = 0; i < G_N_ELEMENTS (fixture->stores); i++)
    {
      g_autofree char *keys = walk (fixture->stores[i]);
      g_auto (GStrv) each = g_strsplit (keys, " own ", -1);

      g_assert_cmpint (count (fixture->stores[i]), ==, N_THREADS);
      g_assert_cmpuint (g_strv_length (each), ==, N_THREADS);
    }
}

static void
test_threads_of_one_store (Fixture *fixture, gconstpointer data)
{
  run_workers (fixture, FALSE, rounds (4000));
  assert_all_agree (fixture);
}

static void
test_threads_of_two_stores (Fixture *fixture, gconstpointer data)
{
  run_workers (fixture, TRUE, rounds (1000));
  assert_all_agree (fixture);
}

/* --- max-bytes beside threads ----------------------------------------------------------------- */

static gpointer
fill (gpointer data)
{
  Worker *self = data;
  static const guint8 zeros[8000];
  g_autoptr (GVariant) value =
      g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, zeros, 8000, 1));
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < self->n_rounds; i++)
    {
      g_autofree char *key = g_strdup_printf ("%u %u", self->number, i);
      g_autoptr (GVariant) read = NULL;

      g_assert_true (dsq_store_set (self->store, key, value, NULL, &error));
      g_assert_no_error (error);
      if (i % 3 == 0)
        g_assert_cmpint (count (self->store), >, 0);
      read = dsq_store_get (self->store, key, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (read == NULL || g_variant_equal (read, value));
    }
  return NULL;
}

static void
test_cache_with_threads (Fixture *fixture, gconstpointer data)
{
  GThread *threads[N_THREADS];
  Worker workers[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    {
      workers[i] = (Worker){ fixture->stores[i % 2], i, rounds (200) };
      threads[i] = g_thread_new ("worker", fill, &workers[i]);
    }
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < G_N_ELEMENTS (fixture->stores); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_true (dsq_store_flush (fixture->stores[i], NULL, &error));
      g_assert_no_error (error);
    }
  for (guint i = 0; i < G_N_ELEMENTS (fixture->stores); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DsqStats) stats = NULL;

      g_assert_true (dsq_store_flush (fixture->stores[i], NULL, &error));
      stats = dsq_store_get_stats (fixture->stores[i]);
      g_assert_cmpuint (stats->used_bytes, <=, 1 << 20);
    }
  g_assert_cmpint (count (fixture->stores[0]), ==, count (fixture->stores[1]));
}

#define ADD_MODE(path, mode, set_up, test)                                                         \
  g_test_add ("/dsq/store-expiry/" path, Fixture, GINT_TO_POINTER (mode), set_up, test, tear_down)

#define ADD(path, set_up, test)                                                                    \
  ADD_MODE (path "/memory", DSQ_PERSIST_MEMORY, set_up, test);                                     \
  ADD_MODE (path "/lazy", DSQ_PERSIST_LAZY, set_up, test);                                         \
  ADD_MODE (path "/writethrough", DSQ_PERSIST_WRITETHROUGH, set_up, test)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("expires-by-the-stores-clock", set_up, test_expires_by_the_stores_clock);
  ADD ("takes-any-time", set_up, test_takes_any_time);
  ADD ("over-at-once", set_up, test_over_at_once);
  ADD ("never", set_up, test_never);
  ADD ("threads-of-one-store", set_up, test_threads_of_one_store);
  ADD ("threads-of-two-stores", set_up, test_threads_of_two_stores);
  ADD ("cache-with-threads", set_up_cache, test_cache_with_threads);
  return g_test_run ();
}
