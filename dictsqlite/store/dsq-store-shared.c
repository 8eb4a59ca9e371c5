/* dsq-store-shared.c - a mapping that lives on disk: what the files of the store share
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-hash-private.h"
#include "codec/dsq-key-codec-private.h"
#include "codec/dsq-value-private.h"
#include "dsq-error.h"
#include "store/dsq-store-private.h"

DsqEngine *
dsq_store_get_engine (DsqStore *self, GError **error)
{
  DsqEngine *engine = __atomic_load_n (&self->usable, __ATOMIC_RELAXED);

  if (G_LIKELY (engine != NULL))
    return engine;
  g_set_error_literal (error, DSQ_ERROR, DSQ_ERROR_CLOSED, "store is closed");
  return NULL;
}

gboolean
dsq_store_make_key (DsqStore *self,
                    const guint8 *bytes,
                    gsize length,
                    DsqKey *out_key,
                    GError **error)
{
  /* bindings pass NULL for an array of no bytes */
  bytes = bytes != NULL ? bytes : (const guint8 *) "";
  if (!dsq_key_codec_validate (bytes, length, error))
    return FALSE;
  *out_key = (DsqKey){ bytes, (guint32) length, self->table, 0 };
  out_key->hash = dsq_hash (self->table, bytes, length);
  return TRUE;
}

DsqEntry *
dsq_store_make_entry (const DsqKey *key, const guint8 *record, gsize length, GError **error)
{
  if (!dsq_value_check_record (record, length, error))
    return NULL;
  return dsq_entry_new (key, record, length, 0);
}
