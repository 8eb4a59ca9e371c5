/* dsq-engine-private.h - the path of an entry through the tiers
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "cold/dsq-cold-tier-private.h"
#include "crypto/dsq-kdf-private.h"
#include "dsq-enums.h"
#include "dsq-stats.h"
#include "engine/dsq-words-private.h"
#include "engine/dsq-workers-private.h"
#include "tiers/dsq-entry-private.h"

G_BEGIN_DECLS

typedef struct _DsqEngine DsqEngine;

/* What is true of a write when it has returned. In memory mode and in a transaction it is staged,
 * whatever was asked for. */
typedef enum
{
  DSQ_PROMISE_NONE,      /* it is refused: DSQ_ERROR_READ_ONLY */
  DSQ_PROMISE_STAGED,    /* it is in memory, and in the file at the next flush */
  DSQ_PROMISE_COMMITTED, /* it is committed, with all that was staged before */
  DSQ_PROMISE_SYNCED     /* and on the medium */
} DsqPromise;

typedef struct
{
  const char *path; /* (unowned) (nullable) while the engine is opened; filename encoding */
  DsqPersistMode persist_mode; /* looked at while the engine is opened */
  DsqDurability durability;
  gboolean read_only;    /* every write is an error */
  gboolean background;   /* a thread flushes, syncs and checkpoints */
  guint64 hot_capacity;  /* entries */
  guint64 hot_limit;     /* bytes */
  guint64 warm_capacity; /* bytes */
  guint flush_interval_ms;
  guint64 dirty_limit; /* bytes */
  guint busy_timeout_ms;
  guint64 wal_limit;   /* bytes */
  guint64 cache_size;  /* bytes a connection */
  guint64 max_bytes;   /* what is kept as a cache; 0: everything is kept */
  GBytes *password;    /* (unowned) (nullable) while the engine is opened */
  DsqEngine *parent;   /* (owned) (nullable) what it is a transaction over */
  DsqKdfCost kdf_cost; /* of a new file's password, and at least of one that is changed */
  guint64 kdf_limit;   /* bytes times passes that the password of a file may cost */
} DsqEngineOptions;

/* All functions may be called from any thread. Without exception they give DSQ_ERROR_CLOSED after
 * close and DSQ_ERROR_FORKED in the child of a fork. */

/* --- open and close --------------------------------------------------------------------------- */

DsqEngine *dsq_engine_open (const DsqEngineOptions *options, GError **error);
/* The same over a cold tier of the caller's, which is taken over, whatever happens: of @options
 * nothing counts that is a file's, and of the mode only whether it is write-through. @main: the
 * table that it opens with. What lasts and is no file takes no max_bytes, for it is not measured:
 * DSQ_ERROR_INVALID_ARGUMENT. */
DsqEngine *dsq_engine_open_over (const DsqEngineOptions *options,
                                 DsqColdTier *cold,
                                 const DsqTableState *main,
                                 GError **error);
/* Flushes and closes; after an error the engine is open as before. Closing twice does nothing. */
gboolean dsq_engine_close (DsqEngine *self, GError **error);
/* Both halves of it, for who holds a lock that one of its threads may be waiting for: the second,
 * with the lock given back, lets these go. */
gboolean dsq_engine_shut (DsqEngine *self, GError **error);
void dsq_engine_dismiss (DsqEngine *self);
/* Flushes if that can be, and closes whatever happens. */
void dsq_engine_close_by_force (DsqEngine *self);
/* Another handle comes, with options of its own, as if it opened the file by itself. */
gboolean dsq_engine_join (DsqEngine *self, const DsqEngineOptions *options, GError **error);
/* A handle comes that was another engine's, which only reads and stays open: its tables are opened
 * here, too. */
gboolean dsq_engine_adopt (DsqEngine *self, DsqEngine *from, GError **error);
/* Whether the thread may wait for the end of all calls: it is in none, and this is no fork's child.
 */
gboolean dsq_engine_may_close (DsqEngine *self, GError **error);
gboolean dsq_engine_is_closed (DsqEngine *self);
/* Whether this is the child of a fork, where nothing of it may be touched. */
gboolean dsq_engine_is_inherited (DsqEngine *self);

/* Whether keys and values are secrets: there was a password. */
gboolean dsq_engine_is_encrypted (DsqEngine *self);
/* A transaction of @handle's, which outlives it: an engine over another one, which it keeps. Its
 * close() and its end write nothing. */
typedef struct _DsqHandle DsqHandle;
DsqEngine *dsq_engine_begin (DsqEngine *parent, const DsqHandle *handle, GError **error);
/* What is over the engine looks at its next call whether it is closed. */
void dsq_engine_count_turn (DsqEngine *self);
/* Words to look at, from here on as long as the process lives; NULL: there are none. */
const DsqWords *dsq_engine_map_words (DsqEngine *self);
/* Whoever has kept something by them has it no more, and, if @asks says so, keeps nothing. */
void dsq_engine_move_words (DsqEngine *self, DsqWordsAsk asks);
/* Brings what was written in a transaction to what it is over, all or nothing, and closes it. Gives
 * DSQ_ERROR_CONFLICT when something that it had read is another by now; it is closed then as well.
 * After any other error it is open as before. */
gboolean dsq_engine_commit (DsqEngine *self, GError **error);
/* The store that a transaction is over, be it within others or not; or @self. */
DsqEngine *dsq_engine_get_root (DsqEngine *self);
gboolean dsq_engine_refuse_dropped (GError **error);
gboolean dsq_engine_refuse_read_only (GError **error);
/* Whether a call on the table would find the store open and the table there. */
gboolean dsq_engine_check_open (DsqEngine *self, guint32 table, GError **error);
/* The engine is freed with its last reference, and closed by force if need be. */
DsqEngine *dsq_engine_ref (DsqEngine *self);
void dsq_engine_unref (DsqEngine *self);

/* Keys name their table, and all of a batch the same one; other calls are told which. */

/* Has @job done by one of the store's own threads. FALSE, and the job is the caller's as before,
 * when the store is closed or is being closed. What was taken is done before a close is. */
gboolean dsq_engine_submit (DsqEngine *self, DsqLane lane, DsqJob *job, GError **error);
/* Whether what @job reaches may be done at once: none that was submitted has to come before. */
gboolean dsq_engine_is_next (DsqEngine *self, const DsqJob *job);
/* Seals the file's data key under another password; none of its entries is written. Gives
 * DSQ_ERROR_NOT_ENCRYPTED for a plain file and in memory mode. */
gboolean dsq_engine_change_password (DsqEngine *self,
                                     GBytes *old_password,
                                     GBytes *new_password,
                                     GError **error);
typedef void (*DsqEngineProgressFunc) (guint64 n_done, guint64 n_total, gpointer user_data);

/* Flushes, and writes the content of the file into a new one, encrypted if @password is not NULL,
 * which with @keeps_password must be the file's. Gives DSQ_ERROR_EXISTS, and
 * DSQ_ERROR_INVALID_ARGUMENT in memory mode. */
gboolean dsq_engine_copy (DsqEngine *self,
                          const char *path,
                          GBytes *password,
                          gboolean keeps_password,
                          DsqEngineProgressFunc progress,
                          gpointer user_data,
                          GError **error);

/* Has a file that is open nowhere replaced by its copy under another key. */
gboolean dsq_engine_rekey_file (const char *path,
                                GBytes *old_password,
                                GBytes *new_password,
                                const DsqKdfCost *kdf_cost,
                                guint64 kdf_limit,
                                DsqEngineProgressFunc progress,
                                gpointer user_data,
                                GError **error);

/* Whether there is a password. */

/* --- tables ----------------------------------------------------------------------------------- */

/* The id of a table, which is made when it is missing and something may be written. A table's name
 * is UTF-8, of any length up to that of a key. Calls for a table that was dropped meanwhile give
 * DSQ_ERROR_NO_TABLE. */
gboolean dsq_engine_open_table (DsqEngine *self,
                                DsqPromise promise,
                                const guint8 *name,
                                gsize length,
                                guint32 *out_table,
                                GError **error);
/* All named tables, in the order in which they were made: names, of GBytes, are appended. */
gboolean dsq_engine_list_tables (DsqEngine *self, GPtrArray *names, GError **error);
/* Removes a table with all that is in it, at once, and in a file mode together with a flush. */
gboolean dsq_engine_drop_table (DsqEngine *self,
                                const guint8 *name,
                                gsize length,
                                gboolean *out_dropped,
                                GError **error);

/* Appends to @out_entries the keys from @from on, in the order of their bytes and below @end: at
 * most @max_keys, none at the end. Their records may be missing. */
gboolean dsq_engine_list_keys (DsqEngine *self,
                               const DsqKey *from,
                               const DsqKey *end,
                               guint max_keys,
                               GPtrArray *out_entries,
                               GError **error);

/* --- persist ---------------------------------------------------------------------------------- */

/* Everything written before the call is in the file and synced when it returns. */
gboolean dsq_engine_flush (DsqEngine *self, GError **error);
gboolean dsq_engine_backup (DsqEngine *self,
                            const char *path,
                            void (*progress) (guint64 n_done, guint64 n_total, gpointer user_data),
                            gpointer user_data,
                            GError **error);
/* Appends what is wrong with the file to @problems, of char * (owned). */
gboolean dsq_engine_check (DsqEngine *self, GPtrArray *problems, GError **error);
void dsq_engine_get_stats (DsqEngine *self, DsqStats *out_stats);

G_END_DECLS
