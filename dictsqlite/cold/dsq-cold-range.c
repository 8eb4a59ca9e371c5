/* dsq-cold-range.c - keys: in the order of their bytes, and all of them
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-hash-private.h"
#include "codec/dsq-key-codec-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-reads-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "dsq-error.h"

/* The order of the index on (table_id, token). */
static int
compare (const guint8 *a, gsize a_length, const guint8 *b, gsize b_length)
{
  const gsize shared = MIN (a_length, b_length);
  int order = shared > 0 ? memcmp (a, b, shared) : 0;

  return order != 0 || a_length == b_length ? order : a_length < b_length ? -1 : 1;
}

/* The key that @statement stands at, after @before: after its like, or, as the first of a list, not
 * before it. */
static DsqEntry *
read_key (DsqStatement *statement, const DsqKey *before, gboolean is_first, GError **error)
{
  DsqKey key = { .table = before->table };

  key.bytes = sqlite3_column_blob (statement->handle, 0);
  key.length = (guint32) sqlite3_column_bytes (statement->handle, 0);
  if (key.length == 0) /* SQLite gives NULL for it */
    key.bytes = (const guint8 *) "";
  if (!dsq_cold_check_order (0,
                             compare (key.bytes, key.length, before->bytes, before->length) +
                                 (is_first ? 1 : 0),
                             error))
    return NULL;
  if (dsq_key_codec_validate (key.bytes, key.length, NULL))
    return dsq_entry_new_tombstone (&key);
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_CORRUPT,
               "Failed to list the keys: a row holds a key that is none");
  return NULL;
}

/* The index on (table_id, token) holds all that is asked for. */
gboolean
dsq_cold_list_keys (DsqColdTier *tier,
                    const DsqKey *from,
                    const DsqKey *end,
                    guint max_keys,
                    GPtrArray *entries,
                    GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqColdReader *reader;
  DsqStatement *statement;
  DsqKey last = *from;
  DsqStep step;

  if (dsq_cold_is_unmade (self))
    return TRUE;
  if (self->keys != NULL)
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_ENCRYPTED,
                           "Failed to list the keys: an encrypted file hides their order");
      return FALSE;
    }
  reader = dsq_cold_readers_take (self, error);
  if (reader == NULL)
    return FALSE;
  statement = &reader->statements[DSQ_COLD_READ_RANGE];
  dsq_statement_bind_number (statement, 1, from->table);
  dsq_statement_bind_bytes (statement, 2, from->bytes, from->length);
  dsq_statement_bind_bytes (statement, 3, end->bytes, end->length);
  dsq_statement_bind_number (statement, 4, max_keys);
  if (!dsq_cold_readers_start (self, reader, FALSE, error))
    {
      dsq_cold_readers_give_back (self, reader);
      return FALSE;
    }
  while ((step = dsq_statement_step (statement, error)) == DSQ_STEP_ROW)
    {
      DsqEntry *entry = read_key (statement, &last, last.bytes == from->bytes, error);

      if (entry == NULL)
        break;
      last = dsq_entry_as_key (entry);
      g_ptr_array_add (entries, entry);
    }
  dsq_statement_reset (statement);
  dsq_cold_readers_give_back (self, reader);
  return step == DSQ_STEP_DONE;
}

/* --- all of them, for the filter -------------------------------------------------------------- */

/* They are read from the index on (table_id, token), in a sealed file from the rows, each call in a
 * read transaction of its own. */

/* Adds the key of the row that @row stands at, which must come after @table and @last, and becomes
 * these. */
static gboolean
take_token (DsqColdSqlite *self,
            sqlite3_stmt *row,
            guint32 *table,
            GByteArray *last,
            GError **error)
{
  const guint32 next = (guint32) sqlite3_column_int64 (row, 0);
  const guint8 *token = sqlite3_column_blob (row, 1);
  guint length = (guint) sqlite3_column_bytes (row, 1);

  if (length == 0) /* SQLite gives NULL for it */
    token = (const guint8 *) "";
  if (!(next == *table
            ? dsq_cold_check_order (0, compare (token, length, last->data, last->len), error)
            : dsq_cold_check_order (*table, next, error)))
    return FALSE;
  dsq_filter_add (self->file.tier.filter->bits, dsq_hash (next, token, length));
  *table = next;
  g_byte_array_set_size (last, 0);
  g_byte_array_append (last, token, length);
  return TRUE;
}

/* What is bound to the statement stays as it is until that is reset. */
static DsqStep
take_tokens (DsqColdSqlite *self, DsqColdReader *reader, guint max_rows, GError **error)
{
  DsqStatement *statement = &reader->statements[DSQ_COLD_READ_TOKENS];
  g_autoptr (GByteArray) last = g_byte_array_new ();
  guint32 table = self->filled_table;
  DsqStep step = DSQ_STEP_ROW;

  g_byte_array_append (last, self->filled->data, self->filled->len);
  dsq_statement_bind_number (statement, 1, table);
  dsq_statement_bind_bytes (statement,
                            2,
                            self->filled->len > 0 ? self->filled->data : (const guint8 *) "",
                            self->filled->len);
  for (guint i = 0; i < max_rows && step == DSQ_STEP_ROW; i++)
    {
      step = dsq_statement_step (statement, error);
      if (step == DSQ_STEP_ROW && !take_token (self, statement->handle, &table, last, error))
        step = DSQ_STEP_FAILED;
    }
  dsq_statement_reset (statement);
  self->filled_table = table;
  g_byte_array_unref (self->filled);
  self->filled = g_steal_pointer (&last);
  return step;
}

static gboolean
take_name (DsqColdSqlite *self, sqlite3_stmt *row, GError **error)
{
  DsqKey key = { .table = (guint32) sqlite3_column_int64 (row, 0) };
  g_autofree guint8 *memory = NULL;
  DsqToken token;

  if (!dsq_cold_decode_key (&self->codec, row, 1, 2, &key, &token, &memory, error))
    return FALSE;
  if (!dsq_cold_check_order (self->filled_place, sqlite3_column_int64 (row, 3), error))
    return FALSE;
  dsq_filter_add (self->file.tier.filter->bits, dsq_hash (key.table, key.bytes, key.length));
  self->filled_place = sqlite3_column_int64 (row, 3);
  return TRUE;
}

/* The keys of a sealed file are in its names, which lie with the rows and not in the index. */
static DsqStep
take_names (DsqColdSqlite *self, DsqColdReader *reader, guint max_rows, GError **error)
{
  DsqStatement *statement = &reader->statements[DSQ_COLD_READ_NAMES];
  DsqStep step = DSQ_STEP_ROW;

  dsq_statement_bind_number (statement, 1, self->filled_place);
  for (guint i = 0; i < max_rows && step == DSQ_STEP_ROW; i++)
    {
      step = dsq_statement_step (statement, error);
      if (step == DSQ_STEP_ROW && !take_name (self, statement->handle, error))
        step = DSQ_STEP_FAILED;
    }
  dsq_statement_reset (statement);
  return step;
}

gboolean
dsq_cold_read_keys (gpointer user_data,
                    gboolean from_start,
                    guint max_rows,
                    gboolean *out_is_last,
                    GError **error)
{
  DsqColdSqlite *self = user_data;
  DsqColdReader *reader = dsq_cold_readers_take (self, error);
  DsqStep step = DSQ_STEP_FAILED;

  if (reader == NULL)
    return FALSE;
  if (from_start)
    {
      self->filled_table = 0;
      self->filled_place = 0;
      g_byte_array_set_size (self->filled, 0);
    }
  if (dsq_cold_readers_start (self, reader, FALSE, error))
    step = (self->codec.keys != NULL ? take_names : take_tokens) (self, reader, max_rows, error);
  dsq_cold_readers_give_back (self, reader);
  *out_is_last = step == DSQ_STEP_DONE;
  return step != DSQ_STEP_FAILED;
}
