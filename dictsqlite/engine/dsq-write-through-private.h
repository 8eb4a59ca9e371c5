/* dsq-write-through-private.h - writes that are committed before they return
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-internal.h"

G_BEGIN_DECLS

/* One caller's writes on their way into a commit. */
struct _DsqWrite
{
  DsqWrite *next;     /* (lock queue_lock) */
  DsqChange *changes; /* (unowned) entries owned by the caller */
  gsize n_changes;
  guint32 table;     /* of all changes */
  gboolean clears;   /* the table is cleared first */
  gboolean is_sweep; /* not of a caller's making */

  /* one change, whose entry is what @modify makes of the row of @key */
  const DsqKey *key;    /* (unowned) (nullable) */
  DsqModifyFunc modify; /* (nullable) */
  gpointer modify_data; /* (unowned) */

  /* rows that must be as these are, tombstones for absent ones; else nothing is changed */
  DsqEntry *const *expected; /* (unowned) */
  gsize n_expected;

  GCancellable *cancellable; /* (unowned) (nullable) of the call that it is of; the queue's own */
  gint64 queued_at;          /* by the monotonic clock; the queue's own */
  gboolean is_refused;       /* out: a row was not as expected */
  gint64 n_keys;             /* out: keys that it added, less those that it removed */
  guint64 n_swept;           /* out: entries removed on the way, because they had expired */
  GError *error;             /* (owned) (nullable) out */
  gboolean is_done;          /* (lock queue_lock) */
};

/* Commits and publishes a chain of writes that ends with @last, each with an error of its own. */
void dsq_engine_write_through_chain (DsqEngine *self, DsqWrite *first, DsqWrite *last);
/* One transaction: waits for other processes, takes what has queued up and commits it, or a part;
 * writer_lock held, and of @own, the leader's, the last in the queue. An error is of before
 * anything was taken. */
void dsq_engine_commit_queued_locked (DsqEngine *self, DsqWrite *own, GError **error);
/* Gives all of a chain that have no error of their own this one. */
void dsq_write_fail_all (DsqWrite *writes, const GError *error);
/* Commits removals, of DsqChange, that no caller asked for, and publishes them; writer_lock held
 * and the transaction begun. */
gboolean dsq_engine_remove_in_transaction (DsqEngine *self, GArray *changes, GError **error);
/* Commits, publishes and returns; FALSE with @error when the write's own part failed. */
gboolean dsq_engine_write_through (DsqEngine *self, DsqWrite *write, GError **error);

G_END_DECLS
