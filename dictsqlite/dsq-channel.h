/* dsq-channel.h - batches of operations and their results, for loops that watch a descriptor
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-store.h>

G_BEGIN_DECLS

#define DSQ_TYPE_CHANNEL (dsq_channel_get_type ())

DSQ_API
G_DECLARE_FINAL_TYPE (DsqChannel, dsq_channel, DSQ, CHANNEL, GObject)

DSQ_API DsqChannel *dsq_store_open_channel (DsqStore *self, GError **error);
DSQ_API int dsq_channel_get_fd (DsqChannel *self);
DSQ_API guint64 dsq_channel_submit (DsqChannel *self,
                                    const guint8 *operations,
                                    gsize length,
                                    GError **error);
DSQ_API DsqCursor *dsq_channel_walk (DsqChannel *self, DsqWalkOrder order);
DSQ_API guint64 dsq_channel_submit_walk (DsqChannel *self,
                                         DsqCursor *cursor,
                                         guint max_entries,
                                         gboolean keys_only,
                                         GError **error);
DSQ_API guint64 dsq_channel_submit_close (DsqChannel *self, GError **error);
DSQ_API guint8 *dsq_channel_collect (DsqChannel *self, gsize *out_length);

G_END_DECLS
