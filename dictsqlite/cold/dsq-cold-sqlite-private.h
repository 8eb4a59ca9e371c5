/* dsq-cold-sqlite-private.h - the cold tier on SQLite, as its own files see it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-mutex-private.h"
#include "codec/dsq-row-private.h"
#include "cold/dsq-cold-tier-private.h"
#include "sqlite/dsq-database-private.h"
#include "sqlite/dsq-location-private.h"
#include "sqlite/dsq-statement-private.h"
#include "sqlite/dsq-wal-index-private.h"

G_BEGIN_DECLS

/*
 * Its parts, each in a file of its own:
 *
 *   readers    a pool of connections; a read takes one, and gives it back
 *   filter     which keys the file surely does not hold
 *   writer     the one connection that commits
 *   ahead      a thread that seals rows while the writer writes those before them
 *   coherence  what of the file has been learned, against what it says now
 *   log        the connection that syncs and checkpoints the write-ahead log
 */

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

/* Used by the one thread that has taken it from the pool. */
typedef struct
{
  DsqDatabase *database; /* (owned) */
  DsqStatement statements[DSQ_COLD_N_READS];
  guint epoch;         /* that of the pool when it was taken */
  DsqWalStamp stamp;   /* the header's before the last read began, or zeros */
  gboolean is_reading; /* its transaction is open, and shows the file as of stamp or later */
  gboolean was_used;   /* since it was last tended */
} DsqColdReader;

/* Memory for names and values under way to SQLite. */
typedef struct
{
  guint8 *bytes; /* (owned) */
  gsize length;
} DsqColdBuffer;

/* What a row's statement binds of it, as it lies in the file. */
typedef struct
{
  DsqToken token;
  const guint8 *value; /* (unowned) */
  gsize value_length;
  const guint8 *name; /* (unowned) */
  gsize name_length;  /* 0: the name stays as it is, or is NULL */
} DsqColdColumns;

/* Guarded by the engine's writer lock, but for what the coherence part says. */
typedef struct
{
  DsqDatabase *database; /* (owned) */
  DsqStatement statements[DSQ_COLD_N_WRITES];
  DsqColdBuffer buffer;
  GArray *committed;    /* (owned) of DsqTableState: as at the beginning of the transaction */
  GArray *at_savepoint; /* (owned) of DsqTableState: as at the savepoint under way */
  guint32 hook_frames;  /* frames in the log at our last commit, as SQLite's hook told */
  gboolean in_savepoint;
  gboolean has_changed; /* the transaction under way changed a row */
  gboolean had_changed; /* the same at the savepoint */
} DsqColdWriter;

typedef enum
{
  DSQ_COLD_IDLE,           /* the header may change by anybody's commit */
  DSQ_COLD_IN_TRANSACTION, /* we hold SQLite's write lock: nobody commits, and we not yet */
  DSQ_COLD_COMMITTING      /* our commit is about to show in the header, or shows */
} DsqColdState;

typedef struct
{
  DsqColdTier tier;
  char *path;                   /* (owned) resolved */
  DsqLocationIdentity identity; /* of the file that the writer has */
  DsqDatabaseTuning tuning;
  DsqDatabaseRole read_role; /* of the connections that read */
  gboolean read_only;
  gboolean had_log;     /* there was a log beside the file before it was opened */
  DsqKeys *keys;        /* (owned) (nullable) of an encrypted file */
  DsqRecordCodec codec; /* sealing is the writer's, unsealing anybody's */
  gboolean seals_ahead; /* constant: the writer may have a thread seal for it */

  /* readers */
  DsqMutex readers_lock;
  DsqColdReader *idle[DSQ_COLD_MAX_IDLE_READERS]; /* (owned) (mutex readers_lock) a stack */
  guint n_idle;                                   /* (mutex readers_lock) */
  guint epoch;                                    /* (mutex readers_lock) 0 or 1 */
  guint n_taken[2];                               /* (mutex readers_lock) readers out, by epoch */
  pthread_cond_t given_back;                      /* (mutex readers_lock) a count reached 0 */
  gboolean is_draining; /* (atomic, set with readers_lock) a checkpoint wants to pass */

  /* a private tier: its one reader shares the writer's connection, a call at a time */
  DsqColdReader *own_reader; /* (owned) (nullable) NULL in other tiers */
  DsqMutex connection_lock;  /* the connection of both */
  gboolean is_sealed;        /* constant: its rows are to be sealed */
  guint64 private_bytes;     /* (atomic) size of the file after the last commit */

  /* filter */
  DsqMutex filter_lock;
  guint32 filter_build; /* (atomic, set with filter_lock) the build under way, or 0 */
  guint32 filled_table; /* (mutex filter_lock) where it stands: the last key that it has taken */
  GByteArray *filled;   /* (owned) (mutex filter_lock) */
  gint64 filled_place;  /* (mutex filter_lock) the same in a sealed file: the place of its row */
  guint64 n_absent;     /* (atomic) keys looked for in the file in vain since it was last reset */

  DsqColdWriter writer;

  /* coherence */
  DsqMutex coherence_lock;
  pthread_cond_t learned; /* (mutex coherence_lock) state is no longer DSQ_COLD_COMMITTING */
  DsqColdForeignFunc foreign_func;
  gpointer foreign_data;     /* (unowned) */
  DsqWalIndex wal_index;     /* memory of the writer's connection */
  DsqColdState state;        /* (mutex coherence_lock) */
  DsqWalStamp seen;          /* (mutex coherence_lock) tier.seen_stamp is its copy for all */
  DsqWalStamp before_commit; /* (mutex coherence_lock) the header as our commit began */
  GArray *tables;      /* (owned) of DsqTableState, by id; (mutex coherence_lock) when idle, as of
                          seen; the writer's own during its transaction */
  gint64 data_version; /* (mutex coherence_lock) PRAGMA data_version of the writer as of seen */
  gboolean version_is_stale; /* (mutex coherence_lock) data_version is to be asked anew */

  /* log */
  DsqMutex log_lock;
  DsqDatabase *log;   /* (owned) (mutex log_lock) */
  guint64 n_unsynced; /* (atomic) number of the last commit that was not synced as it was made */
  guint64 n_synced;   /* (atomic) number of the last such commit known to be synced */
  guint32
      blocked_frames; /* (atomic) frames in the log as readers last kept it from being emptied */

  /* space */
  guint page_size;     /* constant: bytes */
  gboolean can_shrink; /* constant: the file gives free pages back when asked */

  /* counters */
  guint64 n_commits;         /* (atomic) */
  guint64 n_syncs;           /* (atomic) */
  guint64 n_checkpoints;     /* (atomic) */
  guint64 n_foreign_changes; /* (atomic) */
  guint64 n_entries;         /* (atomic) rows of all tables, as of seen */
} DsqColdSqlite;

#define DSQ_COLD_COUNT(counter) __atomic_fetch_add (&(counter), 1, __ATOMIC_RELAXED)

typedef struct
{
  const char *sql;
  const char *purpose;
} DsqColdSql;

/* Binds as dsq_cold_bind_row() does. */
#define DSQ_COLD_SQL_INSERT                                                                        \
  "INSERT INTO entry (place, table_id, token, expires, value, name)"                               \
  " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"

/* Both kinds of connection have these. */
#define DSQ_COLD_SQL_GET    "SELECT expires, value FROM entry WHERE table_id = ?1 AND token = ?2"
#define DSQ_COLD_SQL_TABLES "SELECT id, next, count, token = X'00' FROM tables ORDER BY id"

/* A walk's columns. The planner would rather go through all of a table by its other index. */
#define DSQ_COLD_SQL_EXPIRED                                                                       \
  "SELECT expires, value, place, token, table_id, name FROM entry INDEXED BY entry_expires"        \
  " WHERE expires >= ?1 AND (expires > ?1 OR place > ?2) AND expires <= ?3"                        \
  " AND +table_id IN (SELECT id FROM tables)"                                                      \
  " ORDER BY expires, place"
#define DSQ_COLD_SQL_NEXT_EXPIRY                                                                   \
  "SELECT min(expires) FROM entry INDEXED BY entry_expires WHERE expires > ?1"

/* The head of a tier with nothing opened, and the end of one with everything closed. */
DsqColdSqlite *dsq_cold_sqlite_new (const DsqColdTierFuncs *tier_funcs,
                                    const DsqColdOptions *options,
                                    DsqColdForeignFunc foreign_func,
                                    gpointer user_data);
void dsq_cold_sqlite_free (DsqColdSqlite *self);

/* --- rows ------------------------------------------------------------------------------------- */

gboolean dsq_cold_prepare (DsqStatement *statements,
                           DsqDatabase *database,
                           const DsqColdSql *sql,
                           guint n_statements,
                           GError **error);
void dsq_cold_clear_statements (DsqStatement *statements, guint n_statements);

static inline void
dsq_cold_bind_token (DsqStatement *statement,
                     int at_table,
                     int at_token,
                     guint32 table,
                     const DsqToken *token)
{
  dsq_statement_bind_number (statement, at_table, table);
  dsq_statement_bind_bytes (statement, at_token, token->bytes, token->length);
}

/* The entry of the row that @statement stands at, whose columns @at_expires and @at_expires + 1 are
 * expires and value. @token is that of @key. */
DsqEntry *dsq_cold_decode_row (const DsqRecordCodec *codec,
                               DsqStatement *statement,
                               int at_expires,
                               const DsqKey *key,
                               const DsqToken *token,
                               GError **error);
/* Token and key of a row. A sealed key is unsealed into *memory, which is the caller's to free. */
gboolean dsq_cold_decode_key (const DsqRecordCodec *codec,
                              sqlite3_stmt *row,
                              int at_token,
                              int at_name,
                              DsqKey *key,
                              DsqToken *out_token,
                              guint8 **memory,
                              GError **error);
/* Bytes that dsq_cold_encode_row() wants to write to. */
gsize dsq_cold_row_length (const DsqRecordCodec *codec, const DsqEntry *entry, gboolean with_name);
/* @row borrows from @entry and @out. */
gboolean dsq_cold_encode_row (const DsqRecordCodec *codec,
                              const DsqEntry *entry,
                              gboolean with_name,
                              guint8 *out,
                              DsqColdColumns *row,
                              GError **error);
/* Binds ?2 table_id, ?3 token, ?4 expires, ?5 value, ?1 place unless it is 0, which stands for an
 * update, and ?6 name if there is one. The bindings borrow from @row and what it borrows from. */
void dsq_cold_bind_row (DsqStatement *statement,
                        const DsqEntry *entry,
                        gint64 place,
                        const DsqColdColumns *row);

/* What was in it is gone. */
void dsq_cold_buffer_make_room (DsqColdBuffer *self, gsize length);
void dsq_cold_buffer_clear (DsqColdBuffer *self);

/* Steps a statement of DSQ_COLD_SQL_GET. */
gboolean dsq_cold_get_row (const DsqRecordCodec *codec,
                           DsqStatement *statement,
                           const DsqKey *key,
                           DsqEntry **out_entry,
                           GError **error);
/* Steps a statement of DSQ_COLD_SQL_TABLES; @states is replaced after success only. */
gboolean dsq_cold_read_tables (DsqStatement *statement, GArray *states, GError **error);

static inline void
dsq_cold_copy_tables (GArray *to, const GArray *from)
{
  g_array_set_size (to, 0);
  g_array_append_vals (to, from->data, from->len);
}

/* Appends the row that @statement stands at, which is one of a walk. */
gboolean dsq_cold_append_row (DsqColdSqlite *self,
                              DsqStatement *statement,
                              guint32 table,
                              gboolean keys_only,
                              GArray *rows,
                              GError **error);

/* --- readers ---------------------------------------------------------------------------------- */

/* A connection that reads, tuned, for a call that takes long. */
DsqDatabase *dsq_cold_open_to_read (DsqColdSqlite *self, GError **error);
DsqDatabase *dsq_cold_open_snapshot (DsqColdSqlite *self, const char *purpose, GError **error);
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
gboolean dsq_cold_readers_tend (DsqColdTier *tier);
/* Waits until every reader that is out now has been given back; FALSE after a while. */
gboolean dsq_cold_readers_drain (DsqColdSqlite *self);
void dsq_cold_readers_close (DsqColdSqlite *self);
/* Has the reader of a private tier read on the writer's connection, and ends that. */
gboolean dsq_cold_readers_share (DsqColdSqlite *self, GError **error);
void dsq_cold_readers_unshare (DsqColdSqlite *self);

gboolean dsq_cold_get (DsqColdTier *tier, const DsqKey *key, DsqEntry **out_entry, GError **error);
gboolean dsq_cold_get_many (DsqColdTier *tier,
                            const DsqKey *keys,
                            gsize n_keys,
                            DsqEntry **out,
                            GError **error);
gboolean dsq_cold_probe (DsqColdTier *tier,
                         const DsqKey *keys,
                         gsize n_keys,
                         gint64 *out_places,
                         GError **error);
gboolean dsq_cold_walk (DsqColdTier *tier,
                        guint32 table,
                        gint64 place,
                        DsqWalkOrder order,
                        guint max_rows,
                        gsize max_bytes,
                        gboolean keys_only,
                        GArray *rows,
                        gboolean *out_is_last,
                        GError **error);

gboolean dsq_cold_copy (DsqColdTier *tier,
                        const DsqColdCopyOptions *options,
                        GCancellable *cancellable,
                        GError **error);
gboolean dsq_cold_list_keys (DsqColdTier *tier,
                             const DsqKey *from,
                             const DsqKey *end,
                             guint max_keys,
                             GPtrArray *entries,
                             GError **error);
gboolean dsq_cold_backup (DsqColdTier *tier,
                          const char *path,
                          DsqColdProgressFunc progress,
                          gpointer user_data,
                          GCancellable *cancellable,
                          GError **error);
gboolean
dsq_cold_check (DsqColdTier *tier, GPtrArray *problems, GCancellable *cancellable, GError **error);

/* --- writer ----------------------------------------------------------------------------------- */

/* The writer owns @database from then on, whatever it returns. */
gboolean dsq_cold_writer_init (DsqColdSqlite *self, DsqDatabase *database, GError **error);
void dsq_cold_writer_close (DsqColdSqlite *self);

/* Gives a long buffer back after a transaction. */
void dsq_cold_trim_buffer (DsqColdWriter *writer);

gboolean dsq_cold_begin (DsqColdTier *tier, GCancellable *cancellable, GError **error);
gboolean dsq_cold_get_table (DsqColdTier *tier, guint32 table, DsqTableState *out_state);
gboolean dsq_cold_get_in_transaction (DsqColdTier *tier,
                                      const DsqKey *key,
                                      DsqEntry **out_entry,
                                      GError **error);
gboolean dsq_cold_get_header (DsqColdTier *tier, DsqHeader *out_header, GError **error);
gboolean dsq_cold_replace_header (DsqColdTier *tier,
                                  const DsqHeader *before,
                                  const DsqHeader *after,
                                  GError **error);
gboolean dsq_cold_savepoint (DsqColdTier *tier, GError **error);
gboolean dsq_cold_release (DsqColdTier *tier, gboolean keep, GError **error);
gboolean dsq_cold_commit (DsqColdTier *tier, GError **error);
void dsq_cold_rollback (DsqColdTier *tier);

/* --- changes ---------------------------------------------------------------------------------- */

DsqTableState *dsq_cold_find_table (DsqColdSqlite *self, guint32 table);
gboolean dsq_cold_clear_table (DsqColdTier *tier, guint32 table, GError **error);
gboolean dsq_cold_apply (DsqColdTier *tier,
                         DsqChange *changes,
                         gsize n_changes,
                         GCancellable *cancellable,
                         GError **error);

/* An update of a row that is there leaves its name as it is. */
static inline gboolean
dsq_cold_has_name (const DsqChange *change)
{
  return change->presence != DSQ_PRESENCE_PRESENT || change->reinsert;
}

/* --- ahead ------------------------------------------------------------------------------------ */

/* From so many changes on it is worth a thread. */
#define DSQ_COLD_AHEAD_MIN 512

/* Seals the rows of @changes, for the one thread that calls these. */
typedef struct _DsqColdAhead DsqColdAhead;

/* Nobody else may seal with @codec until it is finished. What is read of a change is read before
 * its row comes out, but for the entry, which the row borrows from. NULL when there is no thread to
 * be had. */
DsqColdAhead *
dsq_cold_ahead_start (const DsqRecordCodec *codec, const DsqChange *changes, gsize n_changes);
/* The row of the next change, of a tombstone its token only; good until the next call. To be called
 * once for each change, also for one without an entry, whose row is none; no more after NULL. */
const DsqColdColumns *dsq_cold_ahead_next (DsqColdAhead *self, GError **error);
/* Waits for the thread; may come early. NULL does nothing. */
void dsq_cold_ahead_finish (DsqColdAhead *self);

/* --- tables ----------------------------------------------------------------------------------- */

gboolean dsq_cold_open_table (DsqColdTier *tier,
                              const guint8 *name,
                              gsize length,
                              DsqTableState *out_state,
                              GError **error);
gboolean dsq_cold_drop_table (DsqColdTier *tier,
                              const guint8 *name,
                              gsize length,
                              guint32 *out_table,
                              GError **error);
/* Of a row with the columns id, token and name. */
GBytes *dsq_cold_decode_table_name (const DsqRecordCodec *codec, sqlite3_stmt *row, GError **error);
gboolean dsq_cold_find_table_by_name (DsqColdTier *tier,
                                      const guint8 *name,
                                      gsize length,
                                      DsqTableState *out_state,
                                      GError **error);
gboolean dsq_cold_list_tables (DsqColdTier *tier, GPtrArray *names, GError **error);

/* --- expiry and space ------------------------------------------------------------------------- */

gboolean dsq_cold_find_expired (DsqColdTier *tier,
                                gboolean in_transaction,
                                DsqExpirySpan *span,
                                guint max_rows,
                                GArray *rows,
                                gint64 *out_next,
                                GError **error);
gboolean dsq_cold_find_oldest (DsqColdTier *tier,
                               gint64 *place,
                               guint max_rows,
                               GArray *rows,
                               gboolean *out_is_last,
                               GError **error);
gboolean dsq_cold_space_init (DsqColdSqlite *self, GError **error);
gboolean dsq_cold_get_used (DsqColdTier *tier, guint64 *out_bytes, GError **error);
gboolean dsq_cold_shrink (DsqColdTier *tier, guint max_bytes, gboolean *out_more, GError **error);
/* --- filter ----------------------------------------------------------------------------------- */
void dsq_cold_filter_init (DsqColdSqlite *self);
void dsq_cold_filter_clear (DsqColdSqlite *self);
/* Somebody else has committed. */
void dsq_cold_filter_reset (DsqColdSqlite *self);
/* The writer has committed. */
void dsq_cold_filter_note_commit (DsqColdSqlite *self);
gboolean dsq_cold_filter_wants_build (DsqColdTier *tier, guint64 n_absent);
gboolean dsq_cold_filter_is_worth (DsqColdTier *tier, guint64 n_keys);
void dsq_cold_filter_begin (DsqColdTier *tier);
void dsq_cold_filter_get_stats (DsqColdSqlite *self, DsqColdStats *out_stats);
gboolean dsq_cold_filter_fill (DsqColdTier *tier, guint max_rows, GError **error);

/* --- coherence -------------------------------------------------------------------------------- */

/* The writer has read from the file. */
gboolean dsq_cold_coherence_init (DsqColdSqlite *self, GError **error);
gboolean dsq_cold_catch_up (DsqColdTier *tier, GError **error);
/* SQLite's write lock was just taken: learns, and the transaction is under way. */
gboolean dsq_cold_coherence_begin (DsqColdSqlite *self, GError **error);
/* Before and after a COMMIT that succeeded. */
void dsq_cold_coherence_start_commit (DsqColdSqlite *self);
void dsq_cold_coherence_finish_commit (DsqColdSqlite *self);
/* Before a ROLLBACK. */
void dsq_cold_coherence_give_up (DsqColdSqlite *self);

/* --- log -------------------------------------------------------------------------------------- */

gboolean dsq_cold_log_init (DsqColdSqlite *self, GError **error);
/* Folds the log in as far as nobody hinders, and closes the connection. */
gboolean dsq_cold_log_close (DsqColdSqlite *self, GError **error);
gboolean dsq_cold_sync (DsqColdTier *tier, GError **error);
gboolean dsq_cold_wants_checkpoint (DsqColdTier *tier, gboolean idle);
gboolean dsq_cold_checkpoint (DsqColdTier *tier, GError **error);

G_END_DECLS
