/* cmd-watch.c - dsq watch: the keys that change
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "cli-key.h"
#include "cli-output.h"
#include "cli-pack.h"
#include "cli-signal.h"
#include "cli-store.h"

static char *prefix;

/* All that has changed since it was last asked, at once: whoever reads this waits for it. */
static gboolean
write_news (DsqWatch *watch, gboolean *out_has_ended, GError **error)
{
  gsize length;
  g_autofree guint8 *bytes = dsq_watch_take (watch, out_has_ended, &length);
  GString *out = cli_output ();
  const guint8 *key;
  CliPack pack;

  if (bytes == NULL)
    {
      g_string_append (out, "{\"any\":true}\n");
      return cli_output_flush (error);
    }
  cli_pack_init (&pack, bytes);
  while (cli_pack_next (&pack, &key, &length))
    {
      cli_key_write (out, key, length);
      g_string_append_c (out, '\n');
    }
  return cli_output_flush (error);
}

static gboolean
watch_table (DsqStore *table, GError **error)
{
  gsize length = prefix != NULL ? strlen (prefix) : 0;
  g_autoptr (DsqWatch) watch = dsq_store_watch_utf8 (table, (const guint8 *) prefix, length, error);
  gboolean has_ended = FALSE;

  if (watch == NULL)
    return FALSE;
  while (!has_ended)
    if (!cli_signal_wait_for (dsq_watch_get_fd (watch), G_IO_IN, error) ||
        !write_news (watch, &has_ended, error))
      return FALSE;
  return TRUE;
}

static gboolean
run_watch (CliCall *call, GError **error)
{
  g_autoptr (DsqStore) store = NULL;
  g_autoptr (DsqStore) table = NULL;

  if (prefix != NULL && !g_utf8_validate (prefix, -1, NULL))
    {
      cli_set_error (error, CLI_USAGE, "PREFIX is not UTF-8");
      return FALSE;
    }
  store = cli_store_open (call, call->words[0], CLI_READ, error);
  if (store == NULL)
    return FALSE;
  table = cli_store_table (call, store, FALSE, error);
  if (table != NULL && watch_table (table, error))
    return TRUE;
  cli_prefix_error (error, call->words[0]);
  return FALSE;
}

static const GOptionEntry watch_options[] = {
  { "prefix", 'p', 0, G_OPTION_ARG_FILENAME, &prefix, "Only keys that begin with it", "PREFIX" },
  G_OPTION_ENTRY_NULL,
};

const CliCommand cli_watch_command = {
  .name = "watch",
  .arguments = "FILE",
  .summary = "Print the keys of a table that change, whoever changes them, a line of JSON each.",
  .more = "It goes on until a signal ends it. {\"any\":true} stands for all keys, where many have "
          "changed or it is not known which.",
  .min_words = 1,
  .max_words = 1,
  .takes = CLI_TAKES_TABLE | CLI_TAKES_PASSWORD,
  .options = watch_options,
  .run = run_watch,
};
