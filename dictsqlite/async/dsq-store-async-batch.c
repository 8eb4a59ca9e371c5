/* dsq-store-async-batch.c - a mapping that lives on disk: many entries and walks, without waiting
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "async/dsq-async-call-private.h"

/* --- many entries ---------------------------------------------------------------------------- */

static void
get_many_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->pointer = dsq_store_get_many (store, (const char *const *) call->keys, NULL, &call->error);
}

/**
 * dsq_store_get_many_async:
 * @self: a store
 * @keys: (array zero-terminated=1): the keys
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Gets the values of many keys, as [method@Store.get_many] does, without waiting for them.
 *
 * Since: 1.0
 */
void
dsq_store_get_many_async (DsqStore *self,
                          const char *const *keys,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));
  g_return_if_fail (keys != NULL);

  call = dsq_async_call_new (self,
                             self,
                             get_many_worker,
                             DSQ_RESULT_POINTER,
                             (GDestroyNotify) g_variant_unref,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_get_many_async);
  call->keys = g_strdupv ((char **) keys);
  dsq_async_call_start_on_worker (call, DSQ_LANE_READ);
}

/**
 * dsq_store_get_many_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.get_many_async].
 *
 * Returns: (transfer full): a variant of type `a{sv}` with the keys that exist
 *
 * Since: 1.0
 */
GVariant *
dsq_store_get_many_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  return dsq_async_call_finish_pointer (self, result, dsq_store_get_many_async, NULL, error);
}

static void
set_many_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_set_many (store, call->variant, NULL, &call->error);
}

/**
 * dsq_store_set_many_async:
 * @self: a store
 * @entries: a variant of type `a{sv}`; a floating reference is taken over
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Sets many keys, all or none, as [method@Store.set_many] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_set_many_async (DsqStore *self,
                          GVariant *entries,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));
  g_return_if_fail (entries != NULL);
  g_return_if_fail (g_variant_is_of_type (entries, G_VARIANT_TYPE_VARDICT));

  call = dsq_async_call_new (self,
                             self,
                             set_many_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_set_many_async);
  call->variant = g_variant_ref_sink (entries);
  dsq_async_call_start_on_worker (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_set_many_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.set_many_async].
 *
 * Returns: %TRUE when all of them are set
 *
 * Since: 1.0
 */
gboolean
dsq_store_set_many_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_set_many_async, error);
}

static void
remove_many_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_remove_many (store, (const char *const *) call->keys, NULL, &call->error);
}

/**
 * dsq_store_remove_many_async:
 * @self: a store
 * @keys: (array zero-terminated=1): the keys
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Removes many keys, as [method@Store.remove_many] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_remove_many_async (DsqStore *self,
                             const char *const *keys,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));
  g_return_if_fail (keys != NULL);

  call = dsq_async_call_new (self,
                             self,
                             remove_many_worker,
                             DSQ_RESULT_NUMBER,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_remove_many_async);
  call->keys = g_strdupv ((char **) keys);
  dsq_async_call_start_on_worker (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_remove_many_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.remove_many_async].
 *
 * Returns: how many were there; -1 with @error set
 *
 * Since: 1.0
 */
gint64
dsq_store_remove_many_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), -1);

  return dsq_async_call_finish_number (self, result, dsq_store_remove_many_async, error);
}

static void
clear_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_clear (store, NULL, &call->error);
}

/**
 * dsq_store_clear_async:
 * @self: a store
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Removes all entries, as [method@Store.clear] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_clear_async (DsqStore *self,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));

  call = dsq_async_call_new (self,
                             self,
                             clear_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_clear_async);
  dsq_async_call_start_on_worker (call, DSQ_LANE_WRITE);
}

/**
 * dsq_store_clear_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.clear_async].
 *
 * Returns: %TRUE when the store is empty
 *
 * Since: 1.0
 */
gboolean
dsq_store_clear_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return dsq_async_call_finish_boolean (self, result, dsq_store_clear_async, error);
}

static void
count_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_count (store, NULL, &call->error);
}

/**
 * dsq_store_count_async:
 * @self: a store
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Counts the entries, as [method@Store.count] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_count_async (DsqStore *self,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));

  call = dsq_async_call_new (self,
                             self,
                             count_worker,
                             DSQ_RESULT_NUMBER,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_count_async);
  dsq_async_call_start (call, DSQ_LANE_READ);
}

/**
 * dsq_store_count_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.count_async].
 *
 * Returns: the number of entries; -1 with @error set
 *
 * Since: 1.0
 */
gint64
dsq_store_count_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), -1);

  return dsq_async_call_finish_number (self, result, dsq_store_count_async, error);
}

/* --- walk ------------------------------------------------------------------------------------ */

static void
walk_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->pointer = dsq_store_walk (store, (DsqWalkOrder) call->number, &call->error);
}

/**
 * dsq_store_walk_async:
 * @self: a store
 * @order: the direction
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Starts a walk over the entries, as [method@Store.walk] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_walk_async (DsqStore *self,
                      DsqWalkOrder order,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_STORE (self));

  call = dsq_async_call_new (self,
                             self,
                             walk_worker,
                             DSQ_RESULT_POINTER,
                             g_object_unref,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_walk_async);
  call->number = (guint) order;
  dsq_async_call_start (call, DSQ_LANE_READ);
}

/**
 * dsq_store_walk_finish:
 * @self: a store
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [method@Store.walk_async].
 *
 * Returns: (transfer full): a cursor before the first entry
 *
 * Since: 1.0
 */
DsqCursor *
dsq_store_walk_finish (DsqStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  return dsq_async_call_finish_pointer (self, result, dsq_store_walk_async, NULL, error);
}

static void
next_keys_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->pointer = dsq_cursor_next_keys (call->cursor, call->number, &call->length, &call->error);
}

/**
 * dsq_cursor_next_keys_async:
 * @self: a cursor
 * @max_entries: the most entries to give
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Gives the next keys, as [method@Cursor.next_keys] does, without waiting for them. The cursor is
 * not to be used until they are there.
 *
 * Since: 1.0
 */
void
dsq_cursor_next_keys_async (DsqCursor *self,
                            guint max_entries,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_CURSOR (self));

  call = dsq_async_call_new (self,
                             dsq_cursor_get_store (self),
                             next_keys_worker,
                             DSQ_RESULT_POINTER,
                             g_free,
                             cancellable,
                             callback,
                             user_data,
                             dsq_cursor_next_keys_async);
  call->number = max_entries;
  call->cursor = g_object_ref (self);
  dsq_async_call_start_on_worker (call, DSQ_LANE_READ);
}

/**
 * dsq_cursor_next_keys_finish:
 * @self: a cursor
 * @result: the result that the callback got
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Ends [method@Cursor.next_keys_async].
 *
 * Returns: (transfer full) (array length=out_length): the pack of encoded keys, of none
 *   at the end
 *
 * Since: 1.0
 */
guint8 *
dsq_cursor_next_keys_finish (DsqCursor *self,
                             GAsyncResult *result,
                             gsize *out_length,
                             GError **error)
{
  g_return_val_if_fail (DSQ_IS_CURSOR (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  return dsq_async_call_finish_pointer (self,
                                        result,
                                        dsq_cursor_next_keys_async,
                                        out_length,
                                        error);
}

static void
next_entries_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->pointer = dsq_cursor_next_entries (call->cursor, call->number, &call->length, &call->error);
}

/**
 * dsq_cursor_next_entries_async:
 * @self: a cursor
 * @max_entries: the most entries to give
 * @cancellable: (nullable): a #GCancellable
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Gives the next entries, as [method@Cursor.next_entries] does, without waiting for them. The
 * cursor is not to be used until they are there.
 *
 * Since: 1.0
 */
void
dsq_cursor_next_entries_async (DsqCursor *self,
                               guint max_entries,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_CURSOR (self));

  call = dsq_async_call_new (self,
                             dsq_cursor_get_store (self),
                             next_entries_worker,
                             DSQ_RESULT_POINTER,
                             g_free,
                             cancellable,
                             callback,
                             user_data,
                             dsq_cursor_next_entries_async);
  call->number = max_entries;
  call->cursor = g_object_ref (self);
  dsq_async_call_start_on_worker (call, DSQ_LANE_READ);
}

/**
 * dsq_cursor_next_entries_finish:
 * @self: a cursor
 * @result: the result that the callback got
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Ends [method@Cursor.next_entries_async].
 *
 * Returns: (transfer full) (array length=out_length): the pack of key, record, key, record, ..., of
 * none at the end
 *
 * Since: 1.0
 */
guint8 *
dsq_cursor_next_entries_finish (DsqCursor *self,
                                GAsyncResult *result,
                                gsize *out_length,
                                GError **error)
{
  g_return_val_if_fail (DSQ_IS_CURSOR (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  return dsq_async_call_finish_pointer (self,
                                        result,
                                        dsq_cursor_next_entries_async,
                                        out_length,
                                        error);
}
