/* dsq-cold-stream.c - many rows written by one statement
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-stream-private.h"

/*
 * Binding and stepping a statement for each row costs as much as what is done to the tree. Here
 * one statement inserts from a virtual table of the connection's own, which is asked for row after
 * row:
 *
 *   next     was the row before inserted? then its rowid is the last one; the next row, please
 *   column   its place, token, ...
 *            SQLite writes it
 *   next     ...
 *
 * That needs the rows to stream: nothing in the statement may have SQLite collect them first, as an
 * ORDER BY, a RETURNING or a trigger would, for places follow from what became of the rows before.
 * The last row is told of in the call that ends the table.
 */

#define PURPOSE "write entries"

/* "WHERE true", since ON would be read as a join's. */
#define SQL_WRITE                                                                                  \
  "INSERT INTO entry (place, table_id, token, expires, value, name)"                               \
  " SELECT place, table_id, token, expires, value, name FROM dsq_stream WHERE true"                \
  " ON CONFLICT (table_id, token)"                                                                 \
  " DO UPDATE SET expires = excluded.expires, value = excluded.value"

enum
{
  AT_PLACE,
  AT_TABLE,
  AT_TOKEN,
  AT_EXPIRES,
  AT_VALUE,
  AT_NAME
};

struct _DsqColdStream
{
  DsqDatabase *database; /* (unowned) */
  DsqStatement statement;

  /* of the statement under way */
  DsqColdStreamFunc next;
  gpointer user_data;
  GError **error;
  DsqStep step;
  DsqColdStreamRow row; /* that was given last */
};

typedef struct
{
  sqlite3_vtab base;
  DsqColdStream *stream; /* (unowned) */
} StreamTable;

/* --- the virtual table ------------------------------------------------------------------------ */

static int
connect_cb (sqlite3 *handle,
            void *data,
            int argc,
            const char *const *argv,
            sqlite3_vtab **out_table,
            char **out_message)
{
  int code =
      sqlite3_declare_vtab (handle,
                            "CREATE TABLE rows (place, table_id, token, expires, value, name)");
  StreamTable *table;

  if (code != SQLITE_OK)
    return code;
  table = sqlite3_malloc (sizeof *table);
  if (table == NULL)
    return SQLITE_NOMEM;
  *table = (StreamTable){ .stream = data };
  *out_table = &table->base;
  return SQLITE_OK;
}

static int
disconnect_cb (sqlite3_vtab *table)
{
  sqlite3_free (table);
  return SQLITE_OK;
}

static int
best_index_cb (sqlite3_vtab *table, sqlite3_index_info *info)
{
  return SQLITE_OK;
}

static int
open_cb (sqlite3_vtab *table, sqlite3_vtab_cursor **out_cursor)
{
  *out_cursor = sqlite3_malloc (sizeof **out_cursor);
  return *out_cursor != NULL ? SQLITE_OK : SQLITE_NOMEM;
}

static int
close_cb (sqlite3_vtab_cursor *cursor)
{
  sqlite3_free (cursor);
  return SQLITE_OK;
}

static DsqColdStream *
stream_of (sqlite3_vtab_cursor *cursor)
{
  return ((StreamTable *) cursor->pVtab)->stream;
}

/* An update leaves the last rowid as it was. */
static int
next_cb (sqlite3_vtab_cursor *cursor)
{
  DsqColdStream *self = stream_of (cursor);
  sqlite3 *handle = self->database->handle;
  gboolean inserted = self->row.place != 0 && sqlite3_last_insert_rowid (handle) == self->row.place;

  /* outside of a write there is nothing to give */
  if (self->next == NULL)
    return SQLITE_ERROR;
  sqlite3_set_last_insert_rowid (handle, 0);
  self->step = self->next (inserted, &self->row, self->user_data, self->error);
  return self->step != DSQ_STEP_FAILED ? SQLITE_OK : SQLITE_ERROR;
}

static int
filter_cb (sqlite3_vtab_cursor *cursor,
           int number,
           const char *text,
           int argc,
           sqlite3_value **argv)
{
  return next_cb (cursor);
}

static int
eof_cb (sqlite3_vtab_cursor *cursor)
{
  return stream_of (cursor)->step != DSQ_STEP_ROW;
}

static int
column_cb (sqlite3_vtab_cursor *cursor, sqlite3_context *context, int at)
{
  const DsqColdStreamRow *row = &stream_of (cursor)->row;
  const DsqColdColumns *columns = &row->columns;

  if (at == AT_PLACE)
    sqlite3_result_int64 (context, row->place);
  else if (at == AT_TABLE)
    sqlite3_result_int64 (context, row->entry->table);
  else if (at == AT_TOKEN)
    sqlite3_result_blob64 (context, columns->token.bytes, columns->token.length, SQLITE_STATIC);
  else if (at == AT_EXPIRES && row->entry->has_expiry)
    sqlite3_result_int64 (context, dsq_entry_expires (row->entry));
  else if (at == AT_VALUE)
    sqlite3_result_blob64 (context, columns->value, columns->value_length, SQLITE_STATIC);
  else if (at == AT_NAME && columns->name_length > 0)
    sqlite3_result_blob64 (context, columns->name, columns->name_length, SQLITE_STATIC);
  return SQLITE_OK;
}

static int
rowid_cb (sqlite3_vtab_cursor *cursor, sqlite3_int64 *out_rowid)
{
  *out_rowid = stream_of (cursor)->row.place;
  return SQLITE_OK;
}

/* One that is made by no statement has no xCreate, and needs no row in the schema. */
static const sqlite3_module module = {
  .xConnect = connect_cb,
  .xBestIndex = best_index_cb,
  .xDisconnect = disconnect_cb,
  .xOpen = open_cb,
  .xClose = close_cb,
  .xFilter = filter_cb,
  .xNext = next_cb,
  .xEof = eof_cb,
  .xColumn = column_cb,
  .xRowid = rowid_cb,
};

/* --- the stream ------------------------------------------------------------------------------- */

DsqColdStream *
dsq_cold_stream_new (DsqDatabase *database, GError **error)
{
  DsqColdStream *self = g_new0 (DsqColdStream, 1);
  int code = sqlite3_create_module_v2 (database->handle, "dsq_stream", &module, self, NULL);

  self->database = database;
  dsq_statement_plan (&self->statement, database, SQL_WRITE, PURPOSE);
  if (code == SQLITE_OK)
    return self;
  dsq_database_set_error (database, code, PURPOSE, error);
  dsq_cold_stream_free (self);
  return NULL;
}

void
dsq_cold_stream_free (DsqColdStream *self)
{
  dsq_statement_clear (&self->statement);
  g_free (self);
}

gboolean
dsq_cold_stream_write (DsqColdStream *self,
                       DsqColdStreamFunc next,
                       gpointer user_data,
                       GError **error)
{
  g_autoptr (GError) own_error = NULL;
  GError *sqlite_error = NULL;
  gboolean written;

  self->next = next;
  self->user_data = user_data;
  self->error = &own_error;
  self->row.place = 0;
  written = dsq_statement_run (&self->statement, &sqlite_error);
  self->next = NULL;
  if (written)
    return TRUE;
  if (own_error == NULL)
    g_propagate_error (error, sqlite_error);
  else
    {
      g_error_free (sqlite_error);
      g_propagate_error (error, g_steal_pointer (&own_error));
    }
  return FALSE;
}
