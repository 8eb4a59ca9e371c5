/* dsq-entries-pack.c - the packs of entries that bindings ask for
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-key-codec-private.h"
#include "codec/dsq-pack-private.h"
#include "dsq-enums.h"
#include "store/dsq-entries-pack-private.h"
#include "tiers/dsq-entry-private.h"

static guint8 *
pack_any (const GPtrArray *entries, gboolean keys_only, gsize *out_length, GError **error)
{
  DsqPackBuilder *builder = dsq_pack_builder_new ();

  for (guint i = 0; i < entries->len; i++)
    {
      const DsqEntry *entry = entries->pdata[i];

      dsq_pack_builder_add (builder, dsq_entry_key (entry), entry->key_length);
      if (!keys_only)
        dsq_pack_builder_add (builder, dsq_entry_record (entry), entry->record_length);
    }
  return dsq_pack_builder_finish (builder, out_length, error);
}

/* Whether it may stand among texts; adds its bytes, with what ends each of them. */
static gboolean
is_text (const DsqEntry *entry, gboolean keys_only, gsize *length)
{
  const guint8 *record = dsq_entry_record (entry);

  *length += entry->key_length + 1 + (keys_only ? 0 : entry->record_length + 1);
  return dsq_key_codec_is_c_string (dsq_entry_key (entry), entry->key_length) &&
         (keys_only ||
          (record[0] == DSQ_VALUE_STRING && memchr (record, 0, entry->record_length) == NULL));
}

static guint8 *
append (guint8 *at, const guint8 *bytes, gsize length)
{
  memcpy (at, bytes, length);
  at[length] = 0;
  return at + length + 1;
}

/* The pack of texts that entries make; NULL of others. */
static guint8 *
pack_texts (const GPtrArray *entries, gboolean keys_only, gsize *out_length)
{
  guint n_columns = keys_only ? 1 : 2;
  gsize length = DSQ_PACK_TEXTS_HEAD - 1;
  guint8 *pack, *at;

  for (guint i = 0; i < entries->len; i++)
    if (!is_text (entries->pdata[i], keys_only, &length))
      return NULL;
  if (entries->len == 0 || length > G_MAXUINT32)
    return NULL;
  pack = g_malloc (length + 1);
  at = dsq_pack_write_texts_head (pack, n_columns * entries->len, n_columns);
  for (guint i = 0; i < entries->len; i++)
    {
      const DsqEntry *entry = entries->pdata[i];

      at = append (at, dsq_entry_key (entry), entry->key_length);
    }
  for (guint i = 0; i < entries->len && !keys_only; i++)
    {
      const DsqEntry *entry = entries->pdata[i];

      at = append (at, dsq_entry_record (entry), entry->record_length);
    }
  *out_length = length;
  return pack;
}

guint8 *
dsq_entries_pack (const GPtrArray *entries,
                  gboolean keys_only,
                  gboolean may_be_texts,
                  gsize *out_length,
                  GError **error)
{
  guint8 *pack = may_be_texts ? pack_texts (entries, keys_only, out_length) : NULL;

  return pack != NULL ? pack : pack_any (entries, keys_only, out_length, error);
}
