/* dsq-hash.c - the keyed hash of the tables in memory
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/random.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-hash-private.h"

typedef struct
{
  guint64 v0, v1, v2, v3;
} SipState;

static guint64 process_key[2];     /* (once process_key_drawn), constant from then on */
static gboolean process_key_drawn; /* (atomic) */
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

static inline guint64
rotate_left (guint64 word, guint bits)
{
  return word << bits | word >> (64 - bits);
}

static inline void
sip_round (SipState *s)
{
  s->v0 += s->v1;
  s->v1 = rotate_left (s->v1, 13) ^ s->v0;
  s->v0 = rotate_left (s->v0, 32);
  s->v2 += s->v3;
  s->v3 = rotate_left (s->v3, 16) ^ s->v2;
  s->v0 += s->v3;
  s->v3 = rotate_left (s->v3, 21) ^ s->v0;
  s->v2 += s->v1;
  s->v1 = rotate_left (s->v1, 17) ^ s->v2;
  s->v2 = rotate_left (s->v2, 32);
}

static inline void
sip_init (SipState *s, guint64 k0, guint64 k1)
{
  s->v0 = k0 ^ G_GUINT64_CONSTANT (0x736f6d6570736575);
  s->v1 = k1 ^ G_GUINT64_CONSTANT (0x646f72616e646f6d);
  s->v2 = k0 ^ G_GUINT64_CONSTANT (0x6c7967656e657261);
  s->v3 = k1 ^ G_GUINT64_CONSTANT (0x7465646279746573);
}

static inline void
sip_absorb (SipState *s, guint c_rounds, guint64 word)
{
  s->v3 ^= word;
  for (guint i = 0; i < c_rounds; i++)
    sip_round (s);
  s->v0 ^= word;
}

/* Absorbs @bytes, then the last word: what is left of them, and @total_length in its top byte. */
static inline guint64
sip_finish (SipState *s,
            guint c_rounds,
            guint d_rounds,
            const guint8 *bytes,
            gsize length,
            gsize total_length)
{
  for (; length >= 8; bytes += 8, length -= 8)
    sip_absorb (s, c_rounds, dsq_bytes_load_u64 (bytes));
  sip_absorb (s,
              c_rounds,
              dsq_bytes_load_short (bytes, length) | (guint64) (total_length & 0xFF) << 56);

  s->v2 ^= 0xFF;
  for (guint i = 0; i < d_rounds; i++)
    sip_round (s);
  return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* Where getrandom() is missing or forbidden, the 16 random bytes that the kernel hands to every
 * program at its start take its place. */
static void
draw_process_key (void)
{
  gssize n;

  do
    n = getrandom (process_key, sizeof process_key, 0);
  while (n < 0 && errno == EINTR);

  if (n != (gssize) sizeof process_key)
    {
      const guint8 *random_bytes = (const guint8 *) getauxval (AT_RANDOM);

      if (random_bytes != NULL)
        memcpy (process_key, random_bytes, sizeof process_key);
    }
  __atomic_store_n (&process_key_drawn, TRUE, __ATOMIC_RELEASE);
}

/* The table's id goes first, as a word of its own, so that what follows is read at its own pace:
 * the hash is SipHash-1-3 of the id in 8 bytes, little-endian, and @bytes. */
guint64
dsq_hash (guint32 table, const guint8 *bytes, gsize length)
{
  SipState s;

  /* not GLib's once: a race detector sees what pthread_once() orders */
  if (G_UNLIKELY (!__atomic_load_n (&process_key_drawn, __ATOMIC_ACQUIRE)))
    pthread_once (&process_key_once, draw_process_key);

  sip_init (&s, process_key[0], process_key[1]);
  sip_absorb (&s, 1, table);
  return sip_finish (&s, 1, 3, bytes, length, sizeof (guint64) + length);
}

guint64
dsq_hash_siphash (guint c_rounds,
                  guint d_rounds,
                  const guint8 key[16],
                  const guint8 *bytes,
                  gsize length)
{
  SipState s;

  sip_init (&s, dsq_bytes_load_u64 (key), dsq_bytes_load_u64 (key + 8));
  return sip_finish (&s, c_rounds, d_rounds, bytes, length, length);
}
