/* test-browser.c - the browser, used as somebody before the screen uses it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "browser-support.h"

/* --- lists ------------------------------------------------------------------------------------ */

/* Runs the loop until there are so many rows; the longest that it stood still, in microseconds. */
static gint64
wait_for_rows (Seat *self, guint n_rows)
{
  gint64 longest = 0, end = g_get_monotonic_time () + 120 * G_USEC_PER_SEC;

  while (seat_rows (self) != n_rows || seat_sees (self, "reading"))
    {
      gint64 start = g_get_monotonic_time ();

      g_assert_cmpint (start, <, end);
      if (!g_main_context_iteration (NULL, FALSE))
        g_usleep (500);
      longest = MAX (longest, g_get_monotonic_time () - start);
    }
  return longest;
}

static void
test_lists_and_filters (Seat *self, gconstpointer unused)
{
  guint n_keys = g_getenv ("DSQ_LONG") != NULL ? 1000000 : 50000;
  gint64 longest;

  seat_fill (self, n_keys);
  seat_open (self, self->path, FALSE);
  longest = wait_for_rows (self, n_keys);
  g_test_message ("%u keys listed: the loop stood still for %.1f ms at most",
                  n_keys,
                  (double) longest / 1000);
  seat_until (seat_sees (self, n_keys == 50000 ? "50,000 entries" : "1,000,000 entries"));
  seat_until (seat_sees (self, "key/0000000"));
  g_assert_false (seat_sees (self, "key/0040000"));

  seat_type (self, "search", "key/00001");
  longest = wait_for_rows (self, 100);
  g_test_message ("filtered: %.1f ms", (double) longest / 1000);
  seat_until (seat_sees (self, "100 entries") && seat_sees (self, "key/0000100") &&
              !seat_sees (self, "key/0000000"));
  seat_type (self, "search", "nothing/");
  wait_for_rows (self, 0);
  seat_until (seat_sees (self, "0 entries"));
  seat_type (self, "search", "");
  wait_for_rows (self, n_keys);
}

static void
test_tables_of_others_come_and_go (Seat *self, gconstpointer unused)
{
  GtkListView *view;
  GtkSelectionModel *model;

  other ("", "set", self->path, "in-main", "1", NULL);
  other ("", "set", self->path, "in-queue", "2", "--table", "queue", NULL);
  seat_open_store (self);
  view = seat_part (self, "tables_view");
  model = gtk_list_view_get_model (view);
  seat_until (seat_sees (self, "in-main") && seat_sees (self, "queue"));
  g_assert_false (seat_sees (self, "in-queue"));
  gtk_selection_model_select_item (model, 1, TRUE);
  seat_until (seat_sees (self, "in-queue") && !seat_sees (self, "in-main"));

  other ("", "set", self->path, "more", "3", "--table", "another", NULL);
  seat_until (seat_sees (self, "another"));
  g_assert_true (gtk_selection_model_is_selected (model, 1));
  g_assert_true (seat_sees (self, "in-queue"));
}

/* --- values ----------------------------------------------------------------------------------- */

static void
test_shows_each_type (Seat *self, gconstpointer unused)
{
  static const struct
  {
    const char *type;
    const char *word;
    const char *in_list;
    const char *in_editor;
  } values[] = {
    { "str", "some text\nof two lines", "some text of two lines", "some text\nof two lines" },
    { "bytes", "\001\377z", "3 bytes: 01 ff 7a", "01 ff 7a" },
    { "int", "-42", "-42", "-42" },
    { "int", "0x10000000000000000", "18446744073709551616", "18446744073709551616" },
    { "float", "0.5", "0.5", "0.5" },
    { "float", "nan", "nan", "nan" },
    { "bool", "true", "true", "true" },
    { "null", "null", "None", "" },
    { "variant", "{'a': <1>}", "{'a': <1>}", "{'a': <1>}" },
  };
  char digits[4003] = "";

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autofree char *key = g_strdup_printf ("%u", i);

      other ("", "set", self->path, key, "--type", values[i].type, "--", values[i].word, NULL);
    }
  memset (digits, 'f', sizeof digits - 1);
  memcpy (digits, "0x", 2);
  other ("", "set", self->path, "long", "--type", "int", digits, NULL);
  other ("", "set", self->path, "--json-key", "[1,\"x\"]", "of a tuple", NULL);
  seat_open_store (self);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autofree char *key = g_strdup_printf ("%u", i);
      g_autofree char *text = NULL;

      seat_until (seat_sees (self, values[i].in_list));
      seat_select (self, key);
      text = seat_value (self);
      g_assert_cmpstr (text, ==, values[i].in_editor);
      g_assert_false (seat_can (self, "entry.save"));
    }
  seat_until (seat_sees (self, "an integer of 2,0"));
  seat_until (seat_sees (self, "[1,\"x\"]") && seat_sees (self, "of a tuple"));
}

/* A text of what is no UTF-8 is refused by the library only where it is short. */
static void
test_shows_what_is_no_text (Seat *self, gconstpointer unused)
{
  g_autofree char *longer = g_strnfill (5000, 'x');
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = dsq_store_open (self->path, DSQ_PERSIST_LAZY, NULL, &error);

  g_assert_no_error (error);
  dsq_store_set_string (store, "good", "some text", NULL, &error);
  g_assert_no_error (error);
  longer[0] = DSQ_VALUE_STRING;
  longer[10] = '\xff';
  dsq_store_set_record (store, (const guint8 *) "bad", 3, (const guint8 *) longer, 5000, &error);
  g_assert_no_error (error);
  g_clear_object (&store);

  seat_open_store (self);
  seat_select (self, "good");
  seat_select (self, "bad");
  g_assert_true (seat_sees (self, "no UTF-8"));
  g_assert_true (seat_sees (self, "xxxxxxxxx\\xFFx"));
  g_assert_false (gtk_text_view_get_editable (seat_part (self, "text_view")));
  text = seat_value (self);
  g_assert_null (strstr (text, "some text"));
}

static void
test_describes_pickles (Seat *self, gconstpointer unused)
{
  /* to load it would call os.system ("touch ...") */
  g_autofree char *touched = g_build_filename (self->folder, "touched", NULL);
  g_autoptr (GString) pickle = g_string_new_len ("\x80\x02"
                                                 "cposix\nsystem\nX",
                                                 17);
  g_autofree char *command = g_strconcat ("touch ", touched, NULL);
  guint32 length = GUINT32_TO_LE ((guint32) strlen (command));
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = dsq_store_open (self->path, DSQ_PERSIST_LAZY, NULL, &error);

  g_string_append_len (pickle, (const char *) &length, sizeof length);
  g_string_append (pickle, command);
  g_string_append (pickle, "\x85R.");
  g_assert_no_error (error);
  dsq_store_set_record (store,
                        (const guint8 *) "evil",
                        4,
                        (const guint8 *) pickle->str,
                        pickle->len,
                        &error);
  g_assert_no_error (error);
  dsq_store_set_record (store,
                        (const guint8 *) "plain",
                        5,
                        (const guint8 *) "\x80\x02]q\0.",
                        6,
                        &error);
  g_assert_no_error (error);
  g_clear_object (&store);

  seat_open_store (self);
  seat_select (self, "evil");
  g_assert_true (seat_sees (self, "never loaded"));
  g_assert_true (seat_sees (self, "posix.system"));
  g_assert_false (gtk_text_view_get_editable (seat_part (self, "text_view")));
  seat_select (self, "plain");
  g_assert_true (seat_sees (self, "plain data"));
  g_assert_false (g_file_test (touched, G_FILE_TEST_EXISTS));
}

/* --- writing ---------------------------------------------------------------------------------- */

static void
test_edits (Seat *self, gconstpointer unused)
{
  other ("", "set", self->path, "name", "before", NULL);
  seat_open_store (self);
  seat_select (self, "name");

  seat_type_value (self, "after");
  g_assert_true (seat_can (self, "entry.save"));
  seat_act (self, "win.save-entry");
  seat_until (seat_is_saved (self));
  other ("\"after\"\n", "get", self->path, "name", "--json", NULL);

  /* what is no number is not saved as one */
  gtk_drop_down_set_selected (seat_part (self, "type_drop"), 2);
  g_assert_true (seat_sees (self, "Not an integer"));
  g_assert_false (seat_can (self, "entry.save"));
  seat_type_value (self, "1e3");
  g_assert_true (seat_sees (self, "Not an integer"));
  seat_type_value (self, "18446744073709551617");
  g_assert_false (seat_sees (self, "Not an integer"));
  seat_click (self, "_Save");
  seat_until (seat_is_saved (self));
  other ("18446744073709551617\n", "get", self->path, "name", "--json", NULL);

  gtk_drop_down_set_selected (seat_part (self, "type_drop"), 1);
  seat_type_value (self, "00 0");
  g_assert_true (seat_sees (self, "pairs of hexadecimal digits"));
  seat_type_value (self, "00\nFF");
  seat_click (self, "_Save");
  seat_until (seat_is_saved (self));
  other ("{\"bytes\":\"AP8=\"}\n", "get", self->path, "name", "--json", NULL);

  seat_type_value (self, "01");
  seat_click (self, "_Revert");
  g_assert_true (seat_sees (self, "00 ff"));
  g_assert_false (seat_can (self, "entry.save"));
}

static void
test_times_to_live (Seat *self, gconstpointer unused)
{
  other ("", "set", self->path, "name", "value", NULL);
  seat_open_store (self);
  seat_select (self, "name");
  g_assert_true (seat_sees (self, "never"));
  seat_type (self, "time_entry", "soon");
  g_assert_true (seat_sees (self, "not a number of seconds"));
  seat_type (self, "time_entry", "7200");
  seat_click (self, "_Save");
  seat_until (seat_is_saved (self) &&
              (seat_sees (self, "in 1 h 59 min") || seat_sees (self, "in 2 h 0 min")));

  /* a new value leaves it, unless a new one is given */
  seat_type_value (self, "other");
  seat_click (self, "_Save");
  seat_until (seat_is_saved (self));
  g_assert_true (seat_sees (self, "in 1 h 59 min") || seat_sees (self, "in 2 h 0 min"));
  seat_type (self, "time_entry", "never");
  seat_click (self, "_Save");
  seat_until (seat_sees (self, "never") && seat_is_saved (self));

  /* what expires is seen to go */
  seat_type (self, "time_entry", "0.2");
  seat_click (self, "_Save");
  seat_until (seat_sees (self, "has expired") || seat_rows (self) == 0);
  g_assert_false (seat_can (self, "entry.delete"));

  /* in the list with the next change, be it of another key */
  other ("", "set", self->path, "brief", "value", NULL);
  seat_until (seat_sees (self, "brief"));
  other ("", "set", self->path, "brief", "value", "--expire", "0.2", NULL);
  seat_linger (300);
  other ("", "set", self->path, "other", "value", NULL);
  seat_until (!seat_sees (self, "brief") && seat_rows (self) == 1);
}

static void
test_conflicts_are_told (Seat *self, gconstpointer unused)
{
  other ("", "set", self->path, "name", "before", NULL);
  seat_open_store (self);
  seat_select (self, "name");

  /* another's change while it is edited */
  seat_type_value (self, "mine");
  other ("", "set", self->path, "name", "--type", "int", "7", NULL);
  seat_until (seat_sees (self, "Another has changed this entry meanwhile. It is now int: 7"));
  g_assert_true (seat_sees (self, "mine"));
  g_assert_false (seat_can (self, "entry.save"));
  other ("7\n", "get", self->path, "name", "--json", NULL);
  seat_click (self, "_Keep mine");
  seat_click (self, "_Save");
  seat_until (seat_is_saved (self));
  other ("\"mine\"\n", "get", self->path, "name", "--json", NULL);

  /* another's change that is not known of yet */
  seat_type_value (self, "mine again");
  other ("", "set", self->path, "name", "theirs", NULL);
  seat_act (self, "win.save-entry");
  seat_until (seat_sees (self, "It is now str: theirs"));
  other ("\"theirs\"\n", "get", self->path, "name", "--json", NULL);
  seat_click (self, "_Take theirs");
  seat_until (seat_sees (self, "theirs") && seat_is_saved (self));

  /* another's deletion */
  seat_type_value (self, "mine at last");
  other ("", "del", self->path, "name", NULL);
  seat_until (seat_sees (self, "Another has deleted this entry meanwhile"));
  seat_click (self, "_Keep mine");
  seat_click (self, "_Save");
  seat_until (seat_is_saved (self));
  other ("\"mine at last\"\n", "get", self->path, "name", "--json", NULL);
}

static void
test_others_changes_are_seen (Seat *self, gconstpointer unused)
{
  other ("", "set", self->path, "a", "first", NULL);
  seat_open_store (self);
  seat_select (self, "a");
  other ("", "set", self->path, "b", "second", NULL);
  seat_until (seat_rows (self) == 2 && seat_sees (self, "second"));
  other ("", "set", self->path, "a", "third", NULL);
  seat_until (!seat_sees (self, "first"));
  g_assert_true (seat_sees (self, "third"));
  other ("", "del", self->path, "a", NULL);
  seat_until (seat_rows (self) == 1 &&
              seat_sees (self, "Select an entry") | seat_sees (self, "has been deleted"));
}

static void
test_adds_and_deletes (Seat *self, gconstpointer unused)
{
  other ("", "set", self->path, "old", "here before", NULL);
  seat_open_store (self);
  seat_act (self, "win.add-entry");
  seat_type (self, "key_entry", "old");
  seat_type_value (self, "new value");
  seat_click (self, "_Save");
  seat_until (seat_sees (self, "There is an entry of this key already"));
  other ("\"here before\"\n", "get", self->path, "old", "--json", NULL);
  seat_type (self, "key_entry", "new");
  seat_type (self, "time_entry", "7200");
  seat_click (self, "_Save");
  seat_until (seat_rows (self) == 2);
  other ("\"new value\"\n", "get", self->path, "new", "--json", NULL);

  /* a key that is no text */
  seat_act (self, "win.add-entry");
  gtk_check_button_set_active (seat_part (self, "json_check"), TRUE);
  seat_type (self, "key_entry", "[1,");
  seat_type_value (self, "of a tuple");
  seat_click (self, "_Save");
  g_assert_true (seat_sees (self, "The key is not JSON"));
  gtk_check_button_set_active (seat_part (self, "json_check"), FALSE);
  g_assert_true (seat_can (self, "entry.save"));
  gtk_check_button_set_active (seat_part (self, "json_check"), TRUE);
  seat_type (self, "key_entry", "[1, null]");
  seat_click (self, "_Save");
  seat_until (seat_rows (self) == 3);
  other ("\"of a tuple\"\n", "get", self->path, "--json-key", "[1,null]", "--json", NULL);

  /* deleted, and put back with what it had to live */
  seat_select (self, "new");
  seat_act (self, "win.delete-entry");
  seat_until (seat_rows (self) == 2 && seat_sees (self, "Deleted new"));
  seat_click (self, "_Undo");
  seat_until (seat_rows (self) == 3);
  seat_select (self, "new");
  seat_until (seat_sees (self, "in 1 h 59 min"));
  g_assert_true (seat_sees (self, "new value"));

  /* what another has changed is not deleted */
  other ("", "set", self->path, "new", "newer value", NULL);
  seat_act (self, "win.delete-entry");
  seat_until (seat_sees (self, "was not deleted") && seat_sees (self, "newer value"));
  g_assert_true (seat_sees (self, self->path));
  other ("\"newer value\"\n", "get", self->path, "new", "--json", NULL);
}

/* --- the rest --------------------------------------------------------------------------------- */

static void
test_shows_the_tiers (Seat *self, gconstpointer unused)
{
  other ("", "set", self->path, "name", "value", NULL);
  seat_open_store (self);
  seat_select (self, "name");
  gtk_stack_set_visible_child_name (seat_part (self, "pages"), "stats");
  seat_until (seat_sees (self, "Hit rate") && seat_sees (self, "Warm"));
  g_assert_true (seat_sees (self, self->path));
  g_assert_true (seat_sees (self, "not encrypted"));
  seat_until (seat_sees (self, " %"));
}

static void
test_parts_have_names (Seat *self, gconstpointer unused)
{
  static const char *const parts[] = { "search",     "view",      "tables_view",    "key_entry",
                                       "time_entry", "text_view", "password_entry", "type_drop" };

  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      GtkAccessible *part = seat_part (self, parts[i]);

      g_test_message ("%s", parts[i]);
      g_assert_true (gtk_test_accessible_has_property (part, GTK_ACCESSIBLE_PROPERTY_LABEL));
    }
}

static gboolean
has_action (Seat *self, const char *name)
{
  GtkWidgetClass *klass = GTK_WIDGET_GET_CLASS (self->window);
  const GVariantType *parameter;
  const char *known, *property;
  GType owner;

  for (guint i = 0; gtk_widget_class_query_action (klass, i, &owner, &known, &parameter, &property);
       i++)
    if (g_str_equal (known, name))
      return TRUE;
  if (g_str_has_prefix (name, "win."))
    return g_action_group_has_action (G_ACTION_GROUP (self->window), name + strlen ("win."));
  return g_action_group_has_action (G_ACTION_GROUP (self->application), name + strlen ("app."));
}

static void
test_keys_act (Seat *self, gconstpointer unused)
{
  GtkApplication *application = GTK_APPLICATION (self->application);
  g_auto (GStrv) actions = gtk_application_list_action_descriptions (application);
  g_autoptr (GHashTable) keys = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; actions[i] != NULL; i++)
    {
      g_autofree char **its = gtk_application_get_accels_for_action (application, actions[i]);

      g_test_message ("%s", actions[i]);
      g_assert_true (has_action (self, actions[i]));
      for (guint k = 0; its[k] != NULL; k++)
        g_assert_true (g_hash_table_add (keys, its[k]));
    }
  g_assert_cmpuint (g_hash_table_size (keys), ==, 9);

  other ("", "set", self->path, "name", "value", NULL);
  seat_open_store (self);
  gtk_stack_set_visible_child_name (seat_part (self, "pages"), "stats");
  seat_act (self, "win.search");
  g_assert_cmpstr (gtk_stack_get_visible_child_name (seat_part (self, "pages")), ==, "entries");
  g_assert_nonnull (gtk_widget_get_focus_child (seat_part (self, "search")));
  seat_act (self, "win.add-entry");
  g_assert_nonnull (gtk_widget_get_focus_child (seat_part (self, "key_entry")));
  seat_act (self, "win.show-help-overlay");
  seat_until (gtk_widget_get_mapped (GTK_WIDGET (
      gtk_application_window_get_help_overlay (GTK_APPLICATION_WINDOW (self->window)))));
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);

  seat_add ("lists-and-filters", test_lists_and_filters);
  seat_add ("tables-of-others-come-and-go", test_tables_of_others_come_and_go);
  seat_add ("shows-each-type", test_shows_each_type);
  seat_add ("shows-what-is-no-text", test_shows_what_is_no_text);
  seat_add ("describes-pickles", test_describes_pickles);
  seat_add ("edits", test_edits);
  seat_add ("times-to-live", test_times_to_live);
  seat_add ("conflicts-are-told", test_conflicts_are_told);
  seat_add ("others-changes-are-seen", test_others_changes_are_seen);
  seat_add ("adds-and-deletes", test_adds_and_deletes);
  seat_add ("keys-act", test_keys_act);
  seat_add ("shows-the-tiers", test_shows_the_tiers);
  seat_add ("parts-have-names", test_parts_have_names);
  return g_test_run ();
}
