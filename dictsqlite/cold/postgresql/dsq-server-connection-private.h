/* dsq-server-connection-private.h - one connection to the server
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/postgresql/dsq-server-array-private.h"
#include "dsq-error.h"

G_BEGIN_DECLS

/* Where the connections of a store lead. */
typedef struct
{
  const DsqLibpq *pq;
  const char *uri;    /* (unowned) */
  guint lock_wait_ms; /* for a lock that another client holds */
  gboolean read_only;
} DsqServerTarget;

/* So long the server may take for a statement beside the locks that it waits for. */
#define DSQ_SERVER_STATEMENT_US (60 * G_USEC_PER_SEC)
/* Statements that may wait. */
#define DSQ_SERVER_MAX_QUEUED 2

/* For one thread at a time. It ends when it is lost, when a call is cancelled that waits for it, or
 * when the server does not answer in time; the server ends by itself what is under way there. */
typedef struct
{
  const DsqServerTarget *target; /* (unowned) */
  PGconn *handle;                /* (owned) (nullable) */
  guint64 said;                  /* statements that it has been used for, a bit each */
  guint64 prepared;              /* those that the server knows by name */
  gboolean has_no_schema;        /* what was said last was of a schema that is not there */
  gboolean may_ask;              /* no lock is held that a caller's function could want */
  gboolean is_postgresql;        /* and not another that speaks its protocol */

  /* what goes with the next statement that is said */
  struct _DsqServerQueued *queue[DSQ_SERVER_MAX_QUEUED]; /* (owned) */
  guint n_queued;

  /* a copy that is under way, which ends before that */
  GByteArray *copied;  /* (owned) (nullable) what was not sent of it yet; NULL: there is none */
  gint64 copies_since; /* monotonic */
} DsqServerConnection;

/* What is said to the server. */
typedef enum
{
  DSQ_SERVER_ASK,
  DSQ_SERVER_LOCK,
  DSQ_SERVER_CHANGES,
  DSQ_SERVER_TABLES,
  DSQ_SERVER_NAMES,
  DSQ_SERVER_FIND_TABLE,
  DSQ_SERVER_MAKE_TABLE,
  DSQ_SERVER_DROP_TABLE,
  DSQ_SERVER_CLEAR_TABLE,
  DSQ_SERVER_GET,
  DSQ_SERVER_GET_MANY,
  DSQ_SERVER_PROBE,
  DSQ_SERVER_WALK,
  DSQ_SERVER_WALK_BACK,
  DSQ_SERVER_RANGE,
  DSQ_SERVER_EXPIRED,
  DSQ_SERVER_NEXT_EXPIRY,
  DSQ_SERVER_REMOVE,
  DSQ_SERVER_SET,
  DSQ_SERVER_COPY,
  DSQ_SERVER_END_COPIES,
  DSQ_SERVER_NOTE,
  DSQ_SERVER_FORGET,
  DSQ_SERVER_FIND_NOTE,
  DSQ_SERVER_FIND_STORE,
  DSQ_SERVER_MAKE_STORE,
  DSQ_SERVER_HEADER,
  DSQ_SERVER_SET_HEADER,
  DSQ_SERVER_STORED_TABLES,
  DSQ_SERVER_N_STATEMENTS
} DsqServerStatement;

gboolean dsq_server_connection_open (DsqServerConnection *self, GError **error);
void dsq_server_connection_close (DsqServerConnection *self);

/* For those who wait for it. All but the first return FALSE where they set an error. */
DsqError dsq_server_code_of (const char *state);
gboolean dsq_server_lose (DsqServerConnection *self, const char *purpose, GError **error);
gboolean dsq_server_set_error (DsqServerConnection *self,
                               const PGresult *result,
                               const char *purpose,
                               GError **error);
gboolean dsq_server_wait_for (DsqServerConnection *self,
                              short events,
                              gint64 deadline,
                              const char *purpose,
                              GError **error);

/* --- statements ------------------------------------------------------------------------------- */

/* What is said in a trip, among others. */
typedef struct
{
  const char *sql;     /* (unowned) (nullable) of no arguments; NULL: it is of @which */
  const char *purpose; /* (unowned) of @sql */
  DsqServerStatement which;
  const DsqServerArgs *args; /* (unowned) */
  gboolean is_vain;          /* what becomes of it is nobody's concern */
  PGresult *result;          /* (owned) (nullable) out */
} DsqServerStep;

#define DSQ_SERVER_MAX_STEPS 4

/* Runs up to DSQ_SERVER_MAX_STEPS in one round trip; where one fails those behind it are not run.
 * Results are the caller's to clear, and there are none after an error: DSQ_ERROR_IO and no handle
 * when the connection was lost. What has been queued is run before them. */
gboolean dsq_server_run_steps (DsqServerConnection *self,
                               DsqServerStep *steps,
                               guint n_steps,
                               GError **error);
void dsq_server_clear_steps (DsqServerConnection *self, DsqServerStep *steps, guint n_steps);
/* One statement; the result is the caller's to clear, NULL with an error. */
PGresult *dsq_server_run (DsqServerConnection *self,
                          DsqServerStatement which,
                          const DsqServerArgs *args,
                          GError **error);
/* The same of what gives nothing. */
gboolean dsq_server_do (DsqServerConnection *self,
                        DsqServerStatement which,
                        const DsqServerArgs *args,
                        GError **error);
/* Several without arguments. */
gboolean
dsq_server_say (DsqServerConnection *self, const char *sql, const char *purpose, GError **error);

/* A statement with all that it needs. */
typedef struct _DsqServerQueued
{
  DsqServerStatement which;
  DsqServerArgs args; /* may borrow from the arrays */
  DsqServerArray arrays[DSQ_SERVER_MAX_ARGS];
} DsqServerQueued;

void dsq_server_queued_free (DsqServerQueued *self);
/* Takes it. That it fails is told by what is said next. */
void dsq_server_queue (DsqServerConnection *self, DsqServerQueued *queued);
gboolean dsq_server_send_queued (DsqServerConnection *self, GError **error);
void dsq_server_drop_queued (DsqServerConnection *self);

/* --- a copy ----------------------------------------------------------------------------------- */

/* DSQ_SERVER_COPY, for PostgreSQL alone, behind what has been queued. It stays under way, so that
 * more can be added, until something else is said, which tells whether it went well. */
gboolean dsq_server_copy_begin (DsqServerConnection *self, GError **error);
gboolean
dsq_server_copy_add (DsqServerConnection *self, const guint8 *bytes, gsize length, GError **error);

/* Where none is under way these do nothing. An abandoned one adds nothing, and what has begun the
 * transaction, or a savepoint, is to take back what came before. */
gboolean dsq_server_copy_end (DsqServerConnection *self, GError **error);
void dsq_server_copy_abandon (DsqServerConnection *self);

/* --- trying again ----------------------------------------------------------------------------- */

typedef struct
{
  gint64 deadline; /* monotonic */
  guint n_tries;
} DsqServerTries;

void dsq_server_tries_begin (DsqServerTries *self, const DsqServerTarget *target);
/* Whether what has failed with *error is to be tried again on another connection: then *error is
 * gone, and the server was given some time. */
gboolean dsq_server_tries_again (DsqServerTries *self,
                                 const DsqServerConnection *connection,
                                 GError **error);

G_END_DECLS
