/* dsq-engine-watch.c - who is told what changes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-patience-private.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-engine-watch-private.h"

/*
 * Changes of this process are noted where they are made, see dsq_table_mark_changed_locked(), and
 * others' where they are learned; the lookout's thread sees to it that they are.
 */

/* --- the lookout ------------------------------------------------------------------------------ */

static gboolean
open_notice_cb (gpointer user_data, int *out_fd, GError **error)
{
  DsqEngine *self = user_data;
  gboolean success = TRUE;

  *out_fd = -1;
  if (!dsq_engine_enter (self, error))
    return FALSE;
  if (self->cold->funcs->open_notice != NULL)
    success = self->cold->funcs->open_notice (self->cold, out_fd, error);
  dsq_engine_leave (self);
  return success;
}

static void
note_everything (DsqEngine *self)
{
  dsq_shards_lock_all (self->shards);
  for (guint i = 0; i < self->tables.used->len; i++)
    dsq_watcher_note (((DsqTable *) self->tables.used->pdata[i])->watchers, NULL);
  dsq_shards_unlock_all (self->shards);
}

/* What cannot be learned is found out by who reads. */
static void
look_cb (gpointer user_data)
{
  DsqEngine *self = user_data;

  dsq_patience_renew ();
  if (!dsq_engine_enter (self, NULL))
    return;
  if (!self->cold->funcs->catch_up (self->cold, NULL))
    note_everything (self);
  dsq_engine_leave (self);
}

static const DsqLookoutFuncs lookout_funcs = { open_notice_cb, look_cb };

void
dsq_engine_init_lookout (DsqEngine *self)
{
  dsq_lookout_init (&self->lookout, &lookout_funcs, self);
}

/* --- who watches ------------------------------------------------------------------------------ */

gboolean
dsq_engine_add_watcher (DsqEngine *self, guint32 table, DsqWatcher *watcher, GError **error)
{
  DsqTable *watched;

  if (!dsq_door_is_own (&self->door))
    return dsq_door_refuse_inherited (error);
  if (!dsq_lookout_enter (&self->lookout, error))
    return FALSE;
  if (!dsq_engine_lock_all_open (self, table, error))
    {
      dsq_lookout_leave (&self->lookout);
      return FALSE;
    }
  watched = dsq_engine_table (self, table);
  watcher->next = watched->watchers;
  watched->watchers = watcher;
  dsq_shards_unlock_all (self->shards);
  return TRUE;
}

void
dsq_engine_remove_watcher (DsqEngine *self, guint32 table, DsqWatcher *watcher)
{
  DsqWatcher **link;

  dsq_shards_lock_all (self->shards);
  link = &dsq_engine_table (self, table)->watchers;
  while (*link != watcher)
    link = &(*link)->next;
  *link = watcher->next;
  dsq_shards_unlock_all (self->shards);
  dsq_lookout_leave (&self->lookout);
}

void
dsq_engine_end_watchers (DsqEngine *self, gconstpointer owner)
{
  dsq_shards_lock_all (self->shards);
  for (guint i = 0; i < self->tables.used->len; i++)
    dsq_watcher_end (((DsqTable *) self->tables.used->pdata[i])->watchers, owner, FALSE);
  dsq_shards_unlock_all (self->shards);
}
