/* dsq-facts-private.h - which keys each commit has changed, told to other processes
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-types-private.h"
#include "crypto/dsq-key-private.h"
#include "sqlite/dsq-wal-index-private.h"

G_BEGIN_DECLS

/*
 * A ring of facts in a file beside the store's. A fact says: the commit that led from this state of
 * the log's index to that one has changed these keys. Nothing depends on facts: where one is
 * missing, torn, overwritten or of somebody else, everything may have changed. The caller sees to
 * it that one thread uses the ring at a time.
 */
typedef struct _DsqFacts DsqFacts;

/* Bytes of the ring; a fact takes at most half of them. */
#define DSQ_FACTS_SIZE (2u << 20)

/* Of the store at @path. Opens a ring that is there, so that who commits tells; not being there, it
 * is made at the first commit. With @keys, its own (nullable, unowned), facts are
 * sealed. @read_only: nothing is to be appended. */
DsqFacts *
dsq_facts_new (const char *path, const guint8 *store_id, DsqKeys *keys, gboolean read_only);
void dsq_facts_free (DsqFacts *self);

/* --- by who closes the store ------------------------------------------------------------------ */

/* One after another: who closes its last connection finds out whether it is the last of all, which
 * two at the same moment would deny each other. */
void dsq_facts_take_turn (DsqFacts *self);
void dsq_facts_give_turn (DsqFacts *self);

/* --- by who commits --------------------------------------------------------------------------- */

/* A transaction begins: nothing has changed. */
void dsq_facts_start (DsqFacts *self);
/* It may have changed the key of @entry, and may have set it to that. */
void dsq_facts_add (DsqFacts *self, const DsqEntry *entry);
void dsq_facts_add_everything (DsqFacts *self);
/* It has led from @before to @after, surely and with nobody in between. */
void dsq_facts_append (DsqFacts *self, const DsqWalStamp *before, const DsqWalStamp *after);

/* --- by who reads ----------------------------------------------------------------------------- */

/* What has changed from @from to @to; FALSE: maybe everything. Waits some tens of microseconds for
 * a fact that may be on its way. The keys' bytes are valid until the next call. */
gboolean dsq_facts_follow (DsqFacts *self,
                           const DsqWalStamp *from,
                           const DsqWalStamp *to,
                           DsqColdChanged *out_changed);

G_END_DECLS
