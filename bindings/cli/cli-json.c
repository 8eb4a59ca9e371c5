/* cli-json.c - JSON, read strictly and written
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-json.h"

#include <string.h>

#include "cli-error.h"

typedef struct
{
  const char *start; /* (unowned) */
  const char *next;  /* (unowned) */
  const char *end;   /* (unowned) */
  guint depth;       /* arrays and objects that are open */
} Reader;

static CliJson *read_value (Reader *self, GError **error);

static CliJson *
new_value (CliJsonKind kind)
{
  CliJson *value = g_new0 (CliJson, 1);

  value->kind = kind;
  return value;
}

void
cli_json_free (CliJson *self)
{
  if (self == NULL)
    return;
  g_free (self->text);
  g_clear_pointer (&self->items, g_ptr_array_unref);
  g_free (self);
}

static gboolean
refuse (const Reader *self, const char *cause, GError **error)
{
  cli_set_error (error,
                 CLI_DAMAGED,
                 "no sound JSON at byte %" G_GSIZE_FORMAT ": %s",
                 (gsize) (self->next - self->start) + 1,
                 self->next == self->end ? "it ends early" : cause);
  return FALSE;
}

static void
skip_space (Reader *self)
{
  while (self->next < self->end &&
         (*self->next == ' ' || *self->next == '\t' || *self->next == '\n' || *self->next == '\r'))
    self->next++;
}

static gboolean
take (Reader *self, char c)
{
  if (self->next == self->end || *self->next != c)
    return FALSE;
  self->next++;
  return TRUE;
}

/* --- scalars ---------------------------------------------------------------------------------- */

static gboolean
skip_digits (Reader *self, GError **error)
{
  if (self->next == self->end || !g_ascii_isdigit (*self->next))
    return refuse (self, "a digit is missing", error);
  while (self->next < self->end && g_ascii_isdigit (*self->next))
    self->next++;
  return TRUE;
}

static CliJson *
read_number (Reader *self, GError **error)
{
  const char *start = self->next;
  CliJson *value;

  take (self, '-');
  if (!take (self, '0') && !skip_digits (self, error))
    return NULL;
  if (take (self, '.') && !skip_digits (self, error))
    return NULL;
  if (take (self, 'e') || take (self, 'E'))
    {
      if (!take (self, '+'))
        take (self, '-');
      if (!skip_digits (self, error))
        return NULL;
    }
  value = new_value (CLI_JSON_NUMBER);
  value->length = (gsize) (self->next - start);
  value->text = g_strndup (start, value->length);
  return value;
}

static CliJson *
read_word (Reader *self, const char *word, CliJsonKind kind, GError **error)
{
  gsize length = strlen (word);

  if ((gsize) (self->end - self->next) < length || memcmp (self->next, word, length) != 0)
    {
      refuse (self, "there is no such word", error);
      return NULL;
    }
  self->next += length;
  return new_value (kind);
}

static gboolean
read_unit (Reader *self, gunichar *out, GError **error)
{
  gunichar unit = 0;

  for (int i = 0; i < 4; i++)
    {
      if (self->next == self->end || !g_ascii_isxdigit (*self->next))
        return refuse (self, "\\u needs four hexadecimal digits", error);
      unit = unit << 4 | (gunichar) g_ascii_xdigit_value (*self->next++);
    }
  *out = unit;
  return TRUE;
}

static gboolean
read_unicode (Reader *self, GString *out, GError **error)
{
  gunichar high, low;

  if (!read_unit (self, &high, error))
    return FALSE;
  if (high >= 0xD800 && high <= 0xDFFF)
    {
      if (high > 0xDBFF || !take (self, '\\') || !take (self, 'u'))
        return refuse (self, "half of a surrogate pair", error);
      if (!read_unit (self, &low, error))
        return FALSE;
      if (low < 0xDC00 || low > 0xDFFF)
        return refuse (self, "half of a surrogate pair", error);
      high = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }
  if (high == 0)
    g_string_append_c (out, '\0');
  else
    g_string_append_unichar (out, high);
  return TRUE;
}

static gboolean
read_escape (Reader *self, GString *out, GError **error)
{
  static const char names[] = "\"\\/bfnrt";
  static const char meanings[] = "\"\\/\b\f\n\r\t";
  const char *found;

  if (take (self, 'u'))
    return read_unicode (self, out, error);
  if (self->next == self->end || *self->next == '\0' ||
      (found = strchr (names, *self->next)) == NULL)
    return refuse (self, "there is no such escape", error);
  g_string_append_c (out, meanings[found - names]);
  self->next++;
  return TRUE;
}

static CliJson *
read_string (Reader *self, GError **error)
{
  g_autoptr (GString) out = g_string_new (NULL);
  CliJson *value;

  if (!take (self, '"'))
    {
      refuse (self, "a string is missing", error);
      return NULL;
    }
  while (!take (self, '"'))
    {
      const char *start = self->next;

      while (self->next < self->end && *self->next != '"' && *self->next != '\\' &&
             (guint8) *self->next >= 0x20)
        self->next++;
      g_string_append_len (out, start, self->next - start);
      if (self->next < self->end && *self->next == '"')
        continue;
      if (!take (self, '\\'))
        {
          refuse (self, "a control character stands in a string", error);
          return NULL;
        }
      if (!read_escape (self, out, error))
        return NULL;
    }
  value = new_value (CLI_JSON_STRING);
  value->length = out->len;
  value->text = g_string_free (g_steal_pointer (&out), FALSE);
  return value;
}

/* --- arrays and objects ----------------------------------------------------------------------- */

static guint
hash_name (gconstpointer data)
{
  const CliJson *name = data;
  guint hash = 5381;

  for (gsize i = 0; i < name->length; i++)
    hash = hash * 33 + (guint8) name->text[i];
  return hash;
}

static gboolean
names_are_equal (gconstpointer a, gconstpointer b)
{
  const CliJson *one = a, *other = b;

  return one->length == other->length && memcmp (one->text, other->text, one->length) == 0;
}

static gboolean
read_member (Reader *self, CliJson *object, GHashTable *names, GError **error)
{
  CliJson *name, *value;

  skip_space (self);
  name = read_string (self, error);
  if (name == NULL)
    return FALSE;
  g_ptr_array_add (object->items, name);
  if (!g_hash_table_add (names, name))
    return refuse (self, "a name comes twice", error);
  skip_space (self);
  if (!take (self, ':'))
    return refuse (self, "a colon is missing", error);
  value = read_value (self, error);
  if (value == NULL)
    return FALSE;
  g_ptr_array_add (object->items, value);
  return TRUE;
}

static gboolean
read_item (Reader *self, CliJson *array, GError **error)
{
  CliJson *value = read_value (self, error);

  if (value == NULL)
    return FALSE;
  g_ptr_array_add (array->items, value);
  return TRUE;
}

static CliJson *
read_container (Reader *self, CliJsonKind kind, char last, GError **error)
{
  g_autoptr (CliJson) value = new_value (kind);
  g_autoptr (GHashTable) names = NULL;

  value->items = g_ptr_array_new_with_free_func ((GDestroyNotify) cli_json_free);
  if (kind == CLI_JSON_OBJECT)
    names = g_hash_table_new (hash_name, names_are_equal);
  if (++self->depth > CLI_JSON_MAX_DEPTH)
    {
      refuse (self, "it is nested too deeply", error);
      return NULL;
    }
  self->next++;
  skip_space (self);
  if (!take (self, last))
    do
      {
        if (kind == CLI_JSON_OBJECT ? !read_member (self, value, names, error)
                                    : !read_item (self, value, error))
          return NULL;
        skip_space (self);
        if (take (self, last))
          break;
        if (!take (self, ','))
          {
            refuse (self, "a comma is missing", error);
            return NULL;
          }
      }
    while (TRUE);
  self->depth--;
  return g_steal_pointer (&value);
}

static CliJson *
read_value (Reader *self, GError **error)
{
  skip_space (self);
  switch (self->next < self->end ? *self->next : '\0')
    {
    case '{':
      return read_container (self, CLI_JSON_OBJECT, '}', error);
    case '[':
      return read_container (self, CLI_JSON_ARRAY, ']', error);
    case '"':
      return read_string (self, error);
    case 'n':
      return read_word (self, "null", CLI_JSON_NULL, error);
    case 'f':
      return read_word (self, "false", CLI_JSON_FALSE, error);
    case 't':
      return read_word (self, "true", CLI_JSON_TRUE, error);
    default:
      if (self->next < self->end && (*self->next == '-' || g_ascii_isdigit (*self->next)))
        return read_number (self, error);
      refuse (self, "no value begins so", error);
      return NULL;
    }
}

CliJson *
cli_json_parse (const char *text, gsize length, GError **error)
{
  /* of no bytes there may be no memory */
  const char *start = length > 0 ? text : "";
  Reader reader = { start, start, start + length, 0 };
  g_autoptr (CliJson) value = NULL;
  const char *invalid;

  /* g_utf8_validate_len() takes a NUL for no character; here it is one that JSON refuses itself */
  if (memchr (start, '\0', length) != NULL)
    {
      cli_set_error (error, CLI_DAMAGED, "no sound JSON: it holds a NUL");
      return NULL;
    }
  if (!g_utf8_validate_len (start, length, &invalid))
    {
      reader.next = invalid;
      refuse (&reader, "it is not UTF-8", error);
      return NULL;
    }
  value = read_value (&reader, error);
  if (value == NULL)
    return NULL;
  skip_space (&reader);
  if (reader.next < reader.end)
    {
      refuse (&reader, "something follows the value", error);
      return NULL;
    }
  return g_steal_pointer (&value);
}

gboolean
cli_json_says (const CliJson *self, const char *text)
{
  return self->kind == CLI_JSON_STRING && self->length == strlen (text) &&
         memcmp (self->text, text, self->length) == 0;
}

const CliJson *
cli_json_get (const CliJson *self, const char *name)
{
  if (self->kind != CLI_JSON_OBJECT)
    return NULL;
  for (guint i = 0; i < self->items->len; i += 2)
    if (cli_json_says (self->items->pdata[i], name))
      return self->items->pdata[i + 1];
  return NULL;
}

gboolean
cli_json_is_integer (const CliJson *self)
{
  return self->kind == CLI_JSON_NUMBER && strpbrk (self->text, ".eE") == NULL;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

guchar *
cli_json_decode_base64 (const CliJson *self, gsize *out_length, GError **error)
{
  gsize n_digits = self->kind == CLI_JSON_STRING ? strspn (self->text, base64_digits) : 0;
  gsize n_padding = self->kind == CLI_JSON_STRING ? self->length - n_digits : 1;

  if (n_padding > 2 || (n_digits + n_padding) % 4 != 0 ||
      memcmp (self->text + n_digits, "==", n_padding) != 0)
    {
      cli_set_error (error, CLI_DAMAGED, "no string in base64");
      return NULL;
    }
  if (n_digits == 0)
    {
      *out_length = 0;
      return g_malloc0 (1);
    }
  return g_base64_decode (self->text, out_length);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void
write_escape (GString *out, guint code)
{
  static const char names[] = "btn?fr";

  if (code == '"' || code == '\\')
    g_string_append_printf (out, "\\%c", code);
  else if (code >= '\b' && code <= '\r' && code != '\v')
    g_string_append_printf (out, "\\%c", names[code - '\b']);
  else
    g_string_append_printf (out, "\\u%04x", code);
}

void
cli_json_write_string (GString *out, const char *text, gsize length)
{
  gsize start = 0;

  g_string_append_c (out, '"');
  for (gsize i = 0; i < length; i++)
    {
      guint8 byte = (guint8) text[i];
      /* C1 controls as well: a terminal may obey them */
      gboolean is_c1 = byte == 0xC2 && i + 1 < length && (guint8) text[i + 1] < 0xA0;

      if (byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7F && !is_c1)
        continue;
      g_string_append_len (out, text + start, (gssize) (i - start));
      write_escape (out, is_c1 ? (guint8) text[++i] : byte);
      start = i + 1;
    }
  g_string_append_len (out, text + start, (gssize) (length - start));
  g_string_append_c (out, '"');
}

void
cli_json_write_base64 (GString *out, const guint8 *bytes, gsize length)
{
  g_autofree char *text = g_base64_encode (bytes, length);

  g_string_append_c (out, '"');
  g_string_append (out, text);
  g_string_append_c (out, '"');
}
