/* dsq-cold-reads-private.h - what the cold tier is asked for, and answers from a reader
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-rows-private.h"

G_BEGIN_DECLS

gboolean dsq_cold_get_many (DsqColdTier *tier,
                            const DsqKey *keys,
                            gsize n_keys,
                            DsqEntry **out,
                            GError **error);
gboolean dsq_cold_probe (DsqColdTier *tier,
                         const DsqKey *keys,
                         gsize n_keys,
                         gint64 *out_places,
                         GError **error);
gboolean dsq_cold_walk (DsqColdTier *tier,
                        guint32 table,
                        gint64 place,
                        DsqWalkOrder order,
                        guint max_rows,
                        gsize max_bytes,
                        gboolean keys_only,
                        GArray *rows,
                        gboolean *out_is_last,
                        GError **error);

gboolean dsq_cold_list_keys (DsqColdTier *tier,
                             const DsqKey *from,
                             const DsqKey *end,
                             guint max_keys,
                             GPtrArray *entries,
                             GError **error);

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
