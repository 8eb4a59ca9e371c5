/* dsq-pending-internal.h - what the files of pending changes share
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-pending-private.h"

G_BEGIN_DECLS

/* The change of a node is the last of @list. */
static inline void
dsq_change_handle_set_last (DsqHotNode *node, const DsqChangeList *list, guint which, guint parity)
{
  node->pin = list->n_items << 2 | which << 1 | parity;
}

void dsq_change_list_clear (DsqChangeList *list);
DsqChange *dsq_change_list_append (DsqChangeList *list, const DsqChange *change);

/* Adds (@sign 1) or takes away (-1) what a change means for the number of keys. */
void dsq_pending_count_change (DsqPendingShard *shard, const DsqChange *change, int sign);
/* The same for the memory that dirty entries take. */
void dsq_pending_weigh_change (DsqPending *self, DsqShard *shard, const DsqEntry *entry, int sign);

/* As if it had never been written to; gives what is to be freed. */
DsqPendingShard *dsq_pending_give_back (DsqPending *self);

G_END_DECLS
