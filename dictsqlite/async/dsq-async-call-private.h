/* dsq-async-call-private.h - the one job type behind every _async function
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/dsq-store-private.h"

G_BEGIN_DECLS

typedef struct _DsqAsyncCall DsqAsyncCall;
typedef struct _DsqAsyncReport DsqAsyncReport;

/* Makes the sync call on what the job holds, and sets its result or its error. */
typedef void (*DsqAsyncFunc) (DsqAsyncCall *self, DsqStore *store);

typedef enum
{
  DSQ_RESULT_BOOLEAN,
  DSQ_RESULT_NUMBER,
  DSQ_RESULT_POINTER,
} DsqResultKind;

#define DSQ_ASYNC_MAX_ARGUMENTS 3

/* One argument, in the order of the call's. */
typedef struct
{
  gpointer pointer;    /* (owned) (nullable) */
  GDestroyNotify free; /* of pointer */
  gint64 number;
} DsqAsyncSlot;

/* Owned by its GTask, whose cancellable it uses. */
struct _DsqAsyncCall
{
  DsqJob job;
  GTask *task; /* (owned) while the job is under way */
  DsqStore *store;
  DsqAsyncFunc func;
  gboolean is_counted; /* a close of the store's handle waits for it */

  DsqAsyncSlot slots[DSQ_ASYNC_MAX_ARGUMENTS];
  const char *key;        /* (nullable) of a call of one: lies in slots[0] */
  DsqCursor *cursor;      /* (owned) (nullable) of a call on a walk */
  DsqAsyncReport *report; /* (owned) (nullable) of a call that tells how far it is */

  /* what came of it */
  DsqResultKind kind;
  gint64 value;
  gint64 out;       /* what an out parameter gets */
  gpointer pointer; /* (owned) */
  GDestroyNotify pointer_free;
  GError *error;
  gboolean is_done; /* (atomic) what is above belongs to the caller's thread from here on */
};

/* A call of @func, which gives a @kind, freed as @pointer_free says. @source is a store or one of
 * its cursors. */
DsqAsyncCall *dsq_async_call_new (gpointer source,
                                  DsqStore *store,
                                  DsqAsyncFunc func,
                                  DsqResultKind kind,
                                  GDestroyNotify pointer_free,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data,
                                  gpointer tag);

/* Takes over an argument. */
void dsq_async_call_keep (DsqAsyncCall *self, guint slot, gpointer pointer, GDestroyNotify free);
/* Has the call's progress told in the caller's main context, as far as that keeps up: @progress may
 * be NULL. dsq_async_call_progress() is what the sync call then gets as its own. */
void dsq_async_call_report (DsqAsyncCall *self,
                            DsqProgressFunc progress,
                            gpointer progress_data,
                            GDestroyNotify progress_free);
void dsq_async_call_progress (guint64 n_done, guint64 n_total, gpointer call);

/* How a call begins: in the caller's thread as far as memory answers and no call that is under way
 * has to come before, else by a worker; or there at once. The first is for calls of one key and
 * for those without any. */
void dsq_async_call_start (DsqAsyncCall *self, DsqLane lane);
void dsq_async_call_start_on_worker (DsqAsyncCall *self, DsqLane lane);
/* Behind the writes that are there, and in no later one's way. */
void dsq_async_call_start_behind (DsqAsyncCall *self, DsqLane lane);

/* On a thread of its own, for a call without a store. */
void dsq_async_call_start_on_thread (DsqAsyncCall *self);

/* The finish functions. FALSE, -1 and NULL with @error set. */
gboolean
dsq_async_call_finish_boolean (gpointer source, GAsyncResult *result, gpointer tag, GError **error);
gboolean dsq_async_call_finish_boolean_out (gpointer source,
                                            GAsyncResult *result,
                                            gpointer tag,
                                            gint64 *out_value,
                                            GError **error);
gint64
dsq_async_call_finish_number (gpointer source, GAsyncResult *result, gpointer tag, GError **error);
gpointer
dsq_async_call_finish_pointer (gpointer source, GAsyncResult *result, gpointer tag, GError **error);

G_END_DECLS
