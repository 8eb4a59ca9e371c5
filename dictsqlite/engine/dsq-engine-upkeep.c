/* dsq-engine-upkeep.c - a copy of the file, and whether it is sound
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-file-private.h"
#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"

/* Everything written before the call is in the copy. */
gboolean
dsq_engine_backup (DsqEngine *self,
                   const char *path,
                   DsqColdProgressFunc progress,
                   gpointer user_data,
                   GError **error)
{
  gboolean success;

  if (!dsq_engine_flush (self, error) || !dsq_engine_enter (self, error))
    return FALSE;
  if (self->file == NULL)
    {
      dsq_engine_leave (self);
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_INVALID_ARGUMENT,
                           "Failed to copy the store: in memory mode it has no file");
      return FALSE;
    }
  success = self->file->funcs->backup (self->file, path, progress, user_data, error);
  dsq_engine_leave (self);
  return success;
}

gboolean
dsq_engine_check (DsqEngine *self, GPtrArray *problems, GError **error)
{
  gboolean success;

  if (!dsq_engine_flush (self, error) || !dsq_engine_enter (self, error))
    return FALSE;
  success = self->file == NULL || self->file->funcs->check (self->file, problems, error);
  dsq_engine_leave (self);
  return success;
}
