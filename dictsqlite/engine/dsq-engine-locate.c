/* dsq-engine-locate.c - what a key is, before it is changed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-locate-private.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-standstill-private.h"
#include "engine/dsq-sweep-private.h"
#include "engine/dsq-write-behind-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * A key is looked for in memory, with its shard's lock held, and in the file, without. When the
 * shard has not changed meanwhile both together say what the key is, until the lock is given back.
 */

/* A row that is damaged is there all the same, for who need not have it. */
static gboolean
look_into_file (DsqEngine *self,
                const DsqKey *key,
                gboolean wants_entry,
                gboolean needs_entry,
                DsqLocated *located,
                GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gint64 place = 0;
  gboolean success = FALSE;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  if (wants_entry)
    {
      success = dsq_cold_tier_get (self->cold, key, &located->cold, &local_error);
      place = located->cold != NULL;
    }
  if (!wants_entry || (!needs_entry && g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_CORRUPT)))
    success = self->cold->funcs->probe (self->cold, key, 1, &place, error);
  else if (!success)
    g_propagate_error (error, g_steal_pointer (&local_error));
  if (success && place != 0)
    dsq_counters_add (&self->counters, DSQ_COUNT_COLD_HITS, 1);
  else if (success)
    dsq_engine_note_absent (self, 1);
  dsq_engine_leave (self);
  located->presence = place != 0 ? DSQ_PRESENCE_PRESENT : DSQ_PRESENCE_ABSENT;
  return success;
}

typedef enum
{
  LOCATE_FAILED,
  LOCATE_DONE,
  LOCATE_AGAIN,
  LOCATE_SWEEP_FIRST,
  LOCATE_WAIT_FIRST
} LocateResult;

/* What the warm tier holds is in the file. */
static gboolean
look_into_warm (DsqShard *shard, const DsqKey *key, gboolean wants_entry, DsqLocated *located)
{
  gboolean is_there;

  if (wants_entry)
    {
      located->cold = dsq_warm_shard_peek_locked (&shard->warm, key);
      is_there = located->cold != NULL;
    }
  else
    {
      is_there = dsq_warm_shard_contains_locked (&shard->warm, key, &located->expires);
    }
  if (is_there)
    located->presence = DSQ_PRESENCE_PRESENT;
  return is_there;
}

/* Has a step of a sweep made before the first look. */
#define LOCATE_SWEEPS (1u << 31)

/* Unlocks the shard if so, for who is to change the key. */
static gboolean
is_held (DsqShard *shard, guint flags)
{
  if (G_LIKELY (!shard->is_held || !(flags & DSQ_LOCATE_SWEPT)))
    return FALSE;
  dsq_shard_unlock (shard);
  return TRUE;
}

static LocateResult
try_to_locate (DsqEngine *self, const DsqKey *key, guint flags, DsqLocated *located, GError **error)
{
  DsqShard *shard = dsq_engine_lock_shard (self, key->table, key->hash, error);
  /* a transaction remembers what it has read by what that was */
  gboolean is_blind = self->options.parent != NULL && flags & DSQ_LOCATE_BLIND;
  gboolean wants_entry = flags & DSQ_LOCATE_ENTRY || (self->options.parent != NULL && !is_blind);
  DsqMiss miss;

  *located = (DsqLocated){ .shard = shard, .presence = DSQ_PRESENCE_ABSENT };
  if (shard == NULL)
    return LOCATE_FAILED;
  if (is_held (shard, flags))
    return LOCATE_WAIT_FIRST;
  if (dsq_engine_is_sweep_due (self))
    {
      if (flags & LOCATE_SWEEPS)
        {
          dsq_shard_unlock (shard);
          return LOCATE_SWEEP_FIRST;
        }
      /* a row's presence alone does not tell whether it has expired */
      wants_entry = !is_blind;
    }
  located->number = dsq_hot_shard_find_locked (&shard->hot, key);
  if (located->number != 0)
    {
      shard->n_hits++;
      return LOCATE_DONE;
    }
  if (look_into_warm (shard, key, wants_entry, located) ||
      !dsq_engine_may_be_cold_locked (self, shard, key))
    {
      dsq_engine_count_miss_locked (shard, located->presence == DSQ_PRESENCE_PRESENT, FALSE);
      return LOCATE_DONE;
    }
  miss = (DsqMiss){ shard->epoch, self->generation };
  dsq_shard_unlock (shard);

  if (!look_into_file (self, key, wants_entry, flags & DSQ_LOCATE_ENTRY, located, error))
    return LOCATE_FAILED;
  dsq_shard_lock (shard);
  if (is_held (shard, flags))
    {
      g_clear_pointer (&located->cold, dsq_entry_unref);
      return LOCATE_WAIT_FIRST;
    }
  /* of a store that only reads, what the file said is the answer */
  if (!shard->is_closed && (self->options.read_only ||
                            (shard->epoch == miss.epoch && self->generation == miss.generation)))
    {
      located->number = dsq_hot_shard_find_locked (&shard->hot, key);
      dsq_engine_count_miss_locked (shard, FALSE, FALSE);
      return LOCATE_DONE;
    }
  dsq_shard_unlock (shard);
  g_clear_pointer (&located->cold, dsq_entry_unref);
  return LOCATE_AGAIN;
}

/* What has expired is absent, and its removal staged, so that what comes in its place comes last.
 */
static void
remove_expired (DsqEngine *self, const DsqKey *key, DsqLocated *located)
{
  gint64 expires = located->cold != NULL ? dsq_entry_expires (located->cold) : located->expires;

  if (!dsq_located_is_held (located) || !dsq_located_has_expired (self, located))
    return;
  dsq_engine_remove_expired_locked (self, located->shard, located->number, key, expires);
  g_clear_pointer (&located->cold, dsq_entry_unref);
  located->number = dsq_hot_shard_find_locked (&located->shard->hot, key);
  located->presence = DSQ_PRESENCE_ABSENT;
  located->is_swept = TRUE;
}

/* @sweeps: LOCATE_SWEEPS or 0. */
static gboolean
locate (DsqEngine *self,
        const DsqKey *key,
        DsqLocateFlags flags,
        guint sweeps,
        DsqLocated *located,
        GError **error)
{
  LocateResult result = LOCATE_AGAIN;
  DsqTries tries = { 0 };

  while (result == LOCATE_AGAIN)
    {
      if (!dsq_tries_begin (&tries, self, error))
        return FALSE;
      result = try_to_locate (self, key, flags | sweeps, located, error);
      located->tries = tries;
      if (result == LOCATE_DONE && (flags & DSQ_LOCATE_SWEPT))
        remove_expired (self, key, located);
      if (result != LOCATE_DONE)
        dsq_tries_end (&tries, self);
      if (result == LOCATE_WAIT_FIRST)
        result = dsq_engine_wait_for_commit (self, error) ? LOCATE_AGAIN : LOCATE_FAILED;
      if (result != LOCATE_SWEEP_FIRST)
        continue;
      sweeps = 0;
      result = dsq_engine_sweep_some (self, 1, error) ? LOCATE_AGAIN : LOCATE_FAILED;
    }
  return result == LOCATE_DONE;
}

gboolean
dsq_engine_locate (DsqEngine *self,
                   const DsqKey *key,
                   DsqLocateFlags flags,
                   DsqLocated *located,
                   GError **error)
{
  return locate (self, key, flags, flags & DSQ_LOCATE_SWEPT ? LOCATE_SWEEPS : 0, located, error);
}

void
dsq_located_finish (DsqEngine *self, DsqLocated *located, gboolean is_dirtied)
{
  dsq_shard_unlock (located->shard);
  dsq_tries_end (&located->tries, self);
  g_clear_pointer (&located->cold, dsq_entry_unref);
  if (is_dirtied || located->is_swept)
    dsq_engine_note_dirty (self);
}

DsqEntry *
dsq_located_entry (const DsqLocated *located)
{
  DsqEntry *entry = located->cold;

  if (located->number != 0)
    entry = located->shard->hot.nodes[located->number].entry;
  return entry != NULL && !dsq_entry_is_tombstone (entry) ? dsq_entry_ref (entry) : NULL;
}

gboolean
dsq_located_is_held (const DsqLocated *located)
{
  if (located->number != 0)
    return !dsq_entry_is_tombstone (located->shard->hot.nodes[located->number].entry);
  return located->presence == DSQ_PRESENCE_PRESENT;
}

gboolean
dsq_located_has_expired (DsqEngine *self, const DsqLocated *located)
{
  if (located->number != 0)
    return dsq_engine_has_expired (self, located->shard->hot.nodes[located->number].entry);
  if (located->cold != NULL)
    return dsq_engine_has_expired (self, located->cold);
  return located->expires != 0 && located->expires <= dsq_engine_now (self);
}

gboolean
dsq_engine_sweep_key (DsqEngine *self, const DsqKey *key, GError **error)
{
  DsqLocated located;

  if (!locate (self, key, DSQ_LOCATE_SWEPT | DSQ_LOCATE_BLIND, 0, &located, error))
    return FALSE;
  dsq_located_finish (self, &located, FALSE);
  return TRUE;
}
