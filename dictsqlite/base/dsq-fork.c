/* dsq-fork.c - what fork() waits for, and what its child can tell
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/dsq-fork-private.h"
#include "dsq-error.h"

/*
 * A count that is taken back at once may be found by the fork or its child, so that the child goes
 * by what its parent found out.
 */

/* Longest wait of a fork, and of those who wait outside for it to end. */
#define FORK_WAIT_US (5 * G_USEC_PER_SEC)
#define DOOR_WAIT_US (2 * FORK_WAIT_US)

static const guint64 unwatched = 1;

const guint64 *dsq_fork_word = &unwatched;

static guint64 *word;      /* (owned) (nullable) in memory that a fork wipes */
static guint64 last_stamp; /* of this process, or of its parent until the child's handler has run */
guint dsq_fork_n_inside;
guint dsq_fork_n_forking;  /* (set with lock) */
static gboolean is_forced; /* (atomic) somebody went in while a fork was under way */
static gboolean may_hang;  /* somebody was inside when this process was made, or its parent */

/* Below all others, so it has no rank: nothing is called while it is held. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed; /* fewer are inside, or a fork has ended */

__thread guint dsq_fork_depth;
static __thread gboolean is_own_fork; /* the thread is in fork() */
static __thread gboolean is_in_vain;  /* and has waited in vain */

static gboolean
is_fork_under_way (void)
{
  return G_UNLIKELY (__atomic_load_n (&dsq_fork_n_forking, __ATOMIC_SEQ_CST) > 0) && !is_own_fork;
}

/* FALSE: the deadline has passed. */
static gboolean
wait_locked (gint64 deadline_us)
{
  const struct timespec deadline = {
    .tv_sec = deadline_us / G_USEC_PER_SEC,
    .tv_nsec = deadline_us % G_USEC_PER_SEC * 1000,
  };

  return pthread_cond_timedwait (&changed, &lock, &deadline) != ETIMEDOUT;
}

/* --- the threads of a process ----------------------------------------------------------------- */

void
dsq_fork_tell (void)
{
  pthread_mutex_lock (&lock);
  pthread_cond_broadcast (&changed);
  pthread_mutex_unlock (&lock);
}

static gboolean
try_count_in (void)
{
  __atomic_fetch_add (&dsq_fork_n_inside, 1, __ATOMIC_SEQ_CST);
  if (!is_fork_under_way ())
    return TRUE;
  dsq_fork_count_out ();
  return FALSE;
}

gboolean
dsq_fork_wait (void)
{
  gint64 deadline_us = g_get_monotonic_time () + DOOR_WAIT_US;
  gboolean is_in_time = TRUE;

  pthread_mutex_lock (&lock);
  while (is_fork_under_way () && is_in_time)
    is_in_time = wait_locked (deadline_us);
  pthread_mutex_unlock (&lock);
  return is_in_time;
}

/* Whoever waited in vain goes in, and the child that is made meanwhile can tell. */
static void
force_in (void)
{
  __atomic_store_n (&is_forced, TRUE, __ATOMIC_SEQ_CST);
  __atomic_fetch_add (&dsq_fork_n_inside, 1, __ATOMIC_SEQ_CST);
}

/* It has counted itself, and then seen that somebody forks. */
void
dsq_fork_enter_slowly (void)
{
  if (!is_fork_under_way ())
    return;
  dsq_fork_count_out ();
  while (!try_count_in ())
    if (!dsq_fork_wait ())
      {
        force_in ();
        return;
      }
}

#ifdef DSQ_MUTEX_CHECKS

/* Tests of the lower rooms use SQLite without a store, and do not fork. */
void
dsq_fork_assert_inside (void)
{
  if (dsq_fork_depth == 0 && dsq_fork_word != &unwatched)
    g_error ("a thread uses SQLite where a fork does not wait for it");
}

#endif

guint
dsq_fork_pause (void)
{
  guint depth = dsq_fork_depth;

  dsq_fork_depth = 0;
  if (depth > 0)
    dsq_fork_count_out ();
  return depth;
}

void
dsq_fork_resume (guint depth)
{
  if (depth > 0)
    dsq_fork_enter ();
  dsq_fork_depth = depth;
}

gboolean
dsq_fork_try_resume (guint depth, gboolean anyway)
{
  if (depth > 0 && !try_count_in ())
    {
      if (!anyway)
        return FALSE;
      force_in ();
    }
  dsq_fork_depth = depth;
  return TRUE;
}

void
dsq_fork_sleep (guint64 microseconds)
{
  guint depth = dsq_fork_pause ();

  g_usleep ((gulong) microseconds);
  dsq_fork_resume (depth);
}

/* --- fork ------------------------------------------------------------------------------------- */

/* The forking thread itself may be inside. */
static guint
count_own (void)
{
  return dsq_fork_depth > 0 ? 1 : 0;
}

/* What a process cannot tell of itself its children cannot tell either, and its lock is perhaps
 * held for ever. */
static void
prepare (void)
{
  gint64 deadline_us = g_get_monotonic_time () + FORK_WAIT_US;

  if (dsq_fork_get_stamp () == 0)
    {
      may_hang = TRUE;
      return;
    }
  is_own_fork = TRUE;
  is_in_vain = FALSE;
  pthread_mutex_lock (&lock);
  if (__atomic_fetch_add (&dsq_fork_n_forking, 1, __ATOMIC_SEQ_CST) == 0)
    __atomic_store_n (&is_forced, FALSE, __ATOMIC_SEQ_CST);
  while (__atomic_load_n (&dsq_fork_n_inside, __ATOMIC_SEQ_CST) > count_own () && !is_in_vain)
    is_in_vain = !wait_locked (deadline_us);
  pthread_mutex_unlock (&lock);
}

static void
in_parent (void)
{
  if (!is_own_fork)
    return;
  is_own_fork = FALSE;
  pthread_mutex_lock (&lock);
  __atomic_fetch_sub (&dsq_fork_n_forking, 1, __ATOMIC_SEQ_CST);
  pthread_cond_broadcast (&changed);
  pthread_mutex_unlock (&lock);
}

static void
init_changed (void)
{
  pthread_condattr_t attributes;

  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (&changed, &attributes);
  pthread_condattr_destroy (&attributes);
}

/* Threads that waited at the lock are not here any more. */
static void
in_child (void)
{
  pthread_mutex_init (&lock, NULL);
  init_changed ();
  is_own_fork = FALSE;
  may_hang |= is_in_vain || is_forced;
  dsq_fork_n_inside = count_own ();
  dsq_fork_n_forking = 0;
  __atomic_store_n (word, ++last_stamp, __ATOMIC_RELAXED);
}

/* Where the kernel wipes nothing, the handlers alone tell of forks. */
static void
watch (void)
{
  gsize size = (gsize) sysconf (_SC_PAGESIZE);
  guint64 *page = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (page == MAP_FAILED)
    g_error ("Failed to allocate a page");
  madvise (page, size, MADV_WIPEONFORK);
  init_changed ();
  word = page;
  *word = last_stamp = unwatched;
  dsq_fork_word = word;
  pthread_atfork (prepare, in_parent, in_child);
}

gboolean
dsq_fork_enter_to_open (GError **error)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once (&once, watch);
  if (G_LIKELY (!may_hang && dsq_fork_get_stamp () != 0))
    {
      dsq_fork_enter ();
      return TRUE;
    }
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_FORKED,
               "Failed to open the store: %s; start such processes by forkserver or spawn",
               may_hang ? "the process was forked while another thread was inside the library"
                        : "the process was made by clone() without what fork() does");
  return FALSE;
}
