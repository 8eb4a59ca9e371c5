/* test-watch.c - being told what changes, in a main loop
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "watch-support.h"

#define N_KEYS 12

static void
assert_told (Listener *self, const char *expected)
{
  hear (self);
  g_assert_cmpstr (self->told->str, ==, expected);
}

static gboolean
has_all (GHashTable *seen, const char *const *keys)
{
  gboolean has = TRUE;

  for (guint i = 0; keys[i] != NULL; i++)
    has = has && g_hash_table_contains (seen, keys[i]);
  return has || g_hash_table_contains (seen, "*");
}

/* Until all of @keys were told, or everything was. */
static void
wait_for_keys (Listener *self, const char *const *keys)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  while (!has_all (seen, keys))
    {
      g_auto (GStrv) told = NULL;

      g_string_truncate (self->told, 0);
      g_main_context_iteration (NULL, TRUE);
      told = g_strsplit_set (self->told->str, " ;", -1);
      for (guint i = 0; told[i] != NULL; i++)
        g_hash_table_add (seen, g_strdup (told[i]));
    }
}

static gboolean
remove_key (DsqStore *store, const char *key)
{
  g_autoptr (GError) error = NULL;
  gboolean removed = dsq_store_remove (store, key, NULL, &error) == DSQ_ANSWER_YES;

  g_assert_no_error (error);
  return removed;
}

/* --- of this process -------------------------------------------------------------------------- */

static void
test_keys_are_told_once (Fixture *self, gconstpointer mode)
{
  Listener all, some;

  set_string (self->store, "before", "v");
  listen_to (&all, self->store, NULL);
  listen_to (&some, self->store, "a/");
  assert_told (&all, "");
  set_string (self->store, "b", "1");
  set_string (self->store, "a/x", "1");
  set_string (self->store, "b", "2");
  set_string (self->store, "a", "1");
  g_assert_true (remove_key (self->store, "before"));
  g_assert_false (remove_key (self->store, "a/none"));
  hear (&all);
  g_assert_cmpstr (all.told->str, ==, "b a/x a before;");
  g_assert_cmpstr (some.told->str, ==, "a/x;");
  set_string (self->store, "b", "2");
  assert_told (&all, "b;");
  stop_listening (&some);
  set_string (self->store, "a/x", "2");
  assert_told (&all, "a/x;");
  stop_listening (&all);
}

static void
test_what_flushes_is_no_change (Fixture *self, gconstpointer mode)
{
  Listener all;
  g_autoptr (GError) error = NULL;

  listen_to (&all, self->store, NULL);
  for (guint i = 0; i < 10; i++)
    set_string (self->store, "k", "v");
  assert_told (&all, "k;");
  g_assert_true (dsq_store_flush (self->store, NULL, &error));
  g_assert_no_error (error);
  assert_told (&all, "");
  stop_listening (&all);
}

static void
test_many_are_everything (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  GVariantDict entries;
  Listener all;

  listen_to (&all, self->store, NULL);
  g_variant_dict_init (&entries, NULL);
  for (guint i = 0; i < 2000; i++)
    {
      g_autofree char *key = g_strdup_printf ("k%u", i);

      g_variant_dict_insert (&entries, key, "u", i);
    }
  g_assert_true (dsq_store_set_many (self->store, g_variant_dict_end (&entries), NULL, &error));
  g_assert_no_error (error);
  assert_told (&all, "*;");
  g_assert_true (dsq_store_clear (self->store, NULL, &error));
  g_assert_no_error (error);
  set_string (self->store, "k", "v");
  assert_told (&all, "*;");
  stop_listening (&all);
}

/* Bytes that are no string of C's. */
static void
test_keys_that_are_no_strings_are_everything (Fixture *self, gconstpointer mode)
{
  static const guint8 nul[] = { 'k', 0 }, record[] = { DSQ_VALUE_NONE };
  g_autoptr (GError) error = NULL;
  Listener all, some;

  listen_to (&all, self->store, "");
  listen_to (&some, self->store, "a");
  g_assert_true (
      dsq_store_set_record (self->store, nul, sizeof nul, record, sizeof record, &error));
  g_assert_no_error (error);
  hear (&all);
  g_assert_cmpstr (all.told->str, ==, "*;");
  g_assert_cmpstr (some.told->str, ==, "");
  stop_listening (&some);
  stop_listening (&all);
}

static void
test_tables_are_their_own (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) table = dsq_store_get_table (self->store, "table", NULL, &error);
  Listener main, other;

  g_assert_no_error (error);
  listen_to (&main, self->store, NULL);
  listen_to (&other, table, NULL);
  set_string (table, "k", "v");
  set_string (self->store, "m", "v");
  hear (&main);
  g_assert_cmpstr (main.told->str, ==, "m;");
  g_assert_cmpstr (other.told->str, ==, "k;");
  g_assert_true (dsq_store_drop_table (self->store, "table", NULL, &error) == DSQ_ANSWER_YES);
  g_assert_no_error (error);
  g_string_truncate (other.told, 0);
  hear (&main);
  g_assert_cmpstr (main.told->str, ==, "");
  g_assert_cmpstr (other.told->str, ==, "*;");
  g_assert_null (dsq_store_watch (table, NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
  stop_listening (&other);
  stop_listening (&main);
}

static void
test_transactions_are_told_when_committed (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqTransaction) kept = dsq_store_begin (self->store, &error);
  g_autoptr (DsqTransaction) lost = dsq_store_begin (self->store, &error);
  Listener all, within;

  g_assert_no_error (error);
  listen_to (&all, self->store, NULL);
  listen_to (&within, DSQ_STORE (kept), NULL);
  set_string (DSQ_STORE (kept), "k", "v");
  set_string (DSQ_STORE (kept), "l", "v");
  set_string (DSQ_STORE (lost), "m", "v");
  dsq_transaction_rollback (lost);
  assert_told (&all, "");
  g_assert_true (dsq_transaction_commit (kept, NULL, &error));
  g_assert_no_error (error);
  hear (&all);
  g_assert_cmpstr (all.told->str, ==, "k l;");
  g_assert_cmpstr (within.told->str, ==, "k l;");
  stop_listening (&within);
  stop_listening (&all);
}

static void
test_what_expires_is_told_when_swept (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  Listener all;

  g_assert_true (dsq_store_set_expiring (self->store,
                                         "k",
                                         g_variant_new_string ("v"),
                                         60 * 1000,
                                         NULL,
                                         &error));
  g_assert_no_error (error);
  listen_to (&all, self->store, NULL);
  g_object_set (self->store, "clock-offset", G_GINT64_CONSTANT (120 * 1000), NULL);
  g_assert_cmpint (dsq_store_count (self->store, NULL, &error), ==, 0);
  g_assert_no_error (error);
  assert_told (&all, "k;");
  stop_listening (&all);
}

/* One verb, and what of @keys it changes; NULL in *out_key: all of them. */
static gboolean
do_something (DsqStore *store, const char *key, gboolean *out_is_everything)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_int64 (1));
  gboolean changes = TRUE;

  *out_is_everything = FALSE;
  switch (g_random_int_range (0, 7))
    {
    case 0:
      return remove_key (store, key);
    case 1:
      changes = dsq_store_compare_and_set (store, key, NULL, value, NULL, &error) == DSQ_ANSWER_YES;
      break;
    case 2:
      *out_is_everything = g_random_int_range (0, 20) == 0;
      if (*out_is_everything)
        dsq_store_clear (store, NULL, &error);
      else
        changes = FALSE;
      break;
    case 3:
      {
        g_autoptr (GVariant) taken = dsq_store_steal (store, key, NULL, &error);

        changes = taken != NULL;
        break;
      }
    case 4:
      {
        g_autoptr (GVariant) got = dsq_store_get (store, key, NULL, &error);

        changes = FALSE;
        break;
      }
    default:
      dsq_store_set (store, key, value, NULL, &error);
    }
  g_assert_no_error (error);
  return changes;
}

static void
test_exactly_what_changes (Fixture *self, gconstpointer mode)
{
  Listener all;

  listen_to (&all, self->store, NULL);
  for (guint i = 0; i < N_ROUNDS; i++)
    {
      g_autofree char *key = g_strdup_printf ("k%d", g_random_int_range (0, N_KEYS));
      g_autofree char *expected = g_strdup_printf ("%s;", key);
      gboolean is_everything;
      gboolean changes = do_something (self->store, key, &is_everything);

      assert_told (&all, is_everything ? "*;" : changes ? expected : "");
    }
  stop_listening (&all);
}

/* --- of others -------------------------------------------------------------------------------- */

/* Nothing is asked of the store that is watched, but for what has been told. */
static void
test_others_are_told_without_a_call (Fixture *self, gconstpointer mode)
{
  static const char *const keys[] = { "k", "l", NULL };
  g_autoptr (DsqStore) other = open_store (self, DSQ_PERSIST_WRITETHROUGH);
  g_autoptr (GError) error = NULL;
  Listener all;

  listen_to (&all, self->store, NULL);
  for (guint i = 0; i < 50; i++)
    {
      g_autofree char *value = g_strdup_printf ("%u", i);

      for (guint k = 0; keys[k] != NULL; k++)
        set_string (other, keys[k], value);
      wait_for_keys (&all, keys);
      for (guint k = 0; keys[k] != NULL; k++)
        {
          g_autofree char *got = dsq_store_get_string (self->store, keys[k], NULL, &error);

          g_assert_no_error (error);
          g_assert_cmpstr (got, ==, value);
        }
    }
  stop_listening (&all);
  g_assert_true (dsq_store_close (other, NULL, &error));
  g_assert_no_error (error);
}

static DsqStore *
open_to_read (Fixture *self)
{
  g_autoptr (GError) error = NULL;
  DsqStore *reader =
      g_initable_new (DSQ_TYPE_STORE, NULL, &error, "path", self->path, "read-only", TRUE, NULL);

  g_assert_no_error (error);
  return reader;
}

static void
test_a_store_that_only_reads_is_told (Fixture *self, gconstpointer mode)
{
  static const char *const keys[] = { "k", NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) reader = open_to_read (self);
  Listener all;

  listen_to (&all, reader, NULL);
  set_string (self->store, "k", "v");
  g_assert_true (dsq_store_flush (self->store, NULL, &error));
  g_assert_no_error (error);
  wait_for_keys (&all, keys);
  stop_listening (&all);
  g_assert_true (dsq_store_close (reader, NULL, &error));
  g_assert_no_error (error);
}

/* What only reads goes over to who comes to write, with who watches it: of him it is told as he
 * does it, and not when it is in the file. */
static void
test_news_goes_over_to_who_writes (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) made = dsq_store_get_table (self->store, "t", NULL, &error);
  g_autoptr (DsqStore) reader = NULL;
  g_autoptr (DsqStore) read = NULL;
  g_autoptr (DsqStore) written = NULL;
  Listener all, some, table;

  g_assert_no_error (error);
  g_assert_true (dsq_store_close (self->store, NULL, &error));
  g_object_unref (self->store);
  reader = open_to_read (self);
  read = dsq_store_get_table (reader, "t", NULL, &error);
  listen_to (&all, reader, NULL);
  listen_to (&some, reader, "a");
  listen_to (&table, read, NULL);
  self->store = open_store (self, GPOINTER_TO_INT (mode));
  written = dsq_store_get_table (self->store, "t", NULL, &error);
  assert_told (&all, "");
  set_string (self->store, "k", "v");
  set_string (self->store, "a1", "v");
  set_string (written, "in", "v");
  assert_told (&all, "k a1;");
  g_assert_cmpstr (some.told->str, ==, "a1;");
  stop_listening (&some);

  g_assert_cmpint (dsq_store_drop_table (self->store, "t", NULL, &error), ==, DSQ_ANSWER_YES);
  assert_told (&all, "");
  g_assert_cmpstr (table.told->str, ==, "in;*;");
  stop_listening (&table);

  /* who watches later is with him at once; his end is not theirs */
  listen_to (&some, reader, "a");
  set_string (self->store, "a2", "v");
  hear (&some);
  g_assert_cmpstr (some.told->str, ==, "a2;");
  reopen (self, GPOINTER_TO_INT (mode));
  g_string_truncate (all.told, 0);
  set_string (self->store, "a3", "v");
  hear (&some);
  g_assert_cmpstr (some.told->str, ==, "a3;");
  g_assert_cmpstr (all.told->str, ==, "a3;");
  g_assert_true (dsq_store_close (reader, NULL, &error));
  set_string (self->store, "a4", "v");
  assert_told (&all, "");
  stop_listening (&some);
  stop_listening (&all);
}

/* --- its end ---------------------------------------------------------------------------------- */

static void
test_a_close_is_the_end (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *pack = NULL;
  gboolean has_ended = FALSE;
  DsqWatch *taken = dsq_store_watch_utf8 (self->store, NULL, 0, &error);
  Listener all;
  gsize length;

  g_assert_no_error (error);
  listen_to (&all, self->store, NULL);
  set_string (self->store, "k", "v");
  g_assert_true (dsq_store_close (self->store, NULL, &error));
  g_assert_no_error (error);
  assert_told (&all, "");
  pack = dsq_watch_take (taken, &has_ended, &length);
  g_assert_true (has_ended);
  g_assert_cmpuint (length, ==, 4);
  g_object_run_dispose (G_OBJECT (taken));
  g_assert_cmpint (dsq_watch_get_fd (taken), ==, -1);
  g_object_unref (taken);
  stop_listening (&all);
  g_assert_null (dsq_store_watch (self->store, NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
}

static void
drop_cb (DsqWatch *watch, const char *const *keys, gpointer user_data)
{
  DsqWatch **held = user_data;

  g_assert_true (*held == watch);
  g_clear_object (held);
}

static void
test_a_handler_may_drop_it (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  DsqWatch *watch = dsq_store_watch (self->store, NULL, &error);

  g_assert_no_error (error);
  g_signal_connect (watch, "changed", G_CALLBACK (drop_cb), &watch);
  set_string (self->store, "k", "v");
  while (watch != NULL)
    g_main_context_iteration (NULL, TRUE);
  set_string (self->store, "k", "v");
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

int
main (int argc, char **argv)
{
  static const Test tests[] = {
    { "keys-are-told-once", test_keys_are_told_once, FALSE },
    { "what-flushes-is-no-change", test_what_flushes_is_no_change, FALSE },
    { "many-are-everything", test_many_are_everything, FALSE },
    { "keys-that-are-no-strings-are-everything",
      test_keys_that_are_no_strings_are_everything,
      FALSE },
    { "tables-are-their-own", test_tables_are_their_own, FALSE },
    { "transactions-are-told-when-committed", test_transactions_are_told_when_committed, FALSE },
    { "what-expires-is-told-when-swept", test_what_expires_is_told_when_swept, FALSE },
    { "exactly-what-changes", test_exactly_what_changes, FALSE },
    { "others-are-told-without-a-call", test_others_are_told_without_a_call, TRUE },
    { "a-store-that-only-reads-is-told", test_a_store_that_only_reads_is_told, TRUE },
    { "news-goes-over-to-who-writes", test_news_goes_over_to_who_writes, TRUE },
    { "a-close-is-the-end", test_a_close_is_the_end, FALSE },
    { "a-handler-may-drop-it", test_a_handler_may_drop_it, FALSE },
  };

  return run_watch_tests (argc, argv, "watch", tests, G_N_ELEMENTS (tests));
}
