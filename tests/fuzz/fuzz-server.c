/* fuzz-server.c - any bytes as what a server answers
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-crc32c-private.h"
#include "codec/dsq-key-codec-private.h"
#include "codec/dsq-utf8-private.h"
#include "cold/postgresql/dsq-server-private.h"
#include "cold/postgresql/dsq-server-sql-private.h"
#include "driver.h"
#include "dsq-error.h"

/*
 * libpq's place is taken by functions that give cells. A first byte says what they are: the list of
 * tables, names of tables, rows, or what one commit notes; the rest is the note, or cells, each a
 * length and bytes. Checksums are the server's own to make, so they are made here: of an EMPTY
 * mark, and of a value that begins with UNSUMMED.
 */

#define MAX_COLUMNS 6
#define MAX_ROWS    8
#define IS_NULL     0xFF /* as a cell's length */
#define EMPTY       0xFE
#define UNSUMMED    0xEE

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED ("\0\x8\0\0\0\0\0\0\0\1\0\xfe\x8\0\0\1\0\0\0\0\2\x8\0\0\0\0\0\0\0\1"),
  FUZZ_SEED ("\1\x8\0\0\0\0\0\0\0\2\5\1name\xff\xfe"),
  FUZZ_SEED ("\2\x8\0\0\1\0\0\0\0\1\3key\xff\xff\6\xee\3text"),
  FUZZ_SEED ("\2\x8\0\0\1\0\0\0\0\1\3key\xff\x8\0\0\0\0\0\0\0\1\xc\xee\x40\1\0\0\0\0\0\0\0\3t"),
  FUZZ_SEED ("\2\xff\3key\xff\xff\6\xee\3text"),
  FUZZ_SEED ("\3\0\0\0\1\0\0\0\1\xff\0\0\0\0"),
  FUZZ_SEED ("\3\0\0\0\0\0\0\0\3key\0\0\0\0"),
  FUZZ_SEED ("\3\0\0\0\1\0\0\0\3key\0\0\0\0"),
  FUZZ_SEED ("\3\0\0\0\1\0\0\0\2\xffN\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

static const guint8 store_id[DSQ_KEY_ID_LENGTH] = "of this store..";

typedef struct
{
  guint8 *bytes; /* (owned) (nullable) */
  int length;
} Cell;

/* What PGresult stands for. */
typedef struct
{
  Cell cells[MAX_ROWS][MAX_COLUMNS];
  int n_rows;
} Table;

/* The answers to what is asked next. */
static struct
{
  Table *tables[2]; /* (owned) (nullable) */
  guint n_given;
  gboolean is_over; /* a NULL comes behind each */
} answers;

static DsqColdServer server;
static guint8 connection; /* what PGconn stands for */

/* --- in place of libpq ------------------------------------------------------------------------ */

static Cell *
cell_of (const PGresult *result, int row, int column)
{
  return &((Table *) result)->cells[row][column];
}

static int
is_null (const PGresult *result, int row, int column)
{
  return cell_of (result, row, column)->bytes == NULL;
}

static int
get_length (const PGresult *result, int row, int column)
{
  return cell_of (result, row, column)->length;
}

static char *
get_value (const PGresult *result, int row, int column)
{
  return (char *) cell_of (result, row, column)->bytes;
}

static int
count_rows (const PGresult *result)
{
  return ((const Table *) result)->n_rows;
}

static void
clear (PGresult *result)
{
  Table *table = (Table *) result;

  for (guint i = 0; table != NULL && i < MAX_ROWS * MAX_COLUMNS; i++)
    g_free (table->cells[i / MAX_COLUMNS][i % MAX_COLUMNS].bytes);
  g_free (table);
}

static int
send_params (PGconn *handle,
             const char *sql,
             int n,
             const Oid *types,
             const char *const *values,
             const int *lengths,
             const int *formats,
             int format)
{
  return 1;
}

static PGresult *
get_result (PGconn *handle)
{
  answers.is_over = !answers.is_over;
  if (!answers.is_over)
    return NULL;
  g_assert_cmpuint (answers.n_given, <, G_N_ELEMENTS (answers.tables));
  return (PGresult *) g_steal_pointer (&answers.tables[answers.n_given++]);
}

static ExecStatusType
get_result_status (const PGresult *result)
{
  return PGRES_TUPLES_OK;
}

static ConnStatusType
get_status (const PGconn *handle)
{
  return CONNECTION_OK;
}

static int
say_no (PGconn *handle)
{
  return 0;
}

static const DsqLibpq pq = {
  .status = get_status,
  .flush = say_no,
  .isBusy = say_no,
  .sendQueryParams = send_params,
  .getResult = get_result,
  .resultStatus = get_result_status,
  .ntuples = count_rows,
  .getvalue = get_value,
  .getlength = get_length,
  .getisnull = is_null,
  .clear = clear,
};

/* --- what it gives ---------------------------------------------------------------------------- */

static Cell
cell_from (gconstpointer bytes, gsize length)
{
  /* one byte more, as a value that is empty is not NULL */
  guint8 *copy = g_malloc (length + (length == 0));

  if (length > 0)
    memcpy (copy, bytes, length);
  return (Cell){ copy, (int) length };
}

static Cell
cell_of_number (gint64 number)
{
  const guint64 stored = GUINT64_TO_BE ((guint64) number);

  return cell_from (&stored, sizeof stored);
}

static gint64
number_of (const Cell *cell)
{
  guint64 stored = 0;

  if (cell->length == sizeof stored)
    memcpy (&stored, cell->bytes, sizeof stored);
  return (gint64) GUINT64_FROM_BE (stored);
}

static Cell
mark_of (gint64 id, const Cell *token)
{
  DsqRecordCodec codec;
  DsqMarkColumn mark;

  dsq_record_codec_init (&codec, store_id, NULL);
  g_assert_true (dsq_row_draw_mark (&codec,
                                    (guint32) id,
                                    token->bytes,
                                    token->bytes != NULL ? (gsize) token->length : 0,
                                    &mark,
                                    NULL));
  dsq_record_codec_clear (&codec);
  return cell_from (mark.bytes, mark.length);
}

/* The value of the row's key, of the bytes behind UNSUMMED. */
static Cell
sum_value (const Cell *token, const Cell *unsummed)
{
  const gsize n = (gsize) unsummed->length - 1;
  gboolean ignored;
  const DsqMark mark = dsq_marks_get (server.codec.marks, DSQ_TABLE_MAIN, &ignored);
  Cell value = { g_malloc (DSQ_FORMAT_RECORD_AT_BODY + n), (int) (DSQ_FORMAT_RECORD_AT_BODY + n) };
  guint8 length[4];
  guint32 crc;

  dsq_bytes_store_u32 (length, (guint32) token->length);
  crc = dsq_crc32c (mark.seed, length, sizeof length);
  crc = dsq_crc32c (crc, token->bytes, (gsize) token->length);
  crc = dsq_crc32c (crc, unsummed->bytes + 1, n);
  value.bytes[0] = DSQ_FORMAT_RECORD_VERSION;
  dsq_bytes_store_u32 (value.bytes + DSQ_FORMAT_RECORD_AT_CRC, crc);
  memcpy (value.bytes + DSQ_FORMAT_RECORD_AT_BODY, unsummed->bytes + 1, n);
  return value;
}

static Table *
read_table (const uint8_t *bytes, size_t length, guint n_columns, guint at_mark)
{
  Table *table = g_new0 (Table, 1);
  guint n = 0;

  for (; length > 0 && n < MAX_ROWS * n_columns; n++)
    {
      Cell *row = table->cells[n / n_columns], *cell = &row[n % n_columns];
      const guint8 head = *bytes;
      const gsize taken = head >= EMPTY ? 0 : MIN (head, length - 1);

      if (head == EMPTY && n % n_columns == at_mark)
        *cell = mark_of (number_of (&row[0]), &row[1]);
      else if (head != IS_NULL)
        *cell = cell_from (bytes + 1, taken);
      bytes += 1 + taken;
      length -= 1 + taken;
    }
  /* the last row is whole or is none */
  table->n_rows = (int) (n / n_columns);
  return table;
}

/* Of the one table that each store has. */
static Table *
make_tables (void)
{
  Table *table = g_new0 (Table, 1);
  Cell *row = table->cells[0];

  row[0] = cell_of_number (DSQ_TABLE_MAIN);
  row[1] = cell_from ("", 0);
  row[2] = mark_of (DSQ_TABLE_MAIN, &row[1]);
  row[3] = cell_of_number (((gint64) DSQ_TABLE_MAIN << DSQ_FORMAT_POSITION_BITS) + 2);
  row[4] = cell_of_number (1);
  table->n_rows = 1;
  return table;
}

static void
answer (Table *first, Table *second)
{
  answers.tables[0] = first;
  answers.tables[1] = second;
  answers.n_given = 0;
  answers.is_over = FALSE;
}

/* --- trying it -------------------------------------------------------------------------------- */

static void
hear_changes (const DsqTableState *states,
              guint n_states,
              const DsqColdChanged *changed,
              gpointer user_data)
{
  g_assert_cmpuint (n_states, ==, 1);
  for (gsize i = 0; changed != NULL && i < changed->n_keys; i++)
    {
      const DsqKey *key = &changed->keys[i];

      g_assert_cmpuint (key->table - 1, <, DSQ_TABLE_MAX);
      g_assert_true (dsq_key_codec_validate (key->bytes, key->length, NULL));
    }
}

static void
assert_damaged (gboolean success, GError *error)
{
  g_assert_true (success == (error == NULL));
  /* the other: of a type that is reserved for later */
  if (!g_error_matches (error, DSQ_ERROR, DSQ_ERROR_FORMAT) && error != NULL)
    g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
  g_clear_error (&error);
}

static void
try_tables (const uint8_t *bytes, size_t length)
{
  GError *error = NULL;
  gboolean success;

  answer (read_table (bytes, length, 5, 2), NULL);
  success =
      dsq_server_read_tables (&server, &server.lookout, &server.codec, server.committed, &error);
  assert_damaged (success, error);
  for (guint i = 0; success && i < server.committed->len; i++)
    {
      const DsqTableState *state = &g_array_index (server.committed, DsqTableState, i);

      g_assert_cmpuint (state->table - 1, <, DSQ_TABLE_MAX);
      g_assert_cmpint (state->next >> DSQ_FORMAT_POSITION_BITS, ==, state->table);
      g_assert_cmpint (state->count, >=, 0);
    }
}

static void
try_names (const uint8_t *bytes, size_t length)
{
  Table *table = read_table (bytes, length, 4, 3);

  for (int i = 0; i < table->n_rows; i++)
    {
      GError *error = NULL;
      gint64 id;
      GBytes *name = dsq_server_read_name (&server, (const PGresult *) table, i, &id, &error);

      assert_damaged (name != NULL, error);
      if (name == NULL)
        continue;
      g_assert_cmpint (id, >, 0);
      g_assert_true (dsq_utf8_validate (g_bytes_get_data (name, NULL), g_bytes_get_size (name)));
      g_bytes_unref (name);
    }
  clear ((PGresult *) table);
}

static void
try_rows (const uint8_t *bytes, size_t length)
{
  Table *table = read_table (bytes, length, DSQ_SERVER_AT_TABLE, MAX_COLUMNS);
  GArray *rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));

  for (int i = 0; i < table->n_rows; i++)
    {
      Cell *token = &table->cells[i][DSQ_SERVER_AT_TOKEN];
      Cell *value = &table->cells[i][DSQ_SERVER_AT_VALUE];
      GError *error = NULL;
      gboolean success;

      table->cells[i][DSQ_SERVER_AT_TABLE] = cell_of_number (DSQ_TABLE_MAIN);
      if (token->bytes != NULL && value->length > 0 && value->bytes[0] == UNSUMMED)
        {
          const Cell summed = sum_value (token, value);

          g_free (value->bytes);
          *value = summed;
        }
      success = dsq_server_append_row (&server,
                                       (const PGresult *) table,
                                       i,
                                       DSQ_TABLE_MAIN,
                                       FALSE,
                                       rows,
                                       &error);
      assert_damaged (success, error);
    }
  for (guint i = 0; i < rows->len; i++)
    {
      const DsqEntry *entry = g_array_index (rows, DsqColdRow, i).entry;

      g_assert_true (dsq_key_codec_validate (dsq_entry_key (entry), entry->key_length, NULL));
      g_assert_cmpuint (entry->record_length, >, 0);
    }
  dsq_cold_rows_free (rows);
  clear ((PGresult *) table);
}

static void
try_note (const uint8_t *bytes, size_t length)
{
  Table *changes = g_new0 (Table, 1);
  g_autoptr (GError) error = NULL;

  changes->cells[0][0] = cell_of_number (1);
  changes->cells[0][1] = cell_from (bytes, length);
  changes->cells[0][2] = cell_of_number (G_MAXINT64);
  changes->n_rows = 1;
  answer (make_tables (), changes);
  server.version = 0;
  dsq_mutex_lock (&server.coherence_lock);
  g_assert_true (dsq_server_learn_locked (&server, &server.lookout, 1, 0, &error));
  dsq_mutex_unlock (&server.coherence_lock);
  g_assert_no_error (error);
}

static void
begin (void)
{
  const Cell no_token = { NULL, 0 };
  Cell mark;

  if (server.target.pq == NULL)
    {
      server.target.pq = &pq;
      server.committed = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
      server.learned = g_byte_array_new ();
      server.lookout.target = &server.target;
      server.lookout.handle = (PGconn *) &connection;
      server.tier.foreign_func = hear_changes;
      dsq_mutex_init (&server.coherence_lock, DSQ_RANK_COHERENCE, 0);
    }
  else
    dsq_record_codec_clear (&server.codec);
  server.lookout.said = 0; /* nothing is said often enough to be prepared */
  dsq_record_codec_init (&server.codec, store_id, NULL);
  mark = mark_of (DSQ_TABLE_MAIN, &no_token);
  g_assert_true (dsq_row_decode_mark (&server.codec,
                                      DSQ_TABLE_MAIN,
                                      (const guint8 *) "",
                                      0,
                                      mark.bytes,
                                      (gsize) mark.length,
                                      NULL));
  g_free (mark.bytes);
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  static void (*const tries[]) (const uint8_t *bytes, size_t length) = {
    try_tables,
    try_names,
    try_rows,
    try_note,
  };

  if (length == 0)
    return 0;
  begin ();
  tries[bytes[0] % G_N_ELEMENTS (tries)](bytes + 1, length - 1);
  return 0;
}
