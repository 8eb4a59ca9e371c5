/* dsq-spill.c - memory mode's part of making room: what does not fit goes to a private file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-engine-internal.h"
#include "engine/dsq-expiry-private.h"
#include "engine/dsq-flusher-private.h"
#include "engine/dsq-write-behind-private.h"

/*
 * In memory mode nothing need ever be in a file, so everything is dirty, and nothing is written as
 * long as it fits: as long as there are no more entries and bytes than the hot tier may hold, or
 * what is dirty takes less than the dirty limit. Beyond both, a flush into the private cold tier
 * makes all of them clean; then the hot tier keeps its capacity, the warm one its budget, and the
 * private file the rest. Memory is bounded by the three of them.
 *
 * Counting entries takes all locks in turn, so it is done when the dirty bytes have passed
 * room_limit, which is then moved on by a step. With background the limit is half of the dirty
 * limit at first, for the thread to begin, and writers wait at the whole of it.
 */

/* Steps of room_limit in one dirty limit, while it is only the bytes that are many. */
#define N_STEPS 16

static guint64
base_limit (DsqEngine *self)
{
  guint64 limit = self->options.dirty_limit;

  return self->is_lasting || !self->options.background ? limit : limit / 2;
}

void
dsq_engine_reset_room_limit (DsqEngine *self)
{
  __atomic_store_n (&self->room_limit,
                    MIN (base_limit (self), (guint64) G_MAXINT64),
                    __ATOMIC_RELAXED);
}

static gboolean
exceeds_capacity (DsqEngine *self)
{
  guint64 n_entries = __atomic_load_n (&self->hot->n_clean, __ATOMIC_RELAXED);

  /* with max_bytes what is too much is dropped instead */
  if (self->options.max_bytes != 0)
    return FALSE;
  if (__atomic_load_n (&self->hot->clean_bytes, __ATOMIC_RELAXED) + dsq_engine_dirty_bytes (self) >
      self->options.hot_limit)
    return TRUE;
  for (guint i = 0; i < self->hot->n_shards; i++)
    {
      dsq_hot_shard_lock (&self->hot->shards[i]);
      n_entries += self->hot->shards[i].n_dirty;
      dsq_hot_shard_unlock (&self->hot->shards[i]);
    }
  return n_entries > self->options.hot_capacity;
}

static gboolean
is_due (DsqEngine *self, guint64 limit)
{
  return dsq_engine_dirty_bytes (self) >= limit && exceeds_capacity (self);
}

gboolean
dsq_engine_wants_spill (DsqEngine *self)
{
  return is_due (self, base_limit (self));
}

/* Until a round of the thread has spilled, or failed to. */
static gboolean
wait_for_thread (DsqEngine *self, GError **error)
{
  gboolean success = TRUE;

  while (success && !dsq_engine_is_closed (self))
    {
      guint64 n_rounds, n_failures;

      dsq_mutex_lock (&self->room_lock);
      n_rounds = self->n_rounds;
      n_failures = self->n_failures;
      dsq_mutex_unlock (&self->room_lock);
      if (!is_due (self, self->options.dirty_limit))
        break;
      dsq_flusher_wake (self->flusher, TRUE);
      dsq_mutex_lock (&self->room_lock);
      while (self->n_rounds == n_rounds && self->n_failures == n_failures &&
             !dsq_call_is_cancelled ())
        dsq_call_wait (&self->room_cond, &self->room_lock);
      success = self->last_error == NULL || self->n_failures == n_failures;
      if (!success)
        g_propagate_error (error, g_error_copy (self->last_error));
      dsq_mutex_unlock (&self->room_lock);
      success = success && dsq_call_check (error);
    }
  return success;
}

gboolean
dsq_engine_make_room_by_spilling (DsqEngine *self, GError **error)
{
  guint64 limit = self->options.dirty_limit;
  guint64 n_bytes = dsq_engine_dirty_bytes (self);

  if (!exceeds_capacity (self))
    {
      __atomic_store_n (&self->room_limit,
                        MIN (n_bytes + limit / N_STEPS + 1, (guint64) G_MAXINT64),
                        __ATOMIC_RELAXED);
      return TRUE;
    }
  if (n_bytes >= limit)
    __atomic_fetch_add (&self->n_writer_waits, 1, __ATOMIC_RELAXED);
  if (!self->options.background || !dsq_flusher_start (self->flusher))
    return dsq_engine_write_behind (self, error);
  if (n_bytes >= limit)
    return wait_for_thread (self, error);
  __atomic_store_n (&self->room_limit, limit, __ATOMIC_RELAXED);
  dsq_flusher_wake (self->flusher, TRUE);
  return TRUE;
}

/* What the clear hides is never looked at again; a file that cannot be replaced now stays until the
 * next flush. */
void
dsq_engine_drop_spilled (DsqEngine *self)
{
  dsq_engine_reset_room_limit (self);
  if (!dsq_engine_enter (self, NULL))
    return;
  if (dsq_call_lock (&self->writer_lock, NULL))
    {
      if (self->cold->n_commits > 0)
        dsq_engine_flush_locked (self, NULL);
      dsq_mutex_unlock (&self->writer_lock);
    }
  dsq_engine_leave (self);
}
