/* dsq-cold-coherence-private.h - what of the file has been learned, against what it says now
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-rows-private.h"

G_BEGIN_DECLS

/* The writer has read from the file. */
gboolean dsq_cold_coherence_init (DsqColdSqlite *self, GError **error);
DSQ_COLD_FUNCTION (catch_up) dsq_cold_catch_up;
/* SQLite's write lock was just taken: learns, and the transaction is under way. */
gboolean dsq_cold_coherence_begin (DsqColdSqlite *self, GError **error);
/* Before and after a COMMIT that succeeded. */
void dsq_cold_coherence_start_commit (DsqColdSqlite *self);
void dsq_cold_coherence_finish_commit (DsqColdSqlite *self,
                                       DsqColdCommittedFunc committed,
                                       gpointer committed_data);
/* Before a ROLLBACK. */
void dsq_cold_coherence_give_up (DsqColdSqlite *self);

G_END_DECLS
