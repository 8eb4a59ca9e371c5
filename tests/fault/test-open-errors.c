/* test-open-errors.c - one file that cannot be opened while a store is
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Each call that opens one of SQLite's files, or the shared memory beside it, fails in turn, once,
 * with EMFILE. Either the store is refused, saying why, or it keeps what it acknowledges.
 */

#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <sys/statvfs.h>

#include "dsq-error.h"
#include "dsq-store.h"
#include "fault-vfs.h"

#define MAX_OPENS 64

static DsqStore *
open_store (const char *path, DsqPersistMode mode, gboolean background, GError **error)
{
  return g_initable_new (DSQ_TYPE_STORE,
                         NULL,
                         error,
                         "path",
                         path,
                         "persist-mode",
                         mode,
                         "background",
                         background,
                         "flush-interval",
                         1u,
                         NULL);
}

static void
assert_kept (const char *path, guint n_acknowledged)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = open_store (path, DSQ_PERSIST_WRITETHROUGH, FALSE, &error);

  g_assert_no_error (error);
  for (guint i = 0; i < n_acknowledged; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);
      g_autofree char *value = dsq_store_get_string (store, key, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpstr (value, ==, key);
    }
}

/* FALSE: there were fewer than @n opens. */
static gboolean
try_nth (const char *path, DsqPersistMode mode, gboolean background, guint n)
{
  const Fault fault = { FAULT_OPEN, EMFILE, n, FALSE, FAULT_ALL };
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = NULL;
  guint n_acknowledged = 0;
  gboolean was_reached;

  fault_arm (&fault);
  store = open_store (path, mode, background, &error);
  was_reached = fault_was_met ();
  fault_arm (NULL);
  g_test_message ("open %u: %s", n, error != NULL ? error->message : "opened");
  if (store == NULL)
    {
      g_assert_true (was_reached);
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_TOO_MANY_FILES);
      g_clear_error (&error);
    }
  for (guint i = 0; i < 5 && store != NULL; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);

      g_assert_true (dsq_store_set_string (store, key, key, NULL, &error));
      g_assert_no_error (error);
      n_acknowledged++;
    }
  if (store != NULL && n % 2 == 0)
    {
      dsq_store_flush (store, NULL, &error);
      g_assert_no_error (error);
    }
  g_clear_object (&store);
  assert_kept (path, n_acknowledged);
  return was_reached;
}

typedef struct
{
  DsqPersistMode mode;
  gboolean background;
  gboolean exists;
} Kind;

static void
test_nth (gconstpointer data)
{
  const Kind *kind = data;

  gboolean more = TRUE;

  for (guint n = 0; more; n++)
    {
      g_autofree char *folder = g_dir_make_tmp ("dsq-test-XXXXXX", NULL);
      g_autofree char *path = g_build_filename (folder, "store.db", NULL);

      if (kind->exists)
        assert_kept (path, 0);
      g_assert_cmpuint (n, <, MAX_OPENS);
      more = try_nth (path, kind->mode, kind->background, n);
      g_unlink (path);
      g_assert_cmpint (g_rmdir (folder), ==, 0);
    }
}

/* --- why a log cannot be made ----------------------------------------------------------------- */

typedef struct
{
  const char *name;
  int error; /* of the look at the medium */
  unsigned long flags;
  gboolean is_full;
  gboolean has_no_inodes; /* left */
  gboolean counts_none;
  int expected;
} Medium;

static const Medium *medium; /* (nullable) */

int
statvfs (const char *path, struct statvfs *info)
{
  static int (*next) (const char *, struct statvfs *);
  int result;

  if (next == NULL)
    next = (int (*) (const char *, struct statvfs *)) dlsym (RTLD_NEXT, "statvfs");
  result = next (path, info);
  if (medium == NULL)
    return result;
  info->f_bavail = !medium->is_full;
  info->f_files = medium->counts_none ? 0 : 1000;
  info->f_favail = !medium->has_no_inodes;
  info->f_flag = medium->flags;
  errno = medium->error;
  return medium->error != 0 ? -1 : 0;
}

/* SQLite says the errno of its second try, which is only to read. */
static void
test_medium (gconstpointer data)
{
  const Fault fault = { FAULT_OPEN, EMFILE, 0, FALSE, FAULT_LOG };
  const Medium *kind = data;
  g_autofree char *folder = g_dir_make_tmp ("dsq-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "store.db", NULL);
  g_autoptr (GError) error = NULL;

  assert_kept (path, 0);
  medium = kind;
  fault_arm (&fault);
  g_assert_null (open_store (path, DSQ_PERSIST_WRITETHROUGH, FALSE, &error));
  g_assert_true (fault_was_met ());
  fault_arm (NULL);
  medium = NULL;
  g_assert_error (error, DSQ_ERROR, kind->expected);
  assert_kept (path, 0);
  g_unlink (path);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

int
main (int argc, char **argv)
{
  static const Kind kinds[] = {
    { DSQ_PERSIST_LAZY, TRUE, FALSE },         { DSQ_PERSIST_LAZY, TRUE, TRUE },
    { DSQ_PERSIST_LAZY, FALSE, TRUE },         { DSQ_PERSIST_WRITETHROUGH, TRUE, FALSE },
    { DSQ_PERSIST_WRITETHROUGH, FALSE, TRUE },
  };

  static const Medium media[] = {
    { "fails", EIO, 0, FALSE, FALSE, FALSE, DSQ_ERROR_IO },
    { "is-read-only", 0, ST_RDONLY, FALSE, FALSE, FALSE, DSQ_ERROR_READ_ONLY },
    { "is-full", 0, 0, TRUE, FALSE, FALSE, DSQ_ERROR_NO_SPACE },
    { "has-no-inodes", 0, 0, FALSE, TRUE, FALSE, DSQ_ERROR_NO_SPACE },
    { "counts-no-inodes", 0, 0, FALSE, TRUE, TRUE, DSQ_ERROR_TOO_MANY_FILES },
    { "is-as-ever", 0, 0, FALSE, FALSE, FALSE, DSQ_ERROR_TOO_MANY_FILES },
  };

  g_test_init (&argc, &argv, NULL);
  fault_install ();
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *name =
          g_strdup_printf ("/dsq/open-errors/%s%s%s",
                           kinds[i].mode == DSQ_PERSIST_LAZY ? "lazy" : "writethrough",
                           kinds[i].background ? "-background" : "",
                           kinds[i].exists ? "-existing" : "");

      g_test_add_data_func (name, &kinds[i], test_nth);
    }
  for (guint i = 0; i < G_N_ELEMENTS (media); i++)
    {
      g_autofree char *name = g_strconcat ("/dsq/open-errors/medium-", media[i].name, NULL);

      g_test_add_data_func (name, &media[i], test_medium);
    }
  return g_test_run ();
}
