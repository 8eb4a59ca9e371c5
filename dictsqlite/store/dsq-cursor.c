/* dsq-cursor.c - a walk over a store's entries, in order
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "codec/dsq-key-codec-private.h"
#include "codec/dsq-pack-private.h"
#include "codec/dsq-value-private.h"
#include "dsq-error.h"
#include "engine/dsq-walker-private.h"
#include "store/dsq-store-private.h"

/* A batch ends when its entries have this many bytes, however few they are. */
#define BATCH_BYTES (1024 * 1024)

/* Bytes of a record that a row which was given may keep in memory. */
#define KEPT_RECORD 4096

/**
 * DsqCursor:
 *
 * A walk over a store's entries, in the order of their insertion or in reverse.
 *
 * Make one by [method@Store.walk]. It reads in batches and holds neither a lock nor a read
 * transaction between them, so that a store of any size can be walked in little memory and for as
 * long as one likes. What was there all the time is met once, whatever other threads and processes
 * write meanwhile: that is seen or not. The walk ends at the last entry that there was when it
 * began. When the thread that steps it changes the number of entries itself, the next step gives
 * %DSQ_ERROR_CHANGED, as a Python dict does.
 *
 * A cursor is for one thread at a time.
 *
 * Since: 1.0
 */
struct _DsqCursor
{
  GObject parent_instance;

  DsqStore *store;     /* (owned) */
  DsqEngine *engine;   /* (unowned) (nullable) the store's; the first batch starts the walk */
  DsqWalk walk;        /* where the last batch ended */
  DsqWalk walk_before; /* where it began */
  GArray *rows;        /* (owned) of DsqWalkRow: the last batch */
  guint n_given;       /* rows of it that have been given */
  guint first_given;   /* the first of those that were given last */
  gboolean keys_only;  /* its records may be missing */
  gboolean is_stale;   /* records may have changed since it was read: each is looked up anew */
};

G_DEFINE_FINAL_TYPE (DsqCursor, dsq_cursor, G_TYPE_OBJECT)

static void
row_clear (gpointer data)
{
  DsqWalkRow *row = data;

  g_clear_pointer (&row->entry, dsq_entry_unref);
}

static void
forget_batch (DsqCursor *self)
{
  g_array_set_size (self->rows, 0);
  self->n_given = self->first_given = 0;
  self->is_stale = FALSE;
}

static void
dsq_cursor_finalize (GObject *object)
{
  DsqCursor *self = DSQ_CURSOR (object);

  if (self->engine != NULL)
    dsq_engine_end_walk (self->engine, &self->walk);
  g_clear_pointer (&self->rows, g_array_unref);
  g_clear_object (&self->store);
  G_OBJECT_CLASS (dsq_cursor_parent_class)->finalize (object);
}

static void
dsq_cursor_class_init (DsqCursorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dsq_cursor_finalize;
}

static void
dsq_cursor_init (DsqCursor *self)
{
  self->rows = g_array_new (FALSE, FALSE, sizeof (DsqWalkRow));
  g_array_set_clear_func (self->rows, row_clear);
}

/**
 * dsq_store_walk:
 * @self: a store
 * @order: the direction
 *
 * Starts a walk over the entries. It begins with the first call of the cursor: nothing is read, and
 * nothing can fail, before.
 *
 * Returns: (transfer full): a cursor before the first entry
 *
 * Since: 1.0
 */
DsqCursor *
dsq_store_walk (DsqStore *self, DsqWalkOrder order)
{
  DsqCursor *cursor;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  cursor = g_object_new (DSQ_TYPE_CURSOR, NULL);
  cursor->store = g_object_ref (self);
  cursor->walk.order = order;
  return cursor;
}

static gboolean
start (DsqCursor *self, GError **error)
{
  DsqEngine *engine = dsq_store_get_engine (self->store, error);

  if (self->engine != NULL || engine == NULL)
    return engine != NULL;
  if (!dsq_engine_start_walk (engine, self->store->table, self->walk.order, &self->walk, error))
    return FALSE;
  self->engine = engine;
  self->walk_before = self->walk;
  return TRUE;
}

DsqStore *
dsq_cursor_get_store (DsqCursor *self)
{
  return self->store;
}

/* The walk stands behind the last row that was given. */
static void
step_back (DsqCursor *self)
{
  DsqWalk *walk = &self->walk;

  if (self->n_given > 0)
    walk->place = g_array_index (self->rows, DsqWalkRow, self->n_given - 1).place;
  else
    {
      walk->place = self->walk_before.place;
      walk->end = self->walk_before.end;
      walk->n_rebases = self->walk_before.n_rebases;
    }
  forget_batch (self);
}

/* A store that does not sweep has what has expired, which a key alone does not surely tell. Where a
 * row is damaged the batch is read by its keys, each of which is looked up when it is given. */
static gboolean
read_batch (DsqCursor *self, guint max_entries, gboolean keys_only, GError **error)
{
  DsqEngine *engine = dsq_store_get_engine (self->store, error);
  gboolean bare = keys_only && !self->store->options.read_only;
  g_autoptr (GError) local_error = NULL;

  if (engine == NULL || !start (self, error))
    return FALSE;
  forget_batch (self);
  self->keys_only = keys_only;
  self->walk_before = self->walk;
  if (dsq_engine_walk (engine,
                       &self->walk,
                       max_entries,
                       BATCH_BYTES,
                       bare,
                       self->rows,
                       &local_error))
    return TRUE;
  if (bare || !g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_CORRUPT))
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  step_back (self);
  self->is_stale = TRUE;
  return dsq_engine_walk (engine, &self->walk, max_entries, BATCH_BYTES, TRUE, self->rows, error);
}

/* Whether what was given last still tells the truth. If not, only its first @n_used are taken for
 * given. */
static gboolean
check_batch (DsqCursor *self, guint n_used, gboolean *out_current, GError **error)
{
  DsqEngine *engine = dsq_store_get_engine (self->store, error);
  DsqWalkState state;

  if (engine == NULL || !start (self, error) ||
      !dsq_engine_check_walk (engine, &self->walk, &state, error))
    return FALSE;
  *out_current =
      state == DSQ_WALK_IS_CURRENT || (state == DSQ_WALK_HAS_OLD_VALUES && self->keys_only);
  if (*out_current)
    return TRUE;
  self->n_given = MIN (self->first_given + n_used, self->n_given);
  self->is_stale = TRUE;
  if (state == DSQ_WALK_HAS_OLD_KEYS)
    step_back (self);
  return TRUE;
}

/* The next row of the last batch, NULL at its end; as it is now, if it may have changed. */
static gboolean
take_row (DsqCursor *self, DsqEntry **out_entry, GError **error)
{
  *out_entry = NULL;
  while (*out_entry == NULL && self->n_given < self->rows->len)
    {
      DsqEntry *row = g_array_index (self->rows, DsqWalkRow, self->n_given).entry;
      DsqKey key = dsq_entry_as_key (row);

      self->n_given++;
      if (!self->is_stale)
        *out_entry = dsq_entry_ref (row);
      else if (!dsq_store_get_entry (self->engine, &key, out_entry, error))
        return FALSE;
    }
  return TRUE;
}

static void
free_entry (gpointer entry)
{
  dsq_entry_unref (entry);
}

/* An entry's key as a C string; NULL of what is none. */
static char *
dup_key (const DsqEntry *entry)
{
  const guint8 *key = dsq_entry_key (entry);

  if (!dsq_key_codec_is_c_string (key, entry->key_length))
    return NULL;
  return g_strndup ((const char *) key, entry->key_length);
}

/* Of a row that was given its place is needed, in case others after it have changed, and its key,
 * in case itself has: not all of what may be large. */
static void
let_go_of_record (DsqCursor *self, DsqWalkRow *row)
{
  DsqKey key = dsq_entry_as_key (row->entry);
  DsqEntry *small;

  dsq_walker_note_given (key.hash);
  if (self->keys_only)
    {
      row_clear (row);
      return;
    }
  if (row->entry->record_length <= KEPT_RECORD)
    return;
  small = dsq_entry_new_tombstone (&key);
  row_clear (row);
  row->entry = small;
}

/* Adds the next rows to @entries: none at the end of the last batch. */
static gboolean
take_rows (DsqCursor *self, guint max_entries, GPtrArray *entries, GError **error)
{
  self->first_given = self->n_given;
  if (self->is_stale)
    dsq_engine_refresh_walk (self->engine, &self->walk);
  for (guint n_taken = 0; n_taken < max_entries; n_taken++)
    {
      DsqEntry *entry;

      if (!take_row (self, &entry, error))
        return FALSE;
      if (entry == NULL)
        return TRUE;
      g_ptr_array_add (entries, entry);
      let_go_of_record (self, &g_array_index (self->rows, DsqWalkRow, self->n_given - 1));
    }
  return TRUE;
}

/* The next entries of the walk, owned: at least one unless it is at its end. */
static GPtrArray *
next_entries (DsqCursor *self, guint max_entries, gboolean keys_only, GError **error)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func (free_entry);

  max_entries = MAX (max_entries, 1);
  if (self->keys_only != keys_only && self->n_given < self->rows->len)
    step_back (self);
  if (!take_rows (self, max_entries, entries, error))
    return NULL;
  while (entries->len == 0)
    {
      if (!read_batch (self, max_entries, keys_only, error) ||
          !take_rows (self, max_entries, entries, error))
        return NULL;
      if (self->rows->len == 0)
        break;
    }
  return g_steal_pointer (&entries);
}

/**
 * dsq_cursor_next_many:
 * @self: a cursor
 * @max_entries: the most entries to give
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Gives the next entries whose keys are strings, at least one unless the walk is at its end; fewer
 * than asked when they are large.
 *
 * Keys that other languages have no string for are skipped: Python's integers or tuples, and
 * strings that hold NUL characters. A value that [method@Store.get] cannot give, since it has no
 * form as a #GVariant or is damaged, is nothing.
 *
 * Returns: (transfer full): an `a(smv)` of keys and values, empty at the end; %NULL with @error set
 *
 * Since: 1.0
 */
GVariant *
dsq_cursor_next_many (DsqCursor *self, guint max_entries, GCancellable *cancellable, GError **error)
{
  g_auto (DsqCall) call = { 0 };
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(smv)"));
  gboolean is_current;
  guint n_added = 0;
  guint n_taken;

  g_return_val_if_fail (DSQ_IS_CURSOR (self), NULL);

  if (!dsq_call_begin (&call, cancellable, error) ||
      !check_batch (self, self->n_given - self->first_given, &is_current, error))
    return NULL;
  do
    {
      g_autoptr (GPtrArray) entries = next_entries (self, max_entries, FALSE, error);

      if (entries == NULL)
        return NULL;
      n_taken = entries->len;
      for (guint i = 0; i < n_taken; i++)
        {
          const DsqEntry *entry = entries->pdata[i];
          g_autofree char *key = dup_key (entry);

          if (key == NULL)
            continue;
          g_variant_builder_add (&builder, "(s@mv)", key, dsq_store_maybe_value (entry));
          n_added++;
        }
    }
  while (n_added == 0 && n_taken > 0);
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

/**
 * dsq_cursor_next_pack:
 * @self: a cursor
 * @max_entries: the most entries to give
 * @keys_only: whether their keys are enough
 * @out_length: (out): bytes returned
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Gives the next entries, at least one unless the walk is at its end; fewer than asked when they
 * are large. What stands for a record that is damaged is as [method@Store.get_pack] says.
 *
 * Returns: (transfer full) (array length=out_length): the pack of encoded keys, or of key, record,
 *   key, record, ...; of none at the end
 *
 * Since: 1.0
 */
guint8 *
dsq_cursor_next_pack (DsqCursor *self,
                      guint max_entries,
                      gboolean keys_only,
                      gsize *out_length,
                      GCancellable *cancellable,
                      GError **error)
{
  g_auto (DsqCall) call = { 0 };
  g_autoptr (GPtrArray) entries = NULL;
  DsqPackBuilder *builder;

  g_return_val_if_fail (DSQ_IS_CURSOR (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  *out_length = 0;
  if (!dsq_call_begin (&call, cancellable, error))
    return NULL;
  entries = next_entries (self, max_entries, keys_only, error);
  if (entries == NULL)
    return NULL;
  builder = dsq_pack_builder_new ();
  for (guint i = 0; i < entries->len; i++)
    {
      const DsqEntry *entry = entries->pdata[i];

      dsq_pack_builder_add (builder, dsq_entry_key (entry), entry->key_length);
      if (!keys_only)
        dsq_pack_builder_add (builder, dsq_entry_record (entry), entry->record_length);
    }
  return dsq_pack_builder_finish (builder, out_length, error);
}

/**
 * dsq_cursor_check:
 * @self: a cursor
 * @n_used: how many of the last batch the caller has used
 * @error: return location for an error
 *
 * Whether what was given last is still so: of keys alone, that they are there; of entries, that
 * nothing has changed in the store.
 *
 * If not, the cursor stands behind the entry that was used last: drop the rest of the batch and ask
 * for the next one, which costs a look at each of its entries. Ask for few, then. When the calling
 * thread has itself changed the store's size since it stepped the cursor first, this gives
 * %DSQ_ERROR_CHANGED.
 *
 * Returns: (type gint): %DSQ_ANSWER_YES if the batch is current; %DSQ_ANSWER_NO if not, or with
 *   @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_cursor_check (DsqCursor *self, guint n_used, GError **error)
{
  gboolean is_current;

  g_return_val_if_fail (DSQ_IS_CURSOR (self), DSQ_ANSWER_NO);

  return check_batch (self, n_used, &is_current, error) && is_current;
}
