/* cmd-entries.c - dsq get, set, del: one entry
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <unistd.h>

#include "cli-input.h"
#include "cli-key.h"
#include "cli-output.h"
#include "cli-store.h"
#include "cli-value.h"

static gboolean key_is_json;

#define JSON_KEY_OPTION                                                                            \
  {                                                                                                \
    "json-key", 'k', 0, G_OPTION_ARG_NONE, &key_is_json,                                           \
        "KEY is JSON: 5, null, [\"a\",1], {\"bytes\":\"BASE64\"}", NULL                            \
  }

static gboolean
fail_as_missing (CliCall *call, GError **error)
{
  cli_set_error (error, CLI_MISSING, "%s: there is no key '%s'", call->words[0], call->words[1]);
  return FALSE;
}

/* --- get -------------------------------------------------------------------------------------- */

static gboolean get_is_raw, get_is_json;

static void
write_value (GString *out, const guint8 *record, gsize length)
{
  gsize payload_length;
  const guint8 *payload = cli_value_payload (record, length, &payload_length);

  if (get_is_json)
    cli_value_write (out, record, length);
  else if (get_is_raw)
    g_string_append_len (out, (const char *) payload, (gssize) payload_length);
  else
    cli_value_write_plain (out, record, length);
  /* bytes are given as they are, to whoever reads them */
  if (get_is_json || (!get_is_raw && (record[0] != DSQ_VALUE_BYTES || isatty (STDOUT_FILENO))))
    g_string_append_c (out, '\n');
}

static gboolean
run_get (CliCall *call, GError **error)
{
  g_autoptr (GByteArray) key = cli_key_from_word (call->words[1], key_is_json, error);
  g_autoptr (DsqStore) store = NULL;
  g_autoptr (DsqStore) table = NULL;
  g_autoptr (GError) local_error = NULL;
  g_autofree guint8 *record = NULL;
  gsize length;

  if (key == NULL)
    return FALSE;
  store = cli_store_open (call, call->words[0], CLI_READ, error);
  if (store == NULL)
    return FALSE;
  table = cli_store_table (call, store, FALSE, error);
  if (table != NULL)
    record = dsq_store_get_record (table, key->data, key->len, &length, &local_error);
  if (record == NULL)
    {
      if (local_error != NULL)
        g_propagate_error (error, g_steal_pointer (&local_error));
      else if (table != NULL)
        return fail_as_missing (call, error);
      cli_prefix_error (error, call->words[0]);
      return FALSE;
    }
  write_value (cli_output (), record, length);
  return cli_output_flush (error);
}

static const GOptionEntry get_options[] = {
  JSON_KEY_OPTION,
  { "raw",
    'r',
    0,
    G_OPTION_ARG_NONE,
    &get_is_raw,
    "The value's own bytes and no end of line",
    NULL },
  { "json", 'j', 0, G_OPTION_ARG_NONE, &get_is_json, "The value as JSON, as dump writes it", NULL },
  G_OPTION_ENTRY_NULL,
};

const CliCommand cli_get_command = {
  .name = "get",
  .arguments = "FILE KEY",
  .summary = "Print the value of a key.",
  .min_words = 2,
  .max_words = 2,
  .takes = CLI_TAKES_TABLE | CLI_TAKES_PASSWORD,
  .options = get_options,
  .run = run_get,
};

/* --- set -------------------------------------------------------------------------------------- */

static char *set_type;
static double set_expire;
static gboolean set_has_expire;

static gboolean
parse_expire (const char *name, const char *value, gpointer data, GError **error)
{
  char *end;

  set_expire = g_ascii_strtod (value, &end);
  set_has_expire = TRUE;
  if (end == value || *end != '\0' || !(set_expire > 0) || set_expire > 1e15)
    {
      g_set_error (error,
                   G_OPTION_ERROR,
                   G_OPTION_ERROR_BAD_VALUE,
                   "%s wants seconds, more than 0",
                   name);
      return FALSE;
    }
  return TRUE;
}

/* The record of the word, or else of standard input. */
static GByteArray *
read_value (CliCall *call, GError **error)
{
  const char *type = set_type != NULL ? set_type : "str";
  const char *word = call->n_words > 2 ? call->words[2] : NULL;
  g_autoptr (CliInput) input = NULL;
  g_autoptr (GByteArray) all = NULL;

  if (word != NULL)
    return cli_value_from_text (type, (const guint8 *) word, strlen (word), error);
  input = cli_input_open ("-", error);
  if (input != NULL)
    all = cli_input_read_all (input, DSQ_MAX_VALUE_LENGTH, error);
  return all != NULL ? cli_value_from_text (type, all->data, all->len, error) : NULL;
}

static gboolean
run_set (CliCall *call, GError **error)
{
  static const char *const types[] = { "str",  "bytes", "int",    "float",   "bool",
                                       "null", "json",  "pickle", "variant", NULL };
  g_autoptr (GByteArray) key = cli_key_from_word (call->words[1], key_is_json, error);
  g_autoptr (GByteArray) record = NULL;
  g_autoptr (GBytes) password = NULL;
  g_autoptr (DsqStore) store = NULL;
  g_autoptr (DsqStore) table = NULL;

  if (key == NULL)
    return FALSE;
  if (set_type != NULL && !g_strv_contains (types, set_type))
    {
      cli_set_error (error, CLI_USAGE, "there is no type '%s'; see dsq set --help", set_type);
      return FALSE;
    }
  /* both may come from standard input, the password's line first */
  if (cli_password_is_given (&call->password) &&
      (password = cli_password_get (&call->password, NULL, FALSE, error)) == NULL)
    return FALSE;
  record = read_value (call, error);
  if (record == NULL)
    return FALSE;
  if (password != NULL)
    store = cli_store_open_under (call, password, call->words[0], CLI_MAKE, error);
  else
    store = cli_store_open (call, call->words[0], CLI_MAKE, error);
  if (store == NULL)
    return FALSE;
  table = cli_store_table (call, store, TRUE, error);
  if (table == NULL || !dsq_store_set_expiring_record (
                           table,
                           key->data,
                           key->len,
                           record->data,
                           record->len,
                           set_has_expire ? MAX ((gint64) (set_expire * 1000), 1) : DSQ_NEVER,
                           error))
    {
      cli_prefix_error (error, call->words[0]);
      return FALSE;
    }
  return cli_store_close (store, call->words[0], error);
}

static const GOptionEntry set_options[] = {
  JSON_KEY_OPTION,
  { "type",
    't',
    0,
    G_OPTION_ARG_FILENAME,
    &set_type,
    "What VALUE is: str (the default), bytes, int, float, bool, null, json, pickle or variant",
    "TYPE" },
  { "expire", 'e', 0, G_OPTION_ARG_CALLBACK, parse_expire, "How long it lives", "SECONDS" },
  G_OPTION_ENTRY_NULL,
};

const CliCommand cli_set_command = {
  .name = "set",
  .arguments = "FILE KEY [VALUE]",
  .summary = "Set a key to a value, which is read from standard input where it is not given.",
  .more = "A file that does not exist is made: encrypted, where a password is given.",
  .min_words = 2,
  .max_words = 3,
  .takes = CLI_TAKES_TABLE | CLI_TAKES_PASSWORD,
  .options = set_options,
  .run = run_set,
};

/* --- del -------------------------------------------------------------------------------------- */

static gboolean
run_del (CliCall *call, GError **error)
{
  g_autoptr (GByteArray) key = cli_key_from_word (call->words[1], key_is_json, error);
  g_autoptr (DsqStore) store = NULL;
  g_autoptr (DsqStore) table = NULL;
  g_autoptr (GError) local_error = NULL;
  DsqAnswer answer = DSQ_ANSWER_NO;

  if (key == NULL)
    return FALSE;
  store = cli_store_open (call, call->words[0], CLI_CHANGE, error);
  if (store == NULL)
    return FALSE;
  table = cli_store_table (call, store, FALSE, &local_error);
  if (table != NULL)
    answer = dsq_store_remove_key (table, key->data, key->len, &local_error);
  if (local_error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      cli_prefix_error (error, call->words[0]);
      return FALSE;
    }
  if (!cli_store_close (store, call->words[0], error))
    return FALSE;
  return answer == DSQ_ANSWER_YES || fail_as_missing (call, error);
}

static const GOptionEntry del_options[] = {
  JSON_KEY_OPTION,
  G_OPTION_ENTRY_NULL,
};

const CliCommand cli_del_command = {
  .name = "del",
  .arguments = "FILE KEY",
  .summary = "Remove a key.",
  .min_words = 2,
  .max_words = 2,
  .takes = CLI_TAKES_TABLE | CLI_TAKES_PASSWORD,
  .options = del_options,
  .run = run_del,
};
