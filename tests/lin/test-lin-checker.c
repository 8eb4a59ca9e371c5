/* test-lin-checker.c - histories that are known to be good or bad
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "lin-checker.h"

#define MISSING   LIN_MISSING
#define MAX_SMALL 7
#define N_SMALL   20000
#define BOTH_MISSING                                                                               \
  {                                                                                                \
    { MISSING, MISSING, MISSING }, 0, 0                                                            \
  }

typedef struct
{
  const char *name;
  gboolean is_good;
  guint n_ops;
  LinOp ops[6]; /* begun, ended, value, other, result, other_result, verb, key */
} History;

static const History histories[] = {
  { "a-read-sees-what-is-set",
    TRUE,
    2,
    { { 0, 1, 7, 0, 0, 0, LIN_SET, LIN_A }, { 2, 3, 0, 0, 7, 0, LIN_GET, LIN_A } } },
  { "a-stale-read",
    FALSE,
    2,
    { { 0, 1, 7, 0, 0, 0, LIN_SET, LIN_A }, { 2, 3, 0, 0, MISSING, 0, LIN_GET, LIN_A } } },
  { "a-read-that-overlaps",
    TRUE,
    2,
    { { 0, 5, 7, 0, 0, 0, LIN_SET, LIN_A }, { 2, 3, 0, 0, MISSING, 0, LIN_GET, LIN_A } } },
  { "two-reads-turned-round",
    FALSE,
    3,
    { { 0, 9, 7, 0, 0, 0, LIN_SET, LIN_A },
      { 1, 2, 0, 0, 7, 0, LIN_GET, LIN_A },
      { 3, 4, 0, 0, MISSING, 0, LIN_GET, LIN_A } } },
  { "a-lost-update",
    FALSE,
    2,
    { { 0, 9, 1, 0, 1, 0, LIN_INCREMENT, LIN_A }, { 0, 9, 1, 0, 1, 0, LIN_INCREMENT, LIN_A } } },
  { "two-updates",
    TRUE,
    2,
    { { 0, 9, 1, 0, 2, 0, LIN_INCREMENT, LIN_A }, { 0, 9, 1, 0, 1, 0, LIN_INCREMENT, LIN_A } } },
  { "inserted-twice",
    FALSE,
    2,
    { { 0, 9, 1, MISSING, 1, 0, LIN_EXCHANGE, LIN_A },
      { 0, 9, 2, MISSING, 1, 0, LIN_EXCHANGE, LIN_A } } },
  { "stolen-twice",
    FALSE,
    3,
    { { 0, 1, 7, 0, 0, 0, LIN_SET, LIN_A },
      { 2, 9, 0, 0, 7, 0, LIN_STEAL, LIN_A },
      { 2, 9, 0, 0, 7, 0, LIN_STEAL, LIN_A } } },
  { "removed-and-there",
    FALSE,
    3,
    { { 0, 1, 7, 0, 0, 0, LIN_SET, LIN_A },
      { 2, 3, 0, 0, 1, 0, LIN_REMOVE, LIN_A },
      { 4, 5, 0, 0, 1, 0, LIN_CONTAINS, LIN_A } } },
  { "a-torn-clear",
    FALSE,
    4,
    { { 0, 1, 1, 2, 0, 0, LIN_SET_BOTH, LIN_A },
      { 2, 9, 0, 0, 0, 0, LIN_CLEAR, LIN_A },
      { 3, 4, 0, 0, MISSING, 0, LIN_GET, LIN_A },
      { 5, 6, 0, 0, 2, 0, LIN_GET, LIN_B } } },
  { "torn-writes",
    FALSE,
    3,
    { { 0, 9, 1, 2, 0, 0, LIN_SET_BOTH, LIN_A },
      { 1, 2, 0, 0, 1, 0, LIN_GET, LIN_A },
      { 3, 4, 0, 0, MISSING, 0, LIN_GET, LIN_B } } },
  { "a-wrong-count",
    FALSE,
    2,
    { { 0, 1, 1, 2, 0, 0, LIN_SET_BOTH, LIN_A }, { 2, 3, 0, 0, 1, 0, LIN_COUNT, LIN_A } } },
  { "a-wrong-order",
    FALSE,
    3,
    { { 0, 1, 1, 0, 0, 0, LIN_SET, LIN_B },
      { 2, 3, 2, 0, 0, 0, LIN_SET, LIN_A },
      { 4, 5, 0, 0, LIN_B, 0, LIN_LAST, LIN_A } } },
  { "set-again-comes-last",
    TRUE,
    4,
    { { 0, 1, 1, 2, 0, 0, LIN_SET_BOTH, LIN_A },
      { 2, 3, 0, 0, 1, 0, LIN_REMOVE, LIN_A },
      { 4, 5, 3, 0, 0, 0, LIN_SET, LIN_A },
      { 6, 7, 0, 0, LIN_A, 0, LIN_LAST, LIN_A } } },
  { "set-over-is-gone",
    FALSE,
    2,
    { { 0, 1, 1, 0, 0, 0, LIN_SET_OVER, LIN_A }, { 2, 3, 0, 0, 1, 0, LIN_GET, LIN_A } } },
  { "touched-twice",
    FALSE,
    3,
    { { 0, 1, 1, 0, 0, 0, LIN_SET, LIN_A },
      { 2, 9, 0, 0, 1, 0, LIN_TOUCH_OVER, LIN_A },
      { 2, 9, 0, 0, 1, 0, LIN_TOUCH_OVER, LIN_A } } },
  { "applied-twice",
    FALSE,
    2,
    { { 0, 9, 1, MISSING, 1, 0, LIN_APPLY, LIN_A },
      { 0, 9, 3, MISSING, 1, 0, LIN_APPLY, LIN_A } } },
  { "a-skew-of-writes",
    FALSE,
    3,
    { { 0, 1, 1, 2, 0, 0, LIN_SET_BOTH, LIN_A },
      { 2, 9, 7, 0, 1, 1, LIN_TRANSFER, LIN_A },
      { 2, 9, 8, 0, 2, 1, LIN_TRANSFER, LIN_B } } },
  { "a-conflict-writes-nothing",
    FALSE,
    2,
    { { 0, 1, 7, 0, MISSING, 0, LIN_TRANSFER, LIN_A }, { 2, 3, 0, 0, 7, 0, LIN_GET, LIN_B } } },
  { "clearing-a-table-clears-no-other",
    FALSE,
    3,
    { { 0, 1, 7, 0, 0, 0, LIN_SET, LIN_C },
      { 2, 3, 0, 0, 0, 0, LIN_CLEAR, LIN_A },
      { 4, 5, 0, 0, MISSING, 0, LIN_GET, LIN_C } } },
  { "dropped-twice",
    FALSE,
    3,
    { { 0, 1, 0, 0, 0, 0, LIN_MAKE_TABLE, LIN_A },
      { 2, 9, 0, 0, 1, 0, LIN_DROP_TABLE, LIN_A },
      { 2, 9, 0, 0, 1, 0, LIN_DROP_TABLE, LIN_A } } },
  { "dropped-and-listed",
    FALSE,
    3,
    { { 0, 1, 0, 0, 0, 0, LIN_MAKE_TABLE, LIN_A },
      { 2, 3, 0, 0, 1, 0, LIN_DROP_TABLE, LIN_A },
      { 4, 5, 0, 0, 1, 0, LIN_LIST_TABLES, LIN_A } } },
};

static void
test_known (gconstpointer data)
{
  const History *history = data;
  g_autoptr (LinChecker) checker = lin_checker_new ();
  const LinState start = BOTH_MISSING;

  g_assert_true (lin_checker_check (checker, &start, history->ops, history->n_ops) ==
                 history->is_good);
}

/* --- against all orders ----------------------------------------------------------------------- */

static gboolean
has_order (const LinState *state, const LinOp *ops, guint n_ops, guint taken)
{
  if (taken == (1u << n_ops) - 1)
    return TRUE;
  for (guint i = 0; i < n_ops; i++)
    {
      LinState next = *state;
      gboolean is_first = (taken >> i & 1) == 0;

      for (guint j = 0; j < n_ops; j++)
        is_first = is_first && ((taken >> j & 1) != 0 || ops[j].ended >= ops[i].begun);
      if (is_first && lin_state_step (&next, &ops[i]) &&
          has_order (&next, ops, n_ops, taken | 1u << i))
        return TRUE;
    }
  return FALSE;
}

static gint64
some_value (GRand *random)
{
  return g_rand_int_range (random, 0, 3) == 0 ? MISSING : g_rand_int_range (random, 0, 2);
}

static void
test_all_orders (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (g_test_rand_int ());
  g_autoptr (LinChecker) checker = lin_checker_new ();
  guint n_good = 0;

  for (guint i = 0; i < N_SMALL; i++)
    {
      const LinState start = BOTH_MISSING;
      const guint n_ops = (guint) g_rand_int_range (random, 1, MAX_SMALL + 1);
      LinOp ops[MAX_SMALL];
      gboolean is_good;

      for (guint j = 0; j < n_ops; j++)
        {
          gint64 begun = g_rand_int_range (random, 0, 12);

          ops[j] = (LinOp){ begun,
                            begun + g_rand_int_range (random, 0, 6),
                            g_rand_int_range (random, 0, 2),
                            some_value (random),
                            some_value (random),
                            g_rand_int_range (random, 0, 2),
                            (guint8) g_rand_int_range (random, 0, LIN_EXCHANGE + 1),
                            (guint8) g_rand_int_range (random, 0, 2) };
        }
      is_good = has_order (&start, ops, n_ops, 0);
      n_good += is_good;
      g_assert_true (lin_checker_check (checker, &start, ops, n_ops) == is_good);
    }
  g_test_message ("%u of %u are good", n_good, N_SMALL);
  g_assert_cmpuint (n_good, >, N_SMALL / 50);
  g_assert_cmpuint (n_good, <, N_SMALL);
}

/* Sixteen writes at one time have 16! orders, but only 2^16 sets of them, each of which is looked
 * at once. */
static void
test_remembers (void)
{
  g_autoptr (LinChecker) checker = lin_checker_new ();
  const LinState start = BOTH_MISSING;
  LinOp ops[17];

  for (guint i = 0; i < 16; i++)
    ops[i] = (LinOp){ 0, 9, 1, 0, 0, 0, LIN_SET, LIN_A };
  ops[16] = (LinOp){ 10, 11, 0, 0, 2, 0, LIN_GET, LIN_A };
  g_assert_false (lin_checker_check (checker, &start, ops, G_N_ELEMENTS (ops)));
  g_assert_cmpuint (lin_checker_get_n_steps (checker), <, 17u << 16);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (histories); i++)
    {
      g_autofree char *name = g_strconcat ("/dsq/lin-checker/", histories[i].name, NULL);

      g_test_add_data_func (name, &histories[i], test_known);
    }
  g_test_add_func ("/dsq/lin-checker/all-orders", test_all_orders);
  g_test_add_func ("/dsq/lin-checker/remembers", test_remembers);
  return g_test_run ();
}
