/* dsq-hot-tier-private.h - entries in memory, found by hash and kept by recency
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-mutex-private.h"
#include "tiers/dsq-entry-private.h"
#include "tiers/dsq-warm-tier-private.h"

G_BEGIN_DECLS

#define DSQ_HOT_MAX_SHARDS 32

/* Where the change of a dirty node stands; 0 in a clean one. The engine's pending room fills it. */
typedef struct
{
  guint32 index : 29;    /* place in its list of changes plus one; 0: the node is clean */
  guint32 fresh : 1;     /* which list: keys with a place to come, or others */
  guint32 parity : 1;    /* which generation */
  guint32 is_pinned : 1; /* in the pinned list, not in the clean one */
} DsqChangeHandle;

/* One key in memory. Nodes are numbered from 1 in an array that may move when it grows. */
typedef struct
{
  DsqEntry *entry; /* (owned) (lock shard) newest state of the key; NULL in a free node */
  guint64 stamp;   /* (lock shard) clock at the last use */
  guint32 newer;   /* (lock shard) neighbours in the list; a free node's next free one */
  guint32 older;
  guint32 hash;           /* low half of the key's hash */
  DsqChangeHandle change; /* (lock shard) */
} DsqHotNode;

typedef struct
{
  guint32 newest; /* 0: empty */
  guint32 oldest;
} DsqHotList;

/* One shard, alone on its cache lines. Everything in it is guarded by its lock. */
typedef struct
{
  DsqMutex lock;
  guint8 *tags;      /* (owned) one byte of hash a slot, 0: empty slot */
  guint32 *slots;    /* (owned with tags) node of the slot */
  DsqHotNode *nodes; /* (owned) nodes[0] is unused */
  guint32 slot_mask;
  guint32 n_nodes;     /* nodes in use */
  guint32 n_allocated; /* length of nodes */
  guint32 n_touched;   /* nodes ever used, nodes[0] included */
  guint32 first_free;
  DsqHotList clean;   /* by recency; these count against the capacity */
  DsqHotList pinned;  /* by recency; dirty, or just flushed and not yet admitted as clean */
  guint64 epoch;      /* moves whenever a key may have changed and left memory since */
  guint32 n_writing;  /* write-through commits under way that touch this shard */
  guint32 index;      /* number of the shard */
  gboolean is_closed; /* the store takes no more calls */
  guint32 n_dirty;    /* changes that wait for the file; the pending room's account */
  gint64 dirty_bytes; /* memory that they take, as far as not in DsqHotTier.dirty_bytes */
  guint64 n_bytes;    /* of the entries held */
  guint64 n_hits;     /* reads of keys that are here; the engine's account, like the next three */
  guint64 n_misses;   /* reads of others */
  guint64 n_warm_hits;
  guint64 n_warm_misses;
  guint64 n_evictions;
  DsqWarmShard warm; /* what was evicted here; no key is in both */
} __attribute__ ((aligned (64))) DsqHotShard;

typedef struct
{
  guint64 capacity; /* most clean entries */
  guint64 limit;    /* most bytes of clean entries */
  guint n_shards;   /* power of two */
  guint shard_shift;
  guint64 clock __attribute__ ((aligned (64))); /* (atomic) one tick a use */
  guint64 n_clean
      __attribute__ ((aligned (64))); /* (atomic) clean entries, reservations included */
  guint64 clean_bytes;                /* (atomic) of the clean entries */
  guint64 oldest[DSQ_HOT_MAX_SHARDS]; /* (atomic) stamp of each shard's oldest clean entry */
  gboolean has_tables;                /* (all shard locks) there may be entries of several tables */
  gint64 dirty_grain; /* constant once open: bytes that a shard may keep to itself */
  gint64 dirty_bytes
      __attribute__ ((aligned (64))); /* (atomic) memory that changes take, but for shards' own */
  DsqHotShard shards[];
} DsqHotTier;

/* At most @limit bytes of clean entries. What is evicted goes to a warm tier of at most @warm_bytes
 * in all; 0: to none. */
DsqHotTier *
dsq_hot_tier_new (guint64 capacity, gboolean is_unlimited, guint64 limit, guint64 warm_bytes);
void dsq_hot_tier_free (DsqHotTier *self);

void dsq_hot_tier_lock_all (DsqHotTier *self);
void dsq_hot_tier_unlock_all (DsqHotTier *self);
/* With all locks held: what is clean is stale. */
void dsq_hot_tier_drop_clean_locked (DsqHotTier *self);

/* Takes room for one clean entry, evicting the oldest if there is none left; FALSE when nothing can
 * be evicted. To be called without a shard lock; then insert, or give the room back. */
gboolean dsq_hot_tier_reserve (DsqHotTier *self);
void dsq_hot_tier_release (DsqHotTier *self);
/* Evicts the oldest until the clean entries keep to the limit of bytes. To be called without a
 * shard lock by whoever has put a clean entry in. */
void dsq_hot_tier_trim (DsqHotTier *self);

/* The rest: with the shard's lock held. */

/* Adds a key that is not there; takes over @entry. The node is pinned, or clean in room that was
 * reserved. */
guint32 dsq_hot_shard_insert_locked (DsqHotTier *self,
                                     DsqHotShard *shard,
                                     guint64 hash,
                                     DsqEntry *entry,
                                     gboolean is_pinned);
/* Drops what the warm tier has of the key of @entry; whether it had anything. */
gboolean dsq_hot_shard_forget_warm_locked (DsqHotShard *shard, const DsqEntry *entry, guint64 hash);
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
  return dsq_entry_size (entry) <= self->limit / 4;
}

static inline DsqHotShard *
dsq_hot_tier_shard (DsqHotTier *self, guint64 hash)
{
  return &self->shards[(hash >> 32) >> self->shard_shift];
}

static inline void
dsq_hot_shard_lock (DsqHotShard *shard)
{
  dsq_mutex_lock (&shard->lock);
}

static inline void
dsq_hot_shard_unlock (DsqHotShard *shard)
{
  dsq_mutex_unlock (&shard->lock);
}

static inline void
dsq_hot_shard_assert_locked (const DsqHotShard *shard)
{
  dsq_mutex_assert_held (&shard->lock);
}

static inline void
dsq_hot_tier_assert_all_locked (const DsqHotTier *self)
{
  for (guint i = 0; i < self->n_shards; i++)
    dsq_hot_shard_assert_locked (&self->shards[i]);
}

G_END_DECLS
