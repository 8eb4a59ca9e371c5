/* dsq-fork-private.h - what fork() waits for, and what its child can tell
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * A child of fork() has one thread, and every lock as it was: one that another thread held stays
 * locked for ever, SQLite's own for a whole process among them. So fork() waits, for some seconds
 * at most, until no thread is inside, and lets none in meanwhile. Inside is what may use SQLite,
 * but not who waits there: for a mutex, a condition, another process or a caller's function. A call
 * that takes one shard's lock is not inside either: no child uses that lock, and all that is called
 * under it is malloc, which libc sees to.
 */

/* A number of this process that no process before it had, or 0 where it cannot be told: in a child
 * for which fork()'s handlers have not run. */
extern const guint64 *dsq_fork_word;

static inline guint64
dsq_fork_get_stamp (void)
{
  return __atomic_load_n (dsq_fork_word, __ATOMIC_RELAXED);
}

/* Threads inside, and in fork(); and how often this one is inside. Of who goes in and who forks at
 * least one sees the other, for each counts itself before it looks. */
extern guint dsq_fork_n_inside;  /* (atomic) */
extern guint dsq_fork_n_forking; /* (atomic) */
extern __thread guint dsq_fork_depth;

void dsq_fork_enter_slowly (void);
void dsq_fork_tell (void);

static inline void
dsq_fork_count_out (void)
{
  __atomic_fetch_sub (&dsq_fork_n_inside, 1, __ATOMIC_SEQ_CST);
  if (G_UNLIKELY (__atomic_load_n (&dsq_fork_n_forking, __ATOMIC_SEQ_CST) > 0))
    dsq_fork_tell ();
}

/* The thread is inside between these, which may be nested. The first may wait, with no mutex held
 * that nobody may wait under. */
static inline void
dsq_fork_enter (void)
{
  if (dsq_fork_depth == 0)
    {
      __atomic_fetch_add (&dsq_fork_n_inside, 1, __ATOMIC_SEQ_CST);
      if (G_UNLIKELY (__atomic_load_n (&dsq_fork_n_forking, __ATOMIC_SEQ_CST) > 0))
        dsq_fork_enter_slowly ();
    }
  dsq_fork_depth++;
}

static inline void
dsq_fork_leave (void)
{
  if (--dsq_fork_depth == 0)
    dsq_fork_count_out ();
}

/* The first for a call that opens files of its own; from then on forks are noticed. FALSE, and not
 * inside: this process must not use SQLite, for it may hang. */
gboolean dsq_fork_enter_to_open (GError **error);

/* The thread is about to use SQLite, which aborts in builds that check locks if it is outside. */
#ifdef DSQ_MUTEX_CHECKS
void dsq_fork_assert_inside (void);
#else
#define dsq_fork_assert_inside() ((void) 0)
#endif

/* The thread waits between these, and is not inside whatever it did before; it may wait longer for
 * a fork to end. What the first gives is for the second. */
guint dsq_fork_pause (void);
void dsq_fork_resume (guint depth);
/* The second for who holds a mutex that others wait for inside: FALSE when a fork is under way, and
 * the mutex is to be given back for a dsq_fork_wait(). That is FALSE when it has waited in vain, so
 * that the next try is to be @anyway. */
gboolean dsq_fork_try_resume (guint depth, gboolean anyway);
gboolean dsq_fork_wait (void);

/* Sleeps, outside. */
void dsq_fork_sleep (guint64 microseconds);

G_END_DECLS
