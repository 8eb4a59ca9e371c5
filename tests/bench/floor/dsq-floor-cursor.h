/* dsq-floor-cursor.h - DsqCursor's packed calls over no engine at all
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* What the floor says it holds: as many entries as the bench's loops set. */
#define DSQ_FLOOR_ENTRIES 10000

#define DSQ_FLOOR_TYPE_CURSOR (dsq_floor_cursor_get_type ())

G_DECLARE_FINAL_TYPE (DsqFloorCursor, dsq_floor_cursor, DSQ_FLOOR, CURSOR, GObject)

guint8 *dsq_floor_cursor_next_pack (DsqFloorCursor *self,
                                    guint max_entries,
                                    gboolean keys_only,
                                    gsize *out_length,
                                    GCancellable *cancellable,
                                    GError **error);
gboolean dsq_floor_cursor_check (DsqFloorCursor *self, guint n_used, GError **error);

G_END_DECLS
