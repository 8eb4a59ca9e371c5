/* dsq-engine-range.c - keys in the order of their bytes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "engine/dsq-engine-internal.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-sweep-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * The file has an index of its keys. What is pending gets one of its own, see dsq-key-order.c, a
 * part in each shard, when a range is asked for first; it is laid over what the file says. Nothing
 * is held between calls.
 */

/* A key that has a change pending, which decides whatever the file says. */
typedef struct
{
  DsqEntry *entry; /* (owned) */
  gboolean is_live;
} Pending;

static void
pending_clear (gpointer data)
{
  dsq_entry_unref (((Pending *) data)->entry);
}

static int
compare_entries (const DsqEntry *a, const DsqEntry *b)
{
  return dsq_key_compare (dsq_entry_key (a), a->key_length, dsq_entry_key (b), b->key_length);
}

/* --- the order of what is pending ------------------------------------------------------------- */

static void
add_list_locked (const DsqPending *self, DsqShard *shard, const DsqChangeList *list)
{
  DsqKeyOrder *order = dsq_pending_shard (self, shard->index)->order;

  dsq_shard_assert_locked (shard);
  for (guint32 i = 0; i < list->n_items; i++)
    if (list->items[i].entry != NULL)
      dsq_key_order_add_locked (order, &shard->hot, self->table, list->items[i].node);
}

static void
settle_order_locked (DsqPending *self, DsqShard *shard)
{
  DsqPendingShard *part = dsq_pending_shard (self, shard->index);

  dsq_shard_assert_locked (shard);
  if (part->order == NULL)
    {
      part->order = dsq_key_order_new (&shard->order_bytes);
      for (guint which = 0; which < DSQ_N_LISTS; which++)
        {
          add_list_locked (self, shard, &part->current.lists[which]);
          add_list_locked (self, shard, &part->inflight.lists[which]);
        }
    }
  dsq_key_order_settle_locked (part->order, &shard->hot, self->table);
}

/* What is much to be sorted is sorted here, with one shard locked at a time. */
static gboolean
settle_orders (DsqEngine *self, guint32 table, GError **error)
{
  for (guint i = 0; i < self->shards->n_shards; i++)
    {
      DsqShard *shard = &self->shards->all[i];

      if (i == 0 && dsq_engine_lock_shard_slowly (self, table, 0, error) == NULL)
        return FALSE;
      if (i > 0)
        dsq_shard_lock (shard);
      if (!dsq_pending_is_untouched (dsq_engine_pending (self, table)))
        settle_order_locked (dsq_engine_pending (self, table), shard);
      dsq_shard_unlock (shard);
    }
  return TRUE;
}

/* --- keys that are pending, over all shards --------------------------------------------------- */

/* Where the search stands in a shard. */
typedef struct
{
  DsqShard *shard;
  const DsqKeyOrder *order;
  DsqKeyPosition next;
  DsqEntry *entry; /* (unowned) at hand */
} Run;

/* Runs in a heap, that of the first key on top. */
typedef struct
{
  const DsqKey *end;
  guint n_runs;
  Run runs[DSQ_HOT_MAX_SHARDS];
} Runs;

/* FALSE at the end of the range. */
static gboolean
run_step (const Runs *self, Run *run)
{
  guint32 number = dsq_key_order_next_locked (run->order, &run->shard->hot, &run->next);

  if (number == 0)
    return FALSE;
  run->entry = run->shard->hot.nodes[number].entry;
  return dsq_key_compare (dsq_entry_key (run->entry),
                          run->entry->key_length,
                          self->end->bytes,
                          self->end->length) < 0;
}

static void
sift_down (Runs *self, guint i)
{
  const Run run = self->runs[i];

  for (guint child; (child = 2 * i + 1) < self->n_runs; i = child)
    {
      if (child + 1 < self->n_runs &&
          compare_entries (self->runs[child + 1].entry, self->runs[child].entry) < 0)
        child++;
      if (compare_entries (run.entry, self->runs[child].entry) <= 0)
        break;
      self->runs[i] = self->runs[child];
    }
  self->runs[i] = run;
}

static void
runs_init_locked (Runs *self, DsqPending *pending, const DsqKey *from, const DsqKey *end)
{
  dsq_shards_assert_all_locked (pending->shards);
  self->end = end;
  self->n_runs = 0;
  for (guint i = 0; i < pending->shards->n_shards; i++)
    {
      Run *run = &self->runs[self->n_runs];

      run->shard = &pending->shards->all[i];
      settle_order_locked (pending, run->shard);
      run->order = dsq_pending_shard (pending, i)->order;
      run->next =
          dsq_key_order_find_locked (run->order, &run->shard->hot, from->bytes, from->length);
      self->n_runs += run_step (self, run);
    }
  for (guint i = self->n_runs / 2; i > 0; i--)
    sift_down (self, i - 1);
}

/* Up to the last of @max_keys that are there. */
static void
collect_locked (DsqPending *self,
                const DsqKey *from,
                const DsqKey *end,
                guint max_keys,
                GArray *pending)
{
  guint n_live = 0;
  Runs runs;

  dsq_shards_assert_all_locked (self->shards);
  if (dsq_pending_is_untouched (self))
    return;
  runs_init_locked (&runs, self, from, end);
  while (runs.n_runs > 0 && n_live < max_keys)
    {
      Pending found = { dsq_entry_ref (runs.runs[0].entry), FALSE };

      found.is_live = !dsq_entry_is_tombstone (found.entry);
      n_live += found.is_live;
      g_array_append_val (pending, found);
      if (!run_step (&runs, &runs.runs[0]))
        runs.runs[0] = runs.runs[--runs.n_runs];
      if (runs.n_runs > 0)
        sift_down (&runs, 0);
    }
}

/* All locks at once: a flush or a clear between two shards would hide keys. */
static gboolean
collect_pending (DsqEngine *self,
                 const DsqKey *from,
                 const DsqKey *end,
                 guint max_keys,
                 GArray *pending,
                 gboolean *out_hides_cold,
                 GError **error)
{
  if (!dsq_engine_sweep_if_due (self, from->table, error) ||
      !settle_orders (self, from->table, error) ||
      !dsq_engine_lock_all_open (self, from->table, error))
    return FALSE;
  *out_hides_cold = dsq_engine_hides_cold (self, &self->shards->all[0], from->table);
  collect_locked (dsq_engine_pending (self, from->table), from, end, max_keys, pending);
  dsq_shards_unlock_all (self->shards);
  return TRUE;
}

/* --- both ------------------------------------------------------------------------------------- */

/* A read-only store does not sweep, so what has expired is still among the rows. */
static gboolean
leave_out_expired (DsqEngine *self, GPtrArray *entries, GError **error)
{
  guint n_kept = 0;

  if (!self->options.read_only || !dsq_engine_is_sweep_due (self))
    return TRUE;
  for (guint i = 0; i < entries->len; i++)
    {
      DsqKey key = dsq_entry_as_key (entries->pdata[i]);
      gboolean is_there;

      if (!dsq_engine_contains (self, &key, &is_there, error))
        return FALSE;
      if (is_there)
        {
          gpointer kept = entries->pdata[i];

          entries->pdata[i] = entries->pdata[n_kept];
          entries->pdata[n_kept++] = kept;
        }
    }
  g_ptr_array_set_size (entries, (int) n_kept);
  return TRUE;
}

/* Lays the one over the other. Where either goes on beyond what is here, the list is full before:
 * of what is pending there are as many as it takes, and of rows as many and those that are gone. */
static void
merge (const GArray *pending, const GPtrArray *rows, guint max_keys, GPtrArray *out_entries)
{
  guint p = 0, r = 0;

  while (out_entries->len < max_keys && (p < pending->len || r < rows->len))
    {
      const Pending *change = p < pending->len ? &g_array_index (pending, Pending, p) : NULL;
      DsqEntry *row = r < rows->len ? rows->pdata[r] : NULL;
      int order;

      order = change == NULL ? 1 : row == NULL ? -1 : compare_entries (change->entry, row);
      if (order > 0)
        g_ptr_array_add (out_entries, dsq_entry_ref (row));
      else if (change->is_live)
        g_ptr_array_add (out_entries, dsq_entry_ref (change->entry));
      r += order >= 0;
      p += order <= 0;
    }
}

/* Removals that are pending before a listing has had what it asked for, again and again when a
 * store is a queue by its keys: as many as this had better be in the file. */
#define MANY_GONE 1024

static guint
count_gone (const GArray *pending)
{
  guint n_gone = 0;

  for (guint i = 0; i < pending->len; i++)
    n_gone += !g_array_index (pending, Pending, i).is_live;
  return n_gone;
}

/* As many rows are asked for as fill the list whatever is pending of them: each but those that are
 * gone is in it, or a change of its key. */
static gboolean
list_some (DsqEngine *self,
           const DsqKey *from,
           const DsqKey *end,
           guint max_keys,
           GPtrArray *rows,
           gboolean *out_rows_end,
           GPtrArray *out_entries,
           GError **error)
{
  g_autoptr (GArray) pending = g_array_new (FALSE, FALSE, sizeof (Pending));
  gboolean hides_cold, success;
  guint n_gone, max_rows;

  g_array_set_clear_func (pending, pending_clear);
  if (!collect_pending (self, from, end, max_keys, pending, &hides_cold, error))
    return FALSE;
  n_gone = count_gone (pending);
  if (!hides_cold && n_gone >= MANY_GONE)
    dsq_flusher_wake (self->flusher, TRUE);
  max_rows = max_keys + MIN (n_gone, G_MAXUINT - max_keys);
  if (!hides_cold)
    {
      if (!dsq_engine_enter (self, error))
        return FALSE;
      success = self->cold->funcs->list_keys (self->cold, from, end, max_rows, rows, error);
      dsq_engine_leave (self);
      if (!success)
        return FALSE;
    }
  *out_rows_end = rows->len < max_rows;
  merge (pending, rows, max_keys, out_entries);
  return leave_out_expired (self, out_entries, error);
}

/* Fewer than @max_keys at the end alone: where some of what was found has expired, which a store
 * that only reads leaves where it is, the search goes on behind it. */
gboolean
dsq_engine_list_keys (DsqEngine *self,
                      const DsqKey *from,
                      const DsqKey *end,
                      guint max_keys,
                      GPtrArray *out_entries,
                      GError **error)
{
  g_autofree guint8 *next = NULL;
  DsqKey start = *from;

  for (guint n_left = max_keys;;)
    {
      GPtrArray *found = g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);
      g_autoptr (GPtrArray) rows =
          g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);
      const DsqEntry *last;
      gboolean rows_end;

      if (!list_some (self, &start, end, n_left, rows, &rows_end, found, error))
        {
          g_ptr_array_unref (found);
          return FALSE;
        }
      n_left -= found->len;
      g_ptr_array_extend_and_steal (out_entries, found);
      if (n_left == 0 || rows_end)
        return TRUE;
      last = rows->pdata[rows->len - 1];
      g_free (next);
      next = g_malloc0 ((gsize) last->key_length + 1);
      memcpy (next, dsq_entry_key (last), last->key_length);
      start.bytes = next;
      start.length = last->key_length + 1;
    }
}
