/* dsq-record.c - a record as it lies in a row of the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-crc32c-private.h"
#include "codec/dsq-format-private.h"
#include "codec/dsq-record-private.h"
#include "dsq-enums.h"
#include "dsq-error.h"

#define EXPIRY_LENGTH sizeof (guint64)

void
dsq_record_codec_init (DsqRecordCodec *self, const guint8 store_id[16], DsqKeys *keys)
{
  memcpy (self->store_id, store_id, DSQ_FORMAT_STORE_ID_LENGTH);
  self->keys = keys;
  self->marks = dsq_marks_new ();
}

void
dsq_record_codec_clear (DsqRecordCodec *self)
{
  g_clear_pointer (&self->marks, dsq_marks_free);
}

guint32
dsq_record_make_seed (const guint8 store_id[16], guint32 table, const guint8 mark[16])
{
  guint8 id[4];
  guint32 crc = dsq_crc32c (0, store_id, DSQ_FORMAT_STORE_ID_LENGTH);

  dsq_bytes_store_u32 (id, table);
  crc = dsq_crc32c (crc, (const guint8 *) DSQ_FORMAT_PURPOSE_VALUE, DSQ_FORMAT_PURPOSE_LENGTH);
  crc = dsq_crc32c (crc, id, sizeof id);
  return dsq_crc32c (crc, mark, DSQ_FORMAT_MARK_LENGTH);
}

/* The checksum of @record's row, with @body as it lies in the value column. */
static guint32
checksum (guint32 seed, const DsqRecord *record, const guint8 *body, gsize length)
{
  guint8 key_length[4];
  guint32 crc;

  dsq_bytes_store_u32 (key_length, record->key_length);
  crc = dsq_crc32c (seed, key_length, sizeof key_length);
  crc = dsq_crc32c (crc, record->key, record->key_length);
  return dsq_crc32c (crc, body, length);
}

gsize
dsq_record_body_length (const DsqRecord *record)
{
  return (record->expires != 0 ? 1 + EXPIRY_LENGTH : 0) + 1 + record->payload_length;
}

void
dsq_record_encode_body (const DsqRecord *record, guint8 *out)
{
  if (record->expires != 0)
    {
      *out++ = DSQ_FORMAT_BODY_EXPIRES;
      dsq_bytes_store_u64 (out, (guint64) record->expires);
      out += EXPIRY_LENGTH;
    }
  *out++ = record->type;
  if (record->payload_length > 0)
    memcpy (out, record->payload, record->payload_length);
}

gsize
dsq_record_encoded_length (const DsqRecord *record)
{
  return DSQ_FORMAT_RECORD_AT_BODY + dsq_record_body_length (record);
}

void
dsq_record_encode (guint32 seed, const DsqRecord *record, guint8 *out)
{
  guint8 *body = out + DSQ_FORMAT_RECORD_AT_BODY;

  dsq_record_encode_body (record, body);
  out[0] = DSQ_FORMAT_RECORD_VERSION;
  dsq_bytes_store_u32 (out + DSQ_FORMAT_RECORD_AT_CRC,
                       checksum (seed, record, body, dsq_record_body_length (record)));
}

gboolean
dsq_record_is_of_later (guint8 type)
{
  return type >= DSQ_FORMAT_RECORD_FIRST_RESERVED && type <= DSQ_FORMAT_RECORD_LAST_RESERVED;
}

static gboolean
is_known (guint8 type)
{
  return (type >= DSQ_VALUE_NONE && type <= DSQ_VALUE_OLD_PICKLE) || type == DSQ_VALUE_PICKLE ||
         dsq_record_is_of_later (type);
}

const char *
dsq_record_decode_body (DsqRecord *record, const guint8 *body, gsize length)
{
  gint64 expires = 0;

  if (body[0] == DSQ_FORMAT_BODY_EXPIRES)
    {
      if (length <= 1 + EXPIRY_LENGTH)
        return "it ends early";
      expires = (gint64) dsq_bytes_load_u64 (body + 1);
      if (expires == 0)
        return "its expiry is none";
      body += 1 + EXPIRY_LENGTH;
      length -= 1 + EXPIRY_LENGTH;
    }
  if (!is_known (body[0]))
    return "its type is unknown";
  if (expires != record->expires)
    return "its expiry is not that of its row";

  record->type = body[0];
  record->payload = body + 1;
  record->payload_length = length - 1;
  return NULL;
}

gboolean
dsq_record_decode (guint32 seed,
                   DsqRecord *record,
                   const guint8 *value,
                   gsize length,
                   GError **error)
{
  const char *fault;

  if (length <= DSQ_FORMAT_RECORD_AT_BODY)
    {
      fault = "it ends early";
    }
  else if (value[0] != DSQ_FORMAT_RECORD_VERSION)
    {
      fault = "its version is unknown";
    }
  else
    {
      const guint8 *body = value + DSQ_FORMAT_RECORD_AT_BODY;
      gsize body_length = length - DSQ_FORMAT_RECORD_AT_BODY;

      if (checksum (seed, record, body, body_length) !=
          dsq_bytes_load_u32 (value + DSQ_FORMAT_RECORD_AT_CRC))
        fault = "its checksum does not match";
      else
        fault = dsq_record_decode_body (record, body, body_length);
    }

  if (G_LIKELY (fault == NULL))
    return TRUE;
  g_set_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT, "Failed to decode record: %s", fault);
  return FALSE;
}
