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

/* One list of fresh changes and where a walk stands in it. */
typedef struct
{
  DsqShard *shard;
  const DsqChangeList *list;
  gboolean is_inflight;
  gint64 at; /* index of the next change; -1 or n_items at the end */
} DsqRun;

/* One shard has two runs: the generation in flight and the current one. */
typedef struct
{
  DsqPending *pending; /* (unowned) */
  DsqWalkOrder order;
  guint n_runs;
  DsqRun runs[2 * DSQ_HOT_MAX_SHARDS];
} DsqRuns;

/* All shards are locked as long as it is used. */
void dsq_runs_init_locked (DsqRuns *self, DsqPending *pending, DsqWalkOrder order, gint64 place);
/* The next pending key over all shards, or NULL; the caller steps its run on. */
DsqEntry *dsq_runs_peek (DsqRuns *self, DsqRun **out_run, gint64 *out_place);
void dsq_run_step (DsqRun *run, DsqWalkOrder order);

G_END_DECLS
