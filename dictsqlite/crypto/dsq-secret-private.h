/* dsq-secret-private.h - memory for keys and passwords
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <string.h>

#include <glib.h>

G_BEGIN_DECLS

/* @length bytes of 0 in pages of their own: locked into memory where the process's limit allows,
 * left out of core dumps, and read as 0 in the child of a fork. Never NULL. */
gpointer dsq_secret_new (gsize length);

/* Wipes and gives back what dsq_secret_new() gave for @length; NULL does nothing. */
void dsq_secret_free (gpointer secret, gsize length);

/* A copy of @data in such memory, wiped with its last reference. */
GBytes *dsq_secret_bytes (const guint8 *data, gsize length);

/* Times that such memory could not be locked, in this process. */
guint64 dsq_secret_get_n_unlocked (void);

/* For secrets on the stack: no compiler leaves it out. */
static inline void
dsq_secret_wipe (gpointer secret, gsize length)
{
  explicit_bzero (secret, length);
}

G_END_DECLS
