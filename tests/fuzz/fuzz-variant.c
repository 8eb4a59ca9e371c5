/* fuzz-variant.c - any bytes as a GVariant of any type
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-variant-private.h"
#include "driver.h"

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED ("\1\0y"),
  FUZZ_SEED ("\1\0y\0v\0v"),
  FUZZ_SEED ("a\0b\0\2\4\0as"),
  FUZZ_SEED ("\1\0\0\0\2\0\0\0\0(ii)"),
  FUZZ_SEED ("a\0\0\0\0\0\0\0\5\0y\2\x0b\0a{sv}"),
  FUZZ_SEED ("\1\0mb"),
  FUZZ_SEED ("\0\0()"),
  FUZZ_SEED ("\0\0\0\0a()"),
  FUZZ_SEED ("\0\0\0\0\0\0\xf8\x3f\0d"),
  FUZZ_SEED ("(y(sx))\0\0g"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

/* All of a value can be read, within what its bytes can hold. */
static gsize
count (GVariant *value)
{
  gsize n = 1;

  if (!g_variant_is_container (value))
    return n;
  for (gsize i = 0; i < g_variant_n_children (value); i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

      n += count (child);
    }
  return n;
}

/* What decodes is just what encoding it gives. */
int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  g_autoptr (GVariant) value = dsq_variant_decode (bytes, length);
  g_autofree guint8 *again = NULL;
  gsize again_length;

  if (value == NULL)
    return 0;
  g_assert_true (g_variant_is_normal_form (value));
  /* each item has a byte, or a letter of the type, or both */
  g_assert_cmpuint (count (value), <=, length);
  again = dsq_variant_encode (value, 0, &again_length);
  g_assert_nonnull (again);
  g_assert_cmpmem (again, again_length, bytes, length);
  return 0;
}
