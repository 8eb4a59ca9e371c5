/* fuzz-legacy.c - any bytes as a value that DictSQLite 2.x or 4.1 encrypted
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <nettle/gcm.h>
#include <string.h>

#include "crypto/dsq-legacy-private.h"
#include "driver.h"
#include "dsq-error.h"
#include "dsq-migrate.h"

#define OVERHEAD (DSQ_LEGACY_NONCE_LENGTH + DSQ_LEGACY_TAG_LENGTH)

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED (""),
  FUZZ_SEED ("nonce of 12."),
  FUZZ_SEED ("nonce of 12.a tag of 16 byte"),
  FUZZ_SEED ("nonce of 12.ciphertext of some blocksa tag of 16 byte"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

static const guint8 key[DSQ_LEGACY_KEY_LENGTH] = "thirty-two bytes of a password!";

static guint8 *
unseal (const guint8 *sealed, gsize length, gsize *out_length)
{
  g_autoptr (GError) error = NULL;
  guint8 *value = dsq_migrate_unseal_v4 (key, sizeof key, sealed, length, out_length, &error);

  if (value != NULL)
    return value;
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
  g_assert_cmpuint (*out_length, ==, 0);
  return NULL;
}

/* As those programs did. */
static void
seal (const guint8 *value, gsize length, guint8 *out)
{
  struct gcm_aes256_ctx context;

  memset (out, 'n', DSQ_LEGACY_NONCE_LENGTH);
  gcm_aes256_set_key (&context, key);
  gcm_aes256_set_iv (&context, DSQ_LEGACY_NONCE_LENGTH, out);
  gcm_aes256_encrypt (&context, length, out + DSQ_LEGACY_NONCE_LENGTH, value);
  gcm_aes256_digest (&context, DSQ_LEGACY_TAG_LENGTH, out + DSQ_LEGACY_NONCE_LENGTH + length);
}

/* @bytes as a value come back, and neither a bit nor the length can change. */
static void
check_sealed (const uint8_t *bytes, size_t length)
{
  const gsize sealed_length = length + OVERHEAD;
  const gsize bit = (length > 0 ? bytes[0] * 37u : 0) % (8 * sealed_length);
  g_autofree guint8 *sealed = g_malloc (sealed_length);
  g_autofree guint8 *value = NULL;
  gsize value_length;

  seal (bytes, length, sealed);
  value = unseal (sealed, sealed_length, &value_length);
  g_assert_nonnull (value);
  g_assert_cmpmem (value, value_length, bytes, length);
  g_assert_null (unseal (sealed, sealed_length - 1, &value_length));
  sealed[bit / 8] ^= (guint8) (1 << bit % 8);
  g_assert_null (unseal (sealed, sealed_length, &value_length));
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  gsize ignored;

  g_assert_null (unseal (bytes, length, &ignored));
  check_sealed (bytes, length);
  return 0;
}
