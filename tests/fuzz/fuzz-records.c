/* fuzz-records.c - any text as a package list, CSV or JSON of which dsq makes entries
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include <dictsqlite.h>

#include "cli-error.h"
#include "cli-json.h"
#include "cli-records.h"
#include "cli-value.h"
#include "driver.h"

#define N_FORMATS 4u /* and that which it seems to be */
#define HAS_FIELD 4u

/* Which format it is, and what is in it. */
const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED ("\0Package: a\nDescription: one\n two\n .\n\n# not this\nPackage: b\n"),
  FUZZ_SEED ("\1key,value\r\na,\"one, \"\"two\"\"\nthree\"\r\nb,2\n"),
  FUZZ_SEED ("\5id;key\n1;a\n;\n"),
  FUZZ_SEED ("\2[{\"key\":1,\"a\":[1,2.5,null,{\"b\":true}]},{\"key\":\"\"}]"),
  FUZZ_SEED ("\2{\"key\":\"a\",\"v\":1}\n{\"key\":\"b\",\"v\":18446744073709551616}\n"),
  FUZZ_SEED ("\2{\"a\":1,\"b\":\"text\",\"c\":{\"d\":[]}}"),
  FUZZ_SEED ("\3# list\nPackage: a\n"),
  FUZZ_SEED ("\3key\tvalue\na\tb\n"),
  FUZZ_SEED ("\7{\"name\":\"a\",\"key\":-1e3}"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

/* A value of a record is one that can be dumped and brought back. */
static gboolean
check_record (const char *key,
              gsize key_length,
              const guint8 *record,
              gsize record_length,
              gpointer data,
              GError **error)
{
  guint *n = data;
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GByteArray) again = g_byte_array_new ();
  g_autoptr (CliJson) json = NULL;
  gboolean success;

  (*n)++;
  g_assert_cmpuint (strlen (key), <=, key_length);
  g_assert_cmpuint (record_length, >, 0);
  cli_value_write (text, record, record_length);
  json = cli_json_parse (text->str, text->len, error);
  g_assert_nonnull (json);
  success = cli_value_from_json (json, again, error);
  g_assert_true (success);
  g_assert_cmpmem (again->data, again->len, record, record_length);
  return TRUE;
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  CliFormat format;
  CliRecords records = { .func = check_record };
  guint n = 0;

  if (length == 0 || !g_utf8_validate_len ((const char *) bytes + 1, length - 1, NULL))
    return 0;
  text = g_strndup ((const char *) bytes + 1, length - 1);
  records.text = text;
  records.length = length - 1;
  records.field = (bytes[0] & HAS_FIELD) != 0 ? "key" : NULL;
  records.data = &n;
  format = (CliFormat) (bytes[0] % N_FORMATS);
  if (bytes[0] % N_FORMATS == N_FORMATS - 1 && !cli_records_detect (text, records.length, &format))
    return 0;
  if (!cli_records_read (&records, format, &error))
    g_assert_error (error, CLI_ERROR, CLI_DAMAGED);
  /* a record has a byte of the text of its own */
  g_assert_cmpuint (n, <=, length);
  return 0;
}
