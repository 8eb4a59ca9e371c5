/* dsq-store-expiry.c - a mapping that lives on disk: entries that end by themselves
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/dsq-call-private.h"
#include "codec/dsq-value-private.h"
#include "store/dsq-store-private.h"

gint64
dsq_store_expiry_after (DsqEngine *engine, gint64 milliseconds)
{
  gint64 expires;

  if (milliseconds >= DSQ_NEVER ||
      __builtin_add_overflow (dsq_engine_now (engine), milliseconds, &expires))
    return 0;
  return expires != 0 ? expires : -1;
}

/* --- as C calls it ---------------------------------------------------------------------------- */

/**
 * dsq_store_set_expiring:
 * @self: a store
 * @key: the key
 * @value: the value; a floating reference is taken over
 * @milliseconds: its time to live, %DSQ_NEVER for one that does not expire
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Sets a key to a value of any type, as [method@Store.set] does, for some time.
 *
 * When that time is over the key is absent, everywhere: to every call, in every process, and after
 * the store was opened anew. A time of 0 or less is over at once. The clock is that of the system,
 * so that it means the same to all processes; setting that clock moves the end.
 *
 * Setting the key again replaces the time to live too, and [method@Store.set] ends it.
 *
 * Returns: %TRUE when it is set, to the promise of the [enum@PersistMode]
 *
 * Since: 1.0
 */
gboolean
dsq_store_set_expiring (DsqStore *self,
                        const char *key,
                        GVariant *value,
                        gint64 milliseconds,
                        GCancellable *cancellable,
                        GError **error)
{
  g_auto (DsqCall) call = { 0 };
  g_autoptr (GVariant) owned = NULL;
  g_autofree guint8 *record = NULL;
  gsize length;

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);
  g_return_val_if_fail (key != NULL, FALSE);
  g_return_val_if_fail (value != NULL, FALSE);

  owned = g_variant_ref_sink (value);
  if (!dsq_call_begin (&call, cancellable, error))
    return FALSE;
  record = dsq_value_encode_variant (owned, &length, error);
  return record != NULL && dsq_store_set_expiring_record (self,
                                                          (const guint8 *) key,
                                                          strlen (key),
                                                          record,
                                                          length,
                                                          milliseconds,
                                                          error);
}

/**
 * dsq_store_touch:
 * @self: a store
 * @key: the key
 * @milliseconds: its time to live from now on, %DSQ_NEVER to have it stay
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Changes when a key expires. Its value and its place stay as they are.
 *
 * Returns: %DSQ_ANSWER_YES if the key is there; %DSQ_ANSWER_NO if not, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_touch (DsqStore *self,
                 const char *key,
                 gint64 milliseconds,
                 GCancellable *cancellable,
                 GError **error)
{
  g_auto (DsqCall) call = { 0 };

  g_return_val_if_fail (DSQ_IS_STORE (self), DSQ_ANSWER_NO);
  g_return_val_if_fail (key != NULL, DSQ_ANSWER_NO);

  return dsq_call_begin (&call, cancellable, error) &&
         dsq_store_touch_key (self, (const guint8 *) key, strlen (key), milliseconds, error);
}

/**
 * dsq_store_get_expiry:
 * @self: a store
 * @key: the key
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Gets how long a key has to live.
 *
 * Returns: milliseconds, more than 0; %DSQ_NEVER when it does not expire; 0 when the key is
 *   missing; -1 with @error set
 *
 * Since: 1.0
 */
gint64
dsq_store_get_expiry (DsqStore *self, const char *key, GCancellable *cancellable, GError **error)
{
  g_auto (DsqCall) call = { 0 };

  g_return_val_if_fail (DSQ_IS_STORE (self), -1);
  g_return_val_if_fail (key != NULL, -1);

  if (!dsq_call_begin (&call, cancellable, error))
    return -1;
  return dsq_store_get_expiry_key (self, (const guint8 *) key, strlen (key), error);
}

/**
 * dsq_store_expire:
 * @self: a store
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Removes what has expired.
 *
 * Expired entries are absent without this. It is for stores that are mostly read: the next writes,
 * a count or a walk would remove them too.
 *
 * Returns: how many entries were removed; -1 with @error set
 *
 * Since: 1.0
 */
gint64
dsq_store_expire (DsqStore *self, GCancellable *cancellable, GError **error)
{
  g_auto (DsqCall) call = { 0 };
  DsqEngine *engine;
  guint64 n_swept;

  g_return_val_if_fail (DSQ_IS_STORE (self), -1);

  engine = dsq_store_get_engine (self, error);
  if (engine == NULL || !dsq_call_begin (&call, cancellable, error) ||
      !dsq_store_check_writable (self, error) || !dsq_engine_expire (engine, &n_swept, error))
    return -1;
  return (gint64) n_swept;
}

/* --- as bindings call it ---------------------------------------------------------------------- */

/**
 * dsq_store_set_expiring_record:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @record: (array length=record_length): the record: a type byte and its payload
 * @record_length: bytes of @record
 * @milliseconds: its time to live, %DSQ_NEVER for one that does not expire
 * @error: return location for an error
 *
 * Sets a key to a record for some time, as [method@Store.set_expiring] does.
 *
 * Returns: %TRUE when it is set, to the promise of the [enum@PersistMode]
 *
 * Since: 1.0
 */
gboolean
dsq_store_set_expiring_record (DsqStore *self,
                               const guint8 *key,
                               gsize key_length,
                               const guint8 *record,
                               gsize record_length,
                               gint64 milliseconds,
                               GError **error)
{
  DsqEngine *engine;
  gboolean removed;
  DsqKey made;

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  engine = dsq_store_begin_call (self, key, key_length, &made, error);
  if (engine == NULL || !dsq_value_check_record (record, record_length, error))
    return FALSE;
  /* a call that has read the clock before would still see an entry that is over */
  if (milliseconds <= 0)
    return dsq_engine_remove (engine, dsq_store_get_promise (self), &made, &removed, error);
  return dsq_engine_set (
      engine,
      dsq_store_get_promise (self),
      &made,
      dsq_entry_new (&made, record, record_length, dsq_store_expiry_after (engine, milliseconds)),
      error);
}

/**
 * dsq_store_touch_key:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @milliseconds: its time to live from now on, %DSQ_NEVER to have it stay
 * @error: return location for an error
 *
 * Changes when a key expires. Its value and its place stay as they are.
 *
 * Returns: (type gint): %DSQ_ANSWER_YES if the key is there; %DSQ_ANSWER_NO if not, or with @error
 *   set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_touch_key (DsqStore *self,
                     const guint8 *key,
                     gsize key_length,
                     gint64 milliseconds,
                     GError **error)
{
  DsqEngine *engine;
  gboolean touched;
  DsqKey made;

  g_return_val_if_fail (DSQ_IS_STORE (self), DSQ_ANSWER_NO);

  engine = dsq_store_begin_call (self, key, key_length, &made, error);
  if (engine == NULL)
    return FALSE;
  if (milliseconds <= 0)
    return dsq_engine_remove (engine, dsq_store_get_promise (self), &made, &touched, error) &&
           touched;
  return dsq_engine_touch (engine,
                           dsq_store_get_promise (self),
                           &made,
                           dsq_store_expiry_after (engine, milliseconds),
                           &touched,
                           error) &&
         touched;
}

/**
 * dsq_store_get_expiry_key:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @error: return location for an error
 *
 * Gets how long a key has to live.
 *
 * Returns: milliseconds, more than 0; %DSQ_NEVER when it does not expire; 0 when the key is
 *   missing; -1 with @error set
 *
 * Since: 1.0
 */
gint64
dsq_store_get_expiry_key (DsqStore *self, const guint8 *key, gsize key_length, GError **error)
{
  DsqEngine *engine;
  g_autoptr (DsqEntry) entry = NULL;
  DsqKey made;

  g_return_val_if_fail (DSQ_IS_STORE (self), -1);

  engine = dsq_store_begin_call (self, key, key_length, &made, error);
  if (engine == NULL || !dsq_engine_get (engine, &made, &entry, error))
    return -1;
  if (entry == NULL)
    return 0;
  if (!entry->has_expiry)
    return DSQ_NEVER;
  return CLAMP (dsq_entry_expires (entry) - dsq_engine_now (engine), 0, DSQ_NEVER - 1);
}
