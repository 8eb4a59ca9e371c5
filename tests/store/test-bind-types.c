/* test-bind-types.c - what of properties keys can hold, and what does not fit
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bind-support.h"

typedef struct
{
  const char *property, *stored, *then;
} Case;

/* Each property becomes what is stored, and a key what the property is. */
static void
test_types (Fixture *self, gconstpointer mode)
{
  static const Case cases[] = {
    { "boolean", "true", "true" },
    { "char", "int64 -128", "int64 -128" },
    { "uchar", "byte 0xff", "int64 255" },
    { "int", "int32 -2147483648", "int64 -2147483648" },
    { "uint", "uint32 4294967295", "int64 4294967295" },
    { "long", "int16 -5", "int64 -5" },
    { "ulong", "uint64 18446744073709551615", "uint64 18446744073709551615" },
    { "int64", "int64 -9223372036854775808", "int64 -9223372036854775808" },
    { "uint64", "int64 9223372036854775807", "int64 9223372036854775807" },
    { "uint64", "uint16 7", "int64 7" },
    { "float", "0.5", "0.5" },
    { "double", "int64 -9007199254740992", "-9007199254740992.0" },
    { "double", "int64 5", "5.0" },
    { "double", "0.1", "0.10000000000000001" },
    { "string", "'ключ'", "'ключ'" },
    { "string", "@mv nothing", "@mv nothing" },
    { "bytes", "[byte 0x00, 0x01]", "[byte 0x00, 0x01]" },
    { "bytes", "@ay []", "@ay []" },
    { "strv", "['a', '']", "['a', '']" },
    { "strv", "@as []", "@as []" },
    { "variant", "(1, {'a': <2>})", "(1, {'a': <2>})" },
    { "variant", "int64 5", "int64 5" },
    { "variant", "@mv nothing", "@mv nothing" },
    { "variant", "@mv <5>", "@mv <5>" },
    { "level", "int64 -3", "'low'" },
    { "enum", "'lazy'", "'lazy'" },
    { "enum", "int64 2", "'writethrough'" },
    { "flags", "['get', 'invert-boolean']", "['get', 'invert-boolean']" },
    { "flags", "@as []", "@as []" },
    { "flags", "int64 3", "['get', 'set']" },
    { "mode", "['rw', 'x']", "['x', 'rw']" },
    { "mode", "byte 0x05", "int64 5" },
    { "mode", "uint64 7", "['x', 'rw']" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (Bound) from = bound_new ();
      g_autoptr (Bound) to = bound_new ();
      g_auto (GValue) value = G_VALUE_INIT;

      set (self->store, "from", cases[i].stored);
      bind (self->store, "from", from, cases[i].property, DSQ_BIND_GET);
      bind (self->store, "to", to, cases[i].property, DSQ_BIND_SET);
      g_object_get_property (G_OBJECT (from), cases[i].property, &value);
      g_object_set_property (G_OBJECT (to), cases[i].property, &value);
      assert_holds (self->store, "to", cases[i].then);
    }
}

/* It is its number. */
static void
test_an_enum_without_a_nick (Fixture *self, gconstpointer mode)
{
  g_autoptr (Bound) object = bound_new ();

  bind (self->store, "k", object, "level", DSQ_BIND_SET);
  g_value_set_enum (&object->values[PLACE_LEVEL], 7);
  g_object_notify (G_OBJECT (object), "level");
  assert_holds (self->store, "k", "int64 7");
}

/* Of what has the same value in another place of memory as well. */
static void
test_what_it_is_already_is_not_set (Fixture *self, gconstpointer mode)
{
  static const Case cases[] = {
    { "int", "int64 5", NULL },        { "string", "'a'", NULL },
    { "bytes", "[byte 1, 2]", NULL },  { "strv", "['a', 'b']", NULL },
    { "variant", "(1, 'a')", NULL },   { "flags", "['get']", NULL },
    { "string", "@mv nothing", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (Bound) object = bound_new ();
      g_autoptr (Bound) after = bound_new ();
      guint n_sets;

      set (self->store, "k", cases[i].stored);
      bind (self->store, "k", object, cases[i].property, DSQ_BIND_GET);
      bind (self->store, "after", after, "int", DSQ_BIND_GET);
      n_sets = object->n_sets;
      g_assert_cmpuint (n_sets, ==, strstr (cases[i].stored, "nothing") == NULL);
      set (self->store, "k", cases[i].stored);
      set (self->store, "after", "int64 1");
      wait_for_int (after, "int", 1);
      settle ();
      g_assert_cmpuint (object->n_sets, ==, n_sets);
      g_assert_cmpint (dsq_store_remove (self->store, "after", NULL, NULL), ==, DSQ_ANSWER_YES);
    }
}

static void
test_what_does_not_fit_is_an_error (Fixture *self, gconstpointer mode)
{
  static const Case cases[] = {
    { "boolean", "int64 1", "a value of type 'x' is no gboolean" },
    { "int", "'text'", "a value of type 's' is no gint" },
    { "int", "1.0", "a value of type 'd' is no gint" },
    { "int", "int64 2147483648", "the value is out of the range of a gint" },
    { "uint", "int64 -1", "the value is out of the range of a guint" },
    { "int64", "uint64 9223372036854775808", "the value is out of the range of a gint64" },
    { "float", "1e300", "the value is out of the range of a gfloat" },
    { "float", "-inf", "the property may not have this value" },
    { "float", "-1e39", "the value is out of the range of a gfloat" },
    { "double", "int64 9007199254740993", "the value is out of the range of a gdouble" },
    { "double", "int64 -9007199254740993", "the value is out of the range of a gdouble" },
    { "double", "'text'", "a value of type 's' is no gdouble" },
    { "string", "int64 1", "a value of type 'x' is no gchararray" },
    { "int", "@mv nothing", "a value of type 'mv' is no gint" },
    { "int", "@mv <5>", "a value of type 'mv' is no gint" },
    { "bytes", "'text'", "a value of type 's' is no GBytes" },
    { "strv", "'text'", "a value of type 's' is no GStrv" },
    { "enum", "'nobody'", "the value is out of the range of a DsqPersistMode" },
    { "enum", "int64 4294967298", "the value is out of the range of a DsqPersistMode" },
    { "enum", "int64 -4294967294", "the value is out of the range of a DsqPersistMode" },
    { "enum", "int64 77", "the value is out of the range of a DsqPersistMode" },
    { "enum", "true", "a value of type 'b' is no DsqPersistMode" },
    { "flags", "['get', 'nobody']", "the value is out of the range of a DsqBindFlags" },
    { "flags", "['nobody', 'get']", "the value is out of the range of a DsqBindFlags" },
    { "flags", "'get'", "a value of type 's' is no DsqBindFlags" },
    { "flags", "int64 32", "the property may not have this value" },
    { "flags", "int64 -1", "the value is out of the range of a DsqBindFlags" },
    { "flags", "int64 4294967296", "the value is out of the range of a DsqBindFlags" },
    { "small", "int64 11", "the property may not have this value" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (Bound) object = bound_new ();
      g_autoptr (GError) error = NULL;
      g_autofree char *message =
          g_strdup_printf ("Failed to bind property \"%s\": %s", cases[i].property, cases[i].then);

      set (self->store, "k", cases[i].stored);
      g_assert_false (dsq_store_bind (self->store, "k", object, cases[i].property, 0, &error));
      g_assert_cmpstr (error->message, ==, message);
      g_assert_cmpuint (object->n_sets, ==, 0);
    }
}

static void
test_what_comes_later_fails_once (Fixture *self, gconstpointer mode)
{
  g_autoptr (Bound) object = bound_new ();
  Failures failures = { 0 };
  gulong id = g_signal_connect (self->store, "bind-failed", G_CALLBACK (failed_cb), &failures);

  set (self->store, "k", "int64 1");
  bind (self->store, "k", object, "int", DSQ_BIND_DEFAULT);
  for (guint round = 1; round <= 2; round++)
    {
      set (self->store, "k", "'text'");
      while (failures.n < round)
        g_main_context_iteration (NULL, TRUE);
      set (self->store, "k", "'another'");
      settle ();
      g_assert_cmpuint (failures.n, ==, round);
      g_assert_error (failures.last, DSQ_ERROR, DSQ_ERROR_WRONG_TYPE);
      g_assert_cmpint (get_int (object, "int"), ==, round);
      set (self->store, "k", round == 1 ? "int64 2" : "int64 3");
      wait_for_int (object, "int", (int) round + 1);
    }
  g_clear_error (&failures.last);

  /* where nobody listens */
  g_signal_handler_disconnect (self->store, id);
  g_test_expect_message ("Dsq",
                         G_LOG_LEVEL_WARNING,
                         "Failed to bind property \"int\": a value of type 's' is no gint");
  bind (self->store, "end", object, "small", DSQ_BIND_GET);
  for (int i = 1; i <= 5; i++)
    {
      g_autofree char *end = g_strdup_printf ("int64 %d", i);

      set (self->store, "k", "'text'");
      set (self->store, "end", end);
      wait_for_int (object, "small", i);
      settle ();
    }
  g_test_assert_expected_messages ();
}

static void
test_what_cannot_be_bound (Fixture *self, gconstpointer mode)
{
  static const struct
  {
    const char *property;
    DsqBindFlags flags;
  } cases[] = {
    { "nobody", DSQ_BIND_DEFAULT },     { "object", DSQ_BIND_DEFAULT },
    { "write-only", DSQ_BIND_DEFAULT }, { "read-only", DSQ_BIND_DEFAULT },
    { "int", DSQ_BIND_INVERT_BOOLEAN }, { "write-only", DSQ_BIND_SET },
    { "read-only", DSQ_BIND_GET },      { "construct-only", DSQ_BIND_GET },
  };
  g_autoptr (Bound) object = bound_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqTransaction) transaction = dsq_store_begin (self->store, &error);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_assert_false (
          dsq_store_bind (self->store, "k", object, cases[i].property, cases[i].flags, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
      g_clear_error (&error);
    }
  g_assert_false (dsq_store_bind (DSQ_STORE (transaction), "k", object, "int", 0, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (dsq_store_bind (self->store, "\xff", object, "int", 0, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_KEY);
  set (self->store, "k", "int64 1");
  bind (self->store, "k", object, "write-only", DSQ_BIND_GET);
  g_assert_cmpint (object->values[19].data[0].v_int, ==, 1);
}

int
main (int argc, char **argv)
{
  static const Test tests[] = {
    { "types", test_types, FALSE },
    { "an-enum-without-a-nick", test_an_enum_without_a_nick, FALSE },
    { "what-it-is-already-is-not-set", test_what_it_is_already_is_not_set, FALSE },
    { "what-does-not-fit-is-an-error", test_what_does_not_fit_is_an_error, FALSE },
    { "what-comes-later-fails-once", test_what_comes_later_fails_once, FALSE },
    { "what-cannot-be-bound", test_what_cannot_be_bound, FALSE },
  };

  return run_watch_tests (argc, argv, "bind-types", tests, G_N_ELEMENTS (tests));
}
