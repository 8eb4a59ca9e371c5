/* dsq-cold-reads.c - reading entries: one, many, in order
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/dsq-call-private.h"
#include "codec/dsq-format-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-reads-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "dsq-error.h"

/* Columns of a walked row, as the readers' statements have them. */
#define AT_PLACE 2
#define AT_TOKEN 3
#define AT_TABLE 4
#define AT_NAME  5

/* --- one key ---------------------------------------------------------------------------------- */

static gboolean
get_alone (DsqColdSqlite *self, const DsqKey *key, DsqEntry **out_entry, GError **error)
{
  DsqColdReader *reader;
  gboolean read;

  *out_entry = NULL;
  if (dsq_cold_is_unmade (self))
    return TRUE;
  reader = dsq_cold_readers_take (self, error);
  if (reader == NULL)
    return FALSE;
  read = dsq_cold_readers_start (self, reader, FALSE, error) &&
         dsq_cold_get_row (&self->codec,
                           &reader->statements[DSQ_COLD_READ_GET],
                           key,
                           out_entry,
                           error);
  dsq_cold_readers_give_back (self, reader);
  return read;
}

/* --- many keys -------------------------------------------------------------------------------- */

/* A reader in a transaction, for many keys. */
static DsqColdReader *
take_for_many (DsqColdSqlite *self, GError **error)
{
  DsqColdReader *reader = dsq_cold_readers_take (self, error);

  if (reader == NULL)
    return NULL;
  if ((reader->wanted != NULL ||
       (reader->wanted = dsq_cold_wanted_new (reader->database, error)) != NULL) &&
      dsq_cold_readers_start (self, reader, TRUE, error))
    return reader;
  dsq_cold_readers_give_back (self, reader);
  return NULL;
}

gboolean
dsq_cold_get_many (DsqColdTier *tier,
                   const DsqKey *keys,
                   gsize n_keys,
                   DsqEntry **out,
                   GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqColdReader *reader;
  gboolean read;

  if (n_keys == 1)
    return get_alone (self, keys, out, error);
  memset (out, 0, n_keys * sizeof *out);
  if (n_keys == 0 || dsq_cold_is_unmade (self))
    return TRUE;
  if ((reader = take_for_many (self, error)) == NULL)
    return FALSE;
  read = dsq_cold_wanted_get (reader->wanted, &self->codec, keys, n_keys, out, error);
  dsq_cold_readers_give_back (self, reader);
  for (gsize i = 0; i < n_keys && !read; i++)
    g_clear_pointer (&out[i], dsq_entry_unref);
  return read;
}

static gboolean
probe_alone (DsqColdSqlite *self, const DsqKey *key, gint64 *out_place, GError **error)
{
  DsqColdReader *reader = dsq_cold_readers_take (self, error);
  DsqStep step = DSQ_STEP_FAILED;
  DsqStatement *statement;
  DsqToken token;

  if (reader == NULL)
    return FALSE;
  if (dsq_cold_readers_start (self, reader, TRUE, error))
    {
      statement = &reader->statements[DSQ_COLD_READ_PROBE];
      dsq_row_make_token (&self->codec, key->table, key->bytes, key->length, &token);
      dsq_cold_bind_token (statement, 1, 2, key->table, &token);
      step = dsq_statement_step (statement, error);
      if (step == DSQ_STEP_ROW)
        *out_place = sqlite3_column_int64 (statement->handle, 0);
      dsq_statement_reset (statement);
    }
  dsq_cold_readers_give_back (self, reader);
  return step != DSQ_STEP_FAILED;
}

gboolean
dsq_cold_probe (DsqColdTier *tier,
                const DsqKey *keys,
                gsize n_keys,
                gint64 *out_places,
                GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqColdReader *reader;
  gboolean read;

  memset (out_places, 0, n_keys * sizeof *out_places);
  if (n_keys == 0 || dsq_cold_is_unmade (self))
    return TRUE;
  if (n_keys == 1)
    return probe_alone (self, keys, out_places, error);
  if ((reader = take_for_many (self, error)) == NULL)
    return FALSE;
  read = dsq_cold_wanted_probe (reader->wanted, &self->codec, keys, n_keys, out_places, error);
  dsq_cold_readers_give_back (self, reader);
  return read;
}

/* --- rows in order ---------------------------------------------------------------------------- */

gboolean
dsq_cold_append_row (DsqColdSqlite *self,
                     DsqStatement *statement,
                     guint32 table,
                     gboolean keys_only,
                     GArray *rows,
                     GError **error)
{
  sqlite3_stmt *row = statement->handle;
  DsqColdRow found = { .place = sqlite3_column_int64 (row, AT_PLACE) };
  DsqKey key = { .table = table };
  g_autofree guint8 *memory = NULL;
  DsqToken token;

  if (sqlite3_column_int64 (row, AT_TABLE) != table)
    {
      g_set_error (error,
                   DSQ_ERROR,
                   DSQ_ERROR_CORRUPT,
                   "Failed to walk the entries: a row is not one of its table");
      return FALSE;
    }
  if (!dsq_cold_decode_key (&self->codec, row, AT_TOKEN, AT_NAME, &key, &token, &memory, error))
    return FALSE;
  if (keys_only)
    found.entry = dsq_entry_new (&key, NULL, 0, sqlite3_column_int64 (row, 0));
  else
    found.entry = dsq_cold_decode_row (&self->codec, statement, 0, &key, &token, error);
  if (found.entry == NULL)
    return FALSE;
  g_array_append_val (rows, found);
  return TRUE;
}

/* The row after *place. */
static gboolean
append_next (DsqColdSqlite *self,
             DsqStatement *statement,
             guint32 table,
             gint64 *place,
             gboolean forward,
             gboolean keys_only,
             GArray *rows,
             gboolean *out_is_last,
             GError **error)
{
  DsqStep step = dsq_statement_step (statement, error);
  gint64 next;

  *out_is_last = step == DSQ_STEP_DONE;
  if (step != DSQ_STEP_ROW)
    return *out_is_last;
  next = sqlite3_column_int64 (statement->handle, AT_PLACE);
  if (!dsq_cold_check_order (forward ? *place : next, forward ? next : *place, error))
    return FALSE;
  *place = next;
  return dsq_cold_append_row (self, statement, table, keys_only, rows, error);
}

/* Appends rows that come after @place until there are no more, or one of the limits is met. Those
 * before what is damaged are a batch, and the damage is the next one's. */
static gboolean
append_rows (DsqColdSqlite *self,
             DsqStatement *statement,
             guint32 table,
             gint64 place,
             gboolean forward,
             guint max_rows,
             gsize max_bytes,
             gboolean keys_only,
             GArray *rows,
             gboolean *out_is_last,
             GError **error)
{
  gsize n_bytes = 0;

  *out_is_last = FALSE;
  for (guint n_rows = 0; n_rows < max_rows && n_bytes < max_bytes && !*out_is_last; n_rows++)
    {
      g_autoptr (GError) local_error = NULL;

      if (!append_next (self,
                        statement,
                        table,
                        &place,
                        forward,
                        keys_only,
                        rows,
                        out_is_last,
                        &local_error))
        {
          if (n_rows > 0 && g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_CORRUPT))
            return TRUE;
          g_propagate_error (error, g_steal_pointer (&local_error));
          return FALSE;
        }
      if (!*out_is_last)
        n_bytes += dsq_entry_size (g_array_index (rows, DsqColdRow, rows->len - 1).entry);
    }
  return TRUE;
}

static void
drop_rows (GArray *rows, guint n_kept)
{
  for (guint i = n_kept; i < rows->len; i++)
    dsq_entry_unref (g_array_index (rows, DsqColdRow, i).entry);
  g_array_set_size (rows, n_kept);
}

gboolean
dsq_cold_walk (DsqColdTier *tier,
               guint32 table,
               gint64 place,
               DsqWalkOrder order,
               guint max_rows,
               gsize max_bytes,
               gboolean keys_only,
               GArray *rows,
               gboolean *out_is_last,
               GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  gboolean forward = order == DSQ_WALK_FORWARD;
  gint64 first = (gint64) table << DSQ_FORMAT_POSITION_BITS;
  gint64 end = first | DSQ_FORMAT_POSITION_MAX; /* which is never given out */
  gint64 start = forward ? MAX (first, place) : MIN (end, place);
  guint n_before = rows->len;
  DsqColdReader *reader;
  DsqStatement *statement;
  DsqColdRead which;
  gboolean walked;

  *out_is_last = TRUE;
  if (dsq_cold_is_unmade (self))
    return TRUE;
  reader = dsq_cold_readers_take (self, error);
  if (reader == NULL)
    return FALSE;
  if (keys_only)
    which = forward ? DSQ_COLD_READ_FORWARD_KEYS : DSQ_COLD_READ_REVERSE_KEYS;
  else
    which = forward ? DSQ_COLD_READ_FORWARD : DSQ_COLD_READ_REVERSE;
  statement = &reader->statements[which];
  dsq_statement_bind_number (statement, 1, forward ? start : first);
  dsq_statement_bind_number (statement, 2, forward ? end : start);
  walked = dsq_cold_readers_start (self, reader, FALSE, error) && append_rows (self,
                                                                               statement,
                                                                               table,
                                                                               start,
                                                                               forward,
                                                                               max_rows,
                                                                               max_bytes,
                                                                               keys_only,
                                                                               rows,
                                                                               out_is_last,
                                                                               error);
  dsq_statement_reset (statement);
  dsq_cold_readers_give_back (self, reader);
  if (!walked)
    drop_rows (rows, n_before);
  return walked;
}
