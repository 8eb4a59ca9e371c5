/* test-browser-files.c - what the browser is given to open
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "browser-support.h"

static void
test_asks_for_the_password (Seat *self, gconstpointer unused)
{
  g_setenv ("DSQ_TEST_PASSWORD", "sesame", TRUE);
  other ("",
         "set",
         self->path,
         "secret",
         "of the store",
         "--password-env",
         "DSQ_TEST_PASSWORD",
         NULL);
  seat_open (self, self->path, FALSE);
  seat_until (seat_sees (self, "This store is encrypted"));
  g_assert_true (seat_sees (self, self->path));
  seat_type (self, "password_entry", "wrong");
  seat_click (self, "_Unlock");
  seat_until (seat_sees (self, "This is not its password"));
  g_assert_cmpstr (gtk_editable_get_text (seat_part (self, "password_entry")), ==, "");
  seat_type (self, "password_entry", "sesame");
  seat_click (self, "_Unlock");
  seat_until (seat_sees (self, "secret") && seat_sees (self, "of the store"));
  seat_type (self, "search", "sec");
  seat_until (seat_sees (self, "1 entry"));
}

static void
test_tells_what_is_no_store (Seat *self, gconstpointer unused)
{
  static const struct
  {
    const char *name;
    const char *content;
    const char *said;
  } files[] = {
    { "missing.db", NULL, "No such file" },
    { "empty.db", "", "no store, but an empty file" },
    { "text.txt", "some text\n", "no store, but text" },
    { "sqlite.db", "SQLite format 3", "no store, but" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_build_filename (self->folder, files[i].name, NULL);
      g_autofree char *now = NULL;

      if (files[i].content != NULL)
        g_assert_true (g_file_set_contents (path, files[i].content, -1, NULL));
      seat_open (self, path, FALSE);
      seat_until (seat_sees (self, files[i].said));
      g_assert_true (seat_sees (self, path));
      g_assert_true (seat_sees (self, "Open a store"));
      if (files[i].content == NULL)
        g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
      else
        {
          g_assert_true (g_file_get_contents (path, &now, NULL, NULL));
          g_assert_cmpstr (now, ==, files[i].content);
        }
    }
  seat_open (self, self->folder, FALSE);
  seat_until (seat_sees (self, "no store, but a folder"));
  seat_open (self, "/dev/null", FALSE);
  seat_until (seat_sees (self, "no store, but no file, but a pipe or a device"));
}

/* Damages one byte of each page behind the first two. */
static void
test_tells_what_is_damaged (Seat *self, gconstpointer unused)
{
  g_autofree char *content = NULL;
  gsize length;

  seat_fill (self, 5000);
  g_assert_true (g_file_get_contents (self->path, &content, &length, NULL));
  for (gsize i = 2 * 4096 + 3000; i < length; i += 4096)
    content[i] ^= 0x55;
  g_assert_true (g_file_set_contents (self->path, content, (gssize) length, NULL));
  seat_open (self, self->path, FALSE);
  seat_until (seat_sees (self, "damaged") || seat_sees (self, "malformed") ||
              seat_sees (self, "checksum"));
  g_assert_true (seat_sees (self, self->path));
}

static void
test_read_only_changes_nothing (Seat *self, gconstpointer unused)
{
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  gsize n_before, n_after;

  other ("", "set", self->path, "name", "value", NULL);
  g_assert_true (g_file_get_contents (self->path, &before, &n_before, NULL));
  seat_open (self, self->path, TRUE);
  seat_until (seat_sees (self, "1 entry"));
  g_assert_true (seat_sees (self, "(read-only)"));
  seat_select (self, "name");
  g_assert_true (seat_sees (self, "value"));
  g_assert_false (gtk_text_view_get_editable (seat_part (self, "text_view")));
  g_assert_false (seat_can (self, "entry.save"));
  g_assert_false (seat_can (self, "entry.delete"));
  g_assert_false (seat_can (self, "win.add-entry"));
  seat_act (self, "win.delete-entry");
  seat_linger (100);
  g_assert_true (g_file_get_contents (self->path, &after, &n_after, NULL));
  g_assert_cmpmem (before, n_before, after, n_after);

  /* and still it follows */
  other ("", "set", self->path, "name", "new value", NULL);
  seat_until (seat_sees (self, "new value"));
}

static void
test_takes_what_is_dropped (Seat *self, gconstpointer unused)
{
  g_autofree char *other_path = g_build_filename (self->folder, "other.db", NULL);
  g_autoptr (GFile) file = g_file_new_for_path (self->path);
  g_autoptr (GFile) other_file = g_file_new_for_path (other_path);
  g_autoptr (GListModel) controllers = gtk_widget_observe_controllers (GTK_WIDGET (self->window));
  g_auto (GValue) value = G_VALUE_INIT;
  gboolean is_taken = FALSE;
  GSList *files = NULL;
  Seat second = *self;
  GList *windows;

  other ("", "set", self->path, "name", "of the first", NULL);
  other ("", "set", other_path, "name", "of the second", NULL);
  files = g_slist_prepend (g_slist_prepend (NULL, other_file), file);
  g_value_init (&value, GDK_TYPE_FILE_LIST);
  g_value_set_boxed (&value, files);
  g_slist_free (files);
  for (guint i = 0; i < g_list_model_get_n_items (controllers); i++)
    {
      g_autoptr (GObject) controller = g_list_model_get_item (controllers, i);

      if (GTK_IS_DROP_TARGET (controller))
        g_signal_emit_by_name (controller, "drop", &value, 0.0, 0.0, &is_taken);
    }
  g_assert_true (is_taken);
  windows = gtk_application_get_windows (GTK_APPLICATION (self->application));
  g_assert_cmpuint (g_list_length (windows), ==, 2);
  second.window = windows->data != self->window ? windows->data : windows->next->data;
  seat_until (seat_sees (self, "of the first") && seat_sees (&second, "of the second"));
}

static gboolean
is_chosen (GtkWidget *dialog, GFile *file)
{
  g_autoptr (GFile) chosen = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog));

  return chosen != NULL && g_file_equal (chosen, file);
}

static void
test_takes_what_is_chosen (Seat *self, gconstpointer unused)
{
  g_autoptr (GFile) file = g_file_new_for_path (self->path);
  g_autoptr (GListModel) windows = g_object_ref (gtk_window_get_toplevels ());
  GtkWidget *dialog = NULL;

  other ("", "set", self->path, "name", "value", NULL);
  seat_act (self, "win.open-read-only");
  for (guint i = 0; i < g_list_model_get_n_items (windows); i++)
    {
      g_autoptr (GtkWidget) window = g_list_model_get_item (windows, i);

      if (GTK_IS_FILE_CHOOSER_DIALOG (window))
        dialog = window;
    }
  g_assert_nonnull (dialog);
  g_assert_cmpstr (gtk_window_get_title (GTK_WINDOW (dialog)), ==, "Open a store read-only");
  gtk_file_chooser_set_file (GTK_FILE_CHOOSER (dialog), file, NULL);
  seat_until (is_chosen (dialog, file));
  gtk_dialog_response (GTK_DIALOG (dialog), GTK_RESPONSE_ACCEPT);
  seat_until (seat_sees (self, "(read-only)") && seat_sees (self, "1 entry"));
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);

  seat_add ("asks-for-the-password", test_asks_for_the_password);
  seat_add ("tells-what-is-no-store", test_tells_what_is_no_store);
  seat_add ("tells-what-is-damaged", test_tells_what_is_damaged);
  seat_add ("read-only-changes-nothing", test_read_only_changes_nothing);
  seat_add ("takes-what-is-dropped", test_takes_what_is_dropped);
  seat_add ("takes-what-is-chosen", test_takes_what_is_chosen);
  return g_test_run ();
}
