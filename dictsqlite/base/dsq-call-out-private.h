/* dsq-call-out-private.h - a function of the caller's that is asked whether a call goes on waiting
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-call-private.h"

G_BEGIN_DECLS

/* Asked for all stores, see dsq_call_ask(). */
typedef gboolean (*DsqAskFunc) (gpointer user_data);
void dsq_call_set_asked (DsqAskFunc func, gpointer user_data, GDestroyNotify destroy);

/* Whether the function is asked for this thread. */
gboolean dsq_call_is_asked (void);
/* Whether the call can be ended while it waits. */
gboolean dsq_call_is_watched (void);
gboolean dsq_call_is_time_to_ask (void);

G_END_DECLS
