/* dsq-store-async-records.c - a mapping that lives on disk: calls of bindings, without waiting
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "async/dsq-async-call-private.h"

static void
lookup_record_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->pointer =
      dsq_store_lookup_record (store, call->bytes, call->n_bytes, &call->length, &call->error);
}

/**
 * dsq_store_lookup_record_async:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Gets the record of a key, as [method@Store.lookup_record] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_lookup_record_async (DsqStore *self,
                               const guint8 *key,
                               gsize key_length,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));

  call = dsq_async_call_new (self,
                             self,
                             lookup_record_worker,
                             DSQ_RESULT_POINTER,
                             g_free,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_lookup_record_async);
  call->bytes = g_memdup2 (key, key_length);
  call->n_bytes = key_length;
  dsq_async_call_start (call, DSQ_LANE_READ);
}

/**
 * dsq_store_lookup_record_finish:
 * @self: a store
 * @result: the result that the callback got
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Ends [method@Store.lookup_record_async].
 *
 * Returns: (transfer full) (array length=out_length): the record, empty when the key is missing
 *
 * Since: 1.0
 */
guint8 *
dsq_store_lookup_record_finish (DsqStore *self,
                                GAsyncResult *result,
                                gsize *out_length,
                                GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  return dsq_async_call_finish_pointer (self,
                                        result,
                                        dsq_store_lookup_record_async,
                                        out_length,
                                        error);
}

static void
set_record_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_set_record (store,
                                      call->bytes,
                                      call->n_bytes,
                                      call->record,
                                      call->n_record,
                                      &call->error);
}

/**
 * dsq_store_set_record_async:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @record: (array length=record_length): the record: a type byte and its payload
 * @record_length: bytes of @record
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Sets a key to a record, as [method@Store.set_record] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_set_record_async (DsqStore *self,
                            const guint8 *key,
                            gsize key_length,
                            const guint8 *record,
                            gsize record_length,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));

  call = dsq_async_call_new (self,
                             self,
                             set_record_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_set_record_async);
  call->bytes = g_memdup2 (key, key_length);
  call->n_bytes = key_length;
  call->record = g_memdup2 (record, record_length);
  call->n_record = record_length;
  call->job.may_pass_turn = TRUE;
  dsq_async_call_start (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_set_record_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.set_record_async].
 *
 * Returns: %TRUE when it is set, to the promise of the [enum@PersistMode]
 *
 * Since: 1.0
 */
gboolean
dsq_store_set_record_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_set_record_async, error);
}

static void
contains_key_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_contains_key (store, call->bytes, call->n_bytes, &call->error);
}

/**
 * dsq_store_contains_key_async:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Whether a key is there, as [method@Store.contains_key] tells, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_contains_key_async (DsqStore *self,
                              const guint8 *key,
                              gsize key_length,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));

  call = dsq_async_call_new (self,
                             self,
                             contains_key_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_contains_key_async);
  call->bytes = g_memdup2 (key, key_length);
  call->n_bytes = key_length;
  dsq_async_call_start (call, DSQ_LANE_READ);
}

/**
 * dsq_store_contains_key_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.contains_key_async].
 *
 * Returns: %TRUE if it is; %FALSE if not, or with @error set
 *
 * Since: 1.0
 */
gboolean
dsq_store_contains_key_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_contains_key_async, error);
}

static void
remove_key_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_remove_key (store, call->bytes, call->n_bytes, &call->error);
}

/**
 * dsq_store_remove_key_async:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Removes a key, as [method@Store.remove_key] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_remove_key_async (DsqStore *self,
                            const guint8 *key,
                            gsize key_length,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));

  call = dsq_async_call_new (self,
                             self,
                             remove_key_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_remove_key_async);
  call->bytes = g_memdup2 (key, key_length);
  call->n_bytes = key_length;
  dsq_async_call_start (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_remove_key_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.remove_key_async].
 *
 * Returns: %TRUE if it was there; %FALSE if not, or with @error set
 *
 * Since: 1.0
 */
gboolean
dsq_store_remove_key_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_remove_key_async, error);
}

static void
lookup_pack_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->pointer =
      dsq_store_lookup_pack (store, call->bytes, call->n_bytes, &call->length, &call->error);
}

/**
 * dsq_store_lookup_pack_async:
 * @self: a store
 * @keys: (array length=length): the pack of encoded keys
 * @length: bytes of @keys
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Gets the records of many keys, as [method@Store.lookup_pack] does, without waiting for them.
 *
 * Since: 1.0
 */
void
dsq_store_lookup_pack_async (DsqStore *self,
                             const guint8 *keys,
                             gsize length,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));

  call = dsq_async_call_new (self,
                             self,
                             lookup_pack_worker,
                             DSQ_RESULT_POINTER,
                             g_free,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_lookup_pack_async);
  call->bytes = g_memdup2 (keys, length);
  call->n_bytes = length;
  dsq_async_call_start_on_worker (call, DSQ_LANE_READ);
}

/**
 * dsq_store_lookup_pack_finish:
 * @self: a store
 * @result: the result that the callback got
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Ends [method@Store.lookup_pack_async].
 *
 * Returns: (transfer full) (array length=out_length): the pack of records, one for each key, empty
 *   where it is missing
 *
 * Since: 1.0
 */
guint8 *
dsq_store_lookup_pack_finish (DsqStore *self,
                              GAsyncResult *result,
                              gsize *out_length,
                              GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  return dsq_async_call_finish_pointer (self,
                                        result,
                                        dsq_store_lookup_pack_async,
                                        out_length,
                                        error);
}

static void
set_pack_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_set_pack (store, call->bytes, call->n_bytes, &call->error);
}

/**
 * dsq_store_set_pack_async:
 * @self: a store
 * @entries: (array length=length): the pack of key, record, key, record, ...
 * @length: bytes of @entries
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Sets many keys, all or none, as [method@Store.set_pack] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_set_pack_async (DsqStore *self,
                          const guint8 *entries,
                          gsize length,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));

  call = dsq_async_call_new (self,
                             self,
                             set_pack_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_set_pack_async);
  call->bytes = g_memdup2 (entries, length);
  call->n_bytes = length;
  dsq_async_call_start_on_worker (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_set_pack_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.set_pack_async].
 *
 * Returns: %TRUE when all of them are set
 *
 * Since: 1.0
 */
gboolean
dsq_store_set_pack_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_set_pack_async, error);
}

static void
remove_pack_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_remove_pack (store, call->bytes, call->n_bytes, &call->error);
}

/**
 * dsq_store_remove_pack_async:
 * @self: a store
 * @keys: (array length=length): the pack of encoded keys
 * @length: bytes of @keys
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Removes many keys, as [method@Store.remove_pack] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_remove_pack_async (DsqStore *self,
                             const guint8 *keys,
                             gsize length,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));

  call = dsq_async_call_new (self,
                             self,
                             remove_pack_worker,
                             DSQ_RESULT_NUMBER,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_remove_pack_async);
  call->bytes = g_memdup2 (keys, length);
  call->n_bytes = length;
  dsq_async_call_start_on_worker (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_remove_pack_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.remove_pack_async].
 *
 * Returns: how many were there; -1 with @error set
 *
 * Since: 1.0
 */
gint64
dsq_store_remove_pack_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), -1);

  return dsq_async_call_finish_number (self, result, dsq_store_remove_pack_async, error);
}
