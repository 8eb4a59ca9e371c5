/* test-shared-busy.c - stores on one file in one process that wait for others, each for its time
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sqlite3.h>

#include "folder-support.h"

/* Milliseconds. */
#define SHORT  200
#define LONG   1500
#define MARGIN 900 /* what a call may take beyond that: less than to wait as long as the other */

typedef struct
{
  char *folder;     /* (owned) */
  sqlite3 *other;   /* (owned) another program's, which has SQLite's write lock */
  DsqStore *one[2]; /* (owned) of the shorter time, and of the longer */
} Fixture;

static void
run (Fixture *self, const char *sql)
{
  g_assert_cmpint (sqlite3_exec (self->other, sql, NULL, NULL, NULL), ==, SQLITE_OK);
}

static DsqStore *
open_with (Fixture *self, DsqPersistMode mode, guint busy_timeout)
{
  return OPEN_IN (self->folder,
                  "persist-mode",
                  mode,
                  "background",
                  FALSE,
                  "flush-interval",
                  3600000,
                  "busy-timeout",
                  busy_timeout);
}

/* With @data the first one that is opened waits long. */
static void
set_up (Fixture *self, gconstpointer data)
{
  guint is_long_first = GPOINTER_TO_UINT (data);
  g_autofree char *path = NULL;

  self->folder = make_folder ();
  for (guint i = 0; i < 2; i++)
    {
      guint is_long = i ^ is_long_first;

      self->one[is_long] = open_with (self, DSQ_PERSIST_WRITETHROUGH, is_long ? LONG : SHORT);
    }
  path = g_build_filename (self->folder, "store.db", NULL);
  g_assert_cmpint (sqlite3_open (path, &self->other), ==, SQLITE_OK);
  run (self, "BEGIN IMMEDIATE");
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_assert_cmpint (sqlite3_close (self->other), ==, SQLITE_OK);
  for (guint i = 0; i < 2; i++)
    close_store (self->one[i]);
  remove_folder (self->folder);
}

typedef gboolean (*Call) (DsqStore *store, GError **error);

static gboolean
set (DsqStore *store, GError **error)
{
  return dsq_store_set_string (store, "k", "v", NULL, error);
}

static gboolean
set_in_transaction (DsqStore *store, GError **error)
{
  g_autoptr (DsqTransaction) transaction = dsq_store_begin (store, error);

  return transaction != NULL && set (DSQ_STORE (transaction), error) &&
         dsq_transaction_commit (transaction, NULL, error);
}

static gboolean
make_table (DsqStore *store, GError **error)
{
  g_autoptr (DsqStore) table = dsq_store_get_table (store, "table", NULL, error);

  return table != NULL;
}

static gboolean
flush (DsqStore *store, GError **error)
{
  return dsq_store_flush (store, NULL, error);
}

static void
set_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

/* The same by one of the store's own threads. */
static gboolean
set_async (DsqStore *store, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  dsq_store_set_async (store, "k", g_variant_new_int64 (1), NULL, set_cb, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return dsq_store_set_finish (store, result, error);
}

/* Milliseconds that it waits in vain. */
static gint64
measure (DsqStore *store, Call call)
{
  gint64 began = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;

  g_assert_false (call (store, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_BUSY);
  return (g_get_monotonic_time () - began) / 1000;
}

static void
assert_waits (gint64 waited, gint64 timeout)
{
  g_assert_cmpint (waited, >=, timeout - 50);
  g_assert_cmpint (waited, <, timeout + MARGIN);
}

/* --- one after the other ---------------------------------------------------------------------- */

static void
test_waits_for_its_time (Fixture *self, gconstpointer data)
{
  const Call calls[] = { set, set_in_transaction, make_table, set_async };

  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    for (guint is_long = 0; is_long < 2; is_long++)
      assert_waits (measure (self->one[is_long], calls[i]), is_long ? LONG : SHORT);
  run (self, "ROLLBACK");
}

static void
test_flushes_for_its_time (Fixture *self, gconstpointer data)
{
  DsqStore *lazy[2];
  g_autoptr (GError) error = NULL;

  run (self, "ROLLBACK");
  lazy[0] = open_with (self, DSQ_PERSIST_LAZY, SHORT);
  lazy[1] = open_with (self, DSQ_PERSIST_LAZY, LONG);
  run (self, "BEGIN IMMEDIATE");
  g_assert_true (set (lazy[0], &error));
  g_assert_no_error (error);
  for (guint is_long = 0; is_long < 2; is_long++)
    assert_waits (measure (lazy[is_long], flush), is_long ? LONG : SHORT);
  run (self, "ROLLBACK");
  for (guint i = 0; i < 2; i++)
    close_store (lazy[i]);
}

/* --- behind another --------------------------------------------------------------------------- */

static gpointer
wait_long (gpointer data)
{
  Fixture *self = data;

  assert_waits (measure (self->one[1], set), LONG);
  return NULL;
}

/* Who comes behind one that waits long waits no longer than itself does. */
static void
test_waits_behind_another (Fixture *self, gconstpointer data)
{
  const Call calls[] = { set, set_in_transaction, make_table, set_async };

  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      GThread *thread = g_thread_new (NULL, wait_long, self);

      g_usleep (SHORT * 1000);
      assert_waits (measure (self->one[0], calls[i]), SHORT);
      g_thread_join (thread);
    }
  run (self, "ROLLBACK");
}

static gpointer
let_go (gpointer data)
{
  Fixture *self = data;

  g_usleep (SHORT * 2 * 1000);
  run (self, "ROLLBACK");
  return NULL;
}

/* What is waited for beyond the shorter time comes to the one with the longer. */
static void
test_gets_what_it_waits_for (Fixture *self, gconstpointer data)
{
  GThread *thread = g_thread_new (NULL, let_go, self);
  g_autoptr (GError) error = NULL;

  g_assert_true (set (self->one[1], &error));
  g_assert_no_error (error);
  g_thread_join (thread);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, test)                                                                            \
  g_test_add ("/shared-busy/" path "/short-first", Fixture, NULL, set_up, test, tear_down);        \
  g_test_add ("/shared-busy/" path "/long-first",                                                  \
              Fixture,                                                                             \
              GUINT_TO_POINTER (1),                                                                \
              set_up,                                                                              \
              test,                                                                                \
              tear_down)
  ADD ("waits-for-its-time", test_waits_for_its_time);
  ADD ("flushes-for-its-time", test_flushes_for_its_time);
  ADD ("waits-behind-another", test_waits_behind_another);
  ADD ("gets-what-it-waits-for", test_gets_what_it_waits_for);
  return g_test_run ();
}
