/* cmd-check.c - dsq check: whether a file is sound
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "cli-output.h"
#include "cli-store.h"
#include "cli-text.h"

static gboolean
run_check (CliCall *call, GError **error)
{
  const char *path = call->words[0];
  g_autoptr (DsqStore) store = cli_store_open (call, path, CLI_READ, error);
  g_auto (GStrv) problems = NULL;
  GString *out = cli_output ();

  if (store == NULL)
    return FALSE;
  problems = dsq_store_check (store, call->cancellable, error);
  if (problems == NULL)
    {
      cli_prefix_error (error, path);
      return FALSE;
    }
  for (char **problem = problems; *problem != NULL; problem++)
    {
      cli_text_append (out, *problem, strlen (*problem));
      g_string_append_c (out, '\n');
    }
  if (!cli_output_flush (error))
    return FALSE;
  if (problems[0] == NULL)
    return TRUE;
  cli_set_error (error, CLI_DAMAGED, "%s: it is damaged; see dsq salvage", path);
  return FALSE;
}

const CliCommand cli_check_command = {
  .name = "check",
  .arguments = "FILE",
  .summary = "Look for damage in the whole of a file, and print it, a line each.",
  .more = "Nothing is printed, and the exit status is 0, where the file is sound.",
  .min_words = 1,
  .max_words = 1,
  .takes = CLI_TAKES_PASSWORD,
  .run = run_check,
};
