/* share.c - writes one value of each type, and reads those that other languages wrote
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* share FILE LANGUAGE... */

#include <dictsqlite.h>
#include <stdio.h>

static GVariant *
value_of (DsqStore *store, const char *language, const char *kind)
{
  g_autofree char *key = g_strdup_printf ("%s %s", language, kind);
  g_autoptr (GError) error = NULL;
  GVariant *value = dsq_store_get (store, key, NULL, &error);

  if (value == NULL)
    g_error ("%s: %s", key, error != NULL ? error->message : "missing");
  return value;
}

static void
read_values (DsqStore *store, const char *language)
{
  g_autoptr (GVariant) text = value_of (store, language, "string");
  g_autoptr (GVariant) bytes = value_of (store, language, "bytes");
  g_autoptr (GVariant) number = value_of (store, language, "int");
  g_autoptr (GVariant) real = value_of (store, language, "double");
  g_autoptr (GVariant) truth = value_of (store, language, "boolean");
  const guint8 *data = g_variant_get_data (bytes);

  printf ("%s %s, %d %d %d, %" G_GINT64_FORMAT ", %.1f, %s",
          language,
          g_variant_get_string (text, NULL),
          data[0],
          data[1],
          data[2],
          g_variant_get_int64 (number),
          g_variant_get_double (real),
          g_variant_get_boolean (truth) ? "true" : "false");
  /* Python's lists are pickles, which no other language reads */
  if (!g_str_equal (language, "python"))
    {
      g_autoptr (GVariant) list = value_of (store, language, "list");
      g_autofree const char **items = g_variant_get_strv (list, NULL);
      g_autofree char *joined = g_strjoinv (" ", (char **) items);

      printf (", %s", joined);
    }
  printf ("\n");
}

static void
write_values (DsqStore *store)
{
  static const char *const items[] = { "a", "b", NULL };
  GVariant *bytes = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, "\0\1\377", 3, 1);

  if (!dsq_store_set_string (store, "c string", "ключ", NULL, NULL) ||
      !dsq_store_set (store, "c bytes", bytes, NULL, NULL) ||
      !dsq_store_set (store, "c int", g_variant_new_int64 (-7), NULL, NULL) ||
      !dsq_store_set (store, "c double", g_variant_new_double (1.5), NULL, NULL) ||
      !dsq_store_set (store, "c boolean", g_variant_new_boolean (TRUE), NULL, NULL) ||
      !dsq_store_set (store, "c list", g_variant_new_strv (items, -1), NULL, NULL))
    g_error ("a value was not set");
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = dsq_store_open (argv[1], DSQ_PERSIST_WRITETHROUGH, NULL, &error);

  if (store == NULL)
    g_error ("%s", error->message);
  for (int i = 2; i < argc; i++)
    read_values (store, argv[i]);
  write_values (store);
  return 0;
}
