/* dsq-wait.c - whether calls of the main thread go on waiting
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-out-private.h"
#include "dsq-wait.h"

/**
 * dsq_set_wait_func:
 * @func: (nullable) (scope notified) (closure user_data) (destroy destroy): what is asked, or %NULL
 *   for nothing
 * @user_data: for @func
 * @destroy: (nullable): frees @user_data when another function is set
 *
 * Sets the function that is asked whether a call of the process's main thread, of any store, goes
 * on while it waits: for languages that run the handlers of signals on that thread, between two
 * steps of a program only. Calls with no wait never ask it, nor do those of other threads. A
 * write or flush that is in a sync of the medium, or takes long, is left to another thread:
 * %DSQ_ERROR_OUTCOME_UNKNOWN; opening, and what %DsqStore does to the file as a whole, end first.
 * It may hold up a fork of another thread, but is not waited for by one.
 *
 * Set it on the main thread, or before that has used the library.
 *
 * Since: 1.0
 */
void
dsq_set_wait_func (DsqWaitFunc func, gpointer user_data, GDestroyNotify destroy)
{
  dsq_call_set_asked (func, user_data, destroy);
}
