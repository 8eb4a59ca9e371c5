/* dsq-server-writes.c - some changes on their way into the transaction
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Changes go by thousands: one statement finds out which of their keys are there, what becomes of
 * each is then worked out here, in the order of the changes, and two more statements set and remove
 * what is different in the end; many rows that are new go by a COPY behind these, where there is
 * one.
 */

#include "config.h"

#include <string.h>

#include "cold/postgresql/dsq-server-funcs-private.h"
#include "cold/postgresql/dsq-server-row-private.h"
#include "dsq-error.h"

/* Values that are written by the commit, which nothing cancels, are no more. */
#define MAX_BYTES_LATER (1u << 16)
/* Of the filter of what a transaction has put into a table. */
#define MAX_FILTER_BYTES (64u << 20)

/* A key of a round, as it is after the changes so far. */
typedef struct
{
  DsqKey key;            /* its bytes are the change's, or those that were foreseen */
  DsqToken token;        /* may borrow from the key */
  gint64 place_before;   /* 0: it was not there */
  gint64 place;          /* 0: it is not there */
  const DsqEntry *entry; /* (unowned) what is to be written; NULL: nothing */
} Target;

struct _DsqServerRound
{
  DsqColdServer *tier; /* (unowned) */
  DsqChange *changes;  /* (unowned) */
  gsize n_changes;
  Target *targets; /* (owned) in the order of their first changes */
  guint n_targets;
  GHashTable *by_key;  /* (owned) of the same, by key */
  Target **of_changes; /* (owned) that of each change, NULL where there is none */
  Target **asked;      /* (owned) those that were looked for */
  guint n_asked;
  GByteArray *row; /* (owned) the columns of one */
};

static guint
hash_target (gconstpointer key)
{
  return (guint) ((const Target *) key)->key.hash;
}

static gboolean
is_same_target (gconstpointer a, gconstpointer b)
{
  const DsqKey *one = &((const Target *) a)->key, *other = &((const Target *) b)->key;

  return one->hash == other->hash && one->table == other->table && one->length == other->length &&
         memcmp (one->bytes, other->bytes, one->length) == 0;
}

static DsqServerRound *
round_new (DsqColdServer *tier, DsqChange *changes, gsize n)
{
  DsqServerRound *self = g_new0 (DsqServerRound, 1);

  self->tier = tier;
  self->changes = changes;
  self->n_changes = n;
  self->targets = g_new (Target, n);
  self->by_key = g_hash_table_new (hash_target, is_same_target);
  self->of_changes = g_new0 (Target *, n);
  self->asked = g_new (Target *, n);
  self->row = g_byte_array_new ();
  return self;
}

void
dsq_server_round_free (DsqServerRound *self)
{
  g_byte_array_unref (self->row);
  g_free (self->asked);
  g_free (self->of_changes);
  g_hash_table_unref (self->by_key);
  g_free (self->targets);
  g_free (self);
}

static Target *
add_target (DsqServerRound *self, const DsqKey *key)
{
  Target *target = &self->targets[self->n_targets];
  Target *known;

  target->key = *key;
  known = g_hash_table_lookup (self->by_key, target);
  if (known != NULL)
    return known;
  dsq_row_make_token (&self->tier->codec, key->table, key->bytes, key->length, &target->token);
  target->place_before = target->place = 0;
  target->entry = NULL;
  g_hash_table_add (self->by_key, target);
  self->n_targets++;
  return target;
}

/* --- what is there ---------------------------------------------------------------------------- */

/* A table without rows has no key, and nobody else can put one there: the store's row is locked,
 * and its count is what all who have written made it under that lock, of whatever rows there were.
 * From then on a key is there only if this transaction has put it. */
static void
note_emptied (DsqServerRound *self)
{
  DsqServerWriter *writer = &self->tier->writer;
  const guint32 table = self->targets[0].key.table;
  const DsqTableState *state = dsq_cold_undo_find (writer->tables, table);

  if (state == NULL || state->count > 0 || self->n_targets < DSQ_SERVER_MIN_COPIED)
    return;
  writer->emptied = table;
  if (writer->put == NULL)
    writer->put = dsq_filter_new (MAX_FILTER_BYTES);
  dsq_filter_finish (writer->put, dsq_filter_begin (writer->put, self->n_targets));
}

/* Or the rows will tell. */
static gboolean
is_absent (const DsqServerWriter *writer, const Target *target)
{
  return writer->takes_for_new || (target->key.table == writer->emptied &&
                                   !dsq_filter_may_contain (writer->put, target->key.hash));
}

void
dsq_server_forget_emptied (DsqColdServer *tier)
{
  tier->writer.emptied = 0;
  g_clear_pointer (&tier->writer.put, dsq_filter_free);
}

DsqServerQueued *
dsq_server_ask_places (DsqServerRound *self)
{
  DsqServerQueued *asked = g_new0 (DsqServerQueued, 1);
  DsqServerArray *tables = &asked->arrays[0];
  DsqServerArray *tokens = &asked->arrays[1];
  DsqServerToken cut;

  asked->which = DSQ_SERVER_PROBE;
  dsq_server_array_init (tables, TRUE);
  dsq_server_array_init (tokens, FALSE);
  self->n_asked = 0;
  for (guint i = 0; i < self->n_targets; i++)
    {
      Target *target = &self->targets[i];

      if (is_absent (&self->tier->writer, target))
        continue;
      dsq_server_token_init (&cut, &target->token);
      dsq_server_array_add_number (tables, target->key.table);
      dsq_server_array_add_bytes (tokens, cut.bytes, cut.length);
      self->asked[self->n_asked++] = target;
    }
  dsq_server_args_add_number (&asked->args, self->tier->id);
  dsq_server_args_add_array (&asked->args, tables);
  dsq_server_args_add_array (&asked->args, tokens);
  return asked;
}

gboolean
dsq_server_take_places (DsqServerRound *self, const PGresult *result, GError **error)
{
  const DsqLibpq *pq = self->tier->target.pq;
  gboolean is_sound = TRUE;

  /* what an earlier try has found may be gone */
  for (guint i = 0; i < self->n_asked; i++)
    self->asked[i]->place_before = self->asked[i]->place = 0;
  for (int row = 0; is_sound && row < pq->ntuples (result); row++)
    {
      gint64 i, place;

      is_sound = dsq_server_get_number (pq, result, row, 0, &i) && i >= 1 && i <= self->n_asked &&
                 dsq_server_get_number (pq, result, row, 1, &place) && place > 0;
      if (is_sound)
        self->asked[i - 1]->place_before = self->asked[i - 1]->place = place;
    }
  return is_sound || dsq_cold_set_damaged ("it gives what was not asked for", error);
}

/* As it was found when the transaction began. FALSE: not all of it. */
static gboolean
is_foreseen (DsqServerRound *self)
{
  const DsqServerRound *foreseen = self->tier->writer.foreseen;

  for (guint i = 0; foreseen != NULL && i < self->n_targets; i++)
    {
      Target *target = &self->targets[i];
      const Target *known = g_hash_table_lookup (foreseen->by_key, target);

      if (known == NULL)
        return FALSE;
      target->place_before = target->place = known->place;
    }
  return foreseen != NULL;
}

static gboolean
find_places (DsqServerRound *self, GError **error)
{
  DsqServerQueued *asked;
  PGresult *result;
  gboolean is_sound;

  if (is_foreseen (self))
    return TRUE;
  note_emptied (self);
  asked = dsq_server_ask_places (self);
  if (self->n_asked == 0)
    {
      dsq_server_queued_free (asked);
      return TRUE;
    }
  result = dsq_server_run (&self->tier->writer.connection, asked->which, &asked->args, error);
  dsq_server_queued_free (asked);
  if (result == NULL)
    return FALSE;
  is_sound = dsq_server_take_places (self, result, error);
  self->tier->target.pq->clear (result);
  return is_sound;
}

/* --- what becomes of it ----------------------------------------------------------------------- */

static gboolean
disagree (GError **error)
{
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_CORRUPT,
                       "Failed to write an entry: the store does not hold the rows that it should");
  return FALSE;
}

static gboolean
give_place (DsqColdServer *tier,
            DsqTableState *state,
            const DsqChange *change,
            Target *target,
            GError **error)
{
  if (!dsq_cold_find_place (state, change, &target->place, error))
    return FALSE;
  dsq_cold_count_inserted (state, target->place);
  if (target->key.table == tier->writer.emptied)
    dsq_filter_add (tier->writer.put, target->key.hash);
  return TRUE;
}

static gboolean
do_change (DsqColdServer *tier, DsqChange *change, Target *target, GError **error)
{
  DsqTableState *state =
      dsq_cold_undo_change_for (&tier->writer.undo, tier->writer.tables, change, error);
  const gboolean is_there = target->place != 0;
  const gboolean is_removal = dsq_entry_is_tombstone (change->entry);

  if (state == NULL)
    return FALSE;
  if (is_there ? change->presence == DSQ_PRESENCE_ABSENT && !is_removal
               : change->presence == DSQ_PRESENCE_PRESENT)
    return disagree (error);
  change->presence = is_there ? DSQ_PRESENCE_PRESENT : DSQ_PRESENCE_ABSENT;
  if (is_there && (is_removal || change->reinsert))
    {
      if (state->count == 0)
        return disagree (error);
      state->count--;
      target->place = 0;
    }
  target->entry = is_removal ? NULL : change->entry;
  return is_removal || target->place != 0 || give_place (tier, state, change, target, error);
}

/* --- what is written -------------------------------------------------------------------------- */

static gboolean
is_removed (const Target *target)
{
  return target->place_before != 0 && target->place == 0;
}

static gboolean
is_new (const Target *target)
{
  return target->place_before == 0 && target->entry != NULL;
}

static gboolean
make_written (DsqServerRound *self, const Target *target, DsqServerRow *row, GError **error)
{
  const DsqRecordCodec *codec = &self->tier->codec;
  const DsqEntry *entry = target->entry;
  DsqColdColumns columns;

  g_byte_array_set_size (self->row, (guint) dsq_cold_row_length (codec, entry, TRUE));
  if (!dsq_cold_encode_row (codec, entry, TRUE, self->row->data, &columns, error))
    return FALSE;
  row->place = target->place;
  row->has_expiry = entry->has_expiry;
  row->expires = dsq_entry_expires (entry);
  row->value = columns.value;
  row->value_length = columns.value_length;
  if (columns.name_length > 0)
    {
      row->name = columns.name;
      row->name_length = columns.name_length;
    }
  else if (dsq_server_token_is_cut (row->token_length))
    {
      row->name = target->token.bytes;
      row->name_length = target->token.length;
    }
  return TRUE;
}

/* The row that is to be there for it, which borrows from @cut. One that goes is given a place that
 * none has first, and found by that: a statement that took away what an array names would be
 * planned as one that reads the whole store. */
static gboolean
make_row (DsqServerRound *self,
          const Target *target,
          DsqServerToken *cut,
          DsqServerRow *row,
          GError **error)
{
  dsq_server_token_init (cut, &target->token);
  *row = (DsqServerRow){ .store = self->tier->id,
                         .table = target->key.table,
                         .token = cut->bytes,
                         .token_length = cut->length };
  if (target->entry != NULL)
    return make_written (self, target, row, error);
  row->place = -target->place_before;
  row->value = (const guint8 *) "";
  return TRUE;
}

static void
queue_removal (DsqColdServer *self)
{
  DsqServerQueued *removal = g_new0 (DsqServerQueued, 1);

  removal->which = DSQ_SERVER_REMOVE;
  dsq_server_args_add_number (&removal->args, self->id);
  dsq_server_queue (&self->writer.connection, removal);
}

/* Has it said with what is said next; with @but_new without the rows that are new. */
static gboolean
queue_rows (DsqServerRound *self, gboolean but_new, GError **error)
{
  DsqColdServer *tier = self->tier;
  DsqServerQueued *set = g_new0 (DsqServerQueued, 1);
  gboolean success = TRUE, removes = FALSE;
  DsqServerToken cut;
  DsqServerRow row;

  set->which = DSQ_SERVER_SET;
  dsq_server_row_init_arrays (set->arrays);
  for (guint i = 0; success && i < self->n_targets; i++)
    {
      const Target *target = &self->targets[i];

      if (is_new (target) ? but_new : target->entry == NULL && !is_removed (target))
        continue;
      success = make_row (self, target, &cut, &row, error);
      if (success)
        dsq_server_row_add (&row, set->arrays);
      removes |= is_removed (target);
    }
  /* a round that has looked for nothing leaves there what the one before it has queued */
  if (success && set->arrays[0].n_items > 0)
    success = dsq_server_send_queued (&tier->writer.connection, error);
  if (!success || set->arrays[0].n_items == 0)
    {
      dsq_server_queued_free (set);
      return success;
    }
  dsq_server_args_add_number (&set->args, tier->id);
  for (guint i = 0; i < DSQ_SERVER_ROW_ARRAYS; i++)
    dsq_server_args_add_array (&set->args, &set->arrays[i]);
  tier->writer.has_changed = TRUE;
  dsq_server_queue (&tier->writer.connection, set);
  if (removes)
    queue_removal (tier);
  return TRUE;
}

/* The rows that are new, behind what has been queued. */
static gboolean
copy_rows (DsqServerRound *self, GError **error)
{
  DsqServerConnection *connection = &self->tier->writer.connection;
  DsqServerToken cut;
  DsqServerRow row;
  gboolean success = dsq_server_copy_begin (connection, error);

  self->tier->writer.has_changed = TRUE;
  for (guint i = 0; success && i < self->n_targets; i++)
    success =
        !is_new (&self->targets[i]) || (make_row (self, &self->targets[i], &cut, &row, error) &&
                                        dsq_server_row_copy (&row, connection, error));
  return success;
}

/* Whether the new rows are many, or only a COPY would tell if they are not. */
static gboolean
is_copied (const DsqServerRound *self)
{
  guint n_new = self->tier->writer.takes_for_new ? DSQ_SERVER_MIN_COPIED : 0;

  for (guint i = 0; i < self->n_targets; i++)
    n_new += is_new (&self->targets[i]);
  return n_new >= DSQ_SERVER_MIN_COPIED && self->tier->writer.connection.is_postgresql;
}

/* --- a round ---------------------------------------------------------------------------------- */

/* Whether what the rows are changed by can wait for the commit. That a place which a row was given
 * is taken is said at once. */
static gboolean
may_wait (const DsqServerRound *self)
{
  gsize n_bytes = 0;

  for (gsize i = 0; i < self->n_changes; i++)
    if (self->changes[i].entry != NULL)
      {
        n_bytes += self->changes[i].entry->record_length;
        if (self->changes[i].place != 0 || n_bytes > MAX_BYTES_LATER)
          return FALSE;
      }
  return !self->tier->writer.has_savepoint;
}

static gboolean
write_rows (DsqServerRound *self, GError **error)
{
  if (is_copied (self))
    return queue_rows (self, TRUE, error) && copy_rows (self, error) &&
           (!self->tier->writer.has_savepoint ||
            dsq_server_copy_end (&self->tier->writer.connection, error));
  return queue_rows (self, FALSE, error) &&
         (may_wait (self) || dsq_server_send_queued (&self->tier->writer.connection, error));
}

static gboolean
apply_round (DsqServerRound *self, GError **error)
{
  for (gsize i = 0; i < self->n_changes; i++)
    if (self->changes[i].entry != NULL)
      {
        const DsqKey key = dsq_change_key (&self->changes[i]);

        self->of_changes[i] = add_target (self, &key);
        if (!dsq_server_note (self->tier,
                              self->changes[i].entry,
                              &self->of_changes[i]->token,
                              error))
          return FALSE;
      }
  if (self->n_targets == 0)
    return TRUE;
  if (!find_places (self, error))
    return FALSE;
  for (gsize i = 0; i < self->n_changes; i++)
    if (self->of_changes[i] != NULL &&
        !do_change (self->tier, &self->changes[i], self->of_changes[i], error))
      return FALSE;
  return write_rows (self, error);
}

gboolean
dsq_server_do_round (DsqColdServer *tier, DsqChange *changes, gsize n_changes, GError **error)
{
  DsqServerRound *round = round_new (tier, changes, n_changes);
  const gboolean success = apply_round (round, error);

  dsq_server_round_free (round);
  g_clear_pointer (&tier->writer.foreseen, dsq_server_round_free);
  return success;
}

/* --- what comes first ------------------------------------------------------------------------- */

void
dsq_server_foresee (DsqColdTier *tier, const DsqKey *keys, gsize n_keys)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  DsqServerRound *round = round_new (self, NULL, n_keys);

  for (gsize i = 0; i < n_keys; i++)
    add_target (round, &keys[i]);
  g_clear_pointer (&self->writer.foreseen, dsq_server_round_free);
  self->writer.foreseen = round;
}
