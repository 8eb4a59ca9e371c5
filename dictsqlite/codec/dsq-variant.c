/* dsq-variant.c - GVariants of any type as bytes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-variant-private.h"

/* A new reference to @variant, which is in normal form, between the machine's byte order and the
 * bytes'. */
static GVariant *
swap_to_or_from_little_endian (GVariant *variant)
{
  if (G_BYTE_ORDER == G_LITTLE_ENDIAN)
    return g_variant_ref (variant);
  return g_variant_byteswap (variant);
}

guint8 *
dsq_variant_encode (GVariant *value, gsize prefix, gsize *out_length)
{
  g_autoptr (GVariant) normal = g_variant_get_normal_form (value);
  g_autoptr (GVariant) outer = g_variant_ref_sink (g_variant_new_variant (normal));
  g_autoptr (GVariant) swapped = swap_to_or_from_little_endian (outer);
  gsize length = g_variant_get_size (swapped);
  g_autofree guint8 *bytes = g_malloc (prefix + length);

  /* by way of its own memory: g_variant_store() wants its target aligned */
  memcpy (bytes + prefix, g_variant_get_data (swapped), length);

  /* a value may be built more deeply than GVariant reads: reading it is the proof */
  if (g_variant_is_container (value))
    {
      g_autoptr (GVariant) back = dsq_variant_decode (bytes + prefix, length);

      if (back == NULL)
        return NULL;
    }
  *out_length = prefix + length;
  return g_steal_pointer (&bytes);
}

GVariant *
dsq_variant_decode (const guint8 *bytes, gsize length)
{
  guint8 *copy = g_memdup2 (bytes, length);
  g_autoptr (GVariant) outer = g_variant_ref_sink (
      g_variant_new_from_data (G_VARIANT_TYPE_VARIANT, copy, length, FALSE, g_free, copy));
  g_autoptr (GVariant) native = NULL;

  if (!g_variant_is_normal_form (outer))
    return NULL;
  native = swap_to_or_from_little_endian (outer);
  return g_variant_get_variant (native);
}
