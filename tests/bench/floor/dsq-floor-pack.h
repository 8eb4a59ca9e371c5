/* dsq-floor-pack.h - a pack of one item repeated
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The record and the key that the floor gives for everything: as long as those of the bench's
 * loops. The record is a string: type byte 3. */
#define DSQ_FLOOR_RECORD "\3value_5000"
#define DSQ_FLOOR_KEY    "key_5000"

/* The pack (g_malloc) of @n items that are @first, @second, @first, @second, ... */
guint8 *dsq_floor_pack_repeat (guint32 n, const char *first, const char *second, gsize *out_length);

G_END_DECLS
