/* dsq-standstill-private.h - a file to which nobody commits for a while
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-internal.h"

G_BEGIN_DECLS

/* Stops the file, and lets it go. Nothing that sweeps or waits for room is called meanwhile. */
gboolean dsq_engine_stop_file (DsqEngine *self, GError **error);
void dsq_engine_let_file_go (DsqEngine *self);

G_END_DECLS
