/* dsq-cold-changes.c - bringing changes into the transaction
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "codec/dsq-format-private.h"
#include "cold/dsq-cold-ahead-private.h"
#include "cold/dsq-cold-changes-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "cold/dsq-cold-writer-private.h"
#include "dsq-error.h"

/* Changes between two looks at the cancellable. */
#define CANCEL_STEPS 256

DsqTableState *
dsq_cold_find_table (DsqColdSqlite *self, guint32 table)
{
  return dsq_cold_undo_find (self->tables, table);
}

gboolean
dsq_cold_save_table (DsqColdSqlite *self, const DsqTableState *state, GError **error)
{
  DsqStatement *statement = &self->writer.statements[DSQ_COLD_WRITE_SAVE_TABLE];

  dsq_statement_bind_number (statement, 1, state->table);
  dsq_statement_bind_number (statement, 2, dsq_cold_get_floor (state));
  dsq_statement_bind_number (statement, 3, dsq_cold_get_holes (state));
  return dsq_statement_run (statement, error);
}

static gboolean
is_listed (guint32 table, gpointer user_data)
{
  return dsq_cold_find_table (user_data, table) != NULL;
}

/* Those of tables that were dropped, or not made after all. */
void
dsq_cold_forget_marks (DsqColdSqlite *self)
{
  if (G_UNLIKELY (dsq_marks_get_size (self->codec.marks) > self->tables->len))
    dsq_marks_prune (self->codec.marks, is_listed, self);
}

static gboolean
disagree (GError **error)
{
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_CORRUPT,
               "Failed to write an entry: the file does not hold the rows that it should");
  return FALSE;
}

/* --- clearing --------------------------------------------------------------------------------- */

/* Whether other tables have rows. */
static gboolean
has_others (DsqColdSqlite *self, gint64 first, gint64 last, gboolean *out_has, GError **error)
{
  DsqStatement *statement = &self->writer.statements[DSQ_COLD_WRITE_HAS_OTHERS];
  DsqStep step = DSQ_STEP_DONE;

  if (self->tables->len > 1)
    {
      dsq_statement_bind_number (statement, 1, first);
      dsq_statement_bind_number (statement, 2, last);
      step = dsq_statement_step (statement, error);
      dsq_statement_reset (statement);
    }
  *out_has = step == DSQ_STEP_ROW;
  return step != DSQ_STEP_FAILED;
}

/* Without a condition SQLite drops whole pages at once, and writes none of them into the log, so
 * the only table that has rows goes that way. */
gboolean
dsq_cold_clear_table (DsqColdTier *tier, guint32 table, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqColdWriter *writer = &self->writer;
  DsqTableState *state = dsq_cold_undo_change (&writer->undo, self->tables, table);
  DsqStatement *statement = &writer->statements[DSQ_COLD_WRITE_CLEAR_ALL];
  gint64 first = (gint64) table << DSQ_FORMAT_POSITION_BITS;
  gint64 last = first | DSQ_FORMAT_POSITION_MAX;
  gboolean has, success;
  int n_removed;

  if (state == NULL)
    return TRUE;
  if (!has_others (self, first, last, &has, error))
    return FALSE;
  if (has)
    {
      statement = &writer->statements[DSQ_COLD_WRITE_CLEAR];
      dsq_statement_bind_number (statement, 1, first);
      dsq_statement_bind_number (statement, 2, last);
    }
  /* one that is ended takes the transaction with it: not that of others */
  writer->database->is_unstoppable = writer->in_savepoint;
  success = dsq_statement_run (statement, error);
  writer->database->is_unstoppable = TRUE;
  if (!success)
    return FALSE;
  n_removed = sqlite3_changes (writer->database->handle);
  if (state->count != 0 || n_removed != 0)
    writer->has_changed = TRUE;
  if (self->facts != NULL)
    dsq_facts_add_everything (self->facts);
  /* of rows that were not counted its holes do not tell, and next would not be behind them */
  if (state->count == 0 && n_removed != 0)
    return dsq_cold_save_table (self, state, error);
  state->count = 0;
  return TRUE;
}

/* --- removing --------------------------------------------------------------------------------- */

/* Removes the row, and tells in @change's presence whether there was one. */
static gboolean
remove_row (DsqColdSqlite *self,
            DsqTableState *state,
            DsqChange *change,
            const DsqColdColumns *row,
            GError **error)
{
  DsqColdWriter *writer = &self->writer;
  DsqStatement *statement = &writer->statements[DSQ_COLD_WRITE_REMOVE];
  const DsqEntry *entry = change->entry;
  DsqToken token;
  gboolean removed;

  if (change->presence == DSQ_PRESENCE_ABSENT)
    return TRUE;
  if (row == NULL)
    dsq_row_make_token (&self->codec,
                        entry->table,
                        dsq_entry_key (entry),
                        entry->key_length,
                        &token);
  dsq_cold_bind_token (statement, 1, 2, entry->table, row != NULL ? &row->token : &token);
  if (!dsq_statement_run (statement, error))
    return FALSE;

  removed = sqlite3_changes (writer->database->handle) != 0;
  if (removed ? state->count == 0 : change->presence == DSQ_PRESENCE_PRESENT)
    return disagree (error);
  change->presence = removed ? DSQ_PRESENCE_PRESENT : DSQ_PRESENCE_ABSENT;
  if (removed)
    {
      writer->has_changed = TRUE;
      state->count--;
    }
  return TRUE;
}

/* --- setting ---------------------------------------------------------------------------------- */

static gboolean
write_row (DsqColdSqlite *self,
           DsqColdWrite which,
           const DsqChange *change,
           gint64 place,
           const DsqColdColumns *row,
           GError **error)
{
  DsqColdWriter *writer = &self->writer;
  DsqStatement *statement = &writer->statements[which];
  const DsqEntry *entry = change->entry;
  gboolean is_update = which == DSQ_COLD_WRITE_UPDATE;
  DsqColdColumns own;

  if (row == NULL)
    {
      dsq_cold_buffer_make_room (&writer->buffer,
                                 dsq_cold_row_length (&self->codec, entry, !is_update));
      if (!dsq_cold_encode_row (&self->codec, entry, !is_update, writer->buffer.bytes, &own, error))
        return FALSE;
      row = &own;
    }
  dsq_cold_bind_row (statement, entry, place, row);
  if (!dsq_statement_run (statement, error))
    return FALSE;
  writer->has_changed = TRUE;
  return TRUE;
}

/* Whether it inserted shows in the last rowid, which an update leaves as it was. */
static gboolean
upsert_row (DsqColdSqlite *self,
            DsqTableState *state,
            DsqChange *change,
            gint64 place,
            const DsqColdColumns *row,
            GError **error)
{
  sqlite3 *handle = self->writer.database->handle;

  sqlite3_set_last_insert_rowid (handle, 0);
  if (!write_row (self, DSQ_COLD_WRITE_UPSERT, change, place, row, error))
    return FALSE;
  change->presence = DSQ_PRESENCE_PRESENT;
  if (sqlite3_last_insert_rowid (handle) == place)
    {
      change->presence = DSQ_PRESENCE_ABSENT;
      dsq_cold_count_inserted (state, place);
    }
  return TRUE;
}

static gboolean
update_row (DsqColdSqlite *self, const DsqChange *change, const DsqColdColumns *row, GError **error)
{
  return write_row (self, DSQ_COLD_WRITE_UPDATE, change, 0, row, error) &&
         (sqlite3_changes (self->writer.database->handle) == 1 || disagree (error));
}

static gboolean
insert_row (DsqColdSqlite *self,
            DsqTableState *state,
            const DsqChange *change,
            gint64 place,
            const DsqColdColumns *row,
            GError **error)
{
  if (!write_row (self, DSQ_COLD_WRITE_INSERT, change, place, row, error))
    return FALSE;
  dsq_cold_count_inserted (state, place);
  return TRUE;
}

/* The filter knows some keys to be absent, and has to know of those that come. */
static void
ask_filter (DsqColdSqlite *self, DsqChange *change)
{
  DsqFilter *filter = self->file.tier.filter->bits;
  DsqKey key;

  if (change->presence == DSQ_PRESENCE_PRESENT || !dsq_filter_is_active (filter))
    return;
  key = dsq_change_key (change);
  if (change->presence == DSQ_PRESENCE_UNKNOWN && !dsq_filter_may_contain (filter, key.hash))
    change->presence = DSQ_PRESENCE_ABSENT;
  if (!dsq_entry_is_tombstone (change->entry))
    dsq_filter_add (filter, key.hash);
}

/* @row may be NULL: then it is encoded here. */
static gboolean
apply_change (DsqColdSqlite *self, DsqChange *change, const DsqColdColumns *row, GError **error)
{
  DsqTableState *state = dsq_cold_undo_change_for (&self->writer.undo, self->tables, change, error);
  gint64 place;

  if (state == NULL)
    return FALSE;
  ask_filter (self, change);
  if (dsq_entry_is_tombstone (change->entry))
    return remove_row (self, state, change, row, error);
  if (!dsq_cold_has_name (change))
    return update_row (self, change, row, error);
  if (!dsq_cold_find_place (state, change, &place, error))
    return FALSE;
  if (change->presence == DSQ_PRESENCE_UNKNOWN && !change->reinsert)
    return upsert_row (self, state, change, place, row, error);
  return remove_row (self, state, change, row, error) &&
         insert_row (self, state, change, place, row, error);
}

/* --- many at once ----------------------------------------------------------------------------- */

/* So few are written one by one, and so many at a time: SQLite keeps pages that one statement
 * changes as they were before it, as long as it runs. */
#define MIN_RUN 8
#define MAX_RUN 4096
/* Where a statement only inserts, what is there already costs more than by itself: so many tell how
 * it is with the rest. */
#define TRIAL_RUN 256

/* Sets of keys that may be new, which one statement writes. */
typedef struct
{
  DsqColdSqlite *tier; /* (unowned) */
  DsqColdAhead *ahead; /* (unowned) (nullable) */
  DsqChange *changes;  /* (unowned) */
  gsize n_changes;
  gsize n_given;
  gsize n_inserted;
  DsqTableState *state; /* (unowned) (nullable) of the last one's table */
  DsqColdColumns own;   /* of the last row, where nobody seals ahead */
} Run;

static gboolean
inserts_only (const DsqColdSqlite *self)
{
  return self->codec.keys != NULL;
}

/* The change that was given last is written, or what it overwrites is left to be updated here. */
static gboolean
settle_run (Run *self, gboolean inserted, const DsqColdStreamRow *row, GError **error)
{
  DsqChange *change = &self->changes[self->n_given - 1];

  if (!inserted && change->presence == DSQ_PRESENCE_ABSENT)
    return disagree (error);
  change->presence = inserted ? DSQ_PRESENCE_ABSENT : DSQ_PRESENCE_PRESENT;
  if (!inserted)
    return !inserts_only (self->tier) || update_row (self->tier, change, row->columns, error);
  self->n_inserted++;
  dsq_cold_count_inserted (self->state, row->place);
  return TRUE;
}

static const DsqColdColumns *
encode_change (Run *self, const DsqChange *change, GError **error)
{
  const DsqRecordCodec *codec = &self->tier->codec;
  DsqColdBuffer *buffer = &self->tier->writer.buffer;

  if (self->ahead != NULL)
    return dsq_cold_ahead_next (self->ahead, error);
  dsq_cold_buffer_make_room (buffer, dsq_cold_row_length (codec, change->entry, TRUE));
  if (!dsq_cold_encode_row (codec, change->entry, TRUE, buffer->bytes, &self->own, error))
    return NULL;
  return &self->own;
}

static DsqStep
next_of_run (gboolean inserted, DsqColdStreamRow *row, gpointer user_data, GError **error)
{
  Run *self = user_data;
  DsqChange *change;

  if (self->n_given > 0 && !settle_run (self, inserted, row, error))
    return DSQ_STEP_FAILED;
  if (self->n_given == self->n_changes)
    return DSQ_STEP_DONE;
  if (self->n_given % CANCEL_STEPS == 0 && !dsq_call_check (error))
    return DSQ_STEP_FAILED;
  change = &self->changes[self->n_given++];
  if (self->state == NULL || self->state->table != change->entry->table)
    self->state =
        dsq_cold_undo_change_for (&self->tier->writer.undo, self->tier->tables, change, error);
  if (self->state == NULL || (row->columns = encode_change (self, change, error)) == NULL)
    return DSQ_STEP_FAILED;
  ask_filter (self->tier, change);
  row->entry = change->entry;
  return dsq_cold_find_place (self->state, change, &row->place, error) ? DSQ_STEP_ROW
                                                                       : DSQ_STEP_FAILED;
}

/* How many changes from the first on are of that kind. A row that is known to be there is changed
 * faster by itself: such come in no order, so that SQLite would keep a page for nearly each. */
static gsize
measure_run (const DsqChange *changes, gsize n_changes)
{
  gsize n = 0;

  while (n < n_changes && changes[n].entry != NULL && !changes[n].reinsert &&
         changes[n].presence != DSQ_PRESENCE_PRESENT && !dsq_entry_is_tombstone (changes[n].entry))
    n++;
  return n;
}

static gboolean
apply_one (DsqColdSqlite *self, DsqChange *change, DsqColdAhead *ahead, GError **error)
{
  const DsqColdColumns *row = NULL;

  if (ahead != NULL && (row = dsq_cold_ahead_next (ahead, error)) == NULL)
    return FALSE;
  return change->entry == NULL || apply_change (self, change, row, error);
}

/* *max_run: of the next one. */
static gboolean
apply_run (DsqColdSqlite *self,
           DsqChange *changes,
           gsize n_changes,
           DsqColdAhead *ahead,
           gsize *max_run,
           GError **error)
{
  Run run = { .tier = self, .ahead = ahead, .changes = changes, .n_changes = n_changes };

  self->writer.has_changed = TRUE;
  if (!dsq_cold_stream_write (self->writer.stream, next_of_run, &run, error))
    return FALSE;
  if (inserts_only (self))
    *max_run = run.n_inserted >= n_changes / 2 ? MAX_RUN : 0;
  return TRUE;
}

static gboolean
apply_all (DsqColdSqlite *self,
           DsqChange *changes,
           gsize n_changes,
           DsqColdAhead *ahead,
           GError **error)
{
  gsize max_run = inserts_only (self) ? TRIAL_RUN : MAX_RUN;
  gsize n_asked = 0;
  gsize n_run;

  if (self->writer.stream == NULL)
    max_run = 0;
  for (gsize i = 0; i < n_changes; i += n_run)
    {
      if (i >= n_asked)
        {
          dsq_call_ask ();
          if (!dsq_call_check (error))
            return FALSE;
          n_asked = i + CANCEL_STEPS;
        }
      n_run = measure_run (changes + i, MIN (n_changes - i, max_run));
      if (n_run >= MIN_RUN)
        {
          if (!apply_run (self, changes + i, n_run, ahead, &max_run, error))
            return FALSE;
          continue;
        }
      n_run = MAX (n_run, 1);
      for (gsize j = i; j < i + n_run; j++)
        if (!apply_one (self, &changes[j], ahead, error))
          return FALSE;
    }
  return TRUE;
}

gboolean
dsq_cold_apply (DsqColdTier *tier, DsqChange *changes, gsize n_changes, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqColdAhead *ahead = NULL;
  gboolean applied;

  /* whichever way a change is written, others are told of it */
  for (gsize i = 0; self->facts != NULL && i < n_changes; i++)
    if (changes[i].entry != NULL)
      dsq_facts_add (self->facts, changes[i].entry);
  if (self->seals_ahead && self->codec.keys != NULL && n_changes >= DSQ_COLD_AHEAD_MIN &&
      g_get_num_processors () > 1)
    ahead = dsq_cold_ahead_start (&self->codec, changes, n_changes);
  applied = apply_all (self, changes, n_changes, ahead, error);
  if (ahead != NULL)
    dsq_cold_ahead_finish (ahead);
  return applied;
}
