/* test-cold-contract.c - what dsq-cold-funcs-private.h says of rows, of each cold tier
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "cold-contract.h"

/* --- rows ------------------------------------------------------------------------------------- */

static void
test_tells_presence (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;

  begin (tier);
  g_assert_cmpint (apply_one (tier, "a", NULL, DSQ_PRESENCE_UNKNOWN), ==, DSQ_PRESENCE_ABSENT);
  g_assert_cmpint (apply_one (tier, "a", "1", DSQ_PRESENCE_UNKNOWN), ==, DSQ_PRESENCE_ABSENT);
  g_assert_cmpint (apply_one (tier, "a", "1", DSQ_PRESENCE_UNKNOWN), ==, DSQ_PRESENCE_PRESENT);
  g_assert_cmpint (apply_one (tier, "a", "2", DSQ_PRESENCE_PRESENT), ==, DSQ_PRESENCE_PRESENT);
  g_assert_cmpint (apply_one (tier, "b", "1", DSQ_PRESENCE_ABSENT), ==, DSQ_PRESENCE_ABSENT);
  g_assert_cmpint (apply_one (tier, "b", NULL, DSQ_PRESENCE_PRESENT), ==, DSQ_PRESENCE_PRESENT);
  g_assert_cmpint (apply_one (tier, "b", NULL, DSQ_PRESENCE_ABSENT), ==, DSQ_PRESENCE_ABSENT);
  commit (tier);
  assert_value (tier, "a", "2");
  assert_value (tier, "b", NULL);
  g_assert_cmpint (state_of (tier).count, ==, 1);
  g_assert_cmpint (state_of (tier).next, ==, place_of (3));
}

static void
test_wrong_presence_is_corrupt (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *key;
    const char *value;
    DsqPresence presence;
  } wrong[] = {
    { "here", "1", DSQ_PRESENCE_ABSENT },
    { "gone", "1", DSQ_PRESENCE_PRESENT },
    { "gone", NULL, DSQ_PRESENCE_PRESENT },
  };
  DsqColdTier *tier = fixture->tier;

  put (tier, "here", "0");
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;
      DsqChange change = change_of (wrong[i].key, wrong[i].value, place_of (9), wrong[i].presence);

      begin (tier);
      g_assert_false (tier->funcs->apply (tier, &change, 1, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
      tier->funcs->rollback (tier);
      dsq_entry_unref (change.entry);
    }
  /* a place that is taken */
  {
    g_autoptr (GError) error = NULL;
    DsqChange change = change_of ("new", "1", place_of (1), DSQ_PRESENCE_UNKNOWN);

    begin (tier);
    g_assert_false (tier->funcs->apply (tier, &change, 1, &error));
    g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
    tier->funcs->rollback (tier);
    dsq_entry_unref (change.entry);
  }
  assert_value (tier, "here", "0");
  put (tier, "here", "2");
  assert_value (tier, "here", "2");
}

static void
test_full_table_is_refused (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  DsqChange change = change_of ("a", "1", place_of (0) - 1, DSQ_PRESENCE_UNKNOWN);

  begin (fixture->tier);
  g_assert_false (fixture->tier->funcs->apply (fixture->tier, &change, 1, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_FAILED);
  fixture->tier->funcs->rollback (fixture->tier);
  dsq_entry_unref (change.entry);
}

static void
test_overwriting_keeps_the_place (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  DsqChange change;

  put (tier, "a", "1");
  put (tier, "b", "1");
  put (tier, "c", "1");
  put (tier, "a", "2");
  assert_walk (tier, "a b c");

  /* reinsertion goes last, and may not know whether the key was there */
  begin (tier);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;
      DsqPresence presence = i == 0 ? DSQ_PRESENCE_UNKNOWN : DSQ_PRESENCE_PRESENT;

      change = change_of (i == 0 ? "a" : "b", "3", place_of (4 + i), presence);
      change.reinsert = TRUE;
      tier->funcs->apply (tier, &change, 1, &error);
      g_assert_no_error (error);
      g_assert_cmpint (change.presence, ==, DSQ_PRESENCE_PRESENT);
      dsq_entry_unref (change.entry);
    }
  commit (tier);
  assert_walk (tier, "c a b");
  g_assert_cmpint (state_of (tier).count, ==, 3);
}

/* In the order of the changes, and for those alone that turn out new. */
static void
test_gives_places (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GError) error = NULL;
  DsqChange changes[] = {
    change_of ("a", "2", 0, DSQ_PRESENCE_UNKNOWN),  change_of ("c", "1", 0, DSQ_PRESENCE_UNKNOWN),
    change_of ("b", NULL, 0, DSQ_PRESENCE_UNKNOWN), change_of ("d", "1", 0, DSQ_PRESENCE_ABSENT),
    change_of ("a", "3", 0, DSQ_PRESENCE_PRESENT),  change_of ("c", "2", 0, DSQ_PRESENCE_PRESENT),
    change_of ("e", "1", 0, DSQ_PRESENCE_UNKNOWN),
  };

  put (tier, "a", "1");
  put (tier, "b", "1");
  changes[5].reinsert = TRUE;
  begin (tier);
  tier->funcs->apply (tier, changes, G_N_ELEMENTS (changes), &error);
  g_assert_no_error (error);
  commit (tier);
  assert_walk (tier, "a d c e");
  /* b's and c's first are holes */
  g_assert_cmpint (state_of (tier).next, ==, place_of (7));
  g_assert_cmpint (state_of (tier).count, ==, 4);
  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    dsq_entry_unref (changes[i].entry);
}

static void
test_clears (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GError) error = NULL;

  put (tier, "a", "1");
  put (tier, "b", "1");
  begin (tier);
  tier->funcs->clear_table (tier, DSQ_TABLE_MAIN, &error);
  g_assert_no_error (error);
  g_assert_cmpint (apply_one (tier, "b", "2", DSQ_PRESENCE_ABSENT), ==, DSQ_PRESENCE_ABSENT);
  commit (tier);
  assert_walk (tier, "b");
  /* places are never used again */
  g_assert_cmpint (state_of (tier).next, ==, place_of (4));
  g_assert_cmpint (state_of (tier).count, ==, 1);
}

static void
test_rollback_restores_all (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GError) error = NULL;

  put (tier, "a", "1");
  begin (tier);
  apply_one (tier, "a", "2", DSQ_PRESENCE_UNKNOWN);
  apply_one (tier, "b", "2", DSQ_PRESENCE_UNKNOWN);
  tier->funcs->clear_table (tier, DSQ_TABLE_MAIN, &error);
  g_assert_no_error (error);
  tier->funcs->rollback (tier);
  tier->funcs->rollback (tier);
  assert_value (tier, "a", "1");
  assert_value (tier, "b", NULL);
  g_assert_cmpint (state_of (tier).count, ==, 1);
  g_assert_cmpint (state_of (tier).next, ==, place_of (2));
}

static void
test_savepoint_fails_alone (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;

  begin (tier);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GError) error = NULL;
      const char *keys[] = { "a", "b", "c" };

      g_assert_true (tier->funcs->savepoint (tier, &error));
      apply_one (tier, keys[i], "1", DSQ_PRESENCE_UNKNOWN);
      g_assert_true (tier->funcs->release (tier, i != 1, &error));
      g_assert_no_error (error);
    }
  commit (tier);
  assert_walk (tier, "a c");
  g_assert_cmpint (state_of (tier).count, ==, 2);
  g_assert_cmpint (state_of (tier).next, ==, place_of (3));
}

static void
test_gets_many_in_the_order_asked (Fixture *fixture, gconstpointer data)
{
  const char *names[] = { "b", "none", "a", "b", "" };
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GError) error = NULL;
  DsqKey keys[G_N_ELEMENTS (names)];
  DsqEntry *entries[G_N_ELEMENTS (names)];
  gint64 places[G_N_ELEMENTS (names)];

  put (tier, "a", "1");
  put (tier, "b", "2");
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    keys[i] = key_of (names[i]);
  g_assert_true (tier->funcs->get_many (tier, keys, G_N_ELEMENTS (names), entries, &error));
  g_assert_true (tier->funcs->probe (tier, keys, G_N_ELEMENTS (names), places, &error));
  g_assert_true (tier->funcs->get_many (tier, keys, 0, entries, &error));
  g_assert_no_error (error);

  assert_entry (entries[0], "2");
  assert_entry (entries[1], NULL);
  assert_entry (entries[2], "1");
  assert_entry (entries[3], "2");
  assert_entry (entries[4], NULL);
  g_assert_cmpint (places[0], ==, place_of (2));
  g_assert_cmpint (places[1], ==, 0);
  g_assert_cmpint (places[2], ==, place_of (1));
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    g_clear_pointer (&entries[i], dsq_entry_unref);
}

static void
test_walks_in_batches (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  const char *names[] = { "e", "d", "c", "b", "a" };
  static const struct
  {
    gint64 position;
    DsqWalkOrder order;
    guint max_rows;
    gsize max_bytes;
    const char *expected;
  } walks[] = {
    { -1, DSQ_WALK_FORWARD, 100, G_MAXSIZE, "e d c b a" },
    { -1, DSQ_WALK_FORWARD, 2, G_MAXSIZE, "e d" },
    { 2, DSQ_WALK_FORWARD, 2, G_MAXSIZE, "c b" },
    { 5, DSQ_WALK_FORWARD, 2, G_MAXSIZE, "" },
    { -1, DSQ_WALK_FORWARD, 100, 1, "e" },
    { -1, DSQ_WALK_REVERSE, 2, G_MAXSIZE, "a b" },
    { 4, DSQ_WALK_REVERSE, 100, G_MAXSIZE, "c d e" },
    { 1, DSQ_WALK_REVERSE, 100, G_MAXSIZE, "" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    put (tier, names[i], "1");
  for (guint i = 0; i < G_N_ELEMENTS (walks); i++)
    {
      gint64 start = walks[i].order == DSQ_WALK_FORWARD ? 0 : G_MAXINT64;
      gint64 place = walks[i].position < 0 ? start : place_of (walks[i].position);
      g_autofree char *keys =
          walk_keys (tier, place, walks[i].order, walks[i].max_rows, walks[i].max_bytes);

      g_assert_cmpstr (keys, ==, walks[i].expected);
    }
}

static void
test_cancelled_apply_stops (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  DsqCall call;
  g_autoptr (GError) error = NULL;
  DsqChange change = change_of ("a", "1", place_of (1), DSQ_PRESENCE_UNKNOWN);

  g_cancellable_cancel (cancellable);
  begin (tier);
  dsq_call_begin_for (&call, cancellable);
  g_assert_false (tier->funcs->apply (tier, &change, 1, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  dsq_call_end (&call);
  tier->funcs->rollback (tier);
  assert_value (tier, "a", NULL);
  dsq_entry_unref (change.entry);
}

static void
test_reads_inside_the_transaction (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  const char *expected[] = { "1", "2", NULL };

  put (tier, "a", "1");
  begin (tier);
  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    {
      g_autoptr (DsqEntry) entry = NULL;
      DsqKey key = key_of ("a");

      if (i > 0)
        apply_one (tier, "a", expected[i], DSQ_PRESENCE_UNKNOWN);
      g_assert_true (tier->funcs->get_in_transaction (tier, &key, &entry, NULL));
      assert_entry (entry, expected[i]);
    }
  tier->funcs->rollback (tier);
  assert_value (tier, "a", "1");
}

/* Keys only, the records may be missing; the others are whole. */
static void
test_walks_whole_rows_or_keys (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;

  begin (tier);
  set_in (tier, DSQ_TABLE_MAIN, "a", 55);
  commit (tier);
  for (gboolean keys_only = FALSE; keys_only <= TRUE; keys_only++)
    {
      g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
      g_autoptr (GError) error = NULL;
      g_autoptr (DsqEntry) entry = NULL;
      gboolean is_last = FALSE;

      g_assert_true (tier->funcs->walk (tier,
                                        DSQ_TABLE_MAIN,
                                        0,
                                        DSQ_WALK_FORWARD,
                                        9,
                                        G_MAXSIZE,
                                        keys_only,
                                        rows,
                                        &is_last,
                                        &error));
      g_assert_no_error (error);
      g_assert_true (is_last);
      g_assert_cmpuint (rows->len, ==, 1);
      entry = g_array_index (rows, DsqColdRow, 0).entry;
      g_assert_cmpint (g_array_index (rows, DsqColdRow, 0).place, ==, place_of (1));
      g_assert_cmpmem (dsq_entry_key (entry), entry->key_length, "a", 1);
      if (keys_only)
        continue;
      assert_entry (entry, "v");
      g_assert_cmpint (dsq_entry_expires (entry), ==, 55);
    }
}

static void
test_lists_keys_in_order (Fixture *fixture, gconstpointer data)
{
  const Kind *kind = data;
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);
  g_autoptr (GError) error = NULL;
  DsqKey from = key_of ("b"), end = key_of ("d");
  const char *names[] = { "d", "ca", "b", "a", "c" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    put (tier, names[i], "1");
  if (kind->hides_order)
    {
      g_assert_false (tier->funcs->list_keys (tier, &from, &end, 9, keys, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_ENCRYPTED);
      return;
    }
  g_assert_true (tier->funcs->list_keys (tier, &from, &end, 2, keys, &error));
  g_assert_true (tier->funcs->list_keys (tier, &from, &end, 9, keys, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (keys->len, ==, 5);
  for (guint i = 0; i < keys->len; i++)
    {
      const DsqEntry *entry = keys->pdata[i];
      const char *expected[] = { "b", "c", "b", "c", "ca" };

      g_assert_cmpmem (dsq_entry_key (entry), entry->key_length, expected[i], strlen (expected[i]));
    }
}

/* --- the transaction's end -------------------------------------------------------------------- */

static void
count_call (gpointer user_data)
{
  ++*(guint *) user_data;
}

static void
test_counts_commits (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  guint n_calls = 0;
  DsqCall call;

  put (tier, "a", "1");
  g_assert_cmpuint (tier->n_commits, ==, 1);
  g_assert_cmpuint (stats_of (tier).commits, ==, 1);
  g_assert_cmpuint (stats_of (tier).entries, ==, 1);

  /* what is to be brought to memory is told of in any case */
  begin (tier);
  g_assert_true (tier->funcs->commit (tier, count_call, &n_calls, &error));
  g_assert_cmpuint (n_calls, ==, 1);
  g_assert_cmpuint (tier->n_commits, ==, 1);

  /* and who is cancelled has committed all the same */
  begin (tier);
  apply_one (tier, "b", "2", DSQ_PRESENCE_UNKNOWN);
  g_cancellable_cancel (cancellable);
  dsq_call_begin_for (&call, cancellable);
  g_assert_true (tier->funcs->commit (tier, count_call, &n_calls, &error));
  dsq_call_end (&call);
  g_assert_no_error (error);
  g_assert_cmpuint (n_calls, ==, 2);
  g_assert_cmpuint (tier->n_commits, ==, 2);
  assert_value (tier, "b", "2");
}

/* A filter never takes a key that is there for absent, whenever it was built. */
static void
test_filter_knows_every_key (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;

  for (guint round = 0; round < 3 && tier->filter != NULL; round++)
    {
      begin (tier);
      for (guint i = 0; i < 300; i++)
        {
          g_autofree char *key = g_strdup_printf ("%u", round * 300 + i);

          apply_one (tier, key, "v", DSQ_PRESENCE_UNKNOWN);
        }
      commit (tier);
      if (round == 1)
        {
          dsq_cold_filter_reset (tier->filter);
          dsq_cold_filter_begin (tier->filter);
          while (dsq_cold_filter_fill (tier->filter, 100))
            ;
        }
      for (guint i = 0; i < (round + 1) * 300; i++)
        {
          g_autofree char *text = g_strdup_printf ("%u", i);
          DsqKey key = key_of (text);

          g_assert_true (dsq_cold_tier_may_contain (tier, &key));
        }
    }
}

/* --- threads ---------------------------------------------------------------------------------- */

typedef struct
{
  DsqColdTier *tier; /* (unowned) */
  gboolean is_done;  /* (atomic) */
} Reading;

/* The two keys are always set together, to the same value. */
static gpointer
read_pairs (gpointer data)
{
  Reading *reading = data;
  DsqColdTier *tier = reading->tier;
  const DsqKey keys[] = { key_of ("a"), key_of ("b") };

  do
    {
      g_autoptr (GError) error = NULL;
      DsqEntry *entries[2];

      catch_up (tier);
      g_assert_true (tier->funcs->get_many (tier, keys, 2, entries, &error));
      g_assert_no_error (error);
      g_assert_true (entries[0] != NULL && entries[1] != NULL);
      g_assert_cmpmem (dsq_entry_record (entries[0]),
                       entries[0]->record_length,
                       dsq_entry_record (entries[1]),
                       entries[1]->record_length);
      dsq_entry_unref (entries[0]);
      dsq_entry_unref (entries[1]);
    }
  while (!__atomic_load_n (&reading->is_done, __ATOMIC_ACQUIRE));
  return NULL;
}

static void
test_reads_beside_transactions (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tier;
  Reading reading = { .tier = tier };
  GThread *threads[3];

  for (guint i = 0; i < 200; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *value = g_strdup_printf ("%u", i);
      DsqChange changes[] = { change_of ("a", value, place_of (1), DSQ_PRESENCE_UNKNOWN),
                              change_of ("b", value, place_of (2), DSQ_PRESENCE_UNKNOWN) };

      begin (tier);
      g_assert_true (tier->funcs->apply (tier, changes, 2, &error));
      if (i % 3 == 2)
        tier->funcs->rollback (tier);
      else
        commit (tier);
      dsq_entry_unref (changes[0].entry);
      dsq_entry_unref (changes[1].entry);
      for (guint t = 0; t < G_N_ELEMENTS (threads) && i == 0; t++)
        threads[t] = g_thread_new ("reader", read_pairs, &reading);
    }
  __atomic_store_n (&reading.is_done, TRUE, __ATOMIC_RELEASE);
  for (guint t = 0; t < G_N_ELEMENTS (threads); t++)
    g_thread_join (threads[t]);
  assert_value (tier, "b", "199");
}

/* Nothing, everything, or among the keys that are named those that others have changed. */
static void
test_learns_what_others_have_changed (Fixture *fixture, gconstpointer data)
{
  Foreign foreign = { 0 };
  Foreign *seen = &fixture->foreign;
  DsqColdTier *other;
  g_autoptr (GError) error = NULL;
  DsqTableState main;
  guint n_known;

  if (!dsq_cold_tier_is_shared (fixture->tier))
    return;
  other = open_one (fixture, &foreign, &main);
  catch_up (fixture->tier);
  g_assert_cmpuint (seen->n_calls, ==, 0);
  for (guint i = 0; i < 20; i++)
    {
      g_autofree char *key = g_strdup_printf ("key%u ", i);

      put (other, key, i % 3 != 0 ? "1" : NULL);
      put (other, "more", key);
      catch_up (fixture->tier);
      g_assert_cmpuint (seen->n_calls, ==, i + 1);
      if (seen->n_known == i + 1)
        g_assert_true (strstr (seen->last_keys, key) != NULL || i % 3 == 0);
      g_assert_true (seen->n_known < i + 1 || strstr (seen->last_keys, "more") != NULL);
    }
  n_known = seen->n_known;
  begin (other);
  g_assert_true (other->funcs->clear_table (other, DSQ_TABLE_MAIN, &error));
  commit (other);
  catch_up (fixture->tier);
  g_assert_cmpuint (seen->n_known, ==, n_known);
  close_tier (other);
  seen->n_calls = 0;
}

static const ContractTest tests[] = {
  { "tells-presence", test_tells_presence },
  { "wrong-presence-is-corrupt", test_wrong_presence_is_corrupt },
  { "full-table-is-refused", test_full_table_is_refused },
  { "overwriting-keeps-the-place", test_overwriting_keeps_the_place },
  { "gives-places", test_gives_places },
  { "clears", test_clears },
  { "rollback-restores-all", test_rollback_restores_all },
  { "savepoint-fails-alone", test_savepoint_fails_alone },
  { "gets-many-in-the-order-asked", test_gets_many_in_the_order_asked },
  { "walks-in-batches", test_walks_in_batches },
  { "walks-whole-rows-or-keys", test_walks_whole_rows_or_keys },
  { "lists-keys-in-order", test_lists_keys_in_order },
  { "reads-inside-the-transaction", test_reads_inside_the_transaction },
  { "cancelled-apply-stops", test_cancelled_apply_stops },
  { "counts-commits", test_counts_commits },
  { "filter-knows-every-key", test_filter_knows_every_key },
  { "reads-beside-transactions", test_reads_beside_transactions },
  { "learns-what-others-have-changed", test_learns_what_others_have_changed },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_contract_tests ("rows", tests, G_N_ELEMENTS (tests));
  return g_test_run ();
}
