/* dsq-inherited-private.h - connections that a fork inherited, and the locks that they do not have
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sqlite/dsq-database-private.h"

G_BEGIN_DECLS

/* Every connection to a file is in the books from its opening to its closing; @path is where it
 * was found. */
void dsq_inherited_add (DsqDatabase *database, const char *path);
void dsq_inherited_remove (DsqDatabase *database);

/* To be called before the file at @path is opened: what SQLite believes that inherited connections
 * have locked of it is forgotten. */
void dsq_inherited_let_go (const char *path);

/* Whether this process holds the locks that an open connection in WAL mode has. Looked at only
 * where another of the same file was inherited; else DSQ_ERROR_FORKED. */
gboolean dsq_inherited_check_locks (const char *path, GError **error);

G_END_DECLS
