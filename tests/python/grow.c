/* grow.c - calls everything that a caller frees the answer of again and again, and tells what is
 * left SPDX-License-Identifier: LGPL-2.1-or-later */

/* grow FILE ROUNDS: prints by how many KiB the process grew in the second half of the rounds */

#include <dictsqlite.h>
#include <stdio.h>
#include <unistd.h>

static long
get_resident (void)
{
  g_autofree char *text = NULL;

  if (!g_file_get_contents ("/proc/self/statm", &text, NULL, NULL))
    g_error ("there is no /proc");
  return strtol (strchr (text, ' '), NULL, 10) * sysconf (_SC_PAGESIZE) / 1024;
}

static void
call_all (DsqStore *store, int i)
{
  static const char *const none[] = { "none", NULL };
  g_autofree char *key = g_strdup_printf ("key %d", i % 100);
  const char *const keys[] = { key, "none", NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) wrong_type = NULL;
  g_autoptr (DsqCursor) cursor = NULL;

  g_assert_true (dsq_store_set_string (store, key, "a value", NULL, &error));
  g_free (dsq_store_get_string (store, key, NULL, &error));
  g_assert_true (dsq_store_set (store, key, g_variant_new_int64 (i), NULL, &error));
  g_variant_unref (dsq_store_get (store, key, NULL, &error));
  g_assert_null (dsq_store_get_string (store, key, NULL, &wrong_type));
  g_assert_error (wrong_type, DSQ_ERROR, DSQ_ERROR_WRONG_TYPE);
  g_assert_null (dsq_store_get (store, "none", NULL, &error));
  g_assert_true (dsq_store_contains (store, key, NULL, &error) == DSQ_ANSWER_YES);
  g_variant_unref (dsq_store_get_many (store, keys, NULL, &error));
  g_assert_cmpint (dsq_store_remove (store, none[0], NULL, &error), ==, DSQ_ANSWER_NO);
  cursor = dsq_store_walk (store, DSQ_WALK_FORWARD);
  g_variant_unref (dsq_cursor_next_many (cursor, 10, NULL, &error));
  g_strfreev (dsq_store_list_keys (store, "key 1", NULL, 10, NULL, &error));
  dsq_stats_free (dsq_store_get_stats (store));
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = dsq_store_open (argv[1], DSQ_PERSIST_LAZY, NULL, &error);
  const int n_rounds = atoi (argv[2]);
  long before = 0;

  g_assert_no_error (error);
  for (int i = 0; i < n_rounds; i++)
    {
      if (i == n_rounds / 2)
        before = get_resident ();
      call_all (store, i);
    }
  printf ("%ld\n", get_resident () - before);
  g_assert_true (dsq_store_close (store, NULL, &error));
  return 0;
}
