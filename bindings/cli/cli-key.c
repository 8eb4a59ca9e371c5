/* cli-key.c - keys as JSON
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-key.h"

#include <dictsqlite.h>
#include <math.h>
#include <string.h>

#include "cli-double.h"
#include "cli-error.h"
#include "cli-integer.h"
#include "cli-text.h"

/* docs/on-disk-format.md has the encoding: text as it is, all else behind this byte, and items of a
 * tag, a length in groups of seven bits, and bytes. */
#define OTHER 0xFF

/* Tuples in one another. */
#define MAX_DEPTH 1000

/* --- to JSON ---------------------------------------------------------------------------------- */

static gsize
read_length (const guint8 **next)
{
  gsize length = 0;
  guint8 group;
  guint shift = 0;

  do
    {
      group = *(*next)++;
      length |= (gsize) (group & 0x7F) << shift;
      shift += 7;
    }
  while ((group & 0x80) != 0);
  return length;
}

static void
write_double (GString *out, const guint8 *bytes)
{
  guint64 bits;

  memcpy (&bits, bytes, sizeof bits);
  cli_double_write (out, GUINT64_FROM_BE (bits));
}

static void
write_integer (GString *out, const guint8 *bytes, gsize length)
{
  gsize start = out->len;

  if (cli_integer_write (out, bytes, length))
    return;
  g_string_insert (out, (gssize) start, "{\"int\":\"");
  g_string_append (out, "\"}");
}

/* The library gives no key that is not encoded as it should be. */
static void
write_item (GString *out, const guint8 **next)
{
  guint8 tag = *(*next)++;
  gsize length = (tag == 'b' || tag == 'i' || tag == 's') ? read_length (next) : tag == 'f' ? 8 : 0;

  switch (tag)
    {
    case 'b':
      g_string_append (out, "{\"bytes\":");
      cli_json_write_base64 (out, *next, length);
      g_string_append_c (out, '}');
      break;
    case 'i':
      write_integer (out, *next, length);
      break;
    case 's':
      cli_json_write_string (out, (const char *) *next, length);
      break;
    case 'f':
      write_double (out, *next);
      break;
    case '(':
      g_string_append_c (out, '[');
      for (gboolean is_first = TRUE; **next != ')'; is_first = FALSE)
        {
          if (!is_first)
            g_string_append_c (out, ',');
          write_item (out, next);
        }
      g_string_append_c (out, ']');
      length = 1;
      break;
    default:
      g_string_append (out, "null");
      break;
    }
  *next += length;
}

void
cli_key_write (GString *out, const guint8 *key, gsize length)
{
  const guint8 *next = key + 1;

  if (length > 0 && key[0] == OTHER)
    write_item (out, &next);
  else
    cli_json_write_string (out, (const char *) key, length);
}

void
cli_key_write_plain (GString *out, const guint8 *key, gsize length)
{
  if (length > 0 && cli_text_is_plain ((const char *) key, length))
    g_string_append_len (out, (const char *) key, (gssize) length);
  else
    cli_key_write (out, key, length);
}

/* --- from JSON -------------------------------------------------------------------------------- */

static gboolean
refuse (const char *cause, GError **error)
{
  cli_set_error (error, CLI_DAMAGED, "no key: %s", cause);
  return FALSE;
}

static void
append_byte (GByteArray *out, guint8 byte)
{
  g_byte_array_append (out, &byte, 1);
}

static void
append_item (GByteArray *out, guint8 tag, const guint8 *bytes, gsize length)
{
  gsize left = length;

  append_byte (out, tag);
  for (; left >= 0x80; left >>= 7)
    append_byte (out, (guint8) (left | 0x80));
  append_byte (out, (guint8) left);
  g_byte_array_append (out, bytes, (guint) length);
}

static gboolean
append_integer (GByteArray *out, const char *text, gsize length, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  if (!cli_integer_parse (text, length, bytes, error))
    return FALSE;
  append_item (out, 'i', bytes->data, bytes->len);
  return TRUE;
}

static gboolean
append_double (GByteArray *out, const char *text, gsize length, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  double number;
  guint64 bits;

  if (!cli_double_parse (text, length, &number, error))
    return FALSE;
  if (isnan (number))
    return refuse ("NaN is none", error);
  if (isfinite (number) && number == floor (number))
    {
      cli_integer_from_double (number, bytes);
      append_item (out, 'i', bytes->data, bytes->len);
      return TRUE;
    }
  memcpy (&bits, &number, sizeof bits);
  bits = GUINT64_TO_BE (bits);
  append_byte (out, 'f');
  g_byte_array_append (out, (const guint8 *) &bits, sizeof bits);
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
    return refuse ("an object that is none of {\"bytes\":...}, {\"int\":...}, {\"float\":...}",
                   error);
  if (cli_json_says (name, "int"))
    return append_integer (out, value->text, value->length, error);
  if (cli_json_says (name, "float"))
    return append_double (out, value->text, value->length, error);
  if (!cli_json_says (name, "bytes"))
    return refuse ("an object of another name than \"bytes\", \"int\" and \"float\"", error);
  bytes = cli_json_decode_base64 (value, &length, error);
  if (bytes == NULL)
    return FALSE;
  append_item (out, 'b', bytes, length);
  return TRUE;
}

static gboolean
append_json (GByteArray *out, const CliJson *json, guint depth, GError **error)
{
  switch (json->kind)
    {
    case CLI_JSON_NULL:
      append_byte (out, 'N');
      return TRUE;
    case CLI_JSON_FALSE:
    case CLI_JSON_TRUE:
      append_item (out, 'i', (const guint8 *) "\1", json->kind == CLI_JSON_TRUE);
      return TRUE;
    case CLI_JSON_NUMBER:
      return (cli_json_is_integer (json) ? append_integer
                                         : append_double) (out, json->text, json->length, error);
    case CLI_JSON_STRING:
      append_item (out, 's', (const guint8 *) json->text, json->length);
      return TRUE;
    case CLI_JSON_ARRAY:
      if (depth == MAX_DEPTH)
        return refuse ("its tuples are more than 1000 deep", error);
      append_byte (out, '(');
      for (guint i = 0; i < json->items->len; i++)
        if (!append_json (out, json->items->pdata[i], depth + 1, error))
          return FALSE;
      append_byte (out, ')');
      return TRUE;
    default:
      return append_named (out, json, error);
    }
}

gboolean
cli_key_from_json (const CliJson *json, GByteArray *out, GError **error)
{
  if (json->kind == CLI_JSON_STRING)
    g_byte_array_append (out,
                         (const guint8 *) json->text,
                         (guint) MIN (json->length, DSQ_MAX_KEY_LENGTH + 1));
  else
    {
      append_byte (out, OTHER);
      if (!append_json (out, json, 0, error))
        return FALSE;
    }
  return out->len <= DSQ_MAX_KEY_LENGTH || refuse ("it is longer than 1 MiB", error);
}

GByteArray *
cli_key_from_word (const char *word, gboolean is_json, GError **error)
{
  g_autoptr (GByteArray) key = g_byte_array_new ();
  g_autoptr (CliJson) json = NULL;
  g_autoptr (GError) cause = NULL;

  if (is_json)
    {
      json = cli_json_parse (word, strlen (word), &cause);
      if (json == NULL || !cli_key_from_json (json, key, &cause))
        {
          cli_set_error (error, CLI_USAGE, "KEY: %s", cause->message);
          return NULL;
        }
    }
  else
    {
      if (!g_utf8_validate (word, -1, NULL))
        {
          cli_set_error (error,
                         CLI_USAGE,
                         "KEY is not UTF-8: with --json-key {\"bytes\":\"BASE64\"} is a key of "
                         "bytes");
          return NULL;
        }
      g_byte_array_append (key, (const guint8 *) word, (guint) strlen (word));
    }
  return g_steal_pointer (&key);
}
