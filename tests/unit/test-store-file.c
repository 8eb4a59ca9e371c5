/* test-store-file.c - making and opening files
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cold/dsq-cold-file-private.h"
#include "file-fixture.h"

/* This program as another process: opens the store argv[2] and sets the key argv[3]. */
#define OPENER_ARGUMENT "--open"

static const char *program; /* (unowned) argv[0] */

/* Opening @path fails, and changes nothing. */
static void
assert_refused (Fixture *fixture, const char *path, int code)
{
  g_autofree char *before = describe_folder (fixture->folder);
  g_autofree char *after = NULL;
  g_autoptr (GError) error = NULL;
  Foreign foreign;

  g_assert_null (try_open (path, &foreign, &error));
  g_assert_error (error, DSQ_ERROR, code);
  after = describe_folder (fixture->folder);
  g_assert_cmpstr (before, ==, after);
}

/* --- making ----------------------------------------------------------------------------------- */

static void
test_makes_a_whole_file (Fixture *fixture, gconstpointer data)
{
  guint n_descriptors = count_descriptors ();
  g_autofree char *left = NULL;
  struct stat info;
  mode_t mask = umask (027);

  make_store (fixture->path);
  umask (mask);
  left = list_folder (fixture->folder);
  g_assert_cmpstr (left, ==, "store");
  g_assert_cmpuint (count_descriptors (), ==, n_descriptors);
  g_assert_no_errno (stat (fixture->path, &info));
  g_assert_cmpuint (info.st_mode & 07777, ==, 0640);
  g_assert_cmpuint (info.st_nlink, ==, 1);
  assert_sound (fixture->path);
  assert_stock (fixture->path, "PRAGMA journal_mode", "wal");
  assert_stock (fixture->path, "PRAGMA page_size", "4096");
  assert_stock (fixture->path, "PRAGMA auto_vacuum", "2");
  assert_stock (fixture->path, "PRAGMA application_id", "1146310961");
  assert_stock (fixture->path, "PRAGMA user_version", "2");
  assert_stock (fixture->path, "SELECT length (header) FROM store", "48");
}

static void
test_store_ids_differ (Fixture *fixture, gconstpointer data)
{
  g_autofree char *other = g_build_filename (fixture->folder, "other", NULL);
  g_autofree char *ours = NULL;
  g_autofree char *theirs = NULL;

  make_store (fixture->path);
  make_store (other);
  ours = ask_stock (fixture->path, "SELECT hex (header) FROM store");
  theirs = ask_stock (other, "SELECT hex (header) FROM store");
  g_assert_cmpstr (ours, !=, theirs);
}

static void
test_takes_the_place_of_an_empty_file (Fixture *fixture, gconstpointer data)
{
  struct stat info;

  write_file (fixture->path, "", 0);
  g_assert_no_errno (chmod (fixture->path, 0620));
  make_store (fixture->path);
  g_assert_no_errno (stat (fixture->path, &info));
  g_assert_cmpuint (info.st_mode & 07777, ==, 0620);
  assert_sound (fixture->path);
  assert_stock (fixture->path, "PRAGMA journal_mode", "wal");
  assert_stock (fixture->path, "PRAGMA auto_vacuum", "2");
  make_store (fixture->path);
}

/* The log of a file that is gone is not taken for that of the new one, nor thrown away: who brings
 * the file back has everything. */
static void
test_keeps_the_log_of_a_file_that_is_gone (Fixture *fixture, gconstpointer data)
{
  g_autofree char *copy = g_build_filename (fixture->folder, "copy", NULL);
  g_autofree char *aside = g_build_filename (fixture->folder, "aside", NULL);
  g_autofree char *log = g_strconcat (copy, "-wal", NULL);
  Foreign foreign;
  DsqColdTier *tier = open_tier (fixture->path, &foreign);

  put (tier, "old", "1");
  copy_as_crashed (fixture->path, copy);
  close_tier (tier);
  g_assert_no_errno (g_rename (copy, aside));
  assert_refused (fixture, copy, DSQ_ERROR_EXISTS);
  write_file (copy, "", 0);
  assert_refused (fixture, copy, DSQ_ERROR_FORMAT);

  g_assert_no_errno (g_rename (aside, copy));
  tier = open_tier (copy, &foreign);
  assert_value (tier, "old", "1");
  close_tier (tier);
  g_assert_no_errno (g_remove (copy));
  write_file (log, "", 0);
  tier = open_tier (copy, &foreign);
  assert_value (tier, "old", NULL);
  put (tier, "new", "1");
  close_tier (tier);
  assert_sound (copy);
  assert_stock (copy, "SELECT count(*) FROM entry", "1");
}

static void
test_reads_the_log_of_a_crash (Fixture *fixture, gconstpointer data)
{
  g_autofree char *copy = g_build_filename (fixture->folder, "copy", NULL);
  Foreign foreign;
  DsqColdTier *tier = open_tier (fixture->path, &foreign);

  put (tier, "a", "1");
  copy_as_crashed (fixture->path, copy);
  close_tier (tier);
  tier = open_tier (copy, &foreign);
  assert_value (tier, "a", "1");
  g_assert_true (tier->file->funcs->sync (tier->file, NULL));
  g_assert_cmpuint (stats_of (tier).syncs, ==, 1);
  close_tier (tier);
  assert_sound (copy);
}

static void
test_sets_wal_mode (Fixture *fixture, gconstpointer data)
{
  Foreign foreign;
  DsqColdTier *tier;

  make_store (fixture->path);
  assert_stock (fixture->path, "PRAGMA journal_mode = DELETE", "delete");
  tier = open_tier (fixture->path, &foreign);
  assert_value (tier, "a", "1");
  close_tier (tier);
  assert_stock (fixture->path, "PRAGMA journal_mode", "wal");
}

/* Neither one that is genuine nor any other. */
static void
test_refuses_journals (Fixture *fixture, gconstpointer data)
{
  g_autofree char *copy = g_build_filename (fixture->folder, "copy", NULL);
  g_autofree char *journal = g_strconcat (copy, "-journal", NULL);
  g_autofree char *moved = g_build_filename (fixture->folder, "moved", NULL);
  Foreign foreign;
  DsqColdTier *tier;
  sqlite3 *handle;

  make_store (fixture->path);
  assert_stock (fixture->path, "PRAGMA journal_mode = DELETE", "delete");
  handle = open_stock (fixture->path);
  g_assert_cmpint (sqlite3_exec (handle,
                                 "PRAGMA cache_size = 5; BEGIN; DELETE FROM entry;"
                                 "INSERT INTO entry VALUES (5, 1, x'05', NULL, NULL,"
                                 " zeroblob (200000))",
                                 NULL,
                                 NULL,
                                 NULL),
                   ==,
                   SQLITE_OK);
  copy_as_crashed (fixture->path, copy);
  g_assert_cmpint (sqlite3_close (handle), ==, SQLITE_OK);
  assert_refused (fixture, copy, DSQ_ERROR_FORMAT);

  /* beside nothing, and beside a file of no bytes */
  g_assert_no_errno (g_rename (copy, moved));
  assert_refused (fixture, copy, DSQ_ERROR_FORMAT);
  write_file (copy, "", 0);
  assert_refused (fixture, copy, DSQ_ERROR_FORMAT);

  /* the program that wrote it can roll it back */
  g_assert_no_errno (g_rename (moved, copy));
  assert_stock (copy, "SELECT count(*) FROM entry", "1");
  g_assert_false (g_file_test (journal, G_FILE_TEST_EXISTS));
  tier = open_tier (copy, &foreign);
  assert_value (tier, "a", "1");
  close_tier (tier);
  assert_sound (copy);

  /* an empty one is none */
  write_file (journal, "", 0);
  tier = open_tier (copy, &foreign);
  assert_value (tier, "a", "1");
  close_tier (tier);
  assert_sound (copy);
}

static int
open_as_other_process (char **argv)
{
  Foreign foreign;
  DsqColdTier *tier = open_tier (argv[2], &foreign);

  put (tier, argv[3], "1");
  close_tier (tier);
  return 0;
}

/* Eight processes at once, on what @prepare has left at the path; all keys are there then. */
static void
race (Fixture *fixture, void (*prepare) (const char *path))
{
  for (guint round = 0; round < 5; round++)
    {
      g_autofree char *name = g_strdup_printf ("store %u", round);
      g_autofree char *path = g_build_filename (fixture->folder, name, NULL);
      GPid processes[8];

      if (prepare != NULL)
        prepare (path);
      for (guint i = 0; i < G_N_ELEMENTS (processes); i++)
        {
          g_autofree char *key = g_strdup_printf ("key %u", i);
          char *arguments[] = { (char *) program, (char *) OPENER_ARGUMENT, path, key, NULL };
          g_autoptr (GError) error = NULL;

          /* Not by GSubprocess: it starts a thread, whose locks tsan does not see. */
          g_spawn_async (NULL,
                         arguments,
                         NULL,
                         G_SPAWN_DO_NOT_REAP_CHILD,
                         NULL,
                         NULL,
                         &processes[i],
                         &error);
          g_assert_no_error (error);
        }
      for (guint i = 0; i < G_N_ELEMENTS (processes); i++)
        wait_for_process (processes[i]);
      assert_sound (path);
      assert_stock (path, "SELECT count(*) FROM entry", "8");
    }
}

static void
test_racing_openers_share_one_file (Fixture *fixture, gconstpointer data)
{
  g_autofree char *left = NULL;

  race (fixture, NULL);
  left = list_folder (fixture->folder);
  g_assert_cmpstr (left, ==, "store 0 store 1 store 2 store 3 store 4");
}

static void
leave_empty_file (const char *path)
{
  write_file (path, "", 0);
}

static void
test_racing_openers_share_an_empty_file (Fixture *fixture, gconstpointer data)
{
  g_autofree char *left = NULL;

  race (fixture, leave_empty_file);
  left = list_folder (fixture->folder);
  g_assert_cmpstr (left, ==, "store 0 store 1 store 2 store 3 store 4");
}

/* --- paths ------------------------------------------------------------------------------------ */

static void
test_relative_path_is_resolved_once (Fixture *fixture, gconstpointer data)
{
  g_autofree char *was = g_get_current_dir ();
  Foreign foreign;
  DsqColdTier *tier;

  g_assert_no_errno (g_chdir (fixture->folder));
  tier = open_tier ("store", &foreign);
  g_assert_no_errno (g_chdir (was));
  put (tier, "a", "1");
  assert_value (tier, "a", "1");
  close_tier (tier);
  assert_sound (fixture->path);
}

static void
test_odd_names_are_names (Fixture *fixture, gconstpointer data)
{
  const char *names[] = { "file:x", "a?mode=ro", ":memory:", "%00", "\xff\xfe", " ", "a'b\"c" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (fixture->folder, names[i], NULL);

      make_store (path);
      g_assert_true (g_file_test (path, G_FILE_TEST_IS_REGULAR));
    }
}

static void
test_folder_may_be_a_link (Fixture *fixture, gconstpointer data)
{
  g_autofree char *link = g_build_filename (fixture->folder, "link", NULL);
  g_autofree char *path = g_build_filename (link, "store", NULL);

  g_assert_no_errno (symlink (".", link));
  make_store (path);
  assert_sound (fixture->path);
}

#define ADD(path, func) g_test_add ("/dsq/store-file/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  if (argc == 4 && strcmp (argv[1], OPENER_ARGUMENT) == 0)
    return open_as_other_process (argv);

  program = argv[0];
  g_test_init (&argc, &argv, NULL);
  ADD ("makes-a-whole-file", test_makes_a_whole_file);
  ADD ("store-ids-differ", test_store_ids_differ);
  ADD ("takes-the-place-of-an-empty-file", test_takes_the_place_of_an_empty_file);
  ADD ("keeps-the-log-of-a-file-that-is-gone", test_keeps_the_log_of_a_file_that_is_gone);
  ADD ("reads-the-log-of-a-crash", test_reads_the_log_of_a_crash);
  ADD ("sets-wal-mode", test_sets_wal_mode);
  ADD ("refuses-journals", test_refuses_journals);
  ADD ("racing-openers-share-one-file", test_racing_openers_share_one_file);
  ADD ("racing-openers-share-an-empty-file", test_racing_openers_share_an_empty_file);
  ADD ("relative-path-is-resolved-once", test_relative_path_is_resolved_once);
  ADD ("odd-names-are-names", test_odd_names_are_names);
  ADD ("folder-may-be-a-link", test_folder_may_be_a_link);
  return g_test_run ();
}
