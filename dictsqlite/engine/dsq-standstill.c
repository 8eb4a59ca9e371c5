/* dsq-standstill.c - a file to which nobody commits for a while
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-engine-internal.h"
#include "engine/dsq-standstill-private.h"

/*
 * What is read from the file without a lock may be old when it is to be used: our own threads
 * flush, other processes commit. Who finds that starts again, but not for ever: after a few tries
 * the file is stopped, by our writer's lock and by a transaction. Then what has been learned of
 * the file holds, nothing leaves memory for it, and one more try is the last, but for what our
 * own threads stage in memory. Others wait meanwhile, so it is short.
 */

/* Tries without locks. */
#define MAX_OPTIMISTIC_TRIES 3

/* Where nobody else commits to the file our own lock is all there is to it. */
static gboolean
stop_file (DsqEngine *engine, GError **error)
{
  if (!dsq_engine_enter (engine, error))
    return FALSE;
  if (dsq_call_lock (&engine->writer_lock, error))
    {
      if (!dsq_cold_tier_is_shared (engine->cold) ||
          engine->cold->funcs->begin (engine->cold, error))
        return TRUE;
      dsq_mutex_unlock (&engine->writer_lock);
    }
  dsq_engine_leave (engine);
  return FALSE;
}

static void
let_file_go (DsqEngine *engine)
{
  if (dsq_cold_tier_is_shared (engine->cold))
    engine->cold->funcs->rollback (engine->cold);
  dsq_mutex_unlock (&engine->writer_lock);
  dsq_engine_leave (engine);
}

gboolean
dsq_tries_begin (DsqTries *self, DsqEngine *engine, GError **error)
{
  self->is_stopped = self->n_begun++ >= MAX_OPTIMISTIC_TRIES;
  return !self->is_stopped || stop_file (engine, error);
}

void
dsq_tries_end (DsqTries *self, DsqEngine *engine)
{
  if (self->is_stopped)
    let_file_go (engine);
}
