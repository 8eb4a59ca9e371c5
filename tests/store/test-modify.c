/* test-modify.c - what depends on what is there, many changes in one, copies and checks
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "read-number.h"
#include "store-support.h"

#define N_THREADS 8

static guint
n_rounds (void)
{
  return g_getenv ("DSQ_SHORT") != NULL ? 20 : 300;
}

static void
set_up (Fixture *fixture, gconstpointer mode)
{
  fixture->folder = make_folder ();
  fixture->store = open_small_store (fixture->folder, GPOINTER_TO_INT (mode), TRUE);
}

/* --- one key ---------------------------------------------------------------------------------- */

static void
test_increment (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  gint64 value = 0;

  g_assert_true (dsq_store_increment (fixture->store, "n", 5, 10, &value, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (value, ==, 15);
  g_assert_true (dsq_store_increment (fixture->store, "n", -16, 10, &value, NULL, &error));
  g_assert_cmpint (value, ==, -1);

  g_assert_false (dsq_store_increment (fixture->store, "n", G_MININT64, 0, &value, NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_VALUE);
  g_clear_error (&error);
  g_assert_true (read_number (fixture->store, "n", &value, &error));
  g_assert_cmpint (value, ==, -1);

  g_assert_true (dsq_store_set_string (fixture->store, "s", "text", NULL, &error));
  g_assert_false (dsq_store_increment (fixture->store, "s", 1, 0, &value, NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_WRONG_TYPE);
}

static void
test_compare_and_set (Fixture *fixture, gconstpointer mode)
{
  DsqStore *store = fixture->store;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  g_assert_false (
      dsq_store_compare_and_set (store, "a", g_variant_new_string ("x"), NULL, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (
      dsq_store_compare_and_set (store, "a", NULL, g_variant_new_string ("x"), NULL, &error));
  g_assert_false (
      dsq_store_compare_and_set (store, "a", NULL, g_variant_new_string ("y"), NULL, &error));
  g_assert_false (dsq_store_compare_and_set (store,
                                             "a",
                                             g_variant_new_int64 (1),
                                             g_variant_new_string ("y"),
                                             NULL,
                                             &error));
  g_assert_true (dsq_store_compare_and_set (store,
                                            "a",
                                            g_variant_new_string ("x"),
                                            g_variant_new_string ("y"),
                                            NULL,
                                            &error));
  text = dsq_store_get_string (store, "a", NULL, &error);
  g_assert_cmpstr (text, ==, "y");
  g_assert_true (
      dsq_store_compare_and_set (store, "a", g_variant_new_string ("y"), NULL, NULL, &error));
  g_assert_false (dsq_store_contains (store, "a", NULL, &error));
  g_assert_true (dsq_store_compare_and_set (store, "a", NULL, NULL, NULL, &error));
  g_assert_no_error (error);
}

static void
set_record (DsqStore *store, const char *key, const char *record, gsize length)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_set_record (store,
                                       (const guint8 *) key,
                                       strlen (key),
                                       (const guint8 *) record,
                                       length,
                                       &error));
  g_assert_no_error (error);
}

/* What a variant cannot hold is never removed by the call that would have to give it. */
static void
test_steal (Fixture *fixture, gconstpointer mode)
{
  static const char *const unfit[] = { "nul", "pickle" };
  static const char nul[] = "\x03with\0nul";
  static const char pickle[] = "\x80\x05N.";
  g_autoptr (GVariant) stolen = NULL;
  g_autoptr (GError) error = NULL;

  set_record (fixture->store, "nul", nul, sizeof nul - 1);
  set_record (fixture->store, "pickle", pickle, sizeof pickle - 1);
  for (guint i = 0; i < G_N_ELEMENTS (unfit); i++)
    {
      g_assert_null (dsq_store_steal (fixture->store, unfit[i], NULL, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_WRONG_TYPE);
      g_assert_nonnull (strstr (error->message, "which stays"));
      g_clear_error (&error);
      g_assert_true (dsq_store_contains (fixture->store, unfit[i], NULL, &error));
    }

  g_assert_true (dsq_store_set_string (fixture->store, "a", "text", NULL, &error));
  stolen = dsq_store_steal (fixture->store, "a", NULL, &error);
  g_assert_cmpstr (g_variant_get_string (stolen, NULL), ==, "text");
  g_assert_false (dsq_store_contains (fixture->store, "a", NULL, &error));
  g_assert_null (dsq_store_steal (fixture->store, "a", NULL, &error));
  g_assert_no_error (error);
}

/* The newest entry is given as often as it is asked for, until it is removed. */
static void
test_get_last_pack (Fixture *fixture, gconstpointer mode)
{
  DsqStore *store = fixture->store;
  g_autoptr (GError) error = NULL;
  gsize length;

  g_assert_null (dsq_store_get_last_pack (store, &length, &error));
  g_assert_no_error (error);
  for (int i = 10; i < 30; i++)
    {
      g_autofree char *key = g_strdup_printf ("%d", i);

      g_assert_true (dsq_store_set_string (store, key, key, NULL, &error));
    }
  for (int i = 59; i >= 20; i--)
    {
      g_autofree char *key = g_strdup_printf ("%d", i / 2);
      g_autofree char *entry = g_strdup_printf ("%s\x03%s", key, key);
      g_autofree guint8 *pack = dsq_store_get_last_pack (store, &length, &error);

      g_assert_no_error (error);
      g_assert_cmpmem (pack + 3 * sizeof (guint32),
                       length - 3 * sizeof (guint32),
                       entry,
                       strlen (entry));
      if (i % 2 == 0)
        g_assert_true (dsq_store_remove (store, key, NULL, &error));
    }
}

#define HOUR G_GINT64_CONSTANT (3600000)

/* Keys that nobody has read since, of which some have left memory in the modes with a file. */
static void
fill_with_expiring (DsqStore *store)
{
  g_autoptr (GError) error = NULL;

  g_object_set (store, "clock-offset", (gint64) (0), NULL);
  for (guint i = 0; i < 30; i++)
    {
      g_autofree char *key = g_strdup_printf ("k%u", i);

      g_assert_true (
          dsq_store_set_expiring (store, key, g_variant_new_int64 (i), HOUR, NULL, &error));
    }
  g_assert_true (dsq_store_flush (store, NULL, &error));
  g_assert_no_error (error);
}

static void
test_expired_is_missing (Fixture *fixture, gconstpointer mode)
{
  DsqStore *store = fixture->store;
  g_autoptr (GError) error = NULL;
  GVariantBuilder expected, changes;
  gint64 value, left;

  fill_with_expiring (store);
  g_assert_true (dsq_store_increment (store, "k1", 5, 100, &value, NULL, &error));
  g_assert_cmpint (value, ==, 6);
  left = dsq_store_get_expiry (store, "k1", NULL, &error);
  g_assert_cmpint (left, >, HOUR / 2);
  g_assert_cmpint (left, <=, HOUR);
  g_assert_true (dsq_store_compare_and_set (store,
                                            "k2",
                                            g_variant_new_int64 (2),
                                            g_variant_new_int64 (3),
                                            NULL,
                                            &error));
  left = dsq_store_get_expiry (store, "k2", NULL, &error);
  g_assert_cmpint (left, ==, DSQ_NEVER);

  g_object_set (store, "clock-offset", (gint64) (HOUR), NULL);
  g_assert_true (dsq_store_increment (store, "k1", 5, 100, &value, NULL, &error));
  g_assert_cmpint (value, ==, 105);
  g_assert_false (dsq_store_compare_and_set (store,
                                             "k3",
                                             g_variant_new_int64 (3),
                                             g_variant_new_int64 (4),
                                             NULL,
                                             &error));
  g_assert_no_error (error);
  g_assert_cmpint (dsq_store_count (store, NULL, &error), ==, 2);

  /* the batch finds out by itself that what it expects has expired */
  fill_with_expiring (store);
  g_assert_true (dsq_store_increment (store, "kept", 1, 0, &value, NULL, &error));
  g_object_set (store, "clock-offset", (gint64) (HOUR), NULL);
  g_variant_builder_init (&expected, G_VARIANT_TYPE ("a{smv}"));
  g_variant_builder_add (&expected, "{smv}", "k4", g_variant_new_int64 (4));
  g_variant_builder_init (&changes, G_VARIANT_TYPE ("a{smv}"));
  g_variant_builder_add (&changes, "{smv}", "new", g_variant_new_int64 (1));
  g_assert_false (dsq_store_apply (store,
                                   g_variant_builder_end (&expected),
                                   g_variant_builder_end (&changes),
                                   NULL,
                                   &error));
  g_assert_no_error (error);
  g_variant_builder_init (&expected, G_VARIANT_TYPE ("a{smv}"));
  g_variant_builder_add (&expected, "{smv}", "k4", NULL);
  g_variant_builder_add (&expected, "{smv}", "kept", g_variant_new_int64 (1));
  g_variant_builder_init (&changes, G_VARIANT_TYPE ("a{smv}"));
  g_variant_builder_add (&changes, "{smv}", "k5", NULL);
  g_variant_builder_add (&changes, "{smv}", "k6", g_variant_new_int64 (1));
  g_assert_true (dsq_store_apply (store,
                                  g_variant_builder_end (&expected),
                                  g_variant_builder_end (&changes),
                                  NULL,
                                  &error));
  g_assert_no_error (error);
  g_assert_cmpint (dsq_store_count (store, NULL, &error), ==, 2);
}

static gpointer
count_in_thread (gpointer data)
{
  DsqStore *store = data;

  for (guint i = 0; i < n_rounds (); i++)
    {
      g_autofree char *other = g_strdup_printf ("other %u", i % 16);
      g_autoptr (GError) error = NULL;
      gint64 value;

      g_assert_true (dsq_store_increment (store, "n", 1, 0, &value, NULL, &error));
      g_assert_no_error (error);
      /* pushes the counter out of the hot tier now and then */
      g_assert_true (dsq_store_increment (store, other, 1, 0, &value, NULL, &error));
    }
  return NULL;
}

static void
test_threads_count_exactly (Fixture *fixture, gconstpointer mode)
{
  GThread *threads[N_THREADS];
  gint64 value, sum = 0;

  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("count", count_in_thread, fixture->store);
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  g_assert_true (read_number (fixture->store, "n", &value, NULL));
  g_assert_cmpint (value, ==, N_THREADS * n_rounds ());
  for (guint i = 0; i < 16; i++)
    {
      g_autofree char *other = g_strdup_printf ("other %u", i);

      g_assert_true (read_number (fixture->store, other, &value, NULL));
      sum += value;
    }
  g_assert_cmpint (sum, ==, N_THREADS * n_rounds ());
}

/* --- many keys -------------------------------------------------------------------------------- */

static GVariant *
states (const char *text)
{
  return g_variant_new_parsed (text);
}

static void
test_apply (Fixture *fixture, gconstpointer mode)
{
  DsqStore *store = fixture->store;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) found = NULL;
  const char *const keys[] = { "a", "b", "c", NULL };

  g_assert_true (dsq_store_apply (store,
                                  states ("@a{smv} {'c': nothing}"),
                                  states ("@a{smv} {'a': just <1>, 'b': just <'two'>}"),
                                  NULL,
                                  &error));
  g_assert_no_error (error);
  g_assert_false (dsq_store_apply (store,
                                   states ("@a{smv} {'a': just <1>, 'b': just <'three'>}"),
                                   states ("@a{smv} {'a': nothing, 'c': just <3>}"),
                                   NULL,
                                   &error));
  g_assert_no_error (error);
  g_assert_cmpint (dsq_store_count (store, NULL, NULL), ==, 2);
  g_assert_true (dsq_store_apply (store,
                                  states ("@a{smv} {'a': just <1>, 'b': just <'two'>}"),
                                  states ("@a{smv} {'a': nothing, 'c': just <3>, 'd': nothing}"),
                                  NULL,
                                  &error));
  found = dsq_store_get_many (store, keys, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_n_children (found), ==, 2);
  g_assert_false (dsq_store_contains (store, "a", NULL, &error));
  g_assert_cmpint (dsq_store_count (store, NULL, NULL), ==, 2);
}

static gpointer
move_in_thread (gpointer data)
{
  DsqStore *store = data;

  for (guint i = 0; i < n_rounds (); i++)
    {
      g_autofree char *from = g_strdup_printf ("account %u", i % 7);
      g_autofree char *to = g_strdup_printf ("account %u", (i * 3 + 1) % 7);
      gboolean is_done = g_str_equal (from, to);

      while (!is_done)
        {
          GVariantBuilder expected, changes;
          gint64 have, had;

          g_assert_true (read_number (store, from, &have, NULL));
          g_assert_true (read_number (store, to, &had, NULL));
          g_variant_builder_init (&expected, G_VARIANT_TYPE ("a{smv}"));
          g_variant_builder_init (&changes, G_VARIANT_TYPE ("a{smv}"));
          g_variant_builder_add (&expected, "{smv}", from, g_variant_new_int64 (have));
          g_variant_builder_add (&expected, "{smv}", to, g_variant_new_int64 (had));
          g_variant_builder_add (&changes, "{smv}", from, g_variant_new_int64 (have - 1));
          g_variant_builder_add (&changes, "{smv}", to, g_variant_new_int64 (had + 1));
          is_done = dsq_store_apply (store,
                                     g_variant_builder_end (&expected),
                                     g_variant_builder_end (&changes),
                                     NULL,
                                     NULL);
        }
    }
  return NULL;
}

static void
test_threads_move_exactly (Fixture *fixture, gconstpointer mode)
{
  GThread *threads[4];
  gint64 value, sum = 0;

  for (guint i = 0; i < 7; i++)
    {
      g_autofree char *account = g_strdup_printf ("account %u", i);

      g_assert_true (
          dsq_store_set (fixture->store, account, g_variant_new_int64 (100), NULL, NULL));
    }
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("move", move_in_thread, fixture->store);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < 7; i++)
    {
      g_autofree char *account = g_strdup_printf ("account %u", i);

      g_assert_true (read_number (fixture->store, account, &value, NULL));
      sum += value;
    }
  g_assert_cmpint (sum, ==, 700);
}

/* --- upkeep ----------------------------------------------------------------------------------- */

static void
note_progress (guint64 n_done, guint64 n_total, gpointer user_data)
{
  guint *n_calls = user_data;

  g_assert_cmpuint (n_done, <=, n_total);
  (*n_calls)++;
}

static gpointer
write_in_thread (gpointer data)
{
  Fixture *fixture = data;

  for (guint i = 0; i < 2000; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i % 100);

      g_assert_true (dsq_store_set (fixture->store, key, g_variant_new_int64 (i), NULL, NULL));
      if (i % 7 == 0)
        dsq_store_remove (fixture->store, key, NULL, NULL);
    }
  return NULL;
}

static void
list_all (DsqStore *store)
{
  g_autofree guint8 *keys = NULL;
  g_autoptr (GError) error = NULL;
  gsize length;

  keys = dsq_store_list_keys_pack (store,
                                   (const guint8 *) "key ",
                                   4,
                                   NULL,
                                   0,
                                   1000,
                                   TRUE,
                                   &length,
                                   &error);
  g_assert_no_error (error);
  g_assert_nonnull (keys);
}

static void
test_copies_beside_a_writer (Fixture *fixture, gconstpointer mode)
{
  GThread *thread = g_thread_new ("write", write_in_thread, fixture);
  guint n_calls = 0;

  for (guint i = 0; i < 5; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/copy%u.db", fixture->folder, i);
      g_autoptr (GError) error = NULL;
      g_auto (GStrv) problems = NULL;

      list_all (fixture->store);
      problems = dsq_store_check (fixture->store, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (g_strv_length (problems), ==, 0);
      if (GPOINTER_TO_INT (mode) == DSQ_PERSIST_MEMORY)
        {
          g_assert_false (dsq_store_copy (fixture->store,
                                          path,
                                          DSQ_COPY_SAME,
                                          NULL,
                                          NULL,
                                          note_progress,
                                          &n_calls,
                                          &error));
          g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
          continue;
        }
      g_assert_true (dsq_store_copy (fixture->store,
                                     path,
                                     DSQ_COPY_SAME,
                                     NULL,
                                     NULL,
                                     note_progress,
                                     &n_calls,
                                     &error));
      g_assert_no_error (error);
      g_assert_cmpuint (n_calls, >, 0);
      g_assert_false (
          dsq_store_copy (fixture->store, path, DSQ_COPY_SAME, NULL, NULL, NULL, NULL, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_EXISTS);
    }
  g_thread_join (thread);
}

static void
test_cancelled (Fixture *fixture, gconstpointer mode)
{
  g_autofree char *path = g_strdup_printf ("%s/copy.db", fixture->folder);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  gint64 value;

  g_cancellable_cancel (cancellable);
  g_assert_false (
      dsq_store_copy (fixture->store, path, DSQ_COPY_SAME, NULL, cancellable, NULL, NULL, &error));
  if (GPOINTER_TO_INT (mode) != DSQ_PERSIST_MEMORY)
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (dsq_store_increment (fixture->store, "n", 1, 0, &value, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*function) (Fixture *fixture, gconstpointer mode);
  } tests[] = {
    { "increment", test_increment },
    { "compare-and-set", test_compare_and_set },
    { "steal", test_steal },
    { "get-last-pack", test_get_last_pack },
    { "expired-is-missing", test_expired_is_missing },
    { "threads-count-exactly", test_threads_count_exactly },
    { "apply", test_apply },
    { "threads-move-exactly", test_threads_move_exactly },
    { "copies-beside-a-writer", test_copies_beside_a_writer },
    { "cancelled", test_cancelled },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint mode = 0; mode < G_N_ELEMENTS (modes); mode++)
    for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
      {
        g_autofree char *path =
            g_strdup_printf ("/dsq/modify/%s/%s", modes[mode].name, tests[i].name);

        g_test_add (path, Fixture, GINT_TO_POINTER (mode), set_up, tests[i].function, tear_down);
      }
  return g_test_run ();
}
