/* dsq-expiry-heap-private.h - what may expire before it is in the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tiers/dsq-hot-tier-private.h"

G_BEGIN_DECLS

/* That the entry of a node expires. Nothing is taken out when the node changes: an item which its
 * node does not bear out any more is passed over. */
typedef struct
{
  gint64 expires; /* milliseconds since 1970 */
  guint32 node;
} DsqExpiryItem;

/* The items of one hot shard, soonest first, guarded by that shard's lock. */
typedef struct
{
  DsqExpiryItem *items; /* (owned) (nullable) a binary heap */
  guint32 n_items;
  guint32 n_allocated;
  gint64 dropped; /* the soonest of the items that were tidied away since the last sweep began */
} DsqExpiryHeap;

void dsq_expiry_heap_init (DsqExpiryHeap *self);
void dsq_expiry_heap_clear (DsqExpiryHeap *self);

void dsq_expiry_heap_push_locked (DsqExpiryHeap *self,
                                  const DsqHotShard *shard,
                                  guint32 node,
                                  gint64 expires);
/* Takes the soonest item out. There must be one. */
DsqExpiryItem dsq_expiry_heap_pop_locked (DsqExpiryHeap *self, const DsqHotShard *shard);
/* Gives up what the nodes do not bear out, and memory that is not needed. */
void dsq_expiry_heap_tidy_locked (DsqExpiryHeap *self, const DsqHotShard *shard);

/* When the soonest item expires, G_MAXINT64 when there is none. */
static inline gint64
dsq_expiry_heap_first (const DsqExpiryHeap *self)
{
  return self->n_items > 0 ? self->items[0].expires : G_MAXINT64;
}

G_END_DECLS
