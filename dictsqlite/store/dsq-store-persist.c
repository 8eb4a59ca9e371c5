/* dsq-store-persist.c - a mapping that lives on disk: flush, statistics, close
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "store/dsq-store-private.h"

/**
 * dsq_store_flush:
 * @self: a store
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Brings everything written before the call, to whichever table, into the file and onto the medium.
 *
 * This is the durability barrier in each mode that has a file. What could not be written stays in
 * memory, readable, and is tried again at the next flush. On a closed store, and in memory mode,
 * this does nothing.
 *
 * Returns: %TRUE when it is done
 *
 * Since: 1.0
 */
gboolean
dsq_store_flush (DsqStore *self, GCancellable *cancellable, GError **error)
{
  g_auto (DsqCall) call = { 0 };
  DsqEngine *engine;

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  engine = dsq_store_get_root (self, NULL);
  return engine == NULL || dsq_engine_is_closed (engine) ||
         (dsq_call_begin (&call, cancellable, error) && dsq_engine_flush (engine, error));
}

/**
 * dsq_store_get_stats:
 * @self: a store
 *
 * Takes a snapshot of the store's counters. Those of a closed store are 0.
 *
 * Returns: (transfer full): the snapshot
 *
 * Since: 1.0
 */
DsqStats *
dsq_store_get_stats (DsqStore *self)
{
  DsqEngine *engine;
  DsqStats *stats;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  stats = g_new0 (DsqStats, 1);
  engine = dsq_store_get_root (self, NULL);
  if (engine != NULL)
    dsq_engine_get_stats (engine, stats);
  stats->persist_mode = self->options.persist_mode;
  return stats;
}

/**
 * dsq_store_close:
 * @self: a store
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Flushes and closes the store, with all of its tables. Closing it again does nothing. Closing a
 * table that [method@Store.get_table] gave only ends that object.
 *
 * When the flush fails, or the call is cancelled before everything is flushed, the store stays open
 * and nothing is lost: make room, say, and close again. So it does when @cancellable is cancelled
 * already, be there something to flush or not. When a sync has failed it is closed all the same,
 * with an error: see the page on durability. A store that is dropped without having been closed is
 * flushed and closed then; while others of the process have the file open they flush what it wrote.
 *
 * Others stay open, see [property@Store:separate]. Until the last of them is closed the file is.
 *
 * Returns: %TRUE when it is closed
 *
 * Since: 1.0
 */
gboolean
dsq_store_close (DsqStore *self, GCancellable *cancellable, GError **error)
{
  g_auto (DsqCall) call = { 0 };
  DsqEngine *engine;

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  engine = dsq_store_get_engine (self, NULL);
  if (self->ends_alone && (engine == NULL || !dsq_engine_is_inherited (engine)))
    {
      __atomic_store_n (&self->usable, &dsq_store_no_engine, __ATOMIC_RELAXED);
      if (engine != NULL)
        dsq_engine_move_words (engine, 0);
      return TRUE;
    }
  if (engine == NULL)
    return TRUE;
  if (!dsq_call_begin (&call, cancellable, error))
    return FALSE;
  return dsq_store_is_of_handle (engine) ? dsq_handle_close (self->handle, error)
                                         : dsq_engine_close (engine, error);
}

/**
 * dsq_store_is_closed:
 * @self: a store
 *
 * Whether the store is closed, or was never opened.
 *
 * Returns: %TRUE if it is
 *
 * Since: 1.0
 */
gboolean
dsq_store_is_closed (DsqStore *self)
{
  DsqEngine *engine;

  g_return_val_if_fail (DSQ_IS_STORE (self), TRUE);

  engine = dsq_store_get_engine (self, NULL);
  return engine == NULL || dsq_engine_is_closed (engine);
}
