/* dsq-parent-tier.c - the entries of another engine, as a cold tier
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-format-private.h"
#include "dsq-error.h"
#include "engine/dsq-batch-builder-private.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-handle-private.h"
#include "engine/dsq-presence-private.h"
#include "engine/dsq-read-set-private.h"

/*
 * What a transaction reads and has not written is in the engine that it is over. A key that is read
 * by itself is asked for once: what it was is remembered, is what the transaction reads from then
 * on, and is expected to be so still when it commits. Presence is looked up without a trace, as are
 * walks, counts and prefixes.
 *
 *   read       key -> what it was, a tombstone for none
 *   begin      a flush of the transaction: its changes are gathered, table by table
 *   commit     one apply() of them all on the parent, with what was read as what is expected
 *
 * New keys of the transaction come last, so their places are beyond all that the parent has. They
 * need no table in them, which those of a store have in their upper bits:
 *
 *   a store's          table | position
 *   a transaction's            position    1 | position
 *   a part of one's            position    1 | position    2 | position
 *
 * Others write to the parent meanwhile. That is looked for where a table is counted or walked, and
 * only there: the numbers that walks of the parent go by tell whether anything has happened.
 */

/* Entries that were read and stay in the transaction's hot tier, which has one shard for so few. */
#define MAX_READ 1000

/* A table that was opened. */
typedef struct
{
  DsqTableState state;
  gboolean is_watched; /* the parent notes its changes */
  gboolean is_counted;
  guint64 version; /* of the parent's table when its keys were counted */
} Table;

typedef struct
{
  DsqColdTier tier;
  DsqEngine *parent;       /* (unowned) the transaction has it */
  const DsqHandle *handle; /* (unowned) whose the transaction is */
  DsqMutex lock;
  DsqReadSet *reads; /* (owned) (lock) */
  GArray *tables;    /* (owned) (lock) of Table, in the order of their ids */

  DsqBatchBuilder batch; /* of the flush under way */
} ParentTier;

/* --- what was read ---------------------------------------------------------------------------- */

static gboolean
recall (ParentTier *self, const DsqKey *key, DsqEntry **out_entry)
{
  gboolean is_known;

  dsq_mutex_lock (&self->lock);
  is_known = dsq_read_set_recall (self->reads, key, out_entry);
  dsq_mutex_unlock (&self->lock);
  return is_known;
}

static void
remember (ParentTier *self, const DsqKey *key, DsqEntry **inout_entry)
{
  dsq_mutex_lock (&self->lock);
  dsq_read_set_remember (self->reads, key, inout_entry);
  dsq_mutex_unlock (&self->lock);
}

static gboolean
get_many (DsqColdTier *tier, const DsqKey *keys, gsize n_keys, DsqEntry **out, GError **error)
{
  ParentTier *self = (ParentTier *) tier;
  g_autofree DsqKey *asked = g_new (DsqKey, n_keys);
  g_autofree gsize *positions = g_new (gsize, n_keys);
  g_autofree DsqEntry **found = g_new0 (DsqEntry *, n_keys);
  gsize n_asked = 0;

  for (gsize i = 0; i < n_keys; i++)
    if (!recall (self, &keys[i], &out[i]))
      {
        positions[n_asked] = i;
        asked[n_asked++] = keys[i];
      }
  if (n_asked == 0)
    return TRUE;
  if (!dsq_engine_get_many (self->parent, asked, n_asked, found, error))
    {
      for (gsize i = 0; i < n_keys; i++)
        g_clear_pointer (&out[i], dsq_entry_unref);
      return FALSE;
    }
  for (gsize i = 0; i < n_asked; i++)
    {
      remember (self, &asked[i], &found[i]);
      out[positions[i]] = found[i];
    }
  return TRUE;
}

/* --- what is seen without a trace ------------------------------------------------------------- */

static gboolean
probe (DsqColdTier *tier, const DsqKey *keys, gsize n_keys, gint64 *out_places, GError **error)
{
  ParentTier *self = (ParentTier *) tier;

  for (gsize i = 0; i < n_keys; i++)
    {
      gboolean is_there;

      if (!dsq_engine_probe (self->parent, &keys[i], &is_there, error))
        return FALSE;
      /* where it is nobody asks of a tier that makes no use of places */
      out_places[i] = is_there;
    }
  return TRUE;
}

static gint64
first_own_place (const ParentTier *self)
{
  return ((gint64) self->parent->depth + 1) << DSQ_FORMAT_POSITION_BITS;
}

/* What the parent's places have that ours have not. */
static gint64
place_offset (const ParentTier *self, guint32 table)
{
  return self->parent->depth == 0 ? (gint64) table << DSQ_FORMAT_POSITION_BITS : 0;
}

/* Walks of the transaction follow the shifts of the parent's places. Gives how many these were. */
static guint64
follow_shifts (ParentTier *self, guint32 table)
{
  DsqEngine *own = self->tier.foreign_data;
  DsqPending *pending = dsq_engine_pending (own, table);
  guint64 n_followed;

  /* its walks do not, for places are the file's */
  if (dsq_engine_commits_at_once (self->parent))
    return 0;

  dsq_shards_lock_all (own->shards);
  dsq_shard_lock (&self->parent->shards->all[0]);
  dsq_pending_follow_locked (pending,
                             dsq_engine_pending (self->parent, table),
                             place_offset (self, table),
                             first_own_place (self));
  dsq_shard_unlock (&self->parent->shards->all[0]);
  n_followed = pending->n_followed;
  dsq_shards_unlock_all (own->shards);
  return n_followed;
}

/* From here on the parent notes what becomes of the table. */
static void
watch (ParentTier *self, guint32 table)
{
  DsqEngine *own = self->tier.foreign_data;
  DsqPending *watched = dsq_engine_pending (self->parent, table);

  dsq_shards_lock_all (own->shards);
  __atomic_fetch_add (&watched->n_cursors, 1, __ATOMIC_SEQ_CST);
  dsq_shard_lock (&self->parent->shards->all[0]);
  dsq_engine_pending (own, table)->n_followed = dsq_pending_n_rebases_locked (watched);
  dsq_shard_unlock (&self->parent->shards->all[0]);
  dsq_shards_unlock_all (own->shards);
}

static gboolean
walk (DsqColdTier *tier,
      guint32 table,
      gint64 place,
      DsqWalkOrder order,
      guint max_rows,
      gsize max_bytes,
      gboolean keys_only,
      GArray *rows,
      gboolean *out_is_last,
      GError **error)
{
  ParentTier *self = (ParentTier *) tier;
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (DsqWalkRow));
  gint64 offset = place_offset (self, table);
  gint64 end = offset + first_own_place (self);
  guint64 n_rebases = follow_shifts (self, table);
  DsqWalk step = {
    .table = table,
    .order = order,
    .place = offset + MIN (place, first_own_place (self)),
    .end = end,
    .n_rebases = n_rebases,
  };

  if (!dsq_engine_walk (self->parent, &step, max_rows, max_bytes, keys_only, found, error))
    return FALSE;
  /* the walk is then made again, for the pending changes have been told */
  if (step.n_rebases != n_rebases)
    follow_shifts (self, table);
  for (guint i = 0; i < found->len; i++)
    {
      const DsqWalkRow *row = &g_array_index (found, DsqWalkRow, i);
      const DsqColdRow copy = { row->place - offset, row->entry };

      g_array_append_val (rows, copy);
    }
  *out_is_last = found->len == 0;
  return TRUE;
}

static gboolean
list_keys (DsqColdTier *tier,
           const DsqKey *from,
           const DsqKey *end,
           guint max_keys,
           GPtrArray *entries,
           GError **error)
{
  return dsq_engine_list_keys (((ParentTier *) tier)->parent, from, end, max_keys, entries, error);
}

static gboolean
list_tables (DsqColdTier *tier, GPtrArray *names, GError **error)
{
  return dsq_engine_list_tables (((ParentTier *) tier)->parent, names, error);
}

/* The parent sweeps for itself. */
static gboolean
find_expired (DsqColdTier *tier,
              gboolean in_transaction,
              DsqExpirySpan *span,
              guint max_rows,
              GArray *rows,
              gint64 *out_next,
              GError **error)
{
  *out_next = G_MAXINT64;
  return TRUE;
}

static void
get_stats (DsqColdTier *tier, DsqColdStats *out_stats)
{
}

/* --- what others do --------------------------------------------------------------------------- */

/* The version moves with each close, be it of the store, of one of its handles or of a transaction.
 */
static gboolean
catch_up (DsqColdTier *tier, GError **error)
{
  ParentTier *self = (ParentTier *) tier;
  guint64 version = __atomic_load_n (&tier->live_version[0], __ATOMIC_ACQUIRE);

  if (dsq_handle_is_closed (self->handle))
    return dsq_door_refuse_closed (error);
  if (!dsq_engine_check_open (self->parent, DSQ_TABLE_MAIN, error))
    return FALSE;
  __atomic_store_n (&tier->seen_version[0], version, __ATOMIC_RELEASE);
  return TRUE;
}

static Table *
find_table_locked (ParentTier *self, guint32 id)
{
  dsq_mutex_assert_held (&self->lock);
  for (guint i = 0; i < self->tables->len; i++)
    if (g_array_index (self->tables, Table, i).state.table == id)
      return &g_array_index (self->tables, Table, i);
  return NULL;
}

/* Tells the transaction what there is; the lock is not held, for that takes its shards'. */
static void
tell (ParentTier *self)
{
  g_autoptr (GArray) states = g_array_new (FALSE, FALSE, sizeof (DsqTableState));

  dsq_mutex_lock (&self->lock);
  for (guint i = 0; i < self->tables->len; i++)
    g_array_append_val (states, g_array_index (self->tables, Table, i).state);
  dsq_mutex_unlock (&self->lock);
  self->tier.foreign_func ((const DsqTableState *) (gconstpointer) states->data,
                           states->len,
                           NULL,
                           self->tier.foreign_data);
}

static gboolean
catch_up_with (DsqColdTier *tier, guint32 id, GError **error)
{
  ParentTier *self = (ParentTier *) tier;
  DsqTable *watched = dsq_engine_table (self->parent, id);
  guint64 version, count;
  gboolean is_known;
  Table *table;

  if (!dsq_engine_catch_up_with (self->parent, id, error))
    return FALSE;
  dsq_mutex_lock (&self->lock);
  table = find_table_locked (self, id);
  if (!table->is_watched)
    watch (self, id);
  table->is_watched = TRUE;
  version = __atomic_load_n (&watched->version, __ATOMIC_ACQUIRE);
  /* what expires of a store that only reads changes nothing else */
  is_known = table->is_counted && table->version == version && !self->parent->options.read_only;
  dsq_mutex_unlock (&self->lock);
  if (is_known)
    return TRUE;
  if (!dsq_engine_count (self->parent, id, &count, error))
    return FALSE;
  dsq_mutex_lock (&self->lock);
  table = find_table_locked (self, id);
  table->version = version;
  table->is_counted = TRUE;
  table->state.count = (gint64) count;
  dsq_mutex_unlock (&self->lock);
  tell (self);
  return TRUE;
}

/* --- the flush -------------------------------------------------------------------------------- */

static gboolean
begin (DsqColdTier *tier, GError **error)
{
  return TRUE;
}

static void
rollback (DsqColdTier *tier)
{
  dsq_batch_builder_reset (&((ParentTier *) tier)->batch);
}

static gboolean
get_table (DsqColdTier *tier, guint32 id, DsqTableState *out_state)
{
  ParentTier *self = (ParentTier *) tier;
  const Table *table;

  dsq_mutex_lock (&self->lock);
  table = find_table_locked (self, id);
  if (table != NULL)
    *out_state = table->state;
  dsq_mutex_unlock (&self->lock);
  return table != NULL;
}

static Table
make_table (const ParentTier *self, guint32 id)
{
  return (Table){ .state = { .table = id, .next = first_own_place (self) } };
}

static gboolean
open_table (DsqColdTier *tier,
            const guint8 *name,
            gsize length,
            gboolean may_make,
            DsqTableState *out_state,
            GError **error)
{
  ParentTier *self = (ParentTier *) tier;
  guint32 id;
  Table table;

  if (!dsq_engine_open_table (self->parent,
                              may_make ? self->handle->promise : DSQ_PROMISE_NONE,
                              name,
                              length,
                              &id,
                              error))
    return FALSE;
  table = make_table (self, id);
  *out_state = table.state;
  dsq_mutex_lock (&self->lock);
  if (find_table_locked (self, id) == NULL)
    {
      guint at = self->tables->len;

      while (g_array_index (self->tables, Table, at - 1).state.table > id)
        at--;
      g_array_insert_val (self->tables, at, table);
    }
  dsq_mutex_unlock (&self->lock);
  return TRUE;
}

static gboolean
drop_table (DsqColdTier *tier, const guint8 *name, gsize length, guint32 *out_table, GError **error)
{
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_INVALID_ARGUMENT,
                       "Failed to drop the table: that cannot be a part of a transaction");
  return FALSE;
}

static gboolean
clear_table (DsqColdTier *tier, guint32 table, GError **error)
{
  dsq_batch_builder_clear_table (&((ParentTier *) tier)->batch, table);
  return TRUE;
}

/* Presences stay as they are: with the commit the transaction is over. */
static gboolean
apply (DsqColdTier *tier, DsqChange *changes, gsize n_changes, GError **error)
{
  for (gsize i = 0; i < n_changes; i++)
    dsq_batch_builder_add (&((ParentTier *) tier)->batch, &changes[i]);
  return TRUE;
}

/* A conflict is the end of the transaction: nothing more is ever committed. */
static gboolean
commit (DsqColdTier *tier, DsqColdCommittedFunc committed, gpointer committed_data, GError **error)
{
  ParentTier *self = (ParentTier *) tier;
  g_autoptr (GPtrArray) expected = NULL;
  DsqEngineBatch batch;
  gboolean is_applied, success;

  if (dsq_batch_builder_is_empty (&self->batch))
    return TRUE;
  expected = dsq_read_set_list (self->reads);
  batch = dsq_batch_builder_get (&self->batch);
  batch.promise = self->handle->promise;
  batch.expected = (DsqEntry *const *) expected->pdata;
  batch.n_expected = expected->len;
  success = dsq_engine_apply (self->parent, &batch, &is_applied, error);
  dsq_batch_builder_reset (&self->batch);
  if (!success || is_applied)
    return success;
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_CONFLICT,
                       "a key that the transaction read was changed meanwhile; nothing of it was "
                       "written");
  return FALSE;
}

/* Of writes that are committed one by one, which a transaction's are not. */
static gboolean
get_in_transaction (DsqColdTier *tier, const DsqKey *key, DsqEntry **out_entry, GError **error)
{
  return get_many (tier, key, 1, out_entry, error);
}

static gboolean
savepoint (DsqColdTier *tier, GError **error)
{
  return TRUE;
}

static gboolean
release (DsqColdTier *tier, gboolean keep, GError **error)
{
  return TRUE;
}

/* --- new, close ------------------------------------------------------------------------------- */

static gboolean
close_tier (DsqColdTier *tier, GError **error)
{
  ParentTier *self = (ParentTier *) tier;

  for (guint i = 0; i < self->tables->len; i++)
    {
      const Table *table = &g_array_index (self->tables, Table, i);
      const DsqWalk watch = { .table = table->state.table };

      if (table->is_watched)
        dsq_engine_end_walk (self->parent, &watch);
    }
  __atomic_fetch_sub (&self->parent->n_over, 1, __ATOMIC_SEQ_CST);
  dsq_read_set_free (self->reads);
  g_array_unref (self->tables);
  dsq_batch_builder_finish (&self->batch);
  dsq_mutex_clear (&self->lock);
  g_free (self);
  return TRUE;
}

static const DsqColdTierFuncs parent_funcs = {
  .close = close_tier,
  .get_many = get_many,
  .probe = probe,
  .walk = walk,
  .list_keys = list_keys,
  .list_tables = list_tables,
  .find_expired = find_expired,
  .catch_up = catch_up,
  .catch_up_with = catch_up_with,
  .begin = begin,
  .get_table = get_table,
  .open_table = open_table,
  .drop_table = drop_table,
  .clear_table = clear_table,
  .apply = apply,
  .get_in_transaction = get_in_transaction,
  .savepoint = savepoint,
  .release = release,
  .commit = commit,
  .rollback = rollback,
  .get_stats = get_stats,
};

DsqEngine *
dsq_engine_begin (DsqEngine *parent, const DsqHandle *handle, GError **error)
{
  const DsqEngineOptions options = {
    .persist_mode = DSQ_PERSIST_LAZY,
    .hot_capacity = MAX_READ,
    .hot_limit = dsq_engine_option (parent, hot_limit),
    .dirty_limit = G_MAXINT64,
    .parent = parent,
  };
  ParentTier *self = g_new0 (ParentTier, 1);
  Table main;

  __atomic_fetch_add (&parent->n_over, 1, __ATOMIC_SEQ_CST);
  self->parent = parent;
  self->handle = handle;
  main = make_table (self, DSQ_TABLE_MAIN);
  self->tier.funcs = &parent_funcs;
  self->tier.is_lasting = TRUE;
  self->tier.live_version = parent->turns;
  dsq_mutex_begin_depth (parent->depth + 1);
  dsq_mutex_init (&self->lock, DSQ_RANK_COHERENCE, 0);
  dsq_mutex_begin_depth (0);
  self->reads = dsq_read_set_new ();
  self->tables = g_array_new (FALSE, FALSE, sizeof (Table));
  g_array_append_val (self->tables, main);
  dsq_batch_builder_init (&self->batch);
  return dsq_engine_open_over (&options, &self->tier, &main.state, error);
}
