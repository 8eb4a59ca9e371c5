/* test-cold-tier.c - the entries in the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "base/dsq-call-private.h"
#include "config.h"

#include <unistd.h>

#include "cold-support.h"

typedef struct
{
  char *folder; /* (owned) */
  char *path;   /* (owned) */
  Foreign foreign;
  DsqColdTier *tier; /* (owned) */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = make_folder ();
  fixture->path = g_build_filename (fixture->folder, "store", NULL);
  fixture->tier = open_tier (fixture->path, &fixture->foreign);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_autofree char *left = NULL;

  g_assert_cmpuint (stats_of (fixture->tier).foreign_changes, ==, 0);
  g_assert_cmpuint (fixture->foreign.n_calls, ==, 0);
  close_tier (fixture->tier);
  left = list_folder (fixture->folder);
  g_assert_cmpstr (left, ==, "store");
  assert_sound (fixture->path);
  g_free (fixture->path);
  remove_folder (fixture->folder);
}

static void
reopen (Fixture *fixture)
{
  close_tier (fixture->tier);
  fixture->tier = open_tier (fixture->path, &fixture->foreign);
}

static DsqTableState
state_of (DsqColdTier *tier)
{
  DsqTableState state;

  begin (tier);
  tier->funcs->get_table (tier, DSQ_TABLE_MAIN, &state);
  tier->funcs->rollback (tier);
  return state;
}

/* The keys in walking order, with spaces between. */
static char *
walk_keys (DsqColdTier *tier, gint64 place, DsqWalkOrder order, guint max_rows, gsize max_bytes)
{
  gboolean is_last;
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  g_autoptr (GString) keys = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  tier->funcs->walk (tier,
                     DSQ_TABLE_MAIN,
                     place,
                     order,
                     max_rows,
                     max_bytes,
                     FALSE,
                     rows,
                     &is_last,
                     &error);
  g_assert_no_error (error);
  for (guint i = 0; i < rows->len; i++)
    {
      DsqEntry *entry = g_array_index (rows, DsqColdRow, i).entry;

      g_string_append (keys, i > 0 ? " " : "");
      g_string_append_len (keys, (const char *) dsq_entry_key (entry), entry->key_length);
      dsq_entry_unref (entry);
    }
  return g_string_free (g_steal_pointer (&keys), FALSE);
}

#define assert_walk(tier, expected)                                                                \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autofree char *keys_ = walk_keys (tier, 0, DSQ_WALK_FORWARD, 100, G_MAXSIZE);                \
    g_assert_cmpstr (keys_, ==, expected);                                                         \
  }                                                                                                \
  G_STMT_END

static void
test_keeps_entries_over_reopening (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpint (put (fixture->tier, "a", "1"), ==, DSQ_PRESENCE_ABSENT);
  g_assert_cmpint (put (fixture->tier, "", "empty key"), ==, DSQ_PRESENCE_ABSENT);
  g_assert_cmpint (put (fixture->tier, "a", "2"), ==, DSQ_PRESENCE_PRESENT);
  reopen (fixture);
  g_assert_cmpint (fixture->foreign.count, ==, 2);
  g_assert_cmpint (fixture->foreign.next, ==, place_of (3));
  assert_value (fixture->tier, "a", "2");
  assert_value (fixture->tier, "", "empty key");
  assert_value (fixture->tier, "b", NULL);
}

static void
test_keeps_expiry (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqEntry) entry = NULL;
  g_autoptr (DsqEntry) back = NULL;
  DsqKey key = key_of ("key");
  DsqChange change = { .place = place_of (1) };

  change.entry = entry = dsq_entry_new (&key, (const guint8 *) "\3v", 2, 1234567890123);
  begin (fixture->tier);
  fixture->tier->funcs->apply (fixture->tier, &change, 1, &error);
  g_assert_no_error (error);
  commit (fixture->tier);
  dsq_cold_tier_get (fixture->tier, &key, &back, &error);
  g_assert_no_error (error);
  g_assert_cmpint (dsq_entry_expires (back), ==, 1234567890123);
  assert_entry (back, "v");
  assert_stock (fixture->path, "SELECT expires FROM entry", "1234567890123");
}

static void
test_tells_presence (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;

  begin (tier);
  g_assert_cmpint (apply_one (tier, "a", NULL, DSQ_PRESENCE_UNKNOWN), ==, DSQ_PRESENCE_ABSENT);
  g_assert_cmpint (apply_one (tier, "a", "1", DSQ_PRESENCE_UNKNOWN), ==, DSQ_PRESENCE_ABSENT);
  g_assert_cmpint (apply_one (tier, "a", "1", DSQ_PRESENCE_UNKNOWN), ==, DSQ_PRESENCE_PRESENT);
  g_assert_cmpint (apply_one (tier, "a", "2", DSQ_PRESENCE_PRESENT), ==, DSQ_PRESENCE_PRESENT);
  g_assert_cmpint (apply_one (tier, "b", "1", DSQ_PRESENCE_ABSENT), ==, DSQ_PRESENCE_ABSENT);
  g_assert_cmpint (apply_one (tier, "b", NULL, DSQ_PRESENCE_PRESENT), ==, DSQ_PRESENCE_PRESENT);
  g_assert_cmpint (apply_one (tier, "b", NULL, DSQ_PRESENCE_ABSENT), ==, DSQ_PRESENCE_ABSENT);
  commit (tier);
  assert_value (tier, "a", "2");
  assert_value (tier, "b", NULL);
  g_assert_cmpint (state_of (tier).count, ==, 1);
  g_assert_cmpint (state_of (tier).next, ==, place_of (3));
}

static void
test_wrong_presence_is_corrupt (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *key;
    const char *value;
    DsqPresence presence;
  } wrong[] = {
    { "here", "1", DSQ_PRESENCE_ABSENT },
    { "gone", "1", DSQ_PRESENCE_PRESENT },
    { "gone", NULL, DSQ_PRESENCE_PRESENT },
  };
  DsqColdTier *tier = fixture->tier;

  put (tier, "here", "0");
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;
      DsqChange change = change_of (wrong[i].key, wrong[i].value, place_of (9), wrong[i].presence);

      begin (tier);
      g_assert_false (tier->funcs->apply (tier, &change, 1, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
      tier->funcs->rollback (tier);
      dsq_entry_unref (change.entry);
    }
  /* a place that is taken */
  {
    g_autoptr (GError) error = NULL;
    DsqChange change = change_of ("new", "1", place_of (1), DSQ_PRESENCE_UNKNOWN);

    begin (tier);
    g_assert_false (tier->funcs->apply (tier, &change, 1, &error));
    g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
    tier->funcs->rollback (tier);
    dsq_entry_unref (change.entry);
  }
  assert_value (tier, "here", "0");
  put (tier, "here", "2");
  assert_value (tier, "here", "2");
}

static void
test_full_table_is_refused (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  DsqChange change = change_of ("a", "1", place_of (0) - 1, DSQ_PRESENCE_UNKNOWN);

  begin (fixture->tier);
  g_assert_false (fixture->tier->funcs->apply (fixture->tier, &change, 1, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_FAILED);
  fixture->tier->funcs->rollback (fixture->tier);
  dsq_entry_unref (change.entry);
}

static void
test_overwriting_keeps_the_place (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  DsqChange change;

  put (tier, "a", "1");
  put (tier, "b", "1");
  put (tier, "c", "1");
  put (tier, "a", "2");
  assert_walk (tier, "a b c");

  /* reinsertion goes last, and may not know whether the key was there */
  begin (tier);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;
      DsqPresence presence = i == 0 ? DSQ_PRESENCE_UNKNOWN : DSQ_PRESENCE_PRESENT;

      change = change_of (i == 0 ? "a" : "b", "3", place_of (4 + i), presence);
      change.reinsert = TRUE;
      tier->funcs->apply (tier, &change, 1, &error);
      g_assert_no_error (error);
      g_assert_cmpint (change.presence, ==, DSQ_PRESENCE_PRESENT);
      dsq_entry_unref (change.entry);
    }
  commit (tier);
  assert_walk (tier, "c a b");
  g_assert_cmpint (state_of (tier).count, ==, 3);
}

static void
test_clears (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GError) error = NULL;

  put (tier, "a", "1");
  put (tier, "b", "1");
  begin (tier);
  tier->funcs->clear_table (tier, DSQ_TABLE_MAIN, &error);
  g_assert_no_error (error);
  g_assert_cmpint (apply_one (tier, "b", "2", DSQ_PRESENCE_ABSENT), ==, DSQ_PRESENCE_ABSENT);
  commit (tier);
  assert_walk (tier, "b");
  /* places are never used again */
  g_assert_cmpint (state_of (tier).next, ==, place_of (4));
  g_assert_cmpint (state_of (tier).count, ==, 1);
}

static void
test_rollback_restores_all (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GError) error = NULL;

  put (tier, "a", "1");
  begin (tier);
  apply_one (tier, "a", "2", DSQ_PRESENCE_UNKNOWN);
  apply_one (tier, "b", "2", DSQ_PRESENCE_UNKNOWN);
  tier->funcs->clear_table (tier, DSQ_TABLE_MAIN, &error);
  g_assert_no_error (error);
  tier->funcs->rollback (tier);
  tier->funcs->rollback (tier);
  assert_value (tier, "a", "1");
  assert_value (tier, "b", NULL);
  g_assert_cmpint (state_of (tier).count, ==, 1);
  g_assert_cmpint (state_of (tier).next, ==, place_of (2));
}

static void
test_savepoint_fails_alone (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;

  begin (tier);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GError) error = NULL;
      const char *keys[] = { "a", "b", "c" };

      g_assert_true (tier->funcs->savepoint (tier, &error));
      apply_one (tier, keys[i], "1", DSQ_PRESENCE_UNKNOWN);
      g_assert_true (tier->funcs->release (tier, i != 1, &error));
      g_assert_no_error (error);
    }
  commit (tier);
  assert_walk (tier, "a c");
  g_assert_cmpint (state_of (tier).count, ==, 2);
  g_assert_cmpint (state_of (tier).next, ==, place_of (3));
}

static void
test_commit_of_nothing_is_none (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GError) error = NULL;
  guint64 before[G_N_ELEMENTS (tier->seen_version)];

  put (tier, "a", "1");
  for (guint i = 0; i < G_N_ELEMENTS (before); i++)
    before[i] = tier->live_version[i];
  begin (tier);
  apply_one (tier, "b", NULL, DSQ_PRESENCE_UNKNOWN);
  g_assert_true (tier->funcs->savepoint (tier, &error));
  apply_one (tier, "b", "1", DSQ_PRESENCE_UNKNOWN);
  g_assert_true (tier->funcs->release (tier, FALSE, &error));
  commit (tier);
  for (guint i = 0; i < G_N_ELEMENTS (before); i++)
    g_assert_cmpuint (before[i], ==, tier->live_version[i]);
  g_assert_cmpuint (stats_of (tier).commits, ==, 1);
}

static void
test_reads_inside_the_transaction (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  g_autoptr (DsqEntry) entry = NULL;
  DsqKey key = key_of ("a");

  begin (tier);
  apply_one (tier, "a", "1", DSQ_PRESENCE_UNKNOWN);
  g_assert_true (tier->funcs->get_in_transaction (tier, &key, &entry, NULL));
  assert_entry (entry, "1");
  assert_value (tier, "a", NULL);
  commit (tier);
  assert_value (tier, "a", "1");
}

static void
test_gets_many_in_the_order_asked (Fixture *fixture, gconstpointer data)
{
  const char *names[] = { "b", "none", "a", "b", "" };
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GError) error = NULL;
  DsqKey keys[G_N_ELEMENTS (names)];
  DsqEntry *entries[G_N_ELEMENTS (names)];
  gint64 places[G_N_ELEMENTS (names)];

  put (tier, "a", "1");
  put (tier, "b", "2");
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    keys[i] = key_of (names[i]);
  g_assert_true (tier->funcs->get_many (tier, keys, G_N_ELEMENTS (names), entries, &error));
  g_assert_true (tier->funcs->probe (tier, keys, G_N_ELEMENTS (names), places, &error));
  g_assert_true (tier->funcs->get_many (tier, keys, 0, entries, &error));
  g_assert_no_error (error);

  assert_entry (entries[0], "2");
  assert_entry (entries[1], NULL);
  assert_entry (entries[2], "1");
  assert_entry (entries[3], "2");
  assert_entry (entries[4], NULL);
  g_assert_cmpint (places[0], ==, place_of (2));
  g_assert_cmpint (places[1], ==, 0);
  g_assert_cmpint (places[2], ==, place_of (1));
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    g_clear_pointer (&entries[i], dsq_entry_unref);
}

static void
test_walks_in_batches (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  const char *names[] = { "e", "d", "c", "b", "a" };
  static const struct
  {
    gint64 position;
    DsqWalkOrder order;
    guint max_rows;
    gsize max_bytes;
    const char *expected;
  } walks[] = {
    { -1, DSQ_WALK_FORWARD, 100, G_MAXSIZE, "e d c b a" },
    { -1, DSQ_WALK_FORWARD, 2, G_MAXSIZE, "e d" },
    { 2, DSQ_WALK_FORWARD, 2, G_MAXSIZE, "c b" },
    { 5, DSQ_WALK_FORWARD, 2, G_MAXSIZE, "" },
    { -1, DSQ_WALK_FORWARD, 100, 1, "e" },
    { -1, DSQ_WALK_REVERSE, 2, G_MAXSIZE, "a b" },
    { 4, DSQ_WALK_REVERSE, 100, G_MAXSIZE, "c d e" },
    { 1, DSQ_WALK_REVERSE, 100, G_MAXSIZE, "" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    put (tier, names[i], "1");
  for (guint i = 0; i < G_N_ELEMENTS (walks); i++)
    {
      gint64 start = walks[i].order == DSQ_WALK_FORWARD ? 0 : G_MAXINT64;
      gint64 place = walks[i].position < 0 ? start : place_of (walks[i].position);
      g_autofree char *keys =
          walk_keys (tier, place, walks[i].order, walks[i].max_rows, walks[i].max_bytes);

      g_assert_cmpstr (keys, ==, walks[i].expected);
    }
}

static void
test_large_values_pass (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  gsize length = 100 << 20;
  g_autofree char *value = g_malloc (length + 1);

  memset (value, 'x', length);
  value[length] = '\0';
  put (tier, "large", value);
  assert_value (tier, "large", value);
}

static void
test_damage_is_told (Fixture *fixture, gconstpointer data)
{
  const char *damages[] = {
    "UPDATE entry SET value = CAST (x'0100000000' || substr (value, 6) AS BLOB)"
    " WHERE token = x'61'",
    "UPDATE entry SET value = x'' WHERE token = x'61'",
    "UPDATE entry SET value = (SELECT value FROM entry WHERE token = x'62') WHERE token = x'61'",
    "UPDATE entry SET expires = 5 WHERE token = x'61'",
    "UPDATE entry SET expires = 0 WHERE token = x'61'",
  };
  DsqKey key = key_of ("a");

  for (guint i = 0; i < G_N_ELEMENTS (damages); i++)
    {
      g_autoptr (GError) error = NULL;
      gboolean is_last;
      g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
      g_autoptr (DsqEntry) entry = NULL;
      DsqColdTier *tier;

      put (fixture->tier, "a", "1");
      put (fixture->tier, "b", "2");
      close_tier (fixture->tier);
      run_stock (fixture->path, damages[i]);
      tier = fixture->tier = open_tier (fixture->path, &fixture->foreign);

      g_assert_false (dsq_cold_tier_get (tier, &key, &entry, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
      g_assert_null (entry);
      g_clear_error (&error);
      g_assert_false (tier->funcs->get_many (tier, &key, 1, &entry, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
      g_clear_error (&error);
      g_assert_false (tier->funcs->walk (tier,
                                         DSQ_TABLE_MAIN,
                                         0,
                                         DSQ_WALK_FORWARD,
                                         9,
                                         99,
                                         FALSE,
                                         rows,
                                         &is_last,
                                         &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
      g_assert_cmpuint (rows->len, ==, 0);
      assert_value (tier, "b", "2");
      /* an overwrite heals */
      g_assert_cmpint (put (tier, "a", "2"), ==, DSQ_PRESENCE_PRESENT);
      assert_value (tier, "a", "2");
    }
}

static void
test_cancelled_apply_stops (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  DsqCall call;
  g_autoptr (GError) error = NULL;
  DsqChange change = change_of ("a", "1", place_of (1), DSQ_PRESENCE_UNKNOWN);

  g_cancellable_cancel (cancellable);
  begin (tier);
  dsq_call_begin_for (&call, cancellable);
  g_assert_false (tier->funcs->apply (tier, &change, 1, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  dsq_call_end (&call);
  tier->funcs->rollback (tier);
  assert_value (tier, "a", NULL);
  dsq_entry_unref (change.entry);
}

static void
test_moved_file_is_not_mixed_up (Fixture *fixture, gconstpointer data)
{
  g_autofree char *aside = g_build_filename (fixture->folder, "aside", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqEntry) entry = NULL;
  DsqKey key = key_of ("a");

  g_assert_no_errno (g_rename (fixture->path, aside));
  g_assert_true (g_file_set_contents (fixture->path, "another", -1, NULL));
  g_assert_false (dsq_cold_tier_get (fixture->tier, &key, &entry, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
  g_assert_no_errno (g_rename (aside, fixture->path));
  assert_value (fixture->tier, "a", NULL);
}

#define ADD(path, func) g_test_add ("/dsq/cold-tier/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("keeps-entries-over-reopening", test_keeps_entries_over_reopening);
  ADD ("keeps-expiry", test_keeps_expiry);
  ADD ("tells-presence", test_tells_presence);
  ADD ("wrong-presence-is-corrupt", test_wrong_presence_is_corrupt);
  ADD ("full-table-is-refused", test_full_table_is_refused);
  ADD ("overwriting-keeps-the-place", test_overwriting_keeps_the_place);
  ADD ("clears", test_clears);
  ADD ("rollback-restores-all", test_rollback_restores_all);
  ADD ("savepoint-fails-alone", test_savepoint_fails_alone);
  ADD ("commit-of-nothing-is-none", test_commit_of_nothing_is_none);
  ADD ("reads-inside-the-transaction", test_reads_inside_the_transaction);
  ADD ("gets-many-in-the-order-asked", test_gets_many_in_the_order_asked);
  ADD ("walks-in-batches", test_walks_in_batches);
  ADD ("large-values-pass", test_large_values_pass);
  ADD ("damage-is-told", test_damage_is_told);
  ADD ("cancelled-apply-stops", test_cancelled_apply_stops);
  ADD ("moved-file-is-not-mixed-up", test_moved_file_is_not_mixed_up);
  return g_test_run ();
}
