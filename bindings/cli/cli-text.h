/* cli-text.h - text for people
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether the bytes are UTF-8; a NUL is a character. */
gboolean cli_text_is_utf8 (const char *bytes, gsize length);
/* Whether the bytes are UTF-8 without anything that a terminal would obey. */
gboolean cli_text_is_plain (const char *bytes, gsize length);
/* Appends the bytes; what is not plain as \xHH. */
void cli_text_append (GString *out, const char *bytes, gsize length);
/* "1 entry", "1,234 entries" */
char *cli_text_count (guint64 count, const char *one, const char *many);
/* "4,096 bytes (4.1 kB)" */
char *cli_text_size (guint64 bytes);

G_END_DECLS
