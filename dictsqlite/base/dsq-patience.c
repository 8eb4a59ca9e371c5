/* dsq-patience.c - how long the call that a thread is in has waited for a busy file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-patience-private.h"

__thread DsqPatience dsq_patience = { .timeout_ms = DSQ_PATIENCE_UNTOLD };
