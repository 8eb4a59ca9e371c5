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

/* Makes a file of no bytes an empty store where it stands, under SQLite's own locks, or finds that
 * somebody else did. A file that is missing beside a log or journal is made first: SQLite throws
 * these away, where a file published beside them would be taken to belong to them. The journal mode
 * is left as it is. */
gboolean dsq_new_file_initialise (const char *path,
                                  const DsqHeader *header,
                                  guint busy_timeout_ms,
                                  GError **error);

G_END_DECLS
