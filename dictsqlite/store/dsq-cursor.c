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

/* Entries that dsq_cursor_next() reads ahead. */
#define NEXT_ENTRIES 64

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

DsqCursor *
dsq_cursor_new (DsqStore *store, DsqWalkOrder order)
{
  DsqCursor *self = g_object_new (DSQ_TYPE_CURSOR, NULL);

  self->store = g_object_ref (store);
  self->walk.order = order;
  return self;
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

static gboolean
read_batch (DsqCursor *self, guint max_entries, gboolean keys_only, GError **error)
{
  DsqEngine *engine = dsq_store_get_engine (self->store, error);

  if (engine == NULL || !start (self, error))
    return FALSE;
  forget_batch (self);
  self->keys_only = keys_only;
  self->walk_before = self->walk;
  return dsq_engine_walk (engine,
                          &self->walk,
                          MAX (max_entries, 1),
                          BATCH_BYTES,
                          keys_only,
                          self->rows,
                          error);
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
      else if (!dsq_engine_get (self->engine, &key, out_entry, error))
        return FALSE;
    }
  return TRUE;
}

/**
 * dsq_cursor_next:
 * @self: a cursor
 * @out_key: (out) (optional) (transfer full): return location for the key
 * @out_value: (out) (optional) (transfer full) (nullable): return location for the value
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Steps to the next entry whose key is a string.
 *
 * Keys that other languages have no string for are skipped: Python's integers or tuples, and
 * strings that hold NUL characters. A value with no form as a #GVariant, as [method@Store.get]
 * says, is %NULL.
 *
 * Returns: %TRUE if there is one; %FALSE at the end, or with @error set
 *
 * Since: 1.0
 */
gboolean
dsq_cursor_next (DsqCursor *self,
                 char **out_key,
                 GVariant **out_value,
                 GCancellable *cancellable,
                 GError **error)
{
  g_auto (DsqCall) call = { 0 };

  g_return_val_if_fail (DSQ_IS_CURSOR (self), FALSE);

  if (!dsq_call_begin (&call, cancellable, error))
    return FALSE;
  for (;;)
    {
      g_autoptr (DsqEntry) entry = NULL;
      gboolean is_current = TRUE;

      if (!check_batch (self, self->n_given - self->first_given, &is_current, error) ||
          !take_row (self, &entry, error))
        return FALSE;
      if (entry == NULL &&
          (!read_batch (self, NEXT_ENTRIES, FALSE, error) || !take_row (self, &entry, error)))
        return FALSE;
      if (entry == NULL)
        return FALSE;
      if (!dsq_key_codec_is_c_string (dsq_entry_key (entry), entry->key_length))
        continue;
      if (out_key != NULL)
        *out_key = g_strndup ((const char *) dsq_entry_key (entry), entry->key_length);
      if (out_value != NULL)
        *out_value = dsq_value_get_variant (dsq_entry_record (entry), entry->record_length, NULL);
      return TRUE;
    }
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

static gboolean
add_rows (DsqCursor *self, guint max_entries, DsqPackBuilder *builder, GError **error)
{
  self->first_given = self->n_given;
  if (self->is_stale)
    dsq_engine_refresh_walk (self->engine, &self->walk);
  for (guint n_added = 0; n_added < max_entries; n_added++)
    {
      g_autoptr (DsqEntry) entry = NULL;

      if (!take_row (self, &entry, error))
        return FALSE;
      if (entry == NULL)
        return TRUE;
      dsq_pack_builder_add (builder, dsq_entry_key (entry), entry->key_length);
      if (!self->keys_only)
        dsq_pack_builder_add (builder, dsq_entry_record (entry), entry->record_length);
      let_go_of_record (self, &g_array_index (self->rows, DsqWalkRow, self->n_given - 1));
    }
  return TRUE;
}

static guint8 *
next_pack (DsqCursor *self,
           guint max_entries,
           gboolean keys_only,
           gsize *out_length,
           GError **error)
{
  g_autoptr (DsqPackBuilder) builder = dsq_pack_builder_new ();

  *out_length = 0;
  max_entries = MAX (max_entries, 1);
  if (self->keys_only != keys_only && self->n_given < self->rows->len)
    step_back (self);
  if (!add_rows (self, max_entries, builder, error))
    return NULL;
  if (dsq_pack_builder_is_empty (builder) && (!read_batch (self, max_entries, keys_only, error) ||
                                              !add_rows (self, max_entries, builder, error)))
    return NULL;
  return dsq_pack_builder_finish (g_steal_pointer (&builder), out_length, error);
}

/**
 * dsq_cursor_next_keys:
 * @self: a cursor
 * @max_entries: the most entries to give
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Gives the next keys, at least one unless the walk is at its end.
 *
 * Returns: (transfer full) (array length=out_length): the pack of encoded keys, of none at the end
 *
 * Since: 1.0
 */
guint8 *
dsq_cursor_next_keys (DsqCursor *self, guint max_entries, gsize *out_length, GError **error)
{
  g_return_val_if_fail (DSQ_IS_CURSOR (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  return next_pack (self, max_entries, TRUE, out_length, error);
}

/**
 * dsq_cursor_next_entries:
 * @self: a cursor
 * @max_entries: the most entries to give
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Gives the next entries, at least one unless the walk is at its end; fewer than asked when they
 * are large.
 *
 * Returns: (transfer full) (array length=out_length): the pack of key, record, key, record, ...,
 * of none at the end
 *
 * Since: 1.0
 */
guint8 *
dsq_cursor_next_entries (DsqCursor *self, guint max_entries, gsize *out_length, GError **error)
{
  g_return_val_if_fail (DSQ_IS_CURSOR (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  return next_pack (self, max_entries, FALSE, out_length, error);
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
 * Returns: %TRUE if the batch is current; %FALSE if not, or with @error set
 *
 * Since: 1.0
 */
gboolean
dsq_cursor_check (DsqCursor *self, guint n_used, GError **error)
{
  gboolean is_current;

  g_return_val_if_fail (DSQ_IS_CURSOR (self), FALSE);

  return check_batch (self, n_used, &is_current, error) && is_current;
}

/**
 * dsq_store_walk:
 * @self: a store
 * @order: the direction
 * @error: return location for an error
 *
 * Starts a walk over the entries.
 *
 * Returns: (transfer full): a cursor before the first entry
 *
 * Since: 1.0
 */
DsqCursor *
dsq_store_walk (DsqStore *self, DsqWalkOrder order, GError **error)
{
  g_autoptr (DsqCursor) cursor = NULL;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  cursor = dsq_cursor_new (self, order);
  return start (cursor, error) ? g_steal_pointer (&cursor) : NULL;
}
