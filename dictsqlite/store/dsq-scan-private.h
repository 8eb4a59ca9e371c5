/* dsq-scan-private.h - the steps of a walk over a store's entries
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dsq-cursor.h"
#include "store/dsq-store-private.h"

G_BEGIN_DECLS

/* A walk that begins with its first step: nothing is read, and nothing can fail, before. */
DsqScan *dsq_scan_new (DsqStore *store, DsqWalkOrder order);
DsqStore *dsq_scan_get_store (DsqScan *self);

/* The next entries, owned: at least one unless the walk is at its end. What was given before has
 * been used. */
GPtrArray *dsq_scan_next_entries (DsqScan *self, guint max_entries, GError **error);

/* (unowned) The steps of a cursor. */
DsqScan *dsq_cursor_get_scan (DsqCursor *self);

G_END_DECLS
