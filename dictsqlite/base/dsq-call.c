/* dsq-call.c - how the call that a thread is in may be ended, and what it may wait for
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"

__thread DsqCallState dsq_call_state;
