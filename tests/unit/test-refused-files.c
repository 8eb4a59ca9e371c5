/* test-refused-files.c - files that are none of ours, or damaged, stay as they are
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <sys/stat.h>
#include <unistd.h>

#include "file-fixture.h"
#include "sqlite/dsq-location-private.h"

#define NOBODY 65534

/* Opening @path fails, and changes nothing in @folder. */
static void
assert_refused_in (const char *folder, const char *path, int code)
{
  g_autofree char *before = describe_folder (folder);
  g_autofree char *after = NULL;
  g_autoptr (GError) error = NULL;
  guint n_descriptors = count_descriptors ();
  Foreign foreign;

  g_assert_null (try_open (path, &foreign, &error));
  g_assert_error (error, DSQ_ERROR, code);
  g_assert_true (g_str_has_prefix (error->message, "Failed to "));
  g_assert_cmpuint (count_descriptors (), ==, n_descriptors);

  after = describe_folder (folder);
  g_assert_cmpstr (before, ==, after);
}

static void
assert_refused (Fixture *fixture, int code)
{
  assert_refused_in (fixture->folder, fixture->path, code);
}

/* --- paths ------------------------------------------------------------------------------------ */

static void
test_other_kinds_of_file_are_refused (Fixture *fixture, gconstpointer data)
{
  g_autofree char *loop = g_build_filename (fixture->folder, "loop", NULL);
  g_autofree char *dangling = g_build_filename (fixture->folder, "dangling", NULL);
  g_autofree char *fifo = g_build_filename (fixture->folder, "fifo", NULL);
  g_autofree char *folder = g_build_filename (fixture->folder, "folder", NULL);
  g_autofree char *trailing = g_strconcat (fixture->folder, "/", NULL);
  const char *paths[] = { loop, dangling, folder, trailing, ".", "..", "/", "/dev/null" };
  g_autoptr (GError) error = NULL;
  Foreign foreign;

  make_store (fixture->path);
  g_assert_no_errno (symlink ("loop", loop));
  g_assert_no_errno (symlink ("nowhere", dangling));
  g_assert_no_errno (mkdir (folder, 0700));
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    assert_refused_in (fixture->folder, paths[i], DSQ_ERROR_NOT_REGULAR);
  g_assert_no_errno (mkfifo (fifo, 0600));
  g_assert_null (try_open (fifo, &foreign, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NOT_REGULAR);
  assert_refused_in (fixture->folder, "", DSQ_ERROR_INVALID_ARGUMENT);
}

static void
test_missing_folder_is_not_found (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->folder, "none", "store", NULL);
  g_autofree char *below = g_build_filename (fixture->path, "store", NULL);

  assert_refused_in (fixture->folder, path, DSQ_ERROR_NOT_FOUND);
  write_file (fixture->path, "text", 4);
  assert_refused_in (fixture->folder, below, DSQ_ERROR_NOT_FOUND);
}

static void
test_permissions_are_told (Fixture *fixture, gconstpointer data)
{
  gboolean is_root = geteuid () == 0;

  make_store (fixture->path);
  if (is_root)
    {
      g_assert_no_errno (chown (fixture->folder, NOBODY, NOBODY));
      g_assert_no_errno (chown (fixture->path, NOBODY, NOBODY));
      g_assert_no_errno (seteuid (NOBODY));
    }
  g_assert_no_errno (chmod (fixture->path, 0444));
  assert_refused (fixture, DSQ_ERROR_READ_ONLY);
  g_assert_no_errno (chmod (fixture->path, 0000));
  assert_refused (fixture, DSQ_ERROR_PERMISSION);
  g_assert_no_errno (chmod (fixture->path, 0644));
  g_assert_no_errno (chmod (fixture->folder, 0555));
  assert_refused (fixture, DSQ_ERROR_READ_ONLY);
  {
    g_autofree char *other = g_build_filename (fixture->folder, "other", NULL);

    assert_refused_in (fixture->folder, other, DSQ_ERROR_PERMISSION);
  }
  g_assert_no_errno (chmod (fixture->folder, 0755));
  make_store (fixture->path);
  if (is_root)
    g_assert_no_errno (seteuid (0));
}

/* --- content ---------------------------------------------------------------------------------- */

static void
test_other_files_are_refused (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strnfill (10000, 'x');
  g_autofree char *copy = g_build_filename (fixture->folder, "copy", NULL);
  sqlite3 *handle;

  write_file (fixture->path, "text\n", 5);
  assert_refused (fixture, DSQ_ERROR_FORMAT);
  write_file (fixture->path, text, 10000);
  assert_refused (fixture, DSQ_ERROR_FORMAT);
  write_file (fixture->path, "SQLite format 3", 16);
  assert_refused (fixture, DSQ_ERROR_FORMAT);

  /* another application's, with commits in its log alone */
  g_assert_no_errno (g_remove (fixture->path));
  handle = open_stock (fixture->path);
  g_assert_cmpint (sqlite3_exec (handle,
                                 "PRAGMA journal_mode = WAL; CREATE TABLE t (a);"
                                 "INSERT INTO t VALUES (1)",
                                 NULL,
                                 NULL,
                                 NULL),
                   ==,
                   SQLITE_OK);
  copy_as_crashed (fixture->path, copy);
  assert_refused_in (fixture->folder, copy, DSQ_ERROR_FORMAT);
  g_assert_cmpint (sqlite3_close (handle), ==, SQLITE_OK);
  assert_refused (fixture, DSQ_ERROR_FORMAT);
}

static const struct
{
  const char *sql;
  int code;
} damages[] = {
  { "PRAGMA application_id = 7", DSQ_ERROR_FORMAT },
  { "PRAGMA user_version = 1", DSQ_ERROR_FORMAT },
  { "PRAGMA user_version = 3", DSQ_ERROR_FORMAT },
  { "PRAGMA user_version = 0", DSQ_ERROR_FORMAT },
  { "PRAGMA user_version = -1", DSQ_ERROR_FORMAT },
  { "CREATE TABLE more (a)", DSQ_ERROR_FORMAT },
  { "CREATE TABLE aaa (a)", DSQ_ERROR_FORMAT },
  { "CREATE VIEW v AS SELECT 1", DSQ_ERROR_FORMAT },
  { "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END", DSQ_ERROR_FORMAT },
  { "CREATE INDEX i ON entry (value)", DSQ_ERROR_FORMAT },
  { "CREATE VIRTUAL TABLE f USING fts5 (a)", DSQ_ERROR_FORMAT },
  { "DROP INDEX entry_expires", DSQ_ERROR_FORMAT },
  { "DROP TABLE store", DSQ_ERROR_FORMAT },
  { "ALTER TABLE entry ADD COLUMN more INTEGER", DSQ_ERROR_FORMAT },
  { "DROP TABLE store; CREATE TABLE store (id INTEGER PRIMARY KEY CHECK (id = 1), header BLOB);"
    "INSERT INTO store VALUES (1, zeroblob (9000000))",
    DSQ_ERROR_FORMAT },
  { "DROP TABLE store; CREATE VIEW store AS WITH RECURSIVE c (id) AS"
    " (SELECT 1 UNION ALL SELECT id + 1 FROM c) SELECT id, id AS header FROM c",
    DSQ_ERROR_FORMAT },
  { "DELETE FROM store", DSQ_ERROR_CORRUPT },
  { "UPDATE store SET header = x''", DSQ_ERROR_CORRUPT },
  { "UPDATE store SET header = zeroblob (28)", DSQ_ERROR_CORRUPT },
  { "UPDATE store SET header = zeroblob (9000000)", DSQ_ERROR_CORRUPT },
  { "UPDATE store SET header = CAST (header || x'00' AS BLOB)", DSQ_ERROR_CORRUPT },
  { "UPDATE store SET header = CAST (substr (header, 1, 8) || zeroblob (16) ||"
    " substr (header, 25) AS BLOB)",
    DSQ_ERROR_CORRUPT },
  { "UPDATE store SET header = CAST (substr (header, 1, 4) || x'03' || substr (header, 6) AS BLOB)",
    DSQ_ERROR_CORRUPT },
  { "UPDATE store SET header = CAST (substr (header, 1, 5) || x'01' || substr (header, 7) AS BLOB)",
    DSQ_ERROR_CORRUPT },
  { "DELETE FROM tables", DSQ_ERROR_CORRUPT },
  { "UPDATE tables SET id = 2", DSQ_ERROR_CORRUPT },
  { "INSERT INTO tables VALUES (0, x'00', NULL, x'', 1, 0)", DSQ_ERROR_CORRUPT },
  { "INSERT INTO tables VALUES (1 << 23, x'00', NULL, x'', 1, 0)", DSQ_ERROR_CORRUPT },
  { "UPDATE tables SET floor = 0", DSQ_ERROR_CORRUPT },
  { "UPDATE tables SET floor = 1 << 40", DSQ_ERROR_CORRUPT },
  { "UPDATE tables SET floor = -9223372036854775808", DSQ_ERROR_CORRUPT },
  { "UPDATE tables SET holes = -1", DSQ_ERROR_CORRUPT },
  { "UPDATE tables SET holes = 10000", DSQ_ERROR_CORRUPT },
  { "UPDATE tables SET holes = 9223372036854775807", DSQ_ERROR_CORRUPT },
  { "UPDATE tables SET mark = x''", DSQ_ERROR_CORRUPT },
  { "UPDATE tables SET mark = zeroblob (21)", DSQ_ERROR_CORRUPT },
  { "UPDATE tables SET mark = zeroblob (9000000)", DSQ_ERROR_CORRUPT },
  { "UPDATE tables SET token = x'0161'", DSQ_ERROR_CORRUPT },
  { "INSERT INTO entry VALUES (2 << 40 | 5, 1, x'6161', NULL, NULL, x'');"
    "INSERT INTO tables VALUES (2, x'0161', NULL, x'', 6, 4)",
    DSQ_ERROR_CORRUPT },
  { "UPDATE tables SET floor = (1 << 40) - 1; "
    "INSERT INTO entry VALUES ((2 << 40) - 1, 1, x'6161', NULL, NULL, x'')",
    DSQ_ERROR_CORRUPT },
};

/* Each once in the file, and once in its log alone. */
static void
test_damaged_stores_are_refused (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < G_N_ELEMENTS (damages); i++)
    {
      g_autofree char *copy = g_strdup_printf ("%s/copy %u", fixture->folder, i);
      g_autofree char *log = g_strconcat (copy, "-wal", NULL);
      char *message = NULL;
      sqlite3 *handle;

      g_test_message ("%s", damages[i].sql);
      make_store (fixture->path);
      handle = open_stock (fixture->path);
      sqlite3_exec (handle, damages[i].sql, NULL, NULL, &message);
      g_assert_cmpstr (message, ==, NULL);
      /* the folder is that of what is refused */
      copy_as_crashed (fixture->path, copy);
      if (!g_str_has_prefix (damages[i].sql, "PRAGMA"))
        assert_refused_in (fixture->folder, copy, damages[i].code);
      g_assert_cmpint (sqlite3_close (handle), ==, SQLITE_OK);
      assert_refused (fixture, damages[i].code);
      g_assert_no_errno (g_remove (fixture->path));
      /* each time the whole folder is compared */
      g_assert_no_errno (g_remove (copy));
      g_assert_no_errno (g_remove (log));
    }
}

/* The two sums at the end of a log's head, over what stands before. */
static void
sum_up (guint8 *head)
{
  guint32 sums[2] = { 0, 0 };

  for (guint i = 0; i < 24; i += 8)
    {
      guint32 words[2];

      memcpy (words, head + i, sizeof words);
      for (guint w = 0; w < 2; w++)
        words[w] = head[3] & 1 ? GUINT32_FROM_BE (words[w]) : GUINT32_FROM_LE (words[w]);
      sums[0] += words[0] + sums[1];
      sums[1] += words[1] + sums[0];
    }
  sums[0] = GUINT32_TO_BE (sums[0]);
  sums[1] = GUINT32_TO_BE (sums[1]);
  memcpy (head + 24, sums, sizeof sums);
}

/* SQLite says no more of such a log than that it cannot open it. Its index, which is no data,
 * cannot be removed with the file locked, for SQLite does not open the log then either. */
static void
test_log_of_another_version_is_told (Fixture *fixture, gconstpointer data)
{
  g_autofree char *copy = g_strconcat (fixture->folder, "/copy", NULL);
  g_autofree char *log = g_strconcat (copy, "-wal", NULL);
  g_autoptr (GBytes) whole = NULL;
  g_autofree guint8 *bytes = NULL;
  gsize length;
  sqlite3 *handle;

  make_store (fixture->path);
  handle = open_stock (fixture->path);
  g_assert_cmpint (sqlite3_exec (handle, "UPDATE tables SET floor = 9", NULL, NULL, NULL),
                   ==,
                   SQLITE_OK);
  copy_as_crashed (fixture->path, copy);
  g_assert_cmpint (sqlite3_close (handle), ==, SQLITE_OK);
  whole = read_file (log);
  bytes = g_memdup2 (g_bytes_get_data (whole, &length), g_bytes_get_size (whole));
  bytes[7]++;
  sum_up (bytes);
  write_file (log, bytes, length);
  assert_refused_in (fixture->folder, copy, DSQ_ERROR_FORMAT);
}

static void
test_statistics_are_tolerated (Fixture *fixture, gconstpointer data)
{
  make_store (fixture->path);
  run_stock (fixture->path, "ANALYZE");
  assert_stock (fixture->path,
                "SELECT count(*) > 0 FROM sqlite_schema WHERE name LIKE '%stat%'",
                "1");
  make_store (fixture->path);
}

static void
test_truncated_stores_are_refused (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) whole = NULL;
  Foreign foreign;
  DsqColdTier *tier = open_tier (fixture->path, &foreign);
  g_autofree char *value = g_strnfill (100000, 'x');
  gsize length;

  put (tier, "a", value);
  close_tier (tier);
  whole = read_file (fixture->path);
  length = g_bytes_get_size (whole);
  {
    const gsize lengths[] = { length - 1, length - 4096, length / 2, 4096, 4095, 100 };

    for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
      {
        write_file (fixture->path, g_bytes_get_data (whole, NULL), lengths[i]);
        assert_refused (fixture, DSQ_ERROR_CORRUPT);
      }
  }
  write_file (fixture->path, g_bytes_get_data (whole, NULL), 99);
  assert_refused (fixture, DSQ_ERROR_FORMAT);
}

/* Garbage after the first page is refused or told later, and never believed. */
static void
test_overwritten_pages_are_told (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) whole = NULL;
  gsize length;

  make_store (fixture->path);
  whole = read_file (fixture->path);
  length = g_bytes_get_size (whole);
  for (gsize page = 0; page < length / 4096; page++)
    {
      g_autofree guint8 *content = g_memdup2 (g_bytes_get_data (whole, NULL), length);
      gsize from = page == 0 ? 100 : 0;
      g_autoptr (GError) error = NULL;
      g_autoptr (DsqEntry) entry = NULL;
      DsqKey key = key_of ("a");
      DsqColdTier *tier;
      Foreign foreign;

      memset (content + page * 4096 + from, 0xA5, 4096 - from);
      write_file (fixture->path, content, length);
      tier = try_open (fixture->path, &foreign, &error);
      if (tier != NULL)
        {
          if (dsq_cold_tier_get (tier, &key, &entry, &error))
            assert_entry (entry, "1");
          tier->funcs->close (tier, NULL);
        }
      if (error != NULL)
        g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
    }
}

/* Rows of the schema that are nearly ours, or nearly what ANALYZE makes: SQLite itself loads few.
 */
static void
test_nearly_our_schema_is_refused (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *set;
    int code;
  } changes[] = {
    { "tbl_name = 'tables' WHERE name = 'entry_expires'", DSQ_ERROR_CORRUPT },
    { "tbl_name = x'00' WHERE name = 'store'", DSQ_ERROR_CORRUPT },
    { "sql = 'CREATE TABLE x (y)' WHERE name = 'sqlite_autoindex_entry_1'", DSQ_ERROR_CORRUPT },
    { "type = 'view' WHERE name = 'tables'", DSQ_ERROR_CORRUPT },
    { "type = 'index' WHERE name = 'sqlite_stat1'", DSQ_ERROR_CORRUPT },
    { "tbl_name = 'store' WHERE name = 'sqlite_stat1'", DSQ_ERROR_CORRUPT },
    { "sql = 'CREATE TABLE sqlite_stat1(tbl,idx)' WHERE name = 'sqlite_stat1'", DSQ_ERROR_FORMAT },
  };

  g_autoptr (GBytes) made = NULL;

  make_store (fixture->path);
  run_stock (fixture->path, "ANALYZE");
  made = read_file (fixture->path);
  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    {
      g_autofree char *sql = g_strconcat ("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET ",
                                          changes[i].set,
                                          NULL);

      write_file (fixture->path, g_bytes_get_data (made, NULL), g_bytes_get_size (made));
      run_stock (fixture->path, sql);
      assert_refused (fixture, changes[i].code);
    }
}

/* A journal that is none can be nothing that is rolled back, and is not looked into. */
static void
test_other_kinds_of_journal_are_refused (Fixture *fixture, gconstpointer data)
{
  g_autofree char *journal = g_strconcat (fixture->path, "-journal", NULL);

  make_store (fixture->path);
  g_assert_no_errno (mkdir (journal, 0700));
  assert_refused (fixture, DSQ_ERROR_FORMAT);
}

/* Who opens a path has followed its links: one that comes then is not his. */
static void
test_a_link_that_comes_late_is_refused (Fixture *fixture, gconstpointer data)
{
  g_autofree char *link_path = g_build_filename (fixture->folder, "link", NULL);
  g_autoptr (GError) error = NULL;
  DsqLocation location;

  make_store (fixture->path);
  g_assert_no_errno (symlink (fixture->path, link_path));
  g_assert_false (dsq_location_inspect (link_path, TRUE, &location, NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NOT_REGULAR);
}

/* Another program has put it out of WAL mode, which who only reads cannot undo. */
static void
test_another_mode_is_told_to_who_reads (Fixture *fixture, gconstpointer data)
{
  const DsqColdOptions options = { .path = fixture->path, .read_only = TRUE };
  g_autoptr (GError) error = NULL;
  DsqTableState state;

  make_store (fixture->path);
  run_stock (fixture->path, "PRAGMA journal_mode = DELETE");
  g_assert_null (dsq_cold_tier_open_sqlite (&options, &state, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_READ_ONLY);
}

#define ADD(path, func)                                                                            \
  g_test_add ("/dsq/refused-files/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("other-kinds-of-file-are-refused", test_other_kinds_of_file_are_refused);
  ADD ("missing-folder-is-not-found", test_missing_folder_is_not_found);
  ADD ("permissions-are-told", test_permissions_are_told);
  ADD ("other-files-are-refused", test_other_files_are_refused);
  ADD ("damaged-stores-are-refused", test_damaged_stores_are_refused);
  ADD ("log-of-another-version-is-told", test_log_of_another_version_is_told);
  ADD ("statistics-are-tolerated", test_statistics_are_tolerated);
  ADD ("truncated-stores-are-refused", test_truncated_stores_are_refused);
  ADD ("overwritten-pages-are-told", test_overwritten_pages_are_told);
  ADD ("nearly-our-schema-is-refused", test_nearly_our_schema_is_refused);
  ADD ("other-kinds-of-journal-are-refused", test_other_kinds_of_journal_are_refused);
  ADD ("a-link-that-comes-late-is-refused", test_a_link_that_comes_late_is_refused);
  ADD ("another-mode-is-told-to-who-reads", test_another_mode_is_told_to_who_reads);
  return g_test_run ();
}
