/* dsq-store-async-tables.c - a mapping that lives on disk: its tables, without waiting
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "async/dsq-async-call-private.h"
#include "base/dsq-call-private.h"

static void
get_table_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->pointer = dsq_store_get_table (store, call->key, dsq_call_state.cancellable, &call->error);
}

/**
 * dsq_store_get_table_async:
 * @self: a store
 * @name: the table's name
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Opens a table of the store, and makes it when it is missing, as [method@Store.get_table] does,
 * without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_get_table_async (DsqStore *self,
                           const char *name,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));
  g_return_if_fail (name != NULL);

  call = dsq_async_call_new (self,
                             self,
                             get_table_worker,
                             DSQ_RESULT_POINTER,
                             g_object_unref,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_get_table_async);
  call->key = g_strdup (name);
  dsq_async_call_start_on_worker (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_get_table_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.get_table_async].
 *
 * Returns: (transfer full): the table
 *
 * Since: 1.0
 */
DsqStore *
dsq_store_get_table_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  return dsq_async_call_finish_pointer (self, result, dsq_store_get_table_async, NULL, error);
}

static void
drop_table_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_drop_table (store, call->key, dsq_call_state.cancellable, &call->error);
}

/**
 * dsq_store_drop_table_async:
 * @self: a store
 * @name: the table's name
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Removes a table with all that is in it, as [method@Store.drop_table] does, without waiting for
 * it.
 *
 * Since: 1.0
 */
void
dsq_store_drop_table_async (DsqStore *self,
                            const char *name,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));
  g_return_if_fail (name != NULL);

  call = dsq_async_call_new (self,
                             self,
                             drop_table_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_drop_table_async);
  call->key = g_strdup (name);
  dsq_async_call_start_on_worker (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_drop_table_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.drop_table_async].
 *
 * Returns: %TRUE when it is dropped; %FALSE without an error when there is no table of that name
 *
 * Since: 1.0
 */
gboolean
dsq_store_drop_table_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_drop_table_async, error);
}

static void
list_tables_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->pointer = dsq_store_list_tables (store, dsq_call_state.cancellable, &call->error);
}

/**
 * dsq_store_list_tables_async:
 * @self: a store
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Names the tables, as [method@Store.list_tables] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_list_tables_async (DsqStore *self,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));

  call = dsq_async_call_new (self,
                             self,
                             list_tables_worker,
                             DSQ_RESULT_POINTER,
                             (GDestroyNotify) g_strfreev,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_list_tables_async);
  dsq_async_call_start_on_worker (call, DSQ_LANE_READ);
}

/**
 * dsq_store_list_tables_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.list_tables_async].
 *
 * Returns: (transfer full) (array zero-terminated=1): the names, in the order in which the tables
 * were made
 *
 * Since: 1.0
 */
char **
dsq_store_list_tables_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  return dsq_async_call_finish_pointer (self, result, dsq_store_list_tables_async, NULL, error);
}
