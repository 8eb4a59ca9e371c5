/* test-wal-index.c - the head of the write-ahead log's index
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold-support.h"
#include "sqlite/dsq-wal-index-private.h"

typedef struct
{
  char *folder;          /* (owned) */
  char *path;            /* (owned) */
  DsqDatabase *database; /* (owned) */
  DsqWalIndex index;
} Fixture;

static void
run (DsqDatabase *database, const char *sql)
{
  g_autoptr (GError) error = NULL;

  dsq_database_run (database, sql, "test", &error);
  g_assert_no_error (error);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->folder = make_folder ();
  fixture->path = g_build_filename (fixture->folder, "file", NULL);
  write_file (fixture->path, "", 0);
  fixture->database = dsq_database_open (fixture->path, DSQ_DATABASE_WRITE, 1000, &error);
  g_assert_no_error (error);
  dsq_database_set_fold_on_close (fixture->database, TRUE);
  dsq_database_set_wal_mode (fixture->database, &error);
  g_assert_no_error (error);
  run (fixture->database, "PRAGMA wal_autocheckpoint = 0");
  run (fixture->database, "CREATE TABLE t (a)");
  dsq_wal_index_init (&fixture->index, fixture->database, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  dsq_database_close (fixture->database);
  g_free (fixture->path);
  remove_folder (fixture->folder);
}

static DsqWalStamp
stamp_of (const Fixture *fixture)
{
  DsqWalStamp stamp;

  g_assert_true (dsq_wal_index_read (&fixture->index, &stamp));
  return stamp;
}

static void
checkpoint (Fixture *fixture)
{
  g_assert_cmpint (sqlite3_wal_checkpoint_v2 (fixture->database->handle,
                                              NULL,
                                              SQLITE_CHECKPOINT_PASSIVE,
                                              NULL,
                                              NULL),
                   ==,
                   SQLITE_OK);
}

static void
test_moves_with_every_commit (Fixture *fixture, gconstpointer data)
{
  DsqWalStamp before = stamp_of (fixture);

  for (guint i = 0; i < 100; i++)
    {
      DsqWalStamp after;

      run (fixture->database, "INSERT INTO t VALUES (1)");
      after = stamp_of (fixture);
      g_assert_false (dsq_wal_stamp_equal (&before, &after));
      g_assert_true (dsq_wal_stamp_is_same_log (&before, &after));
      g_assert_false (dsq_wal_stamp_is_restart_of (&after, &before));
      g_assert_cmpuint (after.n_frames, >, before.n_frames);
      before = after;
    }
}

static void
test_stays_without_a_commit (Fixture *fixture, gconstpointer data)
{
  DsqWalStamp before = stamp_of (fixture), after;

  run (fixture->database, "BEGIN IMMEDIATE");
  run (fixture->database, "INSERT INTO t VALUES (1)");
  run (fixture->database, "ROLLBACK");
  after = stamp_of (fixture);
  g_assert_true (dsq_wal_stamp_equal (&before, &after));

  g_assert_cmpuint (dsq_wal_index_get_backfilled (&fixture->index), ==, 0);
  checkpoint (fixture);
  after = stamp_of (fixture);
  g_assert_true (dsq_wal_stamp_equal (&before, &after));
  g_assert_cmpuint (dsq_wal_index_get_backfilled (&fixture->index), ==, after.n_frames);
}

static void
test_tells_a_restart_from_a_commit (Fixture *fixture, gconstpointer data)
{
  DsqWalStamp before, restarted, after, twice;

  run (fixture->database, "INSERT INTO t VALUES (1)");
  before = stamp_of (fixture);
  checkpoint (fixture);
  /* a transaction larger than the page cache writes to the log before its end */
  run (fixture->database, "PRAGMA cache_size = 10");
  run (fixture->database, "BEGIN IMMEDIATE");
  run (fixture->database, "INSERT INTO t VALUES (zeroblob (1000000))");
  restarted = stamp_of (fixture);
  run (fixture->database, "ROLLBACK");
  g_assert_false (dsq_wal_stamp_equal (&before, &restarted));
  g_assert_false (dsq_wal_stamp_is_same_log (&before, &restarted));
  g_assert_true (dsq_wal_stamp_is_restart_of (&restarted, &before));
  g_assert_false (dsq_wal_stamp_is_restart_of (&before, &restarted));

  /* a restart and a commit */
  run (fixture->database, "INSERT INTO t VALUES (1)");
  after = stamp_of (fixture);
  g_assert_false (dsq_wal_stamp_is_restart_of (&after, &before));

  /* a commit, and then a restart */
  checkpoint (fixture);
  run (fixture->database, "BEGIN IMMEDIATE");
  run (fixture->database, "INSERT INTO t VALUES (zeroblob (1000000))");
  twice = stamp_of (fixture);
  run (fixture->database, "ROLLBACK");
  g_assert_true (dsq_wal_stamp_is_restart_of (&twice, &after));
  g_assert_false (dsq_wal_stamp_is_restart_of (&twice, &before));
  g_assert_false (dsq_wal_stamp_is_restart_of (&twice, &restarted));
}

/* Before it has made its mark as well. */
static void
test_finds_who_is_in_a_slot (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  DsqDatabase *other = dsq_database_open (fixture->path, DSQ_DATABASE_WRITE, 1000, &error);
  const int shared = SQLITE_SHM_SHARED;
  sqlite3_file *file = NULL;
  DsqWalReader reader;

  g_assert_no_error (error);
  run (other, "PRAGMA user_version");
  g_assert_cmpint (sqlite3_file_control (other->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file),
                   ==,
                   SQLITE_OK);
  for (guint slot = 0; slot < 5; slot++)
    {
      const int lock = 3 + (int) slot;

      g_assert_cmpint (file->pMethods->xShmLock (file, lock, 1, SQLITE_SHM_LOCK | shared),
                       ==,
                       SQLITE_OK);
      g_assert_true (
          dsq_wal_index_find_reader (&fixture->index, fixture->database, 0, G_MAXUINT32, &reader));
      g_assert_cmpuint (reader.slot, ==, slot);
      g_assert_false (dsq_wal_index_find_reader (&fixture->index,
                                                 fixture->database,
                                                 slot + 1,
                                                 G_MAXUINT32,
                                                 &reader));
      g_assert_cmpint (file->pMethods->xShmLock (file, lock, 1, SQLITE_SHM_UNLOCK | shared),
                       ==,
                       SQLITE_OK);
    }
  g_assert_false (
      dsq_wal_index_find_reader (&fixture->index, fixture->database, 0, G_MAXUINT32, &reader));
  dsq_database_close (other);
}

static void
test_needs_a_file (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqDatabase) database = dsq_database_open_scratch (&error);
  DsqWalIndex index;

  g_assert_no_error (error);
  g_assert_false (dsq_wal_index_init (&index, database, &error));
  g_assert_nonnull (error);
  g_assert_true (error->domain == DSQ_ERROR);
}

/* What others may have overwritten in the index by now: from the log, it is the same. */
static void
test_rebuilds_the_header_of_a_commit (Fixture *fixture, gconstpointer data)
{
  static const char *const statements[] = {
    "INSERT INTO t VALUES (1)",
    "INSERT INTO t VALUES (zeroblob (1000000))",
    "DELETE FROM t",
    "CREATE TABLE u (a)",
    "INSERT INTO u VALUES (2)",
  };

  run (fixture->database, "PRAGMA cache_size = 10");
  for (guint round = 0; round < 3; round++)
    {
      for (guint i = 0; i < G_N_ELEMENTS (statements) - (round > 0 ? 2 : 0); i++)
        {
          DsqWalStamp before = stamp_of (fixture), after, rebuilt, wrong;

          run (fixture->database, statements[i]);
          after = wrong = stamp_of (fixture);
          g_assert_true (
              dsq_wal_index_rebuild (fixture->database, &before, &after, after.n_frames, &rebuilt));
          g_assert_cmpmem (&rebuilt, sizeof rebuilt, &after, sizeof after);
          /* of another log; of a frame that ends no commit; of none */
          wrong.salts[1]++;
          g_assert_false (
              dsq_wal_index_rebuild (fixture->database, &before, &wrong, after.n_frames, &rebuilt));
          g_assert_false (dsq_wal_index_rebuild (fixture->database,
                                                 &before,
                                                 &after,
                                                 after.n_frames + 1000,
                                                 &rebuilt));
          g_assert_false (dsq_wal_index_rebuild (fixture->database, &before, &after, 0, &rebuilt));
        }
      checkpoint (fixture);
    }
}

/* A header whose copies differ for good, as a process leaves it that dies between them. */
static void
test_half_written_is_not_read (void)
{
  guint64 memory[16] = { 0 };
  const DsqWalIndex index = { memory };
  DsqWalStamp stamp;

  memory[1] = G_GUINT64_CONSTANT (0x0101010101010101);
  g_assert_false (dsq_wal_index_read (&index, &stamp));
  memory[7] = memory[1];
  g_assert_true (dsq_wal_index_read (&index, &stamp));
}

#define ADD(path, func) g_test_add ("/dsq/wal-index/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("moves-with-every-commit", test_moves_with_every_commit);
  ADD ("stays-without-a-commit", test_stays_without_a_commit);
  ADD ("tells-a-restart-from-a-commit", test_tells_a_restart_from_a_commit);
  ADD ("rebuilds-the-header-of-a-commit", test_rebuilds_the_header_of_a_commit);
  ADD ("finds-who-is-in-a-slot", test_finds_who_is_in_a_slot);
  g_test_add_func ("/dsq/wal-index/needs-a-file", test_needs_a_file);
  g_test_add_func ("/dsq/wal-index/half-written-is-not-read", test_half_written_is_not_read);
  return g_test_run ();
}
