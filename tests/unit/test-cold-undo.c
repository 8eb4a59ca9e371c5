/* test-cold-undo.c - what a transaction has changed of the tables, taken back
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-undo-private.h"

#define N_TRANSACTIONS 2000
#define N_STEPS        40

/* The list, and copies of it as it was: the way to take changes back that cannot be wrong. */
typedef struct
{
  DsqColdUndo undo;
  GArray *tables;       /* (owned) of DsqTableState */
  GArray *at_beginning; /* (owned) */
  GArray *at_savepoint; /* (owned) */
  guint32 last;         /* the greatest id */
} Model;

static void
copy (GArray *to, const GArray *from)
{
  g_array_set_size (to, 0);
  g_array_append_vals (to, from->data, from->len);
}

static void
assert_same (const GArray *tables, const GArray *expected)
{
  g_assert_cmpuint (tables->len, ==, expected->len);
  for (guint i = 0; i < tables->len; i++)
    {
      const DsqTableState *state = &g_array_index (tables, DsqTableState, i);
      const DsqTableState *other = &g_array_index (expected, DsqTableState, i);

      g_assert_cmpuint (state->table, ==, other->table);
      g_assert_cmpint (state->next, ==, other->next);
      g_assert_cmpint (state->count, ==, other->count);
    }
}

static gint64
sum (const GArray *tables)
{
  gint64 n = 0;

  for (guint i = 0; i < tables->len; i++)
    n += g_array_index (tables, DsqTableState, i).count;
  return n;
}

/* From the first states alone, as a commit does. */
static void
assert_firsts (Model *self)
{
  g_autoptr (GHashTable) met = g_hash_table_new (NULL, NULL);
  gint64 n = 0;

  for (guint i = 0; i < self->undo.steps->len; i++)
    {
      const DsqTableState *before = dsq_cold_undo_get_first (&self->undo, i);
      const DsqTableState *now, *first;

      if (before == NULL)
        continue;
      g_assert_true (g_hash_table_add (met, GUINT_TO_POINTER (before->table)));
      first = dsq_cold_undo_find (self->at_beginning, before->table);
      g_assert_cmpint (before->count, ==, first != NULL ? first->count : 0);
      now = dsq_cold_undo_find (self->tables, before->table);
      n += (now != NULL ? now->count : 0) - before->count;
    }
  g_assert_cmpint (n, ==, sum (self->tables) - sum (self->at_beginning));
}

static void
do_step (Model *self)
{
  guint32 table = self->tables->len == 0
                      ? 0
                      : g_array_index (self->tables,
                                       DsqTableState,
                                       (guint) g_test_rand_int_range (0, (gint) self->tables->len))
                            .table;
  DsqTableState made = { .table = self->last + 1, .noted = 7, .next = 1 };
  DsqTableState *state;

  switch (g_test_rand_int_range (0, 8))
    {
    case 0:
      self->last++;
      dsq_cold_undo_make (&self->undo, self->tables, &made);
      break;
    case 1:
      if (table != 0)
        dsq_cold_undo_drop (&self->undo, self->tables, table);
      break;
    default:
      g_assert_null (dsq_cold_undo_change (&self->undo, self->tables, self->last + 1));
      state = dsq_cold_undo_change (&self->undo, self->tables, table);
      if (state != NULL)
        {
          state->count += g_test_rand_int_range (1, 9);
          state->next += 10;
        }
    }
}

static void
test_goes_back (void)
{
  Model model = { .tables = g_array_new (FALSE, FALSE, sizeof (DsqTableState)),
                  .at_beginning = g_array_new (FALSE, FALSE, sizeof (DsqTableState)),
                  .at_savepoint = g_array_new (FALSE, FALSE, sizeof (DsqTableState)) };
  guint n_with_tables = 0; /* went back with tables there; by chance the last one may be without */

  dsq_cold_undo_init (&model.undo);
  for (guint i = 0; i < N_TRANSACTIONS; i++)
    {
      /* past the end of the marks as well */
      if (i == N_TRANSACTIONS / 2)
        model.undo.now = G_MAXINT32 - 9;
      dsq_cold_undo_begin (&model.undo, model.tables);
      copy (model.at_beginning, model.tables);
      for (guint j = 0; j < N_STEPS; j++)
        {
          guint savepoint;

          do_step (&model);
          if (j % 8 != 0)
            continue;
          savepoint = dsq_cold_undo_get_savepoint (&model.undo);
          copy (model.at_savepoint, model.tables);
          for (gint k = g_test_rand_int_range (0, 8); k > 0; k--)
            do_step (&model);
          if (g_test_rand_bit ())
            {
              dsq_cold_undo_back_to (&model.undo, savepoint, model.tables);
              assert_same (model.tables, model.at_savepoint);
            }
        }
      assert_firsts (&model);
      if (g_test_rand_bit ())
        {
          dsq_cold_undo_back_to (&model.undo, 0, model.tables);
          assert_same (model.tables, model.at_beginning);
          n_with_tables += model.tables->len > 0;
        }
    }
  g_assert_cmpuint (model.undo.now, <, G_MAXINT32);
  g_assert_cmpuint (n_with_tables, >, N_TRANSACTIONS / 8);
  dsq_cold_undo_clear (&model.undo);
  g_array_unref (model.tables);
  g_array_unref (model.at_beginning);
  g_array_unref (model.at_savepoint);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/cold-undo/goes-back", test_goes_back);
  return g_test_run ();
}
