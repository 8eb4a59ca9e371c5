/* test-transaction.c - many operations, all of them or none
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "transaction-support.h"

/* --- commit, roll back ------------------------------------------------------------------------ */

static void
test_commit (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (DsqTransaction) transaction = NULL;

  set (fixture->store, "a", "1");
  set (fixture->store, "b", "1");
  set (fixture->store, "c", "1");
  transaction = begin (fixture->store);
  set (transaction, "c", "2");
  remove_key (transaction, "a");
  set (transaction, "d", "2");
  set (transaction, "a", "2");
  remove_key (transaction, "b");

  assert_value (transaction, "b", NULL);
  assert_value (transaction, "c", "2");
  assert_keys (transaction, "c d a ", "a d c ");
  assert_count (transaction, 3);
  assert_keys (fixture->store, "a b c ", "c b a ");
  assert_value (fixture->store, "c", "1");
  assert_count (fixture->store, 3);

  commit (transaction);
  assert_keys (fixture->store, "c d a ", "a d c ");
  assert_value (fixture->store, "a", "2");
  assert_count (fixture->store, 3);
  assert_closed (transaction);
  assert_commit_fails (transaction, DSQ_ERROR_CLOSED);
  if (GPOINTER_TO_INT (mode) == DSQ_PERSIST_MEMORY)
    return;
  g_assert_true (dsq_store_close (fixture->store, NULL, NULL));
  g_object_unref (fixture->store);
  fixture->store = open_store (fixture->folder, DSQ_PERSIST_LAZY);
  assert_keys (fixture->store, "c d a ", "a d c ");
}

static void
end_by_rollback (DsqTransaction *transaction)
{
  dsq_transaction_rollback (transaction);
  dsq_transaction_rollback (transaction);
}

static void
end_by_close (DsqTransaction *transaction)
{
  g_assert_true (dsq_store_close (DSQ_STORE (transaction), NULL, NULL));
}

static void
test_rollback (Fixture *fixture, gconstpointer mode)
{
  void (*const ends[]) (DsqTransaction *) = { end_by_rollback, end_by_close };

  set (fixture->store, "a", "1");
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DsqTransaction) transaction = begin (fixture->store);
      g_autoptr (DsqStore) table = get_table (transaction, "table");

      assert_value (transaction, "a", "1");
      set (transaction, "a", "2");
      set (transaction, "b", "2");
      set (table, "c", "2");
      g_assert_true (dsq_store_clear (DSQ_STORE (transaction), NULL, &error));
      ends[i](transaction);
      assert_closed (transaction);
      assert_closed (table);
      assert_commit_fails (transaction, DSQ_ERROR_CLOSED);
      assert_keys (fixture->store, "a ", "a ");
      assert_value (fixture->store, "a", "1");
    }
  /* dropped */
  {
    g_autoptr (DsqTransaction) transaction = begin (fixture->store);

    set (transaction, "a", "2");
  }
  assert_value (fixture->store, "a", "1");
}

/* --- conflicts -------------------------------------------------------------------------------- */

static void
read_get (DsqStore *store)
{
  g_autofree char *value = dsq_store_get_string (store, "a", NULL, NULL);

  g_assert_cmpstr (value, ==, "1");
}

static void
read_contains (DsqStore *store)
{
  g_autoptr (GError) error = NULL;

  dsq_store_contains (store, "a", NULL, &error);
  g_assert_no_error (error);
}

static void
read_missing (DsqStore *store)
{
  assert_value (store, "missing", NULL);
}

static void
read_many (DsqStore *store)
{
  const char *keys[] = { "b", "missing", NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) found = dsq_store_get_many (store, keys, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (found);
}

static void
read_by_removing (DsqStore *store)
{
  remove_key (store, "a");
}

static void
read_by_inserting (DsqStore *store)
{
  g_autoptr (GError) error = NULL;

  dsq_store_compare_and_set (store, "missing", NULL, g_variant_new_string ("x"), NULL, &error);
  g_assert_no_error (error);
}

static void
test_conflicts (Fixture *fixture, gconstpointer mode)
{
  void (*const reads[]) (DsqStore *) = { read_get,  read_contains,    read_missing,
                                         read_many, read_by_removing, read_by_inserting };

  for (guint i = 0; i < G_N_ELEMENTS (reads); i++)
    {
      g_autoptr (DsqTransaction) transaction = NULL;

      set (fixture->store, "a", "1");
      remove_key (fixture->store, "missing");
      transaction = begin (fixture->store);
      reads[i](DSQ_STORE (transaction));
      set (transaction, "written", "x");
      set (fixture->store, "a", "other");
      set (fixture->store, "missing", "other");
      assert_commit_fails (transaction, DSQ_ERROR_CONFLICT);
      assert_closed (transaction);
      assert_commit_fails (transaction, DSQ_ERROR_CLOSED);
      assert_value (fixture->store, "written", NULL);
      assert_value (fixture->store, "a", "other");
    }
}

/* What was read once stays, and what comes back is no conflict. */
static void
test_repeatable_reads (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (DsqTransaction) transaction = NULL;

  set (fixture->store, "a", "1");
  transaction = begin (fixture->store);
  assert_value (transaction, "a", "1");
  set (fixture->store, "a", "2");
  for (guint i = 0; i < 3000; i++)
    {
      g_autofree char *key = g_strdup_printf ("%u", i);

      set (fixture->store, key, key);
      assert_value (transaction, key, key);
    }
  assert_count (transaction, 3001);
  assert_value (transaction, "a", "1");
  set (transaction, "b", "x");
  set (fixture->store, "a", "1");
  commit (transaction);
  assert_value (fixture->store, "b", "x");
}

static void
test_no_conflicts (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (DsqTransaction) blind = begin (fixture->store);
  g_autoptr (DsqTransaction) reader = begin (fixture->store);

  set (fixture->store, "a", "1");
  /* only written, walked over and counted */
  set (blind, "a", "2");
  assert_keys (blind, "a ", "a ");
  assert_count (blind, 1);
  set (fixture->store, "a", "3");
  commit (blind);
  assert_value (fixture->store, "a", "2");
  /* only read */
  assert_value (reader, "a", "2");
  set (fixture->store, "a", "4");
  commit (reader);
}

/* --- parts ------------------------------------------------------------------------------------ */

static void
test_parts (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (DsqTransaction) outer = NULL;
  g_autoptr (DsqTransaction) part = NULL;
  g_autoptr (DsqTransaction) taken_back = NULL;
  g_autoptr (DsqTransaction) late = NULL;
  g_autoptr (DsqTransaction) conflicting = NULL;

  set (fixture->store, "a", "1");
  set (fixture->store, "z", "1");
  outer = begin (fixture->store);
  set (outer, "b", "outer");
  remove_key (outer, "z");
  part = begin (outer);
  set (part, "c", "part");
  set (part, "z", "part");
  remove_key (part, "a");
  assert_keys (part, "b c z ", "z c b ");
  assert_count (part, 3);
  assert_keys (outer, "a b ", "b a ");
  commit (part);
  assert_keys (outer, "b c z ", "z c b ");
  assert_count (outer, 3);

  taken_back = begin (outer);
  set (taken_back, "b", "never");
  remove_key (taken_back, "c");
  {
    g_autoptr (DsqTransaction) third = begin (taken_back);

    set (third, "d", "never");
    assert_keys (third, "b z d ", "d z b ");
    commit (third);
  }
  assert_keys (taken_back, "b z d ", "d z b ");
  dsq_transaction_rollback (taken_back);
  assert_keys (outer, "b c z ", "z c b ");
  assert_value (outer, "b", "outer");

  conflicting = begin (outer);
  assert_value (conflicting, "b", "outer");
  set (conflicting, "d", "never");
  set (outer, "b", "changed");
  assert_commit_fails (conflicting, DSQ_ERROR_CONFLICT);

  late = begin (outer);
  set (late, "late", "never");
  assert_keys (fixture->store, "a z ", "z a ");
  commit (outer);
  assert_keys (fixture->store, "b c z ", "z c b ");
  assert_closed (late);
  assert_commit_fails (late, DSQ_ERROR_CLOSED);
}

/* --- tables ----------------------------------------------------------------------------------- */

static void
test_tables (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) one = get_table (fixture->store, "one");
  g_autoptr (DsqStore) two = get_table (fixture->store, "two");
  g_autoptr (DsqTransaction) transaction = NULL;
  g_autoptr (DsqTransaction) of_table = NULL;
  g_autoptr (DsqStore) inner_one = NULL;
  g_autoptr (DsqStore) inner_two = NULL;
  g_autoptr (DsqStore) inner_new = NULL;
  g_autoptr (DsqStore) made = NULL;

  set (fixture->store, "a", "1");
  set (one, "a", "one");
  set (two, "a", "two");
  transaction = begin (fixture->store);
  inner_one = get_table (transaction, "one");
  inner_two = get_table (transaction, "two");
  inner_new = get_table (transaction, "new");
  set (transaction, "b", "2");
  set (inner_one, "b", "2");
  g_assert_true (dsq_store_clear (inner_two, NULL, &error));
  set (inner_two, "c", "2");
  set (inner_new, "d", "2");
  assert_keys (inner_one, "a b ", "b a ");
  assert_keys (inner_two, "c ", "c ");
  assert_keys (two, "a ", "a ");
  assert_count (inner_two, 1);
  g_assert_false (dsq_store_drop_table (DSQ_STORE (transaction), "one", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  made = get_table (fixture->store, "new");
  assert_count (made, 0);
  commit (transaction);
  assert_keys (fixture->store, "a b ", "b a ");
  assert_keys (one, "a b ", "b a ");
  assert_keys (two, "c ", "c ");
  assert_keys (made, "d ", "d ");

  /* begun on a table, and another one dropped meanwhile */
  of_table = begin (one);
  set (of_table, "e", "3");
  g_clear_object (&inner_two);
  inner_two = get_table (of_table, "two");
  set (inner_two, "e", "3");
  g_assert_true (dsq_store_drop_table (fixture->store, "two", NULL, &error));
  assert_commit_fails (of_table, DSQ_ERROR_NO_TABLE);
  assert_keys (one, "a b ", "b a ");
  dsq_transaction_rollback (of_table);
  g_clear_object (&of_table);
  of_table = begin (one);
  set (of_table, "e", "3");
  commit (of_table);
  assert_keys (one, "a b e ", "e b a ");
  g_clear_object (&of_table);
  of_table = dsq_store_begin (two, &error);
  g_assert_null (of_table);
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
}

/* A conflict in one table is one of all. */
static void
test_conflict_of_a_table (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (DsqStore) one = get_table (fixture->store, "one");
  g_autoptr (DsqTransaction) transaction = begin (fixture->store);
  g_autoptr (DsqStore) inner = get_table (transaction, "one");

  assert_value (inner, "a", NULL);
  set (transaction, "a", "1");
  set (one, "a", "other");
  assert_commit_fails (transaction, DSQ_ERROR_CONFLICT);
  assert_count (fixture->store, 0);
}

/* --- expiry ----------------------------------------------------------------------------------- */

#define HOUR (G_GINT64_CONSTANT (3600) * 1000)

static void
test_expiry (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqTransaction) transaction = NULL;
  DsqStore *store = fixture->store;
  DsqStore *inside;

  g_object_set (store, "clock-offset", (gint64) (5 * HOUR), NULL);
  g_assert_true (
      dsq_store_set_expiring (store, "old", g_variant_new_string ("1"), HOUR, NULL, &error));
  set (store, "kept", "1");
  transaction = begin (store);
  inside = DSQ_STORE (transaction);
  g_assert_true (
      dsq_store_set_expiring (inside, "new", g_variant_new_string ("1"), HOUR, NULL, &error));
  g_assert_true (
      dsq_store_set_expiring (inside, "long", g_variant_new_string ("1"), 9 * HOUR, NULL, &error));
  g_assert_true (dsq_store_touch (inside, "kept", 9 * HOUR, NULL, &error));
  assert_keys (inside, "old kept new long ", "long new kept old ");
  assert_count (inside, 4);
  g_object_set (inside, "clock-offset", (gint64) (7 * HOUR), NULL);
  assert_value (inside, "old", NULL);
  assert_value (inside, "new", NULL);
  assert_count (inside, 2);
  assert_keys (inside, "kept long ", "long kept ");
  /* it comes last, as what is new */
  set (inside, "new", "2");
  commit (transaction);
  assert_keys (store, "kept long new ", "new long kept ");
  g_object_set (store, "clock-offset", (gint64) (17 * HOUR), NULL);
  assert_keys (store, "new ", "new ");
}

/* Appends the keys of the next step. */
static gboolean
step (DsqCursor *cursor, guint n_entries, GString *keys)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) page = dsq_cursor_next_many (cursor, n_entries, NULL, &error);
  GVariantIter iter;
  const char *key;
  GVariant *value;
  gboolean is_any = FALSE;

  g_assert_no_error (error);
  g_variant_iter_init (&iter, page);
  while (g_variant_iter_next (&iter, "(&s@mv)", &key, &value))
    {
      g_string_append_printf (keys, "%s ", key);
      g_variant_unref (value);
      is_any = TRUE;
    }
  return is_any;
}

/* A walk goes on where it was when others' commits move what waits in the store for the file. */
static void
test_walk_beside_others (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (GString) keys = g_string_new (NULL);
  g_autoptr (DsqTransaction) transaction = NULL;
  g_autoptr (DsqCursor) cursor = NULL;
  DsqStore *store = fixture->store;
  DsqStore *other;

  if (GPOINTER_TO_INT (mode) == DSQ_PERSIST_MEMORY)
    return;
  close_store (store);
  fixture->store = store = OPEN_IN (fixture->folder,
                                    "persist-mode",
                                    GPOINTER_TO_INT (mode),
                                    "background",
                                    FALSE,
                                    "flush-interval",
                                    3600000);
  for (guint i = 0; i < 6; i++)
    {
      g_autofree char *key = g_strdup_printf ("%u", i);

      set (store, key, "1");
    }
  transaction = begin (store);
  set (transaction, "own", "1");
  cursor = dsq_store_walk (DSQ_STORE (transaction), DSQ_WALK_FORWARD);
  g_assert_true (step (cursor, 3, keys));
  other = OPEN_IN (fixture->folder, "persist-mode", DSQ_PERSIST_WRITETHROUGH, "separate", TRUE);
  for (guint i = 0; i < 3; i++)
    {
      g_autofree char *key = g_strdup_printf ("other %u", i);

      set (other, key, "1");
    }
  while (step (cursor, 1, keys))
    ;
  if (GPOINTER_TO_INT (mode) == DSQ_PERSIST_LAZY)
    g_assert_cmpstr (keys->str, ==, "0 1 2 3 4 5 own ");
  else
    g_assert_true (g_str_has_prefix (keys->str, "0 1 2 3 4 5 "));
  g_assert_nonnull (strstr (keys->str, "own "));
  dsq_transaction_rollback (transaction);
  close_store (other);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("transaction/commit", test_commit);
  ADD ("transaction/rollback", test_rollback);
  ADD ("transaction/conflicts", test_conflicts);
  ADD ("transaction/repeatable-reads", test_repeatable_reads);
  ADD ("transaction/no-conflicts", test_no_conflicts);
  ADD ("transaction/parts", test_parts);
  ADD ("transaction/tables", test_tables);
  ADD ("transaction/conflict-of-a-table", test_conflict_of_a_table);
  ADD ("transaction/expiry", test_expiry);
  ADD ("transaction/walk-beside-others", test_walk_beside_others);
  return g_test_run ();
}
