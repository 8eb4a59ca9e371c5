/* dsq-handle-private.h - one opening of a file, of which several share an engine
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-door-private.h"
#include "engine/dsq-engine-private.h"
#include "engine/dsq-open-files-private.h"
#include "engine/dsq-watcher-private.h"

G_BEGIN_DECLS

/* An engine that a handle has open, with others or alone. */
typedef struct
{
  DsqEngine *engine; /* (owned) (nullable) NULL: there is none; else constant */
  DsqOpenFile *file; /* (nullable) NULL: nobody else has the engine */
  gboolean is_left;  /* closed, or left to the others */
} DsqHold;

/* What a store has with its tables and transactions. It is closed with its last reference. */
struct _DsqHandle
{
  DsqEngine *usable;     /* (unowned) (nullable) (atomic) that of its calls; NULL: it is closed */
  DsqPromise promise;    /* constant: what its writes are promised */
  guint n_references;    /* (atomic) */
  guint busy_timeout_ms; /* constant: so long each of its calls waits */
  DsqDoor jobs;          /* what the engine's threads are to do for it */
  DsqMutex lock;         /* one close at a time */
  DsqMutex tables_lock;  /* of one that only reads: while it opens or watches a table, or comes to
                          * another engine */
  DsqHold own;           /* (lock) what it has opened or joined */
  DsqHold writer;        /* (lock) what was opened later to be written, where @own only reads */
};

/* Opens what the options say, or joins those of the process that have the file open, unless it is
 * to be separate from them. */
DsqHandle *dsq_handle_open (const DsqEngineOptions *options, gboolean is_separate, GError **error);
DsqHandle *dsq_handle_ref (DsqHandle *self);
void dsq_handle_unref (DsqHandle *self);

/* Flushes and closes it, and the engine if nobody else has that; after an error it is open as
 * before, or, when nothing could ever be flushed, closed. Closing twice does nothing. */
gboolean dsq_handle_close (DsqHandle *self, GError **error);

/* dsq_engine_open_table() for the stores of the handle, those of its transactions excepted. */
gboolean dsq_handle_open_table (DsqHandle *self,
                                const guint8 *name,
                                gsize length,
                                guint32 *out_table,
                                GError **error);

/* dsq_engine_add_watcher() to its engine, and to the one that it comes to; and the end of that. */
gboolean dsq_handle_add_watcher (DsqHandle *self, DsqWatcher *watcher, GError **error);
void dsq_handle_remove_watcher (DsqHandle *self, DsqWatcher *watcher);

static inline gboolean
dsq_handle_is_closed (const DsqHandle *self)
{
  return __atomic_load_n (&self->usable, __ATOMIC_RELAXED) == NULL;
}

/* dsq_engine_submit() to its engine, or a transaction's over that. What was taken, unless it is to
 * close something, is to call the second when it has run: a close of the handle waits for that. */
gboolean
dsq_handle_submit (DsqHandle *self, DsqEngine *engine, DsqLane lane, DsqJob *job, GError **error);
void dsq_handle_end_job (DsqHandle *self);

G_END_DECLS
