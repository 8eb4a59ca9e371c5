/* dsq-cold-stream.c - many rows written by one statement
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-stream-private.h"
#include "sqlite/dsq-row-source-private.h"

/*
 * A row source gives the rows; in next it learns what became of the row before: was it inserted,
 * then its rowid is the last one.
 *
 * That needs the rows to stream: nothing in the statement may have SQLite collect them first, as an
 * ORDER BY, a RETURNING or a trigger would, for places follow from what became of the rows before.
 * The last row is told of in the call that ends the table.
 */

#define PURPOSE "write entries"

#define SQL_ROWS                                                                                   \
  "INTO entry (place, table_id, token, expires, value, name)"                                      \
  " SELECT place, table_id, token, expires, value, name FROM dsq_stream"

/* "WHERE true", since ON would be read as a join's. */
#define SQL_UPSERT                                                                                 \
  "INSERT " SQL_ROWS " WHERE true ON CONFLICT (table_id, token)"                                   \
  " DO UPDATE SET expires = excluded.expires, value = excluded.value"

/* SQLite keeps each page that a statement of many rows changes as it was before, in a file of its
 * own beyond 64 KiB, unless no constraint can have it undo that statement alone. */
#define SQL_INSERT "INSERT OR IGNORE " SQL_ROWS

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
  DsqRowSource source;

  /* of the statement under way */
  DsqColdStreamFunc next;
  gpointer user_data;
  DsqColdStreamRow row; /* that was given last */
};

/* --- its rows --------------------------------------------------------------------------------- */

/* An update leaves the last rowid as it was. */
static DsqStep
next_row (gpointer user_data, GError **error)
{
  DsqColdStream *self = user_data;
  sqlite3 *handle = self->database->handle;
  gboolean inserted = self->row.place != 0 && sqlite3_last_insert_rowid (handle) == self->row.place;

  sqlite3_set_last_insert_rowid (handle, 0);
  return self->next (inserted, &self->row, self->user_data, error);
}

static void
give_column (gpointer user_data, sqlite3_context *context, int at)
{
  const DsqColdStreamRow *row = &((DsqColdStream *) user_data)->row;
  const DsqColdColumns *columns = row->columns;

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
}

static const DsqRowSourceFuncs source_funcs = {
  .name = "dsq_stream",
  .columns = "CREATE TABLE rows (place, table_id, token, expires, value, name)",
  .next = next_row,
  .column = give_column,
};

/* --- the stream ------------------------------------------------------------------------------- */

DsqColdStream *
dsq_cold_stream_new (DsqDatabase *database, gboolean overwrites, GError **error)
{
  DsqColdStream *self = g_new0 (DsqColdStream, 1);

  self->database = database;
  dsq_statement_plan (&self->statement, database, overwrites ? SQL_UPSERT : SQL_INSERT, PURPOSE);
  if (dsq_row_source_add (&self->source, database, &source_funcs, PURPOSE, error))
    return self;
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
  gboolean written;

  self->next = next;
  self->user_data = user_data;
  self->row.place = 0;
  dsq_row_source_begin (&self->source, self);
  written = dsq_statement_run (&self->statement, error);
  dsq_row_source_end (&self->source, error);
  return written;
}
