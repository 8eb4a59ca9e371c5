/* dsq-key-order-private.h - keys in memory in the order of their bytes
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tiers/dsq-hot-tier-private.h"

G_BEGIN_DECLS

/* A table's dirty nodes of one shard, whose lock guards it. */
typedef struct _DsqKeyOrder DsqKeyOrder;

/* Where a key stands, or would: as long as nothing is put in or taken out. */
typedef struct
{
  guint32 chunk;
  guint32 at;
} DsqKeyPosition;

/* Below 0, 0 or above, as memcmp() says it, the shorter of two first. */
int dsq_key_compare (const guint8 *a, guint32 a_length, const guint8 *b, guint32 b_length);

/* Its memory is counted in @n_bytes, which the same lock guards. */
DsqKeyOrder *dsq_key_order_new (gsize *n_bytes);
void dsq_key_order_free (DsqKeyOrder *self);

/* A node of the table becomes dirty. It costs next to nothing until the order is asked for. */
void
dsq_key_order_add_locked (DsqKeyOrder *self, DsqHotShard *shard, guint32 table, guint32 number);
/* A dirty node is about to leave memory. */
void dsq_key_order_remove_locked (DsqKeyOrder *self, DsqHotShard *shard, guint32 number);
/* Many have become clean or left memory: those of the table that are still dirty stay. */
void dsq_key_order_filter_locked (DsqKeyOrder *self, DsqHotShard *shard, guint32 table);
/* Has what was added since the last time sorted, for the two below. */
void dsq_key_order_settle_locked (DsqKeyOrder *self, DsqHotShard *shard, guint32 table);

/* The first key that is not before this one. */
DsqKeyPosition dsq_key_order_find_locked (const DsqKeyOrder *self,
                                          DsqHotShard *shard,
                                          const guint8 *key,
                                          guint32 length);
/* The node there, 0 at the end; steps on. */
guint32
dsq_key_order_next_locked (const DsqKeyOrder *self, DsqHotShard *shard, DsqKeyPosition *position);

G_END_DECLS
