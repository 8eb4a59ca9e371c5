/* dsq-engine-upkeep-private.h - what can be done with what lasts
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-private.h"

G_BEGIN_DECLS

/* Whether there is a store beside the memory: else DSQ_ERROR_INVALID_ARGUMENT. */
gboolean dsq_engine_check_lasts (DsqEngine *self, const char *purpose, GError **error);

G_END_DECLS
