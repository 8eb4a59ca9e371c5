/* dsq-store-memory.c - a mapping that lives on disk: calls that never wait for it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/dsq-call-private.h"
#include "codec/dsq-pack-private.h"
#include "codec/dsq-value-private.h"
#include "dsq-channel.h"
#include "dsq-error.h"
#include "store/dsq-store-private.h"

/*
 * What an event loop may call: each is the call of the name without the prefix, and says when that
 * would have to ask the disk, or wait for anything else than a moment.
 */

/* What a lookup gives for "must ask the disk": no record begins with it. */
static const guint8 must_ask[] = { 0 };

/**
 * dsq_store_peek_record:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Gets the record of a key as [method@Store.get_record] does, from memory only.
 *
 * Returns: (transfer full) (array length=out_length): the record; empty when the key is known to be
 *   missing; one byte, 0, when the disk has to be asked
 *
 * Since: 1.0
 */
guint8 *
dsq_store_peek_record (DsqStore *self,
                       const guint8 *key,
                       gsize key_length,
                       gsize *out_length,
                       GError **error)
{
  guint8 *record;

  dsq_call_begin_memory_only ();
  record = dsq_store_get_record (self, key, key_length, out_length, error);
  if (G_LIKELY (!dsq_call_end_memory_only ()))
    return record;
  *out_length = sizeof must_ask;
  return g_memdup2 (must_ask, sizeof must_ask);
}

/**
 * dsq_store_peek_text:
 * @self: a store
 * @key: a key that is a string
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Gets the record of a key as [method@Store.get_text] does, from memory only.
 *
 * Returns: (transfer full) (array length=out_length): what [method@Store.peek_record] gives
 *
 * Since: 1.0
 */
guint8 *
dsq_store_peek_text (DsqStore *self, const char *key, gsize *out_length, GError **error)
{
  guint8 *record;

  dsq_call_begin_memory_only ();
  record = dsq_store_get_text (self, key, out_length, error);
  if (G_LIKELY (!dsq_call_end_memory_only ()))
    return record;
  *out_length = sizeof must_ask;
  return g_memdup2 (must_ask, sizeof must_ask);
}

/**
 * dsq_store_peek_string:
 * @self: a store
 * @key: a key that is a string
 * @error: return location for an error
 *
 * Gets a string as [method@Store.get_string] does, from memory only.
 *
 * Errors: %G_IO_ERROR_WOULD_BLOCK when the disk has to be asked, and those of
 * [method@Store.get_string], of which %DSQ_ERROR_WRONG_TYPE tells that the key has another value.
 *
 * Returns: (transfer full) (nullable): the string, or %NULL without an error when the key is known
 *   to be missing
 *
 * Since: 1.0
 */
char *
dsq_store_peek_string (DsqStore *self, const char *key, GError **error)
{
  g_autofree guint8 *record = NULL;
  DsqEngine *engine;
  gboolean is_other;
  guint64 stamp;
  gsize length;
  char *string;
  DsqKey made;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (key != NULL, NULL);

  engine = dsq_store_begin_call (self, (const guint8 *) key, strlen (key), &made, error);
  if (engine == NULL)
    return NULL;
  dsq_call_begin_memory_only ();
  string = dsq_engine_peek_string (engine, &made, DSQ_VALUE_STRING, &stamp, &is_other);
  dsq_call_end_memory_only ();
  if (G_LIKELY (string != NULL))
    return string;
  if (is_other)
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_WRONG_TYPE,
                           "Failed to get a string: the key holds another value");
      return NULL;
    }
  record = dsq_store_peek_text (self, key, &length, error);
  if (length == 0)
    return NULL;
  if (record[0] != must_ask[0])
    return dsq_value_get_string (record, length, error);
  g_set_error_literal (error,
                       G_IO_ERROR,
                       G_IO_ERROR_WOULD_BLOCK,
                       "Failed to get a string: it is not in memory");
  return NULL;
}

/**
 * dsq_store_peek_stamped_string:
 * @self: a store
 * @key: a key that is a string
 * @out_string: (out) (transfer full) (nullable): the string
 * @error: return location for an error
 *
 * Gets a string and its stamp as [method@Store.get_stamped_string] does, from memory only.
 *
 * Returns: what that returns; 0 also when it would have to wait
 *
 * Since: 1.0
 */
guint64
dsq_store_peek_stamped_string (DsqStore *self, const char *key, char **out_string, GError **error)
{
  guint64 stamp;

  dsq_call_begin_memory_only ();
  stamp = dsq_store_get_stamped_string (self, key, out_string, error);
  return G_LIKELY (!dsq_call_end_memory_only ()) ? stamp : 0;
}

/* Nothing is asked for: an error where the store, as far as memory knows, cannot be used. */
static gboolean
check_usable (DsqStore *self, const guint8 *nothing, gsize length, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gsize pack_length;

  dsq_call_begin_memory_only ();
  g_free (dsq_store_get_pack (self, nothing, length, &pack_length, &local_error));
  dsq_call_end_memory_only ();
  if (local_error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/**
 * dsq_store_peek_pack:
 * @self: a store
 * @keys: (array length=length): the pack of encoded keys
 * @length: bytes of @keys
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Gets the records of many keys from memory only. A pack of none tells whether the store can be
 * used.
 *
 * Returns: (transfer full) (array length=out_length): the pack of what [method@Store.peek_record]
 *   gives for each
 *
 * Since: 1.0
 */
guint8 *
dsq_store_peek_pack (DsqStore *self,
                     const guint8 *keys,
                     gsize length,
                     gsize *out_length,
                     GError **error)
{
  g_autoptr (DsqPackBuilder) builder = NULL;
  DsqPackReader reader;
  const guint8 *key;
  guint32 key_length;
  gboolean is_empty = TRUE;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  *out_length = 0;
  if (!dsq_pack_reader_init (&reader, keys, length, error))
    return NULL;
  builder = dsq_pack_builder_new ();
  while (dsq_pack_reader_next (&reader, &key, &key_length))
    {
      g_autoptr (GError) local_error = NULL;
      g_autofree guint8 *record = NULL;
      gsize record_length;

      is_empty = FALSE;
      record = dsq_store_peek_record (self, key, key_length, &record_length, &local_error);
      if (local_error != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&local_error));
          return NULL;
        }
      dsq_pack_builder_add (builder, record, record_length);
    }
  if (is_empty && !check_usable (self, keys, length, error))
    return NULL;
  return dsq_pack_builder_finish (g_steal_pointer (&builder), out_length, error);
}

/**
 * dsq_store_try_set_record:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @record: (array length=record_length): the record: a type byte and its payload
 * @record_length: bytes of @record
 * @error: return location for an error
 *
 * Sets a key to a record as [method@Store.set_record] does, unless that would have to wait: for a
 * commit, or for room when too much is unflushed.
 *
 * Returns: (type gint): %DSQ_ANSWER_YES when it is set; %DSQ_ANSWER_NO when it would have to wait,
 *   or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_try_set_record (DsqStore *self,
                          const guint8 *key,
                          gsize key_length,
                          const guint8 *record,
                          gsize record_length,
                          GError **error)
{
  DsqAnswer is_set;

  dsq_call_begin_memory_only ();
  is_set = dsq_store_set_record (self, key, key_length, record, record_length, error);
  dsq_call_end_memory_only ();
  return is_set;
}

/**
 * dsq_store_try_set_text:
 * @self: a store
 * @text: a key that is a string, the type byte %DSQ_VALUE_STRING, and a string
 * @error: return location for an error
 *
 * Sets a key to a string as [method@Store.set_text] does, unless that would have to wait.
 *
 * Returns: what [method@Store.set_text] gives when it is set; 0 when it would have to wait, when
 * @text can be read in more than one way, or with @error set
 *
 * Since: 1.0
 */
guint64
dsq_store_try_set_text (DsqStore *self, const char *text, GError **error)
{
  guint64 stamp;

  dsq_call_begin_memory_only ();
  stamp = dsq_store_set_text (self, text, error);
  dsq_call_end_memory_only ();
  return stamp;
}

/**
 * dsq_store_try_set_pack:
 * @self: a store
 * @entries: (array length=length): the pack of key, record, key, record, ...
 * @length: bytes of @entries
 * @error: return location for an error
 *
 * Sets many keys, all or none, as [method@Store.set_pack] does, unless that would have to wait.
 *
 * Returns: (type gint): %DSQ_ANSWER_YES when all are set; %DSQ_ANSWER_NO when it would have to
 *   wait, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_try_set_pack (DsqStore *self, const guint8 *entries, gsize length, GError **error)
{
  DsqAnswer is_set;

  dsq_call_begin_memory_only ();
  is_set = dsq_store_set_pack (self, entries, length, error);
  dsq_call_end_memory_only ();
  return is_set;
}

/**
 * dsq_store_try_contains_key:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @error: return location for an error
 *
 * Whether a key is there, as far as memory knows.
 *
 * Returns: (type gint): %DSQ_ANSWER_YES if it is; %DSQ_ANSWER_UNKNOWN when the disk has to be
 *   asked; %DSQ_ANSWER_NO if not, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_try_contains_key (DsqStore *self, const guint8 *key, gsize key_length, GError **error)
{
  DsqAnswer answer;

  dsq_call_begin_memory_only ();
  answer = dsq_store_contains_key (self, key, key_length, error);
  return dsq_call_end_memory_only () ? DSQ_ANSWER_UNKNOWN : answer;
}

/**
 * dsq_store_try_remove_key:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @error: return location for an error
 *
 * Removes a key as [method@Store.remove_key] does, unless that would have to ask the disk or wait.
 *
 * Returns: (type gint): %DSQ_ANSWER_YES if it was there; %DSQ_ANSWER_UNKNOWN when the disk has to
 *   be asked; %DSQ_ANSWER_NO if not, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_try_remove_key (DsqStore *self, const guint8 *key, gsize key_length, GError **error)
{
  DsqAnswer answer;

  dsq_call_begin_memory_only ();
  answer = dsq_store_remove_key (self, key, key_length, error);
  return dsq_call_end_memory_only () ? DSQ_ANSWER_UNKNOWN : answer;
}

/**
 * dsq_store_try_count:
 * @self: a store
 * @error: return location for an error
 *
 * Counts the entries as [method@Store.count] does, unless that would have to ask the disk.
 *
 * Returns: the number of entries; -1 when the disk has to be asked or with @error set
 *
 * Since: 1.0
 */
gint64
dsq_store_try_count (DsqStore *self, GError **error)
{
  gint64 count;

  dsq_call_begin_memory_only ();
  count = dsq_store_count (self, NULL, error);
  return dsq_call_end_memory_only () ? -1 : count;
}
