/* bench-memory.c - how much memory a store takes, by what the system says of the process
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <dictsqlite.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 *   bench-memory load MODE N FILE     N entries of 100 bytes: peak while loading, reading at
 * random, walking; and what is left after a clear bench-memory hot|warm N FILE      bytes an entry
 * in that tier beside its key and its record
 *
 * Each figure needs a process of its own, which has touched no other memory before. The JSON that
 * comes out is for bench.py.
 */

#define RECORD_LENGTH 101
#define HOT_CAPACITY  100000
#define N_READS       200000

static void
insist (const GError *error)
{
  if (error != NULL)
    g_error ("store: %s", error->message);
}

/* A field of /proc/self/status, in bytes. */
static gint64
memory (const char *field)
{
  g_autofree char *status = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/self/status", &status, NULL, NULL) ||
      (line = strstr (status, field)) == NULL)
    g_error ("no %s in /proc/self/status", field);
  return g_ascii_strtoll (line + strlen (field), NULL, 10) * 1024;
}

static DsqStore *
open_store (const char *path, DsqPersistMode mode, guint64 hot, guint64 warm, guint64 cache)
{
  GError *error = NULL;
  DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                    NULL,
                                    &error,
                                    "path",
                                    path,
                                    "persist-mode",
                                    mode,
                                    "hot-capacity",
                                    hot,
                                    "warm-capacity",
                                    warm,
                                    "cache-size",
                                    cache,
                                    NULL);

  insist (error);
  return store;
}

static guint
make_key (char *key, guint i)
{
  return (guint) g_snprintf (key, 32, "key_%u", i);
}

static void
load (DsqStore *store, guint n)
{
  guint8 record[RECORD_LENGTH] = { DSQ_VALUE_BYTES };
  GError *error = NULL;
  char key[32];

  for (guint i = 0; i < n; i++)
    {
      guint length = make_key (key, i);

      memcpy (record + 1, key, length);
      dsq_store_set_record (store, (const guint8 *) key, length, record, RECORD_LENGTH, &error);
      insist (error);
    }
}

static void
get (DsqStore *store, guint i)
{
  GError *error = NULL;
  gsize record_length;
  char key[32];
  guint length = make_key (key, i);

  g_free (dsq_store_get_record (store, (const guint8 *) key, length, &record_length, &error));
  insist (error);
  if (record_length != RECORD_LENGTH)
    g_error ("store: %s is missing", key);
}

static void
walk (DsqStore *store, guint n)
{
  GError *error = NULL;
  g_autoptr (DsqScan) scan = dsq_store_walk_pack (store, FALSE, &error);
  guint32 n_items = 1;
  guint n_walked = 0;

  insist (error);
  while (n_items > 0)
    {
      gsize length;
      g_autofree guint8 *pack = dsq_scan_next_pack (scan, 1000, FALSE, &length, NULL, &error);

      insist (error);
      n_items = 0;
      if (length > 0)
        memcpy (&n_items, pack, sizeof n_items);
      n_walked += n_items / 2;
    }
  if (n_walked != n)
    g_error ("store: a walk gave %u of %u entries", n_walked, n);
}

static void
clear (DsqStore *store)
{
  GError *error = NULL;

  dsq_store_clear (store, NULL, &error);
  insist (error);
}

static void
close_store (DsqStore *store)
{
  GError *error = NULL;

  dsq_store_close (store, NULL, &error);
  insist (error);
  g_object_unref (store);
}

/* --- peaks ------------------------------------------------------------------------------------ */

static void
run_load (DsqPersistMode mode, guint n, const char *path)
{
  gint64 before = memory ("VmRSS:");
  DsqStore *store = open_store (path, mode, HOT_CAPACITY, 64 << 20, 8 << 20);
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  gint64 loaded, read, walked, cleared;

  load (store, n);
  loaded = memory ("VmHWM:") - before;
  for (guint i = 0; i < N_READS; i++)
    get (store, (guint) g_rand_int_range (rand, 0, (gint32) n));
  read = memory ("VmHWM:") - before;
  walk (store, n);
  walked = memory ("VmHWM:") - before;
  clear (store);
  cleared = memory ("VmRSS:") - before;
  close_store (store);
  g_print ("{\"loading\":%" G_GINT64_FORMAT ",\"reading\":%" G_GINT64_FORMAT
           ",\"walking\":%" G_GINT64_FORMAT ",\"cleared\":%" G_GINT64_FORMAT
           ",\"closed\":%" G_GINT64_FORMAT "}\n",
           loaded,
           read,
           walked,
           cleared,
           memory ("VmRSS:") - before);
}

/* --- bytes an entry --------------------------------------------------------------------------- */

/* All entries are read once: with room for all they are in the hot tier then, with room for one in
 * the warm one. What malloc keeps for later is given back first. */
static void
run_tier (gboolean is_hot, guint n, const char *path)
{
  DsqStore *store = open_store (path, DSQ_PERSIST_LAZY, 1, 0, 1 << 20);
  gint64 n_payload = 0, before;
  DsqStats *stats;
  char key[32];

  load (store, n);
  close_store (store);
  store = open_store (path,
                      DSQ_PERSIST_LAZY,
                      is_hot ? n : 1,
                      is_hot ? 0 : G_GUINT64_CONSTANT (4) << 30,
                      65536);
  get (store, 0);
  malloc_trim (0);
  before = memory ("VmRSS:");
  for (guint i = 0; i < n; i++)
    {
      n_payload += make_key (key, i) + RECORD_LENGTH;
      get (store, i);
    }
  malloc_trim (0);
  stats = dsq_store_get_stats (store);
  g_print ("{\"entries\":%" G_GUINT64_FORMAT ",\"overhead\":%.1f}\n",
           is_hot ? stats->hot_entries : stats->warm_entries,
           (double) (memory ("VmRSS:") - before - n_payload) / n);
  dsq_stats_free (stats);
  close_store (store);
}

int
main (int argc, char **argv)
{
  if (argc == 5 && g_str_equal (argv[1], "load"))
    run_load (g_str_equal (argv[2], "memory") ? DSQ_PERSIST_MEMORY : DSQ_PERSIST_LAZY,
              (guint) atoi (argv[3]),
              argv[4]);
  else if (argc == 4 && (g_str_equal (argv[1], "hot") || g_str_equal (argv[1], "warm")))
    run_tier (g_str_equal (argv[1], "hot"), (guint) atoi (argv[2]), argv[3]);
  else
    return 2;
  return 0;
}
