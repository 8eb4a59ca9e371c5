/* test-cold-contract-tables.c - what dsq-cold-funcs-private.h says of tables and expiry
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold-contract.h"

static guint32
drop_table (DsqColdTier *tier, const char *name)
{
  g_autoptr (GError) error = NULL;
  guint32 id;

  g_assert_true (tier->funcs->drop_table (tier, (const guint8 *) name, strlen (name), &id, &error));
  g_assert_no_error (error);
  return id;
}

static char *
list_tables (DsqColdTier *tier)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autoptr (GString) all = g_string_new (NULL);

  g_assert_true (tier->funcs->list_tables (tier, names, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < names->len; i++)
    {
      gsize length;
      const char *name = g_bytes_get_data (names->pdata[i], &length);

      g_string_append_printf (all, "%.*s ", (int) length, name);
    }
  return g_string_free (g_steal_pointer (&all), FALSE);
}

static void
assert_tables (DsqColdTier *tier, const char *expected)
{
  g_autofree char *names = list_tables (tier);

  g_assert_cmpstr (names, ==, expected);
}

/* The keys found, their expiries, and the next expiry: "a10 b20 |30". */
static char *
find_expired (DsqColdTier *tier, gboolean by_writer, DsqExpirySpan *span, guint max_rows)
{
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  g_autoptr (GString) found = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  gint64 next = 0;

  g_assert_true (tier->funcs->find_expired (tier, by_writer, span, max_rows, rows, &next, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < rows->len; i++)
    {
      g_autoptr (DsqEntry) entry = g_array_index (rows, DsqColdRow, i).entry;

      g_assert_true (dsq_entry_is_tombstone (entry));
      g_string_append_len (found, (const char *) dsq_entry_key (entry), entry->key_length);
      g_string_append_printf (found, "%" G_GINT64_FORMAT " ", dsq_entry_expires (entry));
    }
  g_string_append_printf (found, "|%" G_GINT64_FORMAT, next == G_MAXINT64 ? 0 : next);
  return g_string_free (g_steal_pointer (&found), FALSE);
}

#define assert_expired(tier, by_writer, span, max_rows, expected)                                  \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autofree char *found_ = find_expired (tier, by_writer, span, max_rows);                      \
    g_assert_cmpstr (found_, ==, expected);                                                        \
  }                                                                                                \
  G_STMT_END

static void
test_is_empty_at_first (Fixture *fixture, gconstpointer data)
{
  const Kind *kind = data;
  DsqColdTier *tier = fixture->tier;
  DsqExpirySpan all = { G_MININT64, G_MAXINT64, G_MAXINT64 - 1 };
  g_autoptr (GPtrArray) keys = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqEntry) entry = NULL;
  DsqKey some[] = { key_of ("a"), key_of ("b") };
  gint64 places[] = { 7, 7 };
  DsqEntry *entries[2];

  g_assert_cmpint (tier->is_lasting, ==, kind->is_lasting);
  g_assert_cmpint (tier->begins_empty, ==, kind->begins_empty);
  assert_value (tier, "a", NULL);
  g_assert_true (tier->funcs->get_many (tier, some, 2, entries, &error));
  g_assert_true (entries[0] == NULL && entries[1] == NULL);
  g_assert_true (tier->funcs->probe (tier, some, 2, places, &error));
  g_assert_true (places[0] == 0 && places[1] == 0);
  assert_walk (tier, "");
  if (!kind->hides_order || !kind->is_lasting)
    g_assert_true (tier->funcs->list_keys (tier, &some[0], &some[1], 9, keys, &error));
  g_assert_cmpuint (keys->len, ==, 0);
  assert_tables (tier, "");
  assert_expired (tier, FALSE, &all, 9, "|0");
  assert_expired (tier, TRUE, &all, 9, "|0");
  begin (tier);
  g_assert_true (tier->funcs->get_in_transaction (tier, &some[0], &entry, &error));
  g_assert_null (entry);
  g_assert_true (tier->funcs->clear_table (tier, DSQ_TABLE_MAIN, &error));
  commit (tier);
  g_assert_no_error (error);
  g_assert_cmpuint (stats_of (tier).commits, ==, 0);
  g_assert_cmpuint (tier->n_commits, ==, 0);
}

static void
test_keeps_tables_apart (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GError) error = NULL;
  DsqTableState one, two, found;
  DsqKey keys[3];
  DsqEntry *entries[3];

  begin (tier);
  one = open_table (tier, "one");
  two = open_table (tier, "two");
  g_assert_cmpuint (one.table, !=, two.table);
  g_assert_cmpint (one.next, ==, ((gint64) one.table << DSQ_FORMAT_POSITION_BITS) + 1);
  g_assert_true (tier->funcs->open_table (tier, (guint8 *) "one", 3, FALSE, &found, &error));
  g_assert_cmpuint (found.table, ==, one.table);
  g_assert_true (tier->funcs->open_table (tier, (guint8 *) "none", 4, FALSE, &found, &error));
  g_assert_cmpuint (found.table, ==, 0);
  set_in (tier, one.table, "k", 0);
  set_in (tier, DSQ_TABLE_MAIN, "k", 0);
  commit (tier);
  keys[0] = key_in (one.table, "k");
  keys[1] = key_in (two.table, "k");
  keys[2] = key_in (DSQ_TABLE_MAIN, "k");
  g_assert_true (tier->funcs->get_many (tier, keys, 3, entries, &error));
  g_assert_true (entries[0] != NULL && entries[1] == NULL && entries[2] != NULL);
  g_assert_cmpuint (entries[0]->table, ==, one.table);
  dsq_entry_unref (entries[0]);
  dsq_entry_unref (entries[2]);

  /* one cleared, its next place stays */
  begin (tier);
  g_assert_true (tier->funcs->clear_table (tier, one.table, &error));
  g_assert_true (tier->funcs->get_table (tier, one.table, &two));
  g_assert_cmpint (two.count, ==, 0);
  g_assert_cmpint (two.next, ==, one.next + 1);
  commit (tier);
  g_assert_true (tier->funcs->get_many (tier, keys, 3, entries, &error));
  g_assert_true (entries[0] == NULL && entries[1] == NULL && entries[2] != NULL);
  dsq_entry_unref (entries[2]);
  g_assert_cmpint (state_of (tier).count, ==, 1);
}

static void
test_never_gives_an_id_twice (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  guint32 last = DSQ_TABLE_MAIN;

  for (guint round = 0; round < 4; round++)
    {
      g_autoptr (GError) error = NULL;
      DsqTableState state;
      DsqChange change = { .presence = DSQ_PRESENCE_UNKNOWN };
      DsqKey key;

      begin (tier);
      state = open_table (tier, "b");
      g_assert_cmpuint (state.table, >, last);
      last = state.table;
      g_assert_cmpuint (open_table (tier, "").table, ==, last + 1);
      if (round % 2 == 0)
        set_in (tier, last, "k", 0);
      commit (tier);
      assert_tables (tier, "b  ");
      begin (tier);
      g_assert_cmpuint (open_table (tier, "b").table, ==, last);
      g_assert_cmpuint (drop_table (tier, ""), ==, last + 1);
      g_assert_cmpuint (drop_table (tier, "b"), ==, last);
      g_assert_cmpuint (drop_table (tier, "b"), ==, 0);
      g_assert_false (tier->funcs->get_table (tier, last, &state));
      commit (tier);
      assert_tables (tier, "");

      /* who still has its id writes nothing */
      key = key_in (last, "k");
      change.entry = dsq_entry_new (&key, (const guint8 *) "\3v", 2, 0);
      change.place = ((gint64) last << DSQ_FORMAT_POSITION_BITS) + 9;
      begin (tier);
      g_assert_false (tier->funcs->apply (tier, &change, 1, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
      tier->funcs->rollback (tier);
      dsq_entry_unref (change.entry);
      last++;
    }
}

static void
test_rolls_tables_back (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  DsqTableState state;
  guint32 kept;

  begin (tier);
  open_table (tier, "gone");
  tier->funcs->rollback (tier);
  assert_tables (tier, "");
  begin (tier);
  kept = open_table (tier, "kept").table;
  set_in (tier, kept, "k", 0);
  commit (tier);
  tier->funcs->rollback (tier);
  assert_tables (tier, "kept ");

  begin (tier);
  g_assert_cmpuint (drop_table (tier, "kept"), ==, kept);
  g_assert_cmpuint (open_table (tier, "kept").table, !=, kept);
  tier->funcs->rollback (tier);
  assert_tables (tier, "kept ");
  begin (tier);
  g_assert_true (tier->funcs->get_table (tier, kept, &state));
  g_assert_cmpint (state.count, ==, 1);
  g_assert_cmpuint (open_table (tier, "kept").table, ==, kept);
  commit (tier);
}

static void
test_finds_what_has_expired (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  DsqExpirySpan all = { G_MININT64, G_MAXINT64, 50 };
  DsqExpirySpan again = all, by_two = all, nothing = { G_MININT64, G_MAXINT64, G_MININT64 };
  guint32 other;

  begin (tier);
  other = open_table (tier, "other").table;
  set_in (tier, DSQ_TABLE_MAIN, "c", 30);
  set_in (tier, DSQ_TABLE_MAIN, "never", 0);
  set_in (tier, DSQ_TABLE_MAIN, "z", 99);
  set_in (tier, other, "b", 20);
  assert_expired (tier, TRUE, &again, 9, "b20 c30 |99");
  commit (tier);
  assert_expired (tier, FALSE, &nothing, 1, "|20");
  assert_expired (tier, FALSE, &all, 9, "b20 c30 |99");
  assert_expired (tier, FALSE, &by_two, 1, "b20 |50");
  assert_expired (tier, FALSE, &by_two, 1, "c30 |50");
  assert_expired (tier, FALSE, &by_two, 1, "|99");
}

static const ContractTest tests[] = {
  { "is-empty-at-first", test_is_empty_at_first },
  { "keeps-tables-apart", test_keeps_tables_apart },
  { "never-gives-an-id-twice", test_never_gives_an_id_twice },
  { "rolls-tables-back", test_rolls_tables_back },
  { "finds-what-has-expired", test_finds_what_has_expired },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_contract_tests ("tables", tests, G_N_ELEMENTS (tests));
  return g_test_run ();
}
