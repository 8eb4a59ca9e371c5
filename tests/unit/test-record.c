/* test-record.c - a record as it lies in a row of the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-crc32c-private.h"
#include "codec/dsq-format-private.h"
#include "codec/dsq-record-private.h"
#include "dsq-enums.h"
#include "dsq-error.h"

static const guint8 store_id[16] = "sixteen bytes id";
static const guint8 mark[16] = "a mark of 16 byt";

static guint32
seed_of (const DsqRecord *record)
{
  return dsq_record_make_seed (store_id, record->table, mark);
}

static DsqRecord
record_of (const char *key, guint8 type, const char *payload, gint64 expires)
{
  return (DsqRecord){ .table = 1,
                      .key_length = (guint32) strlen (key),
                      .key = (const guint8 *) key,
                      .expires = expires,
                      .type = type,
                      .payload_length = strlen (payload),
                      .payload = (const guint8 *) payload };
}

/* In memory of just its length. */
static guint8 *
encode (const DsqRecord *record, gsize *out_length)
{
  guint8 *value;

  *out_length = dsq_record_encoded_length (record);
  value = g_malloc (*out_length);
  dsq_record_encode (seed_of (record), record, value);
  return value;
}

static void
assert_corrupt (const DsqRecord *row, const guint8 *value, gsize length)
{
  g_autoptr (GError) error = NULL;
  DsqRecord read = *row;

  g_assert_false (dsq_record_decode (seed_of (row), &read, value, length, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
  g_assert_true (g_str_has_prefix (error->message, "Failed to decode record: "));
}

static void
assert_round_trip (const DsqRecord *record)
{
  DsqRecord read = { .table = record->table,
                     .key_length = record->key_length,
                     .key = record->key,
                     .expires = record->expires };
  g_autoptr (GError) error = NULL;
  gsize length;
  g_autofree guint8 *value = encode (record, &length);

  g_assert_true (dsq_record_decode (seed_of (record), &read, value, length, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (read.type, ==, record->type);
  g_assert_cmpmem (read.payload, read.payload_length, record->payload, record->payload_length);
}

static void
test_reads_what_was_written (void)
{
  static const gint64 expiries[] = { 0, 1, 1234567890123, G_MAXINT64, -1 };

  for (guint i = 0; i < G_N_ELEMENTS (expiries); i++)
    for (guint8 type = DSQ_VALUE_NONE; type <= DSQ_VALUE_OLD_PICKLE; type++)
      {
        DsqRecord record = record_of ("key", type, "payload", expiries[i]);
        DsqRecord bare = record_of ("", type, "", expiries[i]);

        assert_round_trip (&record);
        assert_round_trip (&bare);
      }
}

/* A type that only later versions write is theirs to say what is wrong with. */
static void
test_lets_types_of_later_versions_pass (void)
{
  for (guint type = 0; type < 256; type++)
    {
      DsqRecord record = record_of ("key", (guint8) type, "payload", 0);

      g_assert_true (dsq_record_is_of_later ((guint8) type) == (type >= 0x10 && type < 0x30));
      if (dsq_record_is_of_later ((guint8) type) || type == DSQ_VALUE_PICKLE)
        assert_round_trip (&record);
    }
}

/* The layout of dsq-format-private.h, put together by hand. */
static void
test_lies_as_told (void)
{
  static const guint8 covered[] = "sixteen bytes id"
                                  "dsq1v"
                                  "\1\0\0\0"
                                  "a mark of 16 byt"
                                  "\3\0\0\0"
                                  "key"
                                  "\x40\x08\x07\x06\x05\x04\x03\x02\x01"
                                  "\3text";
  DsqRecord record = record_of ("key", DSQ_VALUE_STRING, "text", 0x0102030405060708);
  gsize length;
  g_autofree guint8 *value = encode (&record, &length);

  g_assert_cmpuint (length, ==, 5 + 1 + 8 + 1 + 4);
  g_assert_cmpuint (value[0], ==, 2);
  g_assert_cmphex (dsq_bytes_load_u32 (value + 1),
                   ==,
                   dsq_crc32c_portable (0, covered, sizeof covered - 1));
  g_assert_cmpmem (value + 5, length - 5, covered + sizeof covered - 1 - 14, 14);
}

static void
test_plain_record_lies_as_told (void)
{
  DsqRecord record = record_of ("k", DSQ_VALUE_BYTES, "v", 0);
  gsize length;
  g_autofree guint8 *value = encode (&record, &length);

  g_assert_cmpuint (length, ==, 7);
  g_assert_cmpmem (value + DSQ_FORMAT_RECORD_AT_BODY, 2, "\2v", 2);
}

static void
test_sees_every_flipped_bit (void)
{
  DsqRecord record = record_of ("key", DSQ_VALUE_STRING, "a longer text", 42);
  gsize length;
  g_autofree guint8 *value = encode (&record, &length);

  for (gsize bit = 0; bit < 8 * length; bit++)
    {
      value[bit / 8] ^= (guint8) (1 << bit % 8);
      assert_corrupt (&record, value, length);
      value[bit / 8] ^= (guint8) (1 << bit % 8);
    }
}

static void
test_sees_every_cut (void)
{
  DsqRecord record = record_of ("key", DSQ_VALUE_STRING, "a longer text", 42);
  gsize length;
  g_autofree guint8 *value = encode (&record, &length);

  assert_corrupt (&record, NULL, 0);
  for (gsize part = 0; part < length; part++)
    {
      g_autofree guint8 *cut = g_memdup2 (value, part);

      assert_corrupt (&record, cut, part);
    }
}

/* A value under another key, table, mark, expiry or store than its own. */
static void
test_sees_a_value_out_of_place (void)
{
  DsqRecord record = record_of ("key", DSQ_VALUE_STRING, "text", 42);
  DsqRecord row;
  gsize length;
  g_autofree guint8 *value = encode (&record, &length);

  row = record;
  row.key = (const guint8 *) "kez";
  assert_corrupt (&row, value, length);
  row = record;
  row.key_length = 2;
  assert_corrupt (&row, value, length);
  row = record;
  row.table = 2;
  assert_corrupt (&row, value, length);
  row = record;
  row.expires = 43;
  assert_corrupt (&row, value, length);
  row.expires = 0;
  assert_corrupt (&row, value, length);

  row = record;
  g_assert_false (dsq_record_decode (
      dsq_record_make_seed ((const guint8 *) "another store id", record.table, mark),
      &row,
      value,
      length,
      NULL));
  row = record;
  g_assert_false (dsq_record_decode (
      dsq_record_make_seed (store_id, record.table, (const guint8 *) "another mark ..."),
      &row,
      value,
      length,
      NULL));
}

/* Bodies that no writer of ours makes, under a checksum that is right. */
static void
test_refuses_bodies_that_make_no_sense (void)
{
  static const struct
  {
    const char *bytes;
    gsize length;
    gint64 expires;
  } bodies[] = {
    { "\0", 1, 0 },   /* no such type */
    { "\x09", 1, 0 }, /* nor these */
    { "\x30", 1, 0 },
    { "\x7f", 1, 0 },
    { "\x81", 1, 0 },
    { "\x40\1\0\0\0\0\0\0\0\0", 10, 1 },
    { "\x40", 1, 0 }, /* its expiry is missing */
    { "\x40\1\0\0\0\0\0\0", 8, 1 },
    { "\x40\1\0\0\0\0\0\0\0", 9, 1 },        /* or what it is of */
    { "\x40\0\0\0\0\0\0\0\0\3", 10, 0 },     /* an expiry of never */
    { "\x40\1\0\0\0\0\0\0\0\3text", 14, 0 }, /* one that its row does not know */
    { "\x40\1\0\0\0\0\0\0\0\3text", 14, 2 },
    { "\3text", 5, 2 }, /* and the other way round */
  };

  for (guint i = 0; i < G_N_ELEMENTS (bodies); i++)
    {
      DsqRecord row = record_of ("key", 0, "", bodies[i].expires);
      GByteArray *covered = g_byte_array_new ();
      g_autofree guint8 *value = g_malloc (5 + bodies[i].length);

      g_byte_array_append (covered, store_id, sizeof store_id);
      g_byte_array_append (covered, (const guint8 *) "dsq1v\1\0\0\0", 9);
      g_byte_array_append (covered, mark, sizeof mark);
      g_byte_array_append (covered, (const guint8 *) "\3\0\0\0key", 7);
      g_byte_array_append (covered, (const guint8 *) bodies[i].bytes, (guint) bodies[i].length);
      value[0] = DSQ_FORMAT_RECORD_VERSION;
      dsq_bytes_store_u32 (value + 1, dsq_crc32c (0, covered->data, covered->len));
      memcpy (value + 5, bodies[i].bytes, bodies[i].length);
      g_byte_array_unref (covered);

      assert_corrupt (&row, value, 5 + bodies[i].length);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/record/reads-what-was-written", test_reads_what_was_written);
  g_test_add_func ("/dsq/record/lets-types-of-later-versions-pass",
                   test_lets_types_of_later_versions_pass);
  g_test_add_func ("/dsq/record/lies-as-told", test_lies_as_told);
  g_test_add_func ("/dsq/record/plain-record-lies-as-told", test_plain_record_lies_as_told);
  g_test_add_func ("/dsq/record/sees-every-flipped-bit", test_sees_every_flipped_bit);
  g_test_add_func ("/dsq/record/sees-every-cut", test_sees_every_cut);
  g_test_add_func ("/dsq/record/sees-a-value-out-of-place", test_sees_a_value_out_of_place);
  g_test_add_func ("/dsq/record/refuses-bodies-that-make-no-sense",
                   test_refuses_bodies_that_make_no_sense);
  return g_test_run ();
}
