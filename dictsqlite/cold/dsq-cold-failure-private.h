/* dsq-cold-failure-private.h - a sync that has failed
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-sqlite-private.h"

G_BEGIN_DECLS

/* Makes the failure final, and has its error say what that means. */
void dsq_cold_note_failed_sync (DsqColdSqlite *self, GError **error);
gboolean dsq_cold_refuse_failed (DsqColdSqlite *self, GError **error);

/* FALSE with DSQ_ERROR_IO: one has failed before. */
static inline gboolean
dsq_cold_check_failed (DsqColdSqlite *self, GError **error)
{
  return G_LIKELY (!__atomic_load_n (&self->file.is_failed, __ATOMIC_ACQUIRE)) ||
         dsq_cold_refuse_failed (self, error);
}

/* That the file is no longer the one that its name means. */
void dsq_cold_note_gone (DsqColdSqlite *self);

G_END_DECLS
