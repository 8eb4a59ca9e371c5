/* test-cold-tier.c - the entries in the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <unistd.h>

#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "tier-fixture.h"

static void
reopen (Fixture *fixture)
{
  close_tier (fixture->tier);
  fixture->tier = open_tier (fixture->path, &fixture->foreign);
}

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
test_moved_file_is_not_mixed_up (Fixture *fixture, gconstpointer data)
{
  g_autofree char *aside = g_build_filename (fixture->folder, "aside", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqEntry) entry = NULL;
  DsqKey key = key_of ("a");
  DsqColdSqlite *self = (DsqColdSqlite *) fixture->tier;
  DsqColdReader *first;

  dsq_fork_enter ();
  first = dsq_cold_readers_take (self, &error);
  g_assert_no_error (error);
  g_assert_no_errno (g_rename (fixture->path, aside));
  g_assert_true (g_file_set_contents (fixture->path, "another", -1, NULL));
  /* that takes a second reader, which has to be opened */
  g_assert_false (dsq_cold_tier_get (fixture->tier, &key, &entry, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
  g_assert_no_errno (g_rename (aside, fixture->path));
  assert_value (fixture->tier, "a", NULL);
  dsq_cold_readers_give_back (self, first);
  dsq_fork_leave ();
}

/* One that was opened on what has the file's name no more, though that is the writer's again. */
static void
test_reader_of_another_file_is_refused (Fixture *fixture, gconstpointer data)
{
  g_autofree char *aside = g_build_filename (fixture->folder, "aside", NULL);
  g_autofree char *other = g_build_filename (fixture->folder, "other", NULL);
  g_autoptr (GError) error = NULL;
  DsqDatabase *database;

  g_assert_no_errno (g_rename (fixture->path, aside));
  g_assert_true (g_file_set_contents (fixture->path, "", 0, NULL));
  dsq_fork_enter ();
  database = dsq_database_open (fixture->path, DSQ_DATABASE_READ, 0, &error);
  g_assert_no_error (error);
  g_assert_no_errno (g_rename (fixture->path, other));
  g_assert_no_errno (g_rename (aside, fixture->path));
  g_assert_false (dsq_cold_readers_add ((DsqColdSqlite *) fixture->tier, database, &error));
  dsq_fork_leave ();
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
  g_assert_no_errno (g_unlink (other));
}

#define ADD(path, func)                                                                            \
  g_test_add ("/dsq/cold-tier/" path, Fixture, NULL, set_up, func, tear_down_alone)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("keeps-entries-over-reopening", test_keeps_entries_over_reopening);
  ADD ("keeps-expiry", test_keeps_expiry);
  ADD ("commit-of-nothing-is-none", test_commit_of_nothing_is_none);
  ADD ("reads-inside-the-transaction", test_reads_inside_the_transaction);
  ADD ("large-values-pass", test_large_values_pass);
  ADD ("damage-is-told", test_damage_is_told);
  ADD ("moved-file-is-not-mixed-up", test_moved_file_is_not_mixed_up);
  ADD ("reader-of-another-file-is-refused", test_reader_of_another_file_is_refused);
  return g_test_run ();
}
