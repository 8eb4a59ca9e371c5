/* dsq-cold-funcs-private.h - what every cold tier does
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-listener-private.h"
#include "cold/dsq-cold-types-private.h"

G_BEGIN_DECLS

typedef struct _DsqColdTier DsqColdTier;
typedef struct _DsqColdTierFuncs DsqColdTierFuncs;
typedef struct _DsqColdFile DsqColdFile;
typedef struct _DsqColdUpkeepFuncs DsqColdUpkeepFuncs;

/* Called when somebody else has committed: what was read from the tier of these keys is stale, and
 * with NULL in @changed everything is. @states are all tables, in the order of their ids, as of the
 * commit that is being learned or later; those that no key of @changed is of are as they were. Runs
 * on the thread that found out, in catch_up() or begin(); it may take shard locks, waits for
 * nothing and must not call the tier. */
typedef void (*DsqColdForeignFunc) (const DsqTableState *states,
                                    guint n_states,
                                    const DsqColdChanged *changed,
                                    gpointer user_data);
/* What has been committed is in the tier. May lock shards, and waits for nothing. */
typedef void (*DsqColdCommittedFunc) (gpointer user_data);

/*
 * What the engine asks of a cold tier, in full: none of the functions may be missing, unless it
 * says so. What a tier has besides that lasts is in dsq-cold-upkeep-private.h, and what only a file
 * has in dsq-cold-file-private.h.
 *
 * tests/unit/test-cold-contract.c tries each implementation on what is said here, but for that of
 * transactions, engine/dsq-parent-tier.c: it commits once, and is done with then.
 *
 * A tier holds tables, of rows: key, record, expiry and place. A row's place is its table's id and
 * a position, see DsqTableState; rows are walked in the order of their places. The first table,
 * DSQ_TABLE_MAIN, is always there, and has no name.
 *
 * Threads. Reads may be called from any thread, any number at a time, until close(), also while a
 * transaction is under way. Transactions come one at a time: the engine holds its writer lock from
 * begin() to the end. The engine calls nothing with a lock held that may not wait.
 *
 * What is seen. A read shows at least all that was committed, by anybody, before it was called; one
 * call shows one state. It may show rows of this tier's own transaction under way as well: keys
 * that are being written are in memory, and looked for there first.
 *
 * Errors. All are of DSQ_ERROR, but for G_IO_ERROR_CANCELLED when the thread's call, see
 * dsq-call-private.h, is cancelled while it waits or has much to do; commit() and rollback() never
 * are. A read that fails has changed nothing, its out-parameters hold nothing to free, and arrays
 * may have been appended to. A call in a transaction that fails leaves it to the caller to roll
 * back, except as said for release() and commit(). Values that memory must not be given wrong are
 * never made up: what cannot be read is an error, DSQ_ERROR_CORRUPT when it is damaged.
 */
struct _DsqColdTierFuncs
{
  /* --- reads, of one key or more -------------------------------------------------------------- */

  /* out[i], a new reference, is what keys[i] is, NULL where it is absent. Keys may be of several
   * tables, and the same key may come twice. */
  gboolean (*get_many) (DsqColdTier *self,
                        const DsqKey *keys,
                        gsize n_keys,
                        DsqEntry **out,
                        GError **error);
  /* Presence only, without fetching records: the row's place, or 0 where the key is absent. */
  gboolean (*probe) (DsqColdTier *self,
                     const DsqKey *keys,
                     gsize n_keys,
                     gint64 *out_places,
                     GError **error);
  /* Appends to @rows, of DsqColdRow, the next rows of @table beyond @place (exclusive) in the order
   * asked: at most @max_rows, and no further row once @max_bytes are reached. *out_is_last: there
   * is surely nothing beyond these. In reverse order, G_MAXINT64 starts at the last row; forward, 0
   * at the first. Keys only: the entries need have no record and no expiry. */
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
  /* Appends to @entries, without records, the keys of the table of @from from there on, in the
   * order of their bytes and as long as they are below @end: at most @max_keys. A tier that hides
   * that order gives DSQ_ERROR_ENCRYPTED, once it has rows. */
  gboolean (*list_keys) (DsqColdTier *self,
                         const DsqKey *from,
                         const DsqKey *end,
                         guint max_keys,
                         GPtrArray *entries,
                         GError **error);
  /* Appends the names, of GBytes, of all tables but the first, in the order of their ids. */
  gboolean (*list_tables) (DsqColdTier *self, GPtrArray *names, GError **error);
  /* Appends to @rows, of DsqColdRow, tombstones for the next rows of all tables in @span, in the
   * order of expiry and then of place, and moves @span behind them: at most @max_rows. A tombstone
   * holds its row's expiry. *out_next is the first expiry beyond the span, G_MAXINT64 for none, or
   * the span's end when more in it may be left. @by_writer: the caller is in a transaction, and
   * shown what that has made of the tier, or has opened the tier and nobody else uses it yet. */
  gboolean (*find_expired) (DsqColdTier *self,
                            gboolean by_writer,
                            DsqExpirySpan *span,
                            guint max_rows,
                            GArray *rows,
                            gint64 *out_next,
                            GError **error);
  /* Learns what others have committed, if they have: calls the foreign function before it returns,
   * and the tier is current then. Waits for this tier's own commit, if one is being made. Any
   * thread, as reads. */
  gboolean (*catch_up) (DsqColdTier *self, GError **error);
  /* (nullable) The same for the keys of one table, before they are counted or walked, where the
   * version does not tell of them: in a transaction's tier. */
  gboolean (*catch_up_with) (DsqColdTier *self, guint32 table, GError **error);

  /* --- the transaction ------------------------------------------------------------------------ */

  /* (nullable) Just before begin(): keys that the transaction will change first, which may then be
   * looked for on the way. They stay as they are until the transaction has ended. */
  void (*foresee) (DsqColdTier *self, const DsqKey *keys, gsize n_keys);
  /* From here on nobody else commits: waits for others up to the busy timeout (DSQ_ERROR_BUSY),
   * then catches up, so that the foreign function may run. */
  gboolean (*begin) (DsqColdTier *self, GError **error);
  /* A table as of now; FALSE: there is none. */
  gboolean (*get_table) (DsqColdTier *self, guint32 table, DsqTableState *out_state);
  /* The table of that name (which is UTF-8), made if it is missing and may be: empty, with an id
   * that no table has ever had; else its id is 0. Not within a savepoint. A tier that only reads
   * has no transactions: there it may be called at any time, by one thread, and makes none. */
  gboolean (*open_table) (DsqColdTier *self,
                          const guint8 *name,
                          gsize length,
                          gboolean may_make,
                          DsqTableState *out_state,
                          GError **error);
  /* Removes the table of that name with its rows; its id, or 0 if there is none. Not within a
   * savepoint. */
  gboolean (*drop_table) (DsqColdTier *self,
                          const guint8 *name,
                          gsize length,
                          guint32 *out_table,
                          GError **error);
  /* Removes all rows of a table, whose next place stays. */
  gboolean (*clear_table) (DsqColdTier *self, guint32 table, GError **error);
  /* Brings changes in, in the given order; those without an entry are passed over. A presence that
   * was UNKNOWN is replaced by what was found before the change. A set of an absent key, or one
   * marked for reinsertion, takes the change's place, or the table's next where that is 0, and next
   * moves beyond it; any other keeps its row's. An insert of a key said to be absent that is there,
   * or the like, or at a place that is taken, is DSQ_ERROR_CORRUPT; a table that is not there is
   * DSQ_ERROR_NO_TABLE. */
  gboolean (*apply) (DsqColdTier *self, DsqChange *changes, gsize n_changes, GError **error);
  /* A row as of now; NULL in *out_entry: absent. */
  gboolean (*get_in_transaction) (DsqColdTier *self,
                                  const DsqKey *key,
                                  DsqEntry **out_entry,
                                  GError **error);
  /* Round one writer's changes among several that share a commit; one at a time. release() without
   * @keep undoes them; when it fails, the whole transaction is to be rolled back. */
  gboolean (*savepoint) (DsqColdTier *self, GError **error);
  gboolean (*release) (DsqColdTier *self, gboolean keep, GError **error);
  /* Commits: all of it or, after an error, nothing. Either way the transaction has ended, and
   * rollback() would do nothing. A transaction that changed nothing commits nothing. @committed
   * (nullable) brings to memory what has been committed: before it returns nobody who asks finds
   * the tier current. */
  gboolean (*commit) (DsqColdTier *self,
                      DsqColdCommittedFunc committed,
                      gpointer committed_data,
                      GError **error);
  /* Ends the transaction as if it had never begun. Does nothing when there is none. */
  void (*rollback) (DsqColdTier *self);

  /* --- the rest ------------------------------------------------------------------------------- */

  /* Fills in what applies to it: @out_stats was set to zeros. Any thread; waits for nothing. */
  void (*get_stats) (DsqColdTier *self, DsqColdStats *out_stats);
  /* (nullable) *out_fd, the caller's to close and not to wait for in a read: it can be read from,
   * and what there is thrown away, when somebody has committed or is about to, or may have, for
   * which one has to look. -1: what is there is taken never to change, as where there is no such
   * function. */
  gboolean (*open_notice) (DsqColdTier *self, int *out_fd, GError **error);
  /* (nullable) Instead of that, where one look will do when somebody has committed. */
  DsqColdListener *(*listen) (DsqColdTier *self);
  /* Closes and frees, whatever happens. No call is under way, and no transaction. The error is of
   * what was to be tidied up. Not to be called in the child of a fork, where a tier is left as it
   * is. */
  gboolean (*close) (DsqColdTier *self, GError **error);
};

/* One of them, as it is declared: DSQ_COLD_FUNCTION (walk) dsq_cold_walk; */
#define DSQ_COLD_FUNCTION(name) __typeof__ (*((DsqColdTierFuncs *) NULL)->name)

G_END_DECLS
