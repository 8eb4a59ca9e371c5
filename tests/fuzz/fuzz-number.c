/* fuzz-number.c - any bytes as a number that dsq reads or writes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <math.h>
#include <string.h>

#include <glib.h>

#include "cli-double.h"
#include "cli-error.h"
#include "cli-integer.h"
#include "cli-pickle.h"
#include "driver.h"

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED ("0"),
  FUZZ_SEED ("-9223372036854775809"),
  FUZZ_SEED ("-0x8000"),
  FUZZ_SEED ("0xFFffFFffFFffFFff"),
  FUZZ_SEED ("-2.5e+3"),
  FUZZ_SEED ("1e308"),
  FUZZ_SEED ("nan:7ff8000000000001"),
  FUZZ_SEED ("-inf"),
  FUZZ_SEED ("inf\0.5"),
  FUZZ_SEED ("\x80\2\x8a\x09\0\0\0\0\0\0\0\0\1."),
  FUZZ_SEED ("\0\0\0\0\0\0\xf8\x7f"),
  FUZZ_SEED ("\1\0\0\0\0\0\0\0"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

static void
assert_damaged (const GError *error)
{
  g_assert_error (error, CLI_ERROR, CLI_DAMAGED);
}

/* Of text: what is written is a number that is read, and no byte longer than it must be. */
static void
check_integer (const char *text, gsize length)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) number = g_byte_array_new ();
  g_autoptr (GByteArray) again = g_byte_array_new ();
  g_autoptr (GString) out = g_string_new (NULL);

  if (!cli_integer_parse (text, length, number, &error))
    {
      assert_damaged (error);
      return;
    }
  g_assert_cmpuint (strlen (text), ==, length);
  if (number->len > 1)
    g_assert_false ((number->data[0] == 0 && number->data[1] < 0x80) ||
                    (number->data[0] == 0xFF && number->data[1] >= 0x80));
  cli_integer_write (out, number->data, number->len);
  g_assert_true (cli_integer_parse (out->str, out->len, again, &error));
  g_assert_cmpmem (again->data, again->len, number->data, number->len);
}

/* As JSON it is a number, or the text of one in an object of one name. */
static void
check_bits (guint64 bits)
{
  static const char head[] = "{\"float\":\"", end[] = "\"}";
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (GByteArray) whole = g_byte_array_new ();
  g_autoptr (GError) error = NULL;
  double number, again;

  memcpy (&number, &bits, sizeof number);
  cli_double_write (out, bits);
  if (g_str_has_prefix (out->str, head))
    {
      g_assert_true (g_str_has_suffix (out->str, end));
      g_string_truncate (out, out->len - strlen (end));
      g_string_erase (out, 0, strlen (head));
    }
  g_assert_true (cli_double_parse (out->str, out->len, &again, &error));
  g_assert_cmpmem (&again, sizeof again, &bits, sizeof bits);
  if (isfinite (number) && number == floor (number))
    {
      g_autofree char *text = g_strdup_printf ("%.0f", number);
      g_autoptr (GByteArray) parsed = g_byte_array_new ();

      cli_integer_from_double (number, whole);
      g_assert_true (cli_integer_parse (text, strlen (text), parsed, NULL));
      g_assert_cmpmem (parsed->data, parsed->len, whole->data, whole->len);
    }
}

static void
check_double (const char *text, gsize length)
{
  g_autoptr (GError) error = NULL;
  guint64 bits;
  double number;

  if (!cli_double_parse (text, length, &number, &error))
    {
      assert_damaged (error);
      return;
    }
  g_assert_cmpuint (strlen (text), ==, length);
  memcpy (&bits, &number, sizeof bits);
  check_bits (bits);
}

/* One that is an integer is made of that again. */
static void
check_pickle (const guint8 *pickle, gsize length)
{
  g_autoptr (GByteArray) number = cli_pickle_read_integer (pickle, length);
  g_autoptr (GByteArray) again = g_byte_array_new ();

  if (number == NULL)
    return;
  g_assert_cmpuint (number->len, >, sizeof (gint64));
  cli_pickle_make_integer (again, number->data, number->len);
  g_assert_cmpmem (again->data, again->len, pickle, length);
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  /* with a NUL behind it, as what is read has */
  g_autofree char *text = g_malloc (length + 1);
  guint64 bits = 0;

  if (length > 0)
    memcpy (text, bytes, length);
  text[length] = '\0';
  check_integer (text, length);
  check_double (text, length);
  memcpy (&bits, text, MIN (length, sizeof bits));
  check_bits (bits);
  check_pickle (bytes, length);
  return 0;
}
