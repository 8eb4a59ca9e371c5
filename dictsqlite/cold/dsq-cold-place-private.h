/* dsq-cold-place-private.h - whether the file is still the one that its name means
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-types-private.h"

G_BEGIN_DECLS

/* Once SQLite has the file, its log and the log's index open: remembers which they are. */
gboolean dsq_cold_place_init (DsqColdSqlite *self, GError **error);

/* Before a commit is acknowledged: whether the names of file and log are still theirs, and there is
 * something in the file. Where it is not so, nothing is committed any more. */
gboolean dsq_cold_place_check (DsqColdSqlite *self, GError **error);
/* Before a flush is, and before the log is brought into the file: the index's name as well. */
gboolean dsq_cold_place_check_all (DsqColdSqlite *self, GError **error);

G_END_DECLS
