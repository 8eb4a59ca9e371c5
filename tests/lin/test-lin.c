/* test-lin.c - whatever overlaps on a store is as if it were made one after the other
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "../run-length.h"
#include "lin-session.h"

#define N_A_SESSION 1000

typedef struct
{
  const char *name;
  DsqPersistMode mode;
  gboolean are_processes;
  guint n_short;
  guint n;
  guint n_long;
} Kind;

/* Everything that a store may be told, as small as it may be. */
static LinSession
choose_session (GRand *random, const Kind *kind)
{
  static const guint64 hot_capacities[] = { 1, 1, 2, 1000 };
  static const guint64 dirty_limits[] = { 1, 100, 64 << 20, 64 << 20 };

  return (LinSession){
    .mode = kind->mode,
    .are_processes = kind->are_processes,
    .n_workers = (guint) g_rand_int_range (random, 2, LIN_MAX_WORKERS + 1),
    .share_object = kind->mode == DSQ_PERSIST_MEMORY || g_rand_boolean (random),
    .background = g_rand_boolean (random),
    .hot_capacity = hot_capacities[g_rand_int_range (random, 0, 4)],
    .warm_capacity = g_rand_boolean (random) ? 0 : 1 << 20,
    .dirty_limit = dirty_limits[g_rand_int_range (random, 0, 4)],
    .password = g_rand_int_range (random, 0, 8) == 0 ? "password" : NULL,
    .seed = g_rand_int (random),
    .n_histories = N_A_SESSION,
  };
}

static void
test_linearizable (gconstpointer data)
{
  const Kind *kind = data;
  const guint32 seed = (guint32) g_test_rand_int ();
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  const RunLength run = run_begin (kind->n_short, kind->n, kind->n_long);
  guint64 n_done = 0;

  g_test_message ("seed %u", seed);
  while (run_goes_on (&run, n_done))
    {
      LinSession session = choose_session (random, kind);

      if (run.until == 0)
        session.n_histories = (guint) MIN (session.n_histories, run.n - n_done);
      g_assert_cmpuint (lin_session_run (&session), ==, 0);
      n_done += session.n_histories;
    }
  run_tell (n_done, "histories");
}

/* A cache that is told of nothing is found out. */
static void
test_finds_stale_reads (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (g_test_rand_int ());
  const Kind kind = { .mode = DSQ_PERSIST_MEMORY };
  LinSession session = choose_session (random, &kind);
  guint n_bad;

  session.reads_stale = TRUE;
  n_bad = lin_session_run (&session);
  g_test_message ("%u of %u are not linearizable", n_bad, session.n_histories);
  g_assert_cmpuint (n_bad, >, 0);
}

int
main (int argc, char **argv)
{
  static const Kind kinds[] = {
    { "memory", DSQ_PERSIST_MEMORY, FALSE, 2000, 120000, 2400000 },
    { "lazy", DSQ_PERSIST_LAZY, FALSE, 1000, 30000, 400000 },
    { "writethrough", DSQ_PERSIST_WRITETHROUGH, FALSE, 1000, 50000, 800000 },
    { "processes", DSQ_PERSIST_WRITETHROUGH, TRUE, 500, 100000, 400000 },
  };

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/lin/finds-stale-reads", test_finds_stale_reads);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *name = g_strconcat ("/dsq/lin/", kinds[i].name, NULL);

      g_test_add_data_func (name, &kinds[i], test_linearizable);
    }
  return g_test_run ();
}
