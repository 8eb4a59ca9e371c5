/* test-key-item.c - an entry in a list, as bytes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model-support.h"

static void
count_notify (GObject *item, GParamSpec *pspec, gpointer user_data)
{
  (*(guint *) user_data)++;
}

static void
settle_until (DsqKeyModel *model, const guint *n_told, guint n_expected)
{
  const gint64 until = g_get_monotonic_time () + SETTLED_US;

  while (*n_told < n_expected)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, until);
      settle (model);
      g_usleep (100);
    }
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
  settle_until (model, &n_records, 1);
  g_assert_cmpuint (n_records, ==, 1);
  g_assert_cmpuint (g_bytes_get_size (its_record), ==, sizeof pickle);
  g_clear_pointer (&its_record, g_bytes_unref);
  g_object_get (item, "record", &its_record, NULL);
  g_assert_cmpuint (g_bytes_get_size (its_record), ==, 1);
  g_object_run_dispose (G_OBJECT (model));
}

static const char *const properties[] = { "key", "key-bytes", "loading", "value", "record" };

/* Each property is told of once as the item comes, and what changes with its value after that. */
static void
test_tells_each_once (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqKeyModel) model = NULL;
  g_autoptr (DsqItem) item = NULL;
  guint n_told[G_N_ELEMENTS (properties)] = { 0 };

  g_assert_true (dsq_store_set_string (self->store, "key", "1", NULL, &error));
  model = dsq_key_model_new (self->store, NULL, FALSE, &error);
  g_assert_no_error (error);
  settle (model);
  item = g_list_model_get_item (G_LIST_MODEL (model), 0);
  g_assert_true (is_loading (item));
  for (guint i = 0; i < G_N_ELEMENTS (properties); i++)
    {
      g_autofree char *signal = g_strconcat ("notify::", properties[i], NULL);

      g_signal_connect (item, signal, G_CALLBACK (count_notify), &n_told[i]);
    }
  settle (model);
  g_assert_false (is_loading (item));
  for (guint i = 0; i < G_N_ELEMENTS (properties); i++)
    g_assert_cmpuint (n_told[i], ==, 1);

  g_assert_true (dsq_store_set_string (self->store, "key", "2", NULL, &error));
  settle_until (model, &n_told[4], 2);
  for (guint i = 0; i < G_N_ELEMENTS (properties); i++)
    g_assert_cmpuint (n_told[i], ==, i < 3 ? 1 : 2);
  g_object_run_dispose (G_OBJECT (model));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("key-item/has-all-bytes", DSQ_PERSIST_WRITETHROUGH, test_has_all_bytes);
  add ("key-item/tells-each-once", DSQ_PERSIST_LAZY, test_tells_each_once);
  return g_test_run ();
}
