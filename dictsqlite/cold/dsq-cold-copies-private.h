/* dsq-cold-copies-private.h - copies of a store, its header, and whether it is sound
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-source-private.h"
#include "cold/dsq-cold-upkeep-private.h"
#include "sqlite/dsq-new-file-private.h"

G_BEGIN_DECLS

/* --- of a file -------------------------------------------------------------------------------- */

gboolean dsq_cold_copy (DsqColdTier *tier, const DsqColdCopyOptions *options, GError **error);
gboolean dsq_cold_backup (DsqColdTier *tier,
                          const char *path,
                          DsqColdProgressFunc progress,
                          gpointer user_data,
                          GError **error);
gboolean dsq_cold_check (DsqColdTier *tier, GPtrArray *problems, GError **error);

gboolean dsq_cold_get_header (DsqColdTier *tier, DsqHeader *out_header, GError **error);
gboolean dsq_cold_replace_header (DsqColdTier *tier,
                                  const DsqHeader *before,
                                  const DsqHeader *after,
                                  GError **error);
gboolean dsq_cold_renew_log (DsqColdTier *tier, gboolean *out_is_renewed, GError **error);

/* DSQ_ERROR_CHANGED, unless @now, which is what would be replaced, is @before. */
gboolean dsq_cold_check_header (const DsqHeader *now, const DsqHeader *before, GError **error);

/* --- of any store ----------------------------------------------------------------------------- */

/* Writes all of @from, a store with that header, to a new file at @path, which is resolved, under
 * keys of its own; @from_path (nullable) is the file that it is. */
gboolean dsq_cold_copy_source (DsqColdSource *from,
                               const DsqHeader *from_header,
                               const char *from_path,
                               const char *path,
                               DsqNewFilePlace place,
                               const DsqColdCopyOptions *options,
                               GError **error);
/* The same with that header and its keys, each row as it is stored. */
gboolean dsq_cold_backup_source (DsqColdSource *from,
                                 const DsqHeader *header,
                                 const char *path,
                                 DsqColdProgressFunc progress,
                                 gpointer user_data,
                                 GError **error);
gboolean dsq_cold_check_source (DsqColdSource *source, GPtrArray *problems, GError **error);
/* A slip in the password would be known when the copy is needed. */
gboolean dsq_cold_check_copy_password (const DsqHeader *header,
                                       const DsqColdCopyOptions *options,
                                       GError **error);

G_END_DECLS
