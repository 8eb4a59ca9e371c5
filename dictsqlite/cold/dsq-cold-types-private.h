/* dsq-cold-types-private.h - what an engine and a cold tier tell each other
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "codec/dsq-header-private.h"
#include "dsq-enums.h"
#include "tiers/dsq-entry-private.h"

G_BEGIN_DECLS

/* What is known of a key's row in the file. */
typedef enum
{
  DSQ_PRESENCE_UNKNOWN,
  DSQ_PRESENCE_ABSENT,
  DSQ_PRESENCE_PRESENT
} DsqPresence;

/* One write to bring into the file. */
typedef struct
{
  DsqEntry *entry; /* (owned) the new state of the key, maybe a tombstone; NULL: nothing to do */
  guint64 hash;    /* of the key; 0 where whoever made the change did not have it at hand */
  gint64 place;    /* where its row goes if the key is absent; 0: behind all others */
  guint8 presence; /* DsqPresence of the row before the change */
  guint8 reinsert; /* a set of a key that was deleted since: its old row goes, it comes last */
  /* the rest is the pending room's own: see there */
  guint32 node;
  guint32 below;
} DsqChange;

/* Its bytes live as long as the change's entry. */
static inline DsqKey
dsq_change_key (const DsqChange *self)
{
  const DsqEntry *entry = self->entry;

  if (self->hash == 0)
    return dsq_entry_as_key (entry);
  return (DsqKey){ dsq_entry_key (entry), entry->key_length, entry->table, self->hash };
}

/* How many keys more there are by it, where the row was so before. */
static inline gint64
dsq_change_contribution (const DsqChange *self, DsqPresence presence)
{
  if (dsq_entry_is_tombstone (self->entry))
    return presence == DSQ_PRESENCE_PRESENT ? -1 : 0;
  return presence == DSQ_PRESENCE_ABSENT ? 1 : 0;
}

/* What the file says of a table, beside its rows. */
typedef struct
{
  guint32 table;
  guint32 noted; /* the tier's own, see dsq-cold-undo.c */
  gint64 next;   /* the place that its next new key gets */
  gint64 count;  /* its rows */
} DsqTableState;

/* What others have committed, where it is known. */
typedef struct
{
  const DsqKey *keys; /* (unowned) of all that may have been set or removed */
  gsize n_keys;
  gint64 next_expiry; /* no later than the first of what was set; G_MAXINT64: none expires */
} DsqColdChanged;

/* A row as walked. */
typedef struct
{
  gint64 place;
  DsqEntry *entry; /* (owned) (nullable) once it was taken */
} DsqColdRow;

static inline void
dsq_cold_rows_free (GArray *rows)
{
  for (guint i = 0; i < rows->len; i++)
    g_clear_pointer (&g_array_index (rows, DsqColdRow, i).entry, dsq_entry_unref);
  g_array_unref (rows);
}

/* A stretch of the order of expiry, and where a search in it stands: behind the row of @place that
 * expires at @after. */
typedef struct
{
  gint64 after; /* milliseconds since 1970 */
  gint64 place;
  gint64 until; /* inclusive */
} DsqExpirySpan;

typedef struct
{
  guint64 entries; /* in all tables, as last known */
  guint64 commits;
  guint64 syncs;
  guint64 checkpoints;
  guint64 foreign_changes;
  guint64 file_bytes;
  guint64 wal_bytes;
  guint64 private_bytes; /* of a private file */
} DsqColdStats;

typedef struct
{
  const char *path;         /* filename encoding */
  gboolean read_only;       /* nothing is written: begin and sync are not to be called */
  gboolean full_durability; /* sync at every commit */
  guint busy_timeout_ms;    /* for a lock that another process holds */
  gsize cache_bytes;        /* page cache of one connection */
  gsize wal_limit_bytes;    /* size at which the log is checkpointed at the latest */
  GBytes *password;         /* (unowned) (nullable) until the tier is open */
  DsqKdfCost kdf_cost;      /* of a new file's password */
  guint64 kdf_limit;        /* of what that of one that is there may cost */
  gboolean seals_ahead;     /* a call that writes many rows may have a thread seal them */
} DsqColdOptions;

typedef void (*DsqColdProgressFunc) (guint64 n_done, guint64 n_total, gpointer user_data);

/* The new file of a copy. */
typedef struct
{
  const char *path;             /* filename encoding */
  GBytes *password;             /* (unowned) (nullable) */
  gboolean keeps_password;      /* it must be the password of what is copied */
  DsqKdfCost kdf_cost;          /* of the password, unless that of what is copied costs more */
  guint64 kdf_limit;            /* of what the password may cost that is there */
  DsqColdProgressFunc progress; /* (nullable) in entries, on the thread that copies */
  gpointer user_data;           /* (unowned) of progress */
} DsqColdCopyOptions;

G_END_DECLS
