/* dsq-vfs-private.h - SQLite's way to the files, without rollback journals
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A path that begins so ends with a descriptor of the process's, on a file that nobody else has; it
 * stays open when SQLite is done with it. No path that was resolved begins so. */
#define DSQ_VFS_DESCRIPTORS "/proc/self/fd/"

/* The name to open a connection with, of the VFS that is SQLite's default one but for what is said
 * in the file; NULL where SQLite has none. */
const char *dsq_vfs_get_name (void);

G_END_DECLS
