/* dsq-runs.c - the keys that wait for the file, in the order of their places
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-runs-private.h"

/* Index of the first change beyond @place, in the walk's direction. */
static gint64
first_beyond (const DsqChangeList *list, gint64 place, DsqWalkOrder order)
{
  gint64 low = list->n_leading;
  gint64 high = list->n_items;

  while (low < high)
    {
      gint64 middle = low + (high - low) / 2;
      gint64 there = list->items[middle].place;

      if (order == DSQ_WALK_FORWARD ? there <= place : there < place)
        low = middle + 1;
      else
        high = middle;
    }
  return order == DSQ_WALK_FORWARD ? low : low - 1;
}

/* The newest state of the key of a change, if the key is to be shown at the change's place. */
static DsqEntry *
state_at (DsqRuns *self, const DsqRun *run, const DsqChange *change)
{
  DsqPending *pending = self->pending;
  const DsqHotNode *node = &run->shard->hot.nodes[change->node];
  const DsqChange *newest;

  if (!dsq_change_has_own_place (change))
    return NULL;
  if (!run->is_inflight)
    return change->entry;
  if (pending->inflight_hidden || node->entry == NULL || node->pin == 0)
    return NULL;
  newest = dsq_pending_change_locked (pending, run->shard, dsq_change_handle (node));
  if (newest == change)
    return change->entry;
  if (dsq_pending_below_locked (pending, run->shard, newest) != change ||
      dsq_entry_is_tombstone (newest->entry) || dsq_change_has_own_place (newest))
    return NULL;
  return newest->entry;
}

/* Moves on to a change that is to be shown; FALSE at the end. */
static gboolean
run_settle (DsqRuns *self, DsqRun *run)
{
  const gint64 step = self->order == DSQ_WALK_FORWARD ? 1 : -1;

  for (; run->at >= run->list->n_leading && run->at < run->list->n_items; run->at += step)
    {
      const DsqChange *change = &run->list->items[run->at];

      run->entry = state_at (self, run, change);
      run->place = change->place;
      if (run->entry != NULL)
        return TRUE;
    }
  return FALSE;
}

/* Puts @run where the heap is open at @hole, whose children are heaps. */
static void
sift_down (DsqRuns *self, guint hole, DsqRun *run)
{
  for (guint child = 2 * hole + 1; child < self->n_runs; child = 2 * hole + 1)
    {
      if (child + 1 < self->n_runs &&
          dsq_walk_is_before (self->order, self->heap[child + 1]->place, self->heap[child]->place))
        child++;
      if (!dsq_walk_is_before (self->order, self->heap[child]->place, run->place))
        break;
      self->heap[hole] = self->heap[child];
      hole = child;
    }
  self->heap[hole] = run;
}

static void
add_run (DsqRuns *self, DsqShard *shard, const DsqChangeList *list, gboolean inflight, gint64 place)
{
  DsqRun *run = &self->runs[self->n_runs];

  *run = (DsqRun){
    .shard = shard,
    .list = list,
    .is_inflight = inflight,
    .at = first_beyond (list, place, self->order),
  };
  if (run_settle (self, run))
    self->heap[self->n_runs++] = run;
}

void
dsq_runs_init_locked (DsqRuns *self, DsqPending *pending, DsqWalkOrder order, gint64 place)
{
  dsq_shards_assert_all_locked (pending->shards);
  self->pending = pending;
  self->order = order;
  self->n_runs = 0;
  for (guint i = 0; i < pending->shards->n_shards; i++)
    {
      DsqShard *shard = &pending->shards->all[i];
      DsqPendingShard *part = dsq_pending_shard (pending, i);

      add_run (self, shard, &part->inflight.lists[DSQ_LIST_FRESH], TRUE, place);
      add_run (self, shard, &part->current.lists[DSQ_LIST_FRESH], FALSE, place);
    }
  for (guint i = self->n_runs / 2; i > 0; i--)
    sift_down (self, i - 1, self->heap[i - 1]);
}

DsqEntry *
dsq_runs_peek (const DsqRuns *self, gint64 *out_place)
{
  if (self->n_runs == 0)
    return NULL;
  *out_place = self->heap[0]->place;
  return self->heap[0]->entry;
}

void
dsq_runs_step (DsqRuns *self)
{
  DsqRun *run = self->heap[0];

  run->at += self->order == DSQ_WALK_FORWARD ? 1 : -1;
  if (!run_settle (self, run))
    run = self->heap[--self->n_runs];
  if (self->n_runs > 0)
    sift_down (self, 0, run);
}
