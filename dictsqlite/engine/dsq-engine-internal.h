/* dsq-engine-internal.h - what the files of the engine share
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-call-private.h"
#include "base/dsq-mutex-private.h"
#include "cold/dsq-cold-tier-private.h"
#include "engine/dsq-door-private.h"
#include "engine/dsq-engine-private.h"
#include "engine/dsq-expiry-heap-private.h"
#include "engine/dsq-pending-private.h"
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
  guint64 keys_version; /* (atomic) the same, but for sets: a walk's keys are still there */
  gint64 dead_beyond;   /* (all shard locks) rows at this place and beyond have tombstones ... */
  guint64 dead_settled; /* (all shard locks) ... as long as the pending room's n_settled is this */
} DsqTable;

/* Locks are taken in the order of their ranks. The cold tier calls on_foreign_change() with its
 * coherence lock held. */
struct _DsqEngine
{
  DsqEngineOptions options;
  char *path;            /* (owned) (nullable) what options.path points at */
  DsqHotTier *hot;       /* (owned) */
  DsqTable main;         /* the table that a store opens with */
  DsqColdTier *cold;     /* (owned) (nullable) gone once a shard is closed */
  DsqColdTier *shared;   /* (unowned) (nullable) the same where others may commit, else NULL */
  DsqFlusher *flusher;   /* (owned) */
  DsqWorkers *workers;   /* (owned) */
  gboolean has_file;     /* not in memory mode, whose cold tier is a private one */
  gboolean is_encrypted; /* there was a password */
  guint n_references;    /* (atomic) */

  GPtrArray *tables;  /* (owned) (all shard locks) of DsqTable: those in use, main the first */
  GPtrArray *dropped; /* (owned) (all shard locks) of DsqTable: those that were */
  GHashTable *names;  /* (owned) (all shard locks) GBytes to DsqTable, of those in use */
  DsqTable ***pages;  /* (owned) (nullable) (atomic) all but main by id, see dsq_engine_table() */
  guint32 last_table; /* (all shard locks) in memory mode: the id given out last */

  guint64 generation __attribute__ ((aligned (64))); /* (all shard locks) foreign changes learned */
  guint64 flush_commits; /* (atomic) the cold tier's n_commits when the flush under way began */

  DsqMutex sweep_lock;     /* one sweep at a time */
  gint64 next_expiry;      /* (atomic) (all shard locks) no entry that is there expires before
                              this: G_MAXINT64, none does; G_MININT64, not known */
  gint64 swept_until;      /* (atomic) (all shard locks) rows that expire up to this are swept */
  DsqExpiryHeap *expiries; /* (owned) one a shard, guarded by its lock: of dirty entries */
  gint64 clock_offset;     /* (atomic) milliseconds that are added to the clock, by tests */
  guint64 n_expired;       /* (atomic) entries swept */

  DsqMutex close_lock; /* one close at a time; taken before all others */
  DsqMutex writer_lock;
  guint64 n_flushes;        /* (atomic) */
  guint64 n_failed_flushes; /* (atomic) */
  guint64 n_writer_waits;   /* (atomic) */
  guint64 n_cold_hits;      /* (atomic) */
  guint64 n_cold_misses;    /* (atomic) */
  guint64 n_dropped;        /* (atomic) entries dropped to keep under max_bytes */
  guint64 n_dropped_bytes;  /* (atomic) */
  guint64 n_used_bytes;     /* (atomic) what counts against max_bytes, as last measured */
  gint64 memory_limit;      /* constant: bytes at which memory mode looks at max_bytes */
  gint64 trim_hand;         /* (lock writer_lock) place of the row that was looked at last */
  guint64 n_filter_answers; /* (atomic) keys that the filter knew to be absent */
  guint64 room_limit;       /* (atomic) dirty bytes at which a writer looks whether it may go on */

  DsqMutex queue_lock;
  pthread_cond_t queue_cond;
  DsqWrite *queue_first; /* (unowned) (lock queue_lock) writes that wait for a commit */
  DsqWrite **queue_end;  /* (lock queue_lock) */
  gboolean has_leader;   /* (lock queue_lock) a thread is committing for itself and others */

  DsqMutex room_lock; /* writers that wait until less is dirty */
  pthread_cond_t room_cond;
  guint64 n_failures; /* (lock room_lock) flushes that failed */
  guint64 n_rounds;   /* (lock room_lock) rounds of the flusher's thread */
  GError *last_error; /* (owned) (nullable) (lock room_lock) of the last flush, if it failed */

  DsqDoor door __attribute__ ((aligned (64))); /* every hit reads its first line */
};

/* --- every call's first lines ----------------------------------------------------------------- */

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

/* The table of an id that is read from the file; NULL when it was not opened here. */
static inline DsqTable *
dsq_engine_find_table (DsqEngine *self, guint32 id)
{
  DsqTable ***pages = __atomic_load_n (&self->pages, __ATOMIC_ACQUIRE);
  DsqTable **page;

  if (G_LIKELY (id == DSQ_TABLE_MAIN))
    return &self->main;
  page = pages != NULL ? pages[id / DSQ_ENGINE_PAGE_TABLES] : NULL;
  return page != NULL ? page[id % DSQ_ENGINE_PAGE_TABLES] : NULL;
}

/* Locks the shard of a key, after learning what others have committed. NULL on an error. The store
 * is open, and the table there, as long as the lock is held. */
DsqHotShard *
dsq_engine_lock_shard_slowly (DsqEngine *self, guint32 table, guint64 hash, GError **error);

static inline DsqHotShard *
dsq_engine_lock_shard (DsqEngine *self, guint32 table, guint64 hash, GError **error)
{
  DsqHotShard *shard;

  if (!dsq_door_is_own (&self->door))
    return dsq_engine_lock_shard_slowly (self, table, hash, error);
  shard = dsq_hot_tier_shard (self->hot, hash);
  dsq_hot_shard_lock (shard);
  if (G_LIKELY (!shard->is_closed &&
                (self->shared == NULL || dsq_cold_tier_is_current (self->shared)) &&
                (table == DSQ_TABLE_MAIN || !dsq_engine_table (self, table)->is_dropped)))
    return shard;
  dsq_hot_shard_unlock (shard);
  return dsq_engine_lock_shard_slowly (self, table, hash, error);
}

/* Locks all shards of a store that is open, having learned what others wrote. Who depends on what
 * is absent sweeps before, with no lock held. */
gboolean dsq_engine_lock_all_open (DsqEngine *self, guint32 table, GError **error);
gboolean dsq_engine_sweep_if_due (DsqEngine *self, guint32 table, GError **error);

/* To be called with what the tiers hold, when they have let it go: what was much goes back to the
 * system at once. malloc by itself would keep all of it for the next. */
void dsq_engine_trim_memory (guint64 n_bytes);
guint64 dsq_engine_count_memory_locked (DsqEngine *self); /* all shards locked */

/* A call that may use the cold tier stands between these, so that close waits for it. A call that
 * may use memory only ends here, without an error. */
gboolean dsq_engine_enter (DsqEngine *self, GError **error);
void dsq_engine_leave (DsqEngine *self);

typedef enum
{
  DSQ_CHANGE_OF_VALUES, /* and keys may have come, which stand behind the end of any walk */
  DSQ_CHANGE_OF_KEYS    /* keys may have gone, or stand elsewhere */
} DsqChangeKind;

/* What walks look at, if there are any; with a shard's lock held, so that a walk which begins now
 * either sees the change or is seen here. */
static inline void
dsq_engine_mark_changed_locked (DsqTable *table, DsqChangeKind kind)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  if (!dsq_pending_has_walks (table->pending))
    return;
  if (kind == DSQ_CHANGE_OF_KEYS)
    __atomic_fetch_add (&table->keys_version, 1, __ATOMIC_RELEASE);
  __atomic_fetch_add (&table->version, 1, __ATOMIC_RELEASE);
}

/* --- the path --------------------------------------------------------------------------------- */

/* Before a blind set: where this thread walks the table, sees whether that makes the table larger.
 */
gboolean dsq_engine_foresee_new (DsqEngine *self, const DsqKey *key, GError **error);

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
  return dsq_pending_shard (dsq_engine_pending (self, table), shard->index)->hides_cold;
}

/* Whether a key that is not in memory may be in the file, which was just found current; with the
 * shard's lock held. */
static inline gboolean
dsq_engine_may_be_cold_locked (DsqEngine *self, const DsqHotShard *shard, const DsqKey *key)
{
  dsq_hot_shard_assert_locked (shard);
  if (dsq_engine_hides_cold (self, shard, key->table))
    return FALSE;
  if (dsq_cold_tier_may_contain (self->cold, key))
    return TRUE;
  __atomic_fetch_add (&self->n_filter_answers, 1, __ATOMIC_RELAXED);
  return FALSE;
}

/* Keys were looked for in the file in vain; between enter and leave. */
void dsq_engine_note_absent (DsqEngine *self, guint64 n_keys);
/* Builds the filter at once if that is cheaper than looking for @n_keys; writer_lock held. */
void dsq_engine_build_filter_locked (DsqEngine *self, guint64 n_keys);
/* What the flusher's thread does beside flushing. */
typedef enum
{
  DSQ_TEND_DONE,  /* nothing until it is woken */
  DSQ_TEND_LATER, /* again after the interval */
  DSQ_TEND_SOON   /* again after a look for other work */
} DsqTend;
DsqTend dsq_engine_tend (DsqEngine *self);

/* What a set that has not looked may say of the key's row. */
static inline DsqPresence
dsq_engine_blind_presence (DsqEngine *self, const DsqHotShard *shard, guint32 table)
{
  return dsq_engine_hides_cold (self, shard, table) ? DSQ_PRESENCE_ABSENT : DSQ_PRESENCE_UNKNOWN;
}

/* --- expiry ----------------------------------------------------------------------------------- */

void dsq_engine_init_expiry (DsqEngine *self);
void dsq_engine_finish_expiry (DsqEngine *self);

/* Asks the clock, for an entry that expires. */
gboolean dsq_engine_is_over (DsqEngine *self, const DsqEntry *entry);

static inline gboolean
dsq_engine_has_expired (DsqEngine *self, const DsqEntry *entry)
{
  return G_UNLIKELY (entry->has_expiry) && dsq_engine_is_over (self, entry);
}

/* Whether something that has expired may still be there. */
static inline gboolean
dsq_engine_is_sweep_due (DsqEngine *self)
{
  gint64 next = __atomic_load_n (&self->next_expiry, __ATOMIC_RELAXED);

  return G_UNLIKELY (next != G_MAXINT64) && next <= dsq_engine_now (self);
}

/* Finds out when the next entry expires, if that is not known. */
gboolean dsq_engine_learn_expiry_at_open (DsqEngine *self, GError **error);
gboolean dsq_engine_learn_expiry (DsqEngine *self, GError **error);
/* Counts rows of a table of a read-only store that have expired; between enter and leave. */
gboolean
dsq_engine_count_expired (DsqEngine *self, guint32 table, guint64 *out_count, GError **error);
/* Removes what has expired, and adds how many these were to *out_n_swept. Without locks. */
gboolean dsq_engine_sweep (DsqEngine *self, guint64 *out_n_swept, GError **error);

/* Sweeps after which a call that keeps meeting newly expired entries goes on with what it has. */
#define DSQ_MAX_SWEEPS 16

/* Locks the shard of a key for a call that depends on what is absent: see the essay. */
DsqHotShard *
dsq_engine_lock_swept_shard_slowly (DsqEngine *self, guint32 table, guint64 hash, GError **error);

static inline DsqHotShard *
dsq_engine_lock_swept_shard (DsqEngine *self, guint32 table, guint64 hash, GError **error)
{
  DsqHotShard *shard = dsq_engine_lock_shard (self, table, hash, error);

  if (shard == NULL || !dsq_engine_is_sweep_due (self))
    return shard;
  dsq_hot_shard_unlock (shard);
  return dsq_engine_lock_swept_shard_slowly (self, table, hash, error);
}

/* An entry that expires is dirty now, in its node; or is in the file. */
void
dsq_engine_note_dirty_expiry_locked (DsqEngine *self, DsqHotShard *shard, const DsqEntry *entry);
void dsq_engine_note_expiry_locked (DsqEngine *self, gint64 expires);
/* With all shard locks: nothing is known any more of what expires in the file. */
void dsq_engine_forget_expiry_locked (DsqEngine *self);
/* With all shard locks: much has left memory. */
void dsq_engine_tidy_expiry_locked (DsqEngine *self);
void dsq_engine_set_next_expiry (DsqEngine *self,
                                 guint64 generation,
                                 gint64 swept_until,
                                 gint64 in_file);

/* What a transaction has removed because it had expired. */
typedef struct
{
  gboolean is_swept; /* it was due */
  gboolean is_last;  /* nothing that has expired is left */
  GArray *rows;      /* (owned) (nullable) of DsqColdRow */
  GArray *changes;   /* (owned) (nullable) of DsqChange, with the rows' entries */
  gint64 until;      /* milliseconds since 1970 */
  gint64 next;       /* the first expiry that is left */
} DsqSweptRows;

/* In the write transaction under way. */
gboolean dsq_engine_sweep_in_transaction (DsqEngine *self, DsqSweptRows *swept, GError **error);
void dsq_engine_clear_swept_rows (DsqSweptRows *swept);

/* Counts a read that was not of a key in the hot tier, once, when it is certain that this call
 * answers it: one that may not go on into the file is made again by one that may. */
static inline void
dsq_engine_count_miss_locked (DsqHotShard *shard, gboolean is_warm, gboolean needs_file)
{
  dsq_hot_shard_assert_locked (shard);
  if (needs_file && G_UNLIKELY (dsq_call_state.memory_only))
    return;
  shard->n_misses++;
  shard->n_warm_hits += is_warm;
  shard->n_warm_misses += !is_warm;
}

/* --- locate: what a key is, before it is changed --------------------------------------------- */

/* What is known of a key, its shard being locked. */
typedef struct
{
  DsqHotShard *shard;   /* locked */
  guint32 number;       /* its node, or 0 */
  DsqPresence presence; /* without a node: whether it has a row */
  DsqEntry *cold;       /* (owned) (nullable) without a node, if it was asked for: the row */
  gint64 expires;       /* when that row expires, as far as it is known; 0 for never */
  gboolean has_stopped; /* the file is stopped until this is finished */
} DsqLocated;

/* What is to be known of it. */
typedef enum
{
  DSQ_LOCATE_PRESENCE = 0,
  DSQ_LOCATE_ENTRY = 1 << 0,
  DSQ_LOCATE_SWEPT = 1 << 1 /* nothing that has expired is left */
} DsqLocateFlags;

/* Finds out all that is needed to change a key. On success its shard is locked: end with
 * dsq_located_finish(). */
gboolean dsq_engine_locate (DsqEngine *self,
                            const DsqKey *key,
                            DsqLocateFlags flags,
                            DsqLocated *located,
                            GError **error);
/* Tries after which a key that keeps changing is looked at under the writer's lock, where no flush
 * can take it out of memory. */
#define DSQ_MAX_OPTIMISTIC_TRIES 3

void dsq_located_finish (DsqEngine *self, DsqLocated *located, gboolean is_dirtied);
/* A new reference to what the key is, or NULL. */
DsqEntry *dsq_located_entry (const DsqLocated *located);
/* Whether the key is in the mapping, be it expired or not. */
gboolean dsq_located_is_held (const DsqLocated *located);
gboolean dsq_located_has_expired (DsqEngine *self, const DsqLocated *located);

/* Stages the removal of a key that is there; @number is its node or 0. */
void dsq_engine_stage_removal_locked (DsqEngine *self,
                                      DsqHotShard *shard,
                                      guint32 number,
                                      const DsqKey *key);

/* --- write-behind ----------------------------------------------------------------------------- */

/* Whether a sync has failed: what is in memory can be read, and nothing written any more. */
static inline gboolean
dsq_engine_has_failed (DsqEngine *self)
{
  return G_UNLIKELY (__atomic_load_n (&self->cold->is_failed, __ATOMIC_ACQUIRE));
}

/* Waits, or flushes, while too much is dirty. */
gboolean dsq_engine_make_room (DsqEngine *self, GError **error);

static inline gboolean
dsq_engine_wait_for_room (DsqEngine *self, GError **error)
{
  gint64 n_bytes = __atomic_load_n (&self->hot->dirty_bytes, __ATOMIC_RELAXED);

  /* a flush makes the room */
  dsq_mutex_assert_not_held (&self->writer_lock, "room");
  dsq_mutex_assert_may_wait ("room");
  if (G_LIKELY (n_bytes < (gint64) __atomic_load_n (&self->room_limit, __ATOMIC_RELAXED)))
    return TRUE;
  return dsq_engine_make_room (self, error);
}

/* To be called after staging: wakes the flusher if that is needed. */
void dsq_engine_wake_flusher (DsqEngine *self);
/* Memory mode: drops entries until max_bytes are kept. */
void dsq_engine_trim_in_memory (DsqEngine *self);

static inline void
dsq_engine_note_dirty (DsqEngine *self)
{
  if (self->has_file)
    dsq_engine_wake_flusher (self);
  else if (G_UNLIKELY (self->options.max_bytes != 0) &&
           __atomic_load_n (&self->hot->dirty_bytes, __ATOMIC_RELAXED) >= self->memory_limit)
    dsq_engine_trim_in_memory (self);
}

/* Writes what is pending of all tables in one transaction; writer_lock held. */
gboolean dsq_engine_flush_locked (DsqEngine *self, GError **error);
/* The same, and drops a table of the file at the same instant. FALSE in *out_dropped: it was not
 * there. */
gboolean dsq_engine_flush_and_drop_locked (DsqEngine *self,
                                           GBytes *name,
                                           gboolean *out_dropped,
                                           GError **error);
/* The same, and sees to checkpoints, statistics and waiting writers. */
gboolean dsq_engine_write_behind (DsqEngine *self, GError **error);
/* Gives free pages of the file back, if they are many; writer_lock held. */
void dsq_engine_shrink_locked (DsqEngine *self, guint max_rounds);
/* Drops entries until max_bytes are kept; writer_lock held. */
gboolean dsq_engine_trim_locked (DsqEngine *self, GError **error);
/* FALSE with DSQ_ERROR_INVALID_VALUE when an entry could not be kept under max_bytes. */
gboolean dsq_engine_refuse_too_large (DsqEngine *self, const DsqEntry *entry, GError **error);

static inline gboolean
dsq_engine_check_size (DsqEngine *self, const DsqEntry *entry, GError **error)
{
  return G_LIKELY (self->options.max_bytes == 0) ||
         dsq_engine_refuse_too_large (self, entry, error);
}

/* The same for what a key becomes: an entry that stays as large as it was may stay. */
gboolean dsq_engine_check_modified (DsqEngine *self,
                                    const DsqEntry *old,
                                    const DsqEntry *entry,
                                    GError **error);

/* Memory mode's part of making room, and whether it is time to spill. */
gboolean dsq_engine_make_room_by_spilling (DsqEngine *self, GError **error);
gboolean dsq_engine_wants_spill (DsqEngine *self);
void dsq_engine_reset_room_limit (DsqEngine *self);
/* After a clear in memory mode: gives the temporary file back. */
void dsq_engine_drop_spilled (DsqEngine *self);
/* After a table was dropped in memory mode: removes its rows; writer_lock held. */
void dsq_engine_drop_spilled_table_locked (DsqEngine *self, guint32 table);
guint64 dsq_engine_dirty_bytes (DsqEngine *self);

/* Stops the file, and lets it go. Nothing that sweeps or waits for room is called meanwhile. */
gboolean dsq_engine_stop_file (DsqEngine *self, GError **error);
void dsq_engine_let_file_go (DsqEngine *self);

/* A table at one instant, what was unknown then included. */
typedef struct
{
  gint64 n_live;     /* its keys */
  guint64 n_settled; /* the pending room's */
} DsqTally;

gboolean dsq_engine_tally (DsqEngine *self, guint32 table, DsqTally *tally, GError **error);
/* The same with the file stopped. */
gboolean dsq_engine_tally_stopped (DsqEngine *self, guint32 table, DsqTally *tally, GError **error);

/* The cold tier's foreign function. */
void dsq_engine_on_foreign_change (const DsqTableState *states, guint n_states, gpointer user_data);

DsqFlusher *dsq_flusher_new (DsqEngine *engine, guint interval_ms);
/* Without it nothing runs, and waking does nothing. Starting twice does no harm. */
gboolean dsq_flusher_start (DsqFlusher *self);
/* Stops the thread and waits for it. Waking does no harm afterwards. */
void dsq_flusher_stop (DsqFlusher *self);
void dsq_flusher_free (DsqFlusher *self);
/* There is something to flush or sync: within the interval, or at once. */
void dsq_flusher_wake (DsqFlusher *self, gboolean at_once);
/* There is something to tend: within the interval, or a build to begin at once. */
void dsq_flusher_tick (DsqFlusher *self, gboolean at_once);
/* Whether a writer waits for a flush, or close for the thread. */
gboolean dsq_flusher_is_hurried (DsqFlusher *self);

/* --- tables ----------------------------------------------------------------------------------- */

/* A table of the file, as of @state, is used from here on; with all shards locked. */
DsqTable *dsq_engine_add_table_locked (DsqEngine *self, GBytes *name, const DsqTableState *state);
/* A table of that name, or NULL; with a shard locked. */
DsqTable *dsq_engine_find_table_locked (DsqEngine *self, GBytes *name);
/* It is not in the file, or will not be; with all shards locked. */
void dsq_engine_drop_table_locked (DsqEngine *self, DsqTable *table);
void dsq_engine_free_tables (DsqEngine *self);

/* --- write-through ---------------------------------------------------------------------------- */

/* One caller's writes on their way into a commit. */
struct _DsqWrite
{
  DsqWrite *next;     /* (lock queue_lock) */
  DsqChange *changes; /* (unowned) entries owned by the caller */
  gsize n_changes;
  guint32 table;     /* of all changes */
  gboolean clears;   /* the table is cleared first */
  gboolean is_sweep; /* not of a caller's making */

  /* one change, whose entry is what @modify makes of the row of @key */
  const DsqKey *key;    /* (unowned) (nullable) */
  DsqModifyFunc modify; /* (nullable) */
  gpointer modify_data; /* (unowned) */

  /* rows that must be as these are, tombstones for absent ones; else nothing is changed */
  DsqEntry *const *expected; /* (unowned) */
  gsize n_expected;

  GCancellable *cancellable; /* (unowned) (nullable) of the call that it is of; the queue's own */
  gint64 queued_at;          /* by the monotonic clock; the queue's own */
  gboolean is_refused;       /* out: a row was not as expected */
  gint64 n_keys;             /* out: keys that it added, less those that it removed */
  guint64 n_swept;           /* out: entries removed on the way, because they had expired */
  GError *error;             /* (owned) (nullable) out */
  gboolean is_done;          /* (lock queue_lock) */
};

/* Commits and publishes a chain of writes that ends with @last, each with an error of its own. */
void dsq_engine_write_through_chain (DsqEngine *self, DsqWrite *first, DsqWrite *last);
/* One transaction: waits for other processes, takes what has queued up and commits it, or a part;
 * writer_lock held, and of @own, the leader's, the last in the queue. An error is of before
 * anything was taken. */
void dsq_engine_commit_queued_locked (DsqEngine *self, DsqWrite *own, GError **error);
/* Gives all of a chain that have no error of their own this one. */
void dsq_write_fail_all (DsqWrite *writes, const GError *error);
/* Commits removals, of DsqChange, that no caller asked for, and publishes them; writer_lock held
 * and the transaction begun. */
gboolean dsq_engine_remove_in_transaction (DsqEngine *self, GArray *changes, GError **error);
/* Commits, publishes and returns; FALSE with @error when the write's own part failed. */
gboolean dsq_engine_write_through (DsqEngine *self, DsqWrite *write, GError **error);

G_END_DECLS
