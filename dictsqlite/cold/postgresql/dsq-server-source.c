/* dsq-server-source.c - one state of a store on a server
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/postgresql/dsq-server-source-private.h"
#include "cold/postgresql/dsq-server-sql-private.h"

#define BEGIN "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

/* What is asked for at once. */
#define PAGE_ROWS  1024
#define PAGE_BYTES (4 << 20)

gboolean
dsq_server_read_header (DsqColdServer *self,
                        const PGresult *result,
                        DsqHeader *out_header,
                        gint64 *out_last_table,
                        GError **error)
{
  const DsqLibpq *pq = self->target.pq;
  const guint8 *bytes = NULL;
  gsize length;

  if (pq->ntuples (result) == 1 && dsq_server_get_number (pq, result, 0, 1, out_last_table))
    bytes = dsq_server_get_bytes (pq, result, 0, 0, &length);
  if (bytes == NULL)
    return dsq_cold_set_damaged ("it is no longer there", error);
  return dsq_header_read (out_header, bytes, length, error);
}

/* --- tables ----------------------------------------------------------------------------------- */

static gboolean
read_tables (DsqColdSource *source, GArray *states, GError **error)
{
  DsqServerSource *self = (DsqServerSource *) source;

  if (!dsq_server_read_tables (self->tier, &self->connection, &source->codec, states, error))
    return FALSE;
  self->last_id = g_array_index (states, DsqTableState, states->len - 1).table;
  return TRUE;
}

/* What a file has as a gravestone is here a number of the store. */
static DsqStep
bury (DsqServerSource *self, DsqColdStoredTable *out_table)
{
  static const guint8 buried = DSQ_FORMAT_TABLE_BURIED;

  if (self->last_table <= self->last_id)
    return DSQ_STEP_DONE;
  self->last_id = self->last_table;
  *out_table = (DsqColdStoredTable){
    .id = self->last_table,
    .token = &buried,
    .token_length = sizeof buried,
  };
  return DSQ_STEP_ROW;
}

static DsqStep
next_table (DsqColdSource *source, DsqColdStoredTable *out_table, GError **error)
{
  DsqServerSource *self = (DsqServerSource *) source;
  const DsqLibpq *pq = self->tier->target.pq;
  const int row = self->next_table;
  DsqServerArgs args = { 0 };

  if (self->tables == NULL)
    {
      dsq_server_args_add_number (&args, self->tier->id);
      self->tables = dsq_server_run (&self->connection, DSQ_SERVER_STORED_TABLES, &args, error);
      if (self->tables == NULL)
        return DSQ_STEP_FAILED;
    }
  if (row == pq->ntuples (self->tables))
    return bury (self, out_table);
  self->next_table++;
  *out_table = (DsqColdStoredTable){ 0 };
  dsq_server_get_number (pq, self->tables, row, 0, &out_table->id);
  out_table->token = dsq_server_get_bytes (pq, self->tables, row, 1, &out_table->token_length);
  out_table->name = dsq_server_get_bytes (pq, self->tables, row, 2, &out_table->name_length);
  out_table->mark = dsq_server_get_bytes (pq, self->tables, row, 3, &out_table->mark_length);
  return DSQ_STEP_ROW;
}

/* --- rows ------------------------------------------------------------------------------------- */

static gboolean
fetch_page (DsqServerSource *self, GError **error)
{
  const DsqLibpq *pq = self->tier->target.pq;
  DsqServerArgs args = { 0 };

  dsq_call_ask ();
  if (!dsq_call_check (error))
    return FALSE;
  pq->clear (g_steal_pointer (&self->page));
  dsq_server_args_add_number (&args, self->tier->id);
  dsq_server_args_add_number (&args, self->last_place);
  dsq_server_args_add_number (&args, G_MAXINT64);
  dsq_server_args_add_number (&args, PAGE_ROWS);
  dsq_server_args_add_number (&args, PAGE_BYTES);
  dsq_server_args_add_number (&args, FALSE);
  self->page = dsq_server_run (&self->connection, DSQ_SERVER_WALK, &args, error);
  self->next_row = 0;
  return self->page != NULL;
}

static DsqStep
next_row (DsqColdSource *source, DsqColdStoredRow *out_row, GError **error)
{
  DsqServerSource *self = (DsqServerSource *) source;
  const DsqLibpq *pq = self->tier->target.pq;

  if ((self->page == NULL || self->next_row == pq->ntuples (self->page)) &&
      !fetch_page (self, error))
    return DSQ_STEP_FAILED;
  if (pq->ntuples (self->page) == 0)
    return DSQ_STEP_DONE;
  dsq_server_get_row (pq, self->page, self->next_row++, source->codec.keys != NULL, out_row);
  if (!dsq_cold_check_order (self->last_place, out_row->place, error))
    return DSQ_STEP_FAILED;
  self->last_place = out_row->place;
  return DSQ_STEP_ROW;
}

/* --- opening ---------------------------------------------------------------------------------- */

static const DsqColdSourceFuncs funcs = { read_tables, next_table, next_row };

static gboolean
begin (DsqServerSource *self, DsqHeader *out_header, GError **error)
{
  DsqServerArgs args = { 0 };
  DsqServerStep steps[] = { { .sql = BEGIN, .purpose = "begin to read" },
                            { .which = DSQ_SERVER_HEADER, .args = &args } };
  gboolean is_read;

  dsq_server_args_add_number (&args, self->tier->id);
  if (!dsq_server_connection_open (&self->connection, error) ||
      !dsq_server_run_steps (&self->connection, steps, G_N_ELEMENTS (steps), error))
    return FALSE;
  is_read =
      dsq_server_read_header (self->tier, steps[1].result, out_header, &self->last_table, error);
  dsq_server_clear_steps (&self->connection, steps, G_N_ELEMENTS (steps));
  return is_read;
}

gboolean
dsq_server_source_open (DsqServerSource *self,
                        DsqColdServer *tier,
                        DsqHeader *out_header,
                        GError **error)
{
  g_autoptr (GError) local_error = NULL;
  DsqServerTries tries;
  gboolean is_begun;

  *self = (DsqServerSource){
    .source.funcs = &funcs,
    .tier = tier,
    .connection = { .target = &tier->target, .may_ask = TRUE },
    .last_place = G_MININT64,
  };
  dsq_record_codec_init (&self->source.codec, tier->codec.store_id, tier->keys);
  dsq_server_tries_begin (&tries, &tier->target);
  do
    is_begun = begin (self, out_header, &local_error);
  while (!is_begun && dsq_server_tries_again (&tries, &self->connection, &local_error));
  if (is_begun)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  dsq_server_source_close (self);
  return FALSE;
}

void
dsq_server_source_close (DsqServerSource *self)
{
  const DsqLibpq *pq = self->tier->target.pq;

  pq->clear (self->tables);
  pq->clear (self->page);
  dsq_server_connection_close (&self->connection);
  dsq_record_codec_clear (&self->source.codec);
}
