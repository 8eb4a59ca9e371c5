/* dsq-store.h - a mapping that lives on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-cursor.h>
#include <dsq-enums.h>
#include <dsq-stats.h>
#include <dsq-store-async.h>

G_BEGIN_DECLS

#define DSQ_TYPE_STORE (dsq_store_get_type ())

DSQ_API
G_DECLARE_FINAL_TYPE (DsqStore, dsq_store, DSQ, STORE, GObject)

/* --- open ------------------------------------------------------------------------------------ */

DSQ_API DsqStore *dsq_store_open (const char *path,
                                  DsqPersistMode persist_mode,
                                  GCancellable *cancellable,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
DSQ_API void dsq_store_open_async (const char *path,
                                   DsqPersistMode persist_mode,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data);
DSQ_API DsqStore *dsq_store_open_finish (GAsyncResult *result,
                                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
DSQ_API void dsq_store_use_password (DsqStore *self, GBytes *password);
DSQ_API const char *dsq_store_get_path (DsqStore *self);
DSQ_API DsqPersistMode dsq_store_get_persist_mode (DsqStore *self);

/* --- one entry ------------------------------------------------------------------------------- */

DSQ_API GVariant *
dsq_store_get (DsqStore *self, const char *key, GCancellable *cancellable, GError **error);
DSQ_API gboolean dsq_store_set (DsqStore *self,
                                const char *key,
                                GVariant *value,
                                GCancellable *cancellable,
                                GError **error);
DSQ_API gboolean dsq_store_contains (DsqStore *self,
                                     const char *key,
                                     GCancellable *cancellable,
                                     GError **error);
DSQ_API gboolean dsq_store_remove (DsqStore *self,
                                   const char *key,
                                   GCancellable *cancellable,
                                   GError **error);
DSQ_API GVariant *
dsq_store_steal (DsqStore *self, const char *key, GCancellable *cancellable, GError **error);
DSQ_API gboolean dsq_store_insert (DsqStore *self,
                                   const char *key,
                                   GVariant *value,
                                   GCancellable *cancellable,
                                   GError **error);

DSQ_API gboolean dsq_store_increment (DsqStore *self,
                                      const char *key,
                                      gint64 delta,
                                      gint64 initial,
                                      gint64 *out_value,
                                      GCancellable *cancellable,
                                      GError **error);
DSQ_API gboolean dsq_store_compare_and_set (DsqStore *self,
                                            const char *key,
                                            GVariant *expected,
                                            GVariant *value,
                                            GCancellable *cancellable,
                                            GError **error);

DSQ_API GBytes *
dsq_store_get_bytes (DsqStore *self, const char *key, GCancellable *cancellable, GError **error);
DSQ_API gboolean dsq_store_set_bytes (DsqStore *self,
                                      const char *key,
                                      GBytes *value,
                                      GCancellable *cancellable,
                                      GError **error);
DSQ_API char *
dsq_store_get_string (DsqStore *self, const char *key, GCancellable *cancellable, GError **error);
DSQ_API gboolean dsq_store_set_string (DsqStore *self,
                                       const char *key,
                                       const char *value,
                                       GCancellable *cancellable,
                                       GError **error);
DSQ_API gboolean dsq_store_get_int64 (DsqStore *self,
                                      const char *key,
                                      gint64 *out_value,
                                      GCancellable *cancellable,
                                      GError **error);
DSQ_API gboolean dsq_store_set_int64 (DsqStore *self,
                                      const char *key,
                                      gint64 value,
                                      GCancellable *cancellable,
                                      GError **error);
DSQ_API gboolean dsq_store_get_double (DsqStore *self,
                                       const char *key,
                                       double *out_value,
                                       GCancellable *cancellable,
                                       GError **error);
DSQ_API gboolean dsq_store_set_double (DsqStore *self,
                                       const char *key,
                                       double value,
                                       GCancellable *cancellable,
                                       GError **error);
DSQ_API gboolean dsq_store_get_boolean (DsqStore *self,
                                        const char *key,
                                        gboolean *out_value,
                                        GCancellable *cancellable,
                                        GError **error);
DSQ_API gboolean dsq_store_set_boolean (DsqStore *self,
                                        const char *key,
                                        gboolean value,
                                        GCancellable *cancellable,
                                        GError **error);

/* --- one entry, as bindings call it: encoded keys and records --------------------------------- */

DSQ_API guint8 *dsq_store_lookup_record (DsqStore *self,
                                         const guint8 *key,
                                         gsize key_length,
                                         gsize *out_length,
                                         GError **error);
DSQ_API gboolean dsq_store_set_record (DsqStore *self,
                                       const guint8 *key,
                                       gsize key_length,
                                       const guint8 *record,
                                       gsize record_length,
                                       GError **error);
DSQ_API gboolean dsq_store_contains_key (DsqStore *self,
                                         const guint8 *key,
                                         gsize key_length,
                                         GError **error);
DSQ_API gboolean dsq_store_remove_key (DsqStore *self,
                                       const guint8 *key,
                                       gsize key_length,
                                       GError **error);
DSQ_API guint8 *dsq_store_lookup_last (DsqStore *self, gsize *out_length, GError **error);
DSQ_API guint8 *dsq_store_insert_record (DsqStore *self,
                                         const guint8 *key,
                                         gsize key_length,
                                         const guint8 *record,
                                         gsize record_length,
                                         gsize *out_length,
                                         GError **error);
DSQ_API gboolean dsq_store_increment_key (DsqStore *self,
                                          const guint8 *key,
                                          gsize key_length,
                                          gint64 delta,
                                          gint64 initial,
                                          gint64 *out_value,
                                          GError **error);
DSQ_API gboolean dsq_store_compare_and_set_record (DsqStore *self,
                                                   const guint8 *key,
                                                   gsize key_length,
                                                   const guint8 *expected,
                                                   gsize expected_length,
                                                   const guint8 *record,
                                                   gsize record_length,
                                                   gboolean keeps_expiry,
                                                   GError **error);

/* --- the same for strings without U+0000, which are cheaper to pass --------------------------- */

DSQ_API guint8 *
dsq_store_lookup_text (DsqStore *self, const char *key, gsize *out_length, GError **error);
DSQ_API gboolean dsq_store_set_text (DsqStore *self, const char *text, GError **error);
DSQ_API gboolean dsq_store_contains_text (DsqStore *self, const char *key, GError **error);
DSQ_API gboolean dsq_store_remove_text (DsqStore *self, const char *key, GError **error);

/* --- expiry ----------------------------------------------------------------------------------- */

DSQ_API gboolean dsq_store_set_expiring (DsqStore *self,
                                         const char *key,
                                         GVariant *value,
                                         gint64 milliseconds,
                                         GCancellable *cancellable,
                                         GError **error);
DSQ_API gboolean dsq_store_touch (DsqStore *self,
                                  const char *key,
                                  gint64 milliseconds,
                                  GCancellable *cancellable,
                                  GError **error);
DSQ_API gboolean dsq_store_get_expiry (DsqStore *self,
                                       const char *key,
                                       gint64 *out_milliseconds,
                                       GCancellable *cancellable,
                                       GError **error);
DSQ_API gint64 dsq_store_expire (DsqStore *self, GCancellable *cancellable, GError **error);
DSQ_API void dsq_store_set_clock_offset (DsqStore *self, gint64 milliseconds);
DSQ_API gboolean dsq_store_set_record_expiring (DsqStore *self,
                                                const guint8 *key,
                                                gsize key_length,
                                                const guint8 *record,
                                                gsize record_length,
                                                gint64 milliseconds,
                                                GError **error);
DSQ_API gboolean dsq_store_touch_key (DsqStore *self,
                                      const guint8 *key,
                                      gsize key_length,
                                      gint64 milliseconds,
                                      GError **error);
DSQ_API gint64 dsq_store_lookup_expiry (DsqStore *self,
                                        const guint8 *key,
                                        gsize key_length,
                                        GError **error);

/* --- many entries ----------------------------------------------------------------------------- */

DSQ_API GVariant *dsq_store_get_many (DsqStore *self,
                                      const char *const *keys,
                                      GCancellable *cancellable,
                                      GError **error);
DSQ_API gboolean dsq_store_set_many (DsqStore *self,
                                     GVariant *entries,
                                     GCancellable *cancellable,
                                     GError **error);
DSQ_API gint64 dsq_store_remove_many (DsqStore *self,
                                      const char *const *keys,
                                      GCancellable *cancellable,
                                      GError **error);
DSQ_API guint8 *dsq_store_lookup_pack (DsqStore *self,
                                       const guint8 *keys,
                                       gsize length,
                                       gsize *out_length,
                                       GError **error);
DSQ_API gboolean dsq_store_set_pack (DsqStore *self,
                                     const guint8 *entries,
                                     gsize length,
                                     GError **error);
DSQ_API gint64 dsq_store_remove_pack (DsqStore *self,
                                      const guint8 *keys,
                                      gsize length,
                                      GError **error);
DSQ_API gboolean dsq_store_apply (DsqStore *self,
                                  GVariant *expected,
                                  GVariant *changes,
                                  GCancellable *cancellable,
                                  GError **error);
DSQ_API gboolean dsq_store_apply_pack (DsqStore *self,
                                       const guint8 *expected,
                                       gsize expected_length,
                                       const guint8 *changes,
                                       gsize changes_length,
                                       gboolean clears,
                                       const gint64 *times,
                                       gsize n_times,
                                       GError **error);
DSQ_API gboolean dsq_store_clear (DsqStore *self, GCancellable *cancellable, GError **error);
DSQ_API gint64 dsq_store_count (DsqStore *self, GCancellable *cancellable, GError **error);

/* --- tables ----------------------------------------------------------------------------------- */

DSQ_API DsqStore *dsq_store_get_table (DsqStore *self,
                                       const char *name,
                                       GCancellable *cancellable,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
DSQ_API DsqStore *dsq_store_open_table (DsqStore *self,
                                        const guint8 *name,
                                        gsize length,
                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
DSQ_API char *dsq_store_dup_table_name (DsqStore *self);
DSQ_API gboolean dsq_store_is_dropped (DsqStore *self);
DSQ_API char **dsq_store_list_tables (DsqStore *self, GCancellable *cancellable, GError **error);
DSQ_API guint8 *dsq_store_list_table_pack (DsqStore *self, gsize *out_length, GError **error);
DSQ_API gboolean dsq_store_drop_table (DsqStore *self,
                                       const char *name,
                                       GCancellable *cancellable,
                                       GError **error);
DSQ_API gboolean dsq_store_drop_table_name (DsqStore *self,
                                            const guint8 *name,
                                            gsize length,
                                            GError **error);

/* --- walk ------------------------------------------------------------------------------------- */

DSQ_API DsqCursor *dsq_store_walk (DsqStore *self, DsqWalkOrder order, GError **error);
DSQ_API guint8 *dsq_store_list_prefix (DsqStore *self,
                                       const guint8 *prefix,
                                       gsize prefix_length,
                                       const guint8 *from,
                                       gsize from_length,
                                       guint max_keys,
                                       gsize *out_length,
                                       GError **error);

/* --- persist ---------------------------------------------------------------------------------- */

DSQ_API gboolean dsq_store_flush (DsqStore *self, GCancellable *cancellable, GError **error);
DSQ_API DsqStats *dsq_store_get_stats (DsqStore *self);

DSQ_API gboolean dsq_store_backup (DsqStore *self,
                                   const char *path,
                                   DsqProgressFunc progress,
                                   gpointer user_data,
                                   GCancellable *cancellable,
                                   GError **error);
DSQ_API char **dsq_store_check (DsqStore *self, GCancellable *cancellable, GError **error);

/* --- password --------------------------------------------------------------------------------- */

DSQ_API gboolean dsq_store_change_password (DsqStore *self,
                                            GBytes *old_password,
                                            GBytes *new_password,
                                            GCancellable *cancellable,
                                            GError **error);
DSQ_API gboolean dsq_store_encrypt_copy (DsqStore *self,
                                         const char *path,
                                         GBytes *password,
                                         DsqProgressFunc progress,
                                         gpointer user_data,
                                         GCancellable *cancellable,
                                         GError **error);
DSQ_API gboolean dsq_store_decrypt_copy (DsqStore *self,
                                         const char *path,
                                         DsqProgressFunc progress,
                                         gpointer user_data,
                                         GCancellable *cancellable,
                                         GError **error);
DSQ_API gboolean dsq_store_rekey_file (const char *path,
                                       GBytes *old_password,
                                       GBytes *new_password,
                                       DsqProgressFunc progress,
                                       gpointer user_data,
                                       GCancellable *cancellable,
                                       GError **error);

DSQ_API void dsq_store_rekey_file_async (const char *path,
                                         GBytes *old_password,
                                         GBytes *new_password,
                                         GCancellable *cancellable,
                                         DsqProgressFunc progress,
                                         gpointer progress_data,
                                         GDestroyNotify progress_free,
                                         GAsyncReadyCallback callback,
                                         gpointer user_data);
DSQ_API gboolean dsq_store_rekey_file_finish (GAsyncResult *result, GError **error);

/* --- close ------------------------------------------------------------------------------------ */

DSQ_API gboolean dsq_store_close (DsqStore *self, GCancellable *cancellable, GError **error);
DSQ_API gboolean dsq_store_is_closed (DsqStore *self);

/* --- what an event loop may call: from memory only -------------------------------------------- */

DSQ_API guint8 *dsq_store_peek_record (DsqStore *self,
                                       const guint8 *key,
                                       gsize key_length,
                                       gsize *out_length,
                                       GError **error);
DSQ_API guint8 *dsq_store_peek_pack (DsqStore *self,
                                     const guint8 *keys,
                                     gsize length,
                                     gsize *out_length,
                                     GError **error);
DSQ_API gboolean dsq_store_try_set_record (DsqStore *self,
                                           const guint8 *key,
                                           gsize key_length,
                                           const guint8 *record,
                                           gsize record_length,
                                           GError **error);
DSQ_API gboolean dsq_store_try_set_text (DsqStore *self, const char *text, GError **error);
DSQ_API char *dsq_store_peek_string (DsqStore *self, const char *key);
DSQ_API guint8 *
dsq_store_peek_text (DsqStore *self, const char *key, gsize *out_length, GError **error);
DSQ_API gboolean dsq_store_try_set_pack (DsqStore *self,
                                         const guint8 *entries,
                                         gsize length,
                                         GError **error);
DSQ_API int
dsq_store_try_contains_key (DsqStore *self, const guint8 *key, gsize key_length, GError **error);
DSQ_API int
dsq_store_try_remove_key (DsqStore *self, const guint8 *key, gsize key_length, GError **error);
DSQ_API gint64 dsq_store_try_count (DsqStore *self, GError **error);

G_END_DECLS
