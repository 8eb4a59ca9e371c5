/* test-async-pairs.c - calls that change by what there is, expire, copy and check, without waiting
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "async-support.h"

typedef gboolean (*FinishOut) (DsqStore *, GAsyncResult *, gint64 *, GError **);

static gint64
out_of (FinishOut finish, DsqStore *store, Answer *answer)
{
  g_autoptr (GAsyncResult) result = wait_for (answer);
  g_autoptr (GError) error = NULL;
  gint64 value = -1;

  g_assert_true (finish (store, result, &value, &error));
  g_assert_no_error (error);
  return value;
}

static void
test_increment (Fixture *self, gconstpointer data)
{
  Answer answer = { NULL };

  dsq_store_increment_async (self->store, "n", 2, 40, NULL, answer_cb, &answer);
  g_assert_cmpint (out_of (dsq_store_increment_finish, self->store, &answer), ==, 42);
  dsq_store_increment_async (self->store, "n", -50, 0, NULL, answer_cb, &answer);
  g_assert_cmpint (out_of (dsq_store_increment_finish, self->store, &answer), ==, -8);
}

static void
test_compare_and_set (Fixture *self, gconstpointer data)
{
  GVariant *one = g_variant_new_int64 (1);
  Answer answer = { NULL };

  g_variant_ref_sink (one);
  dsq_store_compare_and_set_async (self->store, "n", one, one, NULL, answer_cb, &answer);
  g_assert_false (boolean_of (dsq_store_compare_and_set_finish, self->store, &answer));
  dsq_store_compare_and_set_async (self->store, "n", NULL, one, NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_compare_and_set_finish, self->store, &answer));
  dsq_store_compare_and_set_async (self->store, "n", one, NULL, NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_compare_and_set_finish, self->store, &answer));
  dsq_store_contains_async (self->store, "n", NULL, answer_cb, &answer);
  g_assert_false (boolean_of (dsq_store_contains_finish, self->store, &answer));
  g_variant_unref (one);
}

static void
assert_expiry (Fixture *self, const char *key, gint64 above, gint64 below)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };
  gint64 left;

  dsq_store_get_expiry_async (self->store, key, NULL, answer_cb, &answer);
  result = wait_for (&answer);
  left = dsq_store_get_expiry_finish (self->store, result, &error);
  g_assert_no_error (error);
  g_assert_cmpint (left, >, above);
  g_assert_cmpint (left, <, below);
}

static void
test_expiry (Fixture *self, gconstpointer data)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };

  dsq_store_set_expiring_async (self->store,
                                "e",
                                g_variant_new_int64 (1),
                                100000,
                                NULL,
                                answer_cb,
                                &answer);
  g_assert_true (boolean_of (dsq_store_set_expiring_finish, self->store, &answer));
  assert_expiry (self, "e", 90000, 100001);
  assert_expiry (self, "none", -1, 1);
  dsq_store_touch_async (self->store, "e", 50000, NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_touch_finish, self->store, &answer));
  dsq_store_touch_async (self->store, "e", DSQ_NEVER, NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_touch_finish, self->store, &answer));
  assert_expiry (self, "e", DSQ_NEVER - 1, DSQ_NEVER + 1);
  dsq_store_touch_async (self->store, "e", 50000, NULL, answer_cb, &answer);
  g_assert_true (boolean_of (dsq_store_touch_finish, self->store, &answer));
  dsq_store_touch_async (self->store, "none", 1, NULL, answer_cb, &answer);
  g_assert_false (boolean_of (dsq_store_touch_finish, self->store, &answer));
  g_object_set (self->store, "clock-offset", (gint64) (60000), NULL);
  dsq_store_expire_async (self->store, NULL, answer_cb, &answer);
  result = wait_for (&answer);
  g_assert_cmpint (dsq_store_expire_finish (self->store, result, &error), ==, 1);
  g_assert_no_error (error);
}

static void
test_apply (Fixture *self, gconstpointer data)
{
  const char *keys[] = { "a", "b", NULL };
  Answer answer = { NULL };

  for (guint i = 0; i < 2; i++)
    {
      GVariantBuilder expected, changes;

      g_variant_builder_init (&expected, G_VARIANT_TYPE ("a{smv}"));
      g_variant_builder_init (&changes, G_VARIANT_TYPE ("a{smv}"));
      g_variant_builder_add (&expected, "{smv}", "a", NULL);
      for (guint j = 0; keys[j] != NULL; j++)
        g_variant_builder_add (&changes, "{smv}", keys[j], g_variant_new_int64 (j));
      dsq_store_apply_async (self->store,
                             g_variant_builder_end (&expected),
                             g_variant_builder_end (&changes),
                             NULL,
                             answer_cb,
                             &answer);
      /* the second finds what the first has set */
      g_assert_cmpint (boolean_of (dsq_store_apply_finish, self->store, &answer), ==, i == 0);
    }
  g_assert_cmpint (dsq_store_count (self->store, NULL, NULL), ==, 2);
}

/* --- copies ----------------------------------------------------------------------------------- */

typedef struct
{
  GThread *thread; /* (unowned) that is to be told */
  guint n_told;
  guint64 n_done;
  gboolean is_freed;
} Progress;

static void
progress_cb (guint64 n_done, guint64 n_total, gpointer user_data)
{
  Progress *self = user_data;

  g_assert_true (g_thread_self () == self->thread);
  g_assert_false (self->is_freed);
  g_assert_cmpuint (n_done, <=, n_total);
  g_assert_cmpuint (n_done, >=, self->n_done);
  self->n_done = n_done;
  self->n_told++;
}

static void
progress_free (gpointer user_data)
{
  Progress *self = user_data;

  g_assert_true (g_thread_self () == self->thread);
  self->is_freed = TRUE;
}

static void
wait_until_freed (const Progress *self)
{
  while (!self->is_freed)
    g_main_context_iteration (NULL, TRUE);
}

static void
fill (DsqStore *store)
{
  for (guint i = 0; i < 2000; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);

      g_assert_true (dsq_store_set_string (store, key, key, NULL, NULL));
    }
}

static void
test_backup (Fixture *self, gconstpointer data)
{
  DsqPersistMode mode = GPOINTER_TO_INT (data);
  g_autofree char *path = g_build_filename (self->folder, "copy.db", NULL);
  Progress progress = { .thread = g_thread_self () };
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };

  fill (self->store);
  dsq_store_copy_async (self->store,
                        path,
                        DSQ_COPY_SAME,
                        NULL,
                        NULL,
                        progress_cb,
                        &progress,
                        progress_free,
                        answer_cb,
                        &answer);
  result = wait_for (&answer);
  if (mode == DSQ_PERSIST_MEMORY)
    {
      g_assert_false (dsq_store_copy_finish (self->store, result, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
    }
  else
    {
      g_assert_true (dsq_store_copy_finish (self->store, result, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (progress.n_told, >, 0);
    }
  g_clear_object (&result);
  wait_until_freed (&progress);
}

static void
test_check (Fixture *self, gconstpointer data)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) problems = NULL;
  Answer answer = { NULL };

  if (GPOINTER_TO_INT (data) == DSQ_PERSIST_MEMORY)
    return;
  fill (self->store);
  dsq_store_check_async (self->store, NULL, answer_cb, &answer);
  result = wait_for (&answer);
  problems = dsq_store_check_finish (self->store, result, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (problems), ==, 0);
}

static void
test_passwords (Fixture *self, gconstpointer data)
{
  g_autofree char *sealed = g_build_filename (self->folder, "sealed.db", NULL);
  g_autoptr (GBytes) password = g_bytes_new_static ("one", 3);
  g_autoptr (GBytes) other = g_bytes_new_static ("two", 3);
  Progress progress = { .thread = g_thread_self () };
  g_autoptr (GAsyncResult) keyless = NULL;
  g_autoptr (GAsyncResult) refused = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };

  if (GPOINTER_TO_INT (data) == DSQ_PERSIST_MEMORY)
    return;
  fill (self->store);
  dsq_store_copy_async (self->store,
                        sealed,
                        DSQ_COPY_ENCRYPTED,
                        password,
                        NULL,
                        progress_cb,
                        &progress,
                        progress_free,
                        answer_cb,
                        &answer);
  g_assert_true (boolean_of (dsq_store_copy_finish, self->store, &answer));
  wait_until_freed (&progress);
  dsq_store_copy_async (self->store,
                        sealed,
                        DSQ_COPY_NEW_KEYS,
                        password,
                        NULL,
                        NULL,
                        NULL,
                        NULL,
                        answer_cb,
                        &answer);
  keyless = wait_for (&answer);
  g_assert_false (dsq_store_copy_finish (self->store, keyless, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NOT_ENCRYPTED);
  g_clear_error (&error);
  dsq_store_change_password_async (self->store, password, other, NULL, answer_cb, &answer);
  refused = wait_for (&answer);
  g_assert_false (dsq_store_change_password_finish (self->store, refused, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NOT_ENCRYPTED);
  g_clear_error (&error);
  dsq_store_rekey_file_async (sealed,
                              password,
                              other,
                              0,
                              NULL,
                              NULL,
                              NULL,
                              NULL,
                              answer_cb,
                              &answer);
  result = wait_for (&answer);
  g_assert_true (dsq_store_rekey_file_finish (result, &error));
  g_assert_no_error (error);
}

/* A password that is forgotten, or passed in vain, is no copy in another form than was meant. */
static void
test_copies_have_the_password_that_is_meant (Fixture *self, gconstpointer data)
{
  g_autofree char *path = g_strdup_printf ("%s/copy.db", self->folder);
  g_autoptr (GBytes) password = g_bytes_new_static ("secret", 6);
  const struct
  {
    DsqCopyForm form;
    GBytes *password;
  } wrong[] = {
    { DSQ_COPY_SAME, password },
    { DSQ_COPY_PLAIN, password },
    { DSQ_COPY_ENCRYPTED, NULL },
    { DSQ_COPY_NEW_KEYS, NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (dsq_store_copy (self->store,
                                      path,
                                      wrong[i].form,
                                      wrong[i].password,
                                      NULL,
                                      NULL,
                                      NULL,
                                      &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
      g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint mode = DSQ_PERSIST_MEMORY; mode <= DSQ_PERSIST_WRITETHROUGH; mode++)
    {
      add ("async-pairs/increment", mode, test_increment);
      add ("async-pairs/compare-and-set", mode, test_compare_and_set);
      add ("async-pairs/expiry", mode, test_expiry);
      add ("async-pairs/apply", mode, test_apply);
      add ("async-pairs/backup", mode, test_backup);
      add ("async-pairs/check", mode, test_check);
      add ("async-pairs/passwords", mode, test_passwords);
      add ("copies-have-the-password-that-is-meant",
           mode,
           test_copies_have_the_password_that_is_meant);
    }
  return g_test_run ();
}
