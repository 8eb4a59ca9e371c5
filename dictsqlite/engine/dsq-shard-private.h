/* dsq-shard-private.h - a part of a store's keys, with all that memory has of them
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-types-private.h"
#include "engine/dsq-budget-private.h"
#include "engine/dsq-expiry-heap-private.h"
#include "engine/dsq-words-private.h"
#include "tiers/dsq-hot-tier-private.h"
#include "tiers/dsq-warm-tier-private.h"

G_BEGIN_DECLS

/* One shard, alone on its cache lines. Everything in it is guarded by its lock, and so is what is
 * pending of its keys: that lies with each table, see dsq-pending-private.h. */
typedef struct
{
  DsqMutex lock;
  gboolean is_closed; /* the store takes no more calls */
  gboolean is_held;   /* nothing is staged before a commit is over that waits for no more of it */
  guint32 n_writing;  /* write-through commits under way that touch this shard */
  guint64 epoch;      /* moves whenever a key may have changed and left memory since */
  DsqHotShard hot;
  DsqWarmShard warm;      /* what hot has evicted; no key is in both */
  DsqExpiryHeap expiries; /* of dirty entries */
  guint64 n_hits;         /* reads of keys that are in hot */
  guint64 n_misses;       /* reads of others */
  guint64 n_warm_hits;
  guint64 n_warm_misses;
  guint32 n_dirty;    /* changes that wait for the file */
  gint64 dirty_bytes; /* memory that they take, as far as the budget does not know of it */
  gsize order_bytes;  /* memory of its keys' orders, see dsq-key-order-private.h */
  guint index;        /* constant: its number */
} __attribute__ ((aligned (64))) DsqShard;

typedef struct
{
  DsqHotTier hot;
  DsqBudget *budget; /* (unowned) */
  DsqWords *words;   /* (owned) (nullable) (all shard locks) for who looks at them */
  guint n_shards;    /* constant: a power of two */
  guint hash_shift;  /* constant */
  DsqShard all[];
} DsqShards;

/* One shard for few entries, of which more would each hold too few. */
DsqShards *dsq_shards_new (DsqBudget *budget,
                           guint64 capacity,
                           gboolean is_unlimited,
                           guint64 limit,
                           guint64 warm_bytes);
void dsq_shards_free (DsqShards *self);

void dsq_shards_lock_all (DsqShards *self);
void dsq_shards_unlock_all (DsqShards *self);
/* What is clean of these keys is stale; NULL: all of it. */
void dsq_shards_drop_clean_locked (DsqShards *self, const DsqColdChanged *changed);
/* Much has left memory. */
void dsq_shards_tidy_locked (DsqShards *self);

static inline DsqShard *
dsq_shards_get (DsqShards *self, guint64 hash)
{
  return &self->all[(hash >> 32) >> self->hash_shift];
}

static inline void
dsq_shard_lock (DsqShard *self)
{
  dsq_mutex_lock (&self->lock);
}

static inline void
dsq_shard_unlock (DsqShard *self)
{
  dsq_mutex_unlock (&self->lock);
}

static inline void
dsq_shard_assert_locked (const DsqShard *self)
{
  dsq_mutex_assert_held (&self->lock);
}

static inline void
dsq_shards_assert_all_locked (const DsqShards *self)
{
  for (guint i = 0; i < self->n_shards; i++)
    dsq_shard_assert_locked (&self->all[i]);
}

G_END_DECLS
