/* dsq-cipher-cache.c - derived keys that were used last
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-mutex-private.h"
#include "crypto/dsq-cipher-cache-private.h"
#include "crypto/dsq-secret-private.h"

#define N_SLOTS 32

typedef struct
{
  guint8 prefix[DSQ_XAES_PREFIX_LENGTH]; /* (mutex lock) */
  guint32 purpose;                       /* (mutex lock) */
  guint64 used;                          /* (mutex lock) the clock at its last use; 0: empty */
  guint n_users;                         /* (mutex lock) */
  DsqCipher cipher;                      /* written with the lock held and no users */
} Slot;

struct _DsqCipherCache
{
  DsqMutex lock;
  guint64 clock; /* (mutex lock) uses */
  guint last;    /* (mutex lock) the slot used last */
  Slot slots[N_SLOTS];
};

DsqCipherCache *
dsq_cipher_cache_new (void)
{
  DsqCipherCache *self = dsq_secret_new (sizeof *self);

  dsq_mutex_init (&self->lock, DSQ_RANK_CIPHER, 0);
  return self;
}

void
dsq_cipher_cache_free (DsqCipherCache *self)
{
  if (self == NULL)
    return;
  dsq_mutex_clear (&self->lock);
  dsq_secret_free (self, sizeof *self);
}

static gboolean
slot_is (const Slot *slot, guint32 purpose, const guint8 *prefix)
{
  return slot->used != 0 && slot->purpose == purpose &&
         memcmp (slot->prefix, prefix, DSQ_XAES_PREFIX_LENGTH) == 0;
}

/* The one for @prefix; or else the one that was used longest ago and is free; or NULL. */
static Slot *
find_locked (DsqCipherCache *self, guint32 purpose, const guint8 *prefix)
{
  Slot *oldest = NULL;

  dsq_mutex_assert_held (&self->lock);
  if (slot_is (&self->slots[self->last], purpose, prefix))
    return &self->slots[self->last];
  for (guint i = 0; i < N_SLOTS; i++)
    {
      Slot *slot = &self->slots[i];

      if (slot_is (slot, purpose, prefix))
        return slot;
      if (slot->n_users == 0 && (oldest == NULL || slot->used < oldest->used))
        oldest = slot;
    }
  return oldest;
}

void
dsq_cipher_cache_take (DsqCipherCache *self,
                       const DsqXaes *xaes,
                       guint32 purpose,
                       const guint8 prefix[DSQ_XAES_PREFIX_LENGTH],
                       DsqCipherUse *out_use)
{
  Slot *slot;

  dsq_mutex_lock (&self->lock);
  slot = find_locked (self, purpose, prefix);
  if (slot != NULL)
    {
      if (!slot_is (slot, purpose, prefix))
        {
          dsq_xaes_derive (xaes, prefix, &slot->cipher);
          memcpy (slot->prefix, prefix, sizeof slot->prefix);
          slot->purpose = purpose;
        }
      slot->used = ++self->clock;
      slot->n_users++;
      self->last = (guint) (slot - self->slots);
    }
  dsq_mutex_unlock (&self->lock);

  out_use->slot = slot;
  out_use->beside = NULL;
  if (slot == NULL)
    {
      out_use->beside = dsq_secret_new (sizeof *out_use->beside);
      dsq_xaes_derive (xaes, prefix, out_use->beside);
    }
  out_use->cipher = slot != NULL ? &slot->cipher : out_use->beside;
}

void
dsq_cipher_cache_give_back (DsqCipherCache *self, DsqCipherUse *use)
{
  Slot *slot = use->slot;

  if (slot == NULL)
    {
      dsq_secret_free (use->beside, sizeof *use->beside);
      return;
    }
  dsq_mutex_lock (&self->lock);
  slot->n_users--;
  dsq_mutex_unlock (&self->lock);
}
