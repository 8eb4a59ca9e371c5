/* dsq-runs-private.h - the keys that wait for the file, in the order of their places
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-pending-private.h"

G_BEGIN_DECLS

/* Whether a change gives its key a place of its own, at which a walk comes by it. */
static inline gboolean
dsq_change_has_own_place (const DsqChange *change)
{
  return change->entry != NULL && (change->reinsert || change->presence == DSQ_PRESENCE_ABSENT) &&
         !dsq_entry_is_tombstone (change->entry);
}

/* Whether a walk comes by @a before it comes by @b. */
static inline gboolean
dsq_walk_is_before (DsqWalkOrder order, gint64 a, gint64 b)
{
  return order == DSQ_WALK_FORWARD ? a < b : a > b;
}

/* One list of fresh changes and where a walk stands in it. */
typedef struct
{
  DsqShard *shard;
  const DsqChangeList *list;
  gboolean is_inflight;
  gint64 at;       /* index of the next change */
  gint64 place;    /* of that change */
  DsqEntry *entry; /* (unowned) its state */
} DsqRun;

/* One shard has two runs: the generation in flight and the current one. Those that are not at their
 * end are in a binary heap, by the place of their next change. */
typedef struct
{
  DsqPending *pending; /* (unowned) */
  DsqWalkOrder order;
  guint n_runs;                         /* in the heap */
  DsqRun *heap[2 * DSQ_HOT_MAX_SHARDS]; /* (unowned) of the runs below */
  DsqRun runs[2 * DSQ_HOT_MAX_SHARDS];
} DsqRuns;

/* All shards are locked as long as it is used. */
void dsq_runs_init_locked (DsqRuns *self, DsqPending *pending, DsqWalkOrder order, gint64 place);
/* The next pending key over all shards, or NULL. */
DsqEntry *dsq_runs_peek (const DsqRuns *self, gint64 *out_place);
/* Behind that key, which there must be. */
void dsq_runs_step (DsqRuns *self);

G_END_DECLS
