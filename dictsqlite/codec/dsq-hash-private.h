/* dsq-hash-private.h - the keyed hash of the tables in memory
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* SipHash-1-3 (Aumasson and Bernstein, 2012) of @table and @bytes, under a key drawn once a process
 * from getrandom(2), so that nobody can choose keys that collide. Never stored. */
guint64 dsq_hash (guint32 table, const guint8 *bytes, gsize length);

/* The same with chosen rounds and key, for the published test vectors. */
guint64 dsq_hash_siphash (guint c_rounds,
                          guint d_rounds,
                          const guint8 key[16],
                          const guint8 *bytes,
                          gsize length);

G_END_DECLS
