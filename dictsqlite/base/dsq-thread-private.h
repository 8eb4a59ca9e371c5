/* dsq-thread-private.h - threads that nobody waits for
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Runs @func on a thread that nobody waits for; on this one where none can be had. */
void dsq_thread_start (void *(*func) (void *), void *data);

G_END_DECLS
