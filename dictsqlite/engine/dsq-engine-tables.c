/* dsq-engine-tables.c - the tables of a store: open, list, drop
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-format-private.h"
#include "codec/dsq-utf8-private.h"
#include "cold/dsq-cold-file-private.h"
#include "dsq-error.h"
#include "engine/dsq-apart-private.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-flusher-private.h"
#include "engine/dsq-sweep-private.h"
#include "engine/dsq-write-behind-private.h"

/*
 * Tables share the tiers, the file, the flush and all limits; what a table has of its own is its
 * pending changes and its range of places. The registry, see dsq-tables.c, has those that
 * were opened.
 *
 * A table is made in the file as soon as it is opened, by a commit of its own, so that no two
 * stores can give one id to two tables. Ids are never used again: one of a table that was dropped,
 * here or by another process, stands for that for ever.
 */

/* Bytes of the longest name. */
#define MAX_NAME_LENGTH (1024 * 1024)

/* --- open ------------------------------------------------------------------------------------ */

static GBytes *
make_name (const guint8 *name, gsize length, GError **error)
{
  if (length <= MAX_NAME_LENGTH && dsq_utf8_validate (name, length))
    return g_bytes_new (name, length);
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_INVALID_ARGUMENT,
                       "Failed to name a table: the name is too long, or not UTF-8");
  return NULL;
}

/* The table's id, or 0 when it has not been opened yet, as long as it is being made too. */
static gboolean
find_open_table (DsqEngine *self, GBytes *name, guint32 *out_table, GError **error)
{
  DsqShard *shard = dsq_engine_lock_shard (self, DSQ_TABLE_MAIN, 0, error);
  DsqTable *table;

  if (shard == NULL)
    return FALSE;
  table = dsq_tables_find_locked (&self->tables, name);
  *out_table = table != NULL && table->is_made && !table->is_dropped ? table->id : 0;
  dsq_shard_unlock (shard);
  return TRUE;
}

/* Before and after the list of tables changes. */
static void
turn_tables_locked (DsqEngine *self)
{
  dsq_mutex_assert_held (&self->writer_lock);
  __atomic_add_fetch (&self->n_table_turns, 1, __ATOMIC_SEQ_CST);
}

/* Who has found a table without a lock is inside, or a transaction that goes by it. */
static void
reclaim_tables_locked (DsqEngine *self)
{
  gboolean is_quiet;

  dsq_mutex_assert_held (&self->writer_lock);
  dsq_shards_lock_all (self->shards);
  is_quiet = __atomic_load_n (&self->door.n_users, __ATOMIC_SEQ_CST) == 1 &&
             __atomic_load_n (&self->n_over, __ATOMIC_SEQ_CST) == 0;
  dsq_tables_reclaim_locked (&self->tables, is_quiet);
  dsq_shards_unlock_all (self->shards);
}

static DsqTable *
add_table_locked (DsqEngine *self, GBytes *name, const DsqTableState *state)
{
  dsq_shards_assert_all_locked (self->shards);
  return dsq_tables_add_locked (&self->tables,
                                name,
                                dsq_pending_new (self->shards, state, self->cold->begins_empty));
}

/* In the transaction nobody else commits, so the table comes here as it will be in the file; should
 * the commit fail, it goes again. */
static gboolean
open_in_transaction (DsqEngine *self,
                     GBytes *name,
                     gboolean may_make,
                     guint32 *out_table,
                     GError **error)
{
  DsqTableState state;
  DsqTable *table;
  gboolean committed;
  gsize length;
  const guint8 *bytes = g_bytes_get_data (name, &length);

  if (!self->cold->funcs->open_table (self->cold, bytes, length, may_make, &state, error) ||
      (state.table == 0 && !dsq_engine_refuse_read_only (error)))
    {
      self->cold->funcs->rollback (self->cold);
      return FALSE;
    }
  dsq_shards_lock_all (self->shards);
  table = add_table_locked (self, name, &state);
  /* what of it has expired was passed over until now */
  dsq_expiry_forget_locked (&self->expiry);
  dsq_shards_unlock_all (self->shards);
  *out_table = table->id;
  committed = self->cold->funcs->commit (self->cold, NULL, NULL, error);
  if (!committed)
    self->cold->funcs->rollback (self->cold);
  dsq_shards_lock_all (self->shards);
  table->is_made = committed;
  if (!committed && !table->is_dropped)
    dsq_tables_drop_locked (&self->tables, table);
  dsq_shards_unlock_all (self->shards);
  return committed;
}

static gboolean
open_to_write_locked (DsqEngine *self,
                      GBytes *name,
                      gboolean may_make,
                      guint32 *out_table,
                      GError **error)
{
  gboolean opened;

  dsq_mutex_assert_held (&self->writer_lock);
  if (!self->cold->funcs->begin (self->cold, error))
    return FALSE;
  /* another thread may have been first */
  dsq_shard_lock (&self->shards->all[0]);
  *out_table = 0;
  if (dsq_tables_find_locked (&self->tables, name) != NULL)
    *out_table = dsq_tables_find_locked (&self->tables, name)->id;
  dsq_shard_unlock (&self->shards->all[0]);
  if (*out_table != 0)
    {
      self->cold->funcs->rollback (self->cold);
      return TRUE;
    }
  turn_tables_locked (self);
  opened = open_in_transaction (self, name, may_make, out_table, error);
  turn_tables_locked (self);
  return opened;
}

/* A table of a read-only store must be in the file. */
static gboolean
open_to_read_locked (DsqEngine *self, GBytes *name, guint32 *out_table, GError **error)
{
  DsqTableState state;
  DsqTable *table;
  gsize length;
  const guint8 *bytes = g_bytes_get_data (name, &length);

  dsq_mutex_assert_held (&self->writer_lock);
  if (!self->cold->funcs->open_table (self->cold, bytes, length, FALSE, &state, error))
    return FALSE;
  if (state.table == 0)
    return dsq_engine_refuse_read_only (error);
  dsq_shards_lock_all (self->shards);
  table = dsq_tables_find_locked (&self->tables, name);
  if (table == NULL)
    table = add_table_locked (self, name, &state);
  table->is_made = TRUE;
  *out_table = table->id;
  dsq_shards_unlock_all (self->shards);
  return TRUE;
}

static gboolean
open_or_make (DsqEngine *self, GBytes *name, gboolean may_make, guint32 *out_table, GError **error)
{
  gboolean success = dsq_call_lock (&self->writer_lock, error);

  if (!success)
    return FALSE;
  reclaim_tables_locked (self);
  if (self->options.read_only)
    success = open_to_read_locked (self, name, out_table, error);
  else
    success = open_to_write_locked (self, name, may_make, out_table, error);
  dsq_mutex_unlock (&self->writer_lock);
  return success;
}

static gboolean
make_cb (gpointer engine, GBytes *name, guint32 *out_table, GError **error)
{
  return open_or_make (engine, name, TRUE, out_table, error);
}

static gboolean
open_cb (gpointer engine, GBytes *name, guint32 *out_table, GError **error)
{
  return open_or_make (engine, name, FALSE, out_table, error);
}

gboolean
dsq_engine_open_table (DsqEngine *self,
                       DsqPromise promise,
                       const guint8 *name,
                       gsize length,
                       guint32 *out_table,
                       GError **error)
{
  g_autoptr (GBytes) owned = make_name (name, length, error);
  gboolean success;

  *out_table = 0;
  if (owned == NULL || !find_open_table (self, owned, out_table, error))
    return FALSE;
  if (*out_table != 0)
    return TRUE;
  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = dsq_apart_call (dsq_engine_apart (self),
                            promise != DSQ_PROMISE_NONE ? make_cb : open_cb,
                            self,
                            owned,
                            out_table,
                            error);
  dsq_flusher_wake (self->flusher, FALSE);
  dsq_engine_leave (self);
  return success;
}

/* --- list ------------------------------------------------------------------------------------ */

/* The cold tier may tell of a table that is being dropped as gone when it can still be opened as it
 * was, and of one that is being made as there. So what is read meanwhile is read anew. */
static gboolean
list_tables (DsqEngine *self, GPtrArray *names, GError **error)
{
  const guint64 turn = __atomic_load_n (&self->n_table_turns, __ATOMIC_SEQ_CST);
  const guint n_before = names->len;
  gboolean success;

  if (turn % 2 == 0)
    {
      if (!self->cold->funcs->list_tables (self->cold, names, error))
        return FALSE;
      if (__atomic_load_n (&self->n_table_turns, __ATOMIC_SEQ_CST) == turn)
        return TRUE;
      g_ptr_array_set_size (names, (gint) n_before);
    }
  if (!dsq_call_lock (&self->writer_lock, error))
    return FALSE;
  success = self->cold->funcs->list_tables (self->cold, names, error);
  dsq_mutex_unlock (&self->writer_lock);
  return success;
}

gboolean
dsq_engine_list_tables (DsqEngine *self, GPtrArray *names, GError **error)
{
  gboolean success;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = list_tables (self, names, error);
  dsq_engine_leave (self);
  return success;
}

/* --- drop ------------------------------------------------------------------------------------ */

static gboolean
drop_cb (gpointer engine, GBytes *name, guint32 *out_dropped, GError **error)
{
  DsqEngine *self = engine;
  gboolean dropped = FALSE;
  gboolean success = dsq_call_lock (&self->writer_lock, error);

  if (!success)
    return FALSE;
  reclaim_tables_locked (self);
  turn_tables_locked (self);
  success = dsq_engine_flush_and_drop_locked (self, name, &dropped, error);
  turn_tables_locked (self);
  dsq_mutex_unlock (&self->writer_lock);
  *out_dropped = dropped;
  return success;
}

gboolean
dsq_engine_drop_table (DsqEngine *self,
                       const guint8 *name,
                       gsize length,
                       gboolean *out_dropped,
                       GError **error)
{
  g_autoptr (GBytes) owned = make_name (name, length, error);
  guint32 dropped = FALSE;
  gboolean success;

  *out_dropped = FALSE;
  if (owned == NULL)
    return FALSE;
  if (self->options.read_only)
    return dsq_engine_refuse_read_only (error);
  if (!dsq_engine_enter (self, error))
    return FALSE;
  success = dsq_apart_call (dsq_engine_apart (self), drop_cb, self, owned, &dropped, error);
  *out_dropped = dropped != FALSE;
  dsq_flusher_wake (self->flusher, FALSE);
  dsq_engine_leave (self);
  return success;
}
