/* dsq-pending-private.h - what waits for the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-tier-private.h"
#include "engine/dsq-key-order-private.h"
#include "engine/dsq-shard-private.h"
#include "engine/dsq-walker-private.h"

G_BEGIN_DECLS

/* Changes in the order in which they were staged. Void ones have no entry but keep their place. */
typedef struct
{
  DsqChange *items; /* (owned) */
  guint32 n_items;
  guint32 n_allocated;
  guint32 n_void;
  guint32 n_leading; /* that many at the beginning are void; there may be more */
} DsqChangeList;

enum
{
  DSQ_LIST_REST,  /* tombstones, and overwrites of rows that have a place */
  DSQ_LIST_FRESH, /* sets of keys that get a place, if they turn out to need one: ordered by it */
  DSQ_N_LISTS
};

typedef struct
{
  DsqChangeList lists[DSQ_N_LISTS];
} DsqGeneration;

/* Guarded by the lock of the shard of the same number. */
typedef struct
{
  DsqGeneration current;
  DsqGeneration inflight; /* detached by the flush under way; only it replaces what is in there */
  gint64 n_live;          /* keys more, or fewer, than DsqPending.n_base */
  guint32 n_unresolved;   /* changes whose presence in the file is unknown */
  DsqKeyOrder *order;     /* (owned) (nullable) of the keys that have a change in either, once
                             somebody has asked for it */
  gboolean hides_cold;    /* a clear that is not in the file yet hides all rows of the table */
  gboolean has_gaps;      /* a set of the current generation has a place that it does not need */
} DsqPendingShard;

/* Where the change of a dirty node stands, which is what pins the node. */
typedef struct
{
  guint32 index;  /* place in its list of changes plus one; 0: the node is clean */
  guint32 fresh;  /* which list */
  guint32 parity; /* which generation */
} DsqChangeHandle;

static inline DsqChangeHandle
dsq_change_handle (const DsqHotNode *node)
{
  return (DsqChangeHandle){ node->pin >> 2, node->pin >> 1 & 1, node->pin & 1 };
}

/* A shift of the places to come, so that they stay beyond what others have put in the file. */
typedef struct
{
  gint64 from; /* places from here on ... */
  gint64 end;  /* ... and below */
  gint64 delta;
} DsqRebase;

/* What waits for the file of one table. Fields without a note are guarded by all shards' locks
 * together: to be read with any one of them, to be written with all. */
typedef struct
{
  DsqShards *shards;        /* (unowned) */
  DsqPendingShard *parts;   /* (owned, but while is_untouched()) (atomic) one for each shard */
  guint32 table;            /* constant: its id */
  guint64 number;           /* constant: among all tables of all stores, for the walkers */
  guint parity;             /* of the current generation */
  gboolean is_dirty;        /* (atomic) there may be something in the current generation */
  gboolean clears;          /* the current generation starts with a clear */
  gboolean is_inflight;     /* a flush has detached a generation and not finished */
  gboolean inflight_clears; /* that one starts with a clear */
  gboolean inflight_hidden; /* the current generation's clear came over it */
  gboolean inflight_moves;  /* the file gives the places of that one, and no walk is under way */
  gint64 n_base;            /* keys in the file when it was last learned */
  gint64 base_place;        /* all places in the current generation are at or beyond this */
  gint64 inflight_end;      /* next_place when the generation was detached */
  GArray *rebases;          /* (owned) (nullable) of DsqRebase, kept while there are cursors */
  guint64 n_rebases_gone;   /* those that stood before the first in rebases */
  guint64 n_followed; /* of a transaction: shifts of the parent's places that are among them */
  gint64 next_place;  /* (atomic) */
  guint64 n_settled;  /* (atomic) moves when a key may leave memory, or the file be hidden */
  guint n_cursors;    /* (atomic) */
} DsqPending;

/* @hides_cold: nothing of the table is in the file, as in a private one before its first flush. */
DsqPending *dsq_pending_new (DsqShards *shards, const DsqTableState *state, gboolean hides_cold);
void dsq_pending_free (DsqPending *self);

/* Shifts of places so far, with any shard's lock held. */
static inline guint64
dsq_pending_n_rebases_locked (const DsqPending *self)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  return self->n_rebases_gone + (self->rebases != NULL ? self->rebases->len : 0);
}

static inline gboolean
dsq_pending_has_walks (const DsqPending *self)
{
  return G_UNLIKELY (__atomic_load_n (&self->n_cursors, __ATOMIC_RELAXED) > 0);
}

/* The table's part of a shard, to be read with the shard's lock held. */
static inline DsqPendingShard *
dsq_pending_shard (const DsqPending *self, guint index)
{
  return &__atomic_load_n (&self->parts, __ATOMIC_ACQUIRE)[index];
}

/* Whether nothing was ever written to the table, so that nothing is pending. */
gboolean dsq_pending_is_untouched (const DsqPending *self);
/* Shards of the table's own, to be written to. */
void dsq_pending_touch (DsqPending *self);

/* --- staging, with the shard's lock held ------------------------------------------------------ */

/* Stages the new state, taken over, of a key that is not in memory. */
void dsq_pending_stage_new_locked (DsqPending *self,
                                   DsqShard *shard,
                                   guint64 hash,
                                   DsqEntry *entry,
                                   DsqPresence presence);
/* Stages the new state of a key in memory; a tombstone only over a set, and not over one of a key
 * that is absent from the file: see the next function. */
void
dsq_pending_stage_over_locked (DsqPending *self, DsqShard *shard, guint32 number, DsqEntry *entry);
/* A write that is in the file already added keys, which n_base does not hold. */
void dsq_pending_count_written_locked (DsqPending *self, DsqShard *shard, gint64 n_keys);
/* So were the places before @next given out, by writes that are in the file: nothing is pending,
 * and all locks are held. */
void dsq_pending_advance_locked (DsqPending *self, gint64 next);
/* The calling thread has made this many keys more: nothing to do but where it walks them. */
static inline void
dsq_pending_count_own (const DsqPending *self, gint64 n_keys)
{
  if (n_keys != 0 && dsq_pending_has_walks (self))
    dsq_walker_count (self->number, n_keys);
}

/* A key in memory that is there is deleted. */
void dsq_pending_stage_removal_locked (DsqPending *self,
                                       DsqShard *shard,
                                       guint32 number,
                                       const DsqKey *key);

/* --- with all locks held ---------------------------------------------------------------------- */

void dsq_pending_clear_locked (DsqPending *self);
/* The same after a clear that is in the file already; the keys that there were. */
gint64 dsq_pending_clear_written_locked (DsqPending *self);
/* The table is gone, from the file as well: forgets it and all that was pending. */
void dsq_pending_discard_locked (DsqPending *self);
gboolean dsq_pending_is_empty_locked (DsqPending *self);
/* Makes the current generation the one in flight. It gets its places from the file, whose next is
 * @next, where they are not the same and no walk is under way; 0: they are the same. */
void dsq_pending_detach_locked (DsqPending *self, gint64 next);
/* Another has committed; @committed: the generation in flight was, before. What is clean in memory
 * is the caller's to drop. Whether marks of what had expired were forgotten. */
gboolean
dsq_pending_learn_locked (DsqPending *self, const DsqTableState *state, gboolean committed);
/* Rows of the table stand where those of @parent's do, less @offset; the shifts of these are the
 * table's own as far as they are below @end. One of the parent's locks is held as well. */
void
dsq_pending_follow_locked (DsqPending *self, const DsqPending *parent, gint64 offset, gint64 end);
/* Keys of the mapping, unresolved ones not counted. */
gint64 dsq_pending_count_locked (DsqPending *self, guint64 *out_n_unresolved);

/* --- the end of a flush ----------------------------------------------------------------------- */

/* With the shard's lock held: what has not changed since is clean, and to be admitted as such.
 * @presences[list] holds what was found for each change in flight. */
void dsq_pending_commit_shard_locked (DsqPending *self, guint index, guint8 *const *presences);
/* With all locks held, after all shards: the flush is over, and the file's next is @next. */
void dsq_pending_finish_commit_locked (DsqPending *self, gint64 next);
/* With all locks held: the flush failed, its generation goes back under the current one. */
void dsq_pending_rollback_locked (DsqPending *self);

/* --- helpers of the rooms round it ------------------------------------------------------------ */

/* Replaces an unknown presence by what was found; with the shard's lock held. */
void dsq_pending_resolve_locked (DsqPending *self,
                                 DsqShard *shard,
                                 DsqChange *change,
                                 DsqPresence presence);
/* The change of a dirty node. */
DsqChange *dsq_pending_change_locked (DsqPending *self, DsqShard *shard, DsqChangeHandle handle);
/* The change in flight that a change of the current generation stands over, or NULL. */
DsqChange *dsq_pending_below_locked (DsqPending *self, DsqShard *shard, const DsqChange *change);

G_END_DECLS
