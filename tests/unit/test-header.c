/* test-header.c - the header of a store's file, plain or encrypted
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-crc32c-private.h"
#include "codec/dsq-header-private.h"
#include "crypto/dsq-random-private.h"
#include "dsq-error.h"

static const DsqKdfCost cheap = { DSQ_KDF_MIN_MEMORY, DSQ_KDF_MIN_PASSES, 1 };

static GBytes *
bytes_of (const char *text)
{
  return g_bytes_new (text, strlen (text));
}

static void
make (DsqHeader *header, const char *password)
{
  g_autoptr (GBytes) bytes = password != NULL ? bytes_of (password) : NULL;
  g_autoptr (GError) error = NULL;
  DsqKeys *keys;

  g_assert_true (dsq_header_init (header, bytes, &cheap, &keys, &error));
  g_assert_no_error (error);
  g_assert_true ((keys != NULL) == (password != NULL));
  dsq_keys_free (keys);
}

/* The first failure of reading and unlocking, or -1. */
static int
failure_of (const guint8 *bytes, gsize length, const char *password)
{
  g_autoptr (GBytes) a_password = password != NULL ? bytes_of (password) : NULL;
  g_autoptr (GError) error = NULL;
  DsqKeys *keys = NULL;
  DsqHeader header;

  if (dsq_header_read (&header, bytes, length, &error) &&
      dsq_header_unlock (&header, a_password, &keys, &error))
    {
      g_assert_no_error (error);
      dsq_keys_free (keys);
      return -1;
    }
  g_assert_nonnull (error);
  g_assert_true (error->domain == DSQ_ERROR);
  g_assert_null (keys);
  return error->code;
}

static void
set_checksum (DsqHeader *header)
{
  dsq_bytes_store_u32 (header->bytes + header->length - 4,
                       dsq_crc32c (0, header->bytes, header->length - 4));
}

static void
test_right_password_unlocks (void)
{
  DsqHeader plain, sealed;

  make (&plain, NULL);
  make (&sealed, "password");
  g_assert_cmpuint (plain.length, ==, 28);
  g_assert_cmpuint (sealed.length, ==, 164);
  g_assert_cmpint (failure_of (plain.bytes, plain.length, NULL), ==, -1);
  g_assert_cmpint (failure_of (sealed.bytes, sealed.length, "password"), ==, -1);
  g_assert_cmpint (failure_of (sealed.bytes, sealed.length, "passwore"),
                   ==,
                   DSQ_ERROR_WRONG_PASSWORD);
  g_assert_cmpint (failure_of (sealed.bytes, sealed.length, NULL), ==, DSQ_ERROR_ENCRYPTED);
  g_assert_cmpint (failure_of (plain.bytes, plain.length, "password"), ==, DSQ_ERROR_NOT_ENCRYPTED);
  g_assert_cmpint (failure_of (sealed.bytes, sealed.length, ""), ==, DSQ_ERROR_INVALID_ARGUMENT);
}

static void
test_every_flipped_bit_is_damage (void)
{
  const char *passwords[] = { NULL, "password" };

  for (guint i = 0; i < G_N_ELEMENTS (passwords); i++)
    {
      DsqHeader header;

      make (&header, passwords[i]);
      for (guint bit = 0; bit < 8 * header.length; bit++)
        {
          header.bytes[bit / 8] ^= (guint8) (1 << bit % 8);
          g_assert_cmpint (failure_of (header.bytes, header.length, passwords[i]),
                           ==,
                           DSQ_ERROR_CORRUPT);
          header.bytes[bit / 8] ^= (guint8) (1 << bit % 8);
        }
      for (guint length = 0; length < header.length; length++)
        g_assert_cmpint (failure_of (header.bytes, length, passwords[i]), ==, DSQ_ERROR_CORRUPT);
    }
}

/* A tamperer makes the checksum right: the MAC, or a bound, refuses every bit. Each costs a
 * derivation of the key, so that not every bit is tried by default. */
static void
test_every_tampered_bit_is_refused (void)
{
  gboolean is_long = g_getenv ("DSQ_LONG") != NULL;
  guint step = is_long ? 1 : g_getenv ("DSQ_SHORT") != NULL ? 401 : 37;
  DsqHeader header;

  make (&header, "password");
  for (guint bit = 0; bit < 8 * DSQ_FORMAT_HEADER_AT_SEALED_CRC; bit += step)
    {
      DsqHeader tampered = header;
      int code;

      tampered.bytes[bit / 8] ^= (guint8) (1 << bit % 8);
      set_checksum (&tampered);
      code = failure_of (tampered.bytes, tampered.length, "password");
      g_assert_true (code == DSQ_ERROR_WRONG_PASSWORD || code == DSQ_ERROR_CORRUPT ||
                     code == DSQ_ERROR_FORMAT);
    }
}

static void
test_work_out_of_bounds_is_refused_before_it_is_done (void)
{
  static const struct
  {
    guint at;
    guint32 number;
  } absurd[] = {
    { DSQ_FORMAT_HEADER_AT_MEMORY, 0 },         { DSQ_FORMAT_HEADER_AT_MEMORY, 19455 },
    { DSQ_FORMAT_HEADER_AT_MEMORY, 1048577 },   { DSQ_FORMAT_HEADER_AT_MEMORY, 0xFFFFFFFF },
    { DSQ_FORMAT_HEADER_AT_PASSES, 0 },         { DSQ_FORMAT_HEADER_AT_PASSES, 1 },
    { DSQ_FORMAT_HEADER_AT_PASSES, 17 },        { DSQ_FORMAT_HEADER_AT_PASSES, 0xFFFFFFFF },
    { DSQ_FORMAT_HEADER_AT_LANES, 0 },          { DSQ_FORMAT_HEADER_AT_LANES, 17 },
    { DSQ_FORMAT_HEADER_AT_LANES, 0xFFFFFFFF },
  };
  DsqHeader header;

  make (&header, "password");
  for (guint i = 0; i < G_N_ELEMENTS (absurd); i++)
    {
      DsqHeader tampered = header;
      gint64 started = g_get_monotonic_time ();

      dsq_bytes_store_u32 (tampered.bytes + absurd[i].at, absurd[i].number);
      set_checksum (&tampered);
      g_assert_cmpint (failure_of (tampered.bytes, tampered.length, "password"),
                       ==,
                       DSQ_ERROR_CORRUPT);
      g_assert_cmpint (g_get_monotonic_time () - started, <, 10000);
    }
}

static void
test_other_versions_are_told_from_damage (void)
{
  static const guint places[] = { DSQ_FORMAT_HEADER_AT_VERSION,
                                  DSQ_FORMAT_HEADER_AT_CIPHER,
                                  DSQ_FORMAT_HEADER_AT_RESERVED };

  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    {
      DsqHeader header;

      make (&header, NULL);
      header.bytes[places[i]] = 3;
      set_checksum (&header);
      g_assert_cmpint (failure_of (header.bytes, header.length, NULL), ==, DSQ_ERROR_FORMAT);
    }
}

/* With a checksum that is right, so that each is met by its own check. */
static void
test_what_is_around_the_keys_is_looked_at (void)
{
  static const struct
  {
    guint at;
    guint8 byte;
  } others[] = {
    { DSQ_FORMAT_HEADER_AT_RESERVED + 1, 1 },
    { DSQ_FORMAT_HEADER_AT_KDF, DSQ_FORMAT_KDF_ARGON2ID + 1 },
    { DSQ_FORMAT_HEADER_AT_KDF_RESERVED, 1 },
  };
  guint8 longer[DSQ_FORMAT_HEADER_SEALED_LENGTH + 1] = { 0 };
  DsqHeader plain, sealed;

  make (&plain, NULL);
  make (&sealed, "password");
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    {
      DsqHeader other = sealed;

      other.bytes[others[i].at] = others[i].byte;
      set_checksum (&other);
      g_assert_cmpint (failure_of (other.bytes, other.length, "password"), ==, DSQ_ERROR_FORMAT);
    }
  /* a plain one that says it were sealed, a sealed one that says it were not, and one too long */
  plain.bytes[DSQ_FORMAT_HEADER_AT_CIPHER] = DSQ_FORMAT_CIPHER_XAES;
  set_checksum (&plain);
  g_assert_cmpint (failure_of (plain.bytes, plain.length, "password"), ==, DSQ_ERROR_CORRUPT);
  memcpy (longer, sealed.bytes, sealed.length);
  dsq_bytes_store_u32 (longer + sizeof longer - 4, dsq_crc32c (0, longer, sizeof longer - 4));
  g_assert_cmpint (failure_of (longer, sizeof longer, "password"), ==, DSQ_ERROR_CORRUPT);
  sealed.bytes[DSQ_FORMAT_HEADER_AT_CIPHER] = DSQ_FORMAT_CIPHER_NONE;
  set_checksum (&sealed);
  g_assert_cmpint (failure_of (sealed.bytes, sealed.length, NULL), ==, DSQ_ERROR_CORRUPT);
}

static void
test_a_cost_out_of_bounds_makes_no_header (void)
{
  const DsqKdfCost costs[] = { { DSQ_KDF_MIN_MEMORY - 1, DSQ_KDF_MIN_PASSES, 1 },
                               { DSQ_KDF_MIN_MEMORY, DSQ_KDF_MIN_PASSES - 1, 1 },
                               { DSQ_KDF_MIN_MEMORY, DSQ_KDF_MIN_PASSES, 0 } };
  g_autoptr (GBytes) password = bytes_of ("password");

  for (guint i = 0; i < G_N_ELEMENTS (costs); i++)
    {
      g_autoptr (GError) error = NULL;
      DsqKeys *keys;
      DsqHeader header;

      g_assert_false (dsq_header_init (&header, password, &costs[i], &keys, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
      g_assert_null (keys);
    }
}

/* The cost is raised to what is asked for, unless the file would be beyond the caller's limit. */
static void
test_a_cost_is_kept_within_the_limit (void)
{
  const DsqKdfCost dear = { 2 * DSQ_KDF_MIN_MEMORY, 3 * DSQ_KDF_MIN_PASSES, 1 };
  DsqHeader plain, sealed;
  DsqKdfCost kept;

  make (&plain, NULL);
  make (&sealed, "password");
  kept = dsq_header_keep_cost (&plain, &dear, 0);
  g_assert_cmpuint (kept.memory, ==, dear.memory);
  kept = dsq_header_keep_cost (&sealed, &dear, dsq_kdf_cost_weigh (&dear));
  g_assert_cmpuint (kept.memory, ==, dear.memory);
  g_assert_cmpuint (kept.passes, ==, dear.passes);
  kept = dsq_header_keep_cost (&sealed, &dear, dsq_kdf_cost_weigh (&dear) - 1);
  g_assert_cmpuint (kept.memory, ==, cheap.memory);
  g_assert_cmpuint (kept.passes, ==, cheap.passes);
}

static gboolean
draw_nothing (guint8 *out, gsize length)
{
  return FALSE;
}

static void
test_no_random_bytes_make_no_header (void)
{
  const char *passwords[] = { NULL, "password" };

  for (guint i = 0; i < G_N_ELEMENTS (passwords); i++)
    {
      g_autoptr (GBytes) bytes = passwords[i] != NULL ? bytes_of (passwords[i]) : NULL;
      g_autoptr (GError) error = NULL;
      DsqKeys *keys;
      DsqHeader header;

      dsq_random_set_source (draw_nothing);
      g_assert_false (dsq_header_init (&header, bytes, &cheap, &keys, &error));
      dsq_random_set_source (NULL);
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
      g_assert_null (keys);
    }
}

static void
test_password_changes_and_keys_stay (void)
{
  g_autoptr (GBytes) old_password = bytes_of ("old");
  g_autoptr (GBytes) new_password = bytes_of ("new");
  g_autoptr (GBytes) wrong = bytes_of ("wrong");
  g_autoptr (GBytes) empty = bytes_of ("");
  g_autoptr (GError) error = NULL;
  guint8 token[DSQ_KEY_TOKEN_LENGTH], again[DSQ_KEY_TOKEN_LENGTH];
  DsqHeader header, before;
  DsqKeys *keys;

  g_assert_true (dsq_header_init (&header, old_password, &cheap, &keys, NULL));
  dsq_keys_make_token (keys, NULL, 0, (const guint8 *) "key", 3, token);
  dsq_keys_free (keys);
  before = header;
  g_assert_false (dsq_header_change_password (&header, wrong, new_password, &cheap, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_WRONG_PASSWORD);
  g_clear_error (&error);
  g_assert_false (dsq_header_change_password (&header, old_password, empty, &cheap, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);

  header = before;
  g_assert_true (dsq_header_change_password (&header, old_password, new_password, &cheap, NULL));
  g_assert_cmpint (failure_of (header.bytes, header.length, "old"), ==, DSQ_ERROR_WRONG_PASSWORD);
  g_assert_true (dsq_header_unlock (&header, new_password, &keys, NULL));
  dsq_keys_make_token (keys, NULL, 0, (const guint8 *) "key", 3, again);
  g_assert_cmpmem (token, sizeof token, again, sizeof again);
  dsq_keys_free (keys);
  /* another salt, another nonce, the same store */
  g_assert_cmpmem (header.bytes, 24, before.bytes, 24);
  g_assert_cmpint (memcmp (header.bytes + 40, before.bytes + 40, 16), !=, 0);
  g_assert_cmpint (memcmp (header.bytes + 56, before.bytes + 56, 24), !=, 0);
}

static gboolean
draw_counting (guint8 *out, gsize length)
{
  for (gsize i = 0; i < length; i++)
    out[i] = (guint8) i;
  return TRUE;
}

/* With fixed random bytes, in a format that stays. docs/on-disk-format.md has the same. */
static void
test_lies_as_told (void)
{
  static const char expected[] =
      "4453513102010000000102030405060708090a0b0c0d0e0f01000000004c00000200000001000000"
      "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f1011121314151617"
      "4aa4e7f9f875ddce93e388596dd491dac47f2f6fd2a4b8c5ecebf37387c2fa5ee66976e26c53c2f2"
      "68bc3c0389f10fcfb2504e48acf264177e0463681fd659f2bfb911acd92c0977db690012213ae2ad"
      "2ac5e803";
  g_autoptr (GString) hex = g_string_new (NULL);
  DsqHeader header;

  dsq_random_set_source (draw_counting);
  make (&header, "password");
  dsq_random_set_source (NULL);
  for (guint i = 0; i < header.length; i++)
    g_string_append_printf (hex, "%02x", header.bytes[i]);
  g_assert_cmpstr (hex->str, ==, expected);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/header/lies-as-told", test_lies_as_told);
  g_test_add_func ("/dsq/header/right-password-unlocks", test_right_password_unlocks);
  g_test_add_func ("/dsq/header/every-flipped-bit-is-damage", test_every_flipped_bit_is_damage);
  g_test_add_func ("/dsq/header/every-tampered-bit-is-refused", test_every_tampered_bit_is_refused);
  g_test_add_func ("/dsq/header/work-out-of-bounds-is-refused-before-it-is-done",
                   test_work_out_of_bounds_is_refused_before_it_is_done);
  g_test_add_func ("/dsq/header/other-versions-are-told-from-damage",
                   test_other_versions_are_told_from_damage);
  g_test_add_func ("/dsq/header/what-is-around-the-keys-is-looked-at",
                   test_what_is_around_the_keys_is_looked_at);
  g_test_add_func ("/dsq/header/a-cost-out-of-bounds-makes-no-header",
                   test_a_cost_out_of_bounds_makes_no_header);
  g_test_add_func ("/dsq/header/a-cost-is-kept-within-the-limit",
                   test_a_cost_is_kept_within_the_limit);
  g_test_add_func ("/dsq/header/no-random-bytes-make-no-header",
                   test_no_random_bytes_make_no_header);
  g_test_add_func ("/dsq/header/password-changes-and-keys-stay",
                   test_password_changes_and_keys_stay);
  return g_test_run ();
}
