/* dsq-words-private.h - words that tell a binding, without a call, that nothing has changed
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-enums.h>

#include "base/dsq-mutex-private.h"
#include "tiers/dsq-entry-private.h"

G_BEGIN_DECLS

#define DSQ_WORDS_N_SLOTS  8192 /* a power of two, and a multiple of how many shards there are */
#define DSQ_WORDS_N_TABLES 64

/*
 * What lies at the address that dsq_store_map_words() gives. It stays mapped for good, for whoever
 * has looked once may look again at any time: what a store has done with goes to the next one. No
 * word of a slot or of a table is ever what one was before, here, for another store or in the
 * parent of a fork, nor that of walks what it was; in a fork's child all of them are 0.
 */
typedef struct
{
  guint64 slots[DSQ_WORDS_N_SLOTS]; /* each (lock of the keys' shard) moves with every change of a
                                       key whose hash begins with the slot's number, which are its
                                       lowest bits */
  guint64 walks;                    /* (atomic) moves with every change of a table that is walked */
  guint64 asks;                     /* (atomic) DsqWordsAsk: why that word does not tell all */
  guint64 tables[DSQ_WORDS_N_TABLES]; /* each (atomic) moves, with the lock of the key's shard, with
                                         every change of a table whose id has the number for its
                                         lowest bits */
  guint64 until;                      /* (atomic) nanoseconds of the monotonic clock: until then all
                                         is as the other words say; 0: the live one tells that */
  gpointer next;                      /* of those that nobody has */
} DsqWords;

typedef enum
{
  DSQ_WORDS_ASK_EXPIRY = 1, /* something may expire, which changes nothing until it is looked for */
  DSQ_WORDS_ASK_ALWAYS = 2  /* another engine has been taken in this one's place */
} DsqWordsAsk;

/* Of a store in whose cold tier nobody else commits, or where @live (nullable) moves with commits,
 * which is the beginning of a page that others share; or where `until` says how long none shows.
 * NULL: not on this machine, or not there. */
DsqWords *dsq_words_new (const volatile guint64 *live);
void dsq_words_free (DsqWords *self);
/* A stamp is a word, or this where nothing is to be kept. */
#define DSQ_STAMP_NONE   G_GUINT64_CONSTANT (1)
#define DSQ_STAMP_LENGTH sizeof (guint64)

/* What it looked at is not looked at any more. */
void dsq_words_forget_live (DsqWords *self);

static inline guint
dsq_words_slot (guint64 hash)
{
  return (guint) (hash / (G_MAXUINT64 / DSQ_WORDS_N_SLOTS + 1));
}

static inline void
dsq_words_move_slot_locked (DsqWords *self, guint slot)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  __atomic_store_n (&self->slots[slot], self->slots[slot] + DSQ_WORDS_N_SLOTS, __ATOMIC_RELEASE);
}

/* With the lock of the key's shard, which nobody else who writes the slot is without. */
static inline void
dsq_words_move_locked (DsqWords *self, const DsqKey *key)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  if (self == NULL)
    return;
  dsq_words_move_slot_locked (self, dsq_words_slot (key->hash));
  __atomic_fetch_add (&self->tables[key->table % DSQ_WORDS_N_TABLES], 1, __ATOMIC_RELEASE);
}

/* With the locks of all shards: the one of walks as well. */
static inline void
dsq_words_move_all_locked (DsqWords *self)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  if (self == NULL)
    return;
  __atomic_fetch_add (&self->walks, 1, __ATOMIC_RELEASE);
  for (guint i = 0; i < DSQ_WORDS_N_TABLES; i++)
    __atomic_fetch_add (&self->tables[i], 1, __ATOMIC_RELEASE);
  for (guint i = 0; i < DSQ_WORDS_N_SLOTS; i++)
    dsq_words_move_slot_locked (self, i);
}

G_END_DECLS
