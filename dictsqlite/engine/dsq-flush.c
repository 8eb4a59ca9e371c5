/* dsq-flush.c - one flush: a generation of changes into one transaction
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-engine-internal.h"

/*
 * begin      wait for other processes, learn what they wrote
 * detach     one instant over all shards; from here on new writes make the next generation
 * write      a clear, then the keys that may be new in order of their places (appending to the
 *            table), then the others
 * commit     and what has not changed meanwhile is clean; or, on any error, roll back, and the
 *            generation goes under the next one as if it had never been detached
 */

/* Changes handed to the cold tier at a time. */
#define CHUNK 256

typedef struct
{
  DsqEngine *engine;
  GCancellable *cancellable;
  guint8 *presences[DSQ_HOT_MAX_SHARDS][DSQ_N_LISTS]; /* (owned) what was found for each change */
  DsqChange chunk[CHUNK]; /* copies: what is in flight is not written to without its lock */
  guint8 *found[CHUNK];   /* (unowned) where the copy's presence goes */
  guint n_chunk;
} Flush;

static gboolean
write_chunk (Flush *self, GError **error)
{
  DsqColdTier *cold = self->engine->cold;

  if (!cold->funcs->apply (cold, self->chunk, self->n_chunk, self->cancellable, error))
    return FALSE;
  for (guint i = 0; i < self->n_chunk; i++)
    *self->found[i] = self->chunk[i].presence;
  self->n_chunk = 0;
  return TRUE;
}

static gboolean
write_change (Flush *self, guint shard, guint which, guint32 i, GError **error)
{
  const DsqChangeList *list = &self->engine->pending->shards[shard].inflight.lists[which];

  if (list->items[i].entry == NULL)
    return TRUE;
  self->chunk[self->n_chunk] = list->items[i];
  self->found[self->n_chunk] = &self->presences[shard][which][i];
  self->n_chunk++;
  return self->n_chunk < CHUNK || write_chunk (self, error);
}

/* Merges the shards' lists, each of which is in order. */
static gboolean
write_fresh (Flush *self, GError **error)
{
  guint n_shards = self->engine->hot->n_shards;
  guint32 next[DSQ_HOT_MAX_SHARDS] = { 0 };
  gint64 places[DSQ_HOT_MAX_SHARDS];

  for (guint s = 0; s < n_shards; s++)
    {
      const DsqChangeList *list = &self->engine->pending->shards[s].inflight.lists[DSQ_LIST_FRESH];

      places[s] = list->n_items > 0 ? list->items[0].place : G_MAXINT64;
    }
  for (;;)
    {
      const DsqChangeList *list;
      guint lowest = 0;

      for (guint s = 1; s < n_shards; s++)
        if (places[s] < places[lowest])
          lowest = s;
      if (places[lowest] == G_MAXINT64)
        return TRUE;
      list = &self->engine->pending->shards[lowest].inflight.lists[DSQ_LIST_FRESH];
      if (!write_change (self, lowest, DSQ_LIST_FRESH, next[lowest], error))
        return FALSE;
      next[lowest]++;
      places[lowest] = next[lowest] < list->n_items ? list->items[next[lowest]].place : G_MAXINT64;
    }
}

static gboolean
write_rest (Flush *self, GError **error)
{
  for (guint s = 0; s < self->engine->hot->n_shards; s++)
    {
      const DsqChangeList *list = &self->engine->pending->shards[s].inflight.lists[DSQ_LIST_REST];

      for (guint32 i = 0; i < list->n_items; i++)
        if (!write_change (self, s, DSQ_LIST_REST, i, error))
          return FALSE;
    }
  return self->n_chunk == 0 || write_chunk (self, error);
}

/* FALSE: there is nothing to write. */
static gboolean
detach (Flush *self)
{
  DsqPending *pending = self->engine->pending;
  gboolean is_empty;

  dsq_hot_tier_lock_all (self->engine->hot);
  is_empty = dsq_pending_is_empty_locked (pending);
  if (!is_empty)
    dsq_pending_detach_locked (pending);
  dsq_hot_tier_unlock_all (self->engine->hot);
  for (guint s = 0; s < self->engine->hot->n_shards && !is_empty; s++)
    for (guint which = 0; which < DSQ_N_LISTS; which++)
      self->presences[s][which] = g_malloc (pending->shards[s].inflight.lists[which].n_items);
  return !is_empty;
}

static gboolean
write_all (Flush *self, GError **error)
{
  DsqColdTier *cold = self->engine->cold;

  if (self->engine->pending->inflight_clears &&
      !cold->funcs->clear_table (cold, DSQ_TABLE_MAIN, error))
    return FALSE;
  return write_fresh (self, error) && write_rest (self, error) && cold->funcs->commit (cold, error);
}

static gboolean
has_pending (DsqEngine *self)
{
  gboolean is_empty;

  dsq_hot_tier_lock_all (self->hot);
  is_empty = dsq_pending_is_empty_locked (self->pending);
  dsq_hot_tier_unlock_all (self->hot);
  return !is_empty;
}

gboolean
dsq_engine_flush_locked (DsqEngine *self, GCancellable *cancellable, GError **error)
{
  g_autofree Flush *flush = NULL;
  gboolean success;

  if (!has_pending (self))
    return TRUE;
  if (!self->cold->funcs->begin (self->cold, cancellable, error))
    return FALSE;
  flush = g_new0 (Flush, 1);
  flush->engine = self;
  flush->cancellable = cancellable;
  __atomic_store_n (&self->flush_commits, self->cold->n_commits, __ATOMIC_RELAXED);
  if (!detach (flush))
    {
      self->cold->funcs->rollback (self->cold);
      return TRUE;
    }
  success = write_all (flush, error);
  if (success)
    {
      dsq_pending_commit (self->pending, (guint8 *const(*)[DSQ_N_LISTS]) flush->presences);
      __atomic_fetch_add (&self->n_flushes, 1, __ATOMIC_RELAXED);
    }
  else
    {
      self->cold->funcs->rollback (self->cold);
      dsq_pending_rollback (self->pending);
    }
  for (guint s = 0; s < self->hot->n_shards; s++)
    for (guint which = 0; which < DSQ_N_LISTS; which++)
      g_free (flush->presences[s][which]);
  return success;
}

/* --- what others wrote ------------------------------------------------------------------------ */

void
dsq_engine_on_foreign_change (const DsqTableState *states, guint n_states, gpointer user_data)
{
  DsqEngine *self = user_data;
  DsqTableState state = { DSQ_TABLE_MAIN, 0, 0 };
  gboolean is_committed;

  for (guint i = 0; i < n_states; i++)
    if (states[i].table == DSQ_TABLE_MAIN)
      state = states[i];
  is_committed = self->cold->n_commits != __atomic_load_n (&self->flush_commits, __ATOMIC_RELAXED);
  dsq_hot_tier_lock_all (self->hot);
  dsq_pending_learn_locked (self->pending, &state, is_committed);
  self->generation++;
  dsq_engine_mark_changed_locked (self);
  dsq_hot_tier_unlock_all (self->hot);
}

/* --- presence -----------------------------------------------------------------------------------
 */

/* Keys asked for in one probe. */
#define PROBE_KEYS 65536

/* The keys of a shard whose presence is unknown, with a reference to the entries that hold them. */
static void
collect_unresolved_locked (DsqEngine *self, guint index, GPtrArray *entries)
{
  const DsqPendingShard *pending = &self->pending->shards[index];

  if (pending->n_unresolved == 0)
    return;
  for (guint which = 0; which < DSQ_N_LISTS; which++)
    {
      const DsqChangeList *list = &pending->current.lists[which];

      for (guint32 i = 0; i < list->n_items && entries->len < PROBE_KEYS; i++)
        if (list->items[i].entry != NULL && list->items[i].presence == DSQ_PRESENCE_UNKNOWN)
          g_ptr_array_add (entries, dsq_entry_ref (list->items[i].entry));
    }
}

static void
resolve_key (DsqEngine *self, const DsqKey *key, gint64 place, guint64 generation)
{
  DsqHotShard *shard = dsq_hot_tier_shard (self->hot, key->hash);
  DsqChange *change = NULL;
  guint32 number;

  dsq_hot_shard_lock (shard);
  number = dsq_hot_shard_find_locked (shard, key);
  if (number != 0 && shard->nodes[number].change.index != 0)
    change = dsq_pending_change_locked (self->pending, shard, shard->nodes[number].change);
  if (change != NULL && change->presence == DSQ_PRESENCE_UNKNOWN && self->generation == generation)
    dsq_pending_resolve_locked (self->pending,
                                shard,
                                change,
                                place != 0 ? DSQ_PRESENCE_PRESENT : DSQ_PRESENCE_ABSENT);
  dsq_hot_shard_unlock (shard);
}

static gboolean
resolve_some_locked (DsqEngine *self, gboolean *out_done, GError **error)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);
  g_autofree DsqKey *keys = NULL;
  g_autofree gint64 *places = NULL;
  guint64 generation = 0;

  for (guint i = 0; i < self->hot->n_shards; i++)
    {
      dsq_hot_shard_lock (&self->hot->shards[i]);
      generation = i == 0 ? self->generation : generation;
      collect_unresolved_locked (self, i, entries);
      dsq_hot_shard_unlock (&self->hot->shards[i]);
    }
  *out_done = entries->len == 0;
  if (*out_done)
    return TRUE;
  keys = g_new (DsqKey, entries->len);
  places = g_new (gint64, entries->len);
  for (guint i = 0; i < entries->len; i++)
    keys[i] = dsq_entry_as_key (entries->pdata[i]);
  if (!self->cold->funcs->probe (self->cold, keys, entries->len, places, error))
    return FALSE;
  /* what others have committed since would be learned now, and moves the generation */
  if (!dsq_cold_tier_is_current (self->cold) && !self->cold->funcs->catch_up (self->cold, error))
    return FALSE;
  for (guint i = 0; i < entries->len; i++)
    resolve_key (self, &keys[i], places[i], generation);
  return TRUE;
}

gboolean
dsq_engine_resolve (DsqEngine *self, GError **error)
{
  gboolean success = TRUE;
  gboolean is_done = FALSE;

  pthread_mutex_lock (&self->writer_lock);
  while (success && !is_done)
    success = resolve_some_locked (self, &is_done, error);
  pthread_mutex_unlock (&self->writer_lock);
  return success;
}
