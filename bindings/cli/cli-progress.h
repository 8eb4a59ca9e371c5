/* cli-progress.h - a bar on standard error, where that is a terminal
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Shows how much is done, now and then; a total of 0 is not known. @what is a word for what is
 * counted. */
void cli_progress_show (guint64 done, guint64 total, const char *what);
/* Takes the bar away. */
void cli_progress_end (void);
/* The same as a DsqProgressFunc; @what is a word again. */
void cli_progress_cb (guint64 done, guint64 total, gpointer what);

G_END_DECLS
