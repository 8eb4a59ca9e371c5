/* cli-pack.h - many items in one array, as the library takes and gives them
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A pack that the library gave: numbers of 32 bits in the machine's order, the count of items and
 * the length of each, and then the items end to end. */
typedef struct
{
  const guint8 *lengths; /* (unowned) the next item's */
  const guint8 *bytes;   /* (unowned) the next item */
  guint32 n_left;        /* items that are left */
} CliPack;

void cli_pack_init (CliPack *self, const guint8 *pack);
gboolean cli_pack_next (CliPack *self, const guint8 **out_item, gsize *out_length);

/* One that is made. */
typedef struct
{
  GArray *lengths;   /* (owned) of guint32 */
  GByteArray *bytes; /* (owned) */
} CliPacker;

void cli_packer_init (CliPacker *self);
void cli_packer_clear (CliPacker *self);
void cli_packer_add (CliPacker *self, const guint8 *item, gsize length);
/* The pack (g_free), after which this one has no items. */
guint8 *cli_packer_finish (CliPacker *self, gsize *out_length);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CliPacker, cli_packer_clear)

G_END_DECLS
