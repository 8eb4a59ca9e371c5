/* dsq-store-apply.c - a mapping that lives on disk: many changes in one
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/dsq-call-private.h"
#include "codec/dsq-pack-private.h"
#include "codec/dsq-value-private.h"
#include "dsq-error.h"
#include "store/dsq-store-private.h"

/* What keys must hold, or are set to: entries, and tombstones for none. */
typedef struct
{
  DsqEntry **entries; /* (owned) */
  gsize n_entries;
} States;

static void
states_clear (States *self)
{
  for (gsize i = 0; i < self->n_entries; i++)
    dsq_entry_unref (self->entries[i]);
  g_free (self->entries);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (States, states_clear)

/* An entry of the record, or a tombstone when there is none. */
static gboolean
add_state (DsqStore *self,
           States *states,
           const guint8 *key,
           gsize key_length,
           const guint8 *record,
           gsize record_length,
           GError **error)
{
  DsqEntry *entry;
  DsqKey made;

  if (!dsq_store_make_key (self, key, key_length, &made, error))
    return FALSE;
  if (record_length == 0)
    entry = dsq_entry_new_tombstone (&made);
  else
    entry = dsq_store_make_entry (&made, record, record_length, error);
  if (entry == NULL)
    return FALSE;
  states->entries[states->n_entries++] = entry;
  return TRUE;
}

static gboolean
apply (DsqStore *self,
       const States *expected,
       const States *changes,
       gboolean clears,
       GCancellable *cancellable,
       GError **error)
{
  g_auto (DsqCall) call = { 0 };
  DsqBatchTable table = { .id = self->table, .clears = clears };
  const DsqEngineBatch batch = {
    .promise = dsq_store_get_promise (self),
    .tables = &table,
    .n_tables = 1,
    .changes = changes->entries,
    .n_changes = changes->n_entries,
    .expected = expected->entries,
    .n_expected = expected->n_entries,
  };
  DsqEngine *engine = dsq_store_get_engine (self, error);
  gboolean is_applied;

  return engine != NULL && dsq_call_begin (&call, cancellable, error) &&
         dsq_engine_apply (engine, &batch, &is_applied, error) && is_applied;
}

static gboolean
add_variants (DsqStore *self, States *states, GVariant *variants, GError **error)
{
  GVariantIter iter;
  const char *key;
  GVariant *value;

  if (!dsq_store_check_type (variants, G_VARIANT_TYPE ("a{smv}"), error))
    return FALSE;
  states->entries = g_new (DsqEntry *, g_variant_n_children (variants));
  g_variant_iter_init (&iter, variants);
  while (g_variant_iter_next (&iter, "{&smv}", &key, &value))
    {
      g_autoptr (GVariant) held = value;
      g_autofree guint8 *record = NULL;
      gsize length = 0;

      if (held != NULL && (record = dsq_value_encode_variant (held, &length, error)) == NULL)
        return FALSE;
      if (!add_state (self, states, (const guint8 *) key, strlen (key), record, length, error))
        return FALSE;
    }
  return TRUE;
}

/**
 * dsq_store_apply:
 * @self: a store
 * @expected: (nullable): an `a{smv}` of what keys must hold, nothing for those that must be
 *   missing; a floating reference is taken over
 * @changes: an `a{smv}` of what keys are set to, nothing for those that are removed; a floating
 *   reference is taken over
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Sets and removes many keys, all or none: in one transaction of the file, and at one instant for
 * other threads. If a key does not hold what is expected, nothing is changed, nor is it with an
 * error, which %DSQ_ERROR_INVALID_ARGUMENT is for variants of another type.
 *
 * Returns: %DSQ_ANSWER_YES when all is done, to the promise of the [enum@PersistMode];
 *   %DSQ_ANSWER_NO if a key was not as expected, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_apply (DsqStore *self,
                 GVariant *expected,
                 GVariant *changes,
                 GCancellable *cancellable,
                 GError **error)
{
  g_autoptr (GVariant) owned_expected = NULL;
  g_autoptr (GVariant) owned_changes = NULL;
  g_auto (States) wanted = { NULL, 0 };
  g_auto (States) made = { NULL, 0 };

  g_return_val_if_fail (DSQ_IS_STORE (self), DSQ_ANSWER_NO);
  g_return_val_if_fail (changes != NULL, DSQ_ANSWER_NO);

  owned_expected = expected != NULL ? g_variant_ref_sink (expected) : NULL;
  owned_changes = g_variant_ref_sink (changes);
  return (expected == NULL || add_variants (self, &wanted, expected, error)) &&
         add_variants (self, &made, changes, error) &&
         apply (self, &wanted, &made, FALSE, cancellable, error);
}

static gboolean
add_pack (DsqStore *self, States *states, const guint8 *pack, gsize length, GError **error)
{
  DsqPackReader reader;
  const guint8 *key;
  const guint8 *record;
  guint32 key_length;
  guint32 record_length;

  if (length == 0)
    return TRUE;
  if (!dsq_pack_reader_init (&reader, pack, length, error))
    return FALSE;
  if (reader.n_items % 2 != 0)
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_INVALID_ARGUMENT,
                           "Failed to read the pack: a key has no record");
      return FALSE;
    }
  states->entries = g_new (DsqEntry *, reader.n_items / 2);
  while (dsq_pack_reader_next (&reader, &key, &key_length))
    {
      dsq_pack_reader_next (&reader, &record, &record_length);
      if (!add_state (self, states, key, key_length, record, record_length, error))
        return FALSE;
    }
  return TRUE;
}

/* Gives the entries their times to live. */
static gboolean
set_times (DsqStore *self, States *states, const gint64 *times, gsize n_times, GError **error)
{
  DsqEngine *engine = dsq_store_get_engine (self, error);

  if (engine == NULL)
    return FALSE;
  if (n_times != states->n_entries)
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_INVALID_ARGUMENT,
                           "Failed to change keys: there must be one time to live for each");
      return FALSE;
    }
  for (gsize i = 0; i < n_times; i++)
    {
      g_autoptr (DsqEntry) before = states->entries[i];
      gint64 expires = dsq_store_expiry_after (engine, times[i]);
      DsqKey key = dsq_entry_as_key (before);

      if (times[i] <= 0)
        states->entries[i] = dsq_entry_new_tombstone (&key);
      else if (dsq_entry_is_tombstone (before) || expires == 0)
        states->entries[i] = dsq_entry_ref (before);
      else
        states->entries[i] =
            dsq_entry_new (&key, dsq_entry_record (before), before->record_length, expires);
    }
  return TRUE;
}

/**
 * dsq_store_apply_pack:
 * @self: a store
 * @expected: (array length=expected_length): a pack of key, record, key, record, ...: what keys
 *   must hold, an empty record for those that must be missing
 * @expected_length: bytes of @expected
 * @changes: (array length=changes_length): a pack of key, record, key, record, ...: what keys are
 *   set to, an empty record for those that are removed
 * @changes_length: bytes of @changes
 * @clears: whether all entries are removed before the changes
 * @times: (array length=n_times) (nullable): the time to live of each change's key, in
 *   milliseconds, %DSQ_NEVER for one that does not expire; %NULL or none: no key expires
 * @n_times: elements of @times
 * @error: return location for an error
 *
 * Sets and removes many keys, all or none: in one transaction of the file, and at one instant for
 * other threads. If a key does not hold what is expected, byte for byte, nothing is changed.
 *
 * The changes are made in their order, so a key that is removed and set comes last. A pack of no
 * bytes is one without items.
 *
 * Returns: (type gint): %DSQ_ANSWER_YES when all is done, to the promise of the
 *   [enum@PersistMode]; %DSQ_ANSWER_NO if a key was not as expected, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_apply_pack (DsqStore *self,
                      const guint8 *expected,
                      gsize expected_length,
                      const guint8 *changes,
                      gsize changes_length,
                      gboolean clears,
                      const gint64 *times,
                      gsize n_times,
                      GError **error)
{
  g_auto (States) wanted = { NULL, 0 };
  g_auto (States) made = { NULL, 0 };

  g_return_val_if_fail (DSQ_IS_STORE (self), DSQ_ANSWER_NO);

  return add_pack (self, &wanted, expected, expected_length, error) &&
         add_pack (self, &made, changes, changes_length, error) &&
         (n_times == 0 || set_times (self, &made, times, n_times, error)) &&
         apply (self, &wanted, &made, clears, NULL, error);
}
