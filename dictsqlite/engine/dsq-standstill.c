/* dsq-standstill.c - a file to which nobody commits for a while
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-engine-internal.h"
#include "engine/dsq-standstill-private.h"

/*
 * What is read from the file without a lock may be old when it is to be used: our own threads
 * flush, other processes commit. Who finds that starts again, but not for ever: after a few tries
 * the file is stopped, by our writer's lock and by SQLite's write lock. Then what has been learned
 * of the file holds, nothing leaves memory for it, and one more try is the last, but for what our
 * own threads stage in memory. Others wait meanwhile, so it is short.
 */

/* Where nobody else commits to the file our own lock is all there is to it. */
gboolean
dsq_engine_stop_file (DsqEngine *self, GError **error)
{
  if (!dsq_engine_enter (self, error))
    return FALSE;
  if (dsq_call_lock (&self->writer_lock, error))
    {
      if (self->shared == NULL || self->options.read_only ||
          self->cold->funcs->begin (self->cold, error))
        return TRUE;
      dsq_mutex_unlock (&self->writer_lock);
    }
  dsq_engine_leave (self);
  return FALSE;
}

void
dsq_engine_let_file_go (DsqEngine *self)
{
  if (self->shared != NULL && !self->options.read_only)
    self->cold->funcs->rollback (self->cold);
  dsq_mutex_unlock (&self->writer_lock);
  dsq_engine_leave (self);
}
