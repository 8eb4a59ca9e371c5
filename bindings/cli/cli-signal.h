/* cli-signal.h - signals that end a command
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Has SIGINT, SIGTERM and SIGHUP cancel what this returns, on a thread that is made here; the
 * second one ends the process at once. Call it before there are other threads. */
GCancellable *cli_signal_watch (void);

/* The signal that came, 0 for none. */
int cli_signal_got (void);

/* Waits until the descriptor can be read, or written: FALSE with G_IO_ERROR_CANCELLED when a signal
 * has come. */
gboolean cli_signal_wait_for (int fd, GIOCondition condition, GError **error);

G_END_DECLS
