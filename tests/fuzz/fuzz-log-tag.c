/* fuzz-log-tag.c - any bytes as the column of a file's header and its log's tag
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include <glib.h>

#include "codec/dsq-log-tag-private.h"
#include "driver.h"

#define FRONT "DSQ1\2\0\0\0sixteen bytes id"
#define SIXTY "012345678901234567890123456789012345678901234567890123456789"

/* A header alone, with a tag, and that of an encrypted file; tags get their checksum below. */
const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED (FRONT "crc."),
  FUZZ_SEED (FRONT "crc.now 5678before 8crc."),
  FUZZ_SEED ("DSQ1\2\1\0\0sixteen bytes id\1\0\0\0\0\x4c\0\0\2\0\0\0\1\0\0\0salt of 16 bytes" SIXTY
             "0123456789ab" SIXTY "now 5678before 8crc."),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

/* A tag that is taken is the one that is written for what it says. */
static gboolean
check (const guint8 *column, gsize length)
{
  guint8 again[DSQ_FORMAT_TAG_LENGTH];
  gsize of_header = length;
  DsqLogTag tag;

  if (!dsq_log_tag_read (&tag, column, &of_header))
    return FALSE;
  g_assert_true (of_header == DSQ_FORMAT_HEADER_PLAIN_LENGTH ||
                 of_header == DSQ_FORMAT_HEADER_SEALED_LENGTH);
  if (of_header == length)
    {
      g_assert_cmpuint (tag.now, ==, 0);
      g_assert_cmpuint (tag.before, ==, 0);
      return TRUE;
    }
  g_assert_cmpuint (length, ==, of_header + DSQ_FORMAT_TAG_LENGTH);
  dsq_log_tag_write (&tag, column + DSQ_FORMAT_HEADER_AT_STORE_ID, again);
  g_assert_cmpmem (again, sizeof again, column + of_header, sizeof again);
  return TRUE;
}

/* @bytes as a header of @of_header bytes and its tag, under the right checksum; then with any bit
 * of the tag changed, and of the id. */
static void
check_as (const uint8_t *bytes, size_t n, guint8 cipher, gsize of_header)
{
  guint8 column[DSQ_FORMAT_HEADER_SEALED_LENGTH + DSQ_FORMAT_TAG_LENGTH] = { 0 };
  guint8 *store_id = column + DSQ_FORMAT_HEADER_AT_STORE_ID;
  gsize length = of_header + DSQ_FORMAT_TAG_LENGTH;
  DsqLogTag tag;
  gsize ignored = length;

  if (n > 0)
    memcpy (column, bytes, MIN (n, length));
  column[DSQ_FORMAT_HEADER_AT_CIPHER] = cipher;
  dsq_log_tag_read (&tag, column, &ignored);
  dsq_log_tag_write (&tag, store_id, column + of_header);
  g_assert_true (check (column, length));
  g_assert_false (check (column, length - 1));
  for (gsize bit = 0; bit < 8 * DSQ_FORMAT_TAG_LENGTH; bit += 7)
    {
      column[of_header + bit / 8] ^= (guint8) (1 << bit % 8);
      g_assert_false (check (column, length));
      column[of_header + bit / 8] ^= (guint8) (1 << bit % 8);
    }
  *store_id ^= 1;
  g_assert_false (check (column, length));
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  check (bytes, length);
  check_as (bytes, length, DSQ_FORMAT_CIPHER_NONE, DSQ_FORMAT_HEADER_PLAIN_LENGTH);
  check_as (bytes, length, DSQ_FORMAT_CIPHER_XAES, DSQ_FORMAT_HEADER_SEALED_LENGTH);
  return 0;
}
