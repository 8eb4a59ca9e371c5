/* dsq-budget-private.h - how much may be dirty, and who waits until it is less
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-mutex-private.h"

G_BEGIN_DECLS

typedef struct
{
  gint64 n_bytes;    /* (atomic) dirty, but for what shards keep to themselves */
  gint64 grain;      /* constant: how much a shard may */
  guint64 threshold; /* (atomic) dirty bytes at which a writer looks whether it may go on */
  DsqMutex lock;
  pthread_cond_t cond; /* a round has ended */
  guint64 n_rounds;    /* (lock) attempts to have less dirty that have ended */
  guint64 n_failures;  /* (lock) those that failed */
  GError *last_error;  /* (owned) (nullable) (lock) of the last, if it did */
} DsqBudget;

/* Where the rounds stood. */
typedef struct
{
  guint64 n_rounds;
  guint64 n_failures;
} DsqBudgetMark;

/* The sum is exact enough for @limit bytes. */
void dsq_budget_init (DsqBudget *self, guint64 limit);
void dsq_budget_clear (DsqBudget *self);

/* So many bytes more, or fewer, are dirty; *own, with the caller's lock, is what is not in the sum
 * yet: an addition to a word that all threads share costs a tenth of a set. */
static inline void
dsq_budget_count (DsqBudget *self, gint64 *own, gint64 n_bytes)
{
  *own += n_bytes;
  if (ABS (*own) < self->grain)
    return;
  __atomic_fetch_add (&self->n_bytes, *own, __ATOMIC_RELAXED);
  *own = 0;
}

static inline guint64
dsq_budget_get_bytes (const DsqBudget *self)
{
  return (guint64) MAX (__atomic_load_n (&self->n_bytes, __ATOMIC_RELAXED), 0);
}

static inline gboolean
dsq_budget_is_kept (const DsqBudget *self)
{
  return __atomic_load_n (&self->n_bytes, __ATOMIC_RELAXED) <
         (gint64) __atomic_load_n (&self->threshold, __ATOMIC_RELAXED);
}

/* From here on writers look at @threshold dirty bytes; 0: always. */
void dsq_budget_set_threshold (DsqBudget *self, guint64 threshold);

/* Something was written, or failed to be; or nothing was due. */
void dsq_budget_end_round (DsqBudget *self, const GError *error);
void dsq_budget_skip_round (DsqBudget *self);

DsqBudgetMark dsq_budget_mark (DsqBudget *self);
/* Until a round has ended since the mark. FALSE when one has failed, with its error, and when the
 * call is cancelled. */
gboolean dsq_budget_wait (DsqBudget *self, const DsqBudgetMark *mark, GError **error);
/* How many rounds have failed, and why the last did (g_free) if it did. */
guint64 dsq_budget_get_failures (DsqBudget *self, char **out_last_error);

G_END_DECLS
