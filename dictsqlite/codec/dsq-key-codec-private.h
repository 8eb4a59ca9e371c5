/* dsq-key-codec-private.h - which bytes are a key
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * A key is UTF-8 text, NUL characters and the empty string included, as Python's str.encode() gives
 * it (no surrogates); or DSQ_KEY_OTHER, a byte that UTF-8 never has, and exactly one item:
 *
 *   'N'                 None
 *   'b' length bytes    bytes
 *   'i' length bytes    an integer, two's complement, big-endian, of the fewest bytes: none for 0
 *   'f' 8 bytes         a binary64, big-endian, neither NaN nor integral (1.0 is 'i', as 1)
 *   's' length bytes    UTF-8 text, only inside a tuple: alone it is plain UTF-8
 *   '(' items ')'       a tuple
 *
 * A length is in bytes, an unsigned LEB128 of the shortest form, four bytes at most. An infinity is
 * not integral. One value has one encoding, so equal keys are equal bytes; it delimits itself.
 * Tuples are at most DSQ_KEY_MAX_DEPTH deep: what reads keys, or hashes them as Python does, may
 * recurse.
 */
#define DSQ_KEY_OTHER     0xFF
#define DSQ_KEY_MAX_DEPTH 1000

/* Whether @bytes are a key. Gives DSQ_ERROR_INVALID_KEY otherwise, also when longer than
 * DSQ_MAX_KEY_LENGTH. Short ASCII must cost a few nanoseconds: it is on the path of every call. */
gboolean dsq_key_codec_validate (const guint8 *bytes, gsize length, GError **error);

/* Whether @bytes, which are a key, are text that a C string can hold: UTF-8 without NUL. */
gboolean dsq_key_codec_is_c_string (const guint8 *bytes, gsize length);

G_END_DECLS
