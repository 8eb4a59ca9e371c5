/* dsq-cipher-private.h - AES-256-GCM, and XAES-256-GCM over it; for this room alone
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <nettle/gcm.h>

G_BEGIN_DECLS

#define DSQ_CIPHER_KEY_LENGTH   32
#define DSQ_CIPHER_NONCE_LENGTH 12
#define DSQ_CIPHER_TAG_LENGTH   16
#define DSQ_XAES_NONCE_LENGTH   24
#define DSQ_XAES_PREFIX_LENGTH  12

/* AES-256-GCM under one key, ready; read only afterwards, so that any thread may use it. */
typedef struct
{
  struct gcm_key hash;
  struct aes256_ctx cipher;
} DsqCipher;

void dsq_cipher_init (DsqCipher *self, const guint8 key[DSQ_CIPHER_KEY_LENGTH]);

/* Encrypts @data in place; the tag goes to @tag, which may follow it. */
void dsq_cipher_seal (const DsqCipher *self,
                      const guint8 nonce[DSQ_CIPHER_NONCE_LENGTH],
                      const guint8 *aad,
                      gsize aad_length,
                      guint8 *data,
                      gsize length,
                      guint8 tag[DSQ_CIPHER_TAG_LENGTH]);

/* Decrypts @length bytes into @out, which may be where they are. FALSE, and zeros in @out, when
 * they are not what was sealed. */
gboolean dsq_cipher_unseal (const DsqCipher *self,
                            const guint8 nonce[DSQ_CIPHER_NONCE_LENGTH],
                            const guint8 *aad,
                            gsize aad_length,
                            const guint8 *sealed,
                            gsize length,
                            const guint8 tag[DSQ_CIPHER_TAG_LENGTH],
                            guint8 *out);

/* XAES-256-GCM (C2SP): a key and the first half of a nonce of 24 bytes give a key of AES-256-GCM,
 * for which the second half is the nonce. */
typedef struct
{
  struct aes256_ctx cipher;
  guint8 subkey[AES_BLOCK_SIZE]; /* CMAC's K1 */
} DsqXaes;

void dsq_xaes_init (DsqXaes *self, const guint8 key[DSQ_CIPHER_KEY_LENGTH]);
void dsq_xaes_derive (const DsqXaes *self,
                      const guint8 prefix[DSQ_XAES_PREFIX_LENGTH],
                      DsqCipher *out_cipher);

G_END_DECLS
