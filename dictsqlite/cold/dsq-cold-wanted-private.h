/* dsq-cold-wanted-private.h - many keys looked up by one statement
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-rows-private.h"

G_BEGIN_DECLS

/* Of a connection that reads. */
typedef struct _DsqColdWanted DsqColdWanted;

DsqColdWanted *dsq_cold_wanted_new (DsqDatabase *database, GError **error);
void dsq_cold_wanted_free (DsqColdWanted *self);

/* Both want @out of @n_keys, all NULL or 0, which is what those that are absent keep. After a
 * failure there are entries in it too. The keys may come in any order, and more than once. */
gboolean dsq_cold_wanted_get (DsqColdWanted *self,
                              const DsqRecordCodec *codec,
                              const DsqKey *keys,
                              gsize n_keys,
                              DsqEntry **out,
                              GError **error);
gboolean dsq_cold_wanted_probe (DsqColdWanted *self,
                                const DsqRecordCodec *codec,
                                const DsqKey *keys,
                                gsize n_keys,
                                gint64 *out,
                                GError **error);

G_END_DECLS
