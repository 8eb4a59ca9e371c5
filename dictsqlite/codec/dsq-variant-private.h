/* dsq-variant-private.h - GVariants of any type as bytes
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * The bytes are the serialised form, little-endian and normal, of a variant ('v') that holds the
 * value, so they say their own type. What is not normal is refused rather than repaired: what we
 * wrote is normal, and repairing what somebody else wrote can cost far more memory than it takes.
 */

/* The bytes (g_malloc) of @value after @prefix bytes that the caller fills in; @out_length counts
 * both. NULL if @value is nested more deeply than a GVariant may be that is read. */
guint8 *dsq_variant_encode (GVariant *value, gsize prefix, gsize *out_length);

/* The value (full reference), or NULL if @bytes are not what dsq_variant_encode() gives. They are
 * copied, since a GVariant wants them aligned and outlives them. */
GVariant *dsq_variant_decode (const guint8 *bytes, gsize length);

G_END_DECLS
