/* dsq-key-reading.c - a part of a table's keys, read for a list
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "engine/dsq-engine-entries-private.h"
#include "store/dsq-key-reading-private.h"

/* Keys that are read at once, and what they may have together. */
#define CHUNK_KEYS  512
#define CHUNK_BYTES (1024 * 1024)

/* Behind all places, with room for shifts. */
#define PLACES_END (G_MAXINT64 / 2)

#define MAX_TRIES 8

void
dsq_key_anchor_copy (DsqKeyAnchor *self, const DsqKeyAnchor *from)
{
  GBytes *key = from->key != NULL ? g_bytes_ref (from->key) : NULL;

  dsq_key_anchor_clear (self);
  *self = (DsqKeyAnchor){ from->place, key };
}

void
dsq_key_anchor_clear (DsqKeyAnchor *self)
{
  g_clear_pointer (&self->key, g_bytes_unref);
}

static void
found_clear (gpointer data)
{
  DsqKeyFound *self = data;

  g_clear_pointer (&self->entry, dsq_entry_unref);
  g_clear_pointer (&self->value, dsq_entry_unref);
}

DsqKeyReading *
dsq_key_reading_new (DsqStore *store, gboolean by_key, GBytes *prefix)
{
  DsqKeyReading *self = g_new0 (DsqKeyReading, 1);

  self->store = g_object_ref (store);
  self->by_key = by_key;
  self->prefix = g_bytes_ref (prefix);
  self->found = g_array_new (FALSE, FALSE, sizeof (DsqKeyFound));
  g_array_set_clear_func (self->found, found_clear);
  return self;
}

void
dsq_key_reading_free (DsqKeyReading *self)
{
  g_object_unref (self->store);
  g_bytes_unref (self->prefix);
  dsq_key_anchor_clear (&self->from);
  dsq_key_anchor_clear (&self->end);
  dsq_key_anchor_clear (&self->next);
  g_clear_pointer (&self->wanted, g_hash_table_unref);
  g_array_unref (self->found);
  g_clear_error (&self->error);
  g_free (self);
}

/* --- in the store's order --------------------------------------------------------------------- */

static gboolean
has_prefix (const DsqKeyReading *self, const DsqEntry *entry)
{
  gsize length;
  const guint8 *prefix = g_bytes_get_data (self->prefix, &length);

  return length == 0 ||
         (entry->key_length >= length && memcmp (dsq_entry_key (entry), prefix, length) == 0);
}

static void
add_found (DsqKeyReading *self, gint64 place, DsqEntry *entry)
{
  const DsqKeyFound found = { dsq_entry_as_key (entry).hash, place, dsq_entry_ref (entry), NULL };

  g_array_append_val (self->found, found);
}

static void
add_rows (DsqKeyReading *self, const GArray *rows)
{
  for (guint i = 0; i < rows->len; i++)
    {
      const DsqWalkRow *row = &g_array_index (rows, DsqWalkRow, i);

      if (has_prefix (self, row->entry))
        add_found (self, row->place, row->entry);
      else
        self->n_passed++;
    }
}

static void
row_clear (gpointer data)
{
  dsq_entry_unref (((DsqWalkRow *) data)->entry);
}

/* A store that does not sweep has what has expired, which a key alone does not surely tell. */
static gboolean
walk (DsqKeyReading *self, DsqEngine *engine, DsqWalk *walk)
{
  gboolean bare = !self->store->options.read_only;
  guint n_read = 0;

  g_array_set_size (self->found, 0);
  self->n_passed = 0;
  walk->is_begun = TRUE;
  walk->place = MAX (self->from.place - 1, 0);
  walk->end = self->has_end ? self->end.place : PLACES_END;
  while (n_read < self->max_keys && !walk->is_at_end)
    {
      g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqWalkRow));
      guint max_rows = CLAMP (self->max_keys - n_read, 2, CHUNK_KEYS);

      g_array_set_clear_func (rows, row_clear);
      if (!dsq_engine_walk (engine, walk, max_rows, CHUNK_BYTES, bare, rows, &self->error))
        return FALSE;
      add_rows (self, rows);
      n_read += rows->len;
    }
  self->is_all = n_read < self->max_keys || walk->is_at_end;
  self->next.place = walk->place + 1;
  return TRUE;
}

/* What was settled before a shift is where it was. */
static gboolean
read_places (DsqKeyReading *self, DsqEngine *engine)
{
  gboolean success;
  DsqWalk step;

  if (!dsq_engine_start_walk (engine, self->store->table, DSQ_WALK_FORWARD, &step, &self->error))
    return FALSE;
  self->is_void = !self->is_settled && self->places.n_shifts != step.n_rebases;
  self->places = (DsqKeyPlaces){ engine, step.n_rebases, step.settled_end };
  success = self->is_void || self->max_keys == 0 || walk (self, engine, &step);
  if (success && step.n_rebases != self->places.n_shifts)
    self->is_void = TRUE;
  dsq_engine_end_walk (engine, &step);
  return success;
}

/* --- by key ----------------------------------------------------------------------------------- */

/* What comes directly behind the key. */
static GBytes *
make_successor (const DsqEntry *entry)
{
  guint8 *bytes = g_malloc0 ((gsize) entry->key_length + 1);

  memcpy (bytes, dsq_entry_key (entry), entry->key_length);
  return g_bytes_new_take (bytes, (gsize) entry->key_length + 1);
}

/* UTF-8 has no byte 0xFF, and keys that are no text begin with one, and go on with another. */
static GBytes *
make_end (GBytes *prefix)
{
  gsize length;
  const guint8 *bytes = g_bytes_get_data (prefix, &length);
  guint8 *end;

  if (length == 0)
    return g_bytes_new_static ("\xff\xff", 2);
  end = g_memdup2 (bytes, length);
  end[length - 1]++;
  return g_bytes_new_take (end, length);
}

static DsqKey
as_key (const DsqKeyReading *self, GBytes *bytes)
{
  gsize length;
  const guint8 *data = g_bytes_get_data (bytes, &length);

  return (
      DsqKey){ data != NULL ? data : (const guint8 *) "", (guint32) length, self->store->table, 0 };
}

static gboolean
read_keys (DsqKeyReading *self, DsqEngine *engine)
{
  g_autoptr (GBytes) last = make_end (self->prefix);
  DsqKey end = as_key (self, self->has_end ? self->end.key : last);

  self->places = (DsqKeyPlaces){ engine, 0, G_MAXINT64 };
  self->is_void = FALSE;
  dsq_key_anchor_copy (&self->next, &self->from);
  while (self->found->len < self->max_keys)
    {
      g_autoptr (GPtrArray) entries =
          g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);
      DsqKey from = as_key (self, self->next.key != NULL ? self->next.key : self->prefix);
      guint max_keys = MIN (self->max_keys - self->found->len, CHUNK_KEYS);

      if (!dsq_engine_list_keys (engine, &from, &end, max_keys, entries, &self->error))
        return FALSE;
      for (guint i = 0; i < entries->len; i++)
        add_found (self, 0, entries->pdata[i]);
      self->is_all = entries->len == 0;
      if (self->is_all)
        break;
      dsq_key_anchor_clear (&self->next);
      self->next.key = make_successor (entries->pdata[entries->len - 1]);
    }
  return TRUE;
}

/* --- values ----------------------------------------------------------------------------------- */

static gboolean
read_values (DsqKeyReading *self, DsqEngine *engine)
{
  g_autofree DsqKey *keys = NULL;
  g_autofree DsqEntry **values = NULL;
  g_autofree guint *which = NULL;
  guint n_keys = 0;

  if (self->wanted == NULL || self->found->len == 0)
    return TRUE;
  keys = g_new (DsqKey, self->found->len);
  values = g_new0 (DsqEntry *, self->found->len);
  which = g_new (guint, self->found->len);
  for (guint i = 0; i < self->found->len; i++)
    {
      DsqKeyFound *found = &g_array_index (self->found, DsqKeyFound, i);

      if (!g_hash_table_contains (self->wanted, &found->hash))
        continue;
      which[n_keys] = i;
      keys[n_keys++] = dsq_entry_as_key (found->entry);
    }
  if (n_keys > 0 && !dsq_store_get_entries (engine, keys, n_keys, values, &self->error))
    return FALSE;
  for (guint i = 0; i < n_keys; i++)
    g_array_index (self->found, DsqKeyFound, which[i]).value = values[i];
  return TRUE;
}

/* The number comes last: what is told of afterwards is asked for again. */
void
dsq_key_reading_run (DsqKeyReading *self)
{
  DsqEngine *engine = dsq_store_get_root (self->store, &self->error);
  gboolean counts = g_bytes_get_size (self->prefix) == 0;
  gboolean success = engine != NULL;

  for (guint i = 0; success && i < MAX_TRIES; i++)
    {
      success = self->by_key ? read_keys (self, engine) : read_places (self, engine);
      if (!self->is_void || !self->is_settled)
        break;
    }
  if (!success || self->is_void)
    return;
  if (read_values (self, engine) && counts)
    dsq_engine_count (engine, self->store->table, &self->n_keys, &self->error);
}
