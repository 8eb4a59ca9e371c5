/* dsq-server-transaction.c - the transaction: begun, committed, taken back
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/postgresql/dsq-server-funcs-private.h"
#include "crypto/dsq-random-private.h"
#include "dsq-error.h"

/* Versions of which it is kept what they changed, and how often the others are forgotten. */
#define KEPT_NOTES   1024
#define FORGET_EVERY 64
/* Bytes with which a commit is found again. */
#define MARK 16

#define BEGIN_PURPOSE "begin a transaction"
#define TELL_PURPOSE  "tell others that something has changed"

static void
copy_states (GArray *to, const GArray *from)
{
  g_array_set_size (to, 0);
  g_array_append_vals (to, from->data, from->len);
}

/* --- the beginning ---------------------------------------------------------------------------- */

static gboolean
say (DsqColdServer *self, const char *sql, GError **error)
{
  return dsq_server_say (&self->writer.connection, sql, "write", error);
}

/* So long each may wait for the row, 0: as the connection is set up. */
static guint
get_lock_wait_ms (const DsqColdServer *self, gint64 began)
{
  const guint usual = self->target.lock_wait_ms;
  const guint left = (guint) (MAX (dsq_patience_left (began, usual, G_MAXUINT), 0) / 1000);

  return left <= usual && left >= usual - usual / 16 ? 0 : MAX (left, 1);
}

/* Looks for what is @foreseen, if anything is, behind the lock. */
static gboolean
begin_and_lock (DsqColdServer *self,
                guint lock_wait_ms,
                DsqServerRound *foreseen,
                gint64 *out_version,
                GError **error)
{
  const DsqLibpq *pq = self->target.pq;
  DsqServerWriter *writer = &self->writer;
  DsqServerArgs args = { 0 };
  DsqServerQueued *asked = foreseen != NULL ? dsq_server_ask_places (foreseen) : NULL;
  char wait[48];
  DsqServerStep steps[DSQ_SERVER_MAX_STEPS] = { { .sql = "BEGIN", .purpose = BEGIN_PURPOSE } };
  guint n = 1, lock;
  const PGresult *result;
  gboolean success;

  g_snprintf (wait, sizeof wait, "SET LOCAL lock_timeout = %u", lock_wait_ms);
  if (lock_wait_ms > 0)
    steps[n++] = (DsqServerStep){ .sql = wait, .purpose = BEGIN_PURPOSE };
  dsq_server_args_add_number (&args, self->id);
  lock = n;
  steps[n++] = (DsqServerStep){ .which = DSQ_SERVER_LOCK, .args = &args };
  if (asked != NULL)
    steps[n++] = (DsqServerStep){ .which = DSQ_SERVER_PROBE, .args = &asked->args };
  success = dsq_server_run_steps (&writer->connection, steps, n, error);
  g_clear_pointer (&asked, dsq_server_queued_free);
  if (!success)
    return FALSE;
  result = steps[lock].result;
  success = (pq->ntuples (result) == 1 && dsq_server_get_version (pq, result, 0, 0, out_version) &&
             dsq_server_get_number (pq, result, 0, 1, &writer->last_table) &&
             writer->last_table >= DSQ_TABLE_MAIN) ||
            dsq_cold_set_damaged ("it is no longer there", error);
  success = success &&
            (foreseen == NULL || dsq_server_take_places (foreseen, steps[lock + 1].result, error));
  dsq_server_clear_steps (&writer->connection, steps, n);
  return success;
}

static gboolean
learn (DsqColdServer *self, gint64 version, gint64 asked_at, GError **error)
{
  DsqServerWriter *writer = &self->writer;
  gboolean learned;

  if (!dsq_call_lock (&self->coherence_lock, error))
    return FALSE;
  learned = dsq_server_learn_locked (self, &writer->connection, version, asked_at, error);
  if (learned)
    {
      writer->version = version;
      dsq_cold_undo_begin (&writer->undo, self->committed);
      copy_states (writer->tables, self->committed);
    }
  dsq_mutex_unlock (&self->coherence_lock);
  return learned;
}

static void
roll_back (DsqColdServer *self)
{
  DsqServerWriter *writer = &self->writer;
  g_auto (DsqCall) call = { 0 };

  if (!writer->is_begun)
    return;
  writer->is_begun = FALSE;
  writer->has_changed = FALSE;
  dsq_server_forget_emptied (self);
  dsq_server_drop_queued (&writer->connection);
  dsq_call_begin_for (&call, NULL);
  dsq_server_copy_abandon (&writer->connection);
  if (writer->connection.handle != NULL && !say (self, "ROLLBACK", NULL))
    dsq_server_connection_close (&writer->connection);
}

static gboolean
begin_once (DsqColdServer *self, gint64 began, GError **error)
{
  DsqServerWriter *writer = &self->writer;
  const gint64 asked_at = g_get_monotonic_time ();
  gint64 version;

  writer->connection.may_ask = TRUE;
  if (writer->connection.handle == NULL && !dsq_server_connection_open (&writer->connection, error))
    return FALSE;
  writer->is_begun = TRUE;
  writer->has_changed = FALSE;
  writer->has_savepoint = FALSE;
  writer->has_attempt = FALSE;
  writer->is_everything = FALSE;
  writer->next_expiry = G_MAXINT64;
  g_byte_array_set_size (writer->keys, 0);
  if (begin_and_lock (self, get_lock_wait_ms (self, began), writer->foreseen, &version, error) &&
      learn (self, version, asked_at, error))
    return TRUE;
  roll_back (self);
  return FALSE;
}

/* A client that has stopped in a copy holds the store for ever: the server ends no statement whose
 * rows it waits for. One that has not stopped has given up its own by then. */
static void
end_copies (DsqColdServer *self)
{
  DsqServerConnection *connection = &self->writer.connection;
  DsqServerArgs args = { 0 };

  if (connection->handle == NULL || !connection->is_postgresql)
    return;
  dsq_server_args_add_number (&args, DSQ_SERVER_STATEMENT_US / 1000 + self->target.lock_wait_ms);
  dsq_server_do (connection, DSQ_SERVER_END_COPIES, &args, NULL);
}

gboolean
dsq_server_begin (DsqColdTier *tier, GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  const gint64 began = dsq_patience_begin (self->writer.free_at);
  g_autoptr (GError) local_error = NULL;
  DsqServerTries tries;
  gboolean begun;

  if (tier->busy_since != NULL)
    __atomic_store_n (tier->busy_since, MAX (self->writer.free_at, 1), __ATOMIC_RELAXED);
  dsq_server_tries_begin (&tries, &self->target);
  do
    begun = begin_once (self, began, &local_error);
  while (!begun && dsq_server_tries_again (&tries, &self->writer.connection, &local_error));
  if (tier->busy_since != NULL)
    __atomic_store_n (tier->busy_since, 0, __ATOMIC_RELAXED);
  if (!begun)
    {
      if (g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_BUSY))
        end_copies (self);
      g_clear_pointer (&self->writer.foreseen, dsq_server_round_free);
      g_propagate_error (error, g_steal_pointer (&local_error));
    }
  return begun;
}

/* --- in it ------------------------------------------------------------------------------------ */

gboolean
dsq_server_get_table (DsqColdTier *tier, guint32 table, DsqTableState *out_state)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  const DsqTableState *state;

  /* outside of one it is the only thread that uses the tier */
  state = dsq_cold_undo_find (self->writer.is_begun ? self->writer.tables : self->committed, table);
  if (state != NULL)
    *out_state = *state;
  return state != NULL;
}

gboolean
dsq_server_savepoint (DsqColdTier *tier, GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;

  if (!say (self, "SAVEPOINT one", error))
    return FALSE;
  self->writer.had_changed = self->writer.has_changed;
  self->writer.savepoint = dsq_cold_undo_get_savepoint (&self->writer.undo);
  self->writer.has_savepoint = TRUE;
  return TRUE;
}

gboolean
dsq_server_release (DsqColdTier *tier, gboolean keep, GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;

  self->writer.has_savepoint = FALSE;
  if (keep)
    return say (self, "RELEASE SAVEPOINT one", error);
  dsq_server_forget_emptied (self);
  dsq_server_copy_abandon (&self->writer.connection);
  if (!say (self, "ROLLBACK TO SAVEPOINT one; RELEASE SAVEPOINT one", error))
    return FALSE;
  self->writer.has_changed = self->writer.had_changed;
  dsq_cold_undo_back_to (&self->writer.undo, self->writer.savepoint, self->writer.tables);
  return TRUE;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Moves the version, tells what has changed, commits, and wakes who listens. */
static gboolean
note_and_commit (DsqColdServer *self, const guint8 mark[MARK], GError **error)
{
  DsqServerWriter *writer = &self->writer;
  g_auto (DsqServerArray) ids = { 0 };
  g_auto (DsqServerArray) nexts = { 0 };
  g_auto (DsqServerArray) counts = { 0 };
  DsqServerArgs args = { 0 };
  DsqServerStep steps[] = {
    { .which = DSQ_SERVER_NOTE, .args = &args },
    { .sql = "COMMIT", .purpose = "commit" },
    { .sql = self->notify, .purpose = TELL_PURPOSE, .is_vain = TRUE },
  };
  const gboolean tells = self->notify != NULL && dsq_server_notices_begin (self->notices);
  gboolean success;

  dsq_server_array_init (&ids, TRUE);
  dsq_server_array_init (&nexts, TRUE);
  dsq_server_array_init (&counts, TRUE);
  for (guint i = 0; i < writer->undo.steps->len; i++)
    {
      const DsqTableState *before = dsq_cold_undo_get_first (&writer->undo, i);
      const DsqTableState *state =
          before != NULL ? dsq_cold_undo_find (writer->tables, before->table) : NULL;

      if (state == NULL || (state->next == before->next && state->count == before->count))
        continue;
      dsq_server_array_add_number (&ids, state->table);
      dsq_server_array_add_number (&nexts, state->next);
      dsq_server_array_add_number (&counts, state->count);
    }
  dsq_server_args_add_number (&args, self->id);
  dsq_server_args_add_number (&args, writer->version + 1);
  dsq_server_args_add_number (&args, writer->last_table);
  dsq_server_args_add_bytes (&args, mark, MARK);
  if (writer->is_everything)
    dsq_server_args_add_bytes (&args, NULL, 0);
  else
    dsq_server_args_add_bytes (&args,
                               writer->keys->len > 0 ? writer->keys->data : (const guint8 *) "",
                               writer->keys->len);
  dsq_server_args_add_number (&args, writer->next_expiry);
  dsq_server_args_add_array (&args, &ids);
  dsq_server_args_add_array (&args, &nexts);
  dsq_server_args_add_array (&args, &counts);
  success = dsq_server_run_steps (&writer->connection, steps, tells ? 3 : 2, error);
  dsq_server_clear_steps (&writer->connection, steps, G_N_ELEMENTS (steps));
  /* of one that failed it may not be known whether it did */
  if (self->notify != NULL && !(success && tells))
    dsq_server_notices_leave (self->notices);
  return success;
}

void
dsq_server_tell_left (DsqColdServer *self)
{
  if (dsq_server_notices_take (self->notices) && self->writer.connection.handle != NULL)
    dsq_server_say (&self->writer.connection, self->notify, TELL_PURPOSE, NULL);
}

static gboolean
forget (DsqColdServer *self, GError **error)
{
  DsqServerArgs args = { 0 };

  if (self->writer.version % FORGET_EVERY != 0)
    return TRUE;
  dsq_server_args_add_number (&args, self->id);
  dsq_server_args_add_number (&args, self->writer.version - KEPT_NOTES);
  return dsq_server_do (&self->writer.connection, DSQ_SERVER_FORGET, &args, error);
}

typedef enum
{
  OUTCOME_UNKNOWN,
  OUTCOME_COMMITTED,
  OUTCOME_NOT_COMMITTED
} Outcome;

/* What became of the commit with that mark, once the connection that made it is over: as long as
 * that is not, it holds the store's row. The mark may be forgotten when so many others have
 * committed since. FALSE: it could not be asked. */
static gboolean
find_outcome_once (DsqColdServer *self,
                   const guint8 mark[MARK],
                   Outcome *out_outcome,
                   GError **error)
{
  const DsqLibpq *pq = self->target.pq;
  DsqServerConnection *connection = &self->writer.connection;
  DsqServerArgs args = { 0 };
  gint64 version, n_found = 0;
  PGresult *result;

  if ((connection->handle == NULL && !dsq_server_connection_open (connection, error)) ||
      !begin_and_lock (self, 0, NULL, &version, error))
    return FALSE;
  dsq_server_args_add_number (&args, self->id);
  dsq_server_args_add_number (&args, self->writer.version + 1);
  dsq_server_args_add_bytes (&args, mark, MARK);
  result = dsq_server_run (connection, DSQ_SERVER_FIND_NOTE, &args, error);
  if (result == NULL)
    return FALSE;
  dsq_server_get_number (pq, result, 0, 0, &n_found);
  pq->clear (result);
  if (n_found > 0)
    *out_outcome = OUTCOME_COMMITTED;
  else if (version <= self->writer.version + KEPT_NOTES)
    *out_outcome = OUTCOME_NOT_COMMITTED;
  dsq_server_rollback (&self->tier);
  return TRUE;
}

/* The connection was lost when it had been told to commit. */
static gboolean
find_outcome (DsqColdServer *self, const guint8 mark[MARK], GError **error)
{
  g_autoptr (GError) local_error = NULL;
  Outcome outcome = OUTCOME_UNKNOWN;
  DsqServerTries tries;

  dsq_server_tries_begin (&tries, &self->target);
  while (!find_outcome_once (self, mark, &outcome, &local_error) &&
         dsq_server_tries_again (&tries, &self->writer.connection, &local_error))
    ;
  if (outcome != OUTCOME_NOT_COMMITTED)
    g_clear_error (error);
  if (outcome == OUTCOME_UNKNOWN)
    g_set_error_literal (error,
                         DSQ_ERROR,
                         DSQ_ERROR_OUTCOME_UNKNOWN,
                         "Failed to commit: the connection to the server was lost, and whether "
                         "what was written lasts is not known");
  return outcome == OUTCOME_COMMITTED;
}

static gboolean
commit_once (DsqColdServer *self, GError **error)
{
  guint8 mark[MARK];

  if (!dsq_random_draw (mark, sizeof mark, error) || !forget (self, error))
    return FALSE;
  if (note_and_commit (self, mark, error))
    return TRUE;
  return self->writer.connection.handle == NULL && find_outcome (self, mark, error);
}

/* Nobody learns of anything meanwhile, so that who asks afterwards finds what memory holds. */
static gboolean
commit_locked (DsqColdServer *self,
               DsqColdCommittedFunc committed,
               gpointer committed_data,
               GError **error)
{
  DsqServerWriter *writer = &self->writer;
  const gint64 asked_at = g_get_monotonic_time ();

  dsq_mutex_assert_held (&self->coherence_lock);
  if (!commit_once (self, error))
    return FALSE;
  writer->is_begun = FALSE;
  dsq_server_forget_emptied (self);
  writer->free_at = g_get_monotonic_time ();
  self->tier.n_commits++;
  __atomic_fetch_add (&self->n_commits, 1, __ATOMIC_RELAXED);
  if (committed != NULL)
    committed (committed_data);
  /* but what others may have committed while it was not known what became of this one */
  if (self->version == writer->version)
    {
      self->version++;
      copy_states (self->committed, writer->tables);
      dsq_server_count_entries_locked (self);
      dsq_server_believe_locked (self, asked_at);
    }
  return TRUE;
}

gboolean
dsq_server_commit (DsqColdTier *tier,
                   DsqColdCommittedFunc committed,
                   gpointer committed_data,
                   GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  g_auto (DsqCall) call = { 0 };
  gboolean is_committed;

  /* a version that changes nothing would have others look */
  if (!self->writer.has_changed)
    {
      dsq_server_rollback (tier);
      if (committed != NULL)
        committed (committed_data);
      return TRUE;
    }
  if (!dsq_server_copy_end (&self->writer.connection, error))
    {
      dsq_server_rollback (tier);
      return FALSE;
    }
  dsq_call_begin_for (&call, NULL);
  self->writer.connection.may_ask = FALSE;
  dsq_mutex_lock (&self->coherence_lock);
  is_committed = commit_locked (self, committed, committed_data, error);
  dsq_mutex_unlock (&self->coherence_lock);
  if (!is_committed)
    dsq_server_rollback (tier);
  return is_committed;
}

void
dsq_server_rollback (DsqColdTier *tier)
{
  DsqColdServer *self = (DsqColdServer *) tier;

  if (self->writer.is_begun)
    self->writer.free_at = g_get_monotonic_time ();
  g_clear_pointer (&self->writer.foreseen, dsq_server_round_free);
  roll_back (self);
}
