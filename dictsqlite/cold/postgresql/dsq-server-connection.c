/* dsq-server-connection.c - one connection to the server
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <poll.h>
#include <string.h>

#include "base/dsq-call-out-private.h"
#include "base/dsq-fork-private.h"
#include "codec/dsq-utf8-private.h"
#include "cold/postgresql/dsq-server-connection-private.h"
#include "cold/postgresql/dsq-server-sql-private.h"
#include "dsq-error.h"

/* Between two looks at the cancellable of a call that waits. */
#define LOOK_US (10 * 1000)
/* So long a connection may take to be made, and so long the server may take for a statement beside
 * the locks that it waits for. */
#define CONNECT_US   (10 * G_USEC_PER_SEC)
#define STATEMENT_US (60 * G_USEC_PER_SEC)
/* Between two tries. */
#define FIRST_PAUSE_US (10 * 1000)
#define MAX_PAUSE_US   (500 * 1000)

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

static DsqError
code_of (const char *state)
{
  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    if (g_str_has_prefix (state, codes[i].state))
      return codes[i].code;
  return DSQ_ERROR_IO;
}

static gboolean
lose (DsqServerConnection *self, const char *purpose, GError **error)
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
static void
set_error (DsqServerConnection *self, const PGresult *result, const char *purpose, GError **error)
{
  const DsqLibpq *pq = self->target->pq;
  const char *state = pq->resultErrorField (result, PG_DIAG_SQLSTATE);
  const char *message = pq->resultErrorField (result, PG_DIAG_MESSAGE_PRIMARY);
  g_autofree char *shown = NULL;

  self->has_no_schema = g_strcmp0 (state, "3F000") == 0 || g_strcmp0 (state, "42P01") == 0;
  if (state == NULL || g_str_has_prefix (state, "57P"))
    {
      lose (self, purpose, error);
      return;
    }
  shown = dsq_utf8_show (message != NULL ? message : state);
  g_set_error (error,
               DSQ_ERROR,
               (gint) code_of (state),
               "Failed to %s: the server says: %s",
               purpose,
               shown);
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
static gboolean
wait_for (DsqServerConnection *self,
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

/* --- opening ---------------------------------------------------------------------------------- */

static void
ignore_notice (void *user_data, const PGresult *result)
{
}

/* What libpq says of an address that it cannot read is the address. */
static gboolean
check_uri (const DsqServerTarget *target, GError **error)
{
  char *message = NULL;
  PQconninfoOption *options = target->pq->conninfoParse (target->uri, &message);

  target->pq->freemem (message);
  if (options != NULL)
    {
      target->pq->conninfoFree (options);
      return TRUE;
    }
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_INVALID_ARGUMENT,
                       "Failed to open the store: its address cannot be read");
  return FALSE;
}

/* What the server says of a login that it refuses libpq tells in a message alone, and its state
 * there only where it is to tell everything: "FATAL:  28P01: password authentication failed". It is
 * in whatever encoding the server has, and maybe several lines. */
static gboolean
refuse_connection (DsqServerConnection *self, GError **error)
{
  const DsqLibpq *pq = self->target->pq;
  const char *told = self->handle != NULL ? pq->errorMessage (self->handle) : "";
  g_autoptr (GRegex) regex =
      g_regex_new ("(?<=:  )([0-9A-Z]{5}): |\nLOCATION:.*", G_REGEX_RAW, 0, NULL);
  g_autofree char *message = g_regex_replace_literal (regex, told, -1, 0, "", 0, NULL);
  g_autoptr (GMatchInfo) match = NULL;
  g_autofree char *state = NULL;
  g_autofree char *shown = NULL;
  DsqError code = DSQ_ERROR_IO;

  if (g_regex_match (regex, told, 0, &match))
    state = g_match_info_fetch (match, 1);
  if (self->handle != NULL && pq->connectionNeedsPassword (self->handle))
    code = DSQ_ERROR_PERMISSION;
  else if (state != NULL)
    code = code_of (state);
  shown = dsq_utf8_show (g_strdelimit (g_strchomp (message), "\n\t", ' '));
  g_set_error (error, DSQ_ERROR, (gint) code, "Failed to connect to the server: %s", shown);
  dsq_server_connection_close (self);
  return FALSE;
}

static gboolean
connect_it (DsqServerConnection *self, GError **error)
{
  const DsqLibpq *pq = self->target->pq;
  static const char *const keywords[] = { "dbname",
                                          "fallback_application_name",
                                          "client_encoding",
                                          NULL };
  const char *const values[] = { self->target->uri, "dictsqlite", "UTF8", NULL };
  gint64 deadline = g_get_monotonic_time () + CONNECT_US;
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;

  self->prepared = 0;
  self->said = 0;
  self->handle = pq->connectStartParams (keywords, values, TRUE);
  if (self->handle == NULL || pq->status (self->handle) == CONNECTION_BAD)
    return refuse_connection (self, error);
  pq->setNoticeReceiver (self->handle, ignore_notice, NULL);
  pq->setErrorVerbosity (self->handle, PQERRORS_VERBOSE);
  while (state != PGRES_POLLING_OK)
    {
      if (!wait_for (self,
                     state == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                     deadline,
                     "connect to the server",
                     error))
        return FALSE;
      state = pq->connectPoll (self->handle);
      if (state == PGRES_POLLING_FAILED)
        return refuse_connection (self, error);
    }
  return pq->setnonblocking (self->handle, TRUE) == 0 || refuse_connection (self, error);
}

/* A statement of a client that is gone, or a transaction of one that is stopped, ends by itself. */
static gboolean
set_up (DsqServerConnection *self, GError **error)
{
  const DsqServerTarget *target = self->target;
  g_autofree char *sql = g_strdup_printf ("SET statement_timeout = %u;"
                                          "SET lock_timeout = %u;"
                                          "SET idle_in_transaction_session_timeout = %u;"
                                          "SET default_transaction_isolation = 'read committed';"
                                          "SET default_transaction_read_only = %s;"
                                          "SET search_path = pg_catalog",
                                          (guint) (STATEMENT_US / 1000) + target->lock_wait_ms,
                                          MAX (target->lock_wait_ms, 1),
                                          (guint) (STATEMENT_US / 1000),
                                          target->read_only ? "on" : "off");

  return dsq_server_say (self, sql, "set up the connection", error);
}

gboolean
dsq_server_connection_open (DsqServerConnection *self, GError **error)
{
  if (!check_uri (self->target, error) || !connect_it (self, error))
    return FALSE;
  if (set_up (self, error))
    return TRUE;
  dsq_server_connection_close (self);
  return FALSE;
}

void
dsq_server_connection_close (DsqServerConnection *self)
{
  if (self->handle != NULL)
    self->target->pq->finish (g_steal_pointer (&self->handle));
}

/* --- statements ------------------------------------------------------------------------------- */

static gint64
deadline_of (const DsqServerConnection *self)
{
  return g_get_monotonic_time () + STATEMENT_US + (gint64) self->target->lock_wait_ms * 1000;
}

static gboolean
send_all (DsqServerConnection *self, gint64 deadline, const char *purpose, GError **error)
{
  const DsqLibpq *pq = self->target->pq;
  int left;

  while ((left = pq->flush (self->handle)) > 0)
    if (!wait_for (self, POLLIN | POLLOUT, deadline, purpose, error))
      return FALSE;
    else if (!pq->consumeInput (self->handle))
      return lose (self, purpose, error);
  return left == 0 || lose (self, purpose, error);
}

/* The next result, or NULL without an error when there is none. */
static gboolean
receive (DsqServerConnection *self,
         gint64 deadline,
         const char *purpose,
         PGresult **out_result,
         GError **error)
{
  const DsqLibpq *pq = self->target->pq;

  while (pq->isBusy (self->handle))
    if (!wait_for (self, POLLIN, deadline, purpose, error))
      return FALSE;
    else if (!pq->consumeInput (self->handle))
      return lose (self, purpose, error);
  *out_result = pq->getResult (self->handle);
  return TRUE;
}

static gboolean
is_failure (ExecStatusType status)
{
  return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_PIPELINE_SYNC;
}

/* All results of what was sent, of which that of number @wanted is kept, or the first of those
 * needed that tells an error. Between two is a NULL, and behind all of a pipeline what says so. */
static PGresult *
finish (DsqServerConnection *self,
        guint n_sent,
        guint n_needed,
        guint wanted,
        const char *purpose,
        GError **error)
{
  const DsqLibpq *pq = self->target->pq;
  gint64 deadline = deadline_of (self);
  PGresult *kept = NULL, *next = NULL;
  gboolean has_failed = FALSE;
  guint n = 0;

  if (!send_all (self, deadline, purpose, error))
    return NULL;
  while (n < n_sent)
    {
      if (!receive (self, deadline, purpose, &next, error))
        {
          pq->clear (kept);
          return NULL;
        }
      if (next == NULL)
        {
          n++;
          continue;
        }
      if (!has_failed && (n == wanted || (n < n_needed && is_failure (pq->resultStatus (next)))))
        {
          has_failed = is_failure (pq->resultStatus (next));
          pq->clear (kept);
          kept = next;
        }
      else
        pq->clear (next);
      /* nothing comes behind it */
      if (pq->status (self->handle) == CONNECTION_BAD)
        break;
    }
  if (kept != NULL && !has_failed && n == n_sent)
    return kept;
  if (kept == NULL || pq->status (self->handle) == CONNECTION_BAD)
    lose (self, purpose, error);
  else
    set_error (self, kept, purpose, error);
  pq->clear (kept);
  return NULL;
}

/* What was lost before is connected to anew by who takes it out for something new. */
static gboolean
is_connected (DsqServerConnection *self, const char *purpose, GError **error)
{
  return self->handle != NULL || lose (self, purpose, error);
}

gboolean
dsq_server_say (DsqServerConnection *self, const char *sql, const char *purpose, GError **error)
{
  PGresult *result;

  if (!is_connected (self, purpose, error))
    return FALSE;
  if (!self->target->pq->sendQuery (self->handle, sql))
    return lose (self, purpose, error);
  result = finish (self, 1, 1, 0, purpose, error);
  self->target->pq->clear (result);
  return result != NULL;
}

static const int binary[DSQ_SERVER_MAX_ARGS] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

/* Most connections say most things but once: it is the second time that a statement is prepared. */
static gboolean
prepare (DsqServerConnection *self, DsqServerStatement which, const char *name, GError **error)
{
  const DsqLibpq *pq = self->target->pq;
  const DsqServerSql *statement = &dsq_server_sql[which];
  const guint64 bit = G_GUINT64_CONSTANT (1) << which;
  PGresult *result;

  if ((self->said & bit) == 0 || (self->prepared & bit) != 0)
    return TRUE;
  if (!pq->sendPrepare (self->handle, name, statement->sql, 0, NULL))
    return lose (self, statement->purpose, error);
  result = finish (self, 1, 1, 0, statement->purpose, error);
  pq->clear (result);
  if (result != NULL)
    self->prepared |= bit;
  return result != NULL;
}

static gboolean
send (DsqServerConnection *self,
      DsqServerStatement which,
      const char *name,
      const DsqServerArgs *args)
{
  const DsqLibpq *pq = self->target->pq;
  const guint64 bit = G_GUINT64_CONSTANT (1) << which;

  self->said |= bit;
  if ((self->prepared & bit) != 0)
    return pq->sendQueryPrepared (self->handle,
                                  name,
                                  args->n,
                                  args->values,
                                  args->lengths,
                                  binary,
                                  TRUE);
  return pq->sendQueryParams (self->handle,
                              dsq_server_sql[which].sql,
                              args->n,
                              NULL,
                              args->values,
                              args->lengths,
                              binary,
                              TRUE);
}

static gboolean
send_plain (DsqServerConnection *self, const char *sql)
{
  return self->target->pq->sendQueryParams (self->handle, sql, 0, NULL, NULL, NULL, NULL, TRUE);
}

/* Where one fails the others are not run. */
static PGresult *
run_in_pipeline (DsqServerConnection *self,
                 const char *before,
                 DsqServerStatement which,
                 const char *name,
                 const DsqServerArgs *args,
                 const char *after,
                 const char *afterwards,
                 GError **error)
{
  const DsqLibpq *pq = self->target->pq;
  const char *purpose = dsq_server_sql[which].purpose;
  const guint n_needed = 1u + (before != NULL) + (after != NULL);
  const guint n_sent = n_needed + (afterwards != NULL);
  g_autoptr (GError) local_error = NULL;
  PGresult *result, *sync = NULL;

  if (!pq->enterPipelineMode (self->handle) || (before != NULL && !send_plain (self, before)) ||
      !send (self, which, name, args) || (after != NULL && !send_plain (self, after)) ||
      (afterwards != NULL && !send_plain (self, afterwards)) || !pq->pipelineSync (self->handle))
    {
      lose (self, purpose, error);
      return NULL;
    }
  result = finish (self, n_sent, n_needed, before != NULL, purpose, &local_error);
  if (self->handle != NULL && receive (self, deadline_of (self), purpose, &sync, NULL) &&
      sync != NULL && pq->exitPipelineMode (self->handle))
    {
      pq->clear (sync);
      if (result == NULL)
        g_propagate_error (error, g_steal_pointer (&local_error));
      return result;
    }
  pq->clear (sync);
  pq->clear (result);
  if (local_error != NULL)
    g_propagate_error (error, g_steal_pointer (&local_error));
  else
    lose (self, purpose, error);
  dsq_server_connection_close (self);
  return NULL;
}

PGresult *
dsq_server_run_between (DsqServerConnection *self,
                        const char *before,
                        DsqServerStatement which,
                        const DsqServerArgs *args,
                        const char *after,
                        const char *afterwards,
                        GError **error)
{
  const char *purpose = dsq_server_sql[which].purpose;
  char name[16];

  g_snprintf (name, sizeof name, "dictsqlite%d", (int) which);
  if (!is_connected (self, purpose, error) || !prepare (self, which, name, error))
    return NULL;
  if (before != NULL || after != NULL)
    return run_in_pipeline (self, before, which, name, args, after, afterwards, error);
  if (!send (self, which, name, args))
    {
      lose (self, purpose, error);
      return NULL;
    }
  return finish (self, 1, 1, 0, purpose, error);
}

PGresult *
dsq_server_run (DsqServerConnection *self,
                DsqServerStatement which,
                const DsqServerArgs *args,
                GError **error)
{
  return dsq_server_run_between (self, NULL, which, args, NULL, NULL, error);
}

gboolean
dsq_server_do (DsqServerConnection *self,
               DsqServerStatement which,
               const DsqServerArgs *args,
               GError **error)
{
  PGresult *result = dsq_server_run (self, which, args, error);

  self->target->pq->clear (result);
  return result != NULL;
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
