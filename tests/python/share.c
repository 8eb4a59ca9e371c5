/* share.c - writes one value of each type, and reads those that other languages wrote
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* share FILE LANGUAGE..., with the password in SHARE_PASSWORD if there is one */

#include <dictsqlite.h>
#include <math.h>
#include <stdio.h>

static const char *const kinds[] = { "string", "empty",    "bytes",   "int",     "most", "least",
                                     "double", "infinity", "boolean", "nothing", "list", NULL };

static void
read_values (DsqStore *store, const char *language)
{
  for (const char *const *kind = kinds; *kind != NULL; kind++)
    {
      g_autofree char *key = g_strdup_printf ("%s %s", language, *kind);
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = dsq_store_get (store, key, NULL, &error);
      g_autofree char *shown = value != NULL ? g_variant_print (value, FALSE) : NULL;

      printf ("%s: %s\n", key, value != NULL ? shown : error != NULL ? error->message : "missing");
    }
}

static void
write_value (DsqStore *store, const char *kind, GVariant *value)
{
  g_autofree char *key = g_strdup_printf ("c %s", kind);
  g_autoptr (GError) error = NULL;

  if (!dsq_store_set (store, key, value, NULL, &error))
    g_error ("%s: %s", key, error->message);
}

static void
write_values (DsqStore *store)
{
  static const char *const items[] = { "a", "b", NULL };

  write_value (store, "string", g_variant_new_string ("ключ"));
  write_value (store, "empty", g_variant_new_string (""));
  write_value (store, "bytes", g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, "\0\1\377", 3, 1));
  write_value (store, "int", g_variant_new_int64 (-7));
  write_value (store, "most", g_variant_new_int64 (G_MAXINT64));
  write_value (store, "least", g_variant_new_int64 (G_MININT64));
  write_value (store, "double", g_variant_new_double (1.5));
  write_value (store, "infinity", g_variant_new_double (INFINITY));
  write_value (store, "boolean", g_variant_new_boolean (TRUE));
  write_value (store, "nothing", g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL));
  write_value (store, "list", g_variant_new_strv (items, -1));
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = g_initable_new (DSQ_TYPE_STORE,
                                               NULL,
                                               &error,
                                               "path",
                                               argv[1],
                                               "password",
                                               g_getenv ("SHARE_PASSWORD"),
                                               NULL);

  if (store == NULL)
    g_error ("%s", error->message);
  for (int i = 2; i < argc; i++)
    read_values (store, argv[i]);
  write_values (store);
  if (!dsq_store_close (store, NULL, &error))
    g_error ("%s", error->message);
  return 0;
}
