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

/* Tells a value's checksum from that of anything else in the file. */
static const guint8 purpose[5] = { 'd', 's', 'q', '1', 'v' };

#define EXPIRY_LENGTH sizeof (guint64)

void
dsq_record_codec_init (DsqRecordCodec *self, const guint8 store_id[16])
{
  self->seed = dsq_crc32c (0, store_id, DSQ_FORMAT_STORE_ID_LENGTH);
  memcpy (self->store_id, store_id, DSQ_FORMAT_STORE_ID_LENGTH);
  self->keys = NULL;
}

/* The checksum of @record's row, with @body as it lies in the value column. */
static guint32
checksum (const DsqRecordCodec *self, const DsqRecord *record, const guint8 *body, gsize length)
{
  guint8 context[sizeof purpose + 8];
  guint32 crc;

  memcpy (context, purpose, sizeof purpose);
  dsq_bytes_store_u32 (context + sizeof purpose, record->table);
  dsq_bytes_store_u32 (context + sizeof purpose + 4, record->key_length);

  crc = dsq_crc32c (self->seed, context, sizeof context);
  crc = dsq_crc32c (crc, record->key, record->key_length);
  return dsq_crc32c (crc, body, length);
}

gsize
dsq_record_body_length (const DsqRecord *record)
{
  return 1 + (record->expires != 0 ? EXPIRY_LENGTH : 0) + record->payload_length;
}

void
dsq_record_encode_body (const DsqRecord *record, guint8 *out)
{
  if (record->expires != 0)
    {
      *out++ = record->type | DSQ_FORMAT_RECORD_EXPIRES;
      dsq_bytes_store_u64 (out, (guint64) record->expires);
      out += EXPIRY_LENGTH;
    }
  else
    {
      *out++ = record->type;
    }
  if (record->payload_length > 0)
    memcpy (out, record->payload, record->payload_length);
}

gsize
dsq_record_encoded_length (const DsqRecord *record)
{
  return DSQ_FORMAT_RECORD_AT_BODY + dsq_record_body_length (record);
}

void
dsq_record_encode (const DsqRecordCodec *self, const DsqRecord *record, guint8 *out)
{
  guint8 *body = out + DSQ_FORMAT_RECORD_AT_BODY;

  dsq_record_encode_body (record, body);
  out[0] = DSQ_FORMAT_RECORD_VERSION;
  dsq_bytes_store_u32 (out + DSQ_FORMAT_RECORD_AT_CRC,
                       checksum (self, record, body, dsq_record_body_length (record)));
}

const char *
dsq_record_decode_body (DsqRecord *record, const guint8 *body, gsize length)
{
  guint8 type = body[0] & (guint8) ~DSQ_FORMAT_RECORD_EXPIRES;
  gsize header = 1;
  gint64 expires = 0;

  if ((body[0] & DSQ_FORMAT_RECORD_EXPIRES) != 0)
    {
      header += EXPIRY_LENGTH;
      if (length < header)
        return "it ends early";
      expires = (gint64) dsq_bytes_load_u64 (body + 1);
      if (expires == 0)
        return "its expiry is none";
    }
  if (type < DSQ_VALUE_NONE || type > DSQ_VALUE_PICKLE)
    return "its type is unknown";
  if (expires != record->expires)
    return "its expiry is not that of its row";

  record->type = type;
  record->payload = body + header;
  record->payload_length = length - header;
  return NULL;
}

gboolean
dsq_record_decode (const DsqRecordCodec *self,
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

      if (checksum (self, record, body, body_length) !=
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
