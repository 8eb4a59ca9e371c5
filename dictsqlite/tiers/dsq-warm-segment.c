/* dsq-warm-segment.c - one stretch of the warm tier's log
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "tiers/dsq-warm-log-private.h"

void
dsq_warm_log_free_segment (DsqWarmShard *self, guint32 number)
{
  DsqWarmSegment *segment = &self->segments[number];

  if (segment->newer != 0)
    self->segments[segment->newer].older = segment->older;
  else
    self->newest = segment->older;
  if (segment->older != 0)
    self->segments[segment->older].newer = segment->newer;
  else
    self->oldest = segment->newer;
  if (self->open == number)
    self->open = 0;

  self->dead -= segment->used - segment->live;
  if (segment->capacity == self->segment_size && self->spare == NULL)
    {
      self->spare = segment->bytes;
    }
  else
    {
      self->bytes -= (gsize) segment->capacity + DSQ_WARM_MALLOC_OVERHEAD;
      g_free (segment->bytes);
    }
  memset (segment, 0, sizeof *segment);
  segment->older = self->first_free;
  self->first_free = number;
  self->n_segments--;
}

void
dsq_warm_log_shrink_segment (DsqWarmShard *self, guint32 number)
{
  DsqWarmSegment *segment = &self->segments[number];

  if (segment->capacity - segment->used <= segment->capacity / 8)
    return;
  self->bytes -= segment->capacity - segment->used;
  segment->capacity = segment->used;
  segment->bytes = g_realloc (segment->bytes, segment->capacity);
}

void
dsq_warm_log_kill (DsqWarmShard *self, guint32 position, const DsqWarmItem *item)
{
  guint32 number = position >> self->number_shift;
  DsqWarmSegment *segment = &self->segments[number];

  item->start[0] |= DSQ_WARM_ITEM_DEAD;
  segment->live -= item->size;
  self->dead += item->size;
  if (segment->live > 0)
    return;
  if (number != self->open)
    {
      dsq_warm_log_free_segment (self, number);
      return;
    }
  self->dead -= segment->used;
  segment->used = 0;
}

guint
dsq_warm_log_read_live (const DsqWarmShard *self,
                        guint32 number,
                        guint32 *offset,
                        DsqWarmLive *out_live)
{
  const DsqWarmSegment *segment = &self->segments[number];
  guint n = 0;

  while (n < DSQ_WARM_LIVE_BATCH && *offset < segment->used)
    {
      guint32 at = *offset;
      DsqWarmItem item;

      dsq_warm_item_read (self, segment->bytes + at, &item);
      *offset += item.size;
      if (item.is_dead)
        continue;
      out_live[n] =
          (DsqWarmLive){ .hash = dsq_hash (item.key.table, item.key.bytes, item.key.length),
                         .position = dsq_warm_log_position (self, number, at),
                         .offset = at,
                         .size = item.size };
      __builtin_prefetch (dsq_warm_index_home_chunk (&self->index, out_live[n].hash), 1);
      n++;
    }
  return n;
}
