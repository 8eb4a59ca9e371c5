/* dsq-warm-tier-private.h - a compact copy in memory of what fell out of the hot tier
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-mutex-private.h"
#include "tiers/dsq-entry-private.h"
#include "tiers/dsq-warm-index-private.h"

G_BEGIN_DECLS

/* A stretch of the log. Segments are numbered from 1 in an array that may move when it grows. */
typedef struct
{
  guint8 *bytes;    /* (owned) NULL in a free one */
  guint32 capacity; /* bytes allocated */
  guint32 used;     /* bytes written */
  guint32 live;     /* of these, bytes of entries that are still there */
  guint32 newer;    /* neighbours by age, 0: none; a free segment's next free one */
  guint32 older;
} DsqWarmSegment;

/* The warm side of one hot shard. It has no lock of its own: everything in it is guarded by the hot
 * shard's, and every function is called with that held. Of a hash only the low half is used, as a
 * hot node keeps it. */
typedef struct
{
  const DsqMutex *lock; /* (unowned) the hot shard's */
  gsize budget;         /* most bytes, 0: off */
  gsize bytes;          /* allocated now: segments, their array and the index */
  gsize dead;           /* bytes in segments of entries that are gone */
  guint32 segment_size; /* of the usual segment, a power of two */
  guint8 number_shift;  /* a position is a segment's number above this bit, */
  guint8 unit_shift;    /* and below it an offset in units of 2 to the power of this */
  DsqWarmIndex index;
  DsqWarmSegment *segments; /* (owned) (nullable) segments[0] is unused */
  guint32 n_segments;       /* in use */
  guint32 n_allocated;      /* length of segments */
  guint32 n_touched;        /* segments ever used, segments[0] included */
  guint32 first_free;
  guint32 newest; /* 0: empty */
  guint32 oldest;
  guint32 open;      /* the one that entries are appended to, or 0 */
  guint8 *spare;     /* (owned) (nullable) segment_size bytes for the next segment */
  guint64 n_dropped; /* entries that left as the oldest */
} DsqWarmShard;

void dsq_warm_shard_init (DsqWarmShard *self, const DsqMutex *lock, gsize budget);
/* It may take more, and is empty. */
void dsq_warm_shard_widen_locked (DsqWarmShard *self, gsize budget);
/* When nobody else has it any more. */
void dsq_warm_shard_finish (DsqWarmShard *self);
/* Drops all entries and gives all memory back; what remains are the budget and the counters. */
void dsq_warm_shard_clear_locked (DsqWarmShard *self);

/* Copies a clean @entry in, in place of what is there of its key. FALSE if it was not kept: the
 * tier is off, the entry is larger than a quarter of the budget, or it is a tombstone. */
gboolean dsq_warm_shard_put_locked (DsqWarmShard *self, const DsqEntry *entry, guint64 hash);

/* The entry of @key, which leaves this tier; or NULL. */
DsqEntry *dsq_warm_shard_take_locked (DsqWarmShard *self, const DsqKey *key);
/* The same, and it stays. */
DsqEntry *dsq_warm_shard_peek_locked (DsqWarmShard *self, const DsqKey *key);
/* Whether @key is there, and when it expires (milliseconds since 1970, 0 for never). */
gboolean
dsq_warm_shard_contains_locked (DsqWarmShard *self, const DsqKey *key, gint64 *out_expires);

/* Whether @key is there, without counting as a read. */
gboolean dsq_warm_shard_holds_locked (const DsqWarmShard *self, const DsqKey *key);

/* A write or a delete has made what is there of @key stale; whether something was. */
gboolean dsq_warm_shard_remove_locked (DsqWarmShard *self, const DsqKey *key);
/* The same of all keys of a table. */
void dsq_warm_shard_remove_table_locked (DsqWarmShard *self, guint32 table);

static inline guint32
dsq_warm_shard_n_entries (const DsqWarmShard *self)
{
  return self->index.n_used;
}

G_END_DECLS
