/* dsq-write-queue.c - writes that wait for a commit, and the one that leads them into it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-write-through-private.h"

/*
 * Writers queue up; the first becomes the leader. It waits for the writer's lock and for other
 * processes, and only then takes all that wait, commits them in one transaction (one sync, with
 * full durability) and wakes their threads.
 *
 * Whoever is cancelled before its writes are taken leaves the queue with them, the leader too, and
 * so does a leader that has waited in vain: then another leads, whose own wait it is. What is taken
 * is committed, the writes excepted whose call is cancelled before their turn.
 */

static gboolean
is_queued_locked (DsqEngine *self, const DsqWrite *write)
{
  const DsqWrite *queued = self->queue_first;

  dsq_mutex_assert_held (&self->queue_lock);
  while (queued != NULL && queued != write)
    queued = queued->next;
  return queued != NULL;
}

/* The first of a chain that is not done. */
static DsqWrite *
first_waiting_locked (DsqEngine *self, DsqWrite *first, const DsqWrite *last)
{
  dsq_mutex_assert_held (&self->queue_lock);
  while (first != last && first->is_done)
    first = first->next;
  return first;
}

/* Takes what of a chain waits out of the queue, failed. */
static void
leave_queue_locked (DsqEngine *self, DsqWrite *first, DsqWrite *last, const GError *error)
{
  DsqWrite **link = &self->queue_first;

  dsq_mutex_assert_held (&self->queue_lock);
  first = first_waiting_locked (self, first, last);
  while (*link != first)
    link = &(*link)->next;
  *link = last->next;
  if (last->next == NULL)
    self->queue_end = link;
  last->next = NULL;
  dsq_write_fail_all (first, error);
  last->is_done = TRUE;
}

static void
lead_locked (DsqEngine *self, DsqWrite *first, DsqWrite *last)
{
  g_autoptr (GError) error = NULL;

  dsq_mutex_assert_held (&self->queue_lock);
  self->has_leader = TRUE;
  dsq_mutex_unlock (&self->queue_lock);
  dsq_call_state.waits_since = first->queued_at;
  if (dsq_call_lock (&self->writer_lock, &error))
    {
      dsq_engine_commit_queued_locked (self, first, &error);
      dsq_mutex_unlock (&self->writer_lock);
    }
  dsq_call_state.waits_since = 0;
  dsq_mutex_lock (&self->queue_lock);
  /* the others have waited less, or will find out at once that they have not */
  if (error != NULL)
    leave_queue_locked (self, first, last, error);
  self->has_leader = FALSE;
  pthread_cond_broadcast (&self->queue_cond);
}

/* Of a chain the last is done last. */
static void
queue_and_wait (DsqEngine *self, DsqWrite *first, DsqWrite *last)
{
  g_autoptr (GError) error = NULL;

  dsq_mutex_lock (&self->queue_lock);
  for (DsqWrite *write = first; write != NULL; write = write->next)
    {
      write->cancellable = dsq_call_state.cancellable;
      write->queued_at = g_get_monotonic_time ();
    }
  *self->queue_end = first;
  self->queue_end = &last->next;
  dsq_workers_pass_turn ();
  while (!last->is_done)
    {
      if (!self->has_leader)
        lead_locked (self, first, last);
      else if (dsq_call_state.cancellable != NULL &&
               is_queued_locked (self, first_waiting_locked (self, first, last)) &&
               !dsq_call_check (&error))
        leave_queue_locked (self, first, last, error);
      else
        dsq_call_wait (&self->queue_cond, &self->queue_lock);
    }
  dsq_mutex_unlock (&self->queue_lock);
  /* what was queued behind the chain may be gone by now */
  for (const DsqWrite *write = first; write != NULL; write = write != last ? write->next : NULL)
    if (write->n_keys != 0)
      dsq_pending_count_own (dsq_engine_pending (self, write->table), write->n_keys);
}

/* As dsq_engine_enter(), for what writes. */
static gboolean
enter_to_write (DsqEngine *self, GError **error)
{
  if (!dsq_engine_enter (self, error))
    return FALSE;
  if (!self->options.read_only)
    return TRUE;
  dsq_engine_leave (self);
  return dsq_engine_refuse_read_only (error);
}

void
dsq_engine_write_through_chain (DsqEngine *self, DsqWrite *first, DsqWrite *last)
{
  g_autoptr (GError) error = NULL;

  if (enter_to_write (self, &error))
    {
      queue_and_wait (self, first, last);
      dsq_engine_leave (self);
      return;
    }
  dsq_write_fail_all (first, error);
}

gboolean
dsq_engine_write_through (DsqEngine *self, DsqWrite *write, GError **error)
{
  if (!enter_to_write (self, error))
    return FALSE;
  queue_and_wait (self, write, write);
  dsq_engine_leave (self);
  if (write->error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&write->error));
  return FALSE;
}
