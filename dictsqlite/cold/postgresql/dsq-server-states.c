/* dsq-server-states.c - the list of tables, as it is read
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/postgresql/dsq-server-private.h"

/* Columns id, token, and the mark at @at_mark. */
static gboolean
read_id (const DsqLibpq *pq,
         const DsqRecordCodec *codec,
         const PGresult *result,
         int row,
         int at_mark,
         gint64 *out_id,
         GError **error)
{
  gsize token_length, mark_length;
  const guint8 *token = dsq_server_get_bytes (pq, result, row, 1, &token_length);
  const guint8 *mark = dsq_server_get_bytes (pq, result, row, at_mark, &mark_length);

  if (!dsq_server_get_number (pq, result, row, 0, out_id) || *out_id < 1 ||
      *out_id > DSQ_TABLE_MAX || token == NULL || mark == NULL)
    return dsq_cold_set_damaged ("its list of tables is damaged", error);
  return dsq_marks_knows (codec->marks, (guint32) *out_id, mark, mark_length) ||
         dsq_row_decode_mark (codec,
                              (guint32) *out_id,
                              token,
                              token_length,
                              mark,
                              mark_length,
                              error);
}

static gboolean
read_state (const DsqLibpq *pq,
            const DsqRecordCodec *codec,
            const PGresult *result,
            int row,
            DsqTableState *out_state,
            GError **error)
{
  gint64 id, first;

  if (!read_id (pq, codec, result, row, 2, &id, error))
    return FALSE;
  first = id << DSQ_FORMAT_POSITION_BITS;
  out_state->table = (guint32) id;
  return (dsq_server_get_number (pq, result, row, 3, &out_state->next) &&
          dsq_server_get_number (pq, result, row, 4, &out_state->count) &&
          out_state->next > first && out_state->next <= (first | DSQ_FORMAT_POSITION_MAX) &&
          out_state->count >= 0 && out_state->count < out_state->next - first) ||
         dsq_cold_set_damaged ("its list of tables is damaged", error);
}

static gboolean
is_listed (guint32 table, gpointer user_data)
{
  return dsq_cold_undo_find (user_data, table) != NULL;
}

gboolean
dsq_server_read_tables (DsqColdServer *self,
                        DsqServerConnection *connection,
                        const DsqRecordCodec *codec,
                        GArray *states,
                        GError **error)
{
  const DsqLibpq *pq = self->target.pq;
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
  DsqServerArgs args = { 0 };
  gboolean is_sound = TRUE;
  PGresult *result;

  dsq_server_args_add_number (&args, self->id);
  result = dsq_server_run (connection, DSQ_SERVER_TABLES, &args, error);
  if (result == NULL)
    return FALSE;
  for (int i = 0; is_sound && i < pq->ntuples (result); i++)
    {
      DsqTableState state = { 0 };

      is_sound = read_state (pq, codec, result, i, &state, error);
      g_array_append_val (found, state);
    }
  pq->clear (result);
  if (!is_sound)
    return FALSE;
  if (found->len == 0 || g_array_index (found, DsqTableState, 0).table != DSQ_TABLE_MAIN)
    return dsq_cold_set_damaged ("its first table is missing", error);
  g_array_set_size (states, 0);
  g_array_append_vals (states, found->data, found->len);
  if (dsq_marks_get_size (codec->marks) > states->len)
    dsq_marks_prune (codec->marks, is_listed, states);
  return TRUE;
}

/* Columns id, token, name, mark. */
GBytes *
dsq_server_read_name (DsqColdServer *self,
                      const PGresult *result,
                      int row,
                      gint64 *out_id,
                      GError **error)
{
  const DsqLibpq *pq = self->target.pq;
  gsize token_length, name_length;
  const guint8 *token = dsq_server_get_bytes (pq, result, row, 1, &token_length);
  const guint8 *name = dsq_server_get_bytes (pq, result, row, 2, &name_length);

  if (!read_id (pq, &self->codec, result, row, 3, out_id, error))
    return NULL;
  return dsq_row_decode_table_name (&self->codec,
                                    (guint32) *out_id,
                                    token,
                                    token_length,
                                    name,
                                    name_length,
                                    error);
}
