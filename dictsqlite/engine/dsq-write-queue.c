/* dsq-write-queue.c - writes that are committed before they return
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-out-private.h"
#include "engine/dsq-apart-private.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-flusher-private.h"
#include "engine/dsq-sweep-private.h"
#include "engine/dsq-write-behind-private.h"
#include "engine/dsq-write-through-private.h"

/*
 * Writes wait in the commit queue, see dsq-commit-queue.c, whose leader waits for the writer's lock
 * and for other processes before it takes them. A transaction begins with a step of a sweep; only a
 * write of nothing that is to be taken when all is swept is patient.
 *
 * A write of the main thread that may take long is a copy's, which another thread brings into the
 * queue, see dsq-apart.c.
 */

/* *out_rest: those that want another transaction. */
static gboolean
commit_begun (DsqEngine *self,
              DsqWrite *own,
              DsqFlush *flush,
              DsqWrite **out_taken,
              DsqWrite **out_rest,
              GError **error)
{
  DsqSweptRows swept = { 0 };
  DsqWrite sweep = { .is_sweep = TRUE };
  guint64 generation;
  gboolean success;

  dsq_shard_lock (&self->shards->all[0]);
  generation = self->generation;
  dsq_shard_unlock (&self->shards->all[0]);

  swept.is_last = !dsq_engine_is_sweep_due (self);
  success = swept.is_last ||
            dsq_engine_sweep_in_transaction (self, own->queued.is_patient, &swept, error);
  if (success)
    {
      sweep.queued.next = dsq_commit_queue_take (&self->queue, swept.is_last);
      *out_taken = dsq_write_next (&sweep);
      success = swept.is_last || dsq_engine_sweep_writes (self, *out_taken, &swept, error);
    }
  if (success && swept.is_swept)
    {
      sweep.changes = (DsqChange *) (gpointer) swept.changes->data;
      sweep.n_changes = swept.changes->len;
    }
  success = success &&
            (*out_taken == NULL || dsq_engine_apply_writes (self, *out_taken, out_rest, error)) &&
            dsq_engine_commit_applied (self, &sweep, *out_rest, flush, generation, &swept, error);
  if (success)
    {
      own->n_swept += sweep.n_changes;
      dsq_counters_add (&self->counters, DSQ_COUNT_EXPIRED, sweep.n_changes);
    }
  else if (flush == NULL)
    self->cold->funcs->rollback (self->cold);
  if (swept.is_swept)
    dsq_engine_clear_swept_rows (&swept);
  return success;
}

/* After a commit: an entry too many that cannot be dropped now is dropped later, and what cannot be
 * brought into the main file now stays in the log. */
static void
tidy_up_locked (DsqEngine *self)
{
  dsq_mutex_assert_held (&self->writer_lock);
  dsq_engine_trim_locked (self, NULL);
  /* that of a thread that is asked is left to its next write, or to the flusher */
  if (self->file != NULL && !dsq_call_is_asked () &&
      self->file->funcs->wants_checkpoint (self->file, FALSE))
    self->file->funcs->checkpoint (self->file, NULL);
  dsq_flusher_wake (self->flusher, FALSE);
}

/* Of a write of more keys those that are looked for first are no gain. */
#define MAX_FORESEEN 16

/* What the leader's write will change, which waits for no other's. */
static void
foresee (DsqEngine *self, const DsqWrite *own)
{
  DsqKey keys[MAX_FORESEEN];
  gsize n = 0;

  if (self->cold->funcs->foresee == NULL || own->n_changes > MAX_FORESEEN)
    return;
  if (own->key != NULL)
    keys[n++] = *own->key;
  else
    for (; n < own->n_changes; n++)
      keys[n] = dsq_entry_as_key (own->changes[n].entry);
  if (n > 0)
    self->cold->funcs->foresee (self->cold, keys, n);
}

/* One transaction: waits for other processes, takes what has queued up and commits it, or a part;
 * of @own, the leader's, the last in the queue. An error is of before anything was taken. */
static void
commit_queued_locked (DsqEngine *self, DsqWrite *own, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  DsqWrite *taken = NULL;
  DsqWrite *rest = NULL;
  DsqFlush *flush = NULL;

  dsq_mutex_assert_held (&self->writer_lock);
  foresee (self, own);
  if (!self->cold->funcs->begin (self->cold, error))
    return;
  if (!dsq_engine_commits_at_once (self) && (flush = dsq_flush_begin_locked (self, error)) == NULL)
    return;
  if (!commit_begun (self, own, flush, &taken, &rest, &local_error))
    rest = NULL;
  if (flush != NULL)
    dsq_flush_end_locked (flush, local_error == NULL);
  if (taken != NULL)
    {
      if (local_error != NULL)
        dsq_queued_fail_all (&taken->queued, local_error);
      dsq_commit_queue_finish (&self->queue, &taken->queued, (DsqQueued *) rest);
    }
  else if (local_error != NULL)
    g_propagate_error (error, g_steal_pointer (&local_error));
  tidy_up_locked (self);
}

/* What was committed without a sync. There is no way back, so it is not cancelled. */
static void
sync_own (DsqEngine *self, DsqWrite *first, DsqWrite *last)
{
  g_auto (DsqCall) call = { 0 };
  g_autoptr (GError) error = NULL;

  if (first->promise != DSQ_PROMISE_SYNCED || self->syncs_commits)
    return;
  dsq_call_begin_for (&call, NULL);
  if (dsq_engine_sync (self, &error))
    return;
  for (DsqWrite *write = first; write != NULL;
       write = write != last ? dsq_write_next (write) : NULL)
    if (write->queued.error == NULL)
      write->queued.error = g_error_copy (error);
}

/* Of a chain the last is done last. */
static void
queue_and_wait (DsqEngine *self, DsqWrite *first, DsqWrite *last)
{
  dsq_commit_queue_join (&self->queue, &first->queued, &last->queued);
  dsq_workers_pass_turn ();
  while (dsq_commit_queue_leads (&self->queue, &first->queued, &last->queued))
    {
      g_autoptr (GError) error = NULL;

      dsq_patience.since = first->queued.queued_at;
      if (dsq_call_lock (&self->writer_lock, &error))
        {
          commit_queued_locked (self, first, &error);
          dsq_mutex_unlock (&self->writer_lock);
        }
      dsq_commit_queue_resign (&self->queue, &first->queued, &last->queued, error);
    }
  sync_own (self, first, last);
}

/* For the thread whose writes they were. */
static void
count_own (DsqEngine *self, const DsqWrite *first, const DsqWrite *last)
{
  /* what was queued behind the chain may be gone by now */
  for (const DsqWrite *write = first; write != NULL;
       write = write != last ? dsq_write_next (write) : NULL)
    for (gsize i = 0; i < write->n_tables; i++)
      dsq_pending_count_own (dsq_engine_pending (self, write->tables[i].id),
                             write->tables[i].n_keys);
}

/* --- apart ------------------------------------------------------------------------------------ */

/* So many changes, or bytes, take long. */
#define MANY_CHANGES 1000
#define MANY_BYTES   (4 << 20)

typedef struct
{
  DsqApart apart;
  DsqEngine *engine; /* (unowned) waits for its workers before it goes */
  DsqWrite write;    /* what it points to is owned, but for what needs the caller */
  gsize n_changes;   /* that there is room for */
} Copy;

static void
copy_run (DsqApart *apart)
{
  Copy *self = (Copy *) apart;

  queue_and_wait (self->engine, &self->write, &self->write);
}

static void
copy_free (DsqApart *apart)
{
  Copy *self = (Copy *) apart;

  for (gsize i = 0; i < self->n_changes; i++)
    g_clear_pointer (&self->write.changes[i].entry, dsq_entry_unref);
  g_clear_error (&self->write.queued.error);
  g_free (self->write.changes);
  g_free (self->write.tables);
  g_free (self);
}

static Copy *
copy_new (DsqEngine *engine, const DsqWrite *write)
{
  Copy *self = g_new0 (Copy, 1);

  self->apart.run = copy_run;
  self->apart.free = copy_free;
  self->apart.needs_caller = write->modify != NULL || write->n_expected > 0;
  self->engine = engine;
  self->write = *write;
  self->n_changes = write->modify != NULL ? 1 : write->n_changes;
  self->write.needs_caller = &self->apart.needs_caller;
  self->write.tables = g_memdup2 (write->tables, write->n_tables * sizeof *write->tables);
  self->write.changes = g_memdup2 (write->changes, self->n_changes * sizeof *write->changes);
  for (gsize i = 0; i < write->n_changes; i++)
    dsq_entry_ref (write->changes[i].entry);
  return self;
}

/* What is out of a write. */
static void
copy_tell (Copy *self, DsqWrite *write)
{
  for (gsize i = 0; i < write->n_tables; i++)
    write->tables[i].n_keys = self->write.tables[i].n_keys;
  for (gsize i = 0; i < self->n_changes; i++)
    {
      write->changes[i].presence = self->write.changes[i].presence;
      if (write->changes[i].entry == NULL)
        write->changes[i].entry = g_steal_pointer (&self->write.changes[i].entry);
    }
  write->queued.error = g_steal_pointer (&self->write.queued.error);
  write->n_tables = self->write.n_tables;
  write->n_changes = self->write.n_changes;
  write->is_refused = self->write.is_refused;
  write->n_swept = self->write.n_swept;
}

static gboolean
is_much (const DsqWrite *write)
{
  gsize n_bytes = 0;

  if (write->queued.is_patient || write->n_changes >= MANY_CHANGES || dsq_write_clears (write))
    return TRUE;
  for (gsize i = 0; i < write->n_changes; i++)
    n_bytes += write->changes[i].entry->record_length;
  return n_bytes >= MANY_BYTES;
}

/* A commit that begins the log anew syncs it, and with full durability each does. */
static gboolean
may_take_long (DsqEngine *self, const DsqWrite *write)
{
  return write->promise == DSQ_PROMISE_SYNCED || is_much (write) ||
         dsq_budget_get_bytes (&self->budget) >= MANY_BYTES ||
         !self->file->funcs->wants_checkpoint (self->file, TRUE) ||
         self->file->funcs->wants_checkpoint (self->file, FALSE);
}

static void
write_apart (DsqEngine *self, DsqWrite *write)
{
  Copy *copy = copy_new (self, write);

  /* committed, it may still be bringing the log into the file */
  if (dsq_apart_do (&copy->apart, self->workers) ||
      dsq_commit_queue_is_done (&self->queue, &copy->write.queued))
    copy_tell (copy, write);
  else
    dsq_apart_refuse_left (&copy->apart, &write->queued.error);
  dsq_apart_unref (&copy->apart);
}

static void
write_and_wait (DsqEngine *self, DsqWrite *first, DsqWrite *last)
{
  if (first == last && self->file != NULL && dsq_call_is_asked () && may_take_long (self, first))
    write_apart (self, first);
  else
    queue_and_wait (self, first, last);
  count_own (self, first, last);
}

/* --- from outside ----------------------------------------------------------------------------- */

/* As dsq_engine_enter(), for what writes. */
static gboolean
enter_to_write (DsqEngine *self, DsqPromise promise, GError **error)
{
  if (!dsq_engine_enter (self, error))
    return FALSE;
  if (dsq_engine_may_write (self, promise))
    return TRUE;
  dsq_engine_leave (self);
  return dsq_engine_refuse_read_only (error);
}

void
dsq_engine_write_through_chain (DsqEngine *self, DsqWrite *first, DsqWrite *last)
{
  g_autoptr (GError) error = NULL;

  if (enter_to_write (self, first->promise, &error))
    {
      write_and_wait (self, first, last);
      dsq_engine_leave (self);
      return;
    }
  dsq_queued_fail_all (&first->queued, error);
}

gboolean
dsq_engine_write_through (DsqEngine *self, DsqWrite *write, GError **error)
{
  if (!enter_to_write (self, write->promise, error))
    return FALSE;
  write_and_wait (self, write, write);
  dsq_engine_leave (self);
  if (write->queued.error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&write->queued.error));
  return FALSE;
}
