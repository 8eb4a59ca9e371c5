/* dsq-statement.c - a prepared statement
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-fork-private.h"
#include "base/dsq-mutex-private.h"
#include "sqlite/dsq-statement-private.h"

gboolean
dsq_statement_prepare (DsqStatement *self,
                       DsqDatabase *database,
                       const char *sql,
                       const char *purpose,
                       GError **error)
{
  int code;

  self->database = database;
  self->purpose = purpose;
  if (!dsq_database_check_own (database, purpose, error))
    return FALSE;
  dsq_fork_assert_inside ();
  dsq_mutex_assert_may_wait ("SQLite");
  code = sqlite3_prepare_v3 (database->handle,
                             sql,
                             -1,
                             SQLITE_PREPARE_PERSISTENT,
                             &self->handle,
                             NULL);
  if (code != SQLITE_OK)
    dsq_database_set_error (database, code, purpose, error);
  return code == SQLITE_OK;
}

void
dsq_statement_clear (DsqStatement *self)
{
  if (self->handle != NULL && dsq_database_check_own (self->database, NULL, NULL))
    sqlite3_finalize (self->handle);
  self->handle = NULL;
}

DsqStep
dsq_statement_step (DsqStatement *self, GError **error)
{
  int code;

  if (!dsq_database_check_own (self->database, self->purpose, error))
    return DSQ_STEP_FAILED;
  dsq_fork_assert_inside ();
  dsq_mutex_assert_may_wait ("SQLite");
  self->database->n_run = 0;
  code = sqlite3_step (self->handle);
  if (code == SQLITE_ROW)
    return DSQ_STEP_ROW;
  if (code == SQLITE_DONE)
    return DSQ_STEP_DONE;
  dsq_database_set_error (self->database, code, self->purpose, error);
  sqlite3_reset (self->handle);
  return DSQ_STEP_FAILED;
}

gboolean
dsq_statement_run (DsqStatement *self, GError **error)
{
  DsqStep step = dsq_statement_step (self, error);

  sqlite3_reset (self->handle);
  return step != DSQ_STEP_FAILED;
}
