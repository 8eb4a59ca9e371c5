/* dsq-migrate.c - what an import from earlier programs needs of the library
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "crypto/dsq-legacy-private.h"
#include "dsq-error.h"
#include "dsq-migrate.h"

/**
 * dsq_migrate_derive_v4_key:
 * @password: a password
 * @out_length: (out): bytes returned, 32
 *
 * Derives the key with which the original DictSQLite, versions 2.x and 4.1, encrypted values. This
 * takes some hundredths of a second. Wipe the key when it is done with.
 *
 * Returns: (transfer full) (array length=out_length): the key
 *
 * Since: 1.0
 */
guint8 *
dsq_migrate_derive_v4_key (const char *password, gsize *out_length)
{
  guint8 *key;

  g_return_val_if_fail (password != NULL, NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  key = g_malloc (DSQ_LEGACY_KEY_LENGTH);
  dsq_legacy_derive_key (password, key);
  *out_length = DSQ_LEGACY_KEY_LENGTH;
  return key;
}

/**
 * dsq_migrate_unseal_v4:
 * @key: (array length=key_length): what [func@migrate_derive_v4_key] gave
 * @key_length: bytes of @key, 32
 * @sealed: (array length=length): nonce, ciphertext and tag
 * @length: bytes of @sealed
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Decrypts a value that the original DictSQLite, versions 2.x and 4.1, encrypted. The mark "ENC"
 * and a byte 0 that 2.x puts before it is no part of @sealed.
 *
 * Gives %DSQ_ERROR_CORRUPT for what was not encrypted with this key, or changed since.
 *
 * Returns: (transfer full) (array length=out_length): the value, which may be empty
 *
 * Since: 1.0
 */
guint8 *
dsq_migrate_unseal_v4 (const guint8 *key,
                       gsize key_length,
                       const guint8 *sealed,
                       gsize length,
                       gsize *out_length,
                       GError **error)
{
  g_autofree guint8 *value = g_malloc (length + 1);

  g_return_val_if_fail (key_length == DSQ_LEGACY_KEY_LENGTH, NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  *out_length = 0;
  if (!dsq_legacy_unseal (key, sealed, length, value))
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_CORRUPT,
                           "Failed to decrypt a value: it was encrypted with another key, if at "
                           "all, or is damaged");
      return NULL;
    }
  *out_length = length - DSQ_LEGACY_NONCE_LENGTH - DSQ_LEGACY_TAG_LENGTH;
  return g_steal_pointer (&value);
}
