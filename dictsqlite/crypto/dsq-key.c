/* dsq-key.c - the keys of one store, and what is sealed under them
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 *   password --Argon2id--> PK --HKDF--> wrap key, header key
 *                                          |
 *                                          seals the data key, which is random, one a store
 *                                                           |
 *                                                           HKDF --> token, name and value keys
 *
 * Changing the password seals the same data key anew. Only the last three keys are kept, and those
 * as what they are turned into: pads of HMAC, and key schedules.
 */

#include "config.h"

#include <nettle/hmac.h>

#include "crypto/dsq-cipher-cache-private.h"
#include "crypto/dsq-derivation-private.h"
#include "crypto/dsq-key-private.h"
#include "crypto/dsq-nonce-private.h"
#include "crypto/dsq-secret-private.h"
#include "dsq-error.h"

G_STATIC_ASSERT (DSQ_KEY_LENGTH == DSQ_CIPHER_KEY_LENGTH);
G_STATIC_ASSERT (DSQ_KEY_NONCE_LENGTH == DSQ_XAES_NONCE_LENGTH);
G_STATIC_ASSERT (DSQ_KEY_TAG_LENGTH == DSQ_CIPHER_TAG_LENGTH);

/* In memory that a fork wipes. */
struct _DsqKeys
{
  gboolean is_alive; /* FALSE in the child of a fork */
  struct hmac_sha256_ctx token;
  DsqXaes xaes[DSQ_N_KEYS];
  DsqCipherCache *cache; /* (owned) of keys to unseal with; has a lock of its own */

  /* the sealing thread's */
  DsqNonce nonces[DSQ_N_KEYS];
  DsqCipher sealing[DSQ_N_KEYS]; /* derived for the prefixes of nonces */
  DsqRandomPool pool;
};

/* --- what the data key gives ------------------------------------------------------------------ */

static void
derive (const guint8 *data_key, const guint8 *store_id, const char *info, guint8 *out)
{
  dsq_kdf_hkdf (data_key,
                DSQ_KEY_LENGTH,
                store_id,
                DSQ_KEY_ID_LENGTH,
                (const guint8 *) info,
                strlen (info),
                out,
                DSQ_KEY_LENGTH);
}

DsqKeys *
dsq_keys_new (const guint8 data_key[DSQ_KEY_LENGTH], const guint8 store_id[DSQ_KEY_ID_LENGTH])
{
  static const char *const infos[DSQ_N_KEYS] = {
    [DSQ_KEY_NAME] = "dsq1 name",
    [DSQ_KEY_VALUE] = "dsq1 value",
    [DSQ_KEY_FACT] = "dsq1 fact",
  };
  DsqKeys *self = dsq_secret_new (sizeof *self);
  guint8 key[DSQ_KEY_LENGTH];

  self->is_alive = TRUE;
  derive (data_key, store_id, "dsq1 token", key);
  hmac_sha256_set_key (&self->token, sizeof key, key);
  for (guint i = 0; i < DSQ_N_KEYS; i++)
    {
      derive (data_key, store_id, infos[i], key);
      dsq_xaes_init (&self->xaes[i], key);
    }
  dsq_secret_wipe (key, sizeof key);
  self->cache = dsq_cipher_cache_new ();
  return self;
}

void
dsq_keys_free (DsqKeys *self)
{
  if (self == NULL)
    return;
  dsq_cipher_cache_free (self->cache);
  dsq_secret_free (self, sizeof *self);
}

void
dsq_keys_make_token (const DsqKeys *self,
                     const guint8 *head,
                     gsize head_length,
                     const guint8 *key,
                     gsize length,
                     guint8 out[DSQ_KEY_TOKEN_LENGTH])
{
  struct sha256_ctx hash = self->token.inner;
  guint8 inner[SHA256_DIGEST_SIZE];

  /* HMAC by hand: nettle's own copies its whole context once more for the message after this one */
  sha256_update (&hash, head_length, head);
  sha256_update (&hash, length, key);
  sha256_digest (&hash, sizeof inner, inner);
  hash = self->token.outer;
  sha256_update (&hash, sizeof inner, inner);
  sha256_digest (&hash, DSQ_KEY_TOKEN_LENGTH, out);
  dsq_secret_wipe (&hash, sizeof hash);
}

gboolean
dsq_keys_seal (DsqKeys *self,
               DsqKeyPurpose purpose,
               const guint8 *aad,
               gsize aad_length,
               guint8 *sealed,
               gsize length,
               GError **error)
{
  guint8 *plain = sealed + DSQ_KEY_NONCE_LENGTH;
  gboolean is_new;

  if (G_UNLIKELY (!self->is_alive))
    {
      g_set_error (error, DSQ_ERROR, DSQ_ERROR_FORKED, "Failed to seal: the keys were inherited");
      return FALSE;
    }
  if (!dsq_nonce_next (&self->nonces[purpose], &self->pool, sealed, &is_new, error))
    return FALSE;
  if (is_new)
    dsq_xaes_derive (&self->xaes[purpose], sealed, &self->sealing[purpose]);
  dsq_cipher_seal (&self->sealing[purpose],
                   sealed + DSQ_XAES_PREFIX_LENGTH,
                   aad,
                   aad_length,
                   plain,
                   length,
                   plain + length);
  return TRUE;
}

gboolean
dsq_keys_unseal (DsqKeys *self,
                 DsqKeyPurpose purpose,
                 const guint8 *aad,
                 gsize aad_length,
                 const guint8 *sealed,
                 gsize length,
                 guint8 *out)
{
  const guint8 *body = sealed + DSQ_KEY_NONCE_LENGTH;
  gsize body_length = length - DSQ_KEY_OVERHEAD;
  DsqCipherUse use;
  gboolean unsealed;

  if (G_UNLIKELY (!self->is_alive || length < DSQ_KEY_OVERHEAD))
    return FALSE;
  dsq_cipher_cache_take (self->cache, &self->xaes[purpose], purpose, sealed, &use);
  unsealed = dsq_cipher_unseal (use.cipher,
                                sealed + DSQ_XAES_PREFIX_LENGTH,
                                aad,
                                aad_length,
                                body,
                                body_length,
                                body + body_length,
                                out);
  dsq_cipher_cache_give_back (self->cache, &use);
  return unsealed;
}

void
dsq_keys_start (DsqKeys *self)
{
  dsq_random_pool_empty (&self->pool);
}

/* --- what a password gives -------------------------------------------------------------------- */

static void
derive_for_header (const guint8 *password_key,
                   const char *purpose,
                   const guint8 *store_id,
                   guint8 *out)
{
  guint8 info[32 + DSQ_KEY_ID_LENGTH];
  gsize length = strlen (purpose);

  memcpy (info, purpose, length);
  memcpy (info + length, store_id, DSQ_KEY_ID_LENGTH);
  dsq_kdf_hkdf (password_key,
                DSQ_KEY_LENGTH,
                NULL,
                0,
                info,
                length + DSQ_KEY_ID_LENGTH,
                out,
                DSQ_KEY_LENGTH);
}

gboolean
dsq_password_keys_derive (GBytes *password,
                          const DsqKdfCost *cost,
                          const guint8 salt[DSQ_KEY_SALT_LENGTH],
                          const guint8 store_id[DSQ_KEY_ID_LENGTH],
                          DsqPasswordKeys *out_keys,
                          GError **error)
{
  guint8 password_key[DSQ_KEY_LENGTH];

  if (!dsq_derivation_run (password, cost, salt, password_key, error))
    return FALSE;
  derive_for_header (password_key, "dsq1 wrap", store_id, out_keys->wrap);
  derive_for_header (password_key, "dsq1 header", store_id, out_keys->header);
  dsq_secret_wipe (password_key, sizeof password_key);
  return TRUE;
}

/* The key for the nonce at the beginning of @wrapped. */
static DsqCipher *
new_wrapping_cipher (const DsqPasswordKeys *self, const guint8 *wrapped)
{
  DsqCipher *cipher = dsq_secret_new (sizeof *cipher);
  DsqXaes xaes;

  dsq_xaes_init (&xaes, self->wrap);
  dsq_xaes_derive (&xaes, wrapped, cipher);
  dsq_secret_wipe (&xaes, sizeof xaes);
  return cipher;
}

gboolean
dsq_password_keys_wrap (const DsqPasswordKeys *self,
                        const guint8 *aad,
                        gsize aad_length,
                        const guint8 data_key[DSQ_KEY_LENGTH],
                        guint8 out[DSQ_KEY_LENGTH + DSQ_KEY_OVERHEAD],
                        GError **error)
{
  guint8 *body = out + DSQ_KEY_NONCE_LENGTH;
  DsqCipher *cipher;

  if (!dsq_random_draw (out, DSQ_KEY_NONCE_LENGTH, error))
    return FALSE;
  cipher = new_wrapping_cipher (self, out);
  memcpy (body, data_key, DSQ_KEY_LENGTH);
  dsq_cipher_seal (cipher,
                   out + DSQ_XAES_PREFIX_LENGTH,
                   aad,
                   aad_length,
                   body,
                   DSQ_KEY_LENGTH,
                   body + DSQ_KEY_LENGTH);
  dsq_secret_free (cipher, sizeof *cipher);
  return TRUE;
}

gboolean
dsq_password_keys_unwrap (const DsqPasswordKeys *self,
                          const guint8 *aad,
                          gsize aad_length,
                          const guint8 wrapped[DSQ_KEY_LENGTH + DSQ_KEY_OVERHEAD],
                          guint8 out_data_key[DSQ_KEY_LENGTH])
{
  const guint8 *body = wrapped + DSQ_KEY_NONCE_LENGTH;
  DsqCipher *cipher = new_wrapping_cipher (self, wrapped);
  gboolean unwrapped = dsq_cipher_unseal (cipher,
                                          wrapped + DSQ_XAES_PREFIX_LENGTH,
                                          aad,
                                          aad_length,
                                          body,
                                          DSQ_KEY_LENGTH,
                                          body + DSQ_KEY_LENGTH,
                                          out_data_key);

  dsq_secret_free (cipher, sizeof *cipher);
  return unwrapped;
}
