/* dsq-presence.c - which of the keys that wait for the file are in it, and how many keys there are
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-engine-internal.h"
#include "engine/dsq-locate-private.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-presence-private.h"
#include "engine/dsq-standstill-private.h"
#include "engine/dsq-sweep-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * Writes are blind, so whether a key that waits for the file has a row there may be unknown. Who
 * counts or walks has all of a table looked up first. Others may commit meanwhile, which makes
 * everything unknown again: after a few tries it is done with the file stopped.
 */

/* Keys asked for in one probe. */
#define PROBE_KEYS 65536

static void
collect_unresolved_locked (const DsqPending *self, guint index, guint max_keys, GPtrArray *found)
{
  const DsqPendingShard *pending = dsq_pending_shard (self, index);

  dsq_shard_assert_locked (&self->shards->all[index]);
  if (pending->n_unresolved == 0)
    return;
  for (guint which = 0; which < DSQ_N_LISTS; which++)
    {
      const DsqChangeList *list = &pending->current.lists[which];

      for (guint32 i = 0; i < list->n_items && found->len < max_keys; i++)
        if (list->items[i].entry != NULL && list->items[i].presence == DSQ_PRESENCE_UNKNOWN)
          g_ptr_array_add (found, dsq_entry_ref (list->items[i].entry));
    }
}

static void
resolve_key (DsqEngine *self, const DsqKey *key, gint64 place, guint64 generation)
{
  DsqShard *shard = dsq_shards_get (self->shards, key->hash);
  DsqPending *pending = dsq_engine_pending (self, key->table);
  DsqChange *change = NULL;
  guint32 number;

  dsq_shard_lock (shard);
  number = dsq_hot_shard_find_locked (&shard->hot, key);
  if (number != 0 && shard->hot.nodes[number].pin != 0)
    change =
        dsq_pending_change_locked (pending, shard, dsq_change_handle (&shard->hot.nodes[number]));
  if (change != NULL && change->presence == DSQ_PRESENCE_UNKNOWN && self->generation == generation)
    {
      dsq_pending_resolve_locked (pending,
                                  shard,
                                  change,
                                  place != 0 ? DSQ_PRESENCE_PRESENT : DSQ_PRESENCE_ABSENT);
      dsq_pending_shard (pending, shard->index)->has_gaps |= place != 0;
    }
  dsq_shard_unlock (shard);
}

/* Where the rows of @entries are, 0 for those that are absent. The filter knows many of them. */
static gboolean
probe_locked (DsqEngine *self, const GPtrArray *entries, gint64 *places, GError **error)
{
  g_autofree DsqKey *keys = g_new (DsqKey, entries->len);
  g_autofree gint64 *found = g_new0 (gint64, entries->len);
  g_autofree guint *positions = g_new (guint, entries->len);
  guint64 n_absent = 0;
  guint n_keys = 0;

  dsq_mutex_assert_held (&self->writer_lock);
  dsq_engine_build_filter_locked (self, entries->len);
  for (guint i = 0; i < entries->len; i++)
    {
      keys[n_keys] = dsq_entry_as_key (entries->pdata[i]);
      positions[n_keys] = i;
      places[i] = 0;
      n_keys += dsq_cold_tier_may_contain (self->cold, &keys[n_keys]);
    }
  if (n_keys > 0 && !self->cold->funcs->probe (self->cold, keys, n_keys, found, error))
    return FALSE;
  for (guint i = 0; i < n_keys; i++)
    {
      places[positions[i]] = found[i];
      n_absent += found[i] == 0;
    }
  dsq_engine_note_absent (self, n_absent);
  return TRUE;
}

static void
resolve_all (DsqEngine *self, const GPtrArray *entries, const gint64 *places, guint64 generation)
{
  for (guint i = 0; i < entries->len; i++)
    {
      DsqKey key = dsq_entry_as_key (entries->pdata[i]);

      resolve_key (self, &key, places[i], generation);
    }
}

/* *out_more: there may be others, and nobody else has committed meanwhile. */
static gboolean
resolve_some_locked (DsqEngine *self, const DsqPending *pending, gboolean *out_more, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);
  g_autofree gint64 *places = NULL;
  guint64 generation = 0;

  dsq_mutex_assert_held (&self->writer_lock);
  for (guint i = 0; i < self->shards->n_shards; i++)
    {
      dsq_shard_lock (&self->shards->all[i]);
      generation = i == 0 ? self->generation : generation;
      collect_unresolved_locked (pending, i, PROBE_KEYS, found);
      dsq_shard_unlock (&self->shards->all[i]);
    }
  *out_more = FALSE;
  if (found->len == 0)
    return TRUE;
  places = g_new (gint64, found->len);
  if (!probe_locked (self, found, places, error))
    return FALSE;
  /* what others have committed since would be learned now, and moves the generation */
  if (!dsq_cold_tier_is_current (self->cold) && !self->cold->funcs->catch_up (self->cold, error))
    return FALSE;
  resolve_all (self, found, places, generation);
  dsq_shard_lock (&self->shards->all[0]);
  *out_more = found->len == PROBE_KEYS && self->generation == generation;
  dsq_shard_unlock (&self->shards->all[0]);
  return TRUE;
}

/* Resolves what is unknown now; when others commit meanwhile some of it may stay so. */
static gboolean
resolve (DsqEngine *self, const DsqPending *pending, GError **error)
{
  gboolean success = TRUE;
  gboolean has_more = TRUE;

  if (!dsq_call_lock (&self->writer_lock, error))
    return FALSE;
  while (success && has_more)
    success = resolve_some_locked (self, pending, &has_more, error);
  dsq_mutex_unlock (&self->writer_lock);
  return success;
}

/* --- the number of keys ----------------------------------------------------------------------- */

static void
tally_locked (DsqEngine *self, DsqPending *pending, DsqTally *tally, guint64 *out_n_unresolved)
{
  dsq_shards_assert_all_locked (self->shards);
  tally->n_live = dsq_pending_count_locked (pending, out_n_unresolved);
  tally->n_settled = pending->n_settled;
  tally->is_moving = pending->inflight_moves;
}

/* What is unknown at one instant is looked up after it, in the file, which stays what it is. */
gboolean
dsq_engine_tally_stopped (DsqEngine *self, guint32 table, DsqTally *tally, GError **error)
{
  DsqPending *pending;
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);
  g_autofree gint64 *places = NULL;
  guint64 generation, n_unresolved;

  dsq_mutex_assert_held (&self->writer_lock);
  if (!dsq_engine_lock_all_open (self, table, error))
    return FALSE;
  pending = dsq_engine_pending (self, table);
  tally_locked (self, pending, tally, &n_unresolved);
  generation = self->generation;
  for (guint i = 0; i < self->shards->n_shards; i++)
    collect_unresolved_locked (pending, i, G_MAXUINT, found);
  dsq_shards_unlock_all (self->shards);

  places = g_new (gint64, found->len);
  if (!probe_locked (self, found, places, error))
    return FALSE;
  resolve_all (self, found, places, generation);
  for (guint i = 0; i < found->len; i++)
    {
      DsqChange change = { .entry = found->pdata[i] };

      tally->n_live +=
          dsq_change_contribution (&change,
                                   places[i] != 0 ? DSQ_PRESENCE_PRESENT : DSQ_PRESENCE_ABSENT);
    }
  return TRUE;
}

/* FALSE in *out_done: something is still unknown. */
static gboolean
try_to_tally (DsqEngine *self, guint32 table, DsqTally *tally, gboolean *out_done, GError **error)
{
  guint64 n_unresolved;
  gboolean success;

  if (!dsq_engine_lock_all_open (self, table, error))
    return FALSE;
  tally_locked (self, dsq_engine_pending (self, table), tally, &n_unresolved);
  dsq_shards_unlock_all (self->shards);
  *out_done = n_unresolved == 0;
  if (*out_done)
    return TRUE;
  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = resolve (self, dsq_engine_pending (self, table), error);
  dsq_engine_leave (self);
  return success;
}

gboolean
dsq_engine_catch_up_with (DsqEngine *self, guint32 table, GError **error)
{
  gboolean success;

  if (!dsq_engine_sweep_if_due (self, table, error))
    return FALSE;
  if (self->depth == 0)
    return TRUE;
  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = self->cold->funcs->catch_up_with (self->cold, table, error);
  dsq_engine_leave (self);
  return success;
}

gboolean
dsq_engine_tally (DsqEngine *self, guint32 table, DsqTally *tally, GError **error)
{
  gboolean is_done = FALSE;
  DsqTries tries = { 0 };

  while (!is_done)
    {
      gboolean success;

      if (!dsq_engine_catch_up_with (self, table, error) || !dsq_tries_begin (&tries, self, error))
        return FALSE;
      is_done = tries.is_stopped;
      success = tries.is_stopped ? dsq_engine_tally_stopped (self, table, tally, error)
                                 : try_to_tally (self, table, tally, &is_done, error);
      dsq_tries_end (&tries, self);
      if (!success)
        return FALSE;
    }
  return TRUE;
}
