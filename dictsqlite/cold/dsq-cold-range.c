/* dsq-cold-range.c - keys in the order of their bytes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-key-codec-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-reads-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "dsq-error.h"

/* The key that @statement stands at. */
static DsqEntry *
read_key (DsqStatement *statement, guint32 table, GError **error)
{
  DsqKey key = { .table = table };

  key.bytes = sqlite3_column_blob (statement->handle, 0);
  key.length = (guint32) sqlite3_column_bytes (statement->handle, 0);
  if (key.length == 0) /* SQLite gives NULL for it */
    key.bytes = (const guint8 *) "";
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
      DsqEntry *entry = read_key (statement, from->table, error);

      if (entry == NULL)
        break;
      g_ptr_array_add (entries, entry);
    }
  dsq_statement_reset (statement);
  dsq_cold_readers_give_back (self, reader);
  return step == DSQ_STEP_DONE;
}
