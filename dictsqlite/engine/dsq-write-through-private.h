/* dsq-write-through-private.h - writes that are committed before they return
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-commit-queue-private.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-sweep-private.h"
#include "engine/dsq-write-behind-private.h"

G_BEGIN_DECLS

/* One caller's writes on their way into a commit. */
typedef struct
{
  DsqQueued queued;
  DsqPromise promise;
  DsqBatchTable *tables; /* (unowned) of all changes; a sweep names none */
  gsize n_tables;        /* out: 0 if it was refused */
  DsqChange *changes;    /* (unowned) table by table; entries owned by the caller */
  gsize n_changes;
  gboolean is_sweep; /* not of a caller's making */

  /* one change, whose entry is what @modify makes of the row of @key */
  const DsqKey *key;    /* (unowned) (nullable) */
  DsqModifyFunc modify; /* (nullable) */
  gpointer modify_data; /* (unowned) */

  /* rows that must be as these are, tombstones for absent ones; else nothing is changed */
  DsqEntry *const *expected; /* (unowned) */
  gsize n_expected;

  gboolean *needs_caller; /* (unowned) (nullable) (atomic) out: FALSE once the above is not used */

  gboolean is_refused; /* out: a row was not as expected */
  guint64 n_swept;     /* out: entries removed on the way, because they had expired */
} DsqWrite;

static inline DsqWrite *
dsq_write_next (const DsqWrite *self)
{
  return (DsqWrite *) (gpointer) self->queued.next;
}

static inline gboolean
dsq_write_clears (const DsqWrite *self)
{
  gboolean clears = FALSE;

  for (gsize i = 0; i < self->n_tables; i++)
    clears |= self->tables[i].clears;
  return clears;
}

/* --- in a transaction that has begun, writer_lock held ---------------------------------------- */

/* Brings a chain in, each with an error of its own. *out_rest: those that have to wait for another
 * transaction. */
gboolean
dsq_engine_apply_writes (DsqEngine *self, DsqWrite *writes, DsqWrite **out_rest, GError **error);
/* Removes the rows that a chain is about, if they have expired and are not swept. */
gboolean dsq_engine_sweep_writes (DsqEngine *self,
                                  const DsqWrite *writes,
                                  DsqSweptRows *swept,
                                  GError **error);
/* Commits what has been brought in, up to @rest, and publishes it; the first of @writes may be the
 * sweep. @flush (nullable): of what was staged, within the same transaction. @generation: of the
 * engine when the transaction began. */
gboolean dsq_engine_commit_applied (DsqEngine *self,
                                    DsqWrite *writes,
                                    const DsqWrite *rest,
                                    DsqFlush *flush,
                                    guint64 generation,
                                    const DsqSweptRows *swept,
                                    GError **error);
/* Removes what no caller asked to be, of DsqChange; commits and publishes that. */
gboolean dsq_engine_remove_in_transaction (DsqEngine *self, GArray *changes, GError **error);

/* --- from outside ----------------------------------------------------------------------------- */

/* Commits and publishes a chain of writes that ends with @last, each with an error of its own. */
void dsq_engine_write_through_chain (DsqEngine *self, DsqWrite *first, DsqWrite *last);
/* Commits, publishes and returns; FALSE with @error when the write's own part failed. */
gboolean dsq_engine_write_through (DsqEngine *self, DsqWrite *write, GError **error);

G_END_DECLS
