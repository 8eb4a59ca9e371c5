/* bench-bare.h - prepared statements and nothing else, on a store's schema
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bench-items.h"

G_BEGIN_DECLS

typedef struct _BenchBare BenchBare;

/* Makes a file with the store's schema and pragmas, or opens one that a store has made, to read it.
 * Every failure of SQLite ends the program with its message. */
BenchBare *bench_bare_create (const char *path);
BenchBare *bench_bare_open (const char *path);
void bench_bare_close (BenchBare *self);

/* One transaction: an upsert, and the table's next and count when it inserted. */
void bench_bare_set (BenchBare *self, const BenchItem *item);

/* One transaction with all of @items, the log synced after it. */
void bench_bare_insert_all (BenchBare *self, const BenchItem *items, guint n_items);
void bench_bare_upsert_all (BenchBare *self, const BenchItem *items, guint n_items);

/* A read transaction round gets, which otherwise have one each. */
void bench_bare_begin_reading (BenchBare *self);
void bench_bare_end_reading (BenchBare *self);
/* The value column of a key; free it with g_free(). */
guint8 *bench_bare_get (BenchBare *self, const BenchItem *item, gsize *out_length);

G_END_DECLS
