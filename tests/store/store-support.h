/* store-support.h - a store in a folder of its own, for each test
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>
#include <glib/gstdio.h>

typedef struct
{
  char *folder;    /* (owned) */
  DsqStore *store; /* (owned) */
} Fixture;

/* Its tiers are small, so that what is in it is met in each of them. */
static inline DsqStore *
open_small_store (const char *folder, DsqPersistMode mode, gboolean background)
{
  g_autofree char *path = g_build_filename (folder, "store.db", NULL);
  g_autoptr (GError) error = NULL;
  DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                    NULL,
                                    &error,
                                    "path",
                                    path,
                                    "persist-mode",
                                    mode,
                                    "hot-capacity",
                                    (guint64) 5,
                                    "warm-capacity",
                                    (guint64) 4096,
                                    "flush-interval",
                                    2u,
                                    "background",
                                    background,
                                    NULL);

  g_assert_no_error (error);
  return store;
}

static inline void
set_up_folder (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  fixture->folder = g_dir_make_tmp ("dsq-store-XXXXXX", &error);
  g_assert_no_error (error);
}

static inline void
tear_down (Fixture *fixture, gconstpointer mode)
{
  GDir *dir;
  const char *name;

  g_assert_true (dsq_store_close (fixture->store, NULL, NULL));
  g_object_unref (fixture->store);
  dir = g_dir_open (fixture->folder, 0, NULL);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (fixture->folder, name, NULL);

      g_assert_cmpint (g_unlink (path), ==, 0);
    }
  g_dir_close (dir);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_free (fixture->folder);
}
