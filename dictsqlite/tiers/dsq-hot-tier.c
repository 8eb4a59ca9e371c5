/* dsq-hot-tier.c - entries in memory, found by hash and kept by recency
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "tiers/dsq-hot-lookup-private.h"
#include "tiers/dsq-hot-tier-private.h"

/*
 * A shard is an array of nodes, an open-addressing index into it, and two lists through it:
 *
 *   tags    [ . 7f  .  .  a3 a3 ... ]    one byte of hash a slot: most misses end here
 *   slots   [ .  2  .  .  1  3  ... ]    the slot's node
 *   nodes   [ - | entry stamp newer older hash pin | ... ]       32 bytes each
 *
 *   clean   newest <-> ... <-> oldest    what counts against the capacity and may be evicted
 *   pinned  newest <-> ... <-> oldest    what is dirty; it leaves by being flushed
 *
 * LRU is exact over all shards for one thread: every use takes a tick of one clock, every shard
 * publishes the tick of its oldest clean node, and the victim is the smallest of these. Room is
 * reserved before an entry is inserted, so that there are never more clean entries than the
 * capacity, not even for a moment. Their bytes are looked at behind each change of what is clean,
 * so that they keep to the limit whenever nobody is about to look; what is dirty does not count.
 *
 * Links are node numbers, half the size of pointers, and the key's hash is kept in the node, so
 * that growing the index reads no entry.
 */

#define FIRST_SLOTS       64
#define FIRST_NODES       32
#define MAX_LOAD(n_slots) ((n_slots) / 8 * 7)
#define NO_STAMP          G_MAXUINT64

static void
allocate_index (DsqHotShard *shard, guint32 n_slots)
{
  shard->slots = g_malloc ((gsize) n_slots * (sizeof *shard->slots + 1));
  shard->tags = (guint8 *) (shard->slots + n_slots);
  memset (shard->tags, 0, n_slots);
  shard->slot_mask = n_slots - 1;
}

void
dsq_hot_tier_init (DsqHotTier *self, guint64 capacity, guint64 limit)
{
  memset (self, 0, sizeof *self);
  self->capacity = capacity;
  self->limit = limit;
  for (guint i = 0; i < DSQ_HOT_MAX_SHARDS; i++)
    self->oldest[i] = NO_STAMP;
}

void
dsq_hot_tier_add_shard (DsqHotTier *self, DsqHotShard *shard, DsqMutex *lock, DsqWarmShard *warm)
{
  memset (shard, 0, sizeof *shard);
  shard->lock = lock;
  shard->warm = warm;
  shard->index = self->n_shards;
  self->shards[self->n_shards++] = shard;
  allocate_index (shard, FIRST_SLOTS);
  shard->n_allocated = FIRST_NODES;
  shard->nodes = g_new (DsqHotNode, FIRST_NODES);
  shard->n_touched = 1;
}

void
dsq_hot_shard_finish (DsqHotShard *shard)
{
  for (guint32 number = 1; number < shard->n_touched; number++)
    if (shard->nodes[number].entry != NULL)
      dsq_entry_unref (shard->nodes[number].entry);
  g_free (shard->slots);
  g_free (shard->nodes);
}

/* The bytes of clean entries are those of the nodes that are not pinned, whatever happens to them.
 */
static void
count_clean_bytes (DsqHotTier *self, const DsqHotNode *node, gint64 n_bytes)
{
  if (!node->is_pinned)
    __atomic_fetch_add (&self->clean_bytes, (guint64) n_bytes, __ATOMIC_RELAXED);
}

/* --- lists ----------------------------------------------------------------------------------- */

static DsqHotList *
list_of (DsqHotShard *shard, const DsqHotNode *node)
{
  return node->is_pinned ? &shard->pinned : &shard->clean;
}

static void
publish_oldest (DsqHotTier *self, DsqHotShard *shard)
{
  guint32 oldest = shard->clean.oldest;

  __atomic_store_n (&self->oldest[shard->index],
                    oldest != 0 ? shard->nodes[oldest].stamp : NO_STAMP,
                    __ATOMIC_RELAXED);
}

static void
list_unlink (DsqHotTier *self, DsqHotShard *shard, guint32 number)
{
  DsqHotNode *node = &shard->nodes[number];
  DsqHotList *list = list_of (shard, node);
  gboolean was_oldest = list->oldest == number;

  if (node->newer != 0)
    shard->nodes[node->newer].older = node->older;
  else
    list->newest = node->older;
  if (node->older != 0)
    shard->nodes[node->older].newer = node->newer;
  else
    list->oldest = node->newer;
  if (was_oldest && list == &shard->clean)
    publish_oldest (self, shard);
}

/* Puts a node just newer than @older (0: at the oldest end) in the list that its flag names. */
static void
list_link_above (DsqHotTier *self, DsqHotShard *shard, guint32 number, guint32 older)
{
  DsqHotNode *node = &shard->nodes[number];
  DsqHotList *list = list_of (shard, node);

  node->older = older;
  node->newer = older != 0 ? shard->nodes[older].newer : list->oldest;
  if (node->newer != 0)
    shard->nodes[node->newer].older = number;
  else
    list->newest = number;
  if (older != 0)
    shard->nodes[older].newer = number;
  else
    list->oldest = number;
  if (older == 0 && list == &shard->clean)
    publish_oldest (self, shard);
}

static void
list_link_newest (DsqHotTier *self, DsqHotShard *shard, guint32 number)
{
  list_link_above (self, shard, number, list_of (shard, &shard->nodes[number])->newest);
}

void
dsq_hot_shard_move_to_newest_locked (DsqHotTier *self, DsqHotShard *shard, guint32 number)
{
  dsq_hot_shard_assert_locked (shard);
  list_unlink (self, shard, number);
  list_link_newest (self, shard, number);
}

/* --- index ----------------------------------------------------------------------------------- */

static void
index_put (DsqHotShard *shard, guint32 number)
{
  guint32 hash = shard->nodes[number].hash;
  guint32 i = hash & shard->slot_mask;

  while (shard->tags[i] != 0)
    i = (i + 1) & shard->slot_mask;
  shard->tags[i] = dsq_hot_tag (hash);
  shard->slots[i] = number;
}

/* It grows where there are more nodes than there have ever been: so none is free. */
static void
index_rebuild (DsqHotShard *shard, guint32 n_slots)
{
  g_free (shard->slots);
  allocate_index (shard, n_slots);
  for (guint32 number = 1; number < shard->n_touched; number++)
    index_put (shard, number);
}

static void
index_take (DsqHotShard *shard, guint32 number)
{
  guint32 mask = shard->slot_mask;
  guint32 i = shard->nodes[number].hash & mask;
  guint32 hole;

  while (shard->slots[i] != number)
    i = (i + 1) & mask;

  /* shift back what probed past the hole, so that no tombstones are needed here */
  hole = i;
  for (i = (i + 1) & mask; shard->tags[i] != 0; i = (i + 1) & mask)
    {
      guint32 home = shard->nodes[shard->slots[i]].hash & mask;

      if (((i - home) & mask) >= ((i - hole) & mask))
        {
          shard->tags[hole] = shard->tags[i];
          shard->slots[hole] = shard->slots[i];
          hole = i;
        }
    }
  shard->tags[hole] = 0;
}

/* --- nodes ----------------------------------------------------------------------------------- */

static guint32
take_node (DsqHotShard *shard)
{
  guint32 number = shard->first_free;

  if (number != 0)
    {
      shard->first_free = shard->nodes[number].newer;
      return number;
    }
  if (shard->n_touched == shard->n_allocated)
    {
      shard->n_allocated *= 2;
      shard->nodes = g_renew (DsqHotNode, shard->nodes, shard->n_allocated);
    }
  return shard->n_touched++;
}

guint32
dsq_hot_shard_insert_locked (DsqHotTier *self,
                             DsqHotShard *shard,
                             guint64 hash,
                             DsqEntry *entry,
                             gboolean is_pinned)
{
  guint32 number;
  DsqHotNode *node;

  dsq_hot_shard_assert_locked (shard);
  dsq_hot_shard_forget_warm_locked (shard, entry, hash);
  if (shard->n_nodes >= MAX_LOAD (shard->slot_mask + 1))
    index_rebuild (shard, (shard->slot_mask + 1) * 2);
  number = take_node (shard);
  node = &shard->nodes[number];
  memset (node, 0, sizeof *node);
  node->entry = entry;
  node->hash = (guint32) hash;
  node->stamp = __atomic_add_fetch (&self->clock, 1, __ATOMIC_RELAXED);
  node->is_pinned = is_pinned != FALSE;
  shard->n_nodes++;
  shard->n_bytes += dsq_entry_size (entry);
  count_clean_bytes (self, node, (gint64) dsq_entry_size (entry));
  index_put (shard, number);
  list_link_newest (self, shard, number);
  return number;
}

void
dsq_hot_shard_replace_locked (DsqHotTier *self, DsqHotShard *shard, guint32 number, DsqEntry *entry)
{
  DsqHotNode *node = &shard->nodes[number];
  gint64 growth = (gint64) dsq_entry_size (entry) - (gint64) dsq_entry_size (node->entry);

  dsq_hot_shard_assert_locked (shard);
  shard->n_bytes += (guint64) growth;
  count_clean_bytes (self, node, growth);
  dsq_entry_unref (g_steal_pointer (&node->entry));
  node->entry = entry;
}

void
dsq_hot_shard_remove_locked (DsqHotTier *self, DsqHotShard *shard, guint32 number)
{
  DsqHotNode *node = &shard->nodes[number];

  dsq_hot_shard_assert_locked (shard);
  if (!node->is_pinned)
    dsq_hot_tier_release (self);
  list_unlink (self, shard, number);
  index_take (shard, number);
  shard->n_bytes -= dsq_entry_size (node->entry);
  count_clean_bytes (self, node, -(gint64) dsq_entry_size (node->entry));
  dsq_entry_unref (g_steal_pointer (&node->entry));
  node->pin = 0;
  node->is_pinned = 0;
  node->newer = shard->first_free;
  shard->first_free = number;
  shard->n_nodes--;
}

void
dsq_hot_shard_pin_locked (DsqHotTier *self, DsqHotShard *shard, guint32 number)
{
  dsq_hot_shard_assert_locked (shard);
  list_unlink (self, shard, number);
  count_clean_bytes (self,
                     &shard->nodes[number],
                     -(gint64) dsq_entry_size (shard->nodes[number].entry));
  shard->nodes[number].is_pinned = 1;
  list_link_newest (self, shard, number);
  dsq_hot_tier_release (self);
}

/* Flushed, and so to be admitted as clean, if it is pinned at all. */
static gboolean
is_cleaned (const DsqHotNode *node)
{
  return node->pin == 0;
}

/* Gives the memory of an empty shard back: it may have been large. */
static void
reset_empty_shard (DsqHotShard *shard)
{
  g_free (shard->slots);
  allocate_index (shard, FIRST_SLOTS);
  shard->nodes = g_renew (DsqHotNode, shard->nodes, FIRST_NODES);
  shard->n_allocated = FIRST_NODES;
  shard->n_touched = 1;
  shard->first_free = 0;
}

void
dsq_hot_shard_drop_locked (DsqHotTier *self, DsqHotShard *shard, gboolean only_clean)
{
  dsq_hot_shard_assert_locked (shard);
  while (shard->clean.oldest != 0)
    dsq_hot_shard_remove_locked (self, shard, shard->clean.oldest);
  for (guint32 i = shard->pinned.oldest, next; i != 0; i = next)
    {
      next = shard->nodes[i].newer;
      if (!only_clean || is_cleaned (&shard->nodes[i]))
        dsq_hot_shard_remove_locked (self, shard, i);
    }
  dsq_warm_shard_clear_locked (shard->warm);
  if (shard->n_nodes == 0)
    reset_empty_shard (shard);
}

void
dsq_hot_shard_drop_table_locked (DsqHotTier *self, DsqHotShard *shard, guint32 table)
{
  const DsqHotList lists[] = { shard->clean, shard->pinned };

  dsq_hot_shard_assert_locked (shard);
  if (!self->has_tables)
    {
      dsq_hot_shard_drop_locked (self, shard, FALSE);
      return;
    }
  for (guint l = 0; l < G_N_ELEMENTS (lists); l++)
    for (guint32 i = lists[l].oldest, next; i != 0; i = next)
      {
        next = shard->nodes[i].newer;
        if (shard->nodes[i].entry->table == table)
          dsq_hot_shard_remove_locked (self, shard, i);
      }
  dsq_warm_shard_remove_table_locked (shard->warm, table);
  if (shard->n_nodes == 0)
    reset_empty_shard (shard);
}

/* --- capacity -------------------------------------------------------------------------------- */

void
dsq_hot_tier_widen (DsqHotTier *self, guint64 capacity, guint64 limit)
{
  __atomic_store_n (&self->capacity, MAX (self->capacity, capacity), __ATOMIC_RELAXED);
  __atomic_store_n (&self->limit, MAX (self->limit, limit), __ATOMIC_RELAXED);
}

void
dsq_hot_tier_release (DsqHotTier *self)
{
  __atomic_fetch_sub (&self->n_clean, 1, __ATOMIC_RELAXED);
}

/* The shard whose oldest clean node is the oldest of all, and its stamp. */
static DsqHotShard *
oldest_shard (DsqHotTier *self, guint64 *out_stamp)
{
  guint victim = 0;
  guint64 stamp = NO_STAMP;

  for (guint i = 0; i < self->n_shards; i++)
    {
      guint64 oldest = __atomic_load_n (&self->oldest[i], __ATOMIC_RELAXED);

      if (oldest < stamp)
        {
          stamp = oldest;
          victim = i;
        }
    }
  *out_stamp = stamp;
  return stamp != NO_STAMP ? self->shards[victim] : NULL;
}

/* A node that is clean goes on to the warm tier. */
static void
evict_locked (DsqHotTier *self, DsqHotShard *shard, guint32 number)
{
  DsqHotNode *node = &shard->nodes[number];
  g_autoptr (DsqEntry) entry = dsq_entry_ref (node->entry);
  guint32 hash = node->hash;

  dsq_hot_shard_assert_locked (shard);
  dsq_hot_shard_remove_locked (self, shard, number);
  dsq_warm_shard_put_locked (shard->warm, entry, hash);
  shard->n_evictions++;
}

/* Evicts the oldest clean entry if it is older than @limit; its room is free then. */
static gboolean
evict_older_than (DsqHotTier *self, guint64 limit)
{
  for (;;)
    {
      guint64 stamp;
      DsqHotShard *shard = oldest_shard (self, &stamp);
      gboolean is_evicted = FALSE;

      if (shard == NULL || stamp >= limit)
        return FALSE;
      dsq_mutex_lock (shard->lock);
      if (shard->clean.oldest != 0 && shard->nodes[shard->clean.oldest].stamp == stamp)
        {
          evict_locked (self, shard, shard->clean.oldest);
          is_evicted = TRUE;
        }
      dsq_mutex_unlock (shard->lock);
      if (is_evicted)
        return TRUE;
    }
}

/* Counts only what there is room for: adding first and taking back would be seen by others. */
static gboolean
try_reserve (DsqHotTier *self)
{
  guint64 n_clean = __atomic_load_n (&self->n_clean, __ATOMIC_RELAXED);

  while (n_clean < __atomic_load_n (&self->capacity, __ATOMIC_RELAXED))
    if (__atomic_compare_exchange_n (&self->n_clean,
                                     &n_clean,
                                     n_clean + 1,
                                     TRUE,
                                     __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
      return TRUE;
  return FALSE;
}

static gboolean
reserve_from_older_than (DsqHotTier *self, guint64 limit)
{
  while (!try_reserve (self))
    if (!evict_older_than (self, limit))
      return FALSE;
  return TRUE;
}

gboolean
dsq_hot_tier_reserve (DsqHotTier *self)
{
  return reserve_from_older_than (self, NO_STAMP);
}

void
dsq_hot_tier_trim_slowly (DsqHotTier *self)
{
  while (__atomic_load_n (&self->clean_bytes, __ATOMIC_RELAXED) >
         __atomic_load_n (&self->limit, __ATOMIC_RELAXED))
    if (!evict_older_than (self, NO_STAMP))
      return;
}

/* Stamps of the pinned nodes that are no longer dirty, oldest first. */
static GArray *
collect_cleaned (DsqHotShard *shard)
{
  GArray *stamps = g_array_new (FALSE, FALSE, sizeof (guint64));

  dsq_mutex_lock (shard->lock);
  for (guint32 i = shard->pinned.oldest; i != 0; i = shard->nodes[i].newer)
    if (is_cleaned (&shard->nodes[i]))
      g_array_append_val (stamps, shard->nodes[i].stamp);
  dsq_mutex_unlock (shard->lock);
  return stamps;
}

void
dsq_hot_tier_admit_cleaned (DsqHotTier *self, DsqHotShard *shard)
{
  g_autoptr (GArray) stamps = collect_cleaned (shard);
  guint n_rooms = 0;
  guint n_too_old = 0;
  guint32 above = 0;

  /* the oldest of all goes first, be it a clean entry or one that was just about to become clean */
  for (guint i = 0; i < stamps->len; i++)
    {
      if (reserve_from_older_than (self, g_array_index (stamps, guint64, n_too_old)))
        n_rooms++;
      else
        n_too_old++;
    }

  dsq_mutex_lock (shard->lock);
  for (guint32 i = shard->pinned.oldest, next; i != 0; i = next)
    {
      DsqHotNode *node = &shard->nodes[i];

      next = node->newer;
      if (!is_cleaned (node))
        continue;
      if (n_too_old > 0 || n_rooms == 0 || !dsq_hot_tier_takes (self, node->entry))
        {
          n_too_old -= n_too_old > 0;
          evict_locked (self, shard, i);
          continue;
        }

      /* both lists are in order of age, so the place in the clean list only moves on */
      n_rooms--;
      list_unlink (self, shard, i);
      node->is_pinned = 0;
      count_clean_bytes (self, node, (gint64) dsq_entry_size (node->entry));
      for (guint32 newer = above != 0 ? shard->nodes[above].newer : shard->clean.oldest;
           newer != 0 && shard->nodes[newer].stamp < node->stamp;
           newer = shard->nodes[newer].newer)
        above = newer;
      list_link_above (self, shard, i, above);
      above = i;
    }
  dsq_mutex_unlock (shard->lock);
  for (; n_rooms > 0; n_rooms--)
    dsq_hot_tier_release (self);
  dsq_hot_tier_trim (self);
}
