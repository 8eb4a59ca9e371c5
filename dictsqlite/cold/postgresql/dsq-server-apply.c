/* dsq-server-apply.c - bringing changes into the transaction
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Changes go by rounds, see dsq-server-writes.c, each of which looks for its keys. But a table that
 * grew by many when it was last written to may go on growing: then none is looked for, and all are
 * copied there behind a savepoint. If one is there after all, which the server says at the first of
 * them, it is as if nothing had been tried, and all are looked for.
 */

#include "config.h"

#include "cold/postgresql/dsq-server-funcs-private.h"
#include "dsq-error.h"

/* Of one round. */
#define MAX_CHANGES 4096
#define MAX_BYTES   (8u << 20)
/* Of the first where none is looked for: the server copies them while the next are made. */
#define MAX_FIRST DSQ_SERVER_MIN_COPIED

#define ATTEMPT_PURPOSE "write entries"

/* How many changes from the first on make a round. */
static gsize
measure (const DsqChange *changes, gsize n_changes)
{
  gsize n_bytes = 0, n = 0;

  while (n < n_changes && n_bytes < MAX_BYTES)
    {
      const DsqEntry *entry = changes[n++].entry;

      if (entry != NULL)
        n_bytes += entry->key_length + entry->record_length;
    }
  return n;
}

/* Whether none of the table's keys is looked for. */
static gboolean
looks_for_nothing (const DsqColdServer *self, const DsqChange *change)
{
  const DsqServerWriter *writer = &self->writer;
  const guint32 table = change->entry != NULL ? change->entry->table : 0;
  const DsqTableState *state = dsq_cold_undo_find (writer->tables, table);

  return writer->takes_for_new ||
         (state != NULL && (state->count == 0 || table == writer->emptied));
}

static gboolean
do_rounds (DsqColdServer *self, DsqChange *changes, gsize n_changes, GError **error)
{
  gboolean success = TRUE;
  gsize n, most = MAX_CHANGES;

  /* what is left of a few is no COPY's */
  if (n_changes >= 2 * MAX_FIRST && self->writer.connection.is_postgresql &&
      self->writer.connection.copied == NULL && looks_for_nothing (self, changes))
    most = MAX_FIRST;
  for (gsize i = 0; success && i < n_changes; i += n, most = MAX_CHANGES)
    {
      if (!dsq_call_check (error))
        return FALSE;
      n = measure (changes + i, MIN (n_changes - i, most));
      success = dsq_server_do_round (self, changes + i, n, error);
    }
  return success;
}

/* --- a table that grows ----------------------------------------------------------------------- */

/* The table of many keys of which none is, or was, there. 0: it is not so. */
static guint32
find_grown (const DsqChange *changes, gsize n_changes)
{
  const guint32 table = changes[0].entry != NULL ? changes[0].entry->table : 0;

  for (gsize i = 0; i < n_changes; i++)
    {
      const DsqEntry *entry = changes[i].entry;

      if (entry == NULL || entry->table != table || dsq_entry_is_tombstone (entry) ||
          changes[i].presence == DSQ_PRESENCE_PRESENT)
        return 0;
    }
  return table;
}

/* What an attempt in vain brings back. */
typedef struct
{
  guint8 *presences; /* (owned) of each change */
  guint savepoint;   /* that of the undo */
  guint n_keys;      /* bytes of the keys that were noted */
  gboolean is_everything;
  gboolean has_changed;
  gint64 next_expiry;
} Before;

static gboolean
begin_attempt (DsqColdServer *self,
               const DsqChange *changes,
               gsize n_changes,
               Before *before,
               GError **error)
{
  DsqServerWriter *writer = &self->writer;

  if (!dsq_server_say (&writer->connection,
                       writer->has_attempt ? "RELEASE SAVEPOINT attempt; SAVEPOINT attempt"
                                           : "SAVEPOINT attempt",
                       ATTEMPT_PURPOSE,
                       error))
    return FALSE;
  writer->has_attempt = TRUE;
  writer->takes_for_new = TRUE;
  *before = (Before){ g_new (guint8, n_changes), dsq_cold_undo_get_savepoint (&writer->undo),
                      writer->keys->len,         writer->is_everything,
                      writer->has_changed,       writer->next_expiry };
  for (gsize i = 0; i < n_changes; i++)
    before->presences[i] = (guint8) changes[i].presence;
  return TRUE;
}

static gboolean
undo_attempt (DsqColdServer *self,
              DsqChange *changes,
              gsize n_changes,
              const Before *before,
              GError **error)
{
  DsqServerWriter *writer = &self->writer;

  dsq_server_copy_abandon (&writer->connection);
  if (!dsq_server_say (&writer->connection,
                       "ROLLBACK TO SAVEPOINT attempt",
                       ATTEMPT_PURPOSE,
                       error))
    return FALSE;
  dsq_cold_undo_back_to (&writer->undo, before->savepoint, writer->tables);
  g_byte_array_set_size (writer->keys, before->n_keys);
  writer->is_everything = before->is_everything;
  writer->has_changed = before->has_changed;
  writer->next_expiry = before->next_expiry;
  for (gsize i = 0; i < n_changes; i++)
    changes[i].presence = before->presences[i];
  return TRUE;
}

/* A row that is there already shows as damage. */
static gboolean
was_in_vain (const DsqColdServer *self, const GError *error)
{
  return g_error_matches (error, DSQ_ERROR, DSQ_ERROR_CORRUPT) &&
         self->writer.connection.handle != NULL;
}

static gboolean
do_as_new (DsqColdServer *self, DsqChange *changes, gsize n_changes, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_autofree guint8 *presences = NULL;
  Before before;
  gboolean success;

  if (!begin_attempt (self, changes, n_changes, &before, error))
    return FALSE;
  presences = before.presences;
  success = do_rounds (self, changes, n_changes, &local_error) &&
            dsq_server_copy_end (&self->writer.connection, &local_error);
  self->writer.takes_for_new = FALSE;
  if (success)
    return TRUE;
  if (!was_in_vain (self, local_error))
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  return undo_attempt (self, changes, n_changes, &before, error) &&
         do_rounds (self, changes, n_changes, error);
}

/* --- from outside ----------------------------------------------------------------------------- */

/* Where its count is 0 it is known that there is none. */
static gboolean
may_be_as_new (const DsqColdServer *self, const DsqChange *changes, gsize n_changes)
{
  const DsqServerWriter *writer = &self->writer;

  return writer->grows != 0 && !writer->has_savepoint && writer->foreseen == NULL &&
         find_grown (changes, n_changes) == writer->grows && !looks_for_nothing (self, changes);
}

gboolean
dsq_server_apply (DsqColdTier *tier, DsqChange *changes, gsize n_changes, GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  DsqServerWriter *writer = &self->writer;
  gboolean success;

  if (n_changes < DSQ_SERVER_MIN_COPIED)
    return do_rounds (self, changes, n_changes, error);
  if (may_be_as_new (self, changes, n_changes))
    success = do_as_new (self, changes, n_changes, error);
  else
    success = do_rounds (self, changes, n_changes, error);
  writer->grows = success && writer->connection.is_postgresql ? find_grown (changes, n_changes) : 0;
  return success;
}
