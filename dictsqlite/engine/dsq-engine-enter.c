/* dsq-engine-enter.c - how a call comes in, to a shard or to all, and what is refused there
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-write-behind-private.h"

void
dsq_engine_leave (DsqEngine *self)
{
  /* in a child that a function made which the call has called */
  if (!dsq_door_is_own (&self->door))
    {
      dsq_call_leave ();
      dsq_fork_leave ();
      return;
    }
  /* reads that keep their transactions want somebody to end them */
  if (self->file != NULL && __atomic_load_n (&self->file->holds_readers, __ATOMIC_RELAXED))
    dsq_flusher_tick (self->flusher, FALSE);
  dsq_door_leave (&self->door);
}

gboolean
dsq_engine_refuse_dropped (GError **error)
{
  g_set_error_literal (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE, "table is dropped");
  return FALSE;
}

DsqShard *
dsq_engine_lock_shard_slowly (DsqEngine *self, guint32 table, guint64 hash, GError **error)
{
  DsqShard *shard;
  gboolean is_closed;

  if (!dsq_engine_enter (self, error))
    return NULL;
  if (!self->cold->funcs->catch_up (self->cold, error))
    {
      dsq_engine_leave (self);
      return NULL;
    }
  shard = dsq_shards_get (self->shards, hash);
  dsq_shard_lock (shard);
  dsq_engine_leave (self);
  is_closed = shard->is_closed;
  if (!is_closed && !dsq_engine_table (self, table)->is_dropped)
    return shard;
  dsq_shard_unlock (shard);
  if (is_closed)
    dsq_door_refuse_closed (error);
  else
    dsq_engine_refuse_dropped (error);
  return NULL;
}

gboolean
dsq_engine_is_closed (DsqEngine *self)
{
  return dsq_door_is_closed (&self->door);
}

gboolean
dsq_engine_is_inherited (DsqEngine *self)
{
  return !dsq_door_is_own (&self->door);
}

gboolean
dsq_engine_check_open (DsqEngine *self, guint32 table, GError **error)
{
  DsqShard *shard = dsq_engine_lock_shard (self, table, 0, error);

  if (shard == NULL)
    return FALSE;
  dsq_shard_unlock (shard);
  return TRUE;
}

gboolean
dsq_engine_wait_for_commit (DsqEngine *self, GError **error)
{
  gboolean success;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = dsq_call_lock (&self->writer_lock, error);
  if (success)
    dsq_mutex_unlock (&self->writer_lock);
  dsq_engine_leave (self);
  return success;
}

gboolean
dsq_engine_lock_all_open (DsqEngine *self, guint32 table, GError **error)
{
  gboolean is_closed;

  if (!dsq_engine_check_open (self, table, error))
    return FALSE;
  dsq_shards_lock_all (self->shards);
  is_closed = self->shards->all[0].is_closed;
  if (!is_closed && !dsq_engine_table (self, table)->is_dropped)
    return TRUE;
  dsq_shards_unlock_all (self->shards);
  return is_closed ? dsq_door_refuse_closed (error) : dsq_engine_refuse_dropped (error);
}

gboolean
dsq_engine_refuse_read_only (GError **error)
{
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_READ_ONLY,
                       "Failed to write: the store was opened read-only");
  return FALSE;
}

/* What the file's own structure may take, beside an entry that is as large as can be. */
#define STRUCTURE_BYTES 65536

gboolean
dsq_engine_refuse_too_large (DsqEngine *self, const DsqEntry *entry, GError **error)
{
  if ((gsize) entry->key_length + entry->record_length <=
      dsq_engine_option (self, max_bytes) -
          MIN (dsq_engine_option (self, max_bytes) / 2, STRUCTURE_BYTES))
    return TRUE;
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_INVALID_VALUE,
                       "Failed to set a key: its value is larger than max-bytes allows");
  return FALSE;
}

gboolean
dsq_engine_check_modified (DsqEngine *self,
                           const DsqEntry *old,
                           const DsqEntry *entry,
                           GError **error)
{
  if (entry == NULL || (old != NULL && entry->record_length <= old->record_length))
    return TRUE;
  return dsq_engine_check_size (self, entry, error);
}

/* --- the clock -------------------------------------------------------------------------------- */

gint64
dsq_engine_now (DsqEngine *self)
{
  return dsq_expiry_now (&self->expiry);
}

void
dsq_engine_set_clock_offset (DsqEngine *self, gint64 milliseconds)
{
  __atomic_store_n (self->expiry.clock_offset, milliseconds, __ATOMIC_RELAXED);
}
