/* dsq-cold-stream-private.h - many rows written by one statement
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-rows-private.h"

G_BEGIN_DECLS

/* A row that is set: where it goes if its key is new, and else stays. */
typedef struct
{
  const DsqEntry *entry; /* (unowned) */
  gint64 place;
  DsqColdColumns columns;
} DsqColdStreamRow;

/* Gives the next row, whose memory must last until the next call. Is told before whether the row
 * before was @inserted. DSQ_STEP_FAILED ends the statement, with the error that it sets. */
typedef DsqStep (*DsqColdStreamFunc) (gboolean inserted,
                                      DsqColdStreamRow *out_row,
                                      gpointer user_data,
                                      GError **error);

typedef struct _DsqColdStream DsqColdStream;

/* Of the connection that commits, whose last inserted rowid is the stream's to set. */
DsqColdStream *dsq_cold_stream_new (DsqDatabase *database, GError **error);
void dsq_cold_stream_free (DsqColdStream *self);

/* Inserts or overwrites all that @next gives. */
gboolean dsq_cold_stream_write (DsqColdStream *self,
                                DsqColdStreamFunc next,
                                gpointer user_data,
                                GError **error);

G_END_DECLS
