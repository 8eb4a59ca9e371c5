/* test-cold-tables.c - the file's list of tables
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold-support.h"

typedef struct
{
  char *folder; /* (owned) */
  char *path;   /* (owned) */
  Foreign foreign[2];
  DsqColdTier *tiers[2]; /* (owned) on one file */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = make_folder ();
  fixture->path = g_build_filename (fixture->folder, "store", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (fixture->tiers); i++)
    fixture->tiers[i] = open_tier (fixture->path, &fixture->foreign[i]);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < G_N_ELEMENTS (fixture->tiers); i++)
    close_tier (fixture->tiers[i]);
  assert_sound (fixture->path);
  g_free (fixture->path);
  remove_folder (fixture->folder);
}

static guint32
drop_table (DsqColdTier *tier, const char *name)
{
  g_autoptr (GError) error = NULL;
  guint32 id;

  g_assert_true (tier->funcs->drop_table (tier, (const guint8 *) name, strlen (name), &id, &error));
  g_assert_no_error (error);
  return id;
}

/* Another value each time: what is as it was is not committed. */
static void
set_in_table (DsqColdTier *tier, guint32 table, const char *key)
{
  static guint8 value[] = "\3v";
  g_autoptr (GError) error = NULL;
  DsqKey a_key = key_of (key);
  DsqTableState state;
  DsqChange change = { .presence = DSQ_PRESENCE_UNKNOWN };

  g_assert_true (tier->funcs->get_table (tier, table, &state));
  a_key.table = table;
  value[1] = value[1] == 'v' ? 'w' : 'v';
  change.entry = dsq_entry_new (&a_key, value, 2, 0);
  change.place = state.next;
  g_assert_true (tier->funcs->apply (tier, &change, 1, &error));
  g_assert_no_error (error);
  dsq_entry_unref (change.entry);
}

static void
assert_names (DsqColdTier *tier, const char *const *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  g_assert_true (tier->funcs->list_tables (tier, names, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (names->len, ==, g_strv_length ((char **) expected));
  for (guint i = 0; i < names->len; i++)
    {
      gsize length;
      const char *name = g_bytes_get_data (names->pdata[i], &length);

      g_assert_cmpmem (name, length, expected[i], strlen (expected[i]));
    }
}

#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NO_NAMES   ((const char *const[]){ NULL })

static void
test_opens_and_finds (Fixture *fixture, gconstpointer data)
{
  DsqTableState state;

  begin (fixture->tiers[0]);
  state = open_table (fixture->tiers[0], "a");
  g_assert_cmpuint (state.table, ==, 2);
  g_assert_cmpint (state.count, ==, 0);
  g_assert_cmpint (state.next, ==, (G_GINT64_CONSTANT (2) << DSQ_FORMAT_POSITION_BITS) + 1);
  set_in_table (fixture->tiers[0], 2, "k");
  g_assert_cmpuint (open_table (fixture->tiers[0], "").table, ==, 3);
  commit (fixture->tiers[0]);

  begin (fixture->tiers[1]);
  g_assert_cmpuint (fixture->foreign[1].n_calls, ==, 1);
  state = open_table (fixture->tiers[1], "a");
  g_assert_cmpuint (state.table, ==, 2);
  g_assert_cmpint (state.count, ==, 1);
  g_assert_cmpint (state.next, ==, (G_GINT64_CONSTANT (2) << DSQ_FORMAT_POSITION_BITS) + 2);
  commit (fixture->tiers[1]);
  assert_names (fixture->tiers[1], NAMES ("a", ""));
  assert_stock (fixture->path, "SELECT hex (token) FROM tables WHERE id = 2", "0161");
  assert_stock (fixture->path, "SELECT hex (token) FROM tables WHERE id = 3", "01");
}

static void
test_rolls_back (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tiers[0];
  DsqTableState state;

  begin (tier);
  g_assert_cmpuint (open_table (tier, "a").table, ==, 2);
  tier->funcs->rollback (tier);
  assert_names (tier, NO_NAMES);
  begin (tier);
  g_assert_false (tier->funcs->get_table (tier, 2, &state));
  g_assert_cmpuint (open_table (tier, "b").table, ==, 2);
  set_in_table (tier, 2, "k");
  commit (tier);

  begin (tier);
  g_assert_true (tier->funcs->savepoint (tier, NULL));
  g_assert_cmpuint (drop_table (tier, "b"), ==, 2);
  g_assert_cmpuint (open_table (tier, "c").table, ==, 3);
  g_assert_true (tier->funcs->release (tier, FALSE, NULL));
  g_assert_true (tier->funcs->get_table (tier, 2, &state));
  g_assert_cmpint (state.count, ==, 1);
  g_assert_false (tier->funcs->get_table (tier, 3, &state));
  g_assert_cmpuint (drop_table (tier, "b"), ==, 2);
  tier->funcs->rollback (tier);
  assert_names (tier, NAMES ("b"));
  assert_stock (fixture->path, "SELECT count(*) FROM entry WHERE table_id = 2", "1");
}

static void
test_drops_one_range (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tiers[0];

  begin (tier);
  for (guint32 table = 2; table <= 4; table++)
    {
      g_autofree char *name = g_strdup_printf ("%u", table);

      open_table (tier, name);
      for (guint i = 0; i < 10; i++)
        {
          g_autofree char *key = g_strdup_printf ("%u", i);

          set_in_table (tier, table, key);
        }
    }
  set_in_table (tier, DSQ_TABLE_MAIN, "k");
  commit (tier);
  begin (tier);
  g_assert_cmpuint (drop_table (tier, "3"), ==, 3);
  g_assert_cmpuint (drop_table (tier, "3"), ==, 0);
  commit (tier);
  assert_names (tier, NAMES ("2", "4"));
  assert_stock (fixture->path,
                "SELECT group_concat (n) FROM (SELECT count(*) AS n FROM entry"
                " GROUP BY table_id ORDER BY table_id)",
                "1,10,10");
  assert_stock (fixture->path, "SELECT group_concat (id) FROM tables", "1,2,4");
}

static void
test_never_gives_an_id_twice (Fixture *fixture, gconstpointer data)
{
  for (guint32 round = 0; round < 6; round++)
    {
      DsqColdTier *tier = fixture->tiers[round % 2];

      begin (tier);
      g_assert_cmpuint (open_table (tier, "a").table, ==, 2 + 2 * round);
      g_assert_cmpuint (open_table (tier, "b").table, ==, 3 + 2 * round);
      commit (tier);
      assert_names (fixture->tiers[(round + 1) % 2], NAMES ("a", "b"));
      begin (tier);
      g_assert_cmpuint (drop_table (tier, round % 3 == 0 ? "a" : "b"), !=, 0);
      g_assert_cmpuint (drop_table (tier, round % 3 == 0 ? "b" : "a"), !=, 0);
      commit (tier);
      assert_names (tier, NO_NAMES);
      assert_stock (fixture->path, "SELECT count(*) FROM tables", "2");
      assert_stock (fixture->path, "SELECT hex (token) FROM tables WHERE id > 1", "00");
    }
}

static void
test_ends_with_the_last_id (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  DsqColdTier *tier = fixture->tiers[0];
  DsqTableState state;

  run_stock (fixture->path, "INSERT INTO tables VALUES (8388605, x'00', NULL, x'', 1, 0)");
  begin (tier);
  g_assert_cmpuint (open_table (tier, "x").table, ==, DSQ_TABLE_MAX - 1);
  g_assert_cmpuint (open_table (tier, "y").table, ==, DSQ_TABLE_MAX);
  set_in_table (tier, DSQ_TABLE_MAX, "k");
  g_assert_false (tier->funcs->open_table (tier, (const guint8 *) "z", 1, TRUE, &state, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_FAILED);
  commit (tier);
  assert_names (tier, NAMES ("x", "y"));
}

#define MANY_TABLES 30000
#define N_COMMITS   200

/* Nanoseconds of processor time, the least of some rounds: of the commits, or of what @learner does
 * to learn of each. */
static gint64
time_commits (DsqColdTier *tier, DsqColdTier *learner)
{
  gint64 least = G_MAXINT64;

  for (guint round = 0; round < 10; round++)
    {
      gint64 began = processor_time (), learning = 0;

      for (guint i = 0; i < N_COMMITS; i++)
        {
          gint64 committed;

          begin (tier);
          g_assert_true (tier->funcs->savepoint (tier, NULL));
          set_in_table (tier, DSQ_TABLE_MAIN, "k");
          g_assert_true (tier->funcs->release (tier, TRUE, NULL));
          commit (tier);
          if (learner == NULL)
            continue;
          committed = processor_time ();
          g_assert_true (learner->funcs->catch_up (learner, NULL));
          learning += processor_time () - committed;
        }
      least = MIN (least, learner != NULL ? learning : processor_time () - began);
    }
  return least;
}

static void
make_many (DsqColdTier *tier)
{
  begin (tier);
  for (guint i = 0; i < MANY_TABLES; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);

      open_table (tier, name);
    }
  commit (tier);
}

/* What each table cost a commit made it 27 times as long here. */
static void
test_costs_what_it_changes (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tiers[0];
  gint64 alone, beside_many;

  close_tier (g_steal_pointer (&fixture->tiers[1]));
  alone = time_commits (tier, NULL);
  make_many (tier);
  beside_many = time_commits (tier, NULL);
  g_test_message ("a commit takes %.1f us, beside %u tables %.1f us",
                  (double) alone / N_COMMITS / 1000,
                  MANY_TABLES,
                  (double) beside_many / N_COMMITS / 1000);
  g_assert_cmpint (beside_many, <, 3 * alone);
  fixture->tiers[1] = open_tier (fixture->path, &fixture->foreign[1]);
}

/* To read all of them again would make it a thousand times as long. */
static void
test_learns_what_is_changed (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tiers[0], *learner = fixture->tiers[1];
  const Foreign *foreign = &fixture->foreign[1];
  gint64 alone, beside_many;
  DsqTableState state;
  guint n_known;

  alone = time_commits (tier, learner);
  make_many (tier);
  g_assert_true (learner->funcs->catch_up (learner, NULL));
  n_known = foreign->n_known;
  beside_many = time_commits (tier, learner);
  g_assert_cmpuint (foreign->n_known, ==, n_known + 10 * N_COMMITS);
  g_test_message ("to learn of a commit takes %.1f us, beside %u tables %.1f us",
                  (double) alone / N_COMMITS / 1000,
                  MANY_TABLES,
                  (double) beside_many / N_COMMITS / 1000);
  g_assert_cmpint (beside_many, <, 10 * alone);

  /* one in the middle, one that is new, and one that is no more */
  begin (tier);
  set_in_table (tier, 100, "k");
  set_in_table (tier, open_table (tier, "new").table, "k");
  commit (tier);
  g_assert_true (learner->funcs->catch_up (learner, NULL));
  g_assert_cmpstr (foreign->last_keys, ==, "k k ");
  g_assert_true (learner->funcs->get_table (learner, 100, &state));
  g_assert_cmpint (state.count, ==, 1);
  g_assert_true (learner->funcs->get_table (learner, MANY_TABLES + 2, &state));
  g_assert_cmpint (state.count, ==, 1);
  g_assert_cmpuint (stats_of (learner).entries, ==, 3);
  n_known = foreign->n_known;
  begin (tier);
  g_assert_cmpuint (drop_table (tier, "7"), ==, 9);
  commit (tier);
  g_assert_true (learner->funcs->catch_up (learner, NULL));
  g_assert_cmpuint (foreign->n_known, ==, n_known);
  g_assert_false (learner->funcs->get_table (learner, 9, &state));
  begin (learner);
  set_in_table (learner, 100, "other");
  commit (learner);
  g_assert_cmpuint (stats_of (learner).entries, ==, 4);
}

#define ADD(path, func)                                                                            \
  g_test_add ("/dsq/cold-tables/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("opens-and-finds", test_opens_and_finds);
  ADD ("rolls-back", test_rolls_back);
  ADD ("drops-one-range", test_drops_one_range);
  ADD ("never-gives-an-id-twice", test_never_gives_an_id_twice);
  ADD ("ends-with-the-last-id", test_ends_with_the_last_id);
  ADD ("costs-what-it-changes", test_costs_what_it_changes);
  ADD ("learns-what-is-changed", test_learns_what_is_changed);
  return g_test_run ();
}
