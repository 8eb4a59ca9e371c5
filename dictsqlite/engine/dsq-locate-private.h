/* dsq-locate-private.h - what a key is, before it is changed
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-internal.h"
#include "engine/dsq-standstill-private.h"

G_BEGIN_DECLS

/* What is known of a key, its shard being locked. */
typedef struct
{
  DsqShard *shard;      /* locked */
  guint32 number;       /* its node, or 0 */
  DsqPresence presence; /* without a node: whether it has a row */
  DsqEntry *cold;       /* (owned) (nullable) without a node, if it was asked for: the row */
  gboolean is_swept;    /* it had expired, and its removal was staged */
  gint64 expires;       /* when that row expires, as far as it is known; 0 for never */
  DsqTries tries;       /* the last lasts until this is finished */
} DsqLocated;

/* What is to be known of it. */
typedef enum
{
  DSQ_LOCATE_PRESENCE = 0,
  DSQ_LOCATE_ENTRY = 1 << 0,
  DSQ_LOCATE_SWEPT = 1 << 1, /* for a write: what has expired is removed */
  DSQ_LOCATE_BLIND = 1 << 2  /* a transaction does not remember that it was looked at */
} DsqLocateFlags;

/* Finds out all that is needed to change a key. On success its shard is locked: end with
 * dsq_located_finish(). */
gboolean dsq_engine_locate (DsqEngine *self,
                            const DsqKey *key,
                            DsqLocateFlags flags,
                            DsqLocated *located,
                            GError **error);
/* Before a write that does not look: if the key has expired it is removed. */
gboolean dsq_engine_sweep_key (DsqEngine *self, const DsqKey *key, GError **error);
void dsq_located_finish (DsqEngine *self, DsqLocated *located, gboolean is_dirtied);
/* A new reference to what the key is, or NULL. */
DsqEntry *dsq_located_entry (const DsqLocated *located);
/* Whether the key is in the mapping, be it expired or not. */
gboolean dsq_located_is_held (const DsqLocated *located);
gboolean dsq_located_has_expired (DsqEngine *self, const DsqLocated *located);

/* Stages the removal of a key that is there; @number is its node or 0. */
void dsq_engine_stage_removal_locked (DsqEngine *self,
                                      DsqShard *shard,
                                      guint32 number,
                                      const DsqKey *key);

G_END_DECLS
