/* dsq-row-source-private.h - rows that are in memory, as a table of a statement
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sqlite/dsq-statement-private.h"

G_BEGIN_DECLS

/*
 * A statement that is bound and stepped for each row or key costs as much as what is done to the
 * tree. Here one statement goes through rows that it is given one after another:
 *
 *   next     the next row, please
 *   column   its columns, as the statement needs them
 *   next     ...
 *
 * The table is the connection's own, and stands in no schema.
 */

typedef struct
{
  const char *name;    /* of the table */
  const char *columns; /* "CREATE TABLE rows (a, b)" */
  /* DSQ_STEP_FAILED ends the statement, with the error that it sets. */
  DsqStep (*next) (gpointer user_data, GError **error);
  /* Gives a column of the row by a sqlite3_result_ function; what it borrows must last until the
   * next row. NULL if it gives none. */
  void (*column) (gpointer user_data, sqlite3_context *context, int at);
} DsqRowSourceFuncs;

/* Belongs to its connection's thread. */
typedef struct
{
  const DsqRowSourceFuncs *funcs; /* (unowned) (static) */
  gpointer user_data;             /* (unowned) (nullable) NULL: nobody has rows for it now */
  DsqStep step;
  GError *error; /* (owned) (nullable) that ended the statement */
} DsqRowSource;

/* The source must outlive the connection's statements. */
gboolean dsq_row_source_add (DsqRowSource *self,
                             DsqDatabase *database,
                             const DsqRowSourceFuncs *funcs,
                             const char *purpose,
                             GError **error);

/* Around the steps of one statement. The end takes what the source has failed with in the place of
 * *error, which SQLite has made of it. */
void dsq_row_source_begin (DsqRowSource *self, gpointer user_data);
void dsq_row_source_end (DsqRowSource *self, GError **error);

G_END_DECLS
