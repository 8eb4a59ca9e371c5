/* dsq-store-open-async.c - a store opened, and a file rekeyed, without waiting
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "async/dsq-async-call-private.h"

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

/* --- another key ------------------------------------------------------------------------------ */

static void
rekey_file_worker (DsqAsyncCall *call, DsqStore *store)
{
  call->value = dsq_store_rekey_file (call->slots[0].pointer,
                                      call->slots[1].pointer,
                                      call->slots[2].pointer,
                                      (guint64) call->slots[2].number,
                                      g_task_get_cancellable (call->task),
                                      dsq_async_call_progress,
                                      call,
                                      &call->error);
}

/**
 * dsq_store_rekey_file_async:
 * @path: (type filename): an encrypted file that no store has open, in any process
 * @old_password: its password
 * @new_password: what it shall be, any bytes but none; may be the same
 * @kdf_limit: as [property@Store:kdf-limit], 0 for its default
 * @cancellable: (nullable): a #GCancellable
 * @progress: (nullable) (scope notified) (closure progress_data) (destroy progress_free): called
 *   now and then, in the caller's main context, before @callback
 * @progress_data: passed to @progress
 * @progress_free: (nullable): frees @progress_data, in that context
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Writes a file anew under another key, as [func@Store.rekey_file] does, without waiting for it.
 *
 * Since: 1.0
 */
void
dsq_store_rekey_file_async (const char *path,
                            GBytes *old_password,
                            GBytes *new_password,
                            guint64 kdf_limit,
                            GCancellable *cancellable,
                            DsqProgressFunc progress,
                            gpointer progress_data,
                            GDestroyNotify progress_free,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  DsqAsyncCall *call;

  g_return_if_fail (path != NULL);
  g_return_if_fail (old_password != NULL && new_password != NULL);

  call = dsq_async_call_new (NULL,
                             NULL,
                             rekey_file_worker,
                             DSQ_RESULT_BOOLEAN,
                             NULL,
                             cancellable,
                             callback,
                             user_data,
                             dsq_store_rekey_file_async);
  dsq_async_call_keep (call, 0, g_strdup (path), g_free);
  dsq_async_call_keep (call, 1, g_bytes_ref (old_password), (GDestroyNotify) g_bytes_unref);
  dsq_async_call_keep (call, 2, g_bytes_ref (new_password), (GDestroyNotify) g_bytes_unref);
  call->slots[2].number = (gint64) kdf_limit;
  dsq_async_call_report (call, progress, progress_data, progress_free);
  dsq_async_call_start_on_thread (call);
}

/**
 * dsq_store_rekey_file_finish:
 * @result: the result that the callback got
 * @error: return location for an error
 *
 * Ends [func@Store.rekey_file_async].
 *
 * Returns: %TRUE when it is in place; %FALSE with @error set
 *
 * Since: 1.0
 */
gboolean
dsq_store_rekey_file_finish (GAsyncResult *result, GError **error)
{
  return dsq_async_call_finish_boolean (NULL, result, dsq_store_rekey_file_async, error);
}
