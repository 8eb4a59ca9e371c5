/* test-browser-typed.c - what becomes of what was typed, and is not saved
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "browser-support.h"

static GtkDialog *
question (void)
{
  g_autoptr (GList) windows = gtk_window_list_toplevels ();

  for (GList *window = windows; window != NULL; window = window->next)
    if (GTK_IS_MESSAGE_DIALOG (window->data))
      return window->data;
  return NULL;
}

static void
answer (int response)
{
  g_assert_nonnull (question ());
  gtk_dialog_response (question (), response);
  g_assert_null (question ());
}

static void
select_row (Seat *self, guint row)
{
  gtk_selection_model_select_item (gtk_column_view_get_model (seat_part (self, "view")), row, TRUE);
}

static void
select_table (Seat *self, guint row)
{
  gtk_selection_model_select_item (gtk_list_view_get_model (seat_part (self, "tables_view")),
                                   row,
                                   TRUE);
}

/* The first of two rows, typed into. */
static void
edit_first (Seat *self)
{
  other ("", "set", self->path, "a", "first", NULL);
  other ("", "set", self->path, "b", "second", NULL);
  other ("", "set", self->path, "c", "third", "--table", "t", NULL);
  seat_open_store (self);
  seat_until (seat_sees (self, "second"));
  seat_select (self, "a");
  seat_type_value (self, "typed");
}

static void
test_what_is_not_saved_stays (Seat *self, gconstpointer unused)
{
  edit_first (self);
  gtk_window_close (GTK_WINDOW (self->window));
  answer (GTK_RESPONSE_CANCEL);
  seat_act (self, "win.add-entry");
  answer (GTK_RESPONSE_CANCEL);
  select_row (self, 1);
  answer (GTK_RESPONSE_CANCEL);
  seat_type (self, "search", "b");
  seat_until (seat_rows (self) == 1);
  g_assert_null (question ());
  select_table (self, 1);
  answer (GTK_RESPONSE_DELETE_EVENT);
  seat_linger (100);
  g_assert_true (seat_sees (self, "typed"));
  g_assert_true (gtk_widget_get_mapped (GTK_WIDGET (self->window)));
  other ("\"first\"\n", "get", self->path, "a", "--json", NULL);
  seat_click (self, "_Save");
  seat_until (seat_is_saved (self));
  other ("\"typed\"\n", "get", self->path, "a", "--json", NULL);
}

static void
test_saves_when_asked (Seat *self, gconstpointer unused)
{
  edit_first (self);
  select_row (self, 1);
  answer (GTK_RESPONSE_ACCEPT);
  seat_until (seat_is_saved (self) && seat_sees (self, "second"));
  g_assert_cmpstr (gtk_editable_get_text (seat_part (self, "key_entry")), ==, "b");
  other ("\"typed\"\n", "get", self->path, "a", "--json", NULL);

  seat_type_value (self, "typed, too");
  seat_act (self, "win.add-entry");
  answer (GTK_RESPONSE_ACCEPT);
  seat_until (gtk_editable_get_editable (seat_part (self, "key_entry")));
  other ("\"typed, too\"\n", "get", self->path, "b", "--json", NULL);

  /* what cannot be saved stays */
  seat_type_value (self, "of a key that there is");
  seat_type (self, "key_entry", "a");
  select_table (self, 1);
  answer (GTK_RESPONSE_ACCEPT);
  seat_until (seat_sees (self, "There is an entry of this key already"));
  seat_type (self, "time_entry", "soon");
  gtk_window_close (GTK_WINDOW (self->window));
  answer (GTK_RESPONSE_ACCEPT);
  seat_linger (50);
  g_assert_true (seat_sees (self, "of a key that there is"));
  g_assert_true (seat_sees (self, "not a number of seconds"));
  g_assert_null (question ());
}

static void
test_discards_when_asked (Seat *self, gconstpointer unused)
{
  g_autoptr (GtkWidget) window = NULL;

  edit_first (self);
  select_row (self, 1);
  answer (GTK_RESPONSE_REJECT);
  seat_until (seat_is_saved (self) && seat_sees (self, "second"));

  seat_type_value (self, "typed, too");
  seat_act (self, "win.add-entry");
  answer (GTK_RESPONSE_REJECT);
  g_assert_true (gtk_editable_get_editable (seat_part (self, "key_entry")));
  seat_type (self, "key_entry", "new");
  select_table (self, 1);
  answer (GTK_RESPONSE_REJECT);
  seat_until (seat_sees (self, "Select an entry to see it") && seat_sees (self, "third"));

  seat_select (self, "c");
  seat_type_value (self, "typed at last");
  gtk_window_close (GTK_WINDOW (self->window));
  window = g_object_ref (GTK_WIDGET (self->window));
  answer (GTK_RESPONSE_REJECT);
  seat_until (!gtk_widget_get_mapped (window));
  g_application_activate (self->application);
  self->window = gtk_application_get_windows (GTK_APPLICATION (self->application))->data;
  g_assert_true (GTK_WIDGET (self->window) != window);
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);

  seat_add ("what-is-not-saved-stays", test_what_is_not_saved_stays);
  seat_add ("saves-when-asked", test_saves_when_asked);
  seat_add ("discards-when-asked", test_discards_when_asked);
  return g_test_run ();
}
