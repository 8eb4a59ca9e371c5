/* dsq-tables-private.h - the tables of a store
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-internal.h"

G_BEGIN_DECLS

/* A table of the file, as of @state, is used from here on; with all shards locked. */
DsqTable *dsq_engine_add_table_locked (DsqEngine *self, GBytes *name, const DsqTableState *state);
/* A table of that name, or NULL; with a shard locked. */
DsqTable *dsq_engine_find_table_locked (DsqEngine *self, GBytes *name);
/* It is not in the file, or will not be; with all shards locked. */
void dsq_engine_drop_table_locked (DsqEngine *self, DsqTable *table);
void dsq_engine_free_tables (DsqEngine *self);

G_END_DECLS
