/* browser-value.c - values as a person reads and writes them
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "browser-value.h"

#include <dictsqlite.h>
#include <math.h>
#include <string.h>

#include "cli-error.h"
#include "cli-key.h"
#include "cli-pack.h"
#include "cli-pickle.h"
#include "cli-text.h"
#include "cli-value.h"

/* Most bytes that are shown in a row; most of a text, and of bytes, that can be edited: a view of
 * text becomes slow beyond. */
#define MAX_SUMMARY 200
#define MAX_TEXT    (1024 * 1024)
#define MAX_HEX     (64 * 1024)
#define HEX_LINE    8

/* Most imports of a pickle that are named. */
#define MAX_IMPORTS 20

const guint8 *
browser_bytes_get (GBytes *bytes, gsize *out_length)
{
  gconstpointer data = g_bytes_get_data (bytes, out_length);

  return data != NULL ? data : (const guint8 *) "";
}

/* --- what it is ------------------------------------------------------------------------------- */

BrowserType
browser_value_get_type (GBytes *record)
{
  gsize length;
  const guint8 *bytes = browser_bytes_get (record, &length);
  g_autoptr (GByteArray) number = NULL;

  switch (length > 0 ? bytes[0] : 0)
    {
    case DSQ_VALUE_NONE:
      return BROWSER_NONE;
    case DSQ_VALUE_BYTES:
      return BROWSER_BYTES;
    case DSQ_VALUE_STRING:
      return BROWSER_STR;
    case DSQ_VALUE_INT64:
      return BROWSER_INT;
    case DSQ_VALUE_DOUBLE:
      return BROWSER_FLOAT;
    case DSQ_VALUE_BOOLEAN:
      return BROWSER_BOOL;
    case DSQ_VALUE_VARIANT:
      return BROWSER_VARIANT;
    case DSQ_VALUE_PICKLE:
      /* Python's integers beyond 64 bits */
      number = length < MAX_HEX ? cli_pickle_read_integer (bytes, length) : NULL;
      return number != NULL ? BROWSER_INT : BROWSER_PICKLE;
    case DSQ_VALUE_OLD_PICKLE:
      return BROWSER_PICKLE;
    default:
      return BROWSER_UNKNOWN;
    }
}

const char *
browser_type_get_name (BrowserType type)
{
  static const char *const names[] = { "str",  "bytes",   "int",    "float",  "bool",
                                       "None", "variant", "pickle", "unknown" };

  return names[type];
}

/* --- as text ---------------------------------------------------------------------------------- */

/* {"float":"nan"} and {"int":"0x..."}, as JSON has to say it, without what JSON needs. */
static char *
unwrap (GString *text)
{
  if (text->str[0] == '{')
    {
      char *value = strchr (text->str, ':') + 2;

      g_string_truncate (text, text->len - 2);
      g_string_erase (text, 0, value - text->str);
    }
  return g_string_free (text, FALSE);
}

static void
append_hex (GString *out, const guint8 *bytes, gsize length, gsize per_line)
{
  for (gsize i = 0; i < length; i++)
    g_string_append_printf (out,
                            "%s%02x",
                            i == 0                               ? ""
                            : per_line != 0 && i % per_line == 0 ? "\n"
                                                                 : " ",
                            bytes[i]);
}

/* The last character may be cut. */
static gsize
cut_text (const guint8 *bytes, gsize length)
{
  if (length <= MAX_SUMMARY)
    return length;
  length = MAX_SUMMARY;
  while (length > 0 && (bytes[length] & 0xC0) == 0x80)
    length--;
  return length;
}

char *
browser_value_dup_summary (GBytes *record)
{
  gsize length, payload_length;
  const guint8 *bytes = browser_bytes_get (record, &length);
  const guint8 *payload = length > 0 ? cli_value_payload (bytes, length, &payload_length) : bytes;
  BrowserType type = browser_value_get_type (record);
  g_autofree char *size = NULL;
  GString *out = g_string_new (NULL);

  switch (type)
    {
    case BROWSER_STR:
      cli_text_append (out, (const char *) payload, cut_text (payload, payload_length));
      break;
    case BROWSER_BYTES:
      size = cli_text_count (payload_length, "byte", "bytes");
      g_string_append_printf (out, "%s%s", size, payload_length > 0 ? ": " : "");
      append_hex (out, payload, MIN (payload_length, MAX_SUMMARY / 4), 0);
      break;
    case BROWSER_VARIANT:
      if (payload_length <= MAX_SUMMARY * 20)
        {
          cli_value_write_plain (out, bytes, length);
          break;
        }
      size = cli_text_size (payload_length);
      g_string_append_printf (out, "a GVariant of %s", size);
      break;
    case BROWSER_PICKLE:
      size = cli_text_size (payload_length);
      g_string_append_printf (out, "a Python pickle of %s", size);
      break;
    case BROWSER_UNKNOWN:
      g_string_append (out, "a value of a later version, or a damaged one");
      break;
    case BROWSER_NONE:
      g_string_append (out, "None");
      break;
    default:
      if (payload_length <= MAX_SUMMARY)
        {
          cli_value_write (out, bytes, length);
          return unwrap (out);
        }
      size = cli_text_size (payload_length);
      g_string_append_printf (out, "an integer of %s", size);
      break;
    }
  return g_string_free (out, FALSE);
}

char *
browser_value_dup_text (GBytes *record)
{
  gsize length, payload_length;
  const guint8 *bytes = browser_bytes_get (record, &length);
  const guint8 *payload = length > 0 ? cli_value_payload (bytes, length, &payload_length) : bytes;
  BrowserType type = browser_value_get_type (record);
  g_autoptr (GString) out = g_string_new (NULL);

  switch (type)
    {
    case BROWSER_STR:
      /* a view of text holds no NUL, and the library looks through short texts alone */
      if (payload_length > MAX_TEXT ||
          !g_utf8_validate_len ((const char *) payload, payload_length, NULL))
        return NULL;
      return g_strndup ((const char *) payload, payload_length);
    case BROWSER_BYTES:
      if (payload_length > MAX_HEX)
        return NULL;
      append_hex (out, payload, payload_length, HEX_LINE);
      return g_string_free (g_steal_pointer (&out), FALSE);
    case BROWSER_VARIANT:
      if (payload_length > MAX_TEXT / 4)
        return NULL;
      cli_value_write_plain (out, bytes, length);
      return g_string_free (g_steal_pointer (&out), FALSE);
    case BROWSER_INT:
    case BROWSER_FLOAT:
    case BROWSER_BOOL:
      cli_value_write (out, bytes, length);
      return unwrap (g_steal_pointer (&out));
    case BROWSER_NONE:
      return g_strdup ("");
    default:
      return NULL;
    }
}

/* --- described -------------------------------------------------------------------------------- */

/* The names that the report of dsq_pickle_check() has, which says its form. */
static void
append_imports (GString *out, const guint8 *report, gsize length)
{
  CliPack pack;
  const guint8 *item;
  gsize item_length;
  guint32 n_imports;

  cli_pack_init (&pack, report + 4);
  if (!cli_pack_next (&pack, &item, &item_length) || item_length < 5)
    return;
  memcpy (&n_imports, item + 1, sizeof n_imports);
  n_imports = GUINT32_FROM_LE (n_imports);
  for (guint32 i = 0; i < n_imports && i < MAX_IMPORTS; i++)
    {
      cli_pack_next (&pack, &item, &item_length);
      cli_pack_next (&pack, &item, &item_length);
      g_string_append (out, "\n    ");
      cli_text_append (out, (const char *) item, item_length);
      g_string_append_c (out, '.');
      cli_pack_next (&pack, &item, &item_length);
      cli_text_append (out, (const char *) item, item_length);
    }
  if (n_imports > MAX_IMPORTS)
    g_string_append_printf (out, "\n    and %u more", n_imports - MAX_IMPORTS);
}

static void
describe_pickle (GString *out, const guint8 *pickle, gsize length)
{
  g_autofree char *size = cli_text_size (length);
  g_autoptr (GError) error = NULL;
  gsize report_length;
  g_autofree guint8 *report = dsq_pickle_check (pickle, length, &report_length, &error);

  g_string_append_printf (out,
                          "A Python pickle of %s. It is shown here and never loaded, since to load "
                          "one can run code.\n\n",
                          size);
  if (error != NULL)
    g_string_append_printf (out, "It could not be looked through: %s\n\n", error->message);
  else if (report_length == 0)
    g_string_append (out, "It is plain data: to load it imports and calls nothing.\n\n");
  else
    {
      g_string_append (out, "To load it would import:");
      append_imports (out, report, report_length);
      g_string_append (out, "\n\n");
    }
  append_hex (out, pickle, MIN (length, 1024), HEX_LINE);
  if (length > 1024)
    g_string_append (out, "\n…");
}

char *
browser_value_describe (GBytes *record)
{
  gsize length, payload_length;
  const guint8 *bytes = browser_bytes_get (record, &length);
  const guint8 *payload = length > 0 ? cli_value_payload (bytes, length, &payload_length) : bytes;
  g_autofree char *size = NULL;
  g_autofree char *summary = NULL;
  GString *out = g_string_new (NULL);

  switch (browser_value_get_type (record))
    {
    case BROWSER_PICKLE:
      describe_pickle (out, payload, payload_length);
      break;
    case BROWSER_STR:
      size = cli_text_size (payload_length);
      g_string_printf (out,
                       payload_length > MAX_TEXT
                           ? "A text of %s, too long to edit here:\n\n"
                           : "A text of %s with NUL characters or bytes that are "
                             "no UTF-8 in it, which cannot be edited here:\n\n",
                       size);
      cli_text_append (out,
                       (const char *) payload,
                       payload_length > 4096 ? cut_text (payload, payload_length) : payload_length);
      break;
    default:
      size = cli_text_size (length);
      summary = browser_value_dup_summary (record);
      g_string_printf (out, "A value of %s, which cannot be edited here:\n\n%s", size, summary);
    }
  return g_string_free (out, FALSE);
}

/* --- from text -------------------------------------------------------------------------------- */

static GBytes *
parse_hex (const char *text, GError **error)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  guint8 byte = DSQ_VALUE_BYTES;
  int high = -1;

  g_byte_array_append (out, &byte, 1);
  for (; *text != '\0'; text++)
    {
      if (high < 0 && g_ascii_isspace (*text))
        continue;
      if (!g_ascii_isxdigit (*text))
        break;
      if (high < 0)
        {
          high = g_ascii_xdigit_value (*text);
          continue;
        }
      byte = (guint8) (high << 4 | g_ascii_xdigit_value (*text));
      g_byte_array_append (out, &byte, 1);
      high = -1;
    }
  if (*text != '\0' || high >= 0)
    {
      cli_set_error (error,
                     CLI_USAGE,
                     "Bytes are pairs of hexadecimal digits, as in 48 65 6c 6c 6f");
      return NULL;
    }
  return g_byte_array_free_to_bytes (g_steal_pointer (&out));
}

GBytes *
browser_value_parse (BrowserType type, const char *text, GError **error)
{
  static const char *const hints[] = {
    [BROWSER_STR] = "Not a text",
    [BROWSER_INT] = "Not an integer, as 42 or 0x2a",
    [BROWSER_FLOAT] = "Not a number, as 1.5, 1e100, inf or nan",
    [BROWSER_BOOL] = "Not true or false",
    [BROWSER_NONE] = "None has no text: leave this empty",
    [BROWSER_VARIANT] = "Not a GVariant's text, as {'name': <'value'>}",
  };
  g_autoptr (GError) cause = NULL;
  GByteArray *record;

  g_return_val_if_fail (type <= BROWSER_VARIANT, NULL);

  if (type == BROWSER_BYTES)
    return parse_hex (text, error);
  record = cli_value_from_text (type == BROWSER_NONE ? "null" : browser_type_get_name (type),
                                (const guint8 *) text,
                                strlen (text),
                                &cause);
  if (record != NULL)
    return g_byte_array_free_to_bytes (record);
  cli_set_error (error, CLI_USAGE, "%s", hints[type]);
  return NULL;
}

/* --- times ------------------------------------------------------------------------------------ */

char *
browser_time_dup_text (gint64 milliseconds)
{
  gint64 seconds = milliseconds / 1000;

  if (milliseconds >= DSQ_NEVER)
    return g_strdup ("never");
  if (seconds >= 86400)
    return g_strdup_printf ("in %" G_GINT64_FORMAT " d %" G_GINT64_FORMAT " h",
                            seconds / 86400,
                            seconds % 86400 / 3600);
  if (seconds >= 3600)
    return g_strdup_printf ("in %" G_GINT64_FORMAT " h %" G_GINT64_FORMAT " min",
                            seconds / 3600,
                            seconds % 3600 / 60);
  if (seconds >= 60)
    return g_strdup_printf ("in %" G_GINT64_FORMAT " min %" G_GINT64_FORMAT " s",
                            seconds / 60,
                            seconds % 60);
  return g_strdup_printf ("in %" G_GINT64_FORMAT " s", seconds);
}

gboolean
browser_time_parse (const char *text, gint64 *out, GError **error)
{
  g_autofree char *number = g_strstrip (g_strdup (text));
  char *end;
  double milliseconds = g_ascii_strtod (number, &end) * 1000;

  if (number[0] == '\0')
    return TRUE;
  if (g_ascii_strcasecmp (number, "never") == 0)
    *out = DSQ_NEVER;
  else if (*end == '\0' && isfinite (milliseconds) && milliseconds >= 1)
    *out = milliseconds < (double) DSQ_NEVER ? (gint64) milliseconds : DSQ_NEVER;
  else
    {
      cli_set_error (error, CLI_USAGE, "Expires: not a number of seconds, as 3600, and not never");
      return FALSE;
    }
  return TRUE;
}

/* --- keys ------------------------------------------------------------------------------------- */

char *
browser_key_dup_text (GBytes *key)
{
  gsize length;
  const guint8 *bytes = browser_bytes_get (key, &length);
  GString *out = g_string_new (NULL);

  if (length > 0 && bytes[0] != 0xFF && length > MAX_SUMMARY)
    {
      cli_text_append (out, (const char *) bytes, cut_text (bytes, length));
      g_string_append (out, "…");
    }
  else
    cli_key_write_plain (out, bytes, length);
  return g_string_free (out, FALSE);
}

GBytes *
browser_key_parse (const char *text, gboolean is_json, GError **error)
{
  g_autoptr (GError) cause = NULL;
  GByteArray *key = cli_key_from_word (text, is_json, &cause);

  if (key != NULL)
    return g_byte_array_free_to_bytes (key);
  cli_set_error (error,
                 CLI_USAGE,
                 "The key is not JSON, as 42, [1, \"a\"] or {\"bytes\": \"AAE=\"}");
  return NULL;
}
