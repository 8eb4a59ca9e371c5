/* dsq-mutex-private.h - mutexes that know in which order they are taken
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <pthread.h>

G_BEGIN_DECLS

/*
 * A thread takes mutexes in the order of their ranks, those of one rank by ascending number, and
 * all of a transaction's before any of what it is over: the deeper ones first. Builds
 * with DSQ_MUTEX_CHECKS (a sanitizer's, or without optimisation) keep what each thread holds, and
 * abort with the names of both on another order, on a wait while one is held that nobody may wait
 * under, and on a function whose mutex is not held. In others all of it compiles to nothing, and a
 * DsqMutex is a pthread_mutex_t. Each rank says what it guards; docs/architecture.md shows this
 * table.
 */
typedef enum
{
  DSQ_RANK_HANDLE,     /* one close of a handle at a time */
  DSQ_RANK_CLOSE,      /* one close of a store at a time */
  DSQ_RANK_LOOKOUT,    /* the thread that looks for others' commits: its beginning and end */
  DSQ_RANK_SWEEP,      /* one sweep of what has expired at a time */
  DSQ_RANK_WRITER,     /* a transaction, a flush, a checkpoint; what resolves unknown presences */
  DSQ_RANK_FILTER,     /* one step at a time of building the filter */
  DSQ_RANK_LOG,        /* the connection that syncs and checkpoints */
  DSQ_RANK_COHERENCE,  /* what of the file has been learned */
  DSQ_RANK_SHARD,      /* a shard's entries and what is pending of them; all shards': the tables */
  DSQ_RANK_QUEUE,      /* write-through commits that wait for a leader */
  DSQ_RANK_BUDGET,     /* who waits until less is dirty; what failed last */
  DSQ_RANK_USERS,      /* calls that a close waits for */
  DSQ_RANK_READERS,    /* the pool of connections that read */
  DSQ_RANK_CONNECTION, /* the one connection of a private file */
  DSQ_RANK_FLUSHER,    /* what the flusher's thread is to do */
  DSQ_RANK_WATCH,      /* what has changed, for one who watches */
  DSQ_RANK_CHANNEL,    /* results on their way to a loop */
  DSQ_RANK_WORKERS,    /* async calls that wait for a thread */
  DSQ_RANK_APART,      /* whether what another thread does for the main one is done */
  DSQ_RANK_AHEAD,      /* rows sealed before the writer needs them */
  DSQ_RANK_MARKS,      /* what the rows of each table are bound to */
  DSQ_RANK_CIPHER,     /* derived keys that unseal */
  DSQ_RANK_FILES,      /* which files the process has open */
  DSQ_N_RANKS
} DsqRank;

typedef struct
{
  pthread_mutex_t mutex;
#ifdef DSQ_MUTEX_CHECKS
  DsqRank rank;
  guint number;
  guint depth;
#endif
} DsqMutex;

/* @number: its place among those of its rank that one thread may hold together. */
void dsq_mutex_init (DsqMutex *self, DsqRank rank, guint number);
void dsq_mutex_clear (DsqMutex *self);

/* A condition whose deadlines are of the monotonic clock, in microseconds. */
void dsq_cond_init (pthread_cond_t *self);
/* Until it is signalled, or by chance. */
void dsq_cond_wait (pthread_cond_t *self, DsqMutex *mutex);
/* FALSE: the deadline has passed. */
gboolean dsq_cond_wait_until (pthread_cond_t *self, DsqMutex *mutex, gint64 deadline_us);

#ifdef DSQ_MUTEX_CHECKS

/* Those that the thread initialises from here on are of that depth: 0, or of a transaction. */
void dsq_mutex_begin_depth (guint depth);
void dsq_mutex_note_locking (DsqMutex *self);
void dsq_mutex_note_locked (DsqMutex *self);
void dsq_mutex_note_unlocked (DsqMutex *self);
void dsq_mutex_assert_held (const DsqMutex *self);
/* One of them, whichever. */
void dsq_mutex_assert_rank_held (DsqRank rank);
/* The thread is about to wait for @what: a medium, a lock of the file, a caller's function. */
void dsq_mutex_assert_may_wait (const char *what);
/* The same where any mutex is one too many. */
void dsq_mutex_assert_none_held (const char *what);
/* The same where it is this one that whoever is waited for needs. */
void dsq_mutex_assert_not_held (const DsqMutex *self, const char *what);
/* Between these the thread is as if it held nothing; what the first gives is for the second. */
guint dsq_mutex_hide_held (void);
void dsq_mutex_show_held (guint n_hidden);

#else

#define dsq_mutex_begin_depth(depth)          ((void) 0)
#define dsq_mutex_note_locking(self)          ((void) 0)
#define dsq_mutex_note_locked(self)           ((void) 0)
#define dsq_mutex_note_unlocked(self)         ((void) 0)
#define dsq_mutex_assert_held(self)           ((void) 0)
#define dsq_mutex_assert_rank_held(rank)      ((void) 0)
#define dsq_mutex_assert_may_wait(what)       ((void) 0)
#define dsq_mutex_assert_none_held(what)      ((void) 0)
#define dsq_mutex_assert_not_held(self, what) ((void) 0)
#define dsq_mutex_hide_held()                 (0)
#define dsq_mutex_show_held(n_hidden)         ((void) (n_hidden))

#endif

/* Waits for the mutex, and lets a fork pass meanwhile. */
void dsq_mutex_lock_slowly (DsqMutex *self);

static inline void
dsq_mutex_lock (DsqMutex *self)
{
  dsq_mutex_note_locking (self);
  if (G_UNLIKELY (pthread_mutex_trylock (&self->mutex) != 0))
    dsq_mutex_lock_slowly (self);
  dsq_mutex_note_locked (self);
}

/* FALSE: it would have had to wait. */
static inline gboolean
dsq_mutex_lock_at_once (DsqMutex *self)
{
  dsq_mutex_note_locking (self);
  if (G_UNLIKELY (pthread_mutex_trylock (&self->mutex) != 0))
    return FALSE;
  dsq_mutex_note_locked (self);
  return TRUE;
}

/* FALSE: the deadline, of the monotonic clock in microseconds, has passed. */
gboolean dsq_mutex_lock_until (DsqMutex *self, gint64 deadline_us);

/* May be called in any order, for it does not wait. */
static inline gboolean
dsq_mutex_trylock (DsqMutex *self)
{
  if (pthread_mutex_trylock (&self->mutex) != 0)
    return FALSE;
  dsq_mutex_note_locked (self);
  return TRUE;
}

static inline void
dsq_mutex_unlock (DsqMutex *self)
{
  dsq_mutex_note_unlocked (self);
  pthread_mutex_unlock (&self->mutex);
}

G_END_DECLS
