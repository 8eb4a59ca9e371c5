/* test-server-source.c - one state of a store on a server, read by whoever copies or walks it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-format-private.h"
#include "cold/dsq-cold-columns-private.h"
#include "cold/postgresql/dsq-server-source-private.h"
#include "server-fixture.h"

#define HEADER "v 1"

/* The header of a new store is the first value. */
static void
set_up_header (Fixture *self, gconstpointer data)
{
  DsqKeys *keys;
  DsqHeader header;

  set_up (self, data);
  g_assert_true (dsq_header_init (&header, NULL, NULL, &keys, NULL));
  fake.values[0] = g_bytes_new (header.bytes, header.length);
}

static gboolean
open_source (Fixture *self, const FakeAnswer *answers, guint n_answers, DsqServerSource *out)
{
  g_autoptr (GError) error = NULL;
  DsqHeader header;

  fake.answers = answers;
  fake.n_answers = n_answers;
  fake.used = 0;
  if (dsq_server_source_open (out, &self->server, &header, &error))
    return TRUE;
  g_assert_nonnull (error);
  return FALSE;
}

/* What has been lost is looked for again as it is opened, and not later. */
static void
test_lost (Fixture *self, gconstpointer data)
{
  const FakeAnswer answers[] = {
    { DSQ_SERVER_HEADER, NULL, PGRES_FATAL_ERROR, "57P01", TRUE },
    { DSQ_SERVER_HEADER, HEADER },
    { DSQ_SERVER_STORED_TABLES, NULL, PGRES_FATAL_ERROR, "42501" },
    { DSQ_SERVER_WALK, NULL, PGRES_FATAL_ERROR, "42501" },
  };
  g_autoptr (GError) of_tables = NULL;
  g_autoptr (GError) of_rows = NULL;
  DsqColdStoredTable table;
  DsqColdStoredRow row;
  DsqServerSource source;

  self->server.target.lock_wait_ms = 600000;
  g_assert_true (open_source (self, answers, G_N_ELEMENTS (answers), &source));
  g_assert_cmpuint (fake.used, ==, 3);
  g_assert_cmpint (source.source.funcs->next_table (&source.source, &table, &of_tables),
                   ==,
                   DSQ_STEP_FAILED);
  g_assert_error (of_tables, DSQ_ERROR, DSQ_ERROR_PERMISSION);
  g_assert_cmpint (source.source.funcs->next_row (&source.source, &row, &of_rows),
                   ==,
                   DSQ_STEP_FAILED);
  g_assert_error (of_rows, DSQ_ERROR, DSQ_ERROR_PERMISSION);
  dsq_server_source_close (&source);
}

/* --- rows that a newer version wrote ---------------------------------------------------------- */

static GBytes *
encode (Fixture *self, const char *text, guint8 type)
{
  const guint8 record[] = { type, 'v' };
  const DsqKey key = key_of (text);
  g_autoptr (DsqEntry) entry = dsq_entry_new (&key, record, sizeof record, 0);
  DsqColdColumns columns;
  guint8 bytes[64];

  g_assert_cmpuint (dsq_cold_row_length (&self->server.codec, entry, TRUE), <=, sizeof bytes);
  g_assert_true (dsq_cold_encode_row (&self->server.codec, entry, TRUE, bytes, &columns, NULL));
  return g_bytes_new (columns.value, columns.value_length);
}

static gboolean
walk_two (Fixture *self, guint8 type, GArray *rows, GError **error)
{
  const FakeAnswer answers[] = {
    { DSQ_SERVER_WALK, "1099511627777 'a ~ ~ v 1|1099511627778 'b ~ ~ w 1" },
  };
  gboolean is_last;

  fake_unref_bytes (fake.values[1]);
  fake.values[1] = encode (self, "b", type);
  fake.answers = answers;
  fake.n_answers = G_N_ELEMENTS (answers);
  fake.used = 0;
  return dsq_server_walk (&self->server.tier,
                          DSQ_TABLE_MAIN,
                          0,
                          DSQ_WALK_FORWARD,
                          10,
                          1000,
                          FALSE,
                          rows,
                          &is_last,
                          error);
}

/* What is before a damaged row is a batch; but nothing is, before what cannot be read at all. */
static void
test_newer (Fixture *self, gconstpointer data)
{
  GArray *rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  g_autoptr (GError) error = NULL;

  fake.values[0] = encode (self, "a", 3);
  g_assert_true (walk_two (self, DSQ_FORMAT_RECORD_LAST_RESERVED + 1, rows, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (rows->len, ==, 1);
  g_assert_false (walk_two (self, DSQ_FORMAT_RECORD_FIRST_RESERVED, rows, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_FORMAT);
  dsq_cold_rows_free (rows);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/dsq/server-source/lost", Fixture, NULL, set_up_header, test_lost, tear_down);
  g_test_add ("/dsq/server-source/newer", Fixture, NULL, set_up, test_newer, tear_down);
  return g_test_run ();
}
