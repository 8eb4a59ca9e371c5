/* dsq-cold-coherence.c - what of the file has been learned, against what it says now
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every commit to the file, whoever makes it, changes the header of the log's index. The stamp that
 * was last learned is `seen`; that the header differs means a foreign commit, unless it is our own
 * or the log was only started anew.
 *
 *                 begin: learn                 start_commit
 *      IDLE  ----------------->  IN_TRANSACTION  --------->  COMMITTING
 *       ^                              |                          |
 *       +--------- give_up ------------+------ finish_commit -----+
 *
 * In a transaction nobody else can commit, so what was learned at its beginning holds. While our
 * commit is on its way nobody can tell the header's change from a foreign one: who asks then waits
 * until it has been learned. Before that it is brought to memory: other processes can read it as
 * soon as the header has changed, and what they tell of it must not find memory behind.
 *
 * Order in learning: stamp, tables, foreign function, seen. A commit between the stamp and the
 * reading of the tables makes the tables newer than the stamp, and is learned (again) at the next
 * look; the other way round it would be missed. Seen last, so that nobody takes what is in memory
 * for current before the foreign function has cleared it.
 */

#include "config.h"

#include <string.h>

#include "base/dsq-call-private.h"
#include "cold/dsq-cold-changes-private.h"
#include "cold/dsq-cold-coherence-private.h"
#include "cold/dsq-cold-damaged-private.h"
#include "cold/dsq-cold-filter-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "cold/dsq-cold-writer-private.h"
#include "dsq-error.h"

/* Readings of a header whose writer died half-way; each goes through SQLite, which mends it. */
#define HEADER_TRIES 3

static void
set_seen_locked (DsqColdSqlite *self, const DsqWalStamp *stamp)
{
  dsq_mutex_assert_held (&self->coherence_lock);
  self->seen = *stamp;
  for (guint i = 0; i < DSQ_WAL_STAMP_WORDS; i++)
    __atomic_store_n (&self->file.tier.seen_version[i], stamp->words[i], __ATOMIC_RELEASE);
}

/* Of all tables. */
static void
count_entries_locked (DsqColdSqlite *self)
{
  guint64 n_entries = 0;

  dsq_mutex_assert_held (&self->coherence_lock);
  for (guint i = 0; i < self->tables->len; i++)
    n_entries += (guint64) g_array_index (self->tables, DsqTableState, i).count;
  __atomic_store_n (&self->n_entries, n_entries, __ATOMIC_RELAXED);
}

/* Of what the transaction has changed. */
static void
count_changed_locked (DsqColdSqlite *self)
{
  const DsqColdUndo *undo = &self->writer.undo;
  gint64 n_more = 0;

  dsq_mutex_assert_held (&self->coherence_lock);
  for (guint i = 0; i < undo->steps->len; i++)
    {
      const DsqTableState *before = dsq_cold_undo_get_first (undo, i);
      const DsqTableState *now;

      if (before == NULL)
        continue;
      now = dsq_cold_find_table (self, before->table);
      n_more += (now != NULL ? now->count : 0) - before->count;
    }
  __atomic_fetch_add (&self->n_entries, (guint64) n_more, __ATOMIC_RELAXED);
}

/* Others have committed up to @stamp. Facts may tell what has changed by it. */
static gboolean
learn_foreign_locked (DsqColdSqlite *self,
                      const DsqWalStamp *stamp,
                      DsqDatabase *database,
                      DsqStatement *tables,
                      GError **error)
{
  DsqFilter *filter = self->file.tier.filter->bits;
  DsqColdChanged changed;
  gboolean is_known, is_all;
  gint64 n_more = 0;

  dsq_mutex_assert_held (&self->coherence_lock);
  is_known = dsq_facts_follow (self->facts, &self->seen, stamp, &changed);
  is_all = !is_known ||
           !dsq_cold_read_changed_tables (&self->codec, tables, &changed, self->tables, &n_more);
  if (is_all && !dsq_cold_learn_tables (self, database, tables, self->tables, error))
    return FALSE;
  if (is_known)
    for (gsize i = 0; i < changed.n_keys && dsq_filter_is_active (filter); i++)
      dsq_filter_add (filter, changed.keys[i].hash);
  else
    dsq_cold_filter_reset (self->file.tier.filter);
  self->file.tier.foreign_func (&g_array_index (self->tables, DsqTableState, 0),
                                self->tables->len,
                                is_known ? &changed : NULL,
                                self->file.tier.foreign_data);
  DSQ_COLD_COUNT (self->n_foreign_changes);
  if (is_all)
    count_entries_locked (self);
  else
    __atomic_fetch_add (&self->n_entries, (guint64) n_more, __ATOMIC_RELAXED);
  set_seen_locked (self, stamp);
  return TRUE;
}

static gboolean
set_unreadable (GError **error)
{
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_IO,
               "Failed to look for others' commits: the index of the write-ahead log is damaged");
  return FALSE;
}

/* Whether other connections than the writer committed since the version was last asked. */
static gboolean
ask_version_locked (DsqColdSqlite *self, gboolean *out_is_same, GError **error)
{
  DsqStatement *statement = &self->writer.statements[DSQ_COLD_WRITE_DATA_VERSION];
  DsqStep step;
  gint64 version = 0;

  dsq_mutex_assert_held (&self->coherence_lock);
  step = dsq_statement_step (statement, error);
  if (step == DSQ_STEP_ROW)
    version = sqlite3_column_int64 (statement->handle, 0);
  dsq_statement_reset (statement);
  if (step == DSQ_STEP_FAILED)
    return FALSE;
  *out_is_same = version == self->data_version;
  self->data_version = version;
  return TRUE;
}

/* The stamp of a file without an index, which is taken never to change. */
static const DsqWalStamp unchanging;

gboolean
dsq_cold_coherence_init (DsqColdSqlite *self, GError **error)
{
  DsqStatement *tables = &self->writer.statements[DSQ_COLD_WRITE_TABLES];
  gboolean ignored;
  DsqWalStamp stamp;
  gboolean ready;

  if (!dsq_cold_learn_tables (self, self->writer.database, tables, self->tables, error))
    return FALSE;
  if (self->read_role == DSQ_DATABASE_READ_UNCHANGING)
    {
      self->file.tier.live_version = unchanging.words;
      dsq_mutex_lock (&self->coherence_lock);
      count_entries_locked (self);
      set_seen_locked (self, &unchanging);
      dsq_mutex_unlock (&self->coherence_lock);
      return TRUE;
    }
  if (!dsq_wal_index_init (&self->wal_index, self->writer.database, error))
    return FALSE;
  self->file.tier.live_version = self->wal_index.words;
  if (!dsq_wal_index_read (&self->wal_index, &stamp))
    return set_unreadable (error);

  dsq_mutex_lock (&self->coherence_lock);
  ready = dsq_cold_learn_tables (self, self->writer.database, tables, self->tables, error) &&
          ask_version_locked (self, &ignored, error);
  if (ready)
    {
      count_entries_locked (self);
      set_seen_locked (self, &stamp);
    }
  dsq_mutex_unlock (&self->coherence_lock);
  return ready;
}

/* --- anybody, at any time --------------------------------------------------------------------- */

/* On a reader's connection, since the writer's may be in use. Without @stamp nothing is learned,
 * but SQLite has looked at the header. */
static gboolean
read_tables_locked (DsqColdSqlite *self, const DsqWalStamp *stamp, GError **error)
{
  DsqColdReader *reader;
  DsqStatement *tables;
  gboolean read;

  dsq_mutex_assert_held (&self->coherence_lock);
  reader = dsq_cold_readers_take (self, error);
  if (reader == NULL)
    return FALSE;
  tables = &reader->statements[DSQ_COLD_READ_TABLES];
  read = dsq_cold_readers_start (self, reader, FALSE, error);
  if (read && stamp != NULL)
    read = learn_foreign_locked (self, stamp, reader->database, tables, error);
  else if (read)
    {
      g_autoptr (GArray) ignored = g_array_new (FALSE, FALSE, sizeof (DsqTableState));

      read = dsq_cold_learn_tables (self, reader->database, tables, ignored, error);
    }
  dsq_cold_readers_give_back (self, reader);
  return read;
}

static gboolean
catch_up_idle_locked (DsqColdSqlite *self, const DsqWalStamp *stamp, GError **error)
{
  dsq_mutex_assert_held (&self->coherence_lock);
  self->version_is_stale = TRUE;
  if (dsq_wal_stamp_is_restart_of (stamp, &self->seen))
    {
      set_seen_locked (self, stamp);
      return TRUE;
    }
  return read_tables_locked (self, stamp, error);
}

static gboolean
catch_up_locked (DsqColdSqlite *self, GError **error)
{
  guint n_tries = 0;

  dsq_mutex_assert_held (&self->coherence_lock);
  for (;;)
    {
      DsqWalStamp stamp;

      if (self->state == DSQ_COLD_IN_TRANSACTION)
        return TRUE;
      if (dsq_wal_index_read (&self->wal_index, &stamp))
        {
          if (dsq_wal_stamp_equal (&stamp, &self->seen))
            return TRUE;
          if (self->state == DSQ_COLD_IDLE)
            return catch_up_idle_locked (self, &stamp, error);
          if (dsq_wal_stamp_is_restart_of (&stamp, &self->seen))
            return TRUE;
        }
      else if (self->state == DSQ_COLD_IDLE)
        {
          if (++n_tries == HEADER_TRIES)
            return set_unreadable (error);
          if (!read_tables_locked (self, NULL, error))
            return FALSE;
          continue;
        }
      if (!dsq_call_check (error))
        return FALSE;
      dsq_call_wait (&self->learned, &self->coherence_lock);
    }
}

gboolean
dsq_cold_catch_up (DsqColdTier *tier, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  gboolean caught_up;

  if (!dsq_call_lock (&self->coherence_lock, error))
    return FALSE;
  caught_up = catch_up_locked (self, error);
  dsq_mutex_unlock (&self->coherence_lock);
  return caught_up;
}

/* --- the writer ------------------------------------------------------------------------------- */

static gboolean
begin_locked (DsqColdSqlite *self, GError **error)
{
  DsqWalStamp stamp;
  gboolean ignored;

  dsq_mutex_assert_held (&self->coherence_lock);
  if (!dsq_wal_index_read (&self->wal_index, &stamp))
    return set_unreadable (error);
  if (dsq_wal_stamp_equal (&stamp, &self->seen))
    {
      if (self->version_is_stale && !ask_version_locked (self, &ignored, error))
        return FALSE;
      self->version_is_stale = FALSE;
      return TRUE;
    }

  if (!ask_version_locked (self, &ignored, error))
    return FALSE;
  self->version_is_stale = FALSE;
  if (dsq_wal_stamp_is_restart_of (&stamp, &self->seen))
    {
      set_seen_locked (self, &stamp);
      return TRUE;
    }
  return learn_foreign_locked (self,
                               &stamp,
                               self->writer.database,
                               &self->writer.statements[DSQ_COLD_WRITE_TABLES],
                               error);
}

gboolean
dsq_cold_coherence_begin (DsqColdSqlite *self, GError **error)
{
  gboolean begun;

  dsq_mutex_lock (&self->coherence_lock);
  begun = begin_locked (self, error);
  if (begun)
    self->state = DSQ_COLD_IN_TRANSACTION;
  dsq_mutex_unlock (&self->coherence_lock);
  return begun;
}

/* A large transaction may have started the log anew already. */
void
dsq_cold_coherence_start_commit (DsqColdSqlite *self)
{
  dsq_mutex_lock (&self->coherence_lock);
  self->state = DSQ_COLD_COMMITTING;
  if (!dsq_wal_index_read (&self->wal_index, &self->before_commit))
    memset (&self->before_commit, 0, sizeof self->before_commit);
  dsq_mutex_unlock (&self->coherence_lock);
}

/* Whether the header, as it is read now, is that of our own commit and none after it. */
static gboolean
is_own_commit_locked (DsqColdSqlite *self, DsqWalStamp *out_stamp)
{
  gboolean is_same = FALSE;

  dsq_mutex_assert_held (&self->coherence_lock);
  if (!dsq_wal_index_read (&self->wal_index, out_stamp))
    return FALSE;
  /* frames are only appended, so ours is the last one as long as the count is ours */
  if (dsq_wal_stamp_is_same_log (out_stamp, &self->before_commit))
    return out_stamp->n_frames == self->writer.hook_frames;
  /* the log was started anew, by us or after us: the stamp stands before the question, so if nobody
   * had committed by then nobody had committed before the stamp */
  return ask_version_locked (self, &is_same, NULL) && is_same;
}

/* The header as our own commit left it: the live one, or from the log when others have committed
 * since. */
static gboolean
find_own_stamp_locked (DsqColdSqlite *self, DsqWalStamp *out_stamp)
{
  dsq_mutex_assert_held (&self->coherence_lock);
  return is_own_commit_locked (self, out_stamp) || dsq_wal_index_rebuild (self->writer.database,
                                                                          &self->seen,
                                                                          &self->before_commit,
                                                                          self->writer.hook_frames,
                                                                          out_stamp);
}

/* Others are told before memory learns of it, so that they wait as little as can be. In the
 * transaction what was seen is the state that it began with. A commit that cannot be told from a
 * foreign one is left to be learned as one. */
void
dsq_cold_coherence_finish_commit (DsqColdSqlite *self,
                                  DsqColdCommittedFunc committed,
                                  gpointer committed_data)
{
  DsqWalStamp stamp;
  gboolean is_known;

  dsq_mutex_lock (&self->coherence_lock);
  is_known = find_own_stamp_locked (self, &stamp);
  if (is_known)
    dsq_facts_append (self->facts, &self->seen, &stamp);
  self->file.tier.n_commits++;
  if (committed != NULL)
    committed (committed_data);
  count_changed_locked (self);
  /* before anybody learns of keys that others have brought in since */
  dsq_cold_filter_note_commit (self->file.tier.filter);
  if (is_known)
    set_seen_locked (self, &stamp);
  self->state = DSQ_COLD_IDLE;
  pthread_cond_broadcast (&self->learned);
  dsq_mutex_unlock (&self->coherence_lock);
}

/* While SQLite's lock is held, a header that differs is our own start of a new log. */
void
dsq_cold_coherence_give_up (DsqColdSqlite *self)
{
  DsqWalStamp stamp;

  dsq_mutex_lock (&self->coherence_lock);
  if (self->state != DSQ_COLD_IDLE)
    {
      dsq_cold_undo_back_to (&self->writer.undo, 0, self->tables);
      if (!sqlite3_get_autocommit (self->writer.database->handle) &&
          dsq_wal_index_read (&self->wal_index, &stamp))
        set_seen_locked (self, &stamp);
      self->version_is_stale = TRUE;
      self->state = DSQ_COLD_IDLE;
      pthread_cond_broadcast (&self->learned);
    }
  dsq_mutex_unlock (&self->coherence_lock);
}
