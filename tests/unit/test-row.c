/* test-row.c - the columns of a row, plain or sealed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-row-private.h"
#include "crypto/dsq-random-private.h"
#include "dsq-enums.h"
#include "dsq-error.h"

static const guint8 data_key[DSQ_KEY_LENGTH] = "thirty-two bytes of a data key!";

static DsqRecordCodec
codec_of (const char *store_id)
{
  DsqRecordCodec codec;
  DsqMarkColumn ignored;

  dsq_record_codec_init (&codec,
                         (const guint8 *) store_id,
                         dsq_keys_new (data_key, (const guint8 *) store_id));
  for (guint32 table = 1; table <= 2; table++)
    g_assert_true (dsq_row_draw_mark (&codec, table, (const guint8 *) "", 0, &ignored, NULL));
  return codec;
}

static void
clear_codec (DsqRecordCodec *codec)
{
  dsq_keys_free (codec->keys);
  dsq_record_codec_clear (codec);
}

typedef struct
{
  DsqRecord record;
  DsqToken token;
  guint8 *name; /* (owned) */
  gsize name_length;
  guint8 *value; /* (owned) */
  gsize value_length;
} Row;

static Row
seal_row (const DsqRecordCodec *codec,
          guint32 table,
          const char *key,
          const char *text,
          gint64 expires)
{
  Row row = { .record = { .table = table,
                          .key_length = (guint32) strlen (key),
                          .key = (const guint8 *) key,
                          .expires = expires,
                          .type = DSQ_VALUE_STRING,
                          .payload_length = strlen (text),
                          .payload = (const guint8 *) text } };

  dsq_row_make_token (codec, table, row.record.key, row.record.key_length, &row.token);
  row.name_length = dsq_row_name_length (codec, row.record.key_length);
  row.name = g_malloc (row.name_length);
  row.value_length = dsq_row_value_length (codec, &row.record);
  row.value = g_malloc (row.value_length);
  g_assert_true (dsq_row_encode_value (codec, &row.record, &row.token, row.value, NULL));
  g_assert_true (dsq_row_encode_name (codec,
                                      DSQ_FORMAT_PURPOSE_NAME,
                                      table,
                                      row.token.sealed,
                                      row.record.key,
                                      row.record.key_length,
                                      row.name,
                                      NULL));
  return row;
}

static void
clear_row (Row *row)
{
  g_free (row->name);
  g_free (row->value);
}

static gboolean
opens_value (const DsqRecordCodec *codec,
             guint32 table,
             const guint8 *token,
             gint64 expires,
             const guint8 *value,
             gsize length)
{
  DsqRecord record = { .table = table, .expires = expires };
  const DsqToken a_token = { .bytes = token, .length = DSQ_FORMAT_TOKEN_LENGTH };
  g_autofree guint8 *body = g_malloc (length + 1);
  g_autoptr (GError) error = NULL;

  if (dsq_row_decode_value (codec, &record, &a_token, value, length, body, &error))
    return TRUE;
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, "tampered"));
  return FALSE;
}

static gboolean
opens_name (const DsqRecordCodec *codec,
            const char *purpose,
            guint32 table,
            const guint8 *token,
            gsize token_length,
            const guint8 *name,
            gsize length)
{
  g_autofree guint8 *out = g_malloc (length + 1);
  g_autoptr (GError) error = NULL;

  if (dsq_row_decode_name (codec,
                           purpose,
                           table,
                           token,
                           token_length,
                           name,
                           length,
                           out,
                           &length,
                           &error))
    return TRUE;
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, "tampered"));
  return FALSE;
}

static gboolean
row_opens_value (const DsqRecordCodec *codec, const Row *row)
{
  return opens_value (codec,
                      row->record.table,
                      row->token.sealed,
                      row->record.expires,
                      row->value,
                      row->value_length);
}

static gboolean
row_opens_name (const DsqRecordCodec *codec, const Row *row)
{
  return opens_name (codec,
                     DSQ_FORMAT_PURPOSE_NAME,
                     row->record.table,
                     row->token.sealed,
                     DSQ_FORMAT_TOKEN_LENGTH,
                     row->name,
                     row->name_length);
}

static void
test_opens_what_was_sealed (void)
{
  DsqRecordCodec codec = codec_of ("sixteen bytes id");
  static const gint64 expiries[] = { 0, 1, -1, G_GINT64_CONSTANT (1700000000000) };

  for (guint i = 0; i < G_N_ELEMENTS (expiries); i++)
    {
      Row row = seal_row (&codec, 1, "the key", "the value", expiries[i]);
      DsqRecord record = { .table = 1, .expires = expiries[i] };
      const DsqToken token = { .bytes = row.token.sealed, .length = DSQ_FORMAT_TOKEN_LENGTH };
      guint8 body[64], key[64];
      gsize length;

      g_assert_cmpuint (dsq_row_body_length (&codec, row.value_length),
                        ==,
                        10 + (expiries[i] != 0 ? 9 : 0));
      g_assert_true (
          dsq_row_decode_value (&codec, &record, &token, row.value, row.value_length, body, NULL));
      g_assert_cmpuint (record.type, ==, DSQ_VALUE_STRING);
      g_assert_cmpmem (record.payload, record.payload_length, "the value", 9);
      g_assert_true (dsq_row_decode_name (&codec,
                                          DSQ_FORMAT_PURPOSE_NAME,
                                          1,
                                          row.token.sealed,
                                          DSQ_FORMAT_TOKEN_LENGTH,
                                          row.name,
                                          row.name_length,
                                          key,
                                          &length,
                                          NULL));
      g_assert_cmpmem (key, length, "the key", 7);
      clear_row (&row);
    }
  clear_codec (&codec);
}

static void
test_every_flipped_bit_is_refused (void)
{
  DsqRecordCodec codec = codec_of ("sixteen bytes id");
  Row row = seal_row (&codec, 1, "the key", "the value", 42);

  for (gsize bit = 0; bit < 8 * row.value_length; bit++)
    {
      row.value[bit / 8] ^= (guint8) (1 << bit % 8);
      g_assert_false (row_opens_value (&codec, &row));
      row.value[bit / 8] ^= (guint8) (1 << bit % 8);
    }
  for (gsize bit = 0; bit < 8 * row.name_length; bit++)
    {
      row.name[bit / 8] ^= (guint8) (1 << bit % 8);
      g_assert_false (row_opens_name (&codec, &row));
      row.name[bit / 8] ^= (guint8) (1 << bit % 8);
    }
  for (gsize bit = 0; bit < 8 * DSQ_FORMAT_TOKEN_LENGTH; bit++)
    {
      row.token.sealed[bit / 8] ^= (guint8) (1 << bit % 8);
      g_assert_false (row_opens_name (&codec, &row));
      g_assert_false (row_opens_value (&codec, &row));
      row.token.sealed[bit / 8] ^= (guint8) (1 << bit % 8);
    }
  for (guint bit = 0; bit < 63; bit++)
    {
      row.record.expires ^= G_GINT64_CONSTANT (1) << bit;
      g_assert_false (row_opens_value (&codec, &row));
      row.record.expires ^= G_GINT64_CONSTANT (1) << bit;
    }
  g_assert_true (row_opens_value (&codec, &row));
  g_assert_true (row_opens_name (&codec, &row));
  clear_row (&row);
  clear_codec (&codec);
}

static void
test_every_cut_is_refused (void)
{
  DsqRecordCodec codec = codec_of ("sixteen bytes id");
  Row row = seal_row (&codec, 1, "the key", "the value", 0);

  for (gsize length = 0; length < row.value_length; length++)
    {
      g_autofree guint8 *cut = g_memdup2 (row.value, length);

      g_assert_false (opens_value (&codec, 1, row.token.sealed, 0, cut, length));
    }
  for (gsize length = 0; length < row.name_length; length++)
    {
      g_autofree guint8 *cut = g_memdup2 (row.name, length);

      g_assert_false (opens_name (&codec,
                                  DSQ_FORMAT_PURPOSE_NAME,
                                  1,
                                  row.token.sealed,
                                  DSQ_FORMAT_TOKEN_LENGTH,
                                  cut,
                                  length));
    }
  for (gsize length = 0; length < DSQ_FORMAT_TOKEN_LENGTH; length++)
    g_assert_false (opens_name (&codec,
                                DSQ_FORMAT_PURPOSE_NAME,
                                1,
                                row.token.sealed,
                                length,
                                row.name,
                                row.name_length));
  clear_row (&row);
  clear_codec (&codec);
}

/* Each column of each row in the place of each other: of the same file in another row, in another
 * table, as another column, and of another file with the same data key. */
static void
test_nothing_can_be_swapped (void)
{
  DsqRecordCodec codecs[2] = { codec_of ("sixteen bytes id"), codec_of ("another store id") };
  Row rows[8];

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    rows[i] = seal_row (&codecs[i / 4], 1 + i / 2 % 2, i % 2 ? "key a" : "key b", "value", 0);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    for (guint j = 0; j < G_N_ELEMENTS (rows); j++)
      {
        const Row *to = &rows[i], *from = &rows[j];
        const DsqRecordCodec *codec = &codecs[i / 4];
        guint32 table = to->record.table;
        const guint8 *token = to->token.sealed;

        g_assert_true (opens_value (codec, table, token, 0, from->value, from->value_length) ==
                       (i == j));
        g_assert_true (opens_name (codec,
                                   DSQ_FORMAT_PURPOSE_NAME,
                                   table,
                                   token,
                                   DSQ_FORMAT_TOKEN_LENGTH,
                                   from->name,
                                   from->name_length) == (i == j));
        g_assert_false (opens_value (codec, table, token, 0, from->name, from->name_length));
        g_assert_false (opens_name (codec,
                                    DSQ_FORMAT_PURPOSE_NAME,
                                    table,
                                    token,
                                    DSQ_FORMAT_TOKEN_LENGTH,
                                    from->value,
                                    from->value_length));
        g_assert_false (opens_name (codec,
                                    DSQ_FORMAT_PURPOSE_TABLE,
                                    table,
                                    token,
                                    DSQ_FORMAT_TOKEN_LENGTH,
                                    from->name,
                                    from->name_length));
      }
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    clear_row (&rows[i]);
  clear_codec (&codecs[0]);
  clear_codec (&codecs[1]);
}

/* --- marks ------------------------------------------------------------------------------------ */

static gboolean
opens_mark (const DsqRecordCodec *codec,
            guint32 table,
            const char *token,
            const guint8 *column,
            gsize length)
{
  g_autoptr (GError) error = NULL;

  if (dsq_row_decode_mark (codec,
                           table,
                           (const guint8 *) token,
                           strlen (token),
                           column,
                           length,
                           &error))
    return TRUE;
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
  return FALSE;
}

/* A row of one table in the place of one of another, and of one that has the same id and name. */
static void
assert_bound_to_marks (DsqRecordCodec *codec)
{
  DsqMarkColumn columns[2];
  DsqRecord record = { .table = 7, .key = (const guint8 *) "k", .key_length = 1, .type = 1 };
  guint8 value[64], body[64];
  DsqToken token;
  gsize length;

  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    g_assert_true (dsq_row_draw_mark (codec, 7, (const guint8 *) "\1name", 5, &columns[i], NULL));
  dsq_row_make_token (codec, 7, record.key, record.key_length, &token);
  length = dsq_row_value_length (codec, &record);
  g_assert_true (dsq_row_encode_value (codec, &record, &token, value, NULL));
  g_assert_true (dsq_row_decode_value (codec, &record, &token, value, length, body, NULL));

  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    {
      g_assert_true (opens_mark (codec, 7, "\1name", columns[i].bytes, columns[i].length));
      g_assert_true (dsq_row_decode_value (codec, &record, &token, value, length, body, NULL) ==
                     (i == 1));
    }
}

static void
assert_marks_are_bound (DsqRecordCodec *codec)
{
  DsqMarkColumn column;

  g_assert_true (dsq_row_draw_mark (codec, 7, (const guint8 *) "\1name", 5, &column, NULL));
  g_assert_true (opens_mark (codec, 7, "\1name", column.bytes, column.length));
  g_assert_false (opens_mark (codec, 8, "\1name", column.bytes, column.length));
  g_assert_false (opens_mark (codec, 7, "\1name", NULL, 0));
  g_assert_false (opens_mark (codec, 7, "\1name", column.bytes, column.length - 1));
  for (gsize bit = 0; bit < 8 * column.length; bit++)
    {
      column.bytes[bit / 8] ^= (guint8) (1 << bit % 8);
      g_assert_false (opens_mark (codec, 7, "\1name", column.bytes, column.length));
      column.bytes[bit / 8] ^= (guint8) (1 << bit % 8);
    }
  if (codec->keys == NULL)
    g_assert_false (opens_mark (codec, 7, "\1nam", column.bytes, column.length));
}

static void
test_rows_are_bound_to_marks (void)
{
  DsqRecordCodec sealed = codec_of ("sixteen bytes id");
  DsqRecordCodec plain;

  dsq_record_codec_init (&plain, (const guint8 *) "sixteen bytes id", NULL);
  assert_bound_to_marks (&plain);
  assert_bound_to_marks (&sealed);
  assert_marks_are_bound (&plain);
  assert_marks_are_bound (&sealed);
  dsq_record_codec_clear (&plain);
  clear_codec (&sealed);
}

/* Of a table whose mark is not known nothing is read, and nothing is written. */
static void
test_a_table_without_a_mark_has_no_rows (void)
{
  DsqRecordCodec codec;
  DsqRecord record = { .table = 7, .key = (const guint8 *) "k", .key_length = 1, .type = 1 };
  g_autoptr (GError) error = NULL;
  DsqToken token;
  guint8 value[64];

  dsq_record_codec_init (&codec, (const guint8 *) "sixteen bytes id", NULL);
  dsq_row_make_token (&codec, 7, record.key, record.key_length, &token);
  g_assert_false (dsq_row_encode_value (&codec, &record, &token, value, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
  g_assert_false (dsq_row_decode_value (&codec, &record, &token, value, 6, NULL, NULL));
  dsq_record_codec_clear (&codec);
}

/* --- the layout ------------------------------------------------------------------------------- */

static gboolean
draw_counting (guint8 *out, gsize length)
{
  for (gsize i = 0; i < length; i++)
    out[i] = (guint8) i;
  return TRUE;
}

static char *
hex_of (const guint8 *bytes, gsize length)
{
  GString *hex = g_string_new (NULL);

  for (gsize i = 0; i < length; i++)
    g_string_append_printf (hex, "%02x", bytes[i]);
  return g_string_free (hex, FALSE);
}

/* With fixed random bytes, in a format that stays. docs/on-disk-format.md has the same. */
static void
test_lies_as_told (void)
{
  guint8 key[DSQ_KEY_LENGTH], store_id[DSQ_KEY_ID_LENGTH];
  DsqMark mark = { .table = 1 };
  DsqRecordCodec codec;
  Row row;
  g_autofree char *token = NULL;
  g_autofree char *name = NULL;
  g_autofree char *value = NULL;

  dsq_random_set_source (draw_counting);
  draw_counting (key, sizeof key);
  draw_counting (store_id, sizeof store_id);
  dsq_record_codec_init (&codec, store_id, dsq_keys_new (key, store_id));
  draw_counting (mark.bytes, sizeof mark.bytes);
  dsq_marks_put (codec.marks, &mark, NULL, 0);
  row = seal_row (&codec, 1, "a", "b", 0);
  dsq_random_set_source (NULL);

  token = hex_of (row.token.sealed, sizeof row.token.sealed);
  name = hex_of (row.name, row.name_length);
  value = hex_of (row.value, row.value_length);
  g_assert_cmpstr (token, ==, "c6758630b7b5ba781e17850c414476de");
  g_assert_cmpstr (name,
                   ==,
                   "02000102030405060708090a0b0000000008090a0b0c0d0e0f"
                   "225409c70c32a797ba613b601954122db1");
  g_assert_cmpstr (value,
                   ==,
                   "02000102030405060708090a0b000000000001020304050607"
                   "39cbcc8848d90e98972a549f082297fa63cf");
  clear_row (&row);
  clear_codec (&codec);
}

static void
assert_table_name (const DsqRecordCodec *codec,
                   const guint8 *token,
                   gsize token_length,
                   const guint8 *name,
                   gsize length,
                   const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) found =
      dsq_row_decode_table_name (codec, 2, token, token_length, name, length, &error);

  if (expected == NULL)
    {
      g_assert_null (found);
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
      return;
    }
  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (found, NULL),
                   g_bytes_get_size (found),
                   expected,
                   strlen (expected));
}

static void
test_a_name_of_a_table_is_looked_at (void)
{
  static const guint8 plain[] = { DSQ_FORMAT_TABLE_NAMED, 'n', 'a', 'm', 'e' };
  static const guint8 another[] = { DSQ_FORMAT_TABLE_NAMED + 1, 'n', 'a', 'm', 'e' };
  static const guint8 no_text[] = { DSQ_FORMAT_TABLE_NAMED, 0xFF };
  DsqRecordCodec codec;

  dsq_record_codec_init (&codec, (const guint8 *) "a plain store...", NULL);
  assert_table_name (&codec, plain, sizeof plain, NULL, 0, "name");
  assert_table_name (&codec, plain, 1, NULL, 0, "");
  assert_table_name (&codec, plain, 0, NULL, 0, NULL);
  assert_table_name (&codec, another, sizeof another, NULL, 0, NULL);
  assert_table_name (&codec, no_text, sizeof no_text, NULL, 0, NULL);
  /* its place is the token, where nothing is sealed */
  assert_table_name (&codec, plain, sizeof plain, plain, sizeof plain, NULL);
  clear_codec (&codec);
}

static void
test_a_sealed_name_of_a_table_is_looked_at (void)
{
  static const char *const names[] = { "name", "", "\xFF" };
  DsqRecordCodec codec = codec_of ("an encrypted one");

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const gsize length = strlen (names[i]);
      const gsize sealed_length = dsq_row_name_length (&codec, (guint32) length);
      g_autofree guint8 *sealed = g_malloc (sealed_length);
      guint8 token[DSQ_FORMAT_TOKEN_LENGTH] = "a token";

      g_assert_true (dsq_row_encode_name (&codec,
                                          DSQ_FORMAT_PURPOSE_TABLE,
                                          2,
                                          token,
                                          (const guint8 *) names[i],
                                          (guint32) length,
                                          sealed,
                                          NULL));
      /* sealed by who has the key, and still no text */
      assert_table_name (&codec,
                         token,
                         sizeof token,
                         sealed,
                         sealed_length,
                         i < 2 ? names[i] : NULL);
      assert_table_name (&codec, token, sizeof token - 1, sealed, sealed_length, NULL);
      assert_table_name (&codec, token, sizeof token, sealed, sealed_length - 1, NULL);
      assert_table_name (&codec, token, sizeof token, NULL, 0, NULL);
      token[0] ^= 1;
      assert_table_name (&codec, token, sizeof token, sealed, sealed_length, NULL);
    }
  clear_codec (&codec);
}

/* The first table's stays as it was first given, and each is known by its column again. */
static void
test_marks_are_known_by_their_columns (void)
{
  const DsqMark first = { .table = DSQ_FORMAT_TABLE_MAIN }, other = { .table = 5 };
  DsqMarks *marks = dsq_marks_new ();
  gboolean is_known;

  dsq_marks_get (marks, DSQ_FORMAT_TABLE_MAIN, &is_known);
  g_assert_false (is_known);
  for (guint i = 0; i < 2; i++)
    dsq_marks_put (marks, &first, (const guint8 *) "ab", 2);
  dsq_marks_put (marks, &other, (const guint8 *) "cd", 2);
  g_assert_true (dsq_marks_knows (marks, 5, (const guint8 *) "cd", 2));
  g_assert_false (dsq_marks_knows (marks, 5, (const guint8 *) "ce", 2));
  g_assert_false (dsq_marks_knows (marks, 5, (const guint8 *) "cde", 3));
  dsq_marks_get (marks, DSQ_FORMAT_TABLE_MAIN, &is_known);
  g_assert_true (is_known);
  dsq_marks_free (marks);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/row/lies-as-told", test_lies_as_told);
  g_test_add_func ("/dsq/row/opens-what-was-sealed", test_opens_what_was_sealed);
  g_test_add_func ("/dsq/row/every-flipped-bit-is-refused", test_every_flipped_bit_is_refused);
  g_test_add_func ("/dsq/row/every-cut-is-refused", test_every_cut_is_refused);
  g_test_add_func ("/dsq/row/nothing-can-be-swapped", test_nothing_can_be_swapped);
  g_test_add_func ("/dsq/row/rows-are-bound-to-marks", test_rows_are_bound_to_marks);
  g_test_add_func ("/dsq/row/a-name-of-a-table-is-looked-at", test_a_name_of_a_table_is_looked_at);
  g_test_add_func ("/dsq/row/a-sealed-name-of-a-table-is-looked-at",
                   test_a_sealed_name_of_a_table_is_looked_at);
  g_test_add_func ("/dsq/row/a-table-without-a-mark-has-no-rows",
                   test_a_table_without_a_mark_has_no_rows);
  g_test_add_func ("/dsq/row/marks-are-known-by-their-columns",
                   test_marks_are_known_by_their_columns);
  return g_test_run ();
}
