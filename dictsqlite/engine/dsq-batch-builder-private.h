/* dsq-batch-builder-private.h - the changes of a flush, gathered for one apply()
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-types-private.h"
#include "engine/dsq-engine-entries-private.h"

G_BEGIN_DECLS

/* Of one thread. Changes come table by table, after the table's clear. */
typedef struct
{
  GArray *tables;     /* (owned) of DsqBatchTable */
  GPtrArray *changes; /* (owned) of DsqEntry */
} DsqBatchBuilder;

void dsq_batch_builder_init (DsqBatchBuilder *self);
void dsq_batch_builder_finish (DsqBatchBuilder *self);
void dsq_batch_builder_reset (DsqBatchBuilder *self);

void dsq_batch_builder_clear_table (DsqBatchBuilder *self, guint32 table);
void dsq_batch_builder_add (DsqBatchBuilder *self, const DsqChange *change);

static inline gboolean
dsq_batch_builder_is_empty (const DsqBatchBuilder *self)
{
  return self->tables->len == 0;
}

/* The batch, which is the builder's, without what is expected. */
DsqEngineBatch dsq_batch_builder_get (DsqBatchBuilder *self);

G_END_DECLS
