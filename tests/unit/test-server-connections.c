/* test-server-connections.c - connections to a server that break, are not made, or say nothing
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <sys/resource.h>
#include <time.h>

#include "server-fixture.h"

static void
assert_lost (Fixture *self, GError **error)
{
  g_assert_error (*error, DSQ_ERROR, DSQ_ERROR_IO);
  g_assert_null (self->server.lookout.handle);
  g_clear_error (error);
  g_assert_true (dsq_server_catch_up (&self->server.tier, error));
  g_assert_no_error (*error);
}

static void
test_connections_that_break (Fixture *self, gconstpointer data)
{
  DsqColdTier *tier = &self->server.tier;
  g_autoptr (GError) error = NULL;

  /* as it is sent, with more to be sent, and by a statement alone; each is made anew by the next */
  fake.fails_to_flush = TRUE;
  g_assert_false (dsq_server_catch_up (tier, &error));
  fake.fails_to_flush = FALSE;
  assert_lost (self, &error);
  fake.left_to_send = 1;
  fake.is_lost = TRUE;
  g_assert_false (dsq_server_catch_up (tier, &error));
  fake.left_to_send = 0;
  assert_lost (self, &error);
  fake.left_to_send = 2;
  g_assert_true (dsq_server_catch_up (tier, &error));
  fake.lost_at = DSQ_SERVER_ASK;
  g_assert_false (dsq_server_catch_up (tier, &error));
  fake.lost_at = FAKE_NONE;
  assert_lost (self, &error);
  fake.fails_to_send = TRUE;
  g_assert_false (dsq_server_catch_up (tier, &error));
  fake.fails_to_send = FALSE;
  assert_lost (self, &error);

  /* nobody says anything on one that is lost */
  dsq_server_connection_close (&self->server.lookout);
  g_assert_false (dsq_server_say (&self->server.lookout, "SELECT", "say it", &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
}

static void
test_no_connection (Fixture *self, gconstpointer data)
{
  DsqColdTier *tier = &self->server.tier;
  g_autoptr (GError) error = NULL;

  dsq_server_connection_close (&self->server.lookout);
  fake.connects = FALSE;
  g_assert_false (catch_up (tier, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
  g_clear_error (&error);
  g_assert_false (probe_two (tier, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
  g_clear_error (&error);
  g_assert_false (begin (tier, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
}

/* Of a parameter that only libpq knows. */
static void
test_secrets (Fixture *self, gconstpointer data)
{
  DsqServerConnection *lookout = &self->server.lookout;
  g_autoptr (GError) error = NULL;

  dsq_server_connection_close (lookout);
  fake.mark = "*";
  g_assert_false (dsq_server_connection_open (lookout, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
  g_assert_null (strstr (error->message, "value"));
  g_clear_error (&error);
  fake.mark = "D";
  g_assert_true (dsq_server_connection_open (lookout, &error));
  g_assert_no_error (error);
}

/* A server that says nothing is waited for until the call is to end. */
static void
test_silence (Fixture *self, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_auto (DsqCall) call = { 0 };

  g_assert_true (dsq_call_begin (&call, cancellable, &error));
  g_cancellable_cancel (cancellable);
  fake.is_silent = TRUE;
  g_assert_false (catch_up (&self->server.tier, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (self->server.lookout.handle);
}

/* And so is one that is not there, between two tries. */
static void
test_tries_that_are_cancelled (Fixture *self, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_auto (DsqCall) call = { 0 };
  DsqServerTries tries;

  self->server.target.lock_wait_ms = 10000;
  dsq_server_connection_close (&self->server.lookout);
  g_assert_true (dsq_call_begin (&call, cancellable, &error));
  g_cancellable_cancel (cancellable);
  dsq_server_tries_begin (&tries, &self->server.target);
  for (guint i = 0; i < 2; i++)
    {
      g_set_error_literal (&error, DSQ_ERROR, DSQ_ERROR_IO, "lost");
      g_assert_true (dsq_server_tries_again (&tries, &self->server.lookout, &error) == (i == 0));
    }
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* Whoever cannot take it back ends the connection, by which the server does. */
static void
test_rollback_that_is_lost (Fixture *self, gconstpointer data)
{
  DsqColdTier *tier = &self->server.tier;
  DsqTableState state;

  g_assert_true (dsq_server_get_table (tier, DSQ_TABLE_MAIN, &state));
  g_assert_cmpint (state.count, ==, 1);
  g_assert_true (begin (tier, NULL));
  fake.fails_to_send = TRUE;
  dsq_server_rollback (tier);
  g_assert_null (self->server.writer.connection.handle);
  fake.fails_to_send = FALSE;
  g_assert_true (begin (tier, NULL));
  dsq_server_connection_close (&self->server.writer.connection);
  dsq_server_rollback (tier);
  g_assert_true (begin (tier, NULL));
}

static void
assert_looks_within (Fixture *self, guint staleness_ms, gint64 least_ms)
{
  const gint64 begun = g_get_monotonic_time ();
  DsqColdListener *listener;

  self->server.address.max_staleness_ms = staleness_ms;
  listener = dsq_server_listen (&self->server.tier);
  g_assert_true (listener->wait (listener, -1));
  g_assert_cmpint ((g_get_monotonic_time () - begun) / 1000, >=, least_ms);
  listener->free (listener);
}

/* Who is told nothing looks as often as who reads, but not all the time; and whoever cannot
 * connect, or is not understood, is told nothing. */
static void
test_listeners (Fixture *self, gconstpointer data)
{
  g_assert_cmpint (write (fake.pipe[1], "", 1), ==, 1);
  for (guint i = 0; i < 3; i++)
    {
      DsqColdListener *listener;

      fake.connects = i != 0;
      fake.lost_at = i == 1 ? FAKE_LISTEN : FAKE_NONE;
      self->server.notify = i == 2 ? NULL : (char *) "NOTIFY";
      self->server.address.max_staleness_ms = 5000 * i;
      listener = dsq_server_listen (&self->server.tier);
      g_assert_false (listener->wait (listener, fake.pipe[0]));
      /* it is not tried again at once */
      g_assert_false (listener->wait (listener, fake.pipe[0]));
      listener->free (listener);
    }
  self->server.notify = NULL;
  assert_looks_within (self, 0, 50);
  assert_looks_within (self, 80, 80);
}

/* What is left to who listens he sends when it is due; who cannot leaves it to who commits. */
static void
test_notices (Fixture *self, gconstpointer data)
{
  DsqServerNotices *notices = self->server.notices;
  DsqColdListener *listener;
  clock_t began;

  g_assert_true (dsq_server_notices_begin (notices) && dsq_server_notices_begin (notices));
  self->server.address.max_staleness_ms = 500;
  listener = dsq_server_listen (&self->server.tier);
  g_assert_true (listener->wait (listener, -1));
  /* until two are so close to each other */
  while (dsq_server_notices_begin (notices))
    ;
  dsq_server_notices_leave (notices);
  dsq_server_notices_leave (notices);
  g_assert_cmpint (dsq_server_notices_get_due (notices), <, G_MAXINT64);
  g_assert_true (listener->wait (listener, -1));
  g_assert_cmpint (dsq_server_notices_get_due (notices), ==, G_MAXINT64);

  /* which is due still where it is lost, and waited for meanwhile without a look */
  dsq_server_notices_leave (notices);
  fake.lost_at = DSQ_SERVER_N_STATEMENTS;
  g_assert_true (listener->wait (listener, -1));
  began = clock ();
  g_assert_true (listener->wait (listener, -1));
  g_assert_cmpint (clock () - began, <, CLOCKS_PER_SEC / 4);
  g_assert_cmpint (dsq_server_notices_get_due (notices), <, G_MAXINT64);
  g_assert_true (dsq_server_notices_begin (notices) && dsq_server_notices_begin (notices));
  fake.lost_at = FAKE_NONE;
  listener->free (listener);

  /* what is left at the end */
  dsq_server_notices_leave (notices);
  dsq_server_tell_left (&self->server);
  g_assert_false (dsq_server_notices_take (notices));
  g_assert_true (begin (&self->server.tier, NULL));
  dsq_server_tell_left (&self->server);
  dsq_server_notices_leave (notices);
  dsq_server_tell_left (&self->server);
  g_assert_false (dsq_server_notices_take (notices));
}

/* Each commit tells, then. */
static void
test_notices_without_a_descriptor (Fixture *self, gconstpointer data)
{
  struct rlimit usual, none;
  DsqServerNotices *notices;

  g_assert_no_errno (getrlimit (RLIMIT_NOFILE, &usual));
  none = (struct rlimit){ 0, usual.rlim_max };
  g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &none));
  notices = dsq_server_notices_new ();
  g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &usual));
  g_assert_cmpint (notices->fd, ==, -1);
  dsq_server_notices_set_sender (notices, TRUE);
  g_assert_true (dsq_server_notices_begin (notices) && dsq_server_notices_begin (notices));
  g_assert_cmpint (dsq_server_notices_get_due (notices), ==, G_MAXINT64);
  dsq_server_notices_unref (notices);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func)                                                                            \
  g_test_add ("/dsq/server-connections/" name, Fixture, NULL, set_up, func, tear_down)
  ADD ("listeners", test_listeners);
  ADD ("notices", test_notices);
  ADD ("notices-without-a-descriptor", test_notices_without_a_descriptor);
  ADD ("connections-that-break", test_connections_that_break);
  ADD ("no-connection", test_no_connection);
  ADD ("secrets", test_secrets);
  ADD ("silence", test_silence);
  ADD ("tries-that-are-cancelled", test_tries_that_are_cancelled);
  ADD ("rollback-that-is-lost", test_rollback_that_is_lost);
  return g_test_run ();
}
