/* dsq-sweep-private.h - what has expired is removed
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-internal.h"

G_BEGIN_DECLS

static inline gboolean
dsq_engine_has_expired (DsqEngine *self, const DsqEntry *entry)
{
  return G_UNLIKELY (entry->has_expiry) && dsq_expiry_is_over (&self->expiry, entry);
}

static inline gboolean
dsq_engine_is_sweep_due (DsqEngine *self)
{
  return dsq_expiry_is_due (&self->expiry);
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
