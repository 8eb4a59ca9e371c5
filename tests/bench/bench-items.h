/* bench-items.h - what the loops of the bench set and get
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>

G_BEGIN_DECLS

/* A key and the record of its value. */
typedef struct
{
  char *key; /* (owned) */
  gsize key_length;
  guint8 *record; /* (owned) */
  gsize record_length;
} BenchItem;

/* @n of 'key_i' with the string 'value_i', and with 'other_i' instead: an overwrite must change the
 * row, since SQLite leaves a page that would not change. */
BenchItem *bench_items_new (guint n);
BenchItem *bench_items_new_other (guint n);
/* Keys that none of the others has. */
BenchItem *bench_items_new_absent (guint n);
void bench_items_free (BenchItem *items, guint n);

/* Each of the rest ends the program with the message of what failed. */

DsqStore *bench_store_open (const char *path, DsqPersistMode mode, guint hot_capacity);
#define BENCH_PASSWORD "password"
DsqStore *bench_store_open_encrypted (const char *path, DsqPersistMode mode, guint hot_capacity);
/* In lazy mode; @warm_capacity in bytes. */
DsqStore *bench_store_open_with (const char *path,
                                 guint hot_capacity,
                                 guint64 warm_capacity,
                                 gboolean background);
void bench_store_close (DsqStore *store);
void bench_store_flush (DsqStore *store);
void bench_store_set (DsqStore *store, const BenchItem *items, guint n);
void bench_store_get (DsqStore *store, const BenchItem *items, guint n);
void bench_store_get_absent (DsqStore *store, const BenchItem *items, guint n);
void bench_store_remove (DsqStore *store, const BenchItem *items, guint n);

/* A path in @directory, and the removal of the database there with its log. */
char *bench_path (const char *directory, const char *name, guint round);
void bench_path_remove (char *path);

G_END_DECLS
