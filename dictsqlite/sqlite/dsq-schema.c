/* dsq-schema.c - what a store's file holds beside its entries
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-log-tag-private.h"
#include "dsq-error.h"
#include "dsq-resources.h"
#include "sqlite/dsq-schema-private.h"
#include "sqlite/dsq-statement-private.h"

#define SCHEMA_RESOURCE "/org/dictsqlite/schema-2.sql"
#define CREATE_PURPOSE  "create the store"
#define VERIFY_PURPOSE  "open the store"
/* Of a header and a tag, as text too. */
#define MAX_COLUMN 184
G_STATIC_ASSERT (MAX_COLUMN == DSQ_HEADER_MAX_LENGTH + DSQ_FORMAT_TAG_LENGTH);

/* Tables that ANALYZE makes, each with the SQL that SQLite gives it. */
static const struct
{
  const char *name;
  const char *sql;
} tolerated[] = {
  { "sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)" },
  { "sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)" },
};

/* What sqlite_schema says of our own, with the statement that makes each; SQLite makes those
 * without one. A statement ends in a semicolon, which is not kept. */
static const struct
{
  const char *type;
  const char *name;
  const char *table;
  const char *made_by;
} own_rows[] = {
  { "table", "entry", "entry", "CREATE TABLE entry " },
  { "index", "entry_expires", "entry", "CREATE INDEX entry_expires " },
  { "index", "sqlite_autoindex_entry_1", "entry", NULL },
  { "index", "sqlite_autoindex_tables_1", "tables", NULL },
  { "table", "store", "store", "CREATE TABLE store " },
  { "table", "tables", "tables", "CREATE TABLE tables " },
};

/* The lines of our schema, a statement each: a resource of the library. */
static const char *const *
get_lines (void)
{
  static char **lines; /* (owned) */
  static gsize is_read;

  if (g_once_init_enter (&is_read))
    {
      g_autoptr (GBytes) sql = g_resource_lookup_data (dsq_get_resource (),
                                                       SCHEMA_RESOURCE,
                                                       G_RESOURCE_LOOKUP_FLAGS_NONE,
                                                       NULL);

      g_assert (sql != NULL);
      lines = g_strsplit (g_bytes_get_data (sql, NULL), ";\n", -1);
      g_once_init_leave (&is_read, 1);
    }
  return (const char *const *) lines;
}

/* --- creating --------------------------------------------------------------------------------- */

static gboolean
create_tables (DsqDatabase *database, GError **error)
{
  const char *const *lines = get_lines ();

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

/* What stands in the header's column: the header, and the log's tag. */
typedef struct
{
  guint8 bytes[MAX_COLUMN];
  gsize length;
} Column;

static void
make_column (Column *self, const DsqHeader *header, const DsqLogTag *tag)
{
  memcpy (self->bytes, header->bytes, header->length);
  dsq_log_tag_write (tag, dsq_header_get_store_id (header), self->bytes + header->length);
  self->length = header->length + DSQ_FORMAT_TAG_LENGTH;
}

gboolean
dsq_schema_install (DsqDatabase *database, const DsqHeader *header, GError **error)
{
  g_autofree char *application_id =
      g_strdup_printf ("PRAGMA application_id = %d", DSQ_FORMAT_APPLICATION_ID);
  g_autofree char *version = g_strdup_printf ("PRAGMA user_version = %d", DSQ_FORMAT_VERSION);
  DsqLogTag tag = { 0, 0 };
  Column column;

  if (!dsq_log_tag_renew (&tag, error))
    return FALSE;
  make_column (&column, header, &tag);
  return create_tables (database, error) &&
         run_with_blob (database,
                        "INSERT INTO store (id, header) VALUES (1, ?1)",
                        CREATE_PURPOSE,
                        column.bytes,
                        column.length,
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

static const char *
find_line (const char *start)
{
  const char *const *lines = get_lines ();

  while (!g_str_has_prefix (*lines, start))
    lines++;
  return *lines;
}

/* The row of ours that it is, or one behind the last. */
static guint
find_own_row (sqlite3_stmt *row)
{
  guint i = 0;

  while (i < G_N_ELEMENTS (own_rows) && !column_equals (row, 1, own_rows[i].name))
    i++;
  if (i < G_N_ELEMENTS (own_rows) && column_equals (row, 0, own_rows[i].type) &&
      column_equals (row, 2, own_rows[i].table) &&
      column_equals (row, 3, own_rows[i].made_by != NULL ? find_line (own_rows[i].made_by) : NULL))
    return i;
  return G_N_ELEMENTS (own_rows);
}

/* Ours has no two equal rows: each is to be there once. */
static gboolean
compare_rows (DsqStatement *found, GError **error)
{
  guint left = (1u << G_N_ELEMENTS (own_rows)) - 1;
  DsqStep step;

  while ((step = dsq_statement_step (found, error)) == DSQ_STEP_ROW)
    {
      guint row;

      if (row_is_tolerated (found->handle))
        continue;
      row = 1u << find_own_row (found->handle);
      if ((left & row) == 0)
        return refuse (error, DSQ_ERROR_FORMAT, "its schema is not that of a store");
      left &= ~row;
    }
  if (step == DSQ_STEP_DONE && left != 0)
    return refuse (error, DSQ_ERROR_FORMAT, "its schema is not that of a store");
  return step == DSQ_STEP_DONE;
}

static gboolean
verify_schema (DsqDatabase *database, GError **error)
{
  static const char sql[] = "SELECT type, name, tbl_name, sql FROM sqlite_schema";
  g_auto (DsqStatement) found = { NULL };

  return dsq_statement_prepare (&found, database, sql, VERIFY_PURPOSE, error) &&
         compare_rows (&found, error);
}

/* Of one row too many there need be no more. What is longer than it can be is not fetched: a small
 * file can hand out very many bytes. */
static gboolean
read_column (DsqDatabase *database, DsqHeader *out_header, DsqLogTag *out_tag, GError **error)
{
  static const char sql[] =
      "SELECT CASE WHEN typeof (header) = 'blob' AND length (header) <= " G_STRINGIFY (
          MAX_COLUMN) " THEN header END FROM store LIMIT 2";
  g_auto (DsqStatement) statement = { NULL };
  const guint8 *bytes;
  gsize length;
  DsqStep step;

  if (!dsq_statement_prepare (&statement, database, sql, VERIFY_PURPOSE, error))
    return FALSE;
  step = dsq_statement_step (&statement, error);
  if (step == DSQ_STEP_FAILED)
    return FALSE;
  if (step == DSQ_STEP_DONE)
    return refuse (error, DSQ_ERROR_CORRUPT, "it has no header");
  bytes = sqlite3_column_blob (statement.handle, 0);
  length = (gsize) sqlite3_column_bytes (statement.handle, 0);
  if (bytes == NULL || !dsq_log_tag_read (out_tag, bytes, &length))
    return refuse (error, DSQ_ERROR_CORRUPT, "its header is damaged");
  if (!dsq_header_read (out_header, bytes, length, error))
    return FALSE;
  step = dsq_statement_step (&statement, error);
  if (step == DSQ_STEP_ROW)
    return refuse (error, DSQ_ERROR_CORRUPT, "it has more than one header");
  return step == DSQ_STEP_DONE;
}

gboolean
dsq_schema_read_header (DsqDatabase *database, DsqHeader *out_header, GError **error)
{
  DsqLogTag ignored;

  return read_column (database, out_header, &ignored, error);
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

static gboolean
write_column (DsqDatabase *database,
              const DsqHeader *header,
              const DsqLogTag *tag,
              const char *purpose,
              GError **error)
{
  Column column;

  make_column (&column, header, tag);
  return run_with_blob (database,
                        "UPDATE store SET header = ?1",
                        purpose,
                        column.bytes,
                        column.length,
                        error);
}

gboolean
dsq_schema_write_header (DsqDatabase *database, const DsqHeader *header, GError **error)
{
  DsqHeader before;
  DsqLogTag tag;

  return read_column (database, &before, &tag, error) &&
         write_column (database, header, &tag, "change the password", error);
}

gboolean
dsq_schema_renew_log_tag (DsqDatabase *database, GError **error)
{
  DsqHeader header;
  DsqLogTag tag;

  return read_column (database, &header, &tag, error) && dsq_log_tag_renew (&tag, error) &&
         write_column (database, &header, &tag, "write the tag of the log", error);
}
