/* dsq-utf8.c - whether bytes are UTF-8
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-utf8-private.h"

#define HIGH_BITS G_GUINT64_CONSTANT (0x8080808080808080)

/* Bytes of ASCII that @bytes start with, eight at a time. */
static inline gsize
ascii_run (const guint8 *bytes, gsize length)
{
  gsize run = 0;
  guint64 high;

  for (; length - run >= 8; run += 8)
    {
      high = dsq_bytes_load_u64 (bytes + run) & HIGH_BITS;
      if (high != 0)
        return run + (gsize) __builtin_ctzll (high) / 8;
    }

  high = dsq_bytes_load_short (bytes + run, length - run) & HIGH_BITS;
  return high != 0 ? run + (gsize) __builtin_ctzll (high) / 8 : length;
}

/* Bytes of the character that @bytes start with, which is not ASCII; 0 if it is ill-formed. */
static inline gsize
sequence_length (const guint8 *bytes, gsize length)
{
  guint8 lead = bytes[0];
  gsize n = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  guint8 lowest = 0x80;
  guint8 highest = 0xBF;

  if (n == 0 || n > length)
    return 0;

  /* the second byte is where overlong forms, surrogates and too high planes show */
  switch (lead)
    {
    case 0xE0:
      lowest = 0xA0;
      break;
    case 0xED:
      highest = 0x9F;
      break;
    case 0xF0:
      lowest = 0x90;
      break;
    case 0xF4:
      highest = 0x8F;
      break;
    default:
      break;
    }
  if (bytes[1] < lowest || bytes[1] > highest)
    return 0;

  for (gsize i = 2; i < n; i++)
    if ((bytes[i] & 0xC0) != 0x80)
      return 0;
  return n;
}

gboolean
dsq_utf8_validate (const guint8 *bytes, gsize length)
{
  gsize at = 0;

  while (at < length)
    {
      at += ascii_run (bytes + at, length - at);

      while (at < length && bytes[at] >= 0x80)
        {
          gsize n = sequence_length (bytes + at, length - at);

          if (n == 0)
            return FALSE;
          at += n;
        }
    }
  return TRUE;
}

char *
dsq_utf8_show (const char *text)
{
  GString *shown = g_string_new (NULL);

  while (*text != '\0')
    {
      gunichar character = g_utf8_get_char_validated (text, -1);

      if (character >= (gunichar) -2)
        g_string_append_printf (shown, "\\x%02x", (guint8) *text++);
      else if (!g_unichar_isprint (character))
        g_string_append_printf (shown, "\\u{%x}", character);
      else
        g_string_append_unichar (shown, character);
      if (character < (gunichar) -2)
        text = g_utf8_next_char (text);
    }
  return g_string_free (shown, FALSE);
}
