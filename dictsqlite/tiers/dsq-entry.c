/* dsq-entry.c - one key with its record: the only thing that travels between tiers
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-hash-private.h"
#include "tiers/dsq-entry-private.h"

DsqEntry *
dsq_entry_new (const DsqKey *key, const guint8 *record, gsize record_length, gint64 expires)
{
  gsize prefix = expires != 0 ? sizeof expires : 0;
  DsqEntry *self = g_malloc (sizeof *self + prefix + key->length + record_length);

  self->ref_count = 1;
  self->key_length = key->length;
  self->record_length = (guint32) record_length;
  self->table = key->table;
  self->has_expiry = expires != 0;
  if (prefix != 0)
    memcpy (self->data, &expires, prefix);
  memcpy (self->data + prefix, key->bytes, key->length);
  if (record != NULL)
    memcpy (self->data + prefix + key->length, record, record_length);
  return self;
}

DsqEntry *
dsq_entry_new_tombstone (const DsqKey *key)
{
  return dsq_entry_new (key, NULL, 0, 0);
}

gboolean
dsq_entry_has_record_of (const DsqEntry *self, const DsqEntry *other)
{
  guint32 length = self != NULL ? self->record_length : 0;
  guint32 other_length = other != NULL ? other->record_length : 0;

  return length == other_length &&
         (length == 0 || memcmp (dsq_entry_record (self), dsq_entry_record (other), length) == 0);
}

DsqKey
dsq_entry_as_key (const DsqEntry *self)
{
  DsqKey key = { dsq_entry_key (self), self->key_length, self->table, 0 };

  key.hash = dsq_hash (key.table, key.bytes, key.length);
  return key;
}
