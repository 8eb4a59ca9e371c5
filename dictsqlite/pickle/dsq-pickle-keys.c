/* dsq-pickle-keys.c - integers that hash alike
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <stdlib.h>

#include "codec/dsq-bytes-private.h"
#include "pickle/dsq-pickle-machine-private.h"

/*
 * Python hashes an integer to its remainder by 2^61 - 1, so that whoever likes can name many that
 * hash alike, and a dict compares each with all before it. Integers from 2^61 - 1 on are therefore
 * kept as they become keys, with their container; at the end they are sorted, and the comparisons
 * are counted. Smaller ones differ from each other.
 */

#define MODULUS (((guint64) 1 << 61) - 1)

/* Of any 64 bits, not always the least one: 2^61 is 1. */
static inline guint64
fold (guint64 number)
{
  return (number & MODULUS) + (number >> 61);
}

/* The remainder of the @length bytes of an integer, little-endian, in two's complement. */
static guint64
remainder_of (const guint8 *bytes, guint32 length)
{
  guint32 rest = length % 8;
  guint64 remainder = dsq_bytes_load_short (bytes + length - rest, rest);

  /* 2^64 is 8 */
  for (guint32 i = length - rest; i > 0; i -= 8)
    remainder = fold (remainder % MODULUS << 3) + fold (dsq_bytes_load_u64 (bytes + i - 8));
  /* less 2^(8 length), which is 2^(8 length mod 61) */
  if ((bytes[length - 1] & 0x80) != 0)
    remainder = remainder % MODULUS + MODULUS - ((guint64) 1 << (8 * (guint64) length % 61));
  return remainder % MODULUS;
}

/* Whether it may be one of 2^61 - 1 or more, or as much below zero. */
static gboolean
is_large (const guint8 *bytes, guint32 length)
{
  return length > 8 || (length == 8 && bytes[7] > 0x1E && bytes[7] < 0xE1);
}

void
dsq_pickle_note_key (DsqPickleMachine *self, guint32 node, DsqPickleValue key)
{
  const guint8 *bytes = self->bytes + key.index;
  DsqPickleKey noted = { .node = node };

  if (key.kind != DSQ_PICKLE_BIG_INTEGER && key.kind != DSQ_PICKLE_HUGE_INTEGER)
    return;
  /* what is written as text is taken for alike: only old protocols have it */
  if (key.index != 0)
    {
      if (!is_large (bytes, key.length))
        return;
      noted.remainder = remainder_of (bytes, key.length);
    }
  if (self->keys == NULL)
    self->keys = g_array_new (FALSE, FALSE, sizeof noted);
  g_array_append_val (self->keys, noted);
}

static int
compare_keys (gconstpointer a, gconstpointer b)
{
  const DsqPickleKey *one = a;
  const DsqPickleKey *other = b;

  if (one->node != other->node)
    return one->node < other->node ? -1 : 1;
  return one->remainder < other->remainder ? -1 : one->remainder > other->remainder;
}

gboolean
dsq_pickle_count_keys (DsqPickleMachine *self)
{
  const DsqPickleKey *keys;
  guint64 n_comparisons = 0;
  guint n_alike = 0;

  if (self->keys == NULL)
    return TRUE;
  g_array_sort (self->keys, compare_keys);
  keys = (const DsqPickleKey *) (const void *) self->keys->data;
  for (guint i = 1; i < self->keys->len; i++)
    {
      n_alike = compare_keys (&keys[i], &keys[i - 1]) == 0 ? n_alike + 1 : 0;
      n_comparisons += n_alike;
    }
  return n_comparisons <= DSQ_PICKLE_MAX_COMPARISONS ||
         dsq_pickle_fail (self, "too many of its keys hash alike");
}
