/* test-key-codec.c - which bytes are a key
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <math.h>
#include <string.h>

#include "codec/dsq-key-codec-private.h"
#include "dsq-error.h"

typedef struct
{
  const char *bytes;
  gsize length;
} Sample;

#define SAMPLE(literal)                                                                            \
  {                                                                                                \
    literal, sizeof (literal) - 1                                                                  \
  }
#define OTHER(literal) SAMPLE ("\xff" literal)

static const Sample text_keys[] = {
  SAMPLE (""),
  SAMPLE ("key"),
  SAMPLE ("a\0b"),
  SAMPLE ("\0"),
  SAMPLE ("\0\0\0"),
  SAMPLE ("twelve bytes"),
  SAMPLE ("日本語"),
  SAMPLE ("😀"),
  SAMPLE ("ä\0ö"),
  SAMPLE ("\xef\xbf\xbf"), /* U+FFFF, a noncharacter */
  SAMPLE ("\xf4\x8f\xbf\xbf"),
};

static const Sample bad_texts[] = {
  SAMPLE ("\x80"),
  SAMPLE ("a\xff"),
  SAMPLE ("\xfe"),
  SAMPLE ("\xc3"),
  SAMPLE ("\xc0\x80"), /* NUL, overlong */
  SAMPLE ("\xe0\x80\xaf"),
  SAMPLE ("\xf0\x80\x80\xaf"),
  SAMPLE ("\xed\xa0\x80"), /* U+D800 */
  SAMPLE ("\xed\xbf\xbf"),
  SAMPLE ("\xf4\x90\x80\x80"),
  SAMPLE ("12345678\xff"),
  SAMPLE ("1234567\xff"
          "12345678"),
  SAMPLE ("a\0\xff"),
};

static const Sample other_keys[] = {
  OTHER ("N"),
  OTHER ("b\0"),
  OTHER ("b\1\xff"),
  OTHER ("b\3\0\xff)"),
  OTHER ("i\0"),                               /* 0 */
  OTHER ("i\1\x01"),                           /* 1 */
  OTHER ("i\1\x7f"),                           /* 127 */
  OTHER ("i\2\0\x80"),                         /* 128 */
  OTHER ("i\1\xff"),                           /* -1 */
  OTHER ("i\1\x80"),                           /* -128 */
  OTHER ("i\2\xff\x7f"),                       /* -129 */
  OTHER ("i\2\x80\0"),                         /* -32768 */
  OTHER ("i\3\0\xff\xff"),                     /* 65535 */
  OTHER ("f\x3f\xf8\0\0\0\0\0\0"),             /* 1.5 */
  OTHER ("f\x7f\xf0\0\0\0\0\0\0"),             /* inf */
  OTHER ("f\xff\xf0\0\0\0\0\0\0"),             /* -inf */
  OTHER ("f\0\0\0\0\0\0\0\1"),                 /* the least subnormal */
  OTHER ("f\x43\x2f\xff\xff\xff\xff\xff\xff"), /* 2^52 - 1/2 */
  OTHER ("()"),
  OTHER ("(())"),
  OTHER ("(s\3keyi\1\1N)"),
  OTHER ("((s\0)(b\0f\x3f\xf8\0\0\0\0\0\0)(()))"),
  OTHER ("(s\3a\0b)"),
};

static const Sample bad_others[] = {
  OTHER (""),
  OTHER ("\xff"),
  OTHER ("x"),
  OTHER ("\0"),
  OTHER ("NN"),
  OTHER ("N\0"),
  OTHER ("b"),
  OTHER ("b\1"),
  OTHER ("b\2x"),
  OTHER ("b\1xy"),
  OTHER ("b\x80\0"), /* lengths with a group too many */
  OTHER ("b\x81\0x"),
  OTHER ("b\x80\x80\0"),
  OTHER ("b\x80"),
  OTHER ("b\x80\x80\x80\x80\1"), /* lengths beyond any key */
  OTHER ("b\xff\xff\xff\x7f"),
  OTHER ("b\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"),
  OTHER ("i\1\0"), /* integers with a byte too many */
  OTHER ("i\2\0\1"),
  OTHER ("i\2\0\x7f"),
  OTHER ("i\2\xff\xff"),
  OTHER ("i\2\xff\x80"),
  OTHER ("i\2\0\0"),
  OTHER ("i\1"),
  OTHER ("f\x3f\xf8\0\0\0\0\0"),
  OTHER ("f\x3f\xf8\0\0\0\0\0\0\0"),
  OTHER ("f\x7f\xf8\0\0\0\0\0\0"), /* NaN, quiet and signalling */
  OTHER ("f\xff\xf0\0\0\0\0\0\1"),
  OTHER ("f\0\0\0\0\0\0\0\0"), /* 0.0, -0.0, 1.0, 2^52, 2^53, 1e300 */
  OTHER ("f\x80\0\0\0\0\0\0\0"),
  OTHER ("f\x3f\xf0\0\0\0\0\0\0"),
  OTHER ("f\x43\x30\0\0\0\0\0\0"),
  OTHER ("f\x43\x40\0\0\0\0\0\0"),
  OTHER ("f\x7e\x37\xe4\x3c\x88\0\x75\x9c"),
  OTHER ("s\0"), /* text outside a tuple */
  OTHER ("s\1a"),
  OTHER ("("),
  OTHER (")"),
  OTHER ("())"),
  OTHER ("(()"),
  OTHER ("()()"),
  OTHER ("(x)"),
  OTHER ("(s\1\xff)"),
  OTHER ("(s\3\xed\xa0\x80)"),
  OTHER ("(s\2\xc0\x80)"),
  OTHER ("(i\1\0)"),
  OTHER ("(s\2a)"), /* the text takes the end with it */
  OTHER ("(\xffN)"),
};

static void
assert_key (const guint8 *bytes, gsize length)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_key_codec_validate (bytes, length, &error));
  g_assert_no_error (error);
}

static void
assert_no_key (const guint8 *bytes, gsize length)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (dsq_key_codec_validate (bytes, length, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_KEY);
  g_assert_true (g_str_has_prefix (error->message, "Failed to validate key: "));
  g_assert_false (dsq_key_codec_validate (bytes, length, NULL));
}

/* In memory of just that length, so that a sanitizer sees what is read beyond. */
static void
check_samples (const Sample *samples,
               gsize n_samples,
               void (*check) (const guint8 *bytes, gsize length))
{
  for (gsize i = 0; i < n_samples; i++)
    {
      g_autofree guint8 *bytes = g_memdup2 (samples[i].bytes, samples[i].length);

      g_test_message ("sample %" G_GSIZE_FORMAT, i);
      check (bytes, samples[i].length);
    }
}

static void
test_takes_text (void)
{
  check_samples (text_keys, G_N_ELEMENTS (text_keys), assert_key);
}

static void
test_refuses_what_is_not_utf8 (void)
{
  check_samples (bad_texts, G_N_ELEMENTS (bad_texts), assert_no_key);
}

static void
test_takes_other_keys (void)
{
  check_samples (other_keys, G_N_ELEMENTS (other_keys), assert_key);
}

static void
test_refuses_what_is_not_canonical (void)
{
  check_samples (bad_others, G_N_ELEMENTS (bad_others), assert_no_key);
}

/* No key but text begins another one. */
static void
check_ends (const guint8 *bytes, gsize length)
{
  g_autofree guint8 *longer = g_malloc (length + 1);

  for (gsize part = 1; part < length; part++)
    assert_no_key (bytes, part);
  memcpy (longer, bytes, length);
  for (guint next = 0; next < 256; next++)
    {
      longer[length] = (guint8) next;
      assert_no_key (longer, length + 1);
    }
}

static void
test_other_keys_delimit_themselves (void)
{
  check_samples (other_keys, G_N_ELEMENTS (other_keys), check_ends);
}

static void
test_takes_just_the_doubles_with_a_fraction (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (754);

  for (guint i = 0; i < 200000; i++)
    {
      guint8 key[10] = { DSQ_KEY_OTHER, 'f' };
      guint64 bits = (guint64) g_rand_int (rand) << 32 | g_rand_int (rand);
      guint64 big_endian;
      double number;

      /* mostly of a magnitude where both kinds occur, with few bits set */
      if (i % 4 != 0)
        bits = (bits & ~(G_GUINT64_CONSTANT (0x7FF) << 52)) |
               (guint64) g_rand_int_range (rand, 1020, 1080) << 52;
      bits &= G_MAXUINT64 << g_rand_int_range (rand, 0, 53);

      memcpy (&number, &bits, sizeof number);
      big_endian = GUINT64_TO_BE (bits);
      memcpy (key + 2, &big_endian, sizeof big_endian);
      g_assert_cmpint (dsq_key_codec_validate (key, sizeof key, NULL),
                       ==,
                       !isnan (number) && (isinf (number) || trunc (number) != number));
    }
}

static void
test_length_has_a_limit (void)
{
  g_autofree guint8 *bytes = g_malloc (DSQ_MAX_KEY_LENGTH + 1);
  gsize content = DSQ_MAX_KEY_LENGTH - 5;

  memset (bytes, 'a', DSQ_MAX_KEY_LENGTH + 1);
  assert_key (bytes, DSQ_MAX_KEY_LENGTH);
  assert_no_key (bytes, DSQ_MAX_KEY_LENGTH + 1);

  bytes[0] = DSQ_KEY_OTHER;
  bytes[1] = 'b';
  bytes[2] = 0x80 | (content & 0x7F);
  bytes[3] = 0x80 | (content >> 7 & 0x7F);
  bytes[4] = (guint8) (content >> 14);
  assert_key (bytes, DSQ_MAX_KEY_LENGTH);
  assert_no_key (bytes, DSQ_MAX_KEY_LENGTH - 1);
  assert_no_key (bytes, DSQ_MAX_KEY_LENGTH + 1);
}

static void
test_nests_a_thousand_deep (void)
{
  static const gsize depths[] = { 1, 2, 999, 1000, 1001, 2000, DSQ_MAX_KEY_LENGTH / 2 - 1 };

  for (guint i = 0; i < G_N_ELEMENTS (depths); i++)
    {
      gsize depth = depths[i];
      g_autofree guint8 *bytes = g_malloc (1 + 2 * depth);

      bytes[0] = DSQ_KEY_OTHER;
      memset (bytes + 1, '(', depth);
      memset (bytes + 1 + depth, ')', depth);
      if (depth <= 1000)
        assert_key (bytes, 1 + 2 * depth);
      else
        assert_no_key (bytes, 1 + 2 * depth);
      assert_no_key (bytes, 2 * depth);
    }
}

/* It is how many are open at once that counts. */
static void
test_has_many_tuples_beside_one_another (void)
{
  gsize n_tuples = 10000;
  g_autofree guint8 *bytes = g_malloc (3 + 2 * n_tuples);

  bytes[0] = DSQ_KEY_OTHER;
  bytes[1] = '(';
  for (gsize i = 0; i < n_tuples; i++)
    memcpy (bytes + 2 + 2 * i, "()", 2);
  bytes[2 + 2 * n_tuples] = ')';
  assert_key (bytes, 3 + 2 * n_tuples);
}

static void
assert_c_string (const guint8 *bytes, gsize length)
{
  g_assert_true (dsq_key_codec_is_c_string (bytes, length));
}

static void
assert_no_c_string (const guint8 *bytes, gsize length)
{
  g_assert_false (dsq_key_codec_is_c_string (bytes, length));
}

static void
test_c_strings_are_text_without_nul (void)
{
  static const Sample strings[] = { SAMPLE (""), SAMPLE ("key"), SAMPLE ("日本語") };
  static const Sample others[] = { SAMPLE ("\0"), SAMPLE ("a\0b"), SAMPLE ("ä\0") };

  check_samples (strings, G_N_ELEMENTS (strings), assert_c_string);
  check_samples (others, G_N_ELEMENTS (others), assert_no_c_string);
  check_samples (other_keys, G_N_ELEMENTS (other_keys), assert_no_c_string);
  assert_c_string (NULL, 0);
  assert_key (NULL, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/key-codec/takes-text", test_takes_text);
  g_test_add_func ("/dsq/key-codec/refuses-what-is-not-utf8", test_refuses_what_is_not_utf8);
  g_test_add_func ("/dsq/key-codec/takes-other-keys", test_takes_other_keys);
  g_test_add_func ("/dsq/key-codec/refuses-what-is-not-canonical",
                   test_refuses_what_is_not_canonical);
  g_test_add_func ("/dsq/key-codec/other-keys-delimit-themselves",
                   test_other_keys_delimit_themselves);
  g_test_add_func ("/dsq/key-codec/takes-just-the-doubles-with-a-fraction",
                   test_takes_just_the_doubles_with_a_fraction);
  g_test_add_func ("/dsq/key-codec/length-has-a-limit", test_length_has_a_limit);
  g_test_add_func ("/dsq/key-codec/nests-a-thousand-deep", test_nests_a_thousand_deep);
  g_test_add_func ("/dsq/key-codec/has-many-tuples-beside-one-another",
                   test_has_many_tuples_beside_one_another);
  g_test_add_func ("/dsq/key-codec/c-strings-are-text-without-nul",
                   test_c_strings_are_text_without_nul);
  return g_test_run ();
}
