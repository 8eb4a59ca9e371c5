/* dsq-spill.c - memory mode beyond memory: what does not fit goes to a private file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-engine-internal.h"
#include "engine/dsq-write-behind-private.h"

/*
 * In memory mode nothing need ever be in a file, so everything is dirty, and nothing is written as
 * long as it fits: as long as there are no more entries and bytes than the hot tier may hold, or
 * what is dirty takes less than the dirty limit. Beyond both, a flush into the private cold tier
 * makes all of them clean; then the hot tier keeps its capacity, the warm one its budget, and the
 * private file the rest. Memory is bounded by the three of them.
 *
 * Counting entries takes all locks in turn, so it is done when the dirty bytes have passed the
 * budget's threshold, which is then moved on by a step. With background the threshold is half of
 * the dirty limit at first, for the thread to begin, and writers wait at the whole of it.
 */

static guint64
first_threshold (DsqEngine *self)
{
  guint64 limit = dsq_engine_option (self, dirty_limit);

  return self->is_lasting || !dsq_engine_option (self, background) ? limit : limit / 2;
}

void
dsq_engine_reset_threshold (DsqEngine *self)
{
  dsq_budget_set_threshold (&self->budget, first_threshold (self));
}

gboolean
dsq_engine_exceeds_memory (DsqEngine *self)
{
  guint64 n_entries = __atomic_load_n (&self->shards->hot.n_clean, __ATOMIC_RELAXED);

  /* with max_bytes what is too much is dropped instead */
  if (dsq_engine_option (self, max_bytes) != 0)
    return FALSE;
  if (__atomic_load_n (&self->shards->hot.clean_bytes, __ATOMIC_RELAXED) +
          dsq_budget_get_bytes (&self->budget) >
      dsq_engine_option (self, hot_limit))
    return TRUE;
  for (guint i = 0; i < self->shards->n_shards; i++)
    {
      dsq_shard_lock (&self->shards->all[i]);
      n_entries += self->shards->all[i].n_dirty;
      dsq_shard_unlock (&self->shards->all[i]);
    }
  return n_entries > dsq_engine_option (self, hot_capacity);
}

gboolean
dsq_engine_wants_spill (DsqEngine *self)
{
  return dsq_budget_get_bytes (&self->budget) >= first_threshold (self) &&
         dsq_engine_exceeds_memory (self);
}

/* What the clear hides is never looked at again; a file that cannot be replaced now stays until the
 * next flush. */
void
dsq_engine_drop_spilled (DsqEngine *self)
{
  dsq_engine_reset_threshold (self);
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
