/* cli-text.c - text for people
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-text.h"

/* The length of the plain character at @text, 0 where there is none. C1 controls, and the marks
 * that turn the direction of text around, are no plain ones. */
static gsize
plain_length (const char *text, gsize left)
{
  gunichar c = g_utf8_get_char_validated (text, (gssize) MIN (left, 6));

  if (c == (gunichar) -1 || c == (gunichar) -2 || c < 0x20 || (c >= 0x7F && c < 0xA0) ||
      (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF)
    return 0;
  return (gsize) (g_utf8_next_char (text) - text);
}

gboolean
cli_text_is_utf8 (const char *bytes, gsize length)
{
  const char *end = bytes + length;

  /* GLib stops at a NUL */
  while (bytes < end && !g_utf8_validate_len (bytes, (gsize) (end - bytes), &bytes))
    if (*bytes++ != '\0')
      return FALSE;
  return TRUE;
}

gboolean
cli_text_is_plain (const char *bytes, gsize length)
{
  gsize step;

  for (gsize i = 0; i < length; i += step)
    if ((step = plain_length (bytes + i, length - i)) == 0)
      return FALSE;
  return TRUE;
}

void
cli_text_append (GString *out, const char *bytes, gsize length)
{
  for (gsize i = 0; i < length;)
    {
      gsize step = plain_length (bytes + i, length - i);

      if (step > 0)
        g_string_append_len (out, bytes + i, (gssize) step);
      else if (bytes[i] == '\n')
        g_string_append_c (out, ' ');
      else
        g_string_append_printf (out, "\\x%02X", (guint8) bytes[i]);
      i += MAX (step, 1);
    }
}

static void
append_grouped (GString *out, guint64 number)
{
  char digits[24];
  int n_digits = g_snprintf (digits, sizeof digits, "%" G_GUINT64_FORMAT, number);

  for (int i = 0; i < n_digits; i++)
    {
      if (i > 0 && (n_digits - i) % 3 == 0)
        g_string_append_c (out, ',');
      g_string_append_c (out, digits[i]);
    }
}

char *
cli_text_count (guint64 count, const char *one, const char *many)
{
  GString *out = g_string_new (NULL);

  append_grouped (out, count);
  g_string_append_printf (out, " %s", count == 1 ? one : many);
  return g_string_free (out, FALSE);
}

char *
cli_text_size (guint64 bytes)
{
  g_autofree char *exact = cli_text_count (bytes, "byte", "bytes");
  g_autofree char *rounded = NULL;
  g_autoptr (GString) text = NULL;

  if (bytes < 1000)
    return g_steal_pointer (&exact);
  rounded = g_format_size (bytes);
  text = g_string_new (NULL);
  g_string_printf (text, "%s (%s)", exact, rounded);
  /* GLib puts a space that does not break there, which no script looks for */
  g_string_replace (text, "\xC2\xA0", " ", 0);
  return g_string_free (g_steal_pointer (&text), FALSE);
}
