/* dsq-migrate.h - what an import from earlier programs needs of the library
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-types.h>

G_BEGIN_DECLS

DSQ_AVAILABLE_IN_1_0 guint8 *dsq_migrate_derive_v4_key (const char *password, gsize *out_length);
DSQ_AVAILABLE_IN_1_0 guint8 *dsq_migrate_unseal_v4 (const guint8 *key,
                                                    gsize key_length,
                                                    const guint8 *sealed,
                                                    gsize length,
                                                    gsize *out_length,
                                                    GError **error);

G_END_DECLS
