/* bench-list.c - a list of a million keys: its first page, its last, and all between
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench-items.h"
#include "bench-samples.h"

/*
 * A view's part is played by who asks for a page of items and holds it until they have loaded. The
 * file has been closed in between, so that nothing is in memory. A turn is one iteration of the
 * main loop, by the thread's own time: waiting for it is nobody's delay.
 */

#define N_PAGE 50

static gint64 longest_turn; /* nanoseconds */

static gint64
thread_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return (gint64) now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
turn (void)
{
  gint64 start = thread_now ();

  g_main_context_iteration (NULL, TRUE);
  longest_turn = MAX (longest_turn, thread_now () - start);
}

/* Resident memory, MB. */
static double
read_memory (void)
{
  g_autofree char *text = NULL;
  const char *line;

  g_file_get_contents ("/proc/self/status", &text, NULL, NULL);
  line = text != NULL ? strstr (text, "VmRSS:") : NULL;
  return line != NULL ? g_ascii_strtod (line + 6, NULL) / 1024 : 0;
}

static gboolean
is_loading (gpointer object)
{
  gboolean loading;

  g_object_get (object, "loading", &loading, NULL);
  return loading;
}

static void
look_at_page (GListModel *list, guint position)
{
  guint n = MIN (N_PAGE, g_list_model_get_n_items (list) - position);
  gpointer items[N_PAGE];

  for (guint i = 0; i < n; i++)
    items[i] = g_list_model_get_item (list, position + i);
  for (guint i = 0; i < n; i++)
    {
      while (is_loading (items[i]))
        turn ();
      g_object_unref (items[i]);
    }
}

static double
since (gint64 start)
{
  return (double) (bench_now () - start) / 1e6;
}

static void
measure (const char *path, guint n_keys, const char *prefix, gboolean by_key)
{
  DsqStore *store = bench_store_open_with (path, 10000, 0, TRUE);
  double memory = read_memory ();
  gint64 start = bench_now ();
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqKeyModel) model = dsq_key_model_new (store, prefix, by_key, &error);
  GListModel *list = G_LIST_MODEL (model);
  double first, last, all;

  if (model == NULL)
    g_error ("list: %s", error->message);
  longest_turn = 0;
  while (g_list_model_get_n_items (list) == 0)
    turn ();
  look_at_page (list, 0);
  first = since (start);

  start = bench_now ();
  while (g_list_model_get_n_items (list) < n_keys)
    turn ();
  look_at_page (list, n_keys - N_PAGE);
  last = since (start);

  start = bench_now ();
  for (guint position = 0; position < n_keys; position += N_PAGE)
    look_at_page (list, position);
  all = since (start);
  g_print ("| %s%s | %.1f | %.0f | %.1f | %.1f | %.0f |\n",
           by_key ? "by key" : "in the store's order",
           prefix != NULL ? ", with a prefix that all have" : "",
           first,
           last,
           all / 1e3,
           (double) longest_turn / 1e6,
           read_memory () - memory);
  g_object_run_dispose (G_OBJECT (model));
  bench_store_close (store);
}

int
main (int argc, char **argv)
{
  const guint n_keys = argc > 1 ? (guint) atoi (argv[1]) : 1000000;
  g_autoptr (GError) error = NULL;
  g_autofree char *directory = g_dir_make_tmp ("dsq-bench-XXXXXX", &error);
  BenchItem *items;
  DsqStore *store;
  char *path;

  if (directory == NULL || n_keys < N_PAGE)
    {
      g_printerr ("%s\n", error != NULL ? error->message : "Usage: bench-list [KEYS]");
      return 2;
    }
  path = bench_path (directory, "list", 0);
  items = bench_items_new (n_keys);
  store = bench_store_open_with (path, 10000, 0, TRUE);
  bench_store_set (store, items, n_keys);
  bench_store_close (store);
  bench_items_free (items, n_keys);

  g_print (
      "| %u keys | first page, ms | last page, ms | through to the end, s | longest turn, ms | "
      "memory, MB |\n|---|---|---|---|---|---|\n",
      n_keys);
  measure (path, n_keys, NULL, FALSE);
  measure (path, n_keys, NULL, TRUE);
  measure (path, n_keys, "key_", FALSE);
  bench_path_remove (path);
  g_rmdir (directory);
  return 0;
}
