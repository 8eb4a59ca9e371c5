/* dsq-read-set.c - what keys were when they were read
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "engine/dsq-read-set-private.h"

typedef struct
{
  DsqKey key;      /* its bytes are the entry's */
  DsqEntry *entry; /* (owned) a tombstone for none */
} Read;

struct _DsqReadSet
{
  GHashTable *reads; /* (owned) DsqKey to Read */
};

static guint
hash_key (gconstpointer key)
{
  return (guint) ((const DsqKey *) key)->hash;
}

static gboolean
equal_keys (gconstpointer a, gconstpointer b)
{
  const DsqKey *left = a;
  const DsqKey *right = b;

  return left->hash == right->hash && left->table == right->table &&
         left->length == right->length && memcmp (left->bytes, right->bytes, left->length) == 0;
}

static void
read_free (gpointer data)
{
  Read *self = data;

  dsq_entry_unref (self->entry);
  g_free (self);
}

DsqReadSet *
dsq_read_set_new (void)
{
  DsqReadSet *self = g_new (DsqReadSet, 1);

  self->reads = g_hash_table_new_full (hash_key, equal_keys, NULL, read_free);
  return self;
}

void
dsq_read_set_free (DsqReadSet *self)
{
  g_hash_table_unref (self->reads);
  g_free (self);
}

gboolean
dsq_read_set_recall (DsqReadSet *self, const DsqKey *key, DsqEntry **out_entry)
{
  const Read *read = g_hash_table_lookup (self->reads, key);

  *out_entry = NULL;
  if (read == NULL)
    return FALSE;
  if (!dsq_entry_is_tombstone (read->entry))
    *out_entry = dsq_entry_ref (read->entry);
  return TRUE;
}

void
dsq_read_set_remember (DsqReadSet *self, const DsqKey *key, DsqEntry **inout_entry)
{
  DsqEntry *first;
  Read *read;

  if (dsq_read_set_recall (self, key, &first))
    {
      if (*inout_entry != NULL)
        dsq_entry_unref (*inout_entry);
      *inout_entry = first;
      return;
    }
  read = g_new (Read, 1);
  read->entry = *inout_entry != NULL ? dsq_entry_ref (*inout_entry) : dsq_entry_new_tombstone (key);
  read->key = dsq_entry_as_key (read->entry);
  g_hash_table_insert (self->reads, &read->key, read);
}

GPtrArray *
dsq_read_set_list (DsqReadSet *self)
{
  GPtrArray *entries = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer read;

  g_hash_table_iter_init (&iter, self->reads);
  while (g_hash_table_iter_next (&iter, NULL, &read))
    g_ptr_array_add (entries, ((const Read *) read)->entry);
  return entries;
}
