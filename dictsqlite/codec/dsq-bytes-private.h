/* dsq-bytes-private.h - numbers at any place in memory, little-endian
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <string.h>

#include <glib.h>

G_BEGIN_DECLS

static inline guint32
dsq_bytes_load_u32 (const guint8 *bytes)
{
  guint32 number;

  memcpy (&number, bytes, sizeof number);
  return GUINT32_FROM_LE (number);
}

static inline guint64
dsq_bytes_load_u64 (const guint8 *bytes)
{
  guint64 number;

  memcpy (&number, bytes, sizeof number);
  return GUINT64_FROM_LE (number);
}

static inline void
dsq_bytes_store_u32 (guint8 *out, guint32 number)
{
  number = GUINT32_TO_LE (number);
  memcpy (out, &number, sizeof number);
}

static inline void
dsq_bytes_store_u64 (guint8 *out, guint64 number)
{
  number = GUINT64_TO_LE (number);
  memcpy (out, &number, sizeof number);
}

/* @length bytes, fewer than 8, as a number. Loads that overlap in place of a loop: the branch on
 * each byte of a short key would cost more than all the rest. */
static inline guint64
dsq_bytes_load_short (const guint8 *bytes, gsize length)
{
  if (length >= 4)
    return dsq_bytes_load_u32 (bytes) | (guint64) dsq_bytes_load_u32 (bytes + length - 4)
                                            << (8 * (length - 4));
  if (length == 0)
    return 0;
  return bytes[0] | (guint64) bytes[length / 2] << (8 * (length / 2)) |
         (guint64) bytes[length - 1] << (8 * (length - 1));
}

G_END_DECLS
