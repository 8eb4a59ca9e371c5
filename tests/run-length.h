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

/* @n_long with DSQ_LONG; @n_short where everything takes its time. */
static inline guint
run_length (guint n_short, guint n, guint n_long)
{
  if (g_getenv ("DSQ_LONG") != NULL)
    return n_long;
  return g_getenv ("DSQ_SHORT") != NULL || HAS_SANITIZER ? n_short : n;
}
