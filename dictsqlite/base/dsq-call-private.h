/* dsq-call-private.h - how the call that a thread is in may be ended, and what it may wait for
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "base/dsq-mutex-private.h"

G_BEGIN_DECLS

/*
 * A call's cancellable matters where the call has to wait: for another process or thread, for the
 * budget, or for the end of a statement. It goes there beside the arguments, as the thread's own,
 * so that neither a hit in memory nor any function on the way pays for it. Whoever waits looks at
 * it every few milliseconds, since it has no lock to be waited with.
 *
 * A call that may use memory only is refused at the door of the file, where calls enter it. It then
 * fails without an error, having changed nothing, and would_block says why.
 */
typedef struct
{
  GCancellable *cancellable; /* (unowned) (nullable) of the call, or of one around it */
  gint64 waits_since;        /* when it began to wait for other processes, by the monotonic clock;
                                0: it has not */
  gboolean memory_only;      /* the call must not wait */
  gboolean would_block;      /* out: it would have had to */
} DsqCallState;

/* What a call keeps to set things back at its end. */
typedef struct
{
  GCancellable *previous; /* (unowned) (nullable) */
  gboolean is_begun;
} DsqCall;

extern __thread DsqCallState dsq_call_state;

/* FALSE: it is cancelled already. To be ended in either case; calls may be nested. */
static inline gboolean
dsq_call_begin (DsqCall *self, GCancellable *cancellable, GError **error)
{
  if (G_LIKELY (cancellable == NULL))
    return TRUE;
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  *self = (DsqCall){ dsq_call_state.cancellable, TRUE };
  dsq_call_state.cancellable = cancellable;
  return TRUE;
}

/* What the thread does until dsq_call_end() it does for a call that has this cancellable, or none.
 */
static inline void
dsq_call_begin_for (DsqCall *self, GCancellable *cancellable)
{
  *self = (DsqCall){ dsq_call_state.cancellable, TRUE };
  dsq_call_state.cancellable = cancellable;
}

static inline void
dsq_call_end (DsqCall *self)
{
  if (self->is_begun)
    dsq_call_state.cancellable = self->previous;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DsqCall, dsq_call_end)

/* Between these the thread's calls may use memory only; the second tells whether one was refused.
 */
static inline void
dsq_call_begin_memory_only (void)
{
  dsq_call_state.memory_only = TRUE;
  dsq_call_state.would_block = FALSE;
}

static inline gboolean
dsq_call_end_memory_only (void)
{
  dsq_call_state.memory_only = FALSE;
  return dsq_call_state.would_block;
}

static inline gboolean
dsq_call_is_cancelled (void)
{
  return G_UNLIKELY (dsq_call_state.cancellable != NULL) &&
         g_cancellable_is_cancelled (dsq_call_state.cancellable);
}

/* FALSE with G_IO_ERROR_CANCELLED when the call is cancelled. */
static inline gboolean
dsq_call_check (GError **error)
{
  return G_LIKELY (dsq_call_state.cancellable == NULL) ||
         !g_cancellable_set_error_if_cancelled (dsq_call_state.cancellable, error);
}

/* Locks it; FALSE with G_IO_ERROR_CANCELLED when the call is cancelled while it waits. */
gboolean dsq_call_lock (DsqMutex *mutex, GError **error);
/* Until it is signalled, or by chance, or for a few milliseconds: to be followed by a look at what
 * is waited for and at whether the call is cancelled. */
void dsq_call_wait (pthread_cond_t *cond, DsqMutex *mutex);

/* To be asked before a wait. */
static inline gboolean
dsq_call_may_wait (void)
{
  if (G_LIKELY (!dsq_call_state.memory_only))
    return TRUE;
  dsq_call_state.would_block = TRUE;
  return FALSE;
}

G_END_DECLS
