/* fuzz-value.c - any bytes as a record
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-value-private.h"
#include "driver.h"
#include "dsq-error.h"

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED ("\1"),
  FUZZ_SEED ("\2\0\xff"),
  FUZZ_SEED ("\3text ä"),
  FUZZ_SEED ("\4\x08\x07\x06\x05\x04\x03\x02\x01"),
  FUZZ_SEED ("\5\0\0\0\0\0\0\xf8\x3f"),
  FUZZ_SEED ("\6\1"),
  FUZZ_SEED ("\7\1\0y"),
  FUZZ_SEED ("\7\1\0y\0v\0v"),
  FUZZ_SEED ("\7"
             "a\0b\0\2\4\0as"),
  FUZZ_SEED ("\7\1\0\0\0\2\0\0\0\0(ii)"),
  FUZZ_SEED ("\7"
             "a\0\0\0\0\0\0\0\5\0y\2\x0b\0a{sv}"),
  FUZZ_SEED ("\7\1\0mb"),
  FUZZ_SEED ("\x08pickle"),
  FUZZ_SEED ("\x80\5N."),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

/* The errors that reading may give, and no result beside one. */
static void
check_outcome (gboolean success, GError *error)
{
  g_assert_true (success == (error == NULL));
  if (error == NULL)
    return;
  g_assert_true (error->domain == DSQ_ERROR);
  g_assert_true (error->code == DSQ_ERROR_WRONG_TYPE || error->code == DSQ_ERROR_CORRUPT);
  g_error_free (error);
}

static void
get_scalars (const guint8 *record, gsize length)
{
  GError *errors[2] = { NULL };
  g_autofree char *string = dsq_value_get_string (record, length, &errors[0]);
  gint64 integer;
  gboolean is_integer = dsq_value_get_int64 (record, length, &integer, &errors[1]);

  check_outcome (string != NULL, errors[0]);
  check_outcome (is_integer, errors[1]);
}

/* A record that reads as a GVariant can be stored again, and then reads the same. */
static void
check_variant (const guint8 *record, gsize length)
{
  GError *error = NULL;
  g_autoptr (GVariant) value = dsq_value_get_variant (record, length, &error);
  g_autoptr (GVariant) again = NULL;
  g_autofree guint8 *encoded = NULL;
  gsize encoded_length;

  check_outcome (value != NULL, g_steal_pointer (&error));
  if (value == NULL)
    return;

  g_assert_true (dsq_value_check_record (record, length, NULL));
  g_assert_true (g_variant_is_normal_form (value));
  encoded = dsq_value_encode_variant (value, &encoded_length, &error);
  g_assert_no_error (error);
  again = dsq_value_get_variant (encoded, encoded_length, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_type_string (again), ==, g_variant_get_type_string (value));
  g_assert_cmpmem (g_variant_get_data (again),
                   g_variant_get_size (again),
                   g_variant_get_data (value),
                   g_variant_get_size (value));
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  g_autoptr (GError) error = NULL;

  if (!dsq_value_check_record (bytes, length, &error))
    g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_VALUE);
  get_scalars (bytes, length);
  check_variant (bytes, length);
  return 0;
}
