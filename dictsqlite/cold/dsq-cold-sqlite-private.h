/* dsq-cold-sqlite-private.h - the cold tier on SQLite, as its own files see it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-mutex-private.h"
#include "cold/dsq-cold-file-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-writer-private.h"
#include "cold/dsq-facts-private.h"
#include "sqlite/dsq-location-private.h"
#include "sqlite/dsq-store-file-private.h"

G_BEGIN_DECLS

/*
 * Its parts, each in a file of its own:
 *
 *   readers    a pool of connections; a read takes one, and gives it back
 *   writer     the one connection that commits
 *   ahead      a thread that seals rows while the writer writes those before them
 *   coherence  what of the file has been learned, against what it says now
 *   log        the connection that syncs and checkpoints the write-ahead log
 */

typedef enum
{
  DSQ_COLD_IDLE,           /* the header may change by anybody's commit */
  DSQ_COLD_IN_TRANSACTION, /* we hold SQLite's write lock: nobody commits, and we not yet */
  DSQ_COLD_COMMITTING      /* our commit is about to show in the header, or shows */
} DsqColdState;

/* What has a name of its own. */
typedef enum
{
  DSQ_COLD_NAME_FILE,
  DSQ_COLD_NAME_LOG,
  DSQ_COLD_NAME_INDEX,
  DSQ_COLD_N_NAMES
} DsqColdName;

struct _DsqColdSqlite
{
  DsqColdFile file; /* in a private tier, which is none, its tier alone */
  char *path;       /* (owned) resolved */
  DsqLocationIdentity identities[DSQ_COLD_N_NAMES]; /* of what the writer has */
  char *file_names[DSQ_COLD_N_NAMES]; /* (owned) (nullable) where that is, in a tier that writes */
  int log_handle;                     /* (owned) by O_PATH, -1 in a tier that does not write */
  gboolean is_gone;                   /* (atomic) one of the names no longer means that */
  gboolean is_deleted;                /* (atomic) and file and log have none any more */
  DsqDatabaseTuning tuning;
  DsqDatabaseRole read_role; /* of the connections that read */
  gint64 write_time;         /* constant: of a file that is read as one which does not change */
  gboolean read_only;
  DsqStoreBeside beside; /* what lay beside the file before it was opened */
  DsqKeys *keys;         /* (owned) (nullable) of an encrypted file */
  DsqRecordCodec codec;  /* sealing is the writer's, unsealing anybody's */
  gboolean seals_ahead;  /* constant: the writer may have a thread seal for it */

  /* readers */
  DsqMutex readers_lock;
  DsqColdReader *idle[DSQ_COLD_MAX_IDLE_READERS]; /* (owned) (mutex readers_lock) a stack */
  guint n_idle;                                   /* (mutex readers_lock) */
  guint n_taken;                                  /* (mutex readers_lock) readers out */
  gboolean may_hold;    /* (atomic, set with readers_lock) transactions may be kept */
  gboolean is_draining; /* (atomic, set with readers_lock) a checkpoint wants to pass */

  /* a private tier: its one reader shares the writer's connection, a call at a time */
  DsqColdReader *own_reader; /* (owned) (nullable) NULL in other tiers */
  DsqMutex connection_lock;  /* the connection of both */
  gboolean is_sealed;        /* constant: its rows are to be sealed */
  gboolean is_made;   /* (atomic, set with connection_lock) it is open, as others always are */
  gboolean has_begun; /* (mutex connection_lock) SQLite's transaction too has begun */
  guint32 last_table; /* (mutex connection_lock) the id given out last */
  GHashTable *names; /* (owned) (mutex connection_lock) GBytes to id, of all tables but the first */
  GArray *renames;   /* (owned) (mutex connection_lock) what the transaction did to names */
  guint64 private_bytes; /* (atomic) size of the file after the last commit */

  /* the filter's reading, under its lock: the last key that it has taken */
  guint32 filled_table;
  GByteArray *filled;  /* (owned) */
  gint64 filled_place; /* the same in a sealed file: the place of its row */

  DsqColdWriter writer;

  /* coherence */
  DsqMutex coherence_lock;
  pthread_cond_t learned; /* (mutex coherence_lock) state is no longer DSQ_COLD_COMMITTING */
  DsqWalIndex wal_index;  /* memory of the writer's connection */
  DsqColdState state;     /* (mutex coherence_lock) */
  DsqWalStamp seen;       /* (mutex coherence_lock) the head's seen_version is its copy for all */
  DsqWalStamp before_commit; /* (mutex coherence_lock) the header as our commit began */
  GArray *tables;      /* (owned) of DsqTableState, by id; (mutex coherence_lock) when idle, as of
                          seen; the writer's own during its transaction */
  gint64 data_version; /* (mutex coherence_lock) PRAGMA data_version of the writer as of seen */
  DsqFacts *facts;     /* (owned) (nullable) (mutex coherence_lock) what is added to it, the
                          writer's; NULL in a private tier */
  gboolean version_is_stale; /* (mutex coherence_lock) data_version is to be asked anew */

  /* log */
  DsqMutex log_lock;
  DsqDatabase *log;   /* (owned) (mutex log_lock) */
  guint64 n_unsynced; /* (atomic) number of the last commit that was not synced as it was made */
  guint64 n_synced;   /* (atomic) number of the last such commit known to be synced */
  guint64 n_named;    /* (atomic) n_commits when all of it was last found to have its name */
  guint32
      blocked_frames;  /* (atomic) frames in the log as readers last kept it from being emptied */
  DsqWalReader stayed; /* (mutex log_lock) who was last waited for */
  guint stayed_us;     /* (mutex log_lock) and for how long in all */

  /* space */
  guint page_size;     /* constant: bytes */
  gboolean can_shrink; /* constant: the file gives free pages back when asked */

  /* counters */
  guint64 n_commits;         /* (atomic) */
  guint64 n_syncs;           /* (atomic) */
  guint64 n_checkpoints;     /* (atomic) */
  guint64 n_foreign_changes; /* (atomic) */
  guint64 n_entries;         /* (atomic) rows of all tables, as of seen */
};

#define DSQ_COLD_COUNT(counter) __atomic_fetch_add (&(counter), 1, __ATOMIC_RELAXED)

/* Whether it is a private tier that has had no rows yet. */
static inline gboolean
dsq_cold_is_unmade (const DsqColdSqlite *self)
{
  return !__atomic_load_n (&self->is_made, __ATOMIC_ACQUIRE);
}

/* The head of a tier with nothing opened, and the end of one with everything closed. */
DsqColdSqlite *dsq_cold_sqlite_new (const DsqColdTierFuncs *tier_funcs,
                                    const DsqColdOptions *options);
void dsq_cold_sqlite_free (DsqColdSqlite *self);

G_END_DECLS
