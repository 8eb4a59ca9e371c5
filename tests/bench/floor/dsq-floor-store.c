/* dsq-floor-store.c - DsqStore's record calls over no engine at all
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-floor-store.h"

#include <string.h>

#include "dsq-floor-pack.h"

/*
 * The same Python layer over this and over DsqStore, in one run, shows what the engine adds to the
 * floor that one PyGObject call sets. Every key is held, but those that begin with 'n'
 * ("no_key_1"), so that the loops over present and over absent keys take the same branches.
 */
struct _DsqFloorStore
{
  GObject parent_instance;

  gboolean closed; /* one thread */
};

G_DEFINE_FINAL_TYPE (DsqFloorStore, dsq_floor_store, G_TYPE_OBJECT)

static void
dsq_floor_store_class_init (DsqFloorStoreClass *klass)
{
}

static void
dsq_floor_store_init (DsqFloorStore *self)
{
}

static gboolean
holds (const guint8 *key, gsize key_length)
{
  return key_length > 0 && key[0] != 'n';
}

static guint8 *
copy_record (gboolean present, gsize *out_length)
{
  *out_length = present ? strlen (DSQ_FLOOR_RECORD) : 0;
  return present ? g_memdup2 (DSQ_FLOOR_RECORD, strlen (DSQ_FLOOR_RECORD)) : NULL;
}

/**
 * dsq_floor_store_new:
 *
 * Makes a store.
 *
 * Returns: (transfer full): a store
 */
DsqFloorStore *
dsq_floor_store_new (void)
{
  return g_object_new (DSQ_FLOOR_TYPE_STORE, NULL);
}

/**
 * dsq_floor_store_get_record:
 * @self: a store
 * @key: (array length=key_length): an encoded key
 * @key_length: length of @key, in bytes
 * @out_length: length of the record, in bytes
 * @error: return location for an error
 *
 * Returns the one record.
 *
 * Returns: (array length=out_length) (transfer full) (nullable): a record
 */
guint8 *
dsq_floor_store_get_record (DsqFloorStore *self,
                            const guint8 *key,
                            gsize key_length,
                            gsize *out_length,
                            GError **error)
{
  return copy_record (holds (key, key_length), out_length);
}

/**
 * dsq_floor_store_set_record:
 * @self: a store
 * @key: (array length=key_length): an encoded key
 * @key_length: length of @key, in bytes
 * @record: (array length=record_length): a record
 * @record_length: length of @record, in bytes
 * @error: return location for an error
 *
 * Does nothing.
 *
 * Returns: %TRUE
 */
gboolean
dsq_floor_store_set_record (DsqFloorStore *self,
                            const guint8 *key,
                            gsize key_length,
                            const guint8 *record,
                            gsize record_length,
                            GError **error)
{
  return TRUE;
}

/**
 * dsq_floor_store_get_text:
 * @self: a store
 * @key: a key
 * @out_length: length of the record, in bytes
 * @error: return location for an error
 *
 * Returns the one record.
 *
 * Returns: (array length=out_length) (transfer full) (nullable): a record
 */
guint8 *
dsq_floor_store_get_text (DsqFloorStore *self, const char *key, gsize *out_length, GError **error)
{
  return copy_record (holds ((const guint8 *) key, strlen (key)), out_length);
}

/**
 * dsq_floor_store_set_text:
 * @self: a store
 * @text: a key and a record, end to end
 * @error: return location for an error
 *
 * Does nothing.
 *
 * Returns: %TRUE
 */
gboolean
dsq_floor_store_set_text (DsqFloorStore *self, const char *text, GError **error)
{
  return TRUE;
}

/**
 * dsq_floor_store_contains_text:
 * @self: a store
 * @key: a key
 * @error: return location for an error
 *
 * Tells whether @key is held.
 *
 * Returns: whether it is
 */
gboolean
dsq_floor_store_contains_text (DsqFloorStore *self, const char *key, GError **error)
{
  return holds ((const guint8 *) key, strlen (key));
}

/**
 * dsq_floor_store_remove_text:
 * @self: a store
 * @key: a key
 * @error: return location for an error
 *
 * Removes nothing.
 *
 * Returns: whether @key is held
 */
gboolean
dsq_floor_store_remove_text (DsqFloorStore *self, const char *key, GError **error)
{
  return holds ((const guint8 *) key, strlen (key));
}

/**
 * dsq_floor_store_contains_key:
 * @self: a store
 * @key: (array length=key_length): an encoded key
 * @key_length: length of @key, in bytes
 * @error: return location for an error
 *
 * Tells whether @key is held.
 *
 * Returns: whether it is
 */
gboolean
dsq_floor_store_contains_key (DsqFloorStore *self,
                              const guint8 *key,
                              gsize key_length,
                              GError **error)
{
  return holds (key, key_length);
}

/**
 * dsq_floor_store_remove_key:
 * @self: a store
 * @key: (array length=key_length): an encoded key
 * @key_length: length of @key, in bytes
 * @error: return location for an error
 *
 * Tells whether @key is held.
 *
 * Returns: whether it is
 */
gboolean
dsq_floor_store_remove_key (DsqFloorStore *self,
                            const guint8 *key,
                            gsize key_length,
                            GError **error)
{
  return holds (key, key_length);
}

/**
 * dsq_floor_store_get_pack:
 * @self: a store
 * @keys: (array length=length): a pack of keys
 * @length: length of @keys, in bytes
 * @out_length: length of the pack returned, in bytes
 * @error: return location for an error
 *
 * Returns the one record as often as there are keys.
 *
 * Returns: (array length=out_length) (transfer full) (nullable): a pack of records
 */
guint8 *
dsq_floor_store_get_pack (DsqFloorStore *self,
                          const guint8 *keys,
                          gsize length,
                          gsize *out_length,
                          GError **error)
{
  guint32 n = 0;

  if (length >= sizeof n)
    memcpy (&n, keys, sizeof n);
  return dsq_floor_pack_repeat (n, DSQ_FLOOR_RECORD, DSQ_FLOOR_RECORD, out_length);
}

/**
 * dsq_floor_store_set_pack:
 * @self: a store
 * @entries: (array length=length): a pack of keys and records
 * @length: length of @entries, in bytes
 * @error: return location for an error
 *
 * Does nothing.
 *
 * Returns: %TRUE
 */
gboolean
dsq_floor_store_set_pack (DsqFloorStore *self, const guint8 *entries, gsize length, GError **error)
{
  return TRUE;
}

/**
 * dsq_floor_store_clear:
 * @self: a store
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Does nothing.
 *
 * Returns: %TRUE
 */
gboolean
dsq_floor_store_clear (DsqFloorStore *self, GCancellable *cancellable, GError **error)
{
  return TRUE;
}

/**
 * dsq_floor_store_count:
 * @self: a store
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Returns the one count.
 *
 * Returns: the entries that a cursor walks
 */
gint64
dsq_floor_store_count (DsqFloorStore *self, GCancellable *cancellable, GError **error)
{
  return DSQ_FLOOR_ENTRIES;
}

/**
 * dsq_floor_store_walk:
 * @self: a store
 * @order: not looked at
 *
 * Starts a walk over the one entry, repeated.
 *
 * Returns: (transfer full): a cursor
 */
DsqFloorCursor *
dsq_floor_store_walk (DsqFloorStore *self, guint order)
{
  return g_object_new (DSQ_FLOOR_TYPE_CURSOR, NULL);
}

/**
 * dsq_floor_store_flush:
 * @self: a store
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Does nothing.
 *
 * Returns: %TRUE
 */
gboolean
dsq_floor_store_flush (DsqFloorStore *self, GCancellable *cancellable, GError **error)
{
  return TRUE;
}

/**
 * dsq_floor_store_close:
 * @self: a store
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Closes the store.
 *
 * Returns: %TRUE
 */
gboolean
dsq_floor_store_close (DsqFloorStore *self, GCancellable *cancellable, GError **error)
{
  self->closed = TRUE;
  return TRUE;
}

/**
 * dsq_floor_store_is_closed:
 * @self: a store
 *
 * Tells whether the store is closed.
 *
 * Returns: whether it is
 */
gboolean
dsq_floor_store_is_closed (DsqFloorStore *self)
{
  return self->closed;
}
