/* dsq-commit-queue.c - who waits for a commit, and who leads the others into it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "engine/dsq-commit-queue-private.h"

/*
 * Writers queue up; the first becomes the leader. It waits for what a commit needs, and only then
 * takes all that wait, commits them in one transaction (one sync, with full durability) and wakes
 * their threads.
 *
 * Whoever is cancelled before its writes are taken leaves the queue with them, the leader too, and
 * so does who has waited in vain: after a leader another leads, whose own wait it is. What is taken
 * is committed, the writes excepted whose call is cancelled before their turn.
 */

void
dsq_commit_queue_init (DsqCommitQueue *self)
{
  dsq_mutex_init (&self->lock, DSQ_RANK_QUEUE, 0);
  dsq_cond_init (&self->cond);
  self->end = &self->first;
}

void
dsq_commit_queue_clear (DsqCommitQueue *self)
{
  dsq_mutex_clear (&self->lock);
  pthread_cond_destroy (&self->cond);
}

void
dsq_queued_fail_all (DsqQueued *first, const GError *error)
{
  for (DsqQueued *queued = first; queued != NULL; queued = queued->next)
    if (queued->error == NULL)
      queued->error = g_error_copy (error);
}

void
dsq_commit_queue_join (DsqCommitQueue *self, DsqQueued *first, DsqQueued *last)
{
  dsq_mutex_lock (&self->lock);
  for (DsqQueued *queued = first; queued != NULL; queued = queued->next)
    {
      queued->cancellable = dsq_call_state.cancellable;
      queued->queued_at = g_get_monotonic_time ();
    }
  *self->end = first;
  self->end = &last->next;
  dsq_mutex_unlock (&self->lock);
}

/* The first of a chain that is not done. */
static DsqQueued *
first_waiting_locked (DsqCommitQueue *self, DsqQueued *first, const DsqQueued *last)
{
  dsq_mutex_assert_held (&self->lock);
  while (first != last && first->is_done)
    first = first->next;
  return first;
}

static gboolean
is_queued_locked (DsqCommitQueue *self, const DsqQueued *queued)
{
  const DsqQueued *other = self->first;

  dsq_mutex_assert_held (&self->lock);
  while (other != NULL && other != queued)
    other = other->next;
  return other != NULL;
}

/* Takes what of a chain waits out of the queue, failed. */
static void
leave_locked (DsqCommitQueue *self, DsqQueued *first, DsqQueued *last, const GError *error)
{
  DsqQueued **link = &self->first;

  dsq_mutex_assert_held (&self->lock);
  first = first_waiting_locked (self, first, last);
  while (*link != first)
    link = &(*link)->next;
  *link = last->next;
  if (last->next == NULL)
    self->end = link;
  last->next = NULL;
  dsq_queued_fail_all (first, error);
  last->is_done = TRUE;
}

gboolean
dsq_commit_queue_leads (DsqCommitQueue *self, DsqQueued *first, DsqQueued *last)
{
  g_autoptr (GError) error = NULL;
  gboolean leads;

  dsq_patience_note_wait (first->queued_at);
  dsq_mutex_lock (&self->lock);
  while (!last->is_done && self->has_leader)
    {
      g_clear_error (&error);
      if (!dsq_call_check_wait (&error) &&
          is_queued_locked (self, first_waiting_locked (self, first, last)))
        leave_locked (self, first, last, error);
      else
        dsq_call_wait (&self->cond, &self->lock);
    }
  leads = !last->is_done;
  self->has_leader |= leads;
  dsq_mutex_unlock (&self->lock);
  return leads;
}

gboolean
dsq_commit_queue_is_done (DsqCommitQueue *self, const DsqQueued *queued)
{
  gboolean is_done;

  dsq_mutex_lock (&self->lock);
  is_done = queued->is_done;
  dsq_mutex_unlock (&self->lock);
  return is_done;
}

void
dsq_commit_queue_resign (DsqCommitQueue *self,
                         DsqQueued *first,
                         DsqQueued *last,
                         const GError *error)
{
  dsq_mutex_lock (&self->lock);
  /* the others have waited less, or will find out at once that they have not */
  if (error != NULL)
    leave_locked (self, first, last, error);
  self->has_leader = FALSE;
  pthread_cond_broadcast (&self->cond);
  dsq_mutex_unlock (&self->lock);
}

DsqQueued *
dsq_commit_queue_take (DsqCommitQueue *self, gboolean takes_patient)
{
  DsqQueued *taken = NULL, **taken_end = &taken, **left_end = &self->first;

  dsq_mutex_lock (&self->lock);
  for (DsqQueued *queued = self->first; queued != NULL; queued = queued->next)
    {
      DsqQueued ***end = queued->is_patient && !takes_patient ? &left_end : &taken_end;

      **end = queued;
      *end = &queued->next;
    }
  *taken_end = *left_end = NULL;
  self->end = left_end;
  dsq_mutex_unlock (&self->lock);
  return taken;
}

void
dsq_commit_queue_finish (DsqCommitQueue *self, DsqQueued *taken, DsqQueued *rest)
{
  DsqQueued **end = &rest;

  dsq_mutex_lock (&self->lock);
  for (DsqQueued *queued = taken, *next; queued != rest; queued = next)
    {
      next = queued->next;
      queued->is_done = TRUE;
    }
  while (*end != NULL)
    end = &(*end)->next;
  if (rest != NULL)
    {
      *end = self->first;
      if (self->first == NULL)
        self->end = end;
      self->first = rest;
    }
  pthread_cond_broadcast (&self->cond);
  dsq_mutex_unlock (&self->lock);
}
