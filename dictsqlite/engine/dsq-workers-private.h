/* dsq-workers-private.h - the store's own threads for calls that somebody does not wait for
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Each has threads of its own, so that none waits behind another: reads are quick, writes wait for
 * a commit, and a close for all of them. */
typedef enum
{
  DSQ_LANE_READ,
  DSQ_LANE_WRITE,
  DSQ_LANE_CLOSE,
  DSQ_N_LANES
} DsqLane;

typedef struct _DsqJob DsqJob;

/* Head of what is to be done. */
struct _DsqJob
{
  /* Does it, on one of the threads. */
  void (*run) (DsqJob *self);
  /* Tells whoever waits, and frees the job. A close does not wait for this part, so that it may
   * drop the last reference to the store. */
  void (*finish) (DsqJob *self);
  DsqJob *next; /* (lock) the workers' own */
};

typedef struct _DsqWorkers DsqWorkers;

DsqWorkers *dsq_workers_new (void);
/* Stops, if that was not done. */
void dsq_workers_free (DsqWorkers *self);

/* FALSE: the store is being closed, and the job is the caller's as before. Jobs of a lane begin in
 * the order in which they came. */
gboolean dsq_workers_push (DsqWorkers *self, DsqLane lane, DsqJob *job);

/* Takes no more jobs, and waits until all that are there were run, closes excepted. */
void dsq_workers_drain (DsqWorkers *self);
/* The close has failed: takes jobs again. */
void dsq_workers_resume (DsqWorkers *self);
/* Lets the threads go, and waits until they are gone, but for the calling one. Drain first. */
void dsq_workers_stop (DsqWorkers *self);

G_END_DECLS
