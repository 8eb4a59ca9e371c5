/* dsq-item-private.h - an entry in a list
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dsq-key-model.h"
#include "tiers/dsq-entry-private.h"

G_BEGIN_DECLS

/* One that is loading. */
DsqItem *dsq_item_new (void);
/* It is, or has become, that entry. Tells who listens. */
void dsq_item_load (DsqItem *self, DsqEntry *entry);
gboolean dsq_item_is_loading (const DsqItem *self);
/* Whether anybody but the caller has it. */
gboolean dsq_item_is_held (DsqItem *self);

G_END_DECLS
