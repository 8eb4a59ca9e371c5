/* dsq-write-behind.c - what is dirty is written, by the flusher's thread or by who finds too much
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-error.h"
#include "engine/dsq-apart-private.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-write-behind-private.h"

/*
 * A round flushes, syncs and, when it is due, checkpoints; an idle one checkpoints what is left in
 * the log. A writer that finds half of the allowed amount dirty has the thread begin at once; one
 * that finds all of it dirty waits for it, round by round. Without the thread it does the round
 * itself. In memory mode there is only something to write when it does not fit, see dsq-spill.c.
 */

/* Bytes that one round gives back to the file system: a few milliseconds' worth. */
#define SHRINK_BYTES (4 << 20)

/* Steps of the budget's threshold in one dirty limit, while it is only the bytes that are many. */
#define N_STEPS 16

void
dsq_engine_shrink_locked (DsqEngine *self, guint max_rounds)
{
  gboolean has_more = self->file != NULL;

  dsq_mutex_assert_held (&self->writer_lock);
  for (guint i = 0; i < max_rounds && has_more; i++)
    if (!self->file->funcs->shrink (self->file, SHRINK_BYTES, &has_more, NULL))
      return;
  if (has_more && dsq_engine_option (self, background))
    dsq_flusher_wake (self->flusher, FALSE);
}

/* Flush and sync; a checkpoint, which may fail without harm, when the log has grown enough. So may
 * the shrinking of a file that has become much too large. */
static gboolean
write_behind_locked (DsqEngine *self, gboolean is_idle, GError **error)
{
  dsq_mutex_assert_held (&self->writer_lock);
  if (dsq_engine_has_failed (self))
    return dsq_engine_sync (self, error);
  if (!dsq_engine_flush_locked (self, error) || !dsq_engine_trim_locked (self, error))
    return FALSE;
  dsq_engine_shrink_locked (self, 1);
  if (!dsq_engine_sync (self, error))
    return FALSE;
  if (self->file != NULL && self->file->funcs->wants_checkpoint (self->file, is_idle))
    self->file->funcs->checkpoint (self->file, NULL);
  return TRUE;
}

static gboolean
do_round (DsqEngine *self, gboolean is_idle, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  if (!dsq_call_lock (&self->writer_lock, error))
    return FALSE;
  if (self->cold != NULL)
    {
      write_behind_locked (self, is_idle, &local_error);
      /* no write passes without a look any more */
      if (dsq_engine_has_failed (self))
        dsq_budget_set_threshold (&self->budget, 0);
      else if (!self->is_lasting && local_error == NULL)
        dsq_engine_reset_threshold (self);
      /* who is cancelled has not failed, for those that wait for a flush */
      if (!g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        dsq_budget_end_round (&self->budget, local_error);
    }
  dsq_mutex_unlock (&self->writer_lock);
  if (local_error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

static gboolean
round_cb (gpointer engine, GBytes *nothing, guint32 *out_nothing, GError **error)
{
  return do_round (engine, FALSE, error);
}

static gboolean
write_behind (DsqEngine *self, GError **error)
{
  guint32 nothing;

  return dsq_apart_call (dsq_engine_apart (self), round_cb, self, NULL, &nothing, error);
}

static void
set_may_hold (DsqEngine *self, gboolean may_hold)
{
  if (!dsq_engine_enter (self, NULL))
    return;
  if (self->file != NULL)
    self->file->funcs->set_may_hold (self->file, may_hold);
  dsq_engine_leave (self);
}

/* While the thread is at work it ends no read transaction, and so none is kept. */
static gboolean
do_round_behind (DsqEngine *self, gboolean is_idle)
{
  gboolean success;

  set_may_hold (self, FALSE);
  success = do_round (self, is_idle, NULL);
  set_may_hold (self, TRUE);
  return success;
}

DsqRound
dsq_engine_work_behind (gpointer user_data, gboolean is_idle)
{
  DsqEngine *self = user_data;

  dsq_patience.timeout_ms = dsq_engine_option (self, busy_timeout_ms);
  if (!self->is_lasting && !dsq_engine_wants_spill (self))
    dsq_budget_skip_round (&self->budget);
  /* the error is in the statistics, and the next flush() meets it as well */
  else if (!do_round_behind (self, is_idle) && self->is_lasting)
    return DSQ_ROUND_FAILED;
  return self->is_lasting ? DSQ_ROUND_LEAVES : DSQ_ROUND_DONE;
}

gboolean
dsq_engine_flush (DsqEngine *self, GError **error)
{
  gboolean success;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = !self->is_lasting || self->options.read_only || write_behind (self, error);
  dsq_engine_leave (self);
  return success;
}

/* --- too much --------------------------------------------------------------------------------- */

void
dsq_engine_wake_flusher (DsqEngine *self)
{
  dsq_flusher_wake (self->flusher,
                    dsq_budget_get_bytes (&self->budget) >=
                        dsq_engine_option (self, dirty_limit) / 2);
}

static gboolean
is_too_much (DsqEngine *self)
{
  return dsq_budget_get_bytes (&self->budget) >= dsq_engine_option (self, dirty_limit) &&
         (self->is_lasting || dsq_engine_exceeds_memory (self));
}

static gboolean
wait_for_thread (DsqEngine *self, GError **error)
{
  gboolean success = TRUE;

  while (success && !dsq_engine_is_closed (self))
    {
      DsqBudgetMark mark = dsq_budget_mark (&self->budget);

      if (!is_too_much (self))
        break;
      dsq_flusher_wake (self->flusher, TRUE);
      success = dsq_budget_wait (&self->budget, &mark, error);
    }
  return success;
}

static gboolean
keep_in_memory (DsqEngine *self, GError **error)
{
  guint64 limit = dsq_engine_option (self, dirty_limit);
  guint64 n_bytes = dsq_budget_get_bytes (&self->budget);

  if (!dsq_engine_exceeds_memory (self))
    {
      dsq_budget_set_threshold (&self->budget, n_bytes + limit / N_STEPS + 1);
      return TRUE;
    }
  if (n_bytes >= limit)
    dsq_counters_add (&self->counters, DSQ_COUNT_WRITER_WAITS, 1);
  if (!dsq_engine_option (self, background) || !dsq_flusher_start (self->flusher))
    return write_behind (self, error);
  if (n_bytes >= limit)
    return wait_for_thread (self, error);
  dsq_budget_set_threshold (&self->budget, limit);
  dsq_flusher_wake (self->flusher, TRUE);
  return TRUE;
}

/* What waits for a flush would never get one: of the write itself that is known. */
static gboolean
refuse_write (DsqEngine *self, GError **error)
{
  GError *failure = NULL;

  if (dsq_engine_sync (self, &failure))
    return TRUE;
  if (g_error_matches (failure, DSQ_ERROR, DSQ_ERROR_OUTCOME_UNKNOWN))
    failure->code = DSQ_ERROR_IO;
  g_propagate_error (error, failure);
  return FALSE;
}

static gboolean
keep_lasting (DsqEngine *self, GError **error)
{
  dsq_counters_add (&self->counters, DSQ_COUNT_WRITER_WAITS, 1);
  if (dsq_engine_has_failed (self))
    return refuse_write (self, error);
  return dsq_engine_option (self, background) ? wait_for_thread (self, error)
                                              : write_behind (self, error);
}

gboolean
dsq_engine_keep_budget (DsqEngine *self, GError **error)
{
  gboolean success;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = self->is_lasting ? keep_lasting (self, error) : keep_in_memory (self, error);
  dsq_engine_leave (self);
  return success;
}
