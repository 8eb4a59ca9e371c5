/* dsq-warm-index-private.h - where in the warm tier's log a key may lie
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec/dsq-bytes-private.h"

G_BEGIN_DECLS

#define DSQ_WARM_CHUNK_SLOTS 12
/* Entries a chunk above which the index has to grow: five sixths of its slots. */
#define DSQ_WARM_CHUNK_LOAD 10
/* A count of overflows that is no longer kept. */
#define DSQ_WARM_MANY_OVERFLOWED 255

/* A cache line of index: most look-ups read one, whether they find something or not. */
typedef struct
{
  guint8 tags[DSQ_WARM_CHUNK_SLOTS]; /* a byte of hash, 0: empty slot */
  guint8 n_overflowed; /* entries that went past this chunk as it was full; MANY is for ever */
  guint8 unused[3];
  guint32 positions[DSQ_WARM_CHUNK_SLOTS];
} DsqWarmChunk;

G_STATIC_ASSERT (sizeof (DsqWarmChunk) == 64);

/* A multiset of (hash, position), of which only the hash's low half is used. It knows nothing of
 * the entries at the positions. Guarded as its owner is. */
typedef struct
{
  DsqWarmChunk *chunks; /* (owned) (nullable) */
  guint32 n_chunks;
  guint32 n_used; /* slots */
} DsqWarmIndex;

/* A look-up under way. */
typedef struct
{
  const DsqWarmIndex *index;
  guint64 pattern; /* the tag in each byte */
  guint32 chunk;
  guint32 n_chunks_left; /* not looked at: few chunks may all have been passed by some entry */
  guint32 matches;       /* slots of the chunk that are still to be told, as bits */
} DsqWarmProbe;

/* Empties the index, and gives it @n_chunks (0: no memory). */
void dsq_warm_index_reset (DsqWarmIndex *self, guint32 n_chunks);
/* The index is not full. */
void dsq_warm_index_insert (DsqWarmIndex *self, guint64 hash, guint32 position);
/* These two: the pair is there. */
void dsq_warm_index_remove (DsqWarmIndex *self, guint64 hash, guint32 position);
void dsq_warm_index_move (DsqWarmIndex *self, guint64 hash, guint32 from, guint32 to);

static inline gboolean
dsq_warm_index_is_full (const DsqWarmIndex *self)
{
  return self->n_used >= (guint64) self->n_chunks * DSQ_WARM_CHUNK_LOAD;
}

static inline guint64
dsq_warm_index_pattern (guint64 hash)
{
  guint64 tag = hash & 0xFF;

  return (tag != 0 ? tag : 1) * G_GUINT64_CONSTANT (0x0101010101010101);
}

/* The chunk where a search begins; the tag is of the hash's other end. */
static inline guint32
dsq_warm_index_home (const DsqWarmIndex *self, guint64 hash)
{
  return (guint32) ((guint64) (guint32) hash * self->n_chunks >> 32);
}

static inline const DsqWarmChunk *
dsq_warm_index_home_chunk (const DsqWarmIndex *self, guint64 hash)
{
  return &self->chunks[dsq_warm_index_home (self, hash)];
}

static inline guint32
dsq_warm_index_next (const DsqWarmIndex *self, guint32 chunk)
{
  return chunk + 1 < self->n_chunks ? chunk + 1 : 0;
}

/* The top bit of each zero byte of @word, and of no other: an empty slot's position is anything. */
static inline guint64
dsq_warm_zero_bytes (guint64 word)
{
  const guint64 low_bits = G_GUINT64_CONSTANT (0x7F7F7F7F7F7F7F7F);

  return ~(((word & low_bits) + low_bits) | word | low_bits);
}

/* Slots of @chunk that have the tag of @pattern (0: that are empty), as bits. */
static inline guint32
dsq_warm_chunk_match (const DsqWarmChunk *chunk, guint64 pattern)
{
  /* moves bit 0 of byte i to bit i of the product's top byte */
  const guint64 gather = G_GUINT64_CONSTANT (0x0102040810204080);
  guint64 low = dsq_warm_zero_bytes (dsq_bytes_load_u64 (chunk->tags) ^ pattern) >> 7;
  guint64 high = dsq_warm_zero_bytes (dsq_bytes_load_u32 (chunk->tags + 8) ^ pattern) >> 7;

  return (guint32) (low * gather >> 56) | (guint32) ((high & 0x01010101) * gather >> 56) << 8;
}

static inline void
dsq_warm_probe_init (DsqWarmProbe *self, const DsqWarmIndex *index, guint64 hash)
{
  self->index = index;
  self->pattern = dsq_warm_index_pattern (hash);
  self->chunk = dsq_warm_index_home (index, hash);
  self->n_chunks_left = index->n_chunks - 1;
  self->matches = dsq_warm_chunk_match (&index->chunks[self->chunk], self->pattern);
}

/* The next position where the key may be; FALSE when there is none. */
static inline gboolean
dsq_warm_probe_next (DsqWarmProbe *self, guint32 *out_position)
{
  const DsqWarmChunk *chunk = &self->index->chunks[self->chunk];

  while (self->matches == 0)
    {
      if (chunk->n_overflowed == 0 || self->n_chunks_left == 0)
        return FALSE;
      self->n_chunks_left--;
      self->chunk = dsq_warm_index_next (self->index, self->chunk);
      chunk = &self->index->chunks[self->chunk];
      self->matches = dsq_warm_chunk_match (chunk, self->pattern);
    }
  *out_position = chunk->positions[__builtin_ctz (self->matches)];
  self->matches &= self->matches - 1;
  return TRUE;
}

G_END_DECLS
