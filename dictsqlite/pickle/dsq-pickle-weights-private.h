/* dsq-pickle-weights-private.h - whether what a pickle builds is in proportion to it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "pickle/dsq-pickle-machine-private.h"

G_BEGIN_DECLS

/* --- dsq-pickle-graph.c ----------------------------------------------------------------------- */

/* Whether depth and weights are within bounds; calls are told theirs, where it sets has_weights. */
gboolean dsq_pickle_weigh (DsqPickleMachine *self);

/* --- dsq-pickle-keys.c ------------------------------------------------------------------------ */

/* Whether the keys that were noted find their places in Python's tables in time. */
gboolean dsq_pickle_count_keys (DsqPickleMachine *self);

G_END_DECLS
