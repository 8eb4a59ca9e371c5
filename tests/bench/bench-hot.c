/* bench-hot.c - everything in memory, beside GLib's own hash table
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "bench-items.h"
#include "bench-samples.h"
#include "bench-scenarios.h"

#define N_HOT  10000
#define N_MANY 1000000

/* What get_record does at the least: no lock, no order, no eviction. */
static void
hash_table_get (GHashTable *table, const BenchItem *items, guint n)
{
  for (guint i = 0; i < n; i++)
    g_free (g_memdup2 (g_hash_table_lookup (table, items[i].key), items[i].record_length));
}

static void
hash_table_set (GHashTable *table, const BenchItem *items, guint n)
{
  for (guint i = 0; i < n; i++)
    g_hash_table_replace (table,
                          g_memdup2 (items[i].key, items[i].key_length + 1),
                          g_memdup2 (items[i].record, items[i].record_length));
}

static void
hash_table_remove (GHashTable *table, const BenchItem *items, guint n)
{
  for (guint i = 0; i < n; i++)
    g_hash_table_remove (table, items[i].key);
}

void
bench_run_hot (const char *directory, guint round)
{
  BenchItem *items = bench_items_new (N_HOT);
  BenchItem *others = bench_items_new_other (N_HOT);
  BenchItem *const sets[] = { items, others };
  char *memory_path = bench_path (directory, "memory", round);
  char *lazy_path = bench_path (directory, "lazy", round);
  DsqStore *memory = bench_store_open (memory_path, DSQ_PERSIST_MEMORY, 1000000);
  DsqStore *lazy = bench_store_open (lazy_path, DSQ_PERSIST_LAZY, 1000000);
  g_autoptr (GHashTable) table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  static const char *const set_ops[] = { "hot set", "hot overwrite" };

  for (guint i = 0; i < G_N_ELEMENTS (set_ops); i++)
    {
      BENCH_TIME (set_ops[i], "GHashTable", N_HOT, hash_table_set (table, sets[i], N_HOT));
      BENCH_TIME (set_ops[i], "store memory", N_HOT, bench_store_set (memory, sets[i], N_HOT));
      BENCH_TIME (set_ops[i], "store lazy", N_HOT, bench_store_set (lazy, sets[i], N_HOT));
    }
  BENCH_TIME ("hot get", "GHashTable", N_HOT, hash_table_get (table, items, N_HOT));
  BENCH_TIME ("hot get", "store memory", N_HOT, bench_store_get (memory, items, N_HOT));
  BENCH_TIME ("hot get", "store lazy", N_HOT, bench_store_get (lazy, items, N_HOT));
  BENCH_TIME ("hot remove", "GHashTable", N_HOT, hash_table_remove (table, items, N_HOT));
  BENCH_TIME ("hot remove", "store memory", N_HOT, bench_store_remove (memory, items, N_HOT));
  BENCH_TIME ("hot remove", "store lazy", N_HOT, bench_store_remove (lazy, items, N_HOT));

  bench_store_close (memory);
  bench_store_close (lazy);
  bench_path_remove (memory_path);
  bench_path_remove (lazy_path);
  bench_items_free (items, N_HOT);
  bench_items_free (others, N_HOT);
}

/* --- many entries, and threads ---------------------------------------------------------------- */

typedef void (*StoreLoop) (DsqStore *store, const BenchItem *items, guint n);

typedef struct
{
  StoreLoop loop;
  DsqStore *store;        /* (unowned) */
  const BenchItem *items; /* (unowned) half of them */
} Half;

static gpointer
half_thread (gpointer data)
{
  const Half *self = data;

  self->loop (self->store, self->items, N_MANY / 2);
  return NULL;
}

static void
run_in_two_threads (StoreLoop loop, DsqStore *store, const BenchItem *items)
{
  Half halves[] = { { loop, store, items }, { loop, store, items + N_MANY / 2 } };
  GThread *other = g_thread_new ("half", half_thread, &halves[1]);

  half_thread (&halves[0]);
  g_thread_join (other);
}

void
bench_run_many (const char *directory, guint round)
{
  static const char *const ops[] = { "set of 1,000,000", "get of 1,000,000" };
  const StoreLoop loops[] = { bench_store_set, bench_store_get };
  BenchItem *items = bench_items_new (N_MANY);
  char *paths[] = {
    bench_path (directory, "one-thread", round),
    bench_path (directory, "two-threads", round),
  };
  DsqStore *one = bench_store_open (paths[0], DSQ_PERSIST_MEMORY, N_MANY);
  DsqStore *two = bench_store_open (paths[1], DSQ_PERSIST_MEMORY, N_MANY);
  g_autoptr (GHashTable) table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  BENCH_TIME (ops[0], "GHashTable", N_MANY, hash_table_set (table, items, N_MANY));
  BENCH_TIME (ops[1], "GHashTable", N_MANY, hash_table_get (table, items, N_MANY));
  for (guint i = 0; i < G_N_ELEMENTS (ops); i++)
    {
      BENCH_TIME (ops[i], "store memory", N_MANY, loops[i](one, items, N_MANY));
      BENCH_TIME (ops[i],
                  "store memory, two threads",
                  N_MANY,
                  run_in_two_threads (loops[i], two, items));
    }

  bench_store_close (one);
  bench_store_close (two);
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    bench_path_remove (paths[i]);
  bench_items_free (items, N_MANY);
}
