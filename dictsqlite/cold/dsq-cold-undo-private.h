/* dsq-cold-undo-private.h - what the transaction under way has changed of the tables
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-types-private.h"

G_BEGIN_DECLS

/* Of one transaction at a time, guarded like it. */
typedef struct
{
  GArray *steps;  /* (owned) of Step, oldest first */
  guint32 now;    /* the mark of states noted since the last savepoint */
  guint32 oldest; /* the first mark of the transaction */
} DsqColdUndo;

void dsq_cold_undo_init (DsqColdUndo *self);
void dsq_cold_undo_clear (DsqColdUndo *self);

/* A transaction begins: @tables, of DsqTableState in the order of their ids, are what an undoing
 * would bring back. */
void dsq_cold_undo_begin (DsqColdUndo *self, GArray *tables);
/* What dsq_cold_undo_back_to() goes back to. */
guint dsq_cold_undo_get_savepoint (DsqColdUndo *self);
/* 0: to the beginning. */
void dsq_cold_undo_back_to (DsqColdUndo *self, guint savepoint, GArray *tables);

DsqTableState *dsq_cold_undo_find (GArray *tables, guint32 table);
/* To be changed: NULL where there is no such table. */
DsqTableState *dsq_cold_undo_change (DsqColdUndo *self, GArray *tables, guint32 table);
/* To be changed by @change, an entry's: DSQ_ERROR_NO_TABLE where there is no such table. */
DsqTableState *dsq_cold_undo_change_for (DsqColdUndo *self,
                                         GArray *tables,
                                         const DsqChange *change,
                                         GError **error);
/* @state, whose id is the greatest. */
void dsq_cold_undo_make (DsqColdUndo *self, GArray *tables, const DsqTableState *state);
/* One that is there. */
void dsq_cold_undo_drop (DsqColdUndo *self, GArray *tables, guint32 table);

/* The state that the step noted, if it is the first of its table in the transaction, else NULL:
 * what the table was at the beginning, or empty if it has been made since. */
const DsqTableState *dsq_cold_undo_get_first (const DsqColdUndo *self, guint step);

G_END_DECLS
