/* dsq-schema.c - what a store's file holds beside its entries
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "dsq-error.h"
#include "dsq-resources.h"
#include "sqlite/dsq-schema-private.h"
#include "sqlite/dsq-statement-private.h"

#define SCHEMA_RESOURCE "/org/dictsqlite/schema-2.sql"
#define CREATE_PURPOSE  "create the store"
#define VERIFY_PURPOSE  "open the store"

/* Tables that ANALYZE makes, each with the SQL that SQLite gives it. */
static const struct
{
  const char *name;
  const char *sql;
} tolerated[] = {
  { "sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)" },
  { "sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)" },
};

/* --- creating --------------------------------------------------------------------------------- */

static gboolean
create_tables (DsqDatabase *database, GError **error)
{
  g_autoptr (GBytes) sql = g_resource_lookup_data (dsq_get_resource (),
                                                   SCHEMA_RESOURCE,
                                                   G_RESOURCE_LOOKUP_FLAGS_NONE,
                                                   error);
  g_auto (GStrv) lines = NULL;

  if (sql == NULL)
    return FALSE;
  lines = g_strsplit (g_bytes_get_data (sql, NULL), "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    if (lines[i][0] != '\0' && !dsq_database_run (database, lines[i], CREATE_PURPOSE, error))
      return FALSE;
  return TRUE;
}

static gboolean
run_with_blob (DsqDatabase *database,
               const char *sql,
               const char *purpose,
               const guint8 *bytes,
               gsize length,
               GError **error)
{
  g_auto (DsqStatement) statement = { NULL };

  if (!dsq_statement_prepare (&statement, database, sql, purpose, error))
    return FALSE;
  dsq_statement_bind_bytes (&statement, 1, bytes, length);
  return dsq_statement_run (&statement, error);
}

gboolean
dsq_schema_install (DsqDatabase *database, const DsqHeader *header, GError **error)
{
  g_autofree char *application_id =
      g_strdup_printf ("PRAGMA application_id = %d", DSQ_FORMAT_APPLICATION_ID);
  g_autofree char *version = g_strdup_printf ("PRAGMA user_version = %d", DSQ_FORMAT_VERSION);

  return create_tables (database, error) &&
         run_with_blob (database,
                        "INSERT INTO store (id, header) VALUES (1, ?1)",
                        CREATE_PURPOSE,
                        header->bytes,
                        header->length,
                        error) &&
         run_with_blob (database,
                        "INSERT INTO tables (id, token, name, mark, floor, holes)"
                        " VALUES (1, x'', NULL, ?1, 1, 0)",
                        CREATE_PURPOSE,
                        header->first_mark.bytes,
                        header->first_mark.length,
                        error) &&
         dsq_database_run (database, application_id, CREATE_PURPOSE, error) &&
         dsq_database_run (database, version, CREATE_PURPOSE, error);
}

/* --- verifying -------------------------------------------------------------------------------- */

static gboolean
refuse (GError **error, DsqError code, const char *cause)
{
  g_set_error (error, DSQ_ERROR, (int) code, "Failed to " VERIFY_PURPOSE ": %s", cause);
  return FALSE;
}

static gboolean
verify_number (DsqDatabase *database, const char *pragma, gint64 expected, GError **error)
{
  gint64 number;

  if (!dsq_database_get_number (database, pragma, VERIFY_PURPOSE, &number, error))
    return FALSE;
  return number == expected ||
         refuse (error, DSQ_ERROR_FORMAT, "it is not a store of this version");
}

static gboolean
column_equals (sqlite3_stmt *statement, int column, const char *expected)
{
  int type = sqlite3_column_type (statement, column);
  gsize length;

  if (expected == NULL || type != SQLITE_TEXT)
    return expected == NULL && type == SQLITE_NULL;
  length = strlen (expected);
  return (gsize) sqlite3_column_bytes (statement, column) == length &&
         memcmp (sqlite3_column_text (statement, column), expected, length) == 0;
}

static gboolean
row_is_tolerated (sqlite3_stmt *row)
{
  for (guint i = 0; i < G_N_ELEMENTS (tolerated); i++)
    if (column_equals (row, 0, "table") && column_equals (row, 1, tolerated[i].name) &&
        column_equals (row, 2, tolerated[i].name) && column_equals (row, 3, tolerated[i].sql))
      return TRUE;
  return FALSE;
}

/* Both lists are in the same order, and ours has no two equal rows: so equal means one for one. */
static gboolean
compare_rows (DsqStatement *expected, DsqStatement *found, GError **error)
{
  for (;;)
    {
      DsqStep ours = dsq_statement_step (expected, error);
      DsqStep theirs;

      if (ours == DSQ_STEP_FAILED)
        return FALSE;
      do
        theirs = dsq_statement_step (found, error);
      while (theirs == DSQ_STEP_ROW && row_is_tolerated (found->handle));
      if (theirs == DSQ_STEP_FAILED)
        return FALSE;

      if (ours != theirs)
        return refuse (error, DSQ_ERROR_FORMAT, "its schema is not that of a store");
      if (ours == DSQ_STEP_DONE)
        return TRUE;
      for (int column = 0; column < 4; column++)
        {
          const char *text = (const char *) sqlite3_column_text (expected->handle, column);

          if (!column_equals (found->handle, column, text))
            return refuse (error, DSQ_ERROR_FORMAT, "its schema is not that of a store");
        }
    }
}

static gboolean
verify_schema (DsqDatabase *database, GError **error)
{
  static const char sql[] =
      "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name, type";
  g_autoptr (DsqDatabase) scratch = dsq_database_open_scratch (error);
  g_auto (DsqStatement) expected = { NULL };
  g_auto (DsqStatement) found = { NULL };

  return scratch != NULL && create_tables (scratch, error) &&
         dsq_statement_prepare (&expected, scratch, sql, VERIFY_PURPOSE, error) &&
         dsq_statement_prepare (&found, database, sql, VERIFY_PURPOSE, error) &&
         compare_rows (&expected, &found, error);
}

gboolean
dsq_schema_read_header (DsqDatabase *database, DsqHeader *out_header, GError **error)
{
  g_auto (DsqStatement) statement = { NULL };
  gint64 n_rows, length;
  const guint8 *bytes;
  DsqStep step;

  if (!dsq_database_get_number (database,
                                "SELECT count(*) FROM (SELECT 1 FROM store LIMIT 2)",
                                VERIFY_PURPOSE,
                                &n_rows,
                                error))
    return FALSE;
  if (n_rows != 1)
    return refuse (error, DSQ_ERROR_CORRUPT, "it does not have one header");

  /* the length before the bytes: a small file can hand out very many */
  if (!dsq_database_get_number (
          database,
          "SELECT CASE typeof (header) WHEN 'blob' THEN length (header) ELSE -1 END FROM store",
          VERIFY_PURPOSE,
          &length,
          error))
    return FALSE;
  if (length < 0 || length > DSQ_HEADER_MAX_LENGTH)
    return refuse (error, DSQ_ERROR_CORRUPT, "its header is damaged");
  if (!dsq_statement_prepare (&statement,
                              database,
                              "SELECT header FROM store",
                              VERIFY_PURPOSE,
                              error))
    return FALSE;
  step = dsq_statement_step (&statement, error);
  if (step == DSQ_STEP_FAILED)
    return FALSE;
  bytes = step == DSQ_STEP_ROW ? sqlite3_column_blob (statement.handle, 0) : NULL;
  if (bytes == NULL)
    return refuse (error, DSQ_ERROR_CORRUPT, "its header is damaged");
  return dsq_header_read (out_header,
                          bytes,
                          (gsize) sqlite3_column_bytes (statement.handle, 0),
                          error);
}

gboolean
dsq_schema_verify (DsqDatabase *database, DsqHeader *out_header, GError **error)
{
  gboolean verified;

  dsq_database_set_deadline (database, DSQ_SCHEMA_VERIFY_MS);
  verified = verify_number (database, "PRAGMA application_id", DSQ_FORMAT_APPLICATION_ID, error) &&
             verify_number (database, "PRAGMA user_version", DSQ_FORMAT_VERSION, error) &&
             verify_schema (database, error) &&
             dsq_schema_read_header (database, out_header, error);
  dsq_database_set_deadline (database, 0);
  return verified;
}

gboolean
dsq_schema_write_header (DsqDatabase *database, const DsqHeader *header, GError **error)
{
  return run_with_blob (database,
                        "UPDATE store SET header = ?1",
                        "change the password",
                        header->bytes,
                        header->length,
                        error);
}
