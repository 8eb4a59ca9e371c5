/* dsq-engine-entries-private.h - the entries of an engine: one, many, in order
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-private.h"

G_BEGIN_DECLS

/* Where a walk stands. Made by dsq_engine_start_walk(). */
typedef struct
{
  guint32 table;
  DsqWalkOrder order;
  gint64 place;         /* of the last entry handed out */
  gint64 end;           /* entries at this place and beyond have come since it began */
  guint64 n_rebases;    /* shifts of places that it has followed */
  gint64 settled_end;   /* when it began, no shift was to come of places below */
  guint64 number;       /* of the table to dsq-walker.c, */
  guint64 thread;       /* which thread steps it, ... */
  gint64 n_own_keys;    /* ... and what that had itself made of the table's size */
  gboolean is_begun;    /* the first batch has been read */
  gboolean is_at_end;   /* out: there is nothing behind the last batch */
  guint64 version;      /* of the table when the last batch was read */
  guint64 keys_version; /* the same */
  guint64 n_settled;    /* of the pending changes when the last batch was read */
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

/* --- one entry -------------------------------------------------------------------------------- */

/* NULL in *out_entry: there is none. */
gboolean dsq_engine_get (DsqEngine *self, const DsqKey *key, DsqEntry **out_entry, GError **error);
/* The record alone, in memory of the caller's (g_free); NULL: there is none. With @is_stamped
 * DSQ_STAMP_LENGTH bytes stand before it, which tell how long it is the newest. */
gboolean dsq_engine_get_record (DsqEngine *self,
                                const DsqKey *key,
                                gboolean is_stamped,
                                guint8 **out_record,
                                gsize *out_length,
                                GError **error);
/* The string (g_free) and the stamp of a record of @type in the hot tier; or NULL, uncounted. */
char *dsq_engine_peek_string (DsqEngine *self,
                              const DsqKey *key,
                              guint8 type,
                              guint64 *out_stamp,
                              gboolean *out_is_other);
gboolean
dsq_engine_contains (DsqEngine *self, const DsqKey *key, gboolean *out_contains, GError **error);
/* The same, but a transaction does not remember that the key was looked for. */
gboolean
dsq_engine_probe (DsqEngine *self, const DsqKey *key, gboolean *out_contains, GError **error);
/* Takes over @entry, whatever happens. */
gboolean dsq_engine_set (DsqEngine *self,
                         DsqPromise promise,
                         const DsqKey *key,
                         DsqEntry *entry,
                         GError **error);
/* The same, and what the table's word is with this change, if it has moved by nothing else. */
gboolean dsq_engine_set_stamped (DsqEngine *self,
                                 DsqPromise promise,
                                 const DsqKey *key,
                                 DsqEntry *entry,
                                 guint64 *out_stamp,
                                 GError **error);
gboolean dsq_engine_remove (DsqEngine *self,
                            DsqPromise promise,
                            const DsqKey *key,
                            gboolean *out_removed,
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
                            DsqPromise promise,
                            const DsqKey *key,
                            DsqModifyFunc func,
                            gpointer user_data,
                            GError **error);

/* --- expiry: times are in milliseconds since 1970, 0 for never -------------------------------- */

gint64 dsq_engine_now (DsqEngine *self);
/* For tests: the clock is ahead by that much. */
void dsq_engine_set_clock_offset (DsqEngine *self, gint64 milliseconds);
/* Changes when an entry expires, and nothing else of it. */
gboolean dsq_engine_touch (DsqEngine *self,
                           DsqPromise promise,
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
/* A table that a batch is about. */
typedef struct
{
  guint32 id;
  gboolean clears; /* it is cleared first */
  gint64 n_keys;   /* out, written through: keys that came, less those that went */
} DsqBatchTable;

/* Many changes in one. */
typedef struct
{
  DsqPromise promise;
  DsqBatchTable *tables;    /* (unowned) of all keys */
  gsize n_tables;           /* at least 1 */
  DsqEntry *const *changes; /* (unowned) table by table, in their order; tombstones remove */
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
gboolean dsq_engine_set_many (DsqEngine *self,
                              DsqPromise promise,
                              DsqEntry **entries,
                              gsize n_entries,
                              GError **error);
/* Each on its own, in the given order; written through they share one transaction. What became of
 * each is in it. */
void
dsq_engine_write_each (DsqEngine *self, DsqPromise promise, DsqEachWrite *writes, gsize n_writes);
gboolean dsq_engine_clear (DsqEngine *self, DsqPromise promise, guint32 table, GError **error);
gboolean dsq_engine_count (DsqEngine *self, guint32 table, guint64 *out_count, GError **error);

/* --- walk ------------------------------------------------------------------------------------- */

gboolean dsq_engine_start_walk (DsqEngine *self,
                                guint32 table,
                                DsqWalkOrder order,
                                DsqWalk *walk,
                                GError **error);
void dsq_engine_end_walk (DsqEngine *self, const DsqWalk *walk);
/* Appends the next entries to @rows, of DsqWalkRow: none at the end. Keys only: the entries'
 * records may be missing, and when they expire is what the file's index says. */
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
/* Gives the newest entry, or NULL when there is none. */
gboolean dsq_engine_get_last (DsqEngine *self, guint32 table, DsqEntry **out_entry, GError **error);

G_END_DECLS
