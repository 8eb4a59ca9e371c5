/* fuzz-entry.c - any bytes as a line of what dsq dumps
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include <dictsqlite.h>

#include "cli-entry.h"
#include "cli-error.h"
#include "cli-key.h"
#include "cli-output.h"
#include "cli-value.h"
#include "driver.h"

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED ("{\"key\":\"k\",\"value\":\"text\",\"expires\":1700000000000}"),
  FUZZ_SEED ("{\"table\":\"t\",\"key\":[1,null,[\"a\",2.5],{\"bytes\":\"AA==\"}],\"value\":null}"),
  FUZZ_SEED ("{\"table\":\"t\"}"),
  FUZZ_SEED ("{\"key\":{\"float\":\"inf\"},\"value\":{\"float\":\"nan:7ff8000000000001\"}}"),
  FUZZ_SEED ("{\"key\":-1e400,\"value\":{\"int\":\"-0x800000000000000000\"}}"),
  FUZZ_SEED ("{\"key\":18446744073709551616,\"value\":18446744073709551616}"),
  FUZZ_SEED ("{\"key\":\"\\u0000\",\"value\":{\"variant\":\"AQB5\"}}"),
  FUZZ_SEED ("{\"key\":\"\",\"value\":{\"pickle\":\"gAVOLg==\"},\"expires\":-1}"),
  FUZZ_SEED ("{\"key\":true,\"value\":{\"old-pickle\":\"TGk=\"}}"),
  FUZZ_SEED ("{\"key\":\"k\",\"value\":{\"pickle\":\"gAKKCQAAAAAAAAAAAS4=\"}}"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

/* The line of an entry, and that of the one which is read from it. */
typedef struct
{
  GString *line; /* (owned) (nullable) */
} Written;

static gboolean
write_entry (const CliEntry *entry, gpointer data, GError **error)
{
  Written *written = data;
  GString *out = cli_output ();
  g_autoptr (GString) shown = g_string_new (NULL);
  gboolean success = cli_entry_write (entry, error);

  g_assert_true (success);
  written->line = g_string_new_len (out->str, (gssize) out->len);
  g_string_truncate (out, 0);
  if (entry->key == NULL)
    return TRUE;
  g_assert_cmpuint (entry->key_length, <=, DSQ_MAX_KEY_LENGTH);
  g_assert_cmpuint (entry->record_length, >, 0);
  cli_key_write_plain (shown, entry->key, entry->key_length);
  cli_value_write_plain (shown, entry->record, entry->record_length);
  return TRUE;
}

/* What is read is written as a line that gives the same line. */
int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  g_autoptr (GError) error = NULL;
  Written once = { NULL }, twice = { NULL };

  if (!cli_entry_read ((const char *) bytes, length, write_entry, &once, &error))
    {
      g_assert_error (error, CLI_ERROR, CLI_DAMAGED);
      return 0;
    }
  g_assert_true (g_str_has_suffix (once.line->str, "}\n"));
  g_assert_true (cli_entry_read (once.line->str, once.line->len - 1, write_entry, &twice, &error));
  g_assert_cmpmem (twice.line->str, twice.line->len, once.line->str, once.line->len);
  g_string_free (once.line, TRUE);
  g_string_free (twice.line, TRUE);
  return 0;
}
