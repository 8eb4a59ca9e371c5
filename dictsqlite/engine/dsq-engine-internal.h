/* dsq-engine-internal.h - what the files of the engine share
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pthread.h>

#include "engine/dsq-engine-private.h"
#include "engine/dsq-pending-private.h"
#include "tiers/dsq-call-private.h"
#include "tiers/dsq-cold-tier-private.h"
#include "tiers/dsq-hot-tier-private.h"

G_BEGIN_DECLS

typedef struct _DsqFlusher DsqFlusher;
typedef struct _DsqWrite DsqWrite;

/* One table of the store. It lives as long as the engine, for whoever has its id may ask for it at
 * any time. */
typedef struct
{
  guint32 id;           /* constant */
  GBytes *name;         /* (owned) (nullable) (all shard locks) NULL: the one that a store opens
                           with, or in none of the lists of those in use */
  DsqPending *pending;  /* (owned) */
  gboolean is_dropped;  /* (all shard locks) */
  guint64 version;      /* (atomic) moves with every change of the table while it is walked */
  gint64 dead_beyond;   /* (all shard locks) rows at this place and beyond have tombstones ... */
  guint64 dead_settled; /* (all shard locks) ... as long as the pending room's n_settled is this */
} DsqTable;

/*
 * Locks, in the order in which they are taken:
 *
 *   close_lock    one close
 *   writer_lock   a transaction, a flush, a checkpoint; what resolves unknown presences
 *   (the cold tier's coherence lock, inside its calls; it calls on_foreign_change() with it held)
 *   shard locks   ascending; the hot tier's and the pending room's state of that shard
 *   queue_lock, room_lock, users_lock, the flusher's own: leaves
 */
struct _DsqEngine
{
  DsqEngineOptions options;
  char *path;            /* (owned) (nullable) what options.path points at */
  DsqHotTier *hot;       /* (owned) */
  DsqTable main;         /* the table that a store opens with */
  DsqColdTier *cold;     /* (owned) (nullable) NULL in memory mode; gone once a shard is closed */
  DsqFlusher *flusher;   /* (owned) (nullable) NULL in memory mode and when read-only */
  DsqWorkers *workers;   /* (owned) */
  gboolean is_encrypted; /* there was a password */
  guint fork_stamp;      /* forks that this process had been through at open */
  guint n_references;    /* (atomic) */

  GPtrArray *tables;  /* (owned) (all shard locks) of DsqTable: those in use, main the first */
  GPtrArray *dropped; /* (owned) (all shard locks) of DsqTable: those that were */
  GHashTable *names;  /* (owned) (all shard locks) GBytes to DsqTable, of those in use */
  DsqTable ***pages;  /* (owned) (nullable) (atomic) all but main by id, see dsq_engine_table() */
  guint32 last_table; /* (all shard locks) in memory mode: the id given out last */

  guint64 generation __attribute__ ((aligned (64))); /* (all shard locks) foreign changes learned */
  guint64 flush_commits; /* (atomic) the cold tier's n_commits when the flush under way began */

  pthread_mutex_t close_lock; /* one close at a time; taken before all others */
  pthread_mutex_t writer_lock;
  guint64 n_flushes;        /* (atomic) */
  guint64 n_failed_flushes; /* (atomic) */
  guint64 n_writer_waits;   /* (atomic) */
  guint64 n_cold_hits;      /* (atomic) */
  guint64 n_cold_misses;    /* (atomic) */

  pthread_mutex_t queue_lock;
  pthread_cond_t queue_cond;
  DsqWrite *queue_first; /* (unowned) (lock queue_lock) writes that wait for a commit */
  DsqWrite **queue_end;  /* (lock queue_lock) */
  gboolean has_leader;   /* (lock queue_lock) a thread is committing for itself and others */

  pthread_mutex_t room_lock; /* writers that wait until less is dirty */
  pthread_cond_t room_cond;
  guint64 n_failures; /* (lock room_lock) flushes that failed */
  GError *last_error; /* (owned) (nullable) (lock room_lock) of the last flush, if it failed */

  pthread_mutex_t users_lock;
  pthread_cond_t users_cond;
  guint n_users;      /* (atomic) calls under way that use the cold tier */
  gboolean is_closed; /* (atomic) */
};

/* --- every call's first lines ------------------------------------------------------------------
 */

extern guint dsq_fork_stamp; /* forks that this process has been through, as a child */

gboolean dsq_engine_refuse_forked (GError **error);
gboolean dsq_engine_refuse_closed (GError **error);

gboolean dsq_engine_refuse_dropped (GError **error);
gboolean dsq_engine_refuse_read_only (GError **error);

/* Tables are found by id without a lock, since theirs go up from 2 and are never used again. */
#define DSQ_ENGINE_PAGE_TABLES 2048

static inline DsqTable *
dsq_engine_table (DsqEngine *self, guint32 id)
{
  DsqTable **page;

  if (G_LIKELY (id == DSQ_TABLE_MAIN))
    return &self->main;
  page = __atomic_load_n (&self->pages, __ATOMIC_ACQUIRE)[id / DSQ_ENGINE_PAGE_TABLES];
  return page[id % DSQ_ENGINE_PAGE_TABLES];
}

static inline DsqPending *
dsq_engine_pending (DsqEngine *self, guint32 table)
{
  return dsq_engine_table (self, table)->pending;
}

/* Locks the shard of a key, after learning what others have committed. NULL on an error. The store
 * is open, and the table there, as long as the lock is held. */
DsqHotShard *
dsq_engine_lock_shard_slowly (DsqEngine *self, guint32 table, guint64 hash, GError **error);

static inline DsqHotShard *
dsq_engine_lock_shard (DsqEngine *self, guint32 table, guint64 hash, GError **error)
{
  DsqHotShard *shard;

  if (G_UNLIKELY (self->fork_stamp != dsq_fork_stamp))
    return dsq_engine_lock_shard_slowly (self, table, hash, error);
  shard = dsq_hot_tier_shard (self->hot, hash);
  dsq_hot_shard_lock (shard);
  if (G_LIKELY (!shard->is_closed &&
                (self->cold == NULL || dsq_cold_tier_is_current (self->cold)) &&
                (table == DSQ_TABLE_MAIN || !dsq_engine_table (self, table)->is_dropped)))
    return shard;
  dsq_hot_shard_unlock (shard);
  return dsq_engine_lock_shard_slowly (self, table, hash, error);
}

/* Locks all shards of a store that is, having learned what others wrote. */
gboolean dsq_engine_lock_all_open (DsqEngine *self, guint32 table, GError **error);

/* A call that may use the cold tier stands between these, so that close waits for it. A call that
 * may use memory only ends here, without an error. */
gboolean dsq_engine_enter (DsqEngine *self, GError **error);
void dsq_engine_leave (DsqEngine *self);

/* What walks look at, if there are any; with a shard's lock held, so that a walk which begins now
 * either sees the change or is seen here. */
static inline void
dsq_engine_mark_changed_locked (DsqTable *table)
{
  if (G_UNLIKELY (__atomic_load_n (&table->pending->n_cursors, __ATOMIC_RELAXED) > 0))
    __atomic_fetch_add (&table->version, 1, __ATOMIC_RELEASE);
}

/* --- the path ----------------------------------------------------------------------------------
 */

/* What was true of a shard when a key was found missing in memory. */
typedef struct
{
  guint64 epoch;
  guint64 generation;
} DsqMiss;

/* Puts what was read from the cold tier into the hot one, unless the key may have changed since. */
void dsq_engine_admit (DsqEngine *self, const DsqKey *key, const DsqMiss *miss, DsqEntry *entry);

/* Stages a state, taken over, of a key; @number is its node or 0, @presence counts for 0 only. */
void dsq_engine_stage_locked (DsqEngine *self,
                              DsqHotShard *shard,
                              guint32 number,
                              const DsqKey *key,
                              DsqEntry *entry,
                              DsqPresence presence);

/* Whether a key that is not in memory is absent, whatever the file says. */
static inline gboolean
dsq_engine_hides_cold (DsqEngine *self, const DsqHotShard *shard, guint32 table)
{
  return self->cold == NULL ||
         dsq_pending_shard (dsq_engine_pending (self, table), shard->index)->hides_cold;
}

/* What a set that has not looked may say of the key's row. */
static inline DsqPresence
dsq_engine_blind_presence (DsqEngine *self, const DsqHotShard *shard, guint32 table)
{
  return dsq_engine_hides_cold (self, shard, table) ? DSQ_PRESENCE_ABSENT : DSQ_PRESENCE_UNKNOWN;
}

/* --- locate: what a key is, before it is changed -----------------------------------------------
 */

/* What is known of a key, its shard being locked. */
typedef struct
{
  DsqHotShard *shard;   /* locked */
  guint32 number;       /* its node, or 0 */
  DsqPresence presence; /* without a node: whether it has a row */
  DsqEntry *cold;       /* (owned) (nullable) without a node, if it was asked for: the row */
} DsqLocated;

/* Tries after which a key that keeps changing is looked at under the writer's lock, where no flush
 * can take it out of memory. */
#define DSQ_MAX_OPTIMISTIC_TRIES 3

/* Finds out all that is needed to change a key. On success its shard is locked: end with
 * dsq_engine_located_finish(). */
gboolean dsq_engine_locate (DsqEngine *self,
                            const DsqKey *key,
                            gboolean wants_entry,
                            DsqLocated *located,
                            GError **error);
/* A new reference to what the key is, or NULL. */
DsqEntry *dsq_engine_located_entry (const DsqLocated *located);
void dsq_engine_located_finish (DsqEngine *self, DsqLocated *located, gboolean is_dirtied);

/* Stages the removal of a key that is there; @number is its node or 0. */
void dsq_engine_stage_removal_locked (DsqEngine *self,
                                      DsqHotShard *shard,
                                      guint32 number,
                                      const DsqKey *key);

/* --- write-behind -------------------------------------------------------------------------------
 */

/* Waits, or flushes, while too much is dirty. */
gboolean dsq_engine_make_room (DsqEngine *self, GError **error);

static inline gboolean
dsq_engine_wait_for_room (DsqEngine *self, GError **error)
{
  gint64 n_bytes = __atomic_load_n (&self->hot->dirty_bytes, __ATOMIC_RELAXED);

  if (G_LIKELY (self->flusher == NULL || n_bytes < (gint64) self->options.dirty_limit))
    return TRUE;
  return dsq_engine_make_room (self, error);
}

/* To be called after staging: wakes the flusher if that is needed. */
void dsq_engine_wake_flusher (DsqEngine *self);

static inline void
dsq_engine_note_dirty (DsqEngine *self)
{
  if (self->flusher != NULL)
    dsq_engine_wake_flusher (self);
}

/* Writes what is pending of all tables in one transaction; writer_lock held. */
gboolean dsq_engine_flush_locked (DsqEngine *self, GCancellable *cancellable, GError **error);
/* The same, and drops a table of the file at the same instant. FALSE in *out_dropped: it was not
 * there. */
gboolean dsq_engine_flush_and_drop_locked (DsqEngine *self,
                                           GBytes *name,
                                           gboolean *out_dropped,
                                           GCancellable *cancellable,
                                           GError **error);
/* The same, and sees to checkpoints, statistics and waiting writers. */
gboolean dsq_engine_write_behind (DsqEngine *self, GCancellable *cancellable, GError **error);
/* Makes every presence in a table known; FALSE on an error. */
gboolean dsq_engine_resolve (DsqEngine *self, guint32 table, GError **error);
/* The cold tier's foreign function. */
void dsq_engine_on_foreign_change (const DsqTableState *states, guint n_states, gpointer user_data);

DsqFlusher *dsq_flusher_new (DsqEngine *engine, guint interval_ms);
/* Without it nothing runs, and waking does nothing. */
gboolean dsq_flusher_start (DsqFlusher *self);
/* Stops the thread and waits for it. Waking does no harm afterwards. */
void dsq_flusher_stop (DsqFlusher *self);
void dsq_flusher_free (DsqFlusher *self);
/* There is something to flush or sync: within the interval, or at once. */
void dsq_flusher_wake (DsqFlusher *self, gboolean at_once);

/* --- tables -------------------------------------------------------------------------------------
 */

/* A table of the file, as of @state, is used from here on; with all shards locked. */
DsqTable *dsq_engine_add_table_locked (DsqEngine *self, GBytes *name, const DsqTableState *state);
/* A table of that name, or NULL; with a shard locked. */
DsqTable *dsq_engine_find_table_locked (DsqEngine *self, GBytes *name);
/* It is not in the file, or will not be; with all shards locked. */
void dsq_engine_drop_table_locked (DsqEngine *self, DsqTable *table);
void dsq_engine_free_tables (DsqEngine *self);

/* --- write-through ------------------------------------------------------------------------------
 */

/* One caller's writes on their way into a commit. */
struct _DsqWrite
{
  DsqWrite *next;     /* (lock queue_lock) */
  DsqChange *changes; /* (unowned) entries owned by the caller */
  gsize n_changes;
  guint32 table;   /* of all changes */
  gboolean clears; /* the table is cleared first */

  /* one change, whose entry is what @modify makes of the row of @key */
  const DsqKey *key;    /* (unowned) (nullable) */
  DsqModifyFunc modify; /* (nullable) */
  gpointer modify_data; /* (unowned) */

  /* rows that must be as these are, tombstones for absent ones; else nothing is changed */
  DsqEntry *const *expected; /* (unowned) */
  gsize n_expected;

  GCancellable *cancellable;
  gboolean is_refused; /* out: a row was not as expected */
  GError *error;       /* (owned) (nullable) out */
  gboolean is_done;    /* (lock queue_lock) */
};

/* Commits and publishes a chain of writes that ends with @last, each with an error of its own. */
void dsq_engine_write_through_chain (DsqEngine *self, DsqWrite *first, DsqWrite *last);
/* Commits, publishes and returns; FALSE with @error when the write's own part failed. */
gboolean dsq_engine_write_through (DsqEngine *self, DsqWrite *write, GError **error);

G_END_DECLS
