/* dsq-store-entries.c - a mapping that lives on disk: one entry
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/dsq-call-private.h"
#include "codec/dsq-value-private.h"
#include "store/dsq-store-private.h"

/* --- what all calls come down to ------------------------------------------------------------- */

static gboolean
get_entry (DsqStore *self,
           const guint8 *key,
           gsize key_length,
           DsqEntry **out_entry,
           GError **error)
{
  DsqKey made;
  DsqEngine *engine = dsq_store_begin_call (self, key, key_length, &made, error);

  *out_entry = NULL;
  return engine != NULL && dsq_engine_get (engine, &made, out_entry, error);
}

/* A C caller's key; what it holds is fetched unless the call is cancelled before. */
static gboolean
get_by_string (DsqStore *self,
               const char *key,
               DsqEntry **out_entry,
               GCancellable *cancellable,
               GError **error)
{
  g_auto (DsqCall) call = { 0 };

  *out_entry = NULL;
  return dsq_call_begin (&call, cancellable, error) &&
         get_entry (self, (const guint8 *) key, strlen (key), out_entry, error);
}

static gboolean
set_by_string (DsqStore *self,
               const char *key,
               const DsqValue *value,
               GCancellable *cancellable,
               GError **error)
{
  g_autofree guint8 *record = NULL;
  g_auto (DsqCall) call = { 0 };
  gsize length;

  if (!dsq_call_begin (&call, cancellable, error))
    return FALSE;
  record = dsq_value_encode (value, &length);
  return dsq_store_set_record (self, (const guint8 *) key, strlen (key), record, length, error);
}

/* --- values of any type ----------------------------------------------------------------------- */

/**
 * dsq_store_get:
 * @self: a store
 * @key: the key
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Gets a value of any type, as a #GVariant.
 *
 * A string that holds NUL characters and a Python pickle have no such form and give
 * %DSQ_ERROR_WRONG_TYPE; nothing, Python's None, is an empty maybe of type `mv`.
 *
 * Returns: (transfer full) (nullable): the value, or %NULL without an error when the key is
 * missing
 *
 * Since: 1.0
 */
GVariant *
dsq_store_get (DsqStore *self, const char *key, GCancellable *cancellable, GError **error)
{
  g_autoptr (DsqEntry) entry = NULL;
  GVariant *value;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (key != NULL, NULL);

  if (!get_by_string (self, key, &entry, cancellable, error) || entry == NULL)
    return NULL;
  value = dsq_value_get_variant (dsq_entry_record (entry), entry->record_length, error);
  if (value == NULL)
    dsq_store_name_key (self, key, error);
  return value;
}

/**
 * dsq_store_set:
 * @self: a store
 * @key: the key
 * @value: the value; a floating reference is taken over
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Sets a key to a value of any type.
 *
 * Variants of the types `s`, `x`, `d`, `b` and `ay` are stored as strings, integers, doubles,
 * booleans and bytes, which every language reads as its own; all others as variants, which Python
 * reads as the plain value that they unpack to. Bytes that stand in a #GBytes come by
 * [ctor@GLib.Variant.new_from_bytes], and back by [method@GLib.Variant.get_data_as_bytes], without
 * a copy.
 *
 * The previous value stays when the call fails.
 *
 * Returns: %TRUE when it is set, to the promise of the [enum@PersistMode]
 *
 * Since: 1.0
 */
gboolean
dsq_store_set (DsqStore *self,
               const char *key,
               GVariant *value,
               GCancellable *cancellable,
               GError **error)
{
  g_autoptr (GVariant) owned = NULL;
  g_autofree guint8 *record = NULL;
  g_auto (DsqCall) call = { 0 };
  gsize length;

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);
  g_return_val_if_fail (key != NULL, FALSE);
  g_return_val_if_fail (value != NULL, FALSE);

  owned = g_variant_ref_sink (value);
  if (!dsq_call_begin (&call, cancellable, error))
    return FALSE;
  record = dsq_value_encode_variant (owned, &length, error);
  return record != NULL &&
         dsq_store_set_record (self, (const guint8 *) key, strlen (key), record, length, error);
}

/**
 * dsq_store_contains:
 * @self: a store
 * @key: the key
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Whether a key is there. Its value is not read.
 *
 * Returns: %DSQ_ANSWER_YES if it is; %DSQ_ANSWER_NO if not, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_contains (DsqStore *self, const char *key, GCancellable *cancellable, GError **error)
{
  g_auto (DsqCall) call = { 0 };

  g_return_val_if_fail (DSQ_IS_STORE (self), DSQ_ANSWER_NO);
  g_return_val_if_fail (key != NULL, DSQ_ANSWER_NO);

  return dsq_call_begin (&call, cancellable, error) &&
         dsq_store_contains_key (self, (const guint8 *) key, strlen (key), error);
}

/**
 * dsq_store_remove:
 * @self: a store
 * @key: the key
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Removes a key.
 *
 * Returns: %DSQ_ANSWER_YES if it was there; %DSQ_ANSWER_NO if not, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_remove (DsqStore *self, const char *key, GCancellable *cancellable, GError **error)
{
  g_auto (DsqCall) call = { 0 };

  g_return_val_if_fail (DSQ_IS_STORE (self), DSQ_ANSWER_NO);
  g_return_val_if_fail (key != NULL, DSQ_ANSWER_NO);

  return dsq_call_begin (&call, cancellable, error) &&
         dsq_store_remove_key (self, (const guint8 *) key, strlen (key), error);
}

static gboolean
steal_cb (const DsqKey *key, DsqEntry *old, DsqEntry **out_new, gpointer user_data, GError **error)
{
  GVariant **out_value = user_data;

  if (old == NULL)
    return TRUE;
  *out_value = dsq_value_get_variant (dsq_entry_record (old), old->record_length, error);
  if (*out_value == NULL)
    {
      g_prefix_error_literal (error, "Failed to steal a value, which stays: ");
      return FALSE;
    }
  *out_new = dsq_entry_new_tombstone (key);
  return TRUE;
}

/**
 * dsq_store_steal:
 * @self: a store
 * @key: the key
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Removes a key and gives the value that it had, in one step: of several threads that steal a key
 * one gets it. What [method@Store.get] cannot give stays, and gives the same error here.
 *
 * Returns: (transfer full) (nullable): the value, or %NULL without an error when the key is
 * missing
 *
 * Since: 1.0
 */
GVariant *
dsq_store_steal (DsqStore *self, const char *key, GCancellable *cancellable, GError **error)
{
  g_autoptr (DsqEntry) entry = NULL;
  g_auto (DsqCall) call = { 0 };
  GVariant *value = NULL;
  DsqEngine *engine;
  DsqKey made;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (key != NULL, NULL);

  if (!dsq_call_begin (&call, cancellable, error))
    return NULL;
  engine = dsq_store_begin_call (self, (const guint8 *) key, strlen (key), &made, error);
  /* what is missing needs no write */
  if (engine == NULL || !dsq_engine_get (engine, &made, &entry, error) || entry == NULL)
    return NULL;
  if (dsq_engine_modify (engine, dsq_store_get_promise (self), &made, steal_cb, &value, error))
    return value;
  dsq_store_name_key (self, key, error);
  g_clear_pointer (&value, g_variant_unref); /* of a transaction that failed as a whole */
  return NULL;
}

/* --- values of one type ----------------------------------------------------------------------- */

/**
 * dsq_store_get_string:
 * @self: a store
 * @key: the key
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Gets a string. A value of another type gives %DSQ_ERROR_WRONG_TYPE. A string that holds a NUL
 * character gives it too: a C string would be cut there.
 *
 * Returns: (transfer full) (nullable): the string, or %NULL without an error when the key is
 * missing
 *
 * Since: 1.0
 */
char *
dsq_store_get_string (DsqStore *self, const char *key, GCancellable *cancellable, GError **error)
{
  g_autoptr (DsqEntry) entry = NULL;
  char *value;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (key != NULL, NULL);

  if (!get_by_string (self, key, &entry, cancellable, error) || entry == NULL)
    return NULL;
  value = dsq_value_get_string (dsq_entry_record (entry), entry->record_length, error);
  if (value == NULL)
    dsq_store_name_key (self, key, error);
  return value;
}

/**
 * dsq_store_set_string:
 * @self: a store
 * @key: the key
 * @value: the string
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Sets a key to a string.
 *
 * Returns: %TRUE when it is set, to the promise of the [enum@PersistMode]
 *
 * Since: 1.0
 */
gboolean
dsq_store_set_string (DsqStore *self,
                      const char *key,
                      const char *value,
                      GCancellable *cancellable,
                      GError **error)
{
  DsqValue made;

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);
  g_return_val_if_fail (key != NULL, FALSE);
  g_return_val_if_fail (value != NULL, FALSE);

  return dsq_value_init_string (&made, value, error) &&
         set_by_string (self, key, &made, cancellable, error);
}
