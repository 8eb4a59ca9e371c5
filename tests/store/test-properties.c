/* test-properties.c - what a store was opened with can be read, and what it cannot be opened with
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store-support.h"

/* Each of another value than it has by default. */
static const struct
{
  const char *name;
  guint64 number;
} numbers[] = {
  { "flush-interval", 17 },          { "busy-timeout", 1234 },    { "hot-capacity", 23456 },
  { "hot-limit", 34567890 },         { "warm-capacity", 456789 }, { "dirty-limit", 5678901 },
  { "wal-limit", 6789012 },          { "cache-size", 7890123 },   { "max-bytes", 90123456 },
  { "kdf-memory", 20 * 1024 << 10 }, { "kdf-passes", 3 },
};

/* As the property's own type has it. */
static void
init_number (GObjectClass *klass, const char *name, guint64 number, GValue *value)
{
  GParamSpec *pspec = g_object_class_find_property (klass, name);
  GValue wide = G_VALUE_INIT;

  g_assert_nonnull (pspec);
  g_value_init (value, pspec->value_type);
  g_value_init (&wide, G_TYPE_UINT64);
  g_value_set_uint64 (&wide, number);
  g_assert_true (g_value_transform (&wide, value));
}

static void
test_what_it_was_opened_with (void)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store.db", NULL);
  g_autoptr (GTypeClass) klass = g_type_class_ref (DSQ_TYPE_STORE);
  const char *names[G_N_ELEMENTS (numbers) + 1] = { "path" };
  GValue values[G_N_ELEMENTS (numbers) + 1] = { G_VALUE_INIT };
  g_autoptr (GError) error = NULL;
  g_autoptr (GFile) file = NULL;
  g_autoptr (DsqStore) table = NULL;
  g_autofree char *table_name = NULL;
  DsqStore *store;

  g_value_init (&values[0], G_TYPE_STRING);
  g_value_set_string (&values[0], path);
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      names[i + 1] = numbers[i].name;
      init_number ((GObjectClass *) klass, numbers[i].name, numbers[i].number, &values[i + 1]);
    }
  store = DSQ_STORE (
      g_object_new_with_properties (DSQ_TYPE_STORE, G_N_ELEMENTS (names), names, values));
  g_assert_true (g_initable_init (G_INITABLE (store), NULL, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      GValue found = G_VALUE_INIT;
      g_autofree char *expected = g_strdup_value_contents (&values[i]);
      g_autofree char *text = NULL;

      g_value_init (&found, G_VALUE_TYPE (&values[i]));
      g_object_get_property (G_OBJECT (store), names[i], &found);
      text = g_strdup_value_contents (&found);
      g_assert_cmpstr (text, ==, expected);
      g_value_unset (&found);
      g_value_unset (&values[i]);
    }
  g_object_get (store, "file", &file, "table-name", &table_name, NULL);
  g_assert_cmpstr (g_file_peek_path (file), ==, path);
  g_assert_cmpstr (table_name, ==, NULL);
  table = dsq_store_get_table (store, "of a table", NULL, &error);
  g_object_get (table, "table-name", &table_name, NULL);
  g_assert_cmpstr (table_name, ==, "of a table");
  close_store (store);
  remove_folder (folder);
}

static void
assert_enum (const char *name, int number)
{
  char *folder = make_folder ();
  DsqStore *store = OPEN_IN (folder, name, number);
  int found = -1;

  g_object_get (store, name, &found, NULL);
  g_assert_cmpint (found, ==, number);
  close_store (store);
  remove_folder (folder);
}

static void
test_kinds (void)
{
  for (int number = DSQ_PERSIST_MEMORY; number <= DSQ_PERSIST_WRITETHROUGH; number++)
    assert_enum ("persist-mode", number);
  for (int number = DSQ_DURABILITY_NORMAL; number <= DSQ_DURABILITY_FULL; number++)
    assert_enum ("durability", number);
  for (int number = FALSE; number <= TRUE; number++)
    {
      assert_enum ("background", number);
      assert_enum ("separate", number);
    }
}

static void
assert_refused (DsqStore *store)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (g_initable_init (G_INITABLE (store), NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
  g_assert_true (dsq_store_is_closed (store));
  g_object_unref (store);
}

static void
test_what_it_cannot_be_opened_with (void)
{
  g_autoptr (GFile) file = g_file_new_for_path ("/nowhere/store.db");
  g_autoptr (GFile) elsewhere = g_file_new_for_uri ("http://localhost/store.db");
  const guint64 too_few = 1024 * 1024 - 1;

  assert_refused (g_object_new (DSQ_TYPE_STORE, NULL));
  assert_refused (g_object_new (DSQ_TYPE_STORE, "path", "", NULL));
  assert_refused (g_object_new (DSQ_TYPE_STORE, "path", "/nowhere/a", "file", file, NULL));
  assert_refused (g_object_new (DSQ_TYPE_STORE, "file", elsewhere, NULL));
  assert_refused (g_object_new (DSQ_TYPE_STORE, "path", ":memory:", "max-bytes", too_few, NULL));
}

static void
test_of_a_model (void)
{
  char *folder = make_folder ();
  DsqStore *store = OPEN_IN (folder, "background", FALSE);
  g_autoptr (GError) error = NULL;
  DsqKeyModel *model = dsq_key_model_new (store, "prefix", TRUE, &error);
  g_autoptr (GError) met = NULL;
  g_autoptr (DsqStore) of_model = NULL;
  g_autofree char *prefix = NULL;
  g_autofree char *other = NULL;
  gboolean by_key = FALSE;

  g_object_get (model, "store", &of_model, "prefix", &prefix, "by-key", &by_key, NULL);
  g_object_get (model, "error", &met, NULL);
  g_assert_no_error (met);
  g_assert_true (of_model == store);
  g_assert_cmpstr (prefix, ==, "prefix");
  g_assert_true (by_key);
  g_assert_no_error (error);
  g_object_set (model, "prefix", "another", NULL);
  g_object_get (model, "prefix", &other, NULL);
  g_assert_cmpstr (other, ==, "another");
  g_object_unref (model);
  close_store (store);
  remove_folder (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/properties/what-it-was-opened-with", test_what_it_was_opened_with);
  g_test_add_func ("/dsq/properties/kinds", test_kinds);
  g_test_add_func ("/dsq/properties/what-it-cannot-be-opened-with",
                   test_what_it_cannot_be_opened_with);
  g_test_add_func ("/dsq/properties/of-a-model", test_of_a_model);
  return g_test_run ();
}
