/* dsq-expiry-private.h - when entries end by themselves
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-types-private.h"
#include "engine/dsq-shard-private.h"

G_BEGIN_DECLS

/* A sweep that is made in steps: first the shards' heaps, then the file. */
typedef struct
{
  gboolean is_under_way;
  guint64 n_forgotten;  /* the expiry's at its beginning: with another the sweep is void */
  gint64 now;           /* what has expired by then is swept */
  guint n_shards;       /* that are done */
  gboolean is_in_shard; /* the next one is begun */
  DsqExpirySpan span;   /* what is left in the file */
} DsqSweepProgress;

typedef struct
{
  DsqShards *shards;       /* (unowned) their heaps have what is dirty */
  DsqMutex sweep_lock;     /* one sweep at a time */
  gint64 next;             /* (atomic) (all shard locks) no entry that is there expires before
                              this: G_MAXINT64, none does; G_MININT64, not known */
  gint64 swept_until;      /* (atomic) (all shard locks) rows that expire up to this are swept */
  guint64 n_forgotten;     /* (all shard locks) moves when that is not known any more */
  DsqSweepProgress sweep;  /* (lock sweep_lock) the one under way */
  gint64 *clock_offset;    /* (unowned) (atomic) milliseconds added to the clock, by tests */
  gint64 own_clock_offset; /* where that is, if there is no other's to share */
} DsqExpiry;

/* With @clock_offset (nullable), another's, both have one clock. */
void dsq_expiry_init (DsqExpiry *self, DsqShards *shards, gint64 *clock_offset);
void dsq_expiry_clear (DsqExpiry *self);

/* Milliseconds since 1970. */
gint64 dsq_expiry_now (const DsqExpiry *self);
/* Asks the clock, for an entry that expires. */
gboolean dsq_expiry_is_over (const DsqExpiry *self, const DsqEntry *entry);

/* Whether something that has expired may still be there. */
static inline gboolean
dsq_expiry_is_due (const DsqExpiry *self)
{
  gint64 next = __atomic_load_n (&self->next, __ATOMIC_RELAXED);

  return G_UNLIKELY (next != G_MAXINT64) && next <= dsq_expiry_now (self);
}

/* Whether anything that is there may expire at all. */
static inline gboolean
dsq_expiry_may_end (const DsqExpiry *self)
{
  return __atomic_load_n (&self->next, __ATOMIC_RELAXED) != G_MAXINT64;
}

/* An entry that expires is dirty now, in its node; or is in the file. */
void dsq_expiry_note_dirty_locked (DsqExpiry *self, DsqShard *shard, const DsqEntry *entry);
void dsq_expiry_note_locked (DsqExpiry *self, gint64 expires);
/* With a shard's lock, or all where nothing expires any more: whether anything may end. */
void dsq_expiry_tell_words_locked (DsqExpiry *self);
/* With all shard locks: nothing is known any more of what expires in the file. */
void dsq_expiry_forget_locked (DsqExpiry *self);
/* How often that was forgotten, and what was learned since it had been that often. */
guint64 dsq_expiry_get_n_forgotten (DsqExpiry *self);
void dsq_expiry_learn (DsqExpiry *self, guint64 n_forgotten, gint64 swept_until, gint64 in_file);

G_END_DECLS
