/* dsq-batch-builder.c - the changes of a flush, gathered for one apply()
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-batch-builder-private.h"

/* References to an entry that the engine which flushes it has: of its node, and of its change. */
#define N_OWN_REFERENCES 2

void
dsq_batch_builder_init (DsqBatchBuilder *self)
{
  self->tables = g_array_new (FALSE, FALSE, sizeof (DsqBatchTable));
  self->changes = g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);
}

void
dsq_batch_builder_finish (DsqBatchBuilder *self)
{
  g_array_unref (self->tables);
  g_ptr_array_unref (self->changes);
}

void
dsq_batch_builder_reset (DsqBatchBuilder *self)
{
  g_array_set_size (self->tables, 0);
  g_ptr_array_set_size (self->changes, 0);
}

/* The one that changes are about now is the last. */
static DsqBatchTable *
settle_on_table (DsqBatchBuilder *self, guint32 id)
{
  const DsqBatchTable table = { .id = id };

  if (self->tables->len == 0 ||
      g_array_index (self->tables, DsqBatchTable, self->tables->len - 1).id != id)
    g_array_append_val (self->tables, table);
  return &g_array_index (self->tables, DsqBatchTable, self->tables->len - 1);
}

void
dsq_batch_builder_clear_table (DsqBatchBuilder *self, guint32 table)
{
  settle_on_table (self, table)->clears = TRUE;
}

/* Who stages an entry counts its references as if nobody else had any. So one that somebody else
 * has, for what he has been shown, goes as a copy. */
static DsqEntry *
hand_over (DsqEntry *entry, const DsqKey *key)
{
  if (__atomic_load_n (&entry->ref_count, __ATOMIC_ACQUIRE) <= N_OWN_REFERENCES)
    return dsq_entry_ref (entry);
  return dsq_entry_new (key,
                        dsq_entry_record (entry),
                        entry->record_length,
                        dsq_entry_expires (entry));
}

void
dsq_batch_builder_add (DsqBatchBuilder *self, const DsqChange *change)
{
  gboolean clears = settle_on_table (self, change->entry->table)->clears;
  gboolean is_set = !dsq_entry_is_tombstone (change->entry);
  DsqKey key = dsq_entry_as_key (change->entry);

  /* what is set again comes last; a clear leaves nothing to remove */
  if (!clears && (change->reinsert || !is_set))
    g_ptr_array_add (self->changes, dsq_entry_new_tombstone (&key));
  if (is_set)
    g_ptr_array_add (self->changes, hand_over (change->entry, &key));
}

DsqEngineBatch
dsq_batch_builder_get (DsqBatchBuilder *self)
{
  return (DsqEngineBatch){
    .tables = (DsqBatchTable *) (gpointer) self->tables->data,
    .n_tables = self->tables->len,
    .changes = (DsqEntry *const *) self->changes->pdata,
    .n_changes = self->changes->len,
  };
}
