/* test-cold-expiry.c - rows that have expired, and the room that they took
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "tier-fixture.h"

/* In a transaction under way. */
static void
apply_expiring (DsqColdTier *tier, const char *key, gsize length, gint64 expires)
{
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *record = g_malloc0 (length);
  DsqKey a_key = key_of (key);
  DsqTableState state;
  DsqChange change = { .presence = DSQ_PRESENCE_UNKNOWN };

  record[0] = DSQ_VALUE_BYTES;
  tier->funcs->get_table (tier, DSQ_TABLE_MAIN, &state);
  change.place = state.next;
  change.entry = dsq_entry_new (&a_key, record, length, expires);
  tier->funcs->apply (tier, &change, 1, &error);
  g_assert_no_error (error);
  dsq_entry_unref (change.entry);
}

static void
put_expiring (DsqColdTier *tier, const char *key, gint64 expires)
{
  begin (tier);
  apply_expiring (tier, key, 1, expires);
  commit (tier);
}

/* The keys found and the next expiry: "a b|7". */
static char *
find_expired (DsqColdTier *tier, gboolean in_transaction, DsqExpirySpan *span, guint max_rows)
{
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  g_autoptr (GString) found = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  gint64 next = 0;

  tier->funcs->find_expired (tier, in_transaction, span, max_rows, rows, &next, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < rows->len; i++)
    {
      DsqEntry *entry = g_array_index (rows, DsqColdRow, i).entry;

      g_assert_true (dsq_entry_is_tombstone (entry));
      g_assert_cmpint (dsq_entry_expires (entry), !=, 0);
      g_string_append_len (found, (const char *) dsq_entry_key (entry), entry->key_length);
      g_string_append_c (found, ' ');
      dsq_entry_unref (entry);
    }
  if (rows->len < max_rows && next == G_MAXINT64)
    g_string_append (found, "|none");
  else if (rows->len < max_rows)
    g_string_append_printf (found, "|%" G_GINT64_FORMAT, next);
  return g_string_free (g_steal_pointer (&found), FALSE);
}

#define assert_expired(tier, in_transaction, span, max_rows, expected)                             \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autofree char *found_ = find_expired (tier, in_transaction, span, max_rows);                 \
    g_assert_cmpstr (found_, ==, expected);                                                        \
  }                                                                                                \
  G_STMT_END

static void
test_finds_soonest_first (Fixture *fixture, gconstpointer data)
{
  DsqExpirySpan all = { G_MININT64, G_MAXINT64, 50 };
  DsqExpirySpan later = { 20, G_MAXINT64, 30 };
  DsqExpirySpan nothing = { G_MININT64, G_MAXINT64, G_MININT64 };

  assert_expired (fixture->tier, FALSE, &all, 9, "|none");
  put_expiring (fixture->tier, "c", 30);
  put_expiring (fixture->tier, "never", 0);
  put_expiring (fixture->tier, "a", 10);
  put_expiring (fixture->tier, "old", -5);
  put_expiring (fixture->tier, "b", 20);
  put_expiring (fixture->tier, "z", 99);
  assert_expired (fixture->tier, FALSE, &nothing, 1, "|-5");
  assert_expired (fixture->tier, FALSE, &all, 9, "old a b c |99");
  assert_expired (fixture->tier, FALSE, &later, 9, "c |99");
}

/* More rows of one millisecond than are asked for at a time. */
static void
test_goes_on_where_it_stopped (Fixture *fixture, gconstpointer data)
{
  DsqExpirySpan span = { G_MININT64, G_MAXINT64, 7 };

  put_expiring (fixture->tier, "a", 7);
  put_expiring (fixture->tier, "b", 7);
  put_expiring (fixture->tier, "c", 6);
  put_expiring (fixture->tier, "d", 7);
  assert_expired (fixture->tier, FALSE, &span, 2, "c a ");
  assert_expired (fixture->tier, FALSE, &span, 2, "b d ");
  assert_expired (fixture->tier, FALSE, &span, 2, "|none");
}

static void
test_sees_its_transaction (Fixture *fixture, gconstpointer data)
{
  DsqExpirySpan span = { G_MININT64, G_MAXINT64, 7 };
  DsqExpirySpan again = span;

  put_expiring (fixture->tier, "a", 5);
  put_expiring (fixture->tier, "b", 6);
  begin (fixture->tier);
  g_assert_cmpint (apply_one (fixture->tier, "a", NULL, DSQ_PRESENCE_PRESENT),
                   ==,
                   DSQ_PRESENCE_PRESENT);
  apply_expiring (fixture->tier, "c", 1, 7);
  apply_expiring (fixture->tier, "d", 1, 8);
  assert_expired (fixture->tier, TRUE, &span, 9, "b c |8");
  assert_expired (fixture->tier, FALSE, &again, 9, "a b |none");
  fixture->tier->funcs->rollback (fixture->tier);
}

static void
test_passes_over_other_tables (Fixture *fixture, gconstpointer data)
{
  DsqExpirySpan span = { G_MININT64, G_MAXINT64, 7 };

  put_expiring (fixture->tier, "a", 5);
  run_stock (fixture->path,
             "INSERT INTO entry (place, table_id, token, expires, value)"
             " VALUES ((9 << 40) + 1, 9, x'61', 5, x'')");
  assert_expired (fixture->tier, FALSE, &span, 9, "a |none");
  run_stock (fixture->path, "DELETE FROM entry WHERE table_id = 9");
}

/* --- room ------------------------------------------------------------------------------------- */

static guint64
used (DsqColdTier *tier)
{
  g_autoptr (GError) error = NULL;
  guint64 bytes = 0;

  g_assert_true (tier->file->funcs->get_used (tier->file, &bytes, &error));
  g_assert_no_error (error);
  return bytes;
}

static gboolean
shrink (DsqColdTier *tier, guint max_bytes)
{
  g_autoptr (GError) error = NULL;
  gboolean more = FALSE;

  g_assert_true (tier->file->funcs->shrink (tier->file, max_bytes, &more, &error));
  g_assert_no_error (error);
  return more;
}

/* Puts or removes keys of 4000 bytes each, in one transaction. */
static void
fill (DsqColdTier *tier, guint from, guint end, gboolean removes)
{
  begin (tier);
  for (guint i = from; i < end; i++)
    {
      g_autofree char *key = g_strdup_printf ("%u", i);

      if (removes)
        apply_one (tier, key, NULL, DSQ_PRESENCE_PRESENT);
      else
        apply_expiring (tier, key, 4000, 0);
    }
  commit (tier);
}

static void
checkpoint (DsqColdTier *tier)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tier->file->funcs->checkpoint (tier->file, &error));
  g_assert_no_error (error);
}

static void
test_measures_what_is_in_use (Fixture *fixture, gconstpointer data)
{
  guint64 empty = used (fixture->tier);

  g_assert_cmpuint (empty, <, 65536);
  fill (fixture->tier, 0, 100, FALSE);
  g_assert_cmpuint (used (fixture->tier), >, empty + 100 * 4000);
  fill (fixture->tier, 0, 100, TRUE);
  g_assert_cmpuint (used (fixture->tier), <=, empty + 8192);
}

static void
test_gives_free_pages_back_in_steps (Fixture *fixture, gconstpointer data)
{
  guint n_steps = 1;
  guint64 full;

  fill (fixture->tier, 0, 500, FALSE);
  checkpoint (fixture->tier);
  full = stats_of (fixture->tier).file_bytes;
  g_assert_cmpuint (full, >, 500 * 4000);
  g_assert_false (shrink (fixture->tier, 100 * 4096));
  fill (fixture->tier, 0, 400, TRUE);
  for (; shrink (fixture->tier, 100 * 4096); n_steps++)
    ;
  g_assert_cmpuint (n_steps, >=, 4);
  checkpoint (fixture->tier);
  g_assert_cmpuint (stats_of (fixture->tier).file_bytes, <, full / 3);
  g_assert_cmpuint (fixture->foreign.n_calls, ==, 0);
  g_assert_cmpuint (stats_of (fixture->tier).foreign_changes, ==, 0);
}

static void
test_keeps_a_few_free_pages (Fixture *fixture, gconstpointer data)
{
  fill (fixture->tier, 0, 500, FALSE);
  fill (fixture->tier, 0, 100, TRUE);
  checkpoint (fixture->tier);
  g_assert_false (shrink (fixture->tier, 1000 * 4096));
  checkpoint (fixture->tier);
  g_assert_cmpuint (stats_of (fixture->tier).file_bytes, >, 500 * 4000);
}

/* Steps are bytes: larger pages make no longer ones. */
static void
test_gives_as_many_bytes_back_of_large_pages (Fixture *fixture, gconstpointer data)
{
  guint n_steps = 1;

  close_tier (fixture->tier);
  run_stock (fixture->path, "PRAGMA journal_mode = DELETE");
  run_stock (fixture->path, "PRAGMA page_size = 65536; VACUUM; PRAGMA journal_mode = WAL");
  fixture->tier = open_tier (fixture->path, &fixture->foreign);
  fill (fixture->tier, 0, 500, FALSE);
  fill (fixture->tier, 0, 500, TRUE);
  for (; shrink (fixture->tier, 512 << 10); n_steps++)
    ;
  g_assert_cmpuint (n_steps, >=, 3);
}

/* A file of another writer, or of SQLite's VACUUM with other settings. */
static void
test_leaves_files_that_cannot_shrink (Fixture *fixture, gconstpointer data)
{
  close_tier (fixture->tier);
  run_stock (fixture->path, "PRAGMA journal_mode = DELETE");
  run_stock (fixture->path, "PRAGMA auto_vacuum = NONE; VACUUM");
  fixture->tier = open_tier (fixture->path, &fixture->foreign);
  fill (fixture->tier, 0, 500, FALSE);
  fill (fixture->tier, 0, 500, TRUE);
  g_assert_false (shrink (fixture->tier, 1000 * 4096));
  checkpoint (fixture->tier);
  g_assert_cmpuint (stats_of (fixture->tier).file_bytes, >, 500 * 4000);
}

#define ADD(path, test)                                                                            \
  g_test_add ("/dsq/cold-expiry/" path, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("finds-soonest-first", test_finds_soonest_first);
  ADD ("goes-on-where-it-stopped", test_goes_on_where_it_stopped);
  ADD ("sees-its-transaction", test_sees_its_transaction);
  ADD ("passes-over-other-tables", test_passes_over_other_tables);
  ADD ("measures-what-is-in-use", test_measures_what_is_in_use);
  ADD ("gives-free-pages-back-in-steps", test_gives_free_pages_back_in_steps);
  ADD ("keeps-a-few-free-pages", test_keeps_a_few_free_pages);
  ADD ("gives-as-many-bytes-back-of-large-pages", test_gives_as_many_bytes_back_of_large_pages);
  ADD ("leaves-files-that-cannot-shrink", test_leaves_files_that_cannot_shrink);
  return g_test_run ();
}
