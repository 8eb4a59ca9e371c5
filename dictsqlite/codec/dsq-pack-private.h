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
 *
 * Items without a byte 0 in them may also be joined by such bytes, which Python does in a quarter
 * of the time. They are in one column, or in two, the first of which has the 1st, 3rd, 5th ... of
 * them:
 *
 *   0xFFFFFFFF | n | columns | item 0 item 0 ... item
 */
#define DSQ_PACK_OF_TEXTS G_MAXUINT32

typedef struct
{
  const guint8 *lengths;   /* (unowned) (nullable) the next length, not aligned; NULL of texts */
  const guint8 *bytes;     /* (unowned) the next item, of texts that of the first column */
  const guint8 *second;    /* (unowned) (nullable) of texts in two columns, that of the second */
  const guint8 *texts_end; /* (unowned) (nullable) of texts, where the last one ends */
  guint32 n_items;         /* items in all */
  guint32 n_left;          /* items not read yet */
} DsqPackReader;

/* Checks the whole of @pack, whose lengths must tile it exactly: DSQ_ERROR_INVALID_ARGUMENT. */
gboolean
dsq_pack_reader_init (DsqPackReader *self, const guint8 *pack, gsize length, GError **error);
gboolean dsq_pack_reader_next (DsqPackReader *self, const guint8 **out_item, guint32 *out_length);

/* Writes what stands before @n_items texts; returns where the first of them goes. */
guint8 *dsq_pack_write_texts_head (guint8 *pack, guint32 n_items, guint32 n_columns);
#define DSQ_PACK_TEXTS_HEAD (3 * sizeof (guint32))

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
