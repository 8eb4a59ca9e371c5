/* test-transaction-end.c - transactions beside others, how they end, and threads
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "transaction-support.h"

#define N_THREADS  4
#define N_ACCOUNTS 6

static guint
n_rounds (void)
{
  return g_getenv ("DSQ_SHORT") != NULL ? 20 : 300;
}

/* --- walks ------------------------------------------------------------------------------------ */

/* Others write while a transaction walks: what was there all the time is met once. */
static void
test_walks_beside_others (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqTransaction) transaction = NULL;
  g_autoptr (DsqCursor) cursor = NULL;
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  gboolean is_file = GPOINTER_TO_INT (mode) != DSQ_PERSIST_MEMORY;
  g_autoptr (DsqStore) other = NULL;
  guint n_steps = 0;
  char *key;

  if (is_file)
    other = open_store (fixture->folder, DSQ_PERSIST_WRITETHROUGH);
  set (fixture->store, "gone", "1");
  for (guint i = 0; i < 2000; i++)
    {
      g_autofree char *name = g_strdup_printf ("old %u", i);

      set (fixture->store, name, "1");
    }
  transaction = begin (fixture->store);
  for (guint i = 0; i < 500; i++)
    {
      g_autofree char *name = g_strdup_printf ("new %u", i);

      set (transaction, name, "1");
    }
  cursor = dsq_store_walk (DSQ_STORE (transaction), DSQ_WALK_FORWARD);
  g_assert_no_error (error);
  while ((key = next_key (cursor, &error)) != NULL)
    {
      if (g_str_has_prefix (key, "old ") || g_str_has_prefix (key, "new "))
        g_assert_true (g_hash_table_add (seen, key));
      else
        g_free (key);
      if (++n_steps % 300 != 0 || n_steps > 2400)
        continue;
      /* new rows in the file, before which the store's own have to move, and a key of both */
      for (guint i = 0; i < 50; i++)
        {
          g_autofree char *name = g_strdup_printf ("other %u %u", n_steps, i);

          set (is_file ? other : fixture->store, name, "1");
        }
      set (fixture->store, "new 7", "other");
      assert_value (fixture->store, "gone", n_steps == 300 ? "1" : NULL);
      remove_key (fixture->store, "gone");
    }
  g_assert_no_error (error);
  g_assert_cmpuint (g_hash_table_size (seen), ==, 2500);
  assert_count (transaction, 2500 + (gint64) MIN (n_steps / 300, 8) * 50);
  g_clear_object (&cursor);
  commit (transaction);
  assert_value (fixture->store, "new 7", "1");
  if (is_file)
    g_assert_true (dsq_store_close (other, NULL, &error));
}

/* --- its end ---------------------------------------------------------------------------------- */

static void
test_store_closed (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (DsqTransaction) transaction = begin (fixture->store);
  g_autoptr (DsqTransaction) part = NULL;

  set (transaction, "a", "1");
  part = begin (transaction);
  set (part, "a", "2");
  g_assert_true (dsq_store_close (fixture->store, NULL, NULL));
  assert_closed (part);
  assert_closed (transaction);
  assert_commit_fails (part, DSQ_ERROR_CLOSED);
  assert_commit_fails (transaction, DSQ_ERROR_CLOSED);
  dsq_transaction_rollback (transaction);
  if (GPOINTER_TO_INT (mode) == DSQ_PERSIST_MEMORY)
    return;
  g_object_unref (fixture->store);
  fixture->store = open_store (fixture->folder, DSQ_PERSIST_LAZY);
  assert_count (fixture->store, 0);
}

/* A transaction keeps what it needs of the store. */
static void
test_store_dropped (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (DsqTransaction) transaction = begin (fixture->store);

  g_object_unref (fixture->store);
  set (transaction, "a", "1");
  assert_value (transaction, "b", NULL);
  commit (transaction);
  g_clear_object (&transaction);
  fixture->store = open_store (fixture->folder, GPOINTER_TO_INT (mode));
  if (GPOINTER_TO_INT (mode) != DSQ_PERSIST_MEMORY)
    assert_value (fixture->store, "a", "1");
}

static void
test_constructed (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (fixture->folder, "other.db", NULL);
  g_autoptr (DsqTransaction) transaction = g_object_new (DSQ_TYPE_TRANSACTION, "path", path, NULL);

  g_assert_false (g_initable_init (G_INITABLE (transaction), NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  assert_closed (transaction);
  assert_commit_fails (transaction, DSQ_ERROR_CLOSED);
  dsq_transaction_rollback (transaction);
}

static void
test_cancelled (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DsqTransaction) transaction = begin (fixture->store);

  set (transaction, "a", "1");
  g_cancellable_cancel (cancellable);
  g_assert_false (dsq_transaction_commit (transaction, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  assert_value (fixture->store, "a", NULL);
  assert_value (transaction, "a", "1");
  commit (transaction);
  assert_value (fixture->store, "a", "1");
}

static void
committed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GAsyncResult **out_result = user_data;

  *out_result = g_object_ref (result);
}

static void
test_async (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;

  set (fixture->store, "a", "1");
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (DsqTransaction) transaction = begin (fixture->store);
      g_autoptr (GAsyncResult) result = NULL;

      assert_value (transaction, "a", "1");
      set (transaction, "b", "1");
      if (i == 1)
        set (fixture->store, "a", "2");
      dsq_transaction_commit_async (transaction, NULL, committed_cb, &result);
      while (result == NULL)
        g_main_context_iteration (NULL, TRUE);
      g_assert_cmpint (dsq_transaction_commit_finish (transaction, result, &error), ==, i == 0);
      if (i == 0)
        g_assert_no_error (error);
      else
        g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CONFLICT);
      assert_closed (transaction);
    }
  assert_value (fixture->store, "b", "1");
}

static void
test_fork (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (DsqTransaction) transaction = begin (fixture->store);
  int status;
  pid_t child;

  set (transaction, "a", "1");
  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    {
      GError *error = NULL;
      gboolean is_right = !dsq_transaction_commit (transaction, NULL, &error) &&
                          g_error_matches (error, DSQ_ERROR, DSQ_ERROR_FORKED);

      g_clear_error (&error);
      is_right = is_right && dsq_store_begin (fixture->store, &error) == NULL &&
                 g_error_matches (error, DSQ_ERROR, DSQ_ERROR_FORKED);
      g_object_unref (transaction);
      /* what is leaked on purpose is not looked for then */
      if (is_right)
        kill (getpid (), SIGKILL);
      _exit (1);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
  commit (transaction);
  assert_value (fixture->store, "a", "1");
}

/* --- threads ---------------------------------------------------------------------------------- */

typedef struct
{
  DsqStore *store;
  guint number;
  guint n_conflicts; /* out */
} Mover;

static gboolean
move (Mover *self, guint round, GError **error)
{
  g_autoptr (DsqTransaction) transaction = dsq_store_begin (self->store, error);
  g_autofree char *from = g_strdup_printf ("%u", (round + self->number) % N_ACCOUNTS);
  g_autofree char *to = g_strdup_printf ("%u", (round * 5 + self->number) % N_ACCOUNTS);
  gint64 value;

  return transaction != NULL &&
         dsq_store_increment (DSQ_STORE (transaction), from, -1, 0, &value, NULL, error) &&
         dsq_store_increment (DSQ_STORE (transaction), to, 1, 0, &value, NULL, error) &&
         dsq_transaction_commit (transaction, NULL, error);
}

static gpointer
mover_thread (gpointer data)
{
  Mover *self = data;
  guint round = 0;

  while (round < n_rounds ())
    {
      g_autoptr (GError) error = NULL;

      if (move (self, round, &error))
        round++;
      else
        g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CONFLICT);
      self->n_conflicts += error != NULL;
    }
  return NULL;
}

static void
test_threads (Fixture *fixture, gconstpointer mode)
{
  Mover movers[N_THREADS];
  GThread *threads[N_THREADS];
  gint64 sum = 0;

  for (guint i = 0; i < N_THREADS; i++)
    {
      movers[i] = (Mover){ fixture->store, i, 0 };
      threads[i] = g_thread_new ("mover", mover_thread, &movers[i]);
    }
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < N_ACCOUNTS; i++)
    {
      g_autofree char *key = g_strdup_printf ("%u", i);
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = dsq_store_get (fixture->store, key, NULL, &error);

      g_assert_no_error (error);
      sum += value != NULL ? g_variant_get_int64 (value) : 0;
    }
  g_assert_cmpint (sum, ==, 0);
}

/* One transaction of many threads. */
static gpointer
writer_thread (gpointer data)
{
  Mover *self = data;

  for (guint i = 0; i < n_rounds (); i++)
    {
      g_autofree char *key = g_strdup_printf ("%u %u", self->number, i);

      set (self->store, key, "1");
      assert_value (self->store, key, "1");
      assert_value (self->store, "shared", "1");
      if (i % 50 == 0)
        g_assert_cmpint (dsq_store_count (self->store, NULL, NULL), >, i);
    }
  return NULL;
}

static void
test_threads_in_one (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (DsqTransaction) transaction = begin (fixture->store);
  Mover writers[N_THREADS];
  GThread *threads[N_THREADS];

  set (fixture->store, "shared", "1");
  for (guint i = 0; i < N_THREADS; i++)
    {
      writers[i] = (Mover){ DSQ_STORE (transaction), i, 0 };
      threads[i] = g_thread_new ("writer", writer_thread, &writers[i]);
    }
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  commit (transaction);
  assert_count (fixture->store, 1 + (gint64) N_THREADS * n_rounds ());
}

/* What a walk of a transaction still holds is not the store's to count on. */
static void
test_entries_held (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqTransaction) transaction = begin (fixture->store);
  g_autoptr (DsqCursor) cursor = NULL;
  char *key;

  for (guint i = 0; i < 50; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);

      set (transaction, name, name);
    }
  cursor = dsq_store_walk (DSQ_STORE (transaction), DSQ_WALK_FORWARD);
  key = next_key (cursor, &error);
  g_assert_cmpstr (key, ==, "0");
  g_free (key);
  commit (transaction);
  while ((key = next_key (cursor, &error)) != NULL)
    g_free (key);
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
  g_clear_object (&cursor);
  assert_value (fixture->store, "49", "49");
  assert_count (fixture->store, 50);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("transaction-end/walks-beside-others", test_walks_beside_others);
  ADD ("transaction-end/store-closed", test_store_closed);
  ADD ("transaction-end/store-dropped", test_store_dropped);
  ADD ("transaction-end/constructed", test_constructed);
  ADD ("transaction-end/cancelled", test_cancelled);
  ADD ("transaction-end/async", test_async);
  ADD ("transaction-end/fork", test_fork);
  ADD ("transaction-end/threads", test_threads);
  ADD ("transaction-end/threads-in-one", test_threads_in_one);
  ADD ("transaction-end/entries-held", test_entries_held);
  return g_test_run ();
}
