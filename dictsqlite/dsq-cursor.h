/* dsq-cursor.h - a walk over a store's entries, in order
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-enums.h>

G_BEGIN_DECLS

#define DSQ_TYPE_CURSOR (dsq_cursor_get_type ())

DSQ_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (DsqCursor, dsq_cursor, DSQ, CURSOR, GObject)

DSQ_AVAILABLE_IN_1_0 GVariant *dsq_cursor_next_many (DsqCursor *self,
                                                     guint max_entries,
                                                     GCancellable *cancellable,
                                                     GError **error);

G_END_DECLS
