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
  const DsqColdColumns *columns; /* (unowned) */
} DsqColdStreamRow;

/* Puts the next row in the place of the one before, whose memory has lasted until then, and is told
 * whether that was @inserted. DSQ_STEP_FAILED ends the statement, with the error that it sets. */
typedef DsqStep (*DsqColdStreamFunc) (gboolean inserted,
                                      DsqColdStreamRow *row,
                                      gpointer user_data,
                                      GError **error);

typedef struct _DsqColdStream DsqColdStream;

/* Of the connection that commits, whose last inserted rowid is the stream's to set. Where it does
 * not @overwrite, what is there already is left as it is, to whoever gives the rows. */
DsqColdStream *dsq_cold_stream_new (DsqDatabase *database, gboolean overwrites, GError **error);
void dsq_cold_stream_free (DsqColdStream *self);

/* Writes all that @next gives. After an error the transaction, or the savepoint, is to be rolled
 * back. */
gboolean dsq_cold_stream_write (DsqColdStream *self,
                                DsqColdStreamFunc next,
                                gpointer user_data,
                                GError **error);

G_END_DECLS
