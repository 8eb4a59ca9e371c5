/* dsq-shard.c - a part of a store's keys, with all that memory has of them
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "engine/dsq-shard-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * A key's hash names its shard, whose lock guards the key in both tiers, what is pending of it and
 * what tells when it expires. The hot tier is one over all shards, for its recency is that of all;
 * it locks other shards than the caller's to evict from them, so no lock is held when it does.
 */

#define SMALL_CAPACITY 1024

DsqShards *
dsq_shards_new (DsqBudget *budget,
                guint64 capacity,
                gboolean is_unlimited,
                guint64 limit,
                guint64 warm_bytes)
{
  guint n_shards = is_unlimited || capacity >= SMALL_CAPACITY ? DSQ_HOT_MAX_SHARDS : 1;
  gsize size = sizeof (DsqShards) + n_shards * sizeof (DsqShard);
  DsqShards *self = aligned_alloc (64, size);

  if (self == NULL)
    g_error ("out of memory");
  memset (self, 0, size);
  self->budget = budget;
  self->n_shards = n_shards;
  self->hash_shift = n_shards == 1 ? 32 : 27;
  dsq_hot_tier_init (&self->hot, capacity, limit);
  for (guint i = 0; i < n_shards; i++)
    {
      DsqShard *shard = &self->all[i];

      shard->index = i;
      dsq_mutex_init (&shard->lock, DSQ_RANK_SHARD, i);
      dsq_warm_shard_init (&shard->warm,
                           &shard->lock,
                           (gsize) MIN (warm_bytes, G_MAXSSIZE) / n_shards);
      dsq_hot_tier_add_shard (&self->hot, &shard->hot, &shard->lock, &shard->warm);
      dsq_expiry_heap_init (&shard->expiries);
    }
  return self;
}

void
dsq_shards_free (DsqShards *self)
{
  for (guint i = 0; i < self->n_shards; i++)
    {
      DsqShard *shard = &self->all[i];

      dsq_hot_shard_finish (&shard->hot);
      dsq_warm_shard_finish (&shard->warm);
      dsq_expiry_heap_clear (&shard->expiries);
      dsq_mutex_clear (&shard->lock);
    }
  g_clear_pointer (&self->words, dsq_words_free);
  free (self);
}

void
dsq_shards_lock_all (DsqShards *self)
{
  for (guint i = 0; i < self->n_shards; i++)
    dsq_shard_lock (&self->all[i]);
}

void
dsq_shards_unlock_all (DsqShards *self)
{
  for (guint i = self->n_shards; i > 0; i--)
    dsq_shard_unlock (&self->all[i - 1]);
}

/* Its epoch moves even where nothing is found: a read of the key may be under way. */
static void
drop_key_locked (DsqShards *self, const DsqKey *key)
{
  DsqShard *shard = dsq_shards_get (self, key->hash);
  guint32 number;

  dsq_shard_assert_locked (shard);
  number = dsq_hot_shard_find_locked (&shard->hot, key);
  shard->epoch++;
  dsq_words_move_locked (self->words, key);
  if (number == 0 && dsq_warm_shard_n_entries (&shard->warm) > 0)
    dsq_warm_shard_remove_locked (&shard->warm, key);
  else if (number != 0 && shard->hot.nodes[number].pin == 0)
    dsq_hot_shard_remove_locked (&self->hot, &shard->hot, number);
}

void
dsq_shards_drop_clean_locked (DsqShards *self, const DsqColdChanged *changed)
{
  dsq_shards_assert_all_locked (self);
  for (gsize i = 0; changed != NULL && i < changed->n_keys; i++)
    drop_key_locked (self, &changed->keys[i]);
  if (changed == NULL)
    dsq_words_move_all_locked (self->words);
  for (guint i = 0; changed == NULL && i < self->n_shards; i++)
    {
      dsq_hot_shard_drop_locked (&self->hot, &self->all[i].hot, TRUE);
      self->all[i].epoch++;
    }
}

void
dsq_shards_tidy_locked (DsqShards *self)
{
  dsq_shards_assert_all_locked (self);
  for (guint i = 0; i < self->n_shards; i++)
    dsq_expiry_heap_tidy_locked (&self->all[i].expiries, &self->all[i].hot);
}
