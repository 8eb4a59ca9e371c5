/* dsq-presence-private.h - how many keys a table has, what is unknown included
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-internal.h"

G_BEGIN_DECLS

/* A table at one instant, what was unknown then included. */
typedef struct
{
  gint64 n_live;      /* its keys */
  guint64 n_settled;  /* of its pending changes */
  gboolean is_moving; /* a flush is under way that gives keys other places than memory has */
} DsqTally;

/* Sweeps, and in a transaction learns what others have made of the table's keys. */
gboolean dsq_engine_catch_up_with (DsqEngine *self, guint32 table, GError **error);
gboolean dsq_engine_tally (DsqEngine *self, guint32 table, DsqTally *tally, GError **error);
/* The same with the file stopped. */
gboolean dsq_engine_tally_stopped (DsqEngine *self, guint32 table, DsqTally *tally, GError **error);

G_END_DECLS
