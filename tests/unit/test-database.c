/* test-database.c - one connection to the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/dsq-patience-private.h"
#include "file-fixture.h"
#include "sqlite/dsq-row-source-private.h"
#include "sqlite/dsq-statement-private.h"
#include "sqlite/dsq-vfs-private.h"

static DsqDatabase *
open_role (Fixture *fixture, DsqDatabaseRole role, guint busy_timeout_ms)
{
  g_autoptr (GError) error = NULL;
  DsqDatabase *database = dsq_database_open (fixture->path, role, busy_timeout_ms, &error);

  g_assert_no_error (error);
  return database;
}

/* For writing, on a file that is made; what is not in WAL mode keeps its journal in memory. */
static DsqDatabase *
make (Fixture *fixture)
{
  DsqDatabase *database;
  g_autoptr (GError) error = NULL;

  write_file (fixture->path, "", 0);
  database = open_role (fixture, DSQ_DATABASE_WRITE, 0);
  dsq_database_run (database, "PRAGMA journal_mode = MEMORY", "test", &error);
  g_assert_no_error (error);
  return database;
}

static void
run (DsqDatabase *database, const char *sql)
{
  g_autoptr (GError) error = NULL;

  dsq_database_run (database, sql, "test", &error);
  g_assert_no_error (error);
}

static void
refuse (DsqDatabase *database, const char *sql, int code)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (dsq_database_run (database, sql, "test", &error));
  g_assert_error (error, DSQ_ERROR, code);
  g_assert_true (g_str_has_prefix (error->message, "Failed to test: "));
}

static gint64
ask (DsqDatabase *database, const char *sql)
{
  g_autoptr (GError) error = NULL;
  gint64 number = -1;

  dsq_database_get_number (database, sql, "test", &number, &error);
  g_assert_no_error (error);
  return number;
}

static void
test_makes_no_file (Fixture *fixture, gconstpointer data)
{
  const DsqDatabaseRole roles[] = { DSQ_DATABASE_READ, DSQ_DATABASE_WRITE, DSQ_DATABASE_WORK };
  g_autofree char *left = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (dsq_database_open (fixture->path, roles[i], 0, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NOT_FOUND);
    }
  left = list_folder (fixture->folder);
  g_assert_cmpstr (left, ==, "");
}

/* Not even where one is asked for. */
static void
test_has_no_rollback_journals (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqDatabase) database = make (fixture);
  g_autofree char *left = NULL;

  run (database, "CREATE TABLE t (a)");
  run (database, "PRAGMA journal_mode = DELETE");
  refuse (database, "INSERT INTO t VALUES (1)", DSQ_ERROR_PERMISSION);
  run (database, "PRAGMA journal_mode = MEMORY");
  run (database, "INSERT INTO t VALUES (1)");
  left = list_folder (fixture->folder);
  g_assert_cmpstr (left, ==, "store");
}

static void
test_tunes (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqDatabase) database = make (fixture);
  DsqDatabaseTuning tuning = { .cache_bytes = 3 << 20, .wal_limit_bytes = 12345678 };
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 2; i++)
    {
      tuning.full_durability = i;
      dsq_database_tune (database, &tuning, &error);
      g_assert_no_error (error);
      g_assert_cmpint (ask (database, "PRAGMA synchronous"), ==, i == 0 ? 1 : 2);
    }
  g_assert_cmpint (ask (database, "PRAGMA cache_size"), ==, -3 * 1024);
  g_assert_cmpint (ask (database, "PRAGMA journal_size_limit"), ==, 12345678);
  g_assert_cmpint (ask (database, "PRAGMA wal_autocheckpoint"), ==, 0);
  g_assert_cmpint (ask (database, "PRAGMA cell_size_check"), ==, 1);
  g_assert_cmpint (ask (database, "PRAGMA temp_store"), ==, 2);
}

static void
test_is_hardened (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqDatabase) database = make (fixture);

  run (database, "CREATE TABLE t (a)");
  run (database, "CREATE VIEW v AS SELECT * FROM t");
  run (database, "CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t; END");
  refuse (database, "SELECT * FROM v", DSQ_ERROR_FAILED);
  run (database, "INSERT INTO t VALUES (1)");
  g_assert_cmpint (ask (database, "SELECT count(*) FROM t"), ==, 1);
  refuse (database, "DELETE FROM sqlite_schema", DSQ_ERROR_FAILED);
  refuse (database, "SELECT load_extension ('x')", DSQ_ERROR_FAILED);
  refuse (database, "ATTACH ':memory:' AS other", DSQ_ERROR_FAILED);
}

static void
test_reader_cannot_write (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqDatabase) writer = make (fixture);
  g_autoptr (DsqDatabase) reader = NULL;

  run (writer, "CREATE TABLE t (a)");
  reader = open_role (fixture, DSQ_DATABASE_READ, 0);
  refuse (reader, "INSERT INTO t VALUES (1)", DSQ_ERROR_READ_ONLY);
}

static void
test_names_are_no_uris (Fixture *fixture, gconstpointer data)
{
  const char *names[] = { "file:x?mode=memory", "a?b", "%41", "x.db?vfs=none#f", ":memory:" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (fixture->folder, names[i], NULL);
      g_autoptr (GError) error = NULL;
      DsqDatabase *database;

      write_file (path, "", 0);
      database = dsq_database_open (path, DSQ_DATABASE_WRITE, 0, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (sqlite3_db_filename (database->handle, "main"), ==, path);
      dsq_database_close (database);
    }
}

static void
test_symbolic_link_is_refused (Fixture *fixture, gconstpointer data)
{
  g_autofree char *link = g_build_filename (fixture->folder, "link", NULL);
  g_autoptr (GError) error = NULL;

  dsq_database_close (make (fixture));
  g_assert_no_errno (symlink ("store", link));
  g_assert_null (dsq_database_open (link, DSQ_DATABASE_WRITE, 0, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NOT_REGULAR);
}

static void
test_waits_by_the_clock (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqDatabase) holder = make (fixture);
  g_autoptr (DsqDatabase) other = open_role (fixture, DSQ_DATABASE_WRITE, 150);
  gint64 started, waited;

  run (holder, "BEGIN IMMEDIATE");
  started = g_get_monotonic_time ();
  refuse (other, "BEGIN IMMEDIATE", DSQ_ERROR_BUSY);
  waited = g_get_monotonic_time () - started;
  g_assert_cmpint (waited, >=, 150 * 1000);
  g_assert_cmpint (waited, <, 5000 * 1000);
}

static void
test_deadline_ends_a_query (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqDatabase) database = make (fixture);
  const char *endless = "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c)"
                        " SELECT count(*) FROM c";

  dsq_database_set_deadline (database, 50);
  refuse (database, endless, DSQ_ERROR_FORMAT);
  refuse (database, "SELECT zeroblob (100000000)", DSQ_ERROR_CORRUPT);
  dsq_database_set_deadline (database, 0);
  run (database, "SELECT zeroblob (100000000)");
}

static void
test_says_what_a_code_means (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    int code;
    DsqError meaning;
  } codes[] = {
    { SQLITE_BUSY, DSQ_ERROR_BUSY },
    { SQLITE_BUSY_SNAPSHOT, DSQ_ERROR_BUSY },
    { SQLITE_LOCKED, DSQ_ERROR_BUSY },
    { SQLITE_PROTOCOL, DSQ_ERROR_BUSY },
    { SQLITE_FULL, DSQ_ERROR_NO_SPACE },
    { SQLITE_READONLY, DSQ_ERROR_READ_ONLY },
    { SQLITE_READONLY_DBMOVED, DSQ_ERROR_READ_ONLY },
    { SQLITE_CORRUPT, DSQ_ERROR_CORRUPT },
    { SQLITE_CORRUPT_INDEX, DSQ_ERROR_CORRUPT },
    { SQLITE_NOTADB, DSQ_ERROR_CORRUPT },
    { SQLITE_CONSTRAINT_ROWID, DSQ_ERROR_CORRUPT },
    { SQLITE_TOOBIG, DSQ_ERROR_CORRUPT },
    { SQLITE_IOERR_SHORT_READ, DSQ_ERROR_CORRUPT },
    { SQLITE_IOERR_WRITE, DSQ_ERROR_IO },
    { SQLITE_IOERR_NOMEM, DSQ_ERROR_FAILED },
    { SQLITE_PERM, DSQ_ERROR_PERMISSION },
    { SQLITE_CANTOPEN_SYMLINK, DSQ_ERROR_NOT_REGULAR },
    { SQLITE_NOMEM, DSQ_ERROR_FAILED },
    { SQLITE_MISUSE, DSQ_ERROR_FAILED },
  };
  static const struct
  {
    int number;
    DsqError meaning;
  } numbers[] = {
    { ENOSPC, DSQ_ERROR_NO_SPACE },
    { EDQUOT, DSQ_ERROR_NO_SPACE },
    { EROFS, DSQ_ERROR_READ_ONLY },
    { EACCES, DSQ_ERROR_PERMISSION },
    { EPERM, DSQ_ERROR_PERMISSION },
    { ENOENT, DSQ_ERROR_NOT_FOUND },
    { ENOTDIR, DSQ_ERROR_NOT_FOUND },
    { EISDIR, DSQ_ERROR_NOT_REGULAR },
    { ELOOP, DSQ_ERROR_NOT_REGULAR },
    { EIO, DSQ_ERROR_IO },
    { EMFILE, DSQ_ERROR_TOO_MANY_FILES },
    { ENFILE, DSQ_ERROR_TOO_MANY_FILES },
    { ENAMETOOLONG, DSQ_ERROR_NAME_TOO_LONG },
    { EFBIG, DSQ_ERROR_TOO_LARGE },
  };
  g_autoptr (GError) scratch_error = NULL;
  g_autoptr (DsqDatabase) database = dsq_database_open_scratch (&scratch_error);

  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      g_autoptr (GError) error = NULL;

      dsq_database_set_error (database, codes[i].code, "test", &error);
      g_assert_error (error, DSQ_ERROR, (int) codes[i].meaning);
    }
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      g_autoptr (GError) error = NULL;

      dsq_database_set_system_error (numbers[i].number, "test", &error);
      g_assert_error (error, DSQ_ERROR, (int) numbers[i].meaning);
    }
}

/* What one lacks as it is bound its next step tells, and only the one after that tries again. */
static void
test_planned_statement_tells_when_it_is_stepped (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqDatabase) database = make (fixture);
  g_auto (DsqStatement) insert = { NULL };
  g_autoptr (GError) error = NULL;

  dsq_statement_plan (&insert, database, "INSERT INTO t VALUES (?1, ?2)", "insert");
  g_assert_null (insert.handle);
  dsq_statement_bind_number (&insert, 1, 1);
  run (database, "CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB NOT NULL)");
  dsq_statement_bind_bytes (&insert, 2, (const guint8 *) "ab", 2);
  g_assert_false (dsq_statement_run (&insert, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_cmpint (ask (database, "SELECT count (*) FROM t"), ==, 0);

  dsq_statement_bind_number (&insert, 1, 1);
  dsq_statement_bind_bytes (&insert, 2, (const guint8 *) "ab", 2);
  g_assert_true (dsq_statement_run (&insert, &error));
  g_assert_no_error (error);
  g_assert_cmpint (ask (database, "SELECT a FROM t WHERE b = X'6162'"), ==, 1);
}

static void
test_statement_steps_and_resets (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqDatabase) database = make (fixture);
  g_auto (DsqStatement) insert = { NULL };
  g_auto (DsqStatement) select = { NULL };
  g_autoptr (GError) error = NULL;

  run (database, "CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB NOT NULL)");
  g_assert_true (
      dsq_statement_prepare (&insert, database, "INSERT INTO t VALUES (?1, ?2)", "insert", &error));
  g_assert_true (
      dsq_statement_prepare (&select, database, "SELECT b FROM t WHERE a = ?1", "select", &error));
  for (guint i = 0; i < 2; i++)
    {
      dsq_statement_bind_number (&insert, 1, i);
      dsq_statement_bind_bytes (&insert, 2, (const guint8 *) "ab", 2 * i);
      g_assert_true (dsq_statement_run (&insert, &error));
    }
  g_assert_no_error (error);

  dsq_statement_bind_number (&select, 1, 1);
  g_assert_cmpint (dsq_statement_step (&select, &error), ==, DSQ_STEP_ROW);
  g_assert_cmpint (sqlite3_column_bytes (select.handle, 0), ==, 2);
  g_assert_cmpint (dsq_statement_step (&select, &error), ==, DSQ_STEP_DONE);
  dsq_statement_reset (&select);

  /* an empty value is no missing one */
  g_assert_cmpint (ask (database, "SELECT typeof (b) = 'blob' FROM t WHERE a = 0"), ==, 1);
  dsq_statement_bind_number (&insert, 1, 5);
  dsq_statement_bind_null (&insert, 2);
  g_assert_cmpint (dsq_statement_step (&insert, &error), ==, DSQ_STEP_FAILED);
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
  dsq_statement_bind_bytes (&insert, 2, (const guint8 *) "ab", 2);
  g_assert_true (dsq_statement_run (&insert, NULL));
}

static void
test_takes_new_sizes (Fixture *fixture, gconstpointer data)
{
  DsqDatabaseTuning tuning = { .cache_bytes = 1, .wal_limit_bytes = 1 << 20 };
  g_autoptr (DsqDatabase) database = make (fixture);

  g_assert_true (dsq_database_tune (database, &tuning, NULL));
  g_assert_cmpint (ask (database, "PRAGMA cache_size"), ==, -64);
  tuning.wal_limit_bytes = 2 << 20;
  g_assert_true (dsq_database_tune_sizes (database, &tuning, NULL));
  g_assert_cmpint (ask (database, "PRAGMA journal_size_limit"), ==, 2 << 20);
  tuning.cache_bytes = G_MAXSIZE;
  g_assert_true (dsq_database_tune_sizes (database, &tuning, NULL));
  g_assert_cmpint (ask (database, "PRAGMA cache_size"), ==, -G_MAXINT32);
}

/* As damaged pages may have one go round in a circle. */
static void
test_an_endless_statement_is_ended (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqDatabase) database = make (fixture);

  run (database, "CREATE TABLE t (x)");
  dsq_database_begin_call (database);
  refuse (
      database,
      "WITH RECURSIVE c (x) AS (VALUES (1) UNION ALL SELECT x FROM c) SELECT 1 FROM c WHERE x > 1",
      DSQ_ERROR_CORRUPT);
  g_assert_cmpint (ask (database, "SELECT count (*) FROM t"), ==, 0);
}

static void
test_a_deadline_may_be_over (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqDatabase) database = make (fixture);

  dsq_database_set_deadline (database, 100000);
  database->deadline = 1;
  refuse (
      database,
      "WITH RECURSIVE c (x) AS (VALUES (1) UNION ALL SELECT x FROM c) SELECT 1 FROM c WHERE x > 1",
      DSQ_ERROR_FORMAT);
}

static void
test_what_is_unstoppable_waits_all_the_same (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqDatabase) holder = make (fixture);
  g_autoptr (DsqDatabase) database = open_role (fixture, DSQ_DATABASE_WRITE, 20);
  const gint64 begun = g_get_monotonic_time ();

  run (holder, "BEGIN IMMEDIATE");
  database->is_unstoppable = TRUE;
  /* as a call that has not waited yet */
  dsq_patience_renew ();
  refuse (database, "BEGIN IMMEDIATE", DSQ_ERROR_BUSY);
  g_assert_cmpint (g_get_monotonic_time () - begun, >=, 20000);
}

static void
test_a_private_file_has_no_log (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqDatabase) database = dsq_database_open_private (&error);

  g_assert_no_error (error);
  g_assert_false (dsq_database_set_wal_mode (database, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_BUSY);
}

static DsqStep
give_no_row (gpointer user_data, GError **error)
{
  return DSQ_STEP_DONE;
}

/* A statement that is not ours finds nobody who has rows for it. */
static void
test_a_source_of_rows_is_for_its_statement (Fixture *fixture, gconstpointer data)
{
  static const DsqRowSourceFuncs funcs = { .name = "some",
                                           .columns = "CREATE TABLE rows (a)",
                                           .next = give_no_row };
  DsqRowSource source = { NULL };
  g_autoptr (DsqDatabase) database = make (fixture);
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_row_source_add (&source, database, &funcs, "test", &error));
  run (database, "CREATE TABLE t (x)");
  refuse (database, "SELECT a FROM some", DSQ_ERROR_FAILED);
  dsq_row_source_begin (&source, fixture);
  run (database, "SELECT a FROM some");
  dsq_row_source_end (&source, &error);
  g_assert_no_error (error);
}

/* SQLite asks for some of this only of files that ours are not. */
static void
test_files_are_opened_as_few_ways_as_can_be (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqDatabase) database = make (fixture);
  sqlite3_vfs *vfs = sqlite3_vfs_find (dsq_vfs_get_name ());
  sqlite3_file *file = g_malloc0 ((gsize) vfs->szOsFile);
  char full[4];

#define OPEN(path, flags) vfs->xOpen (vfs, path, file, flags, NULL)
  g_assert_cmpint (vfs->xDelete (vfs, fixture->path, 0), ==, SQLITE_IOERR_DELETE);
  g_assert_cmpint (vfs->xFullPathname (vfs, DSQ_VFS_DESCRIPTORS "5", sizeof full, full),
                   ==,
                   SQLITE_CANTOPEN);
  g_assert_cmpint (OPEN (DSQ_VFS_DESCRIPTORS "x", SQLITE_OPEN_MAIN_DB), ==, SQLITE_CANTOPEN);
  g_assert_cmpint (OPEN (DSQ_VFS_DESCRIPTORS "0", SQLITE_OPEN_TEMP_DB), ==, SQLITE_CANTOPEN);
  g_free (file);
}

/* A descriptor that can only be read, or only written, or not be synced. */
static void
test_a_descriptor_tells_what_it_cannot (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DsqDatabase) database = make (fixture);
  sqlite3_vfs *vfs = sqlite3_vfs_find (dsq_vfs_get_name ());
  sqlite3_file *file = g_malloc0 ((gsize) vfs->szOsFile);
  const struct
  {
    const char *path;
    int flags;
    int read, truncated, synced;
  } cases[] = {
    { fixture->path, O_RDONLY, SQLITE_IOERR_SHORT_READ, SQLITE_IOERR_TRUNCATE, SQLITE_OK },
    { fixture->path, O_WRONLY, SQLITE_IOERR_READ, SQLITE_OK, SQLITE_OK },
    { "/dev/null", O_WRONLY, SQLITE_IOERR_READ, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_FSYNC },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const int fd = open (cases[i].path, cases[i].flags | O_CLOEXEC);
      g_autofree char *name = g_strdup_printf (DSQ_VFS_DESCRIPTORS "%d", fd);
      char byte;

      g_assert_cmpint (OPEN (name, SQLITE_OPEN_MAIN_DB), ==, SQLITE_OK);
      g_assert_cmpint (file->pMethods->xRead (file, &byte, 1, 0), ==, cases[i].read);
      g_assert_cmpint (file->pMethods->xTruncate (file, 0), ==, cases[i].truncated);
      g_assert_cmpint (file->pMethods->xSync (file, 0), ==, cases[i].synced);
      close (fd);
    }
  g_free (file);
}

#define ADD(path, func) g_test_add ("/dsq/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("database/makes-no-file", test_makes_no_file);
  ADD ("database/has-no-rollback-journals", test_has_no_rollback_journals);
  ADD ("database/tunes", test_tunes);
  ADD ("database/is-hardened", test_is_hardened);
  ADD ("database/reader-cannot-write", test_reader_cannot_write);
  ADD ("database/names-are-no-uris", test_names_are_no_uris);
  ADD ("database/symbolic-link-is-refused", test_symbolic_link_is_refused);
  ADD ("database/waits-by-the-clock", test_waits_by_the_clock);
  ADD ("database/deadline-ends-a-query", test_deadline_ends_a_query);
  ADD ("database/says-what-a-code-means", test_says_what_a_code_means);
  ADD ("database/takes-new-sizes", test_takes_new_sizes);
  ADD ("database/an-endless-statement-is-ended", test_an_endless_statement_is_ended);
  ADD ("database/a-deadline-may-be-over", test_a_deadline_may_be_over);
  ADD ("database/what-is-unstoppable-waits-all-the-same",
       test_what_is_unstoppable_waits_all_the_same);
  ADD ("database/a-private-file-has-no-log", test_a_private_file_has_no_log);
  ADD ("database/a-source-of-rows-is-for-its-statement",
       test_a_source_of_rows_is_for_its_statement);
  ADD ("database/files-are-opened-as-few-ways-as-can-be",
       test_files_are_opened_as_few_ways_as_can_be);
  ADD ("database/a-descriptor-tells-what-it-cannot", test_a_descriptor_tells_what_it_cannot);
  ADD ("statement/steps-and-resets", test_statement_steps_and_resets);
  ADD ("statement/planned-one-tells-when-stepped", test_planned_statement_tells_when_it_is_stepped);
  return g_test_run ();
}
