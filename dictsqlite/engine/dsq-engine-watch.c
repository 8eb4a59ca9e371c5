/* dsq-engine-watch.c - who is told what changes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-patience-private.h"
#include "dsq-error.h"
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
    dsq_watchers_note (((DsqTable *) self->tables.used->pdata[i])->watchers, NULL);
  dsq_shards_unlock_all (self->shards);
}

/* What cannot be learned is found out by who reads. */
static void
catch_up (DsqEngine *self)
{
  if (!dsq_engine_enter (self, NULL))
    return;
  if (!self->cold->funcs->catch_up (self->cold, NULL))
    note_everything (self);
  dsq_engine_leave (self);
}

static void
look_cb (gpointer user_data)
{
  dsq_patience_renew ();
  catch_up (user_data);
}

static DsqColdListener *
listen_cb (gpointer user_data)
{
  DsqEngine *self = user_data;
  DsqColdListener *listener = NULL;

  if (!dsq_engine_enter (self, NULL))
    return NULL;
  if (self->cold->funcs->listen != NULL)
    listener = self->cold->funcs->listen (self->cold);
  dsq_engine_leave (self);
  return listener;
}

static const DsqLookoutFuncs lookout_funcs = { open_notice_cb, look_cb, listen_cb };

void
dsq_engine_init_lookout (DsqEngine *self)
{
  dsq_lookout_init (&self->lookout, &lookout_funcs, self);
}

/* --- who watches ------------------------------------------------------------------------------ */

static gboolean
enlist (DsqEngine *self, DsqWatcher *watcher, GError **error)
{
  DsqTable *table;

  if (!dsq_lookout_enter (&self->lookout, error))
    return FALSE;
  if (!dsq_engine_lock_all_open (self, watcher->table, error))
    {
      dsq_lookout_leave (&self->lookout);
      return FALSE;
    }
  table = dsq_engine_table (self, watcher->table);
  table->watchers = g_slist_prepend (table->watchers, watcher);
  dsq_shards_unlock_all (self->shards);
  return TRUE;
}

static void
delist (DsqEngine *self, DsqWatcher *watcher)
{
  DsqTable *table;

  dsq_shards_lock_all (self->shards);
  table = dsq_engine_table (self, watcher->table);
  table->watchers = g_slist_remove (table->watchers, watcher);
  dsq_shards_unlock_all (self->shards);
  dsq_lookout_leave (&self->lookout);
}

gboolean
dsq_engine_add_watcher (DsqEngine *self, DsqWatcher *watcher, GError **error)
{
  if (!dsq_door_is_own (&self->door))
    return dsq_door_refuse_inherited (error);
  watcher->engine = self;
  return enlist (self, watcher, error);
}

void
dsq_engine_remove_watcher (DsqWatcher *watcher)
{
  delist (watcher->engine, watcher);
}

/* --- those of another engine ------------------------------------------------------------------ */

static GPtrArray *
gather (DsqEngine *self, gconstpointer owner)
{
  GPtrArray *gathered = g_ptr_array_new ();

  dsq_shards_lock_all (self->shards);
  for (guint i = 0; i < self->tables.used->len; i++)
    for (GSList *l = ((DsqTable *) self->tables.used->pdata[i])->watchers; l != NULL; l = l->next)
      if (((DsqWatcher *) l->data)->owner == owner)
        g_ptr_array_add (gathered, l->data);
  dsq_shards_unlock_all (self->shards);
  return gathered;
}

/* Those of a table that is gone by now end where they are. */
static gboolean
enlist_all (DsqEngine *self, GPtrArray *watchers, GError **error)
{
  for (guint i = 0; i < watchers->len;)
    {
      g_autoptr (GError) local_error = NULL;

      if (enlist (self, watchers->pdata[i], &local_error))
        i++;
      else if (g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_NO_TABLE))
        g_ptr_array_remove_index (watchers, i);
      else
        {
          while (i > 0)
            delist (self, watchers->pdata[--i]);
          g_propagate_error (error, g_steal_pointer (&local_error));
          return FALSE;
        }
    }
  return TRUE;
}

/* Both tell them until the old one has told all that was committed before the new one did. */
gboolean
dsq_engine_move_watchers (DsqEngine *self, DsqEngine *from, gconstpointer owner, GError **error)
{
  g_autoptr (GPtrArray) watchers = gather (from, owner);

  if (watchers->len == 0)
    return TRUE;
  if (!enlist_all (self, watchers, error))
    return FALSE;
  catch_up (from);
  for (guint i = 0; i < watchers->len; i++)
    {
      DsqWatcher *watcher = watchers->pdata[i];

      delist (from, watcher);
      watcher->engine = self;
    }
  return TRUE;
}

void
dsq_engine_end_watchers (DsqEngine *self, gconstpointer owner)
{
  dsq_shards_lock_all (self->shards);
  for (guint i = 0; i < self->tables.used->len; i++)
    dsq_watchers_end (((DsqTable *) self->tables.used->pdata[i])->watchers, owner, FALSE);
  dsq_shards_unlock_all (self->shards);
}
