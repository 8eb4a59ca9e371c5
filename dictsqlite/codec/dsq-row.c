/* dsq-row.c - the columns of a row, plain or sealed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-crc32c-private.h"
#include "codec/dsq-row-private.h"
#include "codec/dsq-utf8-private.h"
#include "crypto/dsq-random-private.h"
#include "dsq-error.h"

G_STATIC_ASSERT (DSQ_FORMAT_TOKEN_LENGTH == DSQ_KEY_TOKEN_LENGTH);
G_STATIC_ASSERT (DSQ_FORMAT_STORE_ID_LENGTH == DSQ_KEY_ID_LENGTH);
G_STATIC_ASSERT (DSQ_FORMAT_SEALED_OVERHEAD == 1 + DSQ_KEY_OVERHEAD);

/* Says of a sealed column what it is, so that none can be put in the place of another. */
typedef struct
{
  guint8 bytes[DSQ_FORMAT_SEALED_AAD_LENGTH];
} Place;

static Place
place_of (const DsqRecordCodec *codec,
          const char *purpose,
          const DsqMark *mark,
          const guint8 token[DSQ_FORMAT_TOKEN_LENGTH])
{
  Place place;
  guint8 *next = place.bytes;

  memcpy (next, purpose, DSQ_FORMAT_PURPOSE_LENGTH);
  next += DSQ_FORMAT_PURPOSE_LENGTH;
  *next++ = DSQ_FORMAT_SEALED_VERSION;
  memcpy (next, codec->store_id, DSQ_FORMAT_STORE_ID_LENGTH);
  next += DSQ_FORMAT_STORE_ID_LENGTH;
  dsq_bytes_store_u32 (next, mark->table);
  next += 4;
  memcpy (next, mark->bytes, DSQ_FORMAT_MARK_LENGTH);
  memcpy (next + DSQ_FORMAT_MARK_LENGTH, token, DSQ_FORMAT_TOKEN_LENGTH);
  return place;
}

static gboolean
refuse (const char *what, GError **error)
{
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_CORRUPT,
               "Failed to read the file: %s is damaged, or was tampered with",
               what);
  return FALSE;
}

static gboolean
find_mark (const DsqRecordCodec *codec, guint32 table, DsqMark *out_mark, GError **error)
{
  gboolean is_known;

  *out_mark = dsq_marks_get (codec->marks, table, &is_known);
  return is_known || refuse ("the list of tables", error);
}

void
dsq_row_make_token (const DsqRecordCodec *codec,
                    guint32 table,
                    const guint8 *key,
                    guint32 length,
                    DsqToken *out_token)
{
  guint8 head[4 + DSQ_FORMAT_MARK_LENGTH];
  gboolean ignored;
  DsqMark mark;

  if (codec->keys == NULL)
    {
      out_token->bytes = key;
      out_token->length = length;
      return;
    }
  mark = dsq_marks_get (codec->marks, table, &ignored);
  dsq_bytes_store_u32 (head, table);
  memcpy (head + 4, mark.bytes, sizeof mark.bytes);
  dsq_keys_make_token (codec->keys, head, sizeof head, key, length, out_token->sealed);
  out_token->bytes = out_token->sealed;
  out_token->length = sizeof out_token->sealed;
}

/* --- value ------------------------------------------------------------------------------------ */

gsize
dsq_row_value_length (const DsqRecordCodec *codec, const DsqRecord *record)
{
  if (codec->keys == NULL)
    return dsq_record_encoded_length (record);
  return DSQ_FORMAT_SEALED_OVERHEAD + dsq_record_body_length (record);
}

gboolean
dsq_row_encode_value (const DsqRecordCodec *codec,
                      const DsqRecord *record,
                      const DsqToken *token,
                      guint8 *out,
                      GError **error)
{
  DsqMark mark;
  Place place;

  if (!find_mark (codec, record->table, &mark, error))
    return FALSE;
  if (codec->keys == NULL)
    {
      dsq_record_encode (mark.seed, record, out);
      return TRUE;
    }
  place = place_of (codec, DSQ_FORMAT_PURPOSE_VALUE, &mark, token->bytes);
  out[0] = DSQ_FORMAT_SEALED_VERSION;
  dsq_record_encode_body (record, out + 1 + DSQ_KEY_NONCE_LENGTH);
  return dsq_keys_seal (codec->keys,
                        DSQ_KEY_VALUE,
                        place.bytes,
                        sizeof place.bytes,
                        out + 1,
                        dsq_record_body_length (record),
                        error);
}

gsize
dsq_row_body_length (const DsqRecordCodec *codec, gsize length)
{
  if (codec->keys == NULL || length < DSQ_FORMAT_SEALED_OVERHEAD)
    return 0;
  return length - DSQ_FORMAT_SEALED_OVERHEAD;
}

gboolean
dsq_row_decode_value (const DsqRecordCodec *codec,
                      DsqRecord *record,
                      const DsqToken *token,
                      const guint8 *value,
                      gsize length,
                      guint8 *body,
                      GError **error)
{
  DsqMark mark;
  Place place;

  if (!find_mark (codec, record->table, &mark, error))
    return FALSE;
  if (codec->keys == NULL)
    return dsq_record_decode (mark.seed, record, value, length, error);
  place = place_of (codec, DSQ_FORMAT_PURPOSE_VALUE, &mark, token->bytes);
  /* a body has a type byte */
  if (length <= DSQ_FORMAT_SEALED_OVERHEAD || value[0] != DSQ_FORMAT_SEALED_VERSION ||
      !dsq_keys_unseal (codec->keys,
                        DSQ_KEY_VALUE,
                        place.bytes,
                        sizeof place.bytes,
                        value + 1,
                        length - 1,
                        body) ||
      dsq_record_decode_body (record, body, length - DSQ_FORMAT_SEALED_OVERHEAD) != NULL)
    return refuse ("a value", error);
  return TRUE;
}

/* --- name ------------------------------------------------------------------------------------- */

gsize
dsq_row_name_length (const DsqRecordCodec *codec, gsize length)
{
  return codec->keys == NULL ? 0 : DSQ_FORMAT_SEALED_OVERHEAD + length;
}

gboolean
dsq_row_encode_name (const DsqRecordCodec *codec,
                     const char *purpose,
                     guint32 table,
                     const guint8 token[DSQ_FORMAT_TOKEN_LENGTH],
                     const guint8 *key,
                     gsize length,
                     guint8 *out,
                     GError **error)
{
  DsqMark mark;
  Place place;

  if (!find_mark (codec, table, &mark, error))
    return FALSE;
  place = place_of (codec, purpose, &mark, token);
  out[0] = DSQ_FORMAT_SEALED_VERSION;
  if (length > 0)
    memcpy (out + 1 + DSQ_KEY_NONCE_LENGTH, key, length);
  return dsq_keys_seal (codec->keys,
                        DSQ_KEY_NAME,
                        place.bytes,
                        sizeof place.bytes,
                        out + 1,
                        length,
                        error);
}

gboolean
dsq_row_decode_name (const DsqRecordCodec *codec,
                     const char *purpose,
                     guint32 table,
                     const guint8 *token,
                     gsize token_length,
                     const guint8 *name,
                     gsize length,
                     guint8 *out,
                     gsize *out_length,
                     GError **error)
{
  gboolean is_key = g_str_equal (purpose, DSQ_FORMAT_PURPOSE_NAME);
  const char *what = is_key ? "a key" : "a name in the list of tables";
  DsqMark mark;
  Place place;

  if (!find_mark (codec, table, &mark, error))
    return FALSE;
  if (name == NULL || token_length != DSQ_FORMAT_TOKEN_LENGTH ||
      length < DSQ_FORMAT_SEALED_OVERHEAD || name[0] != DSQ_FORMAT_SEALED_VERSION)
    return refuse (what, error);
  place = place_of (codec, purpose, &mark, token);
  if (!dsq_keys_unseal (codec->keys,
                        DSQ_KEY_NAME,
                        place.bytes,
                        sizeof place.bytes,
                        name + 1,
                        length - 1,
                        out))
    return refuse (what, error);
  *out_length = length - DSQ_FORMAT_SEALED_OVERHEAD;
  return TRUE;
}

/* --- tables ----------------------------------------------------------------------------------- */

/* Of a mark in a plain file. */
static guint32
mark_checksum (const DsqRecordCodec *codec,
               guint32 table,
               const guint8 *bytes,
               const guint8 *token,
               gsize token_length)
{
  guint8 id[4];
  guint32 crc = dsq_crc32c (0, codec->store_id, DSQ_FORMAT_STORE_ID_LENGTH);

  dsq_bytes_store_u32 (id, table);
  crc = dsq_crc32c (crc, (const guint8 *) DSQ_FORMAT_PURPOSE_MARK, DSQ_FORMAT_PURPOSE_LENGTH);
  crc = dsq_crc32c (crc, id, sizeof id);
  crc = dsq_crc32c (crc, bytes, DSQ_FORMAT_MARK_LENGTH);
  return dsq_crc32c (crc, token, token_length);
}

static void
take_mark (const DsqRecordCodec *codec,
           guint32 table,
           const guint8 *bytes,
           const guint8 *column,
           gsize length)
{
  DsqMark mark = { .table = table };

  memcpy (mark.bytes, bytes, sizeof mark.bytes);
  mark.seed = dsq_record_make_seed (codec->store_id, table, bytes);
  dsq_marks_put (codec->marks, &mark, column, length);
}

gboolean
dsq_row_draw_mark (const DsqRecordCodec *codec,
                   guint32 table,
                   const guint8 *token,
                   gsize token_length,
                   DsqMarkColumn *out_column,
                   GError **error)
{
  static const guint8 no_token[DSQ_FORMAT_TOKEN_LENGTH];
  const DsqMark unmarked = { .table = table };
  guint8 *out = out_column->bytes;
  guint8 bytes[DSQ_FORMAT_MARK_LENGTH];

  if (!dsq_random_draw (bytes, sizeof bytes, error))
    return FALSE;
  out[0] = DSQ_FORMAT_MARK_VERSION;
  if (codec->keys == NULL)
    {
      dsq_bytes_store_u32 (out + DSQ_FORMAT_MARK_AT_CRC,
                           mark_checksum (codec, table, bytes, token, token_length));
      memcpy (out + DSQ_FORMAT_MARK_AT_BYTES, bytes, sizeof bytes);
      out_column->length = DSQ_FORMAT_MARK_AT_BYTES + sizeof bytes;
    }
  else
    {
      const Place place = place_of (codec, DSQ_FORMAT_PURPOSE_MARK, &unmarked, no_token);

      memcpy (out + 1 + DSQ_KEY_NONCE_LENGTH, bytes, sizeof bytes);
      out_column->length = DSQ_FORMAT_SEALED_OVERHEAD + sizeof bytes;
      if (!dsq_keys_seal (codec->keys,
                          DSQ_KEY_NAME,
                          place.bytes,
                          DSQ_FORMAT_MARK_AAD_LENGTH,
                          out + 1,
                          sizeof bytes,
                          error))
        return FALSE;
    }
  take_mark (codec, table, bytes, out, out_column->length);
  return TRUE;
}

static gboolean
open_mark (const DsqRecordCodec *codec,
           guint32 table,
           const guint8 *token,
           gsize token_length,
           const guint8 *column,
           guint8 out[DSQ_FORMAT_MARK_LENGTH])
{
  static const guint8 no_token[DSQ_FORMAT_TOKEN_LENGTH];
  const DsqMark unmarked = { .table = table };
  Place place;

  if (column[0] != DSQ_FORMAT_MARK_VERSION)
    return FALSE;
  if (codec->keys == NULL)
    {
      memcpy (out, column + DSQ_FORMAT_MARK_AT_BYTES, DSQ_FORMAT_MARK_LENGTH);
      return dsq_bytes_load_u32 (column + DSQ_FORMAT_MARK_AT_CRC) ==
             mark_checksum (codec, table, out, token, token_length);
    }
  place = place_of (codec, DSQ_FORMAT_PURPOSE_MARK, &unmarked, no_token);
  return dsq_keys_unseal (codec->keys,
                          DSQ_KEY_NAME,
                          place.bytes,
                          DSQ_FORMAT_MARK_AAD_LENGTH,
                          column + 1,
                          DSQ_KEY_OVERHEAD + DSQ_FORMAT_MARK_LENGTH,
                          out);
}

gboolean
dsq_row_decode_mark (const DsqRecordCodec *codec,
                     guint32 table,
                     const guint8 *token,
                     gsize token_length,
                     const guint8 *column,
                     gsize length,
                     GError **error)
{
  gsize expected = codec->keys == NULL ? DSQ_FORMAT_MARK_AT_BYTES + DSQ_FORMAT_MARK_LENGTH
                                       : DSQ_FORMAT_MARK_MAX_COLUMN;
  guint8 bytes[DSQ_FORMAT_MARK_LENGTH];

  if (length != expected || !open_mark (codec, table, token, token_length, column, bytes))
    return refuse ("the list of tables", error);
  take_mark (codec, table, bytes, column, length);
  return TRUE;
}

/* In place of an id stands 0, which no table has: so no entry's token is a table's. */
GBytes *
dsq_row_make_table_token (const DsqRecordCodec *codec, const guint8 *name, gsize length)
{
  static const guint8 no_id[4];
  guint8 sealed[DSQ_FORMAT_TOKEN_LENGTH];
  guint8 *plain;

  if (codec->keys != NULL)
    {
      dsq_keys_make_token (codec->keys, no_id, sizeof no_id, name, length, sealed);
      return g_bytes_new (sealed, sizeof sealed);
    }
  plain = g_malloc (1 + length);
  plain[0] = DSQ_FORMAT_TABLE_NAMED;
  if (length > 0)
    memcpy (plain + 1, name, length);
  return g_bytes_new_take (plain, 1 + length);
}

gboolean
dsq_row_encode_table_name (const DsqRecordCodec *codec,
                           guint32 table,
                           GBytes *token,
                           const guint8 *name,
                           gsize length,
                           GBytes **out_name,
                           GError **error)
{
  gsize sealed_length = dsq_row_name_length (codec, length);
  g_autofree guint8 *sealed = NULL;

  *out_name = NULL;
  if (codec->keys == NULL)
    return TRUE;
  sealed = g_malloc (sealed_length);
  if (!dsq_row_encode_name (codec,
                            DSQ_FORMAT_PURPOSE_TABLE,
                            table,
                            g_bytes_get_data (token, NULL),
                            name,
                            length,
                            sealed,
                            error))
    return FALSE;
  *out_name = g_bytes_new_take (g_steal_pointer (&sealed), sealed_length);
  return TRUE;
}

GBytes *
dsq_row_decode_table_name (const DsqRecordCodec *codec,
                           guint32 table,
                           const guint8 *token,
                           gsize token_length,
                           const guint8 *name,
                           gsize length,
                           GError **error)
{
  g_autofree guint8 *memory = NULL;
  const guint8 *plain;
  gsize plain_length;

  if (codec->keys != NULL)
    {
      plain = memory = g_malloc (length + 1);
      if (!dsq_row_decode_name (codec,
                                DSQ_FORMAT_PURPOSE_TABLE,
                                table,
                                token,
                                token_length,
                                name,
                                length,
                                memory,
                                &plain_length,
                                error))
        return NULL;
    }
  else if (token_length == 0 || token[0] != DSQ_FORMAT_TABLE_NAMED || name != NULL)
    {
      refuse ("a name in the list of tables", error);
      return NULL;
    }
  else
    {
      plain = token + 1;
      plain_length = token_length - 1;
    }
  if (!dsq_utf8_validate (plain, plain_length))
    {
      refuse ("a name in the list of tables", error);
      return NULL;
    }
  return g_bytes_new (plain, plain_length);
}
