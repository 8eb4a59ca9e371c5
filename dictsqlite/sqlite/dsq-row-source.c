/* dsq-row-source.c - rows that are in memory, as a table of a statement
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "sqlite/dsq-row-source-private.h"

typedef struct
{
  sqlite3_vtab base;
  DsqRowSource *source; /* (unowned) */
} SourceTable;

static DsqRowSource *
source_of (sqlite3_vtab_cursor *cursor)
{
  return ((SourceTable *) cursor->pVtab)->source;
}

static int
connect_cb (sqlite3 *handle,
            void *data,
            int argc,
            const char *const *argv,
            sqlite3_vtab **out_table,
            char **out_message)
{
  DsqRowSource *self = data;
  int code = sqlite3_declare_vtab (handle, self->funcs->columns);
  SourceTable *table;

  if (code != SQLITE_OK)
    return code;
  table = sqlite3_malloc (sizeof *table);
  if (table == NULL)
    return SQLITE_NOMEM;
  *table = (SourceTable){ .source = self };
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

static int
next_cb (sqlite3_vtab_cursor *cursor)
{
  DsqRowSource *self = source_of (cursor);

  /* a statement that is not ours has nothing to go through */
  if (self->user_data == NULL)
    return SQLITE_ERROR;
  self->step = self->funcs->next (self->user_data, &self->error);
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
  return source_of (cursor)->step != DSQ_STEP_ROW;
}

static int
column_cb (sqlite3_vtab_cursor *cursor, sqlite3_context *context, int at)
{
  DsqRowSource *self = source_of (cursor);

  self->funcs->column (self->user_data, context, at);
  return SQLITE_OK;
}

static int
rowid_cb (sqlite3_vtab_cursor *cursor, sqlite3_int64 *out_rowid)
{
  *out_rowid = 0;
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

gboolean
dsq_row_source_add (DsqRowSource *self,
                    DsqDatabase *database,
                    const DsqRowSourceFuncs *funcs,
                    const char *purpose,
                    GError **error)
{
  int code;

  self->funcs = funcs;
  code = sqlite3_create_module_v2 (database->handle, funcs->name, &module, self, NULL);
  if (code != SQLITE_OK)
    dsq_database_set_error (database, code, purpose, error);
  return code == SQLITE_OK;
}

void
dsq_row_source_begin (DsqRowSource *self, gpointer user_data)
{
  self->user_data = user_data;
}

void
dsq_row_source_end (DsqRowSource *self, GError **error)
{
  self->user_data = NULL;
  if (self->error == NULL)
    return;
  g_clear_error (error);
  g_propagate_error (error, g_steal_pointer (&self->error));
}
