/* dsq-cold-open-private.h - the cold tiers that there are
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-tier-private.h"

G_BEGIN_DECLS

/* Opens the file, or makes it when missing (never in read-only cases; see the errors). *out_main:
 * the table that is always there. */
DsqColdTier *
dsq_cold_tier_open_sqlite (const DsqColdOptions *options, DsqTableState *out_main, GError **error);

/* A private one, for what a store in memory cannot hold: a temporary file that nobody else can open
 * and that is gone with the process. It is made with the first rows, in SQLite's folder for
 * temporary files; of @options the size of the cache counts, and whether there is a password. */
DsqColdTier *dsq_cold_tier_new_private (const DsqColdOptions *options, DsqTableState *out_main);

G_END_DECLS
