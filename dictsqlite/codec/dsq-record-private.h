/* dsq-record-private.h - a record as it lies in a row of the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec/dsq-marks-private.h"
#include "crypto/dsq-key-private.h"

G_BEGIN_DECLS

/* What encodes and decodes the rows of one file. In a plain one a value carries the CRC-32C over
 * all that the row says; with keys, dsq-row seals it instead. dsq-format-private.h has the layout.
 */
typedef struct
{
  guint8 store_id[DSQ_KEY_ID_LENGTH];
  DsqKeys *keys;   /* (unowned) (nullable) of an encrypted store */
  DsqMarks *marks; /* (owned) of the tables whose rows can be read */
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

void dsq_record_codec_init (DsqRecordCodec *self, const guint8 store_id[16], DsqKeys *keys);
void dsq_record_codec_clear (DsqRecordCodec *self);

/* --- plain ------------------------------------------------------------------------------------ */

/* What the checksums of all values of a table begin with. */
guint32 dsq_record_make_seed (const guint8 store_id[16], guint32 table, const guint8 mark[16]);

/* Bytes of the value column for @record, and the writing of them into @out, which has that room. */
gsize dsq_record_encoded_length (const DsqRecord *record);
void dsq_record_encode (guint32 seed, const DsqRecord *record, guint8 *out);

/* Reads a value column. The caller has set key and key_length, and expires to the column's value;
 * type and payload are set, borrowing from @value. Gives DSQ_ERROR_CORRUPT when version, length,
 * checksum, type byte or the expiry inside disagree; the message never holds the value. */
gboolean dsq_record_decode (guint32 seed,
                            DsqRecord *record,
                            const guint8 *value,
                            gsize length,
                            GError **error);

/* --- the body of both kinds ------------------------------------------------------------------- */

/* The record, behind its expiry if there is one. */
gsize dsq_record_body_length (const DsqRecord *record);
void dsq_record_encode_body (const DsqRecord *record, guint8 *out);
/* Reads one that is known to be as it was written; gives what is wrong with it, or NULL. A type
 * that is reserved for later is nothing wrong here. */
const char *dsq_record_decode_body (DsqRecord *record, const guint8 *body, gsize length);

/* Whether only later versions write records of that type. */
gboolean dsq_record_is_of_later (guint8 type);

G_END_DECLS
