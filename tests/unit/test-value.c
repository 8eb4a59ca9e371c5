/* test-value.c - records as typed values
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <math.h>
#include <string.h>

#include "codec/dsq-value-private.h"
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

/* --- typed values ----------------------------------------------------------------------------- */

static void
assert_encodes (const DsqValue *value, const char *record, gsize record_length)
{
  gsize length;
  g_autofree guint8 *encoded = dsq_value_encode (value, &length);
  g_autoptr (GError) error = NULL;

  g_assert_cmpmem (encoded, length, record, record_length);
  g_assert_true (dsq_value_check_record (encoded, length, &error));
  g_assert_no_error (error);
}

static void
test_records_lie_as_told (void)
{
  DsqValue value;

  dsq_value_init_bytes (&value, NULL, 0);
  assert_encodes (&value, "\2", 1);
  dsq_value_init_bytes (&value, (const guint8 *) "\0\xff", 2);
  assert_encodes (&value, "\2\0\xff", 3);
  g_assert_true (dsq_value_init_string (&value, "ä", NULL));
  assert_encodes (&value, "\3\xc3\xa4", 3);
  g_assert_true (dsq_value_init_string (&value, "", NULL));
  assert_encodes (&value, "\3", 1);
  dsq_value_init_int64 (&value, 0x0102030405060708);
  assert_encodes (&value, "\4\x08\x07\x06\x05\x04\x03\x02\x01", 9);
  dsq_value_init_int64 (&value, -2);
  assert_encodes (&value, "\4\xfe\xff\xff\xff\xff\xff\xff\xff", 9);
  dsq_value_init_double (&value, 1.5);
  assert_encodes (&value, "\5\0\0\0\0\0\0\xf8\x3f", 9);
  dsq_value_init_double (&value, -0.0);
  assert_encodes (&value, "\5\0\0\0\0\0\0\0\x80", 9);
  dsq_value_init_boolean (&value, 42);
  assert_encodes (&value, "\6\1", 2);
  dsq_value_init_boolean (&value, FALSE);
  assert_encodes (&value, "\6\0", 2);
}

static void
test_string_must_be_utf8 (void)
{
  g_autoptr (GError) error = NULL;
  DsqValue value;

  g_assert_false (dsq_value_init_string (&value, "\xed\xa0\x80", &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_VALUE);
}

static void
test_typed_values_come_back (void)
{
  g_autofree char *string = dsq_value_get_string ((const guint8 *) "\3text", 5, NULL);
  g_autofree char *empty = dsq_value_get_string ((const guint8 *) "\3", 1, NULL);
  gint64 integer;

  g_assert_cmpstr (string, ==, "text");
  g_assert_cmpstr (empty, ==, "");
  g_assert_true (dsq_value_get_int64 ((const guint8 *) "\4\xfe\xff\xff\xff\xff\xff\xff\xff",
                                      9,
                                      &integer,
                                      NULL));
  g_assert_cmpint (integer, ==, -2);
}

/* --- what does not fit ------------------------------------------------------------------------ */

/* Asks for @record as everything; the error of each, or 0 where it is given. */
static void
get_as_everything (const guint8 *record, gsize length, int codes[3])
{
  GError *errors[3] = { NULL };
  gint64 integer;
  g_autofree char *string = dsq_value_get_string (record, length, &errors[0]);
  g_autoptr (GVariant) variant = dsq_value_get_variant (record, length, &errors[2]);

  g_assert_true (dsq_value_get_int64 (record, length, &integer, &errors[1]) == (errors[1] == NULL));
  g_assert_true ((string == NULL) == (errors[0] != NULL));
  g_assert_true ((variant == NULL) == (errors[2] != NULL));

  for (guint i = 0; i < 3; i++)
    {
      codes[i] = errors[i] != NULL ? errors[i]->code : -1;
      if (errors[i] != NULL)
        g_assert_true (errors[i]->domain == DSQ_ERROR);
      g_clear_error (&errors[i]);
    }
}

static void
test_a_type_is_read_as_itself_only (void)
{
  static const struct
  {
    Sample record;
    guint8 fits; /* a bit for each of string, int64, variant */
  } cases[] = {
    { SAMPLE ("\1"), 4 },
    { SAMPLE ("\2text"), 4 },
    { SAMPLE ("\3text"), 5 },
    { SAMPLE ("\4\0\0\0\0\0\0\0\0"), 6 },
    { SAMPLE ("\5\0\0\0\0\0\0\0\0"), 4 },
    { SAMPLE ("\6\1"), 4 },
    { SAMPLE ("\7\1\0y"), 4 },
    { SAMPLE ("\7\x01\0\0\0\0\0\0\0\0x"), 4 },
    { SAMPLE ("\x08pickle"), 0x00 },
    { SAMPLE ("\x80\5N."), 0x00 },
    { SAMPLE ("\3a\0b"), 0x00 }, /* text that neither a C string nor a GVariant can hold */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree guint8 *record = g_memdup2 (cases[i].record.bytes, cases[i].record.length);
      int codes[3];

      g_assert_true (dsq_value_check_record (record, cases[i].record.length, NULL));
      get_as_everything (record, cases[i].record.length, codes);
      for (guint type = 0; type < 3; type++)
        g_assert_cmpint (codes[type],
                         ==,
                         (cases[i].fits >> type & 1) != 0 ? -1 : DSQ_ERROR_WRONG_TYPE);
    }
}

static void
test_wrong_type_names_both (void)
{
  g_autoptr (GError) error = NULL;
  gint64 integer;

  g_assert_false (dsq_value_get_int64 ((const guint8 *) "\3secret", 7, &integer, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_WRONG_TYPE);
  g_assert_cmpstr (error->message, ==, "Failed to get value as an int64: it is a string");
}

static void
test_refuses_payloads_that_do_not_fit (void)
{
  static const Sample records[] = {
    SAMPLE (""),
    SAMPLE ("\0"),
    SAMPLE ("\x09"),
    SAMPLE ("\x83text"),
    SAMPLE ("\1x"),
    SAMPLE ("\3\xff"),
    SAMPLE ("\3\xed\xa0\x80"),
    SAMPLE ("\4"),
    SAMPLE ("\4\0\0\0\0\0\0\0"),
    SAMPLE ("\4\0\0\0\0\0\0\0\0\0"),
    SAMPLE ("\5"),
    SAMPLE ("\5\0\0\0\0\0\0\0"),
    SAMPLE ("\6"),
    SAMPLE ("\6\2"),
    SAMPLE ("\6\1\1"),
    SAMPLE ("\7"),
    SAMPLE ("\7\0"),
    SAMPLE ("\7\1y"),       /* no NUL between a value and its type */
    SAMPLE ("\7\1\0"),      /* no type */
    SAMPLE ("\7\1\0yy"),    /* more than one type */
    SAMPLE ("\7\1\0q"),     /* too short for it */
    SAMPLE ("\7\2\0b"),     /* a boolean of 2 */
    SAMPLE ("\7text\0s"),   /* no NUL at the string's end */
    SAMPLE ("\7\xff\0\0s"), /* a string that is not UTF-8 */
    SAMPLE ("\7\xff\0\0v"),
    SAMPLE ("\7\1\0\0y\0ay\7"), /* offsets beyond the end */
  };

  for (guint i = 0; i < G_N_ELEMENTS (records); i++)
    {
      g_autofree guint8 *record = g_memdup2 (records[i].bytes, records[i].length);
      g_autoptr (GError) error = NULL;
      int codes[3];
      gboolean corrupt = FALSE;

      g_test_message ("record %u", i);
      g_assert_false (dsq_value_check_record (record, records[i].length, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_VALUE);
      get_as_everything (record, records[i].length, codes);
      for (guint type = 0; type < 3; type++)
        {
          g_assert_cmpint (codes[type], !=, -1);
          corrupt |= codes[type] == DSQ_ERROR_CORRUPT;
        }
      g_assert_true (corrupt);
    }
}

/* Setting a long string costs nothing in proportion to it; reading it finds the fault. */
static void
test_long_strings_are_checked_on_reading (void)
{
  gsize length = 100000;
  g_autofree guint8 *record = g_malloc (length);
  int codes[3];

  memset (record, 'a', length);
  record[0] = DSQ_VALUE_STRING;
  record[length - 1] = 0xFF;
  g_assert_true (dsq_value_check_record (record, length, NULL));
  get_as_everything (record, length, codes);
  g_assert_cmpint (codes[0], ==, DSQ_ERROR_CORRUPT);
  g_assert_cmpint (codes[2], ==, DSQ_ERROR_CORRUPT);
}

/* Only the length is looked at, since no byte after the type is. */
static void
test_length_has_a_limit (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_value_check_record ((const guint8 *) "\2", DSQ_MAX_VALUE_LENGTH, NULL));
  g_assert_false (
      dsq_value_check_record ((const guint8 *) "\2", (gsize) DSQ_MAX_VALUE_LENGTH + 1, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_VALUE);
}

/* --- GVariant --------------------------------------------------------------------------------- */

static void
assert_variant_comes_back (GVariant *value, DsqValueType type)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (value);
  g_autoptr (GVariant) back = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *record = NULL;
  gsize length;

  record = dsq_value_encode_variant (owned, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (record[0], ==, type);
  g_assert_true (dsq_value_check_record (record, length, &error));
  g_assert_no_error (error);

  /* at an odd place, as records lie */
  {
    g_autofree guint8 *unaligned = g_malloc (length + 1);

    memcpy (unaligned + 1, record, length);
    back = dsq_value_get_variant (unaligned + 1, length, &error);
  }
  g_assert_no_error (error);
  g_assert_false (g_variant_is_floating (back));
  g_assert_true (g_variant_is_normal_form (back));
  g_assert_cmpstr (g_variant_get_type_string (back), ==, g_variant_get_type_string (owned));
  g_assert_true (g_variant_equal (back, owned));
}

static void
test_variants_come_back (void)
{
  static const struct
  {
    const char *text;
    DsqValueType type;
  } cases[] = {
    { "'text'", DSQ_VALUE_STRING },
    { "''", DSQ_VALUE_STRING },
    { "int64 -5", DSQ_VALUE_INT64 },
    { "1.5", DSQ_VALUE_DOUBLE },
    { "true", DSQ_VALUE_BOOLEAN },
    { "@ay [0, 255, 1]", DSQ_VALUE_BYTES },
    { "@ay []", DSQ_VALUE_BYTES },
    { "@mv nothing", DSQ_VALUE_NONE },
    { "@mv <5>", DSQ_VALUE_VARIANT },
    { "@mv <@mv nothing>", DSQ_VALUE_VARIANT },
    { "@ms nothing", DSQ_VALUE_VARIANT },
    { "@v <'text'>", DSQ_VALUE_VARIANT },
    { "byte 0x05", DSQ_VALUE_VARIANT },
    { "5", DSQ_VALUE_VARIANT },
    { "uint64 18446744073709551615", DSQ_VALUE_VARIANT },
    { "objectpath '/dsq'", DSQ_VALUE_VARIANT },
    { "signature 'a{sv}'", DSQ_VALUE_VARIANT },
    { "()", DSQ_VALUE_VARIANT },
    { "@as []", DSQ_VALUE_VARIANT },
    { "['a', 'b', '']", DSQ_VALUE_VARIANT },
    { "{'name': <'Alice'>, 'age': <30>, 'tags': <['a', 'b']>, 'none': <@mv nothing>}",
      DSQ_VALUE_VARIANT },
    { "(int64 1, 'a', (byte 0x01, 2.5, [uint16 1, 2]), {1: 'x'})", DSQ_VALUE_VARIANT },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GVariant) value = g_variant_parse (NULL, cases[i].text, NULL, NULL, NULL);

      g_test_message ("%s", cases[i].text);
      g_assert_nonnull (value);
      assert_variant_comes_back (value, cases[i].type);
    }
  assert_variant_comes_back (g_variant_new_double (G_MAXDOUBLE), DSQ_VALUE_DOUBLE);
  assert_variant_comes_back (g_variant_new_handle (3), DSQ_VALUE_VARIANT);
}

static void
test_variant_record_is_little_endian (void)
{
  gsize length;
  g_autofree guint8 *record =
      dsq_value_encode_variant (g_variant_new_uint32 (0x01020304), &length, NULL);

  g_assert_cmpmem (record, length, "\7\x04\x03\x02\x01\0u", 7);
}

static void
test_floating_value_is_consumed (void)
{
  GVariant *value = g_variant_new_string ("text");
  g_autoptr (GVariant) kept = g_variant_ref_sink (g_variant_new_string ("kept"));
  gsize length;

  g_free (dsq_value_encode_variant (value, &length, NULL));
  g_free (dsq_value_encode_variant (kept, &length, NULL));
  g_assert_cmpstr (g_variant_get_string (kept, NULL), ==, "kept");
}

/* What came from elsewhere, misaligned or not in normal form, is stored as it reads. */
static void
test_foreign_variant_is_made_normal (void)
{
  static const guint8 bytes[] = { 'a', 0, 'b', 7 }; /* offsets beyond the end */
  g_autoptr (GVariant) odd = g_variant_ref_sink (
      g_variant_new_from_data (G_VARIANT_TYPE ("as"), bytes, sizeof bytes, FALSE, NULL, NULL));
  g_autoptr (GVariant) normal = g_variant_get_normal_form (odd);
  g_autoptr (GVariant) back = NULL;
  g_autofree guint8 *record = NULL;
  gsize length;

  g_assert_false (g_variant_is_normal_form (odd));
  record = dsq_value_encode_variant (odd, &length, NULL);
  g_assert_nonnull (record);
  back = dsq_value_get_variant (record, length, NULL);
  g_assert_true (g_variant_equal (back, normal));
}

static GVariant *
nest (guint depth)
{
  GVariant *value = g_variant_new_byte (5);

  for (guint i = 0; i < depth; i++)
    value = g_variant_new_variant (value);
  return value;
}

static void
test_nesting_has_a_limit (void)
{
  g_autoptr (GError) error = NULL;
  gsize length;

  assert_variant_comes_back (nest (100), DSQ_VALUE_VARIANT);
  for (guint depth = 120; depth < 140; depth++)
    {
      g_autoptr (GVariant) back = NULL;
      g_autofree guint8 *record = dsq_value_encode_variant (nest (depth), &length, NULL);

      /* what can be stored can be read */
      if (record != NULL)
        back = dsq_value_get_variant (record, length, &error);
      g_assert_no_error (error);
      g_assert_true ((record == NULL) == (back == NULL));
    }
  g_assert_null (dsq_value_encode_variant (nest (1000), &length, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_VALUE);
}

/* A variant in a variant, 100,000 times, as bytes that somebody made. */
static void
test_hostile_nesting_is_refused (void)
{
  gsize n_levels = 100000;
  gsize length = 1 + 1 + 2 * n_levels + 2;
  g_autofree guint8 *record = g_malloc0 (length);
  int codes[3];

  record[0] = DSQ_VALUE_VARIANT;
  record[1] = 5;
  record[3] = 'y';
  for (gsize i = 0; i < n_levels; i++)
    record[5 + 2 * i] = 'v';
  g_assert_false (dsq_value_check_record (record, length, NULL));
  get_as_everything (record, length, codes);
  g_assert_cmpint (codes[2], ==, DSQ_ERROR_CORRUPT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/value/records-lie-as-told", test_records_lie_as_told);
  g_test_add_func ("/dsq/value/string-must-be-utf8", test_string_must_be_utf8);
  g_test_add_func ("/dsq/value/typed-values-come-back", test_typed_values_come_back);
  g_test_add_func ("/dsq/value/a-type-is-read-as-itself-only", test_a_type_is_read_as_itself_only);
  g_test_add_func ("/dsq/value/wrong-type-names-both", test_wrong_type_names_both);
  g_test_add_func ("/dsq/value/refuses-payloads-that-do-not-fit",
                   test_refuses_payloads_that_do_not_fit);
  g_test_add_func ("/dsq/value/long-strings-are-checked-on-reading",
                   test_long_strings_are_checked_on_reading);
  g_test_add_func ("/dsq/value/length-has-a-limit", test_length_has_a_limit);
  g_test_add_func ("/dsq/value/variants-come-back", test_variants_come_back);
  g_test_add_func ("/dsq/value/variant-record-is-little-endian",
                   test_variant_record_is_little_endian);
  g_test_add_func ("/dsq/value/floating-value-is-consumed", test_floating_value_is_consumed);
  g_test_add_func ("/dsq/value/foreign-variant-is-made-normal",
                   test_foreign_variant_is_made_normal);
  g_test_add_func ("/dsq/value/nesting-has-a-limit", test_nesting_has_a_limit);
  g_test_add_func ("/dsq/value/hostile-nesting-is-refused", test_hostile_nesting_is_refused);
  return g_test_run ();
}
