/* cli-double.c - numbers with a fraction, as text that gives back every bit
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-double.h"

#include <math.h>
#include <string.h>

#include "cli-error.h"

#define COMMON_NAN G_GUINT64_CONSTANT (0x7FF8000000000000)

static guint64
bits_of (double number)
{
  guint64 bits;

  memcpy (&bits, &number, sizeof bits);
  return bits;
}

static void
write_finite (GString *out, double number)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  for (int digits = 15; digits <= 17; digits++)
    {
      char format[8];

      g_snprintf (format, sizeof format, "%%.%dg", digits);
      g_ascii_formatd (text, sizeof text, format, number);
      if (bits_of (g_ascii_strtod (text, NULL)) == bits_of (number))
        break;
    }
  g_string_append (out, text);
  if (strpbrk (text, ".e") == NULL)
    g_string_append (out, ".0");
}

static void
write_special (GString *out, double number)
{
  if (isinf (number))
    g_string_append (out, number > 0 ? "inf" : "-inf");
  else if (bits_of (number) == COMMON_NAN)
    g_string_append (out, "nan");
  else
    g_string_append_printf (out, "nan:%016" G_GINT64_MODIFIER "x", bits_of (number));
}

void
cli_double_write (GString *out, guint64 bits)
{
  double number;

  memcpy (&number, &bits, sizeof number);
  if (isfinite (number))
    {
      write_finite (out, number);
      return;
    }
  g_string_append (out, "{\"float\":\"");
  write_special (out, number);
  g_string_append (out, "\"}");
}

static gboolean
parse_bits (const char *text, double *out)
{
  char *end;
  guint64 bits = g_ascii_strtoull (text, &end, 16);

  memcpy (out, &bits, sizeof bits);
  return end == text + 16 && strspn (text, "0123456789abcdefABCDEF") == 16 && isnan (*out);
}

static gboolean
is_word (const char *text, gsize length, const char *word)
{
  return length == strlen (word) && memcmp (text, word, length) == 0;
}

gboolean
cli_double_parse (const char *text, gsize length, double *out, GError **error)
{
  const guint64 common = COMMON_NAN;
  char *end = NULL;

  if (is_word (text, length, "inf") || is_word (text, length, "-inf"))
    {
      *out = *text == '-' ? -INFINITY : INFINITY;
      return TRUE;
    }
  if (is_word (text, length, "nan"))
    {
      memcpy (out, &common, sizeof common);
      return TRUE;
    }
  if (length == 20 && g_str_has_prefix (text, "nan:") && parse_bits (text + 4, out))
    return TRUE;
  if (length > 0 && strspn (text, "+-0123456789.eE") == length)
    {
      *out = g_ascii_strtod (text, &end);
      if (end == text + length && isfinite (*out))
        return TRUE;
    }
  cli_set_error (error, CLI_DAMAGED, "no number that a float can be");
  return FALSE;
}
