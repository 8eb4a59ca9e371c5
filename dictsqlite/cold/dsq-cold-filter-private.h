/* dsq-cold-filter-private.h - which keys the file surely does not hold
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-rows-private.h"

G_BEGIN_DECLS

void dsq_cold_filter_init (DsqColdSqlite *self);
void dsq_cold_filter_clear (DsqColdSqlite *self);
/* Somebody else has committed. */
void dsq_cold_filter_reset (DsqColdSqlite *self);
/* The writer has committed. */
void dsq_cold_filter_note_commit (DsqColdSqlite *self);
gboolean dsq_cold_filter_wants_build (DsqColdTier *tier, guint64 n_absent);
gboolean dsq_cold_filter_is_worth (DsqColdTier *tier, guint64 n_keys);
void dsq_cold_filter_begin (DsqColdTier *tier);
void dsq_cold_filter_get_stats (DsqColdSqlite *self, DsqColdStats *out_stats);
gboolean dsq_cold_filter_fill (DsqColdTier *tier, guint max_rows, GError **error);

G_END_DECLS
