/* cli-integer.c - integers of any size
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-integer.h"

#include <math.h>
#include <string.h>

#include "cli-error.h"

/* Decimal numbers go through limbs of 32 bits, lowest first, nine digits at a time. */
#define CHUNK_DIGITS 9
#define CHUNK        1000000000u

/* Bytes whose number is written in decimal: of no more digits than Python reads, which is 4300. */
#define MAX_DECIMAL_BYTES 1785

/* Appends magnitude and sign, the magnitude big-endian, as two's complement of the fewest bytes. */
static void
append_signed (GByteArray *out, const guint8 *magnitude, gsize length, gboolean negative)
{
  gsize start = out->len;

  while (length > 0 && *magnitude == 0)
    magnitude++, length--;
  if (length == 0)
    return;
  g_byte_array_append (out, (const guint8 *) "", 1);
  g_byte_array_append (out, magnitude, (guint) length);
  if (negative)
    {
      guint carry = 1;

      for (gsize i = out->len; i-- > start;)
        {
          guint sum = (guint8) ~out->data[i] + carry;

          out->data[i] = (guint8) sum;
          carry = sum >> 8;
        }
    }
  /* the first byte is a mere extension of the sign, unless the next one's top bit is another */
  if ((out->data[start + 1] & 0x80) == (out->data[start] & 0x80))
    g_byte_array_remove_index (out, (guint) start);
}

static gboolean
refuse (const char *cause, GError **error)
{
  cli_set_error (error, CLI_DAMAGED, "no integer: %s", cause);
  return FALSE;
}

static gboolean
parse_hexadecimal (const char *digits,
                   gsize length,
                   gboolean negative,
                   GByteArray *out,
                   GError **error)
{
  g_autofree guint8 *magnitude = g_malloc0 (length / 2 + 1);
  gsize n_bytes = (length + 1) / 2;

  if (length == 0)
    return refuse ("it has no digits", error);
  for (gsize i = 0; i < length; i++)
    {
      gsize place = length - 1 - i;
      int value = g_ascii_xdigit_value (digits[i]);

      if (value < 0)
        return refuse ("it holds what is no digit", error);
      magnitude[n_bytes - 1 - place / 2] |= (guint8) (value << (place % 2 * 4));
    }
  append_signed (out, magnitude, n_bytes, negative);
  return TRUE;
}

static void
multiply_add (GArray *limbs, guint32 factor, guint32 addend)
{
  guint64 carry = addend;

  for (guint i = 0; i < limbs->len; i++)
    {
      carry += (guint64) g_array_index (limbs, guint32, i) * factor;
      g_array_index (limbs, guint32, i) = (guint32) carry;
      carry >>= 32;
    }
  if (carry > 0)
    {
      guint32 limb = (guint32) carry;

      g_array_append_val (limbs, limb);
    }
}

gboolean
cli_integer_parse (const char *text, gsize length, GByteArray *out, GError **error)
{
  g_autoptr (GArray) limbs = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autoptr (GByteArray) magnitude = g_byte_array_new ();
  gboolean negative = length > 0 && *text == '-';

  if (negative)
    text++, length--;
  if (length > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
    return parse_hexadecimal (text + 2, length - 2, negative, out, error);
  if (length == 0)
    return refuse ("it has no digits", error);
  if (length > CLI_INTEGER_MAX_DIGITS)
    return refuse ("it has more than 5000 digits; write it as 0x...", error);
  for (gsize i = 0; i < length; i++)
    {
      if (!g_ascii_isdigit (text[i]))
        return refuse ("it holds what is no digit", error);
      multiply_add (limbs, 10, (guint32) (text[i] - '0'));
    }
  for (guint i = limbs->len; i-- > 0;)
    {
      guint32 limb = GUINT32_TO_BE (g_array_index (limbs, guint32, i));

      g_byte_array_append (magnitude, (const guint8 *) &limb, sizeof limb);
    }
  append_signed (out, magnitude->data, magnitude->len, negative);
  return TRUE;
}

/* The number's absolute value, big-endian. */
static GByteArray *
make_magnitude (const guint8 *bytes, gsize length)
{
  GByteArray *magnitude = g_byte_array_sized_new ((guint) length);
  guint carry = 1;

  g_byte_array_append (magnitude, bytes, (guint) length);
  if (length > 0 && (bytes[0] & 0x80) != 0)
    for (gsize i = length; i-- > 0;)
      {
        guint sum = (guint8) ~bytes[i] + carry;

        magnitude->data[i] = (guint8) sum;
        carry = sum >> 8;
      }
  return magnitude;
}

static void
write_decimal (GString *out, GByteArray *magnitude)
{
  g_autoptr (GArray) chunks = g_array_new (FALSE, FALSE, sizeof (guint32));
  gboolean is_zero = FALSE;

  while (!is_zero)
    {
      guint64 rest = 0;
      guint32 chunk;

      is_zero = TRUE;
      for (guint i = 0; i < magnitude->len; i++)
        {
          rest = rest << 8 | magnitude->data[i];
          magnitude->data[i] = (guint8) (rest / CHUNK);
          rest %= CHUNK;
          is_zero &= magnitude->data[i] == 0;
        }
      chunk = (guint32) rest;
      g_array_append_val (chunks, chunk);
    }
  g_string_append_printf (out, "%u", g_array_index (chunks, guint32, chunks->len - 1));
  for (guint i = chunks->len - 1; i-- > 0;)
    g_string_append_printf (out, "%0*u", CHUNK_DIGITS, g_array_index (chunks, guint32, i));
}

gboolean
cli_integer_write (GString *out, const guint8 *bytes, gsize length)
{
  g_autoptr (GByteArray) magnitude = make_magnitude (bytes, length);

  if (length > 0 && (bytes[0] & 0x80) != 0)
    g_string_append_c (out, '-');
  if (length <= MAX_DECIMAL_BYTES)
    {
      write_decimal (out, magnitude);
      return TRUE;
    }
  g_string_append (out, "0x");
  for (guint i = 0; i < magnitude->len; i++)
    g_string_append_printf (out, "%02x", magnitude->data[i]);
  return FALSE;
}

void
cli_integer_from_double (double number, GByteArray *out)
{
  guint8 magnitude[128 + 8] = { 0 }; /* of 2^1024 */
  int exponent;
  guint64 mantissa = (guint64) ldexp (frexp (fabs (number), &exponent), 53);
  int shift = exponent - 53;

  if (number == 0)
    return;
  if (shift < 0)
    {
      mantissa >>= -shift;
      shift = 0;
    }
  for (int bit = 0; bit < 54; bit++)
    if ((mantissa >> bit & 1) != 0)
      {
        int place = bit + shift;

        magnitude[sizeof magnitude - 1 - (gsize) place / 8] |= (guint8) (1 << place % 8);
      }
  append_signed (out, magnitude, sizeof magnitude, number < 0);
}
