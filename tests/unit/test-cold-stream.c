/* test-cold-stream.c - many rows written, and many keys looked up, by one statement
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "cold-contract.h"
#include "cold/dsq-cold-sqlite-private.h"

/* Of more than one statement. */
#define N_MANY 10000
/* Of more than one block. */
#define N_WANTED 40000

typedef struct
{
  GPtrArray *keys; /* (owned) of char * (owned) */
  GArray *changes; /* (owned) of DsqChange */
} Many;

static Many
many_new (guint first, guint n, guint step, const char *value, DsqPresence presence)
{
  Many self = { g_ptr_array_new_with_free_func (g_free),
                g_array_new (FALSE, FALSE, sizeof (DsqChange)) };

  for (guint i = 0; i < n; i++)
    {
      char *key = g_strdup_printf ("key %u", first + i * step);
      DsqChange change = change_of (key, value, 0, presence);

      g_ptr_array_add (self.keys, key);
      g_array_append_val (self.changes, change);
    }
  return self;
}

static void
many_clear (Many *self)
{
  for (guint i = 0; i < self->changes->len; i++)
    dsq_entry_unref (g_array_index (self->changes, DsqChange, i).entry);
  g_array_unref (self->changes);
  g_ptr_array_unref (self->keys);
}

static gboolean
apply_many (DsqColdTier *tier, Many *self, GError **error)
{
  return tier->funcs->apply (tier,
                             (DsqChange *) (gpointer) self->changes->data,
                             self->changes->len,
                             error);
}

static void
write_many (DsqColdTier *tier, Many *self)
{
  g_autoptr (GError) error = NULL;

  begin (tier);
  apply_many (tier, self, &error);
  g_assert_no_error (error);
  commit (tier);
}

/* Each is told apart, in the midst of others, and only new ones get places, in their order. */
static void
test_tells_new_from_old (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  Many even = many_new (0, N_MANY / 2, 2, "value", DSQ_PRESENCE_UNKNOWN);
  Many all = many_new (0, N_MANY, 1, "value", DSQ_PRESENCE_UNKNOWN);
  Many again = many_new (0, N_MANY, 1, "again", DSQ_PRESENCE_UNKNOWN);

  write_many (tier, &even);
  write_many (tier, &all);
  write_many (tier, &again);
  for (guint i = 0; i < N_MANY; i++)
    {
      g_assert_cmpint (g_array_index (all.changes, DsqChange, i).presence,
                       ==,
                       i % 2 == 0 ? DSQ_PRESENCE_PRESENT : DSQ_PRESENCE_ABSENT);
      g_assert_cmpint (g_array_index (again.changes, DsqChange, i).presence,
                       ==,
                       DSQ_PRESENCE_PRESENT);
    }
  g_assert_cmpint (state_of (tier).count, ==, N_MANY);
  g_assert_cmpint (state_of (tier).next, ==, place_of (N_MANY + 1));
  for (guint i = 0; i < N_MANY; i += 999)
    {
      DsqKey key = key_in (DSQ_TABLE_MAIN, g_ptr_array_index (all.keys, i));
      g_autoptr (GError) error = NULL;
      gint64 place;

      assert_value (tier, g_ptr_array_index (all.keys, i), "again");
      tier->funcs->probe (tier, &key, 1, &place, &error);
      g_assert_no_error (error);
      g_assert_cmpint (place, ==, place_of (i % 2 == 0 ? i / 2 + 1 : N_MANY / 2 + i / 2 + 1));
    }
  many_clear (&even);
  many_clear (&all);
  many_clear (&again);
}

/* A key that is there, or a place that is taken: in the midst, and as the last, which only the end
 * of the statement tells of. */
static void
test_damage_ends_it (Fixture *fixture, gconstpointer data)
{
  static const guint wrong[] = { 0, 7, N_MANY / 2, N_MANY - 1 };
  DsqColdTier *tier = fixture->tier;

  put (tier, "there", "before");
  for (guint i = 0; i < 2 * G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;
      Many many = many_new (0, N_MANY, 1, "value", DSQ_PRESENCE_ABSENT);
      DsqChange *change = &g_array_index (many.changes, DsqChange, wrong[i / 2]);

      dsq_entry_unref (change->entry);
      *change = i % 2 == 0 ? change_of ("there", "value", 0, DSQ_PRESENCE_ABSENT)
                           : change_of ("another", "value", place_of (1), DSQ_PRESENCE_UNKNOWN);
      begin (tier);
      g_assert_false (apply_many (tier, &many, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
      tier->funcs->rollback (tier);
      g_assert_cmpint (state_of (tier).next, ==, place_of (2));
      g_assert_cmpint (state_of (tier).count, ==, 1);
      assert_value (tier, "there", "before");
      assert_value (tier, "another", NULL);
      assert_value (tier, "key 1", NULL);
      many_clear (&many);
    }
}

/* The statements whose text has @name take the rows of that table as they come: SQLite must not
 * collect them in a table of its own first, nor sort them. */
static void
assert_streams (DsqDatabase *database, const char *name, guint n_expected)
{
  sqlite3_stmt *statement;
  guint n_found = 0;

  for (statement = sqlite3_next_stmt (database->handle, NULL); statement != NULL;
       statement = sqlite3_next_stmt (database->handle, statement))
    {
      g_autofree char *sql = g_strconcat ("EXPLAIN ", sqlite3_sql (statement), NULL);
      sqlite3_stmt *explain;
      gboolean has_virtual = FALSE;
      guint n_codes = 0;

      if (strstr (sql, name) == NULL)
        continue;
      n_found++;
      g_assert_cmpint (sqlite3_prepare_v2 (database->handle, sql, -1, &explain, NULL),
                       ==,
                       SQLITE_OK);
      while (sqlite3_step (explain) == SQLITE_ROW)
        {
          const char *code = (const char *) sqlite3_column_text (explain, 1);

          n_codes++;
          has_virtual = has_virtual || g_str_equal (code, "VNext");
          g_assert_false (g_str_has_prefix (code, "OpenEphemeral"));
          g_assert_false (g_str_has_prefix (code, "OpenAutoindex"));
          g_assert_false (g_str_has_prefix (code, "SorterOpen"));
          /* no walk through a tree */
          g_assert_false (g_str_equal (code, "Rewind"));
        }
      sqlite3_finalize (explain);
      g_assert_true (has_virtual && n_codes > 10);
    }
  g_assert_cmpuint (n_found, ==, n_expected);
}

/* The place of a row follows from what became of the row before, which SQLite must have written by
 * then. */
static void
test_rows_stream (Fixture *fixture, gconstpointer data)
{
  DsqColdWriter *writer = &((DsqColdSqlite *) fixture->tier)->writer;
  Many many = many_new (0, 100, 1, "value", DSQ_PRESENCE_UNKNOWN);

  /* it is prepared when it is first used */
  write_many (fixture->tier, &many);
  many_clear (&many);
  if (writer->stream != NULL)
    assert_streams (writer->database, "dsq_stream", 1);
}

/* --- looking up ------------------------------------------------------------------------------- */

/* Every second one is there; they are asked for in another order than the index has, and some
 * twice. */
static void
test_looks_up_many (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  Many even = many_new (0, N_WANTED / 2, 2, "value", DSQ_PRESENCE_UNKNOWN);
  Many all = many_new (0, N_WANTED, 1, "value", DSQ_PRESENCE_UNKNOWN);
  g_autofree DsqKey *keys = g_new (DsqKey, N_WANTED);
  g_autofree DsqEntry **entries = g_new (DsqEntry *, N_WANTED);
  g_autofree gint64 *places = g_new (gint64, N_WANTED);
  g_autoptr (GError) error = NULL;

  write_many (tier, &even);
  for (guint i = 0; i < N_WANTED; i++)
    keys[i] = key_in (DSQ_TABLE_MAIN, g_ptr_array_index (all.keys, i * 7919u % N_WANTED / 3 * 3));
  g_assert_true (tier->funcs->get_many (tier, keys, N_WANTED, entries, &error));
  g_assert_true (tier->funcs->probe (tier, keys, N_WANTED, places, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < N_WANTED; i++)
    {
      guint number = i * 7919u % N_WANTED / 3 * 3;

      assert_entry (entries[i], number % 2 == 0 ? "value" : NULL);
      g_assert_cmpint (places[i], ==, number % 2 == 0 ? place_of (number / 2 + 1) : 0);
      if (entries[i] != NULL)
        g_assert_cmpmem (dsq_entry_key (entries[i]),
                         entries[i]->key_length,
                         keys[i].bytes,
                         keys[i].length);
      g_clear_pointer (&entries[i], dsq_entry_unref);
    }
  many_clear (&even);
  many_clear (&all);
}

static DsqDatabase *
database_of_reader (DsqColdTier *tier)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;

  if (self->own_reader != NULL)
    return self->own_reader->database;
  g_assert_cmpuint (self->n_idle, ==, 1);
  return self->idle[0]->database;
}

static void
test_keys_stream (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  const DsqKey keys[] = { key_of ("a"), key_of ("b") };
  g_autoptr (GError) error = NULL;
  DsqEntry *entries[2];
  gint64 places[2];

  put (tier, "a", "1");
  g_assert_true (tier->funcs->get_many (tier, keys, 2, entries, &error));
  g_assert_true (tier->funcs->probe (tier, keys, 2, places, &error));
  g_assert_no_error (error);
  assert_streams (database_of_reader (tier), "dsq_wanted", 2);
  dsq_entry_unref (entries[0]);
}

/* Whoever may write to the file may put a table there that is read in the place of ours. */
static void
test_table_of_our_name (Fixture *fixture, gconstpointer data)
{
  static const char sql[] = "CREATE TABLE dsq_wanted AS SELECT table_id, token FROM entry";
  DsqColdTier *tier = fixture->tier;
  const DsqKey keys[] = { key_of ("a"), key_of ("b") };
  g_autoptr (GError) error = NULL;
  DsqEntry *entries[2];
  gint64 places[2];

  put (tier, "a", "1");
  begin (tier);
  g_assert_true (
      dsq_database_run (((DsqColdSqlite *) tier)->writer.database, sql, "make a table", &error));
  g_assert_no_error (error);
  set_in (tier, DSQ_TABLE_MAIN, "b", 0);
  commit (tier);
  g_assert_false (tier->funcs->get_many (tier, keys, 2, entries, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
  g_clear_error (&error);
  g_assert_false (tier->funcs->probe (tier, keys, 2, places, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
}

static const ContractTest tests[] = {
  { "tells-new-from-old", test_tells_new_from_old },
  { "damage-ends-it", test_damage_ends_it },
  { "rows-stream", test_rows_stream },
  { "looks-up-many", test_looks_up_many },
  { "keys-stream", test_keys_stream },
  { "table-of-our-name", test_table_of_our_name },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_contract_tests ("many", tests, G_N_ELEMENTS (tests));
  return g_test_run ();
}
