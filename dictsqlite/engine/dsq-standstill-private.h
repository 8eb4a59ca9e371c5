/* dsq-standstill-private.h - a file to which nobody commits for a while
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-internal.h"

G_BEGIN_DECLS

/* Tries at what a commit of somebody else's may spoil: a few without locks, then with the file
 * stopped. Nothing that sweeps or waits for the budget is called while it is. */
typedef struct
{
  guint n_begun;
  gboolean is_stopped; /* from the beginning of a try to its end */
} DsqTries;

/* FALSE: there is no try, and nothing to end. */
gboolean dsq_tries_begin (DsqTries *self, DsqEngine *engine, GError **error);
void dsq_tries_end (DsqTries *self, DsqEngine *engine);

G_END_DECLS
