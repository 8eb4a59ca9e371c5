/* dsq-patience-private.h - how long the call that a thread is in has waited for a busy file
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * A call waits one busy timeout in all, however many transactions it takes. What counts is the time
 * in which it waits for other processes, and that in which it waits for threads of ours while these
 * wait for them: not the time in which somebody of ours has the file and works.
 */
typedef struct
{
  gint64 since; /* when it began to wait for threads of ours, monotonic; 0: not, or it is counted */
  gint64 spent; /* microseconds that have been waited */
} DsqPatience;

extern __thread DsqPatience dsq_patience;

/* Another call begins. */
static inline void
dsq_patience_renew (void)
{
  dsq_patience = (DsqPatience){ 0 };
}

/* It waits for threads of ours, which may wait for other processes. */
static inline void
dsq_patience_note_wait (gint64 since)
{
  if (dsq_patience.since == 0)
    dsq_patience.since = since;
}

/* A wait for other processes begins, of a file that was ours at @free_at last: when it would have
 * begun had all been one wait. */
static inline gint64
dsq_patience_begin (gint64 free_at)
{
  gint64 now = g_get_monotonic_time ();
  gint64 began = dsq_patience.since != 0 ? MIN (MAX (dsq_patience.since, free_at), now) : now;

  dsq_patience.since = 0;
  return began - dsq_patience.spent;
}

/* Microseconds that are left of a wait that began then. */
static inline gint64
dsq_patience_left (gint64 began, guint timeout_ms)
{
  dsq_patience.spent = g_get_monotonic_time () - began;
  return (gint64) timeout_ms * 1000 - dsq_patience.spent;
}

G_END_DECLS
