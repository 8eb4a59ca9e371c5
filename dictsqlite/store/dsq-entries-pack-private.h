/* dsq-entries-pack-private.h - the packs of entries that bindings ask for
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The pack (g_malloc) of @entries, of DsqEntry: of their keys, or of key, record, key, record, ...;
 * as texts, if that may be, where all of these are strings without a NUL character. */
guint8 *dsq_entries_pack (const GPtrArray *entries,
                          gboolean keys_only,
                          gboolean may_be_texts,
                          gsize *out_length,
                          GError **error);

G_END_DECLS
