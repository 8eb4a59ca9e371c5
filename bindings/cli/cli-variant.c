/* cli-variant.c - JSON of any shape as a GVariant
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-variant.h"

#include <errno.h>
#include <string.h>

#include "cli-double.h"
#include "cli-error.h"

/* GVariants nest 64 deep, and each level here is two of its own. */
#define MAX_DEPTH 30

static GVariant *make (const CliJson *json, guint depth, GError **error);

static gboolean
check_text (const CliJson *json, GError **error)
{
  if (strlen (json->text) == json->length)
    return TRUE;
  cli_set_error (error, CLI_DAMAGED, "a string holds a NUL, which a GVariant cannot");
  return FALSE;
}

static GVariant *
make_number (const CliJson *json, GError **error)
{
  double number;
  gint64 integer;

  if (cli_json_is_integer (json))
    {
      errno = 0;
      integer = g_ascii_strtoll (json->text, NULL, 10);
      if (errno == 0)
        return g_variant_new_int64 (integer);
      cli_set_error (error, CLI_DAMAGED, "a number is beyond 64 bits");
      return NULL;
    }
  if (!cli_double_parse (json->text, json->length, &number, error))
    return NULL;
  return g_variant_new_double (number);
}

static GVariant *
make_array (const CliJson *json, guint depth, GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("av"));

  for (guint i = 0; i < json->items->len; i++)
    {
      GVariant *item = make (json->items->pdata[i], depth + 1, error);

      if (item == NULL)
        return NULL;
      g_variant_builder_add (&builder, "v", item);
    }
  return g_variant_builder_end (&builder);
}

static GVariant *
make_object (const CliJson *json, guint depth, GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  for (guint i = 0; i < json->items->len; i += 2)
    {
      const CliJson *name = json->items->pdata[i];
      GVariant *value = NULL;

      if (check_text (name, error))
        value = make (json->items->pdata[i + 1], depth + 1, error);
      if (value == NULL)
        return NULL;
      g_variant_builder_add (&builder, "{sv}", name->text, value);
    }
  return g_variant_builder_end (&builder);
}

static GVariant *
make (const CliJson *json, guint depth, GError **error)
{
  if (depth > MAX_DEPTH)
    {
      cli_set_error (error, CLI_DAMAGED, "it is nested too deeply for a GVariant");
      return NULL;
    }
  switch (json->kind)
    {
    case CLI_JSON_NULL:
      return g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL);
    case CLI_JSON_FALSE:
    case CLI_JSON_TRUE:
      return g_variant_new_boolean (json->kind == CLI_JSON_TRUE);
    case CLI_JSON_NUMBER:
      return make_number (json, error);
    case CLI_JSON_STRING:
      return check_text (json, error) ? g_variant_new_string (json->text) : NULL;
    case CLI_JSON_ARRAY:
      return make_array (json, depth, error);
    default:
      return make_object (json, depth, error);
    }
}

GVariant *
cli_variant_from_json (const CliJson *json, GError **error)
{
  return make (json, 0, error);
}
