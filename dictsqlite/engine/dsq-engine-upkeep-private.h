/* dsq-engine-upkeep-private.h - what can be done with a file alone
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-private.h"

G_BEGIN_DECLS

/* Whether there is one: else DSQ_ERROR_NOT_SUPPORTED of a store on a server, and in memory mode
 * DSQ_ERROR_INVALID_ARGUMENT. */
gboolean dsq_engine_check_has_file (DsqEngine *self, const char *purpose, GError **error);

G_END_DECLS
