/* dsq-cold-rows.c - rows of the file, as both kinds of connection read them
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-format-private.h"
#include "codec/dsq-key-codec-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-undo-private.h"
#include "dsq-error.h"

#define MIN_BUFFER 4096

void
dsq_cold_plan (DsqStatement *statements,
               DsqDatabase *database,
               const DsqColdSql *sql,
               guint n_statements)
{
  for (guint i = 0; i < n_statements; i++)
    dsq_statement_plan (&statements[i], database, sql[i].sql, sql[i].purpose);
}

void
dsq_cold_clear_statements (DsqStatement *statements, guint n_statements)
{
  for (guint i = 0; i < n_statements; i++)
    dsq_statement_clear (&statements[i]);
}

/* --- from the file ---------------------------------------------------------------------------- */

gboolean
dsq_cold_decode_key (const DsqRecordCodec *codec,
                     sqlite3_stmt *row,
                     int at_token,
                     int at_name,
                     DsqKey *key,
                     DsqToken *out_token,
                     guint8 **memory,
                     GError **error)
{
  *memory = NULL;
  if (sqlite3_column_type (row, at_token) != SQLITE_BLOB)
    return dsq_cold_set_damaged ("a row holds a token of a wrong type", error);
  out_token->bytes = sqlite3_column_blob (row, at_token);
  out_token->length = (guint32) sqlite3_column_bytes (row, at_token);
  if (out_token->length == 0) /* SQLite gives NULL for it */
    out_token->bytes = (const guint8 *) "";
  key->bytes = out_token->bytes;
  key->length = out_token->length;

  if (codec->keys != NULL)
    {
      if (sqlite3_column_type (row, at_name) != SQLITE_BLOB)
        return dsq_cold_set_damaged ("a row holds a name of a wrong type", error);
      if (!dsq_cold_decode_name (codec,
                                 out_token,
                                 sqlite3_column_blob (row, at_name),
                                 (gsize) sqlite3_column_bytes (row, at_name),
                                 key,
                                 memory,
                                 error))
        return FALSE;
    }
  return dsq_cold_check_key (key, error);
}

/* Types are looked at before values. */
DsqEntry *
dsq_cold_decode_row (const DsqRecordCodec *codec,
                     DsqStatement *statement,
                     int at_expires,
                     const DsqKey *key,
                     const DsqToken *token,
                     GError **error)
{
  sqlite3_stmt *row = statement->handle;
  int expires_type = sqlite3_column_type (row, at_expires);
  gint64 expires = expires_type == SQLITE_NULL ? 0 : sqlite3_column_int64 (row, at_expires);
  const guint8 *value;
  gsize length;

  if (sqlite3_column_type (row, at_expires + 1) != SQLITE_BLOB ||
      (expires_type != SQLITE_NULL && (expires_type != SQLITE_INTEGER || expires == 0)))
    {
      dsq_cold_set_damaged ("a row holds a value or an expiry of a wrong type", error);
      return NULL;
    }
  value = sqlite3_column_blob (row, at_expires + 1);
  length = (gsize) sqlite3_column_bytes (row, at_expires + 1);
  return dsq_cold_decode_value (codec, key, token, expires, value, length, error);
}

gboolean
dsq_cold_get_row (const DsqRecordCodec *codec,
                  DsqStatement *statement,
                  const DsqKey *key,
                  DsqEntry **out_entry,
                  GError **error)
{
  DsqToken token;
  DsqStep step;

  *out_entry = NULL;
  dsq_row_make_token (codec, key->table, key->bytes, key->length, &token);
  dsq_cold_bind_token (statement, 1, 2, key->table, &token);
  step = dsq_statement_step (statement, error);
  if (step == DSQ_STEP_ROW)
    *out_entry = dsq_cold_decode_row (codec, statement, 0, key, &token, error);
  dsq_statement_reset (statement);
  return step == DSQ_STEP_DONE || *out_entry != NULL;
}

/* --- to the file ------------------------------------------------------------------------------ */

void
dsq_cold_buffer_make_room (DsqColdBuffer *self, gsize length)
{
  if (length <= self->length)
    return;
  g_free (self->bytes);
  self->length = MAX (length, MIN_BUFFER);
  self->bytes = g_malloc (self->length);
}

void
dsq_cold_buffer_clear (DsqColdBuffer *self)
{
  g_clear_pointer (&self->bytes, g_free);
  self->length = 0;
}

void
dsq_cold_bind_row (DsqStatement *statement,
                   const DsqEntry *entry,
                   gint64 place,
                   const DsqColdColumns *row)
{
  dsq_cold_bind_token (statement, 2, 3, entry->table, &row->token);
  if (G_UNLIKELY (entry->has_expiry))
    dsq_statement_bind_number (statement, 4, dsq_entry_expires (entry));
  else
    dsq_statement_bind_null (statement, 4);
  dsq_statement_bind_bytes (statement, 5, row->value, row->value_length);
  /* an update changes neither place nor name */
  if (place == 0)
    return;
  dsq_statement_bind_number (statement, 1, place);
  if (row->name_length > 0)
    dsq_statement_bind_bytes (statement, 6, row->name, row->name_length);
}

/* --- tables ----------------------------------------------------------------------------------- */

/* Columns of DSQ_COLD_SQL_TABLES. */
enum
{
  AT_ID,
  AT_TOKEN,
  AT_MARK,
  AT_FLOOR,
  AT_HOLES,
  AT_LAST,
  AT_LAST_TABLE
};

static gboolean
is_gravestone (sqlite3_stmt *row)
{
  static const guint8 buried = DSQ_FORMAT_TABLE_BURIED;

  return sqlite3_column_bytes (row, AT_TOKEN) == 1 &&
         *(const guint8 *) sqlite3_column_blob (row, AT_TOKEN) == buried;
}

/* Next is behind the last row, or the floor where that is higher; places before it that no row has
 * are holes, and the rest is counted so. */
static gboolean
read_state (sqlite3_stmt *row, DsqTableState *out_state)
{
  gint64 id = sqlite3_column_int64 (row, AT_ID);
  gint64 floor = sqlite3_column_int64 (row, AT_FLOOR);
  gint64 holes = sqlite3_column_int64 (row, AT_HOLES);
  gint64 last = 0;

  if (id < 1 || id > DSQ_TABLE_MAX || sqlite3_column_type (row, AT_TOKEN) != SQLITE_BLOB ||
      (id == DSQ_TABLE_MAIN) != (sqlite3_column_bytes (row, AT_TOKEN) == 0) ||
      sqlite3_column_type (row, AT_FLOOR) != SQLITE_INTEGER ||
      sqlite3_column_type (row, AT_HOLES) != SQLITE_INTEGER)
    return FALSE;
  if (sqlite3_column_type (row, AT_LAST) != SQLITE_NULL)
    {
      if (sqlite3_column_int64 (row, AT_LAST_TABLE) != id)
        return FALSE;
      last = sqlite3_column_int64 (row, AT_LAST) & DSQ_FORMAT_POSITION_MAX;
    }
  if (floor < 1 || floor > DSQ_FORMAT_POSITION_MAX || last == DSQ_FORMAT_POSITION_MAX)
    return FALSE;
  floor = MAX (floor, last + 1);
  out_state->table = (guint32) id;
  out_state->next = (id << DSQ_FORMAT_POSITION_BITS) + floor;
  out_state->count = floor - 1 - holes;
  return holes >= 0 && holes <= floor - 1;
}

#define MANY_ENTRIES (1 << 20)

/* Numbers that are made up may count more than the file can hold, and who is told so asks for
 * memory for them: a list() in Python does. */
static guint64
count_at_most (sqlite3_stmt *row, guint64 count)
{
  sqlite3_stmt *pragma = NULL;

  if (G_LIKELY (count <= MANY_ENTRIES))
    return count;
  /* while there is a row, in its transaction */
  if (sqlite3_prepare_v2 (sqlite3_db_handle (row), "PRAGMA page_count", -1, &pragma, NULL) ==
          SQLITE_OK &&
      sqlite3_step (pragma) == SQLITE_ROW)
    count = MIN (count, DSQ_COLD_ENTRIES_OF_A_PAGE * (guint64) sqlite3_column_int64 (pragma, 0));
  sqlite3_finalize (pragma);
  return count;
}

/* A mark whose column is as it was is known. */
static gboolean
learn_mark (const DsqRecordCodec *codec, guint32 table, sqlite3_stmt *row, GError **error)
{
  const guint8 *mark = sqlite3_column_blob (row, AT_MARK);
  gsize length = (gsize) sqlite3_column_bytes (row, AT_MARK);

  if (sqlite3_column_type (row, AT_MARK) != SQLITE_BLOB || mark == NULL)
    length = 0;
  if (length > 0 && dsq_marks_knows (codec->marks, table, mark, length))
    return TRUE;
  return dsq_row_decode_mark (codec,
                              table,
                              sqlite3_column_blob (row, AT_TOKEN),
                              (gsize) sqlite3_column_bytes (row, AT_TOKEN),
                              mark,
                              length,
                              error);
}

#define TABLES_DAMAGED "its list of tables is damaged"

/* Appends the states of the tables with these ids. */
static gboolean
read_range (const DsqRecordCodec *codec,
            DsqStatement *statement,
            gint64 first,
            gint64 last,
            GArray *found,
            GError **error)
{
  gboolean is_sound = TRUE;
  DsqTableState state = { 0 };
  gint64 last_id = 0;
  DsqStep step;

  dsq_statement_bind_number (statement, 1, first);
  dsq_statement_bind_number (statement, 2, last);
  while (is_sound && (step = dsq_statement_step (statement, error)) == DSQ_STEP_ROW)
    {
      sqlite3_stmt *row = statement->handle;

      is_sound = read_state (row, &state) && state.table > last_id;
      last_id = state.table;
      /* but for what keeps the last id from being given out again */
      if (!is_sound || is_gravestone (row))
        continue;
      if (!learn_mark (codec, state.table, row, error))
        {
          dsq_statement_reset (statement);
          return FALSE;
        }
      state.count = count_at_most (row, state.count);
      g_array_append_val (found, state);
    }
  dsq_statement_reset (statement);
  if (!is_sound)
    return dsq_cold_set_damaged (TABLES_DAMAGED, error);
  return step == DSQ_STEP_DONE;
}

gboolean
dsq_cold_read_tables (const DsqRecordCodec *codec,
                      DsqStatement *statement,
                      GArray *states,
                      GError **error)
{
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (DsqTableState));

  if (!read_range (codec, statement, G_MININT64, G_MAXINT64, found, error))
    return FALSE;
  if (found->len == 0 || g_array_index (found, DsqTableState, 0).table != DSQ_TABLE_MAIN)
    return dsq_cold_set_damaged (TABLES_DAMAGED, error);
  dsq_cold_copy_tables (states, found);
  return TRUE;
}

static int
compare_ids (gconstpointer a, gconstpointer b)
{
  const guint32 one = *(const guint32 *) a, other = *(const guint32 *) b;

  return (one > other) - (one < other);
}

/* The tables of the keys, in order, each once. */
static GArray *
list_changed (const DsqColdChanged *changed)
{
  GArray *ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  guint n = 0;

  for (gsize i = 0; i < changed->n_keys; i++)
    if (i == 0 || changed->keys[i].table != changed->keys[i - 1].table)
      g_array_append_val (ids, changed->keys[i].table);
  g_array_sort (ids, compare_ids);
  for (guint i = 0; i < ids->len; i++)
    if (n == 0 || g_array_index (ids, guint32, i) != g_array_index (ids, guint32, n - 1))
      g_array_index (ids, guint32, n++) = g_array_index (ids, guint32, i);
  g_array_set_size (ids, n);
  return ids;
}

/* Ids only go up, so new tables stand behind all that are known. Whoever drops one tells of no
 * keys, but of everything. */
gboolean
dsq_cold_read_changed_tables (const DsqRecordCodec *codec,
                              DsqStatement *statement,
                              const DsqColdChanged *changed,
                              GArray *states,
                              gint64 *out_n_more)
{
  g_autoptr (GArray) ids = list_changed (changed);
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
  const guint32 last = g_array_index (states, DsqTableState, states->len - 1).table;

  *out_n_more = 0;
  /* each is a statement by itself, but all of them are one */
  if (ids->len + 1 >= states->len)
    return FALSE;
  for (guint i = 0; i < ids->len; i++)
    {
      const guint32 id = g_array_index (ids, guint32, i);

      if (id <= last &&
          (dsq_cold_undo_find (states, id) == NULL ||
           !read_range (codec, statement, id, id, found, NULL) || found->len != i + 1))
        return FALSE;
    }
  if (!read_range (codec, statement, (gint64) last + 1, G_MAXINT64, found, NULL))
    return FALSE;
  for (guint i = 0; i < found->len; i++)
    {
      const DsqTableState *now = &g_array_index (found, DsqTableState, i);
      DsqTableState *known = dsq_cold_undo_find (states, now->table);

      *out_n_more += now->count - (known != NULL ? known->count : 0);
      if (known != NULL)
        *known = *now;
      else
        g_array_append_val (states, *now);
    }
  return TRUE;
}
