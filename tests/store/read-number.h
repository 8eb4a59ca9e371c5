/* read-number.h - the integers that tests keep in a store
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>

/* Whether @key is there, as it must be with an integer. */
static inline gboolean
read_number (DsqStore *store, const char *key, gint64 *out_number, GError **error)
{
  g_autoptr (GVariant) value = dsq_store_get (store, key, NULL, error);

  *out_number = value != NULL ? g_variant_get_int64 (value) : 0;
  return value != NULL;
}
