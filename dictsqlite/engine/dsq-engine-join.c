/* dsq-engine-join.c - another handle on a file that is open
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-file-private.h"
#include "cold/dsq-cold-upkeep-private.h"
#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-flusher-private.h"
#include "engine/dsq-write-behind-private.h"

/*
 * What is promised of a write is its handle's, and comes with each. What the engine has but once is
 * from then on what serves all: the larger size, the shorter interval, a thread if one wants it;
 * and nothing is dropped as a cache's that one of them means to keep.
 */

/* --- password --------------------------------------------------------------------------------- */

/* As if the file were opened: with what its header says now. */
static gboolean
check_password (DsqEngine *self, const DsqEngineOptions *options, GError **error)
{
  DsqHeader header;
  DsqKeys *keys = NULL;

  if (!self->cold->upkeep->get_header (self->cold, &header, error) ||
      !dsq_header_check_cost (&header, options->kdf_limit, error) ||
      !dsq_header_unlock (&header, options->password, &keys, error))
    return FALSE;
  g_clear_pointer (&keys, dsq_keys_free);
  return TRUE;
}

/* --- staging ---------------------------------------------------------------------------------- */

/* Places go on where the file's are: what was written through has them from there. */
static void
take_places_locked (DsqEngine *self)
{
  DsqTableState state;

  dsq_shards_assert_all_locked (self->shards);
  for (guint i = 0; i < self->tables.used->len; i++)
    {
      DsqTable *table = self->tables.used->pdata[i];

      if (self->cold->funcs->get_table (self->cold, table->id, &state))
        dsq_pending_advance_locked (table->pending, state.next);
    }
}

static gboolean
begin_staging_locked (DsqEngine *self, GError **error)
{
  dsq_mutex_assert_held (&self->writer_lock);
  if (!self->cold->funcs->begin (self->cold, error))
    return FALSE;
  dsq_shards_lock_all (self->shards);
  take_places_locked (self);
  __atomic_store_n (&self->commits_at_once, FALSE, __ATOMIC_RELAXED);
  dsq_shards_unlock_all (self->shards);
  self->cold->funcs->rollback (self->cold);
  return TRUE;
}

/* --- sizes ------------------------------------------------------------------------------------ */

static void
widen (guint64 *option, guint64 other)
{
  __atomic_store_n (option, MAX (*option, other), __ATOMIC_RELAXED);
}

static void
widen_warm_locked (DsqEngine *self, guint64 bytes)
{
  dsq_shards_assert_all_locked (self->shards);
  if (bytes <= self->options.warm_capacity)
    return;
  for (guint i = 0; i < self->shards->n_shards; i++)
    dsq_warm_shard_widen_locked (&self->shards->all[i].warm,
                                 (gsize) MIN (bytes, G_MAXSSIZE) / self->shards->n_shards);
  widen (&self->options.warm_capacity, bytes);
}

static void
widen_locked (DsqEngine *self, const DsqEngineOptions *options)
{
  dsq_shards_assert_all_locked (self->shards);
  widen (&self->options.hot_capacity, options->hot_capacity);
  widen (&self->options.hot_limit, options->hot_limit);
  dsq_hot_tier_widen (&self->shards->hot, options->hot_capacity, options->hot_limit);
  widen_warm_locked (self, options->warm_capacity);
  self->file->funcs->widen (self->file,
                            options->cache_size,
                            options->read_only ? 0 : options->wal_limit);
  __atomic_store_n (&self->options.busy_timeout_ms,
                    MAX (self->options.busy_timeout_ms, options->busy_timeout_ms),
                    __ATOMIC_RELAXED);
  /* who writes nothing has nothing that is to be kept */
  if (options->read_only)
    return;
  widen (&self->options.dirty_limit, options->dirty_limit);
  if (options->max_bytes == 0)
    __atomic_store_n (&self->options.max_bytes, 0, __ATOMIC_RELAXED);
  else if (self->options.max_bytes != 0)
    widen (&self->options.max_bytes, options->max_bytes);
  if (!dsq_engine_has_failed (self))
    dsq_engine_reset_threshold (self);
}

/* --- joining ---------------------------------------------------------------------------------- */

static gboolean
start_thread (DsqEngine *self, const DsqEngineOptions *options, GError **error)
{
  if (options->read_only)
    return TRUE;
  dsq_flusher_shorten (self->flusher, options->flush_interval_ms);
  if (!options->background)
    return TRUE;
  if (!dsq_flusher_start (self->flusher))
    return dsq_engine_refuse_without_thread (error);
  __atomic_store_n (&self->options.background, TRUE, __ATOMIC_RELAXED);
  self->file->funcs->set_may_hold (self->file, TRUE);
  return TRUE;
}

/* Others are waited for only where there is something to be done with the file. */
static gboolean
begin_staging (DsqEngine *self, const DsqEngineOptions *options, GError **error)
{
  gboolean success = TRUE;

  if (options->read_only || options->persist_mode == DSQ_PERSIST_WRITETHROUGH ||
      !dsq_engine_commits_at_once (self))
    return TRUE;
  if (!dsq_call_lock (&self->writer_lock, error))
    return FALSE;
  if (dsq_engine_commits_at_once (self))
    success = begin_staging_locked (self, error);
  dsq_mutex_unlock (&self->writer_lock);
  return success;
}

static void
widen_for (DsqEngine *self, const DsqEngineOptions *options)
{
  dsq_shards_lock_all (self->shards);
  widen_locked (self, options);
  dsq_shards_unlock_all (self->shards);
}

gboolean
dsq_engine_join (DsqEngine *self, const DsqEngineOptions *options, GError **error)
{
  gboolean success;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = check_password (self, options, error) && begin_staging (self, options, error) &&
            start_thread (self, options, error);
  if (success)
    widen_for (self, options);
  dsq_engine_leave (self);
  return success;
}

/* --- those of another engine ------------------------------------------------------------------ */

/* What no table can be named. */
#define NO_NAME "\xff"

/* Of a table that is gone by now: calls for it say so. */
static void
bury_table (DsqEngine *self, guint32 id)
{
  const DsqTableState state = { .table = id };
  g_autoptr (GBytes) name = g_bytes_new_static (NO_NAME, 1);

  dsq_shards_lock_all (self->shards);
  if (dsq_tables_find (&self->tables, id) == NULL)
    dsq_tables_drop_locked (
        &self->tables,
        dsq_tables_add_locked (&self->tables,
                               name,
                               dsq_pending_new (self->shards, &state, self->cold->begins_empty)));
  dsq_shards_unlock_all (self->shards);
}

static gboolean
adopt_table (DsqEngine *self, guint32 id, GBytes *name, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gsize length;
  const guint8 *bytes = g_bytes_get_data (name, &length);
  guint32 table;

  if (!dsq_engine_open_table (self, DSQ_PROMISE_NONE, bytes, length, &table, &local_error) &&
      !g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_READ_ONLY))
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  bury_table (self, id);
  return TRUE;
}

/* Those that were opened, by id; what has been dropped has no name. */
static void
list_opened (DsqEngine *self, GArray *ids, GPtrArray *names)
{
  dsq_shard_lock (&self->shards->all[0]);
  for (guint i = 0; i < self->tables.used->len + self->tables.dropped->len; i++)
    {
      const DsqTable *table = i < self->tables.used->len
                                  ? self->tables.used->pdata[i]
                                  : self->tables.dropped->pdata[i - self->tables.used->len];

      if (table->id == DSQ_TABLE_MAIN)
        continue;
      g_array_append_val (ids, table->id);
      g_ptr_array_add (names, table->name != NULL ? g_bytes_ref (table->name) : NULL);
    }
  dsq_shard_unlock (&self->shards->all[0]);
}

static void
free_name (gpointer name)
{
  if (name != NULL)
    g_bytes_unref (name);
}

gboolean
dsq_engine_adopt (DsqEngine *self, DsqEngine *from, GError **error)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (free_name);

  list_opened (from, ids, names);
  for (guint i = 0; i < ids->len; i++)
    {
      guint32 id = g_array_index (ids, guint32, i);

      if (names->pdata[i] == NULL)
        bury_table (self, id);
      else if (!adopt_table (self, id, names->pdata[i], error))
        return FALSE;
    }
  widen_for (self, &from->options);
  return TRUE;
}
