/* dsq-cold-changes-private.h - what a transaction writes
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-rows-private.h"

G_BEGIN_DECLS

DsqTableState *dsq_cold_find_table (DsqColdSqlite *self, guint32 table);
void dsq_cold_forget_marks (DsqColdSqlite *self);
gboolean dsq_cold_clear_table (DsqColdTier *tier, guint32 table, GError **error);
gboolean dsq_cold_apply (DsqColdTier *tier, DsqChange *changes, gsize n_changes, GError **error);

/* An update of a row that is there leaves its name as it is. */
static inline gboolean
dsq_cold_has_name (const DsqChange *change)
{
  return change->presence != DSQ_PRESENCE_PRESENT || change->reinsert;
}

G_END_DECLS
