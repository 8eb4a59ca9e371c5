/* test-legacy.c - values that DictSQLite 2.x and 4.1 encrypted
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "crypto/dsq-legacy-private.h"
#include "dsq-error.h"
#include "dsq-migrate.h"

#define SEALED_LENGTH (DSQ_LEGACY_NONCE_LENGTH + 16 + DSQ_LEGACY_TAG_LENGTH)

/* "The Galois/Counter Mode of Operation (GCM)", McGrew and Viega, test cases 13 and 14: key, nonce
 * and plaintext are zero. */
static const guint8 tag_of_nothing[] = {
  0x53, 0x0f, 0x8a, 0xfb, 0xc7, 0x45, 0x36, 0xb9, 0xa9, 0x63, 0xb4, 0xf1, 0xc4, 0xcb, 0x73, 0x8b,
};
static const guint8 zeros_sealed[] = {
  0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18,
  0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19,
};

static void
test_vectors (void)
{
  const guint8 key[DSQ_LEGACY_KEY_LENGTH] = { 0 };
  guint8 sealed[SEALED_LENGTH] = { 0 };
  guint8 out[16];

  memcpy (sealed + DSQ_LEGACY_NONCE_LENGTH, tag_of_nothing, sizeof tag_of_nothing);
  g_assert_true (
      dsq_legacy_unseal (key, sealed, DSQ_LEGACY_NONCE_LENGTH + DSQ_LEGACY_TAG_LENGTH, out));
  memcpy (sealed + DSQ_LEGACY_NONCE_LENGTH, zeros_sealed, sizeof zeros_sealed);
  memset (out, 1, sizeof out);
  g_assert_true (dsq_legacy_unseal (key, sealed, sizeof sealed, out));
  for (guint i = 0; i < sizeof out; i++)
    g_assert_cmpint (out[i], ==, 0);
}

/* Any bit that differs, and any length. */
static void
test_refuses_what_was_changed (void)
{
  const guint8 key[DSQ_LEGACY_KEY_LENGTH] = { 0 };
  guint8 sealed[SEALED_LENGTH] = { 0 };
  guint8 out[SEALED_LENGTH];

  memcpy (sealed + DSQ_LEGACY_NONCE_LENGTH, zeros_sealed, sizeof zeros_sealed);
  for (guint bit = 0; bit < 8 * sizeof sealed; bit++)
    {
      sealed[bit / 8] ^= (guint8) (1 << bit % 8);
      g_assert_false (dsq_legacy_unseal (key, sealed, sizeof sealed, out));
      g_assert_cmpint (out[0] | out[15], ==, 0);
      sealed[bit / 8] ^= (guint8) (1 << bit % 8);
    }
  for (gsize length = 0; length < sizeof sealed; length++)
    g_assert_false (dsq_legacy_unseal (key, sealed, length, out));
  g_assert_true (dsq_legacy_unseal (key, sealed, sizeof sealed, out));
}

/* By Python's hashlib.pbkdf2_hmac ("sha256", b"password", salt, 100000). */
static void
test_derives_the_key (void)
{
  static const guint8 expected[] = { 0xed, 0x7f, 0x83, 0x32, 0x97, 0xed, 0x98, 0x9b,
                                     0xf3, 0xfb, 0xc6, 0xad, 0x85, 0x8b, 0x54, 0x7b,
                                     0xea, 0xc1, 0x51, 0x86, 0xb3, 0xeb, 0x47, 0xbd,
                                     0x8b, 0x5a, 0xd8, 0xae, 0x55, 0x44, 0x32, 0x05 };
  g_autofree guint8 *key = NULL;
  gsize length;

  key = dsq_migrate_derive_v4_key ("password", &length);
  g_assert_cmpmem (key, length, expected, sizeof expected);
}

static void
test_tells_a_wrong_key (void)
{
  const guint8 key[DSQ_LEGACY_KEY_LENGTH] = { 1 };
  guint8 sealed[SEALED_LENGTH] = { 0 };
  g_autoptr (GError) error = NULL;
  gsize length = 1;

  memcpy (sealed + DSQ_LEGACY_NONCE_LENGTH, zeros_sealed, sizeof zeros_sealed);
  g_assert_null (dsq_migrate_unseal_v4 (key, sizeof key, sealed, sizeof sealed, &length, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
  g_assert_cmpuint (length, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/legacy/vectors", test_vectors);
  g_test_add_func ("/dsq/legacy/refuses-what-was-changed", test_refuses_what_was_changed);
  g_test_add_func ("/dsq/legacy/derives-the-key", test_derives_the_key);
  g_test_add_func ("/dsq/legacy/tells-a-wrong-key", test_tells_a_wrong_key);
  return g_test_run ();
}
