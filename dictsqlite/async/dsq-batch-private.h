/* dsq-batch-private.h - the operations of one batch, whatever they are
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec/dsq-pack-private.h"
#include "store/dsq-store-private.h"

G_BEGIN_DECLS

typedef struct _DsqBatch DsqBatch;

/* Reads a pack of operations, as DsqChannel describes it, of which it takes a copy. A malformed
 * pack is DSQ_ERROR_INVALID_ARGUMENT; a bad key or record is that operation's result. */
DsqBatch *dsq_batch_new (const guint8 *pack, gsize length, GError **error);
void dsq_batch_free (DsqBatch *self);

/* Whether there is more in it than reads. */
gboolean dsq_batch_writes (const DsqBatch *self);

/* Does all of it. */
void dsq_batch_run (DsqBatch *self, DsqStore *store);

/* The pack of @ticket and the results. */
guint8 *dsq_batch_take_result (DsqBatch *self, guint64 ticket, gsize *out_length);

G_END_DECLS
