/* dsq-cold-funcs-private.h - what every cold tier does
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-types-private.h"

G_BEGIN_DECLS

/* Called when another connection than this tier's writer has committed: everything clean that was
 * read from the file is stale, presence on disk is unknown. @states are all tables of the file as
 * of the commit that is being learned. Runs on the thread that found out, with the tier's coherence
 * lock held: it may take shard locks and must not call the tier. */
typedef void (*DsqColdForeignFunc) (const DsqTableState *states,
                                    guint n_states,
                                    gpointer user_data);
/* What has been committed is in the file. May lock shards, and wait for nothing. */
typedef void (*DsqColdCommittedFunc) (gpointer user_data);

typedef struct _DsqColdTier DsqColdTier;
typedef struct _DsqColdTierFuncs DsqColdTierFuncs;
typedef struct _DsqColdFileFuncs DsqColdFileFuncs;

/*
 * The table of functions through which the engine reaches what every cold tier is, and, in
 * dsq-cold-file-private.h, what only a file has besides. SQLite is the only implementation.
 *
 * Reads (get, get_many, probe, walk) may be called from any thread at any time before close, each
 * uses a reader's connection of its own. Writes (begin to commit or rollback, checkpoint) are
 * called by one thread at a time: the engine holds its writer lock around them. sync may be called
 * from any thread at any time.
 *
 * Every function gives errors of DSQ_ERROR, and G_IO_ERROR_CANCELLED when the thread's call, see
 * dsq-call-private.h, is cancelled while it waits or has much to do; commit and rollback never do.
 */
struct _DsqColdTierFuncs
{
  /* Closes and frees. The engine has made sure that no call is under way. The error is that of the
   * last checkpoint; the tier is freed all the same. Not to be called in the child of a fork, where
   * a tier is left as it is. */
  gboolean (*close) (DsqColdTier *self, GError **error);
  /* One read transaction; out[i] is NULL where keys[i] is absent. */
  gboolean (*get_many) (DsqColdTier *self,
                        const DsqKey *keys,
                        gsize n_keys,
                        DsqEntry **out,
                        GError **error);
  /* Presence only, without fetching values: the row's place, or 0 where absent. */
  gboolean (*probe) (DsqColdTier *self,
                     const DsqKey *keys,
                     gsize n_keys,
                     gint64 *out_places,
                     GError **error);
  /* Appends to @rows, of DsqColdRow, the next rows of @table beyond @place (exclusive) in the order
   * asked: at most @max_rows, and no further row once @max_bytes are reached. *out_is_last: there
   * is nothing beyond these. In reverse order, G_MAXINT64 starts at the last row; forward, 0 at the
   * first. Keys only: the values are not read, the entries have no record. */
  gboolean (*walk) (DsqColdTier *self,
                    guint32 table,
                    gint64 place,
                    DsqWalkOrder order,
                    guint max_rows,
                    gsize max_bytes,
                    gboolean keys_only,
                    GArray *rows,
                    gboolean *out_is_last,
                    GError **error);
  /* Appends the names, of GBytes, of all tables but the first, in the order of their ids. As other
   * reads. */
  gboolean (*list_tables) (DsqColdTier *self, GPtrArray *names, GError **error);
  /* Appends to @rows, of DsqColdRow, tombstones for the next rows of all tables in @span, which
   * moves behind them: at most @max_rows. A tombstone holds its row's expiry. *out_next is the
   * first expiry beyond the span, G_MAXINT64 for none, or the span's end when more in it may be
   * left. In a transaction it shows what that has made of the file. */
  gboolean (*find_expired) (DsqColdTier *self,
                            gboolean in_transaction,
                            DsqExpirySpan *span,
                            guint max_rows,
                            GArray *rows,
                            gint64 *out_next,
                            GError **error);
  /* Learns a foreign change, if there is one: calls the foreign function before it returns. */
  gboolean (*catch_up) (DsqColdTier *self, GError **error);
  /* Starts the write transaction, waiting for other processes' locks up to the busy timeout; then
   * catches up, so that the foreign function may run. */
  gboolean (*begin) (DsqColdTier *self, GError **error);
  /* A table as of now in the transaction; FALSE: there is none. */
  gboolean (*get_table) (DsqColdTier *self, guint32 table, DsqTableState *out_state);
  /* The table of that name (which is UTF-8), made if it is missing: empty, with an id that no table
   * has ever had. In the transaction. */
  gboolean (*open_table) (DsqColdTier *self,
                          const guint8 *name,
                          gsize length,
                          DsqTableState *out_state,
                          GError **error);
  /* Removes the table of that name with its rows; its id, or 0 if there is none. In the
   * transaction. */
  gboolean (*drop_table) (DsqColdTier *self,
                          const guint8 *name,
                          gsize length,
                          guint32 *out_table,
                          GError **error);
  gboolean (*clear_table) (DsqColdTier *self, guint32 table, GError **error);
  /* Brings changes in, in the given order. A presence that was UNKNOWN is replaced by what was
   * found before the change. A set of an absent key takes the change's place, and the table's next
   * moves beyond it. An insert of a key said to be absent that is there, or the like, is
   * DSQ_ERROR_CORRUPT. */
  gboolean (*apply) (DsqColdTier *self, DsqChange *changes, gsize n_changes, GError **error);
  /* A row as of now in the transaction; NULL in *out_entry: absent. */
  gboolean (*get_in_transaction) (DsqColdTier *self,
                                  const DsqKey *key,
                                  DsqEntry **out_entry,
                                  GError **error);
  /* A savepoint round one writer's changes among several that share a commit. */
  gboolean (*savepoint) (DsqColdTier *self, GError **error);
  gboolean (*release) (DsqColdTier *self, gboolean keep, GError **error);
  /* Commits, and learns the file's own new stamp. After an error everything is rolled back. A
   * transaction that changed nothing is rolled back instead. @committed (nullable) brings to memory
   * what has been committed: before it returns nobody who asks finds the file current. */
  gboolean (*commit) (DsqColdTier *self,
                      DsqColdCommittedFunc committed,
                      gpointer committed_data,
                      GError **error);
  void (*rollback) (DsqColdTier *self);
  /* Appends to @entries, without records, the keys of the table of @from from there on, in the
   * order of their bytes and as long as they are below @end: at most @max_keys. */
  gboolean (*list_keys) (DsqColdTier *self,
                         const DsqKey *from,
                         const DsqKey *end,
                         guint max_keys,
                         GPtrArray *entries,
                         GError **error);
  void (*get_stats) (DsqColdTier *self, DsqColdStats *out_stats);
};

G_END_DECLS
