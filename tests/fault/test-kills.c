/* test-kills.c - processes that are killed while they change a store by all verbs
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "../run-length.h"
#include "family.h"

#define A_FAMILY  50 /* kills on one file */
#define WAIT_US   20000
#define LOOK_US   500
#define MAX_LOOKS 120000

static void
wait_for_a_call (const Family *self, guint process)
{
  const Worker *worker = &self->workers[process * FAMILY_MAX_THREADS];

  for (guint i = 0; i < MAX_LOOKS && worker_get_n_done (worker) == 0; i++)
    g_usleep (LOOK_US);
}

/* At any moment: each while it opens the store or when it has called it, with the others at it or
 * without them. */
static void
kill_some (Family *self, guint n_processes, GRand *random)
{
  for (guint i = 0; i < n_processes; i++)
    family_start (self, i, random, NULL, NULL);
  for (guint i = 0; i < n_processes; i++)
    {
      if (g_rand_boolean (random))
        wait_for_a_call (self, i);
      if (i == 0 || g_rand_boolean (random))
        g_usleep ((gulong) g_rand_int_range (random, 0, WAIT_US));
      g_assert_false (family_kill (self, i));
    }
}

static void
test_kills (gconstpointer password)
{
  const guint32 seed = (guint32) g_test_rand_int ();
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  const RunLength run = run_begin (20, 150, 5000);
  guint n_killed = 0;
  guint64 n_calls = 0;

  g_test_message ("seed %u", seed);
  while (run_goes_on (&run, n_killed))
    {
      const guint until = n_killed + A_FAMILY;
      Family family;

      family_init (&family, g_rand_int (random), password);
      while (n_killed < until && run_goes_on (&run, n_killed))
        {
          const guint n_processes = (guint) g_rand_int_range (random, 1, FAMILY_MAX_PROCESSES + 1);

          kill_some (&family, n_processes, random);
          family_settle (&family, g_rand_int_range (random, 0, 8) == 0);
          n_killed += n_processes;
        }
      n_calls += family_count_calls (&family);
      family_clear (&family);
    }
  run_tell (n_killed, "processes killed");
  run_tell (n_calls, "calls acknowledged");
  g_assert_cmpuint (n_calls, >, n_killed / 4);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/dsq/kills/plain", NULL, test_kills);
  g_test_add_data_func ("/dsq/kills/encrypted", "password", test_kills);
  return g_test_run ();
}
