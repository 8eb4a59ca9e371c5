/* dsq-cold-check.c - whether the whole store is sound
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * First SQLite looks at the pages and indexes of a file, then every row is decoded as reading it
 * would, and counted; all of it on one connection, in one read transaction. What a damaged row says
 * is not repeated: it may be hostile.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/dsq-call-private.h"
#include "codec/dsq-format-private.h"
#include "codec/dsq-utf8-private.h"
#include "cold/dsq-cold-copies-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "dsq-error.h"

#define PURPOSE "check the store"

/* Problems after which looking for more is given up. */
#define MAX_PROBLEMS 100

typedef struct
{
  DsqColdSource *source; /* (unowned) */
  GPtrArray *problems;   /* (unowned) */
  GArray *tables;        /* (owned) of DsqTableState, as the store says */
  gint64 *counts;        /* (owned) rows found of each */
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
read_pages (DsqDatabase *database, GPtrArray *lines, GError **error)
{
  g_auto (DsqStatement) statement = { NULL };
  DsqStep step;
  int code = 0;

  if (!dsq_statement_prepare (&statement, database, "PRAGMA integrity_check (100)", PURPOSE, error))
    return FALSE;
  do
    step = dsq_statement_step (&statement, error);
  while (step == DSQ_STEP_ROW &&
         note_pages ((const char *) sqlite3_column_text (statement.handle, 0), lines, &code));
  if (code != 0)
    dsq_database_set_error (database, code, PURPOSE, error);
  return step == DSQ_STEP_DONE;
}

/* SQLite does not say of each problem whether it is that a page could not be read. What is wrong is
 * wrong a second time. */
static gboolean
check_pages (Check *self, DsqDatabase *database, GError **error)
{
  g_autoptr (GPtrArray) first = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  GError *damage = NULL;

  if (!read_pages (database, first, &damage) ||
      (first->len > 0 && !read_pages (database, lines, &damage)))
    return report_damage (self, damage, error);
  for (guint i = 0; i < lines->len; i++)
    report (self, "SQLite: %s", (const char *) lines->pdata[i]);
  if (first->len == 0 || lines->len > 0)
    return TRUE;
  dsq_database_set_error (database, SQLITE_IOERR_READ, PURPOSE, error);
  return FALSE;
}

/* --- rows ------------------------------------------------------------------------------------- */

static void
check_row (Check *self, const DsqColdStoredRow *row)
{
  const DsqTableState *state = dsq_cold_find_state (self->tables, row->table);
  g_autoptr (DsqEntry) entry = NULL;
  g_autoptr (GError) error = NULL;

  if (state == NULL || row->place >> DSQ_FORMAT_POSITION_BITS != row->table ||
      (row->place & DSQ_FORMAT_POSITION_MAX) == 0)
    {
      report (self, "entry %" G_GINT64_FORMAT ": it is in no table", row->place);
      return;
    }
  self->counts[state - &g_array_index (self->tables, DsqTableState, 0)]++;
  entry = dsq_cold_decode_stored_row (&self->source->codec, row, FALSE, &error);
  if (entry == NULL)
    report (self, "entry %" G_GINT64_FORMAT ": %s", row->place, error->message);
}

static gboolean
check_rows (Check *self, GError **error)
{
  DsqStep step = DSQ_STEP_ROW;
  GError *damage = NULL;
  DsqColdStoredRow row;

  while (step == DSQ_STEP_ROW && !is_full (self))
    {
      step = self->source->funcs->next_row (self->source, &row, &damage);
      if (step == DSQ_STEP_ROW)
        check_row (self, &row);
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
  DsqStep step = DSQ_STEP_ROW;
  DsqColdStoredTable table;
  GError *damage = NULL;

  /* those that there are, and the gravestone: they have just been read, in an order that ends */
  for (guint i = 0; i <= self->tables->len && step == DSQ_STEP_ROW; i++)
    {
      g_autoptr (GError) local_error = NULL;
      g_autoptr (GBytes) name = NULL;

      step = self->source->funcs->next_table (self->source, &table, &damage);
      if (step != DSQ_STEP_ROW || table.id == DSQ_TABLE_MAIN ||
          dsq_cold_find_state (self->tables, table.id) == NULL)
        continue;
      name = dsq_cold_decode_stored_table (&self->source->codec, &table, &local_error);
      if (name == NULL)
        report (self, "table %" G_GINT64_FORMAT ": %s", table.id, local_error->message);
    }
  return step != DSQ_STEP_FAILED || report_damage (self, damage, error);
}

static gboolean
check_source (Check *self, GError **error)
{
  GError *damage = NULL;

  if (!self->source->funcs->read_tables (self->source, self->tables, &damage))
    return report_damage (self, damage, error);
  self->counts = g_new0 (gint64, self->tables->len);
  return check_names (self, error) && check_rows (self, error);
}

/* --- the call --------------------------------------------------------------------------------- */

static void
check_init (Check *self, DsqColdSource *source, GPtrArray *problems)
{
  *self = (Check){ .source = source, .problems = problems };
  self->tables = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
}

static void
check_clear (Check *self)
{
  g_array_unref (self->tables);
  g_free (self->counts);
}

gboolean
dsq_cold_check_source (DsqColdSource *source, GPtrArray *problems, GError **error)
{
  gboolean checked;
  Check self;

  check_init (&self, source, problems);
  checked = check_source (&self, error);
  check_clear (&self);
  return checked;
}

gboolean
dsq_cold_check (DsqColdTier *tier, GPtrArray *problems, GError **error)
{
  DsqColdSqlite *sqlite = (DsqColdSqlite *) tier;
  g_autoptr (DsqDatabase) database = dsq_cold_open_to_read (sqlite, error);
  DsqColdFileSource source;
  gboolean checked;
  Check self;

  if (database == NULL || !dsq_call_check (error))
    return FALSE;
  dsq_database_begin_call (database);
  dsq_cold_file_source_init (&source, database, PURPOSE, sqlite->codec.store_id, sqlite->keys);
  check_init (&self, &source.source, problems);
  checked = dsq_database_run (database, "BEGIN", PURPOSE, error) &&
            check_pages (&self, database, error) && check_source (&self, error);
  check_clear (&self);
  dsq_cold_file_source_clear (&source);
  if (!dsq_call_is_cancelled ())
    return checked;
  g_clear_error (error);
  return dsq_call_check (error);
}
