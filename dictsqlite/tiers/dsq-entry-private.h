/* dsq-entry-private.h - one key with its record: the only thing that travels between tiers
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <string.h>

G_BEGIN_DECLS

/* The table that a store opens with; a table id fits 23 bits. */
#define DSQ_TABLE_MAIN 1u
#define DSQ_TABLE_MAX  ((1u << 23) - 1)

/* A key as a caller passes it: borrowed bytes, valid for the length of the call. */
typedef struct
{
  const guint8 *bytes; /* (unowned) the encoded key, never NULL */
  guint32 length;      /* bytes */
  guint32 table;       /* the table it belongs to */
  guint64 hash;        /* of table and bytes, by dsq_hash() */
} DsqKey;

/*
 * An entry is immutable once published and atomically reference-counted, so that a reader, the
 * flusher and a cursor may hold one without a lock and without a copy. Key and record follow the
 * header in the same allocation. A record is a type byte (DsqValueType) and its payload, so it is
 * never empty: an entry without a record is a tombstone, the trace of a delete.
 */
typedef struct
{
  int ref_count;         /* (atomic) by the compiler's builtins, which race detectors see */
  guint32 key_length;    /* bytes */
  guint32 record_length; /* bytes, 0 in a tombstone */
  guint32 table : 23;
  guint32 has_expiry : 1;
  guint8 data[]; /* [expiry, 8 bytes, if has_expiry] key, record */
} DsqEntry;

/* Memory that an entry takes beside its key and its record, for accounts of dirty bytes. */
#define DSQ_ENTRY_OVERHEAD 64

/* @expires: milliseconds since 1970, or 0 for never. @record may be NULL to be filled in by the
 * caller through dsq_entry_record_for_filling() before the entry is published. */
DsqEntry *
dsq_entry_new (const DsqKey *key, const guint8 *record, gsize record_length, gint64 expires);
DsqEntry *dsq_entry_new_tombstone (const DsqKey *key);

/* A second reference to an entry that no other thread knows yet: without the cost of an atomic. */
static inline DsqEntry *
dsq_entry_share (DsqEntry *self)
{
  self->ref_count++;
  return self;
}

static inline DsqEntry *
dsq_entry_ref (DsqEntry *self)
{
  __atomic_fetch_add (&self->ref_count, 1, __ATOMIC_RELAXED);
  return self;
}

static inline void
dsq_entry_unref (DsqEntry *self)
{
  if (__atomic_fetch_sub (&self->ref_count, 1, __ATOMIC_ACQ_REL) == 1)
    g_free (self);
}

static inline const guint8 *
dsq_entry_key (const DsqEntry *self)
{
  return self->data + (self->has_expiry ? 8 : 0);
}

static inline const guint8 *
dsq_entry_record (const DsqEntry *self)
{
  return dsq_entry_key (self) + self->key_length;
}

static inline guint8 *
dsq_entry_record_for_filling (DsqEntry *self)
{
  return self->data + (self->has_expiry ? 8 : 0) + self->key_length;
}

static inline gboolean
dsq_entry_is_tombstone (const DsqEntry *self)
{
  return self->record_length == 0;
}

static inline gsize
dsq_entry_size (const DsqEntry *self)
{
  return DSQ_ENTRY_OVERHEAD + self->key_length + (gsize) self->record_length;
}

/* Whether @self has the record of @other; NULL and tombstones have none, and so the same. */
gboolean dsq_entry_has_record_of (const DsqEntry *self, const DsqEntry *other);

/* Milliseconds since 1970, or 0 for never. */
static inline gint64
dsq_entry_expires (const DsqEntry *self)
{
  gint64 expires = 0;

  if (self->has_expiry)
    memcpy (&expires, self->data, sizeof expires);
  return expires;
}

/* The entry's key as a DsqKey; its bytes live as long as the entry. */
DsqKey dsq_entry_as_key (const DsqEntry *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DsqEntry, dsq_entry_unref)

G_END_DECLS
