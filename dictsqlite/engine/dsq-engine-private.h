/* dsq-engine-private.h - the path of an entry through the tiers
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "dsq-enums.h"
#include "dsq-stats.h"
#include "tiers/dsq-entry-private.h"

G_BEGIN_DECLS

typedef struct _DsqEngine DsqEngine;

typedef struct
{
  const char *path; /* filename encoding; NULL in memory mode */
  DsqPersistMode persist_mode;
  DsqDurability durability;
  gboolean background;   /* a thread flushes, syncs and checkpoints */
  guint64 hot_capacity;  /* entries */
  guint64 warm_capacity; /* bytes */
  guint flush_interval_ms;
  guint64 dirty_limit; /* bytes */
  guint busy_timeout_ms;
  guint64 wal_limit;  /* bytes */
  guint64 cache_size; /* bytes a connection */
} DsqEngineOptions;

/* Where a walk stands. Made by dsq_engine_start_walk(). */
typedef struct
{
  DsqWalkOrder order;
  gint64 place;      /* of the last entry handed out */
  guint64 n_rebases; /* shifts of places that it has followed */
  gint64 own_size;   /* what the store's own calls had made of its size at the start */
  guint64 version;   /* of the store when the last batch was read */
  guint64 n_settled; /* of the pending room when the last batch was read */
} DsqWalk;

/* A row of a walk. */
typedef struct
{
  gint64 place;
  DsqEntry *entry; /* (owned) */
} DsqWalkRow;

/* All functions may be called from any thread. Without exception they give DSQ_ERROR_CLOSED after
 * close and DSQ_ERROR_FORKED in the child of a fork. */

/* --- open and close --------------------------------------------------------------------------- */

DsqEngine *
dsq_engine_open (const DsqEngineOptions *options, GCancellable *cancellable, GError **error);
/* Flushes and closes; after an error the engine is open as before. Closing twice does nothing. */
gboolean dsq_engine_close (DsqEngine *self, GCancellable *cancellable, GError **error);
gboolean dsq_engine_is_closed (DsqEngine *self);
/* Closes by force if need be. */
void dsq_engine_free (DsqEngine *self);

/* --- one entry -------------------------------------------------------------------------------- */

/* NULL in *out_entry: there is none. */
gboolean dsq_engine_get (DsqEngine *self, const DsqKey *key, DsqEntry **out_entry, GError **error);
/* The record alone, in memory of the caller's (g_free); NULL: there is none. */
gboolean dsq_engine_get_record (DsqEngine *self,
                                const DsqKey *key,
                                guint8 **out_record,
                                gsize *out_length,
                                GError **error);
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
/* Sets the key if it is absent; gives what is there otherwise. Takes over @entry. */
gboolean dsq_engine_insert (DsqEngine *self,
                            const DsqKey *key,
                            DsqEntry *entry,
                            DsqEntry **out_existing,
                            GError **error);

/* --- many entries ----------------------------------------------------------------------------- */

/* out[i] is NULL where keys[i] is absent. */
gboolean dsq_engine_get_many (DsqEngine *self,
                              const DsqKey *keys,
                              gsize n_keys,
                              DsqEntry **out,
                              GError **error);
/* All or nothing. Takes over the entries, whatever happens; the last of equal keys wins. */
gboolean dsq_engine_set_many (DsqEngine *self,
                              DsqEntry **entries,
                              gsize n_entries,
                              GCancellable *cancellable,
                              GError **error);
gboolean dsq_engine_remove_many (DsqEngine *self,
                                 const DsqKey *keys,
                                 gsize n_keys,
                                 guint64 *out_n_removed,
                                 GCancellable *cancellable,
                                 GError **error);
gboolean dsq_engine_clear (DsqEngine *self, GCancellable *cancellable, GError **error);
gboolean dsq_engine_count (DsqEngine *self, guint64 *out_count, GError **error);

/* --- walk ------------------------------------------------------------------------------------- */

gboolean dsq_engine_start_walk (DsqEngine *self, DsqWalkOrder order, DsqWalk *walk, GError **error);
void dsq_engine_end_walk (DsqEngine *self);
/* Appends the next entries to @rows, of DsqWalkRow: none at the end. Keys only: the entries'
 * records may be missing. */
gboolean dsq_engine_walk (DsqEngine *self,
                          DsqWalk *walk,
                          guint max_rows,
                          gsize max_bytes,
                          gboolean keys_only,
                          GArray *rows,
                          GError **error);
/* Whether nothing at all has changed since the last batch. Gives DSQ_ERROR_CHANGED when the store's
 * own calls have changed its size since the start. */
gboolean
dsq_engine_check_walk (DsqEngine *self, const DsqWalk *walk, gboolean *out_current, GError **error);
/* Removes the newest entry and gives it, or NULL when there is none. */
gboolean dsq_engine_steal_last (DsqEngine *self, DsqEntry **out_entry, GError **error);

/* --- persist ---------------------------------------------------------------------------------- */

/* Everything written before the call is in the file and synced when it returns. */
gboolean dsq_engine_flush (DsqEngine *self, GCancellable *cancellable, GError **error);
void dsq_engine_get_stats (DsqEngine *self, DsqStats *out_stats);

G_END_DECLS
