/* bench-samples.h - what was measured, as JSON
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Nanoseconds of a clock that only moves on. */
gint64 bench_now (void);

/* One round's time of @n operations @op by @contestant. Both names are static. */
void bench_sample (const char *op, const char *contestant, guint n, gint64 elapsed);

/* Measures one statement. */
#define BENCH_TIME(op, contestant, n, call)                                                        \
  G_STMT_START                                                                                     \
  {                                                                                                \
    gint64 start_ = bench_now ();                                                                  \
    call;                                                                                          \
    bench_sample (op, contestant, n, bench_now () - start_);                                       \
  }                                                                                                \
  G_STMT_END

/* Prints everything as a JSON array of {op, contestant, n, samples}, samples in nanoseconds. */
void bench_samples_print (void);

G_END_DECLS
