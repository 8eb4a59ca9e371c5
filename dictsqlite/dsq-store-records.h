/* dsq-store-records.h - a mapping that lives on disk, as bindings call it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-store.h>

G_BEGIN_DECLS

/* The calls of dsq-store.h on what costs a binding least, arrays and plain strings, without a
 * cancellable. */

/* --- keys and records: arrays of bytes ------------------------------------------------------- */

DSQ_AVAILABLE_IN_1_0 guint8 *dsq_store_get_record (DsqStore *self,
                                                   const guint8 *key,
                                                   gsize key_length,
                                                   gsize *out_length,
                                                   GError **error);
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_set_record (DsqStore *self,
                                                    const guint8 *key,
                                                    gsize key_length,
                                                    const guint8 *record,
                                                    gsize record_length,
                                                    GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_contains_key (DsqStore *self,
                                                       const guint8 *key,
                                                       gsize key_length,
                                                       GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_remove_key (DsqStore *self,
                                                     const guint8 *key,
                                                     gsize key_length,
                                                     GError **error);
DSQ_AVAILABLE_IN_1_0 guint8 *
dsq_store_get_last_pack (DsqStore *self, gsize *out_length, GError **error);
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_increment_key (DsqStore *self,
                                                       const guint8 *key,
                                                       gsize key_length,
                                                       gint64 delta,
                                                       gint64 initial,
                                                       gint64 *out_value,
                                                       GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_compare_and_set_record (DsqStore *self,
                                                                 const guint8 *key,
                                                                 gsize key_length,
                                                                 const guint8 *expected,
                                                                 gsize expected_length,
                                                                 const guint8 *record,
                                                                 gsize record_length,
                                                                 gboolean keeps_expiry,
                                                                 GError **error);
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_set_expiring_record (DsqStore *self,
                                                             const guint8 *key,
                                                             gsize key_length,
                                                             const guint8 *record,
                                                             gsize record_length,
                                                             gint64 milliseconds,
                                                             GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_touch_key (DsqStore *self,
                                                    const guint8 *key,
                                                    gsize key_length,
                                                    gint64 milliseconds,
                                                    GError **error);
DSQ_AVAILABLE_IN_1_0 gint64 dsq_store_get_expiry_key (DsqStore *self,
                                                      const guint8 *key,
                                                      gsize key_length,
                                                      GError **error);

/* --- text: strings without U+0000 ------------------------------------------------------------ */

DSQ_AVAILABLE_IN_1_0 guint8 *
dsq_store_get_text (DsqStore *self, const char *key, gsize *out_length, GError **error);
DSQ_AVAILABLE_IN_1_0 guint8 *
dsq_store_get_stamped_text (DsqStore *self, const char *key, gsize *out_length, GError **error);
DSQ_AVAILABLE_IN_1_0 guint64 dsq_store_get_stamped_string (DsqStore *self,
                                                           const char *key,
                                                           char **out_string,
                                                           GError **error);
DSQ_AVAILABLE_IN_1_0 guint64 dsq_store_map_words (DsqStore *self, guint *out_table);
DSQ_AVAILABLE_IN_1_0 guint64 dsq_store_set_text (DsqStore *self, const char *text, GError **error);
DSQ_AVAILABLE_IN_1_0 guint64 dsq_store_set_stamped_text (DsqStore *self,
                                                         const char *key,
                                                         const guint8 *record,
                                                         gsize record_length,
                                                         GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_contains_text (DsqStore *self,
                                                        const char *key,
                                                        GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_remove_text (DsqStore *self,
                                                      const char *key,
                                                      GError **error);

/* --- packs: many items in an array ----------------------------------------------------------- */

DSQ_AVAILABLE_IN_1_0 guint8 *dsq_store_get_pack (DsqStore *self,
                                                 const guint8 *keys,
                                                 gsize length,
                                                 gsize *out_length,
                                                 GError **error);
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_set_pack (DsqStore *self,
                                                  const guint8 *entries,
                                                  gsize length,
                                                  GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_apply_pack (DsqStore *self,
                                                     const guint8 *expected,
                                                     gsize expected_length,
                                                     const guint8 *changes,
                                                     gsize changes_length,
                                                     gboolean clears,
                                                     const gint64 *times,
                                                     gsize n_times,
                                                     GError **error);
DSQ_AVAILABLE_IN_1_0 guint8 *dsq_store_list_keys_pack (DsqStore *self,
                                                       const guint8 *prefix,
                                                       gsize prefix_length,
                                                       const guint8 *from,
                                                       gsize from_length,
                                                       guint max_keys,
                                                       gboolean may_be_texts,
                                                       gsize *out_length,
                                                       GError **error);

/* --- scans: walks whose steps give packs ----------------------------------------------------- */

#define DSQ_TYPE_SCAN (dsq_scan_get_type ())

DSQ_AVAILABLE_IN_1_0 GType dsq_scan_get_type (void) G_GNUC_CONST;
DSQ_AVAILABLE_IN_1_0 DsqScan *
dsq_store_walk_pack (DsqStore *self, gboolean backwards, GError **error) G_GNUC_WARN_UNUSED_RESULT;
DSQ_AVAILABLE_IN_1_0 DsqScan *dsq_scan_ref (DsqScan *self);
DSQ_AVAILABLE_IN_1_0 void dsq_scan_unref (DsqScan *self);
DSQ_AVAILABLE_IN_1_0 guint8 *dsq_scan_next_pack (DsqScan *self,
                                                 guint max_entries,
                                                 gboolean keys_only,
                                                 gsize *out_length,
                                                 GCancellable *cancellable,
                                                 GError **error);
DSQ_AVAILABLE_IN_1_0 guint8 *dsq_scan_next_texts_pack (DsqScan *self,
                                                       guint max_entries,
                                                       gboolean keys_only,
                                                       gsize *out_length,
                                                       GError **error);
DSQ_AVAILABLE_IN_1_0 guint8 *
dsq_scan_next_key_pack (DsqScan *self, gsize *out_length, GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_scan_check (DsqScan *self, guint n_used, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DsqScan, dsq_scan_unref)

/* --- tables: names as arrays of UTF-8 -------------------------------------------------------- */

DSQ_AVAILABLE_IN_1_0 DsqStore *dsq_store_get_table_utf8 (DsqStore *self,
                                                         const guint8 *name,
                                                         gsize length,
                                                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_drop_table_utf8 (DsqStore *self,
                                                          const guint8 *name,
                                                          gsize length,
                                                          GError **error);
DSQ_AVAILABLE_IN_1_0 guint8 *
dsq_store_list_tables_pack (DsqStore *self, gsize *out_length, GError **error);

G_END_DECLS
