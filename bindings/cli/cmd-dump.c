/* cmd-dump.c - dsq dump, load, copy: all entries, exactly, to text, from it, and to another store
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/stat.h>

#include "cli-entry.h"
#include "cli-input.h"
#include "cli-output.h"
#include "cli-progress.h"
#include "cli-sink.h"

/* --- dump ------------------------------------------------------------------------------------- */

static gboolean
write_line (const CliEntry *entry, gpointer data, GError **error)
{
  return cli_entry_write (entry, error) && cli_output_tend (error);
}

static gboolean
dump (CliCall *call, DsqStore *store, GError **error)
{
  const CliEntry head = { (const guint8 *) call->table, 0, NULL, 0, NULL, 0, 0 };
  g_autoptr (DsqStore) table = NULL;
  CliEntry named = head;

  if (call->table == NULL)
    return cli_walk_store (call, store, write_line, NULL, error);
  named.table_length = strlen (call->table);
  table = cli_store_table (call, store, FALSE, error);
  return table != NULL && write_line (&named, NULL, error) &&
         cli_walk_table (call, table, named.table, named.table_length, write_line, NULL, error);
}

static gboolean
run_dump (CliCall *call, GError **error)
{
  g_autoptr (DsqStore) store = cli_store_open (call, call->words[0], CLI_READ, error);

  if (store == NULL)
    return FALSE;
  if (dump (call, store, error))
    return cli_output_flush (error);
  cli_output_flush (NULL);
  cli_prefix_error (error, call->words[0]);
  return FALSE;
}

const CliCommand cli_dump_command = {
  .name = "dump",
  .arguments = "FILE",
  .summary = "Write all tables and entries to standard output as lines of JSON, which load reads.",
  .more =
      "Every type, key and expiry is in it exactly; the manual page says how. What others write "
      "meanwhile is in it or not; a backup is one state of the store.",
  .min_words = 1,
  .max_words = 1,
  .takes = CLI_TAKES_TABLE | CLI_TAKES_PASSWORD,
  .run = run_dump,
};

/* --- load ------------------------------------------------------------------------------------- */

static gboolean
load_lines (CliInput *input, CliSink *sink, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  guint64 number = 0;
  const char *line;
  gsize length;

  while ((line = cli_input_read_line (input, &length, &local_error)) != NULL)
    {
      number++;
      if (length > 0 && !cli_entry_read (line, length, cli_sink_add, sink, &local_error))
        {
          g_prefix_error (&local_error,
                          "%s:%" G_GUINT64_FORMAT ": ",
                          cli_input_name (input),
                          number);
          break;
        }
      cli_progress_show (cli_input_position (input), cli_input_size (input), "bytes");
    }
  if (local_error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

static gboolean
run_load (CliCall *call, GError **error)
{
  g_autoptr (CliInput) input = cli_input_open (call->n_words > 1 ? call->words[1] : "-", error);
  g_autoptr (DsqStore) store = NULL;
  g_auto (CliSink) sink = { NULL };
  gboolean success;

  if (input == NULL)
    return FALSE;
  store = cli_store_open (call, call->words[0], CLI_FILL, error);
  if (store == NULL)
    return FALSE;
  cli_sink_init (&sink, store);
  success = load_lines (input, &sink, error);
  return cli_sink_end (&sink, call->words[0], success, "loaded", error);
}

const CliCommand cli_load_command = {
  .name = "load",
  .arguments = "FILE [LINES]",
  .summary = "Set what the lines of JSON say that dump has written; standard input without LINES.",
  .more = "A file that does not exist is made: encrypted, where a password is given. Keys that are "
          "there already are overwritten. A line that is not as it should be ends it; what stands "
          "before that is loaded.",
  .min_words = 1,
  .max_words = 2,
  .takes = CLI_TAKES_PASSWORD,
  .run = run_load,
};

/* --- copy ------------------------------------------------------------------------------------- */

static gboolean
are_one_file (const char *one, const char *other)
{
  struct stat a, b;

  if (cli_store_is_address (one))
    return g_str_equal (one, other);
  return stat (one, &a) == 0 && stat (other, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

static gboolean
add_if_sound (const CliEntry *entry, gpointer data, GError **error)
{
  CliSink *sink = data;

  if (entry->key == NULL || entry->record[0] != 0)
    return cli_sink_add (entry, sink, error);
  cli_set_error (error, CLI_DAMAGED, "an entry is damaged; see dsq salvage");
  return FALSE;
}

/* A file that is made has the new password, or else that of the one that is copied, so that nothing
 * that was encrypted comes to lie in plain. */
static DsqStore *
open_target (CliCall *call, const char *path, GError **error)
{
  g_autoptr (GBytes) password = call->known != NULL ? g_bytes_ref (call->known) : NULL;

  if (cli_password_is_given (&call->new_password) || cli_store_exists (call, path))
    return cli_store_open_with (call, &call->new_password, path, CLI_FILL, error);
  return cli_store_open_under (call, password, path, CLI_FILL, error);
}

static gboolean
run_copy (CliCall *call, GError **error)
{
  g_autoptr (DsqStore) from = cli_store_open (call, call->words[0], CLI_READ, error);
  g_autoptr (DsqStore) to = NULL;
  g_auto (CliSink) sink = { NULL };
  gboolean success;

  if (from == NULL)
    return FALSE;
  if (are_one_file (call->words[0], call->words[1]))
    {
      cli_set_error (error, CLI_USAGE, "%s: it is what is copied", call->words[1]);
      return FALSE;
    }
  to = open_target (call, call->words[1], error);
  if (to == NULL)
    return FALSE;
  cli_sink_init (&sink, to);
  success = cli_walk_store (call, from, add_if_sound, &sink, error);
  if (!success)
    cli_prefix_error (error, call->words[0]);
  return cli_sink_end (&sink, call->words[1], success, "copied", error);
}

const CliCommand cli_copy_command = {
  .name = "copy",
  .arguments = "FROM TO",
  .summary = "Set all tables and entries of a store in another.",
  .more = "Keys that TO has already are overwritten. Where TO does not exist it is made, under the "
          "new password or, where none is given, that of FROM.",
  .min_words = 2,
  .max_words = 2,
  .takes = CLI_TAKES_PASSWORD | CLI_TAKES_NEW_PASSWORD,
  .run = run_copy,
};
