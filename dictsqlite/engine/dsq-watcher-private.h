/* dsq-watcher-private.h - what has changed of a table since it was last taken
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-mutex-private.h"
#include "cold/dsq-cold-types-private.h"

G_BEGIN_DECLS

typedef struct _DsqEngine DsqEngine;
typedef struct _DsqWatcher DsqWatcher;

/* For one who watches a table; all functions but the first and the last may be called from any
 * thread. */
struct _DsqWatcher
{
  gconstpointer owner; /* (unowned) constant when it is added: whose it is, for who ends it */
  guint32 table;       /* constant when it is added */
  DsqEngine *engine;   /* (unowned) (lock of the handle's tables) whose table has it */
  GBytes *prefix;      /* (owned) constant: what the keys begin with */
  int fd;              /* (owned) constant: an eventfd, to be read from while there is news */
  DsqMutex lock;
  GPtrArray *keys;        /* (owned) (lock) of GBytes: what has changed, each once */
  GHashTable *is_in;      /* (owned) (lock) the same */
  gsize n_bytes;          /* (lock) of all of them */
  gboolean is_everything; /* (lock) anything may have changed */
  gboolean has_ended;     /* (lock) nothing more comes */
};

DsqWatcher *dsq_watcher_new (const guint8 *prefix, gsize length, GError **error);
void dsq_watcher_free (DsqWatcher *self);

/* Tells all of @watchers that @key has changed, or, with NULL, that anything may have. */
void dsq_watchers_note (GSList *watchers, const DsqKey *key);
/* Tells those of @owner, or all with NULL, that nothing more comes; with @is_news the last is that
 * anything may have changed, and else what was not taken yet is forgotten. */
void dsq_watchers_end (GSList *watchers, gconstpointer owner, gboolean is_news);
/* The keys, of GBytes, in the order in which they first changed, maybe none; NULL: all of them may
 * have. */
GPtrArray *dsq_watcher_take (DsqWatcher *self, gboolean *out_has_ended);

G_END_DECLS
