/* cli-pickle.c - Python's integers beyond 64 bits
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-pickle.h"

#include <string.h>

/* PROTO 5, FRAME and its length (8), LONG1 and its length (1) or LONG4 and its length (4), the
 * number in two's complement, little-endian, STOP. */
#define HEAD 11

static void
append_byte (GByteArray *out, guint8 byte)
{
  g_byte_array_append (out, &byte, 1);
}

void
cli_pickle_make_integer (GByteArray *out, const guint8 *bytes, gsize length)
{
  guint64 frame = GUINT64_TO_LE (length + (length < 256 ? 3 : 6));

  g_byte_array_append (out, (const guint8 *) "\x80\x05\x95", 3);
  g_byte_array_append (out, (const guint8 *) &frame, sizeof frame);
  if (length < 256)
    {
      append_byte (out, 0x8A);
      append_byte (out, (guint8) length);
    }
  else
    {
      guint32 size = GUINT32_TO_LE ((guint32) length);

      append_byte (out, 0x8B);
      g_byte_array_append (out, (const guint8 *) &size, sizeof size);
    }
  while (length-- > 0)
    append_byte (out, bytes[length]);
  append_byte (out, '.');
}

GByteArray *
cli_pickle_read_integer (const guint8 *pickle, gsize length)
{
  g_autoptr (GByteArray) number = NULL;
  g_autoptr (GByteArray) again = NULL;
  gsize start;

  if (length < HEAD + 4 || (pickle[HEAD] != 0x8A && pickle[HEAD] != 0x8B))
    return NULL;
  start = HEAD + (pickle[HEAD] == 0x8A ? 2 : 5);
  if (length < start + 10) /* no more than 64 bits are no pickle */
    return NULL;
  number = g_byte_array_new ();
  for (gsize i = length - 1; i-- > start;)
    append_byte (number, pickle[i]);
  /* of the fewest bytes, or else it would be another pickle when it is made again */
  if ((number->data[0] == 0x00 && (number->data[1] & 0x80) == 0) ||
      (number->data[0] == 0xFF && (number->data[1] & 0x80) != 0))
    return NULL;
  again = g_byte_array_new ();
  cli_pickle_make_integer (again, number->data, number->len);
  if (again->len != length || memcmp (again->data, pickle, length) != 0)
    return NULL;
  return g_steal_pointer (&number);
}
