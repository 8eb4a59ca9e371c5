/* dsq-new-file-private.h - how a store's file comes to be
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec/dsq-header-private.h"
#include "sqlite/dsq-database-private.h"

G_BEGIN_DECLS

/*
 * Every new file is made whole, with no name or under one of its own, is synced, and gets its name
 * at one instant, so that a crash leaves nothing of worth. One with a sealed header is its owner's
 * alone, whatever was there; no other gets a mode that is wider than that of the file which it is
 * made from, or whose place it takes. A log or index that lies beside the name is never taken for
 * the new file's.
 */

/* Makes an empty store with @header at @path, where there is nothing or a file of no bytes. That
 * somebody else was first is no error: theirs is what stands there then. Gives DSQ_ERROR_EXISTS
 * where the log of a file that is gone lies beside it. */
gboolean dsq_new_file_publish (const char *path,
                               const DsqHeader *header,
                               guint busy_timeout_ms,
                               GError **error);

/* What happens to a file that stands at the new one's path. */
typedef enum
{
  DSQ_NEW_FILE_FAIL,    /* it stays, as DSQ_ERROR_EXISTS; so does a log without one */
  DSQ_NEW_FILE_REPLACE, /* it loses its name at the instant at which the new one has it */
} DsqNewFilePlace;

/* Brings content into an empty store, in a transaction that is under way. */
typedef gboolean (*DsqNewFileFunc) (DsqDatabase *database, gpointer user_data, GError **error);

/* Makes a store with content at @path, from the file at @source. */
gboolean dsq_new_file_publish_filled (const char *path,
                                      const char *source,
                                      const DsqHeader *header,
                                      DsqNewFilePlace place,
                                      DsqNewFileFunc fill,
                                      gpointer user_data,
                                      GError **error);

/* Makes at @path, where there is nothing, what @write brings into an empty file that keeps its
 * journal in memory: a copy of the file at @source. */
gboolean dsq_new_file_write (const char *path,
                             const char *source,
                             gboolean is_sealed,
                             DsqNewFileFunc write,
                             gpointer user_data,
                             GError **error);

G_END_DECLS
