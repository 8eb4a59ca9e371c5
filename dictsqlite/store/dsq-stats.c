/* dsq-stats.c - a snapshot of a store's counters
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-stats.h"

static DsqStats *
stats_copy (const DsqStats *self)
{
  DsqStats *copy = g_memdup2 (self, sizeof *self);

  copy->last_error = g_strdup (self->last_error);
  return copy;
}

G_DEFINE_BOXED_TYPE (DsqStats, dsq_stats, stats_copy, dsq_stats_free)

/**
 * dsq_stats_free:
 * @self: (transfer full) (nullable): a snapshot
 *
 * Frees a snapshot.
 *
 * Since: 1.0
 */
void
dsq_stats_free (DsqStats *self)
{
  if (self == NULL)
    return;
  g_free (self->last_error);
  g_free (self);
}
