/* dsq-cold-reads-private.h - what the cold tier is asked for, and answers from a reader
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-rows-private.h"

G_BEGIN_DECLS

DSQ_COLD_FUNCTION (get_many) dsq_cold_get_many;
DSQ_COLD_FUNCTION (probe) dsq_cold_probe;
DSQ_COLD_FUNCTION (walk) dsq_cold_walk;
DSQ_COLD_FUNCTION (list_keys) dsq_cold_list_keys;

/* Appends the row that @statement stands at, which is one of a walk. */
gboolean dsq_cold_append_row (DsqColdSqlite *self,
                              DsqStatement *statement,
                              guint32 table,
                              gboolean keys_only,
                              GArray *rows,
                              GError **error);

/* The filter's reading. */
gboolean dsq_cold_read_keys (gpointer user_data,
                             gboolean from_start,
                             guint max_rows,
                             gboolean *out_is_last,
                             GError **error);

G_END_DECLS
