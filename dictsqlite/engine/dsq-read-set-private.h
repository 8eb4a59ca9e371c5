/* dsq-read-set-private.h - what keys were when they were read
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tiers/dsq-entry-private.h"

G_BEGIN_DECLS

/* Any thread, one at a time. */
typedef struct _DsqReadSet DsqReadSet;

DsqReadSet *dsq_read_set_new (void);
void dsq_read_set_free (DsqReadSet *self);

/* TRUE: the key has been read before; *out_entry is a reference to what it was, or NULL. */
gboolean dsq_read_set_recall (DsqReadSet *self, const DsqKey *key, DsqEntry **out_entry);
/* The key was found to be *inout_entry, or NULL: that becomes what it was found to be first. */
void dsq_read_set_remember (DsqReadSet *self, const DsqKey *key, DsqEntry **inout_entry);
/* All of them, tombstones for what was missing: the set's own, of DsqEntry. */
GPtrArray *dsq_read_set_list (DsqReadSet *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DsqReadSet, dsq_read_set_free)

G_END_DECLS
