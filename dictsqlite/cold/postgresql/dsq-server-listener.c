/* dsq-server-listener.c - being told by the server of others' commits
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who has committed notifies the store's channel, with a word that says who that was. It is sent
 * behind the commit, not in it: the server lets one transaction with a notice commit at a time,
 * of all stores, and so a notice may be lost with who was to send it. Who listens looks for himself
 * once a second therefore, and where the server sends none, as often as who reads would. He also
 * sends what his own store's writer has left to him.
 */

#include "config.h"

#include <poll.h>

#include "base/dsq-fork-private.h"
#include "cold/postgresql/dsq-server-funcs-private.h"

/* Between two looks, at least and at most. */
#define MIN_LOOK_MS 50
#define MAX_LOOK_MS 1000

typedef struct
{
  DsqColdListener listener;
  DsqServerTarget target;
  DsqServerConnection connection;
  char *uri;    /* (owned) of target */
  char *listen; /* (owned) (nullable) the statement; NULL: the server sends no notices */
  char *client; /* (owned) whose notices are not heard */
  char *tell;   /* (owned) the statement that sends what is due of its own store's */
  DsqServerNotices *notices; /* (owned) */
  gint64 try_at;             /* monotonic: no connection is tried before */
  guint staleness_ms;
} Listener;

static void
lose (Listener *self)
{
  dsq_server_notices_set_sender (self->notices, FALSE);
  dsq_server_connection_close (&self->connection);
}

/* What was committed before it heard is to be looked for then. */
static gboolean
begin_to_hear (Listener *self)
{
  g_autoptr (GError) error = NULL;

  if (self->listen == NULL || g_get_monotonic_time () < self->try_at)
    return FALSE;
  self->try_at = g_get_monotonic_time () + MAX_LOOK_MS * 1000;
  if (dsq_server_connection_open (&self->connection, &error) &&
      dsq_server_say (&self->connection, self->listen, "listen", &error))
    {
      dsq_server_notices_set_sender (self->notices, TRUE);
      return TRUE;
    }
  lose (self);
  return FALSE;
}

/* Takes what has come; whether any of it is of others. The connection may be lost after it. */
static gboolean
hear (Listener *self)
{
  const DsqLibpq *pq = self->target.pq;
  gboolean has_heard = FALSE;
  PGnotify *notice;

  if (!pq->consumeInput (self->connection.handle))
    {
      lose (self);
      return TRUE;
    }
  while ((notice = pq->notifies (self->connection.handle)) != NULL)
    {
      has_heard |= g_strcmp0 (notice->extra, self->client) != 0;
      pq->freemem (notice);
    }
  return has_heard;
}

static int
get_wait_ms (const Listener *self)
{
  return (int) (self->connection.handle != NULL
                    ? MAX_LOOK_MS
                    : CLAMP (self->staleness_ms, MIN_LOOK_MS, MAX_LOOK_MS));
}

/* What could not be told is due still: to who connects again, or to who closes the store. FALSE:
 * the connection is lost. */
static gboolean
tell (Listener *self)
{
  if (!dsq_server_notices_take (self->notices) ||
      dsq_server_say (&self->connection, self->tell, "tell others", NULL))
    return TRUE;
  lose (self);
  dsq_server_notices_leave (self->notices);
  return FALSE;
}

static gboolean
wait_inside (Listener *self, int stop_fd)
{
  struct pollfd polled[] = { { stop_fd, POLLIN, 0 }, { -1, POLLIN, 0 }, { -1, POLLIN, 0 } };
  gint64 until;

  if (self->connection.handle == NULL && begin_to_hear (self))
    return TRUE;
  until = g_get_monotonic_time () + get_wait_ms (self) * 1000;
  while (self->connection.handle == NULL || !hear (self))
    {
      const gboolean is_connected = self->connection.handle != NULL;
      const gint64 due = is_connected ? dsq_server_notices_get_due (self->notices) : G_MAXINT64;
      const gint64 now = g_get_monotonic_time ();
      gint64 left;
      guint depth;

      polled[1].fd = is_connected ? self->target.pq->socket (self->connection.handle) : -1;
      polled[2].fd = is_connected ? self->notices->fd : -1;
      if (due <= now)
        {
          if (!tell (self))
            return TRUE;
          continue;
        }
      left = MIN (until, due) - now;
      if (until <= now)
        return TRUE;
      depth = dsq_fork_pause ();
      poll (polled, G_N_ELEMENTS (polled), (int) ((left + 999) / 1000));
      dsq_fork_resume (depth);
      if (polled[0].revents != 0)
        return FALSE;
    }
  return TRUE;
}

static gboolean
wait (DsqColdListener *listener, int stop_fd)
{
  gboolean may_look;

  dsq_fork_enter ();
  may_look = wait_inside ((Listener *) listener, stop_fd);
  dsq_fork_leave ();
  return may_look;
}

static void
free_listener (DsqColdListener *listener)
{
  Listener *self = (Listener *) listener;

  lose (self);
  dsq_server_notices_unref (self->notices);
  g_free (self->uri);
  g_free (self->listen);
  g_free (self->tell);
  g_free (self->client);
  g_free (self);
}

DsqColdListener *
dsq_server_listen (DsqColdTier *tier)
{
  const DsqColdServer *server = (DsqColdServer *) tier;
  Listener *self = g_new0 (Listener, 1);

  self->listener.wait = wait;
  self->listener.free = free_listener;
  self->uri = g_strdup (server->target.uri);
  self->target = server->target;
  self->target.uri = self->uri;
  self->connection.target = &self->target;
  self->client = g_strdup (server->client);
  self->tell = g_strdup_printf ("SELECT pg_notify('" DSQ_SERVER_CHANNEL "', '%s')",
                                server->id,
                                server->client);
  self->notices = dsq_server_notices_ref (server->notices);
  if (server->notify != NULL)
    self->listen = g_strdup_printf ("LISTEN " DSQ_SERVER_CHANNEL, server->id);
  self->staleness_ms = server->address.max_staleness_ms;
  return &self->listener;
}
