/* test-key-item.c - an entry in a list, as bytes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store-support.h"

static gboolean
is_loading (DsqKeyModel *model)
{
  gboolean loading;

  g_object_get (model, "loading", &loading, NULL);
  return loading;
}

static void
settle (DsqKeyModel *model)
{
  while (g_main_context_iteration (NULL, FALSE) || is_loading (model))
    if (is_loading (model))
      g_main_context_iteration (NULL, TRUE);
}

static void
count_notify (GObject *item, GParamSpec *pspec, gpointer user_data)
{
  (*(guint *) user_data)++;
}

static void
set_up (Fixture *self, gconstpointer mode)
{
  self->folder = make_folder ();
  self->store = open_small_store (self->folder, GPOINTER_TO_INT (mode), TRUE);
}

/* Keys that are no text, and values that are no GVariant. */
static void
test_has_all_bytes (Fixture *self, gconstpointer mode)
{
  static const guint8 key[] = { 0xFF, 'i', 1, 7 };
  static const guint8 pickle[] = { 0x80, 2, ']', '.' };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) no_key = NULL;
  g_autoptr (GBytes) its_key = NULL;
  g_autoptr (GBytes) its_record = NULL;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (DsqKeyModel) model = NULL;
  g_autoptr (DsqItem) item = NULL;
  g_autofree char *text = NULL;
  guint n_records = 0;

  dsq_store_set_record (self->store, key, sizeof key, pickle, sizeof pickle, &error);
  g_assert_no_error (error);
  model = dsq_key_model_new (self->store, NULL, FALSE, &error);
  g_assert_no_error (error);
  settle (model);
  item = g_list_model_get_item (G_LIST_MODEL (model), 0);
  g_object_get (item, "key-bytes", &no_key, NULL);
  g_assert_null (no_key);
  settle (model);
  g_object_get (item, "key", &text, "value", &value, NULL);
  g_assert_null (text);
  g_assert_null (value);
  g_object_get (item, "key-bytes", &its_key, "record", &its_record, NULL);
  g_assert_cmpmem (g_bytes_get_data (its_key, NULL), g_bytes_get_size (its_key), key, sizeof key);
  g_assert_cmpmem (g_bytes_get_data (its_record, NULL),
                   g_bytes_get_size (its_record),
                   pickle,
                   sizeof pickle);

  /* it follows; what was given before stays */
  g_signal_connect (item, "notify::record", G_CALLBACK (count_notify), &n_records);
  dsq_store_set_record (self->store, key, sizeof key, (const guint8 *) "\1", 1, &error);
  g_assert_no_error (error);
  while (n_records == 0)
    g_main_context_iteration (NULL, TRUE);
  settle (model);
  g_assert_cmpuint (n_records, ==, 1);
  g_assert_cmpuint (g_bytes_get_size (its_record), ==, sizeof pickle);
  g_clear_pointer (&its_record, g_bytes_unref);
  g_object_get (item, "record", &its_record, NULL);
  g_assert_cmpuint (g_bytes_get_size (its_record), ==, 1);
  g_object_run_dispose (G_OBJECT (model));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/dsq/key-item/has-all-bytes",
              Fixture,
              GINT_TO_POINTER (DSQ_PERSIST_WRITETHROUGH),
              set_up,
              test_has_all_bytes,
              tear_down);
  return g_test_run ();
}
