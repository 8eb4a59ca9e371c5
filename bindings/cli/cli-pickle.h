/* cli-pickle.h - Python's integers beyond 64 bits
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Appends the pickle that Python makes of an integer beyond 64 bits, which is given as its two's
 * complement, big-endian. */
void cli_pickle_make_integer (GByteArray *out, const guint8 *bytes, gsize length);
/* The integer that a pickle is, if it is one of those to the byte; else NULL. */
GByteArray *cli_pickle_read_integer (const guint8 *pickle, gsize length);

G_END_DECLS
