/* dsq-log-tag.c - what tells whether a write-ahead log is that of a file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-crc32c-private.h"
#include "codec/dsq-log-tag-private.h"
#include "crypto/dsq-random-private.h"

static guint32
compute_checksum (const guint8 *store_id, const guint8 *tag)
{
  guint32 checksum = dsq_crc32c (0, store_id, DSQ_FORMAT_STORE_ID_LENGTH);

  checksum = dsq_crc32c (checksum, (const guint8 *) DSQ_FORMAT_TAG_PURPOSE, 5);
  return dsq_crc32c (checksum, tag, DSQ_FORMAT_TAG_AT_CRC);
}

gboolean
dsq_log_tag_read (DsqLogTag *self, const guint8 *column, gsize *length)
{
  gsize of_header = DSQ_FORMAT_HEADER_PLAIN_LENGTH;
  const guint8 *tag;

  memset (self, 0, sizeof *self);
  if (*length >= of_header && column[DSQ_FORMAT_HEADER_AT_CIPHER] != DSQ_FORMAT_CIPHER_NONE)
    of_header = DSQ_FORMAT_HEADER_SEALED_LENGTH;
  if (*length != of_header + DSQ_FORMAT_TAG_LENGTH)
    return *length == of_header;
  tag = column + of_header;
  *length = of_header;
  self->now = dsq_bytes_load_u64 (tag);
  self->before = dsq_bytes_load_u64 (tag + DSQ_FORMAT_TAG_AT_BEFORE);
  return dsq_bytes_load_u32 (tag + DSQ_FORMAT_TAG_AT_CRC) ==
         compute_checksum (column + DSQ_FORMAT_HEADER_AT_STORE_ID, tag);
}

void
dsq_log_tag_write (const DsqLogTag *self,
                   const guint8 store_id[DSQ_FORMAT_STORE_ID_LENGTH],
                   guint8 out[DSQ_FORMAT_TAG_LENGTH])
{
  dsq_bytes_store_u64 (out, self->now);
  dsq_bytes_store_u64 (out + DSQ_FORMAT_TAG_AT_BEFORE, self->before);
  dsq_bytes_store_u32 (out + DSQ_FORMAT_TAG_AT_CRC, compute_checksum (store_id, out));
}

gboolean
dsq_log_tag_renew (DsqLogTag *self, GError **error)
{
  self->before = self->now;
  self->now = 0;
  while (self->now == 0)
    if (!dsq_random_draw ((guint8 *) &self->now, sizeof self->now, error))
      return FALSE;
  return TRUE;
}
