/* dsq-mutex-private.h - mutexes that know in which order they are taken
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <pthread.h>

G_BEGIN_DECLS

/*
 * A thread takes mutexes in the order of their ranks, those of one rank by ascending number. Builds
 * with DSQ_MUTEX_CHECKS (a sanitizer's, or without optimisation) keep what each thread holds, and
 * abort with the names of both on another order, on a wait while one is held that nobody may wait
 * under, and on a function whose mutex is not held. In others all of it compiles to nothing, and a
 * DsqMutex is a pthread_mutex_t.
 */
typedef enum
{
  DSQ_RANK_CLOSE,
  DSQ_RANK_SWEEP,
  DSQ_RANK_WRITER,
  DSQ_RANK_FILTER,
  DSQ_RANK_LOG,
  DSQ_RANK_COHERENCE,
  DSQ_RANK_SHARD,
  DSQ_RANK_QUEUE,
  DSQ_RANK_ROOM,
  DSQ_RANK_USERS,
  DSQ_RANK_READERS,
  DSQ_RANK_CONNECTION,
  DSQ_RANK_FLUSHER,
  DSQ_RANK_CHANNEL,
  DSQ_RANK_WORKERS,
  DSQ_RANK_AHEAD,
  DSQ_RANK_CIPHER,
  DSQ_N_RANKS
} DsqRank;

typedef struct
{
  pthread_mutex_t mutex;
#ifdef DSQ_MUTEX_CHECKS
  DsqRank rank;
  guint number;
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

#else

#define dsq_mutex_note_locking(self)     ((void) 0)
#define dsq_mutex_note_locked(self)      ((void) 0)
#define dsq_mutex_note_unlocked(self)    ((void) 0)
#define dsq_mutex_assert_held(self)      ((void) 0)
#define dsq_mutex_assert_rank_held(rank) ((void) 0)
#define dsq_mutex_assert_may_wait(what)  ((void) 0)
#define dsq_mutex_assert_none_held(what) ((void) 0)

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
