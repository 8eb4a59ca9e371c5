/* dsq-store-upkeep.c - a mapping that lives on disk: copies, checks, keys by prefix
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/dsq-call-private.h"
#include "codec/dsq-pack-private.h"
#include "dsq-error.h"
#include "store/dsq-store-private.h"

/**
 * dsq_store_backup:
 * @self: a store
 * @path: (type filename): the file to make; its folder must exist
 * @progress: (nullable) (scope call) (closure user_data): called now and then, on this thread
 * @user_data: passed to @progress
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Copies the store to a new file, while it is in use.
 *
 * Everything written before the call is in the copy, and of what is written meanwhile nothing, in
 * any mode that has a file. The copy gets its name when it is whole and synced. It is a store of
 * its own, with the permissions of this one's file and, if that is encrypted, its password.
 *
 * When there is something of that name already, the call gives %DSQ_ERROR_EXISTS; in memory mode
 * %DSQ_ERROR_INVALID_ARGUMENT.
 *
 * Returns: %TRUE when it is done
 *
 * Since: 1.0
 */
gboolean
dsq_store_backup (DsqStore *self,
                  const char *path,
                  DsqProgressFunc progress,
                  gpointer user_data,
                  GCancellable *cancellable,
                  GError **error)
{
  g_auto (DsqCall) call = { 0 };
  DsqEngine *engine;

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);
  g_return_val_if_fail (path != NULL, FALSE);

  engine = dsq_store_get_engine (self, error);
  return engine != NULL && dsq_call_begin (&call, cancellable, error) &&
         dsq_engine_backup (engine, path, progress, user_data, error);
}

/**
 * dsq_store_check:
 * @self: a store
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Looks for damage in the whole file: SQLite's pages and indexes, and the checksum and place of
 * every entry. What is pending is flushed before. The file may be in use meanwhile.
 *
 * Returns: (transfer full) (array zero-terminated=1) (nullable): what is wrong, a line each and at
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

  engine = dsq_store_get_engine (self, error);
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

/**
 * dsq_store_list_prefix:
 * @self: a store
 * @prefix: (array length=prefix_length): what the keys begin with, UTF-8
 * @prefix_length: bytes of @prefix
 * @from: (array length=from_length): the first key that is asked for; what is before @prefix, as
 *   the empty one is, stands for @prefix itself
 * @from_length: bytes of @from
 * @max_keys: the most keys to return, at least 1
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
dsq_store_list_prefix (DsqStore *self,
                       const guint8 *prefix,
                       gsize prefix_length,
                       const guint8 *from,
                       gsize from_length,
                       guint max_keys,
                       gsize *out_length,
                       GError **error)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);
  g_autofree guint8 *end_bytes = NULL;
  DsqPackBuilder *builder;
  DsqEngine *engine;
  DsqKey start, end;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);
  g_return_val_if_fail (max_keys > 0, NULL);
  g_return_val_if_fail (prefix != NULL || prefix_length == 0, NULL);
  g_return_val_if_fail (from != NULL || from_length == 0, NULL);

  *out_length = 0;
  engine = dsq_store_begin_call (self, prefix, prefix_length, &start, error);
  if (engine == NULL)
    return NULL;

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

  if (!dsq_engine_list_keys (engine, &start, &end, max_keys, entries, error))
    return NULL;
  builder = dsq_pack_builder_new ();
  for (guint i = 0; i < entries->len; i++)
    {
      const DsqEntry *entry = entries->pdata[i];

      dsq_pack_builder_add (builder, dsq_entry_key (entry), entry->key_length);
    }
  return dsq_pack_builder_finish (builder, out_length, error);
}
