/* dsq-call-private.h - how the call that a thread is in may be ended, and what it may wait for
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "base/dsq-mutex-private.h"
#include "base/dsq-patience-private.h"

G_BEGIN_DECLS

/*
 * A call's cancellable matters where the call has to wait: for another process or thread, for the
 * budget, or for the end of a statement. It goes there beside the arguments, as the thread's own,
 * so that neither a hit in memory nor any function on the way pays for it. Whoever waits looks at
 * it every few milliseconds, since it has no lock to be waited with.
 *
 * In the main thread of a process a function of the caller's may be asked beside that, which some
 * languages need to run the handlers of signals: there only where dsq_call_ask() is, with no lock
 * held that nobody may wait under, and looked at as a cancellable is. What it calls must not come
 * back to a store whose locks are held.
 *
 * A call that may use memory only is refused at the door of the file, where calls enter it. It then
 * fails without an error, having changed nothing, and would_block says why.
 */
typedef struct _DsqCallOut DsqCallOut;

typedef struct
{
  GCancellable *cancellable; /* (unowned) (nullable) of the call, or of one around it */
  gboolean is_over;          /* it was asked about, and is to end */
  gboolean is_settled;       /* it is not asked about */
  gboolean may_settle;       /* see dsq_call_settle() */
  gint64 asked_at;           /* last, by the monotonic clock */
  const DsqCallPlace *place; /* (unowned) (nullable) the door of the store that it is in */
  guint depth;               /* entries of doors that it has not left */
  const DsqCallOut *out_of;  /* (unowned) (nullable) the call that asked what this is called by */
  gboolean memory_only;      /* the call must not wait */
  gboolean would_block;      /* out: it would have had to */
} DsqCallState;

struct _DsqCallOut
{
  const DsqCallPlace *place;
  const DsqCallOut *out_of;
};

/* What a call keeps to set things back at its end. */
typedef struct
{
  GCancellable *previous; /* (unowned) (nullable) */
  gboolean was_over;
  gboolean was_settled;
  gboolean is_begun;
  gboolean settles;
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
  *self = (DsqCall){ dsq_call_state.cancellable, FALSE, dsq_call_state.is_settled, TRUE };
  dsq_call_state.cancellable = cancellable;
  return TRUE;
}

/* What the thread does until dsq_call_end() it does for a call that has this cancellable, or none,
 * and nothing else ends it. */
void dsq_call_begin_for (DsqCall *self, GCancellable *cancellable);

/* As dsq_call_begin(), of a call that is ended up to some point only. */
gboolean dsq_call_begin_to_settle (DsqCall *self, GCancellable *cancellable, GError **error);
/* What it has done is not taken back: if it was begun so, nothing ends it from here on. */
void dsq_call_settle (void);

static inline void
dsq_call_end (DsqCall *self)
{
  if (!self->is_begun)
    return;
  dsq_call_state.cancellable = self->previous;
  dsq_call_state.is_over = self->was_over;
  dsq_call_state.is_settled = self->was_settled;
  dsq_call_state.may_settle &= !self->settles;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DsqCall, dsq_call_end)

/* Between these the thread uses memory only; the second tells whether a call was refused. */
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
  return G_UNLIKELY (dsq_call_state.is_over) ||
         (G_UNLIKELY (dsq_call_state.cancellable != NULL) &&
          g_cancellable_is_cancelled (dsq_call_state.cancellable));
}

/* Sets G_IO_ERROR_CANCELLED. */
void dsq_call_set_error (GError **error);

/* FALSE with G_IO_ERROR_CANCELLED when the call is cancelled. */
static inline gboolean
dsq_call_check (GError **error)
{
  if (G_LIKELY (!dsq_call_is_cancelled ()))
    return TRUE;
  dsq_call_set_error (error);
  return FALSE;
}

/* The caller's function, if there is one: see dsq-call-out-private.h. */
typedef struct _DsqAsked DsqAsked;
extern DsqAsked *dsq_call_asked; /* (atomic) */
void dsq_call_ask_in_time (void);

/* Has the caller's function asked, if it is time. To be called now and then where a call waits or
 * has much to do. */
static inline void
dsq_call_ask (void)
{
  if (G_UNLIKELY (__atomic_load_n (&dsq_call_asked, __ATOMIC_RELAXED) != NULL))
    dsq_call_ask_in_time ();
}

/* The call enters, and leaves, what @place stands for; may be nested. */
static inline void
dsq_call_enter (const DsqCallPlace *place)
{
  if (dsq_call_state.depth++ == 0)
    dsq_call_state.place = place;
}

static inline void
dsq_call_leave (void)
{
  if (--dsq_call_state.depth > 0)
    return;
  dsq_call_state.place = NULL;
  dsq_call_state.is_over = FALSE;
  dsq_patience_renew ();
}

/* Whether the thread does what a function of the caller's does that was asked in there. */
static inline gboolean
dsq_call_is_out_of (const DsqCallPlace *place)
{
  const DsqCallOut *out = dsq_call_state.out_of;

  while (G_UNLIKELY (out != NULL) && out->place != place)
    out = out->out_of;
  return out != NULL;
}

gboolean dsq_call_lock_slowly (DsqMutex *mutex, GError **error);

/* Locks it; FALSE with G_IO_ERROR_CANCELLED when the call is cancelled while it waits, and with
 * DSQ_ERROR_BUSY when it has waited its busy timeout, and a thread of ours still waits for others.
 */
static inline gboolean
dsq_call_lock (DsqMutex *mutex, GError **error)
{
  return G_LIKELY (dsq_mutex_lock_at_once (mutex)) || dsq_call_lock_slowly (mutex, error);
}

/* Until it is signalled, or by chance, or for some milliseconds: look then whether that is over. */
void dsq_call_wait (pthread_cond_t *cond, DsqMutex *mutex);
/* FALSE when it is to wait no longer, as dsq_call_lock() has it. */
gboolean dsq_call_check_wait (GError **error);

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
