/* dsq-tables-private.h - the tables of a store, by name and by id
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-front-private.h"
#include "engine/dsq-watcher-private.h"

G_BEGIN_DECLS

/* One table. It lives as long as the registry, for whoever has its id may ask for it at any time.
 */
typedef struct
{
  guint32 id;           /* constant */
  GBytes *name;         /* (owned) (nullable) (all shard locks) NULL: the one that a store opens
                           with, or in none of the lists of those in use */
  DsqPending *pending;  /* (owned) */
  gboolean is_dropped;  /* (all shard locks) */
  gboolean is_made;     /* (all shard locks) no commit is to come that may fail */
  guint64 learned;      /* (all shard locks) the engine's generation when others' commits were last
                           found to have changed it */
  guint64 version;      /* (atomic) moves with every change of the table while it is walked */
  guint64 keys_version; /* (atomic) the same, but for sets: a walk's keys are still there */
  gint64 dead_until;    /* (all shard locks) nothing at this place and before is left, ... */
  gint64 dead_beyond;   /* (all shard locks) ... and rows at this and beyond have tombstones, ... */
  guint64
      dead_settled; /* (all shard locks) ... as long as its pending changes' n_settled is this */
  DsqFront front;   /* (lock of the first shard) */
  GSList *watchers; /* (owned) (all shard locks) of DsqWatcher (unowned) */
} DsqTable;

typedef struct
{
  DsqTable main;      /* the table that a store opens with */
  GPtrArray *used;    /* (owned) (all shard locks) of DsqTable: those in use, main the first */
  GPtrArray *dropped; /* (owned) (all shard locks) of DsqTable: those that were */
  GPtrArray *left;    /* (owned) (all shard locks) of DsqTable: those that nobody finds any more */
  DsqTable gone;      /* what is found by their ids */
  GHashTable *names;  /* (owned) (all shard locks) GBytes to DsqTable, of those in use */
  DsqTable ***pages;  /* (owned) (nullable) (atomic) all but main by id */
} DsqTables;

void dsq_tables_init (DsqTables *self);
void dsq_tables_clear (DsqTables *self);

/* The table of @pending, taken over, is used from here on; without a name it is the first. */
DsqTable *dsq_tables_add_locked (DsqTables *self, GBytes *name, DsqPending *pending);
/* A table in use of that name, or NULL; with a shard locked. */
DsqTable *dsq_tables_find_locked (DsqTables *self, GBytes *name);
/* Whether it is in the list of those in use. */
static inline gboolean
dsq_tables_is_used_locked (DsqTables *self, const DsqTable *table)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  return table == &self->main || table->name != NULL;
}

/* It is not in the file, or will not be. The first is never dropped. */
void dsq_tables_drop_locked (DsqTables *self, DsqTable *table);

/* Has nobody find those that were dropped before, but walks of them; of these those are freed that
 * were left by the last such call, if by now nobody can have one: @is_quiet. */
void dsq_tables_reclaim_locked (DsqTables *self, gboolean is_quiet);

/* Tables are found by id without a lock, since theirs go up from 2 and are never used again. */
#define DSQ_TABLES_A_PAGE 2048

/* The table of an id that is read from the file; NULL when it was not opened here, or is gone. */
static inline DsqTable *
dsq_tables_find (DsqTables *self, guint32 id)
{
  DsqTable ***pages = __atomic_load_n (&self->pages, __ATOMIC_ACQUIRE);
  DsqTable **page, *table;

  if (G_LIKELY (id == DSQ_TABLE_MAIN))
    return &self->main;
  page = pages != NULL ? pages[id / DSQ_TABLES_A_PAGE] : NULL;
  table = page != NULL ? __atomic_load_n (&page[id % DSQ_TABLES_A_PAGE], __ATOMIC_SEQ_CST) : NULL;
  return table != &self->gone ? table : NULL;
}

/* The same of one that was. */
static inline DsqTable *
dsq_tables_get (DsqTables *self, guint32 id)
{
  if (G_LIKELY (id == DSQ_TABLE_MAIN))
    return &self->main;
  return __atomic_load_n (
      &__atomic_load_n (&self->pages,
                        __ATOMIC_ACQUIRE)[id / DSQ_TABLES_A_PAGE][id % DSQ_TABLES_A_PAGE],
      __ATOMIC_SEQ_CST);
}

typedef enum
{
  DSQ_CHANGE_OF_VALUES, /* and keys may have come, which stand behind the end of any walk */
  DSQ_CHANGE_OF_KEYS    /* keys may have gone, or stand elsewhere */
} DsqChangeKind;

/* What walks look at, if there are any; with a shard's lock held, so that a walk which begins now
 * either sees the change or is seen here. */
static inline void
dsq_table_tell_walks_locked (DsqTable *self, DsqChangeKind kind)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  if (!dsq_pending_has_walks (self->pending))
    return;
  if (kind == DSQ_CHANGE_OF_KEYS)
    __atomic_fetch_add (&self->keys_version, 1, __ATOMIC_RELEASE);
  __atomic_fetch_add (&self->version, 1, __ATOMIC_RELEASE);
  if (self->pending->shards->words != NULL)
    __atomic_fetch_add (&self->pending->shards->words->walks, 1, __ATOMIC_RELEASE);
}

/* Every change of the table comes by here, with the shard of @key locked, or, with NULL, maybe of
 * all of them, with all shards locked. */
static inline void
dsq_table_mark_changed_locked (DsqTable *self, DsqChangeKind kind, const DsqKey *key)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  dsq_table_tell_walks_locked (self, kind);
  if (key != NULL)
    dsq_words_move_locked (self->pending->shards->words, key);
  else
    dsq_words_move_all_locked (self->pending->shards->words);
  if (G_UNLIKELY (self->watchers != NULL))
    dsq_watchers_note (self->watchers, key);
}

G_END_DECLS
