/* dsq-watch.h - being told what changes in a store
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-types.h>

G_BEGIN_DECLS

#define DSQ_TYPE_WATCH (dsq_watch_get_type ())

DSQ_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (DsqWatch, dsq_watch, DSQ, WATCH, GObject)

DSQ_AVAILABLE_IN_1_0 DsqWatch *dsq_store_watch (DsqStore *self, const char *prefix, GError **error);

/* --- for loops that are not GLib's ------------------------------------------------------------ */

DSQ_AVAILABLE_IN_1_0 DsqWatch *
dsq_store_watch_utf8 (DsqStore *self, const guint8 *prefix, gsize length, GError **error);
DSQ_AVAILABLE_IN_1_0 int dsq_watch_get_fd (DsqWatch *self);
DSQ_AVAILABLE_IN_1_0 guint8 *
dsq_watch_take (DsqWatch *self, gboolean *out_has_ended, gsize *out_length);

G_END_DECLS
