/* dsq-cursor.c - a walk over a store's entries, in order
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "codec/dsq-key-codec-private.h"
#include "codec/dsq-pack-private.h"
#include "codec/dsq-value-private.h"
#include "dsq-error.h"
#include "store/dsq-store-private.h"

/* A batch ends when its entries have this many bytes, however few they are. */
#define BATCH_BYTES (1024 * 1024)

/* Entries that dsq_cursor_next() reads ahead. */
#define NEXT_ENTRIES 64

/**
 * DsqCursor:
 *
 * A walk over a store's entries, in the order of their insertion or in reverse.
 *
 * Make one by [method@Store.walk]. It reads in batches and holds neither a lock nor a read
 * transaction between them, so that a store of any size can be walked in little memory and for as
 * long as one likes. When this store's own calls change the number of its entries during the walk,
 * the next step gives %DSQ_ERROR_CHANGED, as a Python dict does; other processes' changes are seen
 * or not, each entry once.
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
  GArray *rows;        /* (owned) of DsqWalkRow: the last batch; entries are dropped once packed */
  guint n_given;       /* rows of it that dsq_cursor_next() has given */
};

G_DEFINE_FINAL_TYPE (DsqCursor, dsq_cursor, G_TYPE_OBJECT)

static void
row_clear (gpointer data)
{
  DsqWalkRow *row = data;

  g_clear_pointer (&row->entry, dsq_entry_unref);
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
  g_array_set_size (self->rows, 0);
  self->n_given = 0;
  self->walk_before = self->walk;
  return dsq_engine_walk (engine,
                          &self->walk,
                          MAX (max_entries, 1),
                          BATCH_BYTES,
                          keys_only,
                          self->rows,
                          error);
}

/* Whether the last batch still tells the truth; if not, the walk stands behind its @n_used-th. */
static gboolean
check_batch (DsqCursor *self, guint n_used, gboolean *out_current, GError **error)
{
  DsqEngine *engine = dsq_store_get_engine (self->store, error);

  if (engine == NULL || !start (self, error) ||
      !dsq_engine_check_walk (engine, &self->walk, out_current, error))
    return FALSE;
  if (*out_current)
    return TRUE;
  n_used = MIN (n_used, self->rows->len);
  if (n_used > 0)
    self->walk.place = g_array_index (self->rows, DsqWalkRow, n_used - 1).place;
  else
    self->walk = self->walk_before;
  g_array_set_size (self->rows, 0);
  self->n_given = 0;
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
      gboolean is_current = TRUE;
      const DsqEntry *entry;

      if (!check_batch (self, self->n_given, &is_current, error))
        return FALSE;
      if (self->n_given == self->rows->len && !read_batch (self, NEXT_ENTRIES, FALSE, error))
        return FALSE;
      if (self->rows->len == 0)
        return FALSE;
      entry = g_array_index (self->rows, DsqWalkRow, self->n_given++).entry;
      if (!dsq_key_codec_is_c_string (dsq_entry_key (entry), entry->key_length))
        continue;
      if (out_key != NULL)
        *out_key = g_strndup ((const char *) dsq_entry_key (entry), entry->key_length);
      if (out_value != NULL)
        *out_value = dsq_value_get_variant (dsq_entry_record (entry), entry->record_length, NULL);
      return TRUE;
    }
}

static guint8 *
next_pack (DsqCursor *self,
           guint max_entries,
           gboolean keys_only,
           gsize *out_length,
           GError **error)
{
  DsqPackBuilder *builder;

  *out_length = 0;
  if (!read_batch (self, max_entries, keys_only, error))
    return NULL;
  builder = dsq_pack_builder_new ();
  for (guint i = 0; i < self->rows->len; i++)
    {
      DsqWalkRow *row = &g_array_index (self->rows, DsqWalkRow, i);

      dsq_pack_builder_add (builder, dsq_entry_key (row->entry), row->entry->key_length);
      if (!keys_only)
        dsq_pack_builder_add (builder, dsq_entry_record (row->entry), row->entry->record_length);
      row_clear (row);
    }
  self->n_given = self->rows->len;
  return dsq_pack_builder_finish (builder, out_length, error);
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
 * Whether nothing has changed in the store since the last batch was given.
 *
 * If something has, the cursor stands behind the entry that was used last: drop the rest of the
 * batch and ask for the next one. When this store's own calls have changed its size since the walk
 * began, this gives %DSQ_ERROR_CHANGED.
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
