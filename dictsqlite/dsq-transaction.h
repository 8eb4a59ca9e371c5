/* dsq-transaction.h - many operations, all of them or none
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-store.h>

G_BEGIN_DECLS

#define DSQ_TYPE_TRANSACTION (dsq_transaction_get_type ())

DSQ_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (DsqTransaction, dsq_transaction, DSQ, TRANSACTION, DsqStore)

DSQ_AVAILABLE_IN_1_0 DsqTransaction *dsq_store_begin (DsqStore *self,
                                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
DSQ_AVAILABLE_IN_1_0 gboolean dsq_transaction_commit (DsqTransaction *self,
                                                      GCancellable *cancellable,
                                                      GError **error);
DSQ_AVAILABLE_IN_1_0 void dsq_transaction_rollback (DsqTransaction *self);

G_END_DECLS
