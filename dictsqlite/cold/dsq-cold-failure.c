/* dsq-cold-failure.c - a sync that has failed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * It is final, as is that the file has lost its name. The system may have forgotten what it could
 * not write, and call the next sync a success; so nothing that was committed since the last good
 * one is known to last, and nothing more is committed. Reading goes on.
 */

#include "config.h"

#include "cold/dsq-cold-failure-private.h"
#include "dsq-error.h"

void
dsq_cold_note_failed_sync (DsqColdSqlite *self, GError **error)
{
  __atomic_store_n (&self->file.is_failed, TRUE, __ATOMIC_RELEASE);
  if (error != NULL && *error != NULL)
    {
      g_autofree char *message = (*error)->message;

      (*error)->message =
          g_strconcat (message, "; whether what was written lasts is not known", NULL);
    }
}

void
dsq_cold_note_gone (DsqColdSqlite *self)
{
  __atomic_store_n (&self->is_gone, TRUE, __ATOMIC_RELEASE);
  __atomic_store_n (&self->file.is_failed, TRUE, __ATOMIC_RELEASE);
}

gboolean
dsq_cold_refuse_failed (DsqColdSqlite *self, GError **error)
{
  g_set_error_literal (
      error,
      DSQ_ERROR,
      DSQ_ERROR_IO,
      __atomic_load_n (&self->is_gone, __ATOMIC_ACQUIRE)
          ? "Failed to write: the file, or its log, was deleted, moved or replaced while the store "
            "had it open; copy what is needed to another store, and open this one again"
          : "Failed to write: a sync of the file has failed, so what was written since "
            "the one before may be lost; open the store again");
  return FALSE;
}
