/* dsq-schema-private.h - what a store's file holds beside its entries
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec/dsq-header-private.h"
#include "sqlite/dsq-database-private.h"

G_BEGIN_DECLS

/* The whole of an empty store, in the write transaction under way: tables, header, main table,
 * application id and version. */
gboolean dsq_schema_install (DsqDatabase *database, const DsqHeader *header, GError **error);

/* Time that a file has to show what it is. */
#define DSQ_SCHEMA_VERIFY_MS 5000

/* Whether the file is a store of ours, to the byte of its schema; nothing of it is believed before.
 * Gives its header, which no password has unlocked yet, or DSQ_ERROR_FORMAT or DSQ_ERROR_CORRUPT,
 * in bounded time and memory. */
gboolean dsq_schema_verify (DsqDatabase *database, DsqHeader *out_header, GError **error);

/* The header as of now, of a file that was verified. */
gboolean dsq_schema_read_header (DsqDatabase *database, DsqHeader *out_header, GError **error);
/* In the write transaction under way. */
gboolean dsq_schema_write_header (DsqDatabase *database, const DsqHeader *header, GError **error);
/* The same of the tag behind it: what lies beside the file is not its log from then on, unless the
 * log holds this transaction. */
gboolean dsq_schema_renew_log_tag (DsqDatabase *database, GError **error);

G_END_DECLS
