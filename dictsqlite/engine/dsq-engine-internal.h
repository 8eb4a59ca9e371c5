/* dsq-engine-internal.h - what the files of the engine share
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-call-private.h"
#include "base/dsq-mutex-private.h"
#include "cold/dsq-cold-tier-private.h"
#include "engine/dsq-budget-private.h"
#include "engine/dsq-commit-queue-private.h"
#include "engine/dsq-counters-private.h"
#include "engine/dsq-door-private.h"
#include "engine/dsq-engine-entries-private.h"
#include "engine/dsq-expiry-private.h"
#include "engine/dsq-flusher-private.h"
#include "engine/dsq-lookout-private.h"
#include "engine/dsq-pending-private.h"
#include "engine/dsq-tables-private.h"

G_BEGIN_DECLS

/* Locks are taken in the order of their ranks. The cold tier calls on_foreign_change() with its
 * coherence lock held. */
struct _DsqEngine
{
  DsqEngineOptions options;
  DsqShards *shards;        /* (owned) */
  DsqColdTier *cold;        /* (owned) (nullable) gone once a shard is closed */
  DsqColdFile *file;        /* (unowned) (nullable) the same, if it is a file */
  DsqFlusher *flusher;      /* (owned) */
  DsqWorkers *workers;      /* (owned) */
  gboolean commits_at_once; /* (atomic) every write is committed before it returns, and nothing is
                               ever dirty, until somebody is to stage; so in a store that only
                               reads, which refuses writes there */
  gboolean syncs_commits;   /* constant: each commit is on the medium when it returns */
  gboolean is_lasting;      /* constant: the cold tier's, which may be gone */
  gboolean is_encrypted;    /* there was a password */
  guint depth;              /* constant: of transactions; 0: it is none */
  guint n_references;       /* (atomic) */

  DsqTables tables;
  DsqCounters counters;

  guint64 generation __attribute__ ((aligned (64))); /* (all shard locks) foreign changes learned */
  guint64 flush_commits; /* (atomic) the cold tier's n_commits when the flush under way began */

  DsqExpiry expiry;

  guint64 *turns; /* (unowned) (atomic) moves with each close of the store or of a transaction
                     over it, and is the first word of their live version */
  guint64 own_turns[DSQ_COLD_VERSION_WORDS]; /* where a store's is */
  DsqMutex close_lock;                       /* one close at a time; taken before all others */
  DsqMutex writer_lock;
  guint64 n_table_turns; /* (atomic) moved with the writer_lock held, before and after a table is
                            made or dropped: odd meanwhile */
  gint64 busy_since;     /* (atomic) see DsqCallPlace; of a store, not of what is over it */
  guint64 n_used_bytes;  /* (atomic) what counts against max_bytes, as last measured */
  gint64 memory_limit;   /* constant: bytes at which memory mode looks at max_bytes */
  gint64 trim_hand;      /* (lock writer_lock) place of the row that was looked at last */

  guint n_over; /* (atomic) transactions that have begun over it, and not been closed */
  DsqCommitQueue queue;
  DsqBudget budget;
  DsqLookout lookout;

  DsqDoor door __attribute__ ((aligned (64))); /* every hit reads its first line */
};

/* --- every call's first lines ----------------------------------------------------------------- */

gboolean dsq_engine_refuse_without_thread (GError **error);

/* One that another handle may have raised meanwhile. */
#define dsq_engine_option(self, name) __atomic_load_n (&(self)->options.name, __ATOMIC_RELAXED)

static inline DsqTable *
dsq_engine_table (DsqEngine *self, guint32 id)
{
  return dsq_tables_get (&self->tables, id);
}

static inline gboolean
dsq_engine_commits_at_once (const DsqEngine *self)
{
  return __atomic_load_n (&self->commits_at_once, __ATOMIC_RELAXED);
}

static inline gboolean
dsq_engine_may_write (const DsqEngine *self, DsqPromise promise)
{
  return promise != DSQ_PROMISE_NONE && !self->options.read_only;
}

/* Whether a write goes by the queue of those that are committed before they return,
 * or are refused. Where one is staged, the engine stages. */
static inline gboolean
dsq_engine_writes_through (const DsqEngine *self, DsqPromise promise)
{
  return promise != DSQ_PROMISE_STAGED && (dsq_engine_commits_at_once (self) || self->depth == 0);
}

/* For dsq_apart_call(): nothing takes long without a file. */
static inline DsqWorkers *
dsq_engine_apart (DsqEngine *self)
{
  return self->file != NULL ? self->workers : NULL;
}

static inline DsqPending *
dsq_engine_pending (DsqEngine *self, guint32 table)
{
  return dsq_engine_table (self, table)->pending;
}

/* Locks the shard of a key, after learning what others have committed. NULL on an error. The store
 * is open, and the table there, as long as the lock is held. */
DsqShard *
dsq_engine_lock_shard_slowly (DsqEngine *self, guint32 table, guint64 hash, GError **error);

static inline DsqShard *
dsq_engine_lock_shard (DsqEngine *self, guint32 table, guint64 hash, GError **error)
{
  DsqShard *shard;

  if (!dsq_door_is_own (&self->door))
    return dsq_engine_lock_shard_slowly (self, table, hash, error);
  shard = dsq_shards_get (self->shards, hash);
  dsq_shard_lock (shard);
  if (G_LIKELY (!shard->is_closed && dsq_cold_tier_is_current (self->cold) &&
                (table == DSQ_TABLE_MAIN || !dsq_engine_table (self, table)->is_dropped)))
    return shard;
  dsq_shard_unlock (shard);
  return dsq_engine_lock_shard_slowly (self, table, hash, error);
}

/* Until what a commit holds may be staged over, see DsqShard.is_held; with no lock held. */
gboolean dsq_engine_wait_for_commit (DsqEngine *self, GError **error);

/* Locks all shards of a store that is open, having learned what others wrote. Who depends on what
 * is absent sweeps before, with no lock held. */
gboolean dsq_engine_lock_all_open (DsqEngine *self, guint32 table, GError **error);

/* To be called with what the tiers hold, when they have let it go: what was much goes back to the
 * system at once. malloc by itself would keep all of it for the next. */
void dsq_engine_trim_memory (guint64 n_bytes);
guint64 dsq_engine_count_memory_locked (DsqEngine *self); /* all shards locked */

/* A call that may use the cold tier stands between these, so that close waits for it. A call that
 * may use memory only ends here, without an error. */
static inline gboolean
dsq_engine_enter (DsqEngine *self, GError **error)
{
  return dsq_door_enter (&self->door, error);
}

void dsq_engine_leave (DsqEngine *self);

G_END_DECLS
