/* test-messages.c - an error names its file and its key, and what is wrong with what was passed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dictsqlite.h>

#include "async-support.h"

static void
assert_says (GError **error, int code, const char *message)
{
  g_assert_error (*error, DSQ_ERROR, code);
  g_test_message ("%s", (*error)->message);
  g_assert_nonnull (strstr ((*error)->message, message));
  g_clear_error (error);
}

static DsqStore *
open_with (const char *path, const char *password, GError **error)
{
  return g_initable_new (DSQ_TYPE_STORE, NULL, error, "path", path, "password", password, NULL);
}

static void
test_file (Fixture *self, gconstpointer data)
{
  g_autofree char *path = g_build_filename (self->folder, "missing", "store.db", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) never = g_object_new (DSQ_TYPE_STORE, "path", path, NULL);
  g_autoptr (GFile) file = NULL;
  g_autofree char *of_file = NULL;
  g_autofree char *start = g_strdup_printf ("%s: Failed to open the store: ", path);

  g_assert_null (dsq_store_open (path, DSQ_PERSIST_LAZY, NULL, &error));
  g_assert_true (g_str_has_prefix (error->message, start));
  assert_says (&error, DSQ_ERROR_NOT_FOUND, "No such file");
  g_assert_cmpint (dsq_store_count (never, NULL, &error), ==, -1);
  assert_says (&error, DSQ_ERROR_CLOSED, "was never opened");

  g_object_get (never, "file", &file, NULL);
  of_file = g_file_get_path (file);
  g_assert_cmpstr (of_file, ==, path);
}

static void
test_key (Fixture *self, gconstpointer data)
{
  g_autofree char *sealed_path = g_build_filename (self->folder, "sealed.db", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) sealed = open_with (sealed_path, "correct", &error);
  g_autofree char *long_key = g_strnfill (5000, 'k');
  gint64 sum;

  g_assert_no_error (error);
  for (int i = 0; i < 2; i++)
    {
      DsqStore *to = i == 0 ? self->store : sealed;
      g_autoptr (DsqTransaction) transaction = dsq_store_begin (to, &error);

      g_assert_true (dsq_store_set (to, "visits", g_variant_new_int64 (1), NULL, &error));
      g_assert_true (dsq_store_set (to, long_key, g_variant_new_int64 (1), NULL, &error));
      g_assert_true (dsq_store_set_string (to, "name", "Alice", NULL, &error));
      g_assert_null (dsq_store_get_string (to, "visits", NULL, &error));
      g_assert_true (g_str_has_prefix (error->message, i == 0 ? "'visits': " : "Failed"));
      assert_says (&error, DSQ_ERROR_WRONG_TYPE, "it is an int64");
      g_assert_null (dsq_store_get_string (DSQ_STORE (transaction), "visits", NULL, &error));
      g_assert_true (g_str_has_prefix (error->message, i == 0 ? "'visits': " : "Failed"));
      g_clear_error (&error);
      g_assert_false (dsq_store_increment (to, "name", 1, 0, &sum, NULL, &error));
      g_assert_true (g_str_has_prefix (error->message, i == 0 ? "'name': " : "Failed"));
      assert_says (&error, DSQ_ERROR_WRONG_TYPE, "it is a string");
      g_assert_null (dsq_store_get_string (to, long_key, NULL, &error));
      g_assert_cmpuint (strlen (error->message), <, 200);
      g_clear_error (&error);
    }
  g_assert_false (dsq_store_set_string (self->store, "\xff", "value", NULL, &error));
  assert_says (&error, DSQ_ERROR_INVALID_KEY, "it is not UTF-8");
}

static void
test_password (Fixture *self, gconstpointer data)
{
  g_autofree char *path = g_build_filename (self->folder, "sealed.db", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = open_with (path, "correct", &error);
  g_autoptr (GBytes) wrong = g_bytes_new_static ("wrong", 5);

  g_assert_no_error (error);
  g_assert_false (dsq_store_change_password (store, wrong, wrong, NULL, &error));
  assert_says (&error, DSQ_ERROR_WRONG_PASSWORD, "Failed to change the password");
}

/* A critical in place of an error, and a callback that never comes: bindings check no types. */
static void
test_types (Fixture *self, gconstpointer data)
{
  DsqStore *store = self->store;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };
  g_autoptr (GAsyncResult) result = NULL;
  GVariant *none = g_variant_ref_sink (g_variant_new ("a{smv}", NULL));

  g_assert_false (dsq_store_set_many (store, g_variant_new ("as", NULL), NULL, &error));
  assert_says (&error, DSQ_ERROR_INVALID_ARGUMENT, "of type 'as', not 'a{sv}'");
  dsq_store_set_many_async (store, g_variant_new ("as", NULL), NULL, answer_cb, &answer);
  result = wait_for (&answer);
  g_assert_false (dsq_store_set_many_finish (store, result, &error));
  assert_says (&error, DSQ_ERROR_INVALID_ARGUMENT, "of type 'as', not 'a{sv}'");
  g_assert_false (dsq_store_apply (store, NULL, g_variant_new ("a{sv}", NULL), NULL, &error));
  assert_says (&error, DSQ_ERROR_INVALID_ARGUMENT, "of type 'a{sv}', not 'a{smv}'");
  g_assert_false (dsq_store_apply (store, g_variant_new ("s", "x"), none, NULL, &error));
  assert_says (&error, DSQ_ERROR_INVALID_ARGUMENT, "of type 's', not 'a{smv}'");
  g_variant_unref (none);
}

static void
test_stats (void)
{
  dsq_stats_free (NULL);
}

#define ADD(path, test)                                                                            \
  g_test_add (path, Fixture, GINT_TO_POINTER (DSQ_PERSIST_LAZY), set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/dsq/messages/name-the-file", test_file);
  ADD ("/dsq/messages/name-the-key-unless-it-is-secret", test_key);
  ADD ("/dsq/messages/a-wrong-old-password", test_password);
  ADD ("/dsq/messages/variants-of-another-type", test_types);
  g_test_add_func ("/dsq/messages/no-snapshot-is-freed", test_stats);
  return g_test_run ();
}
