/* test-hash.c - the keyed hash of the tables in memory
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "codec/dsq-hash-private.h"

/* SipHash-2-4 of the first 0 to 63 of the bytes 0, 1, 2, ... under the key 0, 1, ... 15: the
 * vectors of the reference implementation (https://github.com/veorq/SipHash, vectors.h), which are
 * also what OpenSSL's SIPHASH gives. The one of 15 bytes is in the paper's appendix A. */
static const guint64 siphash_2_4[64] = {
  G_GUINT64_CONSTANT (0x726fdb47dd0e0e31), G_GUINT64_CONSTANT (0x74f839c593dc67fd),
  G_GUINT64_CONSTANT (0x0d6c8009d9a94f5a), G_GUINT64_CONSTANT (0x85676696d7fb7e2d),
  G_GUINT64_CONSTANT (0xcf2794e0277187b7), G_GUINT64_CONSTANT (0x18765564cd99a68d),
  G_GUINT64_CONSTANT (0xcbc9466e58fee3ce), G_GUINT64_CONSTANT (0xab0200f58b01d137),
  G_GUINT64_CONSTANT (0x93f5f5799a932462), G_GUINT64_CONSTANT (0x9e0082df0ba9e4b0),
  G_GUINT64_CONSTANT (0x7a5dbbc594ddb9f3), G_GUINT64_CONSTANT (0xf4b32f46226bada7),
  G_GUINT64_CONSTANT (0x751e8fbc860ee5fb), G_GUINT64_CONSTANT (0x14ea5627c0843d90),
  G_GUINT64_CONSTANT (0xf723ca908e7af2ee), G_GUINT64_CONSTANT (0xa129ca6149be45e5),
  G_GUINT64_CONSTANT (0x3f2acc7f57c29bdb), G_GUINT64_CONSTANT (0x699ae9f52cbe4794),
  G_GUINT64_CONSTANT (0x4bc1b3f0968dd39c), G_GUINT64_CONSTANT (0xbb6dc91da77961bd),
  G_GUINT64_CONSTANT (0xbed65cf21aa2ee98), G_GUINT64_CONSTANT (0xd0f2cbb02e3b67c7),
  G_GUINT64_CONSTANT (0x93536795e3a33e88), G_GUINT64_CONSTANT (0xa80c038ccd5ccec8),
  G_GUINT64_CONSTANT (0xb8ad50c6f649af94), G_GUINT64_CONSTANT (0xbce192de8a85b8ea),
  G_GUINT64_CONSTANT (0x17d835b85bbb15f3), G_GUINT64_CONSTANT (0x2f2e6163076bcfad),
  G_GUINT64_CONSTANT (0xde4daaaca71dc9a5), G_GUINT64_CONSTANT (0xa6a2506687956571),
  G_GUINT64_CONSTANT (0xad87a3535c49ef28), G_GUINT64_CONSTANT (0x32d892fad841c342),
  G_GUINT64_CONSTANT (0x7127512f72f27cce), G_GUINT64_CONSTANT (0xa7f32346f95978e3),
  G_GUINT64_CONSTANT (0x12e0b01abb051238), G_GUINT64_CONSTANT (0x15e034d40fa197ae),
  G_GUINT64_CONSTANT (0x314dffbe0815a3b4), G_GUINT64_CONSTANT (0x027990f029623981),
  G_GUINT64_CONSTANT (0xcadcd4e59ef40c4d), G_GUINT64_CONSTANT (0x9abfd8766a33735c),
  G_GUINT64_CONSTANT (0x0e3ea96b5304a7d0), G_GUINT64_CONSTANT (0xad0c42d6fc585992),
  G_GUINT64_CONSTANT (0x187306c89bc215a9), G_GUINT64_CONSTANT (0xd4a60abcf3792b95),
  G_GUINT64_CONSTANT (0xf935451de4f21df2), G_GUINT64_CONSTANT (0xa9538f0419755787),
  G_GUINT64_CONSTANT (0xdb9acddff56ca510), G_GUINT64_CONSTANT (0xd06c98cd5c0975eb),
  G_GUINT64_CONSTANT (0xe612a3cb9ecba951), G_GUINT64_CONSTANT (0xc766e62cfcadaf96),
  G_GUINT64_CONSTANT (0xee64435a9752fe72), G_GUINT64_CONSTANT (0xa192d576b245165a),
  G_GUINT64_CONSTANT (0x0a8787bf8ecb74b2), G_GUINT64_CONSTANT (0x81b3e73d20b49b6f),
  G_GUINT64_CONSTANT (0x7fa8220ba3b2ecea), G_GUINT64_CONSTANT (0x245731c13ca42499),
  G_GUINT64_CONSTANT (0xb78dbfaf3a8d83bd), G_GUINT64_CONSTANT (0xea1ad565322a1a0b),
  G_GUINT64_CONSTANT (0x60e61c23a3795013), G_GUINT64_CONSTANT (0x6606d7e446282b93),
  G_GUINT64_CONSTANT (0x6ca4ecb15c5f91e1), G_GUINT64_CONSTANT (0x9f626da15c9625f3),
  G_GUINT64_CONSTANT (0xe51b38608ef25f57), G_GUINT64_CONSTANT (0x958a324ceb064572),
};

static void
fill_with_count (guint8 *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++)
    bytes[i] = (guint8) i;
}

static void
test_matches_siphash_2_4 (void)
{
  guint8 key[16];
  guint8 bytes[64];

  fill_with_count (key, sizeof key);
  fill_with_count (bytes, sizeof bytes);
  for (gsize length = 0; length < G_N_ELEMENTS (siphash_2_4); length++)
    g_assert_cmphex (dsq_hash_siphash (2, 4, key, bytes, length), ==, siphash_2_4[length]);
  g_assert_cmphex (siphash_2_4[15], ==, G_GUINT64_CONSTANT (0xa129ca6149be45e5));
}

/* What hash() of CPython 3.11 gives with PYTHONHASHSEED=0, which is SipHash-1-3 under a key of
 * zeros. */
static void
test_matches_siphash_1_3 (void)
{
  guint8 key[16] = { 0 };
  guint8 bytes[64];

  fill_with_count (bytes, sizeof bytes);
  g_assert_cmphex (dsq_hash_siphash (1, 3, key, (const guint8 *) "a", 1),
                   ==,
                   G_GUINT64_CONSTANT (0x407448d2b89b1813));
  g_assert_cmphex (dsq_hash_siphash (1, 3, key, (const guint8 *) "key_123", 7),
                   ==,
                   G_GUINT64_CONSTANT (0x81da9aa51827d655));
  g_assert_cmphex (dsq_hash_siphash (1, 3, key, (const guint8 *) "12345678", 8),
                   ==,
                   G_GUINT64_CONSTANT (0x3489982430560a87));
  g_assert_cmphex (dsq_hash_siphash (1, 3, key, bytes, 15),
                   ==,
                   G_GUINT64_CONSTANT (0xf30eb725bb91c9ea));
  g_assert_cmphex (dsq_hash_siphash (1, 3, key, bytes, 64),
                   ==,
                   G_GUINT64_CONSTANT (0x75e05fd5bbc870c6));
}

static void
test_tells_tables_and_lengths_apart (void)
{
  const guint8 zeros[32] = { 0 };
  g_autoptr (GHashTable) seen = g_hash_table_new (g_int64_hash, g_int64_equal);
  guint64 hashes[4][33];

  for (guint32 table = 0; table < 4; table++)
    for (gsize length = 0; length <= sizeof zeros; length++)
      {
        hashes[table][length] = dsq_hash (table, zeros, length);
        g_assert_cmphex (dsq_hash (table, zeros, length), ==, hashes[table][length]);
        g_hash_table_add (seen, &hashes[table][length]);
      }
  g_assert_cmpuint (g_hash_table_size (seen), ==, 4 * 33);
}

static void
test_spreads_short_keys_over_few_bits (void)
{
  guint buckets[256] = { 0 };

  for (guint i = 0; i < 25600; i++)
    {
      char key[16];
      int length = snprintf (key, sizeof key, "key_%u", i);

      buckets[dsq_hash (1, (const guint8 *) key, (gsize) length) & 0xFF]++;
    }
  /* 100 each, give or take seven standard deviations */
  for (guint i = 0; i < G_N_ELEMENTS (buckets); i++)
    {
      g_assert_cmpuint (buckets[i], >, 30);
      g_assert_cmpuint (buckets[i], <, 170);
    }
}

static gpointer
hash_once (gpointer data)
{
  guint64 *out = data;

  *out = dsq_hash (1, (const guint8 *) "key", 3);
  return NULL;
}

static void
test_one_key_for_all_threads (void)
{
  guint64 hashes[8];
  GThread *threads[G_N_ELEMENTS (hashes)];

  for (guint i = 0; i < G_N_ELEMENTS (hashes); i++)
    threads[i] = g_thread_new ("hash", hash_once, &hashes[i]);
  for (guint i = 0; i < G_N_ELEMENTS (hashes); i++)
    g_thread_join (threads[i]);
  for (guint i = 1; i < G_N_ELEMENTS (hashes); i++)
    g_assert_cmphex (hashes[i], ==, hashes[0]);
}

static void
test_another_key_in_another_process (void)
{
  g_autofree char *ours = g_strdup_printf ("*hash=%016" G_GINT64_MODIFIER "x*",
                                           dsq_hash (1, (const guint8 *) "key", 3));

  if (g_test_subprocess ())
    {
      g_print ("%s\n", ours);
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stdout ("*hash=*");
  g_test_trap_assert_stdout_unmatched (ours);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* first, so that the threads race for the key */
  g_test_add_func ("/dsq/hash/one-key-for-all-threads", test_one_key_for_all_threads);
  g_test_add_func ("/dsq/hash/another-key-in-another-process", test_another_key_in_another_process);
  g_test_add_func ("/dsq/hash/matches-siphash-2-4", test_matches_siphash_2_4);
  g_test_add_func ("/dsq/hash/matches-siphash-1-3", test_matches_siphash_1_3);
  g_test_add_func ("/dsq/hash/tells-tables-and-lengths-apart", test_tells_tables_and_lengths_apart);
  g_test_add_func ("/dsq/hash/spreads-short-keys-over-few-bits",
                   test_spreads_short_keys_over_few_bits);
  return g_test_run ();
}
