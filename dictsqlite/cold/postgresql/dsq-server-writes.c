/* dsq-server-writes.c - bringing changes into the transaction
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Changes go by thousands: one statement finds out which of their keys are there, what becomes of
 * each is then worked out here, in the order of the changes, and two more statements remove and set
 * what is different in the end.
 */

#include "config.h"

#include <string.h>

#include "cold/postgresql/dsq-server-funcs-private.h"
#include "dsq-error.h"

/* Of one round. */
#define MAX_CHANGES 4096
#define MAX_BYTES   (8u << 20)
/* Values that are written by the commit, which nothing cancels, are no more. */
#define MAX_BYTES_LATER (1u << 16)

/* A key of a round, as it is after the changes so far. */
typedef struct
{
  guint32 table;
  DsqToken token; /* borrows from the key */
  DsqServerToken cut;
  gint64 place_before;   /* 0: it was not there */
  gint64 place;          /* 0: it is not there */
  const DsqEntry *entry; /* (unowned) what is to be written; NULL: nothing */
} Target;

struct _DsqServerRound
{
  DsqColdServer *tier; /* (unowned) */
  DsqChange *changes;  /* (unowned) */
  gsize n_changes;
  GPtrArray *targets;  /* (owned) of Target (owned), in the order of their first changes */
  GHashTable *by_key;  /* (owned) of the same, by table and token */
  Target **of_changes; /* (owned) that of each change, NULL where there is none */
};

static guint
hash_target (gconstpointer key)
{
  const Target *self = key;
  guint hash = self->table;

  for (gsize i = 0; i < self->cut.length; i++)
    hash = hash * 33 + self->cut.bytes[i];
  return hash;
}

static gboolean
is_same_target (gconstpointer a, gconstpointer b)
{
  const Target *one = a, *other = b;

  return one->table == other->table && one->cut.length == other->cut.length &&
         memcmp (one->cut.bytes, other->cut.bytes, one->cut.length) == 0;
}

static DsqServerRound *
round_new (DsqColdServer *tier, DsqChange *changes, gsize n_changes)
{
  DsqServerRound *self = g_new0 (DsqServerRound, 1);

  self->tier = tier;
  self->changes = changes;
  self->n_changes = n_changes;
  self->targets = g_ptr_array_new_with_free_func (g_free);
  self->by_key = g_hash_table_new (hash_target, is_same_target);
  self->of_changes = g_new0 (Target *, n_changes);
  return self;
}

void
dsq_server_round_free (DsqServerRound *self)
{
  g_free (self->of_changes);
  g_hash_table_unref (self->by_key);
  g_ptr_array_unref (self->targets);
  g_free (self);
}

static Target *
add_target (DsqServerRound *self, const DsqKey *key)
{
  Target *target = g_new0 (Target, 1);
  Target *known;

  target->table = key->table;
  dsq_server_token_of (self->tier, key, &target->token, &target->cut);
  known = g_hash_table_lookup (self->by_key, target);
  if (known != NULL)
    {
      g_free (target);
      return known;
    }
  g_ptr_array_add (self->targets, target);
  g_hash_table_add (self->by_key, target);
  return target;
}

/* --- what is there ---------------------------------------------------------------------------- */

DsqServerQueued *
dsq_server_ask_places (const DsqServerRound *self)
{
  DsqServerQueued *asked = g_new0 (DsqServerQueued, 1);
  DsqServerArray *tables = &asked->arrays[0];
  DsqServerArray *tokens = &asked->arrays[1];

  asked->which = DSQ_SERVER_PROBE;
  dsq_server_array_init (tables, TRUE);
  dsq_server_array_init (tokens, FALSE);
  for (guint i = 0; i < self->targets->len; i++)
    {
      const Target *target = self->targets->pdata[i];

      dsq_server_array_add_number (tables, target->table);
      dsq_server_array_add_bytes (tokens, target->cut.bytes, target->cut.length);
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
  for (guint i = 0; i < self->targets->len; i++)
    {
      Target *target = self->targets->pdata[i];

      target->place_before = target->place = 0;
    }
  for (int row = 0; is_sound && row < pq->ntuples (result); row++)
    {
      gint64 i, place;

      is_sound = dsq_server_get_number (pq, result, row, 0, &i) && i >= 1 &&
                 i <= self->targets->len && dsq_server_get_number (pq, result, row, 1, &place) &&
                 place > 0;
      if (is_sound)
        {
          Target *target = self->targets->pdata[i - 1];

          target->place_before = target->place = place;
        }
    }
  return is_sound || dsq_cold_set_damaged ("it gives what was not asked for", error);
}

/* As it was found when the transaction began. FALSE: not all of it. */
static gboolean
is_foreseen (DsqServerRound *self)
{
  const DsqServerRound *foreseen = self->tier->writer.foreseen;

  for (guint i = 0; foreseen != NULL && i < self->targets->len; i++)
    {
      Target *target = self->targets->pdata[i];
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
  asked = dsq_server_ask_places (self);
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
give_place (DsqTableState *state, const DsqChange *change, Target *target, GError **error)
{
  if (!dsq_cold_find_place (state, change, &target->place, error))
    return FALSE;
  dsq_cold_count_inserted (state, target->place);
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
  return is_removal || target->place != 0 || give_place (state, change, target, error);
}

/* --- what is written -------------------------------------------------------------------------- */

static gboolean
is_removed (const Target *target)
{
  return target->place_before != 0 && target->place == 0;
}

/* Of the statement that sets rows. */
enum
{
  TABLES,
  TOKENS,
  PLACES,
  EXPIRES,
  VALUES,
  NAMES,
  N_COLUMNS
};

static void
add_head (DsqServerArray *rows, const Target *target, gint64 place)
{
  dsq_server_array_add_number (&rows[TABLES], target->table);
  dsq_server_array_add_bytes (&rows[TOKENS], target->cut.bytes, target->cut.length);
  dsq_server_array_add_number (&rows[PLACES], place);
}

/* A row that goes is given a place that none has first, and found by that: a statement that took
 * away what an array names would be planned as one that reads the whole store. */
static void
add_removed (DsqServerArray *rows, const Target *target)
{
  add_head (rows, target, -target->place_before);
  dsq_server_array_add_null (&rows[EXPIRES]);
  dsq_server_array_add_bytes (&rows[VALUES], "", 0);
  dsq_server_array_add_null (&rows[NAMES]);
}

static gboolean
add_row (DsqColdServer *self, DsqServerArray *rows, const Target *target, GError **error)
{
  const DsqEntry *entry = target->entry;
  g_autofree guint8 *memory = g_malloc (dsq_cold_row_length (&self->codec, entry, TRUE) + 1);
  DsqColdColumns row;

  if (!dsq_cold_encode_row (&self->codec, entry, TRUE, memory, &row, error))
    return FALSE;
  add_head (rows, target, target->place);
  if (entry->has_expiry)
    dsq_server_array_add_number (&rows[EXPIRES], dsq_entry_expires (entry));
  else
    dsq_server_array_add_null (&rows[EXPIRES]);
  dsq_server_array_add_bytes (&rows[VALUES], row.value, row.value_length);
  if (row.name_length > 0)
    dsq_server_array_add_bytes (&rows[NAMES], row.name, row.name_length);
  else if (dsq_server_token_is_cut (target->cut.length))
    dsq_server_array_add_bytes (&rows[NAMES], target->token.bytes, target->token.length);
  else
    dsq_server_array_add_null (&rows[NAMES]);
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

/* Has it said with what is said next. */
static gboolean
queue_rows (DsqServerRound *self, GError **error)
{
  DsqColdServer *tier = self->tier;
  DsqServerQueued *set = g_new0 (DsqServerQueued, 1);
  gboolean success = TRUE, removes = FALSE;

  set->which = DSQ_SERVER_SET;
  for (guint i = 0; i < N_COLUMNS; i++)
    dsq_server_array_init (&set->arrays[i], i == TABLES || i == PLACES || i == EXPIRES);
  for (guint i = 0; success && i < self->targets->len; i++)
    {
      const Target *target = self->targets->pdata[i];

      if (target->entry != NULL)
        success = add_row (tier, set->arrays, target, error);
      else if (is_removed (target))
        {
          add_removed (set->arrays, target);
          removes = TRUE;
        }
    }
  if (!success || set->arrays[TABLES].n_items == 0)
    {
      dsq_server_queued_free (set);
      return success;
    }
  dsq_server_args_add_number (&set->args, tier->id);
  for (guint i = 0; i < N_COLUMNS; i++)
    dsq_server_args_add_array (&set->args, &set->arrays[i]);
  tier->writer.has_changed = TRUE;
  dsq_server_queue (&tier->writer.connection, set);
  if (removes)
    queue_removal (tier);
  return TRUE;
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
apply_round (DsqServerRound *self, GError **error)
{
  for (gsize i = 0; i < self->n_changes; i++)
    if (self->changes[i].entry != NULL)
      {
        const DsqKey key = dsq_entry_as_key (self->changes[i].entry);

        self->of_changes[i] = add_target (self, &key);
        if (!dsq_server_note (self->tier, self->changes[i].entry, error))
          return FALSE;
      }
  if (self->targets->len == 0)
    return TRUE;
  if (!find_places (self, error))
    return FALSE;
  for (gsize i = 0; i < self->n_changes; i++)
    if (self->of_changes[i] != NULL &&
        !do_change (self->tier, &self->changes[i], self->of_changes[i], error))
      return FALSE;
  return queue_rows (self, error) &&
         (may_wait (self) || dsq_server_send_queued (&self->tier->writer.connection, error));
}

/* How many changes from the first on make a round. */
static gsize
measure (const DsqChange *changes, gsize n_changes)
{
  gsize n_bytes = 0, n = 0;

  while (n < MIN (n_changes, MAX_CHANGES) && n_bytes < MAX_BYTES)
    {
      const DsqEntry *entry = changes[n++].entry;

      if (entry != NULL)
        n_bytes += entry->key_length + entry->record_length;
    }
  return n;
}

gboolean
dsq_server_apply (DsqColdTier *tier, DsqChange *changes, gsize n_changes, GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  gboolean success = TRUE;
  gsize n;

  for (gsize i = 0; success && i < n_changes; i += n)
    {
      DsqServerRound *round;

      if (!dsq_call_check (error))
        return FALSE;
      n = measure (changes + i, n_changes - i);
      round = round_new (self, changes + i, n);
      success = apply_round (round, error);
      dsq_server_round_free (round);
      g_clear_pointer (&self->writer.foreseen, dsq_server_round_free);
    }
  return success;
}

/* --- what comes first ------------------------------------------------------------------------- */

void
dsq_server_foresee (DsqColdTier *tier, const DsqKey *keys, gsize n_keys)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  DsqServerRound *round = round_new (self, NULL, 0);

  for (gsize i = 0; i < n_keys; i++)
    add_target (round, &keys[i]);
  g_clear_pointer (&self->writer.foreseen, dsq_server_round_free);
  self->writer.foreseen = round;
}
