/* dsq-hot-lookup-private.h - a key found in its shard, and made the most recent
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <string.h>

#include "tiers/dsq-hot-tier-private.h"

G_BEGIN_DECLS

static inline guint8
dsq_hot_tag (guint32 hash)
{
  return (guint8) (hash >> 24) | 1;
}

/* The node of a key, or 0. */
static inline guint32
dsq_hot_shard_find_locked (DsqHotShard *shard, const DsqKey *key)
{
  guint32 hash = (guint32) key->hash;
  guint8 tag = dsq_hot_tag (hash);

  dsq_hot_shard_assert_locked (shard);
  for (guint32 i = hash & shard->slot_mask; shard->tags[i] != 0; i = (i + 1) & shard->slot_mask)
    {
      const DsqHotNode *node;

      if (shard->tags[i] != tag)
        continue;
      node = &shard->nodes[shard->slots[i]];
      if (node->hash == hash && node->entry->key_length == key->length &&
          node->entry->table == key->table &&
          memcmp (dsq_entry_key (node->entry), key->bytes, key->length) == 0)
        return shard->slots[i];
    }
  return 0;
}

/* Makes a node the most recent of its list. */
static inline void
dsq_hot_shard_touch_locked (DsqHotTier *self, DsqHotShard *shard, guint32 number)
{
  DsqHotNode *node = &shard->nodes[number];

  dsq_hot_shard_assert_locked (shard);
  node->stamp = __atomic_add_fetch (&self->clock, 1, __ATOMIC_RELAXED);
  /* the stamp of the oldest clean node is published: it moves even when it is also the newest */
  if (node->newer != 0 || node->older == 0)
    dsq_hot_shard_move_to_newest_locked (self, shard, number);
}

G_END_DECLS
