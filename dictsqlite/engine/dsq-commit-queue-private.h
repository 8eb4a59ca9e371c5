/* dsq-commit-queue-private.h - who waits for a commit, and who leads the others into it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "base/dsq-mutex-private.h"

G_BEGIN_DECLS

/* What waits for a commit; head of what its caller makes of it. */
typedef struct _DsqQueued DsqQueued;
struct _DsqQueued
{
  DsqQueued *next;           /* (unowned) (nullable) (lock) */
  GCancellable *cancellable; /* (unowned) (nullable) of the call that it is of */
  gint64 queued_at;          /* by the monotonic clock */
  gboolean is_patient;       /* is taken only by who takes such as well */
  gboolean is_done;          /* (lock) */
  GError *error;             /* (owned) (nullable) out */
};

typedef struct
{
  DsqMutex lock;
  pthread_cond_t cond; /* some are done, or nobody leads any more */
  DsqQueued *first;    /* (unowned) (nullable) (lock) */
  DsqQueued **end;     /* (lock) */
  gboolean has_leader; /* (lock) */
} DsqCommitQueue;

void dsq_commit_queue_init (DsqCommitQueue *self);
void dsq_commit_queue_clear (DsqCommitQueue *self);

/* The calling thread's chain, which ends with @last and is done in its order, waits from now on. */
void dsq_commit_queue_join (DsqCommitQueue *self, DsqQueued *first, DsqQueued *last);
/* Waits until all of the chain is done: FALSE; or the thread is to lead: TRUE, and it takes what
 * waits, if it can, finishes that, resigns, and asks again. Whoever is cancelled before its chain
 * is taken leaves with it, failed. */
gboolean dsq_commit_queue_leads (DsqCommitQueue *self, DsqQueued *first, DsqQueued *last);
/* Whether what another thread has queued is done, and so its own again. */
gboolean dsq_commit_queue_is_done (DsqCommitQueue *self, const DsqQueued *queued);
/* With @error (nullable), which is of before anything was taken, the leader leaves the queue. */
void dsq_commit_queue_resign (DsqCommitQueue *self,
                              DsqQueued *first,
                              DsqQueued *last,
                              const GError *error);

/* All that wait; those that are patient wait on, unless they are to be taken as well. */
DsqQueued *dsq_commit_queue_take (DsqCommitQueue *self, gboolean takes_patient);
/* What has been taken belongs to its threads again as soon as it is done; from @rest (nullable) on
 * it waits again, before those that have come since. */
void dsq_commit_queue_finish (DsqCommitQueue *self, DsqQueued *taken, DsqQueued *rest);
/* Gives all of a chain that have no error of their own this one. */
void dsq_queued_fail_all (DsqQueued *first, const GError *error);

G_END_DECLS
