/* dsq-server-funcs-private.h - the functions of the cold tier on a server
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/postgresql/dsq-server-private.h"

G_BEGIN_DECLS

/* --- tables and coherence --------------------------------------------------------------------- */

gboolean dsq_server_list_tables (DsqColdTier *tier, GPtrArray *names, GError **error);
gboolean dsq_server_open_table (DsqColdTier *tier,
                                const guint8 *name,
                                gsize length,
                                gboolean may_make,
                                DsqTableState *out_state,
                                GError **error);
gboolean dsq_server_drop_table (DsqColdTier *tier,
                                const guint8 *name,
                                gsize length,
                                guint32 *out_table,
                                GError **error);
gboolean dsq_server_clear_table (DsqColdTier *tier, guint32 table, GError **error);
gboolean dsq_server_catch_up (DsqColdTier *tier, GError **error);
gboolean dsq_server_open_notice (DsqColdTier *tier, int *out_fd, GError **error);

/* --- reads ------------------------------------------------------------------------------------ */

gboolean dsq_server_get_many (DsqColdTier *tier,
                              const DsqKey *keys,
                              gsize n_keys,
                              DsqEntry **out,
                              GError **error);
gboolean dsq_server_probe (DsqColdTier *tier,
                           const DsqKey *keys,
                           gsize n_keys,
                           gint64 *out_places,
                           GError **error);
gboolean dsq_server_walk (DsqColdTier *tier,
                          guint32 table,
                          gint64 place,
                          DsqWalkOrder order,
                          guint max_rows,
                          gsize max_bytes,
                          gboolean keys_only,
                          GArray *rows,
                          gboolean *out_is_last,
                          GError **error);
gboolean dsq_server_list_keys (DsqColdTier *tier,
                               const DsqKey *from,
                               const DsqKey *end,
                               guint max_keys,
                               GPtrArray *entries,
                               GError **error);
gboolean dsq_server_find_expired (DsqColdTier *tier,
                                  gboolean by_writer,
                                  DsqExpirySpan *span,
                                  guint max_rows,
                                  GArray *rows,
                                  gint64 *out_next,
                                  GError **error);
gboolean dsq_server_get_in_transaction (DsqColdTier *tier,
                                        const DsqKey *key,
                                        DsqEntry **out_entry,
                                        GError **error);

/* --- writes ----------------------------------------------------------------------------------- */

gboolean dsq_server_apply (DsqColdTier *tier, DsqChange *changes, gsize n_changes, GError **error);
gboolean dsq_server_begin (DsqColdTier *tier, GError **error);
gboolean dsq_server_get_table (DsqColdTier *tier, guint32 table, DsqTableState *out_state);
gboolean dsq_server_savepoint (DsqColdTier *tier, GError **error);
gboolean dsq_server_release (DsqColdTier *tier, gboolean keep, GError **error);
gboolean dsq_server_commit (DsqColdTier *tier,
                            DsqColdCommittedFunc committed,
                            gpointer committed_data,
                            GError **error);
void dsq_server_rollback (DsqColdTier *tier);

G_END_DECLS
