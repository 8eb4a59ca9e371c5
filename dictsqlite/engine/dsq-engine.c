/* dsq-engine.c - the path of one entry through the tiers
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-engine-internal.h"
#include "engine/dsq-locate-private.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-sweep-private.h"
#include "engine/dsq-walker-private.h"
#include "engine/dsq-write-behind-private.h"
#include "engine/dsq-write-through-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 *   set      memory, lazy     hot <- entry, pending <- change; the flusher brings it to cold
 *            write-through    cold <- commit, then hot <- entry
 *   get      hot, else cold, and what cold gave goes to hot
 *   remove   what is known decides; if nothing is, cold is asked for the key's presence
 *
 * A key that has a change pending is always in memory, so that a key which is missing there has in
 * the file what was last written. That stays true between a look into memory and a look into the
 * file unless the key was written, flushed and evicted meanwhile: then its shard's epoch has moved,
 * and the call starts again (or, when it only reads, does not keep what it read).
 */

void
dsq_engine_stage_locked (DsqEngine *self,
                         DsqShard *shard,
                         guint32 number,
                         const DsqKey *key,
                         DsqEntry *entry,
                         DsqPresence presence)
{
  DsqTable *table = dsq_engine_table (self, key->table);

  dsq_shard_assert_locked (shard);
  /* what the warm tier holds is in the file */
  if (number == 0 && presence == DSQ_PRESENCE_UNKNOWN &&
      dsq_hot_shard_forget_warm_locked (&shard->hot, entry, key->hash))
    presence = DSQ_PRESENCE_PRESENT;
  if (number != 0)
    dsq_pending_stage_over_locked (table->pending, shard, number, entry);
  else
    dsq_pending_stage_new_locked (table->pending, shard, key->hash, entry, presence);
  if (G_UNLIKELY (entry->has_expiry))
    dsq_expiry_note_dirty_locked (&self->expiry, shard, entry);
  dsq_table_mark_changed_locked (table,
                                 dsq_entry_is_tombstone (entry) ? DSQ_CHANGE_OF_KEYS
                                                                : DSQ_CHANGE_OF_VALUES,
                                 key);
}

/* --- get ------------------------------------------------------------------------------------- */

guint64
dsq_engine_admit (DsqEngine *self, const DsqKey *key, const DsqMiss *miss, DsqEntry *entry)
{
  DsqShard *shard = dsq_shards_get (self->shards, key->hash);
  guint64 stamp = DSQ_STAMP_NONE;
  gboolean is_admitted = FALSE;

  if (!dsq_hot_tier_takes (&self->shards->hot, entry) || !dsq_hot_tier_reserve (&self->shards->hot))
    return stamp;
  dsq_shard_lock (shard);
  if (!shard->is_closed && shard->epoch == miss->epoch && shard->n_writing == 0 &&
      self->generation == miss->generation && dsq_hot_shard_find_locked (&shard->hot, key) == 0)
    {
      dsq_hot_shard_insert_locked (&self->shards->hot,
                                   &shard->hot,
                                   key->hash,
                                   dsq_entry_ref (entry),
                                   FALSE);
      stamp = dsq_engine_stamp_locked (self, key, entry);
      is_admitted = TRUE;
    }
  dsq_shard_unlock (shard);
  if (!is_admitted)
    dsq_hot_tier_release (&self->shards->hot);
  dsq_hot_tier_trim (&self->shards->hot);
  return stamp;
}

/* The key is not in memory; its shard was as @miss says. */
static gboolean
get_cold (DsqEngine *self,
          const DsqKey *key,
          const DsqMiss *miss,
          DsqEntry **out_entry,
          guint64 *out_stamp,
          GError **error)
{
  gboolean success;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = dsq_cold_tier_get (self->cold, key, out_entry, error);
  if (success && *out_entry != NULL && dsq_engine_has_expired (self, *out_entry))
    g_clear_pointer (out_entry, dsq_entry_unref);
  if (success && *out_entry != NULL)
    {
      dsq_counters_add (&self->counters, DSQ_COUNT_COLD_HITS, 1);
      *out_stamp = dsq_engine_admit (self, key, miss, *out_entry);
    }
  else if (success)
    {
      dsq_engine_note_absent (self, 1);
    }
  dsq_engine_leave (self);
  return success;
}

/* Looks into memory only. The shard stays locked on a hit, whose entry may be a tombstone; else
 * @out_miss tells what to look into the file with, unless the file is known not to matter. */
typedef enum
{
  LOOK_FAILED,
  LOOK_HIT,
  LOOK_WARM,
  LOOK_MISS,
  LOOK_ABSENT
} LookResult;

/* Inline: out of line it costs a get a twentieth. */
static inline G_ALWAYS_INLINE LookResult
look_into_memory (DsqEngine *self,
                  const DsqKey *key,
                  DsqShard **out_shard,
                  DsqEntry **out_entry,
                  DsqMiss *out_miss,
                  GError **error)
{
  DsqShard *shard = dsq_engine_lock_shard (self, key->table, key->hash, error);
  LookResult result;
  guint32 number;

  *out_shard = shard;
  if (shard == NULL)
    return LOOK_FAILED;
  number = dsq_hot_shard_find_locked (&shard->hot, key);
  if (number != 0)
    {
      dsq_hot_shard_touch_locked (&self->shards->hot, &shard->hot, number);
      shard->n_hits++;
      *out_entry = shard->hot.nodes[number].entry;
      if (!dsq_engine_has_expired (self, *out_entry))
        return LOOK_HIT;
      dsq_shard_unlock (shard);
      return LOOK_ABSENT;
    }
  /* what the warm tier had has left it, and is the caller's to admit to the hot one */
  *out_entry = dsq_warm_shard_take_locked (&shard->warm, key);
  if (*out_entry != NULL)
    result = LOOK_WARM;
  else
    result = dsq_engine_may_be_cold_locked (self, shard, key) ? LOOK_MISS : LOOK_ABSENT;
  dsq_engine_count_miss_locked (shard, result == LOOK_WARM, result == LOOK_MISS);
  *out_miss = (DsqMiss){ shard->epoch, self->generation };
  dsq_shard_unlock (shard);
  if (result != LOOK_WARM || !dsq_engine_has_expired (self, *out_entry))
    return result;
  g_clear_pointer (out_entry, dsq_entry_unref);
  return LOOK_ABSENT;
}

gboolean
dsq_engine_get (DsqEngine *self, const DsqKey *key, DsqEntry **out_entry, GError **error)
{
  DsqEntry *entry;
  DsqShard *shard;
  DsqMiss miss;
  guint64 stamp;

  *out_entry = NULL;
  switch (look_into_memory (self, key, &shard, &entry, &miss, error))
    {
    case LOOK_FAILED:
      return FALSE;
    case LOOK_HIT:
      *out_entry = dsq_entry_is_tombstone (entry) ? NULL : dsq_entry_ref (entry);
      dsq_shard_unlock (shard);
      return TRUE;
    case LOOK_WARM:
      dsq_engine_admit (self, key, &miss, entry);
      *out_entry = entry;
      return TRUE;
    case LOOK_MISS:
      return get_cold (self, key, &miss, out_entry, &stamp, error);
    case LOOK_ABSENT:
    default:
      return TRUE;
    }
}

/* A short record is copied with the shard locked, which costs less than a reference. */
#define MAX_COPY_LOCKED 1024

/* With @stamp, in front of it. */
static inline void
copy_record (const DsqEntry *entry, const guint64 *stamp, guint8 **out_record, gsize *out_length)
{
  const gsize before = stamp != NULL ? DSQ_STAMP_LENGTH : 0;

  if (dsq_entry_is_tombstone (entry))
    return;
  *out_length = before + entry->record_length;
  *out_record = g_malloc (*out_length);
  if (stamp != NULL)
    memcpy (*out_record, stamp, sizeof *stamp);
  memcpy (*out_record + before, dsq_entry_record (entry), entry->record_length);
}

gboolean
dsq_engine_get_record (DsqEngine *self,
                       const DsqKey *key,
                       gboolean is_stamped,
                       guint8 **out_record,
                       gsize *out_length,
                       GError **error)
{
  g_autoptr (DsqEntry) held = NULL;
  guint64 stamp = DSQ_STAMP_NONE;
  DsqEntry *entry;
  DsqShard *shard;
  DsqMiss miss;
  LookResult result = look_into_memory (self, key, &shard, &entry, &miss, error);

  *out_record = NULL;
  *out_length = 0;
  if (result == LOOK_FAILED ||
      (result == LOOK_MISS && !get_cold (self, key, &miss, &held, &stamp, error)))
    return FALSE;
  if (result == LOOK_HIT && is_stamped)
    stamp = dsq_engine_stamp_locked (self, key, entry);
  if (result == LOOK_HIT && entry->record_length <= MAX_COPY_LOCKED)
    {
      copy_record (entry, is_stamped ? &stamp : NULL, out_record, out_length);
      dsq_shard_unlock (shard);
      return TRUE;
    }
  if (result == LOOK_HIT)
    {
      held = dsq_entry_ref (entry);
      dsq_shard_unlock (shard);
    }
  if (result == LOOK_WARM)
    {
      stamp = dsq_engine_admit (self, key, &miss, entry);
      held = entry;
    }
  if (held != NULL)
    copy_record (held, is_stamped ? &stamp : NULL, out_record, out_length);
  return TRUE;
}

/* Whether a record of @type holds a string that C has. */
static gboolean
is_string (const DsqEntry *entry, guint8 type)
{
  const guint8 *record = dsq_entry_record (entry);
  gsize length = entry->record_length;

  return length > 0 && record[0] == type && memchr (record + 1, '\0', length - 1) == NULL;
}

/* The string, or NULL for anything else. */
static char *
dup_string (const DsqEntry *entry, guint8 type)
{
  return is_string (entry, type)
             ? g_strndup ((const char *) dsq_entry_record (entry) + 1, entry->record_length - 1)
             : NULL;
}

char *
dsq_engine_peek_string (DsqEngine *self,
                        const DsqKey *key,
                        guint8 type,
                        guint64 *out_stamp,
                        gboolean *out_is_other)
{
  DsqShard *shard = dsq_engine_lock_shard (self, key->table, key->hash, NULL);
  g_autoptr (DsqEntry) held = NULL;
  DsqEntry *entry = NULL;
  char *string = NULL;
  guint32 number;

  *out_stamp = DSQ_STAMP_NONE;
  *out_is_other = FALSE;
  if (shard == NULL)
    return NULL;
  number = dsq_hot_shard_find_locked (&shard->hot, key);
  if (number == 0)
    {
      /* a string that is found there is given by the next look, which counts it */
      held = dsq_warm_shard_peek_locked (&shard->warm, key);
      dsq_shard_unlock (shard);
      if (held != NULL && !dsq_engine_has_expired (self, held))
        *out_is_other = !is_string (held, type);
      return NULL;
    }
  entry = shard->hot.nodes[number].entry;
  if (dsq_engine_has_expired (self, entry))
    entry = NULL;
  if (entry != NULL && entry->record_length > MAX_COPY_LOCKED)
    {
      held = dsq_entry_ref (entry);
      dsq_shard_unlock (shard);
      string = dup_string (held, type);
      dsq_shard_lock (shard);
      number = dsq_hot_shard_find_locked (&shard->hot, key);
    }
  else if (entry != NULL)
    {
      string = dup_string (entry, type);
      *out_stamp = dsq_engine_stamp_locked (self, key, entry);
    }
  *out_is_other = string == NULL && entry != NULL && !dsq_entry_is_tombstone (entry);
  shard->n_hits += string != NULL;
  if (string != NULL && number != 0)
    dsq_hot_shard_touch_locked (&self->shards->hot, &shard->hot, number);
  dsq_shard_unlock (shard);
  return string;
}

/* --- contains -------------------------------------------------------------------------------- */

static gboolean
look_for (DsqEngine *self,
          const DsqKey *key,
          DsqLocateFlags flags,
          gboolean *out_contains,
          GError **error)
{
  DsqLocated located;

  *out_contains = FALSE;
  if (!dsq_engine_learn_expiry (self, error) ||
      !dsq_engine_locate (self, key, flags, &located, error))
    return FALSE;
  *out_contains = dsq_located_is_held (&located) && !dsq_located_has_expired (self, &located);
  if (located.number != 0)
    dsq_hot_shard_touch_locked (&self->shards->hot, &located.shard->hot, located.number);
  dsq_located_finish (self, &located, FALSE);
  return TRUE;
}

gboolean
dsq_engine_contains (DsqEngine *self, const DsqKey *key, gboolean *out_contains, GError **error)
{
  return look_for (self, key, DSQ_LOCATE_PRESENCE, out_contains, error);
}

gboolean
dsq_engine_probe (DsqEngine *self, const DsqKey *key, gboolean *out_contains, GError **error)
{
  return look_for (self, key, DSQ_LOCATE_BLIND, out_contains, error);
}

/* --- set, remove ----------------------------------------------------------------------------- */

static gboolean
expect (DsqEngine *self, const DsqKey *key, GError **error)
{
  const DsqPending *pending = dsq_engine_pending (self, key->table);
  gboolean is_there;

  if (!dsq_pending_has_walks (pending) || !dsq_walker_has_joined (pending->number))
    return TRUE;
  is_there = dsq_walker_was_given (pending->number, key->hash);
  if (!is_there && !dsq_engine_probe (self, key, &is_there, error))
    return FALSE;
  dsq_walker_expect (pending->number, key->hash, !is_there);
  return TRUE;
}

gboolean
dsq_engine_foresee_new (DsqEngine *self, const DsqKey *key, GError **error)
{
  gboolean success;

  if (G_LIKELY (!dsq_walker_walks ()))
    return TRUE;
  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = expect (self, key, error);
  dsq_engine_leave (self);
  return success;
}

/* The shard is held by a commit, or something is to be swept. */
static G_GNUC_NO_INLINE DsqShard *
lock_for_set_slowly (DsqEngine *self, DsqShard *shard, const DsqKey *key, GError **error)
{
  gboolean is_swept = FALSE;

  while (shard != NULL && (shard->is_held || (!is_swept && dsq_engine_is_sweep_due (self))))
    {
      gboolean is_held = shard->is_held;

      dsq_shard_unlock (shard);
      if (is_held
              ? !dsq_engine_wait_for_commit (self, error)
              : !dsq_engine_sweep_some (self, 1, error) || !dsq_engine_sweep_key (self, key, error))
        return NULL;
      is_swept |= !is_held;
      shard = dsq_engine_lock_shard (self, key->table, key->hash, error);
    }
  return shard;
}

static DsqShard *
lock_for_set (DsqEngine *self, const DsqKey *key, GError **error)
{
  DsqShard *shard = dsq_engine_lock_shard (self, key->table, key->hash, error);

  return G_LIKELY (shard != NULL && !shard->is_held && !dsq_engine_is_sweep_due (self))
             ? shard
             : lock_for_set_slowly (self, shard, key, error);
}

gboolean
dsq_engine_set (DsqEngine *self,
                DsqPromise promise,
                const DsqKey *key,
                DsqEntry *entry,
                GError **error)
{
  DsqShard *shard;

  if (!dsq_engine_check_size (self, entry, error))
    {
      dsq_entry_unref (entry);
      return FALSE;
    }
  if (dsq_engine_writes_through (self, promise))
    {
      DsqChange change = { .entry = entry, .hash = key->hash };
      DsqBatchTable table = { .id = key->table };
      DsqWrite write = {
        .promise = promise,
        .tables = &table,
        .n_tables = 1,
        .changes = &change,
        .n_changes = 1,
      };
      gboolean success = dsq_engine_write_through (self, &write, error);

      dsq_entry_unref (entry);
      return success;
    }
  if (!dsq_engine_wait_for_budget (self, error) || !dsq_engine_foresee_new (self, key, error) ||
      (shard = lock_for_set (self, key, error)) == NULL)
    {
      dsq_entry_unref (entry);
      return FALSE;
    }
  dsq_engine_stage_locked (self,
                           shard,
                           dsq_hot_shard_find_locked (&shard->hot, key),
                           key,
                           entry,
                           dsq_engine_blind_presence (self, shard, key->table));
  dsq_shard_unlock (shard);
  dsq_engine_note_dirty (self);
  return TRUE;
}

/* Whether memory and the filter are sure that there is nothing to remove. */
static gboolean
is_surely_absent (DsqEngine *self, const DsqKey *key)
{
  DsqShard *shard = dsq_engine_lock_shard (self, key->table, key->hash, NULL);
  gboolean is_absent;
  gint64 expires;

  if (shard == NULL)
    return FALSE;
  is_absent = dsq_hot_shard_find_locked (&shard->hot, key) == 0 &&
              !dsq_warm_shard_contains_locked (&shard->warm, key, &expires) &&
              !dsq_engine_may_be_cold_locked (self, shard, key);
  dsq_shard_unlock (shard);
  return is_absent;
}

static gboolean
remove_through (DsqEngine *self,
                DsqPromise promise,
                const DsqKey *key,
                gboolean *out_removed,
                GError **error)
{
  g_autoptr (DsqEntry) tombstone = dsq_entry_new_tombstone (key);
  DsqChange change = { .entry = tombstone, .hash = key->hash };
  DsqBatchTable table = { .id = key->table };
  DsqWrite write = {
    .promise = promise,
    .tables = &table,
    .n_tables = 1,
    .changes = &change,
    .n_changes = 1,
  };

  if (!dsq_engine_write_through (self, &write, error))
    return FALSE;
  *out_removed = change.presence == DSQ_PRESENCE_PRESENT;
  return TRUE;
}

void
dsq_engine_stage_removal_locked (DsqEngine *self,
                                 DsqShard *shard,
                                 guint32 number,
                                 const DsqKey *key)
{
  DsqTable *table = dsq_engine_table (self, key->table);

  dsq_shard_assert_locked (shard);
  if (number != 0)
    dsq_pending_stage_removal_locked (table->pending, shard, number, key);
  else
    dsq_pending_stage_new_locked (table->pending,
                                  shard,
                                  key->hash,
                                  dsq_entry_new_tombstone (key),
                                  DSQ_PRESENCE_PRESENT);
  dsq_table_mark_changed_locked (table, DSQ_CHANGE_OF_KEYS, key);
}

gboolean
dsq_engine_remove (DsqEngine *self,
                   DsqPromise promise,
                   const DsqKey *key,
                   gboolean *out_removed,
                   GError **error)
{
  DsqLocated located;
  gboolean is_held;

  *out_removed = FALSE;
  if (dsq_engine_writes_through (self, promise))
    return (dsq_engine_may_write (self, promise) && is_surely_absent (self, key)) ||
           remove_through (self, promise, key, out_removed, error);
  if (!dsq_engine_wait_for_budget (self, error) ||
      !dsq_engine_locate (self, key, DSQ_LOCATE_SWEPT, &located, error))
    return FALSE;
  is_held = dsq_located_is_held (&located);
  *out_removed = is_held && !dsq_located_has_expired (self, &located);
  if (is_held)
    dsq_engine_stage_removal_locked (self, located.shard, located.number, key);
  dsq_located_finish (self, &located, is_held);
  return TRUE;
}
