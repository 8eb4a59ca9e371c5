/* dsq-header.c - the header of a store's file, plain or encrypted
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-crc32c-private.h"
#include "codec/dsq-header-private.h"
#include "crypto/dsq-random-private.h"
#include "crypto/dsq-secret-private.h"
#include "dsq-error.h"

G_STATIC_ASSERT (DSQ_FORMAT_HEADER_AT_DATA_KEY + DSQ_KEY_LENGTH + DSQ_KEY_OVERHEAD ==
                 DSQ_FORMAT_HEADER_AT_MAC);
G_STATIC_ASSERT (DSQ_FORMAT_HEADER_AT_MAC + DSQ_KDF_HASH_LENGTH == DSQ_FORMAT_HEADER_AT_SEALED_CRC);

static gboolean
refuse (GError **error, DsqError code, const char *cause)
{
  g_set_error (error, DSQ_ERROR, (int) code, "Failed to open the store: %s", cause);
  return FALSE;
}

/* --- a new store's ---------------------------------------------------------------------------- */

static void
set_checksum (DsqHeader *self)
{
  gsize at = self->length - 4;

  dsq_bytes_store_u32 (self->bytes + at, dsq_crc32c (0, self->bytes, at));
}

/* Fills in all that depends on a password; the store's id stands already. */
static gboolean
seal_data_key (DsqHeader *self,
               GBytes *password,
               const DsqKdfCost *cost,
               const guint8 data_key[DSQ_KEY_LENGTH],
               GError **error)
{
  guint8 *bytes = self->bytes;
  DsqPasswordKeys keys;
  gboolean sealed;

  if (g_bytes_get_size (password) == 0)
    return refuse (error, DSQ_ERROR_INVALID_ARGUMENT, "the password is empty");
  if (!dsq_kdf_cost_is_sound (cost))
    return refuse (error, DSQ_ERROR_INVALID_ARGUMENT, "the cost of the password is out of bounds");

  memset (bytes + DSQ_FORMAT_HEADER_AT_KDF, 0, sizeof self->bytes - DSQ_FORMAT_HEADER_AT_KDF);
  self->length = DSQ_FORMAT_HEADER_SEALED_LENGTH;
  bytes[DSQ_FORMAT_HEADER_AT_CIPHER] = DSQ_FORMAT_CIPHER_XAES;
  bytes[DSQ_FORMAT_HEADER_AT_KDF] = DSQ_FORMAT_KDF_ARGON2ID;
  dsq_bytes_store_u32 (bytes + DSQ_FORMAT_HEADER_AT_MEMORY, cost->memory);
  dsq_bytes_store_u32 (bytes + DSQ_FORMAT_HEADER_AT_PASSES, cost->passes);
  dsq_bytes_store_u32 (bytes + DSQ_FORMAT_HEADER_AT_LANES, cost->lanes);
  if (!dsq_random_draw (bytes + DSQ_FORMAT_HEADER_AT_SALT, DSQ_KEY_SALT_LENGTH, error) ||
      !dsq_password_keys_derive (password,
                                 cost,
                                 bytes + DSQ_FORMAT_HEADER_AT_SALT,
                                 dsq_header_get_store_id (self),
                                 &keys,
                                 error))
    return FALSE;

  sealed = dsq_password_keys_wrap (&keys,
                                   bytes,
                                   DSQ_FORMAT_HEADER_AT_DATA_KEY,
                                   data_key,
                                   bytes + DSQ_FORMAT_HEADER_AT_DATA_KEY,
                                   error);
  dsq_kdf_hmac (keys.header,
                sizeof keys.header,
                bytes,
                DSQ_FORMAT_HEADER_AT_MAC,
                bytes + DSQ_FORMAT_HEADER_AT_MAC);
  set_checksum (self);
  dsq_secret_wipe (&keys, sizeof keys);
  return sealed;
}

static gboolean
draw_first_mark (DsqHeader *self, DsqKeys *keys, GError **error)
{
  DsqRecordCodec codec;
  gboolean drawn;

  dsq_record_codec_init (&codec, dsq_header_get_store_id (self), keys);
  drawn = dsq_row_draw_mark (&codec,
                             DSQ_FORMAT_TABLE_MAIN,
                             (const guint8 *) "",
                             0,
                             &self->first_mark,
                             error);
  dsq_record_codec_clear (&codec);
  return drawn;
}

gboolean
dsq_header_init (DsqHeader *self,
                 GBytes *password,
                 const DsqKdfCost *cost,
                 DsqKeys **out_keys,
                 GError **error)
{
  guint8 *store_id = self->bytes + DSQ_FORMAT_HEADER_AT_STORE_ID;
  guint8 data_key[DSQ_KEY_LENGTH];
  gboolean success;

  *out_keys = NULL;
  memset (self, 0, sizeof *self);
  self->length = DSQ_FORMAT_HEADER_PLAIN_LENGTH;
  memcpy (self->bytes, DSQ_FORMAT_HEADER_MAGIC, strlen (DSQ_FORMAT_HEADER_MAGIC));
  self->bytes[DSQ_FORMAT_HEADER_AT_VERSION] = DSQ_FORMAT_HEADER_VERSION;
  self->bytes[DSQ_FORMAT_HEADER_AT_CIPHER] = DSQ_FORMAT_CIPHER_NONE;
  if (!dsq_random_draw (store_id, DSQ_FORMAT_STORE_ID_LENGTH, error))
    return FALSE;
  set_checksum (self);
  if (password == NULL)
    return draw_first_mark (self, NULL, error);

  success = dsq_random_draw (data_key, sizeof data_key, error) &&
            seal_data_key (self, password, cost, data_key, error);
  if (success)
    *out_keys = dsq_keys_new (data_key, store_id);
  dsq_secret_wipe (data_key, sizeof data_key);
  if (success && !draw_first_mark (self, *out_keys, error))
    g_clear_pointer (out_keys, dsq_keys_free);
  return *out_keys != NULL;
}

/* --- one that was read ------------------------------------------------------------------------ */

static DsqKdfCost
get_cost (const DsqHeader *self)
{
  return (DsqKdfCost){
    .memory = dsq_bytes_load_u32 (self->bytes + DSQ_FORMAT_HEADER_AT_MEMORY),
    .passes = dsq_bytes_load_u32 (self->bytes + DSQ_FORMAT_HEADER_AT_PASSES),
    .lanes = dsq_bytes_load_u32 (self->bytes + DSQ_FORMAT_HEADER_AT_LANES),
  };
}

static gboolean
check_derivation (const DsqHeader *self, GError **error)
{
  static const guint8 reserved[DSQ_FORMAT_HEADER_AT_MEMORY - DSQ_FORMAT_HEADER_AT_KDF_RESERVED];
  const DsqKdfCost cost = get_cost (self);

  if (self->bytes[DSQ_FORMAT_HEADER_AT_KDF] != DSQ_FORMAT_KDF_ARGON2ID ||
      memcmp (self->bytes + DSQ_FORMAT_HEADER_AT_KDF_RESERVED, reserved, sizeof reserved) != 0)
    return refuse (error, DSQ_ERROR_FORMAT, "its header is not of this version");
  if (!dsq_kdf_cost_is_sound (&cost))
    return refuse (error,
                   DSQ_ERROR_CORRUPT,
                   "its header was tampered with: the cost of its password is out of bounds");
  return TRUE;
}

/* The checksum stands at the end of every version's header, so that damage is not taken for a later
 * version. */
gboolean
dsq_header_read (DsqHeader *self, const guint8 *bytes, gsize length, GError **error)
{
  gsize expected = DSQ_FORMAT_HEADER_PLAIN_LENGTH;

  if (length < DSQ_FORMAT_HEADER_PLAIN_LENGTH || length > sizeof self->bytes ||
      memcmp (bytes, DSQ_FORMAT_HEADER_MAGIC, strlen (DSQ_FORMAT_HEADER_MAGIC)) != 0 ||
      dsq_bytes_load_u32 (bytes + length - 4) != dsq_crc32c (0, bytes, length - 4))
    return refuse (error, DSQ_ERROR_CORRUPT, "its header is damaged");
  if (bytes[DSQ_FORMAT_HEADER_AT_VERSION] != DSQ_FORMAT_HEADER_VERSION ||
      bytes[DSQ_FORMAT_HEADER_AT_CIPHER] > DSQ_FORMAT_CIPHER_XAES)
    return refuse (error, DSQ_ERROR_FORMAT, "its header is not of this version");
  if (bytes[DSQ_FORMAT_HEADER_AT_CIPHER] == DSQ_FORMAT_CIPHER_XAES)
    expected = DSQ_FORMAT_HEADER_SEALED_LENGTH;
  if (length != expected)
    return refuse (error, DSQ_ERROR_CORRUPT, "its header is damaged");
  if (bytes[DSQ_FORMAT_HEADER_AT_RESERVED] != 0 || bytes[DSQ_FORMAT_HEADER_AT_RESERVED + 1] != 0)
    return refuse (error, DSQ_ERROR_FORMAT, "its header is not of this version");

  memcpy (self->bytes, bytes, length);
  self->length = (guint) length;
  return !dsq_header_is_sealed (self) || check_derivation (self, error);
}

gboolean
dsq_header_check_cost (const DsqHeader *self, guint64 limit, GError **error)
{
  const DsqKdfCost cost = get_cost (self);

  if (!dsq_header_is_sealed (self) || dsq_kdf_cost_weigh (&cost) <= limit)
    return TRUE;
  g_set_error (
      error,
      DSQ_ERROR,
      DSQ_ERROR_TOO_COSTLY,
      "Failed to open the store: its password costs %u MiB x %u passes, which is beyond the "
      "limit; raise kdf-limit if you trust the file",
      cost.memory >> 10,
      cost.passes);
  return FALSE;
}

/* Where the most of both would be beyond the limit, so that the file could not be opened by the
 * like of the caller, what it costs already is enough. */
DsqKdfCost
dsq_header_keep_cost (const DsqHeader *self, const DsqKdfCost *least, guint64 limit)
{
  DsqKdfCost own, most;

  if (!dsq_header_is_sealed (self))
    return *least;
  own = most = get_cost (self);
  most.memory = MAX (own.memory, least->memory);
  most.passes = MAX (own.passes, least->passes);
  return dsq_kdf_cost_weigh (&most) <= limit ? most : own;
}

gboolean
dsq_header_is_sealed (const DsqHeader *self)
{
  return self->bytes[DSQ_FORMAT_HEADER_AT_CIPHER] != DSQ_FORMAT_CIPHER_NONE;
}

const guint8 *
dsq_header_get_store_id (const DsqHeader *self)
{
  return self->bytes + DSQ_FORMAT_HEADER_AT_STORE_ID;
}

gboolean
dsq_header_equal (const DsqHeader *self, const DsqHeader *other)
{
  return self->length == other->length && memcmp (self->bytes, other->bytes, self->length) == 0;
}

/* The MAC commits to the password: GCM alone would not. */
static gboolean
unseal_data_key (const DsqHeader *self,
                 GBytes *password,
                 guint8 out_data_key[DSQ_KEY_LENGTH],
                 GError **error)
{
  const guint8 *bytes = self->bytes;
  const DsqKdfCost cost = get_cost (self);
  guint8 mac[DSQ_KDF_HASH_LENGTH];
  DsqPasswordKeys keys;
  gboolean is_right, unsealed;

  if (g_bytes_get_size (password) == 0)
    return refuse (error, DSQ_ERROR_INVALID_ARGUMENT, "the password is empty");
  if (!dsq_password_keys_derive (password,
                                 &cost,
                                 bytes + DSQ_FORMAT_HEADER_AT_SALT,
                                 dsq_header_get_store_id (self),
                                 &keys,
                                 error))
    return FALSE;
  dsq_kdf_hmac (keys.header, sizeof keys.header, bytes, DSQ_FORMAT_HEADER_AT_MAC, mac);
  is_right = dsq_kdf_equal (mac, bytes + DSQ_FORMAT_HEADER_AT_MAC, sizeof mac);
  unsealed = is_right && dsq_password_keys_unwrap (&keys,
                                                   bytes,
                                                   DSQ_FORMAT_HEADER_AT_DATA_KEY,
                                                   bytes + DSQ_FORMAT_HEADER_AT_DATA_KEY,
                                                   out_data_key);
  dsq_secret_wipe (&keys, sizeof keys);
  if (!is_right)
    return refuse (error,
                   DSQ_ERROR_WRONG_PASSWORD,
                   "the password is wrong, or its header was tampered with");
  if (!unsealed)
    return refuse (error, DSQ_ERROR_CORRUPT, "its data key is damaged, or was tampered with");
  return TRUE;
}

gboolean
dsq_header_unlock (const DsqHeader *self, GBytes *password, DsqKeys **out_keys, GError **error)
{
  guint8 data_key[DSQ_KEY_LENGTH];

  *out_keys = NULL;
  if (password == NULL && !dsq_header_is_sealed (self))
    return TRUE;
  if (password == NULL)
    return refuse (error, DSQ_ERROR_ENCRYPTED, "it is encrypted; pass its password");
  if (!dsq_header_is_sealed (self))
    return refuse (error, DSQ_ERROR_NOT_ENCRYPTED, "it is not encrypted; pass no password");
  if (!unseal_data_key (self, password, data_key, error))
    return FALSE;
  *out_keys = dsq_keys_new (data_key, dsq_header_get_store_id (self));
  dsq_secret_wipe (data_key, sizeof data_key);
  return TRUE;
}

gboolean
dsq_header_change_password (DsqHeader *self,
                            GBytes *old_password,
                            GBytes *new_password,
                            const DsqKdfCost *cost,
                            GError **error)
{
  guint8 data_key[DSQ_KEY_LENGTH];
  gboolean changed;

  if (!dsq_header_is_sealed (self))
    return refuse (error, DSQ_ERROR_NOT_ENCRYPTED, "it is not encrypted");
  changed = unseal_data_key (self, old_password, data_key, error) &&
            seal_data_key (self, new_password, cost, data_key, error);
  dsq_secret_wipe (data_key, sizeof data_key);
  return changed;
}
