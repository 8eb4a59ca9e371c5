/* dsq-call.c - how the call that a thread is in may be ended, and what it may wait for
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"

/* Between two looks at the cancellable of a call that waits. */
#define LOOK_US (10 * 1000)

__thread DsqCallState dsq_call_state;

gboolean
dsq_call_lock (DsqMutex *mutex, GError **error)
{
  if (G_LIKELY (dsq_call_state.cancellable == NULL))
    {
      dsq_mutex_lock (mutex);
      return TRUE;
    }
  while (!dsq_mutex_lock_until (mutex, g_get_monotonic_time () + LOOK_US))
    if (!dsq_call_check (error))
      return FALSE;
  return TRUE;
}

void
dsq_call_wait (pthread_cond_t *cond, DsqMutex *mutex)
{
  if (dsq_call_state.cancellable == NULL)
    dsq_cond_wait (cond, mutex);
  else
    dsq_cond_wait_until (cond, mutex, g_get_monotonic_time () + LOOK_US);
}
