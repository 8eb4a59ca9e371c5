/* dsq-server-connect.c - making a connection to the server
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <poll.h>
#include <string.h>

#include "codec/dsq-utf8-private.h"
#include "cold/postgresql/dsq-server-address-private.h"
#include "cold/postgresql/dsq-server-connection-private.h"
#include "dsq-error.h"

/* So long it may take. */
#define CONNECT_US (10 * G_USEC_PER_SEC)

static void
ignore_notice (void *user_data, const PGresult *result)
{
}

/* Parameters that a libpq of later times has may be secret too: it marks those by "*". */
static gboolean
check_secrets (const PQconninfoOption *options, GError **error)
{
  for (; options->keyword != NULL; options++)
    if (options->val != NULL && g_strcmp0 (options->dispchar, "*") == 0)
      return dsq_server_address_refuse_secret (options->keyword, error);
  return TRUE;
}

/* What libpq says of an address that it cannot read is the address. */
static gboolean
check_uri (const DsqServerTarget *target, GError **error)
{
  char *message = NULL;
  PQconninfoOption *options = target->pq->conninfoParse (target->uri, &message);
  gboolean is_fine;

  target->pq->freemem (message);
  if (options != NULL)
    {
      is_fine = check_secrets (options, error);
      target->pq->conninfoFree (options);
      return is_fine;
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
    code = dsq_server_code_of (state);
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
      if (!dsq_server_wait_for (self,
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

/* PostgreSQL plans a statement that is prepared once, with what it knows of the tables then. Where
 * they were small it would read all rows of the store for each key, and for minutes after they have
 * grown. Where an argument is an array it would plan for each one's length anew, which takes longer
 * than what is done for a key. But Citus has no other way to find where an argument leads. Others
 * that speak its protocol plan otherwise. */
#define PLANS                                                                                      \
  ";SET enable_seqscan = off;SET enable_bitmapscan = off;SET enable_sort = off;SET jit = off"      \
  ";SELECT set_config('plan_cache_mode', 'force_generic_plan', false)"                             \
  " WHERE NOT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')"

static gboolean
is_postgresql (const DsqServerConnection *self)
{
  const DsqLibpq *pq = self->target->pq;
  const char *version = pq->parameterStatus (self->handle, "server_version");

  return version != NULL && strstr (version, "-YB-") == NULL &&
         pq->parameterStatus (self->handle, "crdb_version") == NULL;
}

/* A statement of a client that is gone, or a transaction of one that is stopped, ends by itself. */
static gboolean
set_up (DsqServerConnection *self, GError **error)
{
  const DsqServerTarget *target = self->target;
  g_autofree char *sql = NULL;

  self->is_postgresql = is_postgresql (self);
  sql = g_strdup_printf ("SET statement_timeout = %u;"
                         "SET lock_timeout = %u;"
                         "SET idle_in_transaction_session_timeout = %u;"
                         "SET default_transaction_isolation = 'read committed';"
                         "SET default_transaction_read_only = %s;"
                         "SET search_path = pg_catalog%s",
                         (guint) (DSQ_SERVER_STATEMENT_US / 1000) + target->lock_wait_ms,
                         MAX (target->lock_wait_ms, 1),
                         (guint) (DSQ_SERVER_STATEMENT_US / 1000),
                         target->read_only ? "on" : "off",
                         self->is_postgresql ? PLANS : "");

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
