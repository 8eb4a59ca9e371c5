/* browser-editor-view.c - one entry: what is shown of it, and how it is learned
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "browser-editor-internal.h"

#include "browser-job.h"
#include "browser-value.h"

BrowserAsked *
browser_asked_new (BrowserEditor *self, GBytes *key, GBytes *record)
{
  BrowserAsked *asked = g_new0 (BrowserAsked, 1);

  asked->editor = g_object_ref (self);
  asked->serial = self->serial;
  asked->key = g_bytes_ref (key);
  asked->record = record != NULL ? g_bytes_ref (record) : NULL;
  return asked;
}

void
browser_asked_free (BrowserAsked *self)
{
  g_object_unref (self->editor);
  g_bytes_unref (self->key);
  g_clear_pointer (&self->record, g_bytes_unref);
  g_free (self);
}

void
browser_take_bytes (GBytes **where, GBytes *bytes)
{
  GBytes *old = *where;

  *where = bytes != NULL ? g_bytes_ref (bytes) : NULL;
  g_clear_pointer (&old, g_bytes_unref);
}

static gboolean
is_same (GBytes *a, GBytes *b)
{
  return a == b || (a != NULL && b != NULL && g_bytes_equal (a, b));
}

static gboolean
is_read_only (BrowserEditor *self)
{
  gboolean read_only = TRUE;

  if (self->table != NULL)
    g_object_get (self->table, "read-only", &read_only, NULL);
  return read_only;
}

/* --- what is shown ---------------------------------------------------------------------------- */

void
browser_editor_say (BrowserEditor *self, const char *message)
{
  gtk_label_set_text (self->error_label, message != NULL ? message : "");
  gtk_widget_set_visible (GTK_WIDGET (self->error_label), message != NULL);
}

void
browser_editor_update_actions (BrowserEditor *self)
{
  gboolean can_write = self->is_filled && !self->is_writing && !is_read_only (self);
  gboolean has_error = gtk_widget_get_visible (GTK_WIDGET (self->error_label));
  GtkWidget *widget = GTK_WIDGET (self);

  gtk_widget_action_set_enabled (widget,
                                 "entry.save",
                                 can_write && self->is_dirty && !has_error && !self->has_conflict);
  gtk_widget_action_set_enabled (widget, "entry.revert", can_write && self->is_dirty);
  gtk_widget_action_set_enabled (widget, "entry.delete", can_write && self->record != NULL);
}

void
browser_editor_show_conflict (BrowserEditor *self, gboolean has_conflict)
{
  g_autofree char *summary = NULL;
  g_autofree char *text = NULL;

  self->has_conflict = has_conflict;
  if (has_conflict && self->theirs != NULL)
    {
      summary = browser_value_dup_summary (self->theirs);
      text = g_strdup_printf ("Another has changed this entry meanwhile. It is now %s: %s",
                              browser_type_get_name (browser_value_get_type (self->theirs)),
                              summary);
    }
  else if (has_conflict)
    text = g_strdup ("Another has deleted this entry meanwhile.");
  if (has_conflict)
    gtk_label_set_text (self->conflict_label, text);
  gtk_revealer_set_reveal_child (self->conflict, has_conflict);
  browser_editor_update_actions (self);
}

static void
show_time (BrowserEditor *self)
{
  gint64 left = self->deadline - g_get_monotonic_time ();
  g_autofree char *text =
      browser_time_dup_text (self->deadline != 0 ? MAX (left, 0) / 1000 : DSQ_NEVER);

  gtk_label_set_text (self->time_label, text);
}

/* An entry that has expired is told of only when it is swept. */
static gboolean
tick_cb (gpointer data)
{
  BrowserEditor *self = data;

  show_time (self);
  if (g_get_monotonic_time () > self->deadline)
    browser_editor_read (self);
  return G_SOURCE_CONTINUE;
}

static void
take_time (BrowserEditor *self, gint64 milliseconds)
{
  self->deadline = milliseconds < DSQ_NEVER
                       ? g_get_monotonic_time () + MIN (milliseconds, G_MAXINT64 / 2000) * 1000
                       : 0;
  g_clear_handle_id (&self->clock, g_source_remove);
  if (self->deadline != 0)
    self->clock = g_timeout_add_seconds (1, tick_cb, self);
  show_time (self);
}

static void
show_none (BrowserEditor *self, const char *text)
{
  gtk_label_set_text (self->none_label, text);
  gtk_stack_set_visible_child_name (self->stack, "none");
}

/* Shows the record as it is in the store. */
void
browser_editor_fill (BrowserEditor *self)
{
  gboolean is_new = self->key == NULL;
  gboolean can_write = !is_read_only (self);
  BrowserType type = self->record != NULL ? browser_value_get_type (self->record) : BROWSER_STR;
  g_autofree char *key = is_new ? g_strdup ("") : browser_key_dup_text (self->key);
  g_autofree char *text = self->record != NULL ? browser_value_dup_text (self->record)
                                               : g_strdup ("");

  self->is_filling = TRUE;
  self->is_text = text != NULL;
  if (text == NULL)
    text = browser_value_describe (self->record);
  gtk_editable_set_text (GTK_EDITABLE (self->key_entry), key);
  gtk_editable_set_editable (GTK_EDITABLE (self->key_entry), is_new);
  gtk_check_button_set_active (self->json_check, FALSE);
  gtk_widget_set_visible (GTK_WIDGET (self->json_check), is_new);
  gtk_widget_set_visible (GTK_WIDGET (self->type_drop), self->is_text && can_write);
  gtk_widget_set_visible (GTK_WIDGET (self->type_label), !self->is_text || !can_write);
  gtk_label_set_text (self->type_label, browser_type_get_name (type));
  if (self->is_text)
    gtk_drop_down_set_selected (self->type_drop, type);
  gtk_text_buffer_set_text (self->buffer, text, -1);
  gtk_text_view_set_editable (self->text_view, self->is_text && can_write);
  gtk_editable_set_text (GTK_EDITABLE (self->time_entry), "");
  gtk_widget_set_visible (GTK_WIDGET (self->time_entry), can_write);
  gtk_widget_set_visible (self->buttons, can_write);
  browser_editor_say (self, NULL);
  self->is_filling = FALSE;
  self->is_dirty = FALSE;
  self->is_filled = TRUE;
  gtk_stack_set_visible_child_name (self->stack, "entry");
  browser_take_bytes (&self->theirs, NULL);
  browser_editor_show_conflict (self, FALSE);
}

void
browser_editor_show_record (BrowserEditor *self)
{
  if (self->record != NULL)
    {
      browser_editor_fill (self);
      return;
    }
  self->is_filled = FALSE;
  show_none (self, "This entry has been deleted, or has expired");
  browser_editor_update_actions (self);
}

void
browser_editor_clear (BrowserEditor *self)
{
  self->serial++;
  self->is_filled = self->is_dirty = self->is_reading = self->reads_again = self->is_writing =
      FALSE;
  self->has_next = FALSE;
  if (self->watch != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->watch, self);
      g_object_run_dispose (G_OBJECT (self->watch));
    }
  g_clear_object (&self->watch);
  g_clear_handle_id (&self->clock, g_source_remove);
  g_clear_object (&self->table);
  browser_take_bytes (&self->key, NULL);
  browser_take_bytes (&self->record, NULL);
  browser_take_bytes (&self->theirs, NULL);
  g_clear_object (&self->next_table);
  browser_take_bytes (&self->next_key, NULL);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void
learn (BrowserEditor *self, GBytes *record, gint64 milliseconds)
{
  if (self->is_filled && is_same (self->record, record))
    {
      take_time (self, record != NULL ? milliseconds : DSQ_NEVER);
      browser_take_bytes (&self->theirs, NULL);
      browser_editor_show_conflict (self, FALSE);
      return;
    }
  if (self->is_dirty)
    {
      browser_take_bytes (&self->theirs, record);
      browser_editor_show_conflict (self, TRUE);
      return;
    }
  browser_take_bytes (&self->record, record);
  take_time (self, record != NULL ? milliseconds : DSQ_NEVER);
  browser_editor_show_record (self);
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (BrowserAsked) asked = data;
  g_autoptr (GBytes) record = NULL;
  g_autoptr (GError) error = NULL;
  BrowserEditor *self = asked->editor;
  gint64 milliseconds;
  gboolean is_read = browser_read_finish (result, &record, &milliseconds, &error);

  if (asked->serial != self->serial)
    return;
  self->is_reading = FALSE;
  if (is_read)
    learn (self, record, milliseconds);
  else
    g_signal_emit_by_name (self, "failed", error);
  if (self->reads_again)
    browser_editor_read (self);
}

void
browser_editor_read (BrowserEditor *self)
{
  /* what is being written is read when that is done */
  self->reads_again = self->is_reading || self->is_writing;
  if (self->reads_again || self->key == NULL)
    return;
  self->is_reading = TRUE;
  browser_read_async (self->table, self->key, on_read, browser_asked_new (self, self->key, NULL));
}

static void
start (BrowserEditor *self, DsqStore *table, GBytes *key)
{
  g_autoptr (GError) error = NULL;

  self->table = g_object_ref (table);
  browser_take_bytes (&self->key, key);
  /* of all keys: a watch does not name those that are no text */
  self->watch = dsq_store_watch (table, NULL, &error);
  if (self->watch != NULL)
    g_signal_connect_swapped (self->watch, "changed", G_CALLBACK (browser_editor_read), self);
  else
    g_signal_emit_by_name (self, "failed", error);
}

gboolean
browser_editor_show (BrowserEditor *self, DsqStore *table, GBytes *key)
{
  if (self->key != NULL && key != NULL && self->table == table && g_bytes_equal (self->key, key))
    {
      self->has_next = FALSE;
      return FALSE;
    }
  if (self->is_dirty || self->is_writing)
    {
      g_set_object (&self->next_table, table);
      browser_take_bytes (&self->next_key, key);
      self->has_next = key != NULL;
      return self->has_next;
    }
  browser_editor_clear (self);
  if (key == NULL)
    show_none (self, "Select an entry to see it");
  else
    {
      start (self, table, key);
      browser_editor_read (self);
    }
  browser_editor_update_actions (self);
  return FALSE;
}

/* Shows what has been asked for while there was something to save. */
void
browser_editor_go_on (BrowserEditor *self)
{
  g_autoptr (DsqStore) table = g_steal_pointer (&self->next_table);
  g_autoptr (GBytes) key = g_steal_pointer (&self->next_key);

  if (self->has_next)
    {
      self->has_next = FALSE;
      browser_editor_show (self, table, key);
    }
}

void
browser_editor_make (BrowserEditor *self, DsqStore *table)
{
  browser_editor_clear (self);
  start (self, table, NULL);
  take_time (self, DSQ_NEVER);
  browser_editor_fill (self);
  gtk_widget_grab_focus (GTK_WIDGET (self->key_entry));
}

gboolean
browser_editor_is_dirty (BrowserEditor *self)
{
  return self->is_dirty || self->is_writing;
}

gboolean
browser_editor_is_writing (BrowserEditor *self)
{
  return self->is_writing;
}
