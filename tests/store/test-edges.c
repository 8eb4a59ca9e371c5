/* test-edges.c - what calls answer at the edge of what they take
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/resource.h>

#include "store-support.h"

#define HOUR G_GINT64_CONSTANT (3600000)
#define DEEP 200

static const guint8 no_record[] = { DSQ_VALUE_BOOLEAN, 7 };

static void
set_up (Fixture *self, gconstpointer mode)
{
  self->folder = make_folder ();
  self->store = open_small_store (self->folder, GPOINTER_TO_INT (mode), FALSE);
}

static void
assert_count (DsqStore *store, gint64 expected)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (dsq_store_count (store, NULL, &error), ==, expected);
  g_assert_no_error (error);
}

/* --- values that are none --------------------------------------------------------------------- */

static void
assert_invalid (GError **error, gboolean success)
{
  g_assert_false (success);
  g_assert_error (*error, DSQ_ERROR, DSQ_ERROR_INVALID_VALUE);
  g_clear_error (error);
}

static GVariant *
make_deep (void)
{
  GVariant *value = g_variant_new_int64 (1);

  for (guint i = 0; i < DEEP; i++)
    value = g_variant_new_variant (value);
  return value;
}

static void
test_values_that_are_none (Fixture *self, gconstpointer mode)
{
  /* a key, and what is no record */
  static const guint8 pack[] = { 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 'k', DSQ_VALUE_BOOLEAN, 7 };
  const guint8 *key = (const guint8 *) "k";
  DsqStore *store = self->store;
  g_autoptr (GVariant) deep = g_variant_ref_sink (make_deep ());
  g_autoptr (GError) e = NULL;
  GVariantBuilder changes;

  assert_invalid (&e, dsq_store_set_pack (store, pack, sizeof pack, &e));
  assert_invalid (&e, dsq_store_apply_pack (store, NULL, 0, pack, sizeof pack, FALSE, NULL, 0, &e));
  assert_invalid (&e, dsq_store_apply_pack (store, pack, sizeof pack, NULL, 0, FALSE, NULL, 0, &e));
  assert_invalid (&e,
                  dsq_store_compare_and_set_record (store,
                                                    key,
                                                    1,
                                                    NULL,
                                                    0,
                                                    no_record,
                                                    sizeof no_record,
                                                    FALSE,
                                                    &e));
  assert_invalid (&e, dsq_store_set (store, "k", deep, NULL, &e));
  assert_invalid (&e, dsq_store_compare_and_set (store, "k", NULL, deep, NULL, &e));
  assert_invalid (&e, dsq_store_compare_and_set (store, "k", deep, NULL, NULL, &e));
  g_variant_builder_init (&changes, G_VARIANT_TYPE ("a{smv}"));
  g_variant_builder_add (&changes, "{s@mv}", "k", g_variant_new_maybe (NULL, deep));
  assert_invalid (&e, dsq_store_apply (store, NULL, g_variant_builder_end (&changes), NULL, &e));
  assert_count (store, 0);
}

/* Whoever does not ask why is not told. */
static void
test_without_an_error (Fixture *self, gconstpointer mode)
{
  gint64 sum;

  g_assert_true (dsq_store_set (self->store, "n", g_variant_new_int64 (1), NULL, NULL));
  g_assert_true (dsq_store_set_string (self->store, "s", "1", NULL, NULL));
  g_assert_null (dsq_store_get_string (self->store, "n", NULL, NULL));
  g_assert_false (dsq_store_increment (self->store, "s", 1, 0, &sum, NULL, NULL));
}

/* --- texts ------------------------------------------------------------------------------------ */

/* One that is no string, or holds NUL, is none; from memory, and from the file. */
static void
test_texts_that_are_none (Fixture *self, gconstpointer mode)
{
  static const guint8 with_nul[] = { DSQ_VALUE_STRING, 'a', 0, 'b' };
  const guint8 *key = (const guint8 *) "nul";
  g_autoptr (GError) error = NULL;
  guint table = 0;

  g_assert_true (dsq_store_set_record (self->store, key, 3, with_nul, sizeof with_nul, &error));
  g_assert_true (dsq_store_set (self->store, "number", g_variant_new_int64 (1), NULL, &error));
  g_assert_true (dsq_store_set_string (self->store, "text", "value", NULL, &error));
  for (guint i = 0; i < 20; i++)
    {
      g_autofree char *text = NULL;
      g_autofree char *other = g_strdup_printf ("other %u", i);

      g_assert_cmpuint (dsq_store_get_stamped_string (self->store, "nul", &text, &error), ==, 0);
      g_assert_null (text);
      g_assert_cmpuint (dsq_store_get_stamped_string (self->store, "number", &text, &error), ==, 0);
      g_assert_null (text);
      g_assert_cmpuint (dsq_store_get_stamped_string (self->store, "text", &text, &error), !=, 0);
      g_assert_cmpstr (text, ==, "value");
      g_assert_true (dsq_store_set_string (self->store, other, "1", NULL, &error));
      g_assert_true (dsq_store_flush (self->store, NULL, &error));
    }
  g_assert_no_error (error);

  g_assert_cmpuint (dsq_store_set_text (self->store, "neither", &error), ==, 0);
  g_assert_cmpuint (dsq_store_set_text (self->store, "a\3b\3c", &error), ==, 0);
  g_assert_cmpuint (dsq_store_set_text (self->store, "a\3b", &error), !=, 0);
  g_assert_no_error (error);
  assert_count (self->store, 24);

  g_assert_cmpuint (dsq_store_map_words (self->store, NULL),
                    ==,
                    dsq_store_map_words (self->store, &table));
  g_assert_cmpuint (table, <, DSQ_N_WORDS);
  g_assert_true (dsq_store_close (self->store, NULL, &error));
  g_assert_cmpuint (dsq_store_map_words (self->store, NULL), ==, 0);
}

/* --- times ------------------------------------------------------------------------------------ */

static void
assert_expires (DsqStore *store, gint64 milliseconds, gint64 expected)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (
      dsq_store_set_expiring (store, "k", g_variant_new_int64 (1), milliseconds, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (dsq_store_get_expiry (store, "k", NULL, &error), ==, expected);
  g_assert_no_error (error);
}

static void
test_times (Fixture *self, gconstpointer mode)
{
  g_autoptr (DsqStore) never = g_object_new (DSQ_TYPE_STORE, "path", "/nowhere", NULL);

  /* an end at the time 0 is one, too, as is that of some of these */
  for (gint64 i = 0; i < 64; i++)
    {
      g_object_set (self->store, "clock-offset", -g_get_real_time () / 1000 - 4, NULL);
      g_assert_true (dsq_store_set_expiring (self->store,
                                             "k",
                                             g_variant_new_int64 (1),
                                             1 + i % 8,
                                             NULL,
                                             NULL));
      g_assert_cmpint (dsq_store_get_expiry (self->store, "k", NULL, NULL), <=, 8);
    }
  g_object_set (self->store, "clock-offset", (gint64) 0, NULL);

  /* a clock that goes back: it is not told to be further than can be said */
  assert_expires (self->store, DSQ_NEVER, DSQ_NEVER);
  g_assert_true (dsq_store_set_expiring (self->store,
                                         "k",
                                         g_variant_new_int64 (1),
                                         DSQ_NEVER - 1,
                                         NULL,
                                         NULL));
  g_object_set (self->store, "clock-offset", (gint64) -HOUR, NULL);
  g_assert_cmpint (dsq_store_get_expiry (self->store, "k", NULL, NULL), ==, DSQ_NEVER - 1);

  /* beyond what a time can be */
  g_object_set (self->store, "clock-offset", (gint64) (G_MAXINT64 / 2), NULL);
  g_object_set (self->store, "clock-offset", G_MAXINT64 - HOUR * 24 * 365 * 100, NULL);
  assert_expires (self->store, DSQ_NEVER - 1, DSQ_NEVER);

  /* there is no clock yet */
  g_object_set (never, "clock-offset", (gint64) HOUR, NULL);
}

/* --- places ----------------------------------------------------------------------------------- */

static void
test_paths (Fixture *self, gconstpointer mode)
{
  static const char *const paths[] = { ":memory:", "postgresql://127.0.0.1:1/store" };
  g_autofree char *path = g_build_filename (self->folder, "other.db", NULL);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GFile) none = NULL;
  g_autoptr (DsqStore) of_file = g_object_new (DSQ_TYPE_STORE, "file", file, NULL);
  g_autoptr (DsqStore) of_nothing = g_object_new (DSQ_TYPE_STORE, NULL);
  g_autoptr (GFile) found = NULL;
  g_autoptr (GError) error = NULL;
  DsqStore *opened;

  g_object_get (of_file, "file", &found, NULL);
  g_assert_true (g_file_equal (found, file));
  g_object_get (of_nothing, "file", &none, NULL);
  g_assert_null (none);
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_autoptr (DsqStore) store = g_object_new (DSQ_TYPE_STORE, "path", paths[i], NULL);

      g_object_get (store, "file", &none, NULL);
      g_assert_null (none);
    }
  /* nobody listens there; where no server can be had, that is why */
  g_assert_null (dsq_store_open (paths[1], DSQ_PERSIST_LAZY, NULL, &error));
  g_assert_true (g_str_has_prefix (error->message, paths[1]));
  g_clear_error (&error);
  opened = dsq_store_open (path, DSQ_PERSIST_LAZY, NULL, &error);
  g_assert_no_error (error);
  close_store (opened);
}

static void
test_empty_password (Fixture *self, gconstpointer mode)
{
  g_autofree char *path = g_build_filename (self->folder, "other.db", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (g_initable_new (DSQ_TYPE_STORE, NULL, &error, "path", path, "password", "", NULL));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

/* --- transactions, tables, walks -------------------------------------------------------------- */

static void
test_of_a_transaction (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqTransaction) transaction = dsq_store_begin (self->store, &error);

  g_assert_no_error (error);
  g_assert_null (dsq_store_get_table (DSQ_STORE (transaction), "\xff", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_true (dsq_store_close (self->store, NULL, &error));
  /* there is nothing left to be done */
  g_assert_true (dsq_store_flush (DSQ_STORE (transaction), NULL, &error));
  g_assert_no_error (error);
}

static void
assert_next_key (DsqScan *scan, char expected)
{
  g_autoptr (GError) error = NULL;
  gsize length;
  g_autofree guint8 *pack = dsq_scan_next_key_pack (scan, &length, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (length, ==, 9);
  g_assert_cmpuint (pack[8], ==, expected);
}

/* Keys alone, and then entries, and then keys again: each comes once. */
static void
test_walk_that_wants_more (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqScan) scan = NULL;
  g_autofree guint8 *pack = NULL;
  gsize length;

  for (guint i = 0; i < 5; i++)
    {
      const char key[] = { (char) ('a' + i), 0 };

      g_assert_true (dsq_store_set_string (self->store, key, "v", NULL, &error));
    }
  scan = dsq_store_walk_pack (self->store, FALSE, &error);
  g_assert_no_error (error);
  assert_next_key (scan, 'a');
  assert_next_key (scan, 'b');
  pack = dsq_scan_next_pack (scan, 3, FALSE, &length, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (length, ==, 4 + 6 * 4 + 3 * 3);
  g_assert_cmpmem (pack + 4 + 6 * 4, 9, "c\3vd\3ve\3v", 9);
  g_assert_cmpint (dsq_scan_check (scan, 1, &error), ==, DSQ_ANSWER_YES);

  /* one of which has been used when the next has changed */
  g_assert_true (dsq_store_set_string (self->store, "d", "w", NULL, &error));
  g_assert_cmpint (dsq_scan_check (scan, 1, &error), ==, DSQ_ANSWER_NO);
  g_assert_no_error (error);
  assert_next_key (scan, 'd');
  assert_next_key (scan, 'e');
}

/* --- watches ---------------------------------------------------------------------------------- */

static void
test_watch_that_is_gone (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  DsqWatch *watch = dsq_store_watch (self->store, NULL, &error);
  gboolean has_ended = FALSE;
  g_autofree guint8 *pack = NULL;
  gsize length;

  g_assert_no_error (error);
  g_assert_true (dsq_store_set_string (self->store, "k", "v", NULL, &error));
  g_object_run_dispose (G_OBJECT (watch));
  pack = dsq_watch_take (watch, &has_ended, &length);
  g_assert_true (has_ended);
  g_assert_cmpmem (pack, length, "\0\0\0\0", 4);
  g_object_unref (watch);
}

/* The process has as many files open as it may. */
static void
test_watch_without_a_descriptor (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  struct rlimit limit, none;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  none = limit;
  none.rlim_cur = 0;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  g_assert_null (dsq_store_watch (self->store, NULL, &error));
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
}

static const struct
{
  const char *name;
  void (*func) (Fixture *self, gconstpointer mode);
} tests[] = {
  { "values-that-are-none", test_values_that_are_none },
  { "without-an-error", test_without_an_error },
  { "texts-that-are-none", test_texts_that_are_none },
  { "times", test_times },
  { "paths", test_paths },
  { "empty-password", test_empty_password },
  { "of-a-transaction", test_of_a_transaction },
  { "walk-that-wants-more", test_walk_that_wants_more },
  { "watch-that-is-gone", test_watch_that_is_gone },
  { "watch-without-a-descriptor", test_watch_without_a_descriptor },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    for (guint j = 0; j < G_N_ELEMENTS (modes); j++)
      {
        g_autofree char *path = g_strdup_printf ("/dsq/edges/%s/%s", tests[i].name, modes[j].name);
        gconstpointer mode = GINT_TO_POINTER (modes[j].mode);

        g_test_add (path, Fixture, mode, set_up, tests[i].func, tear_down);
      }
  return g_test_run ();
}
