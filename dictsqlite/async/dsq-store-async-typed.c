/* dsq-store-async-typed.c - a mapping that lives on disk: values of one type, without waiting
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "async/dsq-async-call-private.h"

static void
get_bytes_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->pointer = dsq_store_get_bytes (store, call->key, NULL, &call->error);
}

/**
 * dsq_store_get_bytes_async:
 * @self: a store
 * @key: the key
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Gets bytes, as [method@Store.get_bytes] does, without waiting for them.
 *
 * Since: 1.0
 */
void
dsq_store_get_bytes_async (DsqStore *self,
                           const char *key,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));
  g_return_if_fail (key != NULL);

  call = dsq_async_call_new (self,
                             self,
                             get_bytes_worker,
                             DSQ_RESULT_POINTER,
                             (GDestroyNotify) g_bytes_unref,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_get_bytes_async);
  call->key = g_strdup (key);
  dsq_async_call_start (call, DSQ_LANE_READ);
}

/**
 * dsq_store_get_bytes_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.get_bytes_async].
 *
 * Returns: (transfer full) (nullable): the bytes, or %NULL without an error when the key is
 *   missing
 *
 * Since: 1.0
 */
GBytes *
dsq_store_get_bytes_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  return dsq_async_call_finish_pointer (self, result, dsq_store_get_bytes_async, NULL, error);
}

static void
set_bytes_worker (DsqAsyncCall *call, DsqStore *store)
{
  g_autoptr (GBytes) value = g_bytes_new_static (call->bytes, call->n_bytes);

  call->value = dsq_store_set_bytes (store, call->key, value, NULL, &call->error);
}

/**
 * dsq_store_set_bytes_async:
 * @self: a store
 * @key: the key
 * @value: the bytes
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Sets a key to bytes, as [method@Store.set_bytes] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_set_bytes_async (DsqStore *self,
                           const char *key,
                           GBytes *value,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));
  g_return_if_fail (key != NULL);
  g_return_if_fail (value != NULL);

  call = dsq_async_call_new (self,
                             self,
                             set_bytes_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_set_bytes_async);
  call->key = g_strdup (key);
  call->bytes = g_memdup2 (g_bytes_get_data (value, &call->n_bytes), g_bytes_get_size (value));
  call->job.may_pass_turn = TRUE;
  dsq_async_call_start (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_set_bytes_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.set_bytes_async].
 *
 * Returns: %TRUE when it is set, to the promise of the [enum@PersistMode]
 *
 * Since: 1.0
 */
gboolean
dsq_store_set_bytes_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_set_bytes_async, error);
}

static void
get_string_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->pointer = dsq_store_get_string (store, call->key, NULL, &call->error);
}

/**
 * dsq_store_get_string_async:
 * @self: a store
 * @key: the key
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Gets a string, as [method@Store.get_string] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_get_string_async (DsqStore *self,
                            const char *key,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));
  g_return_if_fail (key != NULL);

  call = dsq_async_call_new (self,
                             self,
                             get_string_worker,
                             DSQ_RESULT_POINTER,
                             g_free,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_get_string_async);
  call->key = g_strdup (key);
  dsq_async_call_start (call, DSQ_LANE_READ);
}

/**
 * dsq_store_get_string_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.get_string_async].
 *
 * Returns: (transfer full) (nullable): the string, or %NULL without an error when the key is
 *   missing
 *
 * Since: 1.0
 */
char *
dsq_store_get_string_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  return dsq_async_call_finish_pointer (self, result, dsq_store_get_string_async, NULL, error);
}

static void
set_string_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value =
      dsq_store_set_string (store, call->key, (const char *) call->bytes, NULL, &call->error);
}

/**
 * dsq_store_set_string_async:
 * @self: a store
 * @key: the key
 * @value: the string
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Sets a key to a string, as [method@Store.set_string] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_set_string_async (DsqStore *self,
                            const char *key,
                            const char *value,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));
  g_return_if_fail (key != NULL);
  g_return_if_fail (value != NULL);

  call = dsq_async_call_new (self,
                             self,
                             set_string_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_set_string_async);
  call->key = g_strdup (key);
  call->bytes = (guint8 *) g_strdup (value);
  call->job.may_pass_turn = TRUE;
  dsq_async_call_start (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_set_string_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.set_string_async].
 *
 * Returns: %TRUE when it is set, to the promise of the [enum@PersistMode]
 *
 * Since: 1.0
 */
gboolean
dsq_store_set_string_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_set_string_async, error);
}
