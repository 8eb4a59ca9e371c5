/* dsq-server-funcs-private.h - the functions of the cold tier on a server
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-upkeep-private.h"
#include "cold/postgresql/dsq-server-private.h"

G_BEGIN_DECLS

/* --- tables and coherence --------------------------------------------------------------------- */

DSQ_COLD_FUNCTION (list_tables) dsq_server_list_tables;
DSQ_COLD_FUNCTION (open_table) dsq_server_open_table;
DSQ_COLD_FUNCTION (drop_table) dsq_server_drop_table;
DSQ_COLD_FUNCTION (clear_table) dsq_server_clear_table;
DSQ_COLD_FUNCTION (catch_up) dsq_server_catch_up;
DSQ_COLD_FUNCTION (listen) dsq_server_listen;

/* --- reads ------------------------------------------------------------------------------------ */

DSQ_COLD_FUNCTION (get_many) dsq_server_get_many;
DSQ_COLD_FUNCTION (probe) dsq_server_probe;
DSQ_COLD_FUNCTION (walk) dsq_server_walk;
DSQ_COLD_FUNCTION (list_keys) dsq_server_list_keys;
DSQ_COLD_FUNCTION (find_expired) dsq_server_find_expired;
DSQ_COLD_FUNCTION (get_in_transaction) dsq_server_get_in_transaction;

/* --- writes ----------------------------------------------------------------------------------- */

DSQ_COLD_FUNCTION (apply) dsq_server_apply;
DSQ_COLD_FUNCTION (foresee) dsq_server_foresee;
DSQ_COLD_FUNCTION (begin) dsq_server_begin;
DSQ_COLD_FUNCTION (get_table) dsq_server_get_table;
DSQ_COLD_FUNCTION (savepoint) dsq_server_savepoint;
DSQ_COLD_FUNCTION (release) dsq_server_release;
DSQ_COLD_FUNCTION (commit) dsq_server_commit;
DSQ_COLD_FUNCTION (rollback) dsq_server_rollback;

/* --- upkeep ----------------------------------------------------------------------------------- */

#define DSQ_UPKEEP_FUNCTION(name) __typeof__ (*((DsqColdUpkeepFuncs *) NULL)->name)
DSQ_UPKEEP_FUNCTION (get_header) dsq_server_get_header;
DSQ_UPKEEP_FUNCTION (replace_header) dsq_server_replace_header;
DSQ_UPKEEP_FUNCTION (copy) dsq_server_copy;
DSQ_UPKEEP_FUNCTION (backup) dsq_server_backup;
DSQ_UPKEEP_FUNCTION (check) dsq_server_check;

G_END_DECLS
