/* dsq-pack-private.h - many byte strings in one array, the form in which bindings pass batches
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * A pack, all numbers unsigned 32 bits in the machine's own byte order (a pack never leaves the
 * process):
 *
 *   n | length[0] ... length[n - 1] | bytes[0] ... bytes[n - 1], end to end
 *
 * Entries are a pack of key, record, key, record, ... so n is even.
 */
typedef struct
{
  const guint8 *lengths; /* (unowned) the next length, not aligned */
  const guint8 *bytes;   /* (unowned) the next item */
  guint32 n_items;       /* items in all */
  guint32 n_left;        /* items not read yet */
} DsqPackReader;

/* Checks the whole of @pack, whose lengths must tile it exactly: DSQ_ERROR_INVALID_ARGUMENT. */
gboolean
dsq_pack_reader_init (DsqPackReader *self, const guint8 *pack, gsize length, GError **error);
gboolean dsq_pack_reader_next (DsqPackReader *self, const guint8 **out_item, guint32 *out_length);

typedef struct _DsqPackBuilder DsqPackBuilder;

DsqPackBuilder *dsq_pack_builder_new (void);
void dsq_pack_builder_free (DsqPackBuilder *self);
void dsq_pack_builder_add (DsqPackBuilder *self, const guint8 *item, gsize length);
/* The same for an item that begins with a byte of its own. */
void dsq_pack_builder_add_behind (DsqPackBuilder *self,
                                  guint8 head,
                                  const guint8 *rest,
                                  gsize rest_length);
/* The pack (g_malloc), and frees the builder. Gives DSQ_ERROR_INVALID_ARGUMENT when the whole is
 * 4 GiB or more. */
guint8 *dsq_pack_builder_finish (DsqPackBuilder *self, gsize *out_length, GError **error);

/* The pack of one item (g_malloc). */
guint8 *dsq_pack_make_one (const guint8 *item, guint32 length, gsize *out_length);

/* What stands in a pack for what could not be given: a byte 0, which no record begins with, the
 * error's code, 1 when it is of DSQ_ERROR and 2 when not, and its message. */
GByteArray *dsq_pack_make_error (const GError *error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DsqPackBuilder, dsq_pack_builder_free)

G_END_DECLS
