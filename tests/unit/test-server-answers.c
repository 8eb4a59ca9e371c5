/* test-server-answers.c - what becomes of the answers of a server that nobody would give
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/postgresql/dsq-server-source-private.h"
#include "server-fixture.h"

/* --- calls ------------------------------------------------------------------------------------ */

static gboolean
get_two (DsqColdTier *tier, GError **error)
{
  const DsqKey keys[] = { key_of ("a"), key_of ("b") };
  DsqEntry *entries[2];

  g_assert_true (dsq_server_get_many (tier, NULL, 0, NULL, NULL));
  return dsq_server_get_many (tier, keys, 2, entries, error);
}

static gboolean
get_one (DsqColdTier *tier, GError **error)
{
  const DsqKey key = key_of ("a");
  DsqEntry *entry;

  return dsq_server_get_many (tier, &key, 1, &entry, error);
}

static gboolean
list_keys (DsqColdTier *tier, GError **error)
{
  const DsqKey from = key_of ("a"), end = key_of ("z");
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);

  return dsq_server_list_keys (tier, &from, &end, 10, entries, error);
}

static gboolean
walk (DsqColdTier *tier, GError **error)
{
  GArray *rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  gboolean is_last;
  gboolean success = dsq_server_walk (tier,
                                      DSQ_TABLE_MAIN,
                                      0,
                                      DSQ_WALK_FORWARD,
                                      10,
                                      1000,
                                      TRUE,
                                      rows,
                                      &is_last,
                                      error);

  dsq_cold_rows_free (rows);
  return success;
}

/* From which all is copied. */
static gboolean
open_source (DsqColdTier *tier, GError **error)
{
  DsqServerSource source;
  DsqHeader header;

  if (!dsq_server_source_open (&source, (DsqColdServer *) tier, &header, error))
    return FALSE;
  dsq_server_source_close (&source);
  return TRUE;
}

/* What is damaged is passed over, and where there is nothing more to come nothing does. */
static gboolean
find_expired (DsqColdTier *tier, GError **error)
{
  DsqExpirySpan span = { 0, 0, 1000 };
  GArray *rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  gint64 next = 0;
  gboolean success = dsq_server_find_expired (tier, FALSE, &span, 10, rows, &next, error);

  g_assert_cmpuint (rows->len, ==, 0);
  if (success)
    g_assert_cmpint (next, ==, G_MAXINT64);
  /* and where it has been looked for but in the last millisecond */
  span = (DsqExpirySpan){ 1000, 5, 1000 };
  g_assert_true (!success || dsq_server_find_expired (tier, FALSE, &span, 10, rows, &next, error));
  dsq_cold_rows_free (rows);
  return success;
}

/* As who opens a store asks. */
static gboolean
find_next_expiry (DsqColdTier *tier, GError **error)
{
  DsqExpirySpan span = { 1000, G_MAXINT64, 1000 };
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  gint64 next = 0;
  gboolean success = dsq_server_find_expired (tier, TRUE, &span, 10, rows, &next, error);

  g_assert_true (!success || next == 2000);
  return success;
}

static gboolean
open_table_to_read (DsqColdTier *tier, GError **error)
{
  DsqTableState state = { 7 };
  gboolean success = dsq_server_open_table (tier, (const guint8 *) "t", 1, FALSE, &state, error);

  g_assert_true (!success || state.table == 0);
  return success;
}

static gboolean
make_table (DsqColdTier *tier, GError **error)
{
  DsqTableState state;

  return dsq_server_begin (tier, error) &&
         dsq_server_open_table (tier, (const guint8 *) "t", 1, TRUE, &state, error);
}

/* Which changes nothing where there is no such table. */
static gboolean
clear_unknown (DsqColdTier *tier, GError **error)
{
  return dsq_server_begin (tier, error) && dsq_server_clear_table (tier, 5, error);
}

static gboolean
apply_one (DsqColdTier *tier, DsqPresence presence, gboolean is_removal, GError **error)
{
  const DsqKey key = key_of ("key");
  const guint8 record[] = { 3, 'v' };
  g_autoptr (DsqEntry) entry = is_removal ? dsq_entry_new_tombstone (&key)
                                          : dsq_entry_new (&key, record, sizeof record, 0);
  DsqChange changes[] = { { NULL }, { .entry = entry, .presence = presence }, { NULL } };

  /* alone one without an entry asks for nothing */
  return dsq_server_begin (tier, error) && dsq_server_apply (tier, changes, 1, error) &&
         dsq_server_apply (tier, changes, G_N_ELEMENTS (changes), error) &&
         dsq_server_send_queued (&((DsqColdServer *) tier)->writer.connection, error);
}

static gboolean
set_one (DsqColdTier *tier, GError **error)
{
  return apply_one (tier, DSQ_PRESENCE_UNKNOWN, FALSE, error);
}

static gboolean
set_absent (DsqColdTier *tier, GError **error)
{
  return apply_one (tier, DSQ_PRESENCE_ABSENT, FALSE, error);
}

static gboolean
set_present (DsqColdTier *tier, GError **error)
{
  return apply_one (tier, DSQ_PRESENCE_PRESENT, FALSE, error);
}

static gboolean
remove_one (DsqColdTier *tier, GError **error)
{
  return apply_one (tier, DSQ_PRESENCE_UNKNOWN, TRUE, error);
}

static gboolean
remove_absent (DsqColdTier *tier, GError **error)
{
  return apply_one (tier, DSQ_PRESENCE_ABSENT, TRUE, error);
}

#define N_COPIED 600

/* Up to so many new rows, of which one is longer than a part of a copy. */
static gboolean
apply_keys (DsqColdTier *tier, const char *prefix, guint n, GError **error)
{
  const gsize long_length = 100000;
  g_autofree guint8 *record = g_malloc0 (long_length);
  DsqChange changes[N_COPIED] = { { NULL } };
  gboolean success;

  record[0] = 3;
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *text = g_strdup_printf ("%s %u", prefix, i);
      const DsqKey key = key_of (text);

      changes[i].entry = dsq_entry_new (&key, record, i == 300 ? long_length : 10, 0);
      changes[i].hash = key.hash;
    }
  success = dsq_server_apply (tier, changes, n, error);
  for (guint i = 0; i < n; i++)
    dsq_entry_unref (changes[i].entry);
  return success;
}

static gboolean
apply_many (DsqColdTier *tier, GError **error)
{
  return dsq_server_begin (tier, error) && apply_keys (tier, "key", N_COPIED, error) &&
         dsq_server_copy_end (&((DsqColdServer *) tier)->writer.connection, error);
}

/* --- answers ---------------------------------------------------------------------------------- */

#define FAILS(state)    NULL, PGRES_FATAL_ERROR, state
#define ALL_GOES_WELL   ((DsqError) G_MAXINT)
#define TABLES_OF_COUNT "1 ' m 1099511627778 "
#define COPIES                                                                                     \
  {                                                                                                \
    DSQ_SERVER_COPY, NULL, PGRES_COPY_IN                                                           \
  }

/* What the server says, the first time, to one statement, or two. */
static const struct
{
  const char *name;
  gboolean (*call) (DsqColdTier *tier, GError **error);
  DsqError code;
  FakeAnswer answers[2];
} cases[] = {
  { "ask-nothing", catch_up, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_ASK, NULL } } },
  { "ask-null", catch_up, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_ASK, "~" } } },
  { "ask-text", catch_up, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_ASK, "'text" } } },
  { "ask-zero", catch_up, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_ASK, "0" } } },
  { "ask-last-of-all", catch_up, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_ASK, "9223372036854775807" } } },
  { "ask-two", catch_up, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_ASK, "1|2" } } },
  { "ask-refused", catch_up, DSQ_ERROR_PERMISSION, { { DSQ_SERVER_ASK, FAILS ("42501") } } },
  { "ask-gone", catch_up, DSQ_ERROR_FORMAT, { { DSQ_SERVER_ASK, FAILS ("42P01") } } },
  { "ask-copy-in", catch_up, DSQ_ERROR_IO, { { DSQ_SERVER_ASK, NULL, PGRES_COPY_IN } } },
  { "ask-copy-out", catch_up, DSQ_ERROR_IO, { { DSQ_SERVER_ASK, NULL, PGRES_COPY_OUT } } },
  { "ask-copy-both", catch_up, DSQ_ERROR_IO, { { DSQ_SERVER_ASK, NULL, PGRES_COPY_BOTH } } },
  { "ask-stateless", catch_up, DSQ_ERROR_IO, { { DSQ_SERVER_ASK, FAILS (NULL) } } },
  { "ask-empty", catch_up, DSQ_ERROR_IO, { { DSQ_SERVER_ASK, NULL, PGRES_BAD_RESPONSE } } },
  { "ask-last", catch_up, DSQ_ERROR_IO, { { DSQ_SERVER_ASK, "1", PGRES_TUPLES_OK, NULL, TRUE } } },
  { "ask-last-refused", catch_up, DSQ_ERROR_IO, { { DSQ_SERVER_ASK, FAILS ("42501"), TRUE } } },
  { "tables-none",
    catch_up,
    DSQ_ERROR_CORRUPT,
    { { DSQ_SERVER_ASK, "2" }, { DSQ_SERVER_TABLES } } },
  { "tables-other",
    catch_up,
    DSQ_ERROR_CORRUPT,
    { { DSQ_SERVER_ASK, "2" }, { DSQ_SERVER_TABLES, TABLES_OF_COUNT "2" } } },
  { "tables-negative",
    catch_up,
    DSQ_ERROR_CORRUPT,
    { { DSQ_SERVER_ASK, "2" }, { DSQ_SERVER_TABLES, TABLES_OF_COUNT "-1" } } },
  { "tables-not-the-first",
    catch_up,
    DSQ_ERROR_CORRUPT,
    { { DSQ_SERVER_ASK, "2" }, { DSQ_SERVER_TABLES, "2 k n 2199023255553 0" } } },
  { "changes-refused",
    catch_up,
    DSQ_ERROR_IO,
    { { DSQ_SERVER_ASK, "2" }, { DSQ_SERVER_CHANGES, FAILS ("XX000") } } },
  { "lock-nothing", begin, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_LOCK, NULL } } },
  { "lock-null", begin, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_LOCK, "~ 1" } } },
  { "lock-half", begin, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_LOCK, "1 ~" } } },
  { "lock-zero", begin, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_LOCK, "0 1" } } },
  { "lock-no-table", begin, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_LOCK, "1 0" } } },
  { "lock-tables",
    begin,
    DSQ_ERROR_CORRUPT,
    { { DSQ_SERVER_LOCK, "2 1" }, { DSQ_SERVER_TABLES } } },
  { "lock-ready-early",
    begin,
    DSQ_ERROR_CORRUPT,
    { { DSQ_SERVER_LOCK, NULL, PGRES_PIPELINE_SYNC } } },
  { "get-one-damaged", get_one, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_GET, "~ 'v" } } },
  { "get-null", get_two, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_GET_MANY, "~ ~ 'v" } } },
  { "get-before", get_two, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_GET_MANY, "0 ~ 'v" } } },
  { "get-beyond", get_two, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_GET_MANY, "3 ~ 'v" } } },
  { "get-none", get_two, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_GET_MANY, "1 ~ ~" } } },
  { "get-no-expiry", get_two, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_GET_MANY, "1 0 'v" } } },
  { "probe-beyond", probe_two, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_PROBE, "3 1" } } },
  { "probe-one", probe_two, ALL_GOES_WELL, { { DSQ_SERVER_PROBE, "2 ~" } } },
  { "walk-other-table",
    walk,
    DSQ_ERROR_CORRUPT,
    { { DSQ_SERVER_WALK, "2199023255553 'a ~ ~ 'v" } } },
  { "walk-no-place", walk, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_WALK, "0 'a ~ ~ 'v 1" } } },
  { "walk-no-name", walk, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_WALK, "1099511627777 L ~ ~ 'v 1" } } },
  { "walk-two-names",
    walk,
    DSQ_ERROR_CORRUPT,
    { { DSQ_SERVER_WALK, "1099511627777 'a 'b ~ 'v 1" } } },
  { "walk-null", walk, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_WALK, "~ ~ ~ ~ ~" } } },
  { "header-nothing", open_source, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_HEADER, NULL } } },
  { "header-null", open_source, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_HEADER, "~ 1" } } },
  { "header-no-table", open_source, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_HEADER, "'x ~" } } },
  { "header-short", open_source, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_HEADER, "'x 1" } } },
  { "header-refused",
    open_source,
    DSQ_ERROR_PERMISSION,
    { { DSQ_SERVER_HEADER, FAILS ("42501") } } },
  { "keys-null", list_keys, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_RANGE, "~" } } },
  { "keys-no-key", list_keys, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_RANGE, "'\xff" } } },
  { "keys-too-long", list_keys, DSQ_ERROR_NOT_SUPPORTED, { { DSQ_SERVER_RANGE, "L" } } },
  { "expired-refused",
    find_expired,
    DSQ_ERROR_PERMISSION,
    { { DSQ_SERVER_EXPIRED, FAILS ("42501") } } },
  { "expired-next", find_next_expiry, ALL_GOES_WELL, { { DSQ_SERVER_NEXT_EXPIRY, "2000" } } },
  { "expired-of-none",
    find_expired,
    ALL_GOES_WELL,
    { { DSQ_SERVER_EXPIRED, "1 'a ~ 1 'v 0|1 'a ~ 1 'v 4294967296|1 'a ~ 1 'v 1" },
      { DSQ_SERVER_NEXT_EXPIRY, "~" } } },
  { "expired-none", find_expired, ALL_GOES_WELL, { { DSQ_SERVER_NEXT_EXPIRY, "1|2" } } },
  { "table-not-listed",
    open_table_to_read,
    DSQ_ERROR_CORRUPT,
    { { DSQ_SERVER_FIND_TABLE, "0 't ~ m" } } },
  { "table-none", open_table_to_read, ALL_GOES_WELL, { { DSQ_SERVER_FIND_TABLE } } },
  { "table-refused",
    open_table_to_read,
    DSQ_ERROR_PERMISSION,
    { { DSQ_SERVER_FIND_TABLE, FAILS ("42501") } } },
  { "table-unknown", make_table, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_FIND_TABLE, "2 k ~ n" } } },
  { "table-damaged", make_table, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_FIND_TABLE, "7 't ~ 'm" } } },
  { "tables-all-given",
    make_table,
    DSQ_ERROR_FAILED,
    { { DSQ_SERVER_LOCK, "1 8388607" }, { DSQ_SERVER_FIND_TABLE } } },
  { "clear-unknown", clear_unknown, ALL_GOES_WELL, { { DSQ_SERVER_FIND_TABLE } } },
  { "place-null", set_one, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_PROBE, "~ 1" } } },
  { "place-before", set_one, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_PROBE, "0 1" } } },
  { "place-beyond", set_one, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_PROBE, "2 1" } } },
  { "place-of-none", set_one, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_PROBE, "1 ~" } } },
  { "there-already", set_absent, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_PROBE, "1 1099511627777" } } },
  { "not-there", set_present, DSQ_ERROR_CORRUPT, { { DSQ_SERVER_PROBE } } },
  { "more-than-counted",
    remove_one,
    DSQ_ERROR_CORRUPT,
    { { DSQ_SERVER_LOCK, "1 1" }, { DSQ_SERVER_PROBE, "1 1099511627777" } } },
  { "there-all-the-same",
    remove_absent,
    ALL_GOES_WELL,
    { { DSQ_SERVER_PROBE, "1 1099511627777" } } },
  { "copy", apply_many, ALL_GOES_WELL, { COPIES, { DSQ_SERVER_COPY } } },
  { "copy-refused", apply_many, DSQ_ERROR_PERMISSION, { { DSQ_SERVER_COPY, FAILS ("42501") } } },
  { "copy-stateless", apply_many, DSQ_ERROR_IO, { { DSQ_SERVER_COPY, FAILS (NULL) } } },
  { "copy-gives", apply_many, DSQ_ERROR_IO, { { DSQ_SERVER_COPY, "1" } } },
  { "copy-out", apply_many, DSQ_ERROR_IO, { { DSQ_SERVER_COPY, NULL, PGRES_COPY_OUT } } },
  { "copy-last", apply_many, DSQ_ERROR_IO, { { DSQ_SERVER_COPY, FAILS ("57P01"), TRUE } } },
  { "copy-taken", apply_many, DSQ_ERROR_CORRUPT, { COPIES, { DSQ_SERVER_COPY, FAILS ("23505") } } },
  { "copy-again", apply_many, DSQ_ERROR_IO, { COPIES, { DSQ_SERVER_COPY, NULL, PGRES_COPY_IN } } },
  { "copy-full-at-part-1",
    apply_many,
    DSQ_ERROR_NO_SPACE,
    { COPIES, { DSQ_SERVER_COPY, FAILS ("53100") } } },
  { "copy-full-at-part-2",
    apply_many,
    DSQ_ERROR_NO_SPACE,
    { COPIES, { DSQ_SERVER_COPY, FAILS ("53100") } } },
  { "copy-well-at-part-2", apply_many, DSQ_ERROR_IO, { COPIES, { DSQ_SERVER_COPY } } },
  { "remove-refused",
    remove_one,
    DSQ_ERROR_PERMISSION,
    { { DSQ_SERVER_PROBE, "1 1099511627777" }, { DSQ_SERVER_REMOVE, FAILS ("42501") } } },
};

static void
test_answers (Fixture *self, gconstpointer data)
{
  const guint i = GPOINTER_TO_UINT (data);
  g_autoptr (GError) error = NULL;
  gboolean success;

  fake.answers = cases[i].answers;
  fake.n_answers = 1 + (cases[i].answers[1].which != 0 || cases[i].answers[1].rows != NULL);
  if (g_str_equal (cases[i].name, "more-than-counted"))
    g_array_index (self->server.committed, DsqTableState, 0).count = 0;
  if (strstr (cases[i].name, "-at-part-") != NULL)
    fake.max_parts = (guint) g_ascii_strtoull (strrchr (cases[i].name, '-') + 1, NULL, 10);
  success = cases[i].call (&self->server.tier, &error);
  if (error != NULL)
    g_test_message ("%s", error->message);
  g_assert_true (success == (cases[i].code == ALL_GOES_WELL));
  if (success)
    g_assert_no_error (error);
  else
    g_assert_error (error, DSQ_ERROR, (gint) cases[i].code);
}

/* What others have changed is not known where that is not told as it should be. */
static void
test_changes (Fixture *self, gconstpointer data)
{
  static const struct
  {
    gint64 before;
    const char *rows;
    gboolean is_known;
  } told[] = {
    { 1, "2 ' 9223372036854775807", TRUE },
    { 1, NULL, FALSE },
    { 1, "~ ' 1", FALSE },
    { 1, "3 ' 1", FALSE },
    { 1, "2 ' ~", FALSE },
    { 1, "2 ~ 1", FALSE },
    { 1, "2 'x 1", FALSE },
    /* a server that was taken back to an earlier copy of it */
    { 7, NULL, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (told); i++)
    {
      const FakeAnswer answers[] = { { DSQ_SERVER_ASK, "2" },
                                     { DSQ_SERVER_CHANGES, told[i].rows } };
      g_autoptr (GError) error = NULL;

      fake.answers = answers;
      fake.n_answers = G_N_ELEMENTS (answers);
      fake.used = 0;
      self->server.version = told[i].before;
      g_assert_true (dsq_server_catch_up (&self->server.tier, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (self->n_foreign, ==, i + 1);
      g_assert_cmpint (self->is_known, ==, told[i].is_known);
      g_assert_cmpint (self->server.version, ==, 2);
    }
}

/* More than goes at once. */
static void
test_large_changes (Fixture *self, gconstpointer data)
{
  const gsize length = 9u << 20;
  g_autofree guint8 *record = g_malloc0 (length);
  g_autoptr (GError) error = NULL;
  DsqChange changes[2] = { { NULL } };

  record[0] = 3;
  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    {
      const DsqKey key = key_of (i == 0 ? "a" : "b");

      changes[i].entry = dsq_entry_new (&key, record, length, 0);
      changes[i].presence = DSQ_PRESENCE_UNKNOWN;
    }
  g_assert_true (begin (&self->server.tier, &error));
  g_assert_true (dsq_server_apply (&self->server.tier, changes, G_N_ELEMENTS (changes), &error));
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    {
      g_assert_cmpint (changes[i].presence, ==, DSQ_PRESENCE_ABSENT);
      dsq_entry_unref (changes[i].entry);
    }
}

/* What was foreseen is looked for again when the connection is lost, as others may have come by. */
static void
test_foreseen_twice (Fixture *self, gconstpointer data)
{
  const FakeAnswer answers[] = { { DSQ_SERVER_LOCK, "2 1" },
                                 { DSQ_SERVER_PROBE, "1 1099511627777" },
                                 { DSQ_SERVER_TABLES, NULL, PGRES_TUPLES_OK, NULL, TRUE } };
  const DsqKey key = key_of ("key");
  const guint8 record[] = { 3, 'v' };
  g_autoptr (DsqEntry) entry = dsq_entry_new (&key, record, sizeof record, 0);
  g_autoptr (GError) error = NULL;
  DsqChange change = { .entry = entry, .presence = DSQ_PRESENCE_UNKNOWN };

  fake.answers = answers;
  fake.n_answers = G_N_ELEMENTS (answers);
  self->server.target.lock_wait_ms = 10000;
  dsq_server_foresee (&self->server.tier, &key, 1);
  dsq_server_begin (&self->server.tier, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (fake.used, ==, 7);
  g_assert_true (dsq_server_apply (&self->server.tier, &change, 1, &error));
  g_assert_cmpint (change.presence, ==, DSQ_PRESENCE_ABSENT);
}

/* It cannot be said. */
static void
test_copies_not_taken (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fake.lost_at = DSQ_SERVER_COPY;
  g_assert_false (apply_many (&self->server.tier, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
  g_assert_null (self->server.writer.connection.handle);
}

/* What is rolled back is not ended first, and what is said next begins with the end of it. */
static void
test_copies_left (Fixture *self, gconstpointer data)
{
  DsqServerConnection *connection = &self->server.writer.connection;
  g_autoptr (GError) error = NULL;

  g_assert_true (begin (&self->server.tier, &error));
  g_assert_true (dsq_server_copy_begin (connection, &error));
  g_assert_true (dsq_server_copy_begin (connection, &error));
  g_assert_true (dsq_server_copy_add (connection, (const guint8 *) "row", 3, &error));
  dsq_server_rollback (&self->server.tier);
  g_assert_cmpuint (fake.n_abandoned, ==, 1);
  g_assert_cmpuint (fake.n_copied, ==, 0);
  g_assert_nonnull (connection->handle);
  g_assert_true (begin (&self->server.tier, &error));
  g_assert_true (dsq_server_copy_begin (connection, &error));
  g_assert_true (dsq_server_savepoint (&self->server.tier, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (fake.n_copied, ==, 11 + 8 + 2);
  g_assert_cmpuint (fake.n_abandoned, ==, 1);
}

/* Where a table is empty nothing is looked for but what has been put there since, or is there again
 * when that is undone by which it was emptied. */
static void
test_copies_into_nothing (Fixture *self, gconstpointer data)
{
  const FakeAnswer answers[] = { { DSQ_SERVER_PROBE }, { DSQ_SERVER_PROBE } };
  DsqColdTier *tier = &self->server.tier;
  g_autoptr (GError) error = NULL;

  fake.answers = answers;
  fake.n_answers = G_N_ELEMENTS (answers);
  g_array_index (self->server.committed, DsqTableState, 0).count = 0;
  g_assert_true (begin (tier, &error));
  g_assert_true (apply_keys (tier, "key", N_COPIED, &error));
  g_assert_cmpuint (fake.used, ==, 0);
  g_assert_true (apply_keys (tier, "key", 1, &error));
  g_assert_cmpuint (fake.used, ==, 1);
  g_assert_true (dsq_server_savepoint (tier, &error));
  g_assert_true (dsq_server_clear_table (tier, DSQ_TABLE_MAIN, &error));
  g_assert_true (apply_keys (tier, "other", N_COPIED, &error));
  g_assert_cmpuint (fake.used, ==, 1);
  g_assert_null (self->server.writer.connection.copied);
  g_assert_true (dsq_server_release (tier, FALSE, &error));
  g_assert_true (apply_keys (tier, "key", 1, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (fake.used, ==, 3);
}

/* Who has waited in vain sees to it that a client which has stopped holds the store no longer. */
static void
test_lock_in_vain (Fixture *self, gconstpointer data)
{
  const FakeAnswer answers[] = { { DSQ_SERVER_LOCK, FAILS ("55P03") },
                                 { DSQ_SERVER_END_COPIES, FAILS ("42501") },
                                 { DSQ_SERVER_LOCK, FAILS ("XX000") },
                                 { DSQ_SERVER_END_COPIES } };
  g_autoptr (GError) busy = NULL;
  g_autoptr (GError) other = NULL;

  fake.answers = answers;
  fake.n_answers = G_N_ELEMENTS (answers);
  g_assert_false (begin (&self->server.tier, &busy));
  g_assert_error (busy, DSQ_ERROR, DSQ_ERROR_BUSY);
  g_assert_cmpuint (fake.used, ==, 3);
  g_assert_false (begin (&self->server.tier, &other));
  g_assert_error (other, DSQ_ERROR, DSQ_ERROR_IO);
  g_assert_cmpuint (fake.used, ==, 7);
}

static void
test_small_things (Fixture *self, gconstpointer data)
{
  g_auto (DsqServerArray) array = { 0 };

  g_assert_false (dsq_server_is_address (NULL));
  dsq_server_array_init (&array, FALSE);
  dsq_server_array_add_bytes (&array, NULL, 0);
  dsq_server_array_add_bytes (&array, "", 0);
  g_assert_cmpuint (array.n_items, ==, 2);
  g_assert_true (array.has_null);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/dsq/server-answers/", cases[i].name, NULL);

      g_test_add (path, Fixture, GUINT_TO_POINTER (i), set_up, test_answers, tear_down);
    }
#define ADD(name, func)                                                                            \
  g_test_add ("/dsq/server-answers/" name, Fixture, NULL, set_up, func, tear_down)
  ADD ("changes", test_changes);
  ADD ("large-changes", test_large_changes);
  ADD ("foreseen-twice", test_foreseen_twice);
  ADD ("copies-not-taken", test_copies_not_taken);
  ADD ("copies-left", test_copies_left);
  ADD ("copies-into-nothing", test_copies_into_nothing);
  ADD ("lock-in-vain", test_lock_in_vain);
  ADD ("small-things", test_small_things);
  return g_test_run ();
}
