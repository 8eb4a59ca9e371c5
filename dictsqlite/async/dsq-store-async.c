/* dsq-store-async.c - a mapping that lives on disk: one entry, without waiting for it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "async/dsq-async-call-private.h"

static void
get_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->pointer = dsq_store_get (store, call->key, NULL, &call->error);
}

/**
 * dsq_store_get_async:
 * @self: a store
 * @key: the key
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Gets a value of any type, as [method@Store.get] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_get_async (DsqStore *self,
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
                             get_worker,
                             DSQ_RESULT_POINTER,
                             (GDestroyNotify) g_variant_unref,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_get_async);
  call->key = g_strdup (key);
  dsq_async_call_start (call, DSQ_LANE_READ);
}

/**
 * dsq_store_get_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.get_async].
 *
 * Returns: (transfer full) (nullable): the value, or %NULL without an error when the key is
 *   missing
 *
 * Since: 1.0
 */
GVariant *
dsq_store_get_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  return dsq_async_call_finish_pointer (self, result, dsq_store_get_async, NULL, error);
}

static void
set_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_set (store, call->key, call->variant, NULL, &call->error);
}

/**
 * dsq_store_set_async:
 * @self: a store
 * @key: the key
 * @value: the value; a floating reference is taken over
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Sets a key to a value of any type, as [method@Store.set] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_set_async (DsqStore *self,
                     const char *key,
                     GVariant *value,
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
                             set_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_set_async);
  call->key = g_strdup (key);
  call->variant = g_variant_ref_sink (value);
  call->job.may_pass_turn = TRUE;
  dsq_async_call_start (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_set_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.set_async].
 *
 * Returns: %TRUE when it is set, to the promise of the [enum@PersistMode]
 *
 * Since: 1.0
 */
gboolean
dsq_store_set_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_set_async, error);
}

static void
contains_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_contains (store, call->key, NULL, &call->error);
}

/**
 * dsq_store_contains_async:
 * @self: a store
 * @key: the key
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Whether a key is there, as [method@Store.contains] tells, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_contains_async (DsqStore *self,
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
                             contains_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_contains_async);
  call->key = g_strdup (key);
  dsq_async_call_start (call, DSQ_LANE_READ);
}

/**
 * dsq_store_contains_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.contains_async].
 *
 * Returns: %TRUE if it is; %FALSE if not, or with @error set
 *
 * Since: 1.0
 */
gboolean
dsq_store_contains_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_contains_async, error);
}

static void
remove_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_remove (store, call->key, NULL, &call->error);
}

/**
 * dsq_store_remove_async:
 * @self: a store
 * @key: the key
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Removes a key, as [method@Store.remove] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_remove_async (DsqStore *self,
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
                             remove_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_remove_async);
  call->key = g_strdup (key);
  dsq_async_call_start (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_remove_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.remove_async].
 *
 * Returns: %TRUE if it was there; %FALSE if not, or with @error set
 *
 * Since: 1.0
 */
gboolean
dsq_store_remove_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_remove_async, error);
}

static void
steal_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->pointer = dsq_store_steal (store, call->key, NULL, &call->error);
}

/**
 * dsq_store_steal_async:
 * @self: a store
 * @key: the key
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Removes a key and gives the value that it had, as [method@Store.steal] does, without waiting for
 * it.
 *
 * Since: 1.0
 */
void
dsq_store_steal_async (DsqStore *self,
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
                             steal_worker,
                             DSQ_RESULT_POINTER,
                             (GDestroyNotify) g_variant_unref,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_steal_async);
  call->key = g_strdup (key);
  dsq_async_call_start (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_steal_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.steal_async].
 *
 * Returns: (transfer full) (nullable): the value, or %NULL without an error when the key is
 *   missing
 *
 * Since: 1.0
 */
GVariant *
dsq_store_steal_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  return dsq_async_call_finish_pointer (self, result, dsq_store_steal_async, NULL, error);
}

static void
insert_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_insert (store, call->key, call->variant, NULL, &call->error);
}

/**
 * dsq_store_insert_async:
 * @self: a store
 * @key: the key
 * @value: the value; a floating reference is taken over
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Sets a key if it is missing, as [method@Store.insert] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_insert_async (DsqStore *self,
                        const char *key,
                        GVariant *value,
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
                             insert_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_insert_async);
  call->key = g_strdup (key);
  call->variant = g_variant_ref_sink (value);
  call->job.may_pass_turn = TRUE;
  dsq_async_call_start (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_insert_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.insert_async].
 *
 * Returns: %TRUE if it was set; %FALSE if the key was there, or with @error set
 *
 * Since: 1.0
 */
gboolean
dsq_store_insert_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_insert_async, error);
}
