/* test-shared-ends.c - stores on one file that are refused, or end while another process is at it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sqlite3.h>
#include <string.h>

#include "folder-support.h"

typedef struct
{
  char *folder;   /* (owned) */
  char *path;     /* (owned) */
  sqlite3 *other; /* (owned) another program's */
} Fixture;

static DsqStore *
try_open (Fixture *self, DsqPersistMode mode, const char *more, gboolean value, GError **error)
{
  return g_initable_new (DSQ_TYPE_STORE,
                         NULL,
                         error,
                         "path",
                         self->path,
                         "persist-mode",
                         mode,
                         "background",
                         FALSE,
                         "flush-interval",
                         3600000,
                         "busy-timeout",
                         20u,
                         more,
                         value,
                         NULL);
}

static DsqStore *
open_as (Fixture *self, DsqPersistMode mode, gboolean read_only)
{
  g_autoptr (GError) error = NULL;
  DsqStore *store = try_open (self, mode, "read-only", read_only, &error);

  g_assert_no_error (error);
  return store;
}

static DsqStore *
open_writer (Fixture *self)
{
  return open_as (self, DSQ_PERSIST_LAZY, FALSE);
}

static DsqStore *
open_reader (Fixture *self)
{
  return open_as (self, DSQ_PERSIST_LAZY, TRUE);
}

static void
set (DsqStore *store, const char *value)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_set_string (store, "k", value, NULL, &error));
  g_assert_no_error (error);
}

static void
assert_holds (DsqStore *store, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *value = dsq_store_get_string (store, "k", NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (value, ==, expected);
}

static DsqStore *
get_table (DsqStore *store)
{
  g_autoptr (GError) error = NULL;
  DsqStore *table = dsq_store_get_table (store, "table", NULL, &error);

  g_assert_no_error (error);
  return table;
}

/* A file with a key, and a table with the same. */
static void
set_up (Fixture *self, gconstpointer data)
{
  g_autoptr (DsqStore) table = NULL;
  DsqStore *store;

  self->folder = make_folder ();
  self->path = g_build_filename (self->folder, "store.db", NULL);
  store = open_writer (self);
  table = get_table (store);
  set (store, "old");
  set (table, "old");
  close_store (store);
  g_assert_cmpint (sqlite3_open (self->path, &self->other), ==, SQLITE_OK);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_assert_cmpint (sqlite3_close (self->other), ==, SQLITE_OK);
  remove_folder (self->folder);
  g_free (self->path);
}

static void
run (Fixture *self, const char *sql)
{
  g_assert_cmpint (sqlite3_exec (self->other, sql, NULL, NULL, NULL), ==, SQLITE_OK);
}

static void
assert_refused (gboolean success, GError **error, DsqError code)
{
  g_assert_false (success);
  g_assert_error (*error, DSQ_ERROR, (int) code);
  g_clear_error (error);
}

/* --- another process has the file locked ------------------------------------------------------ */

/* Who comes to write takes the readers over, with their tables: when that cannot be, nobody is
 * anywhere else than before. */
static void
test_readers_stay (Fixture *self, gconstpointer data)
{
  DsqStore *readers[] = { open_reader (self), open_reader (self) };
  g_autoptr (DsqStore) table = get_table (readers[0]);
  g_autoptr (GError) error = NULL;
  DsqStore *writer;

  run (self, "BEGIN IMMEDIATE");
  assert_refused (try_open (self, DSQ_PERSIST_LAZY, "read-only", FALSE, &error) != NULL,
                  &error,
                  DSQ_ERROR_BUSY);
  for (guint i = 0; i < 2; i++)
    assert_holds (readers[i], "old");
  assert_holds (table, "old");
  run (self, "ROLLBACK");
  writer = open_writer (self);
  set (writer, "new");
  for (guint i = 0; i < 2; i++)
    {
      assert_holds (readers[i], "new");
      close_store (readers[i]);
    }
  close_store (writer);
}

/* One that cannot flush is open as before, and what it wrote is not lost. */
static void
test_closes_later (Fixture *self, gconstpointer data)
{
  DsqStore *stores[] = { open_writer (self), open_writer (self) };
  g_autoptr (GError) error = NULL;

  set (stores[0], "new");
  run (self, "BEGIN IMMEDIATE");
  assert_refused (dsq_store_close (stores[0], NULL, &error), &error, DSQ_ERROR_BUSY);
  g_assert_false (dsq_store_is_closed (stores[0]));
  assert_holds (stores[0], "new");
  run (self, "ROLLBACK");
  close_store (stores[0]);
  assert_holds (stores[1], "new");
  close_store (stores[1]);
}

/* The last one has what others left to be written, be it one that only reads. */
static void
test_reader_closes_last (Fixture *self, gconstpointer data)
{
  DsqStore *reader = open_reader (self);
  DsqStore *writer = open_writer (self);
  g_autoptr (GError) error = NULL;

  set (writer, "new");
  g_object_unref (writer);
  run (self, "BEGIN IMMEDIATE");
  assert_refused (dsq_store_close (reader, NULL, &error), &error, DSQ_ERROR_BUSY);
  run (self, "ROLLBACK");
  close_store (reader);
  reader = open_reader (self);
  assert_holds (reader, "new");
  close_store (reader);
}

/* --- tables that are gone --------------------------------------------------------------------- */

static void
count_cb (guint *n_changes)
{
  ++*n_changes;
}

/* What was dropped, whether its reader has met that or not, is gone for him as well when he is
 * taken over; and he is told of what else changes, as others are. */
static void
test_dropped_before (Fixture *self, gconstpointer has_met)
{
  DsqStore *readers[] = { open_reader (self), open_reader (self) };
  g_autoptr (DsqStore) table = get_table (readers[0]);
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqWatch) of_table = dsq_store_watch (table, "", &error);
  DsqWatch *watches[2];
  guint n_changes[2] = { 0 };
  DsqStore *apart, *writer;

  for (guint i = 0; i < 2; i++)
    {
      watches[i] = dsq_store_watch (readers[i], "", &error);
      g_assert_no_error (error);
      g_signal_connect_swapped (watches[i], "changed", G_CALLBACK (count_cb), &n_changes[i]);
    }
  apart = try_open (self, DSQ_PERSIST_LAZY, "separate", TRUE, &error);
  g_assert_no_error (error);
  g_assert_cmpint (dsq_store_drop_table (apart, "table", NULL, &error), ==, DSQ_ANSWER_YES);
  close_store (apart);
  if (has_met != NULL)
    {
      g_assert_null (dsq_store_get_string (table, "k", NULL, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
      g_clear_error (&error);
    }
  writer = open_writer (self);
  g_assert_null (dsq_store_get_string (table, "k", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
  g_clear_error (&error);
  g_assert_null (dsq_store_get_table (readers[0], "table", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_READ_ONLY);
  n_changes[0] = n_changes[1] = 0;
  set (writer, "new");
  while (n_changes[0] == 0 || n_changes[1] == 0)
    g_main_context_iteration (NULL, TRUE);
  for (guint i = 0; i < 2; i++)
    {
      g_object_unref (watches[i]);
      close_store (readers[i]);
    }
  close_store (writer);
}

/* The same where nobody watches, and so nobody has been told. */
static void
test_dropped_unseen (Fixture *self, gconstpointer data)
{
  DsqStore *reader = open_reader (self);
  g_autoptr (DsqStore) table = get_table (reader);
  g_autoptr (GError) error = NULL;
  DsqStore *apart = try_open (self, DSQ_PERSIST_LAZY, "separate", TRUE, &error);
  DsqStore *writer;

  g_assert_no_error (error);
  g_assert_cmpint (dsq_store_drop_table (apart, "table", NULL, &error), ==, DSQ_ANSWER_YES);
  close_store (apart);
  writer = open_writer (self);
  g_assert_null (dsq_store_get_string (table, "k", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
  set (writer, "new");
  assert_holds (reader, "new");
  close_store (reader);
  close_store (writer);
}

/* --- what is refused -------------------------------------------------------------------------- */

/* One alone is refused where it would come between those that are there, and where there is no
 * place for it. */
static void
test_alone (Fixture *self, gconstpointer data)
{
  DsqStore *writer = open_writer (self);
  g_autofree char *moved = g_strconcat (self->path, ".moved", NULL);
  g_autoptr (GError) error = NULL;
  char *path = self->path;

  close_store (try_open (self, DSQ_PERSIST_LAZY, "separate", TRUE, &error));
  g_assert_cmpint (g_rename (self->path, moved), ==, 0);
  assert_refused (try_open (self, DSQ_PERSIST_LAZY, "separate", TRUE, &error) != NULL,
                  &error,
                  DSQ_ERROR_BUSY);
  g_assert_cmpint (g_rename (moved, self->path), ==, 0);
  self->path = g_build_filename (path, "no folder", "store.db", NULL);
  g_assert_null (try_open (self, DSQ_PERSIST_LAZY, "separate", TRUE, &error));
  g_assert_nonnull (error);
  g_free (self->path);
  self->path = path;
  close_store (writer);
}

static void
test_closed_reader (Fixture *self, gconstpointer data)
{
  DsqStore *reader = open_reader (self);
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_close (reader, NULL, &error));
  assert_refused (dsq_store_get_table (reader, "table", NULL, &error) != NULL,
                  &error,
                  DSQ_ERROR_CLOSED);
  assert_refused (dsq_store_watch (reader, "", &error) != NULL, &error, DSQ_ERROR_CLOSED);
  g_object_unref (reader);
}

typedef struct
{
  DsqStore *store; /* (unowned) */
  guint n_refused;
} Closer;

static void
close_cb (guint64 n_done, guint64 n_total, gpointer user_data)
{
  Closer *self = user_data;
  g_autoptr (GError) error = NULL;

  assert_refused (dsq_store_close (self->store, NULL, &error), &error, DSQ_ERROR_FAILED);
  self->n_refused++;
}

/* What a call has called cannot close its store, be that one's own or whose it has become. */
static void
test_closes_within_a_call (Fixture *self, gconstpointer data)
{
  g_autofree char *copy = g_strconcat (self->path, ".copy", NULL);
  DsqStore *reader = open_reader (self);
  Closer closer = { reader, 0 };
  g_autoptr (GError) error = NULL;
  DsqStore *writer = NULL;

  for (guint i = 0; i < 2; i++)
    {
      closer.n_refused = 0;
      g_assert_true (
          dsq_store_copy (reader, copy, DSQ_COPY_SAME, NULL, NULL, close_cb, &closer, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (closer.n_refused, >, 0);
      g_assert_cmpint (g_remove (copy), ==, 0);
      if (i == 0)
        writer = open_writer (self);
    }
  close_store (reader);
  close_store (writer);
}

typedef struct
{
  Fixture *fixture; /* (unowned) */
  DsqStore *store;  /* (unowned) */
  guint n_asked;
} Asked;

static gboolean
close_and_let_go (gpointer user_data)
{
  Asked *self = user_data;
  g_autoptr (GError) error = NULL;

  assert_refused (dsq_store_close (self->store, NULL, &error), &error, DSQ_ERROR_FAILED);
  if (self->n_asked++ == 0)
    run (self->fixture, "ROLLBACK");
  return FALSE;
}

static void
set_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(gboolean *) user_data = dsq_store_set_string_finish (DSQ_STORE (source), result, NULL);
}

/* Nor can what a close has asked while it waits for what is under way. */
static void
test_closes_within_a_close (Fixture *self, gconstpointer data)
{
  DsqStore *store = OPEN_IN (self->folder, "persist-mode", DSQ_PERSIST_WRITETHROUGH);
  Asked asked = { self, store, 0 };
  g_autoptr (GError) error = NULL;
  gboolean is_set = FALSE;

  run (self, "BEGIN IMMEDIATE");
  dsq_store_set_string_async (store, "k", "new", NULL, set_cb, &is_set);
  dsq_set_wait_func (close_and_let_go, &asked, NULL);
  g_assert_true (dsq_store_close (store, NULL, &error));
  g_assert_no_error (error);
  dsq_set_wait_func (NULL, NULL, NULL);
  g_assert_cmpuint (asked.n_asked, >, 0);
  while (!is_set)
    g_main_context_iteration (NULL, TRUE);
  g_object_unref (store);
}

static void
test_keys_of_a_server (Fixture *self, gconstpointer data)
{
  g_autoptr (GBytes) password = g_bytes_new_static ("p", 1);
  g_autoptr (GError) error = NULL;

  assert_refused (dsq_store_rekey_file ("postgresql://nowhere/store",
                                        password,
                                        password,
                                        0,
                                        NULL,
                                        NULL,
                                        NULL,
                                        &error),
                  &error,
                  DSQ_ERROR_NOT_SUPPORTED);
}

/* --- a cache ---------------------------------------------------------------------------------- */

static DsqStore *
open_cache (Fixture *self, guint64 max_bytes)
{
  return OPEN_IN (self->folder, "max-bytes", max_bytes, "background", FALSE);
}

/* One that means to keep all has nothing dropped, whoever came first; and an entry is to leave room
 * for what else there is. */
static void
test_keeps_all (Fixture *self, gconstpointer data)
{
  g_autofree char *value = g_strnfill (300000, 'v');
  g_autofree char *large = g_strnfill (1000000, 'v');
  g_autoptr (GError) error = NULL;

  for (guint keeps_first = 0; keeps_first < 2; keeps_first++)
    {
      DsqStore *first = open_cache (self, keeps_first ? 0 : 1 << 20);
      DsqStore *second;

      if (!keeps_first)
        assert_refused (dsq_store_set_string (first, "large", large, NULL, &error),
                        &error,
                        DSQ_ERROR_INVALID_VALUE);
      second = open_cache (self, keeps_first ? 1 << 20 : 0);
      for (guint i = 0; i < 5; i++)
        {
          g_autofree char *key = g_strdup_printf ("%u", i);

          g_assert_true (dsq_store_set_string (second, key, value, NULL, &error));
          g_assert_no_error (error);
        }
      g_assert_true (dsq_store_flush (second, NULL, &error));
      g_assert_cmpint (dsq_store_count (first, NULL, &error), ==, 6);
      close_store (first);
      close_store (second);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, data, test)                                                                      \
  g_test_add ("/shared-ends/" path, Fixture, data, set_up, test, tear_down)
  ADD ("readers-stay", NULL, test_readers_stay);
  ADD ("closes-later", NULL, test_closes_later);
  ADD ("reader-closes-last", NULL, test_reader_closes_last);
  ADD ("dropped-before/unknown", NULL, test_dropped_before);
  ADD ("dropped-before/known", "", test_dropped_before);
  ADD ("dropped-unseen", NULL, test_dropped_unseen);
  ADD ("alone", NULL, test_alone);
  ADD ("closed-reader", NULL, test_closed_reader);
  ADD ("closes-within-a-call", NULL, test_closes_within_a_call);
  ADD ("closes-within-a-close", NULL, test_closes_within_a_close);
  ADD ("keys-of-a-server", NULL, test_keys_of_a_server);
  ADD ("keeps-all", NULL, test_keeps_all);
  return g_test_run ();
}
