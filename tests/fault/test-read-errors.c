/* test-read-errors.c - a medium that cannot be read for a moment
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One read of a file or its write-ahead log fails, each in turn. That is an
 * error of the medium, and never damage: nobody is to restore a backup for it. The same call
 * succeeds when it is made again.
 */

#include "config.h"

#include <errno.h>
#include <glib/gstdio.h>

#include "dsq-cursor.h"
#include "dsq-error.h"
#include "dsq-key-model.h"
#include "dsq-store.h"
#include "fault-vfs.h"

#define N_ENTRIES 300

static DsqStore *
open_store (const char *path, GError **error)
{
  return g_initable_new (DSQ_TYPE_STORE,
                         NULL,
                         error,
                         "path",
                         path,
                         "persist-mode",
                         DSQ_PERSIST_WRITETHROUGH,
                         "background",
                         FALSE,
                         "hot-capacity",
                         (guint64) 1,
                         "warm-capacity",
                         (guint64) 0,
                         "cache-size",
                         (guint64) 65536,
                         NULL);
}

/* --- what is done ----------------------------------------------------------------------------- */

typedef gboolean (*Work) (DsqStore *store, const char *folder, GError **error);

static gboolean
get (DsqStore *store, const char *folder, GError **error)
{
  for (guint i = 0; i < N_ENTRIES; i += 50)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);
      g_autofree char *value = dsq_store_get_string (store, key, NULL, error);

      if (value == NULL)
        return FALSE;
    }
  return TRUE;
}

static gboolean
walk (DsqStore *store, const char *folder, GError **error)
{
  g_autoptr (DsqCursor) cursor = dsq_store_walk (store, DSQ_WALK_FORWARD);
  gsize n_entries = 0, n_some;

  do
    {
      g_autoptr (GVariant) some = dsq_cursor_next_many (cursor, 50, NULL, error);

      if (some == NULL)
        return FALSE;
      n_some = g_variant_n_children (some);
      n_entries += n_some;
    }
  while (n_some > 0);
  g_assert_cmpuint (n_entries, ==, N_ENTRIES);
  return TRUE;
}

static gboolean
check (DsqStore *store, const char *folder, GError **error)
{
  g_auto (GStrv) problems = dsq_store_check (store, NULL, error);

  g_assert_cmpstr (problems != NULL ? problems[0] : NULL, ==, NULL);
  return problems != NULL;
}

static gboolean
copy (DsqStore *store, const char *folder, DsqCopyForm form, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "copy", NULL);
  gboolean copied = dsq_store_copy (store, path, form, NULL, NULL, NULL, NULL, error);

  g_assert_true (copied == g_file_test (path, G_FILE_TEST_EXISTS));
  if (copied)
    g_assert_cmpint (g_unlink (path), ==, 0);
  return copied;
}

static gboolean
backup (DsqStore *store, const char *folder, GError **error)
{
  return copy (store, folder, DSQ_COPY_SAME, error);
}

static gboolean
copy_plain (DsqStore *store, const char *folder, GError **error)
{
  return copy (store, folder, DSQ_COPY_PLAIN, error);
}

static gboolean
set (DsqStore *store, const char *folder, GError **error)
{
  return dsq_store_set_string (store, "key 7", "7", NULL, error) &&
         dsq_store_remove (store, "key 8", NULL, error) &&
         dsq_store_set_string (store, "key 8", "8", NULL, error);
}

static void
settle (DsqKeyModel *model)
{
  gboolean loading = TRUE;

  while (loading)
    {
      while (g_main_context_iteration (NULL, FALSE))
        ;
      g_object_get (model, "loading", &loading, NULL);
      if (loading)
        g_main_context_iteration (NULL, TRUE);
    }
}

/* All of them as a list, of which the first and the last are looked at. */
static gboolean
list (DsqStore *store, gboolean by_key, GError **error)
{
  g_autoptr (DsqKeyModel) model = dsq_key_model_new (store, NULL, by_key, error);
  g_autoptr (DsqItem) first = NULL;
  g_autoptr (DsqItem) item = NULL;
  g_autoptr (GError) met = NULL;
  g_autoptr (GVariant) value = NULL;

  if (model == NULL)
    return FALSE;
  settle (model);
  first = g_list_model_get_item (G_LIST_MODEL (model), 0);
  item = g_list_model_get_item (G_LIST_MODEL (model), N_ENTRIES - 1);
  settle (model);
  g_object_get (model, "error", &met, NULL);
  if (item != NULL)
    g_object_get (item, "value", &value, NULL);
  g_object_run_dispose (G_OBJECT (model));
  g_assert_true ((met == NULL) == (value != NULL));
  if (met != NULL)
    g_propagate_error (error, g_steal_pointer (&met));
  return value != NULL;
}

static gboolean
list_by_place (DsqStore *store, const char *folder, GError **error)
{
  return list (store, FALSE, error);
}

static gboolean
list_by_key (DsqStore *store, const char *folder, GError **error)
{
  return list (store, TRUE, error);
}

static gboolean
open_again (DsqStore *store, const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "store.db", NULL);
  g_autoptr (DsqStore) other = open_store (path, error);

  return other != NULL && dsq_store_close (other, NULL, error);
}

static const struct
{
  const char *name;
  Work work;
} works[] = {
  { "open", open_again },
  { "get", get },
  { "walk", walk },
  { "list-by-place", list_by_place },
  { "list-by-key", list_by_key },
  { "set", set },
  { "check", check },
  { "backup", backup },
  { "copy-plain", copy_plain },
};

/* --- with each read failing ------------------------------------------------------------------- */

static void
fill (DsqStore *store)
{
  g_autofree char *value = g_strnfill (300, 'x');

  for (guint i = 0; i < N_ENTRIES; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);

      g_assert_true (dsq_store_set_string (store, key, value, NULL, NULL));
    }
}

static void
test_one_read_fails (gconstpointer data)
{
  const guint which = GPOINTER_TO_UINT (data);
  g_autofree char *folder = g_dir_make_tmp ("dsq-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "store.db", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = open_store (path, &error);
  guint n_failed = 0;
  gboolean has_failed = TRUE;

  g_assert_no_error (error);
  fill (store);
  for (guint at = 0; has_failed; at++)
    {
      const Fault fault = { FAULT_READ, EIO, at, FALSE, FAULT_LASTING };
      gboolean success;

      fault_arm (&fault);
      success = works[which].work (store, folder, &error);
      has_failed = fault_was_met ();
      fault_arm (NULL);
      if (!success)
        {
          g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
          g_clear_error (&error);
          n_failed++;
        }
      g_assert_true (works[which].work (store, folder, &error));
      g_assert_no_error (error);
    }
  g_test_message ("%u reads failed", n_failed);
  g_assert_cmpuint (n_failed, >, 0);

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
  for (guint i = 0; i < G_N_ELEMENTS (works); i++)
    {
      g_autofree char *name = g_strconcat ("/dsq/read-errors/", works[i].name, NULL);

      g_test_add_data_func (name, GUINT_TO_POINTER (i), test_one_read_fails);
    }
  return g_test_run ();
}
