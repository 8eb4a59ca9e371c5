/* test-async.c - calls that are not waited for
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dictsqlite.h>
#include <glib/gstdio.h>
#include <string.h>

/* Something to wait for results with. */
typedef struct
{
  char *folder;    /* (owned) */
  char *path;      /* (owned) */
  DsqStore *store; /* (owned) */
  GMainContext *context;
} Fixture;

static void
remove_folder (const char *folder)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      g_assert_cmpint (g_unlink (path), ==, 0);
    }
  g_dir_close (dir);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

static DsqStore *
open_store (Fixture *self, DsqPersistMode mode)
{
  g_autoptr (GError) error = NULL;
  DsqStore *store =
      g_initable_new (DSQ_TYPE_STORE, NULL, &error, "path", self->path, "persist-mode", mode, NULL);

  g_assert_no_error (error);
  return store;
}

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  self->folder = g_dir_make_tmp ("dsq-async-XXXXXX", &error);
  g_assert_no_error (error);
  self->path = g_build_filename (self->folder, "store.db", NULL);
  self->store = open_store (self, GPOINTER_TO_INT (data));
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_clear_object (&self->store);
  remove_folder (self->folder);
  g_free (self->folder);
  g_free (self->path);
}

/* A new connection to the file, with nothing of it in memory. */
static void
reopen (Fixture *self, DsqPersistMode mode)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_close (self->store, NULL, &error));
  g_assert_no_error (error);
  g_clear_object (&self->store);
  self->store = open_store (self, mode);
}

/* --- waiting for a result ----------------------------------------------------------------------
 */

typedef struct
{
  GAsyncResult *result; /* (owned) (nullable) */
  GThread *thread;      /* (unowned) that the callback came in */
} Answer;

static void
answer_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Answer *answer = user_data;

  answer->thread = g_thread_self ();
  answer->result = g_object_ref (result);
}

/* Runs the thread's default context until the answer is there. */
static GAsyncResult *
wait_for (Answer *answer)
{
  GAsyncResult *result;

  while (answer->result == NULL)
    g_main_context_iteration (g_main_context_get_thread_default (), TRUE);
  result = g_steal_pointer (&answer->result);
  g_assert_true (answer->thread == g_thread_self ());
  return result;
}

static void
set_and_wait (DsqStore *store, const char *key, const char *value)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };

  dsq_store_set_string_async (store, key, value, NULL, answer_cb, &answer);
  /* never from inside the call */
  g_assert_null (answer.result);
  result = wait_for (&answer);
  g_assert_true (dsq_store_set_string_finish (store, result, &error));
  g_assert_no_error (error);
}

static char *
get_and_wait (DsqStore *store, const char *key)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };
  char *value;

  dsq_store_get_string_async (store, key, NULL, answer_cb, &answer);
  g_assert_null (answer.result);
  result = wait_for (&answer);
  value = dsq_store_get_string_finish (store, result, &error);
  g_assert_no_error (error);
  return value;
}

static guint
count_workers (void)
{
  g_autoptr (GError) error = NULL;
  GDir *tasks = g_dir_open ("/proc/self/task", 0, &error);
  const char *name;
  guint n_workers = 0;

  g_assert_no_error (error);
  while ((name = g_dir_read_name (tasks)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", name, "comm", NULL);
      g_autofree char *comm = NULL;

      /* threads may be gone meanwhile */
      if (g_file_get_contents (path, &comm, NULL, NULL))
        n_workers += g_str_has_prefix (comm, "dsq-worker");
    }
  g_dir_close (tasks);
  return n_workers;
}

/* A thread that has left is seen for some moments more. */
static void
assert_no_workers_left (void)
{
  for (guint n_tries = 0; count_workers () > 0; n_tries++)
    {
      g_assert_cmpuint (n_tries, <, 5000);
      g_usleep (1000);
    }
}

/* --- one entry -------------------------------------------------------------------------------- */

static void
test_entries (Fixture *self, gconstpointer data)
{
  DsqPersistMode mode = GPOINTER_TO_INT (data);
  g_autofree char *hot = NULL;
  g_autofree char *cold = NULL;
  g_autofree char *missing = NULL;

  set_and_wait (self->store, "key", "value");
  hot = get_and_wait (self->store, "key");
  g_assert_cmpstr (hot, ==, "value");
  /* neither a hit nor a write to memory has needed a thread */
  if (mode == DSQ_PERSIST_WRITETHROUGH)
    g_assert_cmpuint (count_workers (), >, 0);
  else
    g_assert_cmpuint (count_workers (), ==, 0);
  if (mode == DSQ_PERSIST_MEMORY)
    return;

  reopen (self, mode);
  assert_no_workers_left ();
  cold = get_and_wait (self->store, "key");
  g_assert_cmpstr (cold, ==, "value");
  g_assert_cmpuint (count_workers (), ==, 1);
  missing = get_and_wait (self->store, "missing");
  g_assert_null (missing);
}

static gboolean
boolean_of (gboolean (*finish) (DsqStore *, GAsyncResult *, GError **),
            DsqStore *store,
            Answer *answer)
{
  g_autoptr (GAsyncResult) result = wait_for (answer);
  g_autoptr (GError) error = NULL;
  gboolean value = finish (store, result, &error);

  g_assert_no_error (error);
  return value;
}

static GVariant *
variant_of (GVariant *(*finish) (DsqStore *, GAsyncResult *, GError **),
            DsqStore *store,
            Answer *answer)
{
  g_autoptr (GAsyncResult) result = wait_for (answer);
  g_autoptr (GError) error = NULL;
  GVariant *value = finish (store, result, &error);

  g_assert_no_error (error);
  return value;
}

static void
test_every_kind (Fixture *self, gconstpointer data)
{
  DsqPersistMode mode = GPOINTER_TO_INT (data);
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GVariant) stolen = NULL;
  g_autoptr (GVariant) gone = NULL;
  Answer answer = { NULL };

  dsq_store_set_async (self->store, "a", g_variant_new_int64 (7), NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_set_finish, self->store, &answer));
  dsq_store_insert_async (self->store, "a", g_variant_new_int64 (8), NULL, answer_cb, &answer);
  g_assert_false (boolean_of (dsq_store_insert_finish, self->store, &answer));
  dsq_store_insert_async (self->store, "b", g_variant_new_int64 (8), NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_insert_finish, self->store, &answer));
  if (mode != DSQ_PERSIST_MEMORY)
    reopen (self, mode);

  dsq_store_contains_async (self->store, "a", NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_contains_finish, self->store, &answer));
  dsq_store_get_async (self->store, "a", NULL, answer_cb, &answer);
  value = variant_of (dsq_store_get_finish, self->store, &answer);
  g_assert_cmpint (g_variant_get_int64 (value), ==, 7);
  dsq_store_steal_async (self->store, "a", NULL, answer_cb, &answer);
  stolen = variant_of (dsq_store_steal_finish, self->store, &answer);
  g_assert_cmpint (g_variant_get_int64 (stolen), ==, 7);
  dsq_store_steal_async (self->store, "a", NULL, answer_cb, &answer);
  gone = variant_of (dsq_store_steal_finish, self->store, &answer);
  g_assert_null (gone);
  dsq_store_remove_async (self->store, "b", NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_remove_finish, self->store, &answer));
  dsq_store_remove_async (self->store, "b", NULL, answer_cb, &answer);
  g_assert_false (boolean_of (dsq_store_remove_finish, self->store, &answer));
}

/* --- many entries ----------------------------------------------------------------------------- */

static void
test_many (Fixture *self, gconstpointer data)
{
  const char *const keys[] = { "a", "c", "nothing", NULL };
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  g_autoptr (GVariant) found = NULL;
  g_autoptr (GAsyncResult) removal = NULL;
  g_autoptr (GAsyncResult) count = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };

  g_variant_builder_add (&builder, "{sv}", "a", g_variant_new_int64 (1));
  g_variant_builder_add (&builder, "{sv}", "b", g_variant_new_int64 (2));
  g_variant_builder_add (&builder, "{sv}", "c", g_variant_new_int64 (3));
  dsq_store_set_many_async (self->store,
                            g_variant_builder_end (&builder),
                            NULL,
                            answer_cb,
                            &answer);
  g_assert_true (boolean_of (dsq_store_set_many_finish, self->store, &answer));
  dsq_store_get_many_async (self->store, keys, NULL, answer_cb, &answer);
  found = variant_of (dsq_store_get_many_finish, self->store, &answer);
  g_assert_cmpuint (g_variant_n_children (found), ==, 2);

  dsq_store_remove_many_async (self->store, keys, NULL, answer_cb, &answer);
  removal = wait_for (&answer);
  g_assert_cmpint (dsq_store_remove_many_finish (self->store, removal, &error), ==, 2);
  g_assert_no_error (error);
  dsq_store_count_async (self->store, NULL, answer_cb, &answer);
  count = wait_for (&answer);
  g_assert_cmpint (dsq_store_count_finish (self->store, count, &error), ==, 1);
  g_assert_no_error (error);
  dsq_store_flush_async (self->store, NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_flush_finish, self->store, &answer));
  dsq_store_clear_async (self->store, NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_clear_finish, self->store, &answer));
  g_assert_cmpint (dsq_store_count (self->store, NULL, &error), ==, 0);
}

static guint32
n_items (const guint8 *pack)
{
  guint32 n;

  memcpy (&n, pack, sizeof n);
  return n;
}

static void
test_walk (Fixture *self, gconstpointer data)
{
  g_autoptr (GAsyncResult) start = NULL;
  g_autoptr (DsqCursor) cursor = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };
  guint n_walked = 0;
  guint n_batch;

  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);

      g_assert_true (dsq_store_set_int64 (self->store, key, i, NULL, &error));
    }
  dsq_store_walk_async (self->store, DSQ_WALK_FORWARD, NULL, answer_cb, &answer);
  start = wait_for (&answer);
  cursor = dsq_store_walk_finish (self->store, start, &error);
  g_assert_no_error (error);
  do
    {
      g_autoptr (GAsyncResult) result = NULL;
      g_autofree guint8 *pack = NULL;
      gsize length;

      dsq_cursor_next_entries_async (cursor, 30, NULL, answer_cb, &answer);
      result = wait_for (&answer);
      pack = dsq_cursor_next_entries_finish (cursor, result, &length, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (length, >=, 4);
      n_batch = n_items (pack) / 2;
      n_walked += n_batch;
    }
  while (n_batch > 0);
  g_assert_cmpuint (n_walked, ==, 100);
}

static void
test_records (Fixture *self, gconstpointer data)
{
  DsqPersistMode mode = GPOINTER_TO_INT (data);
  const guint8 key[] = { 'a', 0, 'b' };
  const guint8 record[] = { DSQ_VALUE_STRING, 'x' };
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *found = NULL;
  Answer answer = { NULL };
  gsize length;

  dsq_store_set_record_async (self->store,
                              key,
                              sizeof key,
                              record,
                              sizeof record,
                              NULL,
                              answer_cb,
                              &answer);
  g_assert_true (boolean_of (dsq_store_set_record_finish, self->store, &answer));
  if (mode != DSQ_PERSIST_MEMORY)
    reopen (self, mode);
  dsq_store_lookup_record_async (self->store, key, sizeof key, NULL, answer_cb, &answer);
  result = wait_for (&answer);
  found = dsq_store_lookup_record_finish (self->store, result, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (found, length, record, sizeof record);
  dsq_store_contains_key_async (self->store, key, sizeof key, NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_contains_key_finish, self->store, &answer));
  dsq_store_remove_key_async (self->store, key, sizeof key, NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_remove_key_finish, self->store, &answer));
}

/* --- errors and cancellation ------------------------------------------------------------------ */

static void
test_wrong_type (Fixture *self, gconstpointer data)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };

  g_assert_true (dsq_store_set_int64 (self->store, "number", 1, NULL, &error));
  dsq_store_get_string_async (self->store, "number", NULL, answer_cb, &answer);
  result = wait_for (&answer);
  g_assert_null (dsq_store_get_string_finish (self->store, result, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_WRONG_TYPE);
}

static void
test_cancelled_before (Fixture *self, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };

  g_cancellable_cancel (cancellable);
  dsq_store_set_string_async (self->store, "key", "value", cancellable, answer_cb, &answer);
  result = wait_for (&answer);
  g_assert_false (dsq_store_set_string_finish (self->store, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (dsq_store_contains (self->store, "key", NULL, &error));
  g_assert_no_error (error);
}

/* What is done is done: cancelling between the end of a call and its callback changes nothing. */
static void
test_cancelled_after (Fixture *self, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *value = NULL;
  Answer answer = { NULL };

  g_assert_true (dsq_store_set_string (self->store, "key", "value", NULL, &error));
  dsq_store_get_string_async (self->store, "key", cancellable, answer_cb, &answer);
  g_cancellable_cancel (cancellable);
  result = wait_for (&answer);
  value = dsq_store_get_string_finish (self->store, result, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (value, ==, "value");
}

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

static void
add (const char *path, DsqPersistMode mode, void (*test) (Fixture *, gconstpointer))
{
  static const char *const modes[] = { "memory", "lazy", "writethrough" };
  g_autofree char *whole = g_strdup_printf ("/dsq/async/%s/%s", path, modes[mode]);

  g_test_add (whole, Fixture, GINT_TO_POINTER (mode), set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint mode = DSQ_PERSIST_MEMORY; mode <= DSQ_PERSIST_WRITETHROUGH; mode++)
    {
      add ("entries", mode, test_entries);
      add ("every-kind", mode, test_every_kind);
      add ("many", mode, test_many);
      add ("walk", mode, test_walk);
      add ("records", mode, test_records);
      add ("wrong-type", mode, test_wrong_type);
      add ("cancelled-before", mode, test_cancelled_before);
      add ("cancelled-after", mode, test_cancelled_after);
      add ("close-with-calls-pending", mode, test_close_with_calls_pending);
      add ("sync-close-with-calls-pending", mode, test_sync_close_with_calls_pending);
      add ("drop-with-calls-pending", mode, test_drop_with_calls_pending);
      add ("contexts", mode, test_contexts);
    }
  add ("open", DSQ_PERSIST_LAZY, test_open);
  return g_test_run ();
}
