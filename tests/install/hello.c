/* hello.c - a program on the installed library
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dictsqlite.h>

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = dsq_store_open (argv[1], DSQ_PERSIST_LAZY, NULL, &error);
  g_autofree char *value = NULL;

  if (store == NULL || !dsq_store_set_string (store, "c", "from C", NULL, &error) ||
      !dsq_store_set (store, "number", g_variant_new_int64 (42), NULL, &error) ||
      !dsq_store_close (store, NULL, &error))
    g_error ("%s", error->message);

  g_clear_object (&store);
  store = dsq_store_open (argv[1], DSQ_PERSIST_LAZY, NULL, &error);
  if (store == NULL || (value = dsq_store_get_string (store, "c", NULL, &error)) == NULL)
    g_error ("%s", error->message);
  g_print ("%s, %d.%d.%d\n", value, DSQ_MAJOR_VERSION, DSQ_MINOR_VERSION, DSQ_MICRO_VERSION);
  return 0;
}
