/* dsq-store-records.c - a mapping that lives on disk: one entry, as bindings call it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-pack-private.h"
#include "store/dsq-store-private.h"

/* These are the calls that Python makes for every db[k]: one each, on arrays of bytes, with nothing
 * allocated but what is stored or returned. */

/* Whoever closes the store, or has it use another engine, moves all words, before or after this. */
static inline guint64
check_stamp (DsqStore *self, DsqEngine *engine, guint64 stamp)
{
  return dsq_store_get_engine (self, NULL) == engine ? stamp : DSQ_STAMP_NONE;
}

/**
 * dsq_store_get_record:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Gets the record of a key.
 *
 * Returns: (transfer full) (array length=out_length): the record, empty when the key is missing
 *
 * Since: 1.0
 */
guint8 *
dsq_store_get_record (DsqStore *self,
                      const guint8 *key,
                      gsize key_length,
                      gsize *out_length,
                      GError **error)
{
  DsqEngine *engine;
  guint8 *record;
  DsqKey made;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  *out_length = 0;
  engine = dsq_store_begin_call (self, key, key_length, &made, error);
  if (engine == NULL || !dsq_engine_get_record (engine, &made, FALSE, &record, out_length, error))
    return NULL;
  return record;
}

/* The stamp, 0 with @error set. */
static inline guint64
set_record (DsqStore *self,
            const guint8 *key,
            gsize key_length,
            const guint8 *record,
            gsize record_length,
            GError **error)
{
  guint64 stamp;
  DsqEngine *engine;
  DsqEntry *entry;
  DsqKey made;

  engine = dsq_store_begin_call (self, key, key_length, &made, error);
  if (engine == NULL)
    return 0;
  entry = dsq_store_make_entry (&made, record, record_length, error);
  if (entry == NULL ||
      !dsq_engine_set_stamped (engine, dsq_store_get_promise (self), &made, entry, &stamp, error))
    return 0;
  return check_stamp (self, engine, stamp);
}

/**
 * dsq_store_set_record:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @record: (array length=record_length): the record: a type byte and its payload
 * @record_length: bytes of @record
 * @error: return location for an error
 *
 * Sets a key to a record. The previous one stays when the call fails.
 *
 * Returns: %TRUE when it is set, to the promise of the [enum@PersistMode]
 *
 * Since: 1.0
 */
gboolean
dsq_store_set_record (DsqStore *self,
                      const guint8 *key,
                      gsize key_length,
                      const guint8 *record,
                      gsize record_length,
                      GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);

  return set_record (self, key, key_length, record, record_length, error) != 0;
}

/**
 * dsq_store_contains_key:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @error: return location for an error
 *
 * Whether a key is there. Its value is not read.
 *
 * Returns: (type gint): %DSQ_ANSWER_YES if it is; %DSQ_ANSWER_NO if not, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_contains_key (DsqStore *self, const guint8 *key, gsize key_length, GError **error)
{
  DsqEngine *engine;
  gboolean answer;
  DsqKey made;

  g_return_val_if_fail (DSQ_IS_STORE (self), DSQ_ANSWER_NO);

  engine = dsq_store_begin_call (self, key, key_length, &made, error);
  return engine != NULL && dsq_engine_contains (engine, &made, &answer, error) && answer;
}

/**
 * dsq_store_remove_key:
 * @self: a store
 * @key: (array length=key_length): the encoded key
 * @key_length: bytes of @key
 * @error: return location for an error
 *
 * Removes a key.
 *
 * Returns: (type gint): %DSQ_ANSWER_YES if it was there; %DSQ_ANSWER_NO if not, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_remove_key (DsqStore *self, const guint8 *key, gsize key_length, GError **error)
{
  DsqEngine *engine;
  gboolean answer;
  DsqKey made;

  g_return_val_if_fail (DSQ_IS_STORE (self), DSQ_ANSWER_NO);

  engine = dsq_store_begin_call (self, key, key_length, &made, error);
  return engine != NULL &&
         dsq_engine_remove (engine, dsq_store_get_promise (self), &made, &answer, error) && answer;
}

/**
 * dsq_store_get_last_pack:
 * @self: a store
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Gets the newest entry, the last in the order of insertion. Where others write meanwhile the
 * record may be one that was set after the key was the newest.
 *
 * [method@Store.compare_and_set_record] then removes it, unless it has been changed meanwhile.
 *
 * Returns: (transfer full) (array length=out_length): the pack of its key and its record, empty
 * when the store is
 *
 * Since: 1.0
 */
guint8 *
dsq_store_get_last_pack (DsqStore *self, gsize *out_length, GError **error)
{
  DsqEngine *engine;
  g_autoptr (DsqEntry) entry = NULL;
  DsqPackBuilder *builder;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  *out_length = 0;
  engine = dsq_store_get_engine (self, error);
  if (engine == NULL || !dsq_engine_get_last (engine, self->table, &entry, error) || entry == NULL)
    return NULL;
  builder = dsq_pack_builder_new ();
  dsq_pack_builder_add (builder, dsq_entry_key (entry), entry->key_length);
  dsq_pack_builder_add (builder, dsq_entry_record (entry), entry->record_length);
  return dsq_pack_builder_finish (builder, out_length, error);
}

/* --- strings ---------------------------------------------------------------------------------- */

/* For bindings to which a C string is cheaper than an array: PyGObject takes a third less time for
 * one. It cuts a string at its first U+0000, silently: so the caller makes sure that there is none,
 * and passes all other keys and strings as arrays. */

/**
 * dsq_store_get_text:
 * @self: a store
 * @key: a key that is a string
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Gets the record of a key, as [method@Store.get_record] does.
 *
 * Returns: (transfer full) (array length=out_length): the record, empty when the key is missing
 *
 * Since: 1.0
 */
guint8 *
dsq_store_get_text (DsqStore *self, const char *key, gsize *out_length, GError **error)
{
  g_return_val_if_fail (key != NULL, NULL);

  return dsq_store_get_record (self, (const guint8 *) key, strlen (key), out_length, error);
}

/**
 * dsq_store_get_stamped_text:
 * @self: a store
 * @key: a key that is a string
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Gets the record of a key, as [method@Store.get_text] does, and what tells how long it is the
 * newest, for who keeps it.
 *
 * Before the record stand the 8 bytes of a stamp, in the machine's own byte order. It is 1 where
 * the record is not to be kept, since it expires, is long or does not stay in memory. Otherwise it
 * is one of the words of [method@Store.map_words], the one whose number is the stamp modulo
 * %DSQ_WORD_WALKS. As long as it is that word still, looked at after the one of %DSQ_WORD_LIVE,
 * which must be what that was before some call that has returned since, the record is the key's
 * newest.
 *
 * Returns: (transfer full) (array length=out_length): a stamp and the record; empty when the key is
 *   missing
 *
 * Since: 1.0
 */
guint8 *
dsq_store_get_stamped_text (DsqStore *self, const char *key, gsize *out_length, GError **error)
{
  DsqEngine *engine;
  guint8 *stamped;
  guint64 stamp;
  DsqKey made;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (key != NULL, NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  *out_length = 0;
  engine = dsq_store_begin_call (self, (const guint8 *) key, strlen (key), &made, error);
  if (engine == NULL || !dsq_engine_get_record (engine, &made, TRUE, &stamped, out_length, error))
    return NULL;
  if (stamped != NULL)
    {
      memcpy (&stamp, stamped, sizeof stamp);
      stamp = check_stamp (self, engine, stamp);
      memcpy (stamped, &stamp, sizeof stamp);
    }
  return stamped;
}

/**
 * dsq_store_get_stamped_string:
 * @self: a store
 * @key: a key that is a string
 * @out_string: (out) (transfer full) (nullable): the string
 * @error: return location for an error
 *
 * Gets the string that a key holds, and what tells how long it is the newest, for who keeps it.
 *
 * Returns: the stamp, as [method@Store.get_stamped_text] has it; 0 without an error when the key
 *   holds something else, or U+0000 is in it; and other than 0 without a string when it is missing
 *
 * Since: 1.0
 */
guint64
dsq_store_get_stamped_string (DsqStore *self, const char *key, char **out_string, GError **error)
{
  g_autofree guint8 *stamped = NULL;
  DsqEngine *engine;
  gboolean is_other;
  gsize length;
  guint64 stamp;
  DsqKey made;

  g_return_val_if_fail (DSQ_IS_STORE (self), 0);
  g_return_val_if_fail (key != NULL, 0);
  g_return_val_if_fail (out_string != NULL, 0);

  *out_string = NULL;
  engine = dsq_store_begin_call (self, (const guint8 *) key, strlen (key), &made, error);
  if (engine == NULL)
    return 0;
  *out_string = dsq_engine_peek_string (engine, &made, DSQ_VALUE_STRING, &stamp, &is_other);
  if (*out_string != NULL)
    return check_stamp (self, engine, stamp);
  if (is_other || !dsq_engine_get_record (engine, &made, TRUE, &stamped, &length, error))
    return 0;
  if (stamped == NULL)
    return DSQ_STAMP_NONE;
  memcpy (&stamp, stamped, sizeof stamp);
  if (stamped[DSQ_STAMP_LENGTH] != DSQ_VALUE_STRING ||
      memchr (stamped + DSQ_STAMP_LENGTH, '\0', length - DSQ_STAMP_LENGTH) != NULL)
    return 0;
  /* in the place of the stamp and the type byte there is room for the one at its end */
  length -= DSQ_STAMP_LENGTH + 1;
  memmove (stamped, stamped + DSQ_STAMP_LENGTH + 1, length);
  stamped[length] = '\0';
  *out_string = (char *) g_steal_pointer (&stamped);
  return check_stamp (self, engine, stamp);
}

/**
 * dsq_store_map_words:
 * @self: a store
 * @out_table: (out) (optional): the number of the one that moves by one with each change of this
 *   store's table
 *
 * Tells where in memory %DSQ_N_WORDS words of 64 bits are, at which a binding may look to find out
 * without a call whether something has changed. They stay there as long as the process lives, are
 * not to be written, and are all 0 in the child of a fork.
 *
 * Returns: their address; 0 where there are none, on this machine, in a transaction, or for a file
 *   without an index of its log
 *
 * Since: 1.0
 */
guint64
dsq_store_map_words (DsqStore *self, guint *out_table)
{
  DsqEngine *engine;

  g_return_val_if_fail (DSQ_IS_STORE (self), 0);

  if (out_table != NULL)
    *out_table = DSQ_WORD_TABLES + self->table % DSQ_WORDS_N_TABLES;
  engine = dsq_store_get_engine (self, NULL);
  return engine != NULL ? (guint64) (gsize) dsq_engine_map_words (engine) : 0;
}

/**
 * dsq_store_set_text:
 * @self: a store
 * @text: a key that is a string, the type byte %DSQ_VALUE_STRING, and a string
 * @error: return location for an error
 *
 * Sets a key to a string, as [method@Store.set_record] does.
 *
 * Only the type byte tells where the key ends. So when that byte is in the key or in the string as
 * well, nothing is set, and the caller has to pass the two apart.
 *
 * Returns: what is not 0 when it is set, to the promise of the [enum@PersistMode]; 0 without an
 *   error when @text can be read in more than one way. Where it is more than 1, the string may be
 *   kept by who keeps all that the table has: it is the table's word, which has moved by one for
 *   this alone, see [method@Store.map_words].
 *
 * Since: 1.0
 */
guint64
dsq_store_set_text (DsqStore *self, const char *text, GError **error)
{
  const char *record;

  g_return_val_if_fail (DSQ_IS_STORE (self), 0);
  g_return_val_if_fail (text != NULL, 0);

  record = strchr (text, DSQ_VALUE_STRING);
  if (record == NULL || strchr (record + 1, DSQ_VALUE_STRING) != NULL)
    return 0;
  return set_record (self,
                     (const guint8 *) text,
                     (gsize) (record - text),
                     (const guint8 *) record,
                     strlen (record),
                     error);
}

/**
 * dsq_store_set_stamped_text:
 * @self: a store
 * @key: a key that is a string
 * @record: (array length=record_length): the record: a type byte and its payload
 * @record_length: bytes of @record
 * @error: return location for an error
 *
 * Sets a key to a record, as [method@Store.set_record] does.
 *
 * Returns: what [method@Store.set_text] gives when it is set; 0 with @error set
 *
 * Since: 1.0
 */
guint64
dsq_store_set_stamped_text (DsqStore *self,
                            const char *key,
                            const guint8 *record,
                            gsize record_length,
                            GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), 0);
  g_return_val_if_fail (key != NULL, 0);

  return set_record (self, (const guint8 *) key, strlen (key), record, record_length, error);
}

/**
 * dsq_store_contains_text:
 * @self: a store
 * @key: a key that is a string
 * @error: return location for an error
 *
 * Whether a key is there, as [method@Store.contains_key] does.
 *
 * Returns: (type gint): %DSQ_ANSWER_YES if it is; %DSQ_ANSWER_NO if not, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_contains_text (DsqStore *self, const char *key, GError **error)
{
  g_return_val_if_fail (key != NULL, DSQ_ANSWER_NO);

  return dsq_store_contains_key (self, (const guint8 *) key, strlen (key), error);
}

/**
 * dsq_store_remove_text:
 * @self: a store
 * @key: a key that is a string
 * @error: return location for an error
 *
 * Removes a key, as [method@Store.remove_key] does.
 *
 * Returns: (type gint): %DSQ_ANSWER_YES if it was there; %DSQ_ANSWER_NO if not, or with @error set
 *
 * Since: 1.0
 */
DsqAnswer
dsq_store_remove_text (DsqStore *self, const char *key, GError **error)
{
  g_return_val_if_fail (key != NULL, DSQ_ANSWER_NO);

  return dsq_store_remove_key (self, (const guint8 *) key, strlen (key), error);
}
