/* dsq-server-tables.c - the list of tables: finding, making, dropping
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/postgresql/dsq-server-funcs-private.h"
#include "dsq-error.h"

/* --- reading ---------------------------------------------------------------------------------- */

gboolean
dsq_server_list_tables (DsqColdTier *tier, GPtrArray *names, GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  DsqServerArgs args = { 0 };
  gboolean success = TRUE;
  PGresult *result;

  dsq_server_args_add_number (&args, self->id);
  result = dsq_server_read (self, DSQ_SERVER_NAMES, &args, error);
  if (result == NULL)
    return FALSE;
  for (int i = 0; success && i < self->target.pq->ntuples (result); i++)
    {
      gint64 id;
      GBytes *name = dsq_server_read_name (self, result, i, &id, error);

      success = name != NULL;
      if (success)
        g_ptr_array_add (names, name);
    }
  self->target.pq->clear (result);
  return success;
}

/* --- finding ---------------------------------------------------------------------------------- */

/* The id in @result, 0 where it has no row. */
static gboolean
take_id (DsqColdServer *self, PGresult *result, gint64 *out_id, GError **error)
{
  g_autoptr (GBytes) name = NULL;
  gboolean is_there;

  *out_id = 0;
  if (result == NULL)
    return FALSE;
  is_there = self->target.pq->ntuples (result) > 0;
  if (is_there)
    name = dsq_server_read_name (self, result, 0, out_id, error);
  self->target.pq->clear (result);
  return !is_there || name != NULL;
}

/* --- in the transaction ----------------------------------------------------------------------- */

static gboolean
make_table (DsqColdServer *self,
            GBytes *token,
            const guint8 *name,
            gsize length,
            DsqTableState *out_state,
            GError **error)
{
  DsqServerWriter *writer = &self->writer;
  g_autoptr (GBytes) sealed = NULL;
  DsqServerArgs args = { 0 };
  DsqMarkColumn mark;

  if (writer->last_table >= DSQ_TABLE_MAX)
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_FAILED,
                           "Failed to make a table: the store has had as many as it can have");
      return FALSE;
    }
  *out_state = (DsqTableState){ .table = (guint32) writer->last_table + 1 };
  out_state->next = ((gint64) out_state->table << DSQ_FORMAT_POSITION_BITS) + 1;
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
  dsq_server_args_add_number (&args, self->id);
  dsq_server_args_add_number (&args, out_state->table);
  dsq_server_args_add_bytes (&args, g_bytes_get_data (token, NULL), g_bytes_get_size (token));
  dsq_server_args_add_bytes (&args,
                             sealed != NULL ? g_bytes_get_data (sealed, NULL) : NULL,
                             sealed != NULL ? g_bytes_get_size (sealed) : 0);
  dsq_server_args_add_bytes (&args, mark.bytes, mark.length);
  dsq_server_args_add_number (&args, out_state->next);
  if (!dsq_server_do (&writer->connection, DSQ_SERVER_MAKE_TABLE, &args, error))
    return FALSE;
  writer->last_table++;
  writer->has_changed = TRUE;
  dsq_cold_undo_make (&writer->undo, writer->tables, out_state);
  return TRUE;
}

/* The table's id as of now, 0 where there is none. */
static gboolean
find_id (DsqColdServer *self, GBytes *token, gint64 *out_id, GError **error)
{
  DsqServerArgs args = { 0 };
  PGresult *result;

  dsq_server_args_add_number (&args, self->id);
  dsq_server_args_add_bytes (&args, g_bytes_get_data (token, NULL), g_bytes_get_size (token));
  result = self->writer.is_begun
               ? dsq_server_run (&self->writer.connection, DSQ_SERVER_FIND_TABLE, &args, error)
               : dsq_server_read (self, DSQ_SERVER_FIND_TABLE, &args, error);
  return take_id (self, result, out_id, error);
}

/* The table's state, or NULL in *out_state where there is none. */
static gboolean
find_table (DsqColdServer *self, GBytes *token, DsqTableState **out_state, GError **error)
{
  gint64 id;

  *out_state = NULL;
  if (!find_id (self, token, &id, error))
    return FALSE;
  *out_state = dsq_cold_undo_find (self->writer.tables, (guint32) id);
  return id == 0 || *out_state != NULL ||
         dsq_cold_set_damaged ("its list of tables is damaged", error);
}

/* As of a look at all tables, which others may have changed since. */
static gboolean
find_to_read (DsqColdServer *self, GBytes *token, DsqTableState *out_state, GError **error)
{
  DsqTableState *state;
  gint64 id;

  if (!find_id (self, token, &id, error) || !dsq_server_catch_up (&self->tier, error))
    return FALSE;
  dsq_mutex_lock (&self->coherence_lock);
  state = dsq_cold_undo_find (self->committed, (guint32) id);
  *out_state = state != NULL ? *state : (DsqTableState){ 0 };
  dsq_mutex_unlock (&self->coherence_lock);
  return TRUE;
}

gboolean
dsq_server_open_table (DsqColdTier *tier,
                       const guint8 *name,
                       gsize length,
                       gboolean may_make,
                       DsqTableState *out_state,
                       GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  g_autoptr (GBytes) token = dsq_row_make_table_token (&self->codec, name, length);
  DsqTableState *state;

  if (!self->writer.is_begun)
    return find_to_read (self, token, out_state, error);
  if (!find_table (self, token, &state, error))
    return FALSE;
  if (state == NULL && may_make)
    return make_table (self, token, name, length, out_state, error);
  *out_state = state != NULL ? *state : (DsqTableState){ 0 };
  return TRUE;
}

static gboolean
run_with_id (DsqColdServer *self, DsqServerStatement which, guint32 table, GError **error)
{
  DsqServerArgs args = { 0 };

  dsq_server_args_add_number (&args, self->id);
  dsq_server_args_add_number (&args, table);
  return dsq_server_do (&self->writer.connection, which, &args, error);
}

gboolean
dsq_server_clear_table (DsqColdTier *tier, guint32 table, GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  DsqTableState *state = dsq_cold_undo_change (&self->writer.undo, self->writer.tables, table);

  if (state == NULL || state->count == 0)
    return TRUE;
  g_clear_pointer (&self->writer.foreseen, dsq_server_round_free);
  if (!run_with_id (self, DSQ_SERVER_CLEAR_TABLE, table, error))
    return FALSE;
  self->writer.has_changed = TRUE;
  self->writer.is_everything = TRUE;
  state->count = 0;
  return TRUE;
}

gboolean
dsq_server_drop_table (DsqColdTier *tier,
                       const guint8 *name,
                       gsize length,
                       guint32 *out_table,
                       GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  g_autoptr (GBytes) token = dsq_row_make_table_token (&self->codec, name, length);
  DsqTableState *state;

  *out_table = 0;
  if (!find_table (self, token, &state, error))
    return FALSE;
  if (state == NULL)
    return TRUE;
  if (!dsq_server_clear_table (tier, state->table, error) ||
      !run_with_id (self, DSQ_SERVER_DROP_TABLE, state->table, error))
    return FALSE;
  self->writer.has_changed = TRUE;
  self->writer.is_everything = TRUE;
  *out_table = state->table;
  dsq_cold_undo_drop (&self->writer.undo, self->writer.tables, state->table);
  return TRUE;
}
