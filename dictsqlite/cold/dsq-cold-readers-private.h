/* dsq-cold-readers-private.h - the connections that read
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-wanted-private.h"
#include "sqlite/dsq-wal-index-private.h"

G_BEGIN_DECLS

#define DSQ_COLD_MAX_IDLE_READERS 8

/* Statements of a reader. */
typedef enum
{
  DSQ_COLD_READ_GET,
  DSQ_COLD_READ_PROBE,
  DSQ_COLD_READ_FORWARD,
  DSQ_COLD_READ_REVERSE,
  DSQ_COLD_READ_FORWARD_KEYS,
  DSQ_COLD_READ_REVERSE_KEYS,
  DSQ_COLD_READ_TOKENS,
  DSQ_COLD_READ_NAMES,
  DSQ_COLD_READ_TABLES,
  DSQ_COLD_READ_TABLE_NAMES,
  DSQ_COLD_READ_RANGE,
  DSQ_COLD_READ_EXPIRED,
  DSQ_COLD_READ_NEXT_EXPIRY,
  DSQ_COLD_READ_BEGIN,
  DSQ_COLD_READ_END,
  DSQ_COLD_N_READS
} DsqColdRead;

/* Used by the one thread that has taken it from the pool. */
typedef struct
{
  DsqDatabase *database; /* (owned) */
  DsqStatement statements[DSQ_COLD_N_READS];
  DsqColdWanted *wanted; /* (owned) (nullable) until many keys are looked up */
  DsqWalStamp stamp;     /* the header's before the last read began, or zeros */
  gboolean is_reading;   /* its transaction is open, and shows the file as of stamp or later */
  gboolean is_in_log;    /* some of that was only in the log when it began */
  gboolean was_used;     /* since it was last tended */
} DsqColdReader;

/* A connection that reads, tuned, for a call that takes long. */
DsqDatabase *dsq_cold_open_to_read (DsqColdSqlite *self, GError **error);
DsqDatabase *dsq_cold_open_snapshot (DsqColdSqlite *self, const char *purpose, GError **error);
/* The first of the pool's. It owns @database from then on, whatever it returns. */
gboolean dsq_cold_readers_add (DsqColdSqlite *self, DsqDatabase *database, GError **error);
DsqColdReader *dsq_cold_readers_take (DsqColdSqlite *self, GError **error);
void dsq_cold_readers_give_back (DsqColdSqlite *self, DsqColdReader *reader);
/* To be called before the statements of a read, which then see all that was committed before this
 * call. @reads_many: in one transaction, which is ended by giving the reader back, at the earliest.
 */
gboolean dsq_cold_readers_start (DsqColdSqlite *self,
                                 DsqColdReader *reader,
                                 gboolean reads_many,
                                 GError **error);
/* While it is set no transaction outlasts its call; those that do are ended. */
void dsq_cold_readers_set_draining (DsqColdSqlite *self, gboolean is_draining);
gboolean dsq_cold_readers_tend (DsqColdFile *file);
void dsq_cold_readers_set_may_hold (DsqColdFile *file, gboolean may_hold);
void dsq_cold_readers_close (DsqColdSqlite *self);
/* Has the reader of a private tier read on the writer's connection, and ends that. */
gboolean dsq_cold_readers_share (DsqColdSqlite *self, GError **error);
void dsq_cold_readers_unshare (DsqColdSqlite *self);

G_END_DECLS
