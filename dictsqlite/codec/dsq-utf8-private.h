/* dsq-utf8-private.h - whether bytes are UTF-8
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether @bytes are well-formed UTF-8 (Unicode 15, table 3-7): no surrogates, nothing overlong,
 * nothing beyond U+10FFFF. Unlike g_utf8_validate_len(), NUL characters are text like any other.
 * @bytes may be NULL if @length is 0. */
gboolean dsq_utf8_validate (const guint8 *bytes, gsize length);

/* @text with what is no UTF-8, and characters that control a terminal or the direction of what is
 * around them, escaped: for names in messages, which may come from others' files. */
char *dsq_utf8_show (const char *text);

G_END_DECLS
