/* dsq-floor-pack.c - a pack of one item repeated
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-floor-pack.h"

#include <string.h>

guint8 *
dsq_floor_pack_repeat (guint32 n, const char *first, const char *second, gsize *out_length)
{
  const char *items[] = { first, second };
  const guint32 lengths[] = { (guint32) strlen (first), (guint32) strlen (second) };
  gsize room = sizeof n + n * (sizeof n + MAX (lengths[0], lengths[1]));
  guint8 *pack = g_malloc (room);
  guint8 *at_length = pack + sizeof n;
  guint8 *at_bytes = at_length + n * sizeof n;

  memcpy (pack, &n, sizeof n);
  for (guint32 i = 0; i < n; i++)
    {
      guint32 length = lengths[i & 1];

      memcpy (at_length, &length, sizeof length);
      memcpy (at_bytes, items[i & 1], length);
      at_length += sizeof length;
      at_bytes += length;
    }
  *out_length = (gsize) (at_bytes - pack);
  return pack;
}
