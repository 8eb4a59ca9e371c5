/* dsq-cold-damaged.c - the tables of a file whose last rows cannot be read
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where a table's next place is follows from its last row, and so does how many entries it has. Who
 * writes must know the place, and opens no file where that cannot be read. Who only reads wants
 * what is left: there such a table ends where none can end, so that a walk comes to the damage and
 * tells it, and has the entries that a walk gives before it, and one.
 */

#include "config.h"

#include "cold/dsq-cold-damaged-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "dsq-error.h"

#define PURPOSE "read the tables"

/* The columns of DSQ_COLD_SQL_TABLES, with no row looked at and none counted. */
#define SQL_ALONE                                                                                  \
  "SELECT id, CASE WHEN length (token) <= 1048577 THEN token END,"                                 \
  " CASE WHEN length (mark) <= 57 THEN mark END, (1 << 40) - 1, (1 << 40) - 2, NULL, NULL"         \
  " FROM tables WHERE id >= ?1 AND id <= ?2 ORDER BY id"
#define SQL_NEXT                                                                                   \
  "SELECT max (floor, ifnull ((SELECT max (place) FROM entry WHERE place > ?1 << 40"               \
  " AND place < (?1 + 1) << 40) - (?1 << 40) + 1, 1)), holes FROM tables WHERE id = ?1"
#define SQL_PLACES                                                                                 \
  "SELECT place FROM entry WHERE place > ?1 << 40 AND place < (?1 + 1) << 40 ORDER BY place"

static gboolean
is_damage (const GError *error)
{
  return g_error_matches (error, DSQ_ERROR, DSQ_ERROR_CORRUPT);
}

/* *out_is_read: as it would be in a file that is whole. */
static gboolean
read_next (DsqDatabase *database, DsqTableState *state, gboolean *out_is_read, GError **error)
{
  g_auto (DsqStatement) statement = { NULL };
  g_autoptr (GError) local_error = NULL;
  gint64 next, holes;
  DsqStep step;

  *out_is_read = FALSE;
  if (!dsq_statement_prepare (&statement, database, SQL_NEXT, PURPOSE, error))
    return FALSE;
  dsq_statement_bind_number (&statement, 1, state->table);
  step = dsq_statement_step (&statement, &local_error);
  if (step == DSQ_STEP_FAILED && !is_damage (local_error))
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  if (step != DSQ_STEP_ROW)
    return TRUE;
  next = sqlite3_column_int64 (statement.handle, 0);
  holes = sqlite3_column_int64 (statement.handle, 1);
  if (next > DSQ_FORMAT_POSITION_MAX || holes < 0 || holes > next - 1)
    return TRUE;
  state->next = ((gint64) state->table << DSQ_FORMAT_POSITION_BITS) + next;
  state->count = next - 1 - holes;
  *out_is_read = TRUE;
  return TRUE;
}

static gboolean
count_readable (DsqDatabase *database, DsqTableState *state, GError **error)
{
  g_auto (DsqStatement) statement = { NULL };
  g_autoptr (GError) local_error = NULL;
  gint64 last = 0;
  DsqStep step;

  if (!dsq_statement_prepare (&statement, database, SQL_PLACES, PURPOSE, error))
    return FALSE;
  dsq_statement_bind_number (&statement, 1, state->table);
  state->count = 1;
  while ((step = dsq_statement_step (&statement, &local_error)) == DSQ_STEP_ROW &&
         sqlite3_column_int64 (statement.handle, 0) > last)
    {
      last = sqlite3_column_int64 (statement.handle, 0);
      state->count++;
    }
  if (step != DSQ_STEP_FAILED || is_damage (local_error))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

static gboolean
read_damaged (DsqColdSqlite *self, DsqDatabase *database, GArray *states, GError **error)
{
  g_auto (DsqStatement) alone = { NULL };
  gint64 n_pages;

  if (!dsq_database_get_number (database, "PRAGMA page_count", PURPOSE, &n_pages, error) ||
      !dsq_statement_prepare (&alone, database, SQL_ALONE, PURPOSE, error) ||
      !dsq_cold_read_tables (&self->codec, &alone, states, error))
    return FALSE;
  for (guint i = 0; i < states->len; i++)
    {
      DsqTableState *state = &g_array_index (states, DsqTableState, i);
      gboolean is_read;

      if (!read_next (database, state, &is_read, error) ||
          (!is_read && !count_readable (database, state, error)))
        return FALSE;
      /* numbers that are made up may count more than the file can hold */
      state->count = MIN (state->count, DSQ_COLD_ENTRIES_OF_A_PAGE * n_pages);
    }
  return TRUE;
}

gboolean
dsq_cold_learn_tables (DsqColdSqlite *self,
                       DsqDatabase *database,
                       DsqStatement *statement,
                       GArray *states,
                       GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_autoptr (GArray) damaged = NULL;

  if (dsq_cold_read_tables (&self->codec, statement, states, &local_error))
    return TRUE;
  if (!is_damage (local_error))
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  if (!self->read_only)
    {
      g_set_error (error,
                   DSQ_ERROR,
                   DSQ_ERROR_CORRUPT,
                   "%s; what is left can be read where the file is opened to be read only",
                   local_error->message);
      return FALSE;
    }
  damaged = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
  if (!read_damaged (self, database, damaged, error))
    return FALSE;
  dsq_cold_copy_tables (states, damaged);
  return TRUE;
}
