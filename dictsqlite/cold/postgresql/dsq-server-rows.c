/* dsq-server-rows.c - rows as the server has them
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "cold/postgresql/dsq-server-private.h"
#include "cold/postgresql/dsq-server-sql-private.h"

void
dsq_server_token_init (DsqServerToken *self, const DsqToken *token)
{
  const gsize kept = DSQ_SERVER_MAX_TOKEN + 1 - DSQ_SERVER_HASH;
  g_autoptr (GChecksum) checksum = NULL;
  guint8 hash[32];
  gsize length = sizeof hash;

  self->bytes = token->bytes;
  self->length = token->length;
  if (token->length <= DSQ_SERVER_MAX_TOKEN)
    return;
  checksum = g_checksum_new (G_CHECKSUM_SHA256);
  g_checksum_update (checksum, token->bytes, token->length);
  g_checksum_get_digest (checksum, hash, &length);
  memcpy (self->cut, token->bytes, kept);
  memcpy (self->cut + kept, hash, DSQ_SERVER_HASH);
  self->bytes = self->cut;
  self->length = sizeof self->cut;
}

void
dsq_server_token_of (const DsqColdServer *tier,
                     const DsqKey *key,
                     DsqToken *out_token,
                     DsqServerToken *out_cut)
{
  dsq_row_make_token (&tier->codec, key->table, key->bytes, key->length, out_token);
  dsq_server_token_init (out_cut, out_token);
}

DsqEntry *
dsq_server_decode (const DsqColdServer *self,
                   const PGresult *result,
                   int row,
                   int at_expires,
                   int at_value,
                   const DsqKey *key,
                   const DsqToken *token,
                   GError **error)
{
  const DsqLibpq *pq = self->target.pq;
  gint64 expires;
  gsize length;
  const guint8 *value = dsq_server_get_bytes (pq, result, row, at_value, &length);
  gboolean has_expiry = dsq_server_get_number (pq, result, row, at_expires, &expires);

  if (value != NULL && has_expiry == (expires != 0))
    return dsq_cold_decode_value (&self->codec, key, token, expires, value, length, error);
  dsq_cold_set_damaged ("a row holds a value or an expiry that is none", error);
  return NULL;
}

/* A plain key stands under its name where it is too long for a token. */
void
dsq_server_get_row (const DsqLibpq *pq,
                    const PGresult *result,
                    int row,
                    gboolean is_sealed,
                    DsqColdStoredRow *out_row)
{
  gboolean is_cut;

  *out_row = (DsqColdStoredRow){ 0 };
  dsq_server_get_number (pq, result, row, DSQ_SERVER_AT_PLACE, &out_row->place);
  dsq_server_get_number (pq, result, row, DSQ_SERVER_AT_TABLE, &out_row->table);
  out_row->has_expiry =
      dsq_server_get_number (pq, result, row, DSQ_SERVER_AT_EXPIRES, &out_row->expires);
  out_row->token =
      dsq_server_get_bytes (pq, result, row, DSQ_SERVER_AT_TOKEN, &out_row->token_length);
  out_row->name = dsq_server_get_bytes (pq, result, row, DSQ_SERVER_AT_NAME, &out_row->name_length);
  out_row->value =
      dsq_server_get_bytes (pq, result, row, DSQ_SERVER_AT_VALUE, &out_row->value_length);
  is_cut = !is_sealed && dsq_server_token_is_cut (out_row->token_length);
  if ((out_row->name != NULL) != (is_sealed || is_cut))
    out_row->token = NULL;
  if (!is_cut || out_row->token == NULL)
    return;
  out_row->token = g_steal_pointer (&out_row->name);
  out_row->token_length = out_row->name_length;
}

gboolean
dsq_server_append_row (const DsqColdServer *self,
                       const PGresult *result,
                       int row,
                       guint32 table,
                       gboolean keys_only,
                       GArray *rows,
                       GError **error)
{
  DsqColdStoredRow stored;
  DsqColdRow walked;

  dsq_server_get_row (self->target.pq, result, row, self->keys != NULL, &stored);
  if (stored.table != table)
    return dsq_cold_set_damaged ("a row is not one of its table", error);
  if (stored.place == 0)
    return dsq_cold_set_damaged ("a row holds a place that is none", error);
  walked.place = stored.place;
  walked.entry = dsq_cold_decode_stored_row (&self->codec, &stored, keys_only, error);
  if (walked.entry == NULL)
    return FALSE;
  g_array_append_val (rows, walked);
  return TRUE;
}
