/* test-tables.c - tables of a store, as C and threads use them
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dictsqlite.h>
#include <dsq-store-records.h>
#include <dsq-transaction.h>

#include "folder-support.h"

#define N_THREADS 4

typedef struct
{
  char *folder;    /* (owned) */
  DsqStore *store; /* (owned) */
} Fixture;

static DsqStore *
open_store (const Fixture *fixture, DsqPersistMode mode)
{
  return OPEN_IN (fixture->folder,
                  "persist-mode",
                  mode,
                  "flush-interval",
                  1,
                  "hot-capacity",
                  (guint64) 50);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = make_folder ();
  fixture->store = open_store (fixture, GPOINTER_TO_INT (data));
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_clear_object (&fixture->store);
  remove_folder (fixture->folder);
}

static DsqStore *
get_table (DsqStore *store, const char *name)
{
  g_autoptr (GError) error = NULL;
  DsqStore *table = dsq_store_get_table (store, name, NULL, &error);

  g_assert_no_error (error);
  return table;
}

static gint64
count (DsqStore *store)
{
  g_autoptr (GError) error = NULL;
  gint64 n = dsq_store_count (store, NULL, &error);

  g_assert_no_error (error);
  return n;
}

/* --- one thread ------------------------------------------------------------------------------ */

static void
test_names_and_properties (Fixture *fixture, gconstpointer data)
{
  static const guint8 with_nul[] = { 'a', 0, 'b' };
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) a = get_table (fixture->store, "a");
  g_autoptr (DsqStore) empty = dsq_store_get_table_utf8 (fixture->store, NULL, 0, &error);
  g_autoptr (DsqStore) odd = dsq_store_get_table_utf8 (a, with_nul, sizeof with_nul, &error);
  g_auto (GStrv) names = dsq_store_list_tables (fixture->store, NULL, &error);
  g_autofree char *name = NULL;
  g_autofree char *main_name = NULL;
  g_autofree char *empty_name = NULL;
  g_autofree char *odd_name = NULL;
  g_autofree char *path = NULL;
  DsqPersistMode mode;
  g_autofree guint8 *pack = NULL;
  gsize length;

  g_assert_no_error (error);
  g_object_get (a, "table-name", &name, "persist-mode", &mode, "path", &path, NULL);
  g_object_get (fixture->store, "table-name", &main_name, NULL);
  g_object_get (empty, "table-name", &empty_name, NULL);
  g_object_get (odd, "table-name", &odd_name, NULL);
  g_assert_cmpstr (name, ==, "a");
  g_assert_null (main_name);
  g_assert_null (odd_name);
  g_assert_cmpstr (empty_name, ==, "");
  g_assert_cmpstrv (names, ((const char *const[]){ "a", "", NULL }));
  pack = dsq_store_list_tables_pack (a, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (length, ==, 4 * (1 + 3) + 1 + 0 + 3);
  g_assert_cmpint (mode, ==, GPOINTER_TO_INT (data));
  g_assert_true (g_str_has_prefix (path, fixture->folder));

  g_assert_null (dsq_store_get_table (fixture->store, "\xff", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
}

static void
test_a_handle_ends_alone (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) first = get_table (fixture->store, "t");
  g_autoptr (DsqStore) second = get_table (fixture->store, "t");

  g_assert_true (first != second);
  g_assert_true (dsq_store_set (first, "k", g_variant_new_int64 (1), NULL, &error));
  g_assert_true (dsq_store_close (first, NULL, &error));
  g_assert_true (dsq_store_close (first, NULL, &error));
  g_assert_true (dsq_store_flush (first, NULL, &error));
  g_assert_true (dsq_store_is_closed (first));
  g_assert_false (dsq_store_contains (first, "k", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
  g_clear_error (&error);

  g_assert_false (dsq_store_is_closed (second));
  g_assert_true (dsq_store_contains (second, "k", NULL, &error));
  g_assert_true (dsq_store_close (fixture->store, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (dsq_store_is_closed (second));
  g_assert_false (dsq_store_contains (second, "k", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
}

static gsize
count_next (DsqCursor *cursor)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) page = dsq_cursor_next_many (cursor, 10, NULL, &error);

  g_assert_no_error (error);
  return g_variant_n_children (page);
}

static void
test_a_handle_keeps_the_store (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) table = get_table (fixture->store, "t");
  g_autoptr (DsqCursor) cursor = NULL;

  g_assert_true (dsq_store_set (table, "k", g_variant_new_int64 (1), NULL, &error));
  cursor = dsq_store_walk (table, DSQ_WALK_REVERSE);
  g_clear_object (&fixture->store);
  g_assert_cmpint (count (table), ==, 1);
  g_assert_cmpuint (count_next (cursor), ==, 1);
  g_clear_object (&table);
  g_assert_cmpuint (count_next (cursor), ==, 0);
}

static void
test_dropped (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) table = get_table (fixture->store, "t");
  g_autoptr (DsqStore) again = NULL;

  g_assert_true (dsq_store_set (table, "k", g_variant_new_int64 (1), NULL, &error));
  g_assert_true (dsq_store_drop_table (fixture->store, "t", NULL, &error));
  g_assert_no_error (error);
  g_assert_false (dsq_store_set (table, "k", g_variant_new_int64 (2), NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
  g_clear_error (&error);
  g_assert_false (dsq_store_remove (table, "k", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
  g_clear_error (&error);
  g_assert_false (dsq_store_drop_table (fixture->store, "t", NULL, &error));
  g_assert_no_error (error);
  again = get_table (fixture->store, "t");
  g_assert_cmpint (count (again), ==, 0);
  g_assert_cmpint (dsq_store_count (table, NULL, &error), ==, -1);
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
}

/* --- threads --------------------------------------------------------------------------------- */

typedef struct
{
  DsqStore *store; /* (unowned) */
  guint number;
  guint n_rounds;
} Worker;

/* Every thread writes to the table of all, and makes, fills and drops one of its own. */
static gpointer
worker_thread (gpointer data)
{
  Worker *self = data;
  g_autoptr (DsqStore) common = get_table (self->store, "common");
  g_autofree char *name = g_strdup_printf ("own %u", self->number);

  for (guint round = 0; round < self->n_rounds; round++)
    {
      g_autoptr (DsqStore) own = get_table (self->store, name);
      g_autofree char *key = g_strdup_printf ("%u %u", self->number, round);
      g_autoptr (GError) error = NULL;

      g_assert_true (dsq_store_set (common, key, g_variant_new_int64 (round), NULL, &error));
      for (guint i = 0; i < 20; i++)
        {
          g_autofree char *number = g_strdup_printf ("%u", i);

          g_assert_true (dsq_store_set (own, number, g_variant_new_int64 (round), NULL, &error));
        }
      g_assert_cmpint (count (own), ==, 20);
      if (round % 3 == 0)
        g_assert_true (dsq_store_clear (own, NULL, &error));
      g_assert_cmpint (count (own), ==, round % 3 == 0 ? 0 : 20);
      g_assert_true (dsq_store_drop_table (self->store, name, NULL, &error));
      g_assert_no_error (error);
    }
  return NULL;
}

static void
test_threads (Fixture *fixture, gconstpointer data)
{
  guint n_rounds = g_getenv ("DSQ_SHORT") != NULL ? 3 : 30;
  g_autoptr (DsqStore) common = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) names = NULL;
  Worker workers[N_THREADS];
  GThread *threads[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    {
      workers[i] = (Worker){ fixture->store, i, n_rounds };
      threads[i] = g_thread_new ("worker", worker_thread, &workers[i]);
    }
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);

  common = get_table (fixture->store, "common");
  g_assert_cmpint (count (common), ==, N_THREADS * n_rounds);
  g_assert_cmpint (count (fixture->store), ==, 0);
  names = dsq_store_list_tables (fixture->store, NULL, &error);
  g_assert_cmpstrv (names, ((const char *const[]){ "common", NULL }));
}

/* The same from two stores on one file, each of which learns of the other's tables. */
static void
test_two_stores (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqStore) other = open_store (fixture, GPOINTER_TO_INT (data));
  g_autoptr (DsqStore) common = NULL;
  g_autoptr (GError) error = NULL;
  guint n_rounds = g_getenv ("DSQ_SHORT") != NULL ? 3 : 20;
  Worker workers[] = { { fixture->store, 0, n_rounds }, { other, 1, n_rounds } };
  GThread *threads[G_N_ELEMENTS (workers)];

  for (guint i = 0; i < G_N_ELEMENTS (workers); i++)
    threads[i] = g_thread_new ("worker", worker_thread, &workers[i]);
  for (guint i = 0; i < G_N_ELEMENTS (workers); i++)
    g_thread_join (threads[i]);
  g_assert_true (dsq_store_flush (other, NULL, &error));
  common = get_table (fixture->store, "common");
  g_assert_cmpint (count (common), ==, 2 * n_rounds);
}

/* A thread that drops the table once in each round. */
typedef struct
{
  DsqStore *store;    /* (unowned) */
  guint n_begun;      /* (atomic) rounds that it may begin */
  guint n_done;       /* (atomic) */
  gboolean has_ended; /* (atomic) there are no more */
} Dropper;

static gpointer
drop_again_and_again (gpointer data)
{
  Dropper *self = data;

  for (guint round = 1;; round++)
    {
      while (__atomic_load_n (&self->n_begun, __ATOMIC_ACQUIRE) < round)
        if (__atomic_load_n (&self->has_ended, __ATOMIC_ACQUIRE))
          return NULL;
        else
          g_thread_yield ();
      g_assert_cmpint (dsq_store_drop_table (self->store, "t", NULL, NULL), ==, DSQ_ANSWER_YES);
      __atomic_store_n (&self->n_done, round, __ATOMIC_RELEASE);
    }
}

static gboolean
is_listed (DsqStore *store)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) names = dsq_store_list_tables (store, NULL, &error);

  g_assert_no_error (error);
  return g_strv_contains ((const char *const *) names, "t");
}

/* Who has seen that a table is gone opens a new one, however far the other has come. */
static void
test_what_is_gone_is_made_anew (Fixture *fixture, gconstpointer data)
{
  const gboolean commits = GPOINTER_TO_INT (data) != DSQ_PERSIST_MEMORY;
  const guint n_rounds = g_getenv ("DSQ_SHORT") != NULL ? 30 : commits ? 200 : 3000;
  Dropper dropper = { fixture->store, 0, 0, FALSE };
  GThread *thread = g_thread_new ("dropper", drop_again_and_again, &dropper);

  for (guint round = 1; round <= n_rounds; round++)
    {
      g_object_unref (get_table (fixture->store, "t"));
      __atomic_store_n (&dropper.n_begun, round, __ATOMIC_RELEASE);
      while (is_listed (fixture->store))
        continue;
      g_object_unref (get_table (fixture->store, "t"));
      while (__atomic_load_n (&dropper.n_done, __ATOMIC_ACQUIRE) < round)
        g_thread_yield ();
      g_assert_true (is_listed (fixture->store));
    }
  __atomic_store_n (&dropper.has_ended, TRUE, __ATOMIC_RELEASE);
  g_thread_join (thread);
}

/* --- dropped while they are used -------------------------------------------------------------- */

#define N_USERS 3

typedef struct
{
  DsqStore *store; /* (unowned) */
  guint n_rounds;
  guint n_dropped; /* (atomic) */
} Users;

/* Where it was dropped meanwhile that is all there is to say. */
static void
assert_dropped_at_most (GError *error)
{
  if (error != NULL)
    g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
}

static void
walk_some (DsqStore *table, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  DsqScan *scan = dsq_store_walk_pack (table, FALSE, error);
  gsize length;

  if (scan == NULL)
    return;
  g_free (dsq_scan_next_pack (scan, 2, FALSE, &length, NULL, &local_error));
  assert_dropped_at_most (local_error);
  g_clear_error (&local_error);
  dsq_store_set_string (table, "by who walks", "value", NULL, &local_error);
  assert_dropped_at_most (local_error);
  g_clear_error (&local_error);
  dsq_scan_check (scan, 1, &local_error);
  dsq_scan_unref (scan);
}

static void
transact (DsqStore *table, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_autoptr (DsqTransaction) transaction = dsq_store_begin (table, error);

  if (transaction == NULL)
    return;
  dsq_store_count (DSQ_STORE (transaction), NULL, &local_error);
  assert_dropped_at_most (local_error);
  dsq_transaction_rollback (transaction);
}

static void
use (DsqStore *table, guint number, GError **error)
{
  g_autofree char *key = g_strdup_printf ("key %u", number % 5);
  gint64 result;

  switch (number % 8)
    {
    case 0:
      dsq_store_count (table, NULL, error);
      break;
    case 1:
      g_free (dsq_store_get_string (table, key, NULL, error));
      break;
    case 2:
      dsq_store_remove (table, key, NULL, error);
      break;
    case 3:
      dsq_store_increment (table, "number", 1, 0, &result, NULL, error);
      break;
    case 4:
      walk_some (table, error);
      break;
    case 5:
      g_strfreev (dsq_store_list_keys (table, "key", NULL, 10, NULL, error));
      break;
    case 6:
      transact (table, error);
      break;
    default:
      dsq_store_set_string (table, key, "value", NULL, error);
    }
}

static gpointer
use_again_and_again (gpointer data)
{
  Users *self = data;
  g_autoptr (DsqStore) old = get_table (self->store, "t");

  for (guint i = 0; __atomic_load_n (&self->n_dropped, __ATOMIC_ACQUIRE) < self->n_rounds; i++)
    {
      g_autoptr (DsqStore) table = get_table (self->store, "t");
      g_autoptr (GError) error = NULL;

      use (table, i, &error);
      assert_dropped_at_most (error);
      g_clear_error (&error);
      use (old, i, &error);
      assert_dropped_at_most (error);
      if (i % 16 == 0)
        g_set_object (&old, table);
    }
  return NULL;
}

static void
test_dropped_in_use (Fixture *fixture, gconstpointer data)
{
  const gboolean commits = GPOINTER_TO_INT (data) != DSQ_PERSIST_MEMORY;
  Users users = { fixture->store, g_getenv ("DSQ_SHORT") != NULL ? 30 : commits ? 200 : 1000, 0 };
  GThread *threads[N_USERS];

  for (guint i = 0; i < N_USERS; i++)
    threads[i] = g_thread_new ("user", use_again_and_again, &users);
  while (users.n_dropped < users.n_rounds)
    {
      g_autoptr (GError) error = NULL;

      g_object_unref (get_table (fixture->store, "t"));
      if (dsq_store_drop_table (fixture->store, "t", NULL, &error) == DSQ_ANSWER_YES)
        __atomic_fetch_add (&users.n_dropped, 1, __ATOMIC_RELEASE);
      g_assert_no_error (error);
    }
  for (guint i = 0; i < N_USERS; i++)
    g_thread_join (threads[i]);
}

static void
add (const char *mode_name, DsqPersistMode mode)
{
  static const struct
  {
    const char *name;
    void (*test) (Fixture *fixture, gconstpointer data);
    gboolean needs_file;
  } tests[] = {
    { "names-and-properties", test_names_and_properties, FALSE },
    { "a-handle-ends-alone", test_a_handle_ends_alone, FALSE },
    { "a-handle-keeps-the-store", test_a_handle_keeps_the_store, FALSE },
    { "dropped", test_dropped, FALSE },
    { "threads", test_threads, FALSE },
    { "what-is-gone-is-made-anew", test_what_is_gone_is_made_anew, FALSE },
    { "dropped-in-use", test_dropped_in_use, FALSE },
    { "two-stores", test_two_stores, TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *path = g_strdup_printf ("/dsq/tables/%s/%s", mode_name, tests[i].name);

      if (mode != DSQ_PERSIST_MEMORY || !tests[i].needs_file)
        g_test_add (path, Fixture, GINT_TO_POINTER (mode), set_up, tests[i].test, tear_down);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("memory", DSQ_PERSIST_MEMORY);
  add ("lazy", DSQ_PERSIST_LAZY);
  add ("writethrough", DSQ_PERSIST_WRITETHROUGH);
  return g_test_run ();
}
