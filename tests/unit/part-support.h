/* part-support.h - what tests of the engine's parts have in common
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <pthread.h>

typedef struct
{
  const char *name;
  GTestFixtureFunc run;
} PartTest;

#define PART_TEST(name, run)                                                                       \
  {                                                                                                \
    name, (GTestFixtureFunc) (run)                                                                 \
  }

/* Each test on a Fixture of its own. */
#define RUN_PART_TESTS(part, argc, argv, tests)                                                    \
  run_part_tests (part,                                                                            \
                  argc,                                                                            \
                  argv,                                                                            \
                  tests,                                                                           \
                  G_N_ELEMENTS (tests),                                                            \
                  sizeof (Fixture),                                                                \
                  (GTestFixtureFunc) set_up,                                                       \
                  (GTestFixtureFunc) tear_down)

static inline int
run_part_tests (const char *part,
                int argc,
                char **argv,
                const PartTest *tests,
                guint n_tests,
                gsize fixture_size,
                GTestFixtureFunc set_up,
                GTestFixtureFunc tear_down)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < n_tests; i++)
    {
      g_autofree char *path = g_strdup_printf ("/dsq/%s/%s", part, tests[i].name);

      g_test_add_vtable (path, fixture_size, NULL, set_up, tests[i].run, tear_down);
    }
  return g_test_run ();
}

/* A thread that does @func, and has not ended it when this returns; it sets @has_ended then. */
static inline pthread_t
start_waiting_thread (void *(*func) (void *), gpointer data, const gboolean *has_ended)
{
  pthread_t thread;

  g_assert_cmpint (pthread_create (&thread, NULL, func, data), ==, 0);
  g_usleep (50 * 1000);
  g_assert_false (__atomic_load_n (has_ended, __ATOMIC_SEQ_CST));
  return thread;
}
