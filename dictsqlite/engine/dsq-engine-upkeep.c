/* dsq-engine-upkeep.c - a copy of the file, and whether it is sound
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-file-private.h"
#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-engine-upkeep-private.h"

gboolean
dsq_engine_check_has_file (DsqEngine *self, const char *purpose, GError **error)
{
  if (self->file != NULL)
    return TRUE;
  if (self->is_lasting)
    g_set_error (error,
                 DSQ_ERROR,
                 DSQ_ERROR_NOT_SUPPORTED,
                 "Failed to %s: that can be done with a file, not on a server",
                 purpose);
  else
    g_set_error (error,
                 DSQ_ERROR,
                 DSQ_ERROR_INVALID_ARGUMENT,
                 "Failed to %s: in memory mode there is no file",
                 purpose);
  return FALSE;
}

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
  success = dsq_engine_check_has_file (self, "copy the store", error) &&
            self->file->funcs->backup (self->file, path, progress, user_data, error);
  dsq_engine_leave (self);
  return success;
}

gboolean
dsq_engine_check (DsqEngine *self, GPtrArray *problems, GError **error)
{
  gboolean success;

  if (!dsq_engine_flush (self, error) || !dsq_engine_enter (self, error))
    return FALSE;
  success = !self->is_lasting || self->depth > 0 ||
            (dsq_engine_check_has_file (self, "check the store", error) &&
             self->file->funcs->check (self->file, problems, error));
  dsq_engine_leave (self);
  return success;
}
