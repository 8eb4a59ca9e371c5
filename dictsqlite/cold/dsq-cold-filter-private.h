/* dsq-cold-filter-private.h - which keys a cold tier surely does not hold
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-mutex-private.h"
#include "tiers/dsq-filter-private.h"

G_BEGIN_DECLS

/* Adds to the filter's bits about @max_rows keys, of all tables, beyond those of the last call, or
 * @from_start. *out_is_last: there are no more. One call at a time. */
typedef gboolean (*DsqColdKeysFunc) (gpointer user_data,
                                     gboolean from_start,
                                     guint max_rows,
                                     gboolean *out_is_last,
                                     GError **error);

/* What of a filter a cold tier keeps and the engine has built. A tier without one has NULL, which
 * wants nothing and is worth nothing. */
typedef struct
{
  DsqFilter *bits; /* (owned) of the keys' hashes: whoever commits a key adds it before */
  DsqColdKeysFunc read_keys;
  gpointer user_data;       /* (unowned) of read_keys */
  const guint64 *n_entries; /* (unowned) (atomic) rows of all tables, as last known */
  DsqMutex lock;
  guint32 build;     /* (atomic, set with lock) the build under way, or 0 */
  gboolean is_fresh; /* (mutex lock) which has not been gone on with */
  guint64 n_absent;  /* (atomic) keys looked for in vain since it was last reset */
} DsqColdFilter;

DsqColdFilter *
dsq_cold_filter_new (DsqColdKeysFunc read_keys, gpointer user_data, const guint64 *n_entries);
void dsq_cold_filter_free (DsqColdFilter *self);

/* --- for the tier ----------------------------------------------------------------------------- */

/* There are no keys, and of those that come it is told. */
void dsq_cold_filter_start_empty (DsqColdFilter *self, guint64 n_expected);
/* Somebody else has committed: what is there is no longer known. */
void dsq_cold_filter_reset (DsqColdFilter *self);
void dsq_cold_filter_note_empty (DsqColdFilter *self);

/* The tier has committed. When nothing is there any more, that is known at once. */
static inline void
dsq_cold_filter_note_commit (DsqColdFilter *self)
{
  if (G_UNLIKELY (__atomic_load_n (self->n_entries, __ATOMIC_RELAXED) == 0))
    dsq_cold_filter_note_empty (self);
}

/* --- for the engine --------------------------------------------------------------------------- */

/* @n_absent more keys were looked for and not there: whether it is time to build the filter, or to
 * go on with that. */
gboolean dsq_cold_filter_wants_build (DsqColdFilter *self, guint64 n_absent);
/* Whether building it, now and whole, costs less than looking for @n_keys. */
gboolean dsq_cold_filter_is_worth (DsqColdFilter *self, guint64 n_keys);
/* Under the engine's writer lock: a build is under way from now on. */
void dsq_cold_filter_begin (DsqColdFilter *self);
/* Goes on with the build by about @max_rows. FALSE: it has ended, well or by an error. Does nothing
 * while another thread is at it. */
gboolean dsq_cold_filter_fill (DsqColdFilter *self, guint max_rows);

G_END_DECLS
