/* dsq-nonce-private.h - nonces of which none comes twice
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "crypto/dsq-cipher-private.h"
#include "crypto/dsq-random-private.h"

G_BEGIN_DECLS

/* Messages under one prefix. */
#define DSQ_NONCE_MESSAGES (1u << 24)

/*
 * The nonces under one key, of 24 bytes each:
 *
 *   0   12  prefix, random, drawn anew after DSQ_NONCE_MESSAGES
 *   12  4   counter within the prefix, little-endian
 *   16  8   random
 *
 * The counter keeps one store from ever repeating, the prefix keeps stores and processes apart, and
 * the last part a machine that was cloned, or a snapshot that was restored, and goes on with prefix
 * and counter of another. One thread at a time.
 */
typedef struct
{
  guint8 prefix[DSQ_XAES_PREFIX_LENGTH];
  guint32 n_used; /* messages under the prefix; 0: none was drawn yet */
} DsqNonce;

/* *out_is_new: the prefix is another than that of the nonce before. */
gboolean dsq_nonce_next (DsqNonce *self,
                         DsqRandomPool *pool,
                         guint8 out[DSQ_XAES_NONCE_LENGTH],
                         gboolean *out_is_new,
                         GError **error);

G_END_DECLS
