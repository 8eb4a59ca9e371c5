/* dsq-engine-words.c - what a binding keeps, and how it is told that this is not so any more
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-engine-internal.h"
#include "engine/dsq-locate-private.h"
#include "engine/dsq-path-private.h"
#include "engine/dsq-sweep-private.h"
#include "tiers/dsq-hot-lookup-private.h"

/*
 * A binding that has got a record together with the word of its key's slot, both under the shard's
 * lock, knows that it is the key's newest as long as that word has not moved: every change moves it
 * under the same lock. What others commit is a change once it is learned, which it is before the
 * live version is seen; so the binding looks at that first, see docs/architecture.md.
 */

static DsqWords *
share_words_locked (DsqEngine *self, DsqWords *words, gboolean is_leased)
{
  DsqShards *shards = self->shards;

  dsq_shards_assert_all_locked (shards);
  if (shards->words == NULL && words != NULL && !shards->all[0].is_closed)
    {
      words->asks = is_leased ? DSQ_WORDS_ASK_ALWAYS : DSQ_WORDS_ASK_EXPIRY;
      if (is_leased)
        {
          __atomic_store_n (&self->cold->shown_until, &words->until, __ATOMIC_RELEASE);
          dsq_cold_tier_show_belief (self->cold);
        }
      __atomic_store_n (&shards->words, words, __ATOMIC_RELEASE);
      dsq_expiry_tell_words_locked (&self->expiry);
    }
  return shards->words;
}

const DsqWords *
dsq_engine_map_words (DsqEngine *self)
{
  DsqWords *words, *shared;
  gboolean is_leased;

  /* a transaction's change when what it is over does */
  if (self->depth > 0 || !dsq_engine_enter (self, NULL))
    return NULL;
  is_leased = dsq_cold_tier_may_believe (self->cold);
  if (!is_leased && !dsq_cold_tier_is_believed (self->cold))
    {
      dsq_engine_leave (self);
      return NULL;
    }
  words = dsq_words_new (is_leased ? NULL : self->cold->live_version);
  dsq_shards_lock_all (self->shards);
  shared = share_words_locked (self, words, is_leased);
  dsq_shards_unlock_all (self->shards);
  if (words != NULL && words != shared)
    dsq_words_free (words);
  dsq_engine_leave (self);
  return shared;
}

void
dsq_engine_move_words (DsqEngine *self, DsqWordsAsk asks)
{
  DsqWords *words;

  dsq_shards_lock_all (self->shards);
  words = self->shards->words;
  dsq_words_move_all_locked (words);
  if (words != NULL)
    __atomic_fetch_or (&words->asks, asks, __ATOMIC_RELEASE);
  dsq_shards_unlock_all (self->shards);
}

/* A word that has moved once since before the change has moved with it, and with nothing else. */
gboolean
dsq_engine_set_stamped (DsqEngine *self,
                        DsqPromise promise,
                        const DsqKey *key,
                        DsqEntry *entry,
                        guint64 *out_stamp,
                        GError **error)
{
  const DsqWords *words = __atomic_load_n (&self->shards->words, __ATOMIC_ACQUIRE);
  gboolean is_kept = words != NULL && dsq_engine_may_keep (self, entry);
  const guint64 *word = is_kept ? &words->tables[key->table % DSQ_WORDS_N_TABLES] : NULL;
  guint64 before = is_kept ? __atomic_load_n (word, __ATOMIC_ACQUIRE) : 0;
  guint64 after;

  if (!dsq_engine_set (self, promise, key, entry, error))
    return FALSE;
  after = is_kept ? __atomic_load_n (word, __ATOMIC_ACQUIRE) : 0;
  *out_stamp = is_kept && after == before + 1 ? after : DSQ_STAMP_NONE;
  return TRUE;
}
