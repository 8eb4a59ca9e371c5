/* words.c - counts the words of standard input, and those of all runs before
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gcc words.c -o words $(pkg-config --cflags --libs dictsqlite-1) */

#include <dictsqlite.h>
#include <stdio.h>

static gboolean
count_words (DsqStore *store, FILE *input, GError **error)
{
  char word[64];

  while (fscanf (input, "%63s", word) == 1)
    {
      gint64 count;

      if (!dsq_store_increment (store, word, 1, 0, &count, NULL, error))
        return FALSE;
      g_print ("%s: %" G_GINT64_FORMAT "\n", word, count);
    }
  return TRUE;
}

int
main (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = dsq_store_open ("words.db", DSQ_PERSIST_LAZY, NULL, &error);

  if (store == NULL || !count_words (store, stdin, &error) ||
      !dsq_store_close (store, NULL, &error))
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  return 0;
}
