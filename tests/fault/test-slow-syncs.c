/* test-slow-syncs.c - calls that are ended while they are in a sync
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dictsqlite.h>
#include <glib/gstdio.h>

#include "fault-vfs.h"

#define SYNC_US (1500 * 1000)
#define SOON_US (500 * 1000)

static gboolean is_over;

static gboolean
is_over_cb (gpointer user_data)
{
  gboolean was_over = is_over;

  is_over = FALSE;
  return was_over;
}

typedef gboolean (*Call) (DsqStore *store, GError **error);

static gboolean
set (DsqStore *store, GError **error)
{
  return dsq_store_set (store, "key", g_variant_new_int64 (2), NULL, error);
}

static gboolean
add (DsqStore *store, GError **error)
{
  gint64 sum;

  return dsq_store_increment (store, "key", 1, 1, &sum, NULL, error);
}

static gboolean
flush (DsqStore *store, GError **error)
{
  return dsq_store_flush (store, NULL, error);
}

static gboolean
open_table (DsqStore *store, GError **error)
{
  g_autoptr (DsqStore) table = dsq_store_get_table (store, "table", NULL, error);

  return table != NULL;
}

typedef struct
{
  const char *name;
  DsqPersistMode mode;
  Call call;
} Case;

static const Case cases[] = {
  { "set", DSQ_PERSIST_WRITETHROUGH, set },
  { "add", DSQ_PERSIST_WRITETHROUGH, add },
  { "table", DSQ_PERSIST_WRITETHROUGH, open_table },
  { "flush", DSQ_PERSIST_LAZY, flush },
};

static void
test_left (gconstpointer data)
{
  const Case *self = data;
  g_autofree char *folder = g_dir_make_tmp ("dsq-slow-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "store.db", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = NULL;
  gint64 started, value = 0;

  store = g_initable_new (DSQ_TYPE_STORE,
                          NULL,
                          &error,
                          "path",
                          path,
                          "persist-mode",
                          self->mode,
                          "durability",
                          DSQ_DURABILITY_FULL,
                          "flush-interval",
                          3600 * 1000,
                          NULL);
  g_assert_no_error (error);
  g_assert_true (dsq_store_increment (store, "key", 0, 1, &value, NULL, &error));
  fault_set_delay (FAULT_SYNC, FAULT_LOG, SYNC_US);
  is_over = TRUE;
  started = g_get_monotonic_time ();
  g_assert_false (self->call (store, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_OUTCOME_UNKNOWN);
  g_assert_cmpint (g_get_monotonic_time () - started, <, SOON_US);
  g_clear_error (&error);
  fault_set_delay (FAULT_SYNC, FAULT_LOG, 0);
  /* this one waits for it */
  g_assert_true (dsq_store_increment (store, "key", 0, 0, &value, NULL, &error));
  g_assert_cmpint (value, ==, self->call == set || self->call == add ? 2 : 1);
  g_assert_true (dsq_store_close (store, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  fault_install ();
  dsq_set_wait_func (is_over_cb, NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *name = g_strconcat ("/dsq/slow-syncs/left/", cases[i].name, NULL);

      g_test_add_data_func (name, &cases[i], test_left);
    }
  return g_test_run ();
}
