/* browser-window.c - a store, in a window
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "browser-window.h"

#include <string.h>

#include "browser-editor.h"
#include "browser-job.h"
#include "browser-list.h"
#include "browser-stats.h"
#include "browser-tables.h"
#include "browser-value.h"
#include "cli-error.h"

struct _BrowserWindow
{
  GtkApplicationWindow parent_instance;

  /* of the template */
  GtkLabel *title_label;
  GtkLabel *subtitle_label;
  GtkWidget *switcher;
  GtkRevealer *banner;
  GtkWidget *banner_box;
  GtkLabel *banner_label;
  GtkWidget *undo_button;
  GtkStack *stack;
  GtkLabel *password_path;
  GtkEditable *password_entry;
  GtkLabel *password_error;
  GtkWidget *password_button;
  GtkStack *pages;
  GtkListView *tables_view;
  BrowserList *list;
  BrowserEditor *editor;
  BrowserStats *stats;

  BrowserTables *tables;          /* (owned) */
  GFile *file;                    /* (owned) (nullable) what is open, or being opened */
  gboolean read_only;             /* how it was asked for */
  GCancellable *cancellable;      /* (owned) (nullable) of the opening */
  DsqStore *store;                /* (owned) (nullable) */
  DsqStore *table;                /* (owned) (nullable) the one that is listed */
  GtkWidget *question;            /* (unowned) (nullable) what is to become of what was typed */
  void (*then) (BrowserWindow *); /* (nullable) what is done once nothing is left to save */
  GtkFileChooserNative *chooser;  /* (owned) (nullable) */

  /* what was deleted last */
  DsqStore *undo_table; /* (owned) (nullable) */
  GBytes *undo_key;     /* (owned) (nullable) */
  GBytes *undo_record;  /* (owned) (nullable) */
  gint64 undo_time;     /* milliseconds to live */
};

G_DEFINE_FINAL_TYPE (BrowserWindow, browser_window, GTK_TYPE_APPLICATION_WINDOW)

/* --- the banner ------------------------------------------------------------------------------- */

static void
hide_banner (BrowserWindow *self)
{
  gtk_revealer_set_reveal_child (self->banner, FALSE);
}

static void
show_banner (BrowserWindow *self, const char *text, gboolean is_error)
{
  gtk_label_set_text (self->banner_label, text);
  if (is_error)
    gtk_widget_add_css_class (self->banner_box, "error");
  else
    gtk_widget_remove_css_class (self->banner_box, "error");
  gtk_widget_set_visible (self->undo_button, !is_error);
  gtk_revealer_set_reveal_child (self->banner, TRUE);
}

/* What goes wrong is told with the path of the file. */
static void
on_failed (BrowserWindow *self, const GError *error)
{
  g_autofree char *name = self->file != NULL ? g_file_get_parse_name (self->file) : NULL;
  g_autofree char *text = NULL;

  if (name != NULL && strstr (error->message, name) == NULL)
    text = g_strdup_printf ("%s: %s", name, error->message);
  show_banner (self, text != NULL ? text : error->message, TRUE);
}

/* --- what was typed, and is not saved --------------------------------------------------------- */

/* What was begun is written, or is not. */
static void
on_settled (BrowserWindow *self)
{
  void (*then) (BrowserWindow *) = self->then;

  if (self->question != NULL)
    return;
  self->then = NULL;
  if (then != NULL && !browser_editor_is_dirty (self->editor))
    then (self);
}

static void
on_answered (GtkDialog *dialog, int response, BrowserWindow *self)
{
  self->question = NULL;
  gtk_window_destroy (GTK_WINDOW (dialog));
  if (response == GTK_RESPONSE_ACCEPT)
    gtk_widget_activate_action (GTK_WIDGET (self->editor), "entry.save", NULL);
  else if (response == GTK_RESPONSE_REJECT)
    browser_editor_revert (self->editor);
  if (!browser_editor_is_writing (self->editor))
    on_settled (self);
}

static void
ask (BrowserWindow *self)
{
  GtkWidget *dialog = gtk_message_dialog_new (GTK_WINDOW (self),
                                              GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT,
                                              GTK_MESSAGE_QUESTION,
                                              GTK_BUTTONS_NONE,
                                              "Save the changes to this entry?");
  GtkWidget *button;

  gtk_message_dialog_format_secondary_text (GTK_MESSAGE_DIALOG (dialog),
                                            "Changes that are not saved will be lost.");
  gtk_dialog_add_button (GTK_DIALOG (dialog), "_Cancel", GTK_RESPONSE_CANCEL);
  button = gtk_dialog_add_button (GTK_DIALOG (dialog), "_Discard", GTK_RESPONSE_REJECT);
  gtk_widget_add_css_class (button, "destructive-action");
  gtk_dialog_add_button (GTK_DIALOG (dialog), "_Save", GTK_RESPONSE_ACCEPT);
  gtk_dialog_set_default_response (GTK_DIALOG (dialog), GTK_RESPONSE_ACCEPT);
  g_signal_connect (dialog, "response", G_CALLBACK (on_answered), self);
  self->question = dialog;
  gtk_window_present (GTK_WINDOW (dialog));
}

/* Does it now, or when what is being written is there and the user has said what is to become of
 * the rest; or never, where they say so, or where that cannot be saved. */
static void
when_saved (BrowserWindow *self, void (*then) (BrowserWindow *))
{
  self->then = then;
  if (self->question != NULL)
    gtk_window_present (GTK_WINDOW (self->question));
  else if (!browser_editor_is_dirty (self->editor))
    on_settled (self);
  else if (!browser_editor_is_writing (self->editor))
    ask (self);
}

/* --- tables and entries ----------------------------------------------------------------------- */

static gboolean
is_read_only (BrowserWindow *self)
{
  gboolean read_only = TRUE;

  if (self->store != NULL)
    g_object_get (self->store, "read-only", &read_only, NULL);
  return read_only;
}

static void
show_none (BrowserWindow *self)
{
  browser_editor_show (self->editor, NULL, NULL);
}

static void
on_table (BrowserWindow *self, DsqStore *table)
{
  g_set_object (&self->table, table);
  browser_list_show (self->list, table);
  when_saved (self, show_none);
}

static void
on_selected (BrowserWindow *self, GBytes *key)
{
  if (browser_editor_show (self->editor, self->table, key))
    when_saved (self, NULL);
}

static void
on_activated (BrowserWindow *self)
{
  gtk_widget_child_focus (GTK_WIDGET (self->editor), GTK_DIR_TAB_FORWARD);
}

/* --- deleting, and undoing that --------------------------------------------------------------- */

static void
forget_deleted (BrowserWindow *self)
{
  g_clear_object (&self->undo_table);
  g_clear_pointer (&self->undo_key, g_bytes_unref);
  g_clear_pointer (&self->undo_record, g_bytes_unref);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "win.undo", FALSE);
}

static void
on_deleted (BrowserWindow *self, DsqStore *table, GBytes *key, GBytes *record, gint64 milliseconds)
{
  g_autofree char *name = browser_key_dup_text (key);
  g_autofree char *text = g_strdup_printf ("Deleted %s", name);

  forget_deleted (self);
  self->undo_table = g_object_ref (table);
  self->undo_key = g_bytes_ref (key);
  self->undo_record = g_bytes_ref (record);
  self->undo_time = milliseconds;
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "win.undo", TRUE);
  show_banner (self, text, FALSE);
}

static void
on_undone (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (BrowserWindow) self = data;
  g_autoptr (GError) error = NULL;

  if (browser_write_finish (result, &error) == DSQ_ANSWER_NO && error == NULL)
    cli_set_error (&error, CLI_FAILED, "The entry was not put back: there is another of its key");
  if (self->store == NULL)
    return;
  if (error != NULL)
    on_failed (self, error);
  else
    hide_banner (self);
}

static void
undo (GtkWidget *widget, const char *name, GVariant *parameter)
{
  BrowserWindow *self = BROWSER_WINDOW (widget);

  browser_write_async (self->undo_table,
                       self->undo_key,
                       NULL,
                       self->undo_record,
                       self->undo_time,
                       on_undone,
                       g_object_ref (self));
  forget_deleted (self);
}

/* --- opening ---------------------------------------------------------------------------------- */

static void
show_title (BrowserWindow *self)
{
  g_autofree char *name = NULL;
  g_autofree char *path = NULL;
  g_autofree char *title = NULL;
  g_autofree char *subtitle = NULL;
  gboolean has_store = self->store != NULL;

  if (has_store)
    {
      name = g_file_get_basename (self->file);
      title = g_filename_display_name (name);
      path = g_file_get_parse_name (self->file);
      subtitle = g_strconcat (path, is_read_only (self) ? " (read-only)" : "", NULL);
    }
  gtk_window_set_title (GTK_WINDOW (self), has_store ? title : "Store Browser");
  gtk_label_set_text (self->title_label, has_store ? title : "Store Browser");
  gtk_label_set_text (self->subtitle_label, has_store ? subtitle : "");
  gtk_widget_set_visible (GTK_WIDGET (self->subtitle_label), has_store);
  gtk_widget_set_visible (self->switcher, has_store);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "win.search", has_store);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "win.add-entry", !is_read_only (self));
}

static void
take_store (BrowserWindow *self, DsqStore *store)
{
  self->store = store;
  show_title (self);
  hide_banner (self);
  gtk_stack_set_visible_child_name (self->pages, "entries");
  gtk_stack_set_visible_child_name (self->stack, "store");
  browser_stats_show (self->stats, store);
  browser_tables_show (self->tables, store);
  browser_list_search (self->list);
}

static void
give_up (BrowserWindow *self)
{
  g_clear_object (&self->file);
  gtk_editable_set_text (self->password_entry, "");
  gtk_stack_set_visible_child_name (self->stack, "welcome");
}

static void
ask_for_password (BrowserWindow *self, const char *problem)
{
  g_autofree char *name = g_file_get_parse_name (self->file);

  gtk_label_set_text (self->password_path, name);
  gtk_label_set_text (self->password_error, problem != NULL ? problem : "");
  gtk_widget_set_visible (GTK_WIDGET (self->password_error), problem != NULL);
  gtk_editable_set_editable (self->password_entry, TRUE);
  gtk_widget_set_sensitive (self->password_button, TRUE);
  gtk_editable_set_text (self->password_entry, "");
  gtk_stack_set_visible_child_name (self->stack, "password");
  gtk_widget_grab_focus (GTK_WIDGET (self->password_entry));
}

static void
on_opened (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (BrowserWindow) self = data;
  g_autoptr (GError) error = NULL;
  DsqStore *store = browser_open_finish (result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  g_clear_object (&self->cancellable);
  if (store != NULL)
    take_store (self, store);
  else if (g_error_matches (error, DSQ_ERROR, DSQ_ERROR_ENCRYPTED))
    ask_for_password (self, NULL);
  else if (g_error_matches (error, DSQ_ERROR, DSQ_ERROR_WRONG_PASSWORD))
    ask_for_password (self, "This is not its password. Please try again.");
  else
    {
      on_failed (self, error);
      give_up (self);
    }
}

static void
open_with (BrowserWindow *self, GBytes *password)
{
  self->cancellable = g_cancellable_new ();
  browser_open_async (self->file,
                      password,
                      self->read_only,
                      self->cancellable,
                      on_opened,
                      g_object_ref (self));
}

static void
wipe_password (gpointer text)
{
  explicit_bzero (text, strlen (text));
  g_free (text);
}

static void
on_password (BrowserWindow *self)
{
  const char *text = gtk_editable_get_text (self->password_entry);
  gsize length = strlen (text);
  char *copy = g_strdup (text);
  g_autoptr (GBytes) password = g_bytes_new_with_free_func (copy, length, wipe_password, copy);

  if (self->cancellable != NULL || *text == '\0')
    return;
  gtk_editable_set_editable (self->password_entry, FALSE);
  gtk_widget_set_sensitive (self->password_button, FALSE);
  open_with (self, password);
  gtk_editable_set_text (self->password_entry, "");
}

static void
on_password_cancelled (BrowserWindow *self)
{
  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  give_up (self);
}

gboolean
browser_window_is_empty (BrowserWindow *self)
{
  return self->file == NULL;
}

void
browser_window_open (BrowserWindow *self, GFile *file, gboolean read_only)
{
  if (!browser_window_is_empty (self))
    {
      self = browser_window_new (gtk_window_get_application (GTK_WINDOW (self)));
      gtk_window_present (GTK_WINDOW (self));
    }
  hide_banner (self);
  self->file = g_object_ref (file);
  self->read_only = read_only;
  gtk_stack_set_visible_child_name (self->stack, "opening");
  open_with (self, NULL);
}

/* --- choosing a file -------------------------------------------------------------------------- */

static void
on_chosen (BrowserWindow *self, int response)
{
  g_autoptr (GFile) file = NULL;

  if (response == GTK_RESPONSE_ACCEPT)
    file = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (self->chooser));
  if (file != NULL)
    browser_window_open (self,
                         file,
                         g_object_get_data (G_OBJECT (self->chooser), "read-only") != NULL);
  g_clear_object (&self->chooser);
}

static void
open_file (GtkWidget *widget, const char *name, GVariant *parameter)
{
  BrowserWindow *self = BROWSER_WINDOW (widget);
  gboolean read_only = g_str_equal (name, "win.open-read-only");

  g_clear_object (&self->chooser);
  self->chooser =
      gtk_file_chooser_native_new (read_only ? "Open a store read-only" : "Open a store",
                                   GTK_WINDOW (self),
                                   GTK_FILE_CHOOSER_ACTION_OPEN,
                                   "_Open",
                                   "_Cancel");
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (self->chooser), TRUE);
  if (read_only)
    g_object_set_data (G_OBJECT (self->chooser), "read-only", self);
  g_signal_connect_swapped (self->chooser, "response", G_CALLBACK (on_chosen), self);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (self->chooser));
}

static gboolean
on_drop (BrowserWindow *self, const GValue *value)
{
  const GSList *files = g_value_get_boxed (value);

  for (; files != NULL; files = files->next)
    browser_window_open (self, files->data, FALSE);
  return TRUE;
}

/* --- other actions ---------------------------------------------------------------------------- */

static void
make_entry (BrowserWindow *self)
{
  browser_editor_make (self->editor, self->table);
}

static void
add_entry (GtkWidget *widget, const char *name, GVariant *parameter)
{
  BrowserWindow *self = BROWSER_WINDOW (widget);

  gtk_stack_set_visible_child_name (self->pages, "entries");
  when_saved (self, make_entry);
}

static void
search (GtkWidget *widget, const char *name, GVariant *parameter)
{
  BrowserWindow *self = BROWSER_WINDOW (widget);

  gtk_stack_set_visible_child_name (self->pages, "entries");
  browser_list_search (self->list);
}

static void
act_on_entry (GtkWidget *widget, const char *name, GVariant *parameter)
{
  gtk_widget_activate_action (GTK_WIDGET (BROWSER_WINDOW (widget)->editor),
                              g_str_equal (name, "win.delete-entry") ? "entry.delete"
                                                                     : "entry.save",
                              NULL);
}

/* --- beginning and end ------------------------------------------------------------------------ */

static void
close_window (BrowserWindow *self)
{
  gtk_window_close (GTK_WINDOW (self));
}

static gboolean
browser_window_close_request (GtkWindow *window)
{
  BrowserWindow *self = BROWSER_WINDOW (window);

  if (!browser_editor_is_dirty (self->editor))
    return GTK_WINDOW_CLASS (browser_window_parent_class)->close_request (window);
  when_saved (self, close_window);
  return TRUE;
}

static void
browser_window_dispose (GObject *object)
{
  BrowserWindow *self = BROWSER_WINDOW (object);

  if (self->cancellable != NULL)
    g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  if (self->tables != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->tables, self);
      browser_tables_show (self->tables, NULL);
    }
  g_clear_object (&self->tables);
  g_clear_object (&self->chooser);
  g_clear_object (&self->file);
  g_clear_object (&self->table);
  g_clear_object (&self->undo_table);
  g_clear_pointer (&self->undo_key, g_bytes_unref);
  g_clear_pointer (&self->undo_record, g_bytes_unref);
  gtk_widget_dispose_template (GTK_WIDGET (object), BROWSER_TYPE_WINDOW);
  /* the last reference closes it; all that was saved is in the file */
  g_clear_object (&self->store);
  G_OBJECT_CLASS (browser_window_parent_class)->dispose (object);
}

static void
bind_children (GtkWidgetClass *widget_class)
{
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, title_label);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, subtitle_label);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, switcher);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, banner);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, banner_box);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, banner_label);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, undo_button);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, stack);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, password_path);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, password_entry);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, password_error);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, password_button);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, pages);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, tables_view);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, list);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, editor);
  gtk_widget_class_bind_template_child (widget_class, BrowserWindow, stats);
  gtk_widget_class_bind_template_callback (widget_class, hide_banner);
  gtk_widget_class_bind_template_callback (widget_class, on_password);
  gtk_widget_class_bind_template_callback (widget_class, on_password_cancelled);
  gtk_widget_class_bind_template_callback (widget_class, on_selected);
  gtk_widget_class_bind_template_callback (widget_class, on_activated);
  gtk_widget_class_bind_template_callback (widget_class, on_failed);
  gtk_widget_class_bind_template_callback (widget_class, on_deleted);
  gtk_widget_class_bind_template_callback (widget_class, on_settled);
}

static void
browser_window_class_init (BrowserWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = browser_window_dispose;
  GTK_WINDOW_CLASS (klass)->close_request = browser_window_close_request;

  g_type_ensure (BROWSER_TYPE_EDITOR);
  g_type_ensure (BROWSER_TYPE_LIST);
  g_type_ensure (BROWSER_TYPE_STATS);
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/org/dictsqlite/Browser/browser-window.ui");
  bind_children (widget_class);
  gtk_widget_class_install_action (widget_class, "win.open", NULL, open_file);
  gtk_widget_class_install_action (widget_class, "win.open-read-only", NULL, open_file);
  gtk_widget_class_install_action (widget_class, "win.search", NULL, search);
  gtk_widget_class_install_action (widget_class, "win.add-entry", NULL, add_entry);
  gtk_widget_class_install_action (widget_class, "win.save-entry", NULL, act_on_entry);
  gtk_widget_class_install_action (widget_class, "win.delete-entry", NULL, act_on_entry);
  gtk_widget_class_install_action (widget_class, "win.undo", NULL, undo);
}

static void
browser_window_init (BrowserWindow *self)
{
  GtkDropTarget *target = gtk_drop_target_new (GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);

  gtk_widget_init_template (GTK_WIDGET (self));
  self->tables = browser_tables_new (self->tables_view);
  g_signal_connect_swapped (self->tables, "selected", G_CALLBACK (on_table), self);
  g_signal_connect_swapped (self->tables, "failed", G_CALLBACK (on_failed), self);
  g_signal_connect_swapped (target, "drop", G_CALLBACK (on_drop), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (target));
  forget_deleted (self);
  show_title (self);
}

BrowserWindow *
browser_window_new (GtkApplication *application)
{
  return g_object_new (BROWSER_TYPE_WINDOW, "application", application, NULL);
}
