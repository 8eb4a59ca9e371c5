/* dsq-patience-private.h - how long the call that a thread is in has waited for a busy file
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * A call waits one busy timeout in all, however many transactions it takes: that of the handle
 * whose call it is. What counts is the time in which it waits for other processes, and that in
 * which it waits for threads of ours while these wait for them: not the time in which somebody of
 * ours has the file and works.
 */
typedef struct
{
  gint64 since;     /* when it began to wait for threads of ours, monotonic; 0: not, or counted */
  gint64 spent;     /* microseconds that have been waited */
  guint timeout_ms; /* of the thread's last call; DSQ_PATIENCE_UNTOLD: of none that told it */
} DsqPatience;

#define DSQ_PATIENCE_UNTOLD G_MAXUINT

/* What calls enter. */
typedef struct
{
  const gint64 *busy_since; /* (unowned) (nullable) (atomic) where it says since when others had the
                               file that a thread of ours waits for; 0: none waits */
} DsqCallPlace;

extern __thread DsqPatience dsq_patience;

/* Another call begins, or one ends. */
static inline void
dsq_patience_renew (void)
{
  dsq_patience.since = dsq_patience.spent = 0;
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

/* Microseconds of the call's busy timeout, which is @untold_ms where it has not told it. */
static inline gint64
dsq_patience_get_timeout (guint untold_ms)
{
  guint told_ms = dsq_patience.timeout_ms;

  return (gint64) (told_ms != DSQ_PATIENCE_UNTOLD ? told_ms : untold_ms) * 1000;
}

/* Microseconds that are left of a wait that began then, and lasts no longer than @longest_ms. */
static inline gint64
dsq_patience_left (gint64 began, guint untold_ms, guint longest_ms)
{
  dsq_patience.spent = g_get_monotonic_time () - began;
  return MIN (dsq_patience_get_timeout (untold_ms), (gint64) longest_ms * 1000) -
         dsq_patience.spent;
}

/* When the call has waited long enough for threads of ours, if one of these waits for other
 * processes, for a file that was ours at @free_at last. */
static inline gint64
dsq_patience_ends_at (gint64 free_at)
{
  return MAX (dsq_patience.since, free_at) - dsq_patience.spent +
         dsq_patience_get_timeout (G_MAXINT32);
}

G_END_DECLS
