/* dsq-cold-notice-private.h - a descriptor that tells when the log is written to
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-tier-private.h"

G_BEGIN_DECLS

DSQ_COLD_FUNCTION (open_notice) dsq_cold_open_notice;

G_END_DECLS
