/* cli-entry.h - entries as lines of JSON
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cli-walk.h"

G_BEGIN_DECLS

/* {"table": NAME, "key": KEY, "value": VALUE, "expires": MILLISECONDS}: "table" is left out for the
 * table that a store opens with, "expires" where it never does, "key" and "value" where the line is
 * only to make the table. */

/* Appends the entry's line to the output; CLI_DAMAGED where the entry is. */
gboolean cli_entry_write (const CliEntry *entry, GError **error);

/* Calls @func with the entry of a line; CLI_DAMAGED. */
gboolean
cli_entry_read (const char *line, gsize length, CliEntryFunc func, gpointer data, GError **error);

G_END_DECLS
