/* dsq-key-private.h - the keys of one store, and what is sealed under them
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "crypto/dsq-kdf-private.h"

G_BEGIN_DECLS

#define DSQ_KEY_LENGTH       32
#define DSQ_KEY_ID_LENGTH    16
#define DSQ_KEY_SALT_LENGTH  16
#define DSQ_KEY_TOKEN_LENGTH 16
/* What sealing adds: a nonce before, a tag behind. */
#define DSQ_KEY_NONCE_LENGTH 24
#define DSQ_KEY_TAG_LENGTH   16
#define DSQ_KEY_OVERHEAD     (DSQ_KEY_NONCE_LENGTH + DSQ_KEY_TAG_LENGTH)

/* --- what the data key gives ------------------------------------------------------------------ */

typedef enum
{
  DSQ_KEY_NAME,
  DSQ_KEY_VALUE,
  DSQ_KEY_FACT,
  DSQ_N_KEYS
} DsqKeyPurpose;

/* The token, name and value keys of one store, in locked memory. The data key itself is not kept.
 */
typedef struct _DsqKeys DsqKeys;

/* The keys that @data_key and the store's id give; @data_key is the caller's to wipe. */
DsqKeys *dsq_keys_new (const guint8 data_key[DSQ_KEY_LENGTH],
                       const guint8 store_id[DSQ_KEY_ID_LENGTH]);
/* Wipes them; NULL does nothing. Not to be called in the child of a fork. */
void dsq_keys_free (DsqKeys *self);

/* HMAC of @head and @key under the token key. Any thread. */
void dsq_keys_make_token (const DsqKeys *self,
                          const guint8 *head,
                          gsize head_length,
                          const guint8 *key,
                          gsize length,
                          guint8 out[DSQ_KEY_TOKEN_LENGTH]);

/* Seals in place: @sealed has room for a nonce, then @length bytes of plain text, then room for a
 * tag. One thread at a time. Gives DSQ_ERROR_IO without random bytes, and DSQ_ERROR_FORKED in the
 * child of a fork, where the keys are gone. */
gboolean dsq_keys_seal (DsqKeys *self,
                        DsqKeyPurpose purpose,
                        const guint8 *aad,
                        gsize aad_length,
                        guint8 *sealed,
                        gsize length,
                        GError **error);

/* Unseals @length bytes, nonce and tag included and not fewer than those, into @out, which has room
 * for the rest. FALSE when they are not what was sealed for @purpose with @aad. Any thread. */
gboolean dsq_keys_unseal (DsqKeys *self,
                          DsqKeyPurpose purpose,
                          const guint8 *aad,
                          gsize aad_length,
                          const guint8 *sealed,
                          gsize length,
                          guint8 *out);

/* Forgets the random bytes drawn ahead: to be called at the start of a transaction, so that a
 * machine that is cloned between two draws its own in the next. */
void dsq_keys_start (DsqKeys *self);

/* --- what a password gives -------------------------------------------------------------------- */

/* On the stack of who uses them; wipe them with dsq_secret_wipe(). */
typedef struct
{
  guint8 wrap[DSQ_KEY_LENGTH];   /* seals the data key */
  guint8 header[DSQ_KEY_LENGTH]; /* authenticates the header */
} DsqPasswordKeys;

gboolean dsq_password_keys_derive (GBytes *password,
                                   const DsqKdfCost *cost,
                                   const guint8 salt[DSQ_KEY_SALT_LENGTH],
                                   const guint8 store_id[DSQ_KEY_ID_LENGTH],
                                   DsqPasswordKeys *out_keys,
                                   GError **error);

/* Seals a data key with a nonce of its own; FALSE without random bytes. */
gboolean dsq_password_keys_wrap (const DsqPasswordKeys *self,
                                 const guint8 *aad,
                                 gsize aad_length,
                                 const guint8 data_key[DSQ_KEY_LENGTH],
                                 guint8 out[DSQ_KEY_LENGTH + DSQ_KEY_OVERHEAD],
                                 GError **error);
gboolean dsq_password_keys_unwrap (const DsqPasswordKeys *self,
                                   const guint8 *aad,
                                   gsize aad_length,
                                   const guint8 wrapped[DSQ_KEY_LENGTH + DSQ_KEY_OVERHEAD],
                                   guint8 out_data_key[DSQ_KEY_LENGTH]);

G_END_DECLS
