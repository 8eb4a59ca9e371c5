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

void
dsq_run_step (DsqRun *run, DsqWalkOrder order)
{
  run->at += order == DSQ_WALK_FORWARD ? 1 : -1;
}

/* Moves on to a change that is to be shown, and gives its state; NULL at the end. */
static DsqEntry *
run_peek (DsqRuns *self, DsqRun *run)
{
  for (; run->at >= run->list->n_leading && run->at < run->list->n_items;
       dsq_run_step (run, self->order))
    {
      DsqEntry *entry = state_at (self, run, &run->list->items[run->at]);

      if (entry != NULL)
        return entry;
    }
  return NULL;
}

static void
add_run (DsqRuns *self, DsqShard *shard, const DsqChangeList *list, gboolean inflight, gint64 place)
{
  DsqRun run = { shard, list, inflight, first_beyond (list, place, self->order) };

  if (run.at >= list->n_leading && run.at < list->n_items)
    self->runs[self->n_runs++] = run;
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
}

DsqEntry *
dsq_runs_peek (DsqRuns *self, DsqRun **out_run, gint64 *out_place)
{
  DsqEntry *next = NULL;

  for (guint i = 0; i < self->n_runs; i++)
    {
      DsqRun *run = &self->runs[i];
      DsqEntry *entry = run_peek (self, run);
      gint64 place;

      if (entry == NULL)
        continue;
      place = run->list->items[run->at].place;
      if (next != NULL &&
          (self->order == DSQ_WALK_FORWARD ? place > *out_place : place < *out_place))
        continue;
      next = entry;
      *out_run = run;
      *out_place = place;
    }
  return next;
}
