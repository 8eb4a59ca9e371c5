/* test-transaction-parts.c - what a transaction has read, and what it writes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-hash-private.h"
#include "engine/dsq-batch-builder-private.h"
#include "engine/dsq-read-set-private.h"

static DsqKey
make_key (guint32 table, const char *text)
{
  DsqKey key = { (const guint8 *) text, (guint32) strlen (text), table, 0 };

  key.hash = dsq_hash (table, key.bytes, key.length);
  return key;
}

static DsqEntry *
make_entry (guint32 table, const char *text, const char *record)
{
  DsqKey key = make_key (table, text);

  if (record == NULL)
    return dsq_entry_new_tombstone (&key);
  return dsq_entry_new (&key, (const guint8 *) record, strlen (record), 0);
}

static void
assert_record (const DsqEntry *entry, const char *expected)
{
  if (expected == NULL)
    {
      g_assert_true (entry == NULL || dsq_entry_is_tombstone (entry));
      return;
    }
  g_assert_nonnull (entry);
  g_assert_cmpmem (dsq_entry_record (entry), entry->record_length, expected, strlen (expected));
}

/* --- read set --------------------------------------------------------------------------------- */

static void
test_what_was_read_first_stays (void)
{
  g_autoptr (DsqReadSet) set = dsq_read_set_new ();
  g_autoptr (GPtrArray) all = NULL;
  const char *records[] = { "first", NULL };

  for (guint32 table = 1; table <= 2; table++)
    {
      DsqKey key = make_key (table, "key");
      DsqEntry *found = NULL;

      g_assert_false (dsq_read_set_recall (set, &key, &found));
      if (records[table - 1] != NULL)
        found = make_entry (table, "key", records[table - 1]);
      dsq_read_set_remember (set, &key, &found);
      assert_record (found, records[table - 1]);
      g_clear_pointer (&found, dsq_entry_unref);

      /* another thread has found something else meanwhile */
      found = make_entry (table, "key", "second");
      dsq_read_set_remember (set, &key, &found);
      assert_record (found, records[table - 1]);
      g_clear_pointer (&found, dsq_entry_unref);
      dsq_read_set_remember (set, &key, &found);
      assert_record (found, records[table - 1]);
      g_clear_pointer (&found, dsq_entry_unref);

      g_assert_true (dsq_read_set_recall (set, &key, &found));
      assert_record (found, records[table - 1]);
      g_clear_pointer (&found, dsq_entry_unref);
    }
  all = dsq_read_set_list (set);
  g_assert_cmpuint (all->len, ==, 2);
  for (guint i = 0; i < all->len; i++)
    {
      const DsqEntry *entry = all->pdata[i];

      assert_record (entry, records[entry->table - 1]);
    }
}

/* --- batch builder ---------------------------------------------------------------------------- */

static void
add (DsqBatchBuilder *builder, DsqEntry *entry, gboolean reinsert)
{
  const DsqChange change = { .entry = entry, .reinsert = reinsert };

  dsq_batch_builder_add (builder, &change);
}

static void
assert_change (const DsqEngineBatch *batch, guint at, guint32 table, const char *record)
{
  g_assert_cmpuint (at, <, batch->n_changes);
  g_assert_cmpuint (batch->changes[at]->table, ==, table);
  assert_record (batch->changes[at], record);
}

static void
test_changes_of_tables (void)
{
  DsqBatchBuilder builder;
  g_autoptr (DsqEntry) set = make_entry (1, "a", "set");
  g_autoptr (DsqEntry) removed = make_entry (1, "b", NULL);
  g_autoptr (DsqEntry) again = make_entry (1, "c", "again");
  g_autoptr (DsqEntry) cleared = make_entry (2, "a", "cleared");
  g_autoptr (DsqEntry) nothing = make_entry (2, "b", NULL);
  DsqEngineBatch batch;

  dsq_batch_builder_init (&builder);
  g_assert_true (dsq_batch_builder_is_empty (&builder));
  add (&builder, set, FALSE);
  add (&builder, removed, FALSE);
  add (&builder, again, TRUE);
  dsq_batch_builder_clear_table (&builder, 2);
  add (&builder, cleared, TRUE);
  add (&builder, nothing, FALSE);
  dsq_batch_builder_clear_table (&builder, 3);

  batch = dsq_batch_builder_get (&builder);
  g_assert_cmpuint (batch.n_tables, ==, 3);
  for (guint i = 0; i < batch.n_tables; i++)
    {
      g_assert_cmpuint (batch.tables[i].id, ==, i + 1);
      g_assert_cmpint (batch.tables[i].clears, ==, i > 0);
    }
  g_assert_cmpuint (batch.n_changes, ==, 5);
  assert_change (&batch, 0, 1, "set");
  assert_change (&batch, 1, 1, NULL);
  assert_change (&batch, 2, 1, NULL);
  assert_change (&batch, 3, 1, "again");
  assert_change (&batch, 4, 2, "cleared");

  dsq_batch_builder_reset (&builder);
  g_assert_true (dsq_batch_builder_is_empty (&builder));
  dsq_batch_builder_finish (&builder);
}

/* Who stages an entry counts its references without atomics, for nobody else has it. */
static void
test_what_others_hold_is_copied (void)
{
  DsqBatchBuilder builder;
  g_autoptr (DsqEntry) own = make_entry (1, "own", "record");
  g_autoptr (DsqEntry) held = make_entry (1, "held", "record");
  g_autoptr (DsqEntry) node = dsq_entry_ref (own);
  g_autoptr (DsqEntry) other_node = dsq_entry_ref (held);
  g_autoptr (DsqEntry) holder = dsq_entry_ref (held);
  DsqEngineBatch batch;

  dsq_batch_builder_init (&builder);
  add (&builder, own, FALSE);
  add (&builder, held, FALSE);
  batch = dsq_batch_builder_get (&builder);
  g_assert_true (batch.changes[0] == own);
  g_assert_true (batch.changes[1] != held);
  g_assert_true (dsq_entry_has_record_of (batch.changes[1], held));
  dsq_batch_builder_finish (&builder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/transaction-parts/what-was-read-first-stays", test_what_was_read_first_stays);
  g_test_add_func ("/transaction-parts/changes-of-tables", test_changes_of_tables);
  g_test_add_func ("/transaction-parts/what-others-hold-is-copied",
                   test_what_others_hold_is_copied);
  return g_test_run ();
}
