/* test-owners.c - whose files beside a store are trusted
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who runs this may be one user alone: calls are defined here, before libc's, that tell of others.
 */

#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <unistd.h>

#include "cold-support.h"
#include "cold/dsq-facts-file-private.h"
#include "sqlite/dsq-location-private.h"
#include "sqlite/dsq-sidecars-private.h"

/* With @us all files are ours, but the one whose name ends so. */
static struct
{
  uid_t us;           /* 0: as it is */
  const char *ending; /* (unowned) (nullable) */
  uid_t owner;
  gboolean is_of_another_group;
} owners;

static gboolean is_shut; /* no folder can be written */

static int
tell_owner (int result, const char *path, struct stat *info)
{
  const gboolean is_it = owners.ending != NULL && g_str_has_suffix (path, owners.ending);

  if (result != 0 || owners.us == 0)
    return result;
  info->st_uid = is_it ? owners.owner : owners.us;
  if (is_it && owners.is_of_another_group)
    info->st_gid++;
  return 0;
}

uid_t
geteuid (void)
{
  static uid_t (*next) (void);

  if (next == NULL)
    next = (uid_t (*) (void)) dlsym (RTLD_NEXT, "geteuid");
  return owners.us != 0 ? owners.us : next ();
}

int
faccessat (int folder, const char *path, int mode, int flags)
{
  static int (*next) (int, const char *, int, int);

  if (next == NULL)
    next = (int (*) (int, const char *, int, int)) dlsym (RTLD_NEXT, "faccessat");
  errno = EACCES;
  return is_shut && mode == W_OK ? -1 : next (folder, path, mode, flags);
}

#define STAT_CALL(name)                                                                            \
  int name (const char *path, struct stat *info)                                                   \
  {                                                                                                \
    static int (*next) (const char *, struct stat *);                                              \
                                                                                                   \
    if (next == NULL)                                                                              \
      next = (int (*) (const char *, struct stat *)) dlsym (RTLD_NEXT, #name);                     \
    return tell_owner (next (path, info), path, info);                                             \
  }

STAT_CALL (lstat)
STAT_CALL (stat)

/* --- the tests -------------------------------------------------------------------------------- */

#define US       1234
#define STRANGER 4321

typedef struct
{
  const char *ending; /* of whose name it is */
  uid_t owner;
  mode_t mode, log_mode; /* of the file and the log */
  int expected;          /* 0: it is trusted */
  gboolean is_of_another_group;
} Owned;

static void
test_logs_of_others (void)
{
  static const Owned cases[] = {
    { NULL, US, 0600, 0600, 0 },
    { "-wal", 0, 0600, 0600, 0 },
    { "-wal", STRANGER, 0600, 0600, DSQ_ERROR_PERMISSION },
    { "-wal", STRANGER, 0640, 0640, DSQ_ERROR_PERMISSION },
    { "-wal", STRANGER, 0660, 0660, 0 }, /* of a group that shares the file */
    { "-wal", STRANGER, 0660, 0640, DSQ_ERROR_PERMISSION },
    { "-wal", STRANGER, 0660, 0660, DSQ_ERROR_PERMISSION, TRUE },
    { "store", STRANGER, 0600, 0600, 0 }, /* ours, though the file is not */
  };
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autofree char *log = g_strconcat (path, "-wal", NULL);

  write_file (path, "", 0);
  write_file (log, "", 0);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_no_errno (chmod (path, cases[i].mode));
      g_assert_no_errno (chmod (log, cases[i].log_mode));
      owners.us = US;
      owners.ending = cases[i].ending;
      owners.owner = cases[i].owner;
      owners.is_of_another_group = cases[i].is_of_another_group;
      dsq_sidecars_check (path, &error);
      owners.us = 0;
      owners.is_of_another_group = FALSE;
      if (cases[i].expected == 0)
        g_assert_no_error (error);
      else
        g_assert_error (error, DSQ_ERROR, cases[i].expected);
    }
  remove_folder (folder);
}

static void
test_links_of_others (void)
{
  static const Owned cases[] = {
    { NULL, US, 0, 0, 0 },
    { "/link", 0, 0, 0, 0 },
    { "/link", STRANGER, 0, 0, DSQ_ERROR_NOT_REGULAR },
    { "-folder", STRANGER, 0, 0, DSQ_ERROR_NOT_REGULAR },
  };
  char *folder = make_folder ();
  g_autofree char *inner = g_build_filename (folder, "a-folder", NULL);
  g_autofree char *link_path = g_build_filename (inner, "link", NULL);
  g_autofree char *path = g_build_filename (folder, "store", NULL);

  g_assert_no_errno (g_mkdir (inner, 0700));
  write_file (path, "", 0);
  g_assert_no_errno (symlink (path, link_path));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *resolved = NULL;

      owners.us = US;
      owners.ending = cases[i].ending;
      owners.owner = cases[i].owner;
      resolved = dsq_location_resolve (link_path, &error);
      owners.us = 0;
      if (cases[i].expected == 0)
        g_assert_cmpstr (resolved, ==, path);
      else
        g_assert_error (error, DSQ_ERROR, cases[i].expected);
    }
  g_assert_no_errno (g_unlink (link_path));
  g_assert_no_errno (g_rmdir (inner));
  remove_folder (folder);
}

/* Who is not root makes what others are told by for a file of his own alone. */
static void
test_tells_of_own_files (void)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autofree char *other = NULL;
  DsqFactsFile file;

  write_file (path, "", 0);
  dsq_facts_file_init (&file, path, FALSE);
  owners.us = US;
  owners.ending = "store";
  owners.owner = STRANGER;
  g_assert_false (dsq_facts_file_open (&file, TRUE));
  owners.owner = US;
  g_assert_true (dsq_facts_file_open (&file, TRUE));
  owners.us = 0;
  g_assert_false (dsq_facts_file_is_shared (&file));
  dsq_facts_file_close (&file);
  /* where it cannot be told, somebody may be */
  g_assert_true (dsq_facts_file_is_shared (&file));

  /* what has another name, or is no file, is nobody's to remove */
  other = g_strconcat (file.path, "-other", NULL);
  g_assert_no_errno (link (file.path, other));
  dsq_facts_file_remove (path);
  g_assert_no_errno (g_unlink (other));
  g_assert_true (g_file_test (file.path, G_FILE_TEST_EXISTS));
  dsq_facts_file_remove (path);
  g_assert_false (g_file_test (file.path, G_FILE_TEST_EXISTS));
  g_assert_no_errno (symlink ("store", file.path));
  dsq_facts_file_remove (path);
  g_assert_no_errno (g_unlink (file.path));
  dsq_facts_file_clear (&file);
  remove_folder (folder);
}

/* Where none can write, none has a log's index: the file is read as one that does not change, until
 * somebody has opened it, which no read passes over. */
static void
test_reads_what_does_not_change (void)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  const DsqColdOptions options = { .path = path, .cache_bytes = 1 << 20, .read_only = TRUE };
  g_autoptr (GPtrArray) found = g_ptr_array_new ();
  const DsqKey keys[2] = { key_of ("a"), key_of ("b") };
  g_autoptr (GError) open_error = NULL;
  DsqTableState state;
  DsqColdTier *tier, *writer;
  Foreign foreign;
  gint64 places[2];
  int fd;

  make_store (path);
  is_shut = TRUE;
  tier = dsq_cold_tier_open_sqlite (&options, &state, &open_error);
  is_shut = FALSE;
  g_assert_no_error (open_error);
  assert_value (tier, "a", "1");
  g_assert_true (tier->funcs->open_notice (tier, &fd, NULL));
  g_assert_cmpint (fd, ==, -1);

  writer = open_tier (path, &foreign);
  put (writer, "b", "2");
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (GError) error = NULL;

      if (i == 0)
        g_assert_false (tier->funcs->list_keys (tier, &keys[0], &keys[1], 9, found, &error));
      else if (i == 1)
        g_assert_false (tier->funcs->list_tables (tier, found, &error));
      else
        g_assert_false (tier->funcs->probe (tier, keys, i - 1, places, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
    }
  dsq_cold_filter_begin (tier->filter);
  g_assert_false (dsq_cold_filter_fill (tier->filter, 9));
  g_assert_true (dsq_cold_tier_may_contain (tier, &keys[1]));
  close_tier (writer);
  close_tier (tier);

  /* one that cannot be opened so is not opened otherwise */
  run_stock (path, "DROP INDEX entry_expires");
  is_shut = TRUE;
  g_assert_null (dsq_cold_tier_open_sqlite (&options, &state, &open_error));
  is_shut = FALSE;
  g_assert_error (open_error, DSQ_ERROR, DSQ_ERROR_FORMAT);
  remove_folder (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/owners/logs-of-others", test_logs_of_others);
  g_test_add_func ("/dsq/owners/links-of-others", test_links_of_others);
  g_test_add_func ("/dsq/owners/tells-of-own-files", test_tells_of_own_files);
  g_test_add_func ("/dsq/owners/reads-what-does-not-change", test_reads_what_does_not_change);
  return g_test_run ();
}
