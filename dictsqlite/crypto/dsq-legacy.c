/* dsq-legacy.c - values that DictSQLite 2.x and 4.1 encrypted
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <nettle/gcm.h>
#include <nettle/memops.h>
#include <nettle/pbkdf2.h>
#include <string.h>

#include "crypto/dsq-legacy-private.h"

#define ROUNDS 100000
#define SALT   "DictSQLite_v4_default_salt_16b"

void
dsq_legacy_derive_key (const char *password, guint8 out_key[DSQ_LEGACY_KEY_LENGTH])
{
  pbkdf2_hmac_sha256 (strlen (password),
                      (const guint8 *) password,
                      ROUNDS,
                      strlen (SALT),
                      (const guint8 *) SALT,
                      DSQ_LEGACY_KEY_LENGTH,
                      out_key);
}

gboolean
dsq_legacy_unseal (const guint8 key[DSQ_LEGACY_KEY_LENGTH],
                   const guint8 *sealed,
                   gsize length,
                   guint8 *out)
{
  struct gcm_aes256_ctx context;
  guint8 tag[DSQ_LEGACY_TAG_LENGTH];
  gboolean is_authentic;
  gsize n_bytes;

  if (length < DSQ_LEGACY_NONCE_LENGTH + DSQ_LEGACY_TAG_LENGTH)
    return FALSE;
  n_bytes = length - DSQ_LEGACY_NONCE_LENGTH - DSQ_LEGACY_TAG_LENGTH;
  gcm_aes256_set_key (&context, key);
  gcm_aes256_set_iv (&context, DSQ_LEGACY_NONCE_LENGTH, sealed);
  gcm_aes256_decrypt (&context, n_bytes, out, sealed + DSQ_LEGACY_NONCE_LENGTH);
  gcm_aes256_digest (&context, sizeof tag, tag);
  is_authentic = memeql_sec (tag, sealed + length - sizeof tag, sizeof tag);
  explicit_bzero (&context, sizeof context);
  if (!is_authentic)
    explicit_bzero (out, n_bytes);
  return is_authentic;
}
