/* dsq-schema-private.h - what a store's file holds beside its entries
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec/dsq-format-private.h"
#include "sqlite/dsq-database-private.h"

G_BEGIN_DECLS

/* The whole of an empty store, in the write transaction under way: tables, header, main table,
 * application id and version. @store_id is drawn by the caller. */
gboolean dsq_schema_install (DsqDatabase *database,
                             const guint8 store_id[DSQ_FORMAT_STORE_ID_LENGTH],
                             GError **error);

/* Whether the file is a store of ours, to the byte of its schema; nothing of it is believed before.
 * Gives DSQ_ERROR_FORMAT or DSQ_ERROR_CORRUPT, in bounded time and memory. */
gboolean dsq_schema_verify (DsqDatabase *database,
                            guint8 out_store_id[DSQ_FORMAT_STORE_ID_LENGTH],
                            GError **error);

G_END_DECLS
