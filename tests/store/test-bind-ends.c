/* test-bind-ends.c - what ends a binding, and what is done to it then
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/wait.h>
#include <unistd.h>

#include "bind-support.h"

static void
test_another_replaces_it (Fixture *self, gconstpointer mode)
{
  g_autoptr (Bound) object = bound_new ();
  g_autoptr (GError) error = NULL;

  set (self->store, "a", "int64 1");
  set (self->store, "b", "int64 2");
  set (self->store, "c", "'text'");
  bind (self->store, "a", object, "int", DSQ_BIND_DEFAULT);
  /* one that fails replaces none */
  g_assert_false (dsq_store_bind (self->store, "c", object, "int", 0, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_WRONG_TYPE);
  set_int (object, "int", 4);
  assert_holds (self->store, "a", "int64 4");
  bind (self->store, "b", object, "int", DSQ_BIND_DEFAULT);
  g_assert_cmpint (get_int (object, "int"), ==, 2);
  set_int (object, "int", 3);
  assert_holds (self->store, "b", "int64 3");
  assert_holds (self->store, "a", "int64 4");
  set (self->store, "a", "int64 5");
  settle ();
  g_assert_cmpint (get_int (object, "int"), ==, 3);
}

static void
test_unbind_is_the_end (Fixture *self, gconstpointer mode)
{
  g_autoptr (Bound) object = bound_new ();

  bind (self->store, "k", object, "int", DSQ_BIND_DEFAULT);
  dsq_store_unbind (object, "small");
  dsq_store_unbind (object, "nobody");
  set_int (object, "int", 1);
  dsq_store_unbind (object, "int");
  dsq_store_unbind (object, "int");
  set_int (object, "int", 2);
  assert_holds (self->store, "k", "int64 1");
  set (self->store, "k", "int64 3");
  settle ();
  g_assert_cmpint (get_int (object, "int"), ==, 2);
}

/* With calls under way of all kinds. */
static void
test_the_objects_end (Fixture *self, gconstpointer mode)
{
  for (int i = 0; i < 50; i++)
    {
      g_autofree char *expected = g_strdup_printf ("int64 %d", i);
      Bound *object = bound_new ();

      bind (self->store, "k", object, "int", DSQ_BIND_DEFAULT);
      bind (self->store, "other", object, "small", DSQ_BIND_DEFAULT);
      set (self->store, "other", "int64 1");
      if (i % 2 == 0)
        g_main_context_iteration (NULL, FALSE);
      set_int (object, "int", i);
      g_object_unref (object);
      assert_holds (self->store, "k", expected);
    }
  settle ();
}

static void
test_a_close_is_the_end (Fixture *self, gconstpointer mode)
{
  g_autoptr (Bound) object = bound_new ();
  gpointer store = self->store;

  g_object_add_weak_pointer (store, &store);
  bind (self->store, "k", object, "int", DSQ_BIND_DEFAULT);
  bind (self->store, "k", object, "small", DSQ_BIND_SET);
  g_assert_true (dsq_store_close (self->store, NULL, NULL));
  /* before it is known, which is no failure */
  set_int (object, "int", 1);
  g_clear_object (&self->store);
  while (store != NULL)
    g_main_context_iteration (NULL, TRUE);
  set_int (object, "int", 2);
  self->store = open_store (self, GPOINTER_TO_INT (mode));
  bind (self->store, "k", object, "int", DSQ_BIND_DEFAULT);
  set_int (object, "int", 3);
  assert_holds (self->store, "k", "int64 3");
}

/* What was set after the close, and no longer is bound when that is known. */
static void
test_unbound_after_a_close (Fixture *self, gconstpointer mode)
{
  g_autoptr (Bound) object = bound_new ();
  Failures failures = { 0 };

  g_signal_connect (self->store, "bind-failed", G_CALLBACK (failed_cb), &failures);
  bind (self->store, "k", object, "int", DSQ_BIND_DEFAULT);
  g_assert_true (dsq_store_close (self->store, NULL, NULL));
  set_int (object, "int", 1);
  dsq_store_unbind (object, "int");
  settle ();
  g_assert_cmpuint (failures.n, ==, 0);
  g_assert_cmpint (get_int (object, "int"), ==, 1);
}

static gboolean
is_followed (Bound *object)
{
  return g_signal_has_handler_pending (object,
                                       g_signal_lookup ("notify", G_TYPE_OBJECT),
                                       g_quark_from_static_string ("int"),
                                       FALSE);
}

/* There it ends with the first property that is set, which is no failure. */
static void
test_a_forks_end (Fixture *self, gconstpointer mode)
{
  g_autoptr (Bound) object = bound_new ();
  Failures failures = { 0 };
  pid_t child;
  int status;

  g_signal_connect (self->store, "bind-failed", G_CALLBACK (failed_cb), &failures);
  bind (self->store, "k", object, "int", DSQ_BIND_DEFAULT);
  child = fork ();
  if (child == 0)
    {
      alarm (30);
      set_int (object, "int", 1);
      while (is_followed (object))
        g_main_context_iteration (NULL, TRUE);
      _exit (failures.n == 0 && get_int (object, "int") == 1 ? 0 : 1);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
  g_assert_true (is_followed (object));
  set_int (object, "int", 2);
  assert_holds (self->store, "k", "int64 2");
}

static void
test_a_tables_end (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) table = dsq_store_get_table (self->store, "table", NULL, &error);
  g_autoptr (Bound) object = bound_new ();
  gpointer kept = table;

  g_assert_no_error (error);
  g_object_add_weak_pointer (kept, &kept);
  bind (table, "k", object, "int", DSQ_BIND_DEFAULT);
  set (self->store, "k", "int64 1");
  set_int (object, "int", 2);
  assert_holds (table, "k", "int64 2");
  assert_holds (self->store, "k", "int64 1");
  g_assert_true (dsq_store_drop_table (self->store, "table", NULL, &error) == DSQ_ANSWER_YES);
  g_clear_object (&table);
  while (kept != NULL)
    g_main_context_iteration (NULL, TRUE);
}

static GVariant *
unbind_cb (GVariant *value, gpointer object)
{
  if (g_variant_get_int64 (value) == 2)
    dsq_store_unbind (object, "int");
  return g_variant_new_int64 (g_variant_get_int64 (value));
}

/* What ends while it is mapped is set to nothing any more. */
static void
test_mapping_that_ends_it (Fixture *self, gconstpointer mode)
{
  g_autoptr (Bound) object = bound_new ();
  g_autoptr (GError) error = NULL;

  set (self->store, "k", "int64 1");
  g_assert_true (dsq_store_bind_with_mapping (self->store,
                                              "k",
                                              object,
                                              "int",
                                              DSQ_BIND_DEFAULT,
                                              g_cclosure_new (G_CALLBACK (unbind_cb), object, NULL),
                                              NULL,
                                              &error));
  g_assert_no_error (error);
  set (self->store, "k", "int64 2");
  while (is_followed (object))
    g_main_context_iteration (NULL, TRUE);
  settle ();
  g_assert_cmpint (get_int (object, "int"), ==, 1);
}

int
main (int argc, char **argv)
{
  static const Test tests[] = {
    { "another-replaces-it", test_another_replaces_it, FALSE },
    { "unbind-is-the-end", test_unbind_is_the_end, FALSE },
    { "the-objects-end", test_the_objects_end, FALSE },
    { "a-close-is-the-end", test_a_close_is_the_end, FALSE },
    { "unbound-after-a-close", test_unbound_after_a_close, FALSE },
    { "a-forks-end", test_a_forks_end, FALSE },
    { "a-tables-end", test_a_tables_end, FALSE },
    { "mapping-that-ends-it", test_mapping_that_ends_it, FALSE },
  };

  return run_watch_tests (argc, argv, "bind-ends", tests, G_N_ELEMENTS (tests));
}
