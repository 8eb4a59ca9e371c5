/* dsq-apart.c - what the main thread has done by another, so that it can leave it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-out-private.h"
#include "base/dsq-fork-private.h"
#include "dsq-error.h"
#include "engine/dsq-apart-private.h"
#include "engine/dsq-door-private.h"

/*
 * A thread in a sync, or in one long step of SQLite's, looks at nothing before it returns. Where
 * the main thread is asked whether it goes on, see base/dsq-call-private.h, it makes no such call
 * itself: it waits for one of the workers, and when its own call is over it cancels that one's, for
 * the waits in it, and leaves the rest to it.
 */

/* For what was cancelled to end. */
#define GRACE_US (100 * 1000)

void
dsq_apart_unref (DsqApart *self)
{
  if (__atomic_fetch_sub (&self->n_references, 1, __ATOMIC_ACQ_REL) != 1)
    return;
  g_clear_object (&self->cancellable);
  dsq_mutex_clear (&self->lock);
  pthread_cond_destroy (&self->done);
  self->free (self);
}

static void
run_job (DsqJob *job)
{
  DsqApart *self = (DsqApart *) job;
  g_auto (DsqCall) call = { 0 };

  dsq_fork_enter ();
  dsq_call_enter (self->place);
  dsq_call_begin_for (&call, self->cancellable);
  self->run (self);
  dsq_call_leave ();
  dsq_mutex_lock (&self->lock);
  self->is_done = TRUE;
  job->is_joined = self->ends_thread && !self->is_left;
  pthread_cond_broadcast (&self->done);
  dsq_mutex_unlock (&self->lock);
  dsq_fork_leave ();
}

static void
finish_job (DsqJob *job)
{
  dsq_apart_unref ((DsqApart *) job);
}

static gboolean
is_in_child (const DsqApart *self)
{
  return self->stamp != dsq_fork_get_stamp ();
}

static gboolean
wait_locked (DsqApart *self)
{
  gint64 over_at = 0;

  dsq_mutex_assert_held (&self->lock);
  while (!self->is_done)
    {
      dsq_call_wait (&self->done, &self->lock);
      if (is_in_child (self))
        return FALSE;
      if (!dsq_call_is_cancelled ())
        continue;
      g_cancellable_cancel (self->cancellable);
      over_at = over_at != 0 ? over_at : g_get_monotonic_time ();
      if (dsq_call_state.is_over && g_get_monotonic_time () - over_at >= GRACE_US &&
          !__atomic_load_n (&self->needs_caller, __ATOMIC_ACQUIRE))
        return self->is_done;
    }
  return TRUE;
}

gboolean
dsq_apart_do (DsqApart *self, DsqWorkers *workers)
{
  gboolean is_done;

  self->job.run = run_job;
  self->job.finish = finish_job;
  self->cancellable = g_cancellable_new ();
  self->n_references = 2;
  self->stamp = dsq_fork_get_stamp ();
  self->place = dsq_call_state.place;
  self->ends_thread = !dsq_workers_stay (workers);
  dsq_mutex_init (&self->lock, DSQ_RANK_APART, 0);
  dsq_cond_init (&self->done);
  /* a close has begun, which waits for the caller */
  if (!dsq_workers_push (workers, DSQ_LANE_APART, &self->job))
    {
      self->n_references = 1;
      self->run (self);
      return TRUE;
    }
  dsq_mutex_lock (&self->lock);
  is_done = wait_locked (self);
  self->is_left = !is_done;
  dsq_mutex_unlock (&self->lock);
  if (is_done && self->job.is_joined && !pthread_equal (self->job.thread, pthread_self ()))
    pthread_join (self->job.thread, NULL);
  return is_done;
}

gboolean
dsq_apart_refuse_left (const DsqApart *self, GError **error)
{
  if (is_in_child (self))
    return dsq_door_refuse_inherited (error);
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_OUTCOME_UNKNOWN,
                       "the call goes on in a thread of its own, and may still take effect");
  return FALSE;
}

/* --- a function ------------------------------------------------------------------------------- */

typedef struct
{
  DsqApart apart;
  DsqApartFunc func;
  gpointer engine; /* (unowned) waits for its workers before it goes */
  GBytes *name;    /* (owned) (nullable) */
  guint32 out;
  gboolean success;
  GError *error; /* (owned) (nullable) */
} Call;

static void
call_run (DsqApart *apart)
{
  Call *self = (Call *) apart;

  self->success = self->func (self->engine, self->name, &self->out, &self->error);
}

static void
call_free (DsqApart *apart)
{
  Call *self = (Call *) apart;

  g_clear_pointer (&self->name, g_bytes_unref);
  g_clear_error (&self->error);
  g_free (self);
}

gboolean
dsq_apart_call (DsqWorkers *workers,
                DsqApartFunc func,
                gpointer engine,
                GBytes *name,
                guint32 *out,
                GError **error)
{
  gboolean success;
  Call *self;

  if (workers == NULL || !dsq_call_is_asked ())
    return func (engine, name, out, error);
  self = g_new0 (Call, 1);
  self->apart.run = call_run;
  self->apart.free = call_free;
  self->func = func;
  self->engine = engine;
  self->name = name != NULL ? g_bytes_ref (name) : NULL;
  success = dsq_apart_do (&self->apart, workers) || dsq_apart_refuse_left (&self->apart, error);
  if (success)
    {
      *out = self->out;
      success = self->success;
      if (self->error != NULL)
        g_propagate_error (error, g_steal_pointer (&self->error));
    }
  dsq_apart_unref (&self->apart);
  return success;
}
