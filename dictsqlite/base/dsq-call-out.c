/* dsq-call-out.c - a function of the caller's that is asked whether a call goes on waiting
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <unistd.h>

#include "base/dsq-call-out-private.h"
#include "base/dsq-fork-private.h"

/* Between two times at which it is asked. */
#define ASK_US (50 * 1000)

struct _DsqAsked
{
  DsqAskFunc func;
  gpointer user_data;
  GDestroyNotify destroy; /* (nullable) */
};

__thread DsqCallState dsq_call_state;

DsqAsked *dsq_call_asked; /* (atomic) (owned) (nullable) */

static DsqAsked *
get_asked (void)
{
  return __atomic_load_n (&dsq_call_asked, __ATOMIC_ACQUIRE);
}

void
dsq_call_set_asked (DsqAskFunc func, gpointer user_data, GDestroyNotify destroy)
{
  DsqAsked *next = NULL;
  DsqAsked *previous;

  if (func != NULL)
    {
      next = g_new (DsqAsked, 1);
      *next = (DsqAsked){ func, user_data, destroy };
    }
  previous = __atomic_exchange_n (&dsq_call_asked, next, __ATOMIC_ACQ_REL);
  if (previous == NULL)
    return;
  if (previous->destroy != NULL)
    previous->destroy (previous->user_data);
  g_free (previous);
}

/* A child of fork() has its only thread for the main one. */
static gboolean
is_main_thread (void)
{
  static __thread guint64 asked_in; /* the process; 0: in none yet */
  static __thread gboolean is_main; /* what it was there */
  guint64 stamp = dsq_fork_get_stamp ();

  if (G_UNLIKELY (stamp == 0 || stamp != asked_in))
    {
      is_main = gettid () == getpid ();
      asked_in = stamp;
    }
  return is_main;
}

gboolean
dsq_call_is_asked (void)
{
  return get_asked () != NULL && !dsq_call_state.is_settled && is_main_thread ();
}

gboolean
dsq_call_is_watched (void)
{
  return dsq_call_state.cancellable != NULL || dsq_call_is_asked ();
}

gboolean
dsq_call_is_time_to_ask (void)
{
  return get_asked () != NULL && !dsq_call_state.is_settled &&
         g_get_monotonic_time () - dsq_call_state.asked_at >= ASK_US;
}

/* What the function does are calls of their own, about which it is not asked: it would be entered a
 * second time. */
static gboolean
call_out (const DsqAsked *self)
{
  DsqCallState state = dsq_call_state;
  DsqPatience patience = dsq_patience;
  DsqCallOut out = { state.place, state.out_of };
  guint n_held = dsq_mutex_hide_held ();
  guint depth = dsq_fork_pause ();
  gboolean is_over;

  dsq_call_state = (DsqCallState){ .out_of = &out, .is_settled = TRUE };
  is_over = self->func (self->user_data);
  dsq_call_state = state;
  dsq_patience = patience;
  dsq_fork_resume (depth);
  dsq_mutex_show_held (n_held);
  return is_over;
}

/* It came back in a child of its own: what it was asked in is the parent's. */
static gboolean
is_in_child (guint64 stamp)
{
  return stamp != dsq_fork_get_stamp ();
}

void
dsq_call_ask_in_time (void)
{
  guint64 stamp = dsq_fork_get_stamp ();

  if (!dsq_call_is_time_to_ask ())
    return;
  dsq_mutex_assert_may_wait ("a caller's function");
  if (is_main_thread ())
    dsq_call_state.is_over |= call_out (get_asked ()) || is_in_child (stamp);
  dsq_call_state.asked_at = g_get_monotonic_time ();
}
