/* cmd-stat.c - dsq stat, and dsq FILE: what a file is and holds
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/stat.h>

#include "cli-json.h"
#include "cli-key.h"
#include "cli-kind.h"
#include "cli-output.h"
#include "cli-store.h"
#include "cli-text.h"
#include "cli-walk.h"

static guint64
size_of (const char *path)
{
  struct stat status;

  return stat (path, &status) == 0 ? (guint64) status.st_size : 0;
}

typedef struct
{
  CliCall *call;
  gboolean as_json;
  gboolean is_first;
} TableWriter;

static gboolean
write_table (DsqStore *table, const guint8 *name, gsize length, gpointer data, GError **error)
{
  TableWriter *writer = data;
  GString *out = cli_output ();
  gint64 count = dsq_store_count (table, writer->call->cancellable, error);
  g_autofree char *entries = NULL;

  if (count < 0)
    return FALSE;
  if (writer->as_json)
    {
      g_string_append (out, writer->is_first ? "{\"table\":" : ",{\"table\":");
      if (name != NULL)
        cli_json_write_string (out, (const char *) name, length);
      else
        g_string_append (out, "null");
      g_string_append_printf (out, ",\"entries\":%" G_GINT64_FORMAT "}", count);
    }
  else
    {
      entries = cli_text_count ((guint64) count, "entry", "entries");
      g_string_append (out, name != NULL ? "  table " : "  ");
      if (name != NULL)
        cli_key_write_plain (out, name, length);
      g_string_append_printf (out, name != NULL ? ": %s\n" : "%s\n", entries);
    }
  writer->is_first = FALSE;
  return TRUE;
}

/* Of which there is no file to be measured. */
static void
write_heading_of_address (const char *path, gboolean is_encrypted, gboolean as_json)
{
  GString *out = cli_output ();

  if (as_json)
    {
      g_string_append_printf (out, "{\"encrypted\":%s", is_encrypted ? "true" : "false");
      return;
    }
  cli_text_append (out, path, strlen (path));
  g_string_append_printf (out,
                          ": a store of dictsqlite on a server, %s\n",
                          is_encrypted ? "encrypted" : "not encrypted");
}

static void
write_heading (const char *path, guint version, gboolean is_encrypted, gboolean as_json)
{
  g_autofree char *log_path = g_strconcat (path, "-wal", NULL);
  guint64 log_size = size_of (log_path);
  g_autofree char *size = cli_text_size (size_of (path));
  g_autofree char *log_text = cli_text_size (log_size);
  GString *out = cli_output ();

  if (cli_store_is_address (path))
    {
      write_heading_of_address (path, is_encrypted, as_json);
      return;
    }
  if (as_json)
    {
      g_string_append_printf (out,
                              "{\"version\":%u,\"encrypted\":%s,\"file_bytes\":%" G_GUINT64_FORMAT
                              ",\"wal_bytes\":%" G_GUINT64_FORMAT,
                              version,
                              is_encrypted ? "true" : "false",
                              size_of (path),
                              log_size);
      return;
    }
  cli_text_append (out, path, strlen (path));
  g_string_append_printf (out,
                          ": a store of dictsqlite, version %u, %s\n  %s",
                          version,
                          is_encrypted ? "encrypted" : "not encrypted",
                          size);
  if (log_size > 0)
    g_string_append_printf (out, ", and a write-ahead log of %s", log_text);
  g_string_append_c (out, '\n');
}

/* What is known of a store that is open, or, where it is not, of a file that is encrypted. */
static gboolean
write_store (CliCall *call, DsqStore *store, guint version, gboolean as_json, GError **error)
{
  TableWriter writer = { call, as_json, TRUE };
  GString *out = cli_output ();
  gboolean is_encrypted = TRUE;

  if (store != NULL)
    {
      g_autoptr (DsqStats) stats = dsq_store_get_stats (store);

      is_encrypted = stats->encrypted;
    }
  write_heading (call->words[0], version, is_encrypted, as_json);
  if (as_json)
    g_string_append (out, ",\"tables\":[");
  if (store == NULL)
    g_string_append (out, "  what it holds needs its password\n");
  else if (!cli_walk_tables (store, write_table, &writer, error))
    {
      g_string_truncate (out, 0);
      cli_prefix_error (error, call->words[0]);
      return FALSE;
    }
  if (as_json)
    g_string_append (out, "]}\n");
  return cli_output_flush (error);
}

/* --- stat ------------------------------------------------------------------------------------- */

static gboolean stat_as_json;

static gboolean
run_stat (CliCall *call, GError **error)
{
  g_autoptr (DsqStore) store = NULL;
  gboolean is_store = TRUE;
  guint version = 0;
  g_autofree char *kind = NULL;

  if (!cli_store_is_address (call->words[0]) &&
      (kind = cli_kind_find (call->words[0], &is_store, &version, error)) == NULL)
    return FALSE;
  if (!is_store)
    {
      cli_set_error (error, CLI_DAMAGED, "%s: no store, but %s", call->words[0], kind);
      return FALSE;
    }
  store = cli_store_open (call, call->words[0], CLI_READ, error);
  return store != NULL && write_store (call, store, version, stat_as_json, error);
}

static const GOptionEntry stat_options[] = {
  { "json", 'j', 0, G_OPTION_ARG_NONE, &stat_as_json, "As one line of JSON", NULL },
  G_OPTION_ENTRY_NULL,
};

const CliCommand cli_stat_command = {
  .name = "stat",
  .arguments = "FILE",
  .summary =
      "Print what a store is and holds: version, sizes, tables and how many entries each has.",
  .min_words = 1,
  .max_words = 1,
  .takes = CLI_TAKES_PASSWORD,
  .options = stat_options,
  .run = run_stat,
};

/* --- dsq FILE --------------------------------------------------------------------------------- */

gboolean
cli_tell_what_it_is (CliCall *call, GError **error)
{
  const char *path = call->words[0];
  g_autoptr (DsqStore) store = NULL;
  g_autoptr (GError) local_error = NULL;
  gboolean is_store;
  guint version;
  g_autofree char *kind = cli_kind_find (path, &is_store, &version, error);

  if (kind == NULL)
    return FALSE;
  if (!is_store)
    {
      cli_text_append (cli_output (), path, strlen (path));
      g_string_append_printf (cli_output (), ": no store, but %s\n", kind);
      if (cli_output_flush (error))
        cli_set_error (error, CLI_DAMAGED, "%s", "");
      return FALSE;
    }
  store = cli_store_open_under (call, NULL, path, CLI_READ, &local_error);
  if (store != NULL || g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_ENCRYPTED))
    return write_store (call, store, version, FALSE, error);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}
