/* cmd-env.c - dsq env: where an install of any prefix is found
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "cli-command.h"
#include "cli-output.h"

/* Of the build: absolute, or below the prefix. */
static const struct
{
  const char *variable;
  const char *folder;
  const char *otherwise; /* what programs take where the variable is not set, and would lose */
} places[] = {
  { "PATH", CLI_BINDIR, "/usr/local/bin:/usr/bin:/bin" },
  { "LD_LIBRARY_PATH", CLI_LIBDIR, "" },
  { "GI_TYPELIB_PATH", CLI_LIBDIR "/girepository-1.0", "" },
  { "PKG_CONFIG_PATH", CLI_LIBDIR "/pkgconfig", "" },
  { "PYTHONPATH", CLI_PYTHONDIR, "" },
  { "XDG_DATA_DIRS", CLI_DATADIR, "/usr/local/share:/usr/share" },
  { "MANPATH", CLI_MANDIR, "/usr/local/share/man:/usr/local/man:/usr/share/man" },
};

/* The folder that the program was installed into, or moved to: its own, without what the build put
 * behind the prefix. */
static char *
find_prefix (GError **error)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", error);
  g_autofree char *folder = program != NULL ? g_path_get_dirname (program) : NULL;

  if (folder == NULL)
    return NULL;
  if (g_path_is_absolute (CLI_BINDIR))
    return g_strdup (CLI_PREFIX);
  if (!g_str_has_suffix (folder, "/" CLI_BINDIR))
    {
      cli_set_error (error,
                     CLI_FAILED,
                     "%s: it is not installed: its folder does not end in %s",
                     program,
                     CLI_BINDIR);
      return NULL;
    }
  folder[strlen (folder) - strlen ("/" CLI_BINDIR)] = '\0';
  return g_steal_pointer (&folder);
}

/* A folder of the build's, which is below the build's prefix as a rule. */
static char *
move_folder (const char *folder, const char *prefix)
{
  gsize length = strlen (CLI_PREFIX);

  if (strncmp (folder, CLI_PREFIX "/", length + 1) == 0)
    folder += length + 1;
  return g_path_is_absolute (folder) ? g_strdup (folder) : g_build_filename (prefix, folder, NULL);
}

static void
write_variable (const char *variable, const char *folder, const char *otherwise)
{
  const char *now = g_getenv (variable);
  g_auto (GStrv) parts = g_strsplit (now != NULL && *now != '\0' ? now : otherwise, ":", -1);
  g_autoptr (GString) value = g_string_new (folder);
  g_autofree char *quoted = NULL;

  for (char **part = parts; *part != NULL; part++)
    if (**part != '\0' && !g_str_equal (*part, folder))
      g_string_append_printf (value, ":%s", *part);
  quoted = g_shell_quote (value->str);
  g_string_append_printf (cli_output (), "export %s=%s\n", variable, quoted);
}

static gboolean
run_env (CliCall *call, GError **error)
{
  g_autofree char *prefix = find_prefix (error);

  if (prefix == NULL)
    return FALSE;
  if (strchr (prefix, ':') != NULL)
    {
      cli_set_error (error, CLI_FAILED, "%s: a list of folders cannot hold a colon", prefix);
      return FALSE;
    }
  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    {
      g_autofree char *folder = move_folder (places[i].folder, prefix);

      write_variable (places[i].variable, folder, places[i].otherwise);
    }
  return cli_output_flush (error);
}

const CliCommand cli_env_command = {
  .name = "env",
  .arguments = "",
  .summary = "Print what a shell needs so that this install is found, wherever it is.",
  .more = "For: eval \"$(PREFIX/bin/dsq env)\"",
  .min_words = 0,
  .max_words = 0,
  .run = run_env,
};
