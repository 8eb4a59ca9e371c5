/* dsq-cold-space.c - how much of the file is in use, and giving the rest back
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-space-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "cold/dsq-cold-writer-private.h"

/*
 * What is removed leaves free pages, which later entries take. Only when they are more than a
 * quarter of the file, and not just a few, do they go back to the file system: SQLite moves pages
 * from the file's end into them, some at a time, and the file is cut at the next checkpoint. Files
 * whose auto_vacuum is not INCREMENTAL, as those of other writers may be, keep their size.
 */

#define LEAST_FREE    (256 << 10) /* bytes */
#define FREE_FRACTION 4

static gboolean
ask (DsqColdSqlite *self, DsqColdWrite which, gint64 *out_number, GError **error)
{
  DsqStatement *statement = &self->writer.statements[which];
  DsqStep step = dsq_statement_step (statement, error);

  *out_number = step == DSQ_STEP_ROW ? sqlite3_column_int64 (statement->handle, 0) : 0;
  dsq_statement_reset (statement);
  return step != DSQ_STEP_FAILED;
}

gboolean
dsq_cold_get_used (DsqColdFile *file, guint64 *out_bytes, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) file;
  gint64 n_pages, n_free;

  if (!ask (self, DSQ_COLD_WRITE_PAGE_COUNT, &n_pages, error) ||
      !ask (self, DSQ_COLD_WRITE_FREE_COUNT, &n_free, error))
    return FALSE;
  *out_bytes = (guint64) MAX (n_pages - n_free, 0) * self->page_size;
  return TRUE;
}

/* Each step of the pragma gives back one page. */
static gboolean
give_back (DsqColdSqlite *self, guint n_pages, GError **error)
{
  g_autofree char *sql = g_strdup_printf ("PRAGMA incremental_vacuum (%u)", n_pages);
  g_auto (DsqStatement) statement = { NULL };
  DsqStep step;

  if (!dsq_statement_prepare (&statement, self->writer.database, sql, "shrink the file", error))
    return FALSE;
  do
    step = dsq_statement_step (&statement, error);
  while (step == DSQ_STEP_ROW);
  return step == DSQ_STEP_DONE;
}

gboolean
dsq_cold_shrink (DsqColdFile *file, guint max_bytes, gboolean *out_more, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) file;
  const gint64 least_free = MAX (LEAST_FREE / self->page_size, 1);
  const gint64 max_pages = MAX (max_bytes / self->page_size, 1);
  gint64 n_pages, n_free;

  *out_more = FALSE;
  if (!self->can_shrink)
    return TRUE;
  if (!ask (self, DSQ_COLD_WRITE_FREE_COUNT, &n_free, error) ||
      (n_free >= least_free && !ask (self, DSQ_COLD_WRITE_PAGE_COUNT, &n_pages, error)))
    return FALSE;
  if (n_free < least_free || n_free < n_pages / FREE_FRACTION)
    return TRUE;

  if (!dsq_cold_begin (&file->tier, error))
    return FALSE;
  if (!give_back (self, (guint) MIN (n_free, max_pages), error))
    {
      dsq_cold_rollback (&file->tier);
      return FALSE;
    }
  self->writer.has_changed = TRUE;
  *out_more = n_free > max_pages;
  return dsq_cold_commit (&file->tier, NULL, NULL, error);
}

gboolean
dsq_cold_space_init (DsqColdSqlite *self, GError **error)
{
  DsqDatabase *database = self->writer.database;
  gint64 page_size, vacuum;

  if (!dsq_database_get_number (database,
                                "PRAGMA page_size",
                                "open the store",
                                &page_size,
                                error) ||
      !dsq_database_get_number (database, "PRAGMA auto_vacuum", "open the store", &vacuum, error))
    return FALSE;
  self->page_size = (guint) page_size;
  self->can_shrink = vacuum == 2; /* incremental */
  return TRUE;
}
