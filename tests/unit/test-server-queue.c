/* test-server-queue.c - what waits to be said to a server, and what is said at once
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-patience-private.h"
#include "cold/postgresql/dsq-server-row-private.h"
#include "server-fixture.h"

/* Sets so many keys, of a byte each. */
static gboolean
apply_keys (DsqColdTier *tier, const char *prefix, guint n, GError **error)
{
  const guint8 record[] = { 3, 'v' };
  g_autofree DsqChange *changes = g_new0 (DsqChange, n);
  gboolean success;

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *text = g_strdup_printf ("%s %u", prefix, i);
      const DsqKey key = key_of (text);

      changes[i].entry = dsq_entry_new (&key, record, sizeof record, 0);
      changes[i].hash = key.hash;
    }
  success = dsq_server_apply (tier, changes, n, error);
  for (guint i = 0; i < n; i++)
    dsq_entry_unref (changes[i].entry);
  return success;
}

/* --- rounds ----------------------------------------------------------------------------------- */

/* Of an empty table nothing is asked, by which what one round has left would be said. */
static void
test_rounds_that_ask_nothing (Fixture *self, gconstpointer data)
{
  const FakeAnswer answers[] = { { DSQ_SERVER_PROBE } };
  DsqColdTier *tier = &self->server.tier;
  DsqServerConnection *connection = &self->server.writer.connection;
  g_autoptr (GError) error = NULL;

  fake.answers = answers;
  fake.n_answers = G_N_ELEMENTS (answers);
  g_array_index (self->server.committed, DsqTableState, 0).count = 0;
  g_assert_true (begin (tier, &error));
  g_assert_true (apply_keys (tier, "first", 600, &error));
  g_assert_true ((connection->copied == NULL) == fake.is_elsewhere);
  for (guint i = 0; i < 4; i++)
    {
      g_autofree char *prefix = g_strdup_printf ("round %u", i);

      g_assert_true (apply_keys (tier, prefix, 10, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (connection->n_queued, ==, 1);
    }
  g_assert_cmpuint (fake.used, ==, 0);
  g_assert_true (dsq_server_send_queued (connection, &error));
  g_assert_cmpuint (connection->n_queued, ==, 0);
  g_assert_no_error (error);
}

static void
test_rounds_elsewhere (Fixture *self, gconstpointer data)
{
  fake.is_elsewhere = TRUE;
  test_rounds_that_ask_nothing (self, data);
}

/* What one round has left is refused as the next is written. */
static void
test_rounds_that_are_refused (Fixture *self, gconstpointer data)
{
  const FakeAnswer answers[] = { { DSQ_SERVER_SET, NULL, PGRES_FATAL_ERROR, "53100" } };
  DsqColdTier *tier = &self->server.tier;
  g_autoptr (GError) error = NULL;

  fake.is_elsewhere = TRUE;
  fake.answers = answers;
  fake.n_answers = G_N_ELEMENTS (answers);
  g_array_index (self->server.committed, DsqTableState, 0).count = 0;
  g_assert_true (begin (tier, &error));
  g_assert_true (apply_keys (tier, "first", 600, &error));
  g_assert_false (apply_keys (tier, "second", 10, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_SPACE);
  g_assert_cmpuint (self->server.writer.connection.n_queued, ==, 0);
}

/* --- what grows ------------------------------------------------------------------------------- */

/* Keys come to a table that has rows, and none was there; then as many that are not looked for. */
static gboolean
grow (Fixture *self, GError **error)
{
  fake.answers = NULL;
  fake.n_answers = 0;
  fake.used = 0;
  g_assert_true (begin (&self->server.tier, error));
  g_assert_true (apply_keys (&self->server.tier, "first", 600, error));
  g_assert_cmpuint (self->server.writer.grows, ==, fake.is_elsewhere ? 0 : DSQ_TABLE_MAIN);
  return dsq_server_copy_end (&self->server.writer.connection, error);
}

static void
test_what_grows (Fixture *self, gconstpointer data)
{
  static const struct
  {
    FakeAnswer answer;
    guint n_copies; /* that are begun */
    int code;       /* -1: it is written */
  } cases[] = {
    { { DSQ_SERVER_SET }, 1, -1 },
    { { DSQ_SERVER_COPY, NULL, PGRES_FATAL_ERROR, "23505" }, 1, -1 },
    { { DSQ_SERVER_COPY, NULL, PGRES_FATAL_ERROR, "53100" }, 0, DSQ_ERROR_NO_SPACE },
    { { DSQ_SERVER_COPY, NULL, PGRES_FATAL_ERROR, "57P01" }, 0, DSQ_ERROR_IO },
    { { DSQ_SERVER_N_STATEMENTS, NULL, PGRES_FATAL_ERROR, "53100" }, 0, DSQ_ERROR_NO_SPACE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      DsqColdTier *tier = &self->server.tier;
      const DsqServerWriter *writer = &self->server.writer;
      g_autoptr (GError) error = NULL;
      DsqTableState before, state;
      gboolean success;
      guint n_begun;

      g_assert_true (grow (self, &error));
      g_assert_true (dsq_server_get_table (tier, DSQ_TABLE_MAIN, &before));
      fake.answers = &cases[i].answer;
      fake.n_answers = 1;
      n_begun = fake.n_begun;
      success = apply_keys (tier, "second", 600, &error);
      g_assert_cmpint (error != NULL ? error->code : -1, ==, cases[i].code);
      g_assert_true (success == (cases[i].code == -1));
      g_assert_cmpuint (fake.n_begun - n_begun, ==, cases[i].n_copies);
      g_assert_false (writer->takes_for_new);
      g_assert_cmpuint (writer->grows, ==, success ? DSQ_TABLE_MAIN : 0);
      g_assert_true (dsq_server_get_table (tier, DSQ_TABLE_MAIN, &state));
      g_assert_true (!success || state.count == before.count + 600);
      g_assert_true (!success || state.next == before.next + 600);
      dsq_server_rollback (tier);
    }
}

/* Neither the attempt nor what was before it is gone on with where that cannot be brought back. */
static void
test_what_grows_in_vain (Fixture *self, gconstpointer data)
{
  const FakeAnswer answers[] = { { DSQ_SERVER_N_STATEMENTS },
                                 { DSQ_SERVER_COPY, NULL, PGRES_FATAL_ERROR, "23505" },
                                 { DSQ_SERVER_N_STATEMENTS, NULL, PGRES_FATAL_ERROR, "53100" } };
  g_autoptr (GError) error = NULL;

  g_assert_true (grow (self, &error));
  fake.answers = answers;
  fake.n_answers = G_N_ELEMENTS (answers);
  g_assert_false (apply_keys (&self->server.tier, "second", 600, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_SPACE);
  g_assert_false (self->server.writer.takes_for_new);
}

/* --- elsewhere -------------------------------------------------------------------------------- */

/* A server that is not PostgreSQL is asked otherwise, and ends nothing of others. */
static void
test_elsewhere (Fixture *self, gconstpointer data)
{
  const FakeAnswer answers[] = { { DSQ_SERVER_PROBE, "2 7" },
                                 { DSQ_SERVER_LOCK, NULL, PGRES_FATAL_ERROR, "55P03" },
                                 { DSQ_SERVER_END_COPIES } };
  g_autoptr (GError) error = NULL;

  fake.is_elsewhere = TRUE;
  fake.answers = answers;
  fake.n_answers = G_N_ELEMENTS (answers);
  g_assert_true (probe_two (&self->server.tier, &error));
  g_assert_cmpuint (fake.used, ==, 1);
  g_assert_false (begin (&self->server.tier, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_BUSY);
  g_assert_cmpuint (fake.used, ==, 3);
}

/* What was foreseen is not taken for what it is not. */
static void
test_foreseen_damaged (Fixture *self, gconstpointer data)
{
  static const char *const rows[] = { "0 1", "2 1", "1 ~", "1 0", "~ 1" };
  const DsqKey key = key_of ("key");

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const FakeAnswer answers[] = { { DSQ_SERVER_PROBE, rows[i] } };
      g_autoptr (GError) error = NULL;

      fake.answers = answers;
      fake.n_answers = 1;
      fake.used = 0;
      dsq_server_foresee (&self->server.tier, &key, 1);
      g_assert_false (begin (&self->server.tier, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
    }
}

/* --- several at once -------------------------------------------------------------------------- */

/* A connection whose round trip has not come to its end is not used for another. */
static void
test_pipelines_that_do_not_end (Fixture *self, gconstpointer data)
{
  for (guint i = 0; i < 5; i++)
    {
      const FakeAnswer answers[] = { { DSQ_SERVER_LOCK, NULL, PGRES_FATAL_ERROR, "42501" } };
      g_autoptr (GError) error = NULL;

      fake.lost_at = i == 0 ? DSQ_SERVER_LOCK : FAKE_NONE;
      fake.ends_no_pipeline = i == 1;
      fake.stays_in_pipeline = i == 2 || i == 3;
      fake.answers = answers;
      fake.n_answers = i == 3;
      g_assert_true (begin (&self->server.tier, &error) == (i == 4));
      if (i == 3)
        g_assert_error (error, DSQ_ERROR, DSQ_ERROR_PERMISSION);
      else if (i < 4)
        g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
      g_assert_true ((self->server.writer.connection.handle != NULL) == (i == 4));
    }
}

/* Whose transaction cannot even be taken back is not asked to end those of others. */
static void
test_busy_and_lost (Fixture *self, gconstpointer data)
{
  const FakeAnswer answers[] = { { DSQ_SERVER_N_STATEMENTS },
                                 { DSQ_SERVER_LOCK, NULL, PGRES_FATAL_ERROR, "55P03" },
                                 { DSQ_SERVER_N_STATEMENTS, NULL, PGRES_FATAL_ERROR, "XX000" },
                                 { DSQ_SERVER_END_COPIES } };
  g_autoptr (GError) error = NULL;

  /* the third time nothing but the lock is said between BEGIN and ROLLBACK */
  for (guint i = 0; i < 2; i++)
    {
      g_assert_true (begin (&self->server.tier, &error));
      dsq_server_rollback (&self->server.tier);
    }
  fake.answers = answers;
  fake.n_answers = G_N_ELEMENTS (answers);
  g_assert_false (begin (&self->server.tier, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_BUSY);
  g_assert_cmpuint (fake.used, ==, 7);
  g_assert_null (self->server.writer.connection.handle);
}

/* A call whose patience is greater than the store's has the server wait as long. */
static void
test_patient (Fixture *self, gconstpointer data)
{
  const guint told_ms = dsq_patience.timeout_ms;
  g_autoptr (GError) error = NULL;
  guint n_others;

  self->server.target.lock_wait_ms = 3600000;
  /* the second time it is prepared */
  for (guint i = 0; i < 2; i++)
    {
      g_assert_true (begin (&self->server.tier, &error));
      dsq_server_rollback (&self->server.tier);
    }
  n_others = fake.n_others;
  g_assert_true (begin (&self->server.tier, &error));
  g_assert_cmpuint (fake.n_others, ==, n_others + 1);
  dsq_server_rollback (&self->server.tier);
  dsq_patience.timeout_ms = 7200000;
  n_others = fake.n_others;
  g_assert_true (begin (&self->server.tier, &error));
  g_assert_cmpuint (fake.n_others, ==, n_others + 2);
  dsq_patience.timeout_ms = told_ms;
}

/* --- changes ---------------------------------------------------------------------------------- */

static gboolean
apply_in (DsqColdTier *tier, guint32 table, gint64 place, GError **error)
{
  const guint8 record[] = { 3, 'v' };
  DsqKey key = key_of ("key");
  g_autoptr (DsqEntry) entry = NULL;
  DsqChange changes[2] = { { NULL } };

  key.table = table;
  entry = dsq_entry_new (&key, record, sizeof record, 0);
  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    changes[i] = (DsqChange){ .entry = entry, .place = place };
  return dsq_server_apply (tier, changes, G_N_ELEMENTS (changes), error) &&
         changes[0].presence == DSQ_PRESENCE_ABSENT && changes[1].presence == DSQ_PRESENCE_PRESENT;
}

/* Where the server sends no notices nothing is said behind a commit, now or later. */
static void
test_commits (Fixture *self, gconstpointer data)
{
  DsqColdTier *tier = &self->server.tier;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 6; i++)
    {
      const guint n_others = fake.n_others;

      self->server.notify = i < 5 ? (char *) "NOTIFY" : NULL;
      g_assert_true (begin (tier, &error));
      g_assert_true (apply_in (tier, DSQ_TABLE_MAIN, 0, &error));
      g_assert_true (dsq_server_commit (tier, NULL, NULL, &error));
      g_assert_no_error (error);
      /* but for what connects and prepares at first: to begin, to commit, and the notice */
      if (i >= 4)
        g_assert_cmpuint (fake.n_others, ==, n_others + (i == 4 ? 3 : 2));
      g_assert_false (dsq_server_notices_take (self->server.notices));
    }
}

/* What a row was given as its place is told at once where that is taken. */
static void
test_places (Fixture *self, gconstpointer data)
{
  const FakeAnswer answers[] = { { DSQ_SERVER_SET, NULL, PGRES_FATAL_ERROR, "23505" } };
  DsqColdTier *tier = &self->server.tier;
  DsqServerWriter *writer = &self->server.writer;
  const DsqKey other = key_of ("other");
  g_autoptr (GError) error = NULL;
  DsqTableState *state;

  /* of what was foreseen nothing is asked, of another key that is */
  dsq_server_foresee (tier, &other, 1);
  g_assert_true (begin (tier, &error));
  g_assert_true (apply_in (tier, DSQ_TABLE_MAIN, 0, &error));
  g_assert_cmpuint (writer->connection.n_queued, ==, 1);
  dsq_server_rollback (tier);
  g_assert_true (begin (tier, &error));
  state = &g_array_index (writer->tables, DsqTableState, 0);
  g_assert_true (apply_in (tier, DSQ_TABLE_MAIN, state->next + 5, &error));
  g_assert_cmpuint (writer->connection.n_queued, ==, 0);
  g_assert_no_error (error);

  fake.answers = answers;
  fake.n_answers = G_N_ELEMENTS (answers);
  g_assert_false (apply_in (tier, DSQ_TABLE_MAIN, state->next + 5, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
  g_clear_error (&error);
  g_assert_false (apply_in (tier, 5, 0, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
  g_clear_error (&error);
  state = &g_array_index (writer->tables, DsqTableState, 0);
  state->next |= DSQ_FORMAT_POSITION_MAX;
  g_assert_false (apply_in (tier, DSQ_TABLE_MAIN, 0, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_FAILED);
}

/* --- copies ----------------------------------------------------------------------------------- */

/* Whichever part of a row the server takes no more of, the copy has failed. */
static void
test_copies_that_end_within_a_row (Fixture *self, gconstpointer data)
{
  DsqServerConnection *connection = &self->server.writer.connection;
  const guint8 *bytes = (const guint8 *) "0123456789";
  const DsqServerRow row = {
    .store = 1,
    .table = 1,
    .token = bytes,
    .token_length = 10,
    .place = 1,
    .value = bytes,
    .value_length = 10,
    .name = bytes,
    .name_length = 10,
  };
  guint n_ended = 0;
  gboolean is_copied = FALSE;

  for (guint room = 1; !is_copied; room++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_true (begin (&self->server.tier, &error));
      g_assert_true (dsq_server_copy_begin (connection, &error));
      g_byte_array_set_size (connection->copied, (32u << 10) - room);
      fake.n_parts = fake.max_parts = 1;
      is_copied = dsq_server_row_copy (&row, connection, &error);
      n_ended += !is_copied;
      if (is_copied)
        g_assert_no_error (error);
      else
        g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
      g_assert_true ((connection->copied != NULL) == is_copied);
      dsq_server_rollback (&self->server.tier);
    }
  /* all of it: numbers and lengths, and three times ten bytes */
  g_assert_cmpuint (n_ended, ==, 2 + 2 * 12 + 4 + 10 + 12 + 4 + 4 + 10 + 4 + 10);
}

/* One is begun anew where something is to be said before, or the server has waited for long. */
static void
test_copies_begun_anew (Fixture *self, gconstpointer data)
{
  DsqColdTier *tier = &self->server.tier;
  DsqServerConnection *connection = &self->server.writer.connection;
  g_autoptr (GError) error = NULL;

  g_array_index (self->server.committed, DsqTableState, 0).count = 0;
  g_assert_true (begin (tier, &error));
  g_assert_true (apply_keys (tier, "first", 520, &error));
  g_assert_cmpuint (fake.n_begun, ==, 1);
  g_assert_true (apply_keys (tier, "second", 10, &error));
  g_assert_cmpuint (fake.n_begun, ==, 1);
  g_assert_true (apply_keys (tier, "third", 520, &error));
  g_assert_cmpuint (fake.n_begun, ==, 2);
  g_assert_cmpuint (connection->n_queued, ==, 0);
  connection->copies_since -= 2 * G_USEC_PER_SEC;
  g_assert_true (apply_keys (tier, "fourth", 520, &error));
  g_assert_cmpuint (fake.n_begun, ==, 3);
  g_assert_no_error (error);
  g_assert_cmpuint (fake.n_abandoned, ==, 0);
}

/* Over a savepoint a copy ends with what it is of; and no end of one may be said, or answered. */
static void
test_copies_that_do_not_end (Fixture *self, gconstpointer data)
{
  for (guint i = 0; i < 4; i++)
    {
      const FakeAnswer answers[] = {
        { DSQ_SERVER_COPY, NULL, i == 2 ? FAKE_NOTHING : PGRES_COPY_IN },
        { DSQ_SERVER_COPY, NULL, i == 0 ? PGRES_FATAL_ERROR : FAKE_NOTHING, "53100" },
      };
      g_autoptr (GError) error = NULL;

      fake.answers = answers;
      fake.n_answers = G_N_ELEMENTS (answers);
      fake.used = 0;
      fake.fails_to_end = i == 1;
      g_assert_true (begin (&self->server.tier, &error));
      g_assert_true (dsq_server_savepoint (&self->server.tier, &error));
      g_assert_false (apply_keys (&self->server.tier, "key", 600, &error));
      if (i == 0)
        g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_SPACE);
      else
        g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
      fake.fails_to_end = FALSE;
      fake.n_answers = 0;
      dsq_server_rollback (&self->server.tier);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func)                                                                            \
  g_test_add ("/dsq/server-queue/" name, Fixture, NULL, set_up, func, tear_down)
  ADD ("rounds-that-ask-nothing", test_rounds_that_ask_nothing);
  ADD ("rounds-elsewhere", test_rounds_elsewhere);
  ADD ("rounds-that-are-refused", test_rounds_that_are_refused);
  ADD ("elsewhere", test_elsewhere);
  ADD ("foreseen-damaged", test_foreseen_damaged);
  ADD ("pipelines-that-do-not-end", test_pipelines_that_do_not_end);
  ADD ("busy-and-lost", test_busy_and_lost);
  ADD ("patient", test_patient);
  ADD ("commits", test_commits);
  ADD ("places", test_places);
  ADD ("copies-that-end-within-a-row", test_copies_that_end_within_a_row);
  ADD ("copies-begun-anew", test_copies_begun_anew);
  ADD ("copies-that-do-not-end", test_copies_that_do_not_end);
  ADD ("what-grows", test_what_grows);
  ADD ("what-grows-in-vain", test_what_grows_in_vain);
  return g_test_run ();
}
