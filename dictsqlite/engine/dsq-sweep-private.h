/* dsq-sweep-private.h - where the removal of what has expired stands
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-types-private.h"

G_BEGIN_DECLS

/* A sweep that is made in steps: first the shards' heaps, then the file. */
typedef struct
{
  gboolean is_under_way;
  guint64 n_forgotten;  /* the engine's at its beginning: with another the sweep is void */
  gint64 now;           /* what has expired by then is swept */
  guint n_shards;       /* that are done */
  gboolean is_in_shard; /* the next one is begun */
  DsqExpirySpan span;   /* what is left in the file */
} DsqSweepProgress;

G_END_DECLS
