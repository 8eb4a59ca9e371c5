/* watch-support.h - hearing what a watch tells, in each mode
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "async-support.h"

#define N_ROUNDS (g_getenv ("DSQ_SHORT") != NULL ? 200u : 3000u)

/* What one watch has told: keys with spaces between them, "*" for everything, ";" after each. */
typedef struct
{
  DsqWatch *watch; /* (owned) */
  GString *told;   /* (owned) */
} Listener;

static inline void
on_changed (DsqWatch *watch, const char *const *keys, gpointer user_data)
{
  Listener *self = user_data;
  g_autofree char *joined = keys != NULL ? g_strjoinv (" ", (char **) keys) : g_strdup ("*");

  g_string_append_printf (self->told, "%s;", joined);
}

static inline void
listen_to (Listener *self, DsqStore *store, const char *prefix)
{
  g_autoptr (GError) error = NULL;

  self->told = g_string_new (NULL);
  self->watch = dsq_store_watch (store, prefix, &error);
  g_assert_no_error (error);
  g_signal_connect (self->watch, "changed", G_CALLBACK (on_changed), self);
}

static inline void
stop_listening (Listener *self)
{
  g_clear_object (&self->watch);
  g_string_free (g_steal_pointer (&self->told), TRUE);
}

/* What is told from here until there is nothing. */
static inline void
hear (Listener *self)
{
  g_string_truncate (self->told, 0);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static inline void
set_string (DsqStore *store, const char *key, const char *value)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_set_string (store, key, value, NULL, &error));
  g_assert_no_error (error);
}

typedef struct
{
  const char *name;
  void (*run) (Fixture *, gconstpointer);
  gboolean needs_file;
} Test;

static inline int
run_watch_tests (int argc, char **argv, const char *subject, const Test *tests, guint n_tests)
{
  g_test_init (&argc, &argv, NULL);
  for (guint m = 0; m < G_N_ELEMENTS (modes); m++)
    for (guint i = 0; i < n_tests; i++)
      {
        g_autofree char *path =
            g_strdup_printf ("/dsq/%s/%s/%s", subject, modes[m].name, tests[i].name);

        if (!tests[i].needs_file || modes[m].mode != DSQ_PERSIST_MEMORY)
          g_test_add (path,
                      Fixture,
                      GINT_TO_POINTER (modes[m].mode),
                      set_up,
                      tests[i].run,
                      tear_down);
      }
  return g_test_run ();
}
