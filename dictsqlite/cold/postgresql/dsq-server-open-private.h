/* dsq-server-open-private.h - the cold tier on a server
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-tier-private.h"

G_BEGIN_DECLS

/* The store at the address that is the path of @options, made when it is missing unless it is to be
 * read only. DSQ_ERROR_NOT_SUPPORTED where the library was built without this, or libpq cannot be
 * loaded. */
DsqColdTier *
dsq_cold_tier_open_server (const DsqColdOptions *options, DsqTableState *out_main, GError **error);

G_END_DECLS
