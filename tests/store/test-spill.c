/* test-spill.c - a store in memory that holds more than memory may
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dictsqlite.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define N_KEYS        20000
#define VALUE_LENGTH  100
#define HOT_CAPACITY  500
#define WARM_CAPACITY (64 * 1024)
#define DIRTY_LIMIT   (128 * 1024)

/* In the folder that SQLite is told to put its temporary files into. */
static char *folder;

static DsqStore *
open_store (gboolean background, guint64 hot_capacity, guint64 dirty_limit)
{
  g_autofree char *path = g_build_filename (folder, "store.db", NULL);
  g_autoptr (GError) error = NULL;
  DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                    NULL,
                                    &error,
                                    "path",
                                    path,
                                    "persist-mode",
                                    DSQ_PERSIST_MEMORY,
                                    "hot-capacity",
                                    hot_capacity,
                                    "warm-capacity",
                                    (guint64) WARM_CAPACITY,
                                    "dirty-limit",
                                    dirty_limit,
                                    "cache-size",
                                    (guint64) 65536,
                                    "background",
                                    background,
                                    NULL);

  g_assert_no_error (error);
  return store;
}

static void
close_store (DsqStore *store)
{
  g_autoptr (GError) error = NULL;

  dsq_store_close (store, NULL, &error);
  g_assert_no_error (error);
  g_object_unref (store);
}

/* Descriptors of this process that are of files in the folder; those have no name any more. */
static guint
count_open_files (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  const char *name;
  guint n = 0;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/fd", name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);

      if (target == NULL || !g_str_has_prefix (target, folder))
        continue;
      g_assert_true (g_str_has_suffix (target, " (deleted)"));
      n++;
    }
  return n;
}

static void
assert_no_files (void)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);

  g_assert_null (g_dir_read_name (dir));
}

static char *
value_of (guint key, guint version)
{
  g_autofree char *head = g_strdup_printf ("value %u %u ", key, version);
  g_autofree char *tail = g_strnfill (VALUE_LENGTH, 'v');

  return g_strconcat (head, tail, NULL);
}

static void
set (DsqStore *store, guint key, guint version)
{
  g_autofree char *name = g_strdup_printf ("key %u", key);
  g_autofree char *value = value_of (key, version);
  g_autoptr (GError) error = NULL;

  dsq_store_set_string (store, name, value, NULL, &error);
  g_assert_no_error (error);
}

static void
assert_is (DsqStore *store, guint key, guint version)
{
  g_autofree char *name = g_strdup_printf ("key %u", key);
  g_autofree char *expected = value_of (key, version);
  g_autoptr (GError) error = NULL;
  g_autofree char *value = dsq_store_get_string (store, name, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (value, ==, expected);
}

static void
assert_count (DsqStore *store, gint64 expected)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (dsq_store_count (store, NULL, &error), ==, expected);
  g_assert_no_error (error);
}

/* The keys from @first on by steps of @step, in this order, and none else. */
static void
assert_order (DsqStore *store, guint first, guint step)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqScan) scan = dsq_store_walk_pack (store, FALSE, &error);
  guint expected = first;
  guint32 n = 1;

  g_assert_no_error (error);
  while (n > 0)
    {
      gsize length;
      g_autofree guint8 *pack = dsq_scan_next_pack (scan, 1000, TRUE, &length, NULL, &error);
      const guint8 *lengths, *key;

      g_assert_no_error (error);
      n = 0;
      if (pack == NULL || length == 0)
        break;
      memcpy (&n, pack, sizeof n);
      lengths = pack + sizeof n;
      key = lengths + n * sizeof n;
      for (guint32 i = 0; i < n; i++, expected += step)
        {
          g_autofree char *name = g_strdup_printf ("key %u", expected);
          guint32 key_length;

          memcpy (&key_length, lengths + i * sizeof key_length, sizeof key_length);
          g_assert_cmpmem (key, key_length, name, strlen (name));
          key += key_length;
        }
    }
  g_assert_cmpuint (expected, >=, N_KEYS);
}

static void
assert_bounded (DsqStore *store)
{
  g_autoptr (DsqStats) stats = dsq_store_get_stats (store);

  g_assert_cmpuint (stats->hot_entries, <=, HOT_CAPACITY);
  g_assert_cmpuint (stats->warm_bytes, <=, WARM_CAPACITY);
  /* dirty bytes are counted in grains */
  g_assert_cmpuint (stats->dirty_bytes, <=, DIRTY_LIMIT + DIRTY_LIMIT / 4);
}

/* --- the tests -------------------------------------------------------------------------------- */

static void
test_what_fits_stays_in_memory (gconstpointer data)
{
  /* more bytes than the limit but not more entries than the capacity, and the other way round */
  DsqStore *stores[] = { open_store (GPOINTER_TO_INT (data), N_KEYS, DIRTY_LIMIT),
                         open_store (GPOINTER_TO_INT (data), HOT_CAPACITY, 64 << 20) };

  for (guint s = 0; s < G_N_ELEMENTS (stores); s++)
    {
      g_autoptr (DsqStats) stats = NULL;

      for (guint i = 0; i < N_KEYS; i++)
        set (stores[s], i, 0);
      stats = dsq_store_get_stats (stores[s]);
      g_assert_cmpuint (stats->flushes, ==, 0);
      g_assert_cmpuint (stats->spill_bytes, ==, 0);
      g_assert_cmpuint (stats->evictions, ==, 0);
      assert_count (stores[s], N_KEYS);
      assert_is (stores[s], 17, 0);
    }
  g_assert_cmpuint (count_open_files (), ==, 0);
  for (guint s = 0; s < G_N_ELEMENTS (stores); s++)
    close_store (stores[s]);
}

static void
test_what_does_not_fit_is_kept (gconstpointer data)
{
  DsqStore *store = open_store (GPOINTER_TO_INT (data), HOT_CAPACITY, DIRTY_LIMIT);
  g_autoptr (DsqStats) stats = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < N_KEYS; i++)
    {
      set (store, i, 0);
      if (i % 500 == 0)
        assert_bounded (store);
    }
  assert_count (store, N_KEYS);
  for (guint i = 0; i < N_KEYS; i += 3)
    set (store, i, 1);
  for (guint i = 0; i < N_KEYS; i++)
    assert_is (store, i, i % 3 == 0);
  assert_bounded (store);
  assert_order (store, 0, 1);

  for (guint i = 0; i < N_KEYS; i += 2)
    {
      g_autofree char *name = g_strdup_printf ("key %u", i);

      g_assert_true (dsq_store_remove (store, name, NULL, &error));
      g_assert_no_error (error);
    }
  assert_count (store, N_KEYS / 2);
  assert_order (store, 1, 2);
  stats = dsq_store_get_stats (store);
  g_assert_cmpuint (stats->spill_bytes, >, N_KEYS * VALUE_LENGTH / 2);
  g_assert_cmpuint (stats->file_bytes + stats->wal_bytes + stats->syncs, ==, 0);
  close_store (store);
}

/* The file has no name while it is open, and is gone with the store. */
static void
test_nobody_can_open_the_file (gconstpointer data)
{
  DsqStore *store = open_store (GPOINTER_TO_INT (data), HOT_CAPACITY, DIRTY_LIMIT);

  for (guint i = 0; i < N_KEYS; i++)
    set (store, i, 0);
  assert_no_files ();
  g_assert_cmpuint (count_open_files (), >=, 1);
  close_store (store);
  assert_no_files ();
  g_assert_cmpuint (count_open_files (), ==, 0);
}

static void
test_clear_gives_the_file_back (gconstpointer data)
{
  DsqStore *store = open_store (GPOINTER_TO_INT (data), HOT_CAPACITY, DIRTY_LIMIT);

  for (guint round = 0; round < 2; round++)
    {
      g_autoptr (DsqStats) before = NULL;
      g_autoptr (DsqStats) after = NULL;
      g_autoptr (GError) error = NULL;

      for (guint i = 0; i < N_KEYS; i++)
        set (store, i, round);
      before = dsq_store_get_stats (store);
      g_assert_cmpuint (before->spill_bytes, >, 1 << 20);
      dsq_store_clear (store, NULL, &error);
      g_assert_no_error (error);
      after = dsq_store_get_stats (store);
      g_assert_cmpuint (after->spill_bytes, <, 1 << 16);
      g_assert_cmpuint (after->cold_entries + after->hot_entries + after->warm_entries, ==, 0);
      assert_count (store, 0);
    }
  set (store, 1, 1);
  assert_is (store, 1, 1);
  close_store (store);
}

/* --- threads ---------------------------------------------------------------------------------- */

#define N_THREADS 4

typedef struct
{
  DsqStore *store; /* (unowned) */
  guint number;
} Worker;

/* Each has its keys, and writes, reads and deletes them while the others make the store spill. */
static gpointer
work (gpointer data)
{
  Worker *worker = data;
  guint first = worker->number * 2000;

  for (guint version = 0; version < 3; version++)
    for (guint i = 0; i < 2000; i++)
      {
        set (worker->store, first + i, version);
        assert_is (worker->store, first + i, version);
        if (i >= 1000)
          assert_is (worker->store, first + i - 1000, version);
      }
  return NULL;
}

static void
test_threads_spill_together (gconstpointer data)
{
  DsqStore *store = open_store (GPOINTER_TO_INT (data), 50, 16384);
  Worker workers[N_THREADS];
  GThread *threads[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    {
      workers[i] = (Worker){ store, i };
      threads[i] = g_thread_new ("worker", work, &workers[i]);
    }
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  assert_count (store, N_THREADS * 2000);
  for (guint i = 0; i < N_THREADS * 2000; i++)
    assert_is (store, i, 2);
  close_store (store);
}

#define ADD(name, func)                                                                            \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_test_add_data_func ("/dsq/spill/caller/" name, GINT_TO_POINTER (FALSE), func);               \
    g_test_add_data_func ("/dsq/spill/thread/" name, GINT_TO_POINTER (TRUE), func);                \
  }                                                                                                \
  G_STMT_END

/* What is dropped as a cache's need not go anywhere else, and few that are large are too much as
 * many are. */
static void
test_bytes (gconstpointer data)
{
  g_autofree char *value = g_strnfill (10000, 'v');
  g_autoptr (GError) error = NULL;

  for (guint is_cache = 0; is_cache < 2; is_cache++)
    {
      DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                        NULL,
                                        &error,
                                        "path",
                                        ":memory:",
                                        "persist-mode",
                                        DSQ_PERSIST_MEMORY,
                                        "background",
                                        GPOINTER_TO_INT (data),
                                        "dirty-limit",
                                        (guint64) DIRTY_LIMIT,
                                        "hot-limit",
                                        (guint64) 4 * DIRTY_LIMIT,
                                        "max-bytes",
                                        (guint64) (is_cache ? 8 * DIRTY_LIMIT : 0),
                                        NULL);
      g_autoptr (DsqStats) stats = NULL;

      g_assert_no_error (error);
      for (guint i = 0; i < 200; i++)
        {
          g_autofree char *key = g_strdup_printf ("key %u", i);

          g_assert_true (dsq_store_set_string (store, key, value, NULL, &error));
        }
      stats = dsq_store_get_stats (store);
      if (is_cache)
        {
          g_assert_cmpuint (stats->spill_bytes, ==, 0);
          g_assert_cmpuint (stats->used_bytes, <=, 8 * DIRTY_LIMIT);
          g_assert_cmpuint (stats->dropped_entries, >, 0);
        }
      else
        {
          g_assert_cmpuint (stats->spill_bytes, >, 0);
          assert_count (store, 200);
        }
      close_store (store);
    }
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("dsq-test-XXXXXX", NULL);
  g_assert_nonnull (folder);
  g_assert_true (g_setenv ("SQLITE_TMPDIR", folder, TRUE));
  ADD ("what-fits-stays-in-memory", test_what_fits_stays_in_memory);
  ADD ("what-does-not-fit-is-kept", test_what_does_not_fit_is_kept);
  ADD ("bytes", test_bytes);
  ADD ("nobody-can-open-the-file", test_nobody_can_open_the_file);
  ADD ("clear-gives-the-file-back", test_clear_gives_the_file_back);
  ADD ("threads-spill-together", test_threads_spill_together);
  result = g_test_run ();
  g_assert_no_errno (g_rmdir (folder));
  g_free (folder);
  return result;
}
