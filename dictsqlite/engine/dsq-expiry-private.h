/* dsq-expiry-private.h - entries that end by themselves
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-internal.h"

G_BEGIN_DECLS

void dsq_engine_init_expiry (DsqEngine *self);
void dsq_engine_finish_expiry (DsqEngine *self);

/* Asks the clock, for an entry that expires. */
gboolean dsq_engine_is_over (DsqEngine *self, const DsqEntry *entry);

static inline gboolean
dsq_engine_has_expired (DsqEngine *self, const DsqEntry *entry)
{
  return G_UNLIKELY (entry->has_expiry) && dsq_engine_is_over (self, entry);
}

/* Whether something that has expired may still be there. */
static inline gboolean
dsq_engine_is_sweep_due (DsqEngine *self)
{
  gint64 next = __atomic_load_n (&self->next_expiry, __ATOMIC_RELAXED);

  return G_UNLIKELY (next != G_MAXINT64) && next <= dsq_engine_now (self);
}

/* Finds out when the next entry expires, if that is not known. */
gboolean dsq_engine_learn_expiry_at_open (DsqEngine *self, GError **error);
gboolean dsq_engine_learn_expiry (DsqEngine *self, GError **error);
/* Counts rows of a table of a read-only store that have expired; between enter and leave. */
gboolean
dsq_engine_count_expired (DsqEngine *self, guint32 table, guint64 *out_count, GError **error);
/* Removes what has expired, and adds how many these were to *out_n_swept. Without locks. */
gboolean dsq_engine_sweep (DsqEngine *self, guint64 *out_n_swept, GError **error);
/* For a write of that many keys, when it is due: a step of the sweep. */
gboolean dsq_engine_sweep_some (DsqEngine *self, guint64 n_keys, GError **error);
/* Removes a key that is there and has expired; it has that node, or is a row that expires then. */
void dsq_engine_remove_expired_locked (DsqEngine *self,
                                       DsqShard *shard,
                                       guint32 number,
                                       const DsqKey *key,
                                       gint64 expires);

/* Sweeps after which a call that keeps meeting newly expired entries goes on with what it has. */
#define DSQ_MAX_SWEEPS 16

/* Locks the shard of a key once all that had expired is removed. */
DsqShard *
dsq_engine_lock_swept_shard_slowly (DsqEngine *self, guint32 table, guint64 hash, GError **error);

static inline DsqShard *
dsq_engine_lock_swept_shard (DsqEngine *self, guint32 table, guint64 hash, GError **error)
{
  DsqShard *shard = dsq_engine_lock_shard (self, table, hash, error);

  if (shard == NULL || !dsq_engine_is_sweep_due (self))
    return shard;
  dsq_shard_unlock (shard);
  return dsq_engine_lock_swept_shard_slowly (self, table, hash, error);
}

gboolean dsq_engine_sweep_if_due (DsqEngine *self, guint32 table, GError **error);

/* An entry that expires is dirty now, in its node; or is in the file. */
void dsq_engine_note_dirty_expiry_locked (DsqEngine *self, DsqShard *shard, const DsqEntry *entry);
void dsq_engine_note_expiry_locked (DsqEngine *self, gint64 expires);
/* With all shard locks: nothing is known any more of what expires in the file. */
void dsq_engine_forget_expiry_locked (DsqEngine *self);
/* With all shard locks: much has left memory. */
void dsq_engine_tidy_expiry_locked (DsqEngine *self);
/* How often that was forgotten, and what was learned since it had been that often. */
guint64 dsq_engine_n_forgotten (DsqEngine *self);
void dsq_engine_set_next_expiry (DsqEngine *self,
                                 guint64 n_forgotten,
                                 gint64 swept_until,
                                 gint64 in_file);

/* What a transaction has removed because it had expired. */
typedef struct
{
  gboolean is_swept;   /* it was due */
  gboolean is_last;    /* nothing that has expired is left */
  GArray *rows;        /* (owned) (nullable) of DsqColdRow */
  GArray *changes;     /* (owned) (nullable) of DsqChange, with the rows' entries */
  guint64 n_forgotten; /* as it was then */
  gint64 next;         /* the first expiry that is left */
} DsqSweptRows;

/* In the write transaction under way: some of what has expired, or much for who wants all. */
gboolean dsq_engine_sweep_in_transaction (DsqEngine *self,
                                          gboolean wants_all,
                                          DsqSweptRows *swept,
                                          GError **error);
void dsq_engine_clear_swept_rows (DsqSweptRows *swept);

G_END_DECLS
