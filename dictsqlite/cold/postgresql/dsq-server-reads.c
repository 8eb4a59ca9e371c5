/* dsq-server-reads.c - reads
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-key-codec-private.h"
#include "cold/postgresql/dsq-server-funcs-private.h"
#include "cold/postgresql/dsq-server-sql-private.h"
#include "dsq-error.h"

/* --- of one key ------------------------------------------------------------------------------- */

static gboolean
get_one (DsqColdServer *self,
         DsqServerConnection *connection,
         const DsqKey *key,
         DsqEntry **out_entry,
         GError **error)
{
  DsqServerArgs args = { 0 };
  DsqServerToken cut;
  PGresult *result;
  gboolean is_there;
  DsqToken token;

  *out_entry = NULL;
  dsq_server_token_of (self, key, &token, &cut);
  dsq_server_args_add_number (&args, self->id);
  dsq_server_args_add_number (&args, key->table);
  dsq_server_args_add_bytes (&args, cut.bytes, cut.length);
  result = connection != NULL ? dsq_server_run (connection, DSQ_SERVER_GET, &args, error)
                              : dsq_server_read (self, DSQ_SERVER_GET, &args, error);
  if (result == NULL)
    return FALSE;
  is_there = self->target.pq->ntuples (result) > 0;
  if (is_there)
    *out_entry = dsq_server_decode (self, result, 0, 0, 1, key, &token, error);
  self->target.pq->clear (result);
  return !is_there || *out_entry != NULL;
}

gboolean
dsq_server_get_in_transaction (DsqColdTier *tier,
                               const DsqKey *key,
                               DsqEntry **out_entry,
                               GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;

  return get_one (self, &self->writer.connection, key, out_entry, error);
}

/* --- of many ---------------------------------------------------------------------------------- */

/* One round trip, which gives each key's number and what is asked of it. */
static PGresult *
ask_for_keys (DsqColdServer *self,
              DsqServerStatement which,
              const DsqKey *keys,
              gsize n_keys,
              GError **error)
{
  g_auto (DsqServerArray) tables = { 0 };
  g_auto (DsqServerArray) tokens = { 0 };
  DsqServerArgs args = { 0 };

  dsq_server_array_init (&tables, TRUE);
  dsq_server_array_init (&tokens, FALSE);
  for (gsize i = 0; i < n_keys; i++)
    {
      DsqServerToken cut;
      DsqToken token;

      dsq_server_token_of (self, &keys[i], &token, &cut);
      dsq_server_array_add_number (&tables, keys[i].table);
      dsq_server_array_add_bytes (&tokens, cut.bytes, cut.length);
    }
  dsq_server_args_add_number (&args, self->id);
  dsq_server_args_add_array (&args, &tables);
  dsq_server_args_add_array (&args, &tokens);
  return dsq_server_read (self, which, &args, error);
}

/* Which of the keys a row is of. */
static gboolean
read_number_of_key (const DsqColdServer *self,
                    const PGresult *result,
                    int row,
                    gsize n_keys,
                    gsize *out_i,
                    GError **error)
{
  gint64 i;

  *out_i = 0;
  if (!dsq_server_get_number (self->target.pq, result, row, 0, &i) || i < 1 || i > (gint64) n_keys)
    return dsq_cold_set_damaged ("it gives what was not asked for", error);
  *out_i = (gsize) i - 1;
  return TRUE;
}

static gboolean
read_entry (DsqColdServer *self,
            const PGresult *result,
            int row,
            const DsqKey *keys,
            gsize n_keys,
            DsqEntry **out,
            GError **error)
{
  DsqToken token;
  gsize i;

  if (!read_number_of_key (self, result, row, n_keys, &i, error))
    return FALSE;
  dsq_row_make_token (&self->codec, keys[i].table, keys[i].bytes, keys[i].length, &token);
  g_clear_pointer (&out[i], dsq_entry_unref);
  out[i] = dsq_server_decode (self, result, row, 1, 2, &keys[i], &token, error);
  return out[i] != NULL;
}

gboolean
dsq_server_get_many (DsqColdTier *tier,
                     const DsqKey *keys,
                     gsize n_keys,
                     DsqEntry **out,
                     GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  gboolean success = TRUE;
  PGresult *result;

  if (n_keys == 0)
    return TRUE;
  if (n_keys == 1)
    return get_one (self, NULL, keys, out, error);
  result = ask_for_keys (self, DSQ_SERVER_GET_MANY, keys, n_keys, error);
  if (result == NULL)
    return FALSE;
  for (gsize i = 0; i < n_keys; i++)
    out[i] = NULL;
  for (int i = 0; success && i < self->target.pq->ntuples (result); i++)
    success = read_entry (self, result, i, keys, n_keys, out, error);
  self->target.pq->clear (result);
  for (gsize i = 0; !success && i < n_keys; i++)
    g_clear_pointer (&out[i], dsq_entry_unref);
  return success;
}

gboolean
dsq_server_probe (DsqColdTier *tier,
                  const DsqKey *keys,
                  gsize n_keys,
                  gint64 *out_places,
                  GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  gboolean success = TRUE;
  PGresult *result;
  gsize i = 0;

  if (n_keys == 0)
    return TRUE;
  result = ask_for_keys (self, DSQ_SERVER_PROBE, keys, n_keys, error);
  if (result == NULL)
    return FALSE;
  for (i = 0; i < n_keys; i++)
    out_places[i] = 0;
  for (int row = 0; success && row < self->target.pq->ntuples (result); row++)
    {
      success = read_number_of_key (self, result, row, n_keys, &i, error);
      if (success)
        dsq_server_get_number (self->target.pq, result, row, 1, &out_places[i]);
    }
  self->target.pq->clear (result);
  return success;
}

/* --- walks ------------------------------------------------------------------------------------ */

/* Those before what is damaged are a batch, and the damage is the next one's. */
static gboolean
append_rows (DsqColdServer *self,
             const PGresult *result,
             guint32 table,
             gboolean keys_only,
             GArray *rows,
             gboolean *out_is_whole,
             GError **error)
{
  g_autoptr (GError) local_error = NULL;
  const int n_rows = self->target.pq->ntuples (result);
  int n = 0;

  while (n < n_rows &&
         dsq_server_append_row (self, result, n, table, keys_only, rows, &local_error))
    n++;
  *out_is_whole = n == n_rows;
  if (*out_is_whole || (n > 0 && g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_CORRUPT)))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

static gsize
count_bytes (const DsqColdServer *self, const PGresult *result)
{
  gsize n_bytes = 0;

  for (int i = 0; i < self->target.pq->ntuples (result); i++)
    n_bytes += (gsize) self->target.pq->getlength (result, i, DSQ_SERVER_AT_VALUE);
  return n_bytes;
}

gboolean
dsq_server_walk (DsqColdTier *tier,
                 guint32 table,
                 gint64 place,
                 DsqWalkOrder order,
                 guint max_rows,
                 gsize max_bytes,
                 gboolean keys_only,
                 GArray *rows,
                 gboolean *out_is_last,
                 GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  const gboolean is_forward = order == DSQ_WALK_FORWARD;
  const gint64 first = (gint64) table << DSQ_FORMAT_POSITION_BITS;
  const gint64 end = first + DSQ_FORMAT_POSITION_MAX + 1;
  const guint n_before = rows->len;
  DsqServerArgs args = { 0 };
  gboolean success, is_whole;
  PGresult *result;

  dsq_server_args_add_number (&args, self->id);
  dsq_server_args_add_number (&args, CLAMP (place, first, end));
  dsq_server_args_add_number (&args, is_forward ? end : first);
  dsq_server_args_add_number (&args, max_rows);
  dsq_server_args_add_number (&args, (gint64) MIN (max_bytes, G_MAXINT64));
  dsq_server_args_add_number (&args, keys_only);
  result =
      dsq_server_read (self, is_forward ? DSQ_SERVER_WALK : DSQ_SERVER_WALK_BACK, &args, error);
  if (result == NULL)
    return FALSE;
  success = append_rows (self, result, table, keys_only, rows, &is_whole, error);
  *out_is_last =
      is_whole && rows->len - n_before < max_rows && count_bytes (self, result) < max_bytes;
  self->target.pq->clear (result);
  return success;
}

/* --- keys in order ---------------------------------------------------------------------------- */

static gboolean
append_key (DsqColdServer *self,
            const PGresult *result,
            int row,
            guint32 table,
            GPtrArray *entries,
            GError **error)
{
  DsqKey key = { .table = table };
  gsize length;

  key.bytes = dsq_server_get_bytes (self->target.pq, result, row, 0, &length);
  key.length = (guint32) length;
  if (dsq_server_token_is_cut (length))
    {
      g_set_error (error,
                   DSQ_ERROR,
                   DSQ_ERROR_NOT_SUPPORTED,
                   "Failed to list the keys: on a server those longer than %d bytes have no order",
                   DSQ_SERVER_MAX_TOKEN);
      return FALSE;
    }
  if (key.bytes == NULL)
    return dsq_cold_set_damaged ("a row has no key", error);
  if (!dsq_cold_check_key (&key, error))
    return FALSE;
  g_ptr_array_add (entries, dsq_entry_new_tombstone (&key));
  return TRUE;
}

static void
add_bound (DsqServerArgs *args, const DsqKey *key, DsqServerToken *cut)
{
  const DsqToken token = { key->bytes, key->length };

  dsq_server_token_init (cut, &token);
  dsq_server_args_add_bytes (args, cut->bytes, cut->length);
}

gboolean
dsq_server_list_keys (DsqColdTier *tier,
                      const DsqKey *from,
                      const DsqKey *end,
                      guint max_keys,
                      GPtrArray *entries,
                      GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  DsqServerToken from_cut, end_cut;
  DsqServerArgs args = { 0 };
  gboolean success = TRUE;
  PGresult *result;

  if (self->keys != NULL)
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_ENCRYPTED,
                           "Failed to list the keys: an encrypted store hides their order");
      return FALSE;
    }
  dsq_server_args_add_number (&args, self->id);
  dsq_server_args_add_number (&args, from->table);
  add_bound (&args, from, &from_cut);
  add_bound (&args, end, &end_cut);
  dsq_server_args_add_number (&args, max_keys);
  result = dsq_server_read (self, DSQ_SERVER_RANGE, &args, error);
  if (result == NULL)
    return FALSE;
  for (int i = 0; success && i < self->target.pq->ntuples (result); i++)
    success = append_key (self, result, i, from->table, entries, error);
  self->target.pq->clear (result);
  return success;
}

/* --- what expires ----------------------------------------------------------------------------- */

static PGresult *
run (DsqColdServer *self,
     gboolean by_writer,
     DsqServerStatement which,
     const DsqServerArgs *args,
     GError **error)
{
  const DsqServerWriter *writer = &self->writer;

  if (!by_writer)
    return dsq_server_read (self, which, args, error);
  /* who opens the tier has it for himself, and one connection as yet */
  return dsq_server_run (writer->is_begun || writer->connection.handle != NULL
                             ? &self->writer.connection
                             : &self->lookout,
                         which,
                         args,
                         error);
}

/* A row that is damaged is passed over: it is for who reads it to complain. The expiry is that
 * which is bound to the value. */
static void
append_expired (DsqColdServer *self, const PGresult *result, int row, gint64 table, GArray *rows)
{
  g_autoptr (DsqEntry) whole = NULL;
  DsqColdRow *appended;
  DsqKey key;

  if (table < 1 || table > DSQ_TABLE_MAX ||
      !dsq_server_append_row (self, result, row, (guint32) table, FALSE, rows, NULL))
    return;
  appended = &g_array_index (rows, DsqColdRow, rows->len - 1);
  whole = appended->entry;
  key = dsq_entry_as_key (whole);
  appended->entry = dsq_entry_new (&key, NULL, 0, dsq_entry_expires (whole));
}

static gboolean
find_rows (DsqColdServer *self,
           gboolean by_writer,
           DsqExpirySpan *span,
           guint max_rows,
           GArray *rows,
           gboolean *out_is_full,
           GError **error)
{
  const DsqLibpq *pq = self->target.pq;
  DsqServerArgs args = { 0 };
  PGresult *result;
  gint64 table;

  dsq_server_args_add_number (&args, self->id);
  dsq_server_args_add_number (&args, span->after);
  dsq_server_args_add_number (&args, span->place);
  dsq_server_args_add_number (&args, span->until);
  dsq_server_args_add_number (&args, max_rows);
  result = run (self, by_writer, DSQ_SERVER_EXPIRED, &args, error);
  if (result == NULL)
    return FALSE;
  for (int i = 0; i < pq->ntuples (result); i++)
    {
      dsq_server_get_number (pq, result, i, DSQ_SERVER_AT_EXPIRES, &span->after);
      dsq_server_get_number (pq, result, i, DSQ_SERVER_AT_PLACE, &span->place);
      dsq_server_get_number (pq, result, i, DSQ_SERVER_AT_TABLE, &table);
      append_expired (self, result, i, table, rows);
    }
  *out_is_full = pq->ntuples (result) == (int) max_rows;
  pq->clear (result);
  return TRUE;
}

gboolean
dsq_server_find_expired (DsqColdTier *tier,
                         gboolean by_writer,
                         DsqExpirySpan *span,
                         guint max_rows,
                         GArray *rows,
                         gint64 *out_next,
                         GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  DsqServerArgs args = { 0 };
  gboolean is_full = FALSE;
  PGresult *result;

  *out_next = span->until;
  /* who opens a store asks for what comes next alone */
  if ((span->after < span->until || span->place < G_MAXINT64) &&
      !find_rows (self, by_writer, span, max_rows, rows, &is_full, error))
    return FALSE;
  if (is_full)
    return TRUE;
  dsq_server_args_add_number (&args, self->id);
  dsq_server_args_add_number (&args, span->until);
  result = run (self, by_writer, DSQ_SERVER_NEXT_EXPIRY, &args, error);
  if (result == NULL)
    return FALSE;
  if (self->target.pq->ntuples (result) != 1 ||
      !dsq_server_get_number (self->target.pq, result, 0, 0, out_next))
    *out_next = G_MAXINT64;
  self->target.pq->clear (result);
  return TRUE;
}
