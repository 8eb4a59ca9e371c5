/* test-entry.c - entries
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-hash-private.h"
#include "cold/dsq-cold-types-private.h"
#include "tiers/dsq-entry-private.h"

static DsqKey
key_of (const char *text)
{
  DsqKey key = { (const guint8 *) text, (guint32) strlen (text), DSQ_TABLE_MAIN, 0 };

  key.hash = dsq_hash (key.table, key.bytes, key.length);
  return key;
}

static void
test_holds_key_and_record (void)
{
  DsqKey key = key_of ("key");
  g_autoptr (DsqEntry) entry = dsq_entry_new (&key, (const guint8 *) "\3value", 6, 0);
  DsqKey back = dsq_entry_as_key (entry);

  g_assert_cmpmem (dsq_entry_key (entry), entry->key_length, "key", 3);
  g_assert_cmpmem (dsq_entry_record (entry), entry->record_length, "\3value", 6);
  g_assert_cmpint (dsq_entry_expires (entry), ==, 0);
  g_assert_cmpuint (back.hash, ==, key.hash);
  g_assert_cmpuint (back.table, ==, DSQ_TABLE_MAIN);
  g_assert_false (dsq_entry_is_tombstone (entry));
}

static void
test_expiry_stands_before_the_key (void)
{
  DsqKey key = key_of ("key");
  g_autoptr (DsqEntry) entry = dsq_entry_new (&key, (const guint8 *) "\3v", 2, 1234567890123);

  g_assert_cmpint (dsq_entry_expires (entry), ==, 1234567890123);
  g_assert_cmpmem (dsq_entry_key (entry), entry->key_length, "key", 3);
  g_assert_cmpmem (dsq_entry_record (entry), entry->record_length, "\3v", 2);
}

static void
test_tombstone_has_no_record (void)
{
  DsqKey key = key_of ("");
  g_autoptr (DsqEntry) entry = dsq_entry_new_tombstone (&key);

  g_assert_true (dsq_entry_is_tombstone (entry));
  g_assert_cmpuint (entry->key_length, ==, 0);
}

/* A change tells its key by the hash that it carries, or by what its entry hashes to. */
static void
test_change_carries_the_hash (void)
{
  DsqKey key = key_of ("key");
  g_autoptr (DsqEntry) entry = dsq_entry_new (&key, (const guint8 *) "\3v", 2, 1234567890123);
  DsqChange change = { .entry = entry };
  DsqKey back = dsq_change_key (&change);

  g_assert_cmpuint (back.hash, ==, key.hash);
  change.hash = 17;
  back = dsq_change_key (&change);
  g_assert_cmpuint (back.hash, ==, 17);
  g_assert_cmpuint (back.table, ==, key.table);
  g_assert_cmpmem (back.bytes, back.length, "key", 3);
}

/* A key that is not there is as one that has no record. */
static void
test_has_the_record_of_another (void)
{
  const char *records[] = { "\3v", "\3w", "\3", "" };
  DsqEntry *entries[G_N_ELEMENTS (records) + 1] = { NULL };
  DsqKey key = key_of ("key");

  for (guint i = 0; i < G_N_ELEMENTS (records); i++)
    entries[i + 1] = dsq_entry_new (&key, (const guint8 *) records[i], strlen (records[i]), i);
  for (guint i = 0; i < G_N_ELEMENTS (entries); i++)
    for (guint n = 0; n < G_N_ELEMENTS (entries); n++)
      {
        gboolean is_empty = i % 4 == 0 && n % 4 == 0;

        g_assert_cmpint (dsq_entry_has_record_of (entries[i], entries[n]), ==, i == n || is_empty);
      }
  for (guint i = 1; i < G_N_ELEMENTS (entries); i++)
    dsq_entry_unref (entries[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/entry/holds-key-and-record", test_holds_key_and_record);
  g_test_add_func ("/dsq/entry/expiry-stands-before-the-key", test_expiry_stands_before_the_key);
  g_test_add_func ("/dsq/entry/tombstone-has-no-record", test_tombstone_has_no_record);
  g_test_add_func ("/dsq/entry/change-carries-the-hash", test_change_carries_the_hash);
  g_test_add_func ("/dsq/entry/has-the-record-of-another", test_has_the_record_of_another);
  return g_test_run ();
}
