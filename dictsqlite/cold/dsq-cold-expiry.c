/* dsq-cold-expiry.c - rows of the file that are to go
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-reads-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-space-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "cold/dsq-cold-writer-private.h"

/* A walk's columns. */
#define AT_EXPIRES 0
#define AT_PLACE   2
#define AT_TABLE   4

/* The partial index on expires holds the rows that expire alone, in the order of expiry and then of
 * place. */

/* Appends the row that @statement stands at, without its value. One that is damaged is passed over:
 * it is for who reads it to complain. @verifies: neither is the expiry believed that stands in the
 * column, where anybody may have moved it, before the one that is sealed with the value. */
static void
append_row (DsqColdSqlite *self,
            DsqStatement *statement,
            guint32 table,
            gboolean verifies,
            GArray *rows)
{
  DsqColdRow *row;
  g_autoptr (DsqEntry) whole = NULL;
  DsqKey key;

  if (!dsq_cold_append_row (self, statement, table, !verifies, rows, NULL) || !verifies)
    return;
  row = &g_array_index (rows, DsqColdRow, rows->len - 1);
  whole = row->entry;
  key = dsq_entry_as_key (whole);
  row->entry = dsq_entry_new (&key, NULL, 0, dsq_entry_expires (whole));
}

/* To the row, which must come after. */
static gboolean
move_on (DsqExpirySpan *last, sqlite3_stmt *row, GError **error)
{
  const gint64 expires = sqlite3_column_int64 (row, AT_EXPIRES);
  const gint64 place = sqlite3_column_int64 (row, AT_PLACE);

  if (!(expires == last->after ? dsq_cold_check_order (last->place, place, error)
                               : dsq_cold_check_order (last->after, expires, error)))
    return FALSE;
  last->after = expires;
  last->place = place;
  return TRUE;
}

/* Appends the rows that @statement gives; *out_last is the last one's place and expiry, and
 * *out_is_full tells that there may be more. */
static gboolean
append_rows (DsqColdSqlite *self,
             DsqStatement *statement,
             gboolean verifies,
             guint max_rows,
             GArray *rows,
             DsqExpirySpan *out_last,
             gboolean *out_is_full,
             GError **error)
{
  DsqStep step = DSQ_STEP_ROW;

  for (guint n = 0; n < max_rows; n++)
    {
      sqlite3_stmt *row;
      guint32 table;

      step = dsq_statement_step (statement, error);
      row = statement->handle;
      if (step == DSQ_STEP_ROW && !move_on (out_last, row, error))
        step = DSQ_STEP_FAILED;
      if (step != DSQ_STEP_ROW)
        break;
      table = (guint32) CLAMP (sqlite3_column_int64 (row, AT_TABLE), 0, DSQ_TABLE_MAX);
      append_row (self, statement, table, verifies, rows);
    }
  *out_is_full = step == DSQ_STEP_ROW;
  dsq_statement_reset (statement);
  return step != DSQ_STEP_FAILED;
}

gboolean
dsq_cold_find_oldest (DsqColdFile *file,
                      gint64 *place,
                      guint max_rows,
                      GArray *rows,
                      gboolean *out_is_last,
                      GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) file;
  DsqStatement *statement = &self->writer.statements[DSQ_COLD_WRITE_OLDEST];
  DsqExpirySpan last = { .place = *place };
  gboolean is_full;

  dsq_statement_bind_number (statement, 1, *place);
  if (!append_rows (self, statement, FALSE, max_rows, rows, &last, &is_full, error))
    return FALSE;
  *place = last.place;
  *out_is_last = !is_full;
  return TRUE;
}

static gboolean
find_next (DsqStatement *statement, gint64 after, gint64 *out_next, GError **error)
{
  DsqStep step;
  int type;

  dsq_statement_bind_number (statement, 1, after);
  step = dsq_statement_step (statement, error);
  *out_next = G_MAXINT64;
  type = step == DSQ_STEP_ROW ? sqlite3_column_type (statement->handle, 0) : SQLITE_NULL;
  /* what is of another type is damage of its row, and stands behind all numbers */
  if (type == SQLITE_INTEGER || type == SQLITE_FLOAT)
    *out_next = sqlite3_column_int64 (statement->handle, 0);
  dsq_statement_reset (statement);
  return step != DSQ_STEP_FAILED &&
         (*out_next == G_MAXINT64 || dsq_cold_check_order (after, *out_next, error));
}

static gboolean
find (DsqColdSqlite *self,
      DsqStatement *expired,
      DsqStatement *next,
      DsqExpirySpan *span,
      guint max_rows,
      GArray *rows,
      gint64 *out_next,
      GError **error)
{
  gboolean is_full = FALSE;

  *out_next = span->until;
  /* who opens a file asks for what comes next alone */
  if (span->after < span->until || span->place < G_MAXINT64)
    {
      dsq_statement_bind_number (expired, 1, span->after);
      dsq_statement_bind_number (expired, 2, span->place);
      dsq_statement_bind_number (expired, 3, span->until);
      if (!append_rows (self, expired, TRUE, max_rows, rows, span, &is_full, error))
        return FALSE;
    }
  return is_full || find_next (next, span->until, out_next, error);
}

gboolean
dsq_cold_find_expired (DsqColdTier *tier,
                       gboolean in_transaction,
                       DsqExpirySpan *span,
                       guint max_rows,
                       GArray *rows,
                       gint64 *out_next,
                       GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqColdWriter *writer = &self->writer;
  DsqColdReader *reader;
  gboolean found;

  if (in_transaction)
    return find (self,
                 &writer->statements[DSQ_COLD_WRITE_EXPIRED],
                 &writer->statements[DSQ_COLD_WRITE_NEXT_EXPIRY],
                 span,
                 max_rows,
                 rows,
                 out_next,
                 error);
  reader = dsq_cold_readers_take (self, error);
  if (reader == NULL)
    return FALSE;
  found = dsq_cold_readers_start (self, reader, FALSE, error) &&
          find (self,
                &reader->statements[DSQ_COLD_READ_EXPIRED],
                &reader->statements[DSQ_COLD_READ_NEXT_EXPIRY],
                span,
                max_rows,
                rows,
                out_next,
                error);
  dsq_cold_readers_give_back (self, reader);
  return found;
}
