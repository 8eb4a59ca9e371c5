/* dsq-cold-copies-private.h - copies of the file, its header, and whether it is sound
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-tier-private.h"

G_BEGIN_DECLS

gboolean dsq_cold_copy (DsqColdFile *file, const DsqColdCopyOptions *options, GError **error);
gboolean dsq_cold_backup (DsqColdFile *file,
                          const char *path,
                          DsqColdProgressFunc progress,
                          gpointer user_data,
                          GError **error);
gboolean dsq_cold_check (DsqColdFile *file, GPtrArray *problems, GError **error);

gboolean dsq_cold_get_header (DsqColdFile *file, DsqHeader *out_header, GError **error);
gboolean dsq_cold_replace_header (DsqColdFile *file,
                                  const DsqHeader *before,
                                  const DsqHeader *after,
                                  GError **error);
gboolean dsq_cold_renew_log (DsqColdFile *file, gboolean *out_is_renewed, GError **error);

G_END_DECLS
