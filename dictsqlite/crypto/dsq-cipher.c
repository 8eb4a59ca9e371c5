/* dsq-cipher.c - AES-256-GCM, and XAES-256-GCM over it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <nettle/memops.h>

#include "crypto/dsq-cipher-private.h"
#include "crypto/dsq-secret-private.h"

static nettle_cipher_func *const encrypt = (nettle_cipher_func *) aes256_encrypt;

void
dsq_cipher_init (DsqCipher *self, const guint8 key[DSQ_CIPHER_KEY_LENGTH])
{
  aes256_set_encrypt_key (&self->cipher, key);
  gcm_set_key (&self->hash, &self->cipher, encrypt);
}

void
dsq_cipher_seal (const DsqCipher *self,
                 const guint8 nonce[DSQ_CIPHER_NONCE_LENGTH],
                 const guint8 *aad,
                 gsize aad_length,
                 guint8 *data,
                 gsize length,
                 guint8 tag[DSQ_CIPHER_TAG_LENGTH])
{
  struct gcm_ctx message;

  gcm_set_iv (&message, &self->hash, DSQ_CIPHER_NONCE_LENGTH, nonce);
  gcm_update (&message, &self->hash, aad_length, aad);
  gcm_encrypt (&message, &self->hash, &self->cipher, encrypt, length, data, data);
  gcm_digest (&message, &self->hash, &self->cipher, encrypt, DSQ_CIPHER_TAG_LENGTH, tag);
}

gboolean
dsq_cipher_unseal (const DsqCipher *self,
                   const guint8 nonce[DSQ_CIPHER_NONCE_LENGTH],
                   const guint8 *aad,
                   gsize aad_length,
                   const guint8 *sealed,
                   gsize length,
                   const guint8 tag[DSQ_CIPHER_TAG_LENGTH],
                   guint8 *out)
{
  guint8 expected[DSQ_CIPHER_TAG_LENGTH];
  struct gcm_ctx message;

  gcm_set_iv (&message, &self->hash, DSQ_CIPHER_NONCE_LENGTH, nonce);
  gcm_update (&message, &self->hash, aad_length, aad);
  gcm_decrypt (&message, &self->hash, &self->cipher, encrypt, length, out, sealed);
  gcm_digest (&message, &self->hash, &self->cipher, encrypt, sizeof expected, expected);
  if (G_LIKELY (memeql_sec (expected, tag, sizeof expected)))
    return TRUE;
  dsq_secret_wipe (out, length);
  return FALSE;
}

/* Doubling in GF(2^128), of SP 800-38B. */
static void
double_block (guint8 out[AES_BLOCK_SIZE], const guint8 block[AES_BLOCK_SIZE])
{
  guint8 carry = block[0] >> 7;

  for (guint i = 0; i + 1 < AES_BLOCK_SIZE; i++)
    out[i] = (guint8) (block[i] << 1 | block[i + 1] >> 7);
  out[AES_BLOCK_SIZE - 1] = (guint8) (block[AES_BLOCK_SIZE - 1] << 1 ^ (carry * 0x87));
}

void
dsq_xaes_init (DsqXaes *self, const guint8 key[DSQ_CIPHER_KEY_LENGTH])
{
  static const guint8 zeros[AES_BLOCK_SIZE] = { 0 };
  guint8 block[AES_BLOCK_SIZE];

  aes256_set_encrypt_key (&self->cipher, key);
  aes256_encrypt (&self->cipher, sizeof block, block, zeros);
  double_block (self->subkey, block);
  dsq_secret_wipe (block, sizeof block);
}

/* A KDF of SP 800-108 in counter mode over CMAC: two messages of one block each. */
void
dsq_xaes_derive (const DsqXaes *self,
                 const guint8 prefix[DSQ_XAES_PREFIX_LENGTH],
                 DsqCipher *out_cipher)
{
  guint8 key[DSQ_CIPHER_KEY_LENGTH];

  for (guint i = 0; i < 2; i++)
    {
      guint8 *block = key + i * AES_BLOCK_SIZE;

      block[0] = 0;
      block[1] = (guint8) (i + 1);
      block[2] = 'X';
      block[3] = 0;
      memcpy (block + 4, prefix, DSQ_XAES_PREFIX_LENGTH);
      memxor (block, self->subkey, AES_BLOCK_SIZE);
    }
  aes256_encrypt (&self->cipher, sizeof key, key, key);
  dsq_cipher_init (out_cipher, key);
  dsq_secret_wipe (key, sizeof key);
}
