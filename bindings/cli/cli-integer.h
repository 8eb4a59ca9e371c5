/* cli-integer.h - integers of any size
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The most digits of a decimal number; what is longer is hexadecimal. */
#define CLI_INTEGER_MAX_DIGITS 5000

/* Appends the two's complement of the fewest bytes, big-endian, 0 being no bytes, of a number that
 * is written as -12 or -0x1F. CLI_DAMAGED where it is none. */
gboolean cli_integer_parse (const char *text, gsize length, GByteArray *out, GError **error);

/* Appends the number as text: hexadecimal where its decimal form may have too many digits. Returns
 * whether it is decimal. */
gboolean cli_integer_write (GString *out, const guint8 *bytes, gsize length);

/* Appends the bytes of a number that is integral. */
void cli_integer_from_double (double number, GByteArray *out);

G_END_DECLS
