/* dsq-log-origin-private.h - whether the log beside a file is its own
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sqlite/dsq-database-private.h"

G_BEGIN_DECLS

/* FALSE, with DSQ_ERROR_FORMAT, when the log beside @path began from another file, or from another
 * state of this one than it is in, so that SQLite must not bring it in. @file is the main file, as
 * a connection has it that has read nothing. Nothing is written or locked: others may commit and
 * checkpoint meanwhile. */
gboolean dsq_log_origin_check (const char *path, sqlite3_file *file, GError **error);

G_END_DECLS
