/* dsq-server-connection.c - one connection to the server: waiting for it, losing it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <poll.h>

#include "base/dsq-call-out-private.h"
#include "base/dsq-fork-private.h"
#include "codec/dsq-utf8-private.h"
#include "cold/postgresql/dsq-server-connection-private.h"
#include "dsq-error.h"

/* Between two looks at the cancellable of a call that waits. */
#define LOOK_US (10 * 1000)
/* Between two tries. */
#define FIRST_PAUSE_US (10 * 1000)
#define MAX_PAUSE_US   (500 * 1000)

/* --- what waits to be said -------------------------------------------------------------------- */

void
dsq_server_queued_free (DsqServerQueued *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (self->arrays); i++)
    dsq_server_array_clear (&self->arrays[i]);
  g_free (self);
}

void
dsq_server_queue (DsqServerConnection *self, DsqServerQueued *queued)
{
  g_assert (self->n_queued < DSQ_SERVER_MAX_QUEUED);
  self->queue[self->n_queued++] = queued;
}

void
dsq_server_drop_queued (DsqServerConnection *self)
{
  while (self->n_queued > 0)
    dsq_server_queued_free (g_steal_pointer (&self->queue[--self->n_queued]));
}

/* --- the end ---------------------------------------------------------------------------------- */

void
dsq_server_connection_close (DsqServerConnection *self)
{
  dsq_server_drop_queued (self);
  g_clear_pointer (&self->copied, g_byte_array_unref);
  if (self->handle != NULL)
    self->target->pq->finish (g_steal_pointer (&self->handle));
}

/* --- errors ----------------------------------------------------------------------------------- */

static const struct
{
  const char *state; /* SQLSTATE, or its class */
  DsqError code;
} codes[] = {
  { "23505", DSQ_ERROR_CORRUPT }, /* a place that is taken */
  { "55P03", DSQ_ERROR_BUSY },      { "57014", DSQ_ERROR_BUSY },
  { "40", DSQ_ERROR_BUSY },         { "25P03", DSQ_ERROR_BUSY },
  { "25006", DSQ_ERROR_READ_ONLY }, { "42501", DSQ_ERROR_PERMISSION },
  { "53100", DSQ_ERROR_NO_SPACE },  { "3F000", DSQ_ERROR_FORMAT },
  { "28", DSQ_ERROR_PERMISSION },   { "3D000", DSQ_ERROR_NOT_FOUND },
  { "42P01", DSQ_ERROR_FORMAT },    { "42703", DSQ_ERROR_FORMAT },
};

DsqError
dsq_server_code_of (const char *state)
{
  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    if (g_str_has_prefix (state, codes[i].state))
      return codes[i].code;
  return DSQ_ERROR_IO;
}

gboolean
dsq_server_lose (DsqServerConnection *self, const char *purpose, GError **error)
{
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_IO,
               "Failed to %s: the connection to the server was lost",
               purpose);
  dsq_server_connection_close (self);
  return FALSE;
}

/* The message is the server's first line, which holds no value: these are in its details. It may be
 * of any bytes. */
gboolean
dsq_server_set_error (DsqServerConnection *self,
                      const PGresult *result,
                      const char *purpose,
                      GError **error)
{
  const DsqLibpq *pq = self->target->pq;
  const char *state = pq->resultErrorField (result, PG_DIAG_SQLSTATE);
  const char *message = pq->resultErrorField (result, PG_DIAG_MESSAGE_PRIMARY);
  g_autofree char *shown = NULL;

  self->has_no_schema = g_strcmp0 (state, "3F000") == 0 || g_strcmp0 (state, "42P01") == 0;
  if (state == NULL || g_str_has_prefix (state, "57P"))
    return dsq_server_lose (self, purpose, error);
  shown = dsq_utf8_show (message != NULL ? message : state);
  g_set_error (error,
               DSQ_ERROR,
               (gint) dsq_server_code_of (state),
               "Failed to %s: the server says: %s",
               purpose,
               shown);
  return FALSE;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static gboolean
may_go_on (const DsqServerConnection *self, GError **error)
{
  if (self->may_ask)
    dsq_call_ask ();
  return dsq_call_check (error);
}

/* A connection that nobody waits for any more is of no use: what is said on it later would be taken
 * for the answer to something else. */
gboolean
dsq_server_wait_for (DsqServerConnection *self,
                     short events,
                     gint64 deadline,
                     const char *purpose,
                     GError **error)
{
  struct pollfd socket = { self->target->pq->socket (self->handle), events, 0 };
  gboolean is_ready;
  guint depth;

  dsq_mutex_assert_may_wait ("a server");
  for (;;)
    {
      gint64 left = deadline - g_get_monotonic_time ();
      gint64 slice = dsq_call_is_watched () ? MIN (left, LOOK_US) : left;

      if (left <= 0)
        {
          g_set_error (error,
                       DSQ_ERROR,
                       DSQ_ERROR_BUSY,
                       "Failed to %s: the server does not answer",
                       purpose);
          break;
        }
      depth = dsq_fork_pause ();
      is_ready = poll (&socket, 1, (int) ((slice + 999) / 1000)) > 0;
      dsq_fork_resume (depth);
      if (is_ready)
        return TRUE;
      if (!may_go_on (self, error))
        break;
    }
  dsq_server_connection_close (self);
  return FALSE;
}

/* --- trying again ----------------------------------------------------------------------------- */

void
dsq_server_tries_begin (DsqServerTries *self, const DsqServerTarget *target)
{
  *self = (DsqServerTries){
    g_get_monotonic_time () + dsq_patience_get_timeout (target->lock_wait_ms),
    0,
  };
}

gboolean
dsq_server_tries_again (DsqServerTries *self, const DsqServerConnection *connection, GError **error)
{
  gint64 pause = MIN ((gint64) FIRST_PAUSE_US << MIN (self->n_tries, 10), MAX_PAUSE_US);
  gint64 until = g_get_monotonic_time () + (self->n_tries == 0 ? 0 : pause);

  if (connection->handle != NULL || !g_error_matches (*error, DSQ_ERROR, DSQ_ERROR_IO) ||
      until >= self->deadline)
    return FALSE;
  self->n_tries++;
  while (g_get_monotonic_time () < until)
    {
      if (connection->may_ask)
        dsq_call_ask ();
      if (dsq_call_is_cancelled ())
        {
          g_clear_error (error);
          dsq_call_set_error (error);
          return FALSE;
        }
      dsq_fork_sleep (MIN (LOOK_US, (guint64) MAX (until - g_get_monotonic_time (), 1)));
    }
  g_clear_error (error);
  return TRUE;
}
