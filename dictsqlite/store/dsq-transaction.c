/* dsq-transaction.c - many operations, all of them or none
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "dsq-error.h"
#include "dsq-transaction.h"
#include "store/dsq-store-private.h"

/**
 * DsqTransaction:
 *
 * Many operations on a store, all of them or none.
 *
 * A transaction is a #DsqStore, as a table is: every method works on it, and shows the store with
 * what was written in the transaction. Nobody else sees any of that before
 * [method@Transaction.commit], and then all of it at one instant.
 *
 * ```c
 * g_autoptr (DsqTransaction) transaction = dsq_store_begin (store, &error);
 *
 * dsq_store_increment (DSQ_STORE (transaction), "from", -30, 0, NULL, NULL, &error);
 * dsq_store_increment (DSQ_STORE (transaction), "to", 30, 0, NULL, NULL, &error);
 * dsq_transaction_commit (transaction, NULL, &error);
 * ```
 *
 * ## Conflicts
 *
 * Nothing is locked, and nobody waits for a transaction. A key that it has read by itself, missing
 * keys too, is in it what it was then; if it is another one when the transaction commits, that
 * gives %DSQ_ERROR_CONFLICT, writes nothing and ends the transaction: begin a new one. What was
 * only written, walked over, counted or listed is not compared, and neither is anything where
 * nothing was written. Other processes' writes count as far as they are in the file.
 *
 * ## What it covers
 *
 * All tables of the store: [method@Store.get_table] of a transaction gives a table of it, whose
 * writes are part of it. A table that is missing is made in the store at once, and stays; dropping
 * one gives %DSQ_ERROR_INVALID_ARGUMENT. Flushes, statistics, copies, checks and passwords are
 * those of the store, which has nothing of the transaction yet.
 *
 * [method@Store.begin] of a transaction gives a part of it: its commit brings what it wrote to the
 * outer one, and its rollback leaves that as it was.
 *
 * Times are those of the store's clock, and count from the call. What was written in a transaction
 * and expires before its end is removed there.
 *
 * ## Its end
 *
 * After the commit, or [method@Transaction.rollback], every method of it and of its tables gives
 * %DSQ_ERROR_CLOSED; so it does when the store is closed, which has nothing of it then. Dropping
 * the object, or [method@Store.close], is a rollback. What was written is kept in memory until the
 * end.
 *
 * Since: 1.0
 */
struct _DsqTransaction
{
  DsqStore parent_instance;
};

static void dsq_transaction_initable_init (GInitableIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (DsqTransaction,
                               dsq_transaction,
                               DSQ_TYPE_STORE,
                               G_IMPLEMENT_INTERFACE (G_TYPE_INITABLE,
                                                      dsq_transaction_initable_init))

/* One that is constructed is over nothing, and is no way to open a file. */
static gboolean
initable_init (GInitable *initable, GCancellable *cancellable, GError **error)
{
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_INVALID_ARGUMENT,
                       "Failed to open a transaction: it is begun by its store");
  return FALSE;
}

static void
dsq_transaction_initable_init (GInitableIface *iface)
{
  iface->init = initable_init;
}

static void
dsq_transaction_class_init (DsqTransactionClass *klass)
{
}

static void
dsq_transaction_init (DsqTransaction *self)
{
}

/* The id of the table that @self is, in a transaction of its engine's, where it has the same. */
static gboolean
open_own_table (DsqStore *self, DsqEngine *engine, GError **error)
{
  gsize length;
  const guint8 *name;
  guint32 table;

  if (self->name == NULL)
    return TRUE;
  name = g_bytes_get_data (self->name, &length);
  if (!dsq_engine_open_table (engine, dsq_store_get_promise (self), name, length, &table, error))
    return FALSE;
  /* a new one of the same name */
  return table == self->table || dsq_engine_refuse_dropped (error);
}

/**
 * dsq_store_begin:
 * @self: a store, a table, or a transaction
 * @error: return location for an error
 *
 * Begins a transaction over the store of @self and all of its tables; of a transaction, a part of
 * it. What comes back is the same table as @self, in the transaction.
 *
 * That costs no look into the file and takes no lock. Several may be under way at once, of one
 * thread or of many.
 *
 * Returns: (transfer full): the transaction; end it with [method@Transaction.commit] or
 *   [method@Transaction.rollback], or drop it
 *
 * Since: 1.0
 */
DsqTransaction *
dsq_store_begin (DsqStore *self, GError **error)
{
  DsqEngine *parent;
  DsqEngine *engine;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  parent = dsq_store_get_engine (self, error);
  if (parent == NULL || !dsq_engine_check_open (parent, self->table, error))
    return NULL;
  engine = dsq_engine_begin (parent, self->handle, error);
  if (engine == NULL)
    return NULL;
  if (open_own_table (self, engine, error))
    return DSQ_TRANSACTION (
        dsq_store_new_handle (DSQ_TYPE_TRANSACTION, self, engine, self->table, self->name));
  dsq_engine_unref (engine);
  return NULL;
}

/**
 * dsq_transaction_commit:
 * @self: a transaction
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Writes what was written in the transaction, all of it at one instant, to the promise of the
 * store's [enum@PersistMode], and ends it.
 *
 * Errors: %DSQ_ERROR_CONFLICT when a key that it read is another by now, which ends it as well;
 * %DSQ_ERROR_CLOSED when it has ended, or the store is closed; %DSQ_ERROR_NO_TABLE when a table of
 * it was dropped; and those of a write. After any but the first two it is as before, and can be
 * committed again.
 *
 * Returns: %TRUE when all of it is written
 *
 * Since: 1.0
 */
gboolean
dsq_transaction_commit (DsqTransaction *self, GCancellable *cancellable, GError **error)
{
  g_auto (DsqCall) call = { 0 };
  DsqEngine *engine;

  g_return_val_if_fail (DSQ_IS_TRANSACTION (self), FALSE);

  engine = dsq_store_get_engine (&self->parent_instance, error);
  return engine != NULL && dsq_call_begin (&call, cancellable, error) &&
         dsq_engine_commit (engine, error);
}

/**
 * dsq_transaction_rollback:
 * @self: a transaction
 *
 * Forgets what was written in the transaction, and ends it. Does nothing when it has ended.
 *
 * Since: 1.0
 */
void
dsq_transaction_rollback (DsqTransaction *self)
{
  DsqEngine *engine;

  g_return_if_fail (DSQ_IS_TRANSACTION (self));

  engine = dsq_store_get_engine (&self->parent_instance, NULL);
  if (engine != NULL)
    dsq_engine_close (engine, NULL);
}
