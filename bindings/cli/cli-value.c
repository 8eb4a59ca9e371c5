/* cli-value.c - values as JSON, and as bytes for people and programs
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-value.h"

#include <dictsqlite.h>
#include <string.h>

#include "cli-double.h"
#include "cli-error.h"
#include "cli-integer.h"
#include "cli-pickle.h"
#include "cli-text.h"

/* Types whose JSON is an object of one name and base64. */
static const struct
{
  const char *name;
  guint8 type;
} wrapped[] = {
  { "bytes", DSQ_VALUE_BYTES },
  { "variant", DSQ_VALUE_VARIANT },
  { "old-pickle", DSQ_VALUE_OLD_PICKLE },
  { "pickle", DSQ_VALUE_PICKLE },
};

const char *
cli_value_type (const guint8 *record)
{
  static const char *const names[] = { "damaged", "null", "bytes",   "str",       "int",
                                       "float",   "bool", "variant", "old-pickle" };

  if (record[0] == DSQ_VALUE_PICKLE)
    return "pickle";
  return record[0] < G_N_ELEMENTS (names) ? names[record[0]] : "of a later version";
}

const guint8 *
cli_value_payload (const guint8 *record, gsize length, gsize *out_length)
{
  gsize head = record[0] == DSQ_VALUE_PICKLE ? 0 : 1;

  *out_length = length - head;
  return record + head;
}

/* --- to JSON ---------------------------------------------------------------------------------- */

static void
write_double (GString *out, const guint8 *payload)
{
  guint64 bits;

  memcpy (&bits, payload, sizeof bits);
  cli_double_write (out, GUINT64_FROM_LE (bits));
}

static void
write_int64 (GString *out, const guint8 *payload)
{
  gint64 number;

  memcpy (&number, payload, sizeof number);
  g_string_append_printf (out, "%" G_GINT64_FORMAT, GINT64_FROM_LE (number));
}

/* An integer beyond 64 bits. */
static void
write_long (GString *out, const GByteArray *number)
{
  gsize start = out->len;

  if (cli_integer_write (out, number->data, number->len))
    return;
  g_string_insert (out, (gssize) start, "{\"int\":\"");
  g_string_append (out, "\"}");
}

static void
write_wrapped (GString *out, const guint8 *record, const guint8 *payload, gsize length)
{
  for (guint i = 0; i < G_N_ELEMENTS (wrapped); i++)
    if (wrapped[i].type == record[0])
      g_string_append_printf (out, "{\"%s\":", wrapped[i].name);
  cli_json_write_base64 (out, payload, length);
  g_string_append_c (out, '}');
}

void
cli_value_write (GString *out, const guint8 *record, gsize length)
{
  gsize payload_length;
  const guint8 *payload = cli_value_payload (record, length, &payload_length);
  g_autoptr (GByteArray) number = NULL;

  switch (record[0])
    {
    case DSQ_VALUE_NONE:
      g_string_append (out, "null");
      return;
    case DSQ_VALUE_STRING:
      cli_json_write_string (out, (const char *) payload, payload_length);
      return;
    case DSQ_VALUE_INT64:
      write_int64 (out, payload);
      return;
    case DSQ_VALUE_DOUBLE:
      write_double (out, payload);
      return;
    case DSQ_VALUE_BOOLEAN:
      g_string_append (out, payload[0] != 0 ? "true" : "false");
      return;
    case DSQ_VALUE_PICKLE:
      number = cli_pickle_read_integer (record, length);
      if (number != NULL)
        {
          write_long (out, number);
          return;
        }
      break;
    default:
      break;
    }
  write_wrapped (out, record, payload, payload_length);
}

static GVariant *
read_variant (const guint8 *payload, gsize length)
{
  guint8 *copy = g_memdup2 (payload, length);
  g_autoptr (GVariant) outer = g_variant_ref_sink (
      g_variant_new_from_data (G_VARIANT_TYPE_VARIANT, copy, length, FALSE, g_free, copy));
  g_autoptr (GVariant) native = NULL;

  if (!g_variant_is_normal_form (outer))
    return NULL;
  native = G_BYTE_ORDER == G_LITTLE_ENDIAN ? g_variant_ref (outer) : g_variant_byteswap (outer);
  return g_variant_get_variant (native);
}

void
cli_value_write_plain (GString *out, const guint8 *record, gsize length)
{
  gsize payload_length;
  const guint8 *payload = cli_value_payload (record, length, &payload_length);
  g_autoptr (GVariant) variant = NULL;

  if (record[0] == DSQ_VALUE_VARIANT)
    variant = read_variant (payload, payload_length);
  if (variant != NULL)
    g_variant_print_string (variant, out, TRUE);
  else if (record[0] == DSQ_VALUE_STRING || record[0] == DSQ_VALUE_BYTES)
    g_string_append_len (out, (const char *) payload, (gssize) payload_length);
  else
    cli_value_write (out, record, length);
}

/* --- from JSON -------------------------------------------------------------------------------- */

static void
append_record (GByteArray *out, guint8 type, gconstpointer payload, gsize length)
{
  g_byte_array_append (out, &type, 1);
  g_byte_array_append (out, payload, (guint) length);
}

static void
append_double (GByteArray *out, double number)
{
  guint64 bits;

  memcpy (&bits, &number, sizeof bits);
  bits = GUINT64_TO_LE (bits);
  append_record (out, DSQ_VALUE_DOUBLE, &bits, sizeof bits);
}

static gboolean
append_integer (GByteArray *out, const char *text, gsize length, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  guint64 number;

  if (!cli_integer_parse (text, length, bytes, error))
    return FALSE;
  if (bytes->len > DSQ_MAX_VALUE_LENGTH - 32)
    {
      cli_set_error (error, CLI_DAMAGED, "no value: it is longer than 512 MiB");
      return FALSE;
    }
  if (bytes->len > sizeof number)
    {
      cli_pickle_make_integer (out, bytes->data, bytes->len);
      return TRUE;
    }
  number = bytes->len > 0 && (bytes->data[0] & 0x80) != 0 ? G_MAXUINT64 : 0;
  for (guint i = 0; i < bytes->len; i++)
    number = number << 8 | bytes->data[i];
  number = GUINT64_TO_LE (number);
  append_record (out, DSQ_VALUE_INT64, &number, sizeof number);
  return TRUE;
}

static gboolean
append_number (GByteArray *out, const char *text, gsize length, GError **error)
{
  double number;

  if (!cli_double_parse (text, length, &number, error))
    return FALSE;
  append_double (out, number);
  return TRUE;
}

/* What names the type of a value must fit it; the library looks at the rest. */
static gboolean
append_bytes (GByteArray *out, guint8 type, const guint8 *bytes, gsize length, GError **error)
{
  g_autoptr (GVariant) variant = NULL;

  if (length >= DSQ_MAX_VALUE_LENGTH)
    {
      cli_set_error (error, CLI_DAMAGED, "no value: it is longer than 512 MiB");
      return FALSE;
    }
  if (type == DSQ_VALUE_PICKLE && (length == 0 || bytes[0] != DSQ_VALUE_PICKLE))
    {
      cli_set_error (error, CLI_DAMAGED, "no pickle of protocol 2 or later");
      return FALSE;
    }
  if (type == DSQ_VALUE_VARIANT && (variant = read_variant (bytes, length)) == NULL)
    {
      cli_set_error (error, CLI_DAMAGED, "no GVariant");
      return FALSE;
    }
  if (type == DSQ_VALUE_PICKLE)
    g_byte_array_append (out, bytes, (guint) length);
  else
    append_record (out, type, bytes, length);
  return TRUE;
}

static gboolean
append_named (GByteArray *out, const CliJson *json, GError **error)
{
  const CliJson *name = json->items->len == 2 ? json->items->pdata[0] : NULL;
  const CliJson *value = name != NULL ? json->items->pdata[1] : NULL;
  g_autofree guchar *bytes = NULL;
  gsize length;

  if (value == NULL || value->kind != CLI_JSON_STRING)
    {
      cli_set_error (error, CLI_DAMAGED, "no value: an object of other than one name and string");
      return FALSE;
    }
  if (cli_json_says (name, "int"))
    return append_integer (out, value->text, value->length, error);
  if (cli_json_says (name, "float"))
    return append_number (out, value->text, value->length, error);
  for (guint i = 0; i < G_N_ELEMENTS (wrapped); i++)
    {
      if (!cli_json_says (name, wrapped[i].name))
        continue;
      bytes = cli_json_decode_base64 (value, &length, error);
      return bytes != NULL && append_bytes (out, wrapped[i].type, bytes, length, error);
    }
  cli_set_error (error,
                 CLI_DAMAGED,
                 "no value: an object of another name than \"bytes\", \"int\", \"float\", "
                 "\"variant\", \"pickle\" and \"old-pickle\"");
  return FALSE;
}

gboolean
cli_value_from_json (const CliJson *json, GByteArray *out, GError **error)
{
  switch (json->kind)
    {
    case CLI_JSON_NULL:
      append_record (out, DSQ_VALUE_NONE, NULL, 0);
      return TRUE;
    case CLI_JSON_FALSE:
      append_record (out, DSQ_VALUE_BOOLEAN, "\0", 1);
      return TRUE;
    case CLI_JSON_TRUE:
      append_record (out, DSQ_VALUE_BOOLEAN, "\1", 1);
      return TRUE;
    case CLI_JSON_NUMBER:
      return (cli_json_is_integer (json) ? append_integer
                                         : append_number) (out, json->text, json->length, error);
    case CLI_JSON_STRING:
      return append_bytes (out, DSQ_VALUE_STRING, (const guint8 *) json->text, json->length, error);
    case CLI_JSON_OBJECT:
      return append_named (out, json, error);
    default:
      cli_set_error (error, CLI_DAMAGED, "no value: an array");
      return FALSE;
    }
}

/* --- from text -------------------------------------------------------------------------------- */

GByteArray *
cli_value_from_variant (GVariant *value, GError **error)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (value);
  g_autoptr (GVariant) normal = g_variant_get_normal_form (owned);
  g_autoptr (GVariant) outer = g_variant_ref_sink (g_variant_new_variant (normal));
  g_autoptr (GVariant) bytes = G_BYTE_ORDER == G_LITTLE_ENDIAN ? g_variant_ref (outer)
                                                               : g_variant_byteswap (outer);
  g_autoptr (GByteArray) out = g_byte_array_new ();

  if (!append_bytes (out,
                     DSQ_VALUE_VARIANT,
                     g_variant_get_data (bytes),
                     g_variant_get_size (bytes),
                     error))
    return NULL;
  return g_steal_pointer (&out);
}

static gboolean
append_text (const char *type, GByteArray *out, const char *text, gsize length, GError **error)
{
  g_autoptr (CliJson) json = NULL;

  if (g_str_equal (type, "int"))
    return append_integer (out, text, length, error);
  if (g_str_equal (type, "float"))
    return append_number (out, text, length, error);
  if (g_str_equal (type, "json"))
    {
      json = cli_json_parse (text, length, error);
      return json != NULL && cli_value_from_json (json, out, error);
    }
  if (g_str_equal (type, "bool") && (g_str_equal (text, "true") || g_str_equal (text, "false")))
    {
      append_record (out, DSQ_VALUE_BOOLEAN, *text == 't' ? "\1" : "\0", 1);
      return TRUE;
    }
  if (g_str_equal (type, "null") && (length == 0 || g_str_equal (text, "null")))
    {
      append_record (out, DSQ_VALUE_NONE, NULL, 0);
      return TRUE;
    }
  cli_set_error (error, CLI_USAGE, "no %s", type);
  return FALSE;
}

static gboolean
append_typed (const char *type, GByteArray *out, const guint8 *bytes, gsize length, GError **error)
{
  g_autofree char *text = NULL;

  if (g_str_equal (type, "bytes"))
    return append_bytes (out, DSQ_VALUE_BYTES, bytes, length, error);
  if (g_str_equal (type, "pickle"))
    return append_bytes (out, DSQ_VALUE_PICKLE, bytes, length, error);
  if (g_str_equal (type, "str"))
    {
      if (!cli_text_is_utf8 ((const char *) bytes, length))
        {
          cli_set_error (error, CLI_USAGE, "no UTF-8: --type bytes takes any bytes");
          return FALSE;
        }
      return append_bytes (out, DSQ_VALUE_STRING, bytes, length, error);
    }
  /* of what is written as text an end of line is no part */
  text = g_strndup ((const char *) bytes, length);
  return append_text (type, out, g_strchomp (text), strlen (text), error);
}

GByteArray *
cli_value_from_text (const char *type, const guint8 *bytes, gsize length, GError **error)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_autoptr (GError) cause = NULL;
  g_autoptr (GVariant) variant = NULL;
  g_autofree char *text = NULL;

  if (g_str_equal (type, "variant"))
    {
      text = g_strndup ((const char *) bytes, length);
      variant = g_variant_parse (NULL, text, NULL, NULL, &cause);
      if (variant != NULL)
        {
          GByteArray *record = cli_value_from_variant (variant, &cause);

          if (record != NULL)
            return record;
        }
    }
  else if (append_typed (type, out, bytes, length, &cause))
    return g_steal_pointer (&out);
  cli_set_error (error, CLI_USAGE, "VALUE: %s", cause->message);
  return NULL;
}
