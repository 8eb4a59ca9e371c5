/* browser-editor.c - one entry, edited and written
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "browser-editor-internal.h"

#include "browser-job.h"
#include "browser-part.h"
#include "browser-value.h"
#include "cli-error.h"

G_DEFINE_FINAL_TYPE (BrowserEditor, browser_editor, GTK_TYPE_WIDGET)

/* --- editing ---------------------------------------------------------------------------------- */

static char *
get_text (BrowserEditor *self)
{
  GtkTextIter start, end;

  gtk_text_buffer_get_bounds (self->buffer, &start, &end);
  return gtk_text_buffer_get_text (self->buffer, &start, &end, TRUE);
}

/* The record that was typed; one that is no text stays as it is. */
static GBytes *
make_record (BrowserEditor *self, GError **error)
{
  g_autofree char *text = NULL;

  if (!self->is_text)
    return g_bytes_ref (self->record);
  text = get_text (self);
  return browser_value_parse (gtk_drop_down_get_selected (self->type_drop), text, error);
}

static void
on_edited (BrowserEditor *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) record = NULL;
  gint64 milliseconds;

  if (self->is_filling)
    return;
  self->is_dirty = TRUE;
  record = make_record (self, &error);
  if (record != NULL)
    browser_time_parse (gtk_editable_get_text (GTK_EDITABLE (self->time_entry)),
                        &milliseconds,
                        &error);
  browser_editor_say (self, error != NULL ? error->message : NULL);
  browser_editor_update_actions (self);
}

void
browser_editor_revert (BrowserEditor *self)
{
  if (self->key == NULL || self->record == NULL)
    {
      self->is_dirty = FALSE;
      if (!self->has_next)
        browser_editor_show (self, NULL, NULL);
    }
  else
    browser_editor_fill (self);
  browser_editor_go_on (self);
  browser_editor_read (self);
}

static void
take_theirs (BrowserEditor *self)
{
  self->is_dirty = FALSE;
  browser_take_bytes (&self->record, self->theirs);
  browser_editor_show_record (self);
  browser_editor_read (self);
}

static void
keep_mine (BrowserEditor *self)
{
  browser_take_bytes (&self->record, self->theirs);
  browser_take_bytes (&self->theirs, NULL);
  browser_editor_show_conflict (self, FALSE);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void
end_writing (BrowserEditor *self)
{
  self->is_writing = FALSE;
  browser_editor_update_actions (self);
}

static void
on_saved (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (BrowserAsked) asked = data;
  g_autoptr (GError) error = NULL;
  BrowserEditor *self = asked->editor;
  DsqAnswer answer = browser_write_finish (result, &error);

  if (asked->serial != self->serial)
    return;
  self->is_dirty = self->is_dirty || answer != DSQ_ANSWER_YES;
  end_writing (self);
  if (error != NULL)
    g_signal_emit_by_name (self, "failed", error);
  else if (answer == DSQ_ANSWER_YES)
    {
      browser_take_bytes (&self->key, asked->key);
      browser_take_bytes (&self->record, asked->record);
      if (self->is_dirty)
        gtk_editable_set_editable (GTK_EDITABLE (self->key_entry), FALSE);
      else
        browser_editor_fill (self);
      browser_editor_go_on (self);
    }
  else if (self->key == NULL)
    {
      browser_editor_say (self, "There is an entry of this key already");
      browser_editor_update_actions (self);
    }
  /* whose it is, or what another has made of it, maybe while this was written */
  browser_editor_read (self);
  g_signal_emit_by_name (self, "settled");
}

static void
save (GtkWidget *widget, const char *name, GVariant *parameter)
{
  BrowserEditor *self = BROWSER_EDITOR (widget);
  gint64 milliseconds = self->record != NULL ? BROWSER_KEEP_TIME : DSQ_NEVER;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) record = make_record (self, &error);
  g_autoptr (GBytes) key = NULL;

  if (record != NULL)
    key = self->key != NULL
              ? g_bytes_ref (self->key)
              : browser_key_parse (gtk_editable_get_text (GTK_EDITABLE (self->key_entry)),
                                   gtk_check_button_get_active (self->json_check),
                                   &error);
  if (key != NULL)
    browser_time_parse (gtk_editable_get_text (GTK_EDITABLE (self->time_entry)),
                        &milliseconds,
                        &error);
  if (error != NULL)
    {
      browser_editor_say (self, error->message);
      browser_editor_update_actions (self);
      return;
    }
  /* what is typed from now on is for the next time */
  self->is_writing = TRUE;
  self->is_dirty = FALSE;
  browser_editor_update_actions (self);
  browser_write_async (self->table,
                       key,
                       self->record,
                       record,
                       milliseconds,
                       on_saved,
                       browser_asked_new (self, key, record));
}

static void
on_deleted (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (BrowserAsked) asked = data;
  g_autoptr (GError) error = NULL;
  BrowserEditor *self = asked->editor;
  DsqAnswer answer = browser_write_finish (result, &error);
  gint64 left;

  if (asked->serial != self->serial)
    return;
  end_writing (self);
  if (error == NULL && answer == DSQ_ANSWER_NO)
    cli_set_error (&error,
                   CLI_FAILED,
                   "The entry was not deleted: another has changed it meanwhile");
  if (error != NULL)
    {
      g_signal_emit_by_name (self, "failed", error);
      browser_editor_read (self);
      g_signal_emit_by_name (self, "settled");
      return;
    }
  self->is_dirty = FALSE;
  left = self->deadline != 0 ? (self->deadline - g_get_monotonic_time ()) / 1000 : DSQ_NEVER;
  g_signal_emit_by_name (self, "deleted", source, asked->key, asked->record, MAX (left, 1));
  if (!self->has_next)
    browser_editor_show (self, NULL, NULL);
  browser_editor_go_on (self);
  g_signal_emit_by_name (self, "settled");
}

static void
delete_entry (GtkWidget *widget, const char *name, GVariant *parameter)
{
  BrowserEditor *self = BROWSER_EDITOR (widget);

  self->is_writing = TRUE;
  browser_editor_update_actions (self);
  browser_write_async (self->table,
                       self->key,
                       self->record,
                       NULL,
                       BROWSER_KEEP_TIME,
                       on_deleted,
                       browser_asked_new (self, self->key, self->record));
}

static void
revert (GtkWidget *widget, const char *name, GVariant *parameter)
{
  browser_editor_revert (BROWSER_EDITOR (widget));
}

/* --- beginning and end ------------------------------------------------------------------------ */

static void
browser_editor_dispose (GObject *object)
{
  browser_editor_clear (BROWSER_EDITOR (object));
  browser_part_dispose (GTK_WIDGET (object), BROWSER_TYPE_EDITOR);
  G_OBJECT_CLASS (browser_editor_parent_class)->dispose (object);
}

static void
browser_editor_class_init (BrowserEditorClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = browser_editor_dispose;

  browser_part_add_signal (BROWSER_TYPE_EDITOR, "failed", 1, G_TYPE_ERROR);
  browser_part_add_signal (BROWSER_TYPE_EDITOR, "settled", 0);
  browser_part_add_signal (BROWSER_TYPE_EDITOR,
                           "deleted",
                           4,
                           DSQ_TYPE_STORE,
                           G_TYPE_BYTES,
                           G_TYPE_BYTES,
                           G_TYPE_INT64);

  browser_part_set_template (widget_class, "browser-editor.ui");
  gtk_widget_class_bind_template_child (widget_class, BrowserEditor, stack);
  gtk_widget_class_bind_template_child (widget_class, BrowserEditor, none_label);
  gtk_widget_class_bind_template_child (widget_class, BrowserEditor, conflict);
  gtk_widget_class_bind_template_child (widget_class, BrowserEditor, conflict_label);
  gtk_widget_class_bind_template_child (widget_class, BrowserEditor, key_entry);
  gtk_widget_class_bind_template_child (widget_class, BrowserEditor, json_check);
  gtk_widget_class_bind_template_child (widget_class, BrowserEditor, type_drop);
  gtk_widget_class_bind_template_child (widget_class, BrowserEditor, type_label);
  gtk_widget_class_bind_template_child (widget_class, BrowserEditor, time_label);
  gtk_widget_class_bind_template_child (widget_class, BrowserEditor, time_entry);
  gtk_widget_class_bind_template_child (widget_class, BrowserEditor, text_view);
  gtk_widget_class_bind_template_child (widget_class, BrowserEditor, buffer);
  gtk_widget_class_bind_template_child (widget_class, BrowserEditor, error_label);
  gtk_widget_class_bind_template_child (widget_class, BrowserEditor, buttons);
  gtk_widget_class_bind_template_callback (widget_class, on_edited);
  gtk_widget_class_bind_template_callback (widget_class, take_theirs);
  gtk_widget_class_bind_template_callback (widget_class, keep_mine);
  gtk_widget_class_install_action (widget_class, "entry.save", NULL, save);
  gtk_widget_class_install_action (widget_class, "entry.revert", NULL, revert);
  gtk_widget_class_install_action (widget_class, "entry.delete", NULL, delete_entry);
}

static void
browser_editor_init (BrowserEditor *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  gtk_stack_set_visible_child_name (self->stack, "none");
  browser_editor_update_actions (self);
}
