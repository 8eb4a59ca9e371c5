/* fuzz-key-codec.c - any bytes as a key
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-key-codec-private.h"
#include "driver.h"
#include "dsq-error.h"

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED ("key_1234"),
  FUZZ_SEED ("a\0b"),
  FUZZ_SEED ("ä日😀"),
  FUZZ_SEED ("\xffN"),
  FUZZ_SEED ("\xff"
             "b\3\0\xff)"),
  FUZZ_SEED ("\xff"
             "i\2\0\x80"),
  FUZZ_SEED ("\xff"
             "f\x3f\xf8\0\0\0\0\0\0"),
  FUZZ_SEED ("\xff(s\3keyi\1\1N(b\x81\0f\x3f\xf8\0\0\0\0\0\0)())"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

/* A key that is not text delimits itself: what is shorter or longer is none. */
static void
check_ends (const guint8 *bytes, gsize length)
{
  g_autofree guint8 *longer = g_malloc0 (length + 1);

  memcpy (longer, bytes, length);
  g_assert_false (dsq_key_codec_validate (longer, length + 1, NULL));
  for (gsize part = 1; part < MIN (length, 64); part++)
    g_assert_false (dsq_key_codec_validate (bytes, part, NULL));
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  g_autoptr (GError) error = NULL;

  if (!dsq_key_codec_validate (bytes, length, &error))
    {
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_KEY);
      return 0;
    }

  g_assert_no_error (error);
  if (length > 0 && bytes[0] == DSQ_KEY_OTHER)
    {
      check_ends (bytes, length);
      g_assert_false (dsq_key_codec_is_c_string (bytes, length));
    }
  else if (dsq_key_codec_is_c_string (bytes, length))
    {
      g_assert_true (g_utf8_validate_len ((const char *) bytes, length, NULL));
    }
  else
    {
      g_assert_nonnull (memchr (bytes, 0, length));
    }
  return 0;
}
