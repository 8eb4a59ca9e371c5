/* dsq-warm-tier.c - a compact copy in memory of what fell out of the hot tier
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "tiers/dsq-warm-log-private.h"

/*
 * What hot evicts is appended to a log, and what hot wants back leaves it, so that no entry is in
 * both and the two together are one LRU list: hot's part exact, warm's as exact as a segment is
 * long. An entry in the log takes 3 bytes and about 8 of index beside its key and record.
 */

void
dsq_warm_shard_init (DsqWarmShard *self, const DsqMutex *lock, gsize budget)
{
  memset (self, 0, sizeof *self);
  self->lock = lock;
  self->budget = budget;
  dsq_warm_log_init (self);
}

void
dsq_warm_shard_finish (DsqWarmShard *self)
{
  dsq_warm_log_clear (self);
}

void
dsq_warm_shard_widen_locked (DsqWarmShard *self, gsize budget)
{
  dsq_mutex_assert_held (self->lock);
  dsq_warm_shard_clear_locked (self);
  self->budget = budget;
  dsq_warm_log_init (self);
}

void
dsq_warm_shard_clear_locked (DsqWarmShard *self)
{
  dsq_mutex_assert_held (self->lock);
  dsq_warm_log_clear (self);
}

static gboolean
find (const DsqWarmShard *self, const DsqKey *key, DsqWarmItem *out_item, guint32 *out_position)
{
  DsqWarmProbe probe;

  if (self->index.n_used == 0)
    return FALSE;
  dsq_warm_probe_init (&probe, &self->index, key->hash);
  while (dsq_warm_probe_next (&probe, out_position))
    {
      dsq_warm_item_read (self, dsq_warm_log_at (self, *out_position), out_item);
      if (out_item->key.length == key->length && out_item->key.table == key->table &&
          memcmp (out_item->key.bytes, key->bytes, key->length) == 0)
        return TRUE;
    }
  return FALSE;
}

static DsqEntry *
entry_of (const DsqWarmItem *item)
{
  return dsq_entry_new (&item->key, item->record, item->record_length, item->expires);
}

static void
remove_found (DsqWarmShard *self, guint64 hash, guint32 position, const DsqWarmItem *item)
{
  dsq_warm_index_remove (&self->index, hash, position);
  dsq_warm_log_kill (self, position, item);
}

gboolean
dsq_warm_shard_put_locked (DsqWarmShard *self, const DsqEntry *entry, guint64 hash)
{
  DsqKey key = { dsq_entry_key (entry), entry->key_length, entry->table, hash };
  gsize size = dsq_warm_item_measure (self, entry);
  guint32 position;
  guint8 *room;

  dsq_mutex_assert_held (self->lock);
  dsq_warm_shard_remove_locked (self, &key);
  if (size > self->budget / 4 || dsq_entry_is_tombstone (entry))
    return FALSE;
  room = dsq_warm_log_reserve (self, (guint32) size, &position);
  if (room == NULL)
    return FALSE;
  dsq_warm_item_write (room, entry);
  dsq_warm_index_insert (&self->index, hash, position);
  return TRUE;
}

DsqEntry *
dsq_warm_shard_take_locked (DsqWarmShard *self, const DsqKey *key)
{
  DsqWarmItem item;
  guint32 position;
  DsqEntry *entry;

  dsq_mutex_assert_held (self->lock);
  if (!find (self, key, &item, &position))
    return NULL;
  entry = entry_of (&item);
  remove_found (self, key->hash, position, &item);
  return entry;
}

DsqEntry *
dsq_warm_shard_peek_locked (DsqWarmShard *self, const DsqKey *key)
{
  DsqWarmItem item;
  guint32 position;

  dsq_mutex_assert_held (self->lock);
  return find (self, key, &item, &position) ? entry_of (&item) : NULL;
}

gboolean
dsq_warm_shard_contains_locked (DsqWarmShard *self, const DsqKey *key, gint64 *out_expires)
{
  DsqWarmItem item;
  guint32 position;

  dsq_mutex_assert_held (self->lock);
  if (!find (self, key, &item, &position))
    return FALSE;
  *out_expires = item.expires;
  return TRUE;
}

gboolean
dsq_warm_shard_holds_locked (const DsqWarmShard *self, const DsqKey *key)
{
  DsqWarmItem item;
  guint32 position;

  dsq_mutex_assert_held (self->lock);
  return find (self, key, &item, &position);
}

gboolean
dsq_warm_shard_remove_locked (DsqWarmShard *self, const DsqKey *key)
{
  DsqWarmItem item;
  guint32 position;

  dsq_mutex_assert_held (self->lock);
  if (!find (self, key, &item, &position))
    return FALSE;
  remove_found (self, key->hash, position, &item);
  return TRUE;
}

void
dsq_warm_shard_remove_table_locked (DsqWarmShard *self, guint32 table)
{
  dsq_mutex_assert_held (self->lock);
  dsq_warm_log_remove_table (self, table);
}
