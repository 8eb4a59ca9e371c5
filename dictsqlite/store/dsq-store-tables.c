/* dsq-store-tables.c - a mapping that lives on disk: its tables
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/dsq-call-private.h"
#include "codec/dsq-pack-private.h"
#include "store/dsq-store-private.h"

/* --- open ------------------------------------------------------------------------------------ */

static DsqStore *
open_table (DsqStore *self,
            const guint8 *name,
            gsize length,
            GCancellable *cancellable,
            GError **error)
{
  g_auto (DsqCall) call = { 0 };
  DsqEngine *engine = dsq_store_get_engine (self, error);
  g_autoptr (GBytes) owned = NULL;
  DsqStore *handle;
  guint32 table;

  if (engine == NULL || !dsq_call_begin (&call, cancellable, error) ||
      !(dsq_store_is_of_handle (engine)
            ? dsq_handle_open_table (self->handle, name, length, &table, error)
            : dsq_engine_open_table (engine,
                                     dsq_store_get_promise (self),
                                     name,
                                     length,
                                     &table,
                                     error)))
    return NULL;
  owned = g_bytes_new (name, length);
  handle = dsq_store_new_handle (DSQ_TYPE_STORE, self, dsq_engine_ref (engine), table, owned);
  handle->ends_alone = TRUE;
  return handle;
}

/**
 * dsq_store_get_table:
 * @self: a store
 * @name: the table's name, any string
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Opens a table of the store, and makes it when it is missing.
 *
 * A table is a mapping of its own, with its own keys, order and size, in the same file and within
 * the same limits. One flush brings all tables to the file at one instant. A missing table is in
 * the file as soon as this call returns, in each mode that has a file.
 *
 * What comes back is a store whose [property@Store:table-name] is @name, and on which all methods
 * work; flush and statistics are those of the whole store. It keeps what it needs of @self. Closing
 * it ends it alone, closing @self closes all tables. Each call gives another object.
 *
 * Calls on a table that was dropped meanwhile, here or by another process, give
 * %DSQ_ERROR_NO_TABLE, also when there is a new table of its name.
 *
 * Errors: %DSQ_ERROR_INVALID_ARGUMENT for a name that is not UTF-8 or longer than 1 MiB,
 * %DSQ_ERROR_FAILED when eight million tables have been made, and those of a write.
 *
 * Returns: (transfer full): the table
 *
 * Since: 1.0
 */
DsqStore *
dsq_store_get_table (DsqStore *self, const char *name, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (name != NULL, NULL);

  return open_table (self, (const guint8 *) name, strlen (name), cancellable, error);
}

/**
 * dsq_store_get_table_utf8:
 * @self: a store
 * @name: (array length=length): the table's name: UTF-8, in which NUL is a character like any other
 * @length: bytes of @name
 * @error: return location for an error
 *
 * Opens a table as [method@Store.get_table] does, for bindings whose strings may hold NUL.
 *
 * Returns: (transfer full): the table
 *
 * Since: 1.0
 */
DsqStore *
dsq_store_get_table_utf8 (DsqStore *self, const guint8 *name, gsize length, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  return open_table (self, name, length, NULL, error);
}

/* --- list ------------------------------------------------------------------------------------ */

static GPtrArray *
list_names (DsqStore *self, GError **error)
{
  DsqEngine *engine = dsq_store_get_engine (self, error);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  if (engine == NULL || !dsq_engine_list_tables (engine, names, error))
    return NULL;
  return g_steal_pointer (&names);
}

/**
 * dsq_store_list_tables:
 * @self: a store
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Lists the tables of the store, but for the one that it opens with, in the order in which they
 * were made. Names with a NUL character, which no C string can hold, are left out.
 *
 * Returns: (transfer full) (array zero-terminated=1): their names
 *
 * Since: 1.0
 */
char **
dsq_store_list_tables (DsqStore *self, GCancellable *cancellable, GError **error)
{
  g_auto (DsqCall) call = { 0 };
  g_autoptr (GPtrArray) names = NULL;
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  if (!dsq_call_begin (&call, cancellable, error))
    return NULL;
  names = list_names (self, error);
  if (names == NULL)
    return NULL;
  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *name = dsq_store_dup_name_text (names->pdata[i]);

      if (name != NULL)
        g_strv_builder_add (builder, name);
    }
  return g_strv_builder_end (builder);
}

/**
 * dsq_store_list_tables_pack:
 * @self: a store
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Lists the tables of the store as [method@Store.list_tables] does, but all of them.
 *
 * Returns: (transfer full) (array length=out_length): a pack of their names, UTF-8
 *
 * Since: 1.0
 */
guint8 *
dsq_store_list_tables_pack (DsqStore *self, gsize *out_length, GError **error)
{
  g_autoptr (GPtrArray) names = NULL;
  g_autoptr (DsqPackBuilder) builder = NULL;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  *out_length = 0;
  names = list_names (self, error);
  if (names == NULL)
    return NULL;
  builder = dsq_pack_builder_new ();
  for (guint i = 0; i < names->len; i++)
    {
      gsize length;
      const guint8 *name = g_bytes_get_data (names->pdata[i], &length);

      dsq_pack_builder_add (builder, name, length);
    }
  return dsq_pack_builder_finish (g_steal_pointer (&builder), out_length, error);
}

/* --- drop ------------------------------------------------------------------------------------ */

static gboolean
drop_table (DsqStore *self,
            const guint8 *name,
            gsize length,
            GCancellable *cancellable,
            GError **error)
{
  g_auto (DsqCall) call = { 0 };
  DsqEngine *engine = dsq_store_get_engine (self, error);
  gboolean is_dropped;

  return engine != NULL && dsq_call_begin (&call, cancellable, error) &&
         dsq_store_check_writable (self, error) &&
         dsq_engine_drop_table (engine, name, length, &is_dropped, error) && is_dropped;
}

/**
 * dsq_store_drop_table:
 * @self: a store
 * @name: the table's name
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Removes a table with all that is in it.
 *
 * It is gone from the file when this returns: in each mode that has a file this is a flush of the
 * whole store as well, in the same transaction. Objects of the table give %DSQ_ERROR_NO_TABLE from
 * then on.
 *
 * Returns: %DSQ_ANSWER_YES when it is dropped; %DSQ_ANSWER_NO without an error when there is no
 *   table of that name
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_drop_table (DsqStore *self, const char *name, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), DSQ_ANSWER_NO);
  g_return_val_if_fail (name != NULL, DSQ_ANSWER_NO);

  return drop_table (self, (const guint8 *) name, strlen (name), cancellable, error);
}

/**
 * dsq_store_drop_table_utf8:
 * @self: a store
 * @name: (array length=length): the table's name, UTF-8
 * @length: bytes of @name
 * @error: return location for an error
 *
 * Removes a table as [method@Store.drop_table] does, for bindings whose strings may hold NUL.
 *
 * Returns: (type gint): %DSQ_ANSWER_YES when it is dropped; %DSQ_ANSWER_NO when there is no table
 * of that name, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_drop_table_utf8 (DsqStore *self, const guint8 *name, gsize length, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), DSQ_ANSWER_NO);

  return drop_table (self, name, length, NULL, error);
}
