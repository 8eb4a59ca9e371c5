/* dsq-key-order.c - keys in memory in the order of their bytes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <stdlib.h>

#include "engine/dsq-key-order-private.h"

/*
 * Node numbers, four bytes a key, in two parts:
 *
 *   chunks   [ a c d ] [ f g ] [ k m n p ] ...    sorted; half full at least when they are made
 *   fresh    q b a                                in no order, and some of them void
 *
 * Writes only append to fresh; who asks for the order pays for it, and only for what has come since
 * the last time. A node that leaves is taken out of the chunks at once, since they are searched by
 * their nodes' keys. In fresh its number may stay, and name another key by then: so what is fresh
 * is looked at before it is sorted, and one that is in the chunks already is left out.
 */

#define CHUNK_KEYS  256
#define FIRST_FRESH 16
#define MAX_VOID    1024

typedef struct
{
  guint32 n_keys;
  guint32 nodes[CHUNK_KEYS];
} Chunk;

struct _DsqKeyOrder
{
  GPtrArray *chunks; /* (owned) of Chunk, none of them empty */
  GArray *fresh;     /* (owned) of guint32 */
  gsize n_sorted;    /* keys in chunks */
  gsize *n_bytes;    /* (unowned) memory of all orders of the shard, this one's too, */
  gsize n_counted;   /* ... of which so many are this one's */
};

int
dsq_key_compare (const guint8 *a, guint32 a_length, const guint8 *b, guint32 b_length)
{
  int order = memcmp (a, b, MIN (a_length, b_length));

  if (order != 0)
    return order;
  return a_length < b_length ? -1 : a_length > b_length;
}

static int
compare_with_node (const DsqHotShard *shard, guint32 number, const guint8 *key, guint32 length)
{
  const DsqEntry *entry = shard->nodes[number].entry;

  return dsq_key_compare (dsq_entry_key (entry), entry->key_length, key, length);
}

static gboolean
is_dirty (const DsqHotShard *shard, guint32 number, guint32 table)
{
  const DsqHotNode *node = &shard->nodes[number];

  return number < shard->n_touched && node->entry != NULL && node->pin != 0 &&
         node->entry->table == table;
}

static void
count_bytes (DsqKeyOrder *self)
{
  const gsize n_bytes = sizeof *self + self->chunks->len * (sizeof (Chunk) + sizeof (gpointer)) +
                        self->fresh->len * sizeof (guint32);

  *self->n_bytes += n_bytes - self->n_counted;
  self->n_counted = n_bytes;
}

DsqKeyOrder *
dsq_key_order_new (gsize *n_bytes)
{
  DsqKeyOrder *self = g_new0 (DsqKeyOrder, 1);

  self->chunks = g_ptr_array_new_with_free_func (g_free);
  self->fresh = g_array_sized_new (FALSE, FALSE, sizeof (guint32), FIRST_FRESH);
  self->n_bytes = n_bytes;
  count_bytes (self);
  return self;
}

void
dsq_key_order_free (DsqKeyOrder *self)
{
  if (self == NULL)
    return;
  *self->n_bytes -= self->n_counted;
  g_ptr_array_unref (self->chunks);
  g_array_unref (self->fresh);
  g_free (self);
}

/* --- in the chunks ---------------------------------------------------------------------------- */

DsqKeyPosition
dsq_key_order_find_locked (const DsqKeyOrder *self,
                           DsqHotShard *shard,
                           const guint8 *key,
                           guint32 length)
{
  DsqKeyPosition found = { 0, 0 };
  guint32 low = 0, high = self->chunks->len;
  const Chunk *chunk;

  dsq_hot_shard_assert_locked (shard);
  /* the last chunk that begins with a key of before, or else the first */
  while (low < high)
    {
      guint32 middle = low + (high - low) / 2;

      chunk = self->chunks->pdata[middle];
      if (compare_with_node (shard, chunk->nodes[0], key, length) < 0)
        low = middle + 1;
      else
        high = middle;
    }
  if (low == 0)
    return found;
  found.chunk = low - 1;
  chunk = self->chunks->pdata[found.chunk];
  for (low = 1, high = chunk->n_keys; low < high;)
    {
      guint32 middle = low + (high - low) / 2;

      if (compare_with_node (shard, chunk->nodes[middle], key, length) < 0)
        low = middle + 1;
      else
        high = middle;
    }
  found.at = low;
  return found;
}

guint32
dsq_key_order_next_locked (const DsqKeyOrder *self, DsqHotShard *shard, DsqKeyPosition *position)
{
  const Chunk *chunk;

  dsq_hot_shard_assert_locked (shard);
  if (position->chunk < self->chunks->len &&
      position->at == ((const Chunk *) self->chunks->pdata[position->chunk])->n_keys)
    *position = (DsqKeyPosition){ position->chunk + 1, 0 };
  if (position->chunk == self->chunks->len)
    return 0;
  chunk = self->chunks->pdata[position->chunk];
  return chunk->nodes[position->at++];
}

static void
take_out (DsqKeyOrder *self, const DsqKeyPosition *position)
{
  Chunk *chunk = self->chunks->pdata[position->chunk];

  self->n_sorted--;
  if (--chunk->n_keys == 0)
    g_ptr_array_remove_index (self->chunks, position->chunk);
  else
    memmove (&chunk->nodes[position->at],
             &chunk->nodes[position->at + 1],
             (chunk->n_keys - position->at) * sizeof *chunk->nodes);
}

/* Moves the second half of a full chunk into one of its own. */
static void
split (DsqKeyOrder *self, guint32 number)
{
  Chunk *chunk = self->chunks->pdata[number];
  Chunk *rest = g_new (Chunk, 1);

  rest->n_keys = chunk->n_keys / 2;
  chunk->n_keys -= rest->n_keys;
  memcpy (rest->nodes, &chunk->nodes[chunk->n_keys], rest->n_keys * sizeof *rest->nodes);
  g_ptr_array_insert (self->chunks, (int) number + 1, rest);
}

static void
put_in (DsqKeyOrder *self, DsqHotShard *shard, guint32 number)
{
  const DsqEntry *entry = shard->nodes[number].entry;
  const guint8 *key = dsq_entry_key (entry);
  DsqKeyPosition position = dsq_key_order_find_locked (self, shard, key, entry->key_length);
  DsqKeyPosition there = position;
  Chunk *chunk;

  if (dsq_key_order_next_locked (self, shard, &there) == number)
    return;
  chunk = self->chunks->pdata[position.chunk];
  if (chunk->n_keys == CHUNK_KEYS)
    {
      split (self, position.chunk);
      if (position.at > chunk->n_keys)
        {
          position.at -= chunk->n_keys;
          chunk = self->chunks->pdata[position.chunk + 1];
        }
    }
  memmove (&chunk->nodes[position.at + 1],
           &chunk->nodes[position.at],
           (chunk->n_keys - position.at) * sizeof *chunk->nodes);
  chunk->nodes[position.at] = number;
  chunk->n_keys++;
  self->n_sorted++;
}

/* --- what is fresh ---------------------------------------------------------------------------- */

typedef struct
{
  const DsqEntry *entry;
  guint32 number;
} Item;

static int
compare_items (const void *a, const void *b)
{
  const DsqEntry *left = ((const Item *) a)->entry;
  const DsqEntry *right = ((const Item *) b)->entry;

  return dsq_key_compare (dsq_entry_key (left),
                          left->key_length,
                          dsq_entry_key (right),
                          right->key_length);
}

/* Makes all chunks anew, of nodes in any order. */
static void
fill (DsqKeyOrder *self, const DsqHotShard *shard, const guint32 *numbers, gsize n_numbers)
{
  Item *items = g_new (Item, n_numbers);
  Chunk *chunk = NULL;

  for (gsize i = 0; i < n_numbers; i++)
    items[i] = (Item){ shard->nodes[numbers[i]].entry, numbers[i] };
  qsort (items, n_numbers, sizeof *items, compare_items);
  g_ptr_array_set_size (self->chunks, 0);
  self->n_sorted = 0;
  for (gsize i = 0; i < n_numbers; i++)
    {
      if (i > 0 && items[i].number == items[i - 1].number)
        continue;
      /* with room for some to come */
      if (chunk == NULL || chunk->n_keys == CHUNK_KEYS / 4 * 3)
        {
          chunk = g_new (Chunk, 1);
          chunk->n_keys = 0;
          g_ptr_array_add (self->chunks, chunk);
        }
      chunk->nodes[chunk->n_keys++] = items[i].number;
      self->n_sorted++;
    }
  g_free (items);
}

static void
filter_fresh (DsqKeyOrder *self, const DsqHotShard *shard, guint32 table)
{
  guint n_kept = 0;

  for (guint i = 0; i < self->fresh->len; i++)
    {
      guint32 number = g_array_index (self->fresh, guint32, i);

      if (is_dirty (shard, number, table))
        g_array_index (self->fresh, guint32, n_kept++) = number;
    }
  g_array_set_size (self->fresh, n_kept);
}

/* Memory that was needed for many goes back. */
static void
forget_fresh (DsqKeyOrder *self)
{
  g_array_unref (self->fresh);
  self->fresh = g_array_sized_new (FALSE, FALSE, sizeof (guint32), FIRST_FRESH);
}

void
dsq_key_order_settle_locked (DsqKeyOrder *self, DsqHotShard *shard, guint32 table)
{
  dsq_hot_shard_assert_locked (shard);
  if (self->fresh->len == 0)
    return;
  filter_fresh (self, shard, table);
  if (self->fresh->len > self->n_sorted / 8)
    {
      for (guint i = 0; i < self->chunks->len; i++)
        {
          const Chunk *chunk = self->chunks->pdata[i];

          g_array_append_vals (self->fresh, chunk->nodes, chunk->n_keys);
        }
      fill (self, shard, (const guint32 *) (gpointer) self->fresh->data, self->fresh->len);
    }
  else
    for (guint i = 0; i < self->fresh->len; i++)
      put_in (self, shard, g_array_index (self->fresh, guint32, i));
  forget_fresh (self);
  count_bytes (self);
}

/* --- as nodes come and go --------------------------------------------------------------------- */

void
dsq_key_order_add_locked (DsqKeyOrder *self, DsqHotShard *shard, guint32 table, guint32 number)
{
  dsq_hot_shard_assert_locked (shard);
  /* most are void, and nobody asks */
  if (self->fresh->len >= MAX_VOID && self->fresh->len / 2 > shard->n_nodes)
    dsq_key_order_settle_locked (self, shard, table);
  g_array_append_val (self->fresh, number);
  count_bytes (self);
}

void
dsq_key_order_remove_locked (DsqKeyOrder *self, DsqHotShard *shard, guint32 number)
{
  const DsqEntry *entry = shard->nodes[number].entry;
  DsqKeyPosition position =
      dsq_key_order_find_locked (self, shard, dsq_entry_key (entry), entry->key_length);
  DsqKeyPosition next = position;

  dsq_hot_shard_assert_locked (shard);
  if (dsq_key_order_next_locked (self, shard, &next) == number)
    {
      next.at--;
      take_out (self, &next);
      count_bytes (self);
    }
}

void
dsq_key_order_filter_locked (DsqKeyOrder *self, DsqHotShard *shard, guint32 table)
{
  guint n_chunks = 0;

  dsq_hot_shard_assert_locked (shard);
  filter_fresh (self, shard, table);
  self->n_sorted = 0;
  for (guint i = 0; i < self->chunks->len; i++)
    {
      Chunk *chunk = self->chunks->pdata[i];
      guint32 n_kept = 0;

      for (guint32 k = 0; k < chunk->n_keys; k++)
        if (is_dirty (shard, chunk->nodes[k], table))
          chunk->nodes[n_kept++] = chunk->nodes[k];
      chunk->n_keys = n_kept;
      self->n_sorted += n_kept;
      if (n_kept > 0)
        {
          self->chunks->pdata[i] = self->chunks->pdata[n_chunks];
          self->chunks->pdata[n_chunks++] = chunk;
        }
    }
  g_ptr_array_set_size (self->chunks, (int) n_chunks);
  count_bytes (self);
}
