/* dsq-cold-changes-private.h - what a transaction writes
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-rows-private.h"

G_BEGIN_DECLS

DsqTableState *dsq_cold_find_table (DsqColdSqlite *self, guint32 table);
/* Writes its floor and its holes. */
gboolean dsq_cold_save_table (DsqColdSqlite *self, const DsqTableState *state, GError **error);
void dsq_cold_forget_marks (DsqColdSqlite *self);
DSQ_COLD_FUNCTION (clear_table) dsq_cold_clear_table;
DSQ_COLD_FUNCTION (apply) dsq_cold_apply;

/* An update of a row that is there leaves its name as it is. */
static inline gboolean
dsq_cold_has_name (const DsqChange *change)
{
  return change->presence != DSQ_PRESENCE_PRESENT || change->reinsert;
}

G_END_DECLS
