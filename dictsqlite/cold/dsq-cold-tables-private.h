/* dsq-cold-tables-private.h - the rows of tables
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-tier-private.h"

G_BEGIN_DECLS

DSQ_COLD_FUNCTION (list_tables) dsq_cold_list_tables;
DSQ_COLD_FUNCTION (open_table) dsq_cold_open_table;
DSQ_COLD_FUNCTION (drop_table) dsq_cold_drop_table;

G_END_DECLS
