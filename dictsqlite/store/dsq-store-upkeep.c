/* dsq-store-upkeep.c - a mapping that lives on disk: checks, keys by prefix
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/dsq-call-private.h"
#include "codec/dsq-key-codec-private.h"
#include "dsq-error.h"
#include "store/dsq-entries-pack-private.h"
#include "store/dsq-store-private.h"

/**
 * dsq_store_check:
 * @self: a store
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Looks for damage in the whole file: SQLite's pages and indexes, and the checksum and place of
 * every entry; on a server, entries alone. What is pending is flushed before. The store may be in
 * use meanwhile.
 *
 * Returns: (transfer full) (array zero-terminated=1): what is wrong, a line each and at
 *   most 100, none when the file is sound or there is none; %NULL with @error set
 *
 * Since: 1.0
 */
char **
dsq_store_check (DsqStore *self, GCancellable *cancellable, GError **error)
{
  g_auto (DsqCall) call = { 0 };
  g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
  DsqEngine *engine;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  engine = dsq_store_get_root (self, error);
  if (engine == NULL || !dsq_call_begin (&call, cancellable, error) ||
      !dsq_engine_check (engine, problems, error))
    return NULL;
  g_ptr_array_add (problems, NULL);
  return (char **) g_ptr_array_steal (problems, NULL);
}

static gboolean
is_behind (const guint8 *bytes, gsize length, const DsqKey *key)
{
  int order = key->length > 0 ? memcmp (bytes, key->bytes, MIN (length, key->length)) : 0;

  return order > 0 || (order == 0 && length > key->length);
}

/* Adds the entries whose keys are strings that begin with @prefix, from @from on. */
static gboolean
list_range (DsqStore *self,
            const guint8 *prefix,
            gsize prefix_length,
            const guint8 *from,
            gsize from_length,
            guint max_keys,
            GPtrArray *entries,
            GError **error)
{
  g_autofree guint8 *end_bytes = NULL;
  DsqEngine *engine;
  DsqKey start, end;

  engine = dsq_store_begin_call (self, prefix, prefix_length, &start, error);
  if (engine == NULL)
    return FALSE;

  /* UTF-8 has no byte 0xFF, with which keys that are no strings begin: so one that is greater than
   * the last byte, and without a prefix 0xFF itself, ends the range */
  end = start;
  end_bytes = g_malloc (prefix_length + 1);
  memcpy (end_bytes, start.bytes, prefix_length);
  if (prefix_length > 0)
    end_bytes[prefix_length - 1]++;
  else
    end_bytes[end.length++] = 0xFF;
  end.bytes = end_bytes;
  /* one before the prefix asks for all; what of it is longer than any key changes nothing */
  if (from_length > 0 && is_behind (from, from_length, &start))
    {
      start.bytes = from;
      start.length = (guint32) MIN (from_length, DSQ_MAX_KEY_LENGTH + 1);
    }
  return dsq_engine_list_keys (engine, &start, &end, max_keys, entries, error);
}

static GPtrArray *
new_entries (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);
}

/**
 * dsq_store_list_keys:
 * @self: a store
 * @prefix: what the keys begin with; the empty string: any
 * @after: (nullable): the key after which they come, as the last one of the page before; %NULL: all
 * @max_keys: the most keys to return, at least 1
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Lists keys in the order of their bytes. The file is asked for these alone, whatever else it
 * holds.
 *
 * Keys that are no C strings are left out. An encrypted file hides the order of its keys: there
 * this gives %DSQ_ERROR_ENCRYPTED, and a walk tells them.
 *
 * Returns: (transfer full) (array zero-terminated=1): the keys, none at the end; %NULL with @error
 *   set
 *
 * Since: 1.0
 */
char **
dsq_store_list_keys (DsqStore *self,
                     const char *prefix,
                     const char *after,
                     guint max_keys,
                     GCancellable *cancellable,
                     GError **error)
{
  g_auto (DsqCall) call = { 0 };
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GByteArray) from = g_byte_array_new ();
  guint n_wanted;
  guint n_listed;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (prefix != NULL, NULL);
  g_return_val_if_fail (max_keys > 0, NULL);

  if (!dsq_call_begin (&call, cancellable, error))
    return NULL;
  if (after != NULL)
    g_byte_array_append (from, (const guint8 *) after, strlen (after) + 1);
  do
    {
      g_autoptr (GPtrArray) entries = new_entries ();

      n_wanted = max_keys - keys->len;
      if (!list_range (self,
                       (const guint8 *) prefix,
                       strlen (prefix),
                       from->data,
                       from->len,
                       n_wanted,
                       entries,
                       error))
        return NULL;
      n_listed = entries->len;
      for (guint i = 0; i < n_listed; i++)
        {
          const DsqEntry *entry = entries->pdata[i];
          const guint8 *key = dsq_entry_key (entry);

          if (dsq_key_codec_is_c_string (key, entry->key_length))
            g_ptr_array_add (keys, g_strndup ((const char *) key, entry->key_length));
          g_byte_array_set_size (from, 0);
          g_byte_array_append (from, key, entry->key_length);
          g_byte_array_append (from, (const guint8 *) "", 1);
        }
    }
  while (keys->len < max_keys && n_listed == n_wanted);
  g_ptr_array_add (keys, NULL);
  return (char **) g_ptr_array_steal (keys, NULL);
}

/**
 * dsq_store_list_keys_pack:
 * @self: a store
 * @prefix: (array length=prefix_length): what the keys begin with, UTF-8
 * @prefix_length: bytes of @prefix
 * @from: (array length=from_length): the first key that is asked for; what is before @prefix, as
 *   the empty one is, stands for @prefix itself
 * @from_length: bytes of @from
 * @max_keys: the most keys to return, at least 1
 * @may_be_texts: whether they may come as texts, which they do where none has a NUL character
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Lists keys that are strings and begin with a prefix, in the order of their bytes. The file is
 * asked for these alone, whatever else it holds; what is not in it yet is put in order by the first
 * call, and kept in order from then on, for about 6 bytes a key.
 *
 * For the next ones call it with the last key and a byte 0 behind it as @from.
 *
 * Returns: (transfer full) (array length=out_length): the pack of the keys, without items at the
 *   end
 *
 * Since: 1.0
 */
guint8 *
dsq_store_list_keys_pack (DsqStore *self,
                          const guint8 *prefix,
                          gsize prefix_length,
                          const guint8 *from,
                          gsize from_length,
                          guint max_keys,
                          gboolean may_be_texts,
                          gsize *out_length,
                          GError **error)
{
  g_autoptr (GPtrArray) entries = new_entries ();

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);
  g_return_val_if_fail (max_keys > 0, NULL);
  g_return_val_if_fail (prefix != NULL || prefix_length == 0, NULL);
  g_return_val_if_fail (from != NULL || from_length == 0, NULL);

  *out_length = 0;
  if (!list_range (self, prefix, prefix_length, from, from_length, max_keys, entries, error))
    return NULL;
  return dsq_entries_pack (entries, TRUE, may_be_texts, out_length, error);
}
