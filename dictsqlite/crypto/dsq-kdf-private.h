/* dsq-kdf-private.h - keys from passwords and keys: Argon2id, HKDF and HMAC
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DSQ_KDF_HASH_LENGTH 32

/* What one guess of a password costs. */
typedef struct
{
  guint32 memory; /* KiB */
  guint32 passes;
  guint32 lanes;
} DsqKdfCost;

/* The bounds within which a file may ask for work: below them it would weaken its password, above
 * them it would take our memory or our time. */
#define DSQ_KDF_MIN_MEMORY (19u << 10)
#define DSQ_KDF_MAX_MEMORY (1u << 20)
#define DSQ_KDF_MIN_PASSES 2u
#define DSQ_KDF_MAX_PASSES 16u
#define DSQ_KDF_MIN_LANES  1u
#define DSQ_KDF_MAX_LANES  16u

#define DSQ_KDF_DEFAULT_MEMORY (64u << 10)
#define DSQ_KDF_DEFAULT_PASSES 3u
#define DSQ_KDF_DEFAULT_LANES  1u

/* Bytes of memory times passes that the password of a file may cost unless its caller says so. */
#define DSQ_KDF_DEFAULT_LIMIT (G_GUINT64_CONSTANT (4) << 30)

gboolean dsq_kdf_cost_is_sound (const DsqKdfCost *cost);
/* Bytes of memory times passes. */
guint64 dsq_kdf_cost_weigh (const DsqKdfCost *cost);

typedef struct
{
  const guint8 *password;
  gsize password_length;
  const guint8 *salt;
  gsize salt_length;
  /* RFC 9106's secret value and associated data; stores have neither */
  const guint8 *secret;
  gsize secret_length;
  const guint8 *associated;
  gsize associated_length;
} DsqKdfInput;

/* Argon2id, version 19. Takes any cost that the algorithm has. Gives DSQ_ERROR_FAILED, when there
 * is not enough memory for instance. */
gboolean dsq_kdf_argon2id (const DsqKdfCost *cost,
                           const DsqKdfInput *input,
                           guint8 *out,
                           gsize out_length,
                           GError **error);

/* HKDF-SHA256, of at most 8160 bytes. */
void dsq_kdf_hkdf (const guint8 *secret,
                   gsize secret_length,
                   const guint8 *salt,
                   gsize salt_length,
                   const guint8 *info,
                   gsize info_length,
                   guint8 *out,
                   gsize out_length);

void dsq_kdf_hmac (const guint8 *key,
                   gsize key_length,
                   const guint8 *data,
                   gsize length,
                   guint8 out[DSQ_KDF_HASH_LENGTH]);

/* In a time that does not depend on the bytes. */
gboolean dsq_kdf_equal (const guint8 *a, const guint8 *b, gsize length);

G_END_DECLS
