/* dsq-statement.c - a prepared statement
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-fork-private.h"
#include "base/dsq-mutex-private.h"
#include "sqlite/dsq-statement-private.h"

/* Of a row, which SQLite's own limit allows. */
#define MOST_BYTES G_GUINT64_CONSTANT (1000000000)

void
dsq_statement_plan (DsqStatement *self, DsqDatabase *database, const char *sql, const char *purpose)
{
  self->database = database;
  self->purpose = purpose;
  self->sql = sql;
}

gboolean
dsq_statement_make (DsqStatement *self, GError **error)
{
  int code;

  if (!dsq_database_check_own (self->database, self->purpose, error))
    return FALSE;
  dsq_fork_assert_inside ();
  dsq_mutex_assert_may_wait ("SQLite");
  code = sqlite3_prepare_v3 (self->database->handle,
                             self->sql,
                             -1,
                             SQLITE_PREPARE_PERSISTENT,
                             &self->handle,
                             NULL);
  if (code != SQLITE_OK)
    dsq_database_set_error (self->database, code, self->purpose, error);
  return code == SQLITE_OK;
}

void
dsq_statement_make_to_bind (DsqStatement *self)
{
  if (self->failure == NULL)
    dsq_statement_make (self, &self->failure);
}

gboolean
dsq_statement_prepare (DsqStatement *self,
                       DsqDatabase *database,
                       const char *sql,
                       const char *purpose,
                       GError **error)
{
  dsq_statement_plan (self, database, sql, purpose);
  return dsq_statement_make (self, error);
}

void
dsq_statement_clear (DsqStatement *self)
{
  if (self->handle != NULL && dsq_database_check_own (self->database, NULL, NULL))
    sqlite3_finalize (self->handle);
  self->handle = NULL;
  g_clear_error (&self->failure);
}

/* After a failure to do so as something was bound, only the next use tries again: bindings are
 * missing now. */
static gboolean
make_to_step (DsqStatement *self, GError **error)
{
  if (self->failure == NULL)
    return dsq_statement_make (self, error);
  g_propagate_error (error, g_steal_pointer (&self->failure));
  return FALSE;
}

/* SQLite says so of a row, too, that tells of 4 GiB, before it looks at how many bytes the file
 * has. It is that, and not memory, where it is said again while there is enough for all of the
 * file. */
static gboolean
is_out_of_memory (DsqStatement *self)
{
  const guint64 n_bytes = MIN (dsq_database_measure (self->database), MOST_BYTES);
  void *memory;
  int code;

  if (!sqlite3_stmt_readonly (self->handle))
    return TRUE;
  sqlite3_reset (self->handle);
  memory = sqlite3_malloc64 (2 * n_bytes + 1);
  sqlite3_free (memory);
  if (memory == NULL)
    return TRUE;
  do
    code = sqlite3_step (self->handle);
  while (code == SQLITE_ROW);
  return code != SQLITE_NOMEM;
}

DsqStep
dsq_statement_step (DsqStatement *self, GError **error)
{
  int code;

  if (!dsq_database_check_own (self->database, self->purpose, error))
    return DSQ_STEP_FAILED;
  if (G_UNLIKELY (self->handle == NULL) && !make_to_step (self, error))
    return DSQ_STEP_FAILED;
  dsq_fork_assert_inside ();
  dsq_mutex_assert_may_wait ("SQLite");
  self->database->n_run = 0;
  code = sqlite3_step (self->handle);
  if (code == SQLITE_ROW)
    return DSQ_STEP_ROW;
  if (code == SQLITE_DONE)
    return DSQ_STEP_DONE;
  if (code == SQLITE_NOMEM && !is_out_of_memory (self))
    code = SQLITE_CORRUPT;
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
