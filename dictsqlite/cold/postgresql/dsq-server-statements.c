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

static gboolean
is_copy (ExecStatusType status)
{
  return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
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
      /* what offers to copy would be given again and again */
      if (is_copy (pq->resultStatus (next)))
        return dsq_server_lose (self, purpose_of (&steps[n]), error);
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

/* --- a copy ----------------------------------------------------------------------------------- */

/* Before the rows, and behind them. */
#define COPY_HEAD                                                                                  \
  "PGCOPY\n\377\r\n\0"                                                                             \
  "\0\0\0\0\0\0\0\0"
#define COPY_END "\377\377"
/* libpq's buffer grows by what it is given, so that it is given little at a time. */
#define COPY_PART (32u << 10)
/* The server counts a statement's time. */
#define COPY_LASTS_US G_USEC_PER_SEC

static const DsqServerStep copy_step = { .which = DSQ_SERVER_COPY };

/* What the server says of a copy that is over. */
static gboolean
finish_copy (DsqServerConnection *self, GError **error)
{
  DsqServerStep step = copy_step;
  gboolean success;

  g_clear_pointer (&self->copied, g_byte_array_unref);
  success = finish (self, &step, 1, error);
  dsq_server_clear_steps (self, &step, 1);
  return success;
}

/* Nothing more can be sent: the server has ended it, and says why. */
static gboolean
end_copy_early (DsqServerConnection *self, GError **error)
{
  if (finish_copy (self, error))
    dsq_server_lose (self, purpose_of (&copy_step), error);
  return FALSE;
}

static gboolean
send_part (DsqServerConnection *self, const guint8 *bytes, gsize length, GError **error)
{
  if (self->target->pq->putCopyData (self->handle, (const char *) bytes, (int) length) != 1)
    return end_copy_early (self, error);
  return send_all (self, deadline_of (self), purpose_of (&copy_step), error);
}

static gboolean
send_copied (DsqServerConnection *self, GError **error)
{
  if (!send_part (self, self->copied->data, self->copied->len, error))
    return FALSE;
  g_byte_array_set_size (self->copied, 0);
  return TRUE;
}

gboolean
dsq_server_copy_add (DsqServerConnection *self, const guint8 *bytes, gsize length, GError **error)
{
  if (length < COPY_PART)
    {
      g_byte_array_append (self->copied, bytes, (guint) length);
      return self->copied->len < COPY_PART || send_copied (self, error);
    }
  if (!send_copied (self, error))
    return FALSE;
  for (gsize sent = 0; sent < length; sent += COPY_PART)
    if (!send_part (self, bytes + sent, MIN (COPY_PART, length - sent), error))
      return FALSE;
  return TRUE;
}

static gboolean
begin_copy (DsqServerConnection *self, GError **error)
{
  const DsqLibpq *pq = self->target->pq;
  const char *purpose = purpose_of (&copy_step);
  const gint64 deadline = deadline_of (self);
  DsqServerStep step = copy_step;
  gboolean is_begun;

  if (!is_connected (self, purpose, error))
    return FALSE;
  if (!pq->sendQuery (self->handle, dsq_server_sql[DSQ_SERVER_COPY].sql))
    return dsq_server_lose (self, purpose, error);
  if (!send_all (self, deadline, purpose, error) ||
      !receive (self, deadline, purpose, &step.result, error))
    return FALSE;
  is_begun = step.result != NULL && pq->resultStatus (step.result) == PGRES_COPY_IN;
  if (!is_begun && finish (self, &step, 1, error))
    dsq_server_lose (self, purpose, error);
  dsq_server_clear_steps (self, &step, 1);
  return is_begun;
}

gboolean
dsq_server_copy_begin (DsqServerConnection *self, GError **error)
{
  const gint64 now = g_get_monotonic_time ();

  if (self->copied != NULL && self->n_queued == 0 && now < self->copies_since + COPY_LASTS_US)
    return TRUE;
  if (!dsq_server_copy_end (self, error) || !dsq_server_send_queued (self, error) ||
      !begin_copy (self, error))
    return FALSE;
  self->copied = g_byte_array_sized_new (2 * COPY_PART);
  self->copies_since = now;
  g_byte_array_append (self->copied, (const guint8 *) COPY_HEAD, sizeof COPY_HEAD - 1);
  return TRUE;
}

gboolean
dsq_server_copy_end (DsqServerConnection *self, GError **error)
{
  if (self->copied == NULL)
    return TRUE;
  g_byte_array_append (self->copied, (const guint8 *) COPY_END, sizeof COPY_END - 1);
  if (!send_copied (self, error))
    return FALSE;
  if (self->target->pq->putCopyEnd (self->handle, NULL) != 1)
    return end_copy_early (self, error);
  return finish_copy (self, error);
}

void
dsq_server_copy_abandon (DsqServerConnection *self)
{
  if (self->copied == NULL)
    return;
  self->target->pq->putCopyEnd (self->handle, "the rows are not wanted");
  finish_copy (self, NULL);
}

/* --- statements ------------------------------------------------------------------------------- */

gboolean
dsq_server_say (DsqServerConnection *self, const char *sql, const char *purpose, GError **error)
{
  DsqServerStep step = { .sql = sql, .purpose = purpose };
  gboolean success;

  if (!is_connected (self, purpose, error) || !dsq_server_copy_end (self, error) ||
      !dsq_server_send_queued (self, error))
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

  if (!dsq_server_copy_end (self, error))
    return FALSE;
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
