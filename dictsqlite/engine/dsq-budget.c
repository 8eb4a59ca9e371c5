/* dsq-budget.c - how much may be dirty, and who waits until it is less
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "engine/dsq-budget-private.h"

/*
 * A writer that finds more dirty than the threshold allows looks closer, and if it really is too
 * much waits round by round: it marks where the rounds stand, sees that it still is too much, has a
 * round begun and waits for its end. So none is missed that ends in between. A failure ends the
 * wait of all who were waiting: their write would only add to what cannot be written.
 */

/* Most bytes that a shard counts for itself. */
#define MAX_GRAIN 16384

void
dsq_budget_init (DsqBudget *self, guint64 limit)
{
  self->grain = (gint64) MIN (limit / 256, MAX_GRAIN);
  dsq_mutex_init (&self->lock, DSQ_RANK_BUDGET, 0);
  dsq_cond_init (&self->cond);
  dsq_budget_set_threshold (self, limit);
}

void
dsq_budget_clear (DsqBudget *self)
{
  dsq_mutex_clear (&self->lock);
  pthread_cond_destroy (&self->cond);
  g_clear_error (&self->last_error);
}

void
dsq_budget_set_threshold (DsqBudget *self, guint64 threshold)
{
  __atomic_store_n (&self->threshold, MIN (threshold, (guint64) G_MAXINT64), __ATOMIC_RELAXED);
}

void
dsq_budget_end_round (DsqBudget *self, const GError *error)
{
  dsq_mutex_lock (&self->lock);
  self->n_rounds++;
  g_clear_error (&self->last_error);
  if (error != NULL)
    {
      self->last_error = g_error_copy (error);
      self->n_failures++;
    }
  pthread_cond_broadcast (&self->cond);
  dsq_mutex_unlock (&self->lock);
}

void
dsq_budget_skip_round (DsqBudget *self)
{
  dsq_mutex_lock (&self->lock);
  self->n_rounds++;
  pthread_cond_broadcast (&self->cond);
  dsq_mutex_unlock (&self->lock);
}

DsqBudgetMark
dsq_budget_mark (DsqBudget *self)
{
  DsqBudgetMark mark;

  dsq_mutex_lock (&self->lock);
  mark = (DsqBudgetMark){ self->n_rounds, self->n_failures };
  dsq_mutex_unlock (&self->lock);
  return mark;
}

gboolean
dsq_budget_wait (DsqBudget *self, const DsqBudgetMark *mark, GError **error)
{
  gboolean goes_on = TRUE, has_failed;
  g_autoptr (GError) local_error = NULL;

  dsq_patience_note_wait (g_get_monotonic_time ());
  dsq_mutex_lock (&self->lock);
  while (self->n_rounds == mark->n_rounds && (goes_on = dsq_call_check_wait (&local_error)))
    dsq_call_wait (&self->cond, &self->lock);
  has_failed = self->last_error != NULL && self->n_failures != mark->n_failures;
  if (has_failed)
    g_propagate_error (error, g_error_copy (self->last_error));
  dsq_mutex_unlock (&self->lock);
  if (!has_failed && !goes_on)
    g_propagate_error (error, g_steal_pointer (&local_error));
  return !has_failed && goes_on && dsq_call_check (error);
}

guint64
dsq_budget_get_failures (DsqBudget *self, char **out_last_error)
{
  guint64 n_failures;

  dsq_mutex_lock (&self->lock);
  n_failures = self->n_failures;
  *out_last_error = self->last_error != NULL ? g_strdup (self->last_error->message) : NULL;
  dsq_mutex_unlock (&self->lock);
  return n_failures;
}
