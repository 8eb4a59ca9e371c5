/* dsq-store-initable.c - a mapping that lives on disk: opened in one call, or by a thread of its
 * own SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-thread-private.h"
#include "store/dsq-store-private.h"

/* A function of its own, so that data/tsan.supp can name the one that calls it. */
static G_NO_INLINE void
return_opened (GTask *task, GError *error)
{
  if (error == NULL)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
  g_object_unref (task);
}

/* A store that is not open yet has no threads, so opening one has a thread of its own. */
static void *
open_thread (void *data)
{
  GTask *task = data; /* (owned) */
  GError *error = NULL;

  g_initable_init (g_task_get_source_object (task), g_task_get_cancellable (task), &error);
  return_opened (task, error);
  return NULL;
}

static void
init_async (GAsyncInitable *initable,
            int io_priority,
            GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer user_data)
{
  GTask *task = g_task_new (initable, cancellable, callback, user_data);

  g_task_set_source_tag (task, init_async);
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_priority (task, io_priority);
  dsq_thread_start (open_thread, task);
}

static gboolean
init_finish (GAsyncInitable *initable, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, init_async), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, initable), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

void
dsq_store_async_initable_init (GAsyncInitableIface *iface)
{
  iface->init_async = init_async;
  iface->init_finish = init_finish;
}
