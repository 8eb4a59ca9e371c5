/* test-sync-errors.c - a store whose files could not be synced
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One sync of a file or its write-ahead log fails. The ones after it would be
 * successes, as on a system that forgets what it could not write: no such success is believed.
 */

#include "config.h"

#include <errno.h>
#include <glib/gstdio.h>

#include "dsq-error.h"
#include "dsq-store.h"
#include "fault-vfs.h"

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
assert_failed (gboolean success, DsqError code, GError **error)
{
  g_assert_false (success);
  g_assert_error (*error, DSQ_ERROR, (int) code);
  g_clear_error (error);
}

static void
assert_refused (gboolean success, GError **error)
{
  assert_failed (success, DSQ_ERROR_IO, error);
}

static void
assert_unknown (gboolean success, GError **error)
{
  assert_failed (success, DSQ_ERROR_OUTCOME_UNKNOWN, error);
}

/* Until the sync has failed, which one of the store's own threads may do; the error of a call of
 * ours that met it. */
static GError *
fail_one_sync (DsqStore *store, const Kind *kind)
{
  const Fault fault = { FAULT_SYNC, EIO, 0, FALSE, FAULT_LOG };
  GError *error = NULL;

  fault_arm (&fault);
  dsq_store_set_string (store, "b", "2", NULL, &error);
  if (kind->background)
    while (!fault_was_met ())
      g_usleep (1000);
  else if (error == NULL)
    dsq_store_flush (store, NULL, &error);
  g_assert_true (fault_was_met ());
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
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_OUTCOME_UNKNOWN);
      g_assert_nonnull (strstr (error->message, "is not known: open the store again"));
    }
  g_clear_error (&error);

  /* each flush tells it, also the one after it */
  assert_unknown (dsq_store_flush (store, NULL, &error), &error);
  assert_unknown (dsq_store_flush (store, NULL, &error), &error);
  assert_refused (dsq_store_set_string (store, "c", "3", NULL, &error), &error);
  assert_refused (dsq_store_clear (store, NULL, &error), &error);

  /* and reading goes on */
  value = dsq_store_get_string (store, "a", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (value, ==, "1");
  g_assert_cmpint (dsq_store_count (store, NULL, &error), >=, 1);
  g_assert_no_error (error);

  /* the store can be closed, which tells it as well, and opened anew */
  assert_unknown (dsq_store_close (store, NULL, &error), &error);
  g_assert_true (dsq_store_is_closed (store));
  g_clear_object (&store);
  store = open_store (fixture, kind);
  g_assert_true (dsq_store_set_string (store, "c", "3", NULL, &error));
  g_assert_true (dsq_store_flush (store, NULL, &error));
  g_assert_true (dsq_store_close (store, NULL, &error));
  g_assert_no_error (error);
}

/* --- each of them in turn --------------------------------------------------------------------- */

#define N_STEPS 7

static DsqStore *
open_sealed (Fixture *fixture, const char *password, GError **error)
{
  return g_initable_new (DSQ_TYPE_STORE,
                         NULL,
                         error,
                         "path",
                         fixture->path,
                         "persist-mode",
                         DSQ_PERSIST_WRITETHROUGH,
                         "durability",
                         DSQ_DURABILITY_FULL,
                         "background",
                         FALSE,
                         "password",
                         password,
                         "kdf-memory",
                         (guint64) 19 << 20,
                         "kdf-passes",
                         2u,
                         NULL);
}

static gboolean
step (DsqStore *store, guint which, GError **error)
{
  g_autoptr (GBytes) old_password = g_bytes_new_static ("old", 3);
  g_autoptr (GBytes) new_password = g_bytes_new_static ("new", 3);
  g_autoptr (DsqStore) table = NULL;

  switch (which)
    {
    case 0:
      return dsq_store_set_string (store, "a", "1", NULL, error);
    case 1:
      return dsq_store_set_string (store, "b", "2", NULL, error);
    case 2:
      return dsq_store_remove (store, "a", NULL, error);
    case 3:
      table = dsq_store_get_table (store, "table", NULL, error);
      return table != NULL;
    case 4:
      return dsq_store_drop_table (store, "table", NULL, error);
    case 5:
      return dsq_store_change_password (store, old_password, new_password, NULL, error);
    default:
      return dsq_store_close (store, NULL, error);
    }
}

/* The state after the first @n_done steps, or what @or_one_more had as well. */
static gboolean
is_after (DsqStore *store, guint n_done, gboolean or_one_more)
{
  g_autoptr (GError) error = NULL;
  gboolean has_a = dsq_store_contains (store, "a", NULL, &error);
  gboolean has_b = dsq_store_contains (store, "b", NULL, &error);

  g_assert_no_error (error);
  for (guint n = n_done; n <= n_done + (or_one_more ? 1 : 0); n++)
    if (has_a == (n == 1 || n == 2) && has_b == (n >= 2))
      return TRUE;
  return FALSE;
}

static gboolean
opens (Fixture *fixture, const char *password)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = open_sealed (fixture, password, &error);

  if (store == NULL)
    g_assert_error (error, DSQ_ERROR, DSQ_ERROR_WRONG_PASSWORD);
  else
    g_assert_true (dsq_store_close (store, NULL, &error));
  return store != NULL;
}

/* By one of both passwords alone, which may be either where the change itself has failed. */
static DsqStore *
reopen (Fixture *fixture, guint n_done, gboolean failed)
{
  gboolean is_old = opens (fixture, "old");

  g_assert_true (is_old != opens (fixture, "new"));
  g_assert_true (is_old ? n_done <= 5 : n_done > 5 || (n_done == 5 && failed));
  return open_sealed (fixture, is_old ? "old" : "new", NULL);
}

/* Whichever sync fails: the call that met it says that its outcome is not known, what comes after
 * it is refused, and the file holds all that was before it. */
static gboolean
fail_at (Fixture *fixture, guint at)
{
  const Fault fault = { FAULT_SYNC, EIO, at, FALSE, FAULT_LASTING };
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = open_sealed (fixture, "old", &error);
  g_autoptr (DsqStore) again = NULL;
  guint n_done = 0;
  gboolean failed;

  g_assert_no_error (error);
  fault_arm (&fault);
  while (n_done < N_STEPS && step (store, n_done, &error))
    n_done++;
  fault_arm (NULL);
  failed = n_done < N_STEPS;
  if (failed)
    {
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_OUTCOME_UNKNOWN);
      g_clear_error (&error);
    }
  if (failed && n_done < N_STEPS - 1)
    {
      g_assert_true (is_after (store, n_done, FALSE));
      assert_refused (dsq_store_set_string (store, "c", "3", NULL, &error), &error);
      assert_refused (dsq_store_set_string (store, "a", "4", NULL, &error), &error);
      assert_unknown (dsq_store_flush (store, NULL, &error), &error);
      assert_unknown (dsq_store_close (store, NULL, &error), &error);
    }
  again = reopen (fixture, n_done, failed);
  g_assert_nonnull (again);
  g_assert_true (is_after (again, n_done, failed));
  g_assert_true (dsq_store_close (again, NULL, &error));
  return failed;
}

static void
test_each_sync_in_turn (Fixture *fixture, gconstpointer data)
{
  guint n_syncs = 0;

  while (fail_at (fixture, n_syncs))
    {
      n_syncs++;
      g_assert_cmpint (g_unlink (fixture->path), ==, 0);
    }
  g_test_message ("%u syncs", n_syncs);
  g_assert_cmpuint (n_syncs, >=, 8);
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
  fault_install ();
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *name = g_strconcat ("/dsq/sync-errors/", names[i], NULL);

      g_test_add (name, Fixture, &kinds[i], set_up, test_a_failed_sync_is_final, tear_down);
    }
  g_test_add ("/dsq/sync-errors/each-in-turn",
              Fixture,
              NULL,
              set_up,
              test_each_sync_in_turn,
              tear_down);
  return g_test_run ();
}
