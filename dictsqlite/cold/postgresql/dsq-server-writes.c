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

/* A key of a round, as it is after the changes so far. */
typedef struct
{
  guint32 table;
  DsqToken token; /* borrows from the first change's entry */
  DsqServerToken cut;
  gboolean was_there;
  gint64 place;          /* 0: it is not there */
  const DsqEntry *entry; /* (unowned) what is to be written; NULL: nothing */
} Target;

typedef struct
{
  DsqColdServer *tier; /* (unowned) */
  DsqChange *changes;  /* (unowned) */
  gsize n_changes;
  GPtrArray *targets;  /* (owned) of Target (owned), in the order of their first changes */
  GHashTable *by_key;  /* (owned) of the same, by table and token */
  Target **of_changes; /* (owned) that of each change, NULL where there is none */
} Round;

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

static Target *
add_target (Round *self, const DsqEntry *entry)
{
  const DsqKey key = dsq_entry_as_key (entry);
  Target *target = g_new0 (Target, 1);
  Target *known;

  target->table = entry->table;
  dsq_server_token_of (self->tier, &key, &target->token, &target->cut);
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

static void
add_keys (const Round *self,
          DsqServerArgs *args,
          DsqServerArray *tables,
          DsqServerArray *tokens,
          gboolean (*wanted) (const Target *target))
{
  dsq_server_array_init (tables, TRUE);
  dsq_server_array_init (tokens, FALSE);
  for (guint i = 0; i < self->targets->len; i++)
    {
      const Target *target = self->targets->pdata[i];

      if (wanted != NULL && !wanted (target))
        continue;
      dsq_server_array_add_number (tables, target->table);
      dsq_server_array_add_bytes (tokens, target->cut.bytes, target->cut.length);
    }
  dsq_server_args_add_number (args, self->tier->id);
  dsq_server_args_add_array (args, tables);
  dsq_server_args_add_array (args, tokens);
}

static gboolean
find_places (Round *self, GError **error)
{
  const DsqLibpq *pq = self->tier->target.pq;
  g_auto (DsqServerArray) tables = { 0 };
  g_auto (DsqServerArray) tokens = { 0 };
  DsqServerArgs args = { 0 };
  gboolean is_sound = TRUE;
  PGresult *result;

  add_keys (self, &args, &tables, &tokens, NULL);
  result = dsq_server_run (&self->tier->writer.connection, DSQ_SERVER_PROBE, &args, error);
  if (result == NULL)
    return FALSE;
  for (int row = 0; is_sound && row < pq->ntuples (result); row++)
    {
      gint64 i, place;

      is_sound = dsq_server_get_number (pq, result, row, 0, &i) && i >= 1 &&
                 i <= self->targets->len && dsq_server_get_number (pq, result, row, 1, &place);
      if (is_sound)
        {
          Target *target = self->targets->pdata[i - 1];

          target->place = place;
          target->was_there = TRUE;
        }
    }
  pq->clear (result);
  return is_sound || dsq_cold_set_damaged ("it gives what was not asked for", error);
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
  return target->was_there && target->place == 0;
}

static gboolean
remove_rows (Round *self, GError **error)
{
  g_auto (DsqServerArray) tables = { 0 };
  g_auto (DsqServerArray) tokens = { 0 };
  DsqServerArgs args = { 0 };

  add_keys (self, &args, &tables, &tokens, is_removed);
  return tables.n_items == 0 ||
         dsq_server_do (&self->tier->writer.connection, DSQ_SERVER_REMOVE, &args, error);
}

typedef struct
{
  DsqServerArray tables, tokens, places, expires, values, names;
} Rows;

static gboolean
add_row (DsqColdServer *self, Rows *rows, const Target *target, GError **error)
{
  const DsqEntry *entry = target->entry;
  g_autofree guint8 *memory = g_malloc (dsq_cold_row_length (&self->codec, entry, TRUE) + 1);
  DsqColdColumns row;

  if (!dsq_cold_encode_row (&self->codec, entry, TRUE, memory, &row, error))
    return FALSE;
  dsq_server_array_add_number (&rows->tables, entry->table);
  dsq_server_array_add_bytes (&rows->tokens, target->cut.bytes, target->cut.length);
  dsq_server_array_add_number (&rows->places, target->place);
  if (entry->has_expiry)
    dsq_server_array_add_number (&rows->expires, dsq_entry_expires (entry));
  else
    dsq_server_array_add_null (&rows->expires);
  dsq_server_array_add_bytes (&rows->values, row.value, row.value_length);
  if (row.name_length > 0)
    dsq_server_array_add_bytes (&rows->names, row.name, row.name_length);
  else if (dsq_server_token_is_cut (target->cut.length))
    dsq_server_array_add_bytes (&rows->names, target->token.bytes, target->token.length);
  else
    dsq_server_array_add_null (&rows->names);
  return TRUE;
}

static gboolean
set_rows (Round *self, GError **error)
{
  Rows rows;
  DsqServerArray *const arrays[] = { &rows.tables,  &rows.tokens, &rows.places,
                                     &rows.expires, &rows.values, &rows.names };
  DsqServerArgs args = { 0 };
  gboolean success = TRUE;

  for (guint i = 0; i < G_N_ELEMENTS (arrays); i++)
    dsq_server_array_init (arrays[i],
                           arrays[i] == &rows.tables || arrays[i] == &rows.places ||
                               arrays[i] == &rows.expires);
  for (guint i = 0; success && i < self->targets->len; i++)
    if (((const Target *) self->targets->pdata[i])->entry != NULL)
      success = add_row (self->tier, &rows, self->targets->pdata[i], error);
  dsq_server_args_add_number (&args, self->tier->id);
  for (guint i = 0; i < G_N_ELEMENTS (arrays); i++)
    dsq_server_args_add_array (&args, arrays[i]);
  success =
      success && (rows.tables.n_items == 0 ||
                  dsq_server_do (&self->tier->writer.connection, DSQ_SERVER_SET, &args, error));
  for (guint i = 0; i < G_N_ELEMENTS (arrays); i++)
    dsq_server_array_clear (arrays[i]);
  return success;
}

/* --- a round ---------------------------------------------------------------------------------- */

static gboolean
apply_round (Round *self, GError **error)
{
  for (gsize i = 0; i < self->n_changes; i++)
    if (self->changes[i].entry != NULL)
      {
        self->of_changes[i] = add_target (self, self->changes[i].entry);
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
  for (guint i = 0; i < self->targets->len; i++)
    {
      const Target *target = self->targets->pdata[i];

      if (target->entry != NULL || is_removed (target))
        self->tier->writer.has_changed = TRUE;
    }
  return remove_rows (self, error) && set_rows (self, error);
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
  gboolean success = TRUE;
  gsize n;

  for (gsize i = 0; success && i < n_changes; i += n)
    {
      Round round = { (DsqColdServer *) tier,
                      changes + i,
                      n = measure (changes + i, n_changes - i) };

      if (!dsq_call_check (error))
        return FALSE;
      round.targets = g_ptr_array_new_with_free_func (g_free);
      round.by_key = g_hash_table_new (hash_target, is_same_target);
      round.of_changes = g_new0 (Target *, n);
      success = apply_round (&round, error);
      g_free (round.of_changes);
      g_hash_table_unref (round.by_key);
      g_ptr_array_unref (round.targets);
    }
  return success;
}
