/* fuzz-header.c - the header of a file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-crc32c-private.h"
#include "codec/dsq-format-private.h"
#include "codec/dsq-header-private.h"
#include "driver.h"
#include "dsq-error.h"

#define FRONT "DSQ1\2\0\0\0sixteen bytes id"
#define SIXTY "012345678901234567890123456789012345678901234567890123456789"

/* Plain, and encrypted at the least and at a higher cost; each gets its checksum below. */
const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED (FRONT "crc."),
  FUZZ_SEED ("DSQ1\2\1\0\0sixteen bytes id\1\0\0\0\0\x4c\0\0\2\0\0\0\1\0\0\0salt of 16 bytes" SIXTY
             "0123456789ab" SIXTY),
  FUZZ_SEED ("DSQ1\2\1\0\0sixteen bytes id\1\0\0\0\0\0\4\0\3\0\0\0\4\0\0\0salt of 16 bytes" SIXTY
             "0123456789ab" SIXTY),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

/* What is taken is taken as it is; what it would cost is known without paying for it. */
static void
check (const guint8 *bytes, gsize length)
{
  g_autoptr (GError) error = NULL;
  DsqHeader header;
  DsqKeys *keys = NULL;

  if (!dsq_header_read (&header, bytes, length, &error))
    {
      g_assert_true (g_error_matches (error, DSQ_ERROR, DSQ_ERROR_FORMAT) ||
                     g_error_matches (error, DSQ_ERROR, DSQ_ERROR_CORRUPT));
      return;
    }
  g_assert_no_error (error);
  g_assert_cmpmem (header.bytes, header.length, bytes, length);
  g_assert_cmpmem (dsq_header_get_store_id (&header),
                   DSQ_KEY_ID_LENGTH,
                   bytes + DSQ_FORMAT_HEADER_AT_STORE_ID,
                   DSQ_KEY_ID_LENGTH);
  g_assert_true (dsq_header_equal (&header, &header));
  g_assert_cmpint (dsq_header_is_sealed (&header), ==, length == DSQ_FORMAT_HEADER_SEALED_LENGTH);
  g_assert_true (dsq_header_check_cost (&header, G_MAXUINT64, NULL));
  g_assert_cmpint (dsq_header_check_cost (&header, 0, NULL), ==, !dsq_header_is_sealed (&header));
  g_assert_cmpint (dsq_header_unlock (&header, NULL, &keys, NULL),
                   ==,
                   !dsq_header_is_sealed (&header));
  g_assert_null (keys);
}

/* @bytes cut or filled up to @length, under the right checksum. */
static void
check_as (const uint8_t *bytes, size_t n, gsize length)
{
  guint8 header[DSQ_FORMAT_HEADER_SEALED_LENGTH] = { 0 };

  if (n > 0)
    memcpy (header, bytes, MIN (n, length));
  dsq_bytes_store_u32 (header + length - 4, dsq_crc32c (0, header, length - 4));
  check (header, length);
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  check (bytes, length);
  check_as (bytes, length, DSQ_FORMAT_HEADER_PLAIN_LENGTH);
  check_as (bytes, length, DSQ_FORMAT_HEADER_SEALED_LENGTH);
  return 0;
}
