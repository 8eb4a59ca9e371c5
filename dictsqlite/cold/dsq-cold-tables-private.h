/* dsq-cold-tables-private.h - the rows of tables
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-tier-private.h"

G_BEGIN_DECLS

gboolean dsq_cold_open_table (DsqColdTier *tier,
                              const guint8 *name,
                              gsize length,
                              gboolean may_make,
                              DsqTableState *out_state,
                              GError **error);
gboolean dsq_cold_drop_table (DsqColdTier *tier,
                              const guint8 *name,
                              gsize length,
                              guint32 *out_table,
                              GError **error);
/* Of a row with the columns id, token, name and mark. */
GBytes *dsq_cold_decode_table_name (const DsqRecordCodec *codec, sqlite3_stmt *row, GError **error);
gboolean dsq_cold_list_tables (DsqColdTier *tier, GPtrArray *names, GError **error);

G_END_DECLS
