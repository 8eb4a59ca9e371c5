/* dsq-front.c - the first keys of a table
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-front-private.h"
#include "engine/dsq-runs-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * Who uses a table as a queue asks for its first key, removes it, and asks again. A walk for each
 * would lock all shards and look into the file for one key.
 *
 *   keys    1 a   2 b   3 c   4 d      found by one walk
 *           gone  gone  *              removed since; a look at the shard of c tells that it is
 * there
 *
 * A removed key keeps its tombstone until a flush, and a key that was set again has a change with a
 * place of its own: so what memory has of a key tells whether it stands where it stood. After a
 * flush, or when others have committed, that is not so, and the walk is made anew.
 */

/* Most keys of a front. */
#define MAX_KEYS 256

typedef struct
{
  gint64 place;
  gint64 own_place; /* the same, where a change gives it; else 0, it is its row's */
  DsqEntry *entry;  /* (owned) the key alone */
} DsqFrontKey;

static void
clear_key (gpointer data)
{
  DsqFrontKey *key = data;

  dsq_entry_unref (key->entry);
}

void
dsq_front_init (DsqFront *self)
{
  *self = (DsqFront){ .n_wanted = 1 };
}

void
dsq_front_clear (DsqFront *self)
{
  g_clear_pointer (&self->keys, g_array_unref);
  dsq_front_init (self);
}

static gboolean
is_known (const DsqFront *self, const DsqPending *pending)
{
  return self->keys != NULL &&
         self->n_settled == __atomic_load_n (&pending->n_settled, __ATOMIC_RELAXED);
}

/* The place that a change gives to a key, or 0; FALSE where the key is not there. What is not in
 * memory is in the file, if it was. */
static gboolean
find_place_locked (DsqPending *pending,
                   DsqShard *shard,
                   const DsqKey *key,
                   gint64 *out_own_place,
                   DsqEntry **out_entry)
{
  guint32 number = dsq_hot_shard_find_locked (&shard->hot, key);
  const DsqChange *change = NULL;
  const DsqHotNode *node;

  dsq_shard_assert_locked (shard);
  *out_own_place = 0;
  *out_entry = NULL;
  if (number == 0)
    return TRUE;
  node = &shard->hot.nodes[number];
  if (dsq_entry_is_tombstone (node->entry))
    return FALSE;
  if (node->pin != 0)
    change = dsq_pending_change_locked (pending, shard, dsq_change_handle (node));
  for (; change != NULL; change = dsq_pending_below_locked (pending, shard, change))
    if (dsq_change_has_own_place (change))
      {
        *out_own_place = change->place;
        break;
      }
  *out_entry = node->entry;
  return TRUE;
}

/* Also FALSE where it cannot be told: then the front is not known any more. */
static gboolean
try_first_locked (DsqFront *self,
                  DsqPending *pending,
                  gboolean keys_only,
                  DsqFrontAnswer *out_answer,
                  DsqWalkRow *out_row)
{
  const DsqFrontKey *first = &g_array_index (self->keys, DsqFrontKey, self->n_gone);
  DsqKey key = dsq_entry_as_key (first->entry);
  DsqShard *shard = dsq_shards_get (pending->shards, key.hash);
  gint64 own_place;
  DsqEntry *entry;
  gboolean is_there;

  dsq_shard_assert_locked (&pending->shards->all[0]);
  if (shard->index != 0)
    dsq_shard_lock (shard);
  is_there = find_place_locked (pending, shard, &key, &own_place, &entry) &&
             own_place == first->own_place && is_known (self, pending);
  if (is_there && entry == NULL && keys_only)
    entry = first->entry;
  if (is_there)
    *out_answer = entry != NULL ? DSQ_FRONT_FOUND : DSQ_FRONT_ABSENT;
  if (is_there && entry != NULL)
    *out_row = (DsqWalkRow){ first->place, dsq_entry_ref (entry) };
  if (shard->index != 0)
    dsq_shard_unlock (shard);
  return is_there;
}

DsqFrontAnswer
dsq_front_find_locked (DsqFront *self, DsqPending *pending, gboolean keys_only, DsqWalkRow *out_row)
{
  DsqFrontAnswer answer = DSQ_FRONT_UNKNOWN;

  dsq_shard_assert_locked (&pending->shards->all[0]);
  if (self->keys == NULL)
    return DSQ_FRONT_UNKNOWN;
  while (is_known (self, pending) && self->n_gone < self->keys->len)
    {
      if (try_first_locked (self, pending, keys_only, &answer, out_row))
        return answer;
      self->n_gone += is_known (self, pending);
    }
  /* as many as were of use, and more where all were */
  self->n_wanted = is_known (self, pending) ? MIN (2 * self->n_wanted, MAX_KEYS)
                                            : MAX (MIN (self->n_gone, self->n_wanted), 1);
  return DSQ_FRONT_UNKNOWN;
}

gint64
dsq_front_end_locked (const DsqFront *self, const DsqPending *pending)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  if (!is_known (self, pending) || self->n_gone == 0)
    return 0;
  return g_array_index (self->keys, DsqFrontKey, self->n_gone - 1).place;
}

void
dsq_front_keep_locked (DsqFront *self, DsqPending *pending, const GArray *rows)
{
  dsq_shards_assert_all_locked (pending->shards);
  if (self->keys == NULL)
    {
      self->keys = g_array_new (FALSE, FALSE, sizeof (DsqFrontKey));
      g_array_set_clear_func (self->keys, clear_key);
    }
  g_array_set_size (self->keys, 0);
  self->n_gone = 0;
  self->n_settled = __atomic_load_n (&pending->n_settled, __ATOMIC_RELAXED);
  for (guint i = 0; i < MIN (rows->len, MAX_KEYS); i++)
    {
      const DsqWalkRow *row = &g_array_index (rows, DsqWalkRow, i);
      DsqKey key = dsq_entry_as_key (row->entry);
      DsqFrontKey kept = { .place = row->place };
      DsqEntry *ignored;

      if (!find_place_locked (pending,
                              dsq_shards_get (pending->shards, key.hash),
                              &key,
                              &kept.own_place,
                              &ignored))
        break;
      kept.entry = dsq_entry_new_tombstone (&key);
      g_array_append_val (self->keys, kept);
    }
}
