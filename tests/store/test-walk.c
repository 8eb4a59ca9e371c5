/* test-walk.c - pages of keys and of entries, as people call for them
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "async-support.h"

/* A key that no C string holds, behind "a" in the order of bytes. */
static const guint8 WITH_NUL[] = { 'a', 0, 'b' };
static const guint8 PICKLE[] = { DSQ_VALUE_PICKLE, 4, 'N', '.' };

static void
fill (DsqStore *store)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_set_string (store, "b", "second", NULL, &error));
  g_assert_true (dsq_store_set_string (store, "a", "first", NULL, &error));
  g_assert_true (
      dsq_store_set_record (store, WITH_NUL, sizeof WITH_NUL, PICKLE, sizeof PICKLE, &error));
  g_assert_true (
      dsq_store_set_record (store, (const guint8 *) "ab", 2, PICKLE, sizeof PICKLE, &error));
  g_assert_no_error (error);
}

/* --- keys ------------------------------------------------------------------------------------ */

static void
assert_listed (DsqStore *store, const char *prefix, const char *after, guint max, const char *keys)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) listed = dsq_store_list_keys (store, prefix, after, max, NULL, &error);
  g_autofree char *joined = NULL;

  g_assert_no_error (error);
  joined = g_strjoinv (" ", listed);
  g_assert_cmpstr (joined, ==, keys);
}

static void
test_list_keys (Fixture *self, gconstpointer data)
{
  fill (self->store);
  assert_listed (self->store, "", NULL, 10, "a ab b");
  assert_listed (self->store, "", NULL, 2, "a ab");
  assert_listed (self->store, "", "a", 1, "ab");
  assert_listed (self->store, "", "ab", 10, "b");
  assert_listed (self->store, "", "b", 10, "");
  assert_listed (self->store, "a", NULL, 10, "a ab");
  assert_listed (self->store, "a", "", 10, "a ab");
  assert_listed (self->store, "a", "b", 10, "");
  assert_listed (self->store, "no", NULL, 10, "");
}

static void
test_list_sealed_keys (Fixture *self, gconstpointer data)
{
  g_autofree char *path = g_strconcat (self->path, ".sealed", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = NULL;

  if (GPOINTER_TO_INT (data) == DSQ_PERSIST_MEMORY)
    return;
  store = g_initable_new (DSQ_TYPE_STORE,
                          NULL,
                          &error,
                          "path",
                          path,
                          "password",
                          "secret",
                          "kdf-memory",
                          (guint64) 19 << 20,
                          "kdf-passes",
                          2,
                          NULL);
  g_assert_no_error (error);
  g_assert_null (dsq_store_list_keys (store, "", NULL, 10, NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_ENCRYPTED);
  g_assert_true (dsq_store_close (store, NULL, NULL));
}

/* --- values ---------------------------------------------------------------------------------- */

static void
test_get_many (Fixture *self, gconstpointer data)
{
  const char *const keys[] = { "ab", "none", "a", NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) found = NULL;
  g_autofree char *printed = NULL;

  fill (self->store);
  found = dsq_store_get_many (self->store, keys, NULL, &error);
  g_assert_no_error (error);
  printed = g_variant_print (found, FALSE);
  g_assert_cmpstr (printed, ==, "{'ab': nothing, 'a': <'first'>}");
}

/* --- entries --------------------------------------------------------------------------------- */

static char *
next_many (DsqCursor *cursor, guint max_entries)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) page = dsq_cursor_next_many (cursor, max_entries, NULL, &error);

  g_assert_no_error (error);
  return g_variant_print (page, FALSE);
}

#define ASSERT_NEXT(cursor, max_entries, expected)                                                 \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autofree char *printed = next_many (cursor, max_entries);                                    \
    g_assert_cmpstr (printed, ==, expected);                                                       \
  }                                                                                                \
  G_STMT_END

/* Keys that are no C strings are skipped, values that are no variants are nothing. */
static void
test_next_many (Fixture *self, gconstpointer data)
{
  g_autoptr (DsqCursor) cursor = dsq_store_walk (self->store, DSQ_WALK_FORWARD);

  fill (self->store);
  ASSERT_NEXT (cursor, 2, "[('b', <'second'>), ('a', <'first'>)]");
  ASSERT_NEXT (cursor, 1, "[('ab', nothing)]");
  ASSERT_NEXT (cursor, 1, "[]");
}

/* A cursor begins with its first call, and from then on tells of other sizes. */
static void
test_next_many_after_changes (Fixture *self, gconstpointer data)
{
  g_autoptr (DsqCursor) cursor = dsq_store_walk (self->store, DSQ_WALK_FORWARD);
  g_autoptr (GError) error = NULL;

  fill (self->store);
  ASSERT_NEXT (cursor, 1, "[('b', <'second'>)]");
  g_assert_true (dsq_store_set_string (self->store, "a", "another", NULL, &error));
  ASSERT_NEXT (cursor, 1, "[('a', <'another'>)]");
  g_assert_true (dsq_store_set_string (self->store, "new", "more", NULL, &error));
  g_assert_no_error (error);
  g_assert_null (dsq_cursor_next_many (cursor, 1, NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CHANGED);
}

static void
test_cancelled (Fixture *self, gconstpointer data)
{
  g_autoptr (DsqCursor) cursor = dsq_store_walk (self->store, DSQ_WALK_FORWARD);
  g_autoptr (DsqScan) scan = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  gsize length;

  fill (self->store);
  g_cancellable_cancel (cancellable);
  g_assert_null (dsq_cursor_next_many (cursor, 1, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  scan = dsq_store_walk_pack (self->store, FALSE, NULL);
  g_assert_null (dsq_scan_next_pack (scan, 1, TRUE, &length, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  ASSERT_NEXT (cursor, 1, "[('b', <'second'>)]");
}

/* The pack of one key; of none where it is NULL. */
static void
assert_next_key (DsqScan *scan, const char *key)
{
  guint32 n_items = key != NULL;
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *pack = NULL;
  gsize length;

  pack = dsq_scan_next_key_pack (scan, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (length, ==, (key != NULL ? 8 + strlen (key) : 4));
  g_assert_cmpmem (pack, 4, &n_items, 4);
  if (key != NULL)
    g_assert_cmpmem (pack + 8, length - 8, key, strlen (key));
}

static void
test_keys_one_by_one (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqScan) scan = NULL;
  g_autoptr (DsqScan) other = NULL;
  gsize length;

  for (const char *key = "a\0b\0c\0"; *key != '\0'; key += 2)
    g_assert_true (dsq_store_set_string (self->store, key, "v", NULL, NULL));
  scan = dsq_store_walk_pack (self->store, FALSE, &error);
  g_assert_no_error (error);
  assert_next_key (scan, "a");
  other = dsq_scan_ref (scan);
  assert_next_key (other, "b");
  dsq_scan_unref (g_steal_pointer (&other));
  g_assert_cmpint (dsq_scan_check (scan, 1, NULL), ==, DSQ_ANSWER_YES);

  /* one that goes is a change of size; that one more comes evens it out */
  g_assert_cmpint (dsq_store_remove (self->store, "b", NULL, NULL), ==, DSQ_ANSWER_YES);
  g_assert_cmpint (dsq_scan_check (scan, 1, &error), ==, DSQ_ANSWER_NO);
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CHANGED);
  g_clear_error (&error);
  g_assert_true (dsq_store_set_string (self->store, "b", "last", NULL, NULL));
  g_assert_cmpint (dsq_scan_check (scan, 1, &error), ==, DSQ_ANSWER_NO);
  g_assert_no_error (error);
  assert_next_key (scan, "c");
  assert_next_key (scan, NULL);
  assert_next_key (scan, NULL);
  g_clear_pointer (&scan, dsq_scan_unref);

  scan = dsq_store_walk_pack (self->store, TRUE, &error);
  assert_next_key (scan, "b");
  g_assert_true (dsq_store_close (self->store, NULL, NULL));
  g_assert_null (dsq_scan_next_key_pack (scan, &length, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_null (dsq_store_walk_pack (self->store, FALSE, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint mode = DSQ_PERSIST_MEMORY; mode <= DSQ_PERSIST_WRITETHROUGH; mode++)
    {
      add ("walk/list-keys", mode, test_list_keys);
      add ("walk/list-sealed-keys", mode, test_list_sealed_keys);
      add ("walk/get-many", mode, test_get_many);
      add ("walk/next-many", mode, test_next_many);
      add ("walk/next-many-after-changes", mode, test_next_many_after_changes);
      add ("walk/cancelled", mode, test_cancelled);
      add ("walk/keys-one-by-one", mode, test_keys_one_by_one);
    }
  return g_test_run ();
}
