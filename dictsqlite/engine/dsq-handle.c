/* dsq-handle.c - one opening of a file, of which several share an engine
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "cold/postgresql/dsq-server-address-private.h"
#include "dsq-error.h"
#include "engine/dsq-engine-watch-private.h"
#include "engine/dsq-handle-private.h"
#include "engine/dsq-write-behind-private.h"

/*
 * Who opens a file that the process has open already gets the engine that has it, so that no two of
 * them differ in what they have in memory. What is promised of a write is its handle's. Whoever
 * closes a handle has the engine flush; the last one closes that. One that is dropped leaves what
 * it wrote with the others.
 *
 * Who opens a file to be read changes nothing of it, so that his engine can serve nobody who
 * writes. When somebody comes to write, those that read go over to his.
 */

/* So long is waited at least for another thread that opens or closes the file: what it does may
 * take a password's derivation, or a flush. */
#define MIN_WAIT_US (30 * G_USEC_PER_SEC)

static DsqPromise
promise_of (const DsqEngineOptions *options)
{
  if (options->read_only)
    return DSQ_PROMISE_NONE;
  if (options->persist_mode != DSQ_PERSIST_WRITETHROUGH)
    return DSQ_PROMISE_STAGED;
  return options->durability == DSQ_DURABILITY_FULL ? DSQ_PROMISE_SYNCED : DSQ_PROMISE_COMMITTED;
}

/* --- those that only read --------------------------------------------------------------------- */

/* FALSE: it is just being freed. */
static gboolean
take (gpointer user)
{
  DsqHandle *self = user;
  guint n = __atomic_load_n (&self->n_references, __ATOMIC_RELAXED);

  while (n != 0)
    if (__atomic_compare_exchange_n (&self->n_references,
                                     &n,
                                     n + 1,
                                     FALSE,
                                     __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
      return TRUE;
  return FALSE;
}

/* Its calls go to the engine from here on, and its news comes from there. Walks and transactions
 * that have begun end where they are, in what is committed, and so its own engine stays until it is
 * closed. */
static gboolean
move_locked (DsqHandle *self, const DsqHold *writer, GError **error)
{
  gboolean success;

  dsq_mutex_assert_held (&self->lock);
  if (dsq_handle_is_closed (self))
    return FALSE;
  if (!dsq_call_lock (&self->tables_lock, error))
    return FALSE;
  success = dsq_engine_adopt (writer->engine, self->own.engine, error) &&
            dsq_engine_move_watchers (writer->engine, self->own.engine, self, error);
  if (success)
    {
      self->writer = (DsqHold){ dsq_engine_ref (writer->engine), writer->file, FALSE };
      __atomic_store_n (&self->usable, writer->engine, __ATOMIC_RELEASE);
      dsq_engine_move_words (self->own.engine, DSQ_WORDS_ASK_ALWAYS);
    }
  dsq_mutex_unlock (&self->tables_lock);
  return success;
}

static gboolean
move (DsqHandle *self, const DsqHold *writer, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gboolean is_moved = FALSE;

  if (dsq_call_lock (&self->lock, &local_error))
    {
      is_moved = move_locked (self, writer, &local_error);
      dsq_mutex_unlock (&self->lock);
    }
  if (!is_moved)
    dsq_open_file_leave (writer->file, self);
  if (local_error == NULL)
    return TRUE;
  if (*error == NULL)
    g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/* Others of the process may have opened the file to be read. */
static gboolean
move_readers (const DsqHold *writer, const DsqFilePlace *place, GError **error)
{
  g_autoptr (GPtrArray) readers = dsq_open_file_gather (writer->file, place, take);
  g_autoptr (GError) local_error = NULL;

  for (guint i = 0; i < readers->len; i++)
    {
      move (readers->pdata[i], writer, &local_error);
      dsq_handle_unref (readers->pdata[i]);
    }
  if (local_error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/* --- open ------------------------------------------------------------------------------------- */

/* Others wait until it has said how that went. */
static gboolean
open_first (DsqHold *self, const DsqEngineOptions *options, GError **error)
{
  g_auto (DsqFilePlace) place = { 0 };
  gboolean success;

  self->engine = dsq_engine_open (options, error);
  if (self->engine != NULL && dsq_file_place_find (options->path, &place, error))
    {
      success = move_readers (self, &place, error);
      dsq_open_file_settle (self->file, self->engine, &place);
      return success;
    }
  g_clear_pointer (&self->engine, dsq_engine_unref);
  dsq_open_file_end (g_steal_pointer (&self->file));
  return FALSE;
}

static gboolean
join (DsqHold *self, const DsqFilePlace *place, const DsqEngineOptions *options, GError **error)
{
  self->engine = dsq_engine_ref (dsq_open_file_get (self->file));
  return dsq_file_place_check_names (place, error) &&
         dsq_engine_join (self->engine, options, error);
}

static void
set_usable (DsqHandle *self)
{
  self->jobs.place.busy_since = &self->own.engine->busy_since;
  __atomic_store_n (&self->usable, self->own.engine, __ATOMIC_RELEASE);
}

static gboolean
open_shared (DsqHandle *self, const DsqEngineOptions *options, GError **error)
{
  const gint64 deadline =
      g_get_monotonic_time () + MAX ((gint64) options->busy_timeout_ms * 1000, MIN_WAIT_US);

  for (;;)
    {
      g_auto (DsqFilePlace) place = { 0 };

      if (!dsq_file_place_find (options->path, &place, error))
        return FALSE;
      switch (
          dsq_open_files_enter (&place, options->read_only, self, deadline, &self->own.file, error))
        {
        case DSQ_OPEN_FIRST:
          return open_first (&self->own, options, error);
        case DSQ_OPEN_JOINED:
          return join (&self->own, &place, options, error);
        case DSQ_OPEN_FAILED:
          return FALSE;
        case DSQ_OPEN_AGAIN:
        default:
          break;
        }
    }
}

/* Two stores on a server learn of each other there, and need not share anything. */
static gboolean
is_file (const DsqEngineOptions *options)
{
  return options->path != NULL && !dsq_server_is_address (options->path);
}

static gboolean
open_alone (DsqHandle *self, const DsqEngineOptions *options, GError **error)
{
  g_auto (DsqFilePlace) place = { 0 };

  if (is_file (options) && (!dsq_file_place_find (options->path, &place, error) ||
                            !dsq_open_files_check (&place, error)))
    return FALSE;
  self->own.engine = dsq_engine_open (options, error);
  return self->own.engine != NULL;
}

DsqHandle *
dsq_handle_open (const DsqEngineOptions *options, gboolean is_separate, GError **error)
{
  DsqHandle *self = g_new0 (DsqHandle, 1);
  gboolean success;

  self->n_references = 1;
  self->promise = promise_of (options);
  self->busy_timeout_ms = dsq_patience.timeout_ms = options->busy_timeout_ms;
  dsq_door_init (&self->jobs);
  dsq_mutex_init (&self->lock, DSQ_RANK_HANDLE, 0);
  dsq_mutex_init (&self->tables_lock, DSQ_RANK_HANDLE, 1);
  /* who comes to write waits until one that only reads can be moved */
  if (options->read_only)
    dsq_mutex_lock (&self->lock);
  success = is_file (options) && !is_separate ? open_shared (self, options, error)
                                              : open_alone (self, options, error);
  if (success)
    set_usable (self);
  if (options->read_only)
    dsq_mutex_unlock (&self->lock);
  if (success)
    return self;
  dsq_handle_unref (self);
  return NULL;
}

/* --- what goes over with it ------------------------------------------------------------------- */

static void
unsettle (DsqHandle *self)
{
  if (self->promise == DSQ_PROMISE_NONE)
    dsq_mutex_unlock (&self->tables_lock);
}

/* Its engine, which it does not leave for another before unsettle(); NULL: it is closed. */
static DsqEngine *
settle (DsqHandle *self, GError **error)
{
  DsqEngine *engine;

  if (self->promise == DSQ_PROMISE_NONE && !dsq_call_lock (&self->tables_lock, error))
    return NULL;
  engine = __atomic_load_n (&self->usable, __ATOMIC_ACQUIRE);
  if (engine != NULL)
    return engine;
  dsq_door_refuse_closed (error);
  unsettle (self);
  return NULL;
}

gboolean
dsq_handle_open_table (DsqHandle *self,
                       const guint8 *name,
                       gsize length,
                       guint32 *out_table,
                       GError **error)
{
  DsqEngine *engine = settle (self, error);
  gboolean success;

  if (engine == NULL)
    return FALSE;
  success = dsq_engine_open_table (engine, self->promise, name, length, out_table, error);
  unsettle (self);
  return success;
}

gboolean
dsq_handle_add_watcher (DsqHandle *self, DsqWatcher *watcher, GError **error)
{
  DsqEngine *engine = settle (self, error);
  gboolean success;

  if (engine == NULL)
    return FALSE;
  watcher->owner = self;
  success = dsq_engine_add_watcher (engine, watcher, error);
  unsettle (self);
  return success;
}

void
dsq_handle_remove_watcher (DsqHandle *self, DsqWatcher *watcher)
{
  if (self->promise == DSQ_PROMISE_NONE)
    dsq_mutex_lock (&self->tables_lock);
  dsq_engine_remove_watcher (watcher);
  unsettle (self);
}

/* --- close ------------------------------------------------------------------------------------ */

/* The only one that has the engine; it may be closed after an error as well. */
static gboolean
close_engine (DsqHold *self, GError **error)
{
  gboolean success = dsq_engine_shut (self->engine, error);

  self->is_left = dsq_engine_is_closed (self->engine);
  if (self->file != NULL && self->is_left)
    dsq_open_file_end (g_steal_pointer (&self->file));
  else if (self->file != NULL)
    dsq_open_file_release (self->file);
  return success;
}

/* Others have the engine as well, unless they close just now. */
static gboolean
leave_engine (DsqHandle *handle, DsqHold *self, GError **error)
{
  gboolean success = handle->promise == DSQ_PROMISE_NONE || dsq_engine_flush (self->engine, error);

  if (!success && !dsq_engine_has_failed (self->engine))
    return FALSE;
  if (!dsq_open_file_leave (self->file, handle))
    return close_engine (self, success ? error : NULL) && success;
  self->file = NULL;
  self->is_left = TRUE;
  return success;
}

static gboolean
leave (DsqHandle *handle, DsqHold *self, GError **error)
{
  if (self->engine == NULL || self->is_left)
    return TRUE;
  return self->file == NULL || dsq_open_file_claim (self->file)
             ? close_engine (self, error)
             : leave_engine (handle, self, error);
}

/* Transactions over it find out at their next call. */
static void
set_closed (DsqHandle *self)
{
  DsqEngine *engine = __atomic_exchange_n (&self->usable, NULL, __ATOMIC_RELAXED);

  dsq_engine_count_turn (engine);
  dsq_engine_move_words (engine, 0);
  dsq_engine_end_watchers (engine, self);
  if (self->own.engine == engine)
    return;
  dsq_engine_count_turn (self->own.engine);
  dsq_engine_end_watchers (self->own.engine, self);
}

/* The last one that lets the file go is one that writes, if there is one: it clears away what is
 * beside it. */
static gboolean
close_once (DsqHandle *self, GError **error)
{
  const DsqHold *last = self->writer.engine != NULL ? &self->writer : &self->own;
  gboolean success;

  if (dsq_handle_is_closed (self))
    return TRUE;
  dsq_door_shut (&self->jobs);
  success = dsq_door_wait (&self->jobs, error) && leave (self, &self->own, error) &&
            leave (self, &self->writer, error);
  if (last->is_left)
    set_closed (self);
  else
    dsq_door_open (&self->jobs);
  return success;
}

static gboolean
close_serially (DsqHandle *self, GError **error)
{
  DsqEngine *writer;
  gboolean success;

  if (!dsq_call_lock (&self->lock, error))
    return FALSE;
  writer = self->writer.engine;
  success = (writer == NULL || dsq_engine_may_close (writer, error)) && close_once (self, error);
  dsq_mutex_unlock (&self->lock);
  dsq_engine_dismiss (self->own.engine);
  if (writer != NULL)
    dsq_engine_dismiss (writer);
  return success;
}

gboolean
dsq_handle_close (DsqHandle *self, GError **error)
{
  gboolean success;

  if (!dsq_engine_may_close (self->own.engine, error))
    return FALSE;
  /* it would wait for itself */
  if (dsq_call_is_out_of (&self->jobs.place))
    return dsq_door_refuse_reentered (error);
  dsq_call_enter (&self->jobs.place);
  success = close_serially (self, error);
  dsq_call_leave ();
  return success;
}

DsqHandle *
dsq_handle_ref (DsqHandle *self)
{
  __atomic_fetch_add (&self->n_references, 1, __ATOMIC_RELAXED);
  return self;
}

/* What was written is with the others, who keep the promises that they were given. The last one
 * closes the engine by force, although somebody who has just left may have a reference still. */
static void
drop (DsqHandle *handle, DsqHold *self)
{
  if (self->engine == NULL)
    return;
  dsq_engine_end_watchers (self->engine, handle);
  if (self->file != NULL && !dsq_open_file_leave (self->file, handle))
    {
      dsq_engine_close_by_force (self->engine);
      dsq_open_file_end (self->file);
    }
  dsq_engine_unref (self->engine);
}

void
dsq_handle_unref (DsqHandle *self)
{
  if (__atomic_fetch_sub (&self->n_references, 1, __ATOMIC_ACQ_REL) != 1)
    return;
  /* in a fork's child: locks may be held for ever */
  if (self->own.engine != NULL && dsq_engine_is_inherited (self->own.engine))
    return;
  dsq_patience.timeout_ms = self->busy_timeout_ms;
  drop (self, &self->own);
  drop (self, &self->writer);
  dsq_mutex_clear (&self->tables_lock);
  dsq_mutex_clear (&self->lock);
  dsq_door_clear (&self->jobs);
  g_free (self);
}

/* --- jobs ------------------------------------------------------------------------------------- */

void
dsq_handle_end_job (DsqHandle *self)
{
  if (dsq_door_is_own (&self->jobs))
    dsq_door_count_out (&self->jobs);
}

gboolean
dsq_handle_submit (DsqHandle *self, DsqEngine *engine, DsqLane lane, DsqJob *job, GError **error)
{
  if (lane == DSQ_LANE_CLOSE || dsq_engine_is_inherited (engine))
    return dsq_engine_submit (engine, lane, job, error);
  __atomic_fetch_add (&self->jobs.n_users, 1, __ATOMIC_SEQ_CST);
  if (dsq_door_is_closed (&self->jobs) ? dsq_door_refuse_closed (error)
                                       : dsq_engine_submit (engine, lane, job, error))
    return TRUE;
  dsq_handle_end_job (self);
  return FALSE;
}
