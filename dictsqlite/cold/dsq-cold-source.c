/* dsq-cold-source.c - one state of a file, as who copies or checks it goes through it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-source-private.h"

#define SQL_TABLES "SELECT id, token, name, mark FROM tables ORDER BY id"
#define SQL_ROWS   "SELECT place, table_id, expires, token, name, value FROM entry ORDER BY place"

/* NULL for what is no blob. */
static const guint8 *
get_bytes (sqlite3_stmt *row, int at, gsize *out_length)
{
  const guint8 *bytes;

  *out_length = 0;
  if (sqlite3_column_type (row, at) != SQLITE_BLOB)
    return NULL;
  bytes = sqlite3_column_blob (row, at);
  *out_length = (gsize) sqlite3_column_bytes (row, at);
  /* SQLite gives NULL for an empty one */
  return bytes != NULL ? bytes : (const guint8 *) "";
}

static gboolean
read_tables (DsqColdSource *source, GArray *states, GError **error)
{
  DsqColdFileSource *self = (DsqColdFileSource *) source;
  g_auto (DsqStatement) statement = { NULL };

  return dsq_statement_prepare (&statement,
                                self->database,
                                DSQ_COLD_SQL_TABLES,
                                self->purpose,
                                error) &&
         dsq_cold_read_tables (&source->codec, &statement, states, error);
}

void
dsq_cold_take_table (sqlite3_stmt *row, DsqColdStoredTable *out_table)
{
  out_table->id = sqlite3_column_int64 (row, 0);
  out_table->token = get_bytes (row, 1, &out_table->token_length);
  out_table->name = get_bytes (row, 2, &out_table->name_length);
  out_table->mark = get_bytes (row, 3, &out_table->mark_length);
}

static DsqStep
next_table (DsqColdSource *source, DsqColdStoredTable *out_table, GError **error)
{
  DsqColdFileSource *self = (DsqColdFileSource *) source;
  DsqStep step;

  if (self->tables.handle == NULL &&
      !dsq_statement_prepare (&self->tables, self->database, SQL_TABLES, self->purpose, error))
    return DSQ_STEP_FAILED;
  step = dsq_statement_step (&self->tables, error);
  if (step != DSQ_STEP_ROW)
    return step;
  dsq_cold_take_table (self->tables.handle, out_table);
  return DSQ_STEP_ROW;
}

static DsqStep
next_row (DsqColdSource *source, DsqColdStoredRow *out_row, GError **error)
{
  DsqColdFileSource *self = (DsqColdFileSource *) source;
  sqlite3_stmt *row;
  DsqStep step;

  if (self->rows.handle == NULL &&
      !dsq_statement_prepare (&self->rows, self->database, SQL_ROWS, self->purpose, error))
    return DSQ_STEP_FAILED;
  step = dsq_statement_step (&self->rows, error);
  if (step != DSQ_STEP_ROW)
    return step;
  row = self->rows.handle;
  out_row->place = sqlite3_column_int64 (row, 0);
  out_row->table = sqlite3_column_int64 (row, 1);
  out_row->has_expiry = sqlite3_column_type (row, 2) != SQLITE_NULL;
  out_row->expires = 0;
  if (sqlite3_column_type (row, 2) == SQLITE_INTEGER)
    out_row->expires = sqlite3_column_int64 (row, 2);
  out_row->token = get_bytes (row, 3, &out_row->token_length);
  out_row->name = get_bytes (row, 4, &out_row->name_length);
  out_row->value = get_bytes (row, 5, &out_row->value_length);
  if (!dsq_cold_check_order (self->last_place, out_row->place, error))
    return DSQ_STEP_FAILED;
  self->last_place = out_row->place;
  return DSQ_STEP_ROW;
}

static const DsqColdSourceFuncs funcs = { read_tables, next_table, next_row };

void
dsq_cold_file_source_init (DsqColdFileSource *self,
                           DsqDatabase *database,
                           const char *purpose,
                           const guint8 *store_id,
                           DsqKeys *keys)
{
  *self = (DsqColdFileSource){ .source.funcs = &funcs, .database = database, .purpose = purpose };
  dsq_record_codec_init (&self->source.codec, store_id, keys);
}

void
dsq_cold_file_source_clear (DsqColdFileSource *self)
{
  dsq_statement_clear (&self->tables);
  dsq_statement_clear (&self->rows);
  dsq_record_codec_clear (&self->source.codec);
}
