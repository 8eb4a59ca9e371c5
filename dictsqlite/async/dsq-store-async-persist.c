/* dsq-store-async-persist.c - a mapping that lives on disk: open, flush and close, without waiting
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "async/dsq-async-call-private.h"
#include "base/dsq-call-private.h"

static void
flush_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_flush (store, dsq_call_state.cancellable, &call->error);
}

/**
 * dsq_store_flush_async:
 * @self: a store
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Brings everything written before the call into the file and onto the medium, as
 * [method@Store.flush] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_flush_async (DsqStore *self,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));

  call = dsq_async_call_new (self,
                             self,
                             flush_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_flush_async);
  dsq_async_call_start_flush (call);
}

/**
 * dsq_store_flush_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.flush_async].
 *
 * Returns: %TRUE when it is done
 *
 * Since: 1.0
 */
gboolean
dsq_store_flush_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_flush_async, error);
}

/* --- close ------------------------------------------------------------------------------------ */

static void
close_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_close (store, dsq_call_state.cancellable, &call->error);
}

/**
 * dsq_store_close_async:
 * @self: a store
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Flushes and closes the store, as [method@Store.close] does, without waiting for it.
 *
 * Async calls that are under way are done before that; those that begin meanwhile give
 * %DSQ_ERROR_CLOSED.
 *
 * Since: 1.0
 */
void
dsq_store_close_async (DsqStore *self,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));

  call = dsq_async_call_new (self,
                             self,
                             close_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_close_async);
  if (dsq_store_is_closed (self))
    dsq_async_call_start (call, DSQ_LANE_CLOSE);
  else
    dsq_async_call_start_on_worker (call, DSQ_LANE_CLOSE);
}

/**
 * dsq_store_close_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.close_async].
 *
 * Returns: %TRUE when it is closed
 *
 * Since: 1.0
 */
gboolean
dsq_store_close_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_close_async, error);
}

/* --- open ------------------------------------------------------------------------------------- */

/**
 * dsq_store_open_async:
 * @path: (type filename): the file's path, or ":memory:"
 * @persist_mode: when a write reaches the file
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Opens a store, as [ctor@Store.open] does, without waiting for it.
 *
 * For other properties than these use [func@Gio.AsyncInitable.newv_async], or construct the object
 * and call [method@Gio.AsyncInitable.init_async].
 *
 * Since: 1.0
 */
void
dsq_store_open_async (const char *path,
                      DsqPersistMode persist_mode,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data)
{
  g_autoptr (DsqStore) self = NULL;

  g_return_if_fail (path != NULL);

  self = dsq_store_new_for_path (path, persist_mode);
  g_async_initable_init_async (G_ASYNC_INITABLE (self),
                               G_PRIORITY_DEFAULT,
                               cancellable,
                               callback,
                               user_data);
}

/**
 * dsq_store_open_finish: (constructor)
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [func@Store.open_async].
 *
 * Returns: (transfer full): the store; close it with [method@Store.close], or drop it
 *
 * Since: 1.0
 */
DsqStore *
dsq_store_open_finish (GAsyncResult *result, GError **error)
{
  g_autoptr (GObject) source = NULL;

  g_return_val_if_fail (G_IS_ASYNC_RESULT (result), NULL);

  source = g_async_result_get_source_object (result);
  g_return_val_if_fail (DSQ_IS_STORE (source), NULL);
  if (!g_async_initable_init_finish (G_ASYNC_INITABLE (source), result, error))
    return NULL;
  return DSQ_STORE (g_steal_pointer (&source));
}
