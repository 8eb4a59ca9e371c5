/* test-slow-reads.c - calls on a file whose every read takes 50 ms
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dictsqlite.h>
#include <glib/gstdio.h>

#include "fault-vfs.h"

#define DELAY_US      50000
#define LONG_DELAY_US 500000 /* more than a busy machine takes to go on with a thread */
#define N_ENTRIES     3000

typedef struct
{
  char *folder;    /* (owned) */
  char *path;      /* (owned) */
  DsqStore *store; /* (owned) opened anew: nothing is in memory */
  char **keys;     /* (owned) */
} Fixture;

static void
fill (DsqStore *store, char **keys)
{
  g_autofree char *text = g_strnfill (1000, 'x');
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < N_ENTRIES; i++)
    g_assert_true (dsq_store_set_string (store, keys[i], text, NULL, &error));
  g_assert_true (dsq_store_close (store, NULL, &error));
  g_assert_no_error (error);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autoptr (DsqStore) store = NULL;
  g_autoptr (GError) error = NULL;

  fault_install ();
  self->folder = g_dir_make_tmp ("dsq-slow-XXXXXX", &error);
  g_assert_no_error (error);
  self->path = g_build_filename (self->folder, "store.db", NULL);
  self->keys = g_new0 (char *, N_ENTRIES + 1);
  for (guint i = 0; i < N_ENTRIES; i++)
    self->keys[i] = g_strdup_printf ("key %u", i);
  store = dsq_store_open (self->path, DSQ_PERSIST_LAZY, NULL, &error);
  g_assert_no_error (error);
  fill (store, self->keys);
  self->store = dsq_store_open (self->path, DSQ_PERSIST_LAZY, NULL, &error);
  g_assert_no_error (error);
  fault_set_delay (FAULT_READ, FAULT_STORE, DELAY_US);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  fault_set_delay (FAULT_READ, FAULT_STORE, 0);
  /* a thread of the store may be on its way to drop the last reference */
  g_assert_true (dsq_store_close (self->store, NULL, NULL));
  g_clear_object (&self->store);
  g_assert_cmpint (g_unlink (self->path), ==, 0);
  g_assert_cmpint (g_rmdir (self->folder), ==, 0);
  g_free (self->folder);
  g_free (self->path);
  g_strfreev (self->keys);
}

static void
answer_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (4 * DELAY_US);
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_a_hit_needs_no_read (Fixture *self, gconstpointer data)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStats) stats = NULL;

  g_assert_true (dsq_store_set (self->store, "hot", g_variant_new_int64 (1), NULL, &error));
  dsq_store_get_async (self->store, "hot", NULL, answer_cb, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  stats = dsq_store_get_stats (self->store);
  g_assert_cmpuint (stats->hot_hits, ==, 1);
  g_assert_cmpuint (stats->cold_hits + stats->cold_misses, ==, 0);
  g_variant_unref (dsq_store_get_finish (self->store, result, &error));
  g_assert_no_error (error);
}

static void
test_the_caller_goes_on (Fixture *self, gconstpointer data)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *value = NULL;
  gint64 started = g_get_monotonic_time ();

  fault_set_delay (FAULT_READ, FAULT_STORE, LONG_DELAY_US);
  dsq_store_get_string_async (self->store, self->keys[7], NULL, answer_cb, &result);
  g_assert_cmpint (g_get_monotonic_time () - started, <, LONG_DELAY_US);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (g_get_monotonic_time () - started, >=, LONG_DELAY_US);
  value = dsq_store_get_string_finish (self->store, result, &error);
  g_assert_no_error (error);
  g_assert_nonnull (value);
}

/* Some hundreds of pages would take half a minute. */
static void
test_cancelled_during_an_async_call (Fixture *self, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GVariant) found = NULL;
  g_autoptr (GError) error = NULL;
  gint64 started = g_get_monotonic_time ();
  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);

  dsq_store_get_many_async (self->store,
                            (const char *const *) self->keys,
                            cancellable,
                            answer_cb,
                            &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (g_get_monotonic_time () - started, <, 60 * DELAY_US);
  found = dsq_store_get_many_finish (self->store, result, &error);
  g_assert_null (found);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
}

static void
test_cancelled_during_a_sync_call (Fixture *self, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GVariant) found = NULL;
  g_autoptr (GError) error = NULL;
  gint64 started = g_get_monotonic_time ();
  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);

  found = dsq_store_get_many (self->store, (const char *const *) self->keys, cancellable, &error);
  g_assert_cmpint (g_get_monotonic_time () - started, <, 60 * DELAY_US);
  g_assert_null (found);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
}

/* One statement, which SQLite itself ends between two rows. */
static void
test_cancelled_during_a_walk (Fixture *self, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (DsqCursor) cursor = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) page = NULL;
  gint64 started;
  GThread *thread;

  cursor = dsq_store_walk (self->store, DSQ_WALK_FORWARD);
  started = g_get_monotonic_time ();
  thread = g_thread_new ("cancel", cancel_soon, cancellable);
  dsq_cursor_next_many_async (cursor, N_ENTRIES, cancellable, answer_cb, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (g_get_monotonic_time () - started, <, 60 * DELAY_US);
  page = dsq_cursor_next_many_finish (cursor, result, &error);
  g_assert_null (page);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
}

/* The reader that was stopped serves the next call. */
static void
test_usable_after_a_cancelled_call (Fixture *self, gconstpointer data)
{
  g_autofree char *value = NULL;
  g_autoptr (GError) error = NULL;

  test_cancelled_during_a_sync_call (self, data);
  fault_set_delay (FAULT_READ, FAULT_STORE, 0);
  value = dsq_store_get_string (self->store, self->keys[N_ENTRIES - 1], NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (value);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, test) g_test_add ("/dsq/slow-reads/" name, Fixture, NULL, set_up, test, tear_down)
  ADD ("a-hit-needs-no-read", test_a_hit_needs_no_read);
  ADD ("the-caller-goes-on", test_the_caller_goes_on);
  ADD ("cancelled-during-an-async-call", test_cancelled_during_an_async_call);
  ADD ("cancelled-during-a-sync-call", test_cancelled_during_a_sync_call);
  ADD ("cancelled-during-a-walk", test_cancelled_during_a_walk);
  ADD ("usable-after-a-cancelled-call", test_usable_after_a_cancelled_call);
  return g_test_run ();
}
