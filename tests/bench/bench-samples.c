/* bench-samples.c - what was measured, as JSON
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "bench-samples.h"

#include <time.h>

typedef struct
{
  const char *op;         /* (unowned) static */
  const char *contestant; /* (unowned) static */
  guint n;                /* operations in each sample */
  GString *samples;       /* (owned) nanoseconds, joined by commas */
} Series;

static GArray *all_series; /* (owned) of Series, in the order of their first sample; one thread */

gint64
bench_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (gint64) now.tv_sec * 1000000000 + now.tv_nsec;
}

static Series *
find_series (const char *op, const char *contestant, guint n)
{
  Series series = { op, contestant, n, NULL };

  if (all_series == NULL)
    all_series = g_array_new (FALSE, FALSE, sizeof (Series));
  for (guint i = 0; i < all_series->len; i++)
    {
      Series *other = &g_array_index (all_series, Series, i);

      if (g_str_equal (other->op, op) && g_str_equal (other->contestant, contestant))
        return other;
    }
  series.samples = g_string_new (NULL);
  g_array_append_val (all_series, series);
  return &g_array_index (all_series, Series, all_series->len - 1);
}

void
bench_sample (const char *op, const char *contestant, guint n, gint64 elapsed)
{
  Series *series = find_series (op, contestant, n);

  if (series->samples->len > 0)
    g_string_append_c (series->samples, ',');
  g_string_append_printf (series->samples, "%" G_GINT64_FORMAT, elapsed);
}

void
bench_samples_print (void)
{
  g_print ("[");
  for (guint i = 0; all_series != NULL && i < all_series->len; i++)
    {
      const Series *series = &g_array_index (all_series, Series, i);

      g_print ("%s\n{\"op\":\"%s\",\"contestant\":\"%s\",\"n\":%u,\"samples\":[%s]}",
               i > 0 ? "," : "",
               series->op,
               series->contestant,
               series->n,
               series->samples->str);
    }
  g_print ("\n]\n");
}
