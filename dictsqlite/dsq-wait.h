/* dsq-wait.h - whether calls of the main thread go on waiting
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-types.h>

G_BEGIN_DECLS

/**
 * DsqWaitFunc:
 * @user_data: (closure): what was passed along
 *
 * Asked on the main thread, about every 50 milliseconds while a call waits or has much to do. It
 * may do anything but use the store that waits: calls that need more of that than memory fail.
 *
 * Returns: %TRUE to have the call end with %G_IO_ERROR_CANCELLED, as a #GCancellable does
 *
 * Since: 1.0
 */
typedef gboolean (*DsqWaitFunc) (gpointer user_data);

DSQ_AVAILABLE_IN_1_0 void
dsq_set_wait_func (DsqWaitFunc func, gpointer user_data, GDestroyNotify destroy);

G_END_DECLS
