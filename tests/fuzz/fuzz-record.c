/* fuzz-record.c - any bytes as a value column
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-crc32c-private.h"
#include "codec/dsq-format-private.h"
#include "codec/dsq-record-private.h"
#include "driver.h"
#include "dsq-enums.h"
#include "dsq-error.h"

/* Values with no checksum to speak of: each body is tried under the right one as well. */
const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED ("\2\0\0\0\0\3text"),  FUZZ_SEED ("\2\0\0\0\0\x40\1\0\0\0\0\0\0\0\3text"),
  FUZZ_SEED ("\2\0\0\0\0\1"),      FUZZ_SEED ("\2\0\0\0\0\x80\5N."),
  FUZZ_SEED ("\1\0\0\0\0\2bytes"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

static DsqRecord
row_with (gint64 expires)
{
  return (
      DsqRecord){ .table = 1, .key = (const guint8 *) "key", .key_length = 3, .expires = expires };
}

/* What decodes is just what encoding it gives. */
static void
check_decoding (guint32 seed, const guint8 *value, gsize length, gint64 expires)
{
  DsqRecord record = row_with (expires);
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *again = NULL;

  if (!dsq_record_decode (seed, &record, value, length, &error))
    {
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
      return;
    }
  g_assert_cmpuint (dsq_record_encoded_length (&record), ==, length);
  again = g_malloc (length);
  dsq_record_encode (seed, &record, again);
  g_assert_cmpmem (again, length, value, length);
}

/* @bytes as the body of a value whose checksum is right. */
static void
check_body (guint32 seed, const guint8 *bytes, gsize length, gint64 expires)
{
  static const guint8 row[] = "\3\0\0\0key";
  gsize value_length = DSQ_FORMAT_RECORD_AT_BODY + length;
  g_autofree guint8 *value = g_malloc (value_length);
  guint32 crc = dsq_crc32c (seed, row, sizeof row - 1);

  value[0] = DSQ_FORMAT_RECORD_VERSION;
  dsq_bytes_store_u32 (value + DSQ_FORMAT_RECORD_AT_CRC, dsq_crc32c (crc, bytes, length));
  if (length > 0)
    memcpy (value + DSQ_FORMAT_RECORD_AT_BODY, bytes, length);
  check_decoding (seed, value, value_length, expires);
}

/* @bytes as a payload come back, and no bit of the value can change. */
static void
check_encoding (guint32 seed, const guint8 *bytes, gsize length)
{
  DsqRecord record = row_with (length % 2 == 0 ? 0 : 42);
  DsqRecord read = row_with (record.expires);
  gsize value_length;
  gsize bit;
  g_autofree guint8 *value = NULL;

  record.type = DSQ_VALUE_BYTES;
  record.payload = bytes;
  record.payload_length = length;
  value_length = dsq_record_encoded_length (&record);
  value = g_malloc (value_length);
  dsq_record_encode (seed, &record, value);

  g_assert_true (dsq_record_decode (seed, &read, value, value_length, NULL));
  g_assert_cmpuint (read.type, ==, DSQ_VALUE_BYTES);
  g_assert_cmpmem (read.payload, read.payload_length, bytes, length);

  bit = (length > 0 ? bytes[0] * 37u : 0) % (8 * value_length);
  value[bit / 8] ^= (guint8) (1 << bit % 8);
  g_assert_false (dsq_record_decode (seed, &read, value, value_length, NULL));
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  guint32 seed = dsq_record_make_seed ((const guint8 *) "sixteen bytes id",
                                       DSQ_FORMAT_TABLE_MAIN,
                                       (const guint8 *) "a mark of 16 byt");

  check_decoding (seed, bytes, length, 0);
  check_decoding (seed, bytes, length, 1);
  check_encoding (seed, bytes, length);

  /* the seeds' own bodies begin behind version and checksum */
  if (length >= DSQ_FORMAT_RECORD_AT_BODY)
    {
      bytes += DSQ_FORMAT_RECORD_AT_BODY;
      length -= DSQ_FORMAT_RECORD_AT_BODY;
    }
  check_body (seed, bytes, length, 0);
  check_body (seed, bytes, length, 1);
  return 0;
}
