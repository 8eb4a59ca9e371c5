/* dsq-apart-private.h - what the main thread has done by another, so that it can leave it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-call-private.h"
#include "base/dsq-mutex-private.h"
#include "engine/dsq-workers-private.h"

G_BEGIN_DECLS

/* Head of what is done, with all that it needs; on the heap, as it may outlive its caller. */
typedef struct _DsqApart DsqApart;
struct _DsqApart
{
  DsqJob job;
  void (*run) (DsqApart *self);
  void (*free) (DsqApart *self);
  GCancellable *cancellable; /* (owned) (nullable) ends its waits */
  guint n_references;        /* (atomic) */
  const DsqCallPlace *place; /* (unowned) (nullable) constant: what the caller is in */
  guint64 stamp;             /* constant: of the process that has the other thread */
  DsqMutex lock;
  pthread_cond_t done;
  gboolean is_done;      /* (lock) */
  gboolean ends_thread;  /* constant: whoever waits for the end joins the thread */
  gboolean is_left;      /* (lock) nobody waits any more */
  gboolean needs_caller; /* (atomic) it uses what is its caller's, and cannot be left */
};

/* For a thread that dsq_call_is_asked(). With run and free set. Waits until it is done; or until
 * the call is over, and what cannot be ended has been waited for a little: FALSE. So it is at once
 * in a child that was made by what was asked, where nobody does it. To be unreffed in either case,
 * when the caller has no use for what it holds any more. What is under way keeps a close of the
 * workers' store waiting. */
gboolean dsq_apart_do (DsqApart *self, DsqWorkers *workers);
void dsq_apart_unref (DsqApart *self);
/* What to say then: DSQ_ERROR_OUTCOME_UNKNOWN, and in such a child DSQ_ERROR_FORKED; FALSE. */
gboolean dsq_apart_refuse_left (const DsqApart *self, GError **error);

/* What may take long, of the store whose workers these are. */
typedef gboolean (*DsqApartFunc) (gpointer engine, GBytes *name, guint32 *out, GError **error);
/* Calls it; so that it can be left where the thread is asked, if @workers (nullable) are given. */
gboolean dsq_apart_call (DsqWorkers *workers,
                         DsqApartFunc func,
                         gpointer engine,
                         GBytes *name,
                         guint32 *out,
                         GError **error);

G_END_DECLS
