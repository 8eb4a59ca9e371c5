/* bench-facts.c - what a commit of one key pays to tell other processes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <glib/gstdio.h>
#include <time.h>

#include "bench-items.h"
#include "bench-samples.h"
#include "bench-scenarios.h"

/*
 * The same overwrites in stores that differ in nothing else: of two a folder has the ring's name,
 * and of two another engine is open. They take turns in short blocks, and the samples are the
 * thread's own time: what facts cost is the difference of two medians.
 */

#define N_KEYS  500
#define N_TURNS 40

typedef struct
{
  const char *names[2]; /* static: plain, encrypted */
  gboolean has_folder;
  gboolean has_other;
} Kind;

static const Kind kinds[] = {
  { { "alone, without facts", "alone, without facts, encrypted" }, TRUE, FALSE },
  { { "alone", "alone, encrypted" }, FALSE, FALSE },
  { { "in company, without facts", "in company, without facts, encrypted" }, TRUE, TRUE },
  { { "in company", "in company, encrypted" }, FALSE, TRUE },
};

static gint64
thread_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return (gint64) now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The one that is told, and asks for nothing. */
static DsqStore *
open_other (const char *path, gboolean is_encrypted)
{
  GError *error = NULL;
  GObject *store = g_initable_new (DSQ_TYPE_STORE,
                                   NULL,
                                   &error,
                                   "path",
                                   path,
                                   "separate",
                                   TRUE,
                                   "password",
                                   is_encrypted ? BENCH_PASSWORD : NULL,
                                   NULL);

  if (error != NULL)
    g_error ("store: %s", error->message);
  return DSQ_STORE (store);
}

static void
run_all (const char *directory, guint round, gboolean is_encrypted)
{
  BenchItem *sets[] = { bench_items_new (N_KEYS), bench_items_new_other (N_KEYS) };
  char *paths[G_N_ELEMENTS (kinds)];
  DsqStore *stores[G_N_ELEMENTS (kinds)];
  DsqStore *others[G_N_ELEMENTS (kinds)] = { NULL };

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *ring = NULL;

      paths[i] = bench_path (directory, kinds[i].names[is_encrypted], round);
      ring = g_strconcat (paths[i], "-facts", NULL);
      if (kinds[i].has_folder && g_mkdir (ring, 0700) != 0)
        g_error ("Failed to make %s", ring);
      stores[i] = (is_encrypted ? bench_store_open_encrypted
                                : bench_store_open) (paths[i], DSQ_PERSIST_WRITETHROUGH, 1000000);
      bench_store_set (stores[i], sets[0], N_KEYS);
      if (kinds[i].has_other)
        others[i] = open_other (paths[i], is_encrypted);
    }

  for (guint turn = 1; turn <= N_TURNS; turn++)
    for (guint j = 0; j < G_N_ELEMENTS (kinds); j++)
      {
        guint i = (j + turn) % G_N_ELEMENTS (kinds);
        gint64 start = thread_now ();

        bench_store_set (stores[i], sets[turn % 2], N_KEYS);
        bench_sample ("commit of one key",
                      kinds[i].names[is_encrypted],
                      N_KEYS,
                      thread_now () - start);
      }

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *ring = g_strconcat (paths[i], "-facts", NULL);

      if (others[i] != NULL)
        bench_store_close (others[i]);
      bench_store_close (stores[i]);
      if (kinds[i].has_folder)
        g_rmdir (ring);
      bench_path_remove (paths[i]);
    }
  bench_items_free (sets[0], N_KEYS);
  bench_items_free (sets[1], N_KEYS);
}

void
bench_run_facts (const char *directory, guint round)
{
  run_all (directory, round, FALSE);
  run_all (directory, round, TRUE);
}
