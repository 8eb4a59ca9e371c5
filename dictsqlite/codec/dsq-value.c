/* dsq-value.c - records: a type byte and its payload, as typed values
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-utf8-private.h"
#include "codec/dsq-value-private.h"
#include "codec/dsq-variant-private.h"
#include "dsq-error.h"

/* Strings up to here are checked when they are stored, longer ones when they are read. */
#define CHECKED_STRING_LENGTH 4096

/* A pickle of that protocol or a later one begins with its type, and goes on with its protocol. */
#define FIRST_PROTOCOL 2

static const char too_long[] = "it is longer than " G_STRINGIFY (DSQ_MAX_VALUE_LENGTH) " bytes";
static const char not_utf8[] = "it is not UTF-8";
static const char not_normal[] = "it is not a GVariant in normal form";

static void
set_unencodable (GError **error, const char *fault)
{
  g_set_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_VALUE, "Failed to encode value: %s", fault);
}

/* --- construction ----------------------------------------------------------------------------- */

void
dsq_value_init_bytes (DsqValue *out, const guint8 *bytes, gsize length)
{
  out->type = DSQ_VALUE_BYTES;
  out->payload = bytes;
  out->length = length;
}

gboolean
dsq_value_init_string (DsqValue *out, const char *string, GError **error)
{
  gsize length = strlen (string);

  if (!dsq_utf8_validate ((const guint8 *) string, length))
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_INVALID_VALUE,
                           "Failed to encode value: it is not UTF-8");
      return FALSE;
    }
  out->type = DSQ_VALUE_STRING;
  out->payload = (const guint8 *) string;
  out->length = length;
  return TRUE;
}

static void
init_word (DsqValue *out, DsqValueType type, guint64 word)
{
  dsq_bytes_store_u64 (out->scratch, word);
  out->type = type;
  out->payload = out->scratch;
  out->length = sizeof word;
}

void
dsq_value_init_int64 (DsqValue *out, gint64 number)
{
  init_word (out, DSQ_VALUE_INT64, (guint64) number);
}

void
dsq_value_init_double (DsqValue *out, double number)
{
  guint64 bits;

  memcpy (&bits, &number, sizeof bits);
  init_word (out, DSQ_VALUE_DOUBLE, bits);
}

void
dsq_value_init_boolean (DsqValue *out, gboolean truth)
{
  out->scratch[0] = truth ? 1 : 0;
  out->type = DSQ_VALUE_BOOLEAN;
  out->payload = out->scratch;
  out->length = 1;
}

guint8 *
dsq_value_encode (const DsqValue *value, gsize *out_length)
{
  guint8 *record = g_malloc (1 + value->length);

  record[0] = (guint8) value->type;
  if (value->length > 0)
    memcpy (record + 1, value->payload, value->length);
  *out_length = 1 + value->length;
  return record;
}

/* --- checking --------------------------------------------------------------------------------- */

/* What is wrong with @record, or NULL. @string_limit: the longest string to look through. */
static const char *
find_fault (const guint8 *record, gsize length, gsize string_limit)
{
  const guint8 *payload;

  if (length == 0)
    return "it has no type";
  payload = record + 1;
  length--;

  switch (record[0])
    {
    case DSQ_VALUE_NONE:
      return length == 0 ? NULL : "bytes follow its type";
    case DSQ_VALUE_STRING:
      return length > string_limit || dsq_utf8_validate (payload, length) ? NULL : not_utf8;
    case DSQ_VALUE_INT64:
    case DSQ_VALUE_DOUBLE:
      return length == 8 ? NULL : "a number takes 8 bytes";
    case DSQ_VALUE_BOOLEAN:
      return length == 1 && payload[0] <= 1 ? NULL : "a boolean is one byte, 0 or 1";
    case DSQ_VALUE_VARIANT:
      {
        g_autoptr (GVariant) value = dsq_variant_decode (payload, length);

        return value != NULL ? NULL : not_normal;
      }
    case DSQ_VALUE_PICKLE:
      return length > 0 && payload[0] >= FIRST_PROTOCOL ? NULL : "it is no pickle";
    case DSQ_VALUE_BYTES:
    case DSQ_VALUE_OLD_PICKLE:
      return NULL;
    default:
      return "its type is unknown";
    }
}

gboolean
dsq_value_check_record (const guint8 *record, gsize length, GError **error)
{
  const char *fault =
      length > DSQ_MAX_VALUE_LENGTH ? too_long : find_fault (record, length, CHECKED_STRING_LENGTH);

  if (G_LIKELY (fault == NULL))
    return TRUE;
  g_set_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_VALUE, "Failed to check value: %s", fault);
  return FALSE;
}

/* --- reading as a type ------------------------------------------------------------------------ */

static const char *
name_of (guint8 type)
{
  static const char *const names[] = {
    [DSQ_VALUE_NONE] = "none",         [DSQ_VALUE_BYTES] = "bytes",
    [DSQ_VALUE_STRING] = "a string",   [DSQ_VALUE_INT64] = "an int64",
    [DSQ_VALUE_DOUBLE] = "a double",   [DSQ_VALUE_BOOLEAN] = "a boolean",
    [DSQ_VALUE_VARIANT] = "a variant",
  };

  return type < G_N_ELEMENTS (names) ? names[type] : "a Python pickle";
}

static void
set_corrupt (GError **error, const char *fault)
{
  g_set_error (error, DSQ_ERROR, DSQ_ERROR_CORRUPT, "Failed to decode value: %s", fault);
}

/* Whether @record is one of @type, sound in itself. */
static gboolean
expect (const guint8 *record, gsize length, DsqValueType type, GError **error)
{
  gboolean known = length > 0 && record[0] >= DSQ_VALUE_NONE &&
                   (record[0] <= DSQ_VALUE_OLD_PICKLE || record[0] == DSQ_VALUE_PICKLE);
  const char *fault;

  if (known && record[0] != type)
    {
      g_set_error (error,
                   DSQ_ERROR,
                   DSQ_ERROR_WRONG_TYPE,
                   "Failed to get value as %s: it is %s",
                   name_of ((guint8) type),
                   name_of (record[0]));
      return FALSE;
    }

  fault = find_fault (record, length, G_MAXSIZE);
  if (fault != NULL)
    {
      set_corrupt (error, fault);
      return FALSE;
    }
  return TRUE;
}

char *
dsq_value_get_string (const guint8 *record, gsize length, GError **error)
{
  if (!expect (record, length, DSQ_VALUE_STRING, error))
    return NULL;
  if (memchr (record + 1, 0, length - 1) != NULL)
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_WRONG_TYPE,
                           "Failed to get value as a C string: it holds a NUL character");
      return NULL;
    }
  return g_strndup ((const char *) record + 1, length - 1);
}

gboolean
dsq_value_get_int64 (const guint8 *record, gsize length, gint64 *out, GError **error)
{
  if (!expect (record, length, DSQ_VALUE_INT64, error))
    return FALSE;
  *out = (gint64) dsq_bytes_load_u64 (record + 1);
  return TRUE;
}

static double
load_double (const guint8 *payload)
{
  guint64 bits = dsq_bytes_load_u64 (payload);
  double number;

  memcpy (&number, &bits, sizeof number);
  return number;
}

/* --- GVariant --------------------------------------------------------------------------------- */

static guint8 *
encode_as_variant (GVariant *value, gsize *out_length, GError **error)
{
  g_autofree guint8 *record = dsq_variant_encode (value, 1, out_length);

  if (record == NULL)
    {
      set_unencodable (error, "it is nested too deeply");
      return NULL;
    }
  if (*out_length > DSQ_MAX_VALUE_LENGTH)
    {
      set_unencodable (error, too_long);
      return NULL;
    }
  record[0] = DSQ_VALUE_VARIANT;
  return g_steal_pointer (&record);
}

guint8 *
dsq_value_encode_variant (GVariant *value, gsize *out_length, GError **error)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (value);
  g_autoptr (GVariant) normal = g_variant_get_normal_form (owned);
  DsqValue typed;

  if (g_variant_is_of_type (normal, G_VARIANT_TYPE_STRING))
    {
      gsize length;
      const char *string = g_variant_get_string (normal, &length);

      typed = (DsqValue){ DSQ_VALUE_STRING, (const guint8 *) string, length, { 0 } };
    }
  else if (g_variant_is_of_type (normal, G_VARIANT_TYPE_INT64))
    dsq_value_init_int64 (&typed, g_variant_get_int64 (normal));
  else if (g_variant_is_of_type (normal, G_VARIANT_TYPE_DOUBLE))
    dsq_value_init_double (&typed, g_variant_get_double (normal));
  else if (g_variant_is_of_type (normal, G_VARIANT_TYPE_BOOLEAN))
    dsq_value_init_boolean (&typed, g_variant_get_boolean (normal));
  else if (g_variant_is_of_type (normal, G_VARIANT_TYPE_BYTESTRING))
    dsq_value_init_bytes (&typed, g_variant_get_data (normal), g_variant_get_size (normal));
  else if (g_variant_is_of_type (normal, G_VARIANT_TYPE ("mv")) &&
           g_variant_n_children (normal) == 0)
    typed = (DsqValue){ DSQ_VALUE_NONE, NULL, 0, { 0 } };
  else
    return encode_as_variant (normal, out_length, error);

  if (typed.length >= DSQ_MAX_VALUE_LENGTH)
    {
      set_unencodable (error, too_long);
      return NULL;
    }
  return dsq_value_encode (&typed, out_length);
}

static GVariant *
decode_string (const guint8 *record, gsize length, GError **error)
{
  g_autofree char *string = dsq_value_get_string (record, length, error);

  return string != NULL ? g_variant_new_take_string (g_steal_pointer (&string)) : NULL;
}

static GVariant *
decode_variant (const guint8 *payload, gsize length, GError **error)
{
  GVariant *value = dsq_variant_decode (payload, length);

  if (value == NULL)
    set_corrupt (error, not_normal);
  return value;
}

/* A floating or a full reference, or NULL with @error set. */
static GVariant *
decode_any (const guint8 *record, gsize length, GError **error)
{
  const guint8 *payload = record + 1;

  switch (record[0])
    {
    case DSQ_VALUE_NONE:
      return g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL);
    case DSQ_VALUE_BYTES:
      return g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, payload, length - 1, 1);
    case DSQ_VALUE_STRING:
      return decode_string (record, length, error);
    case DSQ_VALUE_INT64:
      return g_variant_new_int64 ((gint64) dsq_bytes_load_u64 (payload));
    case DSQ_VALUE_DOUBLE:
      return g_variant_new_double (load_double (payload));
    case DSQ_VALUE_BOOLEAN:
      return g_variant_new_boolean (payload[0]);
    case DSQ_VALUE_VARIANT:
      return decode_variant (payload, length - 1, error);
    default:
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_WRONG_TYPE,
                           "Failed to get value as a variant: it is a Python pickle");
      return NULL;
    }
}

GVariant *
dsq_value_get_variant (const guint8 *record, gsize length, GError **error)
{
  /* strings and variants are looked through where they are read */
  gboolean deferred =
      length > 0 && (record[0] == DSQ_VALUE_STRING || record[0] == DSQ_VALUE_VARIANT);
  const char *fault = deferred ? NULL : find_fault (record, length, 0);
  GVariant *value;

  if (fault != NULL)
    {
      set_corrupt (error, fault);
      return NULL;
    }
  value = decode_any (record, length, error);
  return value != NULL ? g_variant_take_ref (value) : NULL;
}
