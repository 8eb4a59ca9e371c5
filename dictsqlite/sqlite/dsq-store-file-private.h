/* dsq-store-file-private.h - from a path to a verified connection
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec/dsq-format-private.h"
#include "sqlite/dsq-database-private.h"

G_BEGIN_DECLS

/* Opens the store at the resolved @path for writing, in WAL mode and verified, making it when there
 * is none. A refused file stays as it was, its log too, and nothing is left beside it. */
DsqDatabase *dsq_store_file_open (const char *path,
                                  const DsqDatabaseTuning *tuning,
                                  guint8 out_store_id[DSQ_FORMAT_STORE_ID_LENGTH],
                                  GCancellable *cancellable,
                                  GError **error);

G_END_DECLS
