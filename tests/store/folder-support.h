/* folder-support.h - stores in a scratch folder
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>
#include <glib/gstdio.h>

static inline char *
make_folder (void)
{
  g_autoptr (GError) error = NULL;
  char *folder = g_dir_make_tmp ("dsq-store-XXXXXX", &error);

  g_assert_no_error (error);
  return folder;
}

/* With the files in it; frees the name. */
static inline void
remove_folder (char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      g_assert_cmpint (g_unlink (path), ==, 0);
    }
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  g_free (folder);
}

/* The store in @folder, of properties and values. */
#define OPEN_IN(folder, ...)                                                                       \
  ({                                                                                               \
    g_autofree char *path_ = g_build_filename (folder, "store.db", NULL);                          \
    g_autoptr (GError) error_ = NULL;                                                              \
    DsqStore *store_ =                                                                             \
        g_initable_new (DSQ_TYPE_STORE, NULL, &error_, "path", path_, __VA_ARGS__, NULL);          \
                                                                                                   \
    g_assert_no_error (error_);                                                                    \
    store_;                                                                                        \
  })
