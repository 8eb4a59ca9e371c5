/* dsq-cold-check.c - whether the whole file is sound
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * First SQLite looks at pages and indexes, then every row is decoded as reading it would, and
 * counted; all of it on one connection, in one read transaction. What a damaged row says is not
 * repeated: it may be hostile.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/dsq-call-private.h"
#include "codec/dsq-format-private.h"
#include "codec/dsq-utf8-private.h"
#include "cold/dsq-cold-copies-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "cold/dsq-cold-tables-private.h"
#include "dsq-error.h"

#define PURPOSE "check the store"

/* Problems after which looking for more is given up. */
#define MAX_PROBLEMS 100

typedef struct
{
  DsqDatabase *database; /* (unowned) */
  DsqRecordCodec codec;  /* (owned) of the state that is checked */
  GPtrArray *problems;   /* (unowned) */
  GArray *tables;        /* (owned) of DsqTableState, as the file says */
  gint64 *counts;        /* (owned) rows found of each */
  gint64 last_place;     /* of the row before */
} Check;

static gboolean is_full (const Check *self);

static void G_GNUC_PRINTF (2, 3) report (Check *self, const char *format, ...)
{
  va_list arguments;

  if (is_full (self))
    return;
  va_start (arguments, format);
  g_ptr_array_add (self->problems, g_strdup_vprintf (format, arguments));
  va_end (arguments);
}

static gboolean
is_full (const Check *self)
{
  return self->problems->len >= MAX_PROBLEMS;
}

/* Damage that keeps the check from going on is a problem as well; FALSE for any other error. */
static gboolean
report_damage (Check *self, GError *damage, GError **error)
{
  g_autoptr (GError) owned = damage;

  if (!g_error_matches (owned, DSQ_ERROR, DSQ_ERROR_CORRUPT))
    {
      g_propagate_error (error, g_steal_pointer (&owned));
      return FALSE;
    }
  report (self, "%s", owned->message);
  return TRUE;
}

/* What SQLite counts among the problems though it is none of the file's: a page that could not be
 * read. */
static int
find_code (const char *line)
{
  static const char told[] = "error code=";
  const char *code = strstr (line, told);
  const int number = code != NULL ? atoi (code + strlen (told)) : 0;

  return (number & 0xFF) == SQLITE_IOERR || (number & 0xFF) == SQLITE_NOMEM ? number : 0;
}

/* Appends what is wrong to @lines; it may quote what it found, and heads it by a line of stars. */
static gboolean
note_pages (const char *text, GPtrArray *lines, int *out_code)
{
  g_auto (GStrv) some = g_strsplit (text != NULL ? text : "damaged", "\n", -1);

  if (g_strcmp0 (text, "ok") == 0)
    return TRUE;
  for (guint i = 0; some[i] != NULL; i++)
    if (!g_str_has_prefix (some[i], "*** "))
      {
        g_ptr_array_add (lines, dsq_utf8_show (some[i]));
        *out_code = find_code (some[i]);
        if (*out_code != 0)
          return FALSE;
      }
  return TRUE;
}

static gboolean
read_pages (Check *self, GPtrArray *lines, GError **error)
{
  g_auto (DsqStatement) statement = { NULL };
  DsqStep step;
  int code = 0;

  if (!dsq_statement_prepare (&statement,
                              self->database,
                              "PRAGMA integrity_check (100)",
                              PURPOSE,
                              error))
    return FALSE;
  do
    step = dsq_statement_step (&statement, error);
  while (step == DSQ_STEP_ROW &&
         note_pages ((const char *) sqlite3_column_text (statement.handle, 0), lines, &code));
  if (code != 0)
    dsq_database_set_error (self->database, code, PURPOSE, error);
  return step == DSQ_STEP_DONE;
}

/* SQLite does not say of each problem whether it is that a page could not be read. What is wrong is
 * wrong a second time. */
static gboolean
check_pages (Check *self, GError **error)
{
  g_autoptr (GPtrArray) first = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  GError *damage = NULL;

  if (!read_pages (self, first, &damage) || (first->len > 0 && !read_pages (self, lines, &damage)))
    return report_damage (self, damage, error);
  for (guint i = 0; i < lines->len; i++)
    report (self, "SQLite: %s", (const char *) lines->pdata[i]);
  if (first->len == 0 || lines->len > 0)
    return TRUE;
  dsq_database_set_error (self->database, SQLITE_IOERR_READ, PURPOSE, error);
  return FALSE;
}

/* --- rows ------------------------------------------------------------------------------------- */

static int
find_table (const Check *self, gint64 table)
{
  for (guint i = 0; i < self->tables->len; i++)
    if (g_array_index (self->tables, DsqTableState, i).table == table)
      return (int) i;
  return -1;
}

static void
check_row (Check *self, DsqStatement *statement)
{
  sqlite3_stmt *row = statement->handle;
  gint64 place = sqlite3_column_int64 (row, 2);
  gint64 table = sqlite3_column_int64 (row, 4);
  int index = find_table (self, table);
  DsqKey key = { .table = (guint32) table };
  DsqToken token;
  g_autofree guint8 *memory = NULL;
  g_autoptr (DsqEntry) entry = NULL;
  g_autoptr (GError) error = NULL;

  if (index < 0 || place >> DSQ_FORMAT_POSITION_BITS != table ||
      (place & DSQ_FORMAT_POSITION_MAX) == 0)
    {
      report (self, "entry %" G_GINT64_FORMAT ": it is in no table", place);
      return;
    }
  self->counts[index]++;
  if (dsq_cold_decode_key (&self->codec, row, 3, 5, &key, &token, &memory, &error))
    entry = dsq_cold_decode_row (&self->codec, statement, 0, &key, &token, &error);
  if (entry == NULL)
    report (self, "entry %" G_GINT64_FORMAT ": %s", place, error->message);
}

static gboolean
check_order (Check *self, sqlite3_stmt *row, GError **error)
{
  gint64 before = self->last_place;

  self->last_place = sqlite3_column_int64 (row, 2);
  return dsq_cold_check_order (before, self->last_place, error);
}

static gboolean
check_rows (Check *self, GError **error)
{
  g_auto (DsqStatement) statement = { NULL };
  GError *damage = NULL;
  DsqStep step = DSQ_STEP_ROW;

  if (is_full (self))
    return TRUE;
  if (!dsq_statement_prepare (&statement,
                              self->database,
                              "SELECT expires, value, place, token, table_id, name FROM entry"
                              " ORDER BY place",
                              PURPOSE,
                              &damage))
    step = DSQ_STEP_FAILED;
  while (step == DSQ_STEP_ROW && !is_full (self))
    {
      step = dsq_statement_step (&statement, &damage);
      if (step == DSQ_STEP_ROW && !check_order (self, statement.handle, &damage))
        step = DSQ_STEP_FAILED;
      if (step == DSQ_STEP_ROW)
        check_row (self, &statement);
    }
  if (step == DSQ_STEP_FAILED)
    return report_damage (self, damage, error);
  for (guint i = 0; i < self->tables->len && step == DSQ_STEP_DONE; i++)
    {
      const DsqTableState *state = &g_array_index (self->tables, DsqTableState, i);

      if (state->count != self->counts[i])
        report (self,
                "table %u: it should have %" G_GINT64_FORMAT " entries, and has %" G_GINT64_FORMAT,
                state->table,
                state->count,
                self->counts[i]);
    }
  return TRUE;
}

/* Names are read as who lists the tables reads them. */
static gboolean
check_names (Check *self, GError **error)
{
  g_auto (DsqStatement) statement = { NULL };
  GError *damage = NULL;
  DsqStep step = DSQ_STEP_FAILED;

  if (dsq_statement_prepare (&statement, self->database, DSQ_COLD_SQL_NAMES, PURPOSE, &damage))
    /* those that there are: they have just been read, in an order that ends */
    for (guint i = 0; i < self->tables->len; i++)
      {
        g_autoptr (GError) local_error = NULL;
        g_autoptr (GBytes) name = NULL;

        step = dsq_statement_step (&statement, &damage);
        if (step != DSQ_STEP_ROW)
          break;
        name = dsq_cold_decode_table_name (&self->codec, statement.handle, &local_error);
        if (name == NULL)
          report (self,
                  "table %" G_GINT64_FORMAT ": %s",
                  (gint64) sqlite3_column_int64 (statement.handle, 0),
                  local_error->message);
      }
  return step != DSQ_STEP_FAILED || report_damage (self, damage, error);
}

static gboolean
check_tables (Check *self, GError **error)
{
  g_auto (DsqStatement) statement = { NULL };
  GError *damage = NULL;

  if (!dsq_statement_prepare (&statement, self->database, DSQ_COLD_SQL_TABLES, PURPOSE, &damage) ||
      !dsq_cold_read_tables (&self->codec, &statement, self->tables, &damage))
    return report_damage (self, damage, error);
  self->counts = g_new0 (gint64, self->tables->len);
  return check_names (self, error) && check_rows (self, error);
}

/* --- the call --------------------------------------------------------------------------------- */

gboolean
dsq_cold_check (DsqColdFile *file, GPtrArray *problems, GError **error)
{
  const DsqColdSqlite *tier = (DsqColdSqlite *) file;
  g_autoptr (DsqDatabase) database = dsq_cold_open_to_read ((DsqColdSqlite *) file, error);
  g_autoptr (GArray) tables = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
  Check self = { .database = database, .problems = problems, .tables = tables };
  gboolean checked;

  if (database == NULL || !dsq_call_check (error))
    return FALSE;
  dsq_database_begin_call (database);
  dsq_record_codec_init (&self.codec, tier->codec.store_id, tier->keys);
  checked = dsq_database_run (database, "BEGIN", PURPOSE, error) && check_pages (&self, error) &&
            check_tables (&self, error);
  dsq_record_codec_clear (&self.codec);
  g_free (self.counts);
  if (!dsq_call_is_cancelled ())
    return checked;
  g_clear_error (error);
  return dsq_call_check (error);
}
