/* dsq-cold-writer-private.h - the one connection that commits
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-stream-private.h"
#include "cold/dsq-cold-undo-private.h"

G_BEGIN_DECLS

/* Statements of the writer. */
typedef enum
{
  DSQ_COLD_WRITE_BEGIN,
  DSQ_COLD_WRITE_COMMIT,
  DSQ_COLD_WRITE_ROLLBACK,
  DSQ_COLD_WRITE_SAVEPOINT,
  DSQ_COLD_WRITE_RELEASE,
  DSQ_COLD_WRITE_ROLLBACK_TO,
  DSQ_COLD_WRITE_UPSERT,
  DSQ_COLD_WRITE_INSERT,
  DSQ_COLD_WRITE_UPDATE,
  DSQ_COLD_WRITE_REMOVE,
  DSQ_COLD_WRITE_CLEAR,
  DSQ_COLD_WRITE_CLEAR_ALL,
  DSQ_COLD_WRITE_HAS_OTHERS,
  DSQ_COLD_WRITE_GET,
  DSQ_COLD_WRITE_TABLES,
  DSQ_COLD_WRITE_SAVE_TABLE,
  DSQ_COLD_WRITE_FIND_TABLE,
  DSQ_COLD_WRITE_LAST_TABLE,
  DSQ_COLD_WRITE_MAKE_TABLE,
  DSQ_COLD_WRITE_DROP_TABLE,
  DSQ_COLD_WRITE_BURY_TABLE,
  DSQ_COLD_WRITE_DROP_BURIED,
  DSQ_COLD_WRITE_DATA_VERSION,
  DSQ_COLD_WRITE_EXPIRED,
  DSQ_COLD_WRITE_NEXT_EXPIRY,
  DSQ_COLD_WRITE_OLDEST,
  DSQ_COLD_WRITE_PAGE_COUNT,
  DSQ_COLD_WRITE_FREE_COUNT,
  DSQ_COLD_N_WRITES
} DsqColdWrite;

/* Guarded by the engine's writer lock, but for what the coherence part says. */
typedef struct
{
  DsqDatabase *database; /* (owned) */
  DsqStatement statements[DSQ_COLD_N_WRITES];
  DsqColdStream *stream; /* (owned) (nullable) of many entries at once */
  DsqColdBuffer buffer;
  DsqColdUndo undo;     /* of the tables */
  guint undo_savepoint; /* of the savepoint under way */
  guint32 hook_frames;  /* frames in the log at our last commit, as SQLite's hook told */
  gboolean in_savepoint;
  gboolean has_changed; /* the transaction under way changed a row */
  gboolean had_changed; /* the same at the savepoint */
} DsqColdWriter;

/* The writer owns @database from then on, whatever it returns. */
gboolean dsq_cold_writer_init (DsqColdSqlite *self, DsqDatabase *database, GError **error);
/* From then on many rows of a plain file are written by one statement, for which SQLite keeps pages
 * in memory: those of a sealed one come in no order, so that it would keep one for nearly each. */
gboolean dsq_cold_writer_stream (DsqColdSqlite *self, GError **error);
void dsq_cold_writer_close (DsqColdSqlite *self);

/* Gives a long buffer back after a transaction. */
void dsq_cold_trim_buffer (DsqColdWriter *writer);

DSQ_COLD_FUNCTION (begin) dsq_cold_begin;
DSQ_COLD_FUNCTION (get_table) dsq_cold_get_table;
DSQ_COLD_FUNCTION (get_in_transaction) dsq_cold_get_in_transaction;
DSQ_COLD_FUNCTION (savepoint) dsq_cold_savepoint;
DSQ_COLD_FUNCTION (release) dsq_cold_release;
DSQ_COLD_FUNCTION (commit) dsq_cold_commit;
DSQ_COLD_FUNCTION (rollback) dsq_cold_rollback;

G_END_DECLS
