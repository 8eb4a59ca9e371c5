/* dsq-server-connection-private.h - one connection to the server
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/postgresql/dsq-server-array-private.h"

G_BEGIN_DECLS

/* Where the connections of a store lead. */
typedef struct
{
  const DsqLibpq *pq;
  const char *uri;    /* (unowned) */
  guint lock_wait_ms; /* for a lock that another client holds */
  gboolean read_only;
} DsqServerTarget;

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

/* Runs one statement, or with dsq_server_say() several without arguments; the result is the
 * caller's to clear. NULL with an error: DSQ_ERROR_IO and no handle when the connection was lost.
 */
PGresult *dsq_server_run (DsqServerConnection *self,
                          DsqServerStatement which,
                          const DsqServerArgs *args,
                          GError **error);
/* The same in one round trip with what comes @before and @after, each without arguments; nullable.
 * What becomes of what comes @afterwards is nobody's concern. */
PGresult *dsq_server_run_between (DsqServerConnection *self,
                                  const char *before,
                                  DsqServerStatement which,
                                  const DsqServerArgs *args,
                                  const char *after,
                                  const char *afterwards,
                                  GError **error);
gboolean
dsq_server_say (DsqServerConnection *self, const char *sql, const char *purpose, GError **error);
/* As dsq_server_run(), of what gives nothing. */
gboolean dsq_server_do (DsqServerConnection *self,
                        DsqServerStatement which,
                        const DsqServerArgs *args,
                        GError **error);

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
