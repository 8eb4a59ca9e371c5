/* dsq-cursor.h - a walk over a store's entries, in order
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-enums.h>

G_BEGIN_DECLS

#define DSQ_TYPE_CURSOR (dsq_cursor_get_type ())

DSQ_API
G_DECLARE_FINAL_TYPE (DsqCursor, dsq_cursor, DSQ, CURSOR, GObject)

DSQ_API gboolean dsq_cursor_next (DsqCursor *self,
                                  char **out_key,
                                  GVariant **out_value,
                                  GCancellable *cancellable,
                                  GError **error);
DSQ_API guint8 *
dsq_cursor_next_keys (DsqCursor *self, guint max_entries, gsize *out_length, GError **error);
DSQ_API guint8 *
dsq_cursor_next_entries (DsqCursor *self, guint max_entries, gsize *out_length, GError **error);
DSQ_API gboolean dsq_cursor_check (DsqCursor *self, guint n_used, GError **error);

G_END_DECLS
