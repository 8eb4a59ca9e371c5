/* server-fake.h - in place of libpq, and of the server behind it: what it answers is told here
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/postgresql/dsq-server-funcs-private.h"
#include "cold/postgresql/dsq-server-sql-private.h"

/* One answer to one statement, the next time that it is said. Rows are parted by "|", columns by
 * spaces: a number, NULL as "~", text after "'", "L" for what is too long for an index, "m" for the
 * mark of the first table, "k" and "n" for the token and the mark of table 2, named "t", and "v"
 * and "w" for what a test has as values. */
typedef struct
{
  DsqServerStatement which;
  const char *rows;      /* (nullable) */
  ExecStatusType status; /* 0: PGRES_TUPLES_OK */
  const char *state;     /* (nullable) */
  gboolean is_last;      /* the connection is bad behind it */
} FakeAnswer;

#define FAKE_MAX_QUEUE 64
#define FAKE_LISTEN    ((DsqServerStatement) (DSQ_SERVER_N_STATEMENTS + 1))
#define FAKE_NONE      ((DsqServerStatement) (DSQ_SERVER_N_STATEMENTS + 2))
/* As a status: there is no result. */
#define FAKE_NOTHING ((ExecStatusType) 99)

static struct
{
  const FakeAnswer *answers; /* (unowned) */
  guint n_answers;
  guint used; /* a bit each */
  gpointer queue[FAKE_MAX_QUEUE];
  guint n_queued, n_taken;
  gboolean is_bad;            /* what the connection is */
  gboolean connects;          /* a new one can be made */
  guint n_opened;             /* how many were */
  guint left_to_send;         /* how often it is not all sent */
  gboolean is_elsewhere;      /* the server is not PostgreSQL */
  gboolean ends_no_pipeline;  /* what is behind the last answer does not come, */
  gboolean stays_in_pipeline; /* ... or does, and libpq goes on all the same */
  gboolean is_lost;           /* nothing can be read */
  gboolean is_silent;         /* nothing comes */
  gboolean fails_to_send;     /* statements */
  gboolean fails_to_flush;    /* what they are sent by */
  DsqServerStatement lost_at; /* cannot be sent */
  const char *mark;           /* (nullable) libpq's, of a parameter of the address */
  ExecStatusType copies;      /* the copy that is offered until it has ended, or 0 */
  gboolean ends_copy;         /* what is said next is of its end */
  guint n_parts;              /* given to it */
  guint max_parts;            /* so many are taken; 0: all */
  gsize n_copied;             /* bytes of them */
  guint n_begun;              /* copies, */
  guint n_abandoned;          /* ... and of these */
  DsqMarkColumn marks[2];     /* of tables 1 and 2 */
  GBytes *token;              /* (owned) of table 2 */
  GBytes *values[2];          /* (owned) (nullable) */
  guint n_others;             /* times that what is no statement of rows was said */
  gboolean fails_to_end;      /* a copy */
  int pipe[2];                /* from which nothing can be read */
} fake;

typedef struct
{
  const FakeAnswer *answer; /* (unowned) (nullable) */
  ExecStatusType status;
  GPtrArray *rows; /* (owned) of GPtrArray (owned) of GBytes (owned) (nullable) */
} FakeResult;

static inline void
fake_unref_bytes (gpointer bytes)
{
  if (bytes != NULL)
    g_bytes_unref (bytes);
}

static inline GBytes *
fake_column (const char *text)
{
  const guint64 number = GUINT64_TO_BE ((guint64) g_ascii_strtoll (text, NULL, 10));

  if (*text == '~')
    return NULL;
  if (*text == 'L')
    return g_bytes_new_take (g_malloc0 (DSQ_SERVER_MAX_TOKEN + 1), DSQ_SERVER_MAX_TOKEN + 1);
  if (*text == 'k')
    return g_bytes_ref (fake.token);
  if (*text == 'm' || *text == 'n')
    return g_bytes_new (fake.marks[*text == 'n'].bytes, fake.marks[*text == 'n'].length);
  if (*text == 'v' || *text == 'w')
    return g_bytes_ref (fake.values[*text == 'w']);
  if (*text == '\'')
    return g_bytes_new (text + 1, strlen (text + 1));
  return g_bytes_new (&number, sizeof number);
}

static inline FakeResult *
fake_result (const FakeAnswer *answer, const char *rows, ExecStatusType status)
{
  FakeResult *result = g_new0 (FakeResult, 1);
  g_auto (GStrv) lines = g_strsplit (rows != NULL ? rows : "", "|", -1);

  result->answer = answer;
  result->status = status;
  result->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) g_ptr_array_unref);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_auto (GStrv) words = g_strsplit (lines[i], " ", -1);
      GPtrArray *row = g_ptr_array_new_with_free_func (fake_unref_bytes);

      for (guint j = 0; words[j] != NULL; j++)
        g_ptr_array_add (row, fake_column (words[j]));
      g_ptr_array_add (result->rows, row);
    }
  return result;
}

static inline void
fake_queue (FakeResult *result)
{
  if (fake.n_taken == fake.n_queued)
    fake.n_taken = fake.n_queued = 0;
  g_assert_cmpuint (fake.n_queued, <, FAKE_MAX_QUEUE);
  fake.queue[fake.n_queued++] = result;
}

/* What an honest server answers that has an empty store of version 1. */
static inline const char *
fake_honest (DsqServerStatement which)
{
  switch (which)
    {
    case DSQ_SERVER_ASK:
      return "1";
    case DSQ_SERVER_LOCK:
      return "1 1";
    case DSQ_SERVER_TABLES:
      return "1 ' m 1099511627778 1";
    default:
      return NULL;
    }
}

static inline void
fake_answer (DsqServerStatement which, const FakeAnswer *answer)
{
  ExecStatusType status = answer != NULL ? answer->status : 0;

  if (status == 0)
    status = answer == NULL && which == DSQ_SERVER_COPY && !fake.ends_copy ? PGRES_COPY_IN
                                                                           : PGRES_TUPLES_OK;
  if (status != FAKE_NOTHING)
    fake_queue (fake_result (answer, answer != NULL ? answer->rows : fake_honest (which), status));
  fake.n_begun += status == PGRES_COPY_IN;
  if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT)
    fake.copies = status;
  else
    fake_queue (NULL);
}

static inline int
fake_say (DsqServerStatement which)
{
  const FakeAnswer *answer = NULL;

  if (fake.fails_to_send || which == fake.lost_at)
    return 0;
  fake.n_others += which == DSQ_SERVER_N_STATEMENTS;
  for (guint i = 0; i < fake.n_answers && answer == NULL; i++)
    if (fake.answers[i].which == which && (fake.used >> i & 1) == 0)
      {
        answer = &fake.answers[i];
        fake.used |= 1u << i;
      }
  fake_answer (which, answer);
  return 1;
}

/* --- libpq's functions ------------------------------------------------------------------------ */

static PGconn *
fake_start (const char *const *keywords, const char *const *values, int expand)
{
  static guint8 connection;

  fake.n_opened++;
  fake.n_queued = fake.n_taken = 0;
  fake.is_bad = fake.is_lost = FALSE;
  fake.copies = 0;
  return fake.connects ? (PGconn *) &connection : NULL;
}

static PostgresPollingStatusType
fake_poll (PGconn *handle)
{
  return PGRES_POLLING_OK;
}

static PQconninfoOption *
fake_parse (const char *uri, char **out_message)
{
  static PQconninfoOption options[3];

  options[0] = (PQconninfoOption){ .keyword = (char *) "not_given", .dispchar = (char *) "*" };
  options[1] = (PQconninfoOption){ .keyword = (char *) "given",
                                   .val = (char *) "value",
                                   .dispchar = (char *) fake.mark };
  return options;
}

static void
fake_free_options (PQconninfoOption *options)
{
}

static void
fake_free (void *memory)
{
}

static ConnStatusType
fake_status (const PGconn *handle)
{
  return fake.is_bad ? CONNECTION_BAD : CONNECTION_OK;
}

static char *
fake_message (const PGconn *handle)
{
  return (char *) "no";
}

static int
fake_socket (const PGconn *handle)
{
  return fake.is_silent ? fake.pipe[0] : fake.pipe[1];
}

static int
fake_no (const PGconn *handle)
{
  return 0;
}

static PGnotify *
fake_notice (PGconn *handle)
{
  return NULL;
}

static GPtrArray *
fake_rows (const PGresult *result)
{
  return ((FakeResult *) result)->rows;
}

static void
fake_clear (PGresult *result)
{
  if (result == NULL)
    return;
  g_ptr_array_unref (fake_rows (result));
  g_free ((FakeResult *) result);
}

/* With all that was not taken. */
static void
fake_finish (PGconn *handle)
{
  while (fake.n_taken < fake.n_queued)
    fake_clear (fake.queue[fake.n_taken++]);
}

static int
fake_nonblocking (PGconn *handle, int on)
{
  return 0;
}

static int
fake_flush (PGconn *handle)
{
  if (fake.fails_to_flush)
    return -1;
  return fake.left_to_send > 0 ? (int) fake.left_to_send-- : 0;
}

static int
fake_consume (PGconn *handle)
{
  return !fake.is_lost;
}

static int
fake_busy (PGconn *handle)
{
  return fake.is_silent;
}

static PGVerbosity
fake_verbosity (PGconn *handle, PGVerbosity verbosity)
{
  return verbosity;
}

static PQnoticeReceiver
fake_receiver (PGconn *handle, PQnoticeReceiver receiver, void *data)
{
  return receiver;
}

static DsqServerStatement
fake_which (const char *sql)
{
  guint which = 0;

  if (g_str_has_prefix (sql, "LISTEN"))
    return FAKE_LISTEN;
  while (which < DSQ_SERVER_N_STATEMENTS && strcmp (sql, dsq_server_sql[which].sql) != 0 &&
         g_strcmp0 (sql, dsq_server_sql[which].elsewhere) != 0)
    which++;
  return (DsqServerStatement) which;
}

static int
fake_query (PGconn *handle, const char *sql)
{
  return fake_say (fake_which (sql));
}

static int
fake_prepare (PGconn *handle, const char *name, const char *sql, int n, const Oid *types)
{
  return fake_say (g_str_has_prefix (sql, "LISTEN") ? FAKE_LISTEN : DSQ_SERVER_N_STATEMENTS);
}

static int
fake_prepared (PGconn *handle,
               const char *name,
               int n,
               const char *const *values,
               const int *lengths,
               const int *formats,
               int format)
{
  return fake_say ((DsqServerStatement) g_ascii_strtoull (name + strlen ("dictsqlite"), NULL, 10));
}

static int
fake_params (PGconn *handle,
             const char *sql,
             int n,
             const Oid *types,
             const char *const *values,
             const int *lengths,
             const int *formats,
             int format)
{
  return fake_say (fake_which (sql));
}

static int
fake_yes (PGconn *handle)
{
  return 1;
}

static int
fake_sync (PGconn *handle)
{
  if (!fake.ends_no_pipeline)
    fake_queue (fake_result (NULL, NULL, PGRES_PIPELINE_SYNC));
  return 1;
}

static int
fake_exit (PGconn *handle)
{
  return !fake.stays_in_pipeline;
}

/* A copy is over, and the next answer is of that. */
static void
fake_end_copy (void)
{
  fake.copies = 0;
  fake.ends_copy = TRUE;
  fake_say (DSQ_SERVER_COPY);
  fake.ends_copy = FALSE;
}

static int
fake_put_data (PGconn *handle, const char *bytes, int length)
{
  if (fake.copies != PGRES_COPY_IN)
    return -1;
  if (fake.max_parts > 0 && fake.n_parts == fake.max_parts)
    {
      fake_end_copy ();
      return -1;
    }
  fake.n_parts++;
  fake.n_copied += (gsize) length;
  return 1;
}

static int
fake_put_end (PGconn *handle, const char *message)
{
  if (fake.copies != PGRES_COPY_IN || fake.fails_to_end)
    return -1;
  fake.n_abandoned += message != NULL;
  fake_end_copy ();
  return 1;
}

static PGresult *
fake_get_result (PGconn *handle)
{
  FakeResult *result;

  if (fake.n_taken == fake.n_queued)
    return fake.copies != 0 ? (PGresult *) fake_result (NULL, NULL, fake.copies) : NULL;
  result = fake.queue[fake.n_taken++];
  if (result != NULL && result->answer != NULL)
    fake.is_bad |= result->answer->is_last;
  return (PGresult *) result;
}

static ExecStatusType
fake_result_status (const PGresult *result)
{
  return ((const FakeResult *) result)->status;
}

static char *
fake_field (const PGresult *result, int field)
{
  const FakeAnswer *answer = ((const FakeResult *) result)->answer;

  return field == PG_DIAG_SQLSTATE && answer != NULL ? (char *) answer->state : NULL;
}

static int
fake_count (const PGresult *result)
{
  return (int) fake_rows (result)->len;
}

static GBytes *
fake_cell (const PGresult *result, int row, int column)
{
  const GPtrArray *columns;

  if ((guint) row >= fake_rows (result)->len)
    return NULL;
  columns = fake_rows (result)->pdata[row];
  return (guint) column < columns->len ? columns->pdata[column] : NULL;
}

static char *
fake_value (const PGresult *result, int row, int column)
{
  GBytes *cell = fake_cell (result, row, column);

  return cell != NULL && g_bytes_get_size (cell) > 0 ? (char *) g_bytes_get_data (cell, NULL)
                                                     : (char *) "";
}

static const char *
fake_parameter (const PGconn *handle, const char *name)
{
  if (g_str_equal (name, "crdb_version"))
    return fake.is_elsewhere ? "24.1" : NULL;
  return g_str_equal (name, "server_version") ? "15.0" : NULL;
}

static int
fake_length (const PGresult *result, int row, int column)
{
  GBytes *cell = fake_cell (result, row, column);

  return cell != NULL ? (int) g_bytes_get_size (cell) : 0;
}

static int
fake_is_null (const PGresult *result, int row, int column)
{
  return fake_cell (result, row, column) == NULL;
}

static const DsqLibpq fake_pq = {
  .connectStartParams = fake_start,
  .connectPoll = fake_poll,
  .conninfoParse = fake_parse,
  .conninfoFree = fake_free_options,
  .freemem = fake_free,
  .status = fake_status,
  .errorMessage = fake_message,
  .parameterStatus = fake_parameter,
  .socket = fake_socket,
  .connectionNeedsPassword = fake_no,
  .finish = fake_finish,
  .setnonblocking = fake_nonblocking,
  .flush = fake_flush,
  .consumeInput = fake_consume,
  .isBusy = fake_busy,
  .notifies = fake_notice,
  .setErrorVerbosity = fake_verbosity,
  .setNoticeReceiver = fake_receiver,
  .sendQuery = fake_query,
  .sendPrepare = fake_prepare,
  .sendQueryPrepared = fake_prepared,
  .sendQueryParams = fake_params,
  .enterPipelineMode = fake_yes,
  .exitPipelineMode = fake_exit,
  .pipelineSync = fake_sync,
  .putCopyData = fake_put_data,
  .putCopyEnd = fake_put_end,
  .getResult = fake_get_result,
  .resultStatus = fake_result_status,
  .resultErrorField = fake_field,
  .ntuples = fake_count,
  .getvalue = fake_value,
  .getlength = fake_length,
  .getisnull = fake_is_null,
  .clear = fake_clear,
};
