/* dsq-call.c - how the call that a thread is in may be ended, and what it may wait for
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-out-private.h"
#include "dsq-error.h"

/* Between two looks at the cancellable of a call that waits. */
#define LOOK_US (10 * 1000)

void
dsq_call_begin_for (DsqCall *self, GCancellable *cancellable)
{
  *self = (DsqCall){
    dsq_call_state.cancellable,
    dsq_call_state.is_over,
    dsq_call_state.is_settled,
    TRUE,
  };
  dsq_call_state.cancellable = cancellable;
  dsq_call_state.is_over = FALSE;
  dsq_call_state.is_settled = TRUE;
}

gboolean
dsq_call_begin_to_settle (DsqCall *self, GCancellable *cancellable, GError **error)
{
  if (cancellable == NULL)
    cancellable = dsq_call_state.cancellable;
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  *self = (DsqCall){
    dsq_call_state.cancellable, dsq_call_state.is_over, dsq_call_state.is_settled, TRUE, TRUE,
  };
  dsq_call_state.cancellable = cancellable;
  dsq_call_state.may_settle = TRUE;
  return TRUE;
}

void
dsq_call_settle (void)
{
  if (!dsq_call_state.may_settle)
    return;
  dsq_call_state.cancellable = NULL;
  dsq_call_state.is_settled = TRUE;
}

/* Whether a thread of ours, whose own timeout may be longer, goes on waiting for others. */
static gboolean
is_held_up (void)
{
  const DsqCallPlace *place = dsq_call_state.place;
  gint64 busy_since;

  if (place == NULL || place->busy_since == NULL)
    return FALSE;
  busy_since = __atomic_load_n (place->busy_since, __ATOMIC_RELAXED);
  return busy_since != 0 && g_get_monotonic_time () >= dsq_patience_ends_at (busy_since);
}

gboolean
dsq_call_check_wait (GError **error)
{
  if (!dsq_call_check (error))
    return FALSE;
  if (!is_held_up ())
    return TRUE;
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_BUSY,
                       "Failed to wait for the file: another process has it locked");
  return FALSE;
}

/* No earlier than something may be known. */
static gint64
next_look (void)
{
  gint64 soon = g_get_monotonic_time () + LOOK_US;

  if (dsq_call_is_watched ())
    return soon;
  return MAX (soon, dsq_patience_ends_at (0));
}

gboolean
dsq_call_lock_slowly (DsqMutex *mutex, GError **error)
{
  dsq_patience_note_wait (g_get_monotonic_time ());
  while (!dsq_mutex_lock_until (mutex, next_look ()))
    {
      dsq_call_ask ();
      if (!dsq_call_check_wait (error))
        return FALSE;
    }
  return TRUE;
}

void
dsq_call_wait (pthread_cond_t *cond, DsqMutex *mutex)
{
  dsq_cond_wait_until (cond, mutex, next_look ());
  if (!dsq_call_is_time_to_ask ())
    return;
  dsq_mutex_unlock (mutex);
  dsq_call_ask ();
  dsq_mutex_lock (mutex);
}

void
dsq_call_set_error (GError **error)
{
  if (dsq_call_state.cancellable == NULL ||
      !g_cancellable_set_error_if_cancelled (dsq_call_state.cancellable, error))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "Operation was cancelled");
}
