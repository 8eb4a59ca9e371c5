/* dsq-channel.h - what event loops that are not GLib's call, which never wait
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-store-records.h>

G_BEGIN_DECLS

/* --- from memory only, at once --------------------------------------------------------------- */

DSQ_AVAILABLE_IN_1_0 guint8 *dsq_store_peek_record (DsqStore *self,
                                                    const guint8 *key,
                                                    gsize key_length,
                                                    gsize *out_length,
                                                    GError **error);
DSQ_AVAILABLE_IN_1_0 guint8 *
dsq_store_peek_text (DsqStore *self, const char *key, gsize *out_length, GError **error);
DSQ_AVAILABLE_IN_1_0 char *dsq_store_peek_string (DsqStore *self, const char *key, GError **error);
DSQ_AVAILABLE_IN_1_0 guint64 dsq_store_peek_stamped_string (DsqStore *self,
                                                            const char *key,
                                                            char **out_string,
                                                            GError **error);
DSQ_AVAILABLE_IN_1_0 guint8 *dsq_store_peek_pack (DsqStore *self,
                                                  const guint8 *keys,
                                                  gsize length,
                                                  gsize *out_length,
                                                  GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_try_set_record (DsqStore *self,
                                                         const guint8 *key,
                                                         gsize key_length,
                                                         const guint8 *record,
                                                         gsize record_length,
                                                         GError **error);
DSQ_AVAILABLE_IN_1_0 guint64 dsq_store_try_set_text (DsqStore *self,
                                                     const char *text,
                                                     GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_try_set_pack (DsqStore *self,
                                                       const guint8 *entries,
                                                       gsize length,
                                                       GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_try_contains_key (DsqStore *self,
                                                           const guint8 *key,
                                                           gsize key_length,
                                                           GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_try_remove_key (DsqStore *self,
                                                         const guint8 *key,
                                                         gsize key_length,
                                                         GError **error);
DSQ_AVAILABLE_IN_1_0 gint64 dsq_store_try_count (DsqStore *self, GError **error);

/* --- batches, whose results a descriptor tells of -------------------------------------------- */

#define DSQ_TYPE_CHANNEL (dsq_channel_get_type ())

DSQ_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (DsqChannel, dsq_channel, DSQ, CHANNEL, GObject)

DSQ_AVAILABLE_IN_1_0 DsqChannel *dsq_store_open_channel (DsqStore *self, GError **error);
DSQ_AVAILABLE_IN_1_0 int dsq_channel_get_fd (DsqChannel *self);
DSQ_AVAILABLE_IN_1_0 guint64 dsq_channel_submit (DsqChannel *self,
                                                 const guint8 *operations,
                                                 gsize length,
                                                 GError **error);
DSQ_AVAILABLE_IN_1_0 guint64 dsq_channel_submit_walk (DsqChannel *self,
                                                      DsqCursor *cursor,
                                                      guint max_entries,
                                                      gboolean keys_only,
                                                      GError **error);
DSQ_AVAILABLE_IN_1_0 guint8 *dsq_channel_collect (DsqChannel *self, gsize *out_length);

G_END_DECLS
