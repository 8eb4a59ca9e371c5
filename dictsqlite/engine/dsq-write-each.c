/* dsq-write-each.c - writes that came together and need not succeed together
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-write-through-private.h"

/*
 * Written through, they share one transaction. They are tried as one write first, which is all that
 * is needed nearly always; when that fails, each of them goes into a second transaction with a
 * savepoint of its own, so that the failure finds the one that it belongs to. A wait that was in
 * vain is that of all, and not made twice.
 */

static void
stage_each (DsqEngine *self, DsqPromise promise, DsqEachWrite *writes, gsize n_writes)
{
  for (gsize i = 0; i < n_writes; i++)
    {
      DsqEachWrite *write = &writes[i];
      DsqKey key = dsq_entry_as_key (write->entry);

      if (!dsq_call_check (&write->error))
        continue;
      if (dsq_entry_is_tombstone (write->entry))
        dsq_engine_remove (self, promise, &key, &write->was_present, &write->error);
      else
        dsq_engine_set (self, promise, &key, dsq_entry_ref (write->entry), &write->error);
    }
}

static gboolean
write_as_one (DsqEngine *self,
              DsqPromise promise,
              DsqEachWrite *writes,
              gsize n_writes,
              GError **error)
{
  g_autofree DsqChange *changes = g_new0 (DsqChange, n_writes);
  DsqBatchTable table = { .id = writes->entry->table };
  DsqWrite write = {
    .promise = promise,
    .tables = &table,
    .n_tables = 1,
    .changes = changes,
    .n_changes = n_writes,
  };

  for (gsize i = 0; i < n_writes; i++)
    changes[i].entry = writes[i].entry;
  if (!dsq_engine_write_through (self, &write, error))
    return FALSE;
  for (gsize i = 0; i < n_writes; i++)
    writes[i].was_present = changes[i].presence == DSQ_PRESENCE_PRESENT;
  return TRUE;
}

static void
write_one_by_one (DsqEngine *self, DsqPromise promise, DsqEachWrite *writes, gsize n_writes)
{
  g_autofree DsqChange *changes = g_new0 (DsqChange, n_writes);
  g_autofree DsqWrite *queued = g_new0 (DsqWrite, n_writes);
  g_autofree DsqBatchTable *tables = g_new0 (DsqBatchTable, n_writes);

  for (gsize i = 0; i < n_writes; i++)
    {
      changes[i].entry = writes[i].entry;
      tables[i].id = writes[i].entry->table;
      queued[i] = (DsqWrite){
        .promise = promise,
        .tables = &tables[i],
        .n_tables = 1,
        .changes = &changes[i],
        .n_changes = 1,
      };
      queued[i].queued.next = i + 1 < n_writes ? &queued[i + 1].queued : NULL;
    }
  dsq_engine_write_through_chain (self, queued, &queued[n_writes - 1]);
  for (gsize i = 0; i < n_writes; i++)
    {
      writes[i].was_present = changes[i].presence == DSQ_PRESENCE_PRESENT;
      writes[i].error = g_steal_pointer (&queued[i].queued.error);
    }
}

static gboolean
has_waited_in_vain (const GError *error)
{
  return g_error_matches (error, DSQ_ERROR, DSQ_ERROR_BUSY) ||
         g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

void
dsq_engine_write_each (DsqEngine *self, DsqPromise promise, DsqEachWrite *writes, gsize n_writes)
{
  g_autoptr (GError) error = NULL;

  if (n_writes == 0)
    return;
  if (!dsq_engine_writes_through (self, promise))
    stage_each (self, promise, writes, n_writes);
  else if (write_as_one (self, promise, writes, n_writes, &error))
    return;
  else if (n_writes > 1 && !has_waited_in_vain (error))
    write_one_by_one (self, promise, writes, n_writes);
  else
    for (gsize i = 0; i < n_writes; i++)
      writes[i].error = g_error_copy (error);
}
