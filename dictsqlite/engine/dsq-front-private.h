/* dsq-front-private.h - the first keys of a table
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-entries-private.h"
#include "engine/dsq-pending-private.h"

G_BEGIN_DECLS

/* The first keys of a table, in order, as a walk has found them, guarded by the lock of the first
 * shard. They tell the first key of now as long as nothing may have left memory: nothing gets a
 * place among those of before, so the first that is still where it was is the first of all. */
typedef struct
{
  GArray *keys;      /* (owned) of DsqFrontKey */
  guint n_gone;      /* so many of them have gone, or moved */
  guint n_wanted;    /* so many are worth looking for */
  guint64 n_settled; /* of the pending changes when they were found */
} DsqFront;

typedef enum
{
  DSQ_FRONT_UNKNOWN, /* what the first key is; let the walk find DsqFront.n_wanted */
  DSQ_FRONT_ABSENT, /* from memory is the entry of the first key, which is to be looked for alone */
  DSQ_FRONT_FOUND
} DsqFrontAnswer;

void dsq_front_init (DsqFront *self);
void dsq_front_clear (DsqFront *self);

/* The first key, with its entry unless @keys_only. The first shard is locked; nothing of @pending's
 * table has expired. */
DsqFrontAnswer dsq_front_find_locked (DsqFront *self,
                                      DsqPending *pending,
                                      gboolean keys_only,
                                      DsqWalkRow *out_row);
/* Where the first key that is left is beyond; 0 where that is not known. */
gint64 dsq_front_end_locked (const DsqFront *self, const DsqPending *pending);
/* Keeps the first rows of a table, all that there are up to the last of them, all being locked. */
void dsq_front_keep_locked (DsqFront *self, DsqPending *pending, const GArray *rows);

G_END_DECLS
