/* test-engine-limits.c - what an engine may do no more, and what it does where there is too much
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-out-private.h"
#include "engine/dsq-engine-entries-private.h"
#include "engine/dsq-sweep-private.h"
#include "faulty-file.h"

/* --- what is final ---------------------------------------------------------------------------- */

static void
assert_refused (gboolean success, GError **error, int code)
{
  g_assert_false (success);
  g_assert_error (*error, DSQ_ERROR, code);
  g_clear_error (error);
}

static void
test_reads_only (Fixture *self, gconstpointer data)
{
  g_autofree char *long_name = g_strnfill ((1 << 20) + 1, 'n');
  DsqEngineOptions options = usual;
  g_autoptr (GError) error = NULL;
  DsqEachWrite writes[2];
  DsqChange changes[2];
  DsqEngine *transaction;
  gboolean dropped;
  guint64 n_swept;
  guint32 table;

  make_store (self->path);
  options.read_only = TRUE;
  open_engine (self, &options);
  transaction = dsq_engine_begin (engine, NULL, &error);
  assert_refused (dsq_engine_expire (transaction, &n_swept, &error), &error, DSQ_ERROR_READ_ONLY);
  g_assert_true (dsq_engine_close (transaction, &error));
  dsq_engine_unref (transaction);
  for (guint i = 0; i < 2; i++)
    {
      writes[i].error = NULL;
      changes[i] = change_of (i == 0 ? "n" : "m", "1", 0, 0);
      writes[i].entry = changes[i].entry;
    }
  dsq_engine_write_each (engine, DSQ_PROMISE_COMMITTED, writes, 2);
  for (guint i = 0; i < 2; i++)
    {
      assert_refused (FALSE, &writes[i].error, DSQ_ERROR_READ_ONLY);
      dsq_entry_unref (changes[i].entry);
    }
  assert_refused (set_to (DSQ_PROMISE_COMMITTED, "k", "1", &error), &error, DSQ_ERROR_READ_ONLY);
  assert_refused (dsq_engine_drop_table (engine, (const guint8 *) "t", 1, &dropped, &error),
                  &error,
                  DSQ_ERROR_READ_ONLY);
  assert_refused (dsq_engine_expire (engine, &n_swept, &error), &error, DSQ_ERROR_READ_ONLY);
  assert_refused (dsq_engine_change_password (engine, NULL, NULL, &error),
                  &error,
                  DSQ_ERROR_READ_ONLY);
  for (guint i = 0; i < 2; i++)
    {
      const guint8 *name = (const guint8 *) (i == 0 ? long_name : "\xff");
      gsize length = i == 0 ? (1 << 20) + 1 : 1;

      assert_refused (dsq_engine_drop_table (engine, name, length, &dropped, &error),
                      &error,
                      DSQ_ERROR_INVALID_ARGUMENT);
      assert_refused (
          dsq_engine_open_table (engine, DSQ_PROMISE_NONE, name, length, &table, &error),
          &error,
          DSQ_ERROR_INVALID_ARGUMENT);
    }
  g_assert_true (dsq_engine_close (engine, &error));
  assert_refused (dsq_engine_expire (engine, &n_swept, &error), &error, DSQ_ERROR_CLOSED);
  g_clear_pointer (&engine, dsq_engine_unref);
}

/* A sync that has failed is told to every write from then on, whoever comes. */
static void
test_after_a_failed_sync (Fixture *self, gconstpointer data)
{
  DsqEngineOptions options = usual;
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqEntry) ends = NULL;
  DsqKey key = key_of ("e");

  ends = dsq_entry_new (&key, (const guint8 *) "\1", 1, g_get_real_time () / 1000 + 1800000);
  open_engine (self, &options);
  stage ("s");
  g_assert_true (dsq_engine_set (engine, DSQ_PROMISE_STAGED, &key, dsq_entry_ref (ends), &error));
  fail_after (CALL_SYNC, 0, DSQ_ERROR_IO);
  real.sync_is_final = TRUE;
  assert_refused (dsq_engine_flush (engine, &error), &error, DSQ_ERROR_IO);
  assert_refused (set_to (DSQ_PROMISE_STAGED, "t", "1", &error), &error, DSQ_ERROR_IO);
  options.dirty_limit *= 2;
  g_assert_true (dsq_engine_join (engine, &options, &error));
  g_assert_no_error (error);
  assert_refused (set_to (DSQ_PROMISE_STAGED, "t", "1", &error), &error, DSQ_ERROR_IO);
  /* nothing is swept any more either, nor is that an error */
  dsq_engine_set_clock_offset (engine, 3600000);
  g_assert_true (dsq_engine_sweep_some (engine, 1, &error));
  g_assert_no_error (error);
  g_assert_true (dsq_engine_is_sweep_due (engine));
  assert_holds ("s", "staged");
  g_assert_false (dsq_engine_close (engine, &error));
  g_assert_true (dsq_engine_is_closed (engine));
  g_clear_pointer (&engine, dsq_engine_unref);
}

/* --- a cache under its limit ------------------------------------------------------------------ */

#define N_ROWS 600
#define MIDDLE (((gint64) 2 << DSQ_FORMAT_POSITION_BITS) + N_ROWS / 2)

/* Rows of a table that nobody opens here; most of what the file has. */
static void
fill_other_table (void)
{
  g_autofree char *value = g_strnfill (300, 'v');
  Foreign foreign;
  DsqColdTier *tier;
  DsqTableState state;

  make_store (other_path);
  tier = open_other (&foreign);
  put (tier, "b", "2");
  begin (tier);
  state = open_table (tier, "t");
  for (guint i = 0; i < N_ROWS; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);
      g_autoptr (GError) error = NULL;
      DsqKey key = key_of (name);
      DsqChange change = { .presence = DSQ_PRESENCE_ABSENT };

      key.table = state.table;
      change.entry = dsq_entry_new (&key, (const guint8 *) value, strlen (value), 0);
      tier->funcs->apply (tier, &change, 1, &error);
      g_assert_no_error (error);
      dsq_entry_unref (change.entry);
    }
  commit (tier);
  close_tier (tier);
}

static guint64
count_dropped (void)
{
  DsqStats stats = { 0 };

  dsq_engine_get_stats (engine, &stats);
  g_free (stats.last_error);
  return stats.dropped_entries;
}

/* The hand goes from where it was round to there; what a tier holds goes last; and when nothing is
 * left that may go, that is all that can be done. */
static void
test_drops_what_may_go (Fixture *self, gconstpointer data)
{
  g_autofree char *large = g_strnfill (40000, 'v');
  DsqEngineOptions options = usual;
  g_autoptr (GError) error = NULL;

  options.max_bytes = 65536;
  options.hot_capacity = 1;
  options.warm_capacity = 1 << 20;
  other_path = self->path;
  fill_other_table ();
  open_engine (self, &options);
  assert_holds ("b", "2");
  assert_refused (set_to (DSQ_PROMISE_STAGED, "l", large, &error), &error, DSQ_ERROR_INVALID_VALUE);
  real.n_shrinks = 2;
  g_assert_true (flush_engine (&error));
  g_assert_cmpuint (real.n_shrinks, ==, 1);
  assert_holds ("b", NULL);
  g_assert_cmpuint (count_dropped (), >, 0);
  real.n_shrinks = 0;
  close_engine ();
  for (guint warm = 0; warm < 2; warm++)
    {
      put_others ();
      open_engine (self, &options);
      if (warm)
        assert_holds ("a", "1");
      assert_holds ("b", "1");
      engine->trim_hand = MIDDLE;
      fail_after (CALL_FIND_OLDEST, warm ? 4 : 0, DSQ_ERROR_IO);
      assert_refused (flush_engine (&error), &error, DSQ_ERROR_IO);
      /* what was found is put off where others commit */
      real.after_find = put_others;
      g_assert_true (flush_engine (&error));
      g_assert_cmpuint (count_dropped (), ==, 0);
      assert_holds ("b", "1");
      engine->trim_hand = MIDDLE;
      fail_after (CALL_BEGIN, 0, DSQ_ERROR_IO);
      assert_refused (flush_engine (&error), &error, DSQ_ERROR_IO);
      g_assert_true (flush_engine (&error));
      g_assert_no_error (error);
      assert_holds ("b", NULL);
      fail_after (CALL_FIND_OLDEST, 0, DSQ_ERROR_IO);
      assert_refused (dsq_engine_close (engine, &error), &error, DSQ_ERROR_IO);
      fail_after (CALL_SYNC, 0, DSQ_ERROR_IO);
      assert_refused (dsq_engine_close (engine, &error), &error, DSQ_ERROR_IO);
      close_engine ();
    }
}

/* Its numbers are as last known where the file does not tell. */
static void
test_stats_of_what_does_not_tell (Fixture *self, gconstpointer data)
{
  DsqStats stats = { 0 }, again = { 0 };

  open_engine (self, &usual);
  dsq_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.used_bytes, >, 0);
  fail_after (CALL_GET_USED, 0, DSQ_ERROR_IO);
  dsq_engine_get_stats (engine, &again);
  g_assert_cmpuint (real.n_failed, ==, 1);
  g_assert_cmpuint (again.used_bytes, ==, stats.used_bytes);
  close_engine ();
}

/* --- many ------------------------------------------------------------------------------------- */

static void
put_and_fail (void)
{
  put_other ();
  fail_after (CALL_CATCH_UP, 0, DSQ_ERROR_IO);
}

#define MANY 66000

/* More keys than are looked for at once; and others commit what cannot be learned. */
static void
test_counts_what_was_set_blindly (Fixture *self, gconstpointer data)
{
  g_autofree DsqEntry **entries = g_new (DsqEntry *, MANY);
  DsqEngineOptions options = usual;
  g_autoptr (GError) error = NULL;
  guint64 n_keys;

  options.dirty_limit = 1 << 30;
  open_engine (self, &options);
  stage ("s");
  real.after_probe = put_and_fail;
  g_assert_false (dsq_engine_count (engine, DSQ_TABLE_MAIN, &n_keys, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
  g_clear_error (&error);
  for (guint i = 0; i < MANY; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);
      DsqKey key = key_of (name);

      entries[i] = dsq_entry_new (&key, (const guint8 *) "\1", 1, 0);
    }
  g_assert_true (dsq_engine_set_many (engine, DSQ_PROMISE_STAGED, entries, MANY, &error));
  g_assert_true (dsq_engine_count (engine, DSQ_TABLE_MAIN, &n_keys, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (n_keys, ==, MANY + 3);
  close_engine ();
}

/* A write that comes between those that were staged may be about two tables; that of a thread that
 * is asked goes on in another one where it is much. */
static gboolean
go_on (gpointer data)
{
  return FALSE;
}

static void
test_writes_two_tables (Fixture *self, gconstpointer data)
{
  DsqBatchTable tables[] = { { .id = DSQ_TABLE_MAIN }, { 0 } };
  g_autofree DsqEntry **entries = g_new (DsqEntry *, 2000);
  const DsqEngineBatch batch = {
    .promise = DSQ_PROMISE_COMMITTED,
    .tables = tables,
    .n_tables = 2,
    .changes = entries,
    .n_changes = 2000,
  };
  g_autofree char *large = g_strnfill (5 << 20, 'v');
  DsqEngineOptions options = usual;
  g_autoptr (GError) error = NULL;
  gboolean applied;
  guint64 n_keys;

  options.dirty_limit = options.hot_limit = 1 << 30;
  open_engine (self, &options);
  stage ("s");
  dsq_engine_open_table (engine,
                         DSQ_PROMISE_STAGED,
                         (const guint8 *) "t",
                         1,
                         &tables[1].id,
                         &error);
  for (guint i = 0; i < 2000; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);
      DsqKey key = key_of (name);

      key.table = tables[i / 1000].id;
      entries[i] = dsq_entry_new (&key, (const guint8 *) "\1", 1, 0);
    }
  dsq_call_set_asked (go_on, NULL, NULL);
  dsq_engine_apply (engine, &batch, &applied, &error);
  g_assert_no_error (error);
  g_assert_true (applied);
  /* so does one that is small, and comes with much */
  g_assert_true (set_to (DSQ_PROMISE_STAGED, "s", large, &error));
  g_assert_true (set_to (DSQ_PROMISE_COMMITTED, "s", "small", &error));
  g_assert_no_error (error);
  dsq_call_set_asked (NULL, NULL, NULL);
  g_assert_true (dsq_engine_count (engine, DSQ_TABLE_MAIN, &n_keys, &error));
  g_assert_cmpuint (n_keys, ==, 1002);
  g_assert_true (dsq_engine_count (engine, tables[1].id, &n_keys, &error));
  g_assert_cmpuint (n_keys, ==, 1000);
  for (guint i = 0; i < 2000; i++)
    dsq_entry_unref (entries[i]);
  close_engine ();
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, data, test)                                                                      \
  g_test_add ("/dsq/engine-limits/" path, Fixture, data, set_up, test, tear_down)
  ADD ("counts-what-was-set-blindly", NULL, test_counts_what_was_set_blindly);
  ADD ("writes-two-tables", NULL, test_writes_two_tables);
  ADD ("reads-only", NULL, test_reads_only);
  ADD ("after-a-failed-sync", NULL, test_after_a_failed_sync);
  ADD ("drops-what-may-go", NULL, test_drops_what_may_go);
  ADD ("stats-of-what-does-not-tell", NULL, test_stats_of_what_does_not_tell);
  return run_inside ();
}
