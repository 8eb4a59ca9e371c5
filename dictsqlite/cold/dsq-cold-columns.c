/* dsq-cold-columns.c - what rows hold, wherever they lie
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-key-codec-private.h"
#include "codec/dsq-value-private.h"
#include "cold/dsq-cold-columns-private.h"
#include "dsq-error.h"

gboolean
dsq_cold_set_damaged (const char *cause, GError **error)
{
  g_set_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT, "Failed to read the store: %s", cause);
  return FALSE;
}

/* --- decoding --------------------------------------------------------------------------------- */

gboolean
dsq_cold_check_order (gint64 before, gint64 after, GError **error)
{
  return G_LIKELY (before < after) || dsq_cold_set_damaged ("its rows are in no order", error);
}

gboolean
dsq_cold_check_key (const DsqKey *key, GError **error)
{
  return dsq_key_codec_validate (key->bytes, key->length, NULL) ||
         dsq_cold_set_damaged ("a row holds a key that is none", error);
}

gboolean
dsq_cold_decode_name (const DsqRecordCodec *codec,
                      const DsqToken *token,
                      const guint8 *name,
                      gsize length,
                      DsqKey *key,
                      guint8 **memory,
                      GError **error)
{
  *memory = g_malloc (length + 1);
  if (!dsq_row_decode_name (codec,
                            DSQ_FORMAT_PURPOSE_NAME,
                            key->table,
                            token->bytes,
                            token->length,
                            name,
                            length,
                            *memory,
                            &length,
                            error))
    return FALSE;
  key->bytes = *memory;
  key->length = (guint32) length;
  return TRUE;
}

/* The entry for a value that was read, whose record is filled in here unless it lies there. */
static DsqEntry *
take_record (const DsqKey *key, const DsqRecord *record, DsqEntry *filled, GError **error)
{
  g_autoptr (DsqEntry) entry = filled;
  guint8 *out;

  if (record->payload_length >= DSQ_MAX_VALUE_LENGTH)
    {
      dsq_cold_set_damaged ("a row holds a value that is too long", error);
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
  if (dsq_record_is_of_later (record->type))
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_FORMAT,
                           "Failed to read an entry: it was written by a newer version");
      return NULL;
    }
  if (!dsq_value_check_record (dsq_entry_record (entry), entry->record_length, NULL))
    {
      dsq_cold_set_damaged ("a row holds a value that does not fit its type", error);
      return NULL;
    }
  return g_steal_pointer (&entry);
}

/* A value is copied once, from the page or buffer that it lies in: a sealed one without expiry is
 * unsealed into the entry, where its body is the record. */
DsqEntry *
dsq_cold_decode_value (const DsqRecordCodec *codec,
                       const DsqKey *key,
                       const DsqToken *token,
                       gint64 expires,
                       const guint8 *value,
                       gsize length,
                       GError **error)
{
  DsqRecord record = {
    .table = key->table,
    .key = key->bytes,
    .key_length = key->length,
    .expires = expires,
  };
  gsize body_length = dsq_row_body_length (codec, length);
  g_autoptr (DsqEntry) entry = NULL;
  g_autofree guint8 *memory = NULL;
  guint8 *body = NULL;

  if (body_length > 0 && expires == 0)
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

DsqEntry *
dsq_cold_decode_stored_row (const DsqRecordCodec *codec,
                            const DsqColdStoredRow *row,
                            gboolean keys_only,
                            GError **error)
{
  const DsqToken token = { row->token, (guint32) row->token_length };
  DsqKey key = { .table = (guint32) row->table, .bytes = token.bytes, .length = token.length };
  g_autofree guint8 *memory = NULL;

  if (row->token == NULL || (codec->keys != NULL && row->name == NULL))
    {
      dsq_cold_set_damaged ("a row holds a token or a name of a wrong type", error);
      return NULL;
    }
  if ((codec->keys != NULL &&
       !dsq_cold_decode_name (codec, &token, row->name, row->name_length, &key, &memory, error)) ||
      !dsq_cold_check_key (&key, error))
    return NULL;
  if (keys_only)
    return dsq_entry_new_tombstone (&key);
  if (row->value == NULL || row->has_expiry != (row->expires != 0))
    {
      dsq_cold_set_damaged ("a row holds a value or an expiry of a wrong type", error);
      return NULL;
    }
  return dsq_cold_decode_value (codec,
                                &key,
                                &token,
                                row->expires,
                                row->value,
                                row->value_length,
                                error);
}

GBytes *
dsq_cold_decode_stored_table (const DsqRecordCodec *codec,
                              const DsqColdStoredTable *table,
                              GError **error)
{
  if (table->token == NULL || table->id < 1 || table->id > DSQ_TABLE_MAX)
    {
      g_set_error (error,
                   DSQ_ERROR,
                   DSQ_ERROR_CORRUPT,
                   "Failed to read the tables: one has no name that can be read");
      return NULL;
    }
  if (!dsq_row_decode_mark (codec,
                            (guint32) table->id,
                            table->token,
                            table->token_length,
                            table->mark,
                            table->mark_length,
                            error))
    return NULL;
  return dsq_row_decode_table_name (codec,
                                    (guint32) table->id,
                                    table->token,
                                    table->token_length,
                                    table->name,
                                    table->name_length,
                                    error);
}

/* --- places ----------------------------------------------------------------------------------- */

/* A table's places end where the next table's begin. The last is never given out, so that next is a
 * position too. */
gboolean
dsq_cold_find_place (const DsqTableState *state,
                     const DsqChange *change,
                     gint64 *out_place,
                     GError **error)
{
  gint64 place = change->place != 0 ? change->place : state->next;
  gint64 position = place & DSQ_FORMAT_POSITION_MAX;

  if (place >> DSQ_FORMAT_POSITION_BITS == state->table && position > 0 &&
      position < DSQ_FORMAT_POSITION_MAX)
    {
      *out_place = place;
      return TRUE;
    }
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_FAILED,
                       "Failed to write an entry: the table is full");
  return FALSE;
}

/* --- encoding --------------------------------------------------------------------------------- */

static DsqRecord
record_of (const DsqEntry *entry)
{
  const guint8 *content = dsq_entry_record (entry);

  return (DsqRecord){
    .table = entry->table,
    .key = dsq_entry_key (entry),
    .key_length = entry->key_length,
    .expires = dsq_entry_expires (entry),
    .type = content[0],
    .payload = content + 1,
    .payload_length = (gsize) entry->record_length - 1,
  };
}

gsize
dsq_cold_row_length (const DsqRecordCodec *codec, const DsqEntry *entry, gboolean with_name)
{
  const DsqRecord record = record_of (entry);

  return dsq_row_value_length (codec, &record) +
         (with_name ? dsq_row_name_length (codec, entry->key_length) : 0);
}

gboolean
dsq_cold_encode_row (const DsqRecordCodec *codec,
                     const DsqEntry *entry,
                     gboolean with_name,
                     guint8 *out,
                     DsqColdColumns *row,
                     GError **error)
{
  const DsqRecord record = record_of (entry);
  guint8 *name;

  row->value = out;
  row->value_length = dsq_row_value_length (codec, &record);
  row->name = name = out + row->value_length;
  row->name_length = with_name ? dsq_row_name_length (codec, entry->key_length) : 0;
  dsq_row_make_token (codec, record.table, record.key, record.key_length, &row->token);
  return dsq_row_encode_value (codec, &record, &row->token, out, error) &&
         (row->name_length == 0 || dsq_row_encode_name (codec,
                                                        DSQ_FORMAT_PURPOSE_NAME,
                                                        record.table,
                                                        row->token.bytes,
                                                        record.key,
                                                        record.key_length,
                                                        name,
                                                        error));
}
