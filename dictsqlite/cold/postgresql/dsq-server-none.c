/* dsq-server-none.c - a library that was built without libpq
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/postgresql/dsq-server-open-private.h"
#include "dsq-error.h"

DsqColdTier *
dsq_cold_tier_open_server (const DsqColdOptions *options, DsqTableState *out_main, GError **error)
{
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_NOT_SUPPORTED,
                       "Failed to open the store: this library was built without PostgreSQL");
  return NULL;
}
