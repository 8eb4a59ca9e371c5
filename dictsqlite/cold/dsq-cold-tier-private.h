/* dsq-cold-tier-private.h - the entries in the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-filter-private.h"
#include "cold/dsq-cold-funcs-private.h"

G_BEGIN_DECLS

/* Words of a version. Who needs fewer leaves the others as they are. */
#define DSQ_COLD_VERSION_WORDS 6

/* Head of every implementation. */
struct _DsqColdTier
{
  const DsqColdTierFuncs *funcs;
  DsqColdFile *file;                /* (unowned) (nullable) itself, if it is a file */
  const DsqColdUpkeepFuncs *upkeep; /* (nullable) NULL: it does not outlive its engine */
  gboolean is_lasting;   /* constant: what is committed outlives the engine, so that all of it is to
                            be committed; else only what memory cannot hold */
  gboolean begins_empty; /* constant: no table has rows before this engine commits some */

  DsqColdForeignFunc foreign_func; /* set before the first call, for where others may commit */
  gpointer foreign_data;           /* (unowned) of foreign_func */
  gint64 *busy_since; /* (unowned) (nullable) (atomic) the same: where begin() says that it waits */
  const volatile guint64 *live_version; /* (unowned) (nullable) what every commit changes, whoever
                                           makes it, as it is now, maybe in memory shared with other
                                           processes; NULL: nobody else can commit */
  guint64 seen_version[DSQ_COLD_VERSION_WORDS]; /* (atomic) as last learned */
  gint64 believed_until; /* (atomic) on the monotonic clock, where others' commits do not show in
                            live_version: until then what was learned will do; 0: they show;
                            1: nothing will do */
  guint64 *shown_until;  /* (unowned) (nullable) (atomic) the same in nanoseconds, for who looks at
                            it without a call */
  guint64 n_commits; /* (lock coherence; the writer may read it without) commits of this tier that
                        changed rows, counted before any other is learned */

  DsqColdFilter *filter; /* (owned) (nullable) */
};

/* FALSE: the key is surely not in the file, as it was when the tier was last found current. */
static inline gboolean
dsq_cold_tier_may_contain (DsqColdTier *self, const DsqKey *key)
{
  return self->filter == NULL || dsq_filter_may_contain (self->filter->bits, key->hash);
}

/* NULL in *out_entry: absent. As get_many(). */
static inline gboolean
dsq_cold_tier_get (DsqColdTier *self, const DsqKey *key, DsqEntry **out_entry, GError **error)
{
  return self->funcs->get_many (self, key, 1, out_entry, error);
}

/* Whether anybody else may commit. */
static inline gboolean
dsq_cold_tier_is_shared (const DsqColdTier *self)
{
  return self->live_version != NULL;
}

/* Whether what was learned will do for a while without others' commits showing. */
static inline gboolean
dsq_cold_tier_may_believe (const DsqColdTier *self)
{
  return __atomic_load_n (&self->believed_until, __ATOMIC_RELAXED) > 1;
}

/* Of two at the same time the slower one may show the earlier end: that is only too soon. */
static inline void
dsq_cold_tier_show_belief (const DsqColdTier *self)
{
  guint64 *shown = __atomic_load_n (&self->shown_until, __ATOMIC_ACQUIRE);
  const gint64 until = __atomic_load_n (&self->believed_until, __ATOMIC_ACQUIRE);

  if (shown != NULL)
    __atomic_store_n (shown, (guint64) until * 1000, __ATOMIC_RELEASE);
}

/* Whether what was learned is not too old. */
static inline gboolean
dsq_cold_tier_is_believed (const DsqColdTier *self)
{
  const gint64 until = __atomic_load_n (&self->believed_until, __ATOMIC_ACQUIRE);

  return G_LIKELY (until == 0) || g_get_monotonic_time () < until;
}

/* Whether no foreign change is in sight: a few nanoseconds, any thread. FALSE may be a false alarm
 * (this tier's own commit under way); catch_up() finds out. */
static inline gboolean
dsq_cold_tier_is_current (DsqColdTier *self)
{
  const volatile guint64 *live = self->live_version;
  guint64 difference = 0;

  if (live == NULL)
    return TRUE;
  for (guint i = 0; i < DSQ_COLD_VERSION_WORDS; i++)
    difference |= __atomic_load_n (&live[i], __ATOMIC_RELAXED) ^
                  __atomic_load_n (&self->seen_version[i], __ATOMIC_RELAXED);
  __atomic_thread_fence (__ATOMIC_ACQUIRE);
  return difference == 0 && dsq_cold_tier_is_believed (self);
}

G_END_DECLS
