/* dsq-engine-modify.c - a key is read, changed and written in one step
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-engine-internal.h"
#include "engine/dsq-locate-private.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-write-behind-private.h"
#include "engine/dsq-write-through-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * What a key becomes depends on what it is. In memory that is looked at and replaced under the lock
 * of its shard; with write-through it is read in the transaction that writes it, so that no other
 * process comes between. What has expired is swept before either, so it is not there.
 */

static gboolean
modify_through (DsqEngine *self,
                DsqPromise promise,
                const DsqKey *key,
                DsqModifyFunc func,
                gpointer user_data,
                GError **error)
{
  DsqChange change = { .hash = key->hash };
  DsqBatchTable table = { .id = key->table };
  DsqWrite write = {
    .promise = promise,
    .tables = &table,
    .n_tables = 1,
    .changes = &change,
    .key = key,
    .modify = func,
    .modify_data = user_data,
  };
  gboolean success = dsq_engine_write_through (self, &write, error);

  g_clear_pointer (&change.entry, dsq_entry_unref);
  return success;
}

/* Takes over @entry. */
static void
stage_located (DsqEngine *self, DsqLocated *located, const DsqKey *key, DsqEntry *entry)
{
  if (!dsq_entry_is_tombstone (entry))
    {
      dsq_engine_stage_locked (self,
                               located->shard,
                               located->number,
                               key,
                               entry,
                               located->presence);
      return;
    }
  dsq_engine_stage_removal_locked (self, located->shard, located->number, key);
  dsq_entry_unref (entry);
}

gboolean
dsq_engine_modify (DsqEngine *self,
                   DsqPromise promise,
                   const DsqKey *key,
                   DsqModifyFunc func,
                   gpointer user_data,
                   GError **error)
{
  g_autoptr (DsqEntry) old = NULL;
  DsqEntry *entry = NULL;
  DsqLocated located;
  gboolean success;

  if (dsq_engine_writes_through (self, promise))
    return modify_through (self, promise, key, func, user_data, error);
  if (!dsq_engine_wait_for_budget (self, error) ||
      !dsq_engine_locate (self, key, DSQ_LOCATE_SWEPT | DSQ_LOCATE_ENTRY, &located, error))
    return FALSE;
  if (!dsq_located_has_expired (self, &located))
    old = dsq_located_entry (&located);
  success = func (key, old, &entry, user_data, error) &&
            dsq_engine_check_modified (self, old, entry, error);
  if (!success)
    g_clear_pointer (&entry, dsq_entry_unref);
  if (entry != NULL)
    stage_located (self, &located, key, entry);
  else if (located.number != 0)
    dsq_hot_shard_touch_locked (&self->shards->hot, &located.shard->hot, located.number);
  dsq_located_finish (self, &located, entry != NULL);
  return success;
}

/* --- touch ----------------------------------------------------------------------------------- */

typedef struct
{
  gint64 expires;
  gboolean is_touched; /* out */
} Touch;

static gboolean
touch_cb (const DsqKey *key, DsqEntry *old, DsqEntry **out_new, gpointer user_data, GError **error)
{
  Touch *self = user_data;

  self->is_touched = old != NULL;
  if (old != NULL)
    *out_new = dsq_entry_new (key, dsq_entry_record (old), old->record_length, self->expires);
  return TRUE;
}

gboolean
dsq_engine_touch (DsqEngine *self,
                  DsqPromise promise,
                  const DsqKey *key,
                  gint64 expires,
                  gboolean *out_touched,
                  GError **error)
{
  Touch touch = { expires, FALSE };
  gboolean success = dsq_engine_modify (self, promise, key, touch_cb, &touch, error);

  *out_touched = success && touch.is_touched;
  return success;
}
