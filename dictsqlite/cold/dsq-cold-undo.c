/* dsq-cold-undo.c - what the transaction under way has changed of the tables
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A store may have any number of tables, and a transaction changes few. So the list of their states
 * is changed in place, and what a state was is noted when it is first changed after the beginning
 * or a savepoint: a state bears the mark of the time it was noted at. Undoing goes through the
 * steps from the last to the first, so that each finds the list as it left it.
 */

#include "config.h"

#include "cold/dsq-cold-undo-private.h"
#include "dsq-error.h"

typedef enum
{
  STEP_CHANGED,
  STEP_MADE,
  STEP_DROPPED
} Kind;

typedef struct
{
  DsqTableState before;
  Kind kind;
} Step;

void
dsq_cold_undo_init (DsqColdUndo *self)
{
  self->steps = g_array_new (FALSE, FALSE, sizeof (Step));
}

void
dsq_cold_undo_clear (DsqColdUndo *self)
{
  g_clear_pointer (&self->steps, g_array_unref);
}

void
dsq_cold_undo_begin (DsqColdUndo *self, GArray *tables)
{
  g_array_set_size (self->steps, 0);
  /* long before a mark could come again */
  if (G_UNLIKELY (self->now >= G_MAXINT32))
    {
      for (guint i = 0; i < tables->len; i++)
        g_array_index (tables, DsqTableState, i).noted = 0;
      self->now = 0;
    }
  self->oldest = ++self->now;
}

guint
dsq_cold_undo_get_savepoint (DsqColdUndo *self)
{
  self->now++;
  return self->steps->len;
}

/* The place of the table, or where it would be. */
static guint
find_index (const GArray *tables, guint32 table)
{
  guint begin = 0, end = tables->len;

  while (begin < end)
    {
      guint middle = (begin + end) / 2;

      if (g_array_index (tables, DsqTableState, middle).table < table)
        begin = middle + 1;
      else
        end = middle;
    }
  return begin;
}

DsqTableState *
dsq_cold_undo_find (GArray *tables, guint32 table)
{
  guint i = find_index (tables, table);

  if (i == tables->len || g_array_index (tables, DsqTableState, i).table != table)
    return NULL;
  return &g_array_index (tables, DsqTableState, i);
}

void
dsq_cold_undo_back_to (DsqColdUndo *self, guint savepoint, GArray *tables)
{
  for (guint i = self->steps->len; i > savepoint; i--)
    {
      const Step *step = &g_array_index (self->steps, Step, i - 1);
      guint at = find_index (tables, step->before.table);

      if (step->kind == STEP_CHANGED)
        g_array_index (tables, DsqTableState, at) = step->before;
      else if (step->kind == STEP_MADE)
        g_array_remove_index (tables, at);
      else
        g_array_insert_val (tables, at, step->before);
    }
  g_array_set_size (self->steps, savepoint);
}

static void
note (DsqColdUndo *self, Kind kind, DsqTableState *state)
{
  Step step = { *state, kind };

  g_array_append_val (self->steps, step);
  state->noted = self->now;
}

DsqTableState *
dsq_cold_undo_change (DsqColdUndo *self, GArray *tables, guint32 table)
{
  DsqTableState *state = dsq_cold_undo_find (tables, table);

  if (state != NULL && state->noted != self->now)
    note (self, STEP_CHANGED, state);
  return state;
}

DsqTableState *
dsq_cold_undo_change_for (DsqColdUndo *self,
                          GArray *tables,
                          const DsqChange *change,
                          GError **error)
{
  DsqTableState *state = dsq_cold_undo_change (self, tables, change->entry->table);

  if (state == NULL)
    g_set_error_literal (error,
                         DSQ_ERROR,
                         DSQ_ERROR_NO_TABLE,
                         "Failed to write an entry: its table was dropped");
  return state;
}

void
dsq_cold_undo_make (DsqColdUndo *self, GArray *tables, const DsqTableState *state)
{
  DsqTableState made = *state;

  made.noted = 0;
  note (self, STEP_MADE, &made);
  g_array_append_val (tables, made);
}

void
dsq_cold_undo_drop (DsqColdUndo *self, GArray *tables, guint32 table)
{
  guint at = find_index (tables, table);

  note (self, STEP_DROPPED, &g_array_index (tables, DsqTableState, at));
  g_array_remove_index (tables, at);
}

const DsqTableState *
dsq_cold_undo_get_first (const DsqColdUndo *self, guint step)
{
  const DsqTableState *before = &g_array_index (self->steps, Step, step).before;

  return before->noted < self->oldest ? before : NULL;
}
