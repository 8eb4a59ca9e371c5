/* dsq-counters-private.h - what the statistics count
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  DSQ_COUNT_FLUSHES,
  DSQ_COUNT_WRITER_WAITS,
  DSQ_COUNT_COLD_HITS,
  DSQ_COUNT_COLD_MISSES,
  DSQ_COUNT_FILTER_ANSWERS, /* keys that the filter knew to be absent */
  DSQ_COUNT_EXPIRED,        /* entries swept */
  DSQ_COUNT_DROPPED,        /* entries dropped to keep under max_bytes */
  DSQ_COUNT_DROPPED_BYTES,
  DSQ_N_COUNTS
} DsqCount;

/* Any thread may add at any time; nothing but the statistics depends on them. */
typedef struct
{
  guint64 counts[DSQ_N_COUNTS]; /* (atomic) */
} DsqCounters;

static inline void
dsq_counters_add (DsqCounters *self, DsqCount count, guint64 n)
{
  __atomic_fetch_add (&self->counts[count], n, __ATOMIC_RELAXED);
}

static inline guint64
dsq_counters_get (const DsqCounters *self, DsqCount count)
{
  return __atomic_load_n (&self->counts[count], __ATOMIC_RELAXED);
}

G_END_DECLS
