/* run-length.h - how much of a loop is run
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Sanitizers want memory of their own, and take their time. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER TRUE
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER TRUE
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER FALSE
#endif

/* How far a loop goes. */
typedef struct
{
  guint64 n;    /* rounds */
  gint64 until; /* monotonic time, whatever @n; 0: none */
} RunLength;

/* @n_long with DSQ_LONG; @n_short where everything takes its time. */
static inline guint
run_length (guint n_short, guint n, guint n_long)
{
  if (g_getenv ("DSQ_LONG") != NULL)
    return n_long;
  return g_getenv ("DSQ_SHORT") != NULL || HAS_SANITIZER ? n_short : n;
}

/* With DSQ_SECONDS as far as it comes in these, else run_length(). */
static inline RunLength
run_begin (guint n_short, guint n, guint n_long)
{
  const char *seconds = g_getenv ("DSQ_SECONDS");
  const gint64 us = seconds != NULL ? (gint64) (g_ascii_strtod (seconds, NULL) * 1e6) : 0;

  return (RunLength){ run_length (n_short, n, n_long),
                      seconds != NULL ? g_get_monotonic_time () + us : 0 };
}

static inline gboolean
run_goes_on (const RunLength *self, guint64 n_done)
{
  return self->until != 0 ? g_get_monotonic_time () < self->until : n_done < self->n;
}

/* What tests/long.py looks for. */
static inline void
run_tell (guint64 n, const char *what)
{
  g_print ("# reached %" G_GUINT64_FORMAT " %s\n", n, what);
}
