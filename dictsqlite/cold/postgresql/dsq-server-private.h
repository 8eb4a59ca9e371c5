/* dsq-server-private.h - the cold tier on a server, as its files share it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-call-private.h"
#include "cold/dsq-cold-columns-private.h"
#include "cold/dsq-cold-tier-private.h"
#include "cold/dsq-cold-undo-private.h"
#include "cold/postgresql/dsq-server-address-private.h"
#include "cold/postgresql/dsq-server-connection-private.h"
#include "cold/postgresql/dsq-server-notices-private.h"
#include "tiers/dsq-filter-private.h"

G_BEGIN_DECLS

/* Where who has committed is heard; takes the store's number. */
#define DSQ_SERVER_CHANNEL "dictsqlite_%" G_GINT64_FORMAT
/* Random bytes. */
#define DSQ_SERVER_CLIENT 8

/* Keys that are changed together, and what becomes of each. */
typedef struct _DsqServerRound DsqServerRound;

/* What the transaction has done. The engine's writer lock guards all of it. */
typedef struct
{
  DsqServerConnection connection;
  gboolean is_begun;
  gint64 free_at; /* monotonic: when the last one ended */
  gboolean has_changed;
  gboolean had_changed; /* at the savepoint */
  GArray *tables;       /* (owned) of DsqTableState, by id */
  DsqColdUndo undo;     /* of tables */
  guint savepoint;      /* that of undo */
  gint64 version;       /* that it began with */
  gint64 last_table;    /* the last id that was given out */
  gboolean has_savepoint;
  GByteArray *keys;       /* (owned) those that it has changed, as others are told of them */
  gboolean is_everything; /* they are too many to be told */
  gint64 next_expiry;
  DsqServerRound *foreseen; /* (owned) (nullable) keys that it will change first, which are looked
                               for as it begins */
  guint32 emptied;          /* a table that had no rows at a time in it, or 0 */
  DsqFilter *put;           /* (owned) (nullable) the keys that it has put there since */
  guint32 grows; /* a table that so many keys came to last that there was none of; 0: none */
  gboolean
      takes_for_new; /* keys are not looked for: that none is there shows when they are written */
  gboolean has_attempt; /* it has the savepoint for that */
} DsqServerWriter;

typedef struct
{
  DsqColdTier tier;
  DsqServerAddress address;               /* constant */
  DsqServerTarget target;                 /* constant */
  gboolean read_only;                     /* constant */
  gint64 id;                              /* constant: the store's */
  char client[2 * DSQ_SERVER_CLIENT + 1]; /* constant: by which it knows its own notices */
  char *notify; /* (owned) (nullable) constant: the statement; NULL: the server sends no notices */
  DsqServerNotices *notices; /* (owned) constant */
  DsqKeys *keys;             /* (owned) (nullable) constant */
  DsqRecordCodec codec;

  DsqMutex coherence_lock;
  DsqServerConnection lookout; /* (lock coherence) */
  gint64 version;              /* (lock coherence) as last learned */
  gint64 asked_at;             /* (lock coherence) all that was committed before then is learned */
  GArray *committed;           /* (owned) (lock coherence) of DsqTableState, as last learned */
  GByteArray *learned;         /* (owned) (lock coherence) what was read of the changes */
  guint64 live[DSQ_COLD_VERSION_WORDS]; /* constant: it is the lease that says what is current */

  DsqMutex readers_lock;
  pthread_cond_t reader_is_free;
  GPtrArray *readers; /* (owned) (lock readers) of DsqServerConnection (owned), those not in use */
  guint n_readers;    /* (lock readers) those in use too */

  DsqServerWriter writer;

  guint64 n_entries;         /* (atomic) */
  guint64 n_commits;         /* (atomic) */
  guint64 n_foreign_changes; /* (atomic) */
} DsqColdServer;

/* --- rows ------------------------------------------------------------------------------------- */

/* A plain token that is longer is cut. */
#define DSQ_SERVER_MAX_TOKEN 1024
#define DSQ_SERVER_HASH      16

/* A token as the server's index takes it. */
typedef struct
{
  const guint8 *bytes; /* (unowned) */
  gsize length;
  guint8 cut[DSQ_SERVER_MAX_TOKEN + 1];
} DsqServerToken;

void dsq_server_token_init (DsqServerToken *self, const DsqToken *token);
void dsq_server_token_of (const DsqColdServer *tier,
                          const DsqKey *key,
                          DsqToken *out_token,
                          DsqServerToken *out_cut);
static inline gboolean
dsq_server_token_is_cut (gsize length)
{
  return length == DSQ_SERVER_MAX_TOKEN + 1;
}

/* The entry of a row of which the columns are expires and value. */
DsqEntry *dsq_server_decode (const DsqColdServer *self,
                             const PGresult *result,
                             int row,
                             int at_expires,
                             int at_value,
                             const DsqKey *key,
                             const DsqToken *token,
                             GError **error);
/* The row of a walk. */
void dsq_server_get_row (const DsqLibpq *pq,
                         const PGresult *result,
                         int row,
                         gboolean is_sealed,
                         DsqColdStoredRow *out_row);
/* Appends the row of a walk; with @keys_only a tombstone. */
gboolean dsq_server_append_row (const DsqColdServer *self,
                                const PGresult *result,
                                int row,
                                guint32 table,
                                gboolean keys_only,
                                GArray *rows,
                                GError **error);

/* --- connections ------------------------------------------------------------------------------ */

/* Reads on one of the connections for that, and on another where that is lost. */
PGresult *dsq_server_read (DsqColdServer *self,
                           DsqServerStatement which,
                           const DsqServerArgs *args,
                           GError **error);
void dsq_server_pool_close (DsqColdServer *self);

/* --- tables ----------------------------------------------------------------------------------- */

/* Reads all tables, whose marks @codec knows from then on. */
gboolean dsq_server_read_tables (DsqColdServer *self,
                                 DsqServerConnection *connection,
                                 const DsqRecordCodec *codec,
                                 GArray *states,
                                 GError **error);
/* A row of DSQ_SERVER_NAMES or _FIND_TABLE, whose mark is known from then on. */
GBytes *dsq_server_read_name (DsqColdServer *self,
                              const PGresult *result,
                              int row,
                              gint64 *out_id,
                              GError **error);

/* --- rounds ----------------------------------------------------------------------------------- */

/* From so many new rows on a COPY is worth the round trips that it takes. */
#define DSQ_SERVER_MIN_COPIED 512

/* Changes keys together. */
gboolean
dsq_server_do_round (DsqColdServer *tier, DsqChange *changes, gsize n_changes, GError **error);
/* The statement that looks for the keys of a round, and what it gave. */
DsqServerQueued *dsq_server_ask_places (DsqServerRound *round);
gboolean dsq_server_take_places (DsqServerRound *round, const PGresult *result, GError **error);
void dsq_server_round_free (DsqServerRound *round);
/* The transaction has ended, or rows may be there again that it had removed. */
void dsq_server_forget_emptied (DsqColdServer *tier);

/* --- coherence -------------------------------------------------------------------------------- */

/* Notes a key that the transaction changes, of which @token is. */
gboolean
dsq_server_note (DsqColdServer *self, const DsqEntry *entry, const DsqToken *token, GError **error);
/* Learns up to @version, read by @connection after @asked_at; the tables and the changes are read
 * by it too. */
gboolean dsq_server_learn_locked (DsqColdServer *self,
                                  DsqServerConnection *connection,
                                  gint64 version,
                                  gint64 asked_at,
                                  GError **error);
/* What is known is true for as long as it may be, from then on. */
void dsq_server_believe_locked (DsqColdServer *self, gint64 since);
void dsq_server_count_entries_locked (DsqColdServer *self);
/* Tells of what was committed, and of which nobody has told yet. */
void dsq_server_tell_left (DsqColdServer *self);

G_END_DECLS
