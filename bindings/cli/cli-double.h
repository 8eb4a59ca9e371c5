/* cli-double.h - numbers with a fraction, as text that gives back every bit
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Appends the number of these bits as JSON: the shortest decimal number that is this one, with a
 * point or an exponent; or {"float":"inf"}, with "-inf", "nan", or "nan:" and the 16 hexadecimal
 * digits of an uncommon one. */
void cli_double_write (GString *out, guint64 bits);

/* What is in any of these. CLI_DAMAGED where it is none, or a decimal number beyond all finite
 * ones. */
gboolean cli_double_parse (const char *text, gsize length, double *out, GError **error);

G_END_DECLS
