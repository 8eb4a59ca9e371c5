/* dsq-cold-log-private.h - the connection that syncs and checkpoints the write-ahead log
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-rows-private.h"

G_BEGIN_DECLS

gboolean dsq_cold_log_init (DsqColdSqlite *self, GError **error);
/* Folds the log in as far as nobody hinders, and closes the connection. */
gboolean dsq_cold_log_close (DsqColdSqlite *self, GError **error);
gboolean dsq_cold_sync (DsqColdFile *file, GError **error);
gboolean dsq_cold_wants_checkpoint (DsqColdFile *file, gboolean idle);
gboolean dsq_cold_checkpoint (DsqColdFile *file, GError **error);

G_END_DECLS
