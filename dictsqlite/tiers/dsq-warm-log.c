/* dsq-warm-log.c - entries packed end to end in segments
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "tiers/dsq-warm-log-private.h"

/*
 *   oldest                                        newest
 *   [ e e x e x ] <-> [ x e e e e ] <-> [ one large e ] <-> [ e e .... ]
 *                                                             open
 *
 * Entries are appended to the open segment; one of more than half a segment gets a segment of its
 * own. An entry that is taken or removed is dead (x) and its bytes stay until its segment goes.
 * When the budget is met, segments that lie together and have a segment's worth of dead bytes among
 * them are compacted, the order kept; if there are none, the oldest segment is dropped.
 *
 * All memory counts: segments with malloc's own, the array of segments, the index. The shard stays
 * within the budget at every moment, so room is made before anything grows.
 */

#define MIN_SEGMENT_SIZE 256u
#define MAX_SEGMENT_SIZE (64u * 1024)
/* Segments that a budget is cut into, if that gives a segment of the sizes above; */
#define USUAL_SEGMENTS 64
/* and at most, whatever size that gives. */
#define MOST_SEGMENTS 4096
/* Positions that the budget should be enough for, as a power of two: a quarter of what 32 bits can
 * tell, since segments that were shrunk leave a part of their positions unused. */
#define POSITION_BITS 30
#define FIRST_NUMBERS 4

static guint32
round_to_power (gsize size)
{
  guint32 power = MIN_SEGMENT_SIZE;

  while (power < size && power < 1u << 31)
    power *= 2;
  return power;
}

void
dsq_warm_log_init (DsqWarmShard *self)
{
  guint32 usual = MIN (round_to_power (self->budget / USUAL_SEGMENTS), MAX_SEGMENT_SIZE);

  self->segment_size = MAX (usual, round_to_power (self->budget / MOST_SEGMENTS));
  self->unit_shift = 0;
  while (self->budget >> self->unit_shift > (gsize) 1 << POSITION_BITS)
    self->unit_shift++;
  self->number_shift = (guint8) (__builtin_ctz (self->segment_size) - self->unit_shift);
}

void
dsq_warm_log_clear (DsqWarmShard *self)
{
  for (guint32 number = 1; number < self->n_touched; number++)
    g_free (self->segments[number].bytes);
  g_clear_pointer (&self->segments, g_free);
  g_clear_pointer (&self->spare, g_free);
  dsq_warm_index_reset (&self->index, 0);
  self->bytes = self->dead = 0;
  self->n_segments = self->n_allocated = self->n_touched = self->first_free = 0;
  self->newest = self->oldest = self->open = 0;
}

/* --- index ----------------------------------------------------------------------------------- */

static void
rebuild_index (DsqWarmShard *self, guint32 n_chunks)
{
  self->bytes += n_chunks * sizeof (DsqWarmChunk);
  self->bytes -= self->index.n_chunks * sizeof (DsqWarmChunk);
  dsq_warm_index_reset (&self->index, n_chunks);
  for (guint32 number = self->oldest; number != 0; number = self->segments[number].newer)
    {
      DsqWarmLive live[DSQ_WARM_LIVE_BATCH];
      guint32 offset = 0;
      guint n;

      while ((n = dsq_warm_log_read_live (self, number, &offset, live)) > 0)
        for (guint i = 0; i < n; i++)
          dsq_warm_index_insert (&self->index, live[i].hash, live[i].position);
    }
}

/* --- room ------------------------------------------------------------------------------------ */

/* An index that is three quarters empty is given back in part. */
static void
trim_index (DsqWarmShard *self)
{
  guint32 n_chunks = self->index.n_used / DSQ_WARM_CHUNK_LOAD * 3 / 2 + 1;

  if (self->index.n_chunks > 16 && n_chunks < self->index.n_chunks / 2)
    rebuild_index (self, n_chunks);
}

/* A segment without live entries has no used bytes, so that the last one of it ends its loop. */
void
dsq_warm_log_remove_table (DsqWarmShard *self, guint32 table)
{
  for (guint32 number = self->oldest, newer; number != 0; number = newer)
    {
      const DsqWarmSegment *segment = &self->segments[number];
      guint32 offset = 0;

      newer = segment->newer;
      while (offset < segment->used)
        {
          guint32 position = dsq_warm_log_position (self, number, offset);
          DsqWarmItem item;

          dsq_warm_item_read (self, segment->bytes + offset, &item);
          offset += item.size;
          if (item.is_dead || item.key.table != table)
            continue;
          dsq_warm_index_remove (&self->index,
                                 dsq_hash (table, item.key.bytes, item.key.length),
                                 position);
          dsq_warm_log_kill (self, position, &item);
        }
    }
  trim_index (self);
}

static void
drop_oldest (DsqWarmShard *self)
{
  guint32 number = self->oldest;
  DsqWarmLive live[DSQ_WARM_LIVE_BATCH];
  guint32 offset = 0;
  guint n;

  while ((n = dsq_warm_log_read_live (self, number, &offset, live)) > 0)
    {
      for (guint i = 0; i < n; i++)
        dsq_warm_index_remove (&self->index, live[i].hash, live[i].position);
      self->n_dropped += n;
    }
  dsq_warm_log_free_segment (self, number);
  trim_index (self);
}

/* Wins a segment, maybe as the spare one; FALSE when there is none left. */
static gboolean
win_segment (DsqWarmShard *self)
{
  if (dsq_warm_log_compact (self))
    return TRUE;
  if (self->oldest == 0)
    return FALSE;
  drop_oldest (self);
  return TRUE;
}

static gboolean
win_bytes (DsqWarmShard *self)
{
  if (self->spare == NULL)
    return win_segment (self);
  g_clear_pointer (&self->spare, g_free);
  self->bytes -= (gsize) self->segment_size + DSQ_WARM_MALLOC_OVERHEAD;
  return TRUE;
}

static gboolean
reserve_index (DsqWarmShard *self)
{
  while (dsq_warm_index_is_full (&self->index))
    {
      guint32 n_more = self->index.n_chunks / 2 + 1;

      if (self->bytes + n_more * sizeof (DsqWarmChunk) <= self->budget)
        rebuild_index (self, self->index.n_chunks + n_more);
      else if (!win_bytes (self))
        return FALSE;
    }
  return TRUE;
}

/* How many numbers to add for there to be a free one; FALSE when all are in use. */
static gboolean
count_new_numbers (const DsqWarmShard *self, guint32 *out_n)
{
  guint64 n_most = G_GUINT64_CONSTANT (1) << (32 - self->number_shift);

  *out_n = 0;
  if (self->first_free != 0 || self->n_touched < self->n_allocated)
    return TRUE;
  *out_n = (guint32) MIN (MAX (self->n_allocated / 2, FIRST_NUMBERS), n_most - self->n_allocated);
  return *out_n > 0;
}

static guint32
take_number (DsqWarmShard *self, guint32 n_new)
{
  guint32 number = self->first_free;

  if (n_new > 0)
    {
      self->bytes += n_new * sizeof *self->segments;
      self->n_allocated += n_new;
      self->segments = g_renew (DsqWarmSegment, self->segments, self->n_allocated);
      memset (self->segments + self->n_touched, 0, n_new * sizeof *self->segments);
      self->n_touched = MAX (self->n_touched, 1);
    }
  if (number == 0)
    return self->n_touched++;
  self->first_free = self->segments[number].older;
  return number;
}

/* A new segment, the newest; 0 if there is no room. */
static guint32
add_segment (DsqWarmShard *self, guint32 capacity)
{
  DsqWarmSegment *segment;
  gboolean is_reused;
  guint32 n_new;
  guint32 number;

  for (;;)
    {
      gboolean has_number = count_new_numbers (self, &n_new);
      gsize needed = n_new * sizeof *segment;

      is_reused = capacity == self->segment_size && self->spare != NULL;
      if (!is_reused)
        needed += (gsize) capacity + DSQ_WARM_MALLOC_OVERHEAD;
      if (has_number && self->bytes + needed <= self->budget)
        break;
      if (!(is_reused || !has_number ? win_segment (self) : win_bytes (self)))
        return 0;
    }

  number = take_number (self, n_new);
  segment = &self->segments[number];
  segment->bytes = is_reused ? g_steal_pointer (&self->spare) : g_malloc (capacity);
  if (!is_reused)
    self->bytes += (gsize) capacity + DSQ_WARM_MALLOC_OVERHEAD;
  segment->capacity = capacity;
  segment->used = segment->live = 0;
  segment->newer = 0;
  segment->older = self->newest;
  if (self->newest != 0)
    self->segments[self->newest].newer = number;
  else
    self->oldest = number;
  self->newest = number;
  self->n_segments++;
  return number;
}

guint8 *
dsq_warm_log_reserve (DsqWarmShard *self, guint32 size, guint32 *out_position)
{
  gboolean is_large = size > self->segment_size / 2;
  guint32 number;
  DsqWarmSegment *segment;

  if (!reserve_index (self))
    return NULL;
  number = is_large ? 0 : self->open;
  if (number != 0 && size > self->segments[number].capacity - self->segments[number].used)
    {
      if (self->segments[number].used == 0)
        dsq_warm_log_free_segment (self, number);
      else
        dsq_warm_log_shrink_segment (self, number);
      number = self->open = 0;
    }
  if (number == 0 && (number = add_segment (self, is_large ? size : self->segment_size)) == 0)
    return NULL;
  if (!is_large)
    self->open = number;

  segment = &self->segments[number];
  *out_position = dsq_warm_log_position (self, number, segment->used);
  segment->used += size;
  segment->live += size;
  return segment->bytes + segment->used - size;
}
