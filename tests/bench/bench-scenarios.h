/* bench-scenarios.h - one round of each scenario
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Each makes its files in @directory, measures with bench_sample(), and removes them. */

/* Everything in memory, beside GLib's own hash table. */
void bench_run_hot (const char *directory, guint round);

/* So many entries that no cache has them, and by two threads. */
void bench_run_many (const char *directory, guint round);

/* A transaction an entry, beside bare SQLite. */
void bench_run_writethrough (const char *directory, guint round);

/* Two such transactions, the second within bench_store_set(); nothing is measured. */
void bench_run_one_write (const char *directory, guint round);

/* A transaction an entry, by who is there to be told of it. */
void bench_run_facts (const char *directory, guint round);

/* Many rows in one transaction that is synced, beside bare SQLite. */
void bench_run_flush (const char *directory, guint round);

/* Reads by the tier that answers them, beside bare SQLite. */
void bench_run_tiers (const char *directory, guint round);

/* Opening a file that is there, and one read, beside bare SQLite. */
void bench_run_open (const char *directory, guint round);

G_END_DECLS
