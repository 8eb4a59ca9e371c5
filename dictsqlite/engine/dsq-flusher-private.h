/* dsq-flusher-private.h - the write-behind thread
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-internal.h"

G_BEGIN_DECLS

DsqFlusher *dsq_flusher_new (DsqEngine *engine, guint interval_ms);
/* Without it nothing runs, and waking does nothing. Starting twice does no harm. */
gboolean dsq_flusher_start (DsqFlusher *self);
/* Stops the thread and waits for it. Waking does no harm afterwards. */
void dsq_flusher_stop (DsqFlusher *self);
void dsq_flusher_free (DsqFlusher *self);
/* There is something to flush or sync: within the interval, or at once. */
void dsq_flusher_wake (DsqFlusher *self, gboolean at_once);
/* There is something to tend: within the interval, or a build to begin at once. */
void dsq_flusher_tick (DsqFlusher *self, gboolean at_once);
/* Whether a writer waits for a flush, or close for the thread. */
gboolean dsq_flusher_is_hurried (DsqFlusher *self);

G_END_DECLS
