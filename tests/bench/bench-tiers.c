/* bench-tiers.c - what a read costs by the tier that answers it, beside bare SQLite
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "bench-bare.h"
#include "bench-items.h"
#include "bench-samples.h"
#include "bench-scenarios.h"

/*
 * The contestants take turns inside each round, in blocks. Each reads a file of its own, since
 * stores of one file in one process share their memory. All are copies of one that a store has
 * made; they fit in SQLite's caches, so that what is compared is the work and not the medium.
 */

#define N_ITEMS  20000
#define N_READS  10000
#define N_BLOCK  500
#define N_OPEN   1000 /* entries of a file that is opened */
#define N_OPENED 20   /* times */

enum
{
  FILE_BARE,
  FILE_OWN,
  FILE_KEPT,
  FILE_WARM,
  N_FILES
};

typedef struct
{
  DsqStore *kept;  /* (owned) its readers keep their transactions while nobody commits */
  DsqStore *own;   /* (owned) nothing runs in its background: each read has a transaction */
  DsqStore *warm;  /* (owned) the warm tier has everything that was read once */
  BenchBare *bare; /* (owned) */
  char *paths[N_FILES];
  BenchItem *items;  /* (owned) in random order */
  BenchItem *absent; /* (owned) */
} Tiers;

static void
bare_get (BenchBare *bare, const BenchItem *items, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      gsize length = 0;

      g_free (bench_bare_get (bare, &items[i], &length));
      if (length <= items[i].record_length)
        g_error ("bare SQLite: a row is missing");
    }
}

static void
shuffle (BenchItem *items, guint n, guint32 seed)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);

  for (guint i = n - 1; i > 0; i--)
    {
      guint j = (guint) g_rand_int_range (rand, 0, (gint32) i + 1);
      BenchItem item = items[i];

      items[i] = items[j];
      items[j] = item;
    }
}

/* Reads absent keys until the filter has been built. */
static void
have_filter_built (DsqStore *store, const BenchItem *absent)
{
  for (guint i = 0; i < 10000; i++)
    {
      g_autoptr (DsqStats) stats = NULL;

      bench_store_get_absent (store, absent, N_BLOCK);
      stats = dsq_store_get_stats (store);
      if (stats->filter_answers > 0)
        return;
    }
  g_error ("the filter was not built");
}

static void
copy_file (const char *from, const char *to)
{
  g_autofree char *bytes = NULL;
  g_autoptr (GError) error = NULL;
  gsize length;

  if (!g_file_get_contents (from, &bytes, &length, &error) ||
      !g_file_set_contents (to, bytes, (gssize) length, &error))
    g_error ("%s", error->message);
}

static void
tiers_open (Tiers *self, const char *directory, guint round)
{
  static const char *const names[] = { "tiers-bare", "tiers-own", "tiers-kept", "tiers-warm" };
  DsqStore *store;

  for (guint i = 0; i < N_FILES; i++)
    self->paths[i] = bench_path (directory, names[i], round);
  store = bench_store_open (self->paths[0], DSQ_PERSIST_LAZY, 1000000);
  self->items = bench_items_new (N_ITEMS);
  self->absent = bench_items_new_absent (N_ITEMS);
  bench_store_set (store, self->items, N_ITEMS);
  bench_store_close (store);
  for (guint i = 1; i < N_FILES; i++)
    copy_file (self->paths[0], self->paths[i]);
  self->kept = bench_store_open_with (self->paths[FILE_KEPT], 1, 0, TRUE);
  self->own = bench_store_open_with (self->paths[FILE_OWN], 1, 0, FALSE);
  self->warm = bench_store_open_with (self->paths[FILE_WARM], 1, 64 << 20, TRUE);
  self->bare = bench_bare_open (self->paths[FILE_BARE]);

  /* fills the caches of SQLite, the warm tier and the filter */
  shuffle (self->items, N_ITEMS, round);
  bare_get (self->bare, self->items, N_ITEMS);
  bench_store_get (self->kept, self->items, N_ITEMS);
  bench_store_get (self->own, self->items, N_ITEMS);
  bench_store_get (self->warm, self->items, N_ITEMS);
  have_filter_built (self->kept, self->absent);
}

static void
tiers_close (Tiers *self)
{
  bench_store_close (self->kept);
  bench_store_close (self->own);
  bench_store_close (self->warm);
  bench_bare_close (self->bare);
  bench_items_free (self->items, N_ITEMS);
  bench_items_free (self->absent, N_ITEMS);
  for (guint i = 0; i < N_FILES; i++)
    bench_path_remove (self->paths[i]);
}

typedef enum
{
  BARE,
  BARE_HELD,
  OWN,
  KEPT,
  WARM,
  ABSENT,
  N_CONTESTANTS
} Contestant;

static const struct
{
  const char *op;
  const char *name;
} contestants[N_CONTESTANTS] = {
  [BARE] = { "cold get", "bare SQLite" },
  [BARE_HELD] = { "cold get", "bare SQLite, one transaction" },
  [OWN] = { "cold get", "store, no thread" },
  [KEPT] = { "cold get", "store lazy" },
  [WARM] = { "warm get", "store lazy" },
  [ABSENT] = { "absent get", "store lazy" },
};

static void
run_block (Tiers *self, Contestant which, guint at)
{
  switch (which)
    {
    case BARE:
      bare_get (self->bare, self->items + at, N_BLOCK);
      break;
    case BARE_HELD:
      bench_bare_begin_reading (self->bare);
      bare_get (self->bare, self->items + at, N_BLOCK);
      bench_bare_end_reading (self->bare);
      break;
    case OWN:
      bench_store_get (self->own, self->items + at, N_BLOCK);
      break;
    case KEPT:
      bench_store_get (self->kept, self->items + at, N_BLOCK);
      break;
    case WARM:
      bench_store_get (self->warm, self->items + at, N_BLOCK);
      break;
    case ABSENT:
    default:
      bench_store_get_absent (self->kept, self->absent + at, N_BLOCK);
    }
}

void
bench_run_tiers (const char *directory, guint round)
{
  gint64 times[N_CONTESTANTS] = { 0 };
  Tiers tiers;

  tiers_open (&tiers, directory, round);
  for (guint at = 0; at < N_READS; at += N_BLOCK)
    for (guint i = 0; i < N_CONTESTANTS; i++)
      {
        guint which = (i + at / N_BLOCK) % N_CONTESTANTS;
        gint64 start = bench_now ();

        run_block (&tiers, which, at);
        times[which] += bench_now () - start;
      }
  for (guint i = 0; i < N_CONTESTANTS; i++)
    bench_sample (contestants[i].op, contestants[i].name, N_READS, times[i]);
  tiers_close (&tiers);
}

void
bench_run_open (const char *directory, guint round)
{
  char *path = bench_path (directory, "open", round);
  BenchItem *items = bench_items_new (N_OPEN);
  DsqStore *store = bench_store_open (path, DSQ_PERSIST_LAZY, N_OPEN);

  bench_store_set (store, items, N_OPEN);
  bench_store_close (store);
  for (guint i = 0; i < N_OPENED; i++)
    {
      BenchBare *bare;

      BENCH_TIME ("open and first read",
                  "store lazy",
                  1,
                  store = bench_store_open (path, DSQ_PERSIST_LAZY, N_OPEN);
                  bench_store_get (store, items + i, 1));
      bench_store_close (store);
      BENCH_TIME ("open and first read", "bare SQLite", 1, bare = bench_bare_open (path);
                  bare_get (bare, items + i, 1));
      bench_bare_close (bare);
    }
  bench_items_free (items, N_OPEN);
  bench_path_remove (path);
}
