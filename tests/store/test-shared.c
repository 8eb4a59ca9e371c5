/* test-shared.c - several stores on one file in one process
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <unistd.h>

#include "folder-support.h"

typedef struct
{
  char *folder; /* (owned) */
  char *path;   /* (owned) */
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->folder = make_folder ();
  self->path = g_build_filename (self->folder, "store.db", NULL);
}

/* Nothing is left beside it when the last one is closed. */
static void
tear_down (Fixture *self, gconstpointer data)
{
  g_autoptr (GDir) dir = NULL;

  g_assert_cmpint (g_remove (self->path), ==, 0);
  dir = g_dir_open (self->folder, 0, NULL);
  g_assert_null (g_dir_read_name (dir));
  g_clear_pointer (&dir, g_dir_close);
  g_free (self->path);
  remove_folder (self->folder);
}

static DsqStore *
open_as (Fixture *self, DsqPersistMode mode, gboolean read_only, GError **error)
{
  return g_initable_new (DSQ_TYPE_STORE,
                         NULL,
                         error,
                         "path",
                         self->path,
                         "persist-mode",
                         mode,
                         "read-only",
                         read_only,
                         "flush-interval",
                         20,
                         NULL);
}

static DsqStore *
open_store (Fixture *self, DsqPersistMode mode)
{
  g_autoptr (GError) error = NULL;
  DsqStore *store = open_as (self, mode, FALSE, &error);

  g_assert_no_error (error);
  return store;
}

static void
add (DsqStore *store, const char *key, gint64 n)
{
  g_autoptr (GError) error = NULL;
  gint64 sum;

  g_assert_true (dsq_store_increment (store, key, n, 0, &sum, NULL, &error));
  g_assert_no_error (error);
}

static gint64
get (DsqStore *store, const char *key)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = dsq_store_get (store, key, NULL, &error);

  g_assert_no_error (error);
  return value != NULL ? g_variant_get_int64 (value) : 0;
}

/* --- closing ---------------------------------------------------------------------------------- */

static void
count_cb (guint *n_changes)
{
  ++*n_changes;
}

static void
assert_closed (DsqStore *store)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_is_closed (store));
  g_assert_null (dsq_store_get (store, "k", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
  /* these do nothing then */
  g_assert_true (dsq_store_flush (store, NULL, NULL));
  g_assert_true (dsq_store_close (store, NULL, NULL));
}

static void
test_closes_one (Fixture *self, gconstpointer data)
{
  DsqStore *one = open_store (self, DSQ_PERSIST_LAZY);
  DsqStore *other = open_store (self, DSQ_PERSIST_LAZY);
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) table = dsq_store_get_table (one, "table", NULL, &error);
  g_autoptr (DsqTransaction) transaction = dsq_store_begin (one, &error);
  g_autoptr (DsqStore) others = dsq_store_get_table (other, "table", NULL, &error);

  g_assert_no_error (error);
  add (table, "k", 1);
  add (DSQ_STORE (transaction), "lost", 1);
  g_assert_true (dsq_store_close (one, NULL, &error));
  assert_closed (one);
  assert_closed (table);
  g_assert_false (dsq_transaction_commit (transaction, NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
  g_assert_cmpint (get (other, "lost"), ==, 0);
  add (others, "k", 1);
  g_assert_cmpint (get (others, "k"), ==, 2);
  g_object_unref (one);
  close_store (other);
  assert_closed (others);
}

/* What is dropped leaves what it wrote with the others, and the last that is dropped flushes it. */
static void
test_drops_one (Fixture *self, gconstpointer data)
{
  DsqStore *one = open_store (self, DSQ_PERSIST_LAZY);
  DsqStore *other = open_store (self, DSQ_PERSIST_WRITETHROUGH);

  add (one, "k", 1);
  g_object_unref (one);
  g_assert_cmpint (get (other, "k"), ==, 1);
  one = open_store (self, DSQ_PERSIST_LAZY);
  g_object_unref (other);
  add (one, "k", 1);
  g_object_unref (one);
  one = open_store (self, DSQ_PERSIST_LAZY);
  g_assert_cmpint (get (one, "k"), ==, 2);
  close_store (one);
}

/* A watch ends with the store that it is of, and others' go on. */
static void
test_ends_its_watches (Fixture *self, gconstpointer data)
{
  DsqStore *stores[2];
  g_autoptr (GError) error = NULL;
  DsqWatch *watches[2];
  guint n_changes[2] = { 0 };

  for (guint i = 0; i < 2; i++)
    {
      stores[i] = open_store (self, DSQ_PERSIST_LAZY);
      watches[i] = dsq_store_watch (stores[i], "", &error);
      g_assert_no_error (error);
      g_signal_connect_swapped (watches[i], "changed", G_CALLBACK (count_cb), &n_changes[i]);
    }
  close_store (stores[0]);
  add (stores[1], "k", 1);
  while (n_changes[1] == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (n_changes[0], ==, 0);
  /* one that is watched is open until nobody watches it */
  g_object_unref (stores[1]);
  g_object_unref (watches[0]);
  stores[0] = open_store (self, DSQ_PERSIST_LAZY);
  add (stores[0], "k", 1);
  while (n_changes[1] == 1)
    g_main_context_iteration (NULL, TRUE);
  g_object_unref (watches[1]);
  close_store (stores[0]);
}

/* A close waits for what was given to the store's threads before, and refuses what comes then. */
static void
set_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_set_finish (DSQ_STORE (source), result, &error));
  g_assert_no_error (error);
  ++*(guint *) user_data;
}

static void
test_waits_for_jobs (Fixture *self, gconstpointer data)
{
  DsqStore *one = open_store (self, DSQ_PERSIST_WRITETHROUGH);
  DsqStore *other = open_store (self, DSQ_PERSIST_LAZY);
  g_autoptr (GError) error = NULL;
  guint n_done = 0;

  for (gint64 i = 0; i < 50; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %" G_GINT64_FORMAT, i);

      dsq_store_set_async (one, key, g_variant_new_int64 (i), NULL, set_cb, &n_done);
    }
  g_assert_true (dsq_store_close (one, NULL, &error));
  while (n_done < 50)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (dsq_store_count (other, NULL, &error), ==, 50);
  g_object_unref (one);
  close_store (other);
}

/* --- modes ------------------------------------------------------------------------------------ */

static void
test_reads_only (Fixture *self, gconstpointer data)
{
  DsqStore *writer = open_store (self, DSQ_PERSIST_LAZY);
  g_autoptr (GError) error = NULL;
  DsqStore *reader = open_as (self, DSQ_PERSIST_LAZY, TRUE, &error);

  add (writer, "k", 1);
  g_assert_cmpint (get (reader, "k"), ==, 1);
  g_assert_false (dsq_store_set_string (reader, "k", "", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_READ_ONLY);
  g_clear_error (&error);
  g_assert_cmpint (dsq_store_remove (reader, "k", NULL, &error), ==, DSQ_ANSWER_NO);
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_READ_ONLY);
  g_clear_error (&error);
  g_assert_null (dsq_store_get_table (reader, "table", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_READ_ONLY);
  g_clear_error (&error);
  g_object_unref (dsq_store_get_table (writer, "table", NULL, &error));
  g_object_unref (dsq_store_get_table (reader, "table", NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (dsq_store_drop_table (reader, "table", NULL, &error), ==, DSQ_ANSWER_NO);
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_READ_ONLY);
  close_store (writer);
  g_assert_cmpint (get (reader, "k"), ==, 1);
  close_store (reader);
}

/* What was opened to be read before anybody wrote is of the same store from then on, with its
 * tables; what has begun before ends in what was there. */
static void
test_reads_first (Fixture *self, gconstpointer data)
{
  DsqStore *writer = open_store (self, DSQ_PERSIST_LAZY);
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqTransaction) transaction = NULL;
  g_autoptr (DsqStore) table = NULL;
  g_autoptr (DsqStore) gone = NULL;
  g_autoptr (DsqStore) written = NULL;
  DsqStore *readers[2];

  g_object_unref (dsq_store_get_table (writer, "table", NULL, &error));
  g_object_unref (dsq_store_get_table (writer, "gone", NULL, &error));
  add (writer, "k", 1);
  close_store (writer);
  for (guint i = 0; i < G_N_ELEMENTS (readers); i++)
    readers[i] = open_as (self, DSQ_PERSIST_LAZY, TRUE, &error);
  g_assert_no_error (error);
  table = dsq_store_get_table (readers[0], "table", NULL, &error);
  gone = dsq_store_get_table (readers[0], "gone", NULL, &error);
  transaction = dsq_store_begin (readers[1], &error);
  g_assert_cmpint (get (DSQ_STORE (transaction), "k"), ==, 1);

  writer = open_store (self, DSQ_PERSIST_LAZY);
  written = dsq_store_get_table (writer, "table", NULL, &error);
  add (writer, "k", 1);
  add (written, "k", 5);
  for (guint i = 0; i < G_N_ELEMENTS (readers); i++)
    g_assert_cmpint (get (readers[i], "k"), ==, 2);
  g_assert_cmpint (get (table, "k"), ==, 5);
  g_assert_cmpint (get (DSQ_STORE (transaction), "k"), ==, 1);
  g_assert_cmpint (dsq_store_drop_table (writer, "gone", NULL, &error), ==, DSQ_ANSWER_YES);
  g_assert_null (dsq_store_get (gone, "k", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
  g_clear_error (&error);
  g_assert_false (dsq_store_set_string (readers[0], "k", "", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_READ_ONLY);
  g_clear_error (&error);

  g_object_unref (readers[0]);
  close_store (writer);
  g_assert_cmpint (get (table, "k"), ==, 5);
  g_assert_cmpint (get (readers[1], "k"), ==, 2);
  g_assert_true (dsq_store_close (readers[1], NULL, &error));
  assert_closed (readers[1]);
  g_object_unref (readers[1]);
}

/* A table that was dropped before the writer came stays so, and one of its name is another. */
static void
test_reads_first_what_is_dropped (Fixture *self, gconstpointer data)
{
  DsqStore *writer = open_store (self, DSQ_PERSIST_LAZY);
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) table = NULL;
  g_autoptr (DsqStore) anew = NULL;
  DsqStore *reader, *apart;

  g_object_unref (dsq_store_get_table (writer, "table", NULL, &error));
  close_store (writer);
  reader = open_as (self, DSQ_PERSIST_LAZY, TRUE, &error);
  table = dsq_store_get_table (reader, "table", NULL, &error);
  apart = g_initable_new (DSQ_TYPE_STORE, NULL, &error, "path", self->path, "separate", TRUE, NULL);
  g_assert_cmpint (dsq_store_drop_table (apart, "table", NULL, &error), ==, DSQ_ANSWER_YES);
  g_object_unref (dsq_store_get_table (apart, "table", NULL, &error));
  g_assert_no_error (error);
  close_store (apart);
  writer = open_store (self, DSQ_PERSIST_LAZY);
  g_assert_null (dsq_store_get (table, "k", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
  g_clear_error (&error);
  anew = dsq_store_get_table (reader, "table", NULL, &error);
  g_assert_cmpint (get (anew, "k"), ==, 0);
  close_store (reader);
  close_store (writer);
}

/* --- sizes ------------------------------------------------------------------------------------ */

#define VALUE_BYTES (256 << 10)

static DsqStore *
open_with_limit (Fixture *self, guint64 wal_limit, gboolean read_only)
{
  g_autoptr (GError) error = NULL;
  DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                    NULL,
                                    &error,
                                    "path",
                                    self->path,
                                    "persist-mode",
                                    DSQ_PERSIST_WRITETHROUGH,
                                    "background",
                                    FALSE,
                                    "wal-limit",
                                    wal_limit,
                                    "read-only",
                                    read_only,
                                    NULL);

  g_assert_no_error (error);
  return store;
}

/* How often the log is brought into the file while that much is written. */
static guint64
count_checkpoints (DsqStore *store, guint64 n_bytes)
{
  g_autofree char *value = g_strnfill (VALUE_BYTES, 'v');
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStats) before = dsq_store_get_stats (store);
  g_autoptr (DsqStats) after = NULL;

  for (guint64 n = 0; n < n_bytes; n += VALUE_BYTES)
    {
      /* SQLite writes no page that stays as it is */
      memset (value, value[0] == 'v' ? 'w' : 'v', VALUE_BYTES);
      g_assert_true (dsq_store_set_string (store, "k", value, NULL, &error));
    }
  after = dsq_store_get_stats (store);
  g_assert_no_error (error);
  return after->checkpoints - before->checkpoints;
}

/* Who only reads has nothing in it. */
static void
test_has_the_larger_log (Fixture *self, gconstpointer data)
{
  DsqStore *one = open_with_limit (self, 1 << 20, FALSE);
  DsqStore *reader = open_with_limit (self, 16 << 20, TRUE);
  DsqStore *other;

  g_assert_cmpuint (count_checkpoints (one, 4 << 20), >=, 4);
  assert_log_bounded (one);
  close_store (reader);
  other = open_with_limit (self, 16 << 20, FALSE);
  g_assert_cmpuint (count_checkpoints (one, 8 << 20), ==, 0);
  g_assert_cmpuint (count_checkpoints (other, 8 << 20), ==, 1);
  close_store (other);
  /* it stays so until all are closed */
  g_assert_cmpuint (count_checkpoints (one, 8 << 20), <=, 1);
  g_object_unref (one);
}

/* --- the file --------------------------------------------------------------------------------- */

static void
assert_refused (Fixture *self, int code)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (open_as (self, DSQ_PERSIST_LAZY, FALSE, &error));
  g_assert_error (error, DSQ_ERROR, code);
}

static void
test_refuses_another_file (Fixture *self, gconstpointer data)
{
  DsqStore *old = open_store (self, DSQ_PERSIST_LAZY);
  g_autofree char *moved = g_strconcat (self->path, ".moved", NULL);

  g_assert_cmpint (g_rename (self->path, moved), ==, 0);
  assert_refused (self, DSQ_ERROR_BUSY);
  g_assert_false (g_file_test (self->path, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_set_contents (self->path, "", 0, NULL));
  assert_refused (self, DSQ_ERROR_BUSY);
  g_assert_cmpint (g_rename (moved, self->path), ==, 0);
  close_store (open_store (self, DSQ_PERSIST_LAZY));
  close_store (old);
}

static void
test_refuses_hard_links (Fixture *self, gconstpointer data)
{
  g_autofree char *path = g_strdup (self->path);
  g_autofree char *other = g_strconcat (self->path, ".link", NULL);
  DsqStore *store = open_store (self, DSQ_PERSIST_LAZY);

  g_assert_cmpint (link (path, other), ==, 0);
  assert_refused (self, DSQ_ERROR_NOT_REGULAR);
  g_free (g_steal_pointer (&self->path));
  self->path = g_strdup (other);
  assert_refused (self, DSQ_ERROR_NOT_REGULAR);
  g_assert_cmpint (g_remove (other), ==, 0);
  g_free (self->path);
  self->path = g_steal_pointer (&path);
  close_store (store);
}

/* --- threads ---------------------------------------------------------------------------------- */

#define N_THREADS 5
#define N_READERS 2
#define N_OPENS   30
#define N_ADDED   20

typedef struct
{
  Fixture *fixture;
  guint number;
} Worker;

/* Opens, counts and closes, in turn by one mode and the other. */
static gpointer
work (gpointer data)
{
  Worker *self = data;

  for (guint i = 0; i < N_OPENS; i++)
    {
      DsqPersistMode mode = (i + self->number) % 2 ? DSQ_PERSIST_LAZY : DSQ_PERSIST_WRITETHROUGH;
      DsqStore *store = open_store (self->fixture, mode);
      g_autofree char *own = g_strdup_printf ("own %u", self->number);

      for (guint n = 0; n < N_ADDED; n++)
        {
          add (store, "all", 1);
          add (store, own, 1);
          g_assert_cmpint (get (store, own), ==, (gint64) (i * N_ADDED + n + 1));
        }
      if (i % 3 == 0)
        g_object_unref (store);
      else
        close_store (store);
    }
  return NULL;
}

/* The same, of what was written; with a table, which is there from the beginning. */
static gpointer
look (gpointer data)
{
  Worker *self = data;
  gint64 last = 0;

  for (guint i = 0; i < N_OPENS; i++)
    {
      g_autoptr (GError) error = NULL;
      DsqStore *store = open_as (self->fixture, DSQ_PERSIST_LAZY, TRUE, &error);
      g_autoptr (DsqStore) table = NULL;

      g_assert_no_error (error);
      table = dsq_store_get_table (store, "table", NULL, &error);
      g_assert_no_error (error);
      for (guint n = 0; n < N_ADDED; n++)
        {
          gint64 all = get (store, "all");

          g_assert_cmpint (all, >=, last);
          g_assert_cmpint (get (table, "k"), ==, 7);
          last = all;
        }
      if (i % 3 == 0)
        g_object_unref (store);
      else
        close_store (store);
    }
  return NULL;
}

static void
make_table (Fixture *self)
{
  g_autoptr (GError) error = NULL;
  DsqStore *store = open_store (self, DSQ_PERSIST_LAZY);
  g_autoptr (DsqStore) table = dsq_store_get_table (store, "table", NULL, &error);

  g_assert_no_error (error);
  add (table, "k", 7);
  close_store (store);
}

static void
test_opens_and_closes (Fixture *self, gconstpointer data)
{
  GThread *threads[N_THREADS + N_READERS];
  Worker workers[G_N_ELEMENTS (threads)];
  DsqStore *store;

  make_table (self);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      workers[i] = (Worker){ self, i };
      threads[i] = g_thread_new (NULL, i < N_THREADS ? work : look, &workers[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  store = open_store (self, DSQ_PERSIST_LAZY);
  g_assert_cmpint (get (store, "all"), ==, N_THREADS * N_OPENS * N_ADDED);
  close_store (store);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, test) g_test_add ("/shared/" path, Fixture, NULL, set_up, test, tear_down)
  ADD ("closes-one", test_closes_one);
  ADD ("drops-one", test_drops_one);
  ADD ("ends-its-watches", test_ends_its_watches);
  ADD ("waits-for-jobs", test_waits_for_jobs);
  ADD ("reads-only", test_reads_only);
  ADD ("reads-first", test_reads_first);
  ADD ("reads-first-what-is-dropped", test_reads_first_what_is_dropped);
  ADD ("has-the-larger-log", test_has_the_larger_log);
  ADD ("refuses-another-file", test_refuses_another_file);
  ADD ("refuses-hard-links", test_refuses_hard_links);
  ADD ("opens-and-closes", test_opens_and_closes);
  return g_test_run ();
}
