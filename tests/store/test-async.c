/* test-async.c - calls that are not waited for
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "async-support.h"

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
  dsq_store_compare_and_set_async (self->store,
                                   "a",
                                   NULL,
                                   g_variant_new_int64 (8),
                                   NULL,
                                   answer_cb,
                                   &answer);
  g_assert_false (boolean_of (dsq_store_compare_and_set_finish, self->store, &answer));
  dsq_store_compare_and_set_async (self->store,
                                   "b",
                                   NULL,
                                   g_variant_new_int64 (8),
                                   NULL,
                                   answer_cb,
                                   &answer);
  g_assert_true (boolean_of (dsq_store_compare_and_set_finish, self->store, &answer));
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

  dsq_store_count_async (self->store, NULL, answer_cb, &answer);
  count = wait_for (&answer);
  g_assert_cmpint (dsq_store_count_finish (self->store, count, &error), ==, 3);
  g_assert_no_error (error);
  dsq_store_flush_async (self->store, NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_flush_finish, self->store, &answer));
  dsq_store_clear_async (self->store, NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_clear_finish, self->store, &answer));
  g_assert_cmpint (dsq_store_count (self->store, NULL, &error), ==, 0);
}

static void
test_walk (Fixture *self, gconstpointer data)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (DsqCursor) cursor = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };
  guint n_walked = 0;
  guint n_batch;

  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);

      g_assert_true (dsq_store_set (self->store, key, g_variant_new_int64 (i), NULL, &error));
    }
  cursor = dsq_store_walk (self->store, DSQ_WALK_FORWARD);
  do
    {
      g_autoptr (GVariant) page = NULL;

      dsq_cursor_next_many_async (cursor, 30, NULL, answer_cb, &answer);
      result = wait_for (&answer);
      page = dsq_cursor_next_many_finish (cursor, result, &error);
      g_assert_no_error (error);
      g_clear_object (&result);
      n_batch = g_variant_n_children (page);
      g_assert_cmpuint (n_batch, <=, 30);
      n_walked += n_batch;
    }
  while (n_batch > 0);
  g_assert_cmpuint (n_walked, ==, 100);
}

/* --- errors and cancellation ------------------------------------------------------------------ */

static void
test_wrong_type (Fixture *self, gconstpointer data)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };

  g_assert_true (dsq_store_set (self->store, "number", g_variant_new_int64 (1), NULL, &error));
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

/* An answer that nobody takes is freed with its call; nor need what an answer gives be wanted. */
static void
test_not_taken (Fixture *self, gconstpointer data)
{
  g_autoptr (GAsyncResult) incremented = NULL;
  g_autoptr (GAsyncResult) refused = NULL;
  g_autoptr (GAsyncResult) cleared = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };

  g_assert_true (dsq_store_set_string (self->store, "key", "value", NULL, &error));
  for (guint i = 0; i < 10; i++)
    {
      dsq_store_list_keys_async (self->store, "", NULL, 10, NULL, answer_cb, &answer);
      g_object_unref (wait_for (&answer));
      dsq_store_get_string_async (self->store, "key", NULL, answer_cb, &answer);
      g_object_unref (wait_for (&answer));
    }
  dsq_store_increment_async (self->store, "n", 2, 0, NULL, answer_cb, &answer);
  incremented = wait_for (&answer);
  g_assert_true (dsq_store_increment_finish (self->store, incremented, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (dsq_store_close (self->store, NULL, &error));
  dsq_store_count_async (self->store, NULL, answer_cb, &answer);
  refused = wait_for (&answer);
  g_assert_cmpint (dsq_store_count_finish (self->store, refused, &error), ==, -1);
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
  g_clear_error (&error);
  dsq_store_clear_async (self->store, NULL, answer_cb, &answer);
  cleared = wait_for (&answer);
  g_assert_false (dsq_store_clear_finish (self->store, cleared, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint mode = DSQ_PERSIST_MEMORY; mode <= DSQ_PERSIST_WRITETHROUGH; mode++)
    {
      add ("async/entries", mode, test_entries);
      add ("async/every-kind", mode, test_every_kind);
      add ("async/many", mode, test_many);
      add ("async/walk", mode, test_walk);
      add ("async/wrong-type", mode, test_wrong_type);
      add ("async/cancelled-before", mode, test_cancelled_before);
      add ("async/cancelled-after", mode, test_cancelled_after);
      add ("async/not-taken", mode, test_not_taken);
    }
  return g_test_run ();
}
