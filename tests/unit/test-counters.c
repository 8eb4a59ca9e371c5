/* test-counters.c - what the statistics count
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <glib.h>
#include <pthread.h>

#include "engine/dsq-counters-private.h"

#define N_THREADS 4
#define N_TIMES   100000

static void *
count (void *data)
{
  DsqCounters *counters = data;

  for (guint i = 0; i < N_TIMES; i++)
    {
      dsq_counters_add (counters, DSQ_COUNT_FLUSHES, 1);
      dsq_counters_add (counters, DSQ_COUNT_DROPPED_BYTES, G_GUINT64_CONSTANT (1) << 32);
    }
  return NULL;
}

static void
test_no_thread_is_missed (void)
{
  DsqCounters counters = { 0 };
  pthread_t threads[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    g_assert_cmpint (pthread_create (&threads[i], NULL, count, &counters), ==, 0);
  for (guint i = 0; i < N_THREADS; i++)
    pthread_join (threads[i], NULL);
  for (DsqCount i = 0; i < DSQ_N_COUNTS; i++)
    {
      guint64 expected = 0;

      if (i == DSQ_COUNT_FLUSHES)
        expected = N_THREADS * N_TIMES;
      else if (i == DSQ_COUNT_DROPPED_BYTES)
        expected = (guint64) N_THREADS * N_TIMES << 32;
      g_assert_cmpuint (dsq_counters_get (&counters, i), ==, expected);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/counters/no-thread-is-missed", test_no_thread_is_missed);
  return g_test_run ();
}
