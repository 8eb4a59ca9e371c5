/* dsq-expiry.c - when entries end by themselves
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <time.h>

#include "engine/dsq-expiry-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * An entry whose time has come is absent. Reads find that out by the entry itself. Everything that
 * depends on what is absent - a set, which puts the key last then, the count, a walk - has what has
 * expired removed first:
 *
 *   next    no entry expires before this. G_MAXINT64, when none does at all, costs a comparison;
 *           else the clock is read.
 *   sweep   when it has come: see dsq-sweep.c
 *
 * A read-only store cannot sweep: there the count leaves out the rows that have expired, and walks
 * skip them.
 */

void
dsq_expiry_init (DsqExpiry *self, DsqShards *shards, gint64 *clock_offset)
{
  dsq_mutex_init (&self->sweep_lock, DSQ_RANK_SWEEP, 0);
  self->shards = shards;
  self->next = G_MININT64;
  self->swept_until = G_MININT64;
  self->clock_offset = clock_offset != NULL ? clock_offset : &self->own_clock_offset;
}

void
dsq_expiry_clear (DsqExpiry *self)
{
  dsq_mutex_clear (&self->sweep_lock);
}

gint64
dsq_expiry_now (const DsqExpiry *self)
{
  struct timespec now;

  clock_gettime (CLOCK_REALTIME, &now);
  return (gint64) now.tv_sec * 1000 + now.tv_nsec / 1000000 +
         __atomic_load_n (self->clock_offset, __ATOMIC_RELAXED);
}

gboolean
dsq_expiry_is_over (const DsqExpiry *self, const DsqEntry *entry)
{
  return dsq_entry_expires (entry) <= dsq_expiry_now (self);
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
dsq_expiry_tell_words_locked (DsqExpiry *self)
{
  DsqWords *words = self->shards->words;

  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  if (words != NULL && dsq_expiry_may_end (self))
    __atomic_fetch_or (&words->asks, DSQ_WORDS_ASK_EXPIRY, __ATOMIC_RELEASE);
  else if (words != NULL)
    __atomic_fetch_and (&words->asks, ~(guint64) DSQ_WORDS_ASK_EXPIRY, __ATOMIC_RELEASE);
}

void
dsq_expiry_note_locked (DsqExpiry *self, gint64 expires)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  lower (&self->next, expires);
  dsq_expiry_tell_words_locked (self);
}

void
dsq_expiry_note_dirty_locked (DsqExpiry *self, DsqShard *shard, const DsqEntry *entry)
{
  DsqKey key = dsq_entry_as_key (entry);
  gint64 expires = dsq_entry_expires (entry);

  dsq_shard_assert_locked (shard);
  dsq_expiry_heap_push_locked (&shard->expiries,
                               &shard->hot,
                               dsq_hot_shard_find_locked (&shard->hot, &key),
                               expires);
  lower (&self->next, expires);
  dsq_expiry_tell_words_locked (self);
  /* one that has expired already may reach the file before a sweep comes by */
  lower (&self->swept_until, expires - 1);
}

void
dsq_expiry_forget_locked (DsqExpiry *self)
{
  dsq_shards_assert_all_locked (self->shards);
  __atomic_store_n (&self->next, G_MININT64, __ATOMIC_RELAXED);
  __atomic_store_n (&self->swept_until, G_MININT64, __ATOMIC_RELAXED);
  self->n_forgotten++;
  dsq_expiry_tell_words_locked (self);
}

guint64
dsq_expiry_get_n_forgotten (DsqExpiry *self)
{
  guint64 n_forgotten;

  dsq_shard_lock (&self->shards->all[0]);
  n_forgotten = self->n_forgotten;
  dsq_shard_unlock (&self->shards->all[0]);
  return n_forgotten;
}

void
dsq_expiry_learn (DsqExpiry *self, guint64 n_forgotten, gint64 swept_until, gint64 in_file)
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
      __atomic_store_n (&self->next, MIN (in_memory, in_file), __ATOMIC_RELAXED);
      __atomic_store_n (&self->swept_until, MIN (swept_until, in_memory - 1), __ATOMIC_RELAXED);
      dsq_expiry_tell_words_locked (self);
    }
  dsq_shards_unlock_all (self->shards);
}
