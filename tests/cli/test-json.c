/* test-json.c - JSON, integers and floats of dsq, well made and hostile
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <math.h>
#include <string.h>

#include "cli-double.h"
#include "cli-error.h"
#include "cli-integer.h"
#include "cli-json.h"
#include "cli-key.h"
#include "cli-value.h"

static CliJson *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  CliJson *json = cli_json_parse (text, strlen (text), &error);

  g_assert_no_error (error);
  return json;
}

static void
refuse (const char *text, gsize length)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (cli_json_parse (text, length, &error));
  g_assert_error (error, CLI_ERROR, CLI_DAMAGED);
}

static void
test_strings (void)
{
  g_autoptr (CliJson) json =
      parse (" \"a\\u0000\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00é\" ");
  static const char expected[] = "a\0\"\\/\b\f\n\r\té😀é";
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (CliJson) again = NULL;

  g_assert_cmpmem (json->text, json->length, expected, sizeof expected - 1);
  cli_json_write_string (out, expected, sizeof expected - 1);
  g_assert_null (strpbrk (out->str, "\n\t"));
  again = parse (out->str);
  g_assert_cmpmem (again->text, again->length, expected, sizeof expected - 1);
}

static void
test_every_byte_comes_back (void)
{
  for (gunichar c = 0; c < 0x3000; c++)
    {
      char text[8];
      gsize length = c == 0 ? 1 : (gsize) g_unichar_to_utf8 (c, text);
      g_autoptr (GString) out = g_string_new (NULL);
      g_autoptr (CliJson) json = NULL;

      text[0] = c == 0 ? '\0' : text[0];
      cli_json_write_string (out, text, length);
      json = parse (out->str);
      g_assert_cmpmem (json->text, json->length, text, length);
      /* nothing that a terminal obeys */
      for (gsize i = 0; i < out->len; i++)
        g_assert_true ((guint8) out->str[i] >= 0x20 && out->str[i] != 0x7F);
      g_assert_false (c >= 0x80 && c < 0xA0 && strchr (out->str, '\xC2') != NULL);
    }
}

static void
test_structure (void)
{
  g_autoptr (CliJson) json = parse ("{\"a\":[1,-0.5e+3,true,false,null,{}],\"\":\"b\"}");
  const CliJson *array = cli_json_get (json, "a");

  g_assert_cmpint (array->kind, ==, CLI_JSON_ARRAY);
  g_assert_cmpuint (array->items->len, ==, 6);
  g_assert_true (cli_json_is_integer (array->items->pdata[0]));
  g_assert_false (cli_json_is_integer (array->items->pdata[1]));
  g_assert_cmpstr (((CliJson *) array->items->pdata[1])->text, ==, "-0.5e+3");
  g_assert_cmpstr (cli_json_get (json, "")->text, ==, "b");
  g_assert_null (cli_json_get (json, "b"));
  g_assert_null (cli_json_get (array, "a"));
}

static void
test_what_is_no_json (void)
{
  static const char *const bad[] = {
    "",
    " ",
    "{",
    "}",
    "[",
    "[1,]",
    "{\"a\":1,}",
    "{\"a\"}",
    "{a:1}",
    "{'a':1}",
    "[1 2]",
    "01",
    "1.",
    ".5",
    "-",
    "+1",
    "1e",
    "1e+",
    "0x10",
    "NaN",
    "Infinity",
    "nul",
    "truely",
    "\"a",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud800\\u0041\"",
    "\"\n\"",
    "\"\t\"",
    "1 1",
    "[] []",
    "/**/1",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"\\u0061\":2}",
    "\"\xFF\"",
    "\"\xC0\x80\"",
    "\"\xED\xA0\x80\"",
    "\xEF\xBB\xBF"
    "1",
    ",",
    ":",
    "[,1]",
    "{,}",
    "\"\\",
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    refuse (bad[i], strlen (bad[i]));
  refuse ("\"a\0b\"", 5);
  refuse ("1\0", 2);
}

/* Each prefix of a text, and each with a byte exchanged: read or refused, and nothing else. */
static void
test_damaged_text (void)
{
  static const char text[] =
      "{\"key\":[\"a\",{\"bytes\":\"/w==\"},-12,1.5e3],\"value\":\"\\u00e9\"}";

  for (gsize length = 0; length < sizeof text - 1; length++)
    refuse (text, length);
  for (gsize i = 0; i < sizeof text - 1; i++)
    for (guint byte = 0; byte < 256; byte++)
      {
        g_autofree char *copy = g_strdup (text);
        g_autoptr (GError) error = NULL;
        g_autoptr (CliJson) json = NULL;
        g_autoptr (GByteArray) key = g_byte_array_new ();
        const CliJson *part;

        copy[i] = (char) byte;
        json = cli_json_parse (copy, sizeof text - 1, &error);
        g_assert_true ((json == NULL) == (error != NULL));
        part = json != NULL ? cli_json_get (json, "key") : NULL;
        if (part != NULL)
          g_assert_true (cli_key_from_json (part, key, &error) == (error == NULL));
      }
}

static void
test_depth (void)
{
  g_autoptr (GString) deep = g_string_new (NULL);
  g_autoptr (CliJson) json = NULL;

  for (guint i = 0; i < CLI_JSON_MAX_DEPTH; i++)
    g_string_append_c (deep, '[');
  for (guint i = 0; i < CLI_JSON_MAX_DEPTH; i++)
    g_string_append_c (deep, ']');
  json = parse (deep->str);
  g_string_prepend_c (deep, '[');
  g_string_append_c (deep, ']');
  refuse (deep->str, deep->len);
  g_string_truncate (deep, 0);
  for (guint i = 0; i < 1000000; i++)
    g_string_append (deep, i % 2 != 0 ? "{\"a\":" : "[");
  refuse (deep->str, deep->len);
}

static void
check_integer (const char *text, const char *bytes, gsize length, const char *back)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_autoptr (GString) again = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (cli_integer_parse (text, strlen (text), out, &error));
  g_assert_no_error (error);
  g_assert_cmpmem (out->data, out->len, bytes, length);
  g_assert_true (cli_integer_write (again, out->data, out->len));
  g_assert_cmpstr (again->str, ==, back != NULL ? back : text);
}

static void
test_integers (void)
{
  check_integer ("0", "", 0, NULL);
  check_integer ("-0", "", 0, "0");
  check_integer ("1", "\x01", 1, NULL);
  check_integer ("-1", "\xFF", 1, NULL);
  check_integer ("127", "\x7F", 1, NULL);
  check_integer ("128", "\x00\x80", 2, NULL);
  check_integer ("-128", "\x80", 1, NULL);
  check_integer ("-129", "\xFF\x7F", 2, NULL);
  check_integer ("255", "\x00\xFF", 2, NULL);
  check_integer ("-256", "\xFF\x00", 2, NULL);
  check_integer ("9223372036854775807", "\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8, NULL);
  check_integer ("-9223372036854775808", "\x80\0\0\0\0\0\0\0", 8, NULL);
  check_integer ("18446744073709551616", "\x01\0\0\0\0\0\0\0\0", 9, NULL);
  check_integer ("1000000000000000000000", "\x36\x35\xC9\xAD\xC5\xDE\xA0\0\0", 9, NULL);
  check_integer ("000012", "\x0C", 1, "12");
  check_integer ("0x0", "", 0, "0");
  check_integer ("-0x80", "\x80", 1, "-128");
  check_integer ("0xabc", "\x0A\xBC", 2, "2748");
}

static void
test_large_integers (void)
{
  g_autofree char *hex = g_strnfill (10001, 'f');
  g_autofree char *text = g_strconcat ("-0x", hex, NULL);
  g_autofree char *digits = g_strnfill (CLI_INTEGER_MAX_DIGITS + 1, '9');
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_autoptr (GString) again = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (cli_integer_parse (text, strlen (text), out, NULL));
  g_assert_cmpuint (out->len, ==, 5001);
  g_assert_false (cli_integer_write (again, out->data, out->len));
  g_assert_cmpstr (again->str + 4, ==, text + 3);
  g_assert_true (g_str_has_prefix (again->str, "-0x0f"));

  g_byte_array_set_size (out, 0);
  g_assert_true (cli_integer_parse (digits, CLI_INTEGER_MAX_DIGITS, out, NULL));
  g_assert_false (cli_integer_parse (digits, CLI_INTEGER_MAX_DIGITS + 1, out, &error));
  g_assert_error (error, CLI_ERROR, CLI_DAMAGED);
  for (const char *const *bad =
           (const char
                *const[]){ "", "-", "+1", " 1", "1 ", "0x", "0xg", "1_0", "1.0", "--1", NULL };
       *bad != NULL;
       bad++)
    g_assert_false (cli_integer_parse (*bad, strlen (*bad), out, NULL));
}

static void
test_doubles (void)
{
  static const double numbers[] = { 0.0,
                                    -0.0,
                                    0.1,
                                    1.0,
                                    -1.5,
                                    1e300,
                                    5e-324,
                                    1e22,
                                    1e21,
                                    123456789,
                                    1 / 3.0,
                                    2e-308,
                                    1e-5,
                                    INFINITY,
                                    -INFINITY,
                                    NAN,
                                    1.7976931348623157e308 };

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      g_autoptr (GString) out = g_string_new (NULL);
      guint64 bits;
      double back;

      memcpy (&bits, &numbers[i], sizeof bits);
      cli_double_write (out, bits);
      if (isfinite (numbers[i]))
        g_assert_nonnull (strpbrk (out->str, ".e"));
      else
        {
          g_assert_true (g_str_has_prefix (out->str, "{\"float\":\""));
          g_assert_true (g_str_has_suffix (out->str, "\"}"));
          g_string_erase (out, 0, strlen ("{\"float\":\""));
          g_string_truncate (out, out->len - strlen ("\"}"));
        }
      g_assert_true (cli_double_parse (out->str, out->len, &back, NULL));
      g_assert_cmpmem (&back, sizeof back, &numbers[i], sizeof back);
    }
  for (const char *const *bad = (const char *const[]){ "",
                                                       "1e999",
                                                       "-1e999",
                                                       "1.2.3",
                                                       "0x1p3",
                                                       "nan:1",
                                                       "nan:7ff000000000000z",
                                                       "nan:7ff0000000000000",
                                                       "infinity",
                                                       "1 ",
                                                       NULL };
       *bad != NULL;
       bad++)
    {
      double unused;

      g_assert_false (cli_double_parse (*bad, strlen (*bad), &unused, NULL));
    }
}

static void
test_integral_doubles (void)
{
  for (int exponent = 0; exponent < 1024; exponent++)
    {
      g_autoptr (GByteArray) out = g_byte_array_new ();
      double number = ldexp (1.0, exponent) * (exponent % 2 != 0 ? -1 : 1);
      double back = 0;

      cli_integer_from_double (number, out);
      for (guint i = 0; i < out->len; i++)
        back = back * 256 + (i == 0 ? (gint8) out->data[i] : out->data[i]);
      g_assert_true (back == number);
    }
}

static void
test_hostile_values (void)
{
  static const char *const bad[] = {
    "[]",
    "{}",
    "{\"bytes\":1}",
    "{\"bytes\":\"A\"}",
    "{\"bytes\":\"AA=A\"}",
    "{\"bytes\":\"AA==\\n\"}",
    "{\"bytes\":\"\\u0000\"}",
    "{\"x\":\"\"}",
    "{\"bytes\":\"\",\"int\":\"1\"}",
    "{\"int\":\"\"}",
    "{\"float\":\"x\"}",
    "{\"pickle\":\"\"}",
    "{\"pickle\":\"AAAA\"}",
    "{\"variant\":\"\"}",
    "{\"variant\":\"AAAA\"}",
    "{\"variant\":\"/////w==\"}",
    "1e999",
    "{\"bytes\\u0000\":\"\"}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (CliJson) json = parse (bad[i]);
      g_autoptr (GByteArray) out = g_byte_array_new ();
      g_autoptr (GError) error = NULL;

      g_assert_false (cli_value_from_json (json, out, &error));
      g_assert_error (error, CLI_ERROR, CLI_DAMAGED);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cli/json/strings", test_strings);
  g_test_add_func ("/cli/json/every-byte-comes-back", test_every_byte_comes_back);
  g_test_add_func ("/cli/json/structure", test_structure);
  g_test_add_func ("/cli/json/what-is-no-json", test_what_is_no_json);
  g_test_add_func ("/cli/json/damaged-text", test_damaged_text);
  g_test_add_func ("/cli/json/depth", test_depth);
  g_test_add_func ("/cli/integer/forms", test_integers);
  g_test_add_func ("/cli/integer/large", test_large_integers);
  g_test_add_func ("/cli/double/every-bit-comes-back", test_doubles);
  g_test_add_func ("/cli/double/integral", test_integral_doubles);
  g_test_add_func ("/cli/value/hostile", test_hostile_values);
  return g_test_run ();
}
