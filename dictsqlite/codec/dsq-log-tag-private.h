/* dsq-log-tag-private.h - what tells whether a write-ahead log is that of a file
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec/dsq-format-private.h"

#include <glib.h>

G_BEGIN_DECLS

/*
 * Stands behind the header, in the same column. The transaction that begins a log draws a new one,
 * so that the log says which state of which file it goes on from: the file has been in that state
 * as long as its own tag is the one before, and in a later one of this log when it is one that the
 * log has brought it.
 */
typedef struct
{
  guint64 now;    /* random, 0 where a file has no tag */
  guint64 before; /* the file's when this one was drawn */
} DsqLogTag;

/* Finds what of @column, of *length bytes, is the header, and the tag behind it. FALSE when there
 * is something else, or a damaged tag; the header is not looked at further. */
gboolean dsq_log_tag_read (DsqLogTag *self, const guint8 *column, gsize *length);
/* Of the store with the id @store_id. */
void dsq_log_tag_write (const DsqLogTag *self,
                        const guint8 store_id[DSQ_FORMAT_STORE_ID_LENGTH],
                        guint8 out[DSQ_FORMAT_TAG_LENGTH]);
/* Gives DSQ_ERROR_IO. */
gboolean dsq_log_tag_renew (DsqLogTag *self, GError **error);

G_END_DECLS
