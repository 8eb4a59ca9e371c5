/* dsq-path-private.h - what the steps of a get and a set share
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-internal.h"

G_BEGIN_DECLS

/* Before a blind set: where this thread walks the table, sees whether that makes the table larger.
 */
gboolean dsq_engine_foresee_new (DsqEngine *self, const DsqKey *key, GError **error);

/* What was true of a shard when a key was found missing in memory. */
typedef struct
{
  guint64 epoch;
  guint64 generation;
} DsqMiss;

/* Puts what was read from the cold tier into the hot one, unless the key may have changed since;
 * its stamp there. */
guint64 dsq_engine_admit (DsqEngine *self, const DsqKey *key, const DsqMiss *miss, DsqEntry *entry);

/* Stages a state, taken over, of a key; @number is its node or 0, @presence counts for 0 only. */
void dsq_engine_stage_locked (DsqEngine *self,
                              DsqShard *shard,
                              guint32 number,
                              const DsqKey *key,
                              DsqEntry *entry,
                              DsqPresence presence);

/* Whether who looks at words may keep it. What is used least goes where there is a limit, so each
 * use is to be seen there; and larger records are not worth to be kept twice. */
static inline gboolean
dsq_engine_may_keep (DsqEngine *self, const DsqEntry *entry)
{
  return !dsq_entry_is_tombstone (entry) && !entry->has_expiry && entry->record_length <= 1024 &&
         dsq_engine_option (self, max_bytes) == 0;
}

/* What tells how long @entry, which is in memory, is the newest of @key. */
static inline guint64
dsq_engine_stamp_locked (DsqEngine *self, const DsqKey *key, const DsqEntry *entry)
{
  const DsqWords *words = self->shards->words;

  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  return words != NULL && dsq_engine_may_keep (self, entry)
             ? words->slots[dsq_words_slot (key->hash)]
             : DSQ_STAMP_NONE;
}

/* Whether a key that is not in memory is absent, whatever the file says. */
static inline gboolean
dsq_engine_hides_cold (DsqEngine *self, const DsqShard *shard, guint32 table)
{
  return dsq_pending_shard (dsq_engine_pending (self, table), shard->index)->hides_cold;
}

/* Whether a key that is not in memory may be in the file, which was just found current; with the
 * shard's lock held. */
static inline gboolean
dsq_engine_may_be_cold_locked (DsqEngine *self, const DsqShard *shard, const DsqKey *key)
{
  dsq_shard_assert_locked (shard);
  if (dsq_engine_hides_cold (self, shard, key->table))
    return FALSE;
  if (dsq_cold_tier_may_contain (self->cold, key))
    return TRUE;
  dsq_counters_add (&self->counters, DSQ_COUNT_FILTER_ANSWERS, 1);
  return FALSE;
}

/* Keys were looked for in the file in vain; between enter and leave. */
void dsq_engine_note_absent (DsqEngine *self, guint64 n_keys);
/* Builds the filter at once if that is cheaper than looking for @n_keys; writer_lock held. */
void dsq_engine_build_filter_locked (DsqEngine *self, guint64 n_keys);
/* What the flusher's thread does beside flushing. */
DsqTend dsq_engine_tend (gpointer engine);

/* What a set that has not looked may say of the key's row. */
static inline DsqPresence
dsq_engine_blind_presence (DsqEngine *self, const DsqShard *shard, guint32 table)
{
  return dsq_engine_hides_cold (self, shard, table) ? DSQ_PRESENCE_ABSENT : DSQ_PRESENCE_UNKNOWN;
}

/* Counts a read that was not of a key in the hot tier, once, when it is certain that this call
 * answers it: one that may not go on into the file is made again by one that may. */
static inline void
dsq_engine_count_miss_locked (DsqShard *shard, gboolean is_warm, gboolean needs_file)
{
  dsq_shard_assert_locked (shard);
  if (needs_file && G_UNLIKELY (dsq_call_state.memory_only))
    return;
  shard->n_misses++;
  shard->n_warm_hits += is_warm;
  shard->n_warm_misses += !is_warm;
}

G_END_DECLS
