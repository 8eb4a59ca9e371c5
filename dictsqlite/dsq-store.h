/* dsq-store.h - a mapping that lives on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-cursor.h>
#include <dsq-enums.h>
#include <dsq-stats.h>
#include <dsq-store-async.h>

G_BEGIN_DECLS

/* What people call: C strings and GVariants. Each call that can wait takes a cancellable, and is in
 * dsq-store-async.h as well, as a pair that does not wait. */

#define DSQ_TYPE_STORE (dsq_store_get_type ())

DSQ_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (DsqStore, dsq_store, DSQ, STORE, GObject)

/* --- open ------------------------------------------------------------------------------------ */

DSQ_AVAILABLE_IN_1_0 DsqStore *dsq_store_open (const char *path,
                                               DsqPersistMode persist_mode,
                                               GCancellable *cancellable,
                                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
DSQ_AVAILABLE_IN_1_0 void dsq_store_open_async (const char *path,
                                                DsqPersistMode persist_mode,
                                                GCancellable *cancellable,
                                                GAsyncReadyCallback callback,
                                                gpointer user_data);
DSQ_AVAILABLE_IN_1_0 DsqStore *dsq_store_open_finish (GAsyncResult *result,
                                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_close (DsqStore *self,
                                               GCancellable *cancellable,
                                               GError **error);
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_is_closed (DsqStore *self);

/* --- one entry ------------------------------------------------------------------------------- */

DSQ_AVAILABLE_IN_1_0 GVariant *
dsq_store_get (DsqStore *self, const char *key, GCancellable *cancellable, GError **error);
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_set (DsqStore *self,
                                             const char *key,
                                             GVariant *value,
                                             GCancellable *cancellable,
                                             GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_contains (DsqStore *self,
                                                   const char *key,
                                                   GCancellable *cancellable,
                                                   GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_remove (DsqStore *self,
                                                 const char *key,
                                                 GCancellable *cancellable,
                                                 GError **error);
DSQ_AVAILABLE_IN_1_0 GVariant *
dsq_store_steal (DsqStore *self, const char *key, GCancellable *cancellable, GError **error);
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_increment (DsqStore *self,
                                                   const char *key,
                                                   gint64 delta,
                                                   gint64 initial,
                                                   gint64 *out_value,
                                                   GCancellable *cancellable,
                                                   GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_compare_and_set (DsqStore *self,
                                                          const char *key,
                                                          GVariant *expected,
                                                          GVariant *value,
                                                          GCancellable *cancellable,
                                                          GError **error);
DSQ_AVAILABLE_IN_1_0 char *
dsq_store_get_string (DsqStore *self, const char *key, GCancellable *cancellable, GError **error);
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_set_string (DsqStore *self,
                                                    const char *key,
                                                    const char *value,
                                                    GCancellable *cancellable,
                                                    GError **error);

/* --- many entries ---------------------------------------------------------------------------- */

DSQ_AVAILABLE_IN_1_0 GVariant *dsq_store_get_many (DsqStore *self,
                                                   const char *const *keys,
                                                   GCancellable *cancellable,
                                                   GError **error);
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_set_many (DsqStore *self,
                                                  GVariant *entries,
                                                  GCancellable *cancellable,
                                                  GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_apply (DsqStore *self,
                                                GVariant *expected,
                                                GVariant *changes,
                                                GCancellable *cancellable,
                                                GError **error);
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_clear (DsqStore *self,
                                               GCancellable *cancellable,
                                               GError **error);
DSQ_AVAILABLE_IN_1_0 gint64 dsq_store_count (DsqStore *self,
                                             GCancellable *cancellable,
                                             GError **error);

/* --- tables ---------------------------------------------------------------------------------- */

DSQ_AVAILABLE_IN_1_0 DsqStore *dsq_store_get_table (DsqStore *self,
                                                    const char *name,
                                                    GCancellable *cancellable,
                                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
DSQ_AVAILABLE_IN_1_0 char **
dsq_store_list_tables (DsqStore *self, GCancellable *cancellable, GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_drop_table (DsqStore *self,
                                                     const char *name,
                                                     GCancellable *cancellable,
                                                     GError **error);

/* --- expiry ---------------------------------------------------------------------------------- */

DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_set_expiring (DsqStore *self,
                                                      const char *key,
                                                      GVariant *value,
                                                      gint64 milliseconds,
                                                      GCancellable *cancellable,
                                                      GError **error);
DSQ_AVAILABLE_IN_1_0 DsqAnswer dsq_store_touch (DsqStore *self,
                                                const char *key,
                                                gint64 milliseconds,
                                                GCancellable *cancellable,
                                                GError **error);
DSQ_AVAILABLE_IN_1_0 gint64 dsq_store_get_expiry (DsqStore *self,
                                                  const char *key,
                                                  GCancellable *cancellable,
                                                  GError **error);
DSQ_AVAILABLE_IN_1_0 gint64 dsq_store_expire (DsqStore *self,
                                              GCancellable *cancellable,
                                              GError **error);

/* --- walk ------------------------------------------------------------------------------------ */

DSQ_AVAILABLE_IN_1_0 DsqCursor *dsq_store_walk (DsqStore *self,
                                                DsqWalkOrder order) G_GNUC_WARN_UNUSED_RESULT;
DSQ_AVAILABLE_IN_1_0 char **dsq_store_list_keys (DsqStore *self,
                                                 const char *prefix,
                                                 const char *after,
                                                 guint max_keys,
                                                 GCancellable *cancellable,
                                                 GError **error);

/* --- persist --------------------------------------------------------------------------------- */

DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_flush (DsqStore *self,
                                               GCancellable *cancellable,
                                               GError **error);
DSQ_AVAILABLE_IN_1_0 char **
dsq_store_check (DsqStore *self, GCancellable *cancellable, GError **error);
DSQ_AVAILABLE_IN_1_0 DsqStats *dsq_store_get_stats (DsqStore *self);

/* --- copies and passwords -------------------------------------------------------------------- */

DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_copy (DsqStore *self,
                                              const char *path,
                                              DsqCopyForm form,
                                              GBytes *password,
                                              GCancellable *cancellable,
                                              DsqProgressFunc progress,
                                              gpointer user_data,
                                              GError **error);
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_change_password (DsqStore *self,
                                                         GBytes *old_password,
                                                         GBytes *new_password,
                                                         GCancellable *cancellable,
                                                         GError **error);
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_rekey_file (const char *path,
                                                    GBytes *old_password,
                                                    GBytes *new_password,
                                                    guint64 kdf_limit,
                                                    GCancellable *cancellable,
                                                    DsqProgressFunc progress,
                                                    gpointer user_data,
                                                    GError **error);
DSQ_AVAILABLE_IN_1_0 void dsq_store_rekey_file_async (const char *path,
                                                      GBytes *old_password,
                                                      GBytes *new_password,
                                                      guint64 kdf_limit,
                                                      GCancellable *cancellable,
                                                      DsqProgressFunc progress,
                                                      gpointer progress_data,
                                                      GDestroyNotify progress_free,
                                                      GAsyncReadyCallback callback,
                                                      gpointer user_data);
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_rekey_file_finish (GAsyncResult *result, GError **error);

G_END_DECLS
