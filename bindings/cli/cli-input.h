/* cli-input.h - files and standard input, read until a signal comes
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _CliInput CliInput;

/* A file, or standard input for "-". */
CliInput *cli_input_open (const char *path, GError **error);
void cli_input_close (CliInput *self);

/* What messages call it. */
const char *cli_input_name (const CliInput *self);
/* Bytes that were read, and those that there are: 0 where that is not known. */
guint64 cli_input_position (const CliInput *self);
guint64 cli_input_size (const CliInput *self);

/* Reads the next bytes, at most so many: FALSE with an error, no bytes at the end. */
gboolean
cli_input_read (CliInput *self, guint8 *buffer, gsize size, gsize *out_length, GError **error);
/* The next line without its end; NULL at the end, or with an error. It is valid until the next
 * call. */
const char *cli_input_read_line (CliInput *self, gsize *out_length, GError **error);
/* All that is left, with a NUL behind it; CLI_DAMAGED where it is more than @max_length. */
GByteArray *cli_input_read_all (CliInput *self, gsize max_length, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliInput, cli_input_close)

G_END_DECLS
