/* dsq-expiry.c - entries that end by themselves
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <time.h>

#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-expiry-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * An entry whose time has come is absent. Reads find that out by the entry itself. Everything that
 * depends on what is absent - a set, which puts the key last then, the count, a walk - has what has
 * expired removed first:
 *
 *   next_expiry   no entry expires before this. G_MAXINT64, when none does at all, costs a
 *                 comparison; else the clock is read.
 *   sweep         when it has come: see dsq-sweep.c
 *
 * A read-only store cannot sweep: there the count leaves out the rows that have expired, and walks
 * skip them.
 */

/* Rows looked for at a time. */
#define BATCH 1024

gint64
dsq_engine_now (DsqEngine *self)
{
  struct timespec now;

  clock_gettime (CLOCK_REALTIME, &now);
  return (gint64) now.tv_sec * 1000 + now.tv_nsec / 1000000 +
         __atomic_load_n (self->clock_offset, __ATOMIC_RELAXED);
}

void
dsq_engine_set_clock_offset (DsqEngine *self, gint64 milliseconds)
{
  __atomic_store_n (self->clock_offset, milliseconds, __ATOMIC_RELAXED);
}

gboolean
dsq_engine_is_over (DsqEngine *self, const DsqEntry *entry)
{
  return dsq_entry_expires (entry) <= dsq_engine_now (self);
}

/* --- the bounds ------------------------------------------------------------------------------- */

void
dsq_engine_init_expiry (DsqEngine *self)
{
  dsq_mutex_init (&self->sweep_lock, DSQ_RANK_SWEEP, 0);
  self->next_expiry = G_MININT64;
  self->swept_until = G_MININT64;
}

void
dsq_engine_finish_expiry (DsqEngine *self)
{
  dsq_mutex_clear (&self->sweep_lock);
}

static void
lower (gint64 *bound, gint64 limit)
{
  gint64 now = __atomic_load_n (bound, __ATOMIC_RELAXED);

  while (
      limit < now &&
      !__atomic_compare_exchange_n (bound, &now, limit, TRUE, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    ;
}

void
dsq_engine_note_expiry_locked (DsqEngine *self, gint64 expires)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  lower (&self->next_expiry, expires);
}

void
dsq_engine_note_dirty_expiry_locked (DsqEngine *self, DsqShard *shard, const DsqEntry *entry)
{
  DsqKey key = dsq_entry_as_key (entry);
  gint64 expires = dsq_entry_expires (entry);

  dsq_shard_assert_locked (shard);
  dsq_expiry_heap_push_locked (&shard->expiries,
                               &shard->hot,
                               dsq_hot_shard_find_locked (&shard->hot, &key),
                               expires);
  lower (&self->next_expiry, expires);
  /* one that has expired already may reach the file before a sweep comes by */
  lower (&self->swept_until, expires - 1);
}

void
dsq_engine_forget_expiry_locked (DsqEngine *self)
{
  dsq_shards_assert_all_locked (self->shards);
  __atomic_store_n (&self->next_expiry, G_MININT64, __ATOMIC_RELAXED);
  __atomic_store_n (&self->swept_until, G_MININT64, __ATOMIC_RELAXED);
  self->n_forgotten++;
}

guint64
dsq_engine_n_forgotten (DsqEngine *self)
{
  guint64 n_forgotten;

  dsq_shard_lock (&self->shards->all[0]);
  n_forgotten = self->n_forgotten;
  dsq_shard_unlock (&self->shards->all[0]);
  return n_forgotten;
}

void
dsq_engine_tidy_expiry_locked (DsqEngine *self)
{
  dsq_shards_assert_all_locked (self->shards);
  for (guint i = 0; i < self->shards->n_shards; i++)
    dsq_expiry_heap_tidy_locked (&self->shards->all[i].expiries, &self->shards->all[i].hot);
}

void
dsq_engine_set_next_expiry (DsqEngine *self,
                            guint64 n_forgotten,
                            gint64 swept_until,
                            gint64 in_file)
{
  gint64 in_memory = G_MAXINT64;

  dsq_shards_lock_all (self->shards);
  for (guint i = 0; i < self->shards->n_shards; i++)
    {
      const DsqExpiryHeap *heap = &self->shards->all[i].expiries;

      in_memory = MIN (in_memory, MIN (dsq_expiry_heap_first (heap), heap->dropped));
    }
  if (self->n_forgotten == n_forgotten)
    {
      __atomic_store_n (&self->next_expiry, MIN (in_memory, in_file), __ATOMIC_RELAXED);
      __atomic_store_n (&self->swept_until, MIN (swept_until, in_memory - 1), __ATOMIC_RELAXED);
    }
  dsq_shards_unlock_all (self->shards);
}

/* --- without sweeping ------------------------------------------------------------------------- */

static gboolean
learn_expiry (DsqEngine *self, gboolean by_writer, GError **error)
{
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  DsqExpirySpan nothing = { G_MININT64, G_MAXINT64, G_MININT64 };
  guint64 n_forgotten = dsq_engine_n_forgotten (self);
  gint64 next;

  if (!self->cold->funcs->find_expired (self->cold, by_writer, &nothing, 1, rows, &next, error))
    return FALSE;
  dsq_engine_set_next_expiry (self, n_forgotten, G_MININT64, next);
  return TRUE;
}

/* Nobody else uses the writer's connection yet, and a reader's would have to be opened. A damaged
 * file opens all the same, for what can be read still and for check(): who must know asks again. */
gboolean
dsq_engine_learn_expiry_at_open (DsqEngine *self, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  if (learn_expiry (self, TRUE, &local_error) ||
      g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_CORRUPT))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

gboolean
dsq_engine_learn_expiry (DsqEngine *self, GError **error)
{
  gboolean success;

  if (__atomic_load_n (&self->next_expiry, __ATOMIC_RELAXED) != G_MININT64)
    return TRUE;
  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = dsq_call_lock (&self->sweep_lock, error);
  if (success)
    {
      success = learn_expiry (self, FALSE, error);
      dsq_mutex_unlock (&self->sweep_lock);
    }
  dsq_engine_leave (self);
  return success;
}

gboolean
dsq_engine_count_expired (DsqEngine *self, guint32 table, guint64 *out_count, GError **error)
{
  DsqExpirySpan span = { G_MININT64, G_MAXINT64, dsq_engine_now (self) };
  gint64 next = G_MININT64;
  gboolean success = TRUE;

  *out_count = 0;
  while (success && dsq_engine_is_sweep_due (self) && next <= span.until)
    {
      GArray *rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));

      success =
          self->cold->funcs->find_expired (self->cold, FALSE, &span, BATCH, rows, &next, error);
      for (guint i = 0; i < rows->len; i++)
        *out_count += g_array_index (rows, DsqColdRow, i).entry->table == table;
      dsq_cold_rows_free (rows);
    }
  return success;
}
