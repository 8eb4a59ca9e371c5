/* cli-store.c - stores as commands open them
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-store.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "cli-pack.h"

gboolean
cli_store_is_address (const char *path)
{
  return g_ascii_strncasecmp (path, "postgresql://", strlen ("postgresql://")) == 0 ||
         g_ascii_strncasecmp (path, "postgres://", strlen ("postgres://")) == 0;
}

gboolean
cli_store_exists (CliCall *call, const char *path)
{
  g_autoptr (DsqStore) store = NULL;
  g_autoptr (GError) error = NULL;

  if (!cli_store_is_address (path))
    return g_file_test (path, G_FILE_TEST_EXISTS);
  store = g_initable_new (DSQ_TYPE_STORE,
                          call->cancellable,
                          &error,
                          "path",
                          path,
                          "persist-mode",
                          DSQ_PERSIST_LAZY,
                          "read-only",
                          TRUE,
                          NULL);
  return store != NULL || !g_error_matches (error, DSQ_ERROR, DSQ_ERROR_NOT_FOUND);
}

/* Who only changes a store makes none. */
static gboolean
check_is_there (CliCall *call, const char *path, GError **error)
{
  const char *cause = "there is no such store";

  if (cli_store_is_address (path) ? cli_store_exists (call, path) : g_access (path, F_OK) == 0)
    return TRUE;
  if (!cli_store_is_address (path))
    cause = errno == ENOENT ? "there is no such file" : g_strerror (errno);
  cli_set_error (error, CLI_FAILED, "%s: %s", path, cause);
  return FALSE;
}

DsqStore *
cli_store_open_under (CliCall *call,
                      GBytes *password,
                      const char *path,
                      CliPurpose purpose,
                      GError **error)
{
  const gboolean is_address = cli_store_is_address (path);
  /* as a file: its name need not be UTF-8 */
  g_autoptr (GFile) file = is_address ? NULL : g_file_new_for_path (path);
  DsqStore *store;

  if (purpose != CLI_MAKE && purpose != CLI_FILL && !check_is_there (call, path, error))
    return NULL;
  store = g_initable_new (DSQ_TYPE_STORE,
                          call->cancellable,
                          error,
                          is_address ? "path" : "file",
                          is_address ? (gconstpointer) path : file,
                          "persist-mode",
                          DSQ_PERSIST_LAZY,
                          "read-only",
                          purpose == CLI_READ,
                          "background",
                          purpose == CLI_FILL,
                          "password-bytes",
                          password,
                          NULL);
  if (store == NULL)
    {
      cli_prefix_error (error, path);
      return NULL;
    }
  g_clear_pointer (&call->known, g_bytes_unref);
  call->known = password != NULL ? g_bytes_ref (password) : NULL;
  return store;
}

DsqStore *
cli_store_open_with (CliCall *call,
                     const CliPassword *source,
                     const char *path,
                     CliPurpose purpose,
                     GError **error)
{
  g_autoptr (GBytes) password = NULL;
  g_autoptr (GError) local_error = NULL;
  g_autofree char *prompt = NULL;
  DsqStore *store;

  if (!cli_password_is_given (source))
    {
      store = cli_store_open_under (call, NULL, path, purpose, &local_error);
      if (store != NULL || !g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_ENCRYPTED))
        {
          if (store == NULL)
            g_propagate_error (error, g_steal_pointer (&local_error));
          return store;
        }
    }
  prompt = g_strdup_printf ("Password of %s", path);
  password = cli_password_get (source, prompt, FALSE, error);
  if (password == NULL)
    {
      cli_prefix_error (error, path);
      return NULL;
    }
  return cli_store_open_under (call, password, path, purpose, error);
}

DsqStore *
cli_store_open (CliCall *call, const char *path, CliPurpose purpose, GError **error)
{
  return cli_store_open_with (call, &call->password, path, purpose, error);
}

/* Whether a table is there already: asking for one would make it. */
static gboolean
has_table (DsqStore *store, const char *name, gboolean *out_has, GError **error)
{
  gsize length;
  g_autofree guint8 *tables = dsq_store_list_tables_pack (store, &length, error);
  CliPack pack;
  const guint8 *item;
  gsize item_length;

  if (tables == NULL)
    return FALSE;
  *out_has = FALSE;
  cli_pack_init (&pack, tables);
  while (cli_pack_next (&pack, &item, &item_length))
    *out_has |= item_length == strlen (name) && memcmp (item, name, item_length) == 0;
  return TRUE;
}

DsqStore *
cli_store_table (CliCall *call, DsqStore *store, gboolean makes, GError **error)
{
  gboolean has;

  if (call->table == NULL)
    return g_object_ref (store);
  if (!makes)
    {
      if (!has_table (store, call->table, &has, error))
        return NULL;
      if (!has)
        {
          cli_set_error (error, CLI_MISSING, "there is no table '%s'", call->table);
          return NULL;
        }
    }
  return dsq_store_get_table_utf8 (store,
                                   (const guint8 *) call->table,
                                   strlen (call->table),
                                   error);
}

gboolean
cli_store_close (DsqStore *store, const char *path, GError **error)
{
  if (dsq_store_close (store, NULL, error))
    return TRUE;
  cli_prefix_error (error, path);
  return FALSE;
}
