/* dsq-floor-store.h - DsqStore's record calls over no engine at all
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "dsq-floor-cursor.h"

G_BEGIN_DECLS

#define DSQ_FLOOR_TYPE_STORE (dsq_floor_store_get_type ())

G_DECLARE_FINAL_TYPE (DsqFloorStore, dsq_floor_store, DSQ_FLOOR, STORE, GObject)

/* Signatures and annotations are those of DsqStore, so that PyGObject does the same work. */

DsqFloorStore *dsq_floor_store_new (void);

guint8 *dsq_floor_store_get_record (DsqFloorStore *self,
                                    const guint8 *key,
                                    gsize key_length,
                                    gsize *out_length,
                                    GError **error);
guint8 *
dsq_floor_store_get_text (DsqFloorStore *self, const char *key, gsize *out_length, GError **error);
gboolean dsq_floor_store_set_text (DsqFloorStore *self, const char *text, GError **error);
gboolean dsq_floor_store_contains_text (DsqFloorStore *self, const char *key, GError **error);
gboolean dsq_floor_store_remove_text (DsqFloorStore *self, const char *key, GError **error);
gboolean dsq_floor_store_set_record (DsqFloorStore *self,
                                     const guint8 *key,
                                     gsize key_length,
                                     const guint8 *record,
                                     gsize record_length,
                                     GError **error);
gboolean dsq_floor_store_contains_key (DsqFloorStore *self,
                                       const guint8 *key,
                                       gsize key_length,
                                       GError **error);
gboolean dsq_floor_store_remove_key (DsqFloorStore *self,
                                     const guint8 *key,
                                     gsize key_length,
                                     GError **error);

guint8 *dsq_floor_store_get_pack (DsqFloorStore *self,
                                  const guint8 *keys,
                                  gsize length,
                                  gsize *out_length,
                                  GError **error);
gboolean
dsq_floor_store_set_pack (DsqFloorStore *self, const guint8 *entries, gsize length, GError **error);
gboolean dsq_floor_store_clear (DsqFloorStore *self, GCancellable *cancellable, GError **error);
gint64 dsq_floor_store_count (DsqFloorStore *self, GCancellable *cancellable, GError **error);

DsqFloorCursor *dsq_floor_store_walk (DsqFloorStore *self, guint order);

gboolean dsq_floor_store_flush (DsqFloorStore *self, GCancellable *cancellable, GError **error);
gboolean dsq_floor_store_close (DsqFloorStore *self, GCancellable *cancellable, GError **error);
gboolean dsq_floor_store_is_closed (DsqFloorStore *self);

G_END_DECLS
