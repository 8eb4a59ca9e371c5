/* cli-error.c - how a command of dsq ends
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-error.h"

#include <dictsqlite.h>
#include <stdio.h>
#include <string.h>

#include "cli-text.h"

G_DEFINE_QUARK (cli - error - quark, cli_error)

void
cli_set_error (GError **error, CliStatus status, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  if (error != NULL)
    *error = g_error_new_valist (CLI_ERROR, status, format, arguments);
  va_end (arguments);
}

/* The library was given a file, whose name it knows from the root on. */
static void
name_as_typed (GError *error, const char *path)
{
  g_autofree char *absolute = g_canonicalize_filename (path, NULL);
  g_autofree char *shown = g_filename_display_name (absolute);
  g_autofree char *message = error->message;
  gsize length = strlen (shown);

  if (g_str_has_prefix (message, shown) && message[length] == ':')
    error->message = g_strconcat (path, message + length, NULL);
  else
    error->message = g_steal_pointer (&message);
}

void
cli_prefix_error (GError **error, const char *what)
{
  /* what of the command's own goes wrong with a file names that file, be it another */
  if (g_error_matches (*error, CLI_ERROR, CLI_FAILED))
    return;
  name_as_typed (*error, what);
  if (strstr ((*error)->message, what) == NULL)
    g_prefix_error (error, "%s: ", what);
}

static CliStatus
status_of_library (int code)
{
  switch (code)
    {
    case DSQ_ERROR_WRONG_PASSWORD:
    case DSQ_ERROR_ENCRYPTED:
    case DSQ_ERROR_NOT_ENCRYPTED:
      return CLI_PASSWORD;
    case DSQ_ERROR_FORMAT:
    case DSQ_ERROR_CORRUPT:
      return CLI_DAMAGED;
    case DSQ_ERROR_INVALID_KEY:
    case DSQ_ERROR_INVALID_VALUE:
      return CLI_USAGE;
    default:
      return CLI_FAILED;
    }
}

CliStatus
cli_status_of (const GError *error)
{
  if (error->domain == CLI_ERROR)
    return error->code;
  if (error->domain == DSQ_ERROR)
    return status_of_library (error->code);
  return error->domain == G_OPTION_ERROR ? CLI_USAGE : CLI_FAILED;
}

void
cli_print_error (const char *message)
{
  g_autoptr (GString) line = g_string_new ("dsq: ");

  cli_text_append (line, message, strlen (message));
  g_string_append_c (line, '\n');
  if (fputs (line->str, stderr) != EOF)
    fflush (stderr);
}
