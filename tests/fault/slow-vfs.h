/* slow-vfs.h - a file system on which reads, and syncs of logs, take their time
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From now on SQLite opens files by way of it. */
void slow_vfs_install (void);

/* Microseconds that each read of a file takes from now on, 0 for none. */
void slow_vfs_set_delay (unsigned microseconds);
/* And each sync of a log. */
void slow_vfs_set_sync_delay (unsigned microseconds);

/* Reads so far. */
unsigned slow_vfs_count_reads (void);
/* Syncs of logs that have begun. */
unsigned slow_vfs_count_syncs (void);
