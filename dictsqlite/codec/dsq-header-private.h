/* dsq-header-private.h - the header of a store's file, plain or encrypted
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec/dsq-row-private.h"

G_BEGIN_DECLS

#define DSQ_HEADER_MAX_LENGTH DSQ_FORMAT_HEADER_SEALED_LENGTH

/* dsq-format-private.h has the layout. */
typedef struct
{
  guint8 bytes[DSQ_HEADER_MAX_LENGTH];
  guint length;
  DsqMarkColumn first_mark; /* of a new store: that of the table which it begins with */
} DsqHeader;

/* --- a new store's ---------------------------------------------------------------------------- */

/* Draws the store's id and its first table's mark; with @password also its keys, sealed under what
 * @cost makes of it. Gives DSQ_ERROR_INVALID_ARGUMENT for an empty password or a cost out of
 * bounds. */
gboolean dsq_header_init (DsqHeader *self,
                          GBytes *password,
                          const DsqKdfCost *cost,
                          DsqKeys **out_keys,
                          GError **error);

/* --- one that was read ------------------------------------------------------------------------ */

/* Takes @bytes if they are a header, as far as that shows without a password: DSQ_ERROR_FORMAT for
 * one of another version, DSQ_ERROR_CORRUPT for a damaged one, or one that asks for more or less
 * work than a store may. */
gboolean dsq_header_read (DsqHeader *self, const guint8 *bytes, gsize length, GError **error);

gboolean dsq_header_is_sealed (const DsqHeader *self);
const guint8 *dsq_header_get_store_id (const DsqHeader *self);
gboolean dsq_header_equal (const DsqHeader *self, const DsqHeader *other);

/* Whether the work that @self asks for is within @limit, as dsq_kdf_cost_weigh() has it:
 * DSQ_ERROR_TOO_COSTLY otherwise. To be asked before it is unlocked. */
gboolean dsq_header_check_cost (const DsqHeader *self, guint64 limit, GError **error);
/* What the next password shall cost: @least, and no less than that of @self. */
DsqKdfCost dsq_header_keep_cost (const DsqHeader *self, const DsqKdfCost *least, guint64 limit);

/* The keys of the store, or NULL of a plain one. Gives DSQ_ERROR_WRONG_PASSWORD,
 * DSQ_ERROR_ENCRYPTED, DSQ_ERROR_NOT_ENCRYPTED or DSQ_ERROR_INVALID_ARGUMENT for a password that is
 * none, and pays for the derivation only if it must. */
gboolean
dsq_header_unlock (const DsqHeader *self, GBytes *password, DsqKeys **out_keys, GError **error);

/* The same data key under another password. */
gboolean dsq_header_change_password (DsqHeader *self,
                                     GBytes *old_password,
                                     GBytes *new_password,
                                     const DsqKdfCost *cost,
                                     GError **error);

G_END_DECLS
