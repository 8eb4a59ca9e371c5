/* dsq-async-call-private.h - the one job type behind every _async function
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/dsq-store-private.h"

G_BEGIN_DECLS

typedef struct _DsqAsyncCall DsqAsyncCall;

/* Makes the sync call on what the job holds, and sets its result or its error. */
typedef void (*DsqAsyncFunc) (DsqAsyncCall *self, DsqStore *store);

typedef enum
{
  DSQ_RESULT_BOOLEAN,
  DSQ_RESULT_NUMBER,
  DSQ_RESULT_POINTER,
} DsqResultKind;

/* Owned by its GTask, whose cancellable it uses. */
struct _DsqAsyncCall
{
  DsqJob job;
  GTask *task; /* (owned) while the job is under way */
  DsqStore *store;
  DsqAsyncFunc func;

  /* arguments, owned; a call has those that it needs */
  char *key;
  guint8 *bytes;
  gsize n_bytes;
  guint8 *record;
  gsize n_record;
  GVariant *variant;
  char **keys;
  DsqCursor *cursor;
  guint number;

  /* what came of it */
  DsqResultKind kind;
  gssize value;
  gpointer pointer; /* (owned) */
  GDestroyNotify pointer_free;
  gsize length; /* of bytes at pointer */
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

/* How a call begins: in the caller's thread as far as memory answers and no call that is under way
 * has to come before, else by a worker; or there at once. The first is for calls of one key, which
 * stands in key or else in bytes, and for those without any. */
void dsq_async_call_start (DsqAsyncCall *self, DsqLane lane);
void dsq_async_call_start_on_worker (DsqAsyncCall *self, DsqLane lane);
/* Behind the writes that are there, and in no later one's way. */
void dsq_async_call_start_flush (DsqAsyncCall *self);

/* The finish functions. FALSE, -1 and NULL with @error set. */
gboolean
dsq_async_call_finish_boolean (gpointer source, GAsyncResult *result, gpointer tag, GError **error);
gssize
dsq_async_call_finish_number (gpointer source, GAsyncResult *result, gpointer tag, GError **error);
gpointer dsq_async_call_finish_pointer (gpointer source,
                                        GAsyncResult *result,
                                        gpointer tag,
                                        gsize *out_length,
                                        GError **error);

G_END_DECLS
