/* dsq-flusher-private.h - the thread that works behind the callers
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _DsqFlusher DsqFlusher;

/* What has become of a round of work. */
typedef enum
{
  DSQ_ROUND_DONE,
  DSQ_ROUND_LEAVES, /* something is left for an idle round, when no more work comes */
  DSQ_ROUND_FAILED  /* to be tried again after the interval */
} DsqRound;

typedef enum
{
  DSQ_TEND_DONE,  /* nothing until it is woken */
  DSQ_TEND_LATER, /* again a few milliseconds later */
  DSQ_TEND_SOON   /* again after a look for other work */
} DsqTend;

/* What the thread is there for. */
typedef struct
{
  DsqRound (*work) (gpointer user_data, gboolean is_idle);
  DsqTend (*tend) (gpointer user_data);
} DsqFlusherFuncs;

DsqFlusher *dsq_flusher_new (guint interval_ms, const DsqFlusherFuncs *funcs, gpointer user_data);
/* Nothing waits longer than that from here on. */
void dsq_flusher_shorten (DsqFlusher *self, guint interval_ms);
/* Without it nothing runs, and waking does nothing. Starting twice does no harm. */
gboolean dsq_flusher_start (DsqFlusher *self);
/* Stops the thread and waits for it. Waking does no harm afterwards. */
void dsq_flusher_stop (DsqFlusher *self);
void dsq_flusher_free (DsqFlusher *self);
/* There is work: within the interval, or at once. */
void dsq_flusher_wake (DsqFlusher *self, gboolean at_once);
/* There is something to tend: in a few milliseconds, or at once. */
void dsq_flusher_tick (DsqFlusher *self, gboolean at_once);
/* Whether there is work at once, or close waits for the thread. */
gboolean dsq_flusher_is_hurried (DsqFlusher *self);

G_END_DECLS
