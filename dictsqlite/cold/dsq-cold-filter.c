/* dsq-cold-filter.c - keeping the filter of absent keys true to the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-hash-private.h"
#include "cold/dsq-cold-filter-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-sqlite-private.h"

/*
 * The filter pays once enough keys have been looked for in vain, so it is not built before. To
 * build it, all keys are read from the index on (table_id, token), in a sealed file from the rows,
 * some thousand a call and each call in a read transaction of its own, beyond the last key. Keys
 * that come in between are added by the writer as it brings them in; a foreign commit resets the
 * filter, and the build comes to nothing. What is asked of the filter counts only while the tier is
 * current: so a foreign commit that has not been learned does no harm.
 */

/* Addresses reserved: room for 22 million keys. */
#define MAX_BYTES (32u << 20)

/* Keys looked for in vain before a build: a key costs it about a thirtieth of a look. */
#define MIN_ABSENT   16
#define ABSENT_SHARE 32

/* Keys of the file for one to look for, at which both cost the same. */
#define WORTH_SHARE 16

void
dsq_cold_filter_init (DsqColdSqlite *self)
{
  dsq_mutex_init (&self->filter_lock, DSQ_RANK_FILTER, 0);
  self->tier.filter = dsq_filter_new (MAX_BYTES);
  self->filled = g_byte_array_new ();
}

void
dsq_cold_filter_clear (DsqColdSqlite *self)
{
  dsq_mutex_clear (&self->filter_lock);
  g_clear_pointer (&self->tier.filter, dsq_filter_free);
  g_clear_pointer (&self->filled, g_byte_array_unref);
}

void
dsq_cold_filter_reset (DsqColdSqlite *self)
{
  dsq_filter_reset (self->tier.filter);
  __atomic_store_n (&self->n_absent, 0, __ATOMIC_RELAXED);
}

/* Nothing is in the file: that is known at once. */
void
dsq_cold_filter_note_commit (DsqColdSqlite *self)
{
  DsqFilterStats stats;

  if (__atomic_load_n (&self->n_entries, __ATOMIC_RELAXED) > 0 ||
      !dsq_filter_is_active (self->tier.filter) || !dsq_mutex_trylock (&self->filter_lock))
    return;
  dsq_filter_get_stats (self->tier.filter, &stats);
  if (stats.keys > 0)
    dsq_filter_finish (self->tier.filter, dsq_filter_begin (self->tier.filter, 0));
  dsq_mutex_unlock (&self->filter_lock);
}

void
dsq_cold_filter_get_stats (DsqColdSqlite *self, DsqColdStats *out_stats)
{
  DsqFilterStats stats;

  dsq_filter_get_stats (self->tier.filter, &stats);
  out_stats->filter_keys = stats.keys;
  out_stats->filter_bytes = stats.bytes;
}

/* --- building --------------------------------------------------------------------------------- */

gboolean
dsq_cold_filter_wants_build (DsqColdTier *tier, guint64 n_absent)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  guint64 n_entries = __atomic_load_n (&self->n_entries, __ATOMIC_RELAXED);
  guint64 n = __atomic_add_fetch (&self->n_absent, n_absent, __ATOMIC_RELAXED);

  if (n < MIN_ABSENT + n_entries / ABSENT_SHARE)
    return FALSE;
  return __atomic_load_n (&self->filter_build, __ATOMIC_RELAXED) != 0 ||
         dsq_filter_wants_build (tier->filter, n_entries);
}

gboolean
dsq_cold_filter_is_worth (DsqColdTier *tier, guint64 n_keys)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  guint64 n_entries = __atomic_load_n (&self->n_entries, __ATOMIC_RELAXED);

  return n_keys >= MIN_ABSENT && n_entries / WORTH_SHARE <= n_keys &&
         dsq_filter_wants_build (tier->filter, n_entries);
}

void
dsq_cold_filter_begin (DsqColdTier *tier)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  guint64 n_entries = __atomic_load_n (&self->n_entries, __ATOMIC_RELAXED);

  dsq_mutex_lock (&self->filter_lock);
  if (self->filter_build == 0 || !dsq_filter_is_current (tier->filter, self->filter_build))
    {
      __atomic_store_n (&self->filter_build,
                        dsq_filter_begin (tier->filter, n_entries),
                        __ATOMIC_RELAXED);
      self->filled_table = 0;
      self->filled_place = 0;
      g_byte_array_set_size (self->filled, 0);
    }
  dsq_mutex_unlock (&self->filter_lock);
}

/* Adds the key of the row that @row stands at; with @stops the build stands there as well. */
static void
take_key (DsqColdSqlite *self, sqlite3_stmt *row, gboolean stops)
{
  guint32 table = (guint32) sqlite3_column_int64 (row, 0);
  const guint8 *token = sqlite3_column_blob (row, 1);
  guint length = (guint) sqlite3_column_bytes (row, 1);

  if (length == 0) /* SQLite gives NULL for it */
    token = (const guint8 *) "";
  dsq_filter_add (self->tier.filter, dsq_hash (table, token, length));
  if (!stops)
    return;
  self->filled_table = table;
  g_byte_array_set_size (self->filled, 0);
  g_byte_array_append (self->filled, token, length);
}

static DsqStep
take_keys (DsqColdSqlite *self, DsqColdReader *reader, guint max_rows, GError **error)
{
  DsqStatement *statement = &reader->statements[DSQ_COLD_READ_TOKENS];
  DsqStep step = DSQ_STEP_ROW;

  dsq_statement_bind_number (statement, 1, self->filled_table);
  dsq_statement_bind_bytes (statement,
                            2,
                            self->filled->len > 0 ? self->filled->data : (const guint8 *) "",
                            self->filled->len);
  for (guint i = 0; i < max_rows && step == DSQ_STEP_ROW; i++)
    {
      step = dsq_statement_step (statement, error);
      if (step == DSQ_STEP_ROW)
        take_key (self, statement->handle, i == max_rows - 1);
    }
  dsq_statement_reset (statement);
  return step;
}

static gboolean
take_name (DsqColdSqlite *self, sqlite3_stmt *row, GError **error)
{
  DsqKey key = { .table = (guint32) sqlite3_column_int64 (row, 0) };
  g_autofree guint8 *memory = NULL;
  DsqToken token;

  if (!dsq_cold_decode_key (&self->codec, row, 1, 2, &key, &token, &memory, error))
    return FALSE;
  dsq_filter_add (self->tier.filter, dsq_hash (key.table, key.bytes, key.length));
  self->filled_place = sqlite3_column_int64 (row, 3);
  return TRUE;
}

/* The keys of a sealed file are in its names, which lie with the rows and not in the index. */
static DsqStep
take_names (DsqColdSqlite *self, DsqColdReader *reader, guint max_rows, GError **error)
{
  DsqStatement *statement = &reader->statements[DSQ_COLD_READ_NAMES];
  DsqStep step = DSQ_STEP_ROW;

  dsq_statement_bind_number (statement, 1, self->filled_place);
  for (guint i = 0; i < max_rows && step == DSQ_STEP_ROW; i++)
    {
      step = dsq_statement_step (statement, error);
      if (step == DSQ_STEP_ROW && !take_name (self, statement->handle, error))
        step = DSQ_STEP_FAILED;
    }
  dsq_statement_reset (statement);
  return step;
}

static gboolean
fill_locked (DsqColdSqlite *self, guint max_rows, GError **error)
{
  DsqColdReader *reader;
  DsqStep step = DSQ_STEP_FAILED;

  dsq_mutex_assert_held (&self->filter_lock);
  if (self->filter_build == 0)
    return FALSE;
  reader = dsq_cold_readers_take (self, error);
  if (reader != NULL)
    {
      if (dsq_cold_readers_start (self, reader, FALSE, error))
        step = (self->codec.keys != NULL ? take_names : take_keys) (self, reader, max_rows, error);
      dsq_cold_readers_give_back (self, reader);
    }
  if (dsq_filter_is_current (self->tier.filter, self->filter_build))
    {
      if (step == DSQ_STEP_ROW)
        return TRUE;
      if (step == DSQ_STEP_DONE)
        dsq_filter_finish (self->tier.filter, self->filter_build);
      else
        dsq_cold_filter_reset (self);
    }
  __atomic_store_n (&self->filter_build, 0, __ATOMIC_RELAXED);
  return FALSE;
}

gboolean
dsq_cold_filter_fill (DsqColdTier *tier, guint max_rows, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  gboolean goes_on;

  if (!dsq_mutex_trylock (&self->filter_lock))
    return FALSE;
  goes_on = fill_locked (self, max_rows, error);
  dsq_mutex_unlock (&self->filter_lock);
  return goes_on;
}
