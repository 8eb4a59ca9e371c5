/* fuzz-json.c - what dsq reads from its standard input
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include <glib.h>

#include "cli-json.h"
#include "driver.h"

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED ("{\"key\": [1, -2.5e+3, true, false, null], \"\": \"\\u00e9\\ud83d\\ude00\\n\"}"),
  FUZZ_SEED ("[[[[\"\\u0000\"]], {}], 0.1e-9, \"\xe3\x81\x82\"]"),
  FUZZ_SEED ("{\"$base64\": \"aGVsbG8=\"}"),
  FUZZ_SEED ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

/* A value as JSON: reading it again gives the same. */
static void
put (GString *out, const CliJson *value)
{
  static const char *const words[] = { "null", "false", "true" };
  gboolean is_object = value->kind == CLI_JSON_OBJECT;

  switch (value->kind)
    {
    case CLI_JSON_NUMBER:
      g_string_append_len (out, value->text, (gssize) value->length);
      return;
    case CLI_JSON_STRING:
      cli_json_write_string (out, value->text, value->length);
      return;
    case CLI_JSON_ARRAY:
    case CLI_JSON_OBJECT:
      g_string_append_c (out, is_object ? '{' : '[');
      for (guint i = 0; i < value->items->len; i++)
        {
          if (i > 0)
            g_string_append_c (out, is_object && i % 2 != 0 ? ':' : ',');
          put (out, value->items->pdata[i]);
        }
      g_string_append_c (out, is_object ? '}' : ']');
      return;
    default:
      g_string_append (out, words[value->kind]);
    }
}

static void
look_into (const CliJson *value)
{
  g_autofree guchar *bytes = NULL;
  gsize length;

  cli_json_is_integer (value);
  if (value->kind == CLI_JSON_STRING)
    bytes = cli_json_decode_base64 (value, &length, NULL);
  if (value->kind == CLI_JSON_OBJECT)
    cli_json_get (value, "$base64");
  for (guint i = 0; value->items != NULL && i < value->items->len; i++)
    look_into (value->items->pdata[i]);
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (CliJson) value = cli_json_parse ((const char *) bytes, length, &error);
  g_autoptr (CliJson) again = NULL;
  g_autoptr (GString) once = g_string_new (NULL);
  g_autoptr (GString) twice = g_string_new (NULL);

  g_assert_true ((value == NULL) == (error != NULL));
  if (value == NULL)
    return 0;
  look_into (value);
  put (once, value);
  again = cli_json_parse (once->str, once->len, &error);
  g_assert_no_error (error);
  put (twice, again);
  g_assert_true (g_string_equal (once, twice));
  return 0;
}
