/* dsq-cold-tables.c - the file's list of tables: finding, making, dropping
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Ids only go up, so that whoever still has the id of a table that was dropped can never meet
 * another one under it. SQLite gives the greatest id of all rows, so the row with that one is not
 * removed: it stays as a gravestone, without rows of its own and with a token that no table has,
 * until a greater id has been given out. Whoever writes to the file by other means can have an id
 * given out twice: then the mark, which is drawn for each table, keeps the rows of one from being
 * read as those of the other.
 */

#include "config.h"

#include "codec/dsq-format-private.h"
#include "cold/dsq-cold-changes-private.h"
#include "cold/dsq-cold-damaged-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-source-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "cold/dsq-cold-tables-private.h"
#include "cold/dsq-cold-writer-private.h"
#include "dsq-error.h"

/* --- names in the file ------------------------------------------------------------------------ */

static GBytes *
decode_name (const DsqRecordCodec *codec, sqlite3_stmt *row, GError **error)
{
  DsqColdStoredTable table;

  dsq_cold_take_table (row, &table);
  return dsq_cold_decode_stored_table (codec, &table, error);
}

gboolean
dsq_cold_list_tables (DsqColdTier *tier, GPtrArray *names, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqColdReader *reader = dsq_cold_readers_take (self, error);
  DsqStatement *statement;
  GBytes *name = NULL;
  gint64 last_id = DSQ_TABLE_MAIN;
  DsqStep step;

  if (reader == NULL)
    return FALSE;
  statement = &reader->statements[DSQ_COLD_READ_TABLE_NAMES];
  if (!dsq_cold_readers_start (self, reader, FALSE, error))
    {
      dsq_cold_readers_give_back (self, reader);
      return FALSE;
    }
  while ((step = dsq_statement_step (statement, error)) == DSQ_STEP_ROW &&
         dsq_cold_check_order (last_id, sqlite3_column_int64 (statement->handle, 0), error) &&
         (name = decode_name (&self->codec, statement->handle, error)) != NULL)
    {
      last_id = sqlite3_column_int64 (statement->handle, 0);
      g_ptr_array_add (names, name);
    }
  dsq_statement_reset (statement);
  dsq_cold_readers_give_back (self, reader);
  return step == DSQ_STEP_DONE;
}

/* --- in the transaction ----------------------------------------------------------------------- */

/* The first column of a statement that gives one row at most; 0 when it gives none. */
static gboolean
get_id (DsqStatement *statement, gint64 *out_id, GError **error)
{
  DsqStep step = dsq_statement_step (statement, error);

  *out_id = step == DSQ_STEP_ROW ? sqlite3_column_int64 (statement->handle, 0) : 0;
  dsq_statement_reset (statement);
  return step != DSQ_STEP_FAILED;
}

/* The id of the table with that token, 0 when there is none. That its mark and its name can be read
 * shows that the row's id and token are its own. */
static gboolean
find_id (DsqColdSqlite *self, GBytes *token, gint64 *out_id, GError **error)
{
  DsqStatement *statement = &self->writer.statements[DSQ_COLD_WRITE_FIND_TABLE];
  g_autoptr (GBytes) name = NULL;
  DsqStep step;

  *out_id = 0;
  dsq_statement_bind_bytes (statement, 1, g_bytes_get_data (token, NULL), g_bytes_get_size (token));
  step = dsq_statement_step (statement, error);
  if (step == DSQ_STEP_ROW)
    {
      name = decode_name (&self->codec, statement->handle, error);
      *out_id = sqlite3_column_int64 (statement->handle, 0);
    }
  dsq_statement_reset (statement);
  return step == DSQ_STEP_DONE || name != NULL;
}

/* The table's state, or NULL in *out_state when there is none. */
static gboolean
find_table (DsqColdSqlite *self, GBytes *token, DsqTableState **out_state, GError **error)
{
  gint64 id;

  *out_state = NULL;
  if (!find_id (self, token, &id, error))
    return FALSE;
  if (id > 0)
    *out_state = dsq_cold_find_table (self, (guint32) id);
  if (id == 0 || *out_state != NULL)
    return TRUE;
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_CORRUPT,
               "Failed to look for a table: the list of tables is damaged");
  return FALSE;
}

/* Another store may commit between the two looks: then the table is as of the second. */
static gboolean
find_table_to_read (DsqColdSqlite *self, GBytes *token, DsqTableState *out_state, GError **error)
{
  g_autoptr (GArray) tables = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
  gint64 id;

  *out_state = (DsqTableState){ 0 };
  if (!find_id (self, token, &id, error) ||
      !dsq_cold_learn_tables (self,
                              self->writer.database,
                              &self->writer.statements[DSQ_COLD_WRITE_TABLES],
                              tables,
                              error))
    return FALSE;
  for (guint i = 0; i < tables->len; i++)
    if (g_array_index (tables, DsqTableState, i).table == id)
      *out_state = g_array_index (tables, DsqTableState, i);
  return TRUE;
}

static gboolean
run_with_id (DsqColdSqlite *self, DsqColdWrite which, gint64 id, GError **error)
{
  DsqStatement *statement = &self->writer.statements[which];

  dsq_statement_bind_number (statement, 1, id);
  return dsq_statement_run (statement, error);
}

static gboolean
make_table (DsqColdSqlite *self,
            GBytes *token,
            const guint8 *name,
            gsize length,
            DsqTableState *out_state,
            GError **error)
{
  DsqColdWriter *writer = &self->writer;
  DsqStatement *statement = &writer->statements[DSQ_COLD_WRITE_MAKE_TABLE];
  g_autoptr (GBytes) sealed = NULL;
  DsqMarkColumn mark;
  gint64 last;

  if (!get_id (&writer->statements[DSQ_COLD_WRITE_LAST_TABLE], &last, error))
    return FALSE;
  if (last >= DSQ_TABLE_MAX)
    {
      g_set_error (error,
                   DSQ_ERROR,
                   DSQ_ERROR_FAILED,
                   "Failed to make a table: the file has had as many as it can have");
      return FALSE;
    }
  out_state->table = (guint32) last + 1;
  out_state->next = ((gint64) out_state->table << DSQ_FORMAT_POSITION_BITS) + 1;
  out_state->count = 0;

  dsq_statement_bind_number (statement, 1, out_state->table);
  dsq_statement_bind_bytes (statement, 2, g_bytes_get_data (token, NULL), g_bytes_get_size (token));
  if (!dsq_row_draw_mark (&self->codec,
                          out_state->table,
                          g_bytes_get_data (token, NULL),
                          g_bytes_get_size (token),
                          &mark,
                          error) ||
      !dsq_row_encode_table_name (&self->codec,
                                  out_state->table,
                                  token,
                                  name,
                                  length,
                                  &sealed,
                                  error))
    return FALSE;
  dsq_statement_bind_bytes (statement, 4, mark.bytes, mark.length);
  dsq_statement_bind_null (statement, 3);
  if (sealed != NULL)
    dsq_statement_bind_bytes (statement,
                              3,
                              g_bytes_get_data (sealed, NULL),
                              g_bytes_get_size (sealed));
  if (!dsq_statement_run (statement, error) ||
      !dsq_statement_run (&writer->statements[DSQ_COLD_WRITE_DROP_BURIED], error))
    return FALSE;
  writer->has_changed = TRUE;
  dsq_cold_undo_make (&writer->undo, self->tables, out_state);
  return TRUE;
}

gboolean
dsq_cold_open_table (DsqColdTier *tier,
                     const guint8 *name,
                     gsize length,
                     gboolean may_make,
                     DsqTableState *out_state,
                     GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  g_autoptr (GBytes) token = dsq_row_make_table_token (&self->codec, name, length);
  DsqTableState *state;

  if (self->read_only)
    return find_table_to_read (self, token, out_state, error);
  if (!find_table (self, token, &state, error))
    return FALSE;
  if (state == NULL && may_make)
    return make_table (self, token, name, length, out_state, error);
  *out_state = state != NULL ? *state : (DsqTableState){ 0 };
  return TRUE;
}

static gboolean
remove_table_row (DsqColdSqlite *self, guint32 table, GError **error)
{
  gint64 last;

  if (!get_id (&self->writer.statements[DSQ_COLD_WRITE_LAST_TABLE], &last, error))
    return FALSE;
  if (last > table)
    return run_with_id (self, DSQ_COLD_WRITE_DROP_TABLE, table, error);
  return run_with_id (self, DSQ_COLD_WRITE_BURY_TABLE, table, error);
}

gboolean
dsq_cold_drop_table (DsqColdTier *tier,
                     const guint8 *name,
                     gsize length,
                     guint32 *out_table,
                     GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  g_autoptr (GBytes) token = dsq_row_make_table_token (&self->codec, name, length);
  DsqTableState *state;

  *out_table = 0;
  if (!find_table (self, token, &state, error))
    return FALSE;
  if (state == NULL)
    return TRUE;
  if (!dsq_cold_clear_table (tier, state->table, error) ||
      !remove_table_row (self, state->table, error))
    return FALSE;
  self->writer.has_changed = TRUE;
  *out_table = state->table;
  dsq_cold_undo_drop (&self->writer.undo, self->tables, state->table);
  return TRUE;
}
