/* dsq-mutex.c - mutexes that know in which order they are taken
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-fork-private.h"
#include "base/dsq-mutex-private.h"

void
dsq_cond_init (pthread_cond_t *self)
{
  pthread_condattr_t attributes;

  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (self, &attributes);
  pthread_condattr_destroy (&attributes);
}

#ifndef DSQ_MUTEX_CHECKS

void
dsq_mutex_init (DsqMutex *self, DsqRank rank, guint number)
{
  pthread_mutex_init (&self->mutex, NULL);
}

#else

#include <stdio.h>
#include <stdlib.h>

/* Most that one thread holds: all shards, and one of each other rank. */
#define MAX_HELD 64

typedef struct
{
  const char *name;
  gboolean may_wait; /* a thread that holds it may wait for something else than a mutex */
} Rank;

static const Rank ranks[DSQ_N_RANKS] = {
  [DSQ_RANK_HANDLE] = { "handle", TRUE },    [DSQ_RANK_CLOSE] = { "close", TRUE },
  [DSQ_RANK_LOOKOUT] = { "lookout", TRUE },  [DSQ_RANK_SWEEP] = { "sweep", TRUE },
  [DSQ_RANK_WRITER] = { "writer", TRUE },    [DSQ_RANK_FILTER] = { "filter", TRUE },
  [DSQ_RANK_LOG] = { "log", TRUE },          [DSQ_RANK_COHERENCE] = { "coherence", TRUE },
  [DSQ_RANK_SHARD] = { "shard", FALSE },     [DSQ_RANK_QUEUE] = { "queue", FALSE },
  [DSQ_RANK_BUDGET] = { "budget", FALSE },   [DSQ_RANK_USERS] = { "users", FALSE },
  [DSQ_RANK_READERS] = { "readers", TRUE },  [DSQ_RANK_CONNECTION] = { "connection", TRUE },
  [DSQ_RANK_FLUSHER] = { "flusher", FALSE }, [DSQ_RANK_WATCH] = { "watch", FALSE },
  [DSQ_RANK_CHANNEL] = { "channel", FALSE }, [DSQ_RANK_WORKERS] = { "workers", FALSE },
  [DSQ_RANK_APART] = { "apart", FALSE },     [DSQ_RANK_AHEAD] = { "ahead", FALSE },
  [DSQ_RANK_MARKS] = { "marks", FALSE },     [DSQ_RANK_CIPHER] = { "cipher", FALSE },
  [DSQ_RANK_FILES] = { "files", FALSE },
};

typedef struct
{
  const DsqMutex *mutexes[MAX_HELD]; /* (unowned) in the order in which they were taken */
  guint n_mutexes;
  guint n_hidden;         /* of these, the first, which nothing is said of */
  gboolean has_inherited; /* a child may unlock what its parent's thread had locked */
  guint64 stamp; /* of the process: in a fork's child the thread holds nothing that is its own */
} Held;

static __thread Held held;
static __thread guint depth_to_come;

static void
forget_inherited (void)
{
  if (held.stamp == dsq_fork_get_stamp ())
    return;
  held.stamp = dsq_fork_get_stamp ();
  held.has_inherited |= held.n_mutexes > 0;
  held.n_mutexes = 0;
  held.n_hidden = 0;
}

/* @other: the one that is in the way, or NULL for all that the thread holds. */
static void G_GNUC_NORETURN
fail (const char *complaint, const char *name, const DsqMutex *other)
{
  fprintf (stderr, "dsq-mutex: %s %s while holding", complaint, name);
  for (guint i = held.n_hidden; i < held.n_mutexes; i++)
    if (other == NULL || other == held.mutexes[i])
      fprintf (stderr, " %s %u", ranks[held.mutexes[i]->rank].name, held.mutexes[i]->number);
  fputs (held.n_mutexes > held.n_hidden ? "\n" : " nothing\n", stderr);
  abort ();
}

void
dsq_mutex_init (DsqMutex *self, DsqRank rank, guint number)
{
  pthread_mutex_init (&self->mutex, NULL);
  self->rank = rank;
  self->number = number;
  self->depth = depth_to_come;
}

void
dsq_mutex_begin_depth (guint depth)
{
  depth_to_come = depth;
}

void
dsq_mutex_note_locking (DsqMutex *self)
{
  forget_inherited ();
  for (guint i = held.n_hidden; i < held.n_mutexes; i++)
    {
      const DsqMutex *other = held.mutexes[i];

      if (other->depth > self->depth)
        continue;
      if (other->depth < self->depth || other->rank > self->rank ||
          (other->rank == self->rank && other->number >= self->number))
        fail ("locks out of order:", ranks[self->rank].name, other);
    }
}

void
dsq_mutex_note_locked (DsqMutex *self)
{
  forget_inherited ();
  if (held.n_mutexes == MAX_HELD)
    fail ("too many locks at", ranks[self->rank].name, NULL);
  held.mutexes[held.n_mutexes++] = self;
}

void
dsq_mutex_note_unlocked (DsqMutex *self)
{
  guint at;

  forget_inherited ();
  at = held.n_mutexes;
  while (at > held.n_hidden && held.mutexes[at - 1] != self)
    at--;
  if (at == held.n_hidden && held.has_inherited)
    return;
  if (at == held.n_hidden)
    fail ("unlocks what it does not hold:", ranks[self->rank].name, NULL);
  for (; at < held.n_mutexes; at++)
    held.mutexes[at - 1] = held.mutexes[at];
  held.n_mutexes--;
}

void
dsq_mutex_assert_held (const DsqMutex *self)
{
  forget_inherited ();
  for (guint i = held.n_mutexes; i > held.n_hidden; i--)
    if (held.mutexes[i - 1] == self)
      return;
  fail ("does not hold", ranks[self->rank].name, NULL);
}

void
dsq_mutex_assert_not_held (const DsqMutex *self, const char *what)
{
  forget_inherited ();
  for (guint i = held.n_mutexes; i > held.n_hidden; i--)
    if (held.mutexes[i - 1] == self)
      fail ("waits for", what, self);
}

void
dsq_mutex_assert_rank_held (DsqRank rank)
{
  forget_inherited ();
  for (guint i = held.n_mutexes; i > held.n_hidden; i--)
    if (held.mutexes[i - 1]->rank == rank)
      return;
  fail ("does not hold any", ranks[rank].name, NULL);
}

static void
assert_may_wait (const char *what, const DsqMutex *except)
{
  forget_inherited ();
  for (guint i = held.n_hidden; i < held.n_mutexes; i++)
    if (held.mutexes[i] != except && !ranks[held.mutexes[i]->rank].may_wait)
      fail ("waits for", what, held.mutexes[i]);
}

void
dsq_mutex_assert_may_wait (const char *what)
{
  assert_may_wait (what, NULL);
}

void
dsq_mutex_assert_none_held (const char *what)
{
  forget_inherited ();
  if (held.n_mutexes > held.n_hidden)
    fail ("waits for", what, held.mutexes[held.n_hidden]);
}

guint
dsq_mutex_hide_held (void)
{
  guint n_hidden = held.n_hidden;

  forget_inherited ();
  held.n_hidden = held.n_mutexes;
  return n_hidden;
}

/* In a child it holds nothing that is its own. */
void
dsq_mutex_show_held (guint n_hidden)
{
  forget_inherited ();
  held.n_hidden = MIN (n_hidden, held.n_mutexes);
}

#endif

void
dsq_mutex_clear (DsqMutex *self)
{
  pthread_mutex_destroy (&self->mutex);
}

/* Who has waited goes on with the mutex held, but not while a fork waits for those that wait for
 * the mutex. */
static void
resume (DsqMutex *self, guint depth)
{
  gboolean anyway = FALSE;

  while (!dsq_fork_try_resume (depth, anyway))
    {
      pthread_mutex_unlock (&self->mutex);
      anyway = !dsq_fork_wait ();
      pthread_mutex_lock (&self->mutex);
    }
}

void
dsq_mutex_lock_slowly (DsqMutex *self)
{
  guint depth = dsq_fork_pause ();

  pthread_mutex_lock (&self->mutex);
  resume (self, depth);
}

static struct timespec
as_timespec (gint64 deadline_us)
{
  return (struct timespec){
    .tv_sec = deadline_us / G_USEC_PER_SEC,
    .tv_nsec = deadline_us % G_USEC_PER_SEC * 1000,
  };
}

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#define TELL_SANITIZER
#endif
#endif

/* clang's thread sanitizer has to be told what this call of glibc's does. */
static gboolean
lock_mutex_until (pthread_mutex_t *mutex, const struct timespec *deadline)
{
  gboolean is_in_time;

#ifdef TELL_SANITIZER
  __tsan_mutex_pre_lock (mutex, __tsan_mutex_try_lock);
#endif
  is_in_time = pthread_mutex_clocklock (mutex, CLOCK_MONOTONIC, deadline) == 0;
#ifdef TELL_SANITIZER
  __tsan_mutex_post_lock (mutex,
                          __tsan_mutex_try_lock | (is_in_time ? 0 : __tsan_mutex_try_lock_failed),
                          0);
#endif
  return is_in_time;
}

gboolean
dsq_mutex_lock_until (DsqMutex *self, gint64 deadline_us)
{
  const struct timespec deadline = as_timespec (deadline_us);
  guint depth;

  if (dsq_mutex_lock_at_once (self))
    return TRUE;
  depth = dsq_fork_pause ();
  if (!lock_mutex_until (&self->mutex, &deadline))
    {
      dsq_fork_resume (depth);
      return FALSE;
    }
  resume (self, depth);
  dsq_mutex_note_locked (self);
  return TRUE;
}

/* A wait gives its own mutex back for as long as it lasts. */
static guint
begin_wait (DsqMutex *mutex)
{
#ifdef DSQ_MUTEX_CHECKS
  dsq_mutex_assert_held (mutex);
  assert_may_wait ("a condition", mutex);
#endif
  return dsq_fork_pause ();
}

void
dsq_cond_wait (pthread_cond_t *self, DsqMutex *mutex)
{
  guint depth = begin_wait (mutex);

  pthread_cond_wait (self, &mutex->mutex);
  resume (mutex, depth);
}

gboolean
dsq_cond_wait_until (pthread_cond_t *self, DsqMutex *mutex, gint64 deadline_us)
{
  const struct timespec deadline = as_timespec (deadline_us);
  guint depth = begin_wait (mutex);
  gboolean is_in_time = pthread_cond_timedwait (self, &mutex->mutex, &deadline) == 0;

  resume (mutex, depth);
  return is_in_time;
}
