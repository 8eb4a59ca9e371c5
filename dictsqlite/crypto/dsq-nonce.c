/* dsq-nonce.c - nonces of which none comes twice
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "crypto/dsq-nonce-private.h"

#define AT_COUNTER DSQ_XAES_PREFIX_LENGTH
#define AT_RANDOM  (AT_COUNTER + 4)

gboolean
dsq_nonce_next (DsqNonce *self,
                DsqRandomPool *pool,
                guint8 out[DSQ_XAES_NONCE_LENGTH],
                gboolean *out_is_new,
                GError **error)
{
  guint32 counter;

  *out_is_new = self->n_used == 0 || self->n_used == DSQ_NONCE_MESSAGES;
  if (*out_is_new)
    {
      /* a prefix that could not be drawn is not used */
      self->n_used = 0;
      if (!dsq_random_draw (self->prefix, sizeof self->prefix, error))
        return FALSE;
    }
  if (!dsq_random_pool_draw (pool, out + AT_RANDOM, DSQ_XAES_NONCE_LENGTH - AT_RANDOM, error))
    return FALSE;
  memcpy (out, self->prefix, sizeof self->prefix);
  counter = GUINT32_TO_LE (self->n_used);
  memcpy (out + AT_COUNTER, &counter, sizeof counter);
  self->n_used++;
  return TRUE;
}
