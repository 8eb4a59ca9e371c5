/* cmd-list.c - dsq keys, list: what is in a table
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "cli-entry.h"
#include "cli-key.h"
#include "cli-output.h"
#include "cli-pack.h"
#include "cli-progress.h"
#include "cli-store.h"
#include "cli-value.h"
#include "cli-walk.h"

#define BATCH 1000 /* keys */

/* Bytes of a value's text that a line of a list shows. */
#define SHOWN 60

static gboolean as_json;
static char *prefix;

static gboolean
write_key (const guint8 *key, gsize length, GError **error)
{
  GString *out = cli_output ();

  (as_json ? cli_key_write : cli_key_write_plain) (out, key, length);
  g_string_append_c (out, '\n');
  return cli_output_tend (error);
}

/* --- keys ------------------------------------------------------------------------------------- */

static gboolean
write_all_keys (CliCall *call, DsqStore *table, GError **error)
{
  g_autoptr (DsqScan) scan = dsq_store_walk_pack (table, FALSE, error);
  gboolean is_at_end = FALSE;

  if (scan == NULL)
    return FALSE;
  while (!is_at_end)
    {
      gsize length;
      g_autofree guint8 *bytes =
          dsq_scan_next_pack (scan, BATCH, TRUE, &length, call->cancellable, error);
      CliPack pack;
      const guint8 *key;

      if (bytes == NULL)
        return FALSE;
      cli_pack_init (&pack, bytes);
      is_at_end = pack.n_left == 0;
      while (cli_pack_next (&pack, &key, &length))
        if (!write_key (key, length, error))
          return FALSE;
    }
  return TRUE;
}

typedef gboolean (*KeyFunc) (DsqStore *table, const guint8 *key, gsize length, GError **error);

/* Calls @func with the keys that begin with the prefix, in the order of their bytes. */
static gboolean
walk_prefix (CliCall *call, DsqStore *table, KeyFunc func, GError **error)
{
  g_autoptr (GByteArray) from = g_byte_array_new ();
  gboolean is_at_end = FALSE;

  while (!is_at_end)
    {
      gsize length;
      g_autofree guint8 *bytes = dsq_store_list_keys_pack (table,
                                                           (const guint8 *) prefix,
                                                           strlen (prefix),
                                                           from->data,
                                                           from->len,
                                                           BATCH,
                                                           FALSE,
                                                           &length,
                                                           error);
      CliPack pack;
      const guint8 *key;

      if (bytes == NULL || g_cancellable_set_error_if_cancelled (call->cancellable, error))
        return FALSE;
      cli_pack_init (&pack, bytes);
      is_at_end = pack.n_left < BATCH;
      while (cli_pack_next (&pack, &key, &length))
        {
          g_byte_array_set_size (from, 0);
          g_byte_array_append (from, key, (guint) length);
          g_byte_array_append (from, (const guint8 *) "", 1);
          if (!func (table, key, length, error))
            return FALSE;
        }
    }
  return TRUE;
}

/* An encrypted file hides the order of its keys: there all are looked at, and put in order. */
static gboolean
add_if_prefixed (const CliEntry *entry, gpointer data, GError **error)
{
  GPtrArray *keys = data;

  if (entry->key_length >= strlen (prefix) && memcmp (entry->key, prefix, strlen (prefix)) == 0 &&
      (entry->key_length == 0 || entry->key[0] != 0xFF))
    g_ptr_array_add (keys, g_bytes_new (entry->key, entry->key_length));
  return TRUE;
}

static int
compare_keys (gconstpointer a, gconstpointer b)
{
  return g_bytes_compare (*(GBytes *const *) a, *(GBytes *const *) b);
}

static gboolean
walk_prefix_of_encrypted (CliCall *call, DsqStore *table, KeyFunc func, GError **error)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  if (!cli_walk_table (call, table, NULL, 0, add_if_prefixed, keys, error))
    return FALSE;
  cli_progress_end ();
  g_ptr_array_sort (keys, compare_keys);
  for (guint i = 0; i < keys->len; i++)
    {
      gsize length;
      const guint8 *key = g_bytes_get_data (keys->pdata[i], &length);

      if (!func (table, key, length, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
walk_prefix_of_any (CliCall *call, DsqStore *table, KeyFunc func, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  if (!g_utf8_validate (prefix, -1, NULL))
    {
      cli_set_error (error, CLI_USAGE, "PREFIX is not UTF-8");
      return FALSE;
    }
  if (walk_prefix (call, table, func, &local_error))
    return TRUE;
  if (g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_ENCRYPTED))
    return walk_prefix_of_encrypted (call, table, func, error);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

static gboolean
write_key_of (DsqStore *table, const guint8 *key, gsize length, GError **error)
{
  return write_key (key, length, error);
}

static gboolean
run_on_table (CliCall *call,
              gboolean (*func) (CliCall *call, DsqStore *table, GError **error),
              GError **error)
{
  g_autoptr (DsqStore) store = cli_store_open (call, call->words[0], CLI_READ, error);
  g_autoptr (DsqStore) table = NULL;

  if (store == NULL)
    return FALSE;
  table = cli_store_table (call, store, FALSE, error);
  if (table != NULL && func (call, table, error) && cli_output_flush (error))
    return TRUE;
  cli_progress_end ();
  cli_output_flush (NULL);
  cli_prefix_error (error, call->words[0]);
  return FALSE;
}

static gboolean
write_keys (CliCall *call, DsqStore *table, GError **error)
{
  if (prefix != NULL)
    return walk_prefix_of_any (call, table, write_key_of, error);
  return write_all_keys (call, table, error);
}

static gboolean
run_keys (CliCall *call, GError **error)
{
  return run_on_table (call, write_keys, error);
}

static const GOptionEntry list_options[] = {
  { "prefix",
    'p',
    0,
    G_OPTION_ARG_FILENAME,
    &prefix,
    "Only keys that begin with it, in the order of their bytes",
    "PREFIX" },
  { "json", 'j', 0, G_OPTION_ARG_NONE, &as_json, "As JSON, exact and whole", NULL },
  G_OPTION_ENTRY_NULL,
};

const CliCommand cli_keys_command = {
  .name = "keys",
  .arguments = "FILE",
  .summary = "Print the keys of a table, a line each, in the order of their insertion.",
  .min_words = 1,
  .max_words = 1,
  .takes = CLI_TAKES_TABLE | CLI_TAKES_PASSWORD,
  .options = list_options,
  .run = run_keys,
};

/* --- list ------------------------------------------------------------------------------------- */

static gboolean
write_entry (const CliEntry *entry, gpointer data, GError **error)
{
  g_autoptr (GString) value = g_string_new (NULL);
  GString *out = cli_output ();

  if (as_json)
    return cli_entry_write (entry, error) && cli_output_tend (error);
  if (entry->record[0] == 0)
    g_string_append (value, "(damaged)");
  else if (entry->record[0] == DSQ_VALUE_VARIANT)
    cli_value_write_plain (value, entry->record, entry->record_length);
  else
    cli_value_write (value, entry->record, entry->record_length);
  if (value->len > SHOWN)
    {
      /* not within a character */
      gsize length =
          (gsize) (g_utf8_find_prev_char (value->str, value->str + SHOWN - 2) - value->str);

      g_string_truncate (value, length);
      g_string_append (value, "...");
    }
  cli_key_write_plain (out, entry->key, entry->key_length);
  g_string_append_printf (out, "\t%s\n", value->str);
  return cli_output_tend (error);
}

static gboolean
write_entry_of (DsqStore *table, const guint8 *key, gsize length, GError **error)
{
  return cli_walk_key (table, key, length, write_entry, NULL, error);
}

static gboolean
write_entries (CliCall *call, DsqStore *table, GError **error)
{
  if (prefix != NULL)
    return walk_prefix_of_any (call, table, write_entry_of, error);
  return cli_walk_table (call,
                         table,
                         (const guint8 *) call->table,
                         call->table != NULL ? strlen (call->table) : 0,
                         write_entry,
                         NULL,
                         error);
}

static gboolean
run_list (CliCall *call, GError **error)
{
  return run_on_table (call, write_entries, error);
}

const CliCommand cli_list_command = {
  .name = "list",
  .arguments = "FILE",
  .summary =
      "Print the entries of a table, a line each: key, tabulator, and what of the value fits.",
  .min_words = 1,
  .max_words = 1,
  .takes = CLI_TAKES_TABLE | CLI_TAKES_PASSWORD,
  .options = list_options,
  .run = run_list,
};
