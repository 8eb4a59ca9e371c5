/* fuzz-row.c - any bytes as the columns of rows and of tables, plain and sealed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-row-private.h"
#include "codec/dsq-utf8-private.h"
#include "crypto/dsq-random-private.h"
#include "driver.h"
#include "dsq-enums.h"
#include "dsq-error.h"

#define TABLE   2u
#define EXPIRES G_GINT64_CONSTANT (1700000000000)
#define HEAD    2 /* bytes that say which column it is, and how much of the honest one is left */

/* Which column, and what is done to it: pairs of where and what, over what was written honestly; or
 * bytes instead of it. */
typedef enum
{
  MARK,
  TABLE_NAME,
  NAME,
  VALUE,
  N_COLUMNS
} Column;

#define INSTEAD  0x10
#define SEALED   0x20
#define IN_OTHER 0x40 /* of a table whose mark is not known */
#define EXPIRING 0x80

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED ("\0\xff"),
  FUZZ_SEED ("\1\xff"),
  FUZZ_SEED ("\3\xff"),
  FUZZ_SEED ("\x20\xff"),
  FUZZ_SEED ("\x21\xff\5\1"),
  FUZZ_SEED ("\x22\x28\2\3"),
  FUZZ_SEED ("\x23\xff\0\3"),
  FUZZ_SEED ("\xa3\xff\x30\xff"),
  FUZZ_SEED ("\x83\xff\5\x40"),
  FUZZ_SEED ("\x11\0\1a name"),
  FUZZ_SEED ("\x10\0\2crc.a mark of 16 byt"),
  FUZZ_SEED ("\x31\0\2"),
  FUZZ_SEED ("\x63\xff"),
  FUZZ_SEED ("\x13\0\2crc.\3text"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

static const guint8 store_id[DSQ_KEY_ID_LENGTH] = "sixteen bytes i";
static const guint8 row_key[] = "a key";
static const guint8 table_name[] = "a table";

/* A column as it is tried, and whether it is as it was written. */
typedef struct
{
  guint8 *bytes; /* (owned) */
  gsize length;
  gboolean is_honest;
} Tried;

static Tried
try_as (guint8 how, guint8 kept, const guint8 *honest, gsize n, const uint8_t *bytes, size_t length)
{
  Tried tried = { .length = kept == 0xFF ? n : MIN (kept, n) };

  if ((how & INSTEAD) != 0)
    return (Tried){ g_memdup2 (bytes, length), length, FALSE };
  tried.bytes = g_memdup2 (honest, tried.length);
  for (size_t i = 0; i + 1 < length; i += 2)
    if (bytes[i] < tried.length)
      tried.bytes[bytes[i]] = bytes[i + 1];
  tried.is_honest = tried.length == n && (n == 0 || memcmp (tried.bytes, honest, n) == 0);
  return tried;
}

/* One that was written is read, and a sealed one in no other form. */
static void
check (const DsqRecordCodec *codec, const Tried *tried, gboolean success, GError *error)
{
  g_assert_true (success == (error == NULL));
  if (error != NULL)
    g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
  g_assert_true (success || !tried->is_honest);
  g_assert_true (!success || tried->is_honest || codec->keys == NULL);
  g_clear_error (&error);
}

static void
try_mark (const DsqRecordCodec *codec, const DsqMarkColumn *honest, const Tried *tried)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) token = dsq_row_make_table_token (codec, table_name, sizeof table_name - 1);
  DsqRecordCodec other;
  gboolean success;

  dsq_record_codec_init (&other, store_id, codec->keys);
  success = dsq_row_decode_mark (&other,
                                 TABLE,
                                 g_bytes_get_data (token, NULL),
                                 g_bytes_get_size (token),
                                 tried->bytes,
                                 tried->length,
                                 &error);
  check (codec, tried, success, g_steal_pointer (&error));
  g_assert_true (success == dsq_marks_knows (other.marks, TABLE, tried->bytes, tried->length));
  g_assert_false (dsq_marks_knows (other.marks, TABLE + 1, honest->bytes, honest->length));
  dsq_record_codec_clear (&other);
}

static void
try_table_name (const DsqRecordCodec *codec, guint8 how, const Tried *tried)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) honest = dsq_row_make_table_token (codec, table_name, sizeof table_name - 1);
  const guint8 *token = codec->keys != NULL ? g_bytes_get_data (honest, NULL) : tried->bytes;
  const gsize token_length = codec->keys != NULL ? g_bytes_get_size (honest) : tried->length;
  const guint8 *name = codec->keys != NULL ? tried->bytes : NULL;
  const guint32 table = (how & IN_OTHER) != 0 && codec->keys != NULL ? TABLE + 1 : TABLE;
  g_autoptr (GBytes) read = dsq_row_decode_table_name (codec,
                                                       table,
                                                       token,
                                                       token_length,
                                                       name,
                                                       codec->keys != NULL ? tried->length : 0,
                                                       &error);
  g_autoptr (GBytes) again = NULL;

  if (table != TABLE)
    {
      g_assert_null (read);
      return;
    }
  check (codec, tried, read != NULL, g_steal_pointer (&error));
  if (read == NULL)
    return;
  g_assert_true (dsq_utf8_validate (g_bytes_get_data (read, NULL), g_bytes_get_size (read)));
  again = dsq_row_make_table_token (codec, g_bytes_get_data (read, NULL), g_bytes_get_size (read));
  g_assert_cmpmem (g_bytes_get_data (again, NULL), g_bytes_get_size (again), token, token_length);
}

static void
try_name (const DsqRecordCodec *codec, guint8 how, const DsqToken *token, const Tried *tried)
{
  const guint32 table = (how & IN_OTHER) != 0 ? TABLE + 1 : TABLE;
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *out = g_malloc (tried->length + 1);
  gsize out_length = 0;
  gboolean success = dsq_row_decode_name (codec,
                                          DSQ_FORMAT_PURPOSE_NAME,
                                          table,
                                          token->bytes,
                                          token->length,
                                          tried->bytes,
                                          tried->length,
                                          out,
                                          &out_length,
                                          &error);

  if (table != TABLE)
    {
      g_assert_false (success);
      return;
    }
  check (codec, tried, success, g_steal_pointer (&error));
  if (success)
    g_assert_cmpmem (out, out_length, row_key, sizeof row_key - 1);
}

static DsqRecord
record_of (guint8 how)
{
  return (DsqRecord){ .table = TABLE,
                      .key = row_key,
                      .key_length = sizeof row_key - 1,
                      .expires = (how & EXPIRING) != 0 ? EXPIRES : 0,
                      .type = DSQ_VALUE_STRING,
                      .payload = (const guint8 *) "text",
                      .payload_length = 4 };
}

static void
try_value (const DsqRecordCodec *codec, guint8 how, const DsqToken *token, const Tried *tried)
{
  DsqRecord record = record_of (how);
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *body = g_malloc (dsq_row_body_length (codec, tried->length) + 1);
  gboolean success;

  record.table += (how & IN_OTHER) != 0;
  success = dsq_row_decode_value (codec, &record, token, tried->bytes, tried->length, body, &error);
  if (record.table != TABLE)
    {
      g_assert_false (success);
      return;
    }
  check (codec, tried, success, g_steal_pointer (&error));
  if (success && tried->is_honest)
    {
      g_assert_cmpuint (record.type, ==, DSQ_VALUE_STRING);
      g_assert_cmpmem (record.payload, record.payload_length, "text", 4);
      /* nor is its expiry another's */
      record.expires = EXPIRES - record.expires;
      g_assert_false (
          dsq_row_decode_value (codec, &record, token, tried->bytes, tried->length, body, NULL));
    }
}

/* Writes a column honestly, of any kind that the file has; room for the longest is there. */
static gsize
write_honest (const DsqRecordCodec *codec,
              guint8 how,
              Column column,
              const DsqMarkColumn *mark,
              const DsqToken *token,
              guint8 out[256])
{
  const DsqRecord record = record_of (how);
  g_autoptr (GBytes) table_token =
      dsq_row_make_table_token (codec, table_name, sizeof table_name - 1);
  g_autoptr (GBytes) name = NULL;

  switch (column)
    {
    case MARK:
      memcpy (out, mark->bytes, mark->length);
      return mark->length;
    case TABLE_NAME:
      g_assert_true (dsq_row_encode_table_name (codec,
                                                TABLE,
                                                table_token,
                                                table_name,
                                                sizeof table_name - 1,
                                                &name,
                                                NULL));
      name = name != NULL ? name : g_bytes_ref (table_token);
      memcpy (out, g_bytes_get_data (name, NULL), g_bytes_get_size (name));
      return g_bytes_get_size (name);
    case NAME:
      g_assert_true (dsq_row_encode_name (codec,
                                          DSQ_FORMAT_PURPOSE_NAME,
                                          TABLE,
                                          token->bytes,
                                          row_key,
                                          sizeof row_key - 1,
                                          out,
                                          NULL));
      return dsq_row_name_length (codec, sizeof row_key - 1);
    default:
      g_assert_true (dsq_row_encode_value (codec, &record, token, out, NULL));
      return dsq_row_value_length (codec, &record);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  guint8 data_key[DSQ_KEY_LENGTH];
  DsqKeys *keys = NULL;
  const guint8 how = length >= HEAD ? bytes[0] : 0;
  Column column = how % N_COLUMNS;
  g_autoptr (GBytes) table_token = NULL;
  DsqRecordCodec codec;
  DsqMarkColumn mark;
  DsqToken token;
  guint8 honest[256];
  gsize n;
  Tried tried;

  if (length < HEAD)
    return 0;
  /* its own each time: libFuzzer remembers what was sealed */
  g_assert_true (dsq_random_draw (data_key, sizeof data_key, NULL));
  if ((how & SEALED) != 0)
    keys = dsq_keys_new (data_key, store_id);
  dsq_record_codec_init (&codec, store_id, keys);
  if (column == NAME && codec.keys == NULL) /* which has none */
    column = VALUE;
  table_token = dsq_row_make_table_token (&codec, table_name, sizeof table_name - 1);
  g_assert_true (dsq_row_draw_mark (&codec,
                                    TABLE,
                                    g_bytes_get_data (table_token, NULL),
                                    g_bytes_get_size (table_token),
                                    &mark,
                                    NULL));
  dsq_row_make_token (&codec, TABLE, row_key, sizeof row_key - 1, &token);
  n = write_honest (&codec, how, column, &mark, &token, honest);
  tried = try_as (how, bytes[1], honest, n, bytes + HEAD, length - HEAD);
  if (column == MARK)
    try_mark (&codec, &mark, &tried);
  else if (column == TABLE_NAME)
    try_table_name (&codec, how, &tried);
  else if (column == NAME)
    try_name (&codec, how, &token, &tried);
  else
    try_value (&codec, how, &token, &tried);
  g_free (tried.bytes);
  dsq_record_codec_clear (&codec);
  dsq_keys_free (keys);
  return 0;
}
