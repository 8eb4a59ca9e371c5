/* test-engine-over.c - an engine over a cold tier of the caller's
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold-support.h"
#include "engine/dsq-engine-entries-private.h"

static DsqEngine *
open_over (DsqColdTier *cold, const DsqTableState *main, DsqPersistMode mode, guint hot_capacity)
{
  const DsqEngineOptions options = {
    .persist_mode = mode,
    .hot_capacity = hot_capacity,
    .hot_limit = 1 << 20,
    .dirty_limit = 1 << 20,
    .flush_interval_ms = 1000,
  };
  g_autoptr (GError) error = NULL;
  DsqEngine *engine = dsq_engine_open_over (&options, cold, main, &error);

  g_assert_no_error (error);
  g_assert_nonnull (engine);
  return engine;
}

static void
set (DsqEngine *engine, const char *key, const char *value)
{
  g_autoptr (GError) error = NULL;
  DsqChange change = change_of (key, value, 0, DSQ_PRESENCE_UNKNOWN);
  DsqKey a_key = key_of (key);

  g_assert_true (dsq_engine_set (engine, DSQ_PROMISE_STAGED, &a_key, change.entry, &error));
  g_assert_no_error (error);
}

static void
assert_holds (DsqEngine *engine, const char *key, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqEntry) entry = NULL;
  DsqKey a_key = key_of (key);

  g_assert_true (dsq_engine_get (engine, &a_key, &entry, &error));
  g_assert_no_error (error);
  assert_entry (entry, expected);
}

static void
close_engine (DsqEngine *engine)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_engine_close (engine, &error));
  g_assert_no_error (error);
  dsq_engine_unref (engine);
}

static DsqColdTier *
open_file (const char *path, DsqTableState *out_main)
{
  const DsqColdOptions options = { .path = path, .cache_bytes = 1 << 20 };
  g_autoptr (GError) error = NULL;
  DsqColdTier *tier = dsq_cold_tier_open_sqlite (&options, out_main, &error);

  g_assert_no_error (error);
  return tier;
}

/* What is there shows, what is written comes there with a flush, what others commit is learned. */
static void
test_over_a_file (gconstpointer mode)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autoptr (GError) error = NULL;
  DsqTableState main;
  DsqColdTier *tier;
  DsqEngine *engine;
  guint64 n_keys;

  make_store (path);
  tier = open_file (path, &main);
  g_assert_cmpint (main.count, ==, 1);
  engine = open_over (tier, &main, GPOINTER_TO_INT (mode), 1000);
  assert_holds (engine, "a", "1");
  set (engine, "b", "2");
  g_assert_true (dsq_engine_flush (engine, &error));
  {
    Foreign foreign;
    DsqColdTier *other = open_tier (path, &foreign);

    assert_value (other, "b", "2");
    put (other, "a", "3");
    close_tier (other);
  }
  assert_holds (engine, "a", "3");
  g_assert_true (dsq_engine_count (engine, DSQ_TABLE_MAIN, &n_keys, &error));
  g_assert_cmpuint (n_keys, ==, 2);
  set (engine, "c", "4");
  close_engine (engine);

  tier = open_file (path, &main);
  assert_value (tier, "c", "4");
  close_tier (tier);
  assert_sound (path);
  remove_folder (folder);
}

#define N_OPENED 4000

/* Nanoseconds of processor time in which the engine learns of a commit and reads what is new, the
 * least of some rounds. */
static gint64
time_learning (DsqEngine *engine, DsqColdTier *other)
{
  gint64 least = G_MAXINT64;

  for (guint i = 0; i < 200; i++)
    {
      const char *value = i % 2 == 0 ? "even" : "odd";
      gint64 began;

      put (other, "a", value);
      began = processor_time ();
      assert_holds (engine, "a", value);
      least = MIN (least, processor_time () - began);
    }
  return least;
}

/* To look at each of the tables made it 20 times as long here. */
static void
test_others_commits_beside_many_tables (void)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autoptr (GError) error = NULL;
  gint64 alone, beside_many;
  DsqTableState main;
  Foreign foreign;
  DsqColdTier *tier, *other;
  DsqEngine *engine;

  make_store (path);
  tier = open_file (path, &main);
  engine = open_over (tier, &main, DSQ_PERSIST_LAZY, 1000);
  other = open_tier (path, &foreign);
  alone = time_learning (engine, other);
  begin (other);
  for (guint i = 0; i < N_OPENED; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);

      open_table (other, name);
    }
  commit (other);
  for (guint i = 0; i < N_OPENED; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);
      guint32 table;

      g_assert_true (dsq_engine_open_table (engine,
                                            DSQ_PROMISE_STAGED,
                                            (const guint8 *) name,
                                            strlen (name),
                                            &table,
                                            &error));
      g_assert_no_error (error);
    }
  beside_many = time_learning (engine, other);
  g_test_message ("to learn of a commit takes %.1f us, beside %u tables %.1f us",
                  (double) alone / 1000,
                  N_OPENED,
                  (double) beside_many / 1000);
  g_assert_cmpint (beside_many, <, 5 * alone);
  close_tier (other);
  close_engine (engine);
  assert_sound (path);
  remove_folder (folder);
}

/* Nothing is committed that nobody can find again. */
static void
test_over_what_does_not_last (void)
{
  const DsqColdOptions options = { .cache_bytes = 1 << 20 };
  DsqTableState main;
  DsqColdTier *tier = dsq_cold_tier_new_private (&options, &main);
  DsqEngine *engine = open_over (tier, &main, DSQ_PERSIST_MEMORY, 1000);
  g_autoptr (GError) error = NULL;

  set (engine, "a", "1");
  g_assert_true (dsq_engine_flush (engine, &error));
  assert_holds (engine, "a", "1");
  g_assert_cmpuint (tier->n_commits, ==, 0);
  close_engine (engine);
}

/* Such a tier, but for that it is one, does not say how much of it is in use. */
static void
test_what_is_not_measured_has_no_limit (void)
{
  const DsqEngineOptions options = { .hot_capacity = 1000,
                                     .hot_limit = 1 << 20,
                                     .max_bytes = 1 << 20 };
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autoptr (GError) error = NULL;
  DsqTableState main;
  DsqColdTier *tier;

  make_store (path);
  tier = open_file (path, &main);
  tier->file = NULL;
  g_assert_null (dsq_engine_open_over (&options, tier, &main, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
  assert_sound (path);
  remove_folder (folder);
}

/* --- changed behind a read -------------------------------------------------------------------- */

static struct
{
  DsqColdTierFuncs funcs;
  const DsqColdTierFuncs *real;
  DsqEngine *engine; /* (nullable) for as long as nothing was changed */
} between;

/* What is set in between is in the file alone again before the reader looks. */
static gboolean
get_and_change (DsqColdTier *tier, const DsqKey *keys, gsize n_keys, DsqEntry **out, GError **error)
{
  DsqEngine *engine = g_steal_pointer (&between.engine);
  gboolean read = between.real->get_many (tier, keys, n_keys, out, error);

  if (engine != NULL)
    {
      set (engine, "a", "other");
      g_assert_true (dsq_engine_flush (engine, NULL));
      assert_holds (engine, "b", "2");
    }
  return read;
}

/* Of what was read none is admitted to memory. */
static void
get (DsqEngine *engine)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqEntry) entry = NULL;
  DsqKey key = key_of ("a");

  g_assert_true (dsq_engine_get (engine, &key, &entry, &error));
  g_assert_no_error (error);
}

static void
get_many (DsqEngine *engine)
{
  g_autoptr (GError) error = NULL;
  const DsqKey keys[] = { key_of ("a"), key_of ("b") };
  DsqEntry *entries[2];

  g_assert_true (dsq_engine_get_many (engine, keys, 2, entries, &error));
  g_assert_no_error (error);
  dsq_entry_unref (entries[0]);
  dsq_entry_unref (entries[1]);
}

/* The key is not any more what was expected. */
static void
compare_and_set (DsqEngine *engine)
{
  g_autoptr (GError) error = NULL;
  DsqChange expected = change_of ("a", "1", 0, DSQ_PRESENCE_UNKNOWN);
  DsqChange change = change_of ("a", "9", 0, DSQ_PRESENCE_UNKNOWN);
  DsqBatchTable table = { .id = DSQ_TABLE_MAIN };
  const DsqEngineBatch batch = {
    .promise = DSQ_PROMISE_STAGED,
    .tables = &table,
    .n_tables = 1,
    .changes = &change.entry,
    .n_changes = 1,
    .expected = &expected.entry,
    .n_expected = 1,
  };
  gboolean applied = TRUE;

  g_assert_true (dsq_engine_apply (engine, &batch, &applied, &error));
  g_assert_no_error (error);
  g_assert_false (applied);
  dsq_entry_unref (expected.entry);
  dsq_entry_unref (change.entry);
}

static gboolean
see_other (const DsqKey *key, DsqEntry *old, DsqEntry **out_new, gpointer data, GError **error)
{
  assert_entry (old, "other");
  return TRUE;
}

static void
modify (DsqEngine *engine)
{
  g_autoptr (GError) error = NULL;
  DsqKey key = key_of ("a");

  g_assert_true (dsq_engine_modify (engine, DSQ_PROMISE_STAGED, &key, see_other, NULL, &error));
  g_assert_no_error (error);
}

static const struct
{
  const char *name;
  void (*run) (DsqEngine *engine);
} readers[] = {
  { "get", get },
  { "get-many", get_many },
  { "compare-and-set", compare_and_set },
  { "modify", modify },
};

static void
test_changed_behind_a_read (gconstpointer number)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  DsqTableState main;
  DsqColdTier *tier;
  DsqEngine *engine;

  make_store (path);
  tier = open_file (path, &main);
  put (tier, "b", "2");
  g_assert_true (tier->funcs->get_table (tier, DSQ_TABLE_MAIN, &main));
  engine = open_over (tier, &main, DSQ_PERSIST_LAZY, 1);
  between.real = tier->funcs;
  between.funcs = *tier->funcs;
  between.funcs.get_many = get_and_change;
  between.engine = engine;
  tier->funcs = &between.funcs;

  readers[GPOINTER_TO_UINT (number)].run (engine);
  g_assert_null (between.engine);
  assert_holds (engine, "a", "other");
  close_engine (engine);
  remove_folder (folder);
}

static guint32
open_t (DsqEngine *engine)
{
  g_autoptr (GError) error = NULL;
  guint32 table = 0;

  dsq_engine_open_table (engine, DSQ_PROMISE_STAGED, (const guint8 *) "t", 1, &table, &error);
  g_assert_no_error (error);
  return table;
}

#define MEANWHILE_US 50000

static struct
{
  GThread *thread; /* (owned) (nullable) */
  gint is_open;    /* (atomic) */
  guint32 table;
} meanwhile;

static gpointer
open_meanwhile (gpointer engine)
{
  meanwhile.table = open_t (engine);
  g_atomic_int_set (&meanwhile.is_open, TRUE);
  return NULL;
}

static gboolean
fail_to_commit (DsqColdTier *tier, DsqColdCommittedFunc committed, gpointer data, GError **error)
{
  tier->funcs = between.real;
  meanwhile.thread = g_thread_new ("meanwhile", open_meanwhile, between.engine);
  g_usleep (MEANWHILE_US);
  g_assert_false (g_atomic_int_get (&meanwhile.is_open));
  g_set_error_literal (error, DSQ_ERROR, DSQ_ERROR_NO_SPACE, "full");
  return FALSE;
}

/* Who asks for a table that another thread is making gets none that may not come to be. */
static void
test_table_that_is_being_made (void)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autoptr (GError) error = NULL;
  DsqTableState main;
  DsqColdTier *tier;
  guint32 table;

  make_store (path);
  tier = open_file (path, &main);
  between.engine = open_over (tier, &main, DSQ_PERSIST_LAZY, 1);
  between.real = tier->funcs;
  between.funcs = *tier->funcs;
  between.funcs.commit = fail_to_commit;
  tier->funcs = &between.funcs;
  g_assert_false (dsq_engine_open_table (between.engine,
                                         DSQ_PROMISE_STAGED,
                                         (const guint8 *) "t",
                                         1,
                                         &table,
                                         &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_SPACE);
  g_thread_join (meanwhile.thread);
  g_assert_cmpuint (open_t (between.engine), ==, meanwhile.table);
  close_engine (between.engine);
  remove_folder (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/dsq/engine-over/lazily-over-a-file",
                        GINT_TO_POINTER (DSQ_PERSIST_LAZY),
                        test_over_a_file);
  g_test_add_data_func ("/dsq/engine-over/through-to-a-file",
                        GINT_TO_POINTER (DSQ_PERSIST_WRITETHROUGH),
                        test_over_a_file);
  g_test_add_func ("/dsq/engine-over/others-commits-beside-many-tables",
                   test_others_commits_beside_many_tables);
  g_test_add_func ("/dsq/engine-over/over-what-does-not-last", test_over_what_does_not_last);
  g_test_add_func ("/dsq/engine-over/what-is-not-measured-has-no-limit",
                   test_what_is_not_measured_has_no_limit);
  g_test_add_func ("/dsq/engine-over/table-that-is-being-made", test_table_that_is_being_made);
  for (guint i = 0; i < G_N_ELEMENTS (readers); i++)
    {
      g_autofree char *path =
          g_strconcat ("/dsq/engine-over/changed-behind-a-read/", readers[i].name, NULL);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_changed_behind_a_read);
    }
  return run_inside ();
}
