/* test-work-file.c - files that have no name before they are whole, and those that have one
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codec/dsq-header-private.h"
#include "file-fixture.h"
#include "sqlite/dsq-new-file-private.h"
#include "sqlite/dsq-work-file-private.h"

/* This program as another process, which has named work files: opens the store argv[2], whose
 * folder it removes again and again; or makes one work file for it and waits to be killed. */
#define MAKER_ARGUMENT  "--make"
#define HOLDER_ARGUMENT "--hold"

static const char *program; /* (unowned) argv[0] */

static void
set_up_named (Fixture *fixture, gconstpointer is_named)
{
  set_up (fixture, is_named);
  dsq_work_file_set_named (GPOINTER_TO_INT (is_named));
}

static void
tear_down_named (Fixture *fixture, gconstpointer is_named)
{
  dsq_work_file_set_named (FALSE);
  tear_down (fixture, is_named);
}

static DsqWorkFile *
new_file (const char *path, mode_t mode)
{
  g_autoptr (GError) error = NULL;
  DsqWorkFile *work = dsq_work_file_new (path, mode, &error);

  g_assert_no_error (error);
  return work;
}

static guint
count_names (const char *folder)
{
  g_autoptr (GPtrArray) names = read_folder (folder);

  return names->len - 1;
}

/* A file system that has no files without a name is no fault. */
static gboolean
has_name (const Fixture *fixture, gconstpointer data)
{
  guint n_names = count_names (fixture->folder);

  g_assert_cmpuint (n_names, <=, 1);
  if (GPOINTER_TO_INT (data))
    g_assert_cmpuint (n_names, ==, 1);
  return n_names == 1;
}

static void
test_is_published_once (Fixture *fixture, gconstpointer data)
{
  guint n_descriptors = count_descriptors ();
  DsqWorkFile *one = new_file (fixture->path, 0600);
  gboolean was_named = has_name (fixture, data);
  DsqWorkFile *other = new_file (fixture->path, 0600);
  gboolean was_first;

  g_assert_cmpuint (count_names (fixture->folder), ==, was_named ? 2 : 0);
  g_assert_true (dsq_work_file_finish (one, NULL, NULL));
  g_assert_true (dsq_work_file_finish (other, NULL, NULL));
  g_assert_true (dsq_work_file_publish (one, fixture->path, &was_first, NULL));
  g_assert_true (was_first);
  g_assert_true (dsq_work_file_publish (other, fixture->path, &was_first, NULL));
  g_assert_false (was_first);
  dsq_work_file_free (one);
  dsq_work_file_free (other);
  g_assert_cmpuint (count_names (fixture->folder), ==, 1);
  g_assert_cmpuint (count_descriptors (), ==, n_descriptors);
}

static void
test_replaces (Fixture *fixture, gconstpointer data)
{
  struct stat before, after;
  DsqWorkFile *work;

  write_file (fixture->path, "before", 6);
  g_assert_no_errno (chmod (fixture->path, 0604));
  g_assert_no_errno (stat (fixture->path, &before));
  work = new_file (fixture->path, 0604);
  g_assert_true (dsq_work_file_finish (work, fixture->path, NULL));
  g_assert_true (dsq_work_file_replace (work, fixture->path, NULL));
  dsq_work_file_free (work);
  g_assert_no_errno (stat (fixture->path, &after));
  g_assert_cmpuint (before.st_ino, !=, after.st_ino);
  g_assert_cmpuint (after.st_mode & 07777, ==, 0604);
  g_assert_cmpuint (after.st_nlink, ==, 1);
  g_assert_cmpuint (count_names (fixture->folder), ==, 1);
}

/* Neither that nor a file which is given up leaves anything. */
static void
test_modes_are_no_wider (Fixture *fixture, gconstpointer data)
{
  static const mode_t masks[] = { 0, 022, 077, 027 };
  static const mode_t modes[] = { 0600, 0666, 0640 };

  for (guint i = 0; i < G_N_ELEMENTS (masks); i++)
    for (guint j = 0; j < G_N_ELEMENTS (modes); j++)
      {
        mode_t mask = umask (masks[i]);
        DsqWorkFile *work = new_file (fixture->path, modes[j]);
        struct stat info;

        umask (mask);
        g_assert_no_errno (stat (dsq_work_file_get_path (work), &info));
        g_assert_cmpuint (info.st_mode & 07777, ==, modes[j] & ~masks[i]);
        dsq_work_file_free (work);
        g_assert_cmpuint (count_names (fixture->folder), ==, 0);
      }
}

/* --- processes that die ----------------------------------------------------------------------- */

static GPid
spawn (const char *what, const char *path, gboolean named, int *out_output)
{
  const char *arguments[] = { program, what, path, named ? "named" : "", NULL };
  g_autoptr (GError) error = NULL;
  GPid process;

  g_spawn_async_with_pipes (NULL,
                            (char **) arguments,
                            NULL,
                            G_SPAWN_DO_NOT_REAP_CHILD,
                            NULL,
                            NULL,
                            &process,
                            NULL,
                            out_output,
                            NULL,
                            &error);
  g_assert_no_error (error);
  return process;
}

static void
kill_it (GPid process)
{
  g_assert_no_errno (kill (process, SIGKILL));
  g_assert_cmpint (waitpid (process, NULL, 0), ==, process);
}

/* What a process that lives is writing stays; what one that died has left goes. */
static void
test_what_is_left_is_removed (Fixture *fixture, gconstpointer data)
{
  gboolean named = GPOINTER_TO_INT (data);
  char byte;
  int output;
  GPid process = spawn (HOLDER_ARGUMENT, fixture->path, named, &output);

  g_assert_cmpint (read (output, &byte, 1), ==, 1);
  close (output);
  has_name (fixture, data);
  dsq_work_file_remove_left (fixture->path);
  has_name (fixture, data);
  kill_it (process);
  has_name (fixture, data);
  dsq_work_file_remove_left (fixture->path);
  g_assert_cmpuint (count_names (fixture->folder), ==, 0);
}

static void
test_the_next_opening_removes_it (Fixture *fixture, gconstpointer data)
{
  gboolean named = GPOINTER_TO_INT (data);

  for (guint round = 0; round < 20; round++)
    {
      g_autofree char *left = NULL;
      char byte;
      int output;
      GPid process = spawn (MAKER_ARGUMENT, fixture->path, named, &output);

      g_assert_cmpint (read (output, &byte, 1), ==, 1);
      g_usleep ((gulong) g_test_rand_int_range (0, 20000)); /* the moment is any */
      kill_it (process);
      close (output);
      make_store (fixture->path);
      left = list_folder (fixture->folder);
      g_assert_cmpstr (left, ==, "store");
      assert_sound (fixture->path);
      g_assert_no_errno (g_remove (fixture->path));
    }
}

static int
be_another_process (char **argv)
{
  const char *suffixes[] = { "", "-wal", "-shm" };

  dsq_work_file_set_named (argv[3][0] != '\0');
  if (strcmp (argv[1], HOLDER_ARGUMENT) == 0)
    {
      if (dsq_work_file_new (argv[2], 0600, NULL) == NULL || write (1, "x", 1) != 1)
        return 1;
      for (;;)
        pause ();
    }
  if (write (1, "x", 1) != 1)
    return 1;
  for (;;)
    {
      Foreign foreign;
      DsqColdTier *tier = open_tier (argv[2], &foreign);

      tier->funcs->close (tier, NULL);
      for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
        {
          g_autofree char *name = g_strconcat (argv[2], suffixes[i], NULL);

          unlink (name);
        }
    }
}

#define ADD(path, func)                                                                            \
  g_test_add ("/dsq/work-file/nameless/" path,                                                     \
              Fixture,                                                                             \
              NULL,                                                                                \
              set_up_named,                                                                        \
              func,                                                                                \
              tear_down_named);                                                                    \
  g_test_add ("/dsq/work-file/named/" path,                                                        \
              Fixture,                                                                             \
              GINT_TO_POINTER (TRUE),                                                              \
              set_up_named,                                                                        \
              func,                                                                                \
              tear_down_named)

/* What comes while a new file is made. */
typedef struct
{
  const char *path;   /* (unowned) */
  const char *suffix; /* (nullable) NULL: it cannot be made */
} Coming;

static gboolean
let_come (DsqDatabase *database, gpointer user_data, GError **error)
{
  const Coming *coming = user_data;
  g_autofree char *path = NULL;

  if (coming->suffix == NULL)
    {
      g_set_error_literal (error, DSQ_ERROR, DSQ_ERROR_EXISTS, "Failed to test: it is");
      return FALSE;
    }
  path = g_strconcat (coming->path, coming->suffix, NULL);
  write_file (path, "another", 7);
  return TRUE;
}

/* Nothing of that takes the place of what has come meanwhile, nor is put beside it. */
static void
test_makes_way_for_what_comes (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *suffix;
    DsqNewFilePlace place;
  } cases[] = {
    { "", DSQ_NEW_FILE_FAIL },
    { "-wal", DSQ_NEW_FILE_FAIL },
    { NULL, DSQ_NEW_FILE_FAIL },
    { "-wal", DSQ_NEW_FILE_REPLACE },
  };
  DsqHeader header;
  DsqKeys *keys;

  g_assert_true (dsq_header_init (&header, NULL, NULL, &keys, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Coming coming = { fixture->path, cases[i].suffix };
      g_autofree char *log = g_strconcat (fixture->path, "-wal", NULL);
      g_autoptr (GError) error = NULL;
      guint n_names = cases[i].suffix != NULL;

      if (cases[i].place == DSQ_NEW_FILE_REPLACE)
        {
          write_file (fixture->path, "before", 6);
          n_names++;
        }
      g_assert_false (dsq_new_file_publish_filled (fixture->path,
                                                   NULL,
                                                   &header,
                                                   cases[i].place,
                                                   let_come,
                                                   &coming,
                                                   &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_EXISTS);
      g_assert_cmpuint (count_names (fixture->folder), ==, n_names);
      g_unlink (fixture->path);
      g_unlink (log);
    }
}

/* Who has given the file its name was ended before the other one was gone. */
static void
test_a_second_name_goes (Fixture *fixture, gconstpointer data)
{
  g_autofree char *hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "store", -1);
  g_autofree char *name = g_strdup_printf ("%s/.dsq-%.16s-0.tmp", fixture->folder, hash);

  write_file (fixture->path, "store", 5);
  g_assert_no_errno (link (fixture->path, name));
  dsq_work_file_remove_left (fixture->path);
  g_assert_cmpuint (count_names (fixture->folder), ==, 1);
  g_assert_true (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
}

int
main (int argc, char **argv)
{
  if (argc == 4 && argv[1][0] == '-')
    return be_another_process (argv);

  program = argv[0];
  g_test_init (&argc, &argv, NULL);
  ADD ("is-published-once", test_is_published_once);
  ADD ("replaces", test_replaces);
  ADD ("modes-are-no-wider", test_modes_are_no_wider);
  ADD ("what-is-left-is-removed", test_what_is_left_is_removed);
  ADD ("the-next-opening-removes-it", test_the_next_opening_removes_it);
  ADD ("makes-way-for-what-comes", test_makes_way_for_what_comes);
  ADD ("a-second-name-goes", test_a_second_name_goes);
  return g_test_run ();
}
