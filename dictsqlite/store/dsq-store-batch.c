/* dsq-store-batch.c - a mapping that lives on disk: many entries
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/dsq-call-private.h"
#include "codec/dsq-pack-private.h"
#include "codec/dsq-value-private.h"
#include "dsq-error.h"
#include "store/dsq-store-private.h"

/* --- keys and entries of a call --------------------------------------------------------------- */

static gboolean
keys_from_strings (DsqStore *self,
                   const char *const *strings,
                   DsqKey **out_keys,
                   gsize *out_n_keys,
                   GError **error)
{
  gsize n_keys = g_strv_length ((char **) strings);
  g_autofree DsqKey *keys = g_new (DsqKey, n_keys);

  for (gsize i = 0; i < n_keys; i++)
    if (!dsq_store_make_key (self,
                             (const guint8 *) strings[i],
                             strlen (strings[i]),
                             &keys[i],
                             error))
      return FALSE;
  *out_keys = g_steal_pointer (&keys);
  *out_n_keys = n_keys;
  return TRUE;
}

static gboolean
keys_from_pack (DsqStore *self,
                const guint8 *pack,
                gsize length,
                DsqKey **out_keys,
                gsize *out_n_keys,
                gboolean *out_texts,
                GError **error)
{
  g_autofree DsqKey *keys = NULL;
  DsqPackReader reader;
  const guint8 *item;
  guint32 item_length;

  if (!dsq_pack_reader_init (&reader, pack, length, error))
    return FALSE;
  keys = g_new (DsqKey, reader.n_items);
  for (gsize i = 0; dsq_pack_reader_next (&reader, &item, &item_length); i++)
    if (!dsq_store_make_key (self, item, item_length, &keys[i], error))
      return FALSE;
  *out_keys = g_steal_pointer (&keys);
  *out_n_keys = reader.n_items;
  *out_texts = reader.lengths == NULL;
  return TRUE;
}

gboolean
dsq_store_check_type (GVariant *entries, const GVariantType *type, GError **error)
{
  if (g_variant_is_of_type (entries, type))
    return TRUE;
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_INVALID_ARGUMENT,
               "Failed to read the entries: they are of type '%s', not '%.*s'",
               g_variant_get_type_string (entries),
               (int) g_variant_type_get_string_length (type),
               g_variant_type_peek_string (type));
  return FALSE;
}

static void
entry_free (gpointer data)
{
  dsq_entry_unref (data);
}

/* A batch of nothing names no table, so that the engine cannot tell whether it is there. */
static gboolean
check_batch (DsqStore *self, DsqEngine *engine, gsize n_items, GError **error)
{
  return n_items > 0 || dsq_engine_check_open (engine, self->table, error);
}

/* Hands the entries over to the engine. */
static gboolean
set_entries (DsqStore *self, DsqEngine *engine, GPtrArray *entries, GError **error)
{
  gsize n_entries = entries->len;
  g_autofree gpointer *stolen = g_ptr_array_steal (entries, NULL);

  return check_batch (self, engine, n_entries, error) &&
         dsq_engine_set_many (engine,
                              dsq_store_get_promise (self),
                              (DsqEntry **) stolen,
                              n_entries,
                              error);
}

static gboolean
add_entry (DsqStore *self,
           GPtrArray *entries,
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
  entry = dsq_store_make_entry (&made, record, record_length, error);
  if (entry == NULL)
    return FALSE;
  g_ptr_array_add (entries, entry);
  return TRUE;
}

static void
entries_free (DsqEntry **entries, gsize n_entries)
{
  for (gsize i = 0; i < n_entries; i++)
    if (entries[i] != NULL)
      dsq_entry_unref (entries[i]);
  g_free (entries);
}

/* --- get many --------------------------------------------------------------------------------- */

gboolean
dsq_store_get_entry (DsqEngine *engine, const DsqKey *key, DsqEntry **out_entry, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_autoptr (GByteArray) item = NULL;

  if (dsq_engine_get (engine, key, out_entry, &local_error))
    return TRUE;
  if (!g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_CORRUPT))
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  item = dsq_pack_make_error (local_error);
  *out_entry = dsq_entry_new (key, item->data, item->len, 0);
  return TRUE;
}

gboolean
dsq_store_get_entries (DsqEngine *engine,
                       const DsqKey *keys,
                       gsize n_keys,
                       DsqEntry **out,
                       GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gboolean success = dsq_engine_get_many (engine, keys, n_keys, out, &local_error);

  if (success || !g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_CORRUPT))
    {
      if (!success)
        g_propagate_error (error, g_steal_pointer (&local_error));
      return success;
    }
  for (gsize i = 0; i < n_keys; i++)
    if (!dsq_store_get_entry (engine, &keys[i], &out[i], error))
      {
        while (i-- > 0)
          g_clear_pointer (&out[i], dsq_entry_unref);
        return FALSE;
      }
  return TRUE;
}

/**
 * dsq_store_get_many:
 * @self: a store
 * @keys: (array zero-terminated=1): the keys
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Gets many values of any type at once. What is not in memory is read from the file in one go.
 *
 * A value that [method@Store.get] cannot give, since it has no form as a #GVariant or is damaged,
 * is nothing, and the others are given all the same.
 *
 * Returns: (transfer full): an `a{smv}` of the keys that are there, in the order of @keys; %NULL
 *   with @error set
 *
 * Since: 1.0
 */
GVariant *
dsq_store_get_many (DsqStore *self,
                    const char *const *keys,
                    GCancellable *cancellable,
                    GError **error)
{
  DsqEngine *engine;
  g_autofree DsqKey *made = NULL;
  DsqEntry **entries;
  gsize n_keys;
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{smv}"));
  g_auto (DsqCall) call = { 0 };
  gboolean success;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (keys != NULL, NULL);

  engine = dsq_store_get_engine (self, error);
  if (engine == NULL || !dsq_call_begin (&call, cancellable, error) ||
      !keys_from_strings (self, keys, &made, &n_keys, error))
    return NULL;
  entries = g_new0 (DsqEntry *, n_keys);
  success = check_batch (self, engine, n_keys, error) &&
            dsq_store_get_entries (engine, made, n_keys, entries, error);
  for (gsize i = 0; i < n_keys && success; i++)
    if (entries[i] != NULL)
      g_variant_builder_add (&builder, "{s@mv}", keys[i], dsq_store_maybe_value (entries[i]));
  entries_free (entries, n_keys);
  return success ? g_variant_ref_sink (g_variant_builder_end (&builder)) : NULL;
}

/* The strings without a byte 0 that all of @entries are, of which there is one at least, as a pack
 * of texts; NULL of any others. */
static guint8 *
pack_texts (DsqEntry *const *entries, gsize n_entries, gsize *out_length)
{
  guint8 *pack;
  guint8 *at;

  *out_length = DSQ_PACK_TEXTS_HEAD - 1;
  for (gsize i = 0; i < n_entries; i++)
    {
      const guint8 *record = entries[i] != NULL ? dsq_entry_record (entries[i]) : NULL;

      if (record == NULL || record[0] != DSQ_VALUE_STRING ||
          memchr (record, 0, entries[i]->record_length) != NULL)
        return NULL;
      *out_length += entries[i]->record_length; /* without its type, with what ends it */
    }
  if (*out_length > G_MAXUINT32)
    return NULL;
  pack = g_malloc (*out_length + 1);
  at = dsq_pack_write_texts_head (pack, (guint32) n_entries, 1);
  for (gsize i = 0; i < n_entries; i++)
    {
      gsize length = entries[i]->record_length - 1;

      memcpy (at, dsq_entry_record (entries[i]) + 1, length);
      at[length] = 0;
      at += length + 1;
    }
  return pack;
}

static guint8 *
pack_records (DsqEntry *const *entries, gsize n_entries, gsize *out_length, GError **error)
{
  DsqPackBuilder *builder = dsq_pack_builder_new ();

  for (gsize i = 0; i < n_entries; i++)
    dsq_pack_builder_add (builder,
                          entries[i] != NULL ? dsq_entry_record (entries[i]) : NULL,
                          entries[i] != NULL ? entries[i]->record_length : 0);
  return dsq_pack_builder_finish (builder, out_length, error);
}

/**
 * dsq_store_get_pack:
 * @self: a store
 * @keys: (array length=length): a pack of encoded keys
 * @length: bytes of @keys
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Gets many records at once. What is not in memory is read from the file in one go.
 *
 * Where @keys is a pack of texts, and all of them are there with strings that have no NUL
 * character, the answer is the pack of these strings as texts.
 *
 * A row that is damaged does not fail the others. In place of its record stands what no record is:
 * a byte 0, the error's code as [error@Error] has it, a byte 1, and its message.
 *
 * Returns: (transfer full) (array length=out_length): the pack of a record for each key, empty
 * where the key is missing
 *
 * Since: 1.0
 */
guint8 *
dsq_store_get_pack (DsqStore *self,
                    const guint8 *keys,
                    gsize length,
                    gsize *out_length,
                    GError **error)
{
  DsqEngine *engine;
  g_autofree DsqKey *made = NULL;
  DsqEntry **entries;
  guint8 *pack = NULL;
  gsize n_keys;
  gboolean texts;
  gboolean success;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  *out_length = 0;
  engine = dsq_store_get_engine (self, error);
  if (engine == NULL || !keys_from_pack (self, keys, length, &made, &n_keys, &texts, error))
    return NULL;
  entries = g_new0 (DsqEntry *, n_keys);
  success = check_batch (self, engine, n_keys, error) &&
            dsq_store_get_entries (engine, made, n_keys, entries, error);
  if (success && texts)
    pack = pack_texts (entries, n_keys, out_length);
  if (success && pack == NULL)
    pack = pack_records (entries, n_keys, out_length, error);
  entries_free (entries, n_keys);
  return pack;
}

/* --- set many --------------------------------------------------------------------------------- */

/**
 * dsq_store_set_many:
 * @self: a store
 * @entries: an `a{sv}`; a floating reference is taken over
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Sets many keys, all or none: in one transaction of the file, and at one instant for other
 * threads. Values are stored as [method@Store.set] does. %DSQ_ERROR_INVALID_ARGUMENT is for
 * @entries of another type.
 *
 * Returns: %TRUE when they are set, to the promise of the [enum@PersistMode]
 *
 * Since: 1.0
 */
gboolean
dsq_store_set_many (DsqStore *self, GVariant *entries, GCancellable *cancellable, GError **error)
{
  DsqEngine *engine;
  g_autoptr (GVariant) owned = NULL;
  g_autoptr (GPtrArray) made = g_ptr_array_new_with_free_func (entry_free);
  GVariantIter iter;
  g_auto (DsqCall) call = { 0 };
  const char *key;
  GVariant *value;

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);
  g_return_val_if_fail (entries != NULL, FALSE);

  owned = g_variant_ref_sink (entries);
  engine = dsq_store_get_engine (self, error);
  if (engine == NULL || !dsq_call_begin (&call, cancellable, error) ||
      !dsq_store_check_type (owned, G_VARIANT_TYPE_VARDICT, error))
    return FALSE;
  g_variant_iter_init (&iter, owned);
  while (g_variant_iter_next (&iter, "{&sv}", &key, &value))
    {
      g_autoptr (GVariant) held = value;
      g_autofree guint8 *record = NULL;
      gsize length;

      record = dsq_value_encode_variant (held, &length, error);
      if (record == NULL ||
          !add_entry (self, made, (const guint8 *) key, strlen (key), record, length, error))
        return FALSE;
    }
  return set_entries (self, engine, made, error);
}

/**
 * dsq_store_set_pack:
 * @self: a store
 * @entries: (array length=length): a pack of key, record, key, record, ...
 * @length: bytes of @entries
 * @error: return location for an error
 *
 * Sets many keys to records, all or none: in one transaction of the file, and at one instant for
 * other threads. The last of equal keys wins.
 *
 * Returns: %TRUE when they are set, to the promise of the [enum@PersistMode]
 *
 * Since: 1.0
 */
gboolean
dsq_store_set_pack (DsqStore *self, const guint8 *entries, gsize length, GError **error)
{
  DsqEngine *engine;
  g_autoptr (GPtrArray) made = NULL;
  DsqPackReader reader;
  const guint8 *key;
  const guint8 *record;
  guint32 key_length;
  guint32 record_length;

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  engine = dsq_store_get_engine (self, error);
  if (engine == NULL || !dsq_pack_reader_init (&reader, entries, length, error))
    return FALSE;
  if (reader.n_items % 2 != 0)
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_INVALID_ARGUMENT,
                           "Failed to read the pack: a key has no record");
      return FALSE;
    }
  made = g_ptr_array_new_full (reader.n_items / 2, entry_free);
  while (dsq_pack_reader_next (&reader, &key, &key_length))
    {
      dsq_pack_reader_next (&reader, &record, &record_length);
      if (!add_entry (self, made, key, key_length, record, record_length, error))
        return FALSE;
    }
  return set_entries (self, engine, made, error);
}

/* --- clear, count ----------------------------------------------------------------------------- */

/**
 * dsq_store_clear:
 * @self: a store
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Removes all entries. In the file they are gone with the next flush, in one transaction with what
 * is written after.
 *
 * Returns: %TRUE when the store is empty
 *
 * Since: 1.0
 */
gboolean
dsq_store_clear (DsqStore *self, GCancellable *cancellable, GError **error)
{
  g_auto (DsqCall) call = { 0 };
  DsqEngine *engine;

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  engine = dsq_store_get_engine (self, error);
  return engine != NULL && dsq_call_begin (&call, cancellable, error) &&
         dsq_engine_clear (engine, dsq_store_get_promise (self), self->table, error);
}

/**
 * dsq_store_count:
 * @self: a store
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Counts the entries. This does not depend on how many there are; but the keys that were set since
 * the last count, and are not in the file as far as is known, are looked up there first.
 *
 * Returns: the number of entries; -1 with @error set
 *
 * Since: 1.0
 */
gint64
dsq_store_count (DsqStore *self, GCancellable *cancellable, GError **error)
{
  DsqEngine *engine;
  g_auto (DsqCall) call = { 0 };
  guint64 count;

  g_return_val_if_fail (DSQ_IS_STORE (self), -1);

  engine = dsq_store_get_engine (self, error);
  if (engine == NULL || !dsq_call_begin (&call, cancellable, error) ||
      !dsq_engine_count (engine, self->table, &count, error))
    return -1;
  return (gint64) count;
}
