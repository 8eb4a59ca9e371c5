/* browser-application.c - the program: its command line, its windows
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "browser-application.h"

#include <dictsqlite.h>

#include "browser-window.h"

#define VERSION                                                                                    \
  G_STRINGIFY (DSQ_MAJOR_VERSION)                                                                  \
  "." G_STRINGIFY (DSQ_MINOR_VERSION) "." G_STRINGIFY (DSQ_MICRO_VERSION)

struct _BrowserApplication
{
  GtkApplication parent_instance;
};

G_DEFINE_FINAL_TYPE (BrowserApplication, browser_application, GTK_TYPE_APPLICATION)

static const GOptionEntry options[] = {
  { "read-only", 'r', 0, G_OPTION_ARG_NONE, NULL, "Change nothing in the files", NULL },
  { "version", 'V', 0, G_OPTION_ARG_NONE, NULL, "Print the version", NULL },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, NULL, NULL, "[FILE…]" },
  G_OPTION_ENTRY_NULL,
};

static const struct
{
  const char *action;
  const char *keys[3];
} shortcuts[] = {
  { "win.open", { "<Control>o" } },
  { "win.open-read-only", { "<Control><Shift>o" } },
  { "win.search", { "<Control>f" } },
  { "win.add-entry", { "<Control>n" } },
  { "win.save-entry", { "<Control>s" } },
  { "win.show-help-overlay", { "<Control>question", "F1" } },
  { "window.close", { "<Control>w" } },
  { "app.quit", { "<Control>q" } },
};

/* --- windows ---------------------------------------------------------------------------------- */

/* One without a store, or a new one. */
static BrowserWindow *
get_window (GApplication *application)
{
  GList *windows = gtk_application_get_windows (GTK_APPLICATION (application));

  for (; windows != NULL; windows = windows->next)
    if (BROWSER_IS_WINDOW (windows->data) && browser_window_is_empty (windows->data))
      return windows->data;
  return browser_window_new (GTK_APPLICATION (application));
}

static void
browser_application_activate (GApplication *application)
{
  gtk_window_present (GTK_WINDOW (get_window (application)));
}

static void
open_file (GApplication *application, GFile *file, gboolean read_only)
{
  BrowserWindow *window = get_window (application);

  gtk_window_present (GTK_WINDOW (window));
  browser_window_open (window, file, read_only);
}

static void
browser_application_open (GApplication *application, GFile **files, int n_files, const char *hint)
{
  for (int i = 0; i < n_files; i++)
    open_file (application, files[i], FALSE);
}

/* --- the command line ------------------------------------------------------------------------- */

static int
browser_application_handle_local_options (GApplication *application, GVariantDict *given)
{
  if (!g_variant_dict_contains (given, "version"))
    return -1;
  g_print ("dsq-browser %s\n", VERSION);
  return 0;
}

static int
browser_application_command_line (GApplication *application, GApplicationCommandLine *line)
{
  GVariantDict *given = g_application_command_line_get_options_dict (line);
  gboolean read_only = g_variant_dict_contains (given, "read-only");
  g_autofree const char **names = NULL;

  if (!g_variant_dict_lookup (given, G_OPTION_REMAINING, "^a&ay", &names) || names[0] == NULL)
    {
      g_application_activate (application);
      return 0;
    }
  for (guint i = 0; names[i] != NULL; i++)
    {
      g_autoptr (GFile) file = g_application_command_line_create_file_for_arg (line, names[i]);

      open_file (application, file, read_only);
    }
  return 0;
}

/* --- actions ---------------------------------------------------------------------------------- */

/* Each window may have something to save, and asks. */
static void
quit (GSimpleAction *action, GVariant *parameter, gpointer application)
{
  g_autoptr (GList) windows = g_list_copy (gtk_application_get_windows (application));

  for (GList *window = windows; window != NULL; window = window->next)
    gtk_window_close (window->data);
}

static void
about (GSimpleAction *action, GVariant *parameter, gpointer application)
{
  gtk_show_about_dialog (gtk_application_get_active_window (application),
                         "program-name",
                         "Store Browser",
                         "logo-icon-name",
                         "org.dictsqlite.Browser",
                         "version",
                         VERSION,
                         "comments",
                         "Shows and edits stores of dictsqlite",
                         "license-type",
                         GTK_LICENSE_LGPL_2_1,
                         NULL);
}

static const GActionEntry actions[] = {
  { .name = "quit", .activate = quit },
  { .name = "about", .activate = about },
};

/* --- beginning -------------------------------------------------------------------------------- */

static void
browser_application_startup (GApplication *application)
{
  g_autoptr (GtkCssProvider) style = gtk_css_provider_new ();

  G_APPLICATION_CLASS (browser_application_parent_class)->startup (application);
  g_action_map_add_action_entries (G_ACTION_MAP (application),
                                   actions,
                                   G_N_ELEMENTS (actions),
                                   application);
  for (guint i = 0; i < G_N_ELEMENTS (shortcuts); i++)
    gtk_application_set_accels_for_action (GTK_APPLICATION (application),
                                           shortcuts[i].action,
                                           shortcuts[i].keys);
  gtk_css_provider_load_from_resource (style, "/org/dictsqlite/Browser/browser.css");
  gtk_style_context_add_provider_for_display (gdk_display_get_default (),
                                              GTK_STYLE_PROVIDER (style),
                                              GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
  gtk_window_set_default_icon_name ("org.dictsqlite.Browser");
}

static void
browser_application_class_init (BrowserApplicationClass *klass)
{
  GApplicationClass *application_class = G_APPLICATION_CLASS (klass);

  application_class->startup = browser_application_startup;
  application_class->activate = browser_application_activate;
  application_class->open = browser_application_open;
  application_class->handle_local_options = browser_application_handle_local_options;
  application_class->command_line = browser_application_command_line;
}

static void
browser_application_init (BrowserApplication *self)
{
  g_application_add_main_option_entries (G_APPLICATION (self), options);
  g_application_set_option_context_parameter_string (G_APPLICATION (self),
                                                     "– stores of dictsqlite in a window");
}

BrowserApplication *
browser_application_new (void)
{
  return g_object_new (BROWSER_TYPE_APPLICATION,
                       "application-id",
                       "org.dictsqlite.Browser",
                       "flags",
                       G_APPLICATION_HANDLES_OPEN | G_APPLICATION_HANDLES_COMMAND_LINE,
                       NULL);
}
