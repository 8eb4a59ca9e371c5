/* dsq-warm-index.c - where in the warm tier's log a key may lie
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "tiers/dsq-warm-index-private.h"

/*
 * Chunks of one cache line each, by linear probing over chunks:
 *
 *   tags [ 7f a3 .  11 ... ] 12   n_overflowed   positions [ 4096 17 - 902 ... ] 12
 *
 * An entry that finds its chunk full goes to the next, and is counted in each that it passed: a
 * search ends at the first chunk that nothing has passed. A removal takes the count back on the
 * way, so there are no tombstones, and no other entry's hash has to be known.
 *
 * The hash's high end (of 32 bits) tells the chunk and its low end the tag, so the number of chunks
 * is free, and the index can grow by halves.
 */

void
dsq_warm_index_reset (DsqWarmIndex *self, guint32 n_chunks)
{
  g_aligned_free (self->chunks);
  self->chunks = n_chunks != 0 ? g_aligned_alloc0 (n_chunks, sizeof *self->chunks, 64) : NULL;
  self->n_chunks = n_chunks;
  self->n_used = 0;
}

void
dsq_warm_index_insert (DsqWarmIndex *self, guint64 hash, guint32 position)
{
  guint32 number = dsq_warm_index_home (self, hash);
  DsqWarmChunk *chunk = &self->chunks[number];
  guint32 empty;
  guint slot;

  while ((empty = dsq_warm_chunk_match (chunk, 0)) == 0)
    {
      if (chunk->n_overflowed != DSQ_WARM_MANY_OVERFLOWED)
        chunk->n_overflowed++;
      number = dsq_warm_index_next (self, number);
      chunk = &self->chunks[number];
    }
  slot = (guint) __builtin_ctz (empty);
  chunk->tags[slot] = (guint8) dsq_warm_index_pattern (hash);
  chunk->positions[slot] = position;
  self->n_used++;
}

/* The slot of a pair that is there, and its chunk's number. */
static guint
find_slot (const DsqWarmIndex *self, guint64 hash, guint32 position, guint32 *out_chunk)
{
  guint64 pattern = dsq_warm_index_pattern (hash);

  for (guint32 number = dsq_warm_index_home (self, hash);;
       number = dsq_warm_index_next (self, number))
    {
      const DsqWarmChunk *chunk = &self->chunks[number];

      for (guint32 matches = dsq_warm_chunk_match (chunk, pattern); matches != 0;
           matches &= matches - 1)
        {
          guint slot = (guint) __builtin_ctz (matches);

          if (chunk->positions[slot] == position)
            {
              *out_chunk = number;
              return slot;
            }
        }
    }
}

void
dsq_warm_index_remove (DsqWarmIndex *self, guint64 hash, guint32 position)
{
  guint32 number;
  guint slot = find_slot (self, hash, position, &number);

  self->chunks[number].tags[slot] = 0;
  self->n_used--;
  for (guint32 passed = dsq_warm_index_home (self, hash); passed != number;
       passed = dsq_warm_index_next (self, passed))
    if (self->chunks[passed].n_overflowed != DSQ_WARM_MANY_OVERFLOWED)
      self->chunks[passed].n_overflowed--;
}

void
dsq_warm_index_move (DsqWarmIndex *self, guint64 hash, guint32 from, guint32 to)
{
  guint32 number;
  guint slot = find_slot (self, hash, from, &number);

  self->chunks[number].positions[slot] = to;
}
