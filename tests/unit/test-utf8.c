/* test-utf8.c - whether bytes are UTF-8
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-utf8-private.h"

/* GLib's own answer, to which NUL is no text, and so asked piece by piece. */
static gboolean
glib_validates (const guint8 *bytes, gsize length)
{
  const guint8 *end = bytes + length;

  while (bytes < end)
    {
      const guint8 *nul = memchr (bytes, 0, (gsize) (end - bytes));
      gsize piece = (gsize) ((nul != NULL ? nul : end) - bytes);

      if (!g_utf8_validate_len ((const char *) bytes, piece, NULL))
        return FALSE;
      bytes += piece + (nul != NULL ? 1 : 0);
    }
  return TRUE;
}

static void
assert_same (const guint8 *bytes, gsize length)
{
  g_assert_cmpint (dsq_utf8_validate (bytes, length), ==, glib_validates (bytes, length));
}

static void
test_agrees_with_glib_on_two_and_three_bytes (void)
{
  for (guint i = 0; i < 0x10000; i++)
    assert_same ((const guint8[]){ (guint8) (i >> 8), (guint8) i }, 2);
  /* third bytes round the ends of what may continue a character */
  for (guint i = 0; i < 0x10000; i++)
    for (guint third = 0x7E; third <= 0xC2; third += 0x11)
      assert_same ((const guint8[]){ (guint8) (i >> 8), (guint8) i, (guint8) third }, 3);
}

static void
test_agrees_with_glib_on_four_bytes (void)
{
  static const guint8 edges[] = { 0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF };

  for (guint lead = 0xE0; lead <= 0xFF; lead++)
    for (guint i = 0; i < 1000; i++)
      assert_same (
          (const guint8[]){ (guint8) lead, edges[i / 100], edges[i / 10 % 10], edges[i % 10] },
          4);
}

/* Every character of the code space, and no surrogate. */
static void
test_takes_every_character (void)
{
  for (gunichar character = 0; character <= 0x110000; character++)
    {
      char bytes[6];
      gsize length = (gsize) g_unichar_to_utf8 (character, bytes);
      gboolean expected = character < 0xD800 || (character > 0xDFFF && character <= 0x10FFFF);

      g_assert_cmpint (dsq_utf8_validate ((const guint8 *) bytes, length), ==, expected);
    }
}

/* A bad byte at each place of texts of each length, over the borders of eight bytes. */
static void
test_finds_a_bad_byte_anywhere (void)
{
  guint8 bytes[40];

  memset (bytes, 'a', sizeof bytes);
  for (gsize length = 0; length <= sizeof bytes; length++)
    {
      g_assert_true (dsq_utf8_validate (bytes, length));
      for (gsize at = 0; at < length; at++)
        {
          bytes[at] = 0xFF;
          g_assert_false (dsq_utf8_validate (bytes, length));
          g_assert_true (dsq_utf8_validate (bytes, at));
          bytes[at] = 'a';
        }
    }
  g_assert_true (dsq_utf8_validate (NULL, 0));
}

static void
test_agrees_with_glib_on_mixed_text (void)
{
  static const char *const parts[] = { "a", "key_12", "ä", "日本", "😀", "\xed\xa0\x80", "\xc3" };
  g_autoptr (GRand) rand = g_rand_new_with_seed (8);

  for (guint i = 0; i < 20000; i++)
    {
      g_autoptr (GString) text = g_string_new (NULL);
      gint n_parts = g_rand_int_range (rand, 0, 12);
      gint n_kinds = g_rand_int_range (rand, 5, G_N_ELEMENTS (parts) + 1);

      for (gint part = 0; part < n_parts; part++)
        {
          g_string_append (text, parts[g_rand_int_range (rand, 0, n_kinds)]);
          if (g_rand_int_range (rand, 0, 4) == 0)
            g_string_append_c (text, '\0');
        }
      assert_same ((const guint8 *) text->str, text->len);
    }
}

static void
test_shows_what_is_printable_as_it_is (void)
{
  static const struct
  {
    const char *text;
    const char *shown;
  } cases[] = {
    { "", "" },
    { "plain text, \\ and all", "plain text, \\ and all" },
    { "ä 日本 😀", "ä 日本 😀" },
    { "a\nb\x1b[31m\x7f", "a\\u{a}b\\u{1b}[31m\\u{7f}" },
    { "\xe2\x80\xae"
      "evil\xe2\x81\xa6",
      "\\u{202e}evil\\u{2066}" },
    { "\xc2\x85", "\\u{85}" },
    { "\xff\xc3", "\\xff\\xc3" },
    { "\xed\xa0\x80", "\\xed\\xa0\\x80" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *shown = dsq_utf8_show (cases[i].text);

      g_assert_cmpstr (shown, ==, cases[i].shown);
      g_assert_true (g_utf8_validate (shown, -1, NULL));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/utf8/agrees-with-glib-on-two-and-three-bytes",
                   test_agrees_with_glib_on_two_and_three_bytes);
  g_test_add_func ("/dsq/utf8/agrees-with-glib-on-four-bytes", test_agrees_with_glib_on_four_bytes);
  g_test_add_func ("/dsq/utf8/takes-every-character", test_takes_every_character);
  g_test_add_func ("/dsq/utf8/finds-a-bad-byte-anywhere", test_finds_a_bad_byte_anywhere);
  g_test_add_func ("/dsq/utf8/agrees-with-glib-on-mixed-text", test_agrees_with_glib_on_mixed_text);
  g_test_add_func ("/dsq/utf8/shows-what-is-printable-as-it-is",
                   test_shows_what_is_printable_as_it_is);
  return g_test_run ();
}
