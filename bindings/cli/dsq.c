/* dsq.c - stores of dictsqlite from the shell
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dictsqlite.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#include "cli-command.h"
#include "cli-output.h"
#include "cli-progress.h"
#include "cli-signal.h"

static const CliCommand *const commands[] = {
  &cli_get_command,     &cli_set_command,     &cli_del_command,     &cli_keys_command,
  &cli_list_command,    &cli_watch_command,   &cli_stat_command,    &cli_dump_command,
  &cli_load_command,    &cli_import_command,  &cli_copy_command,    &cli_check_command,
  &cli_salvage_command, &cli_backup_command,  &cli_compact_command, &cli_passwd_command,
  &cli_encrypt_command, &cli_decrypt_command, &cli_env_command,
};

static const CliCommand *
find_command (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    if (g_str_equal (commands[i]->name, name))
      return commands[i];
  return NULL;
}

/* --- options ---------------------------------------------------------------------------------- */

static GOptionContext *
make_context (const CliCommand *command, CliCall *call)
{
  GOptionContext *context = g_option_context_new (command->arguments);
  g_autofree char *title = g_strconcat ("dsq ", command->name, NULL);
  GOptionGroup *group = g_option_group_new ("dsq", "", "", call, NULL);
  GOptionEntry entries[6] = { 0 };
  guint n = 0;

  if ((command->takes & CLI_TAKES_TABLE) != 0)
    entries[n++] = (GOptionEntry){ "table",
                                   'T',
                                   0,
                                   G_OPTION_ARG_FILENAME,
                                   &call->table,
                                   "The table; without it the one that a store opens with",
                                   "NAME" };
  if ((command->takes & CLI_TAKES_PASSWORD) != 0)
    {
      entries[n++] = (GOptionEntry){ "password-fd",
                                     0,
                                     0,
                                     G_OPTION_ARG_INT,
                                     &call->password.fd,
                                     "Read the file's password, a line, from this descriptor",
                                     "N" };
      entries[n++] = (GOptionEntry){ "password-env",
                                     0,
                                     0,
                                     G_OPTION_ARG_FILENAME,
                                     &call->password.variable,
                                     "Take it from this environment variable",
                                     "NAME" };
    }
  if ((command->takes & CLI_TAKES_NEW_PASSWORD) != 0)
    {
      entries[n++] = (GOptionEntry){ "new-password-fd",
                                     0,
                                     0,
                                     G_OPTION_ARG_INT,
                                     &call->new_password.fd,
                                     "Read the new password, a line, from this descriptor",
                                     "N" };
      entries[n++] = (GOptionEntry){ "new-password-env",
                                     0,
                                     0,
                                     G_OPTION_ARG_FILENAME,
                                     &call->new_password.variable,
                                     "Take it from this environment variable",
                                     "NAME" };
    }
  g_option_group_add_entries (group, entries);
  if (command->options != NULL)
    g_option_group_add_entries (group, command->options);
  g_option_context_set_main_group (context, group);
  g_option_context_set_summary (context, command->summary);
  if (command->more != NULL)
    g_option_context_set_description (context, command->more);
  g_set_prgname (title); /* as which usage names it */
  return context;
}

/* GLib leaves the "--" behind which words are words, whatever they begin with. */
static void
drop_separator (char **words)
{
  while (*words != NULL && !g_str_equal (*words, "--"))
    words++;
  if (*words == NULL)
    return;
  g_free (*words);
  do
    words[0] = words[1];
  while (*words++ != NULL);
}

/* Takes the options out of the command line; its first word is the command's name. */
static gboolean
parse (const CliCommand *command, char ***arguments, CliCall *call, GError **error)
{
  g_autoptr (GOptionContext) context = make_context (command, call);

  if (!g_option_context_parse_strv (context, arguments, error))
    return FALSE;
  call->words = *arguments + 1;
  drop_separator (call->words);
  call->n_words = g_strv_length (call->words);
  if (call->table != NULL && !g_utf8_validate (call->table, -1, NULL))
    {
      cli_set_error (error, CLI_USAGE, "the table's NAME is not UTF-8");
      return FALSE;
    }
  if (call->n_words >= command->min_words && call->n_words <= command->max_words)
    return TRUE;
  cli_set_error (error,
                 CLI_USAGE,
                 "usage: dsq %s [OPTION...]%s%s",
                 command->name,
                 *command->arguments != '\0' ? " " : "",
                 command->arguments);
  return FALSE;
}

/* --- without a command ------------------------------------------------------------------------ */

static gboolean
print_help (GError **error)
{
  GString *out = cli_output ();

  g_string_append (out,
                   "Usage:\n"
                   "  dsq COMMAND [OPTION...] FILE [...]\n"
                   "  dsq FILE\n"
                   "\n"
                   "Stores of dictsqlite from the shell. FILE alone: what that is.\n"
                   "\n"
                   "Commands:\n");
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    g_string_append_printf (out, "  %-8s  %s\n", commands[i]->name, commands[i]->summary);
  g_string_append (out,
                   "\n"
                   "dsq COMMAND --help tells a command's options, man dsq all of it.\n");
  return cli_output_flush (error);
}

static gboolean
print_version (GError **error)
{
  g_string_append_printf (cli_output (),
                          "dsq %d.%d.%d\n",
                          DSQ_MAJOR_VERSION,
                          DSQ_MINOR_VERSION,
                          DSQ_MICRO_VERSION);
  return cli_output_flush (error);
}

static gboolean
run_without_command (char **words, CliCall *call, GError **error)
{
  const char *word = words[0];

  if (word == NULL)
    {
      cli_set_error (error, CLI_USAGE, "a command is missing; see dsq --help");
      return FALSE;
    }
  if (g_str_equal (word, "--help") || g_str_equal (word, "-h"))
    return print_help (error);
  if (g_str_equal (word, "--version"))
    return print_version (error);
  if (g_str_equal (word, "--") && words[1] != NULL)
    word = *++words;
  else if (*word == '-' || !g_file_test (word, G_FILE_TEST_EXISTS) || words[1] != NULL)
    {
      cli_set_error (error,
                     CLI_USAGE,
                     "'%s' is no command%s; see dsq --help",
                     word,
                     *word == '-' || words[1] != NULL ? "" : ", and no file");
      return FALSE;
    }
  call->words = words;
  call->n_words = 1;
  return cli_tell_what_it_is (call, error);
}

static gboolean
run (char ***arguments, CliCall *call, GError **error)
{
  const char *name = (*arguments)[0] != NULL ? (*arguments)[1] : NULL;
  const CliCommand *command = name != NULL ? find_command (name) : NULL;
  char **own;
  gboolean success;

  if (command == NULL)
    return run_without_command (*arguments + (**arguments != NULL), call, error);
  own = g_strdupv (*arguments + 1);
  success = parse (command, &own, call, error) && command->run (call, error);
  g_strfreev (own);
  return success;
}

/* What a file that is opened must never become is a stream that is closed: what is meant for that
 * would be written into it. Each is a descriptor that cannot be used so. */
static void
fill_closed_streams (void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl (fd, F_GETFD) < 0 &&
        open ("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
      _exit (CLI_FAILED);
}

/* A signal's own status, once it has ended something. */
static int
status_of (const GError *error)
{
  int number = cli_signal_got ();

  if (number != 0 && (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ||
                      g_error_matches (error, DSQ_ERROR, DSQ_ERROR_OUTCOME_UNKNOWN)))
    return 128 + number;
  return (int) cli_status_of (error);
}

int
main (int argc, char **argv)
{
  CliCall call = {
    .password = { "--password", -1, NULL },
    .new_password = { "--new-password", -1, NULL },
  };
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) arguments = g_strdupv (argv);
  gboolean is_done;

  fill_closed_streams ();
  setlocale (LC_ALL, "");
  call.cancellable = cli_signal_watch ();
  is_done = run (&arguments, &call, &error);
  g_clear_pointer (&call.known, g_bytes_unref);
  g_free (call.table);
  g_free (call.password.variable);
  g_free (call.new_password.variable);
  if (is_done)
    return CLI_DONE;
  cli_progress_end ();
  if (cli_signal_got () != 0 && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) &&
      !g_str_has_prefix (error->message, "interrupted"))
    cli_print_error ("interrupted");
  else if (*error->message != '\0') /* what is to say may be said already */
    cli_print_error (error->message);
  return status_of (error);
}
