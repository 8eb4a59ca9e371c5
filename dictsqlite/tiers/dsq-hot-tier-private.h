/* dsq-hot-tier-private.h - entries in memory, found by hash and kept by recency
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-mutex-private.h"
#include "tiers/dsq-entry-private.h"
#include "tiers/dsq-warm-tier-private.h"

G_BEGIN_DECLS

#define DSQ_HOT_MAX_SHARDS 32

/* One key in memory. Nodes are numbered from 1 in an array that may move when it grows. */
typedef struct
{
  DsqEntry *entry; /* (owned) (lock shard) newest state of the key; NULL in a free node */
  guint64 stamp;   /* (lock shard) clock at the last use */
  guint32 newer;   /* (lock shard) neighbours in the list; a free node's next free one */
  guint32 older;
  guint32 hash;     /* low half of the key's hash */
  guint32 pin : 31; /* (lock shard) of whoever pins it, who says what it means; 0: nobody does */
  guint32 is_pinned : 1; /* (lock shard) in the pinned list, not in the clean one */
} DsqHotNode;

typedef struct
{
  guint32 newest; /* 0: empty */
  guint32 oldest;
} DsqHotList;

/* A part of the tier. Everything in it is guarded by its lock. */
typedef struct
{
  DsqMutex *lock;    /* (unowned) */
  guint8 *tags;      /* (owned) one byte of hash a slot, 0: empty slot */
  guint32 *slots;    /* (owned with tags) node of the slot */
  DsqHotNode *nodes; /* (owned) nodes[0] is unused */
  guint32 slot_mask;
  guint32 n_nodes;     /* nodes in use */
  guint32 n_allocated; /* length of nodes */
  guint32 n_touched;   /* nodes ever used, nodes[0] included */
  guint32 first_free;
  guint32 index;     /* number of the shard */
  DsqHotList clean;  /* by recency; these count against the capacity */
  DsqHotList pinned; /* by recency; dirty, or just flushed and not yet admitted as clean */
  guint64 n_bytes;   /* of the entries held */
  guint64 n_evictions;
  DsqWarmShard *warm; /* (unowned) where what is evicted goes; no key is in both */
} DsqHotShard;

typedef struct
{
  guint64 capacity; /* (atomic) most clean entries */
  guint64 limit;    /* (atomic) most bytes of clean entries */
  guint n_shards;
  DsqHotShard *shards[DSQ_HOT_MAX_SHARDS];      /* (unowned) */
  guint64 clock __attribute__ ((aligned (64))); /* (atomic) one tick a use */
  guint64 n_clean
      __attribute__ ((aligned (64))); /* (atomic) clean entries, reservations included */
  guint64 clean_bytes;                /* (atomic) of the clean entries */
  guint64 oldest[DSQ_HOT_MAX_SHARDS]; /* (atomic) stamp of each shard's oldest clean entry */
  gboolean has_tables;                /* (all shard locks) there may be entries of several tables */
} DsqHotTier;

static inline void
dsq_hot_shard_assert_locked (const DsqHotShard *shard)
{
  dsq_mutex_assert_held (shard->lock);
}

/* At most @capacity clean entries, and @limit bytes of them. */
void dsq_hot_tier_init (DsqHotTier *self, guint64 capacity, guint64 limit);
/* Or at most that many, where that is more. */
void dsq_hot_tier_widen (DsqHotTier *self, guint64 capacity, guint64 limit);
/* What is evicted of a shard goes to @warm, which has the same lock. */
void
dsq_hot_tier_add_shard (DsqHotTier *self, DsqHotShard *shard, DsqMutex *lock, DsqWarmShard *warm);
/* When nobody else has it any more. */
void dsq_hot_shard_finish (DsqHotShard *shard);

/* Takes room for one clean entry, evicting the oldest if there is none left; FALSE when nothing can
 * be evicted. To be called without a shard lock; then insert, or give the room back. */
gboolean dsq_hot_tier_reserve (DsqHotTier *self);
void dsq_hot_tier_release (DsqHotTier *self);
void dsq_hot_tier_trim_slowly (DsqHotTier *self);

/* Evicts the oldest until the clean entries keep to the limit of bytes. To be called without a
 * shard lock by whoever has put a clean entry in. */
static inline void
dsq_hot_tier_trim (DsqHotTier *self)
{
  if (G_UNLIKELY (__atomic_load_n (&self->clean_bytes, __ATOMIC_RELAXED) >
                  __atomic_load_n (&self->limit, __ATOMIC_RELAXED)))
    dsq_hot_tier_trim_slowly (self);
}

/* The rest: with the shard's lock held. */

/* Adds a key that is not there; takes over @entry. The node is pinned, or clean in room that was
 * reserved. */
guint32 dsq_hot_shard_insert_locked (DsqHotTier *self,
                                     DsqHotShard *shard,
                                     guint64 hash,
                                     DsqEntry *entry,
                                     gboolean is_pinned);
/* Drops what the warm tier has of the key of @entry; whether it had anything. */
static inline gboolean
dsq_hot_shard_forget_warm_locked (DsqHotShard *shard, const DsqEntry *entry, guint64 hash)
{
  DsqKey key = { dsq_entry_key (entry), entry->key_length, entry->table, hash };

  dsq_hot_shard_assert_locked (shard);
  return dsq_warm_shard_n_entries (shard->warm) > 0 &&
         dsq_warm_shard_remove_locked (shard->warm, &key);
}

/* Takes over @entry. */
void dsq_hot_shard_replace_locked (DsqHotTier *self,
                                   DsqHotShard *shard,
                                   guint32 number,
                                   DsqEntry *entry);
void dsq_hot_shard_remove_locked (DsqHotTier *self, DsqHotShard *shard, guint32 number);
/* Moves a clean node among the pinned; the room it took is free again. */
void dsq_hot_shard_pin_locked (DsqHotTier *self, DsqHotShard *shard, guint32 number);
/* Drops all nodes, or all clean ones; the warm tier's entries, which are clean, in both cases. */
void dsq_hot_shard_drop_locked (DsqHotTier *self, DsqHotShard *shard, gboolean only_clean);
/* Drops all nodes of a table, and what the warm tier has of it. */
void dsq_hot_shard_drop_table_locked (DsqHotTier *self, DsqHotShard *shard, guint32 table);

/* Without a lock: admits the pinned nodes of @shard that are no longer dirty as clean ones, each at
 * its own recency, and evicts (from here or elsewhere) what is older when there is no room. */
void dsq_hot_tier_admit_cleaned (DsqHotTier *self, DsqHotShard *shard);

void dsq_hot_shard_move_to_newest_locked (DsqHotTier *self, DsqHotShard *shard, guint32 number);

/* Whether an entry is small enough to be kept as a clean one: not the most of what there is room
 * for would go for it. */
static inline gboolean
dsq_hot_tier_takes (const DsqHotTier *self, const DsqEntry *entry)
{
  return dsq_entry_size (entry) <= __atomic_load_n (&self->limit, __ATOMIC_RELAXED) / 4;
}

G_END_DECLS
