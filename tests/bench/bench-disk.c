/* bench-disk.c - writethrough and flush, beside bare SQLite
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "bench-bare.h"
#include "bench-items.h"
#include "bench-samples.h"
#include "bench-scenarios.h"

/*
 * The two contestants take turns inside each round, in blocks short enough that both meet the same
 * weather, and who begins alternates.
 */

#define N_WRITES 10000
#define N_FLUSH  100000
#define N_BLOCK  500

/* --- writethrough: a transaction an entry ----------------------------------------------------- */

static gint64
bare_set_block (BenchBare *bare, const BenchItem *items)
{
  gint64 start = bench_now ();

  for (guint i = 0; i < N_BLOCK; i++)
    bench_bare_set (bare, &items[i]);
  return bench_now () - start;
}

static gint64
store_set_block (DsqStore *store, const BenchItem *items)
{
  gint64 start = bench_now ();

  bench_store_set (store, items, N_BLOCK);
  return bench_now () - start;
}

static void
write_in_turns (const char *op, BenchBare *bare, DsqStore *store, const BenchItem *items)
{
  gint64 bare_time = 0;
  gint64 store_time = 0;

  for (guint at = 0; at < N_WRITES; at += N_BLOCK)
    {
      gboolean store_first = (at / N_BLOCK) & 1;

      if (store_first)
        store_time += store_set_block (store, items + at);
      bare_time += bare_set_block (bare, items + at);
      if (!store_first)
        store_time += store_set_block (store, items + at);
    }
  bench_sample (op, "bare SQLite", N_WRITES, bare_time);
  bench_sample (op, "store writethrough", N_WRITES, store_time);
}

void
bench_run_writethrough (const char *directory, guint round)
{
  BenchItem *items = bench_items_new (N_WRITES);
  BenchItem *others = bench_items_new_other (N_WRITES);
  char *bare_path = bench_path (directory, "bare-writes", round);
  char *store_path = bench_path (directory, "store-writes", round);
  BenchBare *bare = bench_bare_create (bare_path);
  DsqStore *store = bench_store_open (store_path, DSQ_PERSIST_WRITETHROUGH, 1000000);

  write_in_turns ("writethrough insert", bare, store, items);
  write_in_turns ("writethrough overwrite", bare, store, others);

  bench_store_close (store);
  bench_bare_close (bare);
  bench_path_remove (bare_path);
  bench_path_remove (store_path);
  bench_items_free (items, N_WRITES);
  bench_items_free (others, N_WRITES);
}

/* --- one write, to see what it enters --------------------------------------------------------- */

void
bench_run_one_write (const char *directory, guint round)
{
  BenchItem *items = bench_items_new (2);
  char *path = bench_path (directory, "one-write", round);
  DsqStore *store = bench_store_open (path, DSQ_PERSIST_WRITETHROUGH, 1000);

  /* what only the first write does is over then */
  g_assert_true (dsq_store_set_string (store, items[0].key, "", NULL, NULL));
  bench_store_set (store, &items[1], 1);
  bench_store_close (store);
  bench_path_remove (path);
  bench_items_free (items, 2);
}

/* --- flush: many rows in one transaction, synced ---------------------------------------------- */

static void
flush_bare (gpointer bare, const BenchItem *items, guint turn)
{
  if (turn == 0)
    bench_bare_insert_all (bare, items, N_FLUSH);
  else
    bench_bare_upsert_all (bare, items, N_FLUSH);
}

static void
flush_store (gpointer store, const BenchItem *items, guint turn)
{
  bench_store_flush (store);
}

void
bench_run_flush (const char *directory, guint round)
{
  BenchItem *items = bench_items_new (N_FLUSH);
  BenchItem *others = bench_items_new_other (N_FLUSH);
  BenchItem *const sets[] = { items, others };
  static const char *const ops[] = { "flush of new rows", "flush of overwritten rows" };
  char *paths[] = {
    bench_path (directory, "bare-flush", round),
    bench_path (directory, "store-flush", round),
    bench_path (directory, "sealed-flush", round),
  };
  BenchBare *bare = bench_bare_create (paths[0]);
  DsqStore *store = bench_store_open (paths[1], DSQ_PERSIST_LAZY, 1000000);
  DsqStore *sealed = bench_store_open_encrypted (paths[2], DSQ_PERSIST_LAZY, 1000000);
  const struct
  {
    const char *name;
    gpointer contestant;
    void (*flush) (gpointer contestant, const BenchItem *items, guint turn);
  } all[] = {
    { "bare SQLite", bare, flush_bare },
    { "store lazy", store, flush_store },
    { "store lazy, encrypted", sealed, flush_store },
  };

  for (guint i = 0; i < G_N_ELEMENTS (ops); i++)
    {
      bench_store_set (store, sets[i], N_FLUSH);
      bench_store_set (sealed, sets[i], N_FLUSH);
      for (guint j = 0; j < G_N_ELEMENTS (all); j++)
        {
          guint k = (round + i + j) % G_N_ELEMENTS (all);

          BENCH_TIME (ops[i], all[k].name, N_FLUSH, all[k].flush (all[k].contestant, sets[i], i));
        }
    }

  bench_store_close (store);
  bench_store_close (sealed);
  bench_bare_close (bare);
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    bench_path_remove (paths[i]);
  bench_items_free (items, N_FLUSH);
  bench_items_free (others, N_FLUSH);
}
