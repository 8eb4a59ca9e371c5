/* dsq-cold-readers.c - the connections that read
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A reader is taken from the pool for one call, whose cancellable ends its statements as well. Most
 * of what a cold read costs is the start and the end of its read transaction, so a single get is
 * one statement in a transaction of its own, and calls for many keys have one for all, with the
 * keys in the order of the index.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "codec/dsq-format-private.h"
#include "dsq-error.h"
#include "tiers/dsq-call-private.h"
#include "tiers/dsq-cold-sqlite-private.h"

/* Longest wait for readers that are out, in milliseconds. */
#define DRAIN_MS 200

#define SQL_ROWS "SELECT expires, value, place, token, table_id, name FROM entry"
#define SQL_KEYS "SELECT NULL, NULL, place, token, table_id, name FROM entry"
#define FORWARD  " WHERE place > ?1 AND place < ?2 ORDER BY place"
#define REVERSE  FORWARD " DESC"
#define AT_PLACE 2
#define AT_TOKEN 3
#define AT_TABLE 4
#define AT_NAME  5

static const DsqColdSql read_sql[DSQ_COLD_N_READS] = {
  [DSQ_COLD_READ_GET] = { DSQ_COLD_SQL_GET, "read an entry" },
  [DSQ_COLD_READ_PROBE] = { "SELECT place FROM entry WHERE table_id = ?1 AND token = ?2",
                            "look up a key" },
  [DSQ_COLD_READ_FORWARD] = { SQL_ROWS FORWARD, "walk the entries" },
  [DSQ_COLD_READ_REVERSE] = { SQL_ROWS REVERSE, "walk the entries" },
  [DSQ_COLD_READ_FORWARD_KEYS] = { SQL_KEYS FORWARD, "walk the keys" },
  [DSQ_COLD_READ_REVERSE_KEYS] = { SQL_KEYS REVERSE, "walk the keys" },
  [DSQ_COLD_READ_TABLES] = { DSQ_COLD_SQL_TABLES, "read the tables" },
  [DSQ_COLD_READ_TABLE_NAMES] = { "SELECT id, token, name FROM tables"
                                  " WHERE id > 1 AND token <> X'00' ORDER BY id",
                                  "read the names of the tables" },
  [DSQ_COLD_READ_RANGE] = { "SELECT token FROM entry WHERE table_id = ?1 AND token >= ?2"
                            " AND token < ?3 ORDER BY token LIMIT ?4",
                            "list the keys" },
  [DSQ_COLD_READ_BEGIN] = { "BEGIN", "start reading" },
  [DSQ_COLD_READ_END] = { "ROLLBACK", "end reading" },
};

/* --- the pool --------------------------------------------------------------------------------- */

static void
close_reader (DsqColdReader *reader)
{
  dsq_cold_clear_statements (reader->statements, DSQ_COLD_N_READS);
  dsq_database_close (reader->database);
  g_free (reader);
}

/* The path is looked at after it was opened: what the writer has may have been moved away, and
 * another file put there. */
static gboolean
check_identity (DsqColdSqlite *self, GError **error)
{
  DsqLocationIdentity identity;

  if (!dsq_location_identify (self->path, &identity, error))
    return FALSE;
  if (identity.device == self->identity.device && identity.inode == self->identity.inode)
    return TRUE;
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_IO,
               "Failed to open the file: another one stands in its place");
  return FALSE;
}

DsqDatabase *
dsq_cold_open_to_read (DsqColdSqlite *self, GError **error)
{
  g_autoptr (DsqDatabase) database =
      dsq_database_open (self->path, self->read_role, self->tuning.busy_timeout_ms, error);

  if (database == NULL || !check_identity (self, error) ||
      !dsq_database_tune (database, &self->tuning, error))
    return NULL;
  return g_steal_pointer (&database);
}

static DsqColdReader *
open_reader (DsqColdSqlite *self, GError **error)
{
  DsqColdReader *reader = g_new0 (DsqColdReader, 1);

  reader->database = dsq_cold_open_to_read (self, error);
  if (reader->database != NULL &&
      dsq_cold_prepare (reader->statements, reader->database, read_sql, DSQ_COLD_N_READS, error))
    return reader;
  close_reader (reader);
  return NULL;
}

static void
count_back_locked (DsqColdSqlite *self, guint epoch)
{
  if (--self->n_taken[epoch] == 0)
    pthread_cond_broadcast (&self->given_back);
}

/* The count goes up before the reader is opened, so that draining waits for those as well. */
DsqColdReader *
dsq_cold_readers_take (DsqColdSqlite *self, GError **error)
{
  DsqColdReader *reader = NULL;
  guint epoch;

  pthread_mutex_lock (&self->readers_lock);
  epoch = self->epoch;
  self->n_taken[epoch]++;
  if (self->n_idle > 0)
    reader = self->idle[--self->n_idle];
  pthread_mutex_unlock (&self->readers_lock);

  if (G_UNLIKELY (reader == NULL))
    reader = open_reader (self, error);
  if (G_UNLIKELY (reader == NULL))
    {
      pthread_mutex_lock (&self->readers_lock);
      count_back_locked (self, epoch);
      pthread_mutex_unlock (&self->readers_lock);
      return NULL;
    }
  reader->epoch = epoch;
  dsq_database_set_cancellable (reader->database, dsq_call_state.cancellable);
  return reader;
}

void
dsq_cold_readers_give_back (DsqColdSqlite *self, DsqColdReader *reader)
{
  /* one that could not end its transaction would keep the log from being emptied */
  gboolean is_sound = sqlite3_get_autocommit (reader->database->handle);

  dsq_database_set_cancellable (reader->database, NULL);
  pthread_mutex_lock (&self->readers_lock);
  count_back_locked (self, reader->epoch);
  if (G_LIKELY (is_sound && self->n_idle < DSQ_COLD_MAX_IDLE_READERS))
    self->idle[self->n_idle++] = g_steal_pointer (&reader);
  pthread_mutex_unlock (&self->readers_lock);
  if (G_UNLIKELY (reader != NULL))
    close_reader (reader);
}

/* Waits for the readers of @epoch until @deadline. */
static gboolean
wait_for_epoch_locked (DsqColdSqlite *self, guint epoch, const struct timespec *deadline)
{
  while (self->n_taken[epoch] > 0)
    if (pthread_cond_timedwait (&self->given_back, &self->readers_lock, deadline) != 0)
      return self->n_taken[epoch] == 0;
  return TRUE;
}

/* Readers taken from now on are of the other epoch, and are not waited for. Those that an earlier
 * wait gave up on are of that epoch too, so it must be empty first. Called by one thread at a time,
 * under the engine's writer lock. */
gboolean
dsq_cold_readers_drain (DsqColdSqlite *self)
{
  struct timespec deadline;
  gboolean drained;

  clock_gettime (CLOCK_MONOTONIC, &deadline);
  deadline.tv_nsec += DRAIN_MS * 1000000L;
  deadline.tv_sec += deadline.tv_nsec / 1000000000L;
  deadline.tv_nsec %= 1000000000L;

  pthread_mutex_lock (&self->readers_lock);
  drained = wait_for_epoch_locked (self, 1 - self->epoch, &deadline);
  if (drained)
    {
      self->epoch = 1 - self->epoch;
      drained = wait_for_epoch_locked (self, 1 - self->epoch, &deadline);
    }
  pthread_mutex_unlock (&self->readers_lock);
  return drained;
}

void
dsq_cold_readers_close (DsqColdSqlite *self)
{
  while (self->n_idle > 0)
    close_reader (self->idle[--self->n_idle]);
}

/* --- one key ---------------------------------------------------------------------------------- */

gboolean
dsq_cold_get (DsqColdTier *tier, const DsqKey *key, DsqEntry **out_entry, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqColdReader *reader = dsq_cold_readers_take (self, error);
  gboolean read;

  if (reader == NULL)
    return FALSE;
  read = dsq_cold_get_row (&self->codec,
                           &reader->statements[DSQ_COLD_READ_GET],
                           key,
                           out_entry,
                           error);
  dsq_cold_readers_give_back (self, reader);
  return read;
}

/* --- many keys -------------------------------------------------------------------------------- */

/* The order of the index on (table_id, token). */
static int
compare_keys (gconstpointer a, gconstpointer b)
{
  const DsqKey *left = *(const DsqKey *const *) a;
  const DsqKey *right = *(const DsqKey *const *) b;
  int order;

  if (left->table != right->table)
    return left->table < right->table ? -1 : 1;
  order = memcmp (left->bytes, right->bytes, MIN (left->length, right->length));
  if (order != 0 || left->length == right->length)
    return order;
  return left->length < right->length ? -1 : 1;
}

typedef gboolean (*ReadKeyFunc) (DsqColdSqlite *self,
                                 DsqColdReader *reader,
                                 const DsqKey *key,
                                 gsize at,
                                 gpointer out,
                                 GError **error);

/* Calls @read_key for each key, in the order of the index and one read transaction. */
static gboolean
read_keys (DsqColdSqlite *self,
           const DsqKey *keys,
           gsize n_keys,
           ReadKeyFunc read_key,
           gpointer out,
           GError **error)
{
  g_autofree const DsqKey **sorted = NULL;
  DsqColdReader *reader;
  gboolean read;

  if (n_keys == 0)
    return TRUE;
  reader = dsq_cold_readers_take (self, error);
  if (reader == NULL)
    return FALSE;
  sorted = g_new (const DsqKey *, n_keys);
  for (gsize i = 0; i < n_keys; i++)
    sorted[i] = &keys[i];
  qsort (sorted, n_keys, sizeof *sorted, compare_keys);

  read = dsq_statement_run (&reader->statements[DSQ_COLD_READ_BEGIN], error);
  for (gsize i = 0; i < n_keys && read; i++)
    read = !g_cancellable_set_error_if_cancelled (dsq_call_state.cancellable, error) &&
           read_key (self, reader, sorted[i], (gsize) (sorted[i] - keys), out, error);
  dsq_database_set_cancellable (reader->database, NULL);
  if (!sqlite3_get_autocommit (reader->database->handle))
    dsq_statement_run (&reader->statements[DSQ_COLD_READ_END], NULL);
  dsq_cold_readers_give_back (self, reader);
  return read;
}

static gboolean
get_one (DsqColdSqlite *self,
         DsqColdReader *reader,
         const DsqKey *key,
         gsize at,
         gpointer out,
         GError **error)
{
  DsqEntry **entries = out;

  return dsq_cold_get_row (&self->codec,
                           &reader->statements[DSQ_COLD_READ_GET],
                           key,
                           &entries[at],
                           error);
}

gboolean
dsq_cold_get_many (DsqColdTier *tier,
                   const DsqKey *keys,
                   gsize n_keys,
                   DsqEntry **out,
                   GError **error)
{
  for (gsize i = 0; i < n_keys; i++)
    out[i] = NULL;
  if (read_keys ((DsqColdSqlite *) tier, keys, n_keys, get_one, out, error))
    return TRUE;
  for (gsize i = 0; i < n_keys; i++)
    g_clear_pointer (&out[i], dsq_entry_unref);
  return FALSE;
}

static gboolean
probe_one (DsqColdSqlite *self,
           DsqColdReader *reader,
           const DsqKey *key,
           gsize at,
           gpointer out,
           GError **error)
{
  DsqStatement *statement = &reader->statements[DSQ_COLD_READ_PROBE];
  gint64 *places = out;
  DsqToken token;
  DsqStep step;

  dsq_row_make_token (&self->codec, key->table, key->bytes, key->length, &token);
  dsq_cold_bind_token (statement, 1, 2, key->table, &token);
  step = dsq_statement_step (statement, error);
  places[at] = step == DSQ_STEP_ROW ? sqlite3_column_int64 (statement->handle, 0) : 0;
  dsq_statement_reset (statement);
  return step != DSQ_STEP_FAILED;
}

gboolean
dsq_cold_probe (DsqColdTier *tier,
                const DsqKey *keys,
                gsize n_keys,
                gint64 *out_places,
                GError **error)
{
  return read_keys ((DsqColdSqlite *) tier, keys, n_keys, probe_one, out_places, error);
}

/* --- rows in order ---------------------------------------------------------------------------- */

/* Appends the row that @statement stands at. */
static gboolean
append_row (DsqColdSqlite *self,
            DsqStatement *statement,
            guint32 table,
            gboolean keys_only,
            GArray *rows,
            GError **error)
{
  sqlite3_stmt *row = statement->handle;
  DsqColdRow found = { .place = sqlite3_column_int64 (row, AT_PLACE) };
  DsqKey key = { .table = table };
  g_autofree guint8 *memory = NULL;
  DsqToken token;

  if (sqlite3_column_int64 (row, AT_TABLE) != table)
    {
      g_set_error (error,
                   DSQ_ERROR,
                   DSQ_ERROR_CORRUPT,
                   "Failed to walk the entries: a row is not one of its table");
      return FALSE;
    }
  if (!dsq_cold_decode_key (&self->codec, row, AT_TOKEN, AT_NAME, &key, &token, &memory, error))
    return FALSE;
  if (keys_only)
    found.entry = dsq_entry_new_tombstone (&key);
  else
    found.entry = dsq_cold_decode_row (&self->codec, statement, 0, &key, &token, error);
  if (found.entry == NULL)
    return FALSE;
  g_array_append_val (rows, found);
  return TRUE;
}

/* Appends rows until there are no more, or one of the limits is met. */
static gboolean
append_rows (DsqColdSqlite *self,
             DsqStatement *statement,
             guint32 table,
             guint max_rows,
             gsize max_bytes,
             gboolean keys_only,
             GArray *rows,
             gboolean *out_is_last,
             GError **error)
{
  gsize n_bytes = 0;

  *out_is_last = FALSE;
  for (guint n_rows = 0; n_rows < max_rows && n_bytes < max_bytes; n_rows++)
    {
      DsqStep step = dsq_statement_step (statement, error);

      *out_is_last = step == DSQ_STEP_DONE;
      if (step == DSQ_STEP_DONE)
        return TRUE;
      if (step == DSQ_STEP_FAILED || !append_row (self, statement, table, keys_only, rows, error))
        return FALSE;
      n_bytes += dsq_entry_size (g_array_index (rows, DsqColdRow, rows->len - 1).entry);
    }
  return TRUE;
}

static void
drop_rows (GArray *rows, guint n_kept)
{
  for (guint i = n_kept; i < rows->len; i++)
    dsq_entry_unref (g_array_index (rows, DsqColdRow, i).entry);
  g_array_set_size (rows, n_kept);
}

gboolean
dsq_cold_walk (DsqColdTier *tier,
               guint32 table,
               gint64 place,
               DsqWalkOrder order,
               guint max_rows,
               gsize max_bytes,
               gboolean keys_only,
               GArray *rows,
               gboolean *out_is_last,
               GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  gboolean forward = order == DSQ_WALK_FORWARD;
  gint64 first = (gint64) table << DSQ_FORMAT_POSITION_BITS;
  gint64 end = first | DSQ_FORMAT_POSITION_MAX; /* which is never given out */
  DsqColdReader *reader = dsq_cold_readers_take (self, error);
  guint n_before = rows->len;
  DsqStatement *statement;
  DsqColdRead which;
  gboolean walked;

  if (reader == NULL)
    return FALSE;
  if (keys_only)
    which = forward ? DSQ_COLD_READ_FORWARD_KEYS : DSQ_COLD_READ_REVERSE_KEYS;
  else
    which = forward ? DSQ_COLD_READ_FORWARD : DSQ_COLD_READ_REVERSE;
  statement = &reader->statements[which];
  dsq_statement_bind_number (statement, 1, forward ? MAX (first, place) : first);
  dsq_statement_bind_number (statement, 2, forward ? end : MIN (end, place));
  walked = append_rows (self,
                        statement,
                        table,
                        max_rows,
                        max_bytes,
                        keys_only,
                        rows,
                        out_is_last,
                        error);
  dsq_statement_reset (statement);
  dsq_cold_readers_give_back (self, reader);
  if (!walked)
    drop_rows (rows, n_before);
  return walked;
}
