/* dsq-record-private.h - a record as it lies in a row of the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "crypto/dsq-key-private.h"

G_BEGIN_DECLS

/* What encodes and decodes the rows of one file. In a plain one a value carries the CRC-32C over
 * all that the row says, seeded with the store's id; with keys, dsq-row seals it instead.
 * dsq-format-private.h has the layout. */
typedef struct
{
  guint32 seed; /* CRC-32C of the store id */
  guint8 store_id[DSQ_KEY_ID_LENGTH];
  DsqKeys *keys; /* (unowned) (nullable) of an encrypted store */
} DsqRecordCodec;

/* One row's content, all borrowed. */
typedef struct
{
  guint32 table;
  guint32 key_length;
  const guint8 *key;
  gint64 expires; /* milliseconds since 1970, 0 for never */
  guint8 type;    /* the record's first byte */
  gsize payload_length;
  const guint8 *payload; /* the rest of the record */
} DsqRecord;

/* For a plain store; for an encrypted one, set keys afterwards. */
void dsq_record_codec_init (DsqRecordCodec *self, const guint8 store_id[16]);

/* --- plain ------------------------------------------------------------------------------------ */

/* Bytes of the value column for @record, and the writing of them into @out, which has that room. */
gsize dsq_record_encoded_length (const DsqRecord *record);
void dsq_record_encode (const DsqRecordCodec *self, const DsqRecord *record, guint8 *out);

/* Reads a value column. The caller has set table, key and key_length, and expires to the column's
 * value; type and payload are set, borrowing from @value. Gives DSQ_ERROR_CORRUPT when version,
 * length, checksum, type byte or the expiry inside disagree; the message never holds the value. */
gboolean dsq_record_decode (const DsqRecordCodec *self,
                            DsqRecord *record,
                            const guint8 *value,
                            gsize length,
                            GError **error);

/* --- the body of both kinds ------------------------------------------------------------------- */

/* Type byte, expiry if there is one, payload. */
gsize dsq_record_body_length (const DsqRecord *record);
void dsq_record_encode_body (const DsqRecord *record, guint8 *out);
/* Reads one that is known to be as it was written; gives what is wrong with it, or NULL. */
const char *dsq_record_decode_body (DsqRecord *record, const guint8 *body, gsize length);

G_END_DECLS
