/* dsq-libpq-private.h - PostgreSQL's client library, loaded when it is first needed
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <libpq-fe.h>

G_BEGIN_DECLS

/* What is called of it: returns, name, arguments. */
#define DSQ_LIBPQ_FUNCTIONS(F)                                                                     \
  F (PGconn *, connectStartParams, (const char *const *, const char *const *, int) )               \
  F (PostgresPollingStatusType, connectPoll, (PGconn *) )                                          \
  F (PQconninfoOption *, conninfoParse, (const char *, char **) )                                  \
  F (void, conninfoFree, (PQconninfoOption *) )                                                    \
  F (void, freemem, (void *) )                                                                     \
  F (ConnStatusType, status, (const PGconn *) )                                                    \
  F (char *, errorMessage, (const PGconn *) )                                                      \
  F (const char *, parameterStatus, (const PGconn *, const char *) )                               \
  F (int, socket, (const PGconn *) )                                                               \
  F (int, connectionNeedsPassword, (const PGconn *) )                                              \
  F (void, finish, (PGconn *) )                                                                    \
  F (int, setnonblocking, (PGconn *, int) )                                                        \
  F (int, flush, (PGconn *) )                                                                      \
  F (int, consumeInput, (PGconn *) )                                                               \
  F (int, isBusy, (PGconn *) )                                                                     \
  F (PGnotify *, notifies, (PGconn *) )                                                            \
  F (PGVerbosity, setErrorVerbosity, (PGconn *, PGVerbosity))                                      \
  F (PQnoticeReceiver, setNoticeReceiver, (PGconn *, PQnoticeReceiver, void *) )                   \
  F (int, sendQuery, (PGconn *, const char *) )                                                    \
  F (int, sendPrepare, (PGconn *, const char *, const char *, int, const Oid *) )                  \
  F (int,                                                                                          \
     sendQueryPrepared,                                                                            \
     (PGconn *, const char *, int, const char *const *, const int *, const int *, int) )           \
  F (int,                                                                                          \
     sendQueryParams,                                                                              \
     (PGconn *,                                                                                    \
      const char *,                                                                                \
      int,                                                                                         \
      const Oid *,                                                                                 \
      const char *const *,                                                                         \
      const int *,                                                                                 \
      const int *,                                                                                 \
      int) )                                                                                       \
  F (int, enterPipelineMode, (PGconn *) )                                                          \
  F (int, exitPipelineMode, (PGconn *) )                                                           \
  F (int, pipelineSync, (PGconn *) )                                                               \
  F (int, putCopyData, (PGconn *, const char *, int) )                                             \
  F (int, putCopyEnd, (PGconn *, const char *) )                                                   \
  F (PGresult *, getResult, (PGconn *) )                                                           \
  F (ExecStatusType, resultStatus, (const PGresult *) )                                            \
  F (char *, resultErrorField, (const PGresult *, int) )                                           \
  F (int, ntuples, (const PGresult *) )                                                            \
  F (char *, getvalue, (const PGresult *, int, int) )                                              \
  F (int, getlength, (const PGresult *, int, int) )                                                \
  F (int, getisnull, (const PGresult *, int, int) )                                                \
  F (void, clear, (PGresult *) )

typedef struct
{
#define DSQ_LIBPQ_FIELD(Returns, name, arguments) Returns (*name) arguments;
  DSQ_LIBPQ_FUNCTIONS (DSQ_LIBPQ_FIELD)
#undef DSQ_LIBPQ_FIELD
} DsqLibpq;

/* Loads it, once a process; NULL with DSQ_ERROR_NOT_SUPPORTED. It stays loaded. */
const DsqLibpq *dsq_libpq_load (GError **error);

G_END_DECLS
