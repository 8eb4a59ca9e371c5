/* dsq-log-file-private.h - SQLite's file of a write-ahead log, a frame of which is one write
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sqlite3.h>

G_BEGIN_DECLS

/* Bytes of such a file before those of the file behind it. */
int dsq_log_file_get_size (void);

/* The file behind @file, which is to be opened. */
sqlite3_file *dsq_log_file_get_behind (sqlite3_file *file);

/* To be called when it is open, or is to be closed. */
void dsq_log_file_init (sqlite3_file *file);

G_END_DECLS
