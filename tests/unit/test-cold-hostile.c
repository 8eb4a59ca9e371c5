/* test-cold-hostile.c - a tier whose file others change as no store does
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include "cold/dsq-cold-columns-private.h"
#include "cold/dsq-cold-copies-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "cold/dsq-cold-upkeep-private.h"
#include "file-fixture.h"

#define INSERT_ROW "INSERT INTO entry (place, table_id, token, expires, value) VALUES "

static DsqColdTier *
open_short_log (const char *path, gboolean full_durability)
{
  const DsqColdOptions options = { .path = path,
                                   .full_durability = full_durability,
                                   .busy_timeout_ms = 5,
                                   .cache_bytes = 1 << 20,
                                   .wal_limit_bytes = 128 << 10 };
  static Foreign foreign;
  g_autoptr (GError) error = NULL;
  DsqColdTier *tier = open_watched (&options, &foreign, &error);

  g_assert_no_error (error);
  return tier;
}

/* --- calls that nobody makes ------------------------------------------------------------------ */

static DsqChange
change_in (guint32 table, guint i, gint64 place)
{
  g_autofree char *name = g_strdup_printf ("key %u", i);
  DsqKey key = key_of (name);

  key.table = table;
  key.hash = dsq_hash (key.table, key.bytes, key.length);
  return (DsqChange){ .entry = dsq_entry_new (&key, (const guint8 *) "\3v", 2, 0), .place = place };
}

/* Applies @n sets of keys, from the second half on to the other table. */
static gboolean
apply_to (DsqColdTier *tier, guint32 table, guint32 other, gint64 place, GError **error)
{
  DsqChange changes[20];
  gboolean applied;

  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    changes[i] = change_in (i < 10 ? table : other, i, place);
  begin (tier);
  applied = tier->funcs->apply (tier, changes, G_N_ELEMENTS (changes), error);
  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    dsq_entry_unref (changes[i].entry);
  if (applied)
    commit (tier);
  else
    tier->funcs->rollback (tier);
  return applied;
}

static void
try_seldom_calls (DsqColdTier *tier)
{
  g_autoptr (GError) error = NULL;
  DsqTableState more;
  gint64 place = 1;

  g_assert_true (tier->funcs->probe (tier, NULL, 0, &place, &error));
  begin (tier);
  more = open_table (tier, "more");
  g_assert_true (tier->funcs->clear_table (tier, 99, &error));
  commit (tier);

  /* of two tables by one statement, of one that is not there, and where none may be */
  g_assert_true (apply_to (tier, DSQ_TABLE_MAIN, more.table, 0, &error));
  assert_value (tier, "key 9", "v");
  g_assert_cmpuint (stats_of (tier).entries, ==, 20);
  g_assert_false (apply_to (tier, DSQ_TABLE_MAIN, 99, 0, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
  g_clear_error (&error);
  g_assert_false (apply_to (tier, more.table, more.table, place_of (7), &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_FAILED);
  g_clear_error (&error);
  begin (tier);
  more = open_table (tier, "empty");
  commit (tier);
  g_assert_false (apply_to (tier,
                            more.table,
                            more.table,
                            (gint64) more.table << DSQ_FORMAT_POSITION_BITS,
                            &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_FAILED);
  g_assert_cmpuint (stats_of (tier).entries, ==, 20);
}

static void
test_seldom_calls (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = open_short_log (fixture->path, FALSE);

  try_seldom_calls (tier);
  close_tier (tier);
  assert_sound (fixture->path);
}

static void
test_seldom_calls_of_a_private_one (Fixture *fixture, gconstpointer data)
{
  const gsize sizes[] = { 1, G_MAXSIZE };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      const DsqColdOptions options = { .cache_bytes = sizes[i] };
      g_autoptr (GError) error = NULL;
      DsqTableState state;
      DsqColdTier *tier = dsq_cold_tier_new_private (&options, &state);

      try_seldom_calls (tier);
      ((DsqColdSqlite *) tier)->last_table = DSQ_TABLE_MAX;
      begin (tier);
      g_assert_false (
          tier->funcs->open_table (tier, (const guint8 *) "last", 4, TRUE, &state, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_FAILED);
      tier->funcs->rollback (tier);
      close_tier (tier);
    }
}

static void
test_a_log_may_be_as_long_as_can_be (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = open_short_log (fixture->path, FALSE);
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  g_autofree char *value = g_strnfill (100 << 10, 'x');
  DsqWalStamp stamp;

  put (tier, "a", value);
  g_assert_true (tier->file->funcs->wants_checkpoint (tier->file, FALSE));
  /* one that came to nothing is tried again when there is some more */
  g_assert_true (dsq_wal_index_read (&self->wal_index, &stamp));
  self->blocked_frames = stamp.n_frames - 1;
  g_assert_false (tier->file->funcs->wants_checkpoint (tier->file, FALSE));
  self->blocked_frames = stamp.n_frames - 2;
  g_assert_true (tier->file->funcs->wants_checkpoint (tier->file, FALSE));
  self->tuning.wal_limit_bytes = 64 << 10;
  self->blocked_frames = stamp.n_frames - 1;
  g_assert_true (tier->file->funcs->wants_checkpoint (tier->file, FALSE));
  self->tuning.wal_limit_bytes = G_MAXSIZE;
  g_assert_false (tier->file->funcs->wants_checkpoint (tier->file, FALSE));
  self->tuning.wal_limit_bytes = 1 << 30;
  put (tier, "a", "1");
  g_assert_cmpuint (self->writer.database->wal_limit_bytes, ==, 1 << 30);
  close_tier (tier);
}

/* --- the log's index -------------------------------------------------------------------------- */

/* As somebody leaves it who dies between its two copies of the header. */
static void
break_header (DsqColdTier *tier)
{
  guint64 *words = (guint64 *) ((DsqColdSqlite *) tier)->wal_index.words;

  words[1] ^= 1;
}

static void
test_a_broken_header_is_mended (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = open_short_log (fixture->path, FALSE);

  put (tier, "a", "1");
  break_header (tier);
  catch_up (tier);
  assert_value (tier, "a", "1");
  close_tier (tier);
}

/* --- its rows --------------------------------------------------------------------------------- */

/* An index that runs the other way than its definition says. */
static void
turn_round (const char *path, const char *name, const char *column)
{
  g_autofree char *turn = g_strdup_printf (
      "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace (sql, '%s)', '%s DESC)')"
      " WHERE name = '%s'",
      column,
      column,
      name);
  g_autofree char *back = g_strdup_printf (
      "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace (sql, '%s DESC)', '%s)')"
      " WHERE name = '%s'",
      column,
      column,
      name);

  run_stock (path, turn);
  run_stock (path, "REINDEX");
  run_stock (path, back);
}

static void
assert_no_order (const GError *error)
{
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
}

static void
test_keys_in_no_order_are_told (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = open_short_log (fixture->path, FALSE);
  const DsqKey from = key_of (""), until = key_of ("z");
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);
  g_autoptr (GError) error = NULL;

  put (tier, "a", "1");
  put (tier, "ab", "1");
  close_tier (tier);
  turn_round (fixture->path, "entry", "token");
  tier = open_short_log (fixture->path, FALSE);
  g_assert_false (tier->funcs->list_keys (tier, &from, &until, 9, keys, &error));
  assert_no_order (error);
  close_tier (tier);
}

static gboolean
find_expired (DsqColdTier *tier, gint64 after, gint64 until, GArray *rows, GError **error)
{
  DsqExpirySpan span = { .after = after, .until = until };
  gint64 next;

  return tier->funcs->find_expired (tier, FALSE, &span, 9, rows, &next, error);
}

static void
test_expiries_in_no_order_are_told (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  g_autoptr (GError) error = NULL;
  DsqColdTier *tier;

  make_store (fixture->path);
  run_stock (fixture->path,
             INSERT_ROW "((1 << 40) + 2, 1, x'78', 100, x''), ((1 << 40) + 3, 1, x'79', 200, x''),"
                        " ((1 << 40) + 4, 1, x'7A', 300, x'')");
  turn_round (fixture->path, "entry_expires", "expires");
  tier = open_short_log (fixture->path, FALSE);
  g_assert_false (find_expired (tier, 0, 1000, rows, &error));
  assert_no_order (error);
  close_tier (tier);
}

/* Rows of tables whose ids no table can have. */
static void
test_rows_of_no_table_do_not_expire (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  DsqColdTier *tier = open_short_log (fixture->path, FALSE);
  g_autoptr (GError) error = NULL;

  put (tier, "a", "1");
  run_stock (fixture->path,
             "INSERT INTO tables SELECT -5, x'0101', name, mark, floor, holes FROM tables;"
             " INSERT INTO tables SELECT 1 << 33, x'0102', name, mark, floor, holes FROM tables"
             " WHERE id = 1");
  run_stock (fixture->path,
             INSERT_ROW "(5, -5, x'61', 100, x'00'), (6, 1 << 33, x'62', 100, x'00')");
  g_assert_true (find_expired (tier, 0, 1000, rows, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (rows->len, ==, 0);
  /* which then looks at the tables */
  tier->funcs->close (tier, NULL);
}

static void
test_tables_without_a_number_are_told (Fixture *fixture, gconstpointer data)
{
  const DsqColdStoredTable tables[] = {
    { .id = 0, .token = (const guint8 *) "\1a", .token_length = 2 },
    { .id = (gint64) DSQ_TABLE_MAX + 1, .token = (const guint8 *) "\1a", .token_length = 2 },
    { .id = 2 },
  };
  DsqRecordCodec codec;

  dsq_record_codec_init (&codec, (const guint8 *) "sixteen of an id", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tables); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (dsq_cold_decode_stored_table (&codec, &tables[i], &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
    }
  dsq_record_codec_clear (&codec);
}

/* --- what is told of commits ------------------------------------------------------------------ */

/* A head of what is told that is another's, or none, is taken for none. */
static void
test_a_head_that_is_not_its_own_is_passed_over (Fixture *fixture, gconstpointer data)
{
  static const goffset offsets[] = { 0, 8, 16, 32, 40 };
  g_autofree char *path = g_strconcat (fixture->path, "-facts", NULL);
  DsqColdTier *tier = open_short_log (fixture->path, FALSE);
  DsqColdTier *other = open_short_log (fixture->path, FALSE);
  int fd;

  put (tier, "a", "0");
  fd = open (path, O_RDWR | O_CLOEXEC);
  for (guint i = 0; i < G_N_ELEMENTS (offsets); i++)
    {
      g_autofree char *value = g_strdup_printf ("%u", i);
      DsqColdTier *late;
      char before;

      g_assert_cmpint (pread (fd, &before, 1, offsets[i]), ==, 1);
      g_assert_cmpint (pwrite (fd, "\xFF", 1, offsets[i]), ==, 1);
      late = open_short_log (fixture->path, FALSE);
      put (late, "a", value);
      catch_up (tier);
      assert_value (tier, "a", value);
      catch_up (other);
      assert_value (other, "a", value);
      close_tier (late);
      g_assert_cmpint (pwrite (fd, &before, 1, offsets[i]), ==, 1);
    }
  close (fd);
  close_tier (tier);
  close_tier (other);
}

/* Of so many tables few have changed, and one is new. */
static void
test_new_tables_are_learned_by_what_is_told (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = open_short_log (fixture->path, FALSE);
  DsqColdTier *other;
  g_autoptr (GError) error = NULL;
  DsqTableState state;

  begin (tier);
  for (guint i = 0; i < 6; i++)
    {
      g_autofree char *name = g_strdup_printf ("table %u", i);

      open_table (tier, name);
    }
  commit (tier);
  other = open_short_log (fixture->path, FALSE);
  put (tier, "a", "1");
  catch_up (other);
  begin (tier);
  state = open_table (tier, "new");
  {
    DsqChange change = change_in (state.table, 1, state.next);

    g_assert_true (tier->funcs->apply (tier, &change, 1, &error));
    dsq_entry_unref (change.entry);
  }
  commit (tier);
  catch_up (other);
  g_assert_cmpuint (stats_of (other).entries, ==, 2);
  begin (other);
  g_assert_cmpuint (open_table (other, "new").table, ==, state.table);
  other->funcs->rollback (other);
  close_tier (other);
  close_tier (tier);
}

/* --- its place -------------------------------------------------------------------------------- */

static gboolean
try_put (DsqColdTier *tier, GError **error)
{
  DsqChange change = change_in (DSQ_TABLE_MAIN, 1, 0);
  gboolean applied;

  begin (tier);
  applied = tier->funcs->apply (tier, &change, 1, error);
  dsq_entry_unref (change.entry);
  g_assert_true (applied);
  return tier->funcs->commit (tier, NULL, NULL, error);
}

/* Where its folder was, there is something else. */
static void
test_a_folder_that_is_none_any_more (Fixture *fixture, gconstpointer data)
{
  g_autofree char *inner = g_build_filename (fixture->folder, "inner", NULL);
  g_autofree char *aside = g_build_filename (fixture->folder, "aside", NULL);
  g_autofree char *path = g_build_filename (inner, "store", NULL);
  g_autofree char *moved = g_build_filename (aside, "store", NULL);

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;
      DsqColdTier *tier;

      g_assert_no_errno (g_mkdir (inner, 0700));
      tier = open_short_log (path, FALSE);
      put (tier, "a", "1");
      g_assert_no_errno (g_rename (inner, aside));
      if (i == 0)
        write_file (inner, "", 0);
      else
        g_assert_no_errno (symlink (inner, inner));
      g_assert_false (try_put (tier, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
      g_clear_error (&error);
      tier->funcs->close (tier, NULL);
      g_assert_no_errno (g_unlink (inner));
      tier = open_short_log (moved, FALSE);
      assert_value (tier, "a", "1");
      close_tier (tier);
      g_assert_no_errno (g_unlink (moved));
      g_assert_no_errno (g_rmdir (aside));
    }
}

/* Who deletes it before it is synced has lost what was not. */
static void
test_a_file_that_is_deleted_before_its_sync (Fixture *fixture, gconstpointer data)
{
  g_autofree char *log = g_strconcat (fixture->path, "-wal", NULL);
  DsqColdTier *tier = open_short_log (fixture->path, FALSE);
  g_autoptr (GError) error = NULL;

  put (tier, "a", "1");
  g_assert_no_errno (g_unlink (fixture->path));
  g_assert_no_errno (g_unlink (log));
  g_assert_false (tier->funcs->close (tier, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NOT_FOUND);
}

/* Another one stands in its place. */
static void
test_a_file_that_is_replaced (Fixture *fixture, gconstpointer data)
{
  g_autofree char *copy = g_strconcat (fixture->path, "-copy", NULL);
  const DsqColdCopyOptions options = { .path = copy };
  DsqColdTier *tier = open_short_log (fixture->path, FALSE);
  g_autoptr (GError) error = NULL;

  put (tier, "a", "1");
  g_assert_true (tier->upkeep->copy (tier, &options, &error));
  g_assert_no_errno (g_rename (copy, fixture->path));
  g_assert_false (try_put (tier, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
  tier->funcs->close (tier, NULL);
}

/* Somebody else has changed the password since it was looked at. */
static void
test_a_header_that_was_changed_is_told (Fixture *fixture, gconstpointer data)
{
  DsqHeader before, now;
  DsqKeys *keys;
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_header_init (&before, NULL, NULL, &keys, NULL));
  g_assert_true (dsq_header_init (&now, NULL, NULL, &keys, NULL));
  g_assert_true (dsq_cold_check_header (&now, &now, &error));
  g_assert_false (dsq_cold_check_header (&now, &before, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CONFLICT);
}

static void
test_no_file_gets_another_key (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->path, "none", NULL);
  const DsqColdCopyOptions options = { .path = path };
  g_autoptr (GError) error = NULL;

  g_assert_false (dsq_cold_rekey_file (path, NULL, 5, &options, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NOT_FOUND);
}

#define ADD(path, func)                                                                            \
  g_test_add ("/dsq/cold-hostile/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("seldom-calls", test_seldom_calls);
  ADD ("seldom-calls-of-a-private-one", test_seldom_calls_of_a_private_one);
  ADD ("a-log-may-be-as-long-as-can-be", test_a_log_may_be_as_long_as_can_be);
  ADD ("a-broken-header-is-mended", test_a_broken_header_is_mended);
  ADD ("keys-in-no-order-are-told", test_keys_in_no_order_are_told);
  ADD ("expiries-in-no-order-are-told", test_expiries_in_no_order_are_told);
  ADD ("rows-of-no-table-do-not-expire", test_rows_of_no_table_do_not_expire);
  ADD ("tables-without-a-number-are-told", test_tables_without_a_number_are_told);
  ADD ("a-head-that-is-not-its-own-is-passed-over", test_a_head_that_is_not_its_own_is_passed_over);
  ADD ("new-tables-are-learned-by-what-is-told", test_new_tables_are_learned_by_what_is_told);
  ADD ("a-folder-that-is-none-any-more", test_a_folder_that_is_none_any_more);
  ADD ("a-file-that-is-deleted-before-its-sync", test_a_file_that_is_deleted_before_its_sync);
  ADD ("a-file-that-is-replaced", test_a_file_that_is_replaced);
  ADD ("a-header-that-was-changed-is-told", test_a_header_that_was_changed_is_told);
  ADD ("no-file-gets-another-key", test_no_file_gets_another_key);
  return g_test_run ();
}
