/* dsq-warm-item.c - an entry as it lies in the warm tier's log
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "tiers/dsq-warm-log-private.h"

/*
 *   head           table id << 2 | has expiry << 1 | is dead
 *   key length     bytes
 *   record length  bytes
 *   [expiry]       8 bytes, milliseconds since 1970
 *   key
 *   record
 *
 * The first three are LEB128: 7 bits a byte, lowest first, the top bit set in all but the last. So
 * the dead bit is the lowest of the first byte, and 3 bytes are the rule.
 */

#define HEAD_EXPIRES 2u
#define HEAD_TABLE   2 /* first bit of the table's id */

static guint
varint_length (guint32 number)
{
  guint length = 1;

  for (; number >= 0x80; number >>= 7)
    length++;
  return length;
}

static guint8 *
varint_write (guint8 *out, guint32 number)
{
  for (; number >= 0x80; number >>= 7)
    *out++ = (guint8) (number | 0x80);
  *out++ = (guint8) number;
  return out;
}

static inline const guint8 *
varint_read (const guint8 *bytes, guint32 *out_number)
{
  guint32 number = *bytes & 0x7F;

  for (guint shift = 7; *bytes++ >= 0x80; shift += 7)
    number |= (guint32) (*bytes & 0x7F) << shift;
  *out_number = number;
  return bytes;
}

static guint32
head_of (const DsqEntry *entry)
{
  return (guint32) entry->table << HEAD_TABLE | (entry->has_expiry ? HEAD_EXPIRES : 0);
}

static inline gsize
round_up (const DsqWarmShard *self, gsize size)
{
  gsize unit = (gsize) 1 << self->unit_shift;

  return (size + unit - 1) & ~(unit - 1);
}

gsize
dsq_warm_item_measure (const DsqWarmShard *self, const DsqEntry *entry)
{
  gsize size = varint_length (head_of (entry)) + varint_length (entry->key_length) +
               varint_length (entry->record_length);

  size += (entry->has_expiry ? 8 : 0) + (gsize) entry->key_length + entry->record_length;
  return round_up (self, size);
}

void
dsq_warm_item_write (guint8 *out, const DsqEntry *entry)
{
  out = varint_write (out, head_of (entry));
  out = varint_write (out, entry->key_length);
  out = varint_write (out, entry->record_length);
  if (entry->has_expiry)
    {
      dsq_bytes_store_u64 (out, (guint64) dsq_entry_expires (entry));
      out += 8;
    }
  memcpy (out, dsq_entry_key (entry), (gsize) entry->key_length + entry->record_length);
}

void
dsq_warm_item_read (const DsqWarmShard *self, guint8 *start, DsqWarmItem *out)
{
  const guint8 *at;
  guint32 head;

  at = varint_read (start, &head);
  at = varint_read (at, &out->key.length);
  at = varint_read (at, &out->record_length);
  out->expires = 0;
  if ((head & HEAD_EXPIRES) != 0)
    {
      out->expires = (gint64) dsq_bytes_load_u64 (at);
      at += 8;
    }
  out->start = start;
  out->is_dead = head & DSQ_WARM_ITEM_DEAD;
  out->key.table = head >> HEAD_TABLE;
  out->key.bytes = at;
  out->record = at + out->key.length;
  out->size = (guint32) round_up (self, (gsize) (out->record - start) + out->record_length);
}
