/* test-sync-errors.c - a store whose log could not be synced
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A shim under SQLite fails one sync of a write-ahead log. The ones after it would be successes, as
 * on a system that forgets what it could not write: no such success is believed.
 */

#include "config.h"

#include <glib/gstdio.h>
#include <sqlite3.h>

#include "dsq-error.h"
#include "dsq-store.h"

typedef struct
{
  char *folder; /* (owned) */
  char *path;   /* (owned) */
} Fixture;

typedef struct
{
  DsqPersistMode mode;
  DsqDurability durability;
  gboolean background;
} Kind;

static sqlite3_vfs *base; /* (unowned) SQLite's own */
static sqlite3_vfs shim;
static sqlite3_io_methods methods;
static const sqlite3_io_methods *behind; /* (unowned) those of logs */
static gint n_failures;                  /* syncs that fail from now on */

static int
sync_or_fail (sqlite3_file *file, int flags)
{
  if (g_atomic_int_get (&n_failures) > 0 && g_atomic_int_add (&n_failures, -1) > 0)
    return SQLITE_IOERR_FSYNC;
  return behind->xSync (file, flags);
}

static int
open_shimmed (sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
  int code = base->xOpen (base, name, file, flags, out_flags);

  if (code != SQLITE_OK || (flags & SQLITE_OPEN_WAL) == 0)
    return code;
  behind = file->pMethods;
  methods = *behind;
  methods.xSync = sync_or_fail;
  file->pMethods = &methods;
  return code;
}

static void
install_shim (void)
{
  base = sqlite3_vfs_find (NULL);
  shim = *base;
  shim.zName = "failing";
  shim.xOpen = open_shimmed;
  g_assert_cmpint (sqlite3_vfs_register (&shim, TRUE), ==, SQLITE_OK);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp ("dsq-test-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->folder, "store.db", NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpint (g_unlink (fixture->path), ==, 0);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_free (fixture->folder);
  g_free (fixture->path);
}

static DsqStore *
open_store (Fixture *fixture, const Kind *kind)
{
  g_autoptr (GError) error = NULL;
  DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                    NULL,
                                    &error,
                                    "path",
                                    fixture->path,
                                    "persist-mode",
                                    kind->mode,
                                    "durability",
                                    kind->durability,
                                    "background",
                                    kind->background,
                                    "flush-interval",
                                    kind->background ? 5u : 100000u,
                                    NULL);

  g_assert_no_error (error);
  return store;
}

static void
assert_refused (gboolean success, GError **error)
{
  g_assert_false (success);
  g_assert_error (*error, DSQ_ERROR, DSQ_ERROR_IO);
  g_clear_error (error);
}

/* Until the sync has failed, which one of the store's own threads may do; the error of a call of
 * ours that met it. */
static GError *
fail_one_sync (DsqStore *store, const Kind *kind)
{
  GError *error = NULL;

  g_atomic_int_set (&n_failures, 1);
  dsq_store_set_string (store, "b", "2", NULL, &error);
  if (kind->background)
    while (g_atomic_int_get (&n_failures) > 0)
      g_usleep (1000);
  else if (error == NULL)
    dsq_store_flush (store, NULL, &error);
  g_assert_cmpint (g_atomic_int_get (&n_failures), <=, 0);
  return error;
}

static void
test_a_failed_sync_is_final (Fixture *fixture, gconstpointer data)
{
  const Kind *kind = data;
  g_autoptr (DsqStore) store = open_store (fixture, kind);
  g_autoptr (GError) error = NULL;
  g_autofree char *value = NULL;

  g_assert_true (dsq_store_set_string (store, "a", "1", NULL, &error));
  g_assert_true (dsq_store_flush (store, NULL, &error));
  g_assert_no_error (error);
  error = fail_one_sync (store, kind);
  if (!kind->background)
    {
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
      g_assert_nonnull (strstr (error->message, "is not known"));
    }
  g_clear_error (&error);

  /* each flush tells it, also the one after it */
  assert_refused (dsq_store_flush (store, NULL, &error), &error);
  assert_refused (dsq_store_flush (store, NULL, &error), &error);
  assert_refused (dsq_store_set_string (store, "c", "3", NULL, &error), &error);
  assert_refused (dsq_store_clear (store, NULL, &error), &error);

  /* and reading goes on */
  value = dsq_store_get_string (store, "a", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (value, ==, "1");
  g_assert_cmpint (dsq_store_count (store, NULL, &error), >=, 1);
  g_assert_no_error (error);

  /* the store can be closed, which tells it as well, and opened anew */
  assert_refused (dsq_store_close (store, NULL, &error), &error);
  g_assert_true (dsq_store_is_closed (store));
  g_clear_object (&store);
  store = open_store (fixture, kind);
  g_assert_true (dsq_store_set_string (store, "c", "3", NULL, &error));
  g_assert_true (dsq_store_flush (store, NULL, &error));
  g_assert_true (dsq_store_close (store, NULL, &error));
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  static const Kind kinds[] = {
    { DSQ_PERSIST_LAZY, DSQ_DURABILITY_NORMAL, TRUE },
    { DSQ_PERSIST_LAZY, DSQ_DURABILITY_NORMAL, FALSE },
    { DSQ_PERSIST_WRITETHROUGH, DSQ_DURABILITY_NORMAL, TRUE },
    { DSQ_PERSIST_WRITETHROUGH, DSQ_DURABILITY_NORMAL, FALSE },
    { DSQ_PERSIST_WRITETHROUGH, DSQ_DURABILITY_FULL, FALSE },
  };
  static const char *const names[] = {
    "lazy-background", "lazy", "writethrough-background", "writethrough", "writethrough-full",
  };

  g_test_init (&argc, &argv, NULL);
  install_shim ();
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *name = g_strconcat ("/dsq/sync-errors/", names[i], NULL);

      g_test_add (name, Fixture, &kinds[i], set_up, test_a_failed_sync_is_final, tear_down);
    }
  return g_test_run ();
}
