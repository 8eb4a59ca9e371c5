/* cli-entry.c - entries as lines of JSON
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-entry.h"

#include <string.h>

#include "cli-integer.h"
#include "cli-key.h"
#include "cli-output.h"
#include "cli-value.h"

gboolean
cli_entry_write (const CliEntry *entry, GError **error)
{
  GString *out = cli_output ();

  if (entry->key != NULL && entry->record[0] == 0)
    {
      g_autoptr (GString) key = g_string_new (NULL);

      cli_key_write (key, entry->key, entry->key_length);
      cli_set_error (error,
                     CLI_DAMAGED,
                     "the entry of the key %s is damaged; see dsq salvage",
                     key->str);
      return FALSE;
    }
  g_string_append_c (out, '{');
  if (entry->table != NULL)
    {
      g_string_append (out, "\"table\":");
      cli_json_write_string (out, (const char *) entry->table, entry->table_length);
      if (entry->key != NULL)
        g_string_append_c (out, ',');
    }
  if (entry->key != NULL)
    {
      g_string_append (out, "\"key\":");
      cli_key_write (out, entry->key, entry->key_length);
      g_string_append (out, ",\"value\":");
      cli_value_write (out, entry->record, entry->record_length);
      if (entry->expires != 0)
        g_string_append_printf (out, ",\"expires\":%" G_GINT64_FORMAT, entry->expires);
    }
  g_string_append (out, "}\n");
  return TRUE;
}

static gboolean
read_expires (const CliJson *json, gint64 *out_expires, GError **error)
{
  char *end;

  *out_expires = 0;
  if (json == NULL)
    return TRUE;
  *out_expires = cli_json_is_integer (json) ? g_ascii_strtoll (json->text, &end, 10) : 0;
  /* it is now and what is left, each less than that */
  if (*out_expires != 0 && ABS (*out_expires / 2) < DSQ_NEVER)
    return TRUE;
  cli_set_error (error, CLI_DAMAGED, "\"expires\" is no time in milliseconds");
  return FALSE;
}

static gboolean
check_names (const CliJson *json, GError **error)
{
  static const char *const names[] = { "table", "key", "value", "expires", NULL };

  for (guint i = 0; json->kind == CLI_JSON_OBJECT && i < json->items->len; i += 2)
    {
      const CliJson *name = json->items->pdata[i];

      if (strlen (name->text) != name->length || !g_strv_contains (names, name->text))
        {
          cli_set_error (error,
                         CLI_DAMAGED,
                         "a name is none of \"table\", \"key\", \"value\" and \"expires\"");
          return FALSE;
        }
    }
  return TRUE;
}

gboolean
cli_entry_read (const char *line, gsize length, CliEntryFunc func, gpointer data, GError **error)
{
  g_autoptr (CliJson) json = cli_json_parse (line, length, error);
  g_autoptr (GByteArray) key = g_byte_array_new ();
  g_autoptr (GByteArray) record = g_byte_array_new ();
  CliEntry entry = { NULL };
  const CliJson *table, *key_json, *value;

  if (json == NULL || !check_names (json, error))
    return FALSE;
  table = cli_json_get (json, "table");
  key_json = cli_json_get (json, "key");
  value = cli_json_get (json, "value");
  if (json->kind != CLI_JSON_OBJECT || (key_json == NULL) != (value == NULL) ||
      (key_json == NULL && table == NULL) || (table != NULL && table->kind != CLI_JSON_STRING))
    {
      cli_set_error (error, CLI_DAMAGED, "no object of \"key\" and \"value\"");
      return FALSE;
    }
  if (table != NULL && table->length > DSQ_MAX_KEY_LENGTH)
    {
      cli_set_error (error, CLI_DAMAGED, "the name of the table is longer than 1 MiB");
      return FALSE;
    }
  if (table != NULL)
    {
      entry.table = (const guint8 *) table->text;
      entry.table_length = table->length;
    }
  if (key_json != NULL)
    {
      if (!cli_key_from_json (key_json, key, error) ||
          !cli_value_from_json (value, record, error) ||
          !read_expires (cli_json_get (json, "expires"), &entry.expires, error))
        return FALSE;
      g_byte_array_append (key, (const guint8 *) "", 1); /* an empty one is some key too */
      entry.key = key->data;
      entry.key_length = key->len - 1;
      entry.record = record->data;
      entry.record_length = record->len;
    }
  return func (&entry, data, error);
}
