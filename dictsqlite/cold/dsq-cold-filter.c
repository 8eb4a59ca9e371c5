/* dsq-cold-filter.c - keeping the filter of absent keys true to a cold tier
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-filter-private.h"

/*
 * The filter pays once enough keys have been looked for in vain, so it is not built before. To
 * build it, all keys are read, some thousand a call. Keys that come in between are added by the
 * writer as it brings them in; a foreign commit resets the filter, and the build comes to nothing.
 * What is asked of the filter counts only while the tier is current: so a foreign commit that has
 * not been learned does no harm.
 */

/* Addresses reserved: room for 22 million keys. */
#define MAX_BYTES (32u << 20)

/* Keys looked for in vain before a build: a key costs it about a thirtieth of a look. */
#define MIN_ABSENT   16
#define ABSENT_SHARE 32

/* Keys of the tier for one to look for, at which both cost the same. */
#define WORTH_SHARE 16

DsqColdFilter *
dsq_cold_filter_new (DsqColdKeysFunc read_keys, gpointer user_data, const guint64 *n_entries)
{
  DsqColdFilter *self = g_new0 (DsqColdFilter, 1);

  self->bits = dsq_filter_new (MAX_BYTES);
  self->read_keys = read_keys;
  self->user_data = user_data;
  self->n_entries = n_entries;
  dsq_mutex_init (&self->lock, DSQ_RANK_FILTER, 0);
  return self;
}

void
dsq_cold_filter_free (DsqColdFilter *self)
{
  dsq_mutex_clear (&self->lock);
  dsq_filter_free (self->bits);
  g_free (self);
}

void
dsq_cold_filter_start_empty (DsqColdFilter *self, guint64 n_expected)
{
  dsq_filter_finish (self->bits, dsq_filter_begin (self->bits, n_expected));
}

void
dsq_cold_filter_reset (DsqColdFilter *self)
{
  dsq_filter_reset (self->bits);
  __atomic_store_n (&self->n_absent, 0, __ATOMIC_RELAXED);
}

void
dsq_cold_filter_note_empty (DsqColdFilter *self)
{
  DsqFilterStats stats;

  if (!dsq_filter_is_active (self->bits) || !dsq_mutex_trylock (&self->lock))
    return;
  dsq_filter_get_stats (self->bits, &stats);
  if (stats.keys > 0)
    dsq_cold_filter_start_empty (self, 0);
  dsq_mutex_unlock (&self->lock);
}

/* --- building --------------------------------------------------------------------------------- */

gboolean
dsq_cold_filter_wants_build (DsqColdFilter *self, guint64 n_absent)
{
  guint64 n_entries, n;

  if (self == NULL)
    return FALSE;
  n_entries = __atomic_load_n (self->n_entries, __ATOMIC_RELAXED);
  n = __atomic_add_fetch (&self->n_absent, n_absent, __ATOMIC_RELAXED);
  if (n < MIN_ABSENT + n_entries / ABSENT_SHARE)
    return FALSE;
  return __atomic_load_n (&self->build, __ATOMIC_RELAXED) != 0 ||
         dsq_filter_wants_build (self->bits, n_entries);
}

gboolean
dsq_cold_filter_is_worth (DsqColdFilter *self, guint64 n_keys)
{
  guint64 n_entries;

  if (self == NULL)
    return FALSE;
  n_entries = __atomic_load_n (self->n_entries, __ATOMIC_RELAXED);
  return n_keys >= MIN_ABSENT && n_entries / WORTH_SHARE <= n_keys &&
         dsq_filter_wants_build (self->bits, n_entries);
}

void
dsq_cold_filter_begin (DsqColdFilter *self)
{
  guint64 n_entries = __atomic_load_n (self->n_entries, __ATOMIC_RELAXED);

  dsq_mutex_lock (&self->lock);
  if (self->build == 0 || !dsq_filter_is_current (self->bits, self->build))
    {
      __atomic_store_n (&self->build, dsq_filter_begin (self->bits, n_entries), __ATOMIC_RELAXED);
      self->is_fresh = TRUE;
    }
  dsq_mutex_unlock (&self->lock);
}

static gboolean
fill_locked (DsqColdFilter *self, guint max_rows)
{
  gboolean is_last = FALSE;
  gboolean read;

  dsq_mutex_assert_held (&self->lock);
  if (self->build == 0)
    return FALSE;
  read = self->read_keys (self->user_data, self->is_fresh, max_rows, &is_last, NULL);
  self->is_fresh = FALSE;
  if (dsq_filter_is_current (self->bits, self->build))
    {
      if (read && !is_last)
        return TRUE;
      if (read)
        dsq_filter_finish (self->bits, self->build);
      else
        dsq_cold_filter_reset (self);
    }
  __atomic_store_n (&self->build, 0, __ATOMIC_RELAXED);
  return FALSE;
}

gboolean
dsq_cold_filter_fill (DsqColdFilter *self, guint max_rows)
{
  gboolean goes_on;

  if (!dsq_mutex_trylock (&self->lock))
    return FALSE;
  goes_on = fill_locked (self, max_rows);
  dsq_mutex_unlock (&self->lock);
  return goes_on;
}
