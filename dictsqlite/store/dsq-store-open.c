/* dsq-store-open.c - a mapping that lives on disk: opened in one call
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/postgresql/dsq-server-address-private.h"
#include "store/dsq-store-private.h"

DsqStore *
dsq_store_new_for_path (const char *path, DsqPersistMode persist_mode)
{
  g_autoptr (GFile) file = NULL;

  if (g_str_equal (path, ":memory:") || dsq_server_is_address (path))
    return g_object_new (DSQ_TYPE_STORE, "path", path, "persist-mode", persist_mode, NULL);
  file = g_file_new_for_path (path);
  return g_object_new (DSQ_TYPE_STORE, "file", file, "persist-mode", persist_mode, NULL);
}

/**
 * dsq_store_open: (constructor)
 * @path: (type filename): the file's path, or ":memory:", or the address of a server
 * @persist_mode: when a write reaches the file
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Opens a store, with the defaults of all other properties: for others construct the object with
 * them, by [func@Gio.Initable.new] for instance.
 *
 * A path that begins with postgresql:// is an address, as docs/servers.md has it, and the store is
 * in a database there.
 *
 * The file is made when it is missing; its folder must exist. It does not matter how large it is.
 *
 * Errors: %DSQ_ERROR_FORMAT for a file that is no store, %DSQ_ERROR_CORRUPT for a damaged one,
 * %DSQ_ERROR_NOT_FOUND, %DSQ_ERROR_PERMISSION, %DSQ_ERROR_NOT_REGULAR, %DSQ_ERROR_READ_ONLY,
 * %DSQ_ERROR_ENCRYPTED, %DSQ_ERROR_IO. A file that is refused is left as it was.
 *
 * Returns: (transfer full): the store; close it with [method@Store.close], or drop it
 *
 * Since: 1.0
 */
DsqStore *
dsq_store_open (const char *path,
                DsqPersistMode persist_mode,
                GCancellable *cancellable,
                GError **error)
{
  DsqStore *self;

  g_return_val_if_fail (path != NULL, NULL);

  self = dsq_store_new_for_path (path, persist_mode);
  if (!g_initable_init (G_INITABLE (self), cancellable, error))
    g_clear_object (&self);
  return self;
}
