/* dsq-engine-upkeep.c - a copy of the store, and whether it is sound
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-upkeep-private.h"
#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-engine-upkeep-private.h"

gboolean
dsq_engine_check_lasts (DsqEngine *self, const char *purpose, GError **error)
{
  if (self->cold->upkeep != NULL)
    return TRUE;
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
  success = dsq_engine_check_lasts (self, "copy the store", error) &&
            self->cold->upkeep->backup (self->cold, path, progress, user_data, error);
  dsq_engine_leave (self);
  return success;
}

gboolean
dsq_engine_check (DsqEngine *self, GPtrArray *problems, GError **error)
{
  gboolean success;

  if (!dsq_engine_flush (self, error) || !dsq_engine_enter (self, error))
    return FALSE;
  success = self->cold->upkeep == NULL || self->cold->upkeep->check (self->cold, problems, error);
  dsq_engine_leave (self);
  return success;
}
