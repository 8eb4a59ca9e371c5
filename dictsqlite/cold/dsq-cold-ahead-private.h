/* dsq-cold-ahead-private.h - a thread that seals rows while the writer writes those before them
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-rows-private.h"

G_BEGIN_DECLS

/* From so many changes on it is worth a thread. */
#define DSQ_COLD_AHEAD_MIN 512

/* Seals the rows of @changes, for the one thread that calls these. */
typedef struct _DsqColdAhead DsqColdAhead;

/* Nobody else may seal with @codec until it is finished. What is read of a change is read before
 * its row comes out, but for the entry, which the row borrows from. NULL when there is no thread to
 * be had. */
DsqColdAhead *
dsq_cold_ahead_start (const DsqRecordCodec *codec, const DsqChange *changes, gsize n_changes);
/* The row of the next change, of a tombstone its token only; good until the next call. To be called
 * once for each change, also for one without an entry, whose row is none; no more after NULL. */
const DsqColdColumns *dsq_cold_ahead_next (DsqColdAhead *self, GError **error);
/* Waits for the thread; may come early. */
void dsq_cold_ahead_finish (DsqColdAhead *self);

G_END_DECLS
