/* dsq-new-file-private.h - how a store's file comes to be
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec/dsq-header-private.h"
#include "sqlite/dsq-database-private.h"

G_BEGIN_DECLS

/* Makes an empty store with @header under a temporary name and gives it the name @path, whole and
 * synced. That somebody else was first is no error: theirs is what stands there then. A file with
 * a sealed header is its owner's alone. */
gboolean dsq_new_file_publish (const char *path, const DsqHeader *header, GError **error);

/* What happens to a file that stands at the new one's path. */
typedef enum
{
  DSQ_NEW_FILE_FAIL,    /* it stays, as DSQ_ERROR_EXISTS */
  DSQ_NEW_FILE_REPLACE, /* it loses its name at the instant at which the new one has it */
} DsqNewFilePlace;

/* Brings content into an empty store, in a transaction that is under way. */
typedef gboolean (*DsqNewFileFunc) (DsqDatabase *database, gpointer user_data, GError **error);

/* The same with content: nothing is at @path before all of it is, on the medium. */
gboolean dsq_new_file_publish_filled (const char *path,
                                      const DsqHeader *header,
                                      DsqNewFilePlace place,
                                      DsqNewFileFunc fill,
                                      gpointer user_data,
                                      GError **error);

/* Fills the file @temporary, which is there and empty, and closes it. */
typedef gboolean (*DsqNewFileWriteFunc) (const char *temporary, gpointer user_data, GError **error);

/* Has @write fill a file under a temporary name, and gives it the name @path, whole and synced.
 * Gives DSQ_ERROR_EXISTS when there is something of that name, or a log that would be taken to
 * belong to the file. */
gboolean dsq_new_file_write (const char *path,
                             DsqNewFileWriteFunc write,
                             gpointer user_data,
                             GError **error);

/* Makes a file of no bytes an empty store where it stands, under SQLite's own locks, or finds that
 * somebody else did. A file that is missing beside a log or journal is made first: SQLite throws
 * these away, where a file published beside them would be taken to belong to them. The journal mode
 * is left as it is. */
gboolean dsq_new_file_initialise (const char *path,
                                  const DsqHeader *header,
                                  guint busy_timeout_ms,
                                  GError **error);

G_END_DECLS
