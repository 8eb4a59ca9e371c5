/* test-cold-readers.c - reads that keep their transaction, and the filter of absent keys
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "tier-fixture.h"

static void
set_up_held (Fixture *fixture, gconstpointer data)
{
  set_up (fixture, data);
  fixture->tier->file->funcs->set_may_hold (fixture->tier->file, TRUE);
  put (fixture->tier, "a", "1");
}

/* --- transactions that are kept --------------------------------------------------------------- */

/* A kept transaction is the reason why stock SQLite cannot empty the log. */
static gboolean
is_log_held (const char *path)
{
  sqlite3 *handle = open_stock (path);
  int code;

  /* what has not read knows of no log */
  g_assert_cmpint (sqlite3_exec (handle, "SELECT 1 FROM tables", NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_busy_timeout (handle, 0);
  code = sqlite3_wal_checkpoint_v2 (handle, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
  g_assert_cmpint (sqlite3_close (handle), ==, SQLITE_OK);
  return code == SQLITE_BUSY;
}

static void
hold (Fixture *fixture)
{
  assert_value (fixture->tier, "a", "1");
  assert_value (fixture->tier, "a", "1");
  g_assert_true (fixture->tier->file->holds_readers);
}

static void
run_impatiently (const char *path, const char *sql)
{
  sqlite3 *handle = open_stock (path);

  sqlite3_busy_timeout (handle, 0);
  g_assert_cmpint (sqlite3_exec (handle, sql, NULL, NULL, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_close (handle), ==, SQLITE_OK);
}

static void
test_second_read_keeps_its_transaction (Fixture *fixture, gconstpointer data)
{
  assert_value (fixture->tier, "a", "1");
  g_assert_false (fixture->tier->file->holds_readers);
  assert_value (fixture->tier, "a", "1");
  g_assert_true (fixture->tier->file->holds_readers);
}

static void
test_nothing_is_kept_unless_somebody_tends (Fixture *fixture, gconstpointer data)
{
  fixture->tier->file->funcs->set_may_hold (fixture->tier->file, FALSE);
  for (guint i = 0; i < 4; i++)
    assert_value (fixture->tier, "a", "1");
  g_assert_false (fixture->tier->file->holds_readers);
  g_assert_false (is_log_held (fixture->path));
}

static void
test_kept_transactions_see_every_commit (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 50; i++)
    {
      g_autofree char *value = g_strdup_printf ("own %u", i);
      const char *sql = "UPDATE tables SET holes = holes + 1,"
                        " floor = (SELECT max (place) & (1 << 40) - 1 FROM entry) + 1;"
                        "DELETE FROM entry WHERE token = CAST ('b' AS BLOB)";

      hold (fixture);
      put (fixture->tier, "b", value);
      assert_value (fixture->tier, "b", value);
      hold (fixture);
      run_impatiently (fixture->path, sql);
      assert_value (fixture->tier, "b", NULL);
      catch_up (fixture->tier);
    }
}

static void
test_idle_ones_end (Fixture *fixture, gconstpointer data)
{
  hold (fixture);
  g_assert_true (fixture->tier->file->funcs->tend (fixture->tier->file));
  g_assert_false (fixture->tier->file->funcs->tend (fixture->tier->file));
  g_assert_false (fixture->tier->file->holds_readers);
  g_assert_false (is_log_held (fixture->path));
}

static void
test_used_ones_stay (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 5; i++)
    {
      hold (fixture);
      g_assert_true (fixture->tier->file->funcs->tend (fixture->tier->file));
    }
}

static void
test_checkpoint_ends_them (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  hold (fixture);
  put (fixture->tier, "b", "2");
  g_assert_true (fixture->tier->file->funcs->checkpoint (fixture->tier->file, &error));
  g_assert_no_error (error);
  g_assert_false (fixture->tier->file->funcs->wants_checkpoint (fixture->tier->file, TRUE));
  g_assert_false (is_log_held (fixture->path));
  hold (fixture);
}

/* What another tier commits is noticed by who comes by, not only by the next read. */
static void
test_old_ones_end (Fixture *fixture, gconstpointer data)
{
  Foreign foreign = { 0 };
  DsqColdTier *other = open_tier (fixture->path, &foreign);

  hold (fixture);
  put (other, "b", "2");
  g_assert_false (fixture->tier->file->funcs->tend (fixture->tier->file));
  g_assert_false (is_log_held (fixture->path));
  close_tier (other);
}

/* A log that is all in the file can be started anew but for who reads from it: used or not, that
 * ends, and what comes then reads from the file. */
static void
test_ones_in_a_log_that_is_in_the_file_end (Fixture *fixture, gconstpointer data)
{
  hold (fixture);
  g_assert_true (is_log_held (fixture->path));
  hold (fixture);
  g_assert_false (is_log_held (fixture->path));
  g_assert_true (fixture->tier->file->funcs->tend (fixture->tier->file));

  put (fixture->tier, "b", "2");
  hold (fixture);
  g_assert_true (is_log_held (fixture->path));
  g_assert_false (fixture->tier->file->funcs->tend (fixture->tier->file));
  g_assert_false (is_log_held (fixture->path));
}

/* --- the filter ------------------------------------------------------------------------------- */

static gboolean
may_contain (Fixture *fixture, const char *text)
{
  DsqKey key = key_of (text);

  return dsq_cold_tier_may_contain (fixture->tier, &key);
}

static void
build (Fixture *fixture, guint max_rows)
{
  dsq_cold_filter_begin (fixture->tier->filter);
  while (dsq_cold_filter_fill (fixture->tier->filter, max_rows))
    g_assert_true (may_contain (fixture, "absent"));
}

static void
put_many (Fixture *fixture, guint n)
{
  begin (fixture->tier);
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);

      apply_one (fixture->tier, key, "x", DSQ_PRESENCE_UNKNOWN);
    }
  commit (fixture->tier);
}

static void
test_filter_is_wanted_when_it_pays (Fixture *fixture, gconstpointer data)
{
  put_many (fixture, 3200);
  g_assert_false (dsq_cold_filter_wants_build (fixture->tier->filter, 100));
  g_assert_true (dsq_cold_filter_wants_build (fixture->tier->filter, 100));
  g_assert_false (dsq_cold_filter_is_worth (fixture->tier->filter, 100));
  g_assert_true (dsq_cold_filter_is_worth (fixture->tier->filter, 300));
  build (fixture, 1000);
  g_assert_false (dsq_cold_filter_wants_build (fixture->tier->filter, 100));
}

static void
test_filter_has_every_key (Fixture *fixture, gconstpointer data)
{
  const guint steps[] = { 1, 7, 1000, 100000 };
  guint n_false = 0;

  put_many (fixture, 2000);
  put (fixture->tier, "", "empty");
  for (guint s = 0; s < G_N_ELEMENTS (steps); s++)
    {
      build (fixture, steps[s]);
      for (guint i = 0; i < 2000; i++)
        {
          g_autofree char *key = g_strdup_printf ("key %u", i);
          g_autofree char *absent = g_strdup_printf ("no key %u", i);

          g_assert_true (may_contain (fixture, key));
          n_false += may_contain (fixture, absent);
        }
      g_assert_true (may_contain (fixture, "") && may_contain (fixture, "a"));
      dsq_cold_filter_reset (fixture->tier->filter);
    }
  g_assert_cmpuint (n_false, <, 2000 / 20);
}

static void
test_filter_learns_what_comes_in (Fixture *fixture, gconstpointer data)
{
  put_many (fixture, 100);
  dsq_cold_filter_begin (fixture->tier->filter);
  g_assert_true (dsq_cold_filter_fill (fixture->tier->filter, 50));
  put (fixture->tier, "\001 first of all", "x");
  while (dsq_cold_filter_fill (fixture->tier->filter, 50))
    ;
  g_assert_true (may_contain (fixture, "\001 first of all"));
  g_assert_false (may_contain (fixture, "b"));
  put (fixture->tier, "b", "2");
  g_assert_true (may_contain (fixture, "b"));
}

/* What it knows to be absent is inserted without a look, and is told to have been absent. */
static void
test_filter_resolves_unknown_presences (Fixture *fixture, gconstpointer data)
{
  build (fixture, 10);
  g_assert_cmpuint (put (fixture->tier, "b", "2"), ==, DSQ_PRESENCE_ABSENT);
  g_assert_cmpuint (put (fixture->tier, "b", "3"), ==, DSQ_PRESENCE_PRESENT);
  g_assert_cmpuint (put (fixture->tier, "a", "4"), ==, DSQ_PRESENCE_PRESENT);
  g_assert_cmpuint (put (fixture->tier, "c", NULL), ==, DSQ_PRESENCE_ABSENT);
  assert_value (fixture->tier, "b", "3");
}

static void
test_foreign_commit_resets_the_filter (Fixture *fixture, gconstpointer data)
{
  DsqFilterStats stats;

  build (fixture, 10);
  g_assert_false (may_contain (fixture, "b"));
  run_stock (fixture->path, "UPDATE tables SET floor = floor + 1");
  g_assert_false (dsq_cold_tier_is_current (fixture->tier));
  catch_up (fixture->tier);
  g_assert_true (may_contain (fixture, "b"));
  build (fixture, 10);
  g_assert_false (may_contain (fixture, "b"));
  dsq_filter_get_stats (fixture->tier->filter->bits, &stats);
  g_assert_cmpuint (stats.keys, ==, 1);
  g_assert_cmpuint (stats.bytes, >, 0);
}

static void
test_clear_empties_the_filter (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  build (fixture, 10);
  begin (fixture->tier);
  g_assert_true (fixture->tier->funcs->clear_table (fixture->tier, DSQ_TABLE_MAIN, &error));
  fixture->tier->funcs->rollback (fixture->tier);
  g_assert_true (may_contain (fixture, "a"));
  begin (fixture->tier);
  g_assert_true (fixture->tier->funcs->clear_table (fixture->tier, DSQ_TABLE_MAIN, &error));
  commit (fixture->tier);
  g_assert_false (may_contain (fixture, "a"));
}

/* --- sizes ------------------------------------------------------------------------------------ */

static void
assert_sizes (DsqDatabase *database, gint64 cache_kib, gint64 log_bytes)
{
  g_autoptr (GError) error = NULL;
  gint64 cache, log;

  g_assert_true (dsq_database_get_number (database, "PRAGMA cache_size", "look", &cache, &error));
  g_assert_true (
      dsq_database_get_number (database, "PRAGMA journal_size_limit", "look", &log, &error));
  g_assert_no_error (error);
  g_assert_cmpint (cache, ==, -cache_kib);
  g_assert_cmpint (log, ==, log_bytes);
}

/* What every connection has at its next use, of those that are open. */
static void
assert_all_sizes (Fixture *fixture, gint64 cache_kib, gint64 log_bytes)
{
  DsqColdSqlite *tier = (DsqColdSqlite *) fixture->tier;
  g_autoptr (GError) error = NULL;
  DsqColdReader *reader = dsq_cold_readers_take (tier, &error);

  g_assert_no_error (error);
  assert_sizes (reader->database, cache_kib, log_bytes);
  dsq_cold_readers_give_back (tier, reader);
  begin (fixture->tier);
  assert_sizes (tier->writer.database, cache_kib, log_bytes);
  commit (fixture->tier);
}

static void
test_sizes_become_larger (Fixture *fixture, gconstpointer data)
{
  const DsqColdFileFuncs *funcs = fixture->tier->file->funcs;

  assert_value (fixture->tier, "a", "1");
  funcs->widen (fixture->tier->file, 100 << 20, 200 << 20);
  assert_all_sizes (fixture, 100 << 10, 200 << 20);
  funcs->widen (fixture->tier->file, 101 << 20, 1 << 20);
  assert_all_sizes (fixture, 101 << 10, 200 << 20);
}

#define ADD(path, func)                                                                            \
  g_test_add ("/dsq/cold-readers/" path, Fixture, NULL, set_up_held, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("second-read-keeps-its-transaction", test_second_read_keeps_its_transaction);
  ADD ("nothing-is-kept-unless-somebody-tends", test_nothing_is_kept_unless_somebody_tends);
  ADD ("kept-transactions-see-every-commit", test_kept_transactions_see_every_commit);
  ADD ("idle-ones-end", test_idle_ones_end);
  ADD ("used-ones-stay", test_used_ones_stay);
  ADD ("old-ones-end", test_old_ones_end);
  ADD ("ones-in-a-log-that-is-in-the-file-end", test_ones_in_a_log_that_is_in_the_file_end);
  ADD ("checkpoint-ends-them", test_checkpoint_ends_them);
  ADD ("filter-is-wanted-when-it-pays", test_filter_is_wanted_when_it_pays);
  ADD ("filter-has-every-key", test_filter_has_every_key);
  ADD ("filter-learns-what-comes-in", test_filter_learns_what_comes_in);
  ADD ("filter-resolves-unknown-presences", test_filter_resolves_unknown_presences);
  ADD ("foreign-commit-resets-the-filter", test_foreign_commit_resets_the_filter);
  ADD ("clear-empties-the-filter", test_clear_empties_the_filter);
  ADD ("sizes-become-larger", test_sizes_become_larger);
  return g_test_run ();
}
