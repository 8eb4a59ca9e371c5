/* test-cold-ahead.c - sealing rows while the ones before them are written
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold-support.h"
#include "cold/dsq-cold-ahead-private.h"
#include "cold/dsq-cold-changes-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "crypto/dsq-random-private.h"

#define N_CHANGES 3000

static const guint8 data_key[DSQ_KEY_LENGTH] = "thirty-two bytes of a data key!";

typedef struct
{
  DsqRecordCodec codec;
  DsqChange changes[N_CHANGES];
} Fixture;

/* Of all kinds: none, tombstones, updates, new rows, and two long ones in a row. */
static DsqChange
change_at (guint i)
{
  g_autofree char *key = g_strdup_printf ("key_%u", i);
  g_autofree char *value = i / 2 == 500 ? g_strnfill (300 << 10, 'v') : g_strdup_printf ("%u", i);
  DsqChange change = { NULL };

  if (i % 7 == 3)
    return change;
  if (i % 7 == 5)
    return change_of (key, NULL, 0, DSQ_PRESENCE_PRESENT);
  change = change_of (key, value, place_of (i + 1), (DsqPresence) (i % 3));
  change.reinsert = i % 11 == 0;
  return change;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  const guint8 *store_id = (const guint8 *) "sixteen of an id";
  DsqMarkColumn ignored;

  dsq_record_codec_init (&fixture->codec, store_id, dsq_keys_new (data_key, store_id));
  g_assert_true (
      dsq_row_draw_mark (&fixture->codec, DSQ_TABLE_MAIN, (const guint8 *) "", 0, &ignored, NULL));
  for (guint i = 0; i < N_CHANGES; i++)
    fixture->changes[i] = change_at (i);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  dsq_random_set_source (NULL);
  for (guint i = 0; i < N_CHANGES; i++)
    g_clear_pointer (&fixture->changes[i].entry, dsq_entry_unref);
  dsq_keys_free (fixture->codec.keys);
  dsq_record_codec_clear (&fixture->codec);
}

static void
assert_name (const Fixture *fixture, const DsqChange *change, const DsqColdColumns *row)
{
  g_autofree guint8 *name = g_malloc (row->name_length + 1);
  gsize length;

  if (change->presence == DSQ_PRESENCE_PRESENT && !change->reinsert)
    {
      g_assert_cmpuint (row->name_length, ==, 0);
      return;
    }
  g_assert_true (dsq_row_decode_name (&fixture->codec,
                                      DSQ_FORMAT_PURPOSE_NAME,
                                      DSQ_TABLE_MAIN,
                                      row->token.bytes,
                                      row->token.length,
                                      row->name,
                                      row->name_length,
                                      name,
                                      &length,
                                      NULL));
  g_assert_cmpmem (name, length, dsq_entry_key (change->entry), change->entry->key_length);
}

static void
assert_columns (const Fixture *fixture, const DsqChange *change, const DsqColdColumns *row)
{
  const DsqEntry *entry = change->entry;
  DsqRecord record = { .table = DSQ_TABLE_MAIN };
  g_autofree guint8 *body = NULL;
  DsqToken token;

  if (entry == NULL)
    return;
  dsq_row_make_token (&fixture->codec,
                      DSQ_TABLE_MAIN,
                      dsq_entry_key (entry),
                      entry->key_length,
                      &token);
  g_assert_cmpmem (row->token.bytes, row->token.length, token.bytes, token.length);
  if (dsq_entry_is_tombstone (entry))
    return;
  body = g_malloc (row->value_length);
  g_assert_true (dsq_row_decode_value (&fixture->codec,
                                       &record,
                                       &token,
                                       row->value,
                                       row->value_length,
                                       body,
                                       NULL));
  g_assert_cmpmem (record.payload,
                   record.payload_length,
                   dsq_entry_record (entry) + 1,
                   entry->record_length - 1);
  assert_name (fixture, change, row);
}

static void
test_rows_come_in_order (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GHashTable) nonces =
      g_hash_table_new_full (g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
  DsqColdAhead *ahead = dsq_cold_ahead_start (&fixture->codec, fixture->changes, N_CHANGES);

  for (guint i = 0; i < N_CHANGES; i++)
    {
      g_autoptr (GError) error = NULL;
      const DsqColdColumns *row = dsq_cold_ahead_next (ahead, &error);
      DsqChange *change = &fixture->changes[i];

      g_assert_no_error (error);
      g_assert_nonnull (row);
      assert_columns (fixture, change, row);
      if (change->entry != NULL && !dsq_entry_is_tombstone (change->entry))
        g_assert_true (
            g_hash_table_add (nonces, g_bytes_new (row->value + 1, DSQ_KEY_NONCE_LENGTH)));
      /* as the writer does */
      change->presence = DSQ_PRESENCE_ABSENT;
    }
  dsq_cold_ahead_finish (ahead);
}

static void
test_may_be_left_early (Fixture *fixture, gconstpointer data)
{
  static const guint counts[] = { 0, 1, 33, 700, 1001, N_CHANGES };

  for (guint i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      DsqColdAhead *ahead = dsq_cold_ahead_start (&fixture->codec, fixture->changes, N_CHANGES);

      for (guint j = 0; j < counts[i]; j++)
        g_assert_nonnull (dsq_cold_ahead_next (ahead, NULL));
      dsq_cold_ahead_finish (ahead);
    }
}

/* --- errors ----------------------------------------------------------------------------------- */

static guint draws_left;

static gboolean
draw_some (guint8 *out, gsize length)
{
  if (draws_left == 0)
    return FALSE;
  draws_left--;
  memset (out, 7, length);
  return TRUE;
}

/* The first change that cannot be sealed with so many draws. */
static guint
find_failure (Fixture *fixture, guint n_draws)
{
  g_autofree guint8 *out = g_malloc (1 << 20);
  DsqColdColumns row;
  guint i = 0;

  draws_left = n_draws;
  for (; i < N_CHANGES; i++)
    {
      const DsqChange *change = &fixture->changes[i];

      if (change->entry != NULL && !dsq_entry_is_tombstone (change->entry) &&
          !dsq_cold_encode_row (&fixture->codec,
                                change->entry,
                                dsq_cold_has_name (change),
                                out,
                                &row,
                                NULL))
        break;
    }
  return i;
}

static void
test_errors_come_at_their_row (Fixture *fixture, gconstpointer data)
{
  dsq_random_set_source (draw_some);
  for (guint n_draws = 0; n_draws < 8; n_draws++)
    {
      g_autoptr (GError) error = NULL;
      DsqColdAhead *ahead;
      guint at;

      dsq_keys_start (fixture->codec.keys);
      at = find_failure (fixture, n_draws);
      g_assert_cmpuint (at, <, N_CHANGES);
      dsq_keys_free (fixture->codec.keys);
      fixture->codec.keys = dsq_keys_new (data_key, fixture->codec.store_id);

      draws_left = n_draws;
      ahead = dsq_cold_ahead_start (&fixture->codec, fixture->changes, N_CHANGES);
      for (guint i = 0; i < at; i++)
        g_assert_nonnull (dsq_cold_ahead_next (ahead, NULL));
      g_assert_null (dsq_cold_ahead_next (ahead, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
      dsq_cold_ahead_finish (ahead);
      dsq_keys_free (fixture->codec.keys);
      fixture->codec.keys = dsq_keys_new (data_key, fixture->codec.store_id);
    }
}

/* --- in a tier -------------------------------------------------------------------------------- */

static DsqColdTier *
open_sealed (const char *path)
{
  g_autoptr (GBytes) password = g_bytes_new_static ("password", 8);
  DsqTableState state;
  g_autoptr (GError) error = NULL;
  const DsqColdOptions options = {
    .path = path,
    .busy_timeout_ms = 10000,
    .cache_bytes = 1 << 20,
    .wal_limit_bytes = 16 << 20,
    .password = password,
    .kdf_cost = { .memory = DSQ_KDF_MIN_MEMORY, .passes = DSQ_KDF_MIN_PASSES, .lanes = 1 },
    .kdf_limit = DSQ_KDF_DEFAULT_LIMIT,
    .seals_ahead = TRUE,
  };
  DsqColdTier *tier = dsq_cold_tier_open_sqlite (&options, &state, &error);

  g_assert_no_error (error);
  return tier;
}

/* Sets of keys that a new file has none of. */
static void
make_new (Fixture *fixture)
{
  for (guint i = 0; i < N_CHANGES; i++)
    {
      DsqChange *change = &fixture->changes[i];

      change->reinsert = FALSE;
      change->presence = i % 2 ? DSQ_PRESENCE_UNKNOWN : DSQ_PRESENCE_ABSENT;
    }
}

static void
test_a_failure_undoes_all (Fixture *fixture, gconstpointer data)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autoptr (GError) error = NULL;
  DsqColdTier *tier = open_sealed (path);

  make_new (fixture);
  fixture->changes[2000].presence = DSQ_PRESENCE_PRESENT;
  begin (tier);
  g_assert_false (tier->funcs->apply (tier, fixture->changes, N_CHANGES, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
  tier->funcs->rollback (tier);
  g_clear_error (&error);

  make_new (fixture);
  begin (tier);
  tier->funcs->apply (tier, fixture->changes, N_CHANGES, &error);
  g_assert_no_error (error);
  commit (tier);
  close_tier (tier);

  tier = open_sealed (path);
  assert_value (tier, "key_1", "1");
  assert_value (tier, "key_3", NULL);
  assert_value (tier, "key_2998", "2998");
  close_tier (tier);
  assert_sound (path);
  remove_folder (folder);
}

#define ADD(path, func) g_test_add ("/dsq/cold-ahead/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("rows-come-in-order", test_rows_come_in_order);
  ADD ("may-be-left-early", test_may_be_left_early);
  ADD ("errors-come-at-their-row", test_errors_come_at_their_row);
  ADD ("a-failure-undoes-all", test_a_failure_undoes_all);
  return g_test_run ();
}
