/* folder-support.h - stores in a scratch folder
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bounds.h"

static Bounds bounds; /* before the folder was made */

static inline char *
make_folder (void)
{
  g_autoptr (GError) error = NULL;
  char *folder;

  bounds = bounds_begin ();
  folder = g_dir_make_tmp ("dsq-store-XXXXXX", &error);
  g_assert_no_error (error);
  return folder;
}

/* With the files in it, when no store is open any more; frees the name. */
static inline void
remove_folder (char *folder)
{
  g_autoptr (GDir) dir = NULL;
  const char *name;

  bounds_end (&bounds, folder);
  dir = g_dir_open (folder, 0, NULL);
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

static inline void
close_store (DsqStore *store)
{
  g_autoptr (GError) error = NULL;

  assert_log_bounded (store);
  g_assert_true (dsq_store_close (store, NULL, &error));
  g_assert_no_error (error);
  g_object_unref (store);
}

static const struct
{
  const char *name;
  DsqPersistMode mode;
} modes[] G_GNUC_UNUSED = {
  { "memory", DSQ_PERSIST_MEMORY },
  { "lazy", DSQ_PERSIST_LAZY },
  { "writethrough", DSQ_PERSIST_WRITETHROUGH },
};
