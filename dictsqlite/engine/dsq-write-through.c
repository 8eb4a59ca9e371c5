/* dsq-write-through.c - writes are brought into a transaction, and to memory once it is committed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-file-private.h"
#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-flusher-private.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-sweep-private.h"
#include "engine/dsq-write-behind-private.h"
#include "engine/dsq-write-through-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * Writes that have queued up, see dsq-write-queue.c, are brought into one transaction. Several get
 * a savepoint each, so that one which fails fails alone. A write that brings what has expired
 * already is the last of its own: those behind it find it swept.
 *
 * Memory learns of a write after COMMIT and in the order of commits, before anybody finds the file
 * current again: other processes can read it already, and tell threads of ours, which look at what
 * the file says before they look into memory, and wait there until it is published. Before COMMIT
 * the shards of its keys are marked as being written: until it is published no reader may put the
 * state from before into the hot tier, for another reader may have seen the one after.
 */

static DsqShard *
shard_of (DsqEngine *self, const DsqChange *change, DsqKey *out_key)
{
  *out_key = dsq_change_key (change);
  return dsq_shards_get (self->shards, out_key->hash);
}

/* --- before and after COMMIT ------------------------------------------------------------------ */

static void
mark_shard (DsqShard *shard, int step)
{
  dsq_shard_lock (shard);
  shard->n_writing += step;
  shard->epoch++;
  dsq_shard_unlock (shard);
}

/* What has expired may be of a table that was not opened here: memory has nothing of it. */
static gboolean
is_of_no_table (DsqEngine *self, const DsqChange *change)
{
  return dsq_tables_find (&self->tables, change->entry->table) == NULL;
}

static void
count_keys (DsqWrite *write, guint32 table, gint64 n_keys)
{
  for (gsize i = 0; i < write->n_tables; i++)
    if (write->tables[i].id == table)
      write->tables[i].n_keys += n_keys;
}

static void
mark_writing (DsqEngine *self, const DsqWrite *write, int step)
{
  for (guint i = 0; i < self->shards->n_shards && dsq_write_clears (write); i++)
    mark_shard (&self->shards->all[i], step);
  for (gsize i = 0; i < write->n_changes; i++)
    {
      DsqKey key;

      if (write->is_sweep && is_of_no_table (self, &write->changes[i]))
        continue;
      mark_shard (shard_of (self, &write->changes[i], &key), step);
    }
}

/* The key's new state goes to the hot tier, in room that was reserved if *n_room says so, and else
 * to the warm one. When others have committed since it goes to neither: it may already be stale,
 * and the count that was learned holds it. */
static void
publish_change_locked (DsqEngine *self,
                       DsqWrite *write,
                       const DsqChange *change,
                       guint64 generation,
                       gsize *n_room)
{
  DsqKey key;
  DsqShard *shard = shard_of (self, change, &key);
  DsqTable *table = dsq_tables_find (&self->tables, key.table);
  gboolean is_set = !dsq_entry_is_tombstone (change->entry);
  gint64 contribution = dsq_change_contribution (change, change->presence);
  gboolean is_kept;
  guint32 number;

  dsq_shard_assert_locked (shard);
  if (write->is_sweep && table == NULL)
    return;
  shard->n_writing--;
  shard->epoch++;
  count_keys (write, key.table, contribution);
  if (self->generation == generation)
    dsq_pending_count_written_locked (table->pending, shard, contribution);
  if (G_UNLIKELY (change->entry->has_expiry) && is_set)
    dsq_expiry_note_locked (&self->expiry, dsq_entry_expires (change->entry));
  if (is_set || change->presence != DSQ_PRESENCE_ABSENT)
    dsq_table_mark_changed_locked (table, is_set ? DSQ_CHANGE_OF_VALUES : DSQ_CHANGE_OF_KEYS, &key);
  number = dsq_hot_shard_find_locked (&shard->hot, &key);
  is_kept = is_set && self->generation == generation &&
            dsq_hot_tier_takes (&self->shards->hot, change->entry);
  if (number == 0)
    dsq_hot_shard_forget_warm_locked (&shard->hot, change->entry, key.hash);
  if (number != 0 && is_kept)
    {
      dsq_hot_shard_replace_locked (&self->shards->hot,
                                    &shard->hot,
                                    number,
                                    dsq_entry_ref (change->entry));
      dsq_hot_shard_touch_locked (&self->shards->hot, &shard->hot, number);
    }
  else if (number != 0)
    {
      dsq_hot_shard_remove_locked (&self->shards->hot, &shard->hot, number);
    }
  else if (is_set && (*n_room == 0 || !is_kept) && self->generation == generation)
    {
      dsq_warm_shard_put_locked (&shard->warm, change->entry, key.hash);
    }
  else if (is_kept)
    {
      dsq_hot_shard_insert_locked (&self->shards->hot,
                                   &shard->hot,
                                   key.hash,
                                   dsq_entry_ref (change->entry),
                                   FALSE);
      --*n_room;
    }
}

/* Clears in the file: nothing of before may stay in memory. */
static void
publish_clears_locked (DsqEngine *self, DsqWrite *write, guint64 generation)
{
  dsq_shards_assert_all_locked (self->shards);
  for (gsize i = 0; i < write->n_tables; i++)
    {
      DsqTable *table = dsq_engine_table (self, write->tables[i].id);

      if (!write->tables[i].clears)
        continue;
      if (self->generation == generation)
        write->tables[i].n_keys -= dsq_pending_clear_written_locked (table->pending);
      dsq_table_mark_changed_locked (table, DSQ_CHANGE_OF_KEYS, NULL);
    }
  for (guint i = 0; i < self->shards->n_shards; i++)
    self->shards->all[i].n_writing--;
}

/* Room for a set of a key that is not in the hot tier now. */
static gsize
reserve_if_missing (DsqEngine *self, const DsqChange *change)
{
  DsqKey key;
  DsqShard *shard = shard_of (self, change, &key);
  gboolean is_there;

  if (dsq_entry_is_tombstone (change->entry))
    return 0;
  dsq_shard_lock (shard);
  is_there = dsq_hot_shard_find_locked (&shard->hot, &key) != 0;
  dsq_shard_unlock (shard);
  return !is_there && dsq_hot_tier_reserve (&self->shards->hot);
}

/* At one instant for those who read from memory. When there is not room for all, the last stay. */
static void
publish_many (DsqEngine *self, DsqWrite *write, guint64 generation)
{
  gsize n_room = 0, n_kept = 0, none = 0;

  while (n_kept < write->n_changes && n_kept < dsq_engine_option (self, hot_capacity))
    n_room += reserve_if_missing (self, &write->changes[write->n_changes - ++n_kept]);
  dsq_shards_lock_all (self->shards);
  if (dsq_write_clears (write))
    publish_clears_locked (self, write, generation);
  for (gsize i = 0; i < write->n_changes; i++)
    publish_change_locked (self,
                           write,
                           &write->changes[i],
                           generation,
                           i < write->n_changes - n_kept ? &none : &n_room);
  dsq_shards_unlock_all (self->shards);
  for (; n_room > 0; n_room--)
    dsq_hot_tier_release (&self->shards->hot);
  dsq_hot_tier_trim (&self->shards->hot);
}

static void
publish (DsqEngine *self, DsqWrite *write, guint64 generation)
{
  DsqShard *shard;
  gsize n_room;
  DsqKey key;

  if (!dsq_write_clears (write) && write->n_changes == 0)
    return;
  if (dsq_write_clears (write) || write->n_changes != 1)
    {
      publish_many (self, write, generation);
      return;
    }
  n_room =
      !dsq_entry_is_tombstone (write->changes->entry) && dsq_hot_tier_reserve (&self->shards->hot);
  shard = shard_of (self, write->changes, &key);
  dsq_shard_lock (shard);
  publish_change_locked (self, write, write->changes, generation, &n_room);
  dsq_shard_unlock (shard);
  if (n_room > 0)
    dsq_hot_tier_release (&self->shards->hot);
  dsq_hot_tier_trim (&self->shards->hot);
}

/* --- the transaction -------------------------------------------------------------------------- */

/* The write's one change is made of what the row is now. */
static gboolean
modify_row (DsqEngine *self, DsqWrite *write, GError **error)
{
  DsqChange *change = write->changes;
  g_autoptr (DsqEntry) old = NULL;

  write->n_changes = 0;
  if (!self->cold->funcs->get_in_transaction (self->cold, write->key, &old, error) ||
      !write->modify (write->key, old, &change->entry, write->modify_data, error) ||
      !dsq_engine_check_modified (self, old, change->entry, error))
    return FALSE;
  change->presence = old != NULL ? DSQ_PRESENCE_PRESENT : DSQ_PRESENCE_ABSENT;
  write->n_changes = change->entry != NULL;
  return TRUE;
}

/* A write that finds another row than it expects becomes one of nothing. */
static gboolean
compare_rows (DsqEngine *self, DsqWrite *write, GError **error)
{
  for (gsize i = 0; i < write->n_expected && !write->is_refused; i++)
    {
      DsqKey key = dsq_entry_as_key (write->expected[i]);
      g_autoptr (DsqEntry) found = NULL;

      if (!dsq_call_check (error) ||
          !self->cold->funcs->get_in_transaction (self->cold, &key, &found, error))
        return FALSE;
      write->is_refused = !dsq_entry_has_record_of (found, write->expected[i]);
    }
  if (write->is_refused)
    {
      write->n_tables = 0;
      write->n_changes = 0;
    }
  return TRUE;
}

/* Behind all that the table has had, and what was staged has been given. */
static gint64
next_place_of (DsqEngine *self, const DsqTable *table)
{
  DsqTableState state = { 0 };

  self->cold->funcs->get_table (self->cold, table->id, &state);
  return MAX (state.next, __atomic_load_n (&table->pending->next_place, __ATOMIC_RELAXED));
}

/* The file gives them, but where a walk goes by those that were staged: what comes now is behind
 * its end. */
static void
give_places (DsqEngine *self, DsqWrite *write)
{
  const DsqTable *table = NULL;
  gint64 next = 0;

  for (gsize i = 0; i < write->n_changes; i++)
    {
      DsqChange *change = &write->changes[i];

      if (table == NULL || change->entry->table != table->id)
        {
          table = dsq_engine_table (self, change->entry->table);
          next = dsq_pending_has_walks (table->pending) ? next_place_of (self, table) : 0;
        }
      change->place = next != 0 ? next++ : 0;
    }
}

static gboolean
apply_changes (DsqEngine *self, DsqWrite *write, GError **error)
{
  DsqTableState state;

  if (!dsq_call_check (error))
    return FALSE;
  for (gsize i = 0; i < write->n_tables; i++)
    if (!self->cold->funcs->get_table (self->cold, write->tables[i].id, &state))
      return dsq_engine_refuse_dropped (error);
  if ((write->modify != NULL && !modify_row (self, write, error)) ||
      !compare_rows (self, write, error))
    return FALSE;
  if (write->needs_caller != NULL)
    __atomic_store_n (write->needs_caller, FALSE, __ATOMIC_RELEASE);
  for (gsize i = 0; i < write->n_tables; i++)
    if (write->tables[i].clears &&
        !self->cold->funcs->clear_table (self->cold, write->tables[i].id, error))
      return FALSE;
  if (!dsq_engine_commits_at_once (self))
    give_places (self, write);
  return write->n_changes == 0 ||
         self->cold->funcs->apply (self->cold, write->changes, write->n_changes, error);
}

/* It ends by its own call's cancellable, and not by the leader's. */
static gboolean
apply_write (DsqEngine *self, DsqWrite *write, GError **error)
{
  g_auto (DsqCall) call = { 0 };

  dsq_call_begin_for (&call, write->queued.cancellable);
  return apply_changes (self, write, error);
}

/* One of several: its failure is its own, unless the whole transaction has ended with it. */
static gboolean
apply_in_savepoint (DsqEngine *self, DsqWrite *write, GError **error)
{
  gboolean is_applied;

  if (!self->cold->funcs->savepoint (self->cold, error))
    return FALSE;
  is_applied = apply_write (self, write, &write->queued.error);
  return self->cold->funcs->release (self->cold, is_applied, error);
}

static gboolean
brings_expired (DsqEngine *self, const DsqWrite *write)
{
  for (gsize i = 0; i < write->n_changes; i++)
    if (dsq_engine_has_expired (self, write->changes[i].entry))
      return TRUE;
  return FALSE;
}

/* *out_rest: those that have to wait for the next sweep. */
gboolean
dsq_engine_apply_writes (DsqEngine *self, DsqWrite *writes, DsqWrite **out_rest, GError **error)
{
  DsqWrite *rest = dsq_write_next (writes);

  *out_rest = NULL;
  if (rest == NULL)
    return apply_write (self, writes, error);
  for (DsqWrite *write = writes; write != NULL; write = rest)
    {
      rest = dsq_write_next (write);
      if (!apply_in_savepoint (self, write, error))
        return FALSE;
      if (write->queued.error != NULL || !brings_expired (self, write))
        continue;
      *out_rest = rest;
      break;
    }
  return TRUE;
}

/* What is to be published of a transaction. */
typedef struct
{
  DsqEngine *engine;         /* (unowned) */
  DsqWrite *writes;          /* (unowned) up to @rest; the first may be the sweep */
  const DsqWrite *rest;      /* (unowned) (nullable) */
  DsqFlush *flush;           /* (unowned) (nullable) */
  const DsqSweptRows *swept; /* (unowned) */
  guint64 generation;        /* at its beginning */
} Committed;

/* What is staged from here on comes behind what was written. */
static void
advance (DsqEngine *self, const DsqWrite *write)
{
  for (gsize i = 0; i < write->n_tables; i++)
    {
      DsqTable *table = dsq_engine_table (self, write->tables[i].id);
      gint64 next = next_place_of (self, table);

      dsq_shards_lock_all (self->shards);
      if (!table->is_dropped)
        dsq_pending_advance_locked (table->pending, next);
      dsq_shards_unlock_all (self->shards);
    }
}

static void
committed_cb (gpointer user_data)
{
  const Committed *self = user_data;

  if (self->flush != NULL)
    dsq_flush_settle (self->flush);
  if (self->swept->is_swept)
    dsq_expiry_learn (&self->engine->expiry,
                      self->swept->n_forgotten,
                      G_MININT64,
                      self->swept->next);
  for (DsqWrite *write = self->writes; write != self->rest; write = dsq_write_next (write))
    if (write->queued.error == NULL)
      {
        publish (self->engine, write, self->generation);
        if (self->flush != NULL)
          advance (self->engine, write);
      }
}

/* Commits what has been applied, up to @rest; the first of @writes may be the sweep. */
gboolean
dsq_engine_commit_applied (DsqEngine *self,
                           DsqWrite *writes,
                           const DsqWrite *rest,
                           DsqFlush *flush,
                           guint64 generation,
                           const DsqSweptRows *swept,
                           GError **error)
{
  Committed committed = { self, writes, rest, flush, swept, generation };

  for (DsqWrite *write = writes; write != rest; write = dsq_write_next (write))
    if (write->queued.error == NULL)
      mark_writing (self, write, 1);
  if (self->cold->funcs->commit (self->cold, committed_cb, &committed, error))
    return TRUE;
  for (DsqWrite *write = writes; write != rest; write = dsq_write_next (write))
    if (write->queued.error == NULL)
      mark_writing (self, write, -1);
  return FALSE;
}

gboolean
dsq_engine_remove_in_transaction (DsqEngine *self, GArray *changes, GError **error)
{
  const DsqSweptRows nothing = { 0 };
  DsqWrite write = { .is_sweep = TRUE, .n_changes = changes->len };

  write.changes = (DsqChange *) (gpointer) changes->data;
  return self->cold->funcs->apply (self->cold, write.changes, write.n_changes, error) &&
         dsq_engine_commit_applied (self, &write, NULL, NULL, self->generation, &nothing, error);
}
