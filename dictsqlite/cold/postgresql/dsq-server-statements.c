/* dsq-server-statements.c - what is said to the server, and answered
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <poll.h>

#include "cold/postgresql/dsq-server-connection-private.h"
#include "cold/postgresql/dsq-server-sql-private.h"

static gint64
deadline_of (const DsqServerConnection *self)
{
  return g_get_monotonic_time () + DSQ_SERVER_STATEMENT_US +
         (gint64) self->target->lock_wait_ms * 1000;
}

static gboolean
send_all (DsqServerConnection *self, gint64 deadline, const char *purpose, GError **error)
{
  const DsqLibpq *pq = self->target->pq;
  int left;

  while ((left = pq->flush (self->handle)) > 0)
    if (!dsq_server_wait_for (self, POLLIN | POLLOUT, deadline, purpose, error))
      return FALSE;
    else if (!pq->consumeInput (self->handle))
      return dsq_server_lose (self, purpose, error);
  return left == 0 || dsq_server_lose (self, purpose, error);
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
    if (!dsq_server_wait_for (self, POLLIN, deadline, purpose, error))
      return FALSE;
    else if (!pq->consumeInput (self->handle))
      return dsq_server_lose (self, purpose, error);
  *out_result = pq->getResult (self->handle);
  return TRUE;
}

static gboolean
is_failure (ExecStatusType status)
{
  return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_PIPELINE_SYNC;
}

static const char *
purpose_of (const DsqServerStep *step)
{
  return step->sql != NULL ? step->purpose : dsq_server_sql[step->which].purpose;
}

void
dsq_server_clear_steps (DsqServerConnection *self, DsqServerStep *steps, guint n_steps)
{
  for (guint i = 0; i < n_steps; i++)
    self->target->pq->clear (g_steal_pointer (&steps[i].result));
}

/* Of several results of one step the last tells: nothing comes behind an error. */
static gboolean
receive_all (DsqServerConnection *self, DsqServerStep *steps, guint n_steps, GError **error)
{
  const DsqLibpq *pq = self->target->pq;
  gint64 deadline = deadline_of (self);
  PGresult *next;
  guint n = 0;

  if (!send_all (self, deadline, purpose_of (steps), error))
    return FALSE;
  while (n < n_steps)
    {
      if (!receive (self, deadline, purpose_of (&steps[n]), &next, error))
        return FALSE;
      if (next == NULL)
        {
          n++;
          continue;
        }
      pq->clear (steps[n].result);
      steps[n].result = next;
      /* nothing comes behind it */
      if (pq->status (self->handle) == CONNECTION_BAD)
        return dsq_server_lose (self, purpose_of (&steps[n]), error);
    }
  return TRUE;
}

/* Everything that was sent is answered, or the connection is over. */
static gboolean
finish (DsqServerConnection *self, DsqServerStep *steps, guint n_steps, GError **error)
{
  const DsqLibpq *pq = self->target->pq;

  if (!receive_all (self, steps, n_steps, error))
    return FALSE;
  for (guint i = 0; i < n_steps; i++)
    if (!steps[i].is_vain && steps[i].result == NULL)
      return dsq_server_lose (self, purpose_of (&steps[i]), error);
    else if (!steps[i].is_vain && is_failure (pq->resultStatus (steps[i].result)))
      return dsq_server_set_error (self, steps[i].result, purpose_of (&steps[i]), error);
  return TRUE;
}

/* What was lost before is connected to anew by who takes it out for something new. */
static gboolean
is_connected (DsqServerConnection *self, const char *purpose, GError **error)
{
  return self->handle != NULL || dsq_server_lose (self, purpose, error);
}

gboolean
dsq_server_say (DsqServerConnection *self, const char *sql, const char *purpose, GError **error)
{
  DsqServerStep step = { .sql = sql, .purpose = purpose };
  gboolean success;

  if (!is_connected (self, purpose, error) || !dsq_server_send_queued (self, error))
    return FALSE;
  if (!self->target->pq->sendQuery (self->handle, sql))
    return dsq_server_lose (self, purpose, error);
  success = finish (self, &step, 1, error);
  dsq_server_clear_steps (self, &step, 1);
  return success;
}

static const int binary[DSQ_SERVER_MAX_ARGS] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

typedef struct
{
  char text[16];
} Name;

static Name
name_of (DsqServerStatement which)
{
  Name name;

  g_snprintf (name.text, sizeof name.text, "dictsqlite%d", (int) which);
  return name;
}

static const char *
sql_of (const DsqServerConnection *self, DsqServerStatement which)
{
  const DsqServerSql *statement = &dsq_server_sql[which];

  return self->is_postgresql || statement->elsewhere == NULL ? statement->sql
                                                             : statement->elsewhere;
}

/* Most connections say most things but once: it is the second time that a statement is prepared. */
static gboolean
prepare (DsqServerConnection *self, DsqServerStatement which, GError **error)
{
  const DsqLibpq *pq = self->target->pq;
  const guint64 bit = G_GUINT64_CONSTANT (1) << which;
  DsqServerStep step = { .which = which };
  gboolean success;

  if ((self->said & bit) == 0 || (self->prepared & bit) != 0)
    return TRUE;
  if (!pq->sendPrepare (self->handle, name_of (which).text, sql_of (self, which), 0, NULL))
    return dsq_server_lose (self, purpose_of (&step), error);
  success = finish (self, &step, 1, error);
  dsq_server_clear_steps (self, &step, 1);
  if (success)
    self->prepared |= bit;
  return success;
}

static gboolean
send (DsqServerConnection *self, const DsqServerStep *step)
{
  const DsqLibpq *pq = self->target->pq;
  const guint64 bit = G_GUINT64_CONSTANT (1) << step->which;
  const DsqServerArgs *args = step->args;

  if (step->sql != NULL)
    return pq->sendQueryParams (self->handle, step->sql, 0, NULL, NULL, NULL, NULL, TRUE);
  self->said |= bit;
  if ((self->prepared & bit) != 0)
    return pq->sendQueryPrepared (self->handle,
                                  name_of (step->which).text,
                                  args->n,
                                  args->values,
                                  args->lengths,
                                  binary,
                                  TRUE);
  return pq->sendQueryParams (self->handle,
                              sql_of (self, step->which),
                              args->n,
                              NULL,
                              args->values,
                              args->lengths,
                              binary,
                              TRUE);
}

static gboolean
run_in_pipeline (DsqServerConnection *self, DsqServerStep *steps, guint n_steps, GError **error)
{
  const DsqLibpq *pq = self->target->pq;
  const char *purpose = purpose_of (&steps[n_steps - 1]);
  PGresult *sync = NULL;
  gboolean is_sent = pq->enterPipelineMode (self->handle);
  gboolean is_over, success;

  for (guint i = 0; is_sent && i < n_steps; i++)
    is_sent = send (self, &steps[i]);
  if (!is_sent || !pq->pipelineSync (self->handle))
    return dsq_server_lose (self, purpose, error);
  success = finish (self, steps, n_steps, error);
  if (self->handle == NULL)
    return FALSE;
  is_over = receive (self, deadline_of (self), purpose, &sync, NULL) && sync != NULL &&
            pq->exitPipelineMode (self->handle);
  pq->clear (sync);
  if (is_over)
    return success;
  dsq_server_connection_close (self);
  return success && dsq_server_lose (self, purpose, error);
}

static gboolean
run_all (DsqServerConnection *self, DsqServerStep *steps, guint n_steps, GError **error)
{
  if (!is_connected (self, purpose_of (steps), error))
    return FALSE;
  for (guint i = 0; i < n_steps; i++)
    if (steps[i].sql == NULL && !prepare (self, steps[i].which, error))
      return FALSE;
  if (n_steps > 1)
    return run_in_pipeline (self, steps, n_steps, error);
  if (!send (self, steps))
    return dsq_server_lose (self, purpose_of (steps), error);
  return finish (self, steps, 1, error);
}

gboolean
dsq_server_run_steps (DsqServerConnection *self,
                      DsqServerStep *steps,
                      guint n_steps,
                      GError **error)
{
  DsqServerStep all[DSQ_SERVER_MAX_QUEUED + DSQ_SERVER_MAX_STEPS] = { 0 };
  const guint n_queued = self->n_queued;
  gboolean success;

  for (guint i = 0; i < n_queued; i++)
    all[i] = (DsqServerStep){ .which = self->queue[i]->which, .args = &self->queue[i]->args };
  for (guint i = 0; i < n_steps; i++)
    all[n_queued + i] = steps[i];
  success = run_all (self, all, n_queued + n_steps, error);
  dsq_server_clear_steps (self, all, success ? n_queued : n_queued + n_steps);
  for (guint i = 0; i < n_steps; i++)
    steps[i].result = all[n_queued + i].result;
  dsq_server_drop_queued (self);
  return success;
}

PGresult *
dsq_server_run (DsqServerConnection *self,
                DsqServerStatement which,
                const DsqServerArgs *args,
                GError **error)
{
  DsqServerStep step = { .which = which, .args = args };

  return dsq_server_run_steps (self, &step, 1, error) ? step.result : NULL;
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

gboolean
dsq_server_send_queued (DsqServerConnection *self, GError **error)
{
  return self->n_queued == 0 || dsq_server_run_steps (self, NULL, 0, error);
}
