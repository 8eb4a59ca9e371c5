/* dsq-call-private.h - how the call that a thread is in may be ended, and what it may wait for
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/*
 * A call's cancellable matters where the call has to wait: deep in the cold tier, in a statement or
 * in the wait for a lock. It goes there beside the arguments, as the thread's own, so that neither
 * a hit in memory nor any function on the way pays for it.
 *
 * A call that may use memory only is refused at the door of the file, where calls enter it. It then
 * fails without an error, having changed nothing, and would_block says why.
 */
typedef struct
{
  GCancellable *cancellable; /* (unowned) (nullable) of the call, or of one around it */
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
