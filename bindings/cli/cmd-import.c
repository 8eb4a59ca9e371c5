/* cmd-import.c - dsq import: package lists, CSV and JSON
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "cli-input.h"
#include "cli-kind.h"
#include "cli-output.h"
#include "cli-progress.h"
#include "cli-records.h"
#include "cli-sink.h"
#include "cli-text.h"

#define MAX_LENGTH (1 << 30) /* bytes of a source */

static char *format_name;
static char *field;

/* An import under way. */
typedef struct
{
  CliCall *call;
  CliSink *sink;
  GHashTable *seen; /* (owned) of GBytes: keys */
  guint64 n_done;   /* records */
} Import;

static gboolean
add_record (const char *key,
            gsize key_length,
            const guint8 *record,
            gsize record_length,
            gpointer data,
            GError **error)
{
  Import *self = data;
  const CliEntry entry = {
    .table = (const guint8 *) self->call->table,
    .table_length = self->call->table != NULL ? strlen (self->call->table) : 0,
    .key = (const guint8 *) key,
    .key_length = key_length,
    .record = record,
    .record_length = record_length,
  };

  if (g_cancellable_set_error_if_cancelled (self->call->cancellable, error))
    return FALSE;
  g_hash_table_add (self->seen, g_bytes_new (key, key_length));
  cli_progress_show (++self->n_done, 0, "records");
  return cli_sink_add (&entry, self->sink, error);
}

/* What other programs' files are is known; what reads them is said. */
static gboolean
check_kind (const char *path, GError **error)
{
  gboolean is_store;
  guint version;
  g_autofree char *kind = NULL;

  if (strcmp (path, "-") == 0)
    return TRUE;
  kind = cli_kind_find (path, &is_store, &version, error);
  if (kind == NULL)
    return FALSE;
  if (is_store)
    cli_set_error (error, CLI_DAMAGED, "%s: a store; see dsq copy", path);
  else if (g_str_has_prefix (kind, "text") || g_str_has_prefix (kind, "no file"))
    return TRUE;
  else
    cli_set_error (error, CLI_DAMAGED, "%s: no package list, CSV or JSON, but %s", path, kind);
  return FALSE;
}

static gboolean
choose_format (const CliRecords *records, const char *name, CliFormat *out_format, GError **error)
{
  if (format_name == NULL)
    {
      if (cli_records_detect (records->text, records->length, out_format))
        return TRUE;
      cli_set_error (error, CLI_DAMAGED, "%s: neither a package list nor CSV nor JSON", name);
      return FALSE;
    }
  *out_format = g_str_equal (format_name, "fields") ? CLI_FIELDS
                : g_str_equal (format_name, "csv")  ? CLI_CSV
                                                    : CLI_JSON;
  return TRUE;
}

static gboolean
import_one (Import *self, const char *path, GError **error)
{
  g_autoptr (CliInput) input = NULL;
  g_autoptr (GByteArray) all = NULL;
  CliRecords records = { .field = field, .func = add_record, .data = self };
  CliFormat format;

  if (!check_kind (path, error) || (input = cli_input_open (path, error)) == NULL ||
      (all = cli_input_read_all (input, MAX_LENGTH, error)) == NULL)
    return FALSE;
  records.text = (const char *) all->data;
  records.length = all->len;
  if (g_str_has_prefix (records.text, "\xEF\xBB\xBF"))
    {
      records.text += 3;
      records.length -= 3;
    }
  if (!g_utf8_validate_len (records.text, records.length, NULL))
    {
      cli_set_error (error,
                     CLI_DAMAGED,
                     "%s: not UTF-8; iconv makes it so",
                     cli_input_name (input));
      return FALSE;
    }
  if (!choose_format (&records, cli_input_name (input), &format, error))
    return FALSE;
  if (cli_records_read (&records, format, error))
    return TRUE;
  cli_prefix_error (error, cli_input_name (input));
  return FALSE;
}

static gboolean
tell_replaced (Import *self, GError **error)
{
  guint64 n_replaced = self->n_done - g_hash_table_size (self->seen);
  g_autofree char *count = cli_text_count (n_replaced, "record", "records");

  if (n_replaced == 0)
    return TRUE;
  g_string_append_printf (cli_output (),
                          "%s took another's place: the same key; see --key\n",
                          count);
  return cli_output_flush (error);
}

static gboolean
run_import (CliCall *call, GError **error)
{
  static const char *const formats[] = { "fields", "csv", "json", NULL };
  g_autoptr (GHashTable) seen =
      g_hash_table_new_full (g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
  g_autoptr (DsqStore) store = NULL;
  g_auto (CliSink) sink = { NULL };
  Import self = { call, &sink, seen, 0 };
  gboolean success = TRUE;

  if (format_name != NULL && !g_strv_contains (formats, format_name))
    {
      cli_set_error (error,
                     CLI_USAGE,
                     "there is no format '%s'; see dsq import --help",
                     format_name);
      return FALSE;
    }
  for (guint i = 1; i < call->n_words; i++)
    if (!check_kind (call->words[i], error))
      return FALSE;
  store = cli_store_open (call, call->words[0], CLI_FILL, error);
  if (store == NULL)
    return FALSE;
  cli_sink_init (&sink, store);
  for (guint i = 1; i < call->n_words && success; i++)
    success = import_one (&self, call->words[i], error);
  return cli_sink_end (&sink, call->words[0], success, "imported", error) &&
         tell_replaced (&self, error);
}

static const GOptionEntry import_options[] = {
  { "format",
    'f',
    0,
    G_OPTION_ARG_FILENAME,
    &format_name,
    "What it is: fields, csv or json; else it is told from the content",
    "FORMAT" },
  { "key",
    0,
    0,
    G_OPTION_ARG_STRING,
    &field,
    "The field that holds the key; else Package, key, id or name, or the first",
    "FIELD" },
  G_OPTION_ENTRY_NULL,
};

const CliCommand cli_import_command = {
  .name = "import",
  .arguments = "FILE SOURCE...",
  .summary = "Set the records of package lists, CSV or JSON; - is standard input.",
  .more = "A record is a GVariant of its fields, a dict in Python. Files of DictSQLite 2 and 4.1, "
          "sqlitedict, diskcache and shelve are imported from Python: see dictsqlite_v4.migrate.",
  .min_words = 2,
  .max_words = G_MAXUINT,
  .takes = CLI_TAKES_TABLE | CLI_TAKES_PASSWORD,
  .options = import_options,
  .run = run_import,
};
