/* dsq-engine-private.h - the path of an entry through the tiers
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "crypto/dsq-kdf-private.h"
#include "dsq-enums.h"
#include "dsq-stats.h"
#include "engine/dsq-workers-private.h"
#include "tiers/dsq-entry-private.h"

G_BEGIN_DECLS

typedef struct _DsqEngine DsqEngine;

typedef struct
{
  const char *path; /* filename encoding; NULL in memory mode */
  DsqPersistMode persist_mode;
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
  DsqKdfCost kdf_cost; /* of a new file's password, and of one that is changed */
} DsqEngineOptions;

/* Where a walk stands. Made by dsq_engine_start_walk(). */
typedef struct
{
  guint32 table;
  DsqWalkOrder order;
  gint64 place;         /* of the last entry handed out */
  gint64 end;           /* entries at this place and beyond have come since it began */
  guint64 n_rebases;    /* shifts of places that it has followed */
  guint64 thread;       /* that steps it, ... */
  gint64 n_own_keys;    /* ... and what that had itself made of the table's size: dsq-walker.c */
  guint64 version;      /* of the table when the last batch was read */
  guint64 keys_version; /* the same */
  guint64 n_settled;    /* of the pending room when the last batch was read */
} DsqWalk;

/* A row of a walk. */
typedef struct
{
  gint64 place;
  DsqEntry *entry; /* (owned) */
} DsqWalkRow;

/* A write among others that need not succeed together. */
typedef struct
{
  DsqEntry *entry;      /* (unowned) the new state of its key, a tombstone to remove it */
  gboolean was_present; /* out: with a tombstone, or written through: whether the key was there */
  GError *error;        /* (owned) (nullable) out */
} DsqEachWrite;

/* All functions may be called from any thread. Without exception they give DSQ_ERROR_CLOSED after
 * close and DSQ_ERROR_FORKED in the child of a fork. */

/* --- open and close --------------------------------------------------------------------------- */

DsqEngine *dsq_engine_open (const DsqEngineOptions *options, GError **error);
/* Flushes and closes; after an error the engine is open as before. Closing twice does nothing. */
gboolean dsq_engine_close (DsqEngine *self, GError **error);
gboolean dsq_engine_is_closed (DsqEngine *self);
/* Whether this is the child of a fork, where nothing of it may be touched. */
gboolean dsq_engine_is_inherited (DsqEngine *self);
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

/* Flushes, and writes the content of the file into a new one, encrypted if @password is not NULL.
 * Gives DSQ_ERROR_EXISTS, and DSQ_ERROR_NOT_FOUND in memory mode. */
gboolean dsq_engine_copy (DsqEngine *self,
                          const char *path,
                          GBytes *password,
                          DsqEngineProgressFunc progress,
                          gpointer user_data,
                          GError **error);

/* Has a file that is open nowhere replaced by its copy under another key. */
gboolean dsq_engine_rekey_file (const char *path,
                                GBytes *old_password,
                                GBytes *new_password,
                                const DsqKdfCost *kdf_cost,
                                DsqEngineProgressFunc progress,
                                gpointer user_data,
                                GError **error);

/* Whether there is a password. */
gboolean dsq_engine_is_encrypted (DsqEngine *self);

/* --- one entry -------------------------------------------------------------------------------- */

/* NULL in *out_entry: there is none. */
gboolean dsq_engine_get (DsqEngine *self, const DsqKey *key, DsqEntry **out_entry, GError **error);
/* The record alone, in memory of the caller's (g_free); NULL: there is none. */
gboolean dsq_engine_get_record (DsqEngine *self,
                                const DsqKey *key,
                                guint8 **out_record,
                                gsize *out_length,
                                GError **error);
/* The string (g_free) that a record of @type in the hot tier holds. NULL: it is none that C has, or
 * there is another record, none, or an error; then the call counts for nothing. */
char *dsq_engine_peek_string (DsqEngine *self, const DsqKey *key, guint8 type);
gboolean
dsq_engine_contains (DsqEngine *self, const DsqKey *key, gboolean *out_contains, GError **error);
/* Takes over @entry, whatever happens. */
gboolean dsq_engine_set (DsqEngine *self, const DsqKey *key, DsqEntry *entry, GError **error);
/* Removes the key and gives what it was, or NULL; with @out_entry NULL only removes. */
gboolean dsq_engine_remove (DsqEngine *self,
                            const DsqKey *key,
                            gboolean *out_removed,
                            DsqEntry **out_entry,
                            GError **error);
/* What a key becomes: *out_new is a new entry of it, a tombstone to remove it, or NULL to leave it
 * as it is. @old is what it is, or NULL. Called once, with a lock or the transaction held and maybe
 * by another thread: it must not wait. */
typedef gboolean (*DsqModifyFunc) (const DsqKey *key,
                                   DsqEntry *old,
                                   DsqEntry **out_new,
                                   gpointer user_data,
                                   GError **error);
/* Reads, changes and writes a key in one step. */
gboolean dsq_engine_modify (DsqEngine *self,
                            const DsqKey *key,
                            DsqModifyFunc func,
                            gpointer user_data,
                            GError **error);
/* Sets the key if it is absent; gives what is there otherwise. Takes over @entry. */
gboolean dsq_engine_insert (DsqEngine *self,
                            const DsqKey *key,
                            DsqEntry *entry,
                            DsqEntry **out_existing,
                            GError **error);

/* --- expiry: times are in milliseconds since 1970, 0 for never -------------------------------- */

gint64 dsq_engine_now (DsqEngine *self);
/* For tests: the clock is ahead by that much. */
void dsq_engine_set_clock_offset (DsqEngine *self, gint64 milliseconds);
/* Changes when an entry expires, and nothing else of it. */
gboolean dsq_engine_touch (DsqEngine *self,
                           const DsqKey *key,
                           gint64 expires,
                           gboolean *out_touched,
                           GError **error);
/* Removes what has expired. */
gboolean dsq_engine_expire (DsqEngine *self, guint64 *out_n_swept, GError **error);

/* --- many entries ----------------------------------------------------------------------------- */

/* Without any keys or entries these three see whether the store is open, and nothing of a table. */

/* out[i] is NULL where keys[i] is absent. */
gboolean dsq_engine_get_many (DsqEngine *self,
                              const DsqKey *keys,
                              gsize n_keys,
                              DsqEntry **out,
                              GError **error);
/* Many changes in one. */
typedef struct
{
  guint32 table;            /* of all keys */
  gboolean clears;          /* the table is cleared first */
  DsqEntry *const *changes; /* (unowned) in their order; tombstones remove */
  gsize n_changes;
  DsqEntry *const *expected; /* (unowned) what keys must hold; tombstones: they must be absent */
  gsize n_expected;
} DsqEngineBatch;

/* All or nothing, and nothing if a key is not as expected. */
gboolean dsq_engine_apply (DsqEngine *self,
                           const DsqEngineBatch *batch,
                           gboolean *out_applied,
                           GError **error);
/* All or nothing. Takes over the entries, whatever happens; the last of equal keys wins. */
gboolean dsq_engine_set_many (DsqEngine *self, DsqEntry **entries, gsize n_entries, GError **error);
/* Each on its own, in the given order; written through they share one transaction. What became of
 * each is in it. */
void dsq_engine_write_each (DsqEngine *self, DsqEachWrite *writes, gsize n_writes);
gboolean dsq_engine_remove_many (DsqEngine *self,
                                 const DsqKey *keys,
                                 gsize n_keys,
                                 guint64 *out_n_removed,
                                 GError **error);
gboolean dsq_engine_clear (DsqEngine *self, guint32 table, GError **error);
gboolean dsq_engine_count (DsqEngine *self, guint32 table, guint64 *out_count, GError **error);

/* --- walk ------------------------------------------------------------------------------------- */

gboolean dsq_engine_start_walk (DsqEngine *self,
                                guint32 table,
                                DsqWalkOrder order,
                                DsqWalk *walk,
                                GError **error);
void dsq_engine_end_walk (DsqEngine *self, const DsqWalk *walk);
/* Appends the next entries to @rows, of DsqWalkRow: none at the end. Keys only: the entries'
 * records may be missing. */
gboolean dsq_engine_walk (DsqEngine *self,
                          DsqWalk *walk,
                          guint max_rows,
                          gsize max_bytes,
                          gboolean keys_only,
                          GArray *rows,
                          GError **error);
typedef enum
{
  DSQ_WALK_IS_CURRENT,
  DSQ_WALK_HAS_OLD_VALUES, /* its keys are there, but the records may be others */
  DSQ_WALK_HAS_OLD_KEYS    /* it has to be read again */
} DsqWalkState;

/* What has become of the last batch. Gives DSQ_ERROR_CHANGED when the calling thread has itself
 * changed the table's size since it stepped the walk first. */
gboolean
dsq_engine_check_walk (DsqEngine *self, DsqWalk *walk, DsqWalkState *out_state, GError **error);
/* The table is as of now for check_walk(), but for its keys. */
void dsq_engine_refresh_walk (DsqEngine *self, DsqWalk *walk);
/* Removes the newest entry and gives it, or NULL when there is none. */
gboolean
dsq_engine_steal_last (DsqEngine *self, guint32 table, DsqEntry **out_entry, GError **error);

/* --- tables ----------------------------------------------------------------------------------- */

/* The id of a table, which is made when it is missing. A table's name is UTF-8, of any length up to
 * that of a key. Calls for a table that was dropped meanwhile give DSQ_ERROR_NO_TABLE. */
gboolean dsq_engine_open_table (DsqEngine *self,
                                const guint8 *name,
                                gsize length,
                                guint32 *out_table,
                                GError **error);
/* Whether a table that was opened is still there. */
gboolean
dsq_engine_has_table (DsqEngine *self, guint32 table, gboolean *out_has_table, GError **error);
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
