/* test-bind.c - properties that are what keys hold
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bind-support.h"

/* --- both ways -------------------------------------------------------------------------------- */

static void
test_follows_and_is_followed (Fixture *self, gconstpointer mode)
{
  g_autoptr (Bound) object = bound_new ();

  set (self->store, "k", "int64 7");
  bind (self->store, "k", object, "int", DSQ_BIND_DEFAULT);
  g_assert_cmpint (get_int (object, "int"), ==, 7);
  set (self->store, "k", "int64 8");
  wait_for_int (object, "int", 8);
  set_int (object, "int", 9);
  assert_holds (self->store, "k", "int64 9");
  settle ();
  g_assert_cmpint (get_int (object, "int"), ==, 9);
}

static void
test_what_is_missing_changes_nothing (Fixture *self, gconstpointer mode)
{
  g_autoptr (Bound) object = bound_new ();

  set_int (object, "int", 5);
  bind (self->store, "k", object, "int", DSQ_BIND_DEFAULT);
  settle ();
  g_assert_cmpint (get_int (object, "int"), ==, 5);
  assert_holds (self->store, "k", "missing");
  set (self->store, "k", "int64 6");
  wait_for_int (object, "int", 6);
  g_assert_true (dsq_store_remove (self->store, "k", NULL, NULL) == DSQ_ANSWER_YES);
  settle ();
  g_assert_cmpint (get_int (object, "int"), ==, 6);
  assert_holds (self->store, "k", "missing");
}

/* Many changes, in order, the last of which stays; a write's own news sets nothing. */
static void
test_all_of_many_are_written_in_order (Fixture *self, gconstpointer mode)
{
  g_autoptr (Bound) object = bound_new ();
  guint n_sets;

  bind (self->store, "k", object, "int", DSQ_BIND_DEFAULT);
  for (int i = 1; i <= 500; i++)
    {
      set_int (object, "int", i);
      if (i % 7 == 0)
        g_main_context_iteration (NULL, FALSE);
      g_assert_cmpint (get_int (object, "int"), ==, i);
    }
  n_sets = object->n_sets;
  assert_holds (self->store, "k", "int64 500");
  settle ();
  g_assert_cmpuint (object->n_sets, ==, n_sets);

  /* what was begun is written by a close */
  set_int (object, "int", 501);
  if (GPOINTER_TO_INT (mode) != DSQ_PERSIST_MEMORY)
    {
      reopen (self, GPOINTER_TO_INT (mode));
      assert_holds (self->store, "k", "int64 501");
    }
}

static void
test_other_keys_change_nothing (Fixture *self, gconstpointer mode)
{
  g_autoptr (Bound) object = bound_new ();
  g_autoptr (Bound) other = bound_new ();

  set (self->store, "k", "int64 1");
  bind (self->store, "k", object, "int", DSQ_BIND_GET);
  bind (self->store, "k2", other, "int", DSQ_BIND_GET);
  set_int (object, "int", 2);
  set (self->store, "k2", "int64 3");
  wait_for_int (other, "int", 3);
  settle ();
  g_assert_cmpint (get_int (object, "int"), ==, 2);
}

/* What is told is then that anything may have changed. */
static void
test_follows_what_comes_after_a_clear (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Bound) object = bound_new ();

  set (self->store, "k", "int64 1");
  bind (self->store, "k", object, "int", DSQ_BIND_GET);
  g_assert_true (dsq_store_clear (self->store, NULL, &error));
  g_assert_no_error (error);
  set (self->store, "k", "int64 2");
  wait_for_int (object, "int", 2);
}

/* Who runs the context need not have made it his default. */
static void
test_all_arrives_where_it_was_made (Fixture *self, gconstpointer mode)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (Bound) object = bound_new ();

  g_main_context_push_thread_default (context);
  bind (self->store, "k", object, "int", DSQ_BIND_GET);
  g_main_context_pop_thread_default (context);
  set (self->store, "k", "int64 1");
  settle ();
  g_assert_cmpint (get_int (object, "int"), ==, 0);
  while (get_int (object, "int") != 1)
    g_main_context_iteration (context, TRUE);
}

/* The binding has heard of the change, and reads what the key holds. */
static void
type_cb (DsqWatch *watch, const char *const *keys, gpointer user_data)
{
  g_signal_handlers_disconnect_by_data (watch, user_data);
  set_int (user_data, "int", 2);
}

static void
note_cb (Bound *object, GParamSpec *pspec, gpointer user_data)
{
  g_string_append_printf (user_data, "%d ", get_int (object, "int"));
}

/* Who types sees no older value come back. */
static void
test_what_is_read_meanwhile_does_not_count (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) seen = g_string_new (NULL);
  g_autoptr (Bound) object = bound_new ();
  g_autoptr (DsqWatch) watch = NULL;

  bind (self->store, "k", object, "int", DSQ_BIND_DEFAULT);
  watch = dsq_store_watch (self->store, "k", &error);
  g_assert_no_error (error);
  g_signal_connect (watch, "changed", G_CALLBACK (type_cb), object);
  g_signal_connect (object, "notify::int", G_CALLBACK (note_cb), seen);
  set (self->store, "k", "int64 1");
  wait_for_int (object, "int", 2);
  assert_holds (self->store, "k", "int64 2");
  settle ();
  g_assert_cmpstr (seen->str, ==, "2 ");
  g_signal_handlers_disconnect_by_data (object, seen);
}

static void
test_flags (Fixture *self, gconstpointer mode)
{
  g_autoptr (Bound) object = bound_new ();
  gboolean truth;

  set (self->store, "get", "int64 1");
  bind (self->store, "get", object, "int", DSQ_BIND_GET);
  set_int (object, "int", 2);
  settle ();
  assert_holds (self->store, "get", "int64 1");
  set (self->store, "get", "int64 3");
  wait_for_int (object, "int", 3);

  set (self->store, "set", "int64 1");
  bind (self->store, "set", object, "small", DSQ_BIND_SET);
  g_assert_cmpint (get_int (object, "small"), ==, 0);
  set (self->store, "set", "int64 2");
  settle ();
  g_assert_cmpint (get_int (object, "small"), ==, 0);
  set_int (object, "small", 3);
  assert_holds (self->store, "set", "int64 3");

  /* once, and both ways otherwise */
  set (self->store, "once", "int64 1");
  bind (self->store, "once", object, "long", DSQ_BIND_GET_NO_CHANGES);
  g_assert_cmpint (object->values[5].data[0].v_long, ==, 1);
  set (self->store, "once", "int64 2");
  settle ();
  g_assert_cmpint (object->values[5].data[0].v_long, ==, 1);
  g_object_set (object, "long", 3L, NULL);
  assert_holds (self->store, "once", "int64 3");

  set (self->store, "not", "true");
  bind (self->store, "not", object, "boolean", DSQ_BIND_INVERT_BOOLEAN);
  g_object_set (object, "boolean", TRUE, NULL);
  assert_holds (self->store, "not", "false");
  set (self->store, "not", "true");
  do
    {
      g_main_context_iteration (NULL, TRUE);
      g_object_get (object, "boolean", &truth, NULL);
    }
  while (truth);
  g_object_get (object, "sensitive", &truth, NULL);
  g_assert_true (truth);
}

static void
test_read_only_is_insensitive (Fixture *self, gconstpointer mode)
{
  g_autoptr (Bound) object = bound_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) reader =
      g_initable_new (DSQ_TYPE_STORE, NULL, &error, "path", self->path, "read-only", TRUE, NULL);
  Failures failures = { 0 };
  gboolean truth;

  g_assert_no_error (error);
  g_signal_connect (reader, "bind-failed", G_CALLBACK (failed_cb), &failures);
  bind (reader, "k", object, "int", DSQ_BIND_NO_SENSITIVITY);
  bind (reader, "k", object, "uint", DSQ_BIND_GET);
  g_object_get (object, "sensitive", &truth, NULL);
  g_assert_true (truth);
  bind (reader, "k", object, "int", DSQ_BIND_DEFAULT);
  g_object_get (object, "sensitive", &truth, NULL);
  g_assert_false (truth);

  /* told once, and the property keeps what it was set to */
  for (int i = 1; i < 10; i++)
    {
      set_int (object, "int", i);
      while (failures.n == 0)
        g_main_context_iteration (NULL, TRUE);
      settle ();
    }
  g_assert_cmpuint (failures.n, ==, 1);
  g_assert_error (failures.last, DSQ_ERROR, DSQ_ERROR_READ_ONLY);
  g_assert_cmpint (get_int (object, "int"), ==, 9);
  g_clear_error (&failures.last);
  g_assert_true (dsq_store_close (reader, NULL, NULL));
}

/* An object that cannot be insensitive, or is so in a way of its own, stays as it is. */
typedef struct
{
  GObject parent_instance;
  int number;
} Plain;

static void
plain_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  g_assert_cmpuint (id, ==, 1);
  ((Plain *) object)->number = g_value_get_int (value);
}

static void
plain_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  g_assert_cmpuint (id, ==, 1);
  g_value_set_int (value, ((Plain *) object)->number);
}

static void
plain_class_init (gpointer klass, gpointer sensitive)
{
  GObjectClass *object_class = klass;

  object_class->set_property = plain_set_property;
  object_class->get_property = plain_get_property;
  g_object_class_install_property (
      object_class,
      1,
      g_param_spec_int ("int", NULL, NULL, 0, 9, 0, G_PARAM_READWRITE));
  if (sensitive != NULL)
    g_object_class_install_property (object_class, 2, sensitive);
}

static GType
make_plain (const char *name, GParamSpec *sensitive)
{
  const GTypeInfo info = { .class_size = sizeof (GObjectClass),
                           .class_init = plain_class_init,
                           .class_data = sensitive,
                           .instance_size = sizeof (Plain) };

  return g_type_register_static (G_TYPE_OBJECT, name, &info, 0);
}

static void
test_read_only_without_sensitivity (Fixture *self, gconstpointer mode)
{
  static GType types[3];
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) reader =
      g_initable_new (DSQ_TYPE_STORE, NULL, &error, "path", self->path, "read-only", TRUE, NULL);

  g_assert_no_error (error);
  if (types[0] == 0)
    {
      types[0] = make_plain ("Plain", NULL);
      types[1] =
          make_plain ("PlainNumber",
                      g_param_spec_int ("sensitive", NULL, NULL, 0, 1, 1, G_PARAM_READWRITE));
      types[2] =
          make_plain ("PlainReadable",
                      g_param_spec_boolean ("sensitive", NULL, NULL, TRUE, G_PARAM_READABLE));
    }
  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autoptr (GObject) object = g_object_new (types[i], NULL);

      g_assert_true (dsq_store_bind (reader, "k", object, "int", DSQ_BIND_DEFAULT, &error));
      g_assert_no_error (error);
    }
  g_assert_true (dsq_store_close (reader, NULL, NULL));
}

/* --- mapped ----------------------------------------------------------------------------------- */

static GVariant *
add_cb (GVariant *value, gpointer user_data)
{
  gint64 number = g_variant_get_int64 (value);

  return number == 13 ? NULL : g_variant_new_int64 (number + *(int *) user_data);
}

static void
gone_cb (gpointer user_data, GClosure *closure)
{
  *(int *) user_data = 0;
}

static void
test_mapping (Fixture *self, gconstpointer mode)
{
  Bound *object = bound_new ();
  g_autoptr (GError) error = NULL;
  int up = 100, down = -100;

  set (self->store, "k", "int64 1");
  g_assert_true (dsq_store_bind_with_mapping (self->store,
                                              "k",
                                              object,
                                              "int",
                                              DSQ_BIND_DEFAULT,
                                              g_cclosure_new (G_CALLBACK (add_cb), &up, gone_cb),
                                              g_cclosure_new (G_CALLBACK (add_cb), &down, gone_cb),
                                              &error));
  g_assert_no_error (error);
  g_assert_cmpint (get_int (object, "int"), ==, 101);
  set_int (object, "int", 107);
  assert_holds (self->store, "k", "int64 7");
  /* neither way */
  set_int (object, "int", 13);
  set (self->store, "k", "int64 13");
  settle ();
  g_assert_cmpint (get_int (object, "int"), ==, 13);
  assert_holds (self->store, "k", "int64 13");
  set (self->store, "k", "int64 14");
  wait_for_int (object, "int", 114);
  settle ();
  g_assert_false (dsq_store_bind_with_mapping (self->store,
                                               "k",
                                               object,
                                               "boolean",
                                               DSQ_BIND_INVERT_BOOLEAN,
                                               NULL,
                                               g_cclosure_new (G_CALLBACK (add_cb), &down, NULL),
                                               &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
  g_object_unref (object);
  while (up != 0 || down != 0)
    g_main_context_iteration (NULL, TRUE);
}

/* --- of others -------------------------------------------------------------------------------- */

static void
test_others_are_followed (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) handle = open_store (self, DSQ_PERSIST_WRITETHROUGH);
  g_autoptr (DsqStore) apart = g_initable_new (DSQ_TYPE_STORE,
                                               NULL,
                                               &error,
                                               "path",
                                               self->path,
                                               "persist-mode",
                                               DSQ_PERSIST_WRITETHROUGH,
                                               "separate",
                                               TRUE,
                                               NULL);
  g_autoptr (Bound) object = bound_new ();

  g_assert_no_error (error);
  bind (self->store, "k", object, "int", DSQ_BIND_GET);
  for (int i = 1; i < 20; i++)
    {
      g_autofree char *text = g_strdup_printf ("int64 %d", i);

      set (i % 2 == 0 ? handle : apart, "k", text);
      wait_for_int (object, "int", i);
    }
  g_assert_true (dsq_store_close (apart, NULL, NULL));
  g_assert_true (dsq_store_close (handle, NULL, NULL));
}

int
main (int argc, char **argv)
{
  static const Test tests[] = {
    { "follows-and-is-followed", test_follows_and_is_followed, FALSE },
    { "what-is-missing-changes-nothing", test_what_is_missing_changes_nothing, FALSE },
    { "all-of-many-are-written-in-order", test_all_of_many_are_written_in_order, FALSE },
    { "other-keys-change-nothing", test_other_keys_change_nothing, FALSE },
    { "follows-what-comes-after-a-clear", test_follows_what_comes_after_a_clear, FALSE },
    { "all-arrives-where-it-was-made", test_all_arrives_where_it_was_made, FALSE },
    { "what-is-read-meanwhile-does-not-count", test_what_is_read_meanwhile_does_not_count, FALSE },
    { "flags", test_flags, FALSE },
    { "read-only-is-insensitive", test_read_only_is_insensitive, TRUE },
    { "read-only-without-sensitivity", test_read_only_without_sensitivity, TRUE },
    { "mapping", test_mapping, FALSE },
    { "others-are-followed", test_others_are_followed, TRUE },
  };

  return run_watch_tests (argc, argv, "bind", tests, G_N_ELEMENTS (tests));
}
