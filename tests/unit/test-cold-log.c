/* test-cold-log.c - syncing and checkpointing the write-ahead log
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-sqlite-private.h"
#include "tier-fixture.h"

static void
test_syncs_what_is_not_synced (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GError) error = NULL;

  g_assert_true (tier->file->funcs->sync (tier->file, &error));
  g_assert_cmpuint (stats_of (tier).syncs, ==, 0);
  put (tier, "a", "1");
  g_assert_true (tier->file->funcs->sync (tier->file, &error));
  g_assert_true (tier->file->funcs->sync (tier->file, &error));
  g_assert_cmpuint (stats_of (tier).syncs, ==, 1);
  put (tier, "a", "2");
  g_assert_true (tier->file->funcs->checkpoint (tier->file, &error));
  g_assert_true (tier->file->funcs->sync (tier->file, &error));
  g_assert_cmpuint (stats_of (tier).syncs, ==, 1);
  g_assert_no_error (error);
}

static void
test_checkpoint_is_wanted_when_due (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GError) error = NULL;
  g_autofree char *value = g_strnfill (13 << 20, 'x');

  g_assert_false (tier->file->funcs->wants_checkpoint (tier->file, TRUE));
  put (tier, "a", "1");
  g_assert_true (tier->file->funcs->wants_checkpoint (tier->file, TRUE));
  g_assert_false (tier->file->funcs->wants_checkpoint (tier->file, FALSE));
  put (tier, "b", value);
  g_assert_true (tier->file->funcs->wants_checkpoint (tier->file, FALSE));
  g_assert_true (tier->file->funcs->checkpoint (tier->file, &error));
  g_assert_no_error (error);
  g_assert_false (tier->file->funcs->wants_checkpoint (tier->file, FALSE));
  g_assert_false (tier->file->funcs->wants_checkpoint (tier->file, TRUE));
  g_assert_cmpuint (stats_of (tier).checkpoints, ==, 1);
  g_assert_cmpuint (stats_of (tier).file_bytes, >, 13 << 20);
}

/* Whoever vacuums a store may give it pages of another size. */
static void
rewrite_pages (const char *path, guint page_size)
{
  g_autofree char *sql = g_strdup_printf ("PRAGMA journal_mode = DELETE; PRAGMA page_size = %u;"
                                          "VACUUM; PRAGMA journal_mode = WAL",
                                          page_size);
  sqlite3 *database = open_stock (path);

  g_assert_cmpint (sqlite3_exec (database, sql, NULL, NULL, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_close (database), ==, SQLITE_OK);
}

/* It is bytes of the log that a checkpoint waits for: see the test above. */
static void
test_pages_of_another_size_change_nothing (Fixture *fixture, gconstpointer data)
{
  static const guint page_sizes[] = { 512, 1024, 16384, 65536 };

  for (guint i = 0; i < G_N_ELEMENTS (page_sizes); i++)
    {
      g_autoptr (GError) error = NULL;
      /* SQLite writes no page that stays as it is */
      g_autofree char *short_value = g_strnfill (7 << 20, (char) ('a' + i));
      g_autofree char *long_value = g_strnfill (13 << 20, (char) ('a' + i));

      close_tier (fixture->tier);
      rewrite_pages (fixture->path, page_sizes[i]);
      fixture->tier = open_tier (fixture->path, &fixture->foreign);
      put (fixture->tier, "a", short_value);
      g_assert_false (fixture->tier->file->funcs->wants_checkpoint (fixture->tier->file, FALSE));
      g_assert_true (fixture->tier->file->funcs->checkpoint (fixture->tier->file, &error));
      put (fixture->tier, "b", long_value);
      g_assert_true (fixture->tier->file->funcs->wants_checkpoint (fixture->tier->file, FALSE));
      g_assert_true (fixture->tier->file->funcs->checkpoint (fixture->tier->file, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (stats_of (fixture->tier).file_bytes % page_sizes[i], ==, 0);
    }
}

/* A reader of somebody else keeps a checkpoint from finishing: no error, and not tried again until
 * the log has grown. */
static void
test_reader_holds_a_checkpoint_up (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GError) error = NULL;
  g_autofree char *value = g_strnfill (13 << 20, 'x');
  sqlite3 *reader = open_stock (fixture->path);

  put (tier, "a", "1");
  g_assert_cmpint (sqlite3_exec (reader, "BEGIN; SELECT count(*) FROM entry", NULL, NULL, NULL),
                   ==,
                   SQLITE_OK);
  put (tier, "b", value);
  g_assert_true (tier->file->funcs->wants_checkpoint (tier->file, FALSE));
  g_assert_true (tier->file->funcs->checkpoint (tier->file, &error));
  g_assert_no_error (error);
  g_assert_false (tier->file->funcs->wants_checkpoint (tier->file, FALSE));
  g_assert_true (tier->file->funcs->wants_checkpoint (tier->file, TRUE));
  put (tier, "c", value);
  g_assert_true (tier->file->funcs->wants_checkpoint (tier->file, FALSE));
  g_assert_cmpint (sqlite3_close (reader), ==, SQLITE_OK);
}

static void
checkpoint_some (DsqColdTier *tier, guint n)
{
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < n; i++)
    {
      put (tier, "a", "1");
      g_assert_true (tier->file->funcs->checkpoint (tier->file, &error));
      g_assert_no_error (error);
    }
}

/* It is waited for a while, at every checkpoint a little, and then no more; but whoever comes after
 * it is. */
static void
test_checkpoints_give_up_a_reader_that_stays (Fixture *fixture, gconstpointer data)
{
  DsqColdSqlite *self = (DsqColdSqlite *) fixture->tier;
  sqlite3 *reader = open_stock (fixture->path);

  put (fixture->tier, "a", "1");
  g_assert_cmpint (sqlite3_exec (reader, "BEGIN; SELECT count(*) FROM entry", NULL, NULL, NULL),
                   ==,
                   SQLITE_OK);
  for (guint i = 0; i < 500 && self->stayed_us < 1000 * 1000; i++)
    checkpoint_some (fixture->tier, 1);
  g_assert_cmpuint (self->stayed_us, >=, 1000 * 1000);
  checkpoint_some (fixture->tier, 5);
  g_assert_cmpuint (self->stayed_us, <=, 1100 * 1000);
  g_assert_cmpint (sqlite3_close (reader), ==, SQLITE_OK);
  checkpoint_some (fixture->tier, 1);
  g_assert_cmpuint (self->stayed_us, ==, 0);
}

#define LIMIT (64u << 10)

/* Lets go of its read transaction some milliseconds after a checkpoint has begun to wait for it. */
static gpointer
let_go (gpointer reader)
{
  g_usleep (20 * 1000);
  g_assert_cmpint (sqlite3_exec (reader, "ROLLBACK", NULL, NULL, NULL), ==, SQLITE_OK);
  return NULL;
}

/* Whoever sees a part of the log, or all of it, is waited for; so the next commit starts it anew.
 */
static void
test_readers_that_let_go_are_waited_for (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  g_autofree char *value = g_strnfill (LIMIT, 'x');
  g_autoptr (GError) error = NULL;
  sqlite3 *reader = open_stock (fixture->path);

  for (guint sees_all = 0; sees_all < 2; sees_all++)
    {
      DsqWalStamp before, after;
      GThread *thread;

      value[0]++;
      put (tier, "a", value);
      g_assert_cmpint (sqlite3_exec (reader, "BEGIN; SELECT count(*) FROM entry", NULL, NULL, NULL),
                       ==,
                       SQLITE_OK);
      if (!sees_all)
        put (tier, "b", value);
      g_assert_true (dsq_wal_index_read (&self->wal_index, &before));
      thread = g_thread_new ("reader", let_go, reader);
      g_assert_true (tier->file->funcs->checkpoint (tier->file, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (dsq_wal_index_get_backfilled (&self->wal_index), ==, before.n_frames);
      put (tier, "c", value);
      g_assert_true (dsq_wal_index_read (&self->wal_index, &after));
      g_assert_false (dsq_wal_stamp_is_same_log (&before, &after));
      g_thread_join (thread);
    }
  g_assert_cmpint (sqlite3_close (reader), ==, SQLITE_OK);
}

/* In the place of the tier's own: somebody commits between its commit and its look at the index. */
static int
commit_behind_cb (void *user_data, sqlite3 *handle, const char *name, int n_frames)
{
  Fixture *fixture = user_data;

  sqlite3_wal_hook (handle, NULL, NULL);
  ((DsqColdSqlite *) fixture->tier)->writer.hook_frames = (guint32) n_frames;
  run_stock (fixture->path, "UPDATE entry SET expires = 99999999999999");
  return SQLITE_OK;
}

static void
test_a_commit_right_behind_is_foreign (Fixture *fixture, gconstpointer data)
{
  DsqColdWriter *writer = &((DsqColdSqlite *) fixture->tier)->writer;

  put (fixture->tier, "a", "1");
  sqlite3_wal_hook (writer->database->handle, commit_behind_cb, fixture);
  put (fixture->tier, "b", "2");
  g_assert_false (dsq_cold_tier_is_current (fixture->tier));
  g_assert_cmpuint (fixture->foreign.n_calls, ==, 0);
  catch_up (fixture->tier);
  g_assert_true (dsq_cold_tier_is_current (fixture->tier));
  g_assert_cmpuint (fixture->foreign.n_calls, ==, 1);
}

/* Others may have SQLite's lock again by then: they are not waited for, however long the call may
 * wait, and nothing but begin() says that it does. */
static void
test_a_full_log_is_not_waited_for (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  sqlite3 *other = open_stock (fixture->path);
  gint64 busy_since = 0;
  gint64 began;

  tier->busy_since = &busy_since;
  put (tier, "a", "1");
  g_assert_cmpint (sqlite3_exec (other, "BEGIN IMMEDIATE", NULL, NULL, NULL), ==, SQLITE_OK);
  ((DsqColdSqlite *) tier)->writer.database->found_full = TRUE;
  dsq_patience_renew ();
  dsq_patience.timeout_ms = 10000;
  began = g_get_monotonic_time ();
  tier->funcs->rollback (tier);
  g_assert_cmpint (g_get_monotonic_time () - began, <, 5 * G_USEC_PER_SEC);
  g_assert_cmpint (busy_since, ==, 0);
  dsq_patience.timeout_ms = DSQ_PATIENCE_UNTOLD;
  g_assert_cmpint (sqlite3_close (other), ==, SQLITE_OK);
  put (tier, "a", "2");
  tier->busy_since = NULL; /* it is begun once more to be closed */
}

#define ADD(path, func)                                                                            \
  g_test_add ("/dsq/cold-log/" path, Fixture, NULL, set_up, func, tear_down_alone)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("syncs-what-is-not-synced", test_syncs_what_is_not_synced);
  ADD ("checkpoint-is-wanted-when-due", test_checkpoint_is_wanted_when_due);
  ADD ("pages-of-another-size-change-nothing", test_pages_of_another_size_change_nothing);
  ADD ("reader-holds-a-checkpoint-up", test_reader_holds_a_checkpoint_up);
  ADD ("checkpoints-give-up-a-reader-that-stays", test_checkpoints_give_up_a_reader_that_stays);
  ADD ("readers-that-let-go-are-waited-for", test_readers_that_let_go_are_waited_for);
  ADD ("a-full-log-is-not-waited-for", test_a_full_log_is_not_waited_for);
  g_test_add ("/dsq/cold-log/a-commit-right-behind-is-foreign",
              Fixture,
              NULL,
              set_up,
              test_a_commit_right_behind_is_foreign,
              tear_down);
  return g_test_run ();
}
