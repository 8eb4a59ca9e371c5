/* cli-output.h - standard output, written until a signal comes
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What is written next; append to it. */
GString *cli_output (void);
/* Writes it if there is much of it. */
gboolean cli_output_tend (GError **error);
/* Writes all of it. What cannot be written is CLI_FAILED. */
gboolean cli_output_flush (GError **error);

G_END_DECLS
