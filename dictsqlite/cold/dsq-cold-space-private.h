/* dsq-cold-space-private.h - rows that may go, and pages that are free
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-rows-private.h"

G_BEGIN_DECLS

DSQ_COLD_FUNCTION (find_expired) dsq_cold_find_expired;
gboolean dsq_cold_find_oldest (DsqColdFile *file,
                               gint64 *place,
                               guint max_rows,
                               GArray *rows,
                               gboolean *out_is_last,
                               GError **error);

gboolean dsq_cold_space_init (DsqColdSqlite *self, GError **error);
gboolean dsq_cold_get_used (DsqColdFile *file, guint64 *out_bytes, GError **error);
gboolean dsq_cold_shrink (DsqColdFile *file, guint max_bytes, gboolean *out_more, GError **error);

G_END_DECLS
