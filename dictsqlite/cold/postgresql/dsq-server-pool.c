/* dsq-server-pool.c - connections that read
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/postgresql/dsq-server-private.h"
#include "dsq-error.h"

/* Beside the two that each store has: one that writes, and one that looks for others' commits. */
#define MAX_READERS 8
/* Who waits for nobody else's lock waits so long for threads of ours that read. */
#define MIN_WAIT_US G_USEC_PER_SEC

static DsqServerConnection *
take_locked (DsqColdServer *self, GError **error)
{
  const gint64 deadline = g_get_monotonic_time () +
                          MAX (dsq_patience_get_timeout (self->target.lock_wait_ms), MIN_WAIT_US);
  DsqServerConnection *reader;

  dsq_mutex_assert_held (&self->readers_lock);
  while (self->readers->len == 0 && self->n_readers == MAX_READERS)
    {
      if (!dsq_call_check (error))
        return NULL;
      if (g_get_monotonic_time () >= deadline)
        {
          g_set_error (error,
                       DSQ_ERROR,
                       DSQ_ERROR_BUSY,
                       "Failed to read from the server: all %d connections for that are busy",
                       MAX_READERS);
          return NULL;
        }
      dsq_call_wait (&self->reader_is_free, &self->readers_lock);
    }
  if (self->readers->len > 0)
    return g_ptr_array_steal_index_fast (self->readers, self->readers->len - 1);
  self->n_readers++;
  reader = g_new0 (DsqServerConnection, 1);
  reader->target = &self->target;
  return reader;
}

static DsqServerConnection *
take (DsqColdServer *self, GError **error)
{
  DsqServerConnection *reader;

  dsq_mutex_lock (&self->readers_lock);
  reader = take_locked (self, error);
  dsq_mutex_unlock (&self->readers_lock);
  if (reader != NULL)
    reader->may_ask = TRUE;
  return reader;
}

static void
give_back (DsqColdServer *self, DsqServerConnection *reader)
{
  dsq_mutex_lock (&self->readers_lock);
  g_ptr_array_add (self->readers, reader);
  pthread_cond_signal (&self->reader_is_free);
  dsq_mutex_unlock (&self->readers_lock);
}

PGresult *
dsq_server_read (DsqColdServer *self,
                 DsqServerStatement which,
                 const DsqServerArgs *args,
                 GError **error)
{
  DsqServerConnection *reader = take (self, error);
  g_autoptr (GError) local_error = NULL;
  PGresult *result = NULL;
  DsqServerTries tries;

  if (reader == NULL)
    return NULL;
  dsq_server_tries_begin (&tries, &self->target);
  do
    if (reader->handle != NULL || dsq_server_connection_open (reader, &local_error))
      result = dsq_server_run (reader, which, args, &local_error);
  while (result == NULL && dsq_server_tries_again (&tries, reader, &local_error));
  give_back (self, reader);
  if (result == NULL)
    g_propagate_error (error, g_steal_pointer (&local_error));
  return result;
}

void
dsq_server_pool_close (DsqColdServer *self)
{
  for (guint i = 0; i < self->readers->len; i++)
    {
      dsq_server_connection_close (self->readers->pdata[i]);
      g_free (self->readers->pdata[i]);
    }
  g_ptr_array_set_size (self->readers, 0);
}
