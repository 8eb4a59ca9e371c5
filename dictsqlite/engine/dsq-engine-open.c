/* dsq-engine-open.c - open, enter and leave, close
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-file-private.h"
#include "cold/dsq-cold-open-private.h"
#include "cold/postgresql/dsq-server-address-private.h"
#include "cold/postgresql/dsq-server-open-private.h"
#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-engine-watch-private.h"
#include "engine/dsq-flusher-private.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-sweep-private.h"
#include "engine/dsq-write-behind-private.h"

gboolean
dsq_engine_submit (DsqEngine *self, DsqLane lane, DsqJob *job, GError **error)
{
  if (!dsq_door_is_own (&self->door))
    return dsq_door_refuse_inherited (error);
  return dsq_workers_push (self->workers, lane, job) || dsq_door_refuse_closed (error);
}

gboolean
dsq_engine_is_next (DsqEngine *self, const DsqJob *job)
{
  return !dsq_door_is_own (&self->door) ||
         dsq_workers_is_next (self->workers, job->reach, job->slot);
}

/* --- open ------------------------------------------------------------------------------------ */

static void
init_locks (DsqEngine *self)
{
  dsq_mutex_init (&self->close_lock, DSQ_RANK_CLOSE, 0);
  dsq_mutex_init (&self->writer_lock, DSQ_RANK_WRITER, 0);
  dsq_commit_queue_init (&self->queue);
  dsq_door_init (&self->door);
  self->door.place.busy_since = &dsq_engine_get_root (self)->busy_since;
}

static gboolean
syncs_commits (const DsqEngineOptions *options)
{
  return options->durability == DSQ_DURABILITY_FULL &&
         options->persist_mode == DSQ_PERSIST_WRITETHROUGH;
}

static DsqColdTier *
open_cold (const DsqEngineOptions *options, DsqTableState *out_main, GError **error)
{
  const DsqColdOptions cold_options = {
    .path = options->path,
    .read_only = options->read_only,
    .full_durability = syncs_commits (options),
    .busy_timeout_ms = options->busy_timeout_ms,
    .cache_bytes = options->cache_size,
    .wal_limit_bytes = options->wal_limit,
    .password = options->password,
    .kdf_cost = options->kdf_cost,
    .kdf_limit = options->kdf_limit,
    .seals_ahead = options->background,
  };

  if (options->persist_mode == DSQ_PERSIST_MEMORY)
    return dsq_cold_tier_new_private (&cold_options, out_main);
  return dsq_server_is_address (options->path)
             ? dsq_cold_tier_open_server (&cold_options, out_main, error)
             : dsq_cold_tier_open_sqlite (&cold_options, out_main, error);
}

/* The sum of what is dirty need only be as exact as something depends on it. */
static void
init_budget (DsqEngine *self)
{
  guint64 max_bytes = self->options.max_bytes;
  gboolean drops = !self->is_lasting && max_bytes != 0;

  dsq_budget_init (&self->budget, drops ? max_bytes / 32 : self->options.dirty_limit);
  if (drops)
    self->memory_limit = (gint64) max_bytes - self->budget.grain * DSQ_HOT_MAX_SHARDS;
}

static const DsqFlusherFuncs flusher_funcs = { dsq_engine_work_behind, dsq_engine_tend };

static DsqEngine *
engine_new (const DsqEngineOptions *options, DsqColdTier *cold)
{
  DsqEngine *self = g_aligned_alloc0 (1, sizeof *self, 64);
  DsqEngine *parent = options->parent;

  dsq_mutex_begin_depth (parent != NULL ? parent->depth + 1 : 0);
  self->depth = parent != NULL ? parent->depth + 1 : 0;
  self->turns = parent != NULL ? parent->turns : self->own_turns;
  self->options = *options;
  if (parent != NULL)
    dsq_engine_ref (parent);
  self->options.path = NULL;
  self->options.password = NULL;
  self->is_encrypted = options->password != NULL;
  /* write-through is the one gate for all writes, and needs no thread */
  self->commits_at_once = options->persist_mode == DSQ_PERSIST_WRITETHROUGH || options->read_only;
  self->syncs_commits = syncs_commits (options);
  self->is_lasting = cold->is_lasting;
  self->cold = cold;
  self->file = cold->file;
  self->n_references = 1;
  dsq_tables_init (&self->tables);
  init_locks (self);
  dsq_engine_init_lookout (self);
  self->workers = dsq_workers_new (options->background);
  init_budget (self);
  self->shards = dsq_shards_new (&self->budget,
                                 options->hot_capacity,
                                 !self->is_lasting,
                                 options->hot_limit,
                                 options->warm_capacity);
  dsq_expiry_init (&self->expiry,
                   self->shards,
                   parent != NULL ? parent->expiry.clock_offset : NULL);
  self->flusher = dsq_flusher_new (options->flush_interval_ms, &flusher_funcs, self);
  dsq_engine_reset_threshold (self);
  dsq_mutex_begin_depth (0);
  return self;
}

gboolean
dsq_engine_refuse_without_thread (GError **error)
{
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_IO,
                       "Failed to open the store: no thread can be started that flushes");
  return FALSE;
}

/* With all that lasts a thread goes from the beginning on; else what does not fit starts it. */
static gboolean
start_thread (DsqEngine *self, GError **error)
{
  if (!self->is_lasting)
    return TRUE;
  self->options.background = self->options.background && !self->options.read_only;
  if (self->options.background && !dsq_flusher_start (self->flusher))
    {
      /* there is nothing to flush yet */
      self->options.background = FALSE;
      return dsq_engine_refuse_without_thread (error);
    }
  if (self->file != NULL)
    self->file->funcs->set_may_hold (self->file, self->options.background);
  /* what is told of is learned at once then, not when what is known has become too old; that it
   * will do in any case */
  if (self->options.background && dsq_cold_tier_may_believe (self->cold))
    dsq_lookout_enter (&self->lookout, NULL);
  return TRUE;
}

static DsqEngine *
open_over (const DsqEngineOptions *options,
           DsqColdTier *cold,
           const DsqTableState *main,
           GError **error)
{
  DsqEngine *self;

  if (options->max_bytes != 0 && cold->is_lasting && cold->file == NULL)
    {
      cold->funcs->close (cold, NULL);
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_INVALID_ARGUMENT,
                           "Failed to open the store: max-bytes needs a file to measure");
      return NULL;
    }
  self = engine_new (options, cold);
  cold->foreign_func = dsq_engine_on_foreign_change;
  cold->foreign_data = self;
  cold->busy_since = &self->busy_since;
  dsq_shards_lock_all (self->shards);
  dsq_tables_add_locked (&self->tables,
                         NULL,
                         dsq_pending_new (self->shards, main, cold->begins_empty));
  dsq_shards_unlock_all (self->shards);
  if (dsq_engine_learn_expiry_at_open (self, error))
    {
      if (start_thread (self, error))
        return self;
    }
  else
    {
      /* what was opened in vain is left as it is */
      self->file = NULL;
      cold->funcs->close (g_steal_pointer (&self->cold), NULL);
    }
  dsq_engine_unref (self);
  return NULL;
}

DsqEngine *
dsq_engine_open_over (const DsqEngineOptions *options,
                      DsqColdTier *cold,
                      const DsqTableState *main,
                      GError **error)
{
  DsqEngine *self;

  if (!dsq_fork_enter_to_open (error))
    {
      cold->funcs->close (cold, NULL);
      return NULL;
    }
  self = open_over (options, cold, main, error);
  dsq_fork_leave ();
  return self;
}

DsqEngine *
dsq_engine_open (const DsqEngineOptions *options, GError **error)
{
  DsqEngine *self = NULL;
  DsqColdTier *cold;
  DsqTableState main;

  if (!dsq_fork_enter_to_open (error))
    return NULL;
  dsq_call_enter (NULL);
  cold = open_cold (options, &main, error);
  if (cold != NULL)
    self = open_over (options, cold, &main, error);
  dsq_call_leave ();
  dsq_fork_leave ();
  return self;
}

/* --- close ----------------------------------------------------------------------------------- */

typedef enum
{
  CLOSE_FLUSHED,  /* or not at all */
  CLOSE_BY_FORCE, /* flushed if that can be */
  CLOSE_DISCARDED /* nothing that waits is written */
} CloseHow;

void
dsq_engine_count_turn (DsqEngine *self)
{
  __atomic_fetch_add (self->turns, 1, __ATOMIC_RELEASE);
}

/* From here on no call begins. */
static void
shut_the_door (DsqEngine *self)
{
  dsq_engine_count_turn (self);
  dsq_shards_lock_all (self->shards);
  dsq_door_shut (&self->door);
  for (guint i = 0; i < self->shards->n_shards; i++)
    self->shards->all[i].is_closed = TRUE;
  dsq_words_move_all_locked (self->shards->words);
  dsq_shards_unlock_all (self->shards);
}

static void
open_the_door (DsqEngine *self)
{
  dsq_shards_lock_all (self->shards);
  dsq_door_open (&self->door);
  for (guint i = 0; i < self->shards->n_shards; i++)
    self->shards->all[i].is_closed = FALSE;
  dsq_shards_unlock_all (self->shards);
}

/* So that closing does not take long after very much was removed. */
#define SHRINK_ROUNDS_AT_CLOSE 32

/* The file is done with: memory goes too, since closed stores may be kept for long. */
static gboolean
close_tiers (DsqEngine *self, GError **error)
{
  gboolean success = TRUE;
  guint64 n_bytes;

  self->file = NULL;
  if (self->shards->words != NULL)
    dsq_words_forget_live (self->shards->words);
  if (self->cold != NULL)
    success = self->cold->funcs->close (g_steal_pointer (&self->cold), error);
  dsq_shards_lock_all (self->shards);
  n_bytes = dsq_engine_count_memory_locked (self);
  for (guint i = 0; i < self->shards->n_shards; i++)
    dsq_hot_shard_drop_locked (&self->shards->hot, &self->shards->all[i].hot, FALSE);
  for (guint i = 0; i < self->tables.used->len; i++)
    {
      DsqTable *table = self->tables.used->pdata[i];

      dsq_pending_discard_locked (table->pending);
      dsq_watchers_end (table->watchers, NULL, FALSE);
    }
  dsq_shards_tidy_locked (self->shards);
  dsq_shards_unlock_all (self->shards);
  dsq_engine_trim_memory (n_bytes);
  return success;
}

/* Waits for those that are inside, with the door shut, and locks what they might hold. */
static gboolean
wait_for_users (DsqEngine *self, GError **error)
{
  if (dsq_door_wait (&self->door, error) && dsq_call_lock (&self->writer_lock, error))
    return TRUE;
  open_the_door (self);
  return FALSE;
}

/* Once it is flushed it is closed, whoever is cancelled. */
static void
close_flushed (DsqEngine *self, gboolean shrinks, GError **error)
{
  g_auto (DsqCall) call = { 0 };

  dsq_call_begin_for (&call, NULL);
  if (shrinks)
    dsq_engine_shrink_locked (self, SHRINK_ROUNDS_AT_CLOSE);
  close_tiers (self, error);
}

static gboolean
close_once (DsqEngine *self, CloseHow how, GError **error)
{
  gboolean is_flushed;
  g_autoptr (GError) flush_error = NULL;
  g_autoptr (GError) close_error = NULL;
  gboolean writes =
      how != CLOSE_DISCARDED && self->cold != NULL && self->is_lasting && !self->options.read_only;

  if (dsq_engine_is_closed (self))
    return TRUE;
  shut_the_door (self);
  if (!wait_for_users (self, error))
    return FALSE;
  /* after a sync that has failed there is only that to tell */
  is_flushed =
      !writes || ((dsq_engine_has_failed (self) || (dsq_engine_flush_locked (self, &flush_error) &&
                                                    dsq_engine_trim_locked (self, &flush_error))) &&
                  dsq_engine_sync (self, &flush_error));
  /* there is nothing to come back for when a sync has failed, or a transaction has met a conflict
   */
  if (is_flushed || how == CLOSE_BY_FORCE || dsq_engine_has_failed (self) ||
      g_error_matches (flush_error, DSQ_ERROR, DSQ_ERROR_CONFLICT))
    close_flushed (self, is_flushed && writes, &close_error);
  else
    open_the_door (self);
  dsq_mutex_unlock (&self->writer_lock);

  if (flush_error != NULL)
    g_propagate_error (error, g_steal_pointer (&flush_error));
  else if (close_error != NULL)
    g_propagate_error (error, g_steal_pointer (&close_error));
  else
    return TRUE;
  return FALSE;
}

gboolean
dsq_engine_may_close (DsqEngine *self, GError **error)
{
  if (!dsq_door_is_own (&self->door))
    return dsq_door_refuse_inherited (error);
  /* it would wait for itself */
  return (dsq_call_state.place != &self->door.place && !dsq_call_is_out_of (&self->door.place)) ||
         dsq_door_refuse_reentered (error);
}

static gboolean
close_serially (DsqEngine *self, CloseHow how, GError **error)
{
  gboolean is_closed, success;

  if (!dsq_engine_may_close (self, error))
    return FALSE;
  dsq_fork_enter ();
  dsq_call_enter (&self->door.place);
  if (!dsq_call_lock (&self->close_lock, error))
    {
      dsq_call_leave ();
      dsq_fork_leave ();
      return FALSE;
    }
  /* for the flushes that are under way */
  dsq_patience_note_wait (g_get_monotonic_time ());
  success = dsq_workers_drain (self->workers, error) && close_once (self, how, error);
  is_closed = dsq_engine_is_closed (self);
  if (is_closed)
    {
      dsq_flusher_stop (self->flusher);
      dsq_lookout_stop (&self->lookout);
    }
  if (!is_closed)
    dsq_workers_resume (self->workers);
  dsq_mutex_unlock (&self->close_lock);
  dsq_call_leave ();
  dsq_fork_leave ();
  return success;
}

static gboolean
is_transaction (const DsqEngine *self)
{
  return self->options.parent != NULL;
}

void
dsq_engine_dismiss (DsqEngine *self)
{
  if (!dsq_door_is_own (&self->door) || !dsq_engine_is_closed (self))
    return;
  dsq_fork_enter ();
  dsq_call_enter (&self->door.place);
  dsq_workers_stop (self->workers);
  dsq_call_leave ();
  dsq_fork_leave ();
}

gboolean
dsq_engine_shut (DsqEngine *self, GError **error)
{
  return close_serially (self, is_transaction (self) ? CLOSE_DISCARDED : CLOSE_FLUSHED, error);
}

gboolean
dsq_engine_close (DsqEngine *self, GError **error)
{
  gboolean success = dsq_engine_shut (self, error);

  dsq_engine_dismiss (self);
  return success;
}

DsqEngine *
dsq_engine_get_root (DsqEngine *self)
{
  while (self->options.parent != NULL)
    self = self->options.parent;
  return self;
}

gboolean
dsq_engine_commit (DsqEngine *self, GError **error)
{
  gboolean success = dsq_engine_check_open (self, DSQ_TABLE_MAIN, error) &&
                     close_serially (self, CLOSE_FLUSHED, error);

  dsq_engine_dismiss (self);
  return success;
}

/* The last reference may go within a call, which does not keep it from closing. */
void
dsq_engine_close_by_force (DsqEngine *self)
{
  g_auto (DsqCall) call = { 0 };

  dsq_call_begin_for (&call, NULL);
  close_serially (self, is_transaction (self) ? CLOSE_DISCARDED : CLOSE_BY_FORCE, NULL);
}

DsqEngine *
dsq_engine_ref (DsqEngine *self)
{
  __atomic_fetch_add (&self->n_references, 1, __ATOMIC_RELAXED);
  return self;
}

void
dsq_engine_unref (DsqEngine *self)
{
  DsqEngine *parent = self->options.parent;

  /* in a fork's child: locks may be held for ever, connections must not be touched */
  if (__atomic_fetch_sub (&self->n_references, 1, __ATOMIC_ACQ_REL) != 1 ||
      !dsq_door_is_own (&self->door))
    return;
  dsq_engine_close_by_force (self);
  g_clear_pointer (&self->workers, dsq_workers_free);
  g_clear_pointer (&self->flusher, dsq_flusher_free);
  dsq_lookout_clear (&self->lookout);
  dsq_tables_clear (&self->tables);
  dsq_expiry_clear (&self->expiry);
  g_clear_pointer (&self->shards, dsq_shards_free);
  dsq_mutex_clear (&self->writer_lock);
  dsq_mutex_clear (&self->close_lock);
  dsq_commit_queue_clear (&self->queue);
  dsq_budget_clear (&self->budget);
  dsq_door_clear (&self->door);
  g_aligned_free (self);
  if (parent != NULL)
    dsq_engine_unref (parent);
}
