/* dsq-random-private.h - random bytes from the kernel
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DSQ_RANDOM_POOL_LENGTH 4096

/* Bytes drawn ahead: a draw of 8 costs 22 ns from here and 260 ns from the kernel. Whoever keeps
 * one empties it where a machine may have been cloned with it. In memory that a fork wipes, it is
 * empty in the child. One thread at a time. */
typedef struct
{
  guint n_left;       /* at the end of bytes */
  gboolean has_drawn; /* since it was emptied */
  guint8 bytes[DSQ_RANDOM_POOL_LENGTH];
} DsqRandomPool;

/* Gives DSQ_ERROR_IO. */
gboolean dsq_random_draw (guint8 *out, gsize length, GError **error);
gboolean dsq_random_pool_draw (DsqRandomPool *self, guint8 *out, gsize length, GError **error);
void dsq_random_pool_empty (DsqRandomPool *self);

/* For tests that want the same bytes each time, or none: what fills every draw in the kernel's
 * place, or returns FALSE. */
typedef gboolean (*DsqRandomFunc) (guint8 *out, gsize length);
void dsq_random_set_source (DsqRandomFunc source);

G_END_DECLS
