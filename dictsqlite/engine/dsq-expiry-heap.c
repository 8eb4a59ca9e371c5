/* dsq-expiry-heap.c - what may expire before it is in the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <stdlib.h>

#include "engine/dsq-expiry-heap-private.h"

/*
 * Rows of the file are found by its index on their expiry. This heap is the same for entries that
 * are dirty. An item is 16 bytes and holds nothing: one of a key that was overwritten or removed
 * stays until its time has come, or until tidying, which is due whenever the heap would grow, finds
 * it. So the heap is at most twice as long as what it is about.
 */

#define FIRST_ITEMS 64

void
dsq_expiry_heap_init (DsqExpiryHeap *self)
{
  *self = (DsqExpiryHeap){ .dropped = G_MAXINT64 };
}

void
dsq_expiry_heap_clear (DsqExpiryHeap *self)
{
  g_free (self->items);
  dsq_expiry_heap_init (self);
}

static void
sift_up (DsqExpiryHeap *self, guint32 i)
{
  const DsqExpiryItem item = self->items[i];

  for (; i > 0 && self->items[(i - 1) / 2].expires > item.expires; i = (i - 1) / 2)
    self->items[i] = self->items[(i - 1) / 2];
  self->items[i] = item;
}

static void
sift_down (DsqExpiryHeap *self, guint32 i)
{
  const DsqExpiryItem item = self->items[i];

  for (guint32 child; (child = 2 * i + 1) < self->n_items; i = child)
    {
      if (child + 1 < self->n_items && self->items[child + 1].expires < self->items[child].expires)
        child++;
      if (self->items[child].expires >= item.expires)
        break;
      self->items[i] = self->items[child];
    }
  self->items[i] = item;
}

/* --- tidying --------------------------------------------------------------------------------- */

static gboolean
is_borne_out (const DsqHotShard *shard, const DsqExpiryItem *item)
{
  const DsqHotNode *node;

  if (item->node >= shard->n_touched)
    return FALSE;
  node = &shard->nodes[item->node];
  return node->entry != NULL && node->pin != 0 && dsq_entry_expires (node->entry) == item->expires;
}

static int
compare_items (const void *a, const void *b)
{
  const DsqExpiryItem *left = a;
  const DsqExpiryItem *right = b;

  if (left->expires != right->expires)
    return left->expires < right->expires ? -1 : 1;
  return left->node < right->node ? -1 : left->node > right->node;
}

/* Sorted, equal items stand side by side, and what is in order is a heap. */
void
dsq_expiry_heap_tidy_locked (DsqExpiryHeap *self, const DsqHotShard *shard)
{
  guint32 n_kept = 0;

  dsq_hot_shard_assert_locked (shard);
  if (self->n_items == 0)
    return;
  qsort (self->items, self->n_items, sizeof *self->items, compare_items);
  for (guint32 i = 0; i < self->n_items; i++)
    {
      const DsqExpiryItem item = self->items[i];

      if (n_kept > 0 && compare_items (&self->items[n_kept - 1], &item) == 0)
        continue;
      if (is_borne_out (shard, &item))
        self->items[n_kept++] = item;
      else
        self->dropped = MIN (self->dropped, item.expires);
    }
  self->n_items = n_kept;
  self->n_allocated = MAX (2 * n_kept, FIRST_ITEMS);
  self->items = g_renew (DsqExpiryItem, self->items, self->n_allocated);
}

/* --- in and out ------------------------------------------------------------------------------ */

void
dsq_expiry_heap_push_locked (DsqExpiryHeap *self,
                             const DsqHotShard *shard,
                             guint32 node,
                             gint64 expires)
{
  dsq_hot_shard_assert_locked (shard);
  if (self->n_items == self->n_allocated)
    dsq_expiry_heap_tidy_locked (self, shard);
  if (self->items == NULL)
    {
      self->n_allocated = FIRST_ITEMS;
      self->items = g_new (DsqExpiryItem, FIRST_ITEMS);
    }
  self->items[self->n_items] = (DsqExpiryItem){ expires, node };
  sift_up (self, self->n_items++);
}

DsqExpiryItem
dsq_expiry_heap_pop_locked (DsqExpiryHeap *self, const DsqHotShard *shard)
{
  const DsqExpiryItem first = self->items[0];

  dsq_hot_shard_assert_locked (shard);
  self->items[0] = self->items[--self->n_items];
  if (self->n_items > 0)
    sift_down (self, 0);
  return first;
}
