/* dsq-cold-rows.c - rows of the file, as both kinds of connection read them
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-format-private.h"
#include "codec/dsq-value-private.h"
#include "dsq-error.h"
#include "tiers/dsq-cold-sqlite-private.h"

gboolean
dsq_cold_prepare (DsqStatement *statements,
                  DsqDatabase *database,
                  const DsqColdSql *sql,
                  guint n_statements,
                  GError **error)
{
  for (guint i = 0; i < n_statements; i++)
    if (!dsq_statement_prepare (&statements[i], database, sql[i].sql, sql[i].purpose, error))
      return FALSE;
  return TRUE;
}

void
dsq_cold_clear_statements (DsqStatement *statements, guint n_statements)
{
  for (guint i = 0; i < n_statements; i++)
    dsq_statement_clear (&statements[i]);
}

static void
set_damaged (const char *cause, GError **error)
{
  g_set_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT, "Failed to read the file: %s", cause);
}

/* The entry for a value that was read, whose record is filled in here unless it lies there. */
static DsqEntry *
take_record (const DsqKey *key, const DsqRecord *record, DsqEntry *filled, GError **error)
{
  g_autoptr (DsqEntry) entry = filled;
  guint8 *out;

  if (record->payload_length >= DSQ_MAX_VALUE_LENGTH)
    {
      set_damaged ("a row holds a value that is too long", error);
      return NULL;
    }
  if (entry == NULL)
    {
      entry = dsq_entry_new (key, NULL, 1 + record->payload_length, record->expires);
      out = dsq_entry_record_for_filling (entry);
      out[0] = record->type;
      if (record->payload_length > 0)
        memcpy (out + 1, record->payload, record->payload_length);
    }
  /* it is what was written, but another program may have written it */
  if (!dsq_value_check_record (dsq_entry_record (entry), entry->record_length, NULL))
    {
      set_damaged ("a row holds a value that does not fit its type", error);
      return NULL;
    }
  return g_steal_pointer (&entry);
}

/* Types are looked at before values, and a value is copied once, from SQLite's page or buffer: a
 * sealed one without expiry is unsealed into the entry, where its body is the record. */
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
  DsqRecord record = { .table = key->table, .key = key->bytes, .key_length = key->length };
  g_autoptr (DsqEntry) entry = NULL;
  g_autofree guint8 *memory = NULL;
  const guint8 *value;
  gsize length, body_length;
  guint8 *body = NULL;

  record.expires = sqlite3_column_int64 (row, at_expires);
  if (sqlite3_column_type (row, at_expires + 1) != SQLITE_BLOB ||
      (expires_type != SQLITE_NULL && (expires_type != SQLITE_INTEGER || record.expires == 0)))
    {
      set_damaged ("a row holds a value or an expiry of a wrong type", error);
      return NULL;
    }
  value = sqlite3_column_blob (row, at_expires + 1);
  length = (gsize) sqlite3_column_bytes (row, at_expires + 1);

  body_length = dsq_row_body_length (codec, length);
  if (body_length > 0 && record.expires == 0)
    {
      entry = dsq_entry_new (key, NULL, body_length, 0);
      body = dsq_entry_record_for_filling (entry);
    }
  else if (body_length > 0)
    body = memory = g_malloc (body_length);
  if (!dsq_row_decode_value (codec, &record, token, value, length, body, error))
    return NULL;
  return take_record (key, &record, g_steal_pointer (&entry), error);
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

static gboolean
state_is_sound (const DsqTableState *state, gint64 position)
{
  return state->table >= 1 && state->table <= DSQ_TABLE_MAX && position >= 1 &&
         position <= DSQ_FORMAT_POSITION_MAX && state->count >= 0 && state->count < position;
}

gboolean
dsq_cold_read_tables (DsqStatement *statement, GArray *states, GError **error)
{
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
  sqlite3_stmt *row = statement->handle;
  DsqStep step;

  while ((step = dsq_statement_step (statement, error)) == DSQ_STEP_ROW)
    {
      gint64 id = sqlite3_column_int64 (row, 0);
      gint64 position = sqlite3_column_int64 (row, 1);
      DsqTableState state = { .table = (guint32) CLAMP (id, 0, DSQ_TABLE_MAX + 1) };

      state.count = sqlite3_column_int64 (row, 2);
      if (sqlite3_column_type (row, 1) != SQLITE_INTEGER ||
          sqlite3_column_type (row, 2) != SQLITE_INTEGER || !state_is_sound (&state, position))
        break;
      state.next = ((gint64) state.table << DSQ_FORMAT_POSITION_BITS) + position;
      /* but for what keeps the last id from being given out again */
      if (sqlite3_column_int (row, 3) == 0)
        g_array_append_val (found, state);
    }
  dsq_statement_reset (statement);
  if (step == DSQ_STEP_FAILED)
    return FALSE;
  if (step == DSQ_STEP_ROW || found->len == 0 ||
      g_array_index (found, DsqTableState, 0).table != DSQ_TABLE_MAIN)
    {
      set_damaged ("its list of tables is damaged", error);
      return FALSE;
    }
  dsq_cold_copy_tables (states, found);
  return TRUE;
}
