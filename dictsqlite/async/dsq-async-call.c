/* dsq-async-call.c - the one job type behind every _async function
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "async/dsq-async-call-private.h"
#include "base/dsq-call-private.h"
#include "base/dsq-thread-private.h"
#include "codec/dsq-hash-private.h"

/*
 * An async call is the sync call of the same name, made elsewhere and later. It is tried in the
 * caller's thread first, with memory only, unless a call that came before it is under way that it
 * must not overtake; what memory does not answer is made again on one of the store's own threads.
 * Either way a GTask tells the result in the context that was the caller's.
 *
 * What is reported is what has happened: a call that is cancelled when it was done already gives
 * its result.
 */

/* GLib hands a task from thread to thread as it should, but so that the thread sanitizer does not
 * see it; this it does see. */
static void
call_hand_over (DsqAsyncCall *self)
{
  __atomic_store_n (&self->is_done, TRUE, __ATOMIC_RELEASE);
}

static void
call_take_over (DsqAsyncCall *self)
{
  __atomic_load_n (&self->is_done, __ATOMIC_ACQUIRE);
}

/* --- progress --------------------------------------------------------------------------------- */

/* What the caller's main context is to be told. At most one source is on its way there: a context
 * that is slow is told the latest. It lives until the last of them and the call are gone, but
 * tells nothing once the call's callback may have run. */
struct _DsqAsyncReport
{
  guint n_references; /* (atomic) */
  GMainContext *context;
  DsqProgressFunc func;
  gpointer data; /* (owned) */
  GDestroyNotify free;
  guint64 n_done;      /* (atomic) */
  guint64 n_total;     /* (atomic) */
  gboolean is_pending; /* (atomic) */
};

static void
report_unref (gpointer data)
{
  DsqAsyncReport *self = data;

  if (__atomic_fetch_sub (&self->n_references, 1, __ATOMIC_ACQ_REL) != 1)
    return;
  if (self->free != NULL)
    self->free (self->data);
  g_main_context_unref (self->context);
  g_free (self);
}

/* In the context that is told, for what is freed there may be of a language that wants its thread.
 */
static void
attach_to (DsqAsyncReport *self, int priority, GSourceFunc func)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_priority (source, priority);
  g_source_set_callback (source, func, self, report_unref);
  g_source_attach (source, self->context);
}

static gboolean
no_report_cb (gpointer data)
{
  return G_SOURCE_REMOVE;
}

/* Takes over the call's reference. */
static void
report_let_go (DsqAsyncReport *self)
{
  attach_to (self, G_PRIORITY_DEFAULT, no_report_cb);
}

static gboolean
report_cb (gpointer data)
{
  DsqAsyncReport *self = data;

  __atomic_store_n (&self->is_pending, FALSE, __ATOMIC_SEQ_CST);
  self->func (__atomic_load_n (&self->n_done, __ATOMIC_SEQ_CST),
              __atomic_load_n (&self->n_total, __ATOMIC_SEQ_CST),
              self->data);
  return G_SOURCE_REMOVE;
}

void
dsq_async_call_report (DsqAsyncCall *self,
                       DsqProgressFunc progress,
                       gpointer progress_data,
                       GDestroyNotify progress_free)
{
  DsqAsyncReport *report = g_new0 (DsqAsyncReport, 1);

  report->n_references = 1;
  report->context = g_main_context_ref (g_task_get_context (self->task));
  report->func = progress;
  report->data = progress_data;
  report->free = progress_free;
  self->report = report;
}

/* The source has the task's priority, so what is told last stands before the task's own. */
void
dsq_async_call_progress (guint64 n_done, guint64 n_total, gpointer call)
{
  DsqAsyncCall *self = call;
  DsqAsyncReport *report = self->report;

  if (report->func == NULL)
    return;
  __atomic_store_n (&report->n_total, n_total, __ATOMIC_SEQ_CST);
  __atomic_store_n (&report->n_done, n_done, __ATOMIC_SEQ_CST);
  if (__atomic_exchange_n (&report->is_pending, TRUE, __ATOMIC_SEQ_CST))
    return;
  __atomic_fetch_add (&report->n_references, 1, __ATOMIC_RELAXED);
  attach_to (report, g_task_get_priority (self->task), report_cb);
}

/* --- the call --------------------------------------------------------------------------------- */

void
dsq_async_call_keep (DsqAsyncCall *self, guint slot, gpointer pointer, GDestroyNotify free)
{
  self->slots[slot].pointer = pointer;
  self->slots[slot].free = free;
}

static void
call_free (gpointer data)
{
  DsqAsyncCall *self = data;

  call_take_over (self);
  for (guint i = 0; i < DSQ_ASYNC_MAX_ARGUMENTS; i++)
    if (self->slots[i].pointer != NULL)
      self->slots[i].free (self->slots[i].pointer);
  g_clear_object (&self->cursor);
  g_clear_pointer (&self->report, report_let_go);
  g_clear_error (&self->error);
  g_free (self);
}

/* Lets go of the task: the callback may be under way in another thread before this returns. */
static void
call_return (DsqAsyncCall *self)
{
  g_autoptr (GTask) task = g_steal_pointer (&self->task);
  GError *error = g_steal_pointer (&self->error);
  gpointer pointer = g_steal_pointer (&self->pointer);
  GDestroyNotify pointer_free = self->pointer_free;
  DsqResultKind kind = self->kind;
  gboolean is_true = kind == DSQ_RESULT_NUMBER || self->value != 0;

  call_hand_over (self);
  if (error != NULL)
    g_task_return_error (task, error);
  else if (kind == DSQ_RESULT_POINTER)
    g_task_return_pointer (task, pointer, pointer_free);
  else
    g_task_return_boolean (task, is_true);
}

static void
call_make (DsqAsyncCall *self)
{
  g_auto (DsqCall) call = { 0 };

  if (dsq_call_begin (&call, g_task_get_cancellable (self->task), &self->error))
    self->func (self, self->store);
}

static void
run_job (DsqJob *job)
{
  DsqAsyncCall *self = (DsqAsyncCall *) job;

  call_make (self);
  if (self->is_counted)
    dsq_handle_end_job (self->store->handle);
}

static void
finish_task (DsqJob *job)
{
  call_return ((DsqAsyncCall *) job);
}

DsqAsyncCall *
dsq_async_call_new (gpointer source,
                    DsqStore *store,
                    DsqAsyncFunc func,
                    DsqResultKind kind,
                    GDestroyNotify pointer_free,
                    GCancellable *cancellable,
                    GAsyncReadyCallback callback,
                    gpointer user_data,
                    gpointer tag)
{
  DsqAsyncCall *self = g_new0 (DsqAsyncCall, 1);

  self->job = (DsqJob){ .run = run_job, .finish = finish_task };
  self->task = g_task_new (source, cancellable, callback, user_data);
  self->job.cancellable = cancellable;
  self->store = store;
  self->func = func;
  self->kind = kind;
  self->pointer_free = pointer_free;
  g_task_set_source_tag (self->task, tag);
  g_task_set_check_cancellable (self->task, FALSE);
  g_task_set_task_data (self->task, self, call_free);
  return self;
}

/* Calls that come meanwhile take their places behind this one by what it reaches. */
static void
set_reach (DsqAsyncCall *self, DsqLane lane)
{
  if (lane == DSQ_LANE_READ)
    self->job.reach = DSQ_REACH_READS;
  else if (lane == DSQ_LANE_WRITE)
    self->job.reach = DSQ_REACH_WRITES;
}

static void
submit (DsqAsyncCall *self, DsqLane lane)
{
  DsqEngine *engine = dsq_store_get_engine (self->store, &self->error);

  /* what reads behind writes goes where they are */
  if (engine != NULL && lane == DSQ_LANE_READ && !dsq_engine_is_next (engine, &self->job))
    lane = DSQ_LANE_WRITE;
  self->job.is_ordered = lane == DSQ_LANE_WRITE;
  self->is_counted = lane != DSQ_LANE_CLOSE;
  if (engine == NULL ||
      !dsq_handle_submit (self->store->handle, engine, lane, &self->job, &self->error))
    call_return (self);
}

static guint
slot_of (const DsqAsyncCall *self, const guint8 *key, gsize length)
{
  return 1 + (guint) (dsq_hash (self->store->table, key, length) % DSQ_N_SLOTS);
}

void
dsq_async_call_start (DsqAsyncCall *self, DsqLane lane)
{
  DsqEngine *engine = dsq_store_get_engine (self->store, NULL);
  gboolean would_block = TRUE;

  set_reach (self, lane);
  if (self->key != NULL)
    self->job.slot = slot_of (self, (const guint8 *) self->key, strlen (self->key));
  if (engine == NULL || dsq_engine_is_next (engine, &self->job))
    {
      dsq_call_begin_memory_only ();
      call_make (self);
      would_block = dsq_call_end_memory_only ();
    }
  if (would_block)
    submit (self, lane);
  else
    call_return (self);
}

void
dsq_async_call_start_on_worker (DsqAsyncCall *self, DsqLane lane)
{
  /* there are no threads any more, and it does nothing */
  if (lane == DSQ_LANE_CLOSE && dsq_store_is_closed (self->store))
    {
      call_make (self);
      call_return (self);
      return;
    }
  set_reach (self, lane);
  submit (self, lane);
}

void
dsq_async_call_start_behind (DsqAsyncCall *self, DsqLane lane)
{
  submit (self, lane);
}

static void *
call_thread (void *data)
{
  DsqAsyncCall *self = data;

  call_make (self);
  call_return (self);
  return NULL;
}

void
dsq_async_call_start_on_thread (DsqAsyncCall *self)
{
  dsq_thread_start (call_thread, self);
}

/* --- finish ----------------------------------------------------------------------------------- */

/* The call, whose results are the caller's thread's now. */
static DsqAsyncCall *
call_of (GAsyncResult *result)
{
  DsqAsyncCall *call = g_task_get_task_data (G_TASK (result));

  call_take_over (call);
  return call;
}

gboolean
dsq_async_call_finish_boolean (gpointer source, GAsyncResult *result, gpointer tag, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, tag), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, source), FALSE);

  call_of (result);
  return g_task_propagate_boolean (G_TASK (result), error);
}

gint64
dsq_async_call_finish_number (gpointer source, GAsyncResult *result, gpointer tag, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, tag), -1);
  g_return_val_if_fail (g_task_is_valid (result, source), -1);

  /* 64 bits are more than a task may carry */
  if (!g_task_propagate_boolean (G_TASK (result), error))
    return -1;
  return call_of (result)->value;
}

gpointer
dsq_async_call_finish_pointer (gpointer source, GAsyncResult *result, gpointer tag, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, tag), NULL);
  g_return_val_if_fail (g_task_is_valid (result, source), NULL);

  call_of (result);
  return g_task_propagate_pointer (G_TASK (result), error);
}

gboolean
dsq_async_call_finish_boolean_out (gpointer source,
                                   GAsyncResult *result,
                                   gpointer tag,
                                   gint64 *out_value,
                                   GError **error)
{
  if (out_value != NULL)
    *out_value = 0;
  g_return_val_if_fail (g_async_result_is_tagged (result, tag), FALSE);

  if (out_value != NULL)
    *out_value = call_of (result)->out;
  return dsq_async_call_finish_boolean (source, result, tag, error);
}
