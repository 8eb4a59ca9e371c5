/* dsq-descriptor-file-private.h - SQLite's file on a descriptor of ours
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sqlite3.h>

G_BEGIN_DECLS

/* Has SQLite use @descriptor, which stays ours and open, of a file that nobody else has: nothing is
 * locked, there is no log, and errno is what the system said last. */
void dsq_descriptor_file_init (sqlite3_file *file, int descriptor);

/* Memory that such a file takes. */
int dsq_descriptor_file_get_size (void);

G_END_DECLS
