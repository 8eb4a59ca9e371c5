/* test-async-close.c - opening, closing and dropping a store with calls under way; main contexts
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "async-support.h"

/* --- closing ---------------------------------------------------------------------------------- */

#define N_PENDING 200

typedef struct
{
  guint n_left;
  guint n_done;
} Tally;

static void
tally_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  Tally *tally = user_data;

  tally->n_left--;
  tally->n_done += dsq_store_set_string_finish (DSQ_STORE (source), result, &error);
  g_assert_no_error (error);
}

/* What was begun before a close is done before it, whichever way the store is closed. */
static void
test_close_with_calls_pending (Fixture *self, gconstpointer data)
{
  DsqPersistMode mode = GPOINTER_TO_INT (data);
  Tally tally = { N_PENDING, 0 };
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };

  for (guint i = 0; i < N_PENDING; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);

      dsq_store_set_string_async (self->store, key, "value", NULL, tally_cb, &tally);
    }
  dsq_store_close_async (self->store, NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_close_finish, self->store, &answer));
  while (tally.n_left > 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (tally.n_done, ==, N_PENDING);
  assert_no_workers_left ();

  dsq_store_get_string_async (self->store, "key 1", NULL, answer_cb, &answer);
  result = wait_for (&answer);
  g_assert_null (dsq_store_get_string_finish (self->store, result, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
  g_clear_error (&error);
  dsq_store_close_async (self->store, NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_close_finish, self->store, &answer));
  if (mode == DSQ_PERSIST_MEMORY)
    return;
  g_clear_object (&self->store);
  self->store = open_store (self, mode);
  g_assert_cmpint (dsq_store_count (self->store, NULL, &error), ==, N_PENDING);
}

static void
test_sync_close_with_calls_pending (Fixture *self, gconstpointer data)
{
  Tally tally = { N_PENDING, 0 };
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < N_PENDING; i++)
    dsq_store_set_string_async (self->store, "key", "value", NULL, tally_cb, &tally);
  g_assert_true (dsq_store_close (self->store, NULL, &error));
  g_assert_no_error (error);
  assert_no_workers_left ();
  while (tally.n_left > 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (tally.n_done, ==, N_PENDING);
}

static gpointer
close_thread (gpointer data)
{
  g_assert_true (dsq_store_close (DSQ_STORE (data), NULL, NULL));
  return NULL;
}

/* One waits for the store's threads to end, the other is in one of these. */
static void
test_two_closes_at_once (Fixture *self, gconstpointer data)
{
  for (guint i = 0; i < 50; i++)
    {
      GThread *thread;
      Answer answer = { NULL };

      g_clear_object (&self->store);
      self->store = open_store (self, GPOINTER_TO_INT (data));
      set_and_wait (self->store, "key", "value");
      thread = g_thread_new ("closer", close_thread, self->store);
      g_usleep (i * 20);
      dsq_store_close_async (self->store, NULL, answer_cb, &answer);
      g_assert_true (boolean_of (dsq_store_close_finish, self->store, &answer));
      g_thread_join (thread);
    }
}

/* The last reference may go in any thread, one of the store's own included. */
static void
test_drop_with_calls_pending (Fixture *self, gconstpointer data)
{
  for (guint round = 0; round < 20; round++)
    {
      Tally tally = { 5, 0 };

      for (guint i = 0; i < 5; i++)
        dsq_store_set_string_async (self->store, "key", "value", NULL, tally_cb, &tally);
      g_clear_object (&self->store);
      while (tally.n_left > 0)
        g_main_context_iteration (NULL, TRUE);
      g_assert_cmpuint (tally.n_done, ==, 5);
      self->store = open_store (self, GPOINTER_TO_INT (data));
    }
}

/* --- contexts and opening --------------------------------------------------------------------- */

static gpointer
work_in_own_context (gpointer data)
{
  Fixture *self = data;
  g_autoptr (GMainContext) context = g_main_context_new ();

  g_main_context_push_thread_default (context);
  for (guint i = 0; i < 50; i++)
    {
      g_autofree char *key = g_strdup_printf ("%p %u", (gpointer) g_thread_self (), i);
      g_autofree char *value = NULL;

      /* wait_for() checks the thread that the callback came in */
      set_and_wait (self->store, key, key);
      value = get_and_wait (self->store, key);
      g_assert_cmpstr (value, ==, key);
    }
  g_main_context_pop_thread_default (context);
  return NULL;
}

static void
test_contexts (Fixture *self, gconstpointer data)
{
  GThread *threads[3];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("caller", work_in_own_context, self);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

static void
test_open (Fixture *self, gconstpointer data)
{
  g_autofree char *path = g_build_filename (self->folder, "other.db", NULL);
  g_autofree char *nowhere = g_build_filename (self->folder, "no", "where.db", NULL);
  g_autoptr (GCancellable) cancelled = g_cancellable_new ();
  g_autoptr (GAsyncResult) opened = NULL;
  g_autoptr (GAsyncResult) refused = NULL;
  g_autoptr (GAsyncResult) stopped = NULL;
  g_autoptr (DsqStore) store = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };

  dsq_store_open_async (path, DSQ_PERSIST_LAZY, NULL, answer_cb, &answer);
  opened = wait_for (&answer);
  store = dsq_store_open_finish (opened, &error);
  g_assert_no_error (error);
  set_and_wait (store, "key", "value");

  dsq_store_open_async (nowhere, DSQ_PERSIST_LAZY, NULL, answer_cb, &answer);
  refused = wait_for (&answer);
  g_assert_null (dsq_store_open_finish (refused, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NOT_FOUND);
  g_clear_error (&error);

  g_cancellable_cancel (cancelled);
  dsq_store_open_async (path, DSQ_PERSIST_LAZY, cancelled, answer_cb, &answer);
  stopped = wait_for (&answer);
  g_assert_null (dsq_store_open_finish (stopped, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* A table is a store of its own to these calls; what waits when its object is closed is refused. */
static void
test_tables (Fixture *self, gconstpointer data)
{
  g_autoptr (GAsyncResult) opened = NULL;
  g_autoptr (GAsyncResult) listed = NULL;
  g_autoptr (GAsyncResult) refused = NULL;
  g_autoptr (DsqStore) table = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *value = NULL;
  g_auto (GStrv) names = NULL;
  Answer answer = { NULL };

  dsq_store_get_table_async (self->store, "users", NULL, answer_cb, &answer);
  opened = wait_for (&answer);
  table = dsq_store_get_table_finish (self->store, opened, &error);
  g_assert_no_error (error);
  set_and_wait (table, "key", "of the table");
  set_and_wait (self->store, "key", "of the store");
  value = get_and_wait (table, "key");
  g_assert_cmpstr (value, ==, "of the table");
  dsq_store_list_tables_async (self->store, NULL, answer_cb, &answer);
  listed = wait_for (&answer);
  names = dsq_store_list_tables_finish (self->store, listed, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (names), ==, 1);

  dsq_store_close_async (table, NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_close_finish, table, &answer));
  dsq_store_get_string_async (table, "key", NULL, answer_cb, &answer);
  refused = wait_for (&answer);
  g_assert_null (dsq_store_get_string_finish (table, refused, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
  dsq_store_drop_table_async (self->store, "users", NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_drop_table_finish, self->store, &answer));
  dsq_store_drop_table_async (self->store, "users", NULL, answer_cb, &answer);
  g_assert_false (boolean_of (dsq_store_drop_table_finish, self->store, &answer));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint mode = DSQ_PERSIST_MEMORY; mode <= DSQ_PERSIST_WRITETHROUGH; mode++)
    {
      add ("async-close/close-with-calls-pending", mode, test_close_with_calls_pending);
      add ("async-close/sync-close-with-calls-pending", mode, test_sync_close_with_calls_pending);
      add ("async-close/two-closes-at-once", mode, test_two_closes_at_once);
      add ("async-close/drop-with-calls-pending", mode, test_drop_with_calls_pending);
      add ("async-close/contexts", mode, test_contexts);
      add ("async-close/tables", mode, test_tables);
    }
  add ("async-close/open", DSQ_PERSIST_LAZY, test_open);
  return g_test_run ();
}
