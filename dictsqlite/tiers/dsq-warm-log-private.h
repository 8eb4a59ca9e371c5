/* dsq-warm-log-private.h - entries packed end to end in segments
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec/dsq-hash-private.h"
#include "tiers/dsq-warm-tier-private.h"

G_BEGIN_DECLS

/* In an entry's first byte. */
#define DSQ_WARM_ITEM_DEAD 1u

/* An entry as it lies in the log. */
typedef struct
{
  guint8 *start; /* (unowned) its first byte */
  guint32 size;  /* bytes, rounded up to whole units */
  guint32 is_dead;
  gint64 expires; /* milliseconds since 1970, 0 for never */
  DsqKey key;     /* but for its hash */
  guint32 record_length;
  const guint8 *record; /* (unowned) */
} DsqWarmItem;

/* Sizes of segments and units for the budget. */
void dsq_warm_log_init (DsqWarmShard *self);
void dsq_warm_log_clear (DsqWarmShard *self);

/* Room for one more entry of @size bytes, in the log and in the index, at the cost of the oldest.
 * NULL if there is none. */
guint8 *dsq_warm_log_reserve (DsqWarmShard *self, guint32 size, guint32 *out_position);

/* The entry at @position has left the index: its bytes are dead. */
void dsq_warm_log_kill (DsqWarmShard *self, guint32 position, const DsqWarmItem *item);

/* All entries of a table leave. */
void dsq_warm_log_remove_table (DsqWarmShard *self, guint32 table);

/* --- shared by the files of the log ----------------------------------------------------------- */

/* What malloc takes for itself. */
#define DSQ_WARM_MALLOC_OVERHEAD 16

#define DSQ_WARM_LIVE_BATCH 16

typedef struct
{
  guint64 hash;
  guint32 position;
  guint32 offset; /* in its segment */
  guint32 size;
} DsqWarmLive;

/* The next entries of a segment that are not dead, from *@offset on, which moves; 0 at its end.
 * Many at a time, for the lines of the index that they need come from memory meanwhile. */
guint dsq_warm_log_read_live (const DsqWarmShard *self,
                              guint32 number,
                              guint32 *offset,
                              DsqWarmLive *out_live);
void dsq_warm_log_free_segment (DsqWarmShard *self, guint32 number);
/* Gives back what a segment that gets no more entries has not used. */
void dsq_warm_log_shrink_segment (DsqWarmShard *self, guint32 number);

/* Wins a segment, maybe as the spare one, or a part of one; FALSE if the dead bytes are too few, or
 * lie too far apart. */
gboolean dsq_warm_log_compact (DsqWarmShard *self);

/* Bytes that an entry takes, rounded up to whole units. */
gsize dsq_warm_item_measure (const DsqWarmShard *self, const DsqEntry *entry);
void dsq_warm_item_write (guint8 *out, const DsqEntry *entry);
void dsq_warm_item_read (const DsqWarmShard *self, guint8 *start, DsqWarmItem *out);

static inline guint8 *
dsq_warm_log_at (const DsqWarmShard *self, guint32 position)
{
  guint32 offset = position & ((1u << self->number_shift) - 1);

  return self->segments[position >> self->number_shift].bytes +
         ((gsize) offset << self->unit_shift);
}

static inline guint32
dsq_warm_log_position (const DsqWarmShard *self, guint32 number, guint32 offset)
{
  return number << self->number_shift | offset >> self->unit_shift;
}

G_END_DECLS
