/* dsq-legacy-private.h - values that DictSQLite 2.x and 4.1 encrypted
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DSQ_LEGACY_KEY_LENGTH   32
#define DSQ_LEGACY_NONCE_LENGTH 12
#define DSQ_LEGACY_TAG_LENGTH   16

/* PBKDF2-HMAC-SHA256 with the rounds and the salt that were the same for every file. */
void dsq_legacy_derive_key (const char *password, guint8 out_key[DSQ_LEGACY_KEY_LENGTH]);

/* AES-256-GCM without associated data: @sealed is nonce, ciphertext, tag. @out has room for the
 * ciphertext's length. FALSE: it was not sealed with @key, or was changed since; @out is zero. */
gboolean dsq_legacy_unseal (const guint8 key[DSQ_LEGACY_KEY_LENGTH],
                            const guint8 *sealed,
                            gsize length,
                            guint8 *out) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
