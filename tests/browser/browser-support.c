/* browser-support.c - the browser as somebody before the screen has it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "browser-support.h"

#include <glib/gstdio.h>
#include <string.h>

#include "browser-application.h"
#include "browser-editor.h"
#include "browser-list.h"

/* --- beginning and end ------------------------------------------------------------------------ */

void
seat_init (Seat *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;
  GList *windows;

  self->folder = g_dir_make_tmp ("dsq-browser-XXXXXX", &error);
  g_assert_no_error (error);
  self->path = g_build_filename (self->folder, "store.db", NULL);
  self->application = G_APPLICATION (browser_application_new ());
  g_application_set_flags (self->application,
                           G_APPLICATION_NON_UNIQUE | G_APPLICATION_HANDLES_OPEN);
  g_application_register (self->application, NULL, &error);
  g_assert_no_error (error);
  g_application_set_default (self->application);
  g_application_activate (self->application);
  windows = gtk_application_get_windows (GTK_APPLICATION (self->application));
  g_assert_cmpuint (g_list_length (windows), ==, 1);
  self->window = windows->data;
  seat_until (gtk_widget_get_mapped (GTK_WIDGET (self->window)));
}

static void
remove_folder (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      g_remove (path);
    }
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

void
seat_clear (Seat *self, gconstpointer unused)
{
  GList *windows;
  gpointer window = self->window;

  g_object_add_weak_pointer (G_OBJECT (self->window), &window);
  while ((windows = gtk_application_get_windows (GTK_APPLICATION (self->application))) != NULL)
    gtk_window_destroy (windows->data);
  /* nothing keeps a closed window, and so its store */
  seat_until (window == NULL);
  g_object_unref (self->application);
  g_application_set_default (NULL);
  remove_folder (self->folder);
  g_free (self->folder);
  g_free (self->path);
}

void
seat_add (const char *name, void (*test) (Seat *, gconstpointer))
{
  g_autofree char *path = g_strconcat ("/dsq/browser/", name, NULL);

  g_test_add (path, Seat, NULL, seat_init, test, seat_clear);
}

/* --- looking ---------------------------------------------------------------------------------- */

static gboolean
widget_sees (GtkWidget *widget, const char *text)
{
  g_autofree char *typed = NULL;
  GtkTextIter start, end;

  if (!gtk_widget_get_mapped (widget))
    return FALSE;
  if (GTK_IS_LABEL (widget) && strstr (gtk_label_get_text (GTK_LABEL (widget)), text) != NULL)
    return TRUE;
  if (GTK_IS_TEXT (widget) && strstr (gtk_editable_get_text (GTK_EDITABLE (widget)), text) != NULL)
    return TRUE;
  if (GTK_IS_TEXT_VIEW (widget))
    {
      GtkTextBuffer *buffer = gtk_text_view_get_buffer (GTK_TEXT_VIEW (widget));

      gtk_text_buffer_get_bounds (buffer, &start, &end);
      typed = gtk_text_buffer_get_text (buffer, &start, &end, TRUE);
      return strstr (typed, text) != NULL;
    }
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    if (widget_sees (child, text))
      return TRUE;
  return FALSE;
}

gboolean
seat_sees (Seat *self, const char *text)
{
  return widget_sees (GTK_WIDGET (self->window), text);
}

gpointer
seat_part (Seat *self, const char *name)
{
  GtkWidget *window = GTK_WIDGET (self->window);
  GObject *list = gtk_widget_get_template_child (window, BROWSER_TYPE_WINDOW, "list");
  GObject *editor = gtk_widget_get_template_child (window, BROWSER_TYPE_WINDOW, "editor");
  GObject *part = gtk_widget_get_template_child (window, BROWSER_TYPE_WINDOW, name);

  if (part == NULL)
    part = gtk_widget_get_template_child (GTK_WIDGET (list), BROWSER_TYPE_LIST, name);
  if (part == NULL)
    part = gtk_widget_get_template_child (GTK_WIDGET (editor), BROWSER_TYPE_EDITOR, name);
  g_assert_nonnull (part);
  return part;
}

static GtkWidget *
find_button (GtkWidget *widget, const char *label, const char *action)
{
  if (!gtk_widget_get_mapped (widget))
    return NULL;
  if (GTK_IS_BUTTON (widget))
    {
      const char *its_label = gtk_button_get_label (GTK_BUTTON (widget));
      const char *its_action = gtk_actionable_get_action_name (GTK_ACTIONABLE (widget));

      if ((label != NULL && g_strcmp0 (its_label, label) == 0) ||
          (action != NULL && g_strcmp0 (its_action, action) == 0))
        return widget;
    }
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    {
      GtkWidget *found = find_button (child, label, action);

      if (found != NULL)
        return found;
    }
  return NULL;
}

gboolean
seat_can (Seat *self, const char *action)
{
  GtkWidget *button = find_button (GTK_WIDGET (self->window), NULL, action);

  return button != NULL && gtk_widget_is_sensitive (button);
}

gboolean
seat_is_saved (Seat *self)
{
  return seat_can (self, "entry.delete") && !seat_can (self, "entry.revert");
}

char *
seat_value (Seat *self)
{
  GtkTextBuffer *buffer = seat_part (self, "buffer");
  GtkTextIter start, end;

  gtk_text_buffer_get_bounds (buffer, &start, &end);
  return gtk_text_buffer_get_text (buffer, &start, &end, TRUE);
}

guint
seat_rows (Seat *self)
{
  return g_list_model_get_n_items (
      G_LIST_MODEL (gtk_column_view_get_model (seat_part (self, "view"))));
}

void
seat_linger (guint milliseconds)
{
  gint64 end = g_get_monotonic_time () + milliseconds * 1000;

  while (g_get_monotonic_time () < end)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (1000);
}

/* --- doing ------------------------------------------------------------------------------------ */

void
seat_act (Seat *self, const char *action)
{
  g_assert_true (gtk_widget_activate_action (GTK_WIDGET (self->window), action, NULL));
}

void
seat_click (Seat *self, const char *label)
{
  GtkWidget *button = find_button (GTK_WIDGET (self->window), label, NULL);

  g_assert_nonnull (button);
  g_assert_true (gtk_widget_is_sensitive (button));
  g_signal_emit_by_name (button, "clicked");
}

void
seat_type (Seat *self, const char *part, const char *text)
{
  GtkWidget *widget = seat_part (self, part);

  g_assert_true (gtk_widget_is_sensitive (widget));
  gtk_editable_set_text (GTK_EDITABLE (widget), text);
}

void
seat_type_value (Seat *self, const char *text)
{
  g_assert_true (gtk_text_view_get_editable (seat_part (self, "text_view")));
  gtk_text_buffer_set_text (seat_part (self, "buffer"), text, -1);
}

void
seat_select (Seat *self, const char *key)
{
  GtkSelectionModel *model = gtk_column_view_get_model (seat_part (self, "view"));
  guint n_items = g_list_model_get_n_items (G_LIST_MODEL (model));

  for (guint i = 0; i < n_items; i++)
    {
      g_autoptr (DsqItem) item = g_list_model_get_item (G_LIST_MODEL (model), i);
      g_autofree char *its_key = NULL;
      gboolean is_loading;

      seat_until ((g_object_get (item, "loading", &is_loading, NULL), !is_loading));
      g_object_get (item, "key", &its_key, NULL);
      if (g_strcmp0 (its_key, key) != 0)
        continue;
      gtk_selection_model_select_item (model, i, TRUE);
      seat_until (g_str_equal (gtk_editable_get_text (seat_part (self, "key_entry")), key) &&
                  g_str_equal (gtk_stack_get_visible_child_name (GTK_STACK (
                                   gtk_widget_get_first_child (seat_part (self, "editor")))),
                               "entry"));
      return;
    }
  g_error ("there is no row of the key %s", key);
}

void
seat_open (Seat *self, const char *path, gboolean read_only)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);

  browser_window_open (self->window, file, read_only);
  seat_until (
      !g_str_equal (gtk_stack_get_visible_child_name (seat_part (self, "stack")), "opening"));
}

void
seat_open_store (Seat *self)
{
  seat_open (self, self->path, FALSE);
  g_assert_cmpstr (gtk_stack_get_visible_child_name (seat_part (self, "stack")), ==, "store");
  seat_until (seat_sees (self, " entr") && !seat_sees (self, "reading"));
}

void
seat_fill (Seat *self, guint n_keys)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = dsq_store_open (self->path, DSQ_PERSIST_LAZY, NULL, &error);

  g_assert_no_error (error);
  for (guint i = 0; i < n_keys; i++)
    {
      g_autofree char *key = g_strdup_printf ("key/%07u", i);

      dsq_store_set_string (store, key, "some value", NULL, &error);
      g_assert_no_error (error);
    }
  dsq_store_close (store, NULL, &error);
  g_assert_no_error (error);
}

void
other (const char *expected, ...)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *out = NULL;
  g_autofree char *problem = NULL;
  const char *word;
  int status;
  va_list arguments;

  g_ptr_array_add (words, (char *) g_getenv ("DSQ_PROGRAM"));
  va_start (arguments, expected);
  while ((word = va_arg (arguments, const char *)) != NULL)
    g_ptr_array_add (words, (char *) word);
  va_end (arguments);
  g_ptr_array_add (words, NULL);
  g_spawn_sync (NULL,
                (char **) words->pdata,
                NULL,
                G_SPAWN_DEFAULT,
                NULL,
                NULL,
                &out,
                &problem,
                &status,
                &error);
  g_assert_no_error (error);
  g_assert_cmpstr (problem, ==, "");
  g_assert_cmpint (status, ==, 0);
  g_assert_cmpstr (out, ==, expected);
}
