/* dsq-cold-failure-private.h - a sync that has failed
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-sqlite-private.h"
#include "dsq-error.h"

G_BEGIN_DECLS

/* Makes @error one of DSQ_ERROR_OUTCOME_UNKNOWN, which says what to do. */
void dsq_cold_tell_unknown (GError **error);
/* Makes the failure final besides. */
void dsq_cold_note_failed_sync (DsqColdSqlite *self, GError **error);
/* The same for a commit that gave @code, if that may be found in the log all the same. */
void dsq_cold_note_failed_commit (DsqColdSqlite *self, int code, GError **error);
/* @code: for a sync that has failed. */
gboolean dsq_cold_refuse_failed (DsqColdSqlite *self, DsqError code, GError **error);

/* FALSE with DSQ_ERROR_IO: one has failed before, and nothing is written any more. */
static inline gboolean
dsq_cold_check_failed (DsqColdSqlite *self, GError **error)
{
  return G_LIKELY (!__atomic_load_n (&self->file.is_failed, __ATOMIC_ACQUIRE)) ||
         dsq_cold_refuse_failed (self, DSQ_ERROR_IO, error);
}

/* That the file is no longer the one that its name means. */
void dsq_cold_note_gone (DsqColdSqlite *self);

G_END_DECLS
