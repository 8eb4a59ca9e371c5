/* dsq-engine-range.c - keys in the order of their bytes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "engine/dsq-engine-internal.h"
#include "engine/dsq-expiry-private.h"
#include "engine/dsq-path-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * The file has an index of its keys. What is pending has none: so its keys in the range are picked
 * out and sorted at each call, and laid over what the file says. Nothing is held between calls.
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
compare_bytes (const guint8 *a, guint32 a_length, const guint8 *b, guint32 b_length)
{
  int order = memcmp (a, b, MIN (a_length, b_length));

  if (order != 0)
    return order;
  return a_length < b_length ? -1 : a_length > b_length;
}

static int
compare_entries (const DsqEntry *a, const DsqEntry *b)
{
  return compare_bytes (dsq_entry_key (a), a->key_length, dsq_entry_key (b), b->key_length);
}

static int
compare_pending (gconstpointer a, gconstpointer b)
{
  return compare_entries (((const Pending *) a)->entry, ((const Pending *) b)->entry);
}

static gboolean
is_in_range (const DsqEntry *entry, const DsqKey *from, const DsqKey *end)
{
  const guint8 *key = dsq_entry_key (entry);

  return entry->table == from->table &&
         compare_bytes (key, entry->key_length, from->bytes, from->length) >= 0 &&
         compare_bytes (key, entry->key_length, end->bytes, end->length) < 0;
}

/* A key may have changes in both generations; its node holds the newest state. */
static void
collect_list_locked (DsqHotShard *shard,
                     const DsqChangeList *list,
                     const DsqKey *from,
                     const DsqKey *end,
                     GArray *pending)
{
  dsq_hot_shard_assert_locked (shard);
  for (guint32 i = 0; i < list->n_items; i++)
    {
      DsqEntry *entry = list->items[i].entry;
      Pending found = { 0 };
      guint32 number;
      DsqKey key;

      if (entry == NULL || !is_in_range (entry, from, end))
        continue;
      key = dsq_entry_as_key (entry);
      number = dsq_hot_shard_find_locked (shard, &key);
      found.entry = dsq_entry_ref (entry);
      found.is_live = number != 0 && !dsq_entry_is_tombstone (shard->nodes[number].entry);
      g_array_append_val (pending, found);
    }
}

/* All locks at once: a flush or a clear between two shards would hide keys. */
static gboolean
collect_pending (DsqEngine *self,
                 const DsqKey *from,
                 const DsqKey *end,
                 GArray *pending,
                 gboolean *out_hides_cold,
                 GError **error)
{
  if (!dsq_engine_sweep_if_due (self, from->table, error) ||
      !dsq_engine_lock_all_open (self, from->table, error))
    return FALSE;
  *out_hides_cold = dsq_engine_hides_cold (self, &self->hot->shards[0], from->table);
  for (guint i = 0; i < self->hot->n_shards; i++)
    for (guint which = 0; which < DSQ_N_LISTS; which++)
      {
        const DsqPendingShard *shard =
            dsq_pending_shard (dsq_engine_pending (self, from->table), i);

        collect_list_locked (&self->hot->shards[i],
                             &shard->current.lists[which],
                             from,
                             end,
                             pending);
        collect_list_locked (&self->hot->shards[i],
                             &shard->inflight.lists[which],
                             from,
                             end,
                             pending);
      }
  dsq_hot_tier_unlock_all (self->hot);
  g_array_sort (pending, compare_pending);
  return TRUE;
}

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

/* Merges the two, up to where both are known. */
static void
merge (const GArray *pending,
       const GPtrArray *rows,
       gboolean rows_end,
       guint max_keys,
       GPtrArray *out_entries)
{
  guint p = 0, r = 0;

  while (out_entries->len < max_keys && (p < pending->len || r < rows->len))
    {
      const Pending *change = p < pending->len ? &g_array_index (pending, Pending, p) : NULL;
      DsqEntry *row = r < rows->len ? rows->pdata[r] : NULL;
      int order;

      /* rows that were not read may come before this change */
      if (row == NULL && !rows_end)
        return;
      order = change == NULL ? 1 : row == NULL ? -1 : compare_entries (change->entry, row);
      if (order > 0)
        g_ptr_array_add (out_entries, dsq_entry_ref (row));
      else if (change->is_live)
        g_ptr_array_add (out_entries, dsq_entry_ref (change->entry));
      r += order >= 0;
      if (order > 0)
        continue;
      /* the same key in the other generation */
      do
        p++;
      while (p < pending->len &&
             compare_entries (g_array_index (pending, Pending, p).entry, change->entry) == 0);
    }
}

static gboolean
list_some (DsqEngine *self,
           const DsqKey *from,
           const DsqKey *end,
           guint max_keys,
           GPtrArray *rows,
           GPtrArray *out_entries,
           GError **error)
{
  g_autoptr (GArray) pending = g_array_new (FALSE, FALSE, sizeof (Pending));
  gboolean hides_cold;
  gboolean success;

  g_array_set_clear_func (pending, pending_clear);
  if (!collect_pending (self, from, end, pending, &hides_cold, error))
    return FALSE;
  if (!hides_cold)
    {
      if (!dsq_engine_enter (self, error))
        return FALSE;
      success = self->cold->funcs->list_keys (self->cold, from, end, max_keys, rows, error);
      dsq_engine_leave (self);
      if (!success)
        return FALSE;
    }
  merge (pending, rows, rows->len < max_keys, max_keys, out_entries);
  return leave_out_expired (self, out_entries, error);
}

/* When all rows that were read have been removed or have expired since, the search goes on behind
 * them. */
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

  for (;;)
    {
      g_autoptr (GPtrArray) rows =
          g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);
      const DsqEntry *last;

      if (!list_some (self, &start, end, max_keys, rows, out_entries, error))
        return FALSE;
      if (out_entries->len > 0 || rows->len < max_keys)
        return TRUE;
      last = rows->pdata[rows->len - 1];
      g_free (next);
      next = g_malloc0 ((gsize) last->key_length + 1);
      memcpy (next, dsq_entry_key (last), last->key_length);
      start.bytes = next;
      start.length = last->key_length + 1;
    }
}
