/* test-crc32c.c - the checksum of a plain file's records
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-crc32c-private.h"

typedef guint32 (*Crc32c) (guint32 crc, const guint8 *bytes, gsize length);

/* RFC 3720, B.4, and the check value of the catalogue of parametrised CRC algorithms. */
static void
check_vectors (Crc32c crc32c)
{
  static const guint8 read_command[48] = {
    0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
    0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0,    0,
  };
  guint8 bytes[32];

  memset (bytes, 0, sizeof bytes);
  g_assert_cmphex (crc32c (0, bytes, sizeof bytes), ==, 0x8a9136aa);
  memset (bytes, 0xff, sizeof bytes);
  g_assert_cmphex (crc32c (0, bytes, sizeof bytes), ==, 0x62a8ab43);
  for (guint i = 0; i < sizeof bytes; i++)
    bytes[i] = (guint8) i;
  g_assert_cmphex (crc32c (0, bytes, sizeof bytes), ==, 0x46dd794e);
  for (guint i = 0; i < sizeof bytes; i++)
    bytes[i] = (guint8) (31 - i);
  g_assert_cmphex (crc32c (0, bytes, sizeof bytes), ==, 0x113fdb5c);
  g_assert_cmphex (crc32c (0, read_command, sizeof read_command), ==, 0xd9963a56);
  g_assert_cmphex (crc32c (0, (const guint8 *) "123456789", 9), ==, 0xe3069283);
  g_assert_cmphex (crc32c (0, NULL, 0), ==, 0);
}

static void
test_matches_rfc_3720 (void)
{
  check_vectors (dsq_crc32c);
  check_vectors (dsq_crc32c_portable);
}

static guint8 *
random_bytes (GRand *rand, gsize length)
{
  guint8 *bytes = g_malloc (length);

  for (gsize i = 0; i < length; i++)
    bytes[i] = (guint8) g_rand_int (rand);
  return bytes;
}

/* Lengths to beyond a few rounds of lanes, at every alignment, going on from any checksum. */
static void
test_both_ways_are_equal (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (3720);
  g_autofree guint8 *bytes = random_bytes (rand, 8192);

  for (gsize length = 0; length < 600; length++)
    for (gsize offset = 0; offset < 9; offset++)
      g_assert_cmphex (dsq_crc32c (0, bytes + offset, length),
                       ==,
                       dsq_crc32c_portable (0, bytes + offset, length));

  for (guint i = 0; i < 2000; i++)
    {
      gsize offset = (gsize) g_rand_int_range (rand, 0, 64);
      gsize length = (gsize) g_rand_int_range (rand, 0, 8192 - 64);
      guint32 start = g_rand_int (rand);

      g_assert_cmphex (dsq_crc32c (start, bytes + offset, length),
                       ==,
                       dsq_crc32c_portable (start, bytes + offset, length));
    }
}

static void
check_splitting (Crc32c crc32c)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (42);
  g_autofree guint8 *bytes = random_bytes (rand, 2000);
  guint32 whole = crc32c (0, bytes, 2000);

  for (gsize at = 0; at <= 2000; at++)
    g_assert_cmphex (crc32c (crc32c (0, bytes, at), bytes + at, 2000 - at), ==, whole);
}

static void
test_goes_on_where_it_was_split (void)
{
  check_splitting (dsq_crc32c);
  check_splitting (dsq_crc32c_portable);
}

static void
test_sees_every_flipped_bit (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  g_autofree guint8 *bytes = random_bytes (rand, 1000);
  guint32 whole = dsq_crc32c (0, bytes, 1000);

  for (gsize bit = 0; bit < 8000; bit++)
    {
      bytes[bit / 8] ^= (guint8) (1 << bit % 8);
      g_assert_cmphex (dsq_crc32c (0, bytes, 1000), !=, whole);
      bytes[bit / 8] ^= (guint8) (1 << bit % 8);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/crc32c/matches-rfc-3720", test_matches_rfc_3720);
  g_test_add_func ("/dsq/crc32c/both-ways-are-equal", test_both_ways_are_equal);
  g_test_add_func ("/dsq/crc32c/goes-on-where-it-was-split", test_goes_on_where_it_was_split);
  g_test_add_func ("/dsq/crc32c/sees-every-flipped-bit", test_sees_every_flipped_bit);
  return g_test_run ();
}
