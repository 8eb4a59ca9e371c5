/* dsq-filter-private.h - which keys are surely not in the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * A Bloom filter over dsq_hash() of the keys in the file. It may take an absent key for one that is
 * there (fewer than one in a hundred), never the other way round. Nothing is ever removed: the bits
 * of a deleted key cost a look into the file, until the filter is built anew.
 *
 *   unbuilt   every key may be there; what is added is ignored
 *   building  every key may be there; what is added counts
 *   ready     answers
 *   useless   the keys do not fit in max_bytes: as unbuilt, until a build of fewer
 *
 * To build: with the lock held under which keys come into the file, begin; then add all that a
 * read begun after that finds there, and finish. Whoever brings a key into the file adds it before
 * that, also while a build is under way. Asking and adding take no lock and may run in any thread
 * at any time; begin runs in one thread at a time, and with no add under way. Reset is free to run
 * beside everything.
 */
typedef struct _DsqFilter DsqFilter;

typedef struct
{
  guint64 keys;      /* that were new to the filter when they were added */
  guint64 bytes;     /* in use */
  guint n_layers;    /* 1 after a build; each costs the asker a cache line */
  gboolean is_ready; /* otherwise every key may be there */
} DsqFilterStats;

/* @max_bytes: most memory, rounded up to whole pages; 0: always useless. Nothing is taken before a
 * build, and then what is touched. */
DsqFilter *dsq_filter_new (gsize max_bytes);
void dsq_filter_free (DsqFilter *self);

gboolean dsq_filter_may_contain (DsqFilter *self, guint64 hash);
void dsq_filter_add (DsqFilter *self, guint64 hash);

/* Empties the filter for about @n_keys, and more to come. The build's number for finish, or 0 when
 * so many do not fit: then it is useless. */
guint32 dsq_filter_begin (DsqFilter *self, guint64 n_keys);
/* FALSE if it was reset, or has become useless, since it was begun. */
gboolean dsq_filter_finish (DsqFilter *self, guint32 build);
/* Whether the build, or what came of it, still stands. */
gboolean dsq_filter_is_current (DsqFilter *self, guint32 build);
/* Whether what is added counts. To be asked under the lock that begin is called with. */
gboolean dsq_filter_is_active (DsqFilter *self);
/* What is in the file is no longer known: unbuilt from now on. */
void dsq_filter_reset (DsqFilter *self);

/* Whether to build it for the @n_keys that are in the file now: it is unbuilt or useless and they
 * fit, or it has grown by several layers since it was built. */
gboolean dsq_filter_wants_build (DsqFilter *self, guint64 n_keys);
void dsq_filter_get_stats (DsqFilter *self, DsqFilterStats *out_stats);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DsqFilter, dsq_filter_free)

G_END_DECLS
