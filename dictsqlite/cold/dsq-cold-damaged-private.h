/* dsq-cold-damaged-private.h - the tables of a file whose last rows cannot be read
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-sqlite-private.h"

G_BEGIN_DECLS

/* dsq_cold_read_tables() into @states by @statement, which is @database's; but in a tier that only
 * reads damage to the rows of a table keeps none from being listed. */
gboolean dsq_cold_learn_tables (DsqColdSqlite *self,
                                DsqDatabase *database,
                                DsqStatement *statement,
                                GArray *states,
                                GError **error);

G_END_DECLS
