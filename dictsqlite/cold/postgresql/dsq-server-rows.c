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

/* The key of a row. A sealed one is unsealed into *memory, which is the caller's to free; a plain
 * one stands under its name where it is too long for a token. */
static gboolean
read_key (const DsqColdServer *self,
          const PGresult *result,
          int row,
          DsqKey *key,
          DsqToken *out_token,
          guint8 **memory,
          GError **error)
{
  const DsqLibpq *pq = self->target.pq;
  gsize length, name_length;
  const guint8 *token = dsq_server_get_bytes (pq, result, row, DSQ_SERVER_AT_TOKEN, &length);
  const guint8 *name = dsq_server_get_bytes (pq, result, row, DSQ_SERVER_AT_NAME, &name_length);

  *memory = NULL;
  if (token == NULL || (name != NULL) != (self->keys != NULL || dsq_server_token_is_cut (length)))
    return dsq_cold_set_damaged ("a row holds a key that is none", error);
  *out_token = (DsqToken){ token, (guint32) length };
  if (self->keys == NULL && name != NULL)
    *out_token = (DsqToken){ name, (guint32) name_length };
  key->bytes = out_token->bytes;
  key->length = out_token->length;
  return (self->keys == NULL ||
          dsq_cold_decode_name (&self->codec, out_token, name, name_length, key, memory, error)) &&
         dsq_cold_check_key (key, error);
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
  g_autofree guint8 *memory = NULL;
  DsqKey key = { .table = table };
  DsqColdRow walked = { 0 };
  DsqToken token;

  if (!dsq_server_get_number (self->target.pq, result, row, DSQ_SERVER_AT_PLACE, &walked.place))
    return dsq_cold_set_damaged ("a row holds a place that is none", error);
  if (!read_key (self, result, row, &key, &token, &memory, error))
    return FALSE;
  walked.entry = keys_only ? dsq_entry_new_tombstone (&key)
                           : dsq_server_decode (self,
                                                result,
                                                row,
                                                DSQ_SERVER_AT_EXPIRES,
                                                DSQ_SERVER_AT_VALUE,
                                                &key,
                                                &token,
                                                error);
  if (walked.entry == NULL)
    return FALSE;
  g_array_append_val (rows, walked);
  return TRUE;
}
