/* dsq-cold-place-private.h - whether the file is still the one that its name means
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-types-private.h"

G_BEGIN_DECLS

/* Once SQLite has the file, its log and the log's index open: remembers which they are. */
gboolean dsq_cold_place_init (DsqColdSqlite *self, GError **error);

/* Before a commit is acknowledged: whether the file's name is still its own, there is something in
 * it, and the log has a name. Where it is not so, nothing is committed any more. */
gboolean dsq_cold_place_check (DsqColdSqlite *self, GError **error);
/* Before what was synced is, and before the log is brought into the file: the names of log and
 * index as well. */
gboolean dsq_cold_place_check_all (DsqColdSqlite *self, GError **error);

void dsq_cold_place_clear (DsqColdSqlite *self);

G_END_DECLS
