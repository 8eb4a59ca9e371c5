/* dsq-scan.c - the steps of a walk over a store's entries
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "codec/dsq-pack-private.h"
#include "dsq-error.h"
#include "engine/dsq-walker-private.h"
#include "store/dsq-entries-pack-private.h"
#include "store/dsq-scan-private.h"

/* A batch ends when its entries have this many bytes, however few they are. */
#define BATCH_BYTES (1024 * 1024)

/* Bytes of a record that a row which was given may keep in memory. */
#define KEPT_RECORD 4096

/**
 * DsqScan:
 *
 * A walk as [class@Cursor] has it, whose steps give keys and records as packs.
 *
 * Make one by [method@Store.walk_pack], which is where it begins. It is no object, so that who
 * asks for the first key again and again makes little of it.
 *
 * A scan is for one thread at a time.
 *
 * Since: 1.0
 */
struct _DsqScan
{
  guint n_references;  /* (atomic) */
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

G_DEFINE_BOXED_TYPE (DsqScan, dsq_scan, dsq_scan_ref, dsq_scan_unref)

static void
row_clear (gpointer data)
{
  DsqWalkRow *row = data;

  g_clear_pointer (&row->entry, dsq_entry_unref);
}

static void
forget_batch (DsqScan *self)
{
  g_array_set_size (self->rows, 0);
  self->n_given = self->first_given = 0;
  self->is_stale = FALSE;
}

DsqScan *
dsq_scan_new (DsqStore *store, DsqWalkOrder order)
{
  DsqScan *self = g_new0 (DsqScan, 1);

  self->n_references = 1;
  self->store = g_object_ref (store);
  self->walk.order = order;
  self->rows = g_array_new (FALSE, FALSE, sizeof (DsqWalkRow));
  g_array_set_clear_func (self->rows, row_clear);
  return self;
}

/**
 * dsq_scan_ref:
 * @self: a scan
 *
 * Adds a reference.
 *
 * Returns: (transfer full): @self
 *
 * Since: 1.0
 */
DsqScan *
dsq_scan_ref (DsqScan *self)
{
  __atomic_fetch_add (&self->n_references, 1, __ATOMIC_RELAXED);
  return self;
}

/**
 * dsq_scan_unref:
 * @self: (transfer full): a scan
 *
 * Gives a reference back; the last one ends the walk.
 *
 * Since: 1.0
 */
void
dsq_scan_unref (DsqScan *self)
{
  if (__atomic_fetch_sub (&self->n_references, 1, __ATOMIC_ACQ_REL) != 1)
    return;
  if (self->engine != NULL)
    dsq_engine_end_walk (self->engine, &self->walk);
  g_array_unref (self->rows);
  g_object_unref (self->store);
  g_free (self);
}

static gboolean
start (DsqScan *self, GError **error)
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

/**
 * dsq_store_walk_pack:
 * @self: a store
 * @backwards: whether from the last entry to the first
 * @error: return location for an error
 *
 * Begins a walk over the entries, as of now.
 *
 * Returns: (transfer full): a scan before the first entry; %NULL with @error set
 *
 * Since: 1.0
 */
DsqScan *
dsq_store_walk_pack (DsqStore *self, gboolean backwards, GError **error)
{
  g_autoptr (DsqScan) scan = NULL;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  scan = dsq_scan_new (self, backwards ? DSQ_WALK_REVERSE : DSQ_WALK_FORWARD);
  return start (scan, error) ? g_steal_pointer (&scan) : NULL;
}

DsqStore *
dsq_scan_get_store (DsqScan *self)
{
  return self->store;
}

/* The walk stands behind the last row that was given. */
static void
step_back (DsqScan *self)
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
read_batch (DsqScan *self, guint max_entries, gboolean keys_only, GError **error)
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
check_batch (DsqScan *self, guint n_used, gboolean *out_current, GError **error)
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

/* The entry of a row that is given. Of such a row its place is needed, in case others after it have
 * changed, and its key, in case itself has: not all of what may be large. */
static DsqEntry *
give_row (DsqScan *self, DsqWalkRow *row)
{
  DsqEntry *entry = row->entry;
  DsqKey key = dsq_entry_as_key (entry);

  dsq_walker_note_given (self->walk.number, key.hash);
  if (self->keys_only)
    row->entry = NULL;
  else if (entry->record_length > KEPT_RECORD)
    row->entry = dsq_entry_new_tombstone (&key);
  else
    dsq_entry_ref (entry);
  return entry;
}

/* The entry of a row that may have changed since it was read, as it is now: NULL where it is gone.
 */
static gboolean
look_row_up (DsqScan *self, DsqWalkRow *row, DsqEntry **out_entry, GError **error)
{
  DsqKey key = dsq_entry_as_key (row->entry);

  if (!dsq_store_get_entry (self->engine, &key, out_entry, error))
    return FALSE;
  if (*out_entry != NULL)
    dsq_entry_unref (give_row (self, row));
  return TRUE;
}

/* The next row of the last batch, NULL at its end; as it is now, if it may have changed. */
static gboolean
take_row (DsqScan *self, DsqEntry **out_entry, GError **error)
{
  *out_entry = NULL;
  while (*out_entry == NULL && self->n_given < self->rows->len)
    {
      DsqWalkRow *row = &g_array_index (self->rows, DsqWalkRow, self->n_given++);

      if (!self->is_stale)
        *out_entry = give_row (self, row);
      else if (!look_row_up (self, row, out_entry, error))
        return FALSE;
    }
  return TRUE;
}

static void
free_entry (gpointer entry)
{
  dsq_entry_unref (entry);
}

/* The next entry; of the last batch, or the first of one of @max_entries that is read for it. NULL
 * at the walk's end. */
static gboolean
next_entry (DsqScan *self,
            guint max_entries,
            gboolean keys_only,
            DsqEntry **out_entry,
            GError **error)
{
  if (self->keys_only != keys_only && self->n_given < self->rows->len)
    step_back (self);
  self->first_given = self->n_given;
  if (self->is_stale)
    dsq_engine_refresh_walk (self->engine, &self->walk);
  if (!take_row (self, out_entry, error))
    return FALSE;
  while (*out_entry == NULL)
    {
      if (!read_batch (self, max_entries, keys_only, error))
        return FALSE;
      if (self->rows->len == 0)
        return TRUE;
      if (!take_row (self, out_entry, error))
        return FALSE;
    }
  return TRUE;
}

/* The next entries of the walk, owned: at least one unless it is at its end. */
static GPtrArray *
next_entries (DsqScan *self, guint max_entries, gboolean keys_only, GError **error)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func (free_entry);
  DsqEntry *entry;

  max_entries = MAX (max_entries, 1);
  if (!next_entry (self, max_entries, keys_only, &entry, error))
    return NULL;
  while (entry != NULL)
    {
      g_ptr_array_add (entries, entry);
      if (entries->len == max_entries)
        break;
      if (!take_row (self, &entry, error))
        return NULL;
    }
  return g_steal_pointer (&entries);
}

GPtrArray *
dsq_scan_next_entries (DsqScan *self, guint max_entries, GError **error)
{
  gboolean ignored;

  if (!check_batch (self, self->n_given - self->first_given, &ignored, error))
    return NULL;
  return next_entries (self, max_entries, FALSE, error);
}

static guint8 *
next_pack (DsqScan *self,
           guint max_entries,
           gboolean keys_only,
           gboolean may_be_texts,
           gsize *out_length,
           GCancellable *cancellable,
           GError **error)
{
  g_auto (DsqCall) call = { 0 };
  g_autoptr (GPtrArray) entries = NULL;

  *out_length = 0;
  if (!dsq_call_begin (&call, cancellable, error))
    return NULL;
  entries = next_entries (self, max_entries, keys_only, error);
  if (entries == NULL)
    return NULL;
  return dsq_entries_pack (entries, keys_only, may_be_texts, out_length, error);
}

/**
 * dsq_scan_next_pack:
 * @self: a scan
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
dsq_scan_next_pack (DsqScan *self,
                    guint max_entries,
                    gboolean keys_only,
                    gsize *out_length,
                    GCancellable *cancellable,
                    GError **error)
{
  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  return next_pack (self, max_entries, keys_only, FALSE, out_length, cancellable, error);
}

/**
 * dsq_scan_next_texts_pack:
 * @self: a scan
 * @max_entries: the most entries to give
 * @keys_only: whether their keys are enough
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Gives the next entries as [method@Scan.next_pack] does, but as texts where all of them, keys and
 * values, are strings without a NUL character.
 *
 * Returns: (transfer full) (array length=out_length): the pack; of none at the end
 *
 * Since: 1.0
 */
guint8 *
dsq_scan_next_texts_pack (DsqScan *self,
                          guint max_entries,
                          gboolean keys_only,
                          gsize *out_length,
                          GError **error)
{
  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  return next_pack (self, max_entries, keys_only, TRUE, out_length, NULL, error);
}

/**
 * dsq_scan_next_key_pack:
 * @self: a scan
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Gives the next key alone, as [method@Scan.next_pack] would, for who wants no more than that.
 *
 * Returns: (transfer full) (array length=out_length): the pack of one encoded key; of none at the
 *   end
 *
 * Since: 1.0
 */
guint8 *
dsq_scan_next_key_pack (DsqScan *self, gsize *out_length, GError **error)
{
  g_autoptr (DsqEntry) entry = NULL;

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  *out_length = 0;
  if (!next_entry (self, 1, TRUE, &entry, error))
    return NULL;
  if (entry == NULL)
    return dsq_pack_builder_finish (dsq_pack_builder_new (), out_length, error);
  return dsq_pack_make_one (dsq_entry_key (entry), entry->key_length, out_length);
}

/**
 * dsq_scan_check:
 * @self: a scan
 * @n_used: how many of the last batch the caller has used
 * @error: return location for an error
 *
 * Whether what was given last is still so: of keys alone, that they are there; of entries, that
 * nothing has changed in the store.
 *
 * If not, the scan stands behind the entry that was used last: drop the rest of the batch and ask
 * for the next one, which costs a look at each of its entries. Ask for few, then. When the calling
 * thread has itself changed the store's size since it stepped the scan first, this gives
 * %DSQ_ERROR_CHANGED.
 *
 * Returns: (type gint): %DSQ_ANSWER_YES if the batch is current; %DSQ_ANSWER_NO if not, or with
 *   @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_scan_check (DsqScan *self, guint n_used, GError **error)
{
  gboolean is_current;

  g_return_val_if_fail (self != NULL, DSQ_ANSWER_NO);

  return check_batch (self, n_used, &is_current, error) && is_current;
}
