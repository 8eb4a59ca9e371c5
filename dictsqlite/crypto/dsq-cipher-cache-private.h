/* dsq-cipher-cache-private.h - derived keys that were used last
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "crypto/dsq-cipher-private.h"

G_BEGIN_DECLS

/* To derive a key and make it ready costs some ten times as much as to open a short record. A file
 * has as many prefixes as it had openings, so that a few are met again and again. */
typedef struct _DsqCipherCache DsqCipherCache;

/* A key in use: in the cache, or, while all of its places are in use, in memory of its own. */
typedef struct
{
  const DsqCipher *cipher;
  gpointer slot;     /* (nullable) */
  DsqCipher *beside; /* (owned) (nullable) */
} DsqCipherUse;

DsqCipherCache *dsq_cipher_cache_new (void);
void dsq_cipher_cache_free (DsqCipherCache *self);

/* The key for @prefix under @xaes, of the purpose number @purpose. From any thread. */
void dsq_cipher_cache_take (DsqCipherCache *self,
                            const DsqXaes *xaes,
                            guint32 purpose,
                            const guint8 prefix[DSQ_XAES_PREFIX_LENGTH],
                            DsqCipherUse *out_use);
void dsq_cipher_cache_give_back (DsqCipherCache *self, DsqCipherUse *use);

G_END_DECLS
