/* dsq-workers-private.h - the store's own threads for calls that somebody does not wait for
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <pthread.h>

G_BEGIN_DECLS

/* Each has threads of its own, so that none waits behind another: reads are quick, writes wait for
 * a commit, and a close for all of them. */
typedef enum
{
  DSQ_LANE_READ,
  DSQ_LANE_WRITE,
  DSQ_LANE_APART, /* calls of the main thread, which writes may be waiting for */
  DSQ_LANE_CLOSE,
  DSQ_N_LANES
} DsqLane;

typedef struct _DsqJob DsqJob;

/* What a job is for, as far as those that come after it wait for it. */
typedef enum
{
  DSQ_REACH_NONE,
  DSQ_REACH_READS,
  DSQ_REACH_WRITES
} DsqReach;

/* Keys are told apart by that many values of their hash; 0 is all keys. */
#define DSQ_N_SLOTS 256

/* Head of what is to be done. */
struct _DsqJob
{
  /* Does it, on one of the threads. */
  void (*run) (DsqJob *self);
  /* Tells whoever waits, and frees the job. A close does not wait for this part, so that it may
   * drop the last reference to the store. */
  void (*finish) (DsqJob *self);
  /* Of the lane of writes: begins when the ordered one before it has ended, and all reads of its
   * keys that were there when it came. */
  gboolean is_ordered;
  /* It does nothing before it calls dsq_workers_pass_turn(), or waits for nothing: so the next of
   * this kind may begin once it has. */
  gboolean may_pass_turn;
  gboolean has_passed_turn; /* the workers' own */
  gboolean is_joined;       /* out: by whom it was pushed, see dsq_workers_new() */
  pthread_t thread;         /* out: that runs it */
  guint timeout_ms; /* the workers' own: of the call that pushed it, see dsq-patience-private.h */
  GCancellable *cancellable; /* (unowned) (nullable) ends its wait: it is run then, out of turn */
  DsqReach reach;
  guint slot;        /* of its one key: 1 to DSQ_N_SLOTS; or 0 */
  DsqJob *next;      /* (lock) the workers' own */
  guint64 number;    /* (lock) the same: of the job in its lane */
  guint64 waits_for; /* (lock) the same: for reads up to this number */
};

typedef struct _DsqWorkers DsqWorkers;

/* @stay: threads that have nothing to do stay until the store is closed. Else each ends then, and
 * one that has run a job with is_joined as soon as that, to be joined by whoever waits for it. */
DsqWorkers *dsq_workers_new (gboolean stay);
gboolean dsq_workers_stay (const DsqWorkers *self);
/* Stops, if that was not done. */
void dsq_workers_free (DsqWorkers *self);

/* FALSE: the store is being closed, and the job is the caller's as before. Jobs of a lane begin in
 * the order in which they came. */
gboolean dsq_workers_push (DsqWorkers *self, DsqLane lane, DsqJob *job);

/* Whether a call that reaches so far may be made at once: no job that is there has to come before.
 */
gboolean dsq_workers_is_next (DsqWorkers *self, DsqReach reach, guint slot);
/* The ordered job that this thread runs. */
extern __thread DsqJob *dsq_workers_ordered;
void dsq_workers_pass_own_turn (void);

/* For the job that the calling thread runs, if it does: its place among the writes is settled. */
static inline void
dsq_workers_pass_turn (void)
{
  if (G_UNLIKELY (dsq_workers_ordered != NULL))
    dsq_workers_pass_own_turn ();
}

/* The same for one that takes long: what comes after does not wait for it at all. */
void dsq_workers_leave_line (void);

/* Takes no more jobs, and waits until all that are there were run, closes excepted. FALSE when the
 * call is cancelled first; to be resumed then too. */
gboolean dsq_workers_drain (DsqWorkers *self, GError **error);
/* The close has failed: takes jobs again. */
void dsq_workers_resume (DsqWorkers *self);
/* Lets the threads go, and waits until they are gone, but for the calling one. Drain first. */
void dsq_workers_stop (DsqWorkers *self);

G_END_DECLS
