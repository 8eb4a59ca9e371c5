/* dsq-store-modify.c - a mapping that lives on disk: what depends on what is there
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/dsq-call-private.h"
#include "codec/dsq-value-private.h"
#include "dsq-error.h"
#include "store/dsq-store-private.h"

/* --- counting -------------------------------------------------------------------------------- */

typedef struct
{
  gint64 delta;
  gint64 value; /* in: of a missing key; out: after */
} Increment;

static gboolean
increment_cb (const DsqKey *key,
              DsqEntry *old,
              DsqEntry **out_new,
              gpointer user_data,
              GError **error)
{
  Increment *self = user_data;
  g_autofree guint8 *record = NULL;
  gint64 before = self->value;
  DsqValue value;
  gsize length;

  if (old != NULL &&
      !dsq_value_get_int64 (dsq_entry_record (old), old->record_length, &before, error))
    return FALSE;
  if (__builtin_add_overflow (before, self->delta, &self->value))
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_INVALID_VALUE,
                           "Failed to increment a key: the sum is beyond 64 bits");
      return FALSE;
    }
  dsq_value_init_int64 (&value, self->value);
  record = dsq_value_encode (&value, &length);
  *out_new = dsq_entry_new (key, record, length, old != NULL ? dsq_entry_expires (old) : 0);
  return TRUE;
}

static gboolean
increment (DsqStore *self,
           const guint8 *key,
           gsize key_length,
           gint64 delta,
           gint64 initial,
           gint64 *out_value,
           GError **error)
{
  Increment step = { delta, initial };
  DsqKey made;
  DsqEngine *engine = dsq_store_begin_call (self, key, key_length, &made, error);

  *out_value = 0;
  if (engine == NULL ||
      !dsq_engine_modify (engine, dsq_store_get_promise (self), &made, increment_cb, &step, error))
    return FALSE;
  *out_value = step.value;
  return TRUE;
}

/**
 * dsq_store_increment:
 * @self: a store
 * @key: the key
 * @delta: what is added; it may be negative
 * @initial: what a missing key counts as
 * @out_value: (out): the sum, which the key is set to
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Adds to an integer in one step: threads that count at the same time lose nothing, nor do
 * processes with %DSQ_PERSIST_WRITETHROUGH. The key expires when it would have.
 *
 * A value of another type gives %DSQ_ERROR_WRONG_TYPE, a sum beyond 64 bits
 * %DSQ_ERROR_INVALID_VALUE; the key is then as it was.
 *
 * Returns: %TRUE when it is set, to the promise of the [enum@PersistMode]
 *
 * Since: 1.0
 */
gboolean
dsq_store_increment (DsqStore *self,
                     const char *key,
                     gint64 delta,
                     gint64 initial,
                     gint64 *out_value,
                     GCancellable *cancellable,
                     GError **error)
{
  g_auto (DsqCall) call = { 0 };

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);
  g_return_val_if_fail (key != NULL, FALSE);
  g_return_val_if_fail (out_value != NULL, FALSE);

  *out_value = 0;
  if (dsq_call_begin (&call, cancellable, error) &&
      increment (self, (const guint8 *) key, strlen (key), delta, initial, out_value, error))
    return TRUE;
  dsq_store_name_key (self, key, error);
  return FALSE;
}

/**
 * dsq_store_increment_key:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @delta: what is added
 * @initial: what a missing key counts as
 * @out_value: (out): the sum, which the key is set to
 * @error: return location for an error
 *
 * Adds to an integer in one step, as [method@Store.increment] does.
 *
 * Returns: %TRUE when it is set, to the promise of the [enum@PersistMode]
 *
 * Since: 1.0
 */
gboolean
dsq_store_increment_key (DsqStore *self,
                         const guint8 *key,
                         gsize key_length,
                         gint64 delta,
                         gint64 initial,
                         gint64 *out_value,
                         GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);
  g_return_val_if_fail (out_value != NULL, FALSE);

  return increment (self, key, key_length, delta, initial, out_value, error);
}

/* --- comparing and setting ------------------------------------------------------------------- */

typedef struct
{
  const guint8 *expected; /* (unowned) a record, or nothing */
  gsize expected_length;
  const guint8 *record; /* (unowned) a record, or nothing */
  gsize record_length;
  gboolean keeps_expiry;
  gboolean is_set; /* out */
} Exchange;

static gboolean
exchange_cb (const DsqKey *key,
             DsqEntry *old,
             DsqEntry **out_new,
             gpointer user_data,
             GError **error)
{
  Exchange *self = user_data;
  gsize old_length = old != NULL ? old->record_length : 0;

  self->is_set =
      old_length == self->expected_length &&
      (old_length == 0 || memcmp (dsq_entry_record (old), self->expected, old_length) == 0);
  if (!self->is_set || (old == NULL && self->record_length == 0))
    return TRUE;
  if (self->record_length == 0)
    *out_new = dsq_entry_new_tombstone (key);
  else
    *out_new = dsq_entry_new (key,
                              self->record,
                              self->record_length,
                              old != NULL && self->keeps_expiry ? dsq_entry_expires (old) : 0);
  return TRUE;
}

static gboolean
exchange (DsqStore *self, const guint8 *key, gsize key_length, Exchange *step, GError **error)
{
  DsqKey made;
  DsqEngine *engine = dsq_store_begin_call (self, key, key_length, &made, error);

  return engine != NULL &&
         (step->record_length == 0 ||
          dsq_value_check_record (step->record, step->record_length, error)) &&
         dsq_engine_modify (engine,
                            dsq_store_get_promise (self),
                            &made,
                            exchange_cb,
                            step,
                            error) &&
         step->is_set;
}

/**
 * dsq_store_compare_and_set:
 * @self: a store
 * @key: the key
 * @expected: (nullable): what the key must hold; %NULL: it must be missing. A floating reference is
 *   taken over
 * @value: (nullable): what it is set to; %NULL: it is removed. A floating reference is taken over
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Sets a key if it holds what is expected, in one step.
 *
 * Values are compared by their stored form, so a value of another type is another value. As
 * [method@Store.set] does, this ends the key's time to live.
 *
 * Returns: %DSQ_ANSWER_YES when it is set, to the promise of the [enum@PersistMode];
 *   %DSQ_ANSWER_NO if it held something else, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_compare_and_set (DsqStore *self,
                           const char *key,
                           GVariant *expected,
                           GVariant *value,
                           GCancellable *cancellable,
                           GError **error)
{
  g_auto (DsqCall) call = { 0 };
  g_autoptr (GVariant) owned_expected = expected != NULL ? g_variant_ref_sink (expected) : NULL;
  g_autoptr (GVariant) owned_value = value != NULL ? g_variant_ref_sink (value) : NULL;
  g_autofree guint8 *expected_record = NULL;
  g_autofree guint8 *record = NULL;
  Exchange step = { 0 };

  g_return_val_if_fail (DSQ_IS_STORE (self), DSQ_ANSWER_NO);
  g_return_val_if_fail (key != NULL, DSQ_ANSWER_NO);

  if (!dsq_call_begin (&call, cancellable, error))
    return FALSE;
  if (expected != NULL)
    {
      expected_record = dsq_value_encode_variant (owned_expected, &step.expected_length, error);
      if (expected_record == NULL)
        return FALSE;
    }
  if (value != NULL)
    {
      record = dsq_value_encode_variant (owned_value, &step.record_length, error);
      if (record == NULL)
        return FALSE;
    }
  step.expected = expected_record;
  step.record = record;
  return exchange (self, (const guint8 *) key, strlen (key), &step, error);
}

/**
 * dsq_store_compare_and_set_record:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @expected: (array length=expected_length): the record that the key must have, empty: it must be
 *   missing
 * @expected_length: bytes of @expected
 * @record: (array length=record_length): the record that it gets, empty: it is removed
 * @record_length: bytes of @record
 * @keeps_expiry: whether the key expires when it would have, and not never
 * @error: return location for an error
 *
 * Sets a key if it has the expected record, byte for byte, in one step.
 *
 * Returns: (type gint): %DSQ_ANSWER_YES when it is set, to the promise of the [enum@PersistMode];
 *   %DSQ_ANSWER_NO if it had another record, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_compare_and_set_record (DsqStore *self,
                                  const guint8 *key,
                                  gsize key_length,
                                  const guint8 *expected,
                                  gsize expected_length,
                                  const guint8 *record,
                                  gsize record_length,
                                  gboolean keeps_expiry,
                                  GError **error)
{
  Exchange step = { expected, expected_length, record, record_length, keeps_expiry, FALSE };

  g_return_val_if_fail (DSQ_IS_STORE (self), DSQ_ANSWER_NO);

  return exchange (self, key, key_length, &step, error);
}
