/* cli-records.c - records of package lists, CSV and JSON
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-records.h"

#include <string.h>

#include "cli-error.h"
#include "cli-value.h"
#include "cli-variant.h"

static gboolean
is_key_name (const char *name)
{
  static const char *const usual[] = { "Package", "key", "id", "name", NULL };

  return g_strv_contains (usual, name);
}

int
cli_records_choose (const CliRecords *self, const char *const *names, guint n)
{
  for (guint i = 0; i < n; i++)
    if (self->field != NULL ? g_str_equal (names[i], self->field) : is_key_name (names[i]))
      return (int) i;
  return self->field != NULL || n == 0 ? -1 : 0;
}

static gboolean
refuse_without_key (const CliRecords *self, const char *place, guint number, GError **error)
{
  cli_set_error (error,
                 CLI_DAMAGED,
                 "%s %u: the record has no field '%s'",
                 place,
                 number,
                 self->field != NULL ? self->field : "key");
  return FALSE;
}

gboolean
cli_records_give (const CliRecords *self,
                  const char *const *names,
                  const char *const *values,
                  guint n,
                  guint line,
                  GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{ss}"));
  g_autoptr (GByteArray) record = NULL;
  int chosen = cli_records_choose (self, names, n);

  if (chosen < 0)
    return refuse_without_key (self, "line", line, error);
  for (guint i = 0; i < n; i++)
    g_variant_builder_add (&builder, "{ss}", names[i], values[i]);
  record = cli_value_from_variant (g_variant_builder_end (&builder), error);
  return record != NULL && self->func (values[chosen],
                                       strlen (values[chosen]),
                                       record->data,
                                       record->len,
                                       self->data,
                                       error);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static gboolean
give_json (const CliRecords *self, const CliJson *key, const CliJson *value, GError **error)
{
  g_autoptr (GByteArray) record = NULL;
  GVariant *variant;

  if (value->kind == CLI_JSON_ARRAY || value->kind == CLI_JSON_OBJECT)
    {
      variant = cli_variant_from_json (value, error);
      record = variant != NULL ? cli_value_from_variant (variant, error) : NULL;
      if (record == NULL)
        return FALSE;
    }
  else
    {
      record = g_byte_array_new ();
      if (!cli_value_from_json (value, record, error))
        return FALSE;
    }
  return self->func (key->text, key->length, record->data, record->len, self->data, error);
}

/* An object whose key is one of its values. */
static gboolean
give_object (const CliRecords *self,
             const CliJson *object,
             const char *place,
             guint number,
             GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  const CliJson *key;
  int chosen;

  if (object->kind != CLI_JSON_OBJECT)
    {
      cli_set_error (error, CLI_DAMAGED, "%s %u: it is no object", place, number);
      return FALSE;
    }
  for (guint i = 0; i < object->items->len; i += 2)
    g_ptr_array_add (names, ((const CliJson *) object->items->pdata[i])->text);
  chosen = cli_records_choose (self, (const char *const *) names->pdata, names->len);
  key = chosen >= 0 ? object->items->pdata[2 * chosen + 1] : NULL;
  if (key == NULL || (key->kind != CLI_JSON_STRING && key->kind != CLI_JSON_NUMBER))
    return refuse_without_key (self, place, number, error);
  if (give_json (self, key, object, error))
    return TRUE;
  g_prefix_error (error, "%s %u: ", place, number);
  return FALSE;
}

static gboolean
read_document (const CliRecords *self, const CliJson *json, GError **error)
{
  if (json->kind == CLI_JSON_ARRAY)
    {
      for (guint i = 0; i < json->items->len; i++)
        if (!give_object (self, json->items->pdata[i], "item", i + 1, error))
          return FALSE;
      return TRUE;
    }
  if (json->kind != CLI_JSON_OBJECT)
    {
      cli_set_error (error, CLI_DAMAGED, "its JSON is neither an object nor an array");
      return FALSE;
    }
  if (self->field != NULL)
    return give_object (self, json, "record", 1, error);
  for (guint i = 0; i < json->items->len; i += 2)
    {
      const CliJson *key = json->items->pdata[i];

      if (!give_json (self, key, json->items->pdata[i + 1], error))
        {
          g_prefix_error (error, "under the name '%s': ", key->text);
          return FALSE;
        }
    }
  return TRUE;
}

static gboolean
read_lines (const CliRecords *self, GError **error)
{
  const char *end = self->text + self->length;
  guint number = 0;

  for (const char *line = self->text, *next; line < end; line = next)
    {
      const char *stop = memchr (line, '\n', (gsize) (end - line));
      g_autoptr (CliJson) json = NULL;

      stop = stop != NULL ? stop : end;
      next = stop + 1;
      number++;
      if (strspn (line, " \t\r") >= (gsize) (stop - line))
        continue;
      json = cli_json_parse (line, (gsize) (stop - line), error);
      if (json == NULL)
        {
          g_prefix_error (error, "line %u: ", number);
          return FALSE;
        }
      if (!give_object (self, json, "line", number, error))
        return FALSE;
    }
  return TRUE;
}

/* One document, or else one a line: those that are whole on their first line and go on after it. */
static gboolean
read_json (const CliRecords *self, GError **error)
{
  const char *start = self->text + strspn (self->text, " \t\r\n");
  const char *stop = strchr (start, '\n');
  g_autoptr (CliJson) first = NULL;
  g_autoptr (CliJson) document = NULL;

  if (stop != NULL && stop[strspn (stop, " \t\r\n")] != '\0')
    first = cli_json_parse (start, (gsize) (stop - start), NULL);
  if (first != NULL && first->kind == CLI_JSON_OBJECT)
    return read_lines (self, error);
  document = cli_json_parse (self->text, self->length, error);
  return document != NULL && read_document (self, document, error);
}

/* --- which it is ------------------------------------------------------------------------------ */

/* Whether a line is "Name: value". */
static gboolean
is_field (const char *line, gsize length)
{
  gsize i = 0;

  while (i < length && (g_ascii_isalnum (line[i]) || strchr ("_.+-", line[i]) != NULL))
    i++;
  return i > 0 && i < length && line[i] == ':' &&
         (i + 1 == length || g_ascii_isspace (line[i + 1]));
}

gboolean
cli_records_detect (const char *text, gsize length, CliFormat *out_format)
{
  const char *start = text + strspn (text, " \t\r\n");
  gsize n_line;

  /* a package list may have comments */
  while (*start == '#')
    {
      start += strcspn (start, "\n");
      start += strspn (start, "\r\n");
    }
  n_line = strcspn (start, "\n");
  if (*start == '{' || *start == '[')
    *out_format = CLI_JSON;
  else if (is_field (start, n_line))
    *out_format = CLI_FIELDS;
  else if (strcspn (start, ",;\t|") < n_line)
    *out_format = CLI_CSV;
  else
    return FALSE;
  return TRUE;
}

gboolean
cli_records_read (const CliRecords *self, CliFormat format, GError **error)
{
  switch (format)
    {
    case CLI_FIELDS:
      return cli_fields_read (self, error);
    case CLI_CSV:
      return cli_csv_read (self, error);
    default:
      return read_json (self, error);
    }
}
